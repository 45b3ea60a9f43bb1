// What tests of transfers share: a temporary directory, files and bytes, authorities and certificates.
#pragma once

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <stdexcept>
#include <string>

#include "base/id.hpp"
#include "base/time.hpp"
#include "crypto/bytes.hpp"
#include "crypto/certificate.hpp"
#include "crypto/key.hpp"
#include "temp_dir.hpp"

namespace fieldwork::support {

namespace fs = std::filesystem;

inline void write(const fs::path& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }
inline std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Bytes of which half are noise: zstd makes them smaller and leaves many frames.
inline std::string make_bytes(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string out(size, 'x');
  for (std::size_t i = 0; i < size / 2; ++i) out[i] = static_cast<char>(random());
  return out;
}

inline std::size_t files_in(const fs::path& directory) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(directory), fs::directory_iterator()));
}

// Authorities and certificates, made once with the openssl command.
class Pki {
 public:
  Pki() {
    authority("device-ca");
    authority("operator-ca");
    for (const char* name : {"d1", "d2"}) issue("device-ca", name);
    for (const char* name : {"transfer", "alice", "bob"}) issue("operator-ca", name);
    write(dir_ / "releases.pem", releaser.public_key().to_pem());
  }
  [[nodiscard]] fs::path path(const std::string& name) const { return dir_ / name; }
  [[nodiscard]] std::string pem(const std::string& name) const { return read(dir_ / (name + ".crt")); }
  [[nodiscard]] crypto::Certificate certificate(const std::string& name) const {
    return crypto::Certificate::from_pem(pem(name)).value();
  }
  [[nodiscard]] crypto::PrivateKey key(const std::string& name) const {
    return crypto::PrivateKey::load(dir_ / (name + ".key")).value();
  }
  crypto::PrivateKey releaser = crypto::PrivateKey::generate();

 private:
  void run(const std::string& command) const {
    const std::string all = "cd " + dir_.path().string() + " && (" + command + ") >/dev/null 2>&1";
    if (std::system(all.c_str()) != 0) throw std::runtime_error(command);
  }
  void authority(const std::string& name) const {
    run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=" + name +
        " -keyout " + name + ".key -out " + name + ".crt -addext basicConstraints=critical,CA:TRUE");
  }
  void issue(const std::string& ca, const std::string& name) const {
    run("openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=" + name + " -keyout " + name +
        ".key -out " + name + ".csr && openssl x509 -req -days 30 -in " + name + ".csr -CA " + ca + ".crt -CAkey " +
        ca + ".key -CAcreateserial -out " + name + ".crt");
  }
  TempDir dir_;
};

inline const Pki& pki() {
  static const Pki made;
  return made;
}

inline Time wall() { return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()); }
inline TransferId id_of(unsigned char byte) {
  return TransferId(crypto::to_hex(std::string(16, static_cast<char>(byte))));
}

}  // namespace fieldwork::support
