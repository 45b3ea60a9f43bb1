// Keys: of the elliptic curve P-256, which do everything, and of RSA, for which a content key can be wrapped and
// nothing else. A public and a private key always hold a usable key (save after a move) and may be used by several
// threads at once.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "crypto/limits.hpp"

struct evp_pkey_st;

namespace fieldwork::crypto {

/// A PEM text of a key or certificate longer than pem_bytes_max is refused.

enum class KeyKind { p256, rsa };

/// What a key is read for. `sign`, and all else: P-256 alone. `receive`: P-256, or RSA with rsa_bits_min to
/// rsa_bits_max bits.
enum class KeyUse { sign, receive };

/// Copies share the key.
class PublicKey {
 public:
  /// The first `PUBLIC KEY` block of the text, a key of P-256.
  [[nodiscard]] static Result<PublicKey> from_pem(std::string_view pem);

  [[nodiscard]] KeyKind kind() const { return kind_; }

  /// Hex SHA-256 of the DER SubjectPublicKeyInfo: the `kid` of a JWS.
  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] std::string to_pem() const;
  bool operator==(const PublicKey& other) const { return id_ == other.id_; }

  /// For the sources of this library. The key must be of a kind above.
  explicit PublicKey(std::shared_ptr<evp_pkey_st> key);
  [[nodiscard]] evp_pkey_st* native() const { return key_.get(); }

 private:
  std::shared_ptr<evp_pkey_st> key_;
  KeyKind kind_;
  std::string id_;
};

class PrivateKey {
 public:
  /// Of P-256.
  [[nodiscard]] static PrivateKey generate();

  /// A PEM file, PKCS#8, SEC1 or PKCS#1. A key protected by a passphrase is an Error: nobody is there to type it.
  [[nodiscard]] static Result<PrivateKey> load(const std::filesystem::path& path, KeyUse use = KeyUse::sign);
  [[nodiscard]] static Result<PrivateKey> from_pem(std::string_view pem, KeyUse use = KeyUse::sign);

  /// PKCS#8, not encrypted: the caller writes it with mode 0600.
  [[nodiscard]] std::string to_pem() const;
  [[nodiscard]] const PublicKey& public_key() const { return public_; }

  PrivateKey(PrivateKey&&) noexcept = default;
  PrivateKey& operator=(PrivateKey&&) noexcept = default;
  PrivateKey(const PrivateKey&) = delete;
  PrivateKey& operator=(const PrivateKey&) = delete;
  ~PrivateKey() = default;

  /// For the sources of this library.
  [[nodiscard]] evp_pkey_st* native() const { return key_.get(); }

 private:
  struct Free {
    void operator()(evp_pkey_st* key) const;
  };
  explicit PrivateKey(evp_pkey_st* key);
  std::unique_ptr<evp_pkey_st, Free> key_;
  PublicKey public_;
};

}  // namespace fieldwork::crypto
