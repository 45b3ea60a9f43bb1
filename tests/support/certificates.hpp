// Certificates of devices, for tests that show them to somebody.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <tuple>

#include "crypto/certificate.hpp"

namespace fieldwork {

// A self-signed P-256 certificate for this name; made once per name, number and renewal. Renewals of a number have one
// key.
inline std::string make_certificate(const std::string& name, int number = 0, int renewal = 0) {
  static std::map<std::pair<std::string, int>, std::string> keys;
  static std::map<std::tuple<std::string, int, int>, std::string> made;
  auto& pem = made[{name, number, renewal}];
  if (!pem.empty()) return pem;
  std::string dir = (std::filesystem::temp_directory_path() / "registry-test-XXXXXX").string();
  if (mkdtemp(dir.data()) == nullptr) return "";
  auto& key = keys[{name, number}];
  if (!key.empty()) std::ofstream(dir + "/key") << key;
  const std::string with = key.empty() ? "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout " : "-new -key ";
  const std::string command =
      "openssl req -x509 " + with + dir + "/key -days 30 -subj /CN=" + name + " -out " + dir + "/crt 2>/dev/null";
  EXPECT_EQ(std::system(command.c_str()), 0);
  const auto read = [&](const char* file) {
    std::ifstream in(dir + file);
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  key = read("/key");
  pem = read("/crt");
  std::filesystem::remove_all(dir);
  return pem;
}

inline std::string fingerprint_of(const std::string& pem) { return crypto::Certificate::from_pem(pem)->fingerprint(); }

}  // namespace fieldwork
