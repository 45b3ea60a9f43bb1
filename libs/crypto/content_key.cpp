#include "crypto/content_key.hpp"

#include "crypto/bytes.hpp"
#include "ecdh.hpp"
#include "oaep.hpp"

namespace fieldwork::crypto {
namespace {

constexpr std::string_view content_label = "fieldwork content key v1";
constexpr std::string_view rsa_algorithm = "RSA-OAEP-256";

Result<void> check_size(std::string_view content_key) {
  if (content_key.size() != content_key_bytes) return Error{Code::invalid, "a content key has 32 bytes"};
  return {};
}

Result<std::string> rsa_unwrap(const WrappedKey& wrapped, const PrivateKey& own, const std::string& info) {
  if (own.public_key().kind() != KeyKind::rsa) return Error{Code::invalid, "is for an RSA key", "/alg"};
  const auto sealed = base64url_decode(wrapped.wrapped);
  if (!sealed) return Error{Code::invalid, "is not base64url", "/wrapped"};
  auto key = oaep_unwrap(own.native(), info, *sealed);
  if (!key || !check_size(*key)) {
    return Error{Code::denied, "the key was wrapped for another receiver or content, or was changed"};
  }
  return std::move(*key);
}

Result<std::string> public_key_of(const WrappedKey& wrapped) {
  auto key = base64url_decode(wrapped.wrapped);
  if (!key || !check_size(*key)) return Error{Code::invalid, "is not 32 bytes of base64url", "/wrapped"};
  return std::move(*key);
}

}  // namespace

std::string generate_content_key() { return random_bytes(content_key_bytes); }

Result<WrappedKey> wrap_content_key(std::string_view content_key, const PublicKey& receiver,
                                    std::string_view receiver_fingerprint_hex, std::string_view content_id_hex) {
  if (auto good = check_size(content_key); !good) return good.error();
  const auto info = wrap_info(content_label, content_id_hex, receiver_fingerprint_hex);
  if (!info) return info.error();
  if (receiver.kind() == KeyKind::p256) return ecdh_wrap(content_key, receiver, *info);
  const auto wrapped = oaep_wrap(receiver.native(), *info, content_key);
  if (!wrapped) return Error{Code::invalid, "the receiver's key cannot be used"};
  return WrappedKey{std::string(rsa_algorithm), {}, base64url_encode(*wrapped)};
}

Result<WrappedKey> public_content_key(std::string_view content_key) {
  if (auto good = check_size(content_key); !good) return good.error();
  return WrappedKey{std::string(public_algorithm), {}, base64url_encode(content_key)};
}

Result<std::string> unwrap_content_key(const WrappedKey& wrapped, const PrivateKey& receiver,
                                       std::string_view receiver_fingerprint_hex, std::string_view content_id_hex) {
  const auto info = wrap_info(content_label, content_id_hex, receiver_fingerprint_hex);
  if (!info) return info.error();
  if (wrapped.alg == ecdh_algorithm) return ecdh_unwrap(wrapped, receiver, *info);
  if (!wrapped.ephemeral.empty()) return Error{Code::invalid, "is for ECDH only", "/ephemeral"};
  if (wrapped.alg == rsa_algorithm) return rsa_unwrap(wrapped, receiver, *info);
  if (wrapped.alg == public_algorithm) return public_key_of(wrapped);
  return Error{Code::invalid, "the algorithm is unknown", "/alg"};
}

}  // namespace fieldwork::crypto
