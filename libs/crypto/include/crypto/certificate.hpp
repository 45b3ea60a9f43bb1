// X.509 certificates of devices and services, and the authority that issues them.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "crypto/key.hpp"
#include "crypto/limits.hpp"

struct x509_st;
struct x509_store_st;

namespace fieldwork::crypto {

/// A revocation list (CRL) longer than crl_bytes_max (some 150,000 entries) is refused.

/// One certificate with a key of P-256 or RSA (public_key().kind()), parsed but not yet believed: see
/// CertificateAuthority::verify. Copies share the certificate.
class Certificate {
 public:
  /// Exactly one `CERTIFICATE` block; text around it is ignored.
  [[nodiscard]] static Result<Certificate> from_pem(std::string_view pem);

  /// The subject's common name in UTF-8. Empty where the subject has none, more than one, or one with control
  /// characters: never a half-truth.
  [[nodiscard]] const std::string& common_name() const { return common_name_; }

  /// Hex SHA-256 of the DER certificate.
  [[nodiscard]] const std::string& fingerprint() const { return fingerprint_; }

  /// Lower-case hex, without leading zero bytes.
  [[nodiscard]] const std::string& serial_hex() const { return serial_hex_; }

  /// Dates that the clock type cannot hold are clamped to its ends.
  [[nodiscard]] std::chrono::system_clock::time_point not_before() const { return not_before_; }
  [[nodiscard]] std::chrono::system_clock::time_point not_after() const { return not_after_; }
  [[nodiscard]] const PublicKey& public_key() const { return public_key_; }
  [[nodiscard]] std::string to_pem() const;

  /// For the sources of this library.
  [[nodiscard]] x509_st* native() const { return x509_.get(); }

 private:
  Certificate(std::shared_ptr<x509_st> x509, PublicKey key) : x509_(std::move(x509)), public_key_(std::move(key)) {}
  std::shared_ptr<x509_st> x509_;
  PublicKey public_key_;
  std::string common_name_;
  std::string fingerprint_;
  std::string serial_hex_;
  std::chrono::system_clock::time_point not_before_;
  std::chrono::system_clock::time_point not_after_;
};

/// From when to when a file of certificates, or of revocation lists, is good: of several the one that ends first.
struct Validity {
  std::chrono::system_clock::time_point not_before, not_after;
  bool is_crl = false;
};
/// Any key, believed or not. An Error names the file.
[[nodiscard]] Result<Validity> validity(const std::filesystem::path& pem_path);

/// The authorities that may issue certificates: every certificate of the CA file is a trust anchor, and nothing else is
/// used to build a chain. Several threads may verify at once.
class CertificateAuthority {
 public:
  /// `ca_pem_path`: one or more authorities' certificates. `crl_pem_path`: one or more `X509 CRL` blocks; each must be
  /// signed by one of the authorities and name its next update. A file that is empty, holds anything else or does not
  /// parse is an Error: a broken list is never taken for "nobody is revoked".
  [[nodiscard]] static Result<CertificateAuthority> load(const std::filesystem::path& ca_pem_path,
                                                         const std::optional<std::filesystem::path>& crl_pem_path = {});

  /// Checks signature, dates and (where load() was given a CRL) revocation, at the time `at`. The Error is `denied` and
  /// says "revoked", "expired", "not yet valid", "not issued by this authority", "the revocation list has expired", …
  /// With a CRL, a certificate whose issuer has no current CRL is denied. An authority's own certificate, used as a
  /// party's, is denied as well.
  [[nodiscard]] Result<void> verify(const Certificate& certificate, std::chrono::system_clock::time_point at) const;

 private:
  explicit CertificateAuthority(std::shared_ptr<x509_store_st> store) : store_(std::move(store)) {}
  std::shared_ptr<x509_store_st> store_;
};

}  // namespace fieldwork::crypto
