#include "supplies.hpp"

#include <cstdlib>
#include <fstream>
#include <random>
#include <sstream>
#include <stdexcept>

#include "codec/transfer.hpp"
#include "content/archive.hpp"

namespace fieldwork::sim {
namespace {

namespace fs = std::filesystem;

std::string read(const fs::path& path) {
  std::stringstream out;
  out << std::ifstream(path, std::ios::binary).rdbuf();
  return out.str();
}

void shell(const fs::path& directory, const std::string& command) {
  const auto all = "cd " + directory.string() + " && (" + command + ") >/dev/null 2>&1";
  if (std::system(all.c_str()) != 0) throw std::runtime_error(command);
}

// Certificates are valid for 100 years: the world's clock is years ahead of the real one (world.cpp).
constexpr const char* new_key = " -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes ";
constexpr const char* dates = " -days 36500 ";

}  // namespace

std::string noise(std::size_t bytes) {
  std::mt19937_64 chance(bytes);
  std::string out(bytes, '\0');
  for (auto& byte : out) byte = static_cast<char>(chance());
  return out;
}

TempDir::TempDir() {
  const auto base = fs::is_directory("/dev/shm") ? fs::path("/dev/shm") : fs::temp_directory_path();
  std::string name = (base / "fieldwork-sim-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory in " + base.string());
  path_ = name;
}

TempDir::~TempDir() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

Supplies::Supplies(int devices, const std::vector<std::pair<std::string, std::size_t>>& packages) {
  authority("device-ca");
  list_revoked();
  authority("service-ca");
  for (int i = 1; i <= devices; ++i) issue("device-ca", "d" + std::to_string(i));
  for (const char* name : {"transfer", "operator"}) issue("service-ca", name);
  device_ca_ = std::make_unique<crypto::CertificateAuthority>(
      crypto::CertificateAuthority::load(dir_ / "device-ca.crt").value());
  service_ca_ = std::make_unique<crypto::CertificateAuthority>(
      crypto::CertificateAuthority::load(dir_ / "service-ca.crt").value());
  grants_.add(grant_key_.public_key());
  releases_.add(releaser_.public_key());
  for (const auto& [name, bytes] : packages) release(name, bytes);
}

crypto::PrivateKey Supplies::grant_key() const { return crypto::PrivateKey::from_pem(grant_key_.to_pem()).value(); }

void Supplies::authority(const std::string& name) const {
  shell(dir_ / "", std::string("openssl req -x509") + new_key + dates + "-subj /CN=" + name + " -keyout " + name +
                       ".key -out " + name + ".crt -addext basicConstraints=critical,CA:TRUE");
}

// As scripts/pki does.
constexpr const char* openssl_ca = "openssl ca -config crl.conf -keyfile device-ca.key -cert device-ca.crt ";

void Supplies::list_revoked() const {
  if (!fs::exists(dir_ / "crl.conf")) {
    shell(dir_ / "", "touch index.txt && echo 01 >crlnumber");
    std::ofstream(dir_ / "crl.conf")
        << "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ncrlnumber=crlnumber\ndefault_md=sha256\n"
           "default_crl_days=36500\ncrl_extensions=x\n[x]\nauthorityKeyIdentifier=keyid:always\n";
  }
  shell(dir_ / "", std::string(openssl_ca) + "-gencrl -out new.crl && mv new.crl device-ca.crl");
}

void Supplies::revoke(const std::string& device) const {
  shell(dir_ / "", std::string(openssl_ca) + "-revoke " + device + ".crt");
  list_revoked();
}

void Supplies::issue(const std::string& authority, const std::string& name) {
  shell(dir_ / "", std::string("openssl req") + new_key + "-subj /CN=" + name + " -keyout " + name + ".key -out " +
                       name + ".csr && openssl x509 -req" + dates + "-in " + name + ".csr -CA " + authority +
                       ".crt -CAkey " + authority + ".key -CAcreateserial -out " + name + ".crt");
  const auto pem = read(dir_ / (name + ".crt"));
  identities_[name] = {
      name, pem, crypto::Certificate::from_pem(pem).value().fingerprint(),
      std::make_shared<const crypto::PrivateKey>(crypto::PrivateKey::load(dir_ / (name + ".key")).value())};
}

void Supplies::release(const std::string& name, std::size_t bytes) {
  const auto tree = dir_ / name;
  fs::create_directories(tree / "model");
  std::ofstream(tree / "model" / "weights", std::ios::binary) << noise(bytes);
  std::ofstream(tree / "detect") << "#!/bin/sh\n";
  const auto archive = dir_ / (name + ".tar");
  const auto digest = content::pack(tree, archive).value();
  const auto size = static_cast<std::int64_t>(fs::file_size(archive));
  const codec::Release release{digest, size, name, "1.0", 1};
  const Package package{.digest = digest,
                        .name = name,
                        .version = "1.0",
                        .size_bytes = size,
                        .release = crypto::sign_jws(releaser_, "fieldwork-release+jws", codec::encode(release)),
                        .released_by = releaser_.public_key().id()};
  packages_.push_back({package, exchange::encode_beside(archive, digest).value()});
}

}  // namespace fieldwork::sim
