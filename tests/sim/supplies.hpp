// What every run needs, and no result depends on: authorities, certificates and keys, and released packages. Made once
// per process; each process has other keys, and no run differs by them.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/shell/packages.hpp"
#include "crypto/certificate.hpp"
#include "crypto/jws.hpp"
#include "exchange/outbound.hpp"
#include "model/package.hpp"

namespace fieldwork::sim {

// A directory in memory, where the machine has one (/dev/shm); removed with this object.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  [[nodiscard]] std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

// So many bytes that nothing makes shorter; the same bytes for the same number.
[[nodiscard]] std::string noise(std::size_t bytes);

struct Released {
  Package package;
  exchange::Encoded encoded;  // the encoded archive of the package
};

class Supplies {
 public:
  // `packages`: the name of each, and how many bytes of noise it holds.
  Supplies(int devices, const std::vector<std::pair<std::string, std::size_t>>& packages);

  // `name`: d1, d2, …, transfer, or operator.
  [[nodiscard]] const agent::Identity& identity(const std::string& name) const { return identities_.at(name); }
  [[nodiscard]] const crypto::CertificateAuthority& devices() const { return *device_ca_; }
  [[nodiscard]] const crypto::CertificateAuthority& services() const { return *service_ca_; }
  [[nodiscard]] std::filesystem::path device_ca_file() const { return dir_ / "device-ca.crt"; }
  [[nodiscard]] std::filesystem::path device_crl_file() const { return dir_ / "device-ca.crl"; }
  // The device authority revokes this device's certificate: it is in the list from now on.
  void revoke(const std::string& device) const;
  // A new copy for each service: services cannot share a key.
  [[nodiscard]] crypto::PrivateKey grant_key() const;
  [[nodiscard]] const crypto::TrustStore& grants() const { return grants_; }
  [[nodiscard]] const crypto::TrustStore& releases() const { return releases_; }
  [[nodiscard]] const std::vector<Released>& packages() const { return packages_; }

 private:
  void authority(const std::string& name) const;
  void list_revoked() const;
  void issue(const std::string& authority, const std::string& name);
  void release(const std::string& name, std::size_t bytes);

  TempDir dir_;
  std::map<std::string, agent::Identity> identities_;
  std::unique_ptr<crypto::CertificateAuthority> device_ca_, service_ca_;
  crypto::PrivateKey grant_key_ = crypto::PrivateKey::generate();
  crypto::PrivateKey releaser_ = crypto::PrivateKey::generate();
  crypto::TrustStore grants_, releases_;
  std::vector<Released> packages_;
};

}  // namespace fieldwork::sim
