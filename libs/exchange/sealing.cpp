#include "exchange/sealing.hpp"

#include <fcntl.h>

#include "codec/transfer.hpp"
#include "content/encoding.hpp"
#include "crypto/bytes.hpp"
#include "crypto/content_key.hpp"
#include "crypto/digest.hpp"
#include "crypto/jws.hpp"
#include "exchange/durable.hpp"
#include "file.hpp"

namespace fieldwork::exchange {
namespace {

namespace fs = std::filesystem;
constexpr const char* header_type = "fieldwork-content+jws";

Error invalid(const char* path, std::string reason) { return Error{Code::invalid, std::move(reason), path}; }

codec::ContentHeader header_of(const Offer& offer, std::string root) {
  return {.content = offer.envelope.content,
          .epoch = offer.envelope.epoch,
          .digest = offer.digest,
          .size_bytes = offer.size_bytes,
          .encoding = offer.encoding,
          .base = offer.base,
          .encoded_bytes = offer.encoded_bytes,
          .encoded_digest = offer.encoded_digest,
          .encryption_algorithm = offer.envelope.encryption_algorithm,
          .chunk_bytes = offer.envelope.chunk_bytes,
          .root = std::move(root)};
}

// An offer of this encoded content, without a key for anyone.
Offer bare_offer(const Encoded& encoded, const std::string& digest, std::int64_t size_bytes, const Sealing& sealing) {
  return {.digest = digest,
          .size_bytes = size_bytes,
          .encoding = encoded.encoding,
          .base = encoded.base,
          .encoded_bytes = encoded.encoded_bytes,
          .encoded_digest = encoded.encoded_digest,
          .envelope = {.content = sealing.content_id,
                       .epoch = sealing.epoch,
                       .encryption_algorithm = std::string(crypto::name_of(sealing.cipher)),
                       .chunk_bytes = crypto::chunk_bytes_default,
                       .header = sealing.header,
                       .certificate = sealing.certificate}};
}

}  // namespace

TransferFailure failure_of(const Error& error) {
  return error.code == Code::unavailable ? TransferFailure::unavailable : TransferFailure::verification_failed;
}

Result<Encoded> encode_beside(const fs::path& plain_path, const std::string& digest, int level) {
  const fs::path encoded = plain_path.string() + ".zst";
  std::error_code error;
  const auto plain_bytes = fs::file_size(plain_path, error);
  if (error) return Error{Code::unavailable, error.message(), plain_path.string()};
  if (!fs::exists(encoded, error)) {
    const auto made = content::make({content::EncodingKind::zstd, level}, plain_path, {}, encoded);
    if (!made) return made.error();
    // Empty content is sent as an empty zstd stream: an offer of 0 encoded bytes does not exist.
    if (made->bytes < static_cast<std::int64_t>(plain_bytes) || plain_bytes == 0)
      return Encoded{"zstd", encoded, made->bytes, made->digest};
    fs::remove(encoded, error);
    return Encoded{"identity", plain_path, static_cast<std::int64_t>(plain_bytes), digest};
  }
  const auto bytes = fs::file_size(encoded, error);
  if (error) return Error{Code::unavailable, error.message(), encoded.string()};
  auto encoded_digest = crypto::digest_of_file(encoded);
  if (!encoded_digest) return encoded_digest.error();
  return Encoded{"zstd", encoded, static_cast<std::int64_t>(bytes), std::move(*encoded_digest)};
}

Result<Sealing> seal(const Encoded& encoded, const std::string& digest, std::int64_t size_bytes,
                     const std::string& content_id, std::int64_t epoch, crypto::Cipher cipher,
                     const crypto::PrivateKey& signer, const crypto::Certificate& certificate) {
  Sealing out{content_id, epoch, cipher, crypto::generate_content_key(), {}, certificate.to_pem()};
  const auto offer = bare_offer(encoded, digest, size_bytes, out);
  const auto header = sealed_header(offer);
  if (!header) return header.error();
  const auto file = File::open(encoded.path, O_RDONLY);
  if (!file) return file.error();
  auto root = crypto::sealed_root_hex(
      *header, out.key, [&](std::uint64_t offset, std::size_t length) { return file->read_at(offset, length); });
  if (!root) return root.error();
  out.header = crypto::sign_jws(signer, header_type, codec::encode(header_of(offer, std::move(*root))));
  return out;
}

Sealing seal_for_one(const std::string& content_id, crypto::Cipher cipher) {
  return {content_id, 1, cipher, crypto::generate_content_key(), {}, {}};
}

Result<Offer> make_offer(const TransferId& transfer, const std::string& digest, std::int64_t size_bytes,
                         const Encoded& encoded, const Sealing& sealing, const crypto::Certificate& receiver,
                         const std::string& release) {
  if (sealing.is_public && sealing.header.empty()) return invalid("/envelope/header", "is missing: the key is public");
  auto wrapped = sealing.is_public ? crypto::public_content_key(sealing.key)
                                   : crypto::wrap_content_key(sealing.key, receiver.public_key(),
                                                              receiver.fingerprint(), sealing.content_id);
  if (!wrapped) return wrapped.error();
  auto offer = bare_offer(encoded, digest, size_bytes, sealing);
  offer.transfer = transfer;
  offer.release = release;
  offer.envelope.key_encryption_algorithm = std::move(wrapped->alg);
  offer.envelope.ephemeral = std::move(wrapped->ephemeral);
  offer.envelope.wrapped = std::move(wrapped->wrapped);
  return offer;
}

Result<crypto::SealedHeader> sealed_header(const Offer& offer) {
  const auto& envelope = offer.envelope;
  const auto under = [](Error error) {
    error.path = (error.path == "/content" || error.path == "/chunk_bytes" || error.path == "/encryption_algorithm")
                     ? "/envelope" + error.path
                     : error.path;
    return error;
  };
  const auto cipher = crypto::cipher_named(envelope.encryption_algorithm);
  if (!cipher) return under(cipher.error());
  crypto::SealedHeader out{.content_id_hex = envelope.content,
                           .cipher = *cipher,
                           .chunk_bytes = static_cast<std::uint32_t>(envelope.chunk_bytes),
                           .encoded_bytes = static_cast<std::uint64_t>(offer.encoded_bytes),
                           .digest = offer.digest};
  if (auto good = crypto::check(out); !good) return under(good.error());
  return out;
}

Result<std::string> check_offer(const Offer& offer, const crypto::PrivateKey& own_key,
                                std::string_view own_certificate_fingerprint_hex, std::int64_t size_max) {
  if (offer.size_bytes < 0 || offer.size_bytes > size_max)
    return invalid("/size_bytes", "is more than the limit of " + std::to_string(size_max) + " bytes");
  if (offer.encoded_bytes < 1 || offer.encoded_bytes > encoded_bytes_max(offer.size_bytes)) {
    return invalid("/encoded_bytes", "is implausible for " + std::to_string(offer.size_bytes) + " bytes of content");
  }
  if (offer.encoding == "identity") {
    if (offer.encoded_bytes != offer.size_bytes) return invalid("/encoded_bytes", "must be size_bytes for identity");
    if (offer.encoded_digest != offer.digest) return invalid("/encoded_digest", "must be the digest for identity");
  } else if (offer.encoding != "zstd" && offer.encoding != "zstd-patch") {
    return invalid("/encoding", "must be identity, zstd or zstd-patch");
  }
  if (offer.base.empty() == (offer.encoding == "zstd-patch"))
    return invalid("/base", "is there exactly for zstd-patch");
  if (!crypto::is_hex(offer.transfer.value, 32)) return invalid("/transfer", "must be 32 hex digits");
  if (auto header = sealed_header(offer); !header) return header.error();
  const auto& envelope = offer.envelope;
  if (envelope.key_encryption_algorithm == crypto::public_algorithm && envelope.header.empty())
    return invalid("/envelope/header", "is missing: the key is public");
  auto key = crypto::unwrap_content_key({envelope.key_encryption_algorithm, envelope.ephemeral, envelope.wrapped},
                                        own_key, own_certificate_fingerprint_hex, envelope.content);
  if (!key) {
    const auto& path = key.error().path;
    return Error{key.error().code, key.error().reason,
                 "/envelope" + (path == "/alg" ? "/key_encryption_algorithm" : path)};
  }
  return key;
}

Result<void> check_header(const Offer& offer, const crypto::CertificateAuthority& authority, std::string_view name,
                          std::chrono::system_clock::time_point at) {
  const auto denied = [](const char* path, std::string reason) { return Error{Code::denied, std::move(reason), path}; };
  auto certificate = crypto::Certificate::from_pem(offer.envelope.certificate);
  if (!certificate) return denied("/envelope/certificate", certificate.error().reason);
  if (auto good = authority.verify(*certificate, at); !good)
    return denied("/envelope/certificate", good.error().reason);
  if (certificate->common_name() != name) return denied("/envelope/certificate", "is not of " + std::string(name));
  crypto::TrustStore keys;
  keys.add(certificate->public_key());
  const auto payload = keys.verify(offer.envelope.header, header_type);
  if (!payload) return denied("/envelope/header", payload.error().reason);
  auto header = codec::decode_content_header(*payload);
  if (!header) return denied("/envelope/header", describe(header.error()));
  if (*header != header_of(offer, header->root)) return denied("/envelope/header", "is not of what is offered");
  return {};
}

}  // namespace fieldwork::exchange
