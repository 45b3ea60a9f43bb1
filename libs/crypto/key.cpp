#include "crypto/key.hpp"

#include "crypto/bytes.hpp"
#include "crypto/digest.hpp"
#include "file.hpp"
#include "oaep.hpp"
#include "openssl.hpp"

namespace fieldwork::crypto {
namespace {

std::string der_of(const EVP_PKEY* key) {
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(key, &der);
  must(size > 0, "a public key cannot be written");
  std::string bytes(reinterpret_cast<char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return bytes;
}

PublicKey public_half(const EVP_PKEY* key) {
  Pkey half(parse_der(d2i_PUBKEY, EVP_PKEY_free, der_of(key)));
  must(half != nullptr, "a public key cannot be read back");
  return PublicKey(std::shared_ptr<EVP_PKEY>(half.release(), EVP_PKEY_free));
}

/// Whether the private half belongs to the public one. OpenSSL's check of an RSA key looks at its primes, which takes
/// seconds where the key is long: what is wrapped must open, instead.
bool fits_together(EVP_PKEY* key) {
  if (kind_of(key) == KeyKind::rsa) {
    const std::string text = random_bytes(32);
    const auto wrapped = oaep_wrap(key, {}, text);
    return wrapped && oaep_unwrap(key, {}, *wrapped) == text;
  }
  const PkeyContext check(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr));
  return check && EVP_PKEY_check(check.get()) == 1;
}

}  // namespace

PublicKey::PublicKey(std::shared_ptr<evp_pkey_st> key)
    : key_(std::move(key)), kind_(kind_of(key_.get()).value()), id_(to_hex(sha256(der_of(key_.get())))) {}

Result<PublicKey> PublicKey::from_pem(std::string_view pem) {
  const ErrorScope scope;
  if (pem.size() > pem_bytes_max) return Error{Code::invalid, "the PEM text is too long"};
  const Bio bio = bio_over(pem);
  Pkey key(PEM_read_bio_PUBKEY(bio.get(), nullptr, no_passphrase, nullptr));
  if (!key) return Error{Code::invalid, "is not a public key in PEM"};
  return checked_public_key(std::move(key), KeyUse::sign);
}

std::string PublicKey::to_pem() const {
  const Bio bio(BIO_new(BIO_s_mem()));
  must(bio && PEM_write_bio_PUBKEY(bio.get(), key_.get()) == 1, "a public key cannot be written");
  return bio_text(bio.get());
}

void PrivateKey::Free::operator()(evp_pkey_st* key) const { EVP_PKEY_free(key); }

PrivateKey::PrivateKey(evp_pkey_st* key) : key_(key), public_(public_half(key)) {}

PrivateKey PrivateKey::generate() {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  must(key != nullptr, "a key cannot be generated");
  return PrivateKey(key);
}

Result<PrivateKey> PrivateKey::load(const std::filesystem::path& path, KeyUse use) {
  auto pem = read_file(path, pem_bytes_max);
  if (!pem) return pem.error();
  auto key = from_pem(*pem, use);
  OPENSSL_cleanse(pem->data(), pem->size());
  if (!key) return Error{key.error().code, key.error().reason, path.string()};
  return key;
}

Result<PrivateKey> PrivateKey::from_pem(std::string_view pem, KeyUse use) {
  const ErrorScope scope;
  if (pem.size() > pem_bytes_max) return Error{Code::invalid, "the PEM text is too long"};
  const Bio bio = bio_over(pem);
  Pkey key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
  if (!key) return Error{Code::invalid, "is not a private key in PEM without a passphrase"};
  if (auto good = check_kind(key.get(), use); !good) return good.error();
  if (!fits_together(key.get())) return Error{Code::invalid, "the key does not fit together"};
  return PrivateKey(key.release());
}

std::string PrivateKey::to_pem() const {
  const Bio bio(BIO_new(BIO_s_secmem()));
  must(bio && PEM_write_bio_PKCS8PrivateKey(bio.get(), key_.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1,
       "a private key cannot be written");
  return bio_text(bio.get());
}

}  // namespace fieldwork::crypto
