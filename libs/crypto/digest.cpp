#include "crypto/digest.hpp"

#include <fstream>
#include <vector>

#include "crypto/bytes.hpp"
#include "openssl.hpp"

namespace fieldwork::crypto {
namespace {

constexpr std::string_view prefix = "sha256:";
constexpr std::size_t read_bytes = 128 * 1024;

}  // namespace

std::string sha256(std::string_view bytes) {
  Sha256 sha;
  sha.update(bytes);
  return sha.finish();
}

std::string digest_of(std::string_view bytes) { return std::string(prefix) + to_hex(sha256(bytes)); }

Result<std::string> digest_of_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return Error{Code::unavailable, "cannot be opened", path.string()};
  Sha256 sha;
  std::vector<char> buffer(read_bytes);
  while (in) {
    in.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    sha.update({buffer.data(), static_cast<std::size_t>(in.gcount())});
  }
  if (in.bad()) return Error{Code::unavailable, "cannot be read", path.string()};
  return std::string(prefix) + to_hex(sha.finish());
}

bool is_digest(std::string_view text) { return text.starts_with(prefix) && is_hex(text.substr(prefix.size()), 64); }

void Sha256::Free::operator()(evp_md_ctx_st* context) const { EVP_MD_CTX_free(context); }

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  must(context_ != nullptr && EVP_DigestInit_ex(context_.get(), sha256_method(), nullptr) == 1, "SHA-256 cannot start");
}

void Sha256::update(std::string_view bytes) {
  must(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1, "SHA-256 failed");
}

std::string Sha256::finish() {
  std::string raw(32, '\0');
  must(EVP_DigestFinal_ex(context_.get(), bytes_of(raw), nullptr) == 1, "SHA-256 failed");
  must(EVP_DigestInit_ex(context_.get(), sha256_method(), nullptr) == 1, "SHA-256 cannot start");
  return raw;
}

}  // namespace fieldwork::crypto
