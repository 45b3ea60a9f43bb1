#include "gcm.hpp"

#include "openssl.hpp"

namespace fieldwork::crypto {
namespace {

const EVP_CIPHER* method() {
  static const EVP_CIPHER* const cipher = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
  must(cipher != nullptr, "AES-256-GCM is not available");
  return cipher;
}

CipherContext started(std::string_view key, std::string_view nonce, std::string_view additional, int encrypt) {
  must(key.size() == 32 && nonce.size() == 12, "AES-256-GCM: key or nonce of the wrong size");
  CipherContext context(EVP_CIPHER_CTX_new());
  must(context && EVP_CipherInit_ex2(context.get(), method(), bytes_of(key), bytes_of(nonce), encrypt, nullptr) == 1,
       "AES-256-GCM cannot start");
  int written = 0;
  must(additional.empty() || EVP_CipherUpdate(context.get(), nullptr, &written, bytes_of(additional),
                                              static_cast<int>(additional.size())) == 1,
       "AES-256-GCM failed");
  return context;
}

}  // namespace

void gcm_seal(std::string_view key, std::string_view nonce, std::string_view additional, std::string_view plain,
              std::string& out) {
  const auto context = started(key, nonce, additional, 1);
  const std::size_t start = out.size();
  out.resize(start + plain.size() + gcm_tag_bytes);
  unsigned char* at = bytes_of(out) + start;
  int written = 0;
  must(EVP_CipherUpdate(context.get(), at, &written, bytes_of(plain), static_cast<int>(plain.size())) == 1 &&
           EVP_CipherFinal_ex(context.get(), at + plain.size(), &written) == 1 &&
           EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, gcm_tag_bytes, at + plain.size()) == 1,
       "AES-256-GCM failed");
}

std::optional<std::string> gcm_open(std::string_view key, std::string_view nonce, std::string_view additional,
                                    std::string_view sealed) {
  if (sealed.size() < gcm_tag_bytes) return std::nullopt;
  const ErrorScope scope;
  const auto context = started(key, nonce, additional, 0);
  std::string tag(sealed.substr(sealed.size() - gcm_tag_bytes));
  sealed.remove_suffix(gcm_tag_bytes);
  std::string plain(sealed.size(), '\0');
  unsigned char end[gcm_tag_bytes] = {};
  int written = 0;
  must(EVP_CipherUpdate(context.get(), bytes_of(plain), &written, bytes_of(sealed), static_cast<int>(sealed.size())) ==
               1 &&
           EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, gcm_tag_bytes, tag.data()) == 1,
       "AES-256-GCM failed");
  if (EVP_CipherFinal_ex(context.get(), end, &written) != 1) return std::nullopt;
  return plain;
}

}  // namespace fieldwork::crypto
