// Sealing encoded contents (docs/formats.md, SEALED): the offer that says how, and what a receiver checks of it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "crypto/certificate.hpp"
#include "crypto/key.hpp"
#include "crypto/sealed.hpp"
#include "model/package.hpp"

namespace fieldwork::exchange {

struct Encoded {
  std::string encoding;  // identity, zstd or zstd-patch
  std::filesystem::path path;
  std::int64_t encoded_bytes = 0;
  std::string encoded_digest{};
  std::string base{};  // of a zstd-patch: the digest of the content against which it is made
};

/// Compresses to `<plain_path>.zst` where that is smaller, else the plain file is its own encoding (and there is no
/// .zst). An existing .zst is taken as it is. `digest`: of the plain file.
[[nodiscard]] Result<Encoded> encode_beside(const std::filesystem::path& plain_path, const std::string& digest,
                                            int level = 3);

/// One encoded content under one id and key, for ever. Whoever has these and the encoded file can send it.
struct Sealing {
  std::string content_id;  // 32 hex digits
  std::int64_t epoch = 1;
  crypto::Cipher cipher = crypto::Cipher::aes_256_gcm;
  std::string key;          // 32 bytes
  std::string header;       // JWS of a codec::ContentHeader; empty: the receiver alone has the key
  std::string certificate;  // PEM; of who signed it
  bool is_public = false;   // offers have the key as it is, for whoever reads them; only with a header
};

/// A new key, and a header that `signer` signs; `certificate` is the signer's. Reads the encoded file once. `digest`
/// and `size_bytes` are of the plain content.
[[nodiscard]] Result<Sealing> seal(const Encoded& encoded, const std::string& digest, std::int64_t size_bytes,
                                   const std::string& content_id, std::int64_t epoch, crypto::Cipher cipher,
                                   const crypto::PrivateKey& signer, const crypto::Certificate& certificate);
/// The same for one receiver alone, without a header.
[[nodiscard]] Sealing seal_for_one(const std::string& content_id, crypto::Cipher cipher);

/// The offer, with the key wrapped for `receiver`, a certificate that the caller has verified, or as it is where it is
/// public. `release` is empty for outputs.
[[nodiscard]] Result<Offer> make_offer(const TransferId& transfer, const std::string& digest, std::int64_t size_bytes,
                                       const Encoded& encoded, const Sealing& sealing,
                                       const crypto::Certificate& receiver, const std::string& release);

/// Why a transfer fails whose receiver has this error: its disk, or what it received.
[[nodiscard]] TransferFailure failure_of(const Error& error);

/// What the frames of this offer are bound to.
[[nodiscard]] Result<crypto::SealedHeader> sealed_header(const Offer& offer);

/// Upper bound on the encoded size of `size_bytes` plain bytes.
[[nodiscard]] constexpr std::int64_t encoded_bytes_max(std::int64_t size_bytes) {
  return size_bytes + 64 * 1024 + size_bytes / 100;
}

/// Checks the offer without touching a file, and returns the unwrapped content key. Denied where the key is not for
/// us; invalid, with the field's path, where the offer is larger than `size_max` or implausible, and where its key is
/// public without a header that says what the content is. Whoever expects a secret key compares the algorithm.
[[nodiscard]] Result<std::string> check_offer(const Offer& offer, const crypto::PrivateKey& own_key,
                                              std::string_view own_certificate_fingerprint_hex, std::int64_t size_max);

/// Denied unless the header says what the offer says, and is signed by `name`, to whom `authority` issued the
/// certificate in the envelope.
[[nodiscard]] Result<void> check_header(const Offer& offer, const crypto::CertificateAuthority& authority,
                                        std::string_view name, std::chrono::system_clock::time_point at);

}  // namespace fieldwork::exchange
