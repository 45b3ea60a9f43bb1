#include <openssl/core_names.h>
#include <openssl/params.h>

#include "crypto/bytes.hpp"
#include "crypto/seal.hpp"
#include "gcm.hpp"
#include "openssl.hpp"

namespace fieldwork::crypto {
namespace {

constexpr std::string_view algorithm = "ECDH-ES+HKDF-SHA256+A256GCM";
constexpr std::string_view label = "fieldwork transfer key v1";
constexpr std::size_t point_bytes = 65;
constexpr std::size_t secret_bytes = 32;

std::string zero_nonce() { return std::string(12, '\0'); }

/// A string whose bytes are erased when it ends.
struct Secret {
  std::string bytes;
  explicit Secret(std::size_t size) : bytes(size, '\0') {}
  ~Secret() { OPENSSL_cleanse(bytes.data(), bytes.size()); }
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
};

std::string point_of(const PublicKey& key) {
  unsigned char* encoded = nullptr;
  const std::size_t size = EVP_PKEY_get1_encoded_public_key(key.native(), &encoded);
  must(size == point_bytes, "a public key cannot be written");
  std::string point(reinterpret_cast<char*>(encoded), size);
  OPENSSL_free(encoded);
  return point;
}

/// Null where the bytes are not an uncompressed point on the curve.
Pkey key_of_point(std::string& point) {
  if (point.size() != point_bytes || point[0] != '\x04') return nullptr;
  char group[] = "prime256v1";
  OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
                             OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()),
                             OSSL_PARAM_construct_end()};
  const PkeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
  EVP_PKEY* key = nullptr;
  must(context && EVP_PKEY_fromdata_init(context.get()) == 1, "no memory");
  if (EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1) return nullptr;
  return Pkey(key);
}

/// ECDH. False where the key of `peer` is not a good one.
bool shared_secret(EVP_PKEY* own, EVP_PKEY* peer, Secret& secret) {
  const PkeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, own, nullptr));
  std::size_t size = secret.bytes.size();
  return context && EVP_PKEY_derive_init(context.get()) == 1 && EVP_PKEY_derive_set_peer(context.get(), peer) == 1 &&
         EVP_PKEY_derive(context.get(), bytes_of(secret.bytes), &size) == 1 && size == secret_bytes;
}

void derive_kek(Secret& secret, std::string info, Secret& kek) {
  static EVP_KDF* const hkdf = EVP_KDF_fetch(nullptr, "HKDF", nullptr);
  const KdfContext context(EVP_KDF_CTX_new(hkdf));
  char digest[] = "SHA256";
  OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, secret.bytes.data(), secret.bytes.size()),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info.data(), info.size()), OSSL_PARAM_construct_end()};
  must(context && EVP_KDF_derive(context.get(), bytes_of(kek.bytes), kek.bytes.size(), parameters) == 1, "HKDF failed");
}

Result<std::string> info_of(std::string_view fingerprint_hex, std::string_view transfer_id_hex) {
  if (!is_hex(fingerprint_hex, 64)) return Error{Code::invalid, "a fingerprint has 64 hex digits"};
  if (!is_hex(transfer_id_hex, 32)) return Error{Code::invalid, "a transfer id has 32 hex digits"};
  std::string info(label);
  info += '\0';
  return info + from_hex(transfer_id_hex).value() + from_hex(fingerprint_hex).value();
}

}  // namespace

Result<WrappedKey> wrap_key(std::string_view content_key, const PublicKey& receiver,
                            std::string_view receiver_fingerprint_hex, std::string_view transfer_id_hex) {
  const ErrorScope scope;
  if (content_key.size() != content_key_bytes) return Error{Code::invalid, "a content key has 32 bytes"};
  const auto info = info_of(receiver_fingerprint_hex, transfer_id_hex);
  if (!info) return info.error();
  const PrivateKey ephemeral = PrivateKey::generate();
  Secret secret(secret_bytes), kek(content_key_bytes);
  if (!shared_secret(ephemeral.native(), receiver.native(), secret)) {
    return Error{Code::invalid, "the receiver's key cannot be used"};
  }
  derive_kek(secret, *info, kek);
  std::string sealed;
  gcm_seal(kek.bytes, zero_nonce(), {}, content_key, sealed);
  return WrappedKey{std::string(algorithm), base64url_encode(point_of(ephemeral.public_key())),
                    base64url_encode(sealed)};
}

Result<std::string> unwrap_key(const WrappedKey& wrapped, const PrivateKey& receiver,
                               std::string_view receiver_fingerprint_hex, std::string_view transfer_id_hex) {
  const ErrorScope scope;
  if (wrapped.alg != algorithm) return Error{Code::invalid, "the algorithm is unknown", "/alg"};
  const auto info = info_of(receiver_fingerprint_hex, transfer_id_hex);
  if (!info) return info.error();
  auto point = base64url_decode(wrapped.ephemeral);
  const Pkey ephemeral = point ? key_of_point(*point) : nullptr;
  if (!ephemeral) return Error{Code::invalid, "is not a point of P-256", "/ephemeral"};
  const auto sealed = base64url_decode(wrapped.wrapped);
  if (!sealed || sealed->size() != content_key_bytes + frame_tag_bytes) {
    return Error{Code::invalid, "is not 48 bytes of base64url", "/wrapped"};
  }
  Secret secret(secret_bytes), kek(content_key_bytes);
  if (!shared_secret(receiver.native(), ephemeral.get(), secret)) {
    return Error{Code::invalid, "cannot be used", "/ephemeral"};
  }
  derive_kek(secret, *info, kek);
  auto key = gcm_open(kek.bytes, zero_nonce(), {}, *sealed);
  if (!key) return Error{Code::denied, "the key was wrapped for another receiver or transfer, or was changed"};
  return std::move(*key);
}

}  // namespace fieldwork::crypto
