// WRAPPED of docs/formats.md: the key of one encoded content, wrapped for one receiver.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "crypto/key.hpp"

namespace fieldwork::crypto {

inline constexpr std::size_t content_key_bytes = 32;

/// 32 random bytes.
[[nodiscard]] std::string generate_content_key();

/// WRAPPED; each member is the JSON member of that name, as text.
struct WrappedKey {
  std::string alg;
  std::string ephemeral;  // base64url; empty save for ECDH
  std::string wrapped;    // base64url
  bool operator==(const WrappedKey&) const = default;
};

/// The algorithm of public_content_key.
inline constexpr std::string_view public_algorithm = "none";

/// By ECDH for a key of P-256, by RSA-OAEP for an RSA key. `receiver` is the key of the certificate whose fingerprint()
/// is `receiver_fingerprint_hex`; the caller has verified that certificate. Invalid where a key, fingerprint or id has
/// the wrong form.
[[nodiscard]] Result<WrappedKey> wrap_content_key(std::string_view content_key, const PublicKey& receiver,
                                                  std::string_view receiver_fingerprint_hex,
                                                  std::string_view content_id_hex);

/// The key as it is, for a content that policy marks public: whoever reads this can read the content.
[[nodiscard]] Result<WrappedKey> public_content_key(std::string_view content_key);

/// The 32 bytes of the content key. Invalid where a member has the wrong form or `alg` is not for this kind of key;
/// denied where the key was wrapped for another receiver or content, or where `wrapped` was changed. Takes a public
/// content's key as well: whoever expects a secret one compares `alg`.
[[nodiscard]] Result<std::string> unwrap_content_key(const WrappedKey& wrapped, const PrivateKey& receiver,
                                                     std::string_view receiver_fingerprint_hex,
                                                     std::string_view content_id_hex);

}  // namespace fieldwork::crypto
