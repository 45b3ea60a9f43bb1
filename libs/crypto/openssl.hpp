// OpenSSL types and functions that the sources of this library share. Private to this library.
#pragma once

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/freer.hpp"
#include "base/result.hpp"
#include "crypto/key.hpp"

namespace fieldwork::crypto {

using Bio = std::unique_ptr<BIO, Freer<BIO_free_all>>;
using Pkey = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using PkeyContext = std::unique_ptr<EVP_PKEY_CTX, Freer<EVP_PKEY_CTX_free>>;
using MdContext = std::unique_ptr<EVP_MD_CTX, Freer<EVP_MD_CTX_free>>;
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, Freer<EVP_CIPHER_CTX_free>>;
using KdfContext = std::unique_ptr<EVP_KDF_CTX, Freer<EVP_KDF_CTX_free>>;
using Signature = std::unique_ptr<ECDSA_SIG, Freer<ECDSA_SIG_free>>;
using X509Pointer = std::unique_ptr<X509, Freer<X509_free>>;
using CrlPointer = std::unique_ptr<X509_CRL, Freer<X509_CRL_free>>;

/// Removes the OpenSSL errors of a scope from this thread's error queue: a TLS connection on the same thread would
/// report them.
class ErrorScope {
 public:
  ErrorScope() { ERR_set_mark(); }
  ~ErrorScope() { ERR_pop_to_mark(); }
  ErrorScope(const ErrorScope&) = delete;
  ErrorScope& operator=(const ErrorScope&) = delete;
};

/// Ends the process where `holds` is false: memory or randomness ran out, or we have a bug.
void must(bool holds, const char* what);

/// SHA-256 as OpenSSL's method; fetched once, kept for ever.
[[nodiscard]] const EVP_MD* sha256_method();

inline const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
inline unsigned char* bytes_of(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

/// A read-only BIO over `text`, which must outlive it.
[[nodiscard]] Bio bio_over(std::string_view text);
[[nodiscard]] std::string bio_text(BIO* bio);

/// For PEM readers: never ask the terminal for a passphrase.
int no_passphrase(char*, int, int, void*);

/// Of an RSA key within our bounds, or of one of P-256; null: any other key.
[[nodiscard]] std::optional<KeyKind> kind_of(const EVP_PKEY* key);

/// Invalid where the key is not of a kind for this use.
[[nodiscard]] Result<void> check_kind(const EVP_PKEY* key, KeyUse use);
[[nodiscard]] Result<PublicKey> checked_public_key(Pkey key, KeyUse use);

/// A string whose bytes are erased when it ends.
struct Secret {
  std::string bytes;
  explicit Secret(std::size_t size) : bytes(size, '\0') {}
  ~Secret() { OPENSSL_cleanse(bytes.data(), bytes.size()); }
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
};

struct PemBlock {
  std::string name;  // as in "-----BEGIN <name>-----"
  std::string der;
};

/// The next block of the text, or a block with an empty name at the end of the text; an Error where a block is broken
/// or encrypted.
[[nodiscard]] Result<PemBlock> next_pem_block(BIO* bio);

/// The value of type T in `der`, or null where `der` is malformed or goes on after the value.
template <class T>
[[nodiscard]] T* parse_der(T* (*parse)(T**, const unsigned char**, long), void (*free_value)(T*),
                           const std::string& der) {
  const unsigned char* at = bytes_of(std::string_view(der));
  const unsigned char* end = at + der.size();
  T* value = parse(nullptr, &at, static_cast<long>(der.size()));
  if (value != nullptr && at != end) {
    free_value(value);
    return nullptr;
  }
  return value;
}

}  // namespace fieldwork::crypto
