#include "ecdh.hpp"

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "crypto/bytes.hpp"
#include "gcm.hpp"
#include "openssl.hpp"

namespace fieldwork::crypto {
namespace {

constexpr std::size_t point_bytes = 65;
constexpr std::size_t secret_bytes = 32;

std::string zero_nonce() { return std::string(12, '\0'); }

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

}  // namespace

Result<std::string> wrap_info(std::string_view label, std::string_view id_hex, std::string_view fingerprint_hex) {
  if (!is_hex(fingerprint_hex, 64)) return Error{Code::invalid, "a fingerprint has 64 hex digits"};
  if (!is_hex(id_hex, 32)) return Error{Code::invalid, "an id has 32 hex digits"};
  std::string info(label);
  info += '\0';
  return info + from_hex(id_hex).value() + from_hex(fingerprint_hex).value();
}

Result<WrappedKey> ecdh_wrap(std::string_view content_key, const PublicKey& receiver, const std::string& info) {
  const ErrorScope scope;
  const PrivateKey ephemeral = PrivateKey::generate();
  Secret secret(secret_bytes), kek(content_key_bytes);
  if (receiver.kind() != KeyKind::p256 || !shared_secret(ephemeral.native(), receiver.native(), secret)) {
    return Error{Code::invalid, "the receiver's key cannot be used"};
  }
  derive_kek(secret, info, kek);
  std::string sealed;
  gcm_seal(kek.bytes, zero_nonce(), {}, content_key, sealed);
  return WrappedKey{std::string(ecdh_algorithm), base64url_encode(point_of(ephemeral.public_key())),
                    base64url_encode(sealed)};
}

Result<std::string> ecdh_unwrap(const WrappedKey& wrapped, const PrivateKey& own, const std::string& info) {
  const ErrorScope scope;
  if (own.public_key().kind() != KeyKind::p256) return Error{Code::invalid, "is for a key of P-256", "/alg"};
  auto point = base64url_decode(wrapped.ephemeral);
  const Pkey ephemeral = point ? key_of_point(*point) : nullptr;
  if (!ephemeral) return Error{Code::invalid, "is not a point of P-256", "/ephemeral"};
  const auto sealed = base64url_decode(wrapped.wrapped);
  if (!sealed || sealed->size() != content_key_bytes + gcm_tag_bytes) {
    return Error{Code::invalid, "is not 48 bytes of base64url", "/wrapped"};
  }
  Secret secret(secret_bytes), kek(content_key_bytes);
  if (!shared_secret(own.native(), ephemeral.get(), secret)) {
    return Error{Code::invalid, "cannot be used", "/ephemeral"};
  }
  derive_kek(secret, info, kek);
  auto key = gcm_open(kek.bytes, zero_nonce(), {}, *sealed);
  if (!key) return Error{Code::denied, "the key was wrapped for another receiver or content, or was changed"};
  return std::move(*key);
}

}  // namespace fieldwork::crypto
