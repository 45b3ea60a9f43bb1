#include "openssl.hpp"

#include <openssl/bn.h>
#include <openssl/core_names.h>

#include <cstdio>
#include <cstdlib>

namespace fieldwork::crypto {

void must(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "fieldwork: crypto: %s\n", what);
  ERR_print_errors_fp(stderr);
  std::abort();
}

const EVP_MD* sha256_method() {
  static const EVP_MD* const method = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  must(method != nullptr, "SHA-256 is not available");
  return method;
}

Bio bio_over(std::string_view text) {
  Bio bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  must(bio != nullptr, "no memory");
  return bio;
}

std::string bio_text(BIO* bio) {
  char* start = nullptr;
  const long size = BIO_get_mem_data(bio, &start);
  return std::string(start, static_cast<std::size_t>(size));
}

int no_passphrase(char*, int, int, void*) { return -1; }

namespace {

bool is_p256(const EVP_PKEY* key) {
  char group[32] = {};
  std::size_t length = 0;
  return EVP_PKEY_is_a(key, "EC") == 1 && EVP_PKEY_get_group_name(key, group, sizeof group, &length) == 1 &&
         std::string_view(group, length) == "prime256v1";
}

/// With an exponent that encrypts (it is odd and above 1) and is short, as everybody's is: it bounds the work.
bool is_rsa(const EVP_PKEY* key) {
  const int bits = EVP_PKEY_is_a(key, "RSA") == 1 ? EVP_PKEY_get_bits(key) : 0;
  if (bits < rsa_bits_min || bits > rsa_bits_max) return false;
  BIGNUM* exponent = nullptr;
  if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &exponent) != 1) return false;
  const bool good = BN_is_odd(exponent) == 1 && BN_num_bits(exponent) >= 2 && BN_num_bits(exponent) <= 64;
  BN_free(exponent);
  return good;
}

}  // namespace

std::optional<KeyKind> kind_of(const EVP_PKEY* key) {
  const ErrorScope scope;
  if (is_p256(key)) return KeyKind::p256;
  if (is_rsa(key)) return KeyKind::rsa;
  return std::nullopt;
}

Result<void> check_kind(const EVP_PKEY* key, KeyUse use) {
  const auto kind = kind_of(key);
  if (kind == KeyKind::p256 || (kind == KeyKind::rsa && use == KeyUse::receive)) return {};
  if (use == KeyUse::sign) return Error{Code::invalid, "the key is not of the curve P-256"};
  return Error{Code::invalid, "the key is neither of the curve P-256 nor RSA with " + std::to_string(rsa_bits_min) +
                                  " to " + std::to_string(rsa_bits_max) + " bits"};
}

Result<PublicKey> checked_public_key(Pkey key, KeyUse use) {
  if (auto good = check_kind(key.get(), use); !good) return good.error();
  return PublicKey(std::shared_ptr<EVP_PKEY>(key.release(), EVP_PKEY_free));
}

Result<PemBlock> next_pem_block(BIO* bio) {
  const ErrorScope scope;
  char* name = nullptr;
  char* header = nullptr;
  unsigned char* der = nullptr;
  long size = 0;
  if (PEM_read_bio(bio, &name, &header, &der, &size) != 1) {
    if (ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE) return PemBlock{};
    return Error{Code::invalid, "a PEM block is malformed"};
  }
  const bool encrypted = *header != '\0';
  PemBlock block{name, std::string(reinterpret_cast<char*>(der), static_cast<std::size_t>(size))};
  OPENSSL_free(name);
  OPENSSL_free(header);
  OPENSSL_free(der);
  if (encrypted) return Error{Code::invalid, "a PEM block is encrypted"};
  return block;
}

}  // namespace fieldwork::crypto
