#include "oaep.hpp"

#include <openssl/rsa.h>

#include "openssl.hpp"

namespace fieldwork::crypto {
namespace {

PkeyContext oaep(EVP_PKEY* key, std::string_view label, int (*init)(EVP_PKEY_CTX*)) {
  PkeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr));
  must(context && init(context.get()) == 1 &&
           EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_OAEP_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_oaep_md_name(context.get(), "SHA256", nullptr) == 1 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md_name(context.get(), "SHA256", nullptr) == 1,
       "RSA-OAEP cannot start");
  if (label.empty()) return context;
  void* copy = OPENSSL_memdup(label.data(), label.size());  // becomes the context's
  must(copy != nullptr && EVP_PKEY_CTX_set0_rsa_oaep_label(context.get(), copy, static_cast<int>(label.size())) == 1,
       "RSA-OAEP cannot start");
  return context;
}

}  // namespace

std::optional<std::string> oaep_wrap(EVP_PKEY* receiver, std::string_view label, std::string_view plain) {
  const ErrorScope scope;
  const auto context = oaep(receiver, label, EVP_PKEY_encrypt_init);
  std::string wrapped(static_cast<std::size_t>(EVP_PKEY_get_size(receiver)), '\0');
  std::size_t size = wrapped.size();
  if (EVP_PKEY_encrypt(context.get(), bytes_of(wrapped), &size, bytes_of(plain), plain.size()) != 1 ||
      size != wrapped.size()) {
    return std::nullopt;
  }
  return wrapped;
}

std::optional<std::string> oaep_unwrap(EVP_PKEY* own, std::string_view label, std::string_view wrapped) {
  const ErrorScope scope;
  const auto context = oaep(own, label, EVP_PKEY_decrypt_init);
  Secret plain(static_cast<std::size_t>(EVP_PKEY_get_size(own)));
  std::size_t size = plain.bytes.size();
  if (wrapped.size() != size ||
      EVP_PKEY_decrypt(context.get(), bytes_of(plain.bytes), &size, bytes_of(wrapped), wrapped.size()) != 1) {
    return std::nullopt;
  }
  return plain.bytes.substr(0, size);
}

}  // namespace fieldwork::crypto
