// Certificates of devices, for tests that show them to somebody.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "crypto/certificate.hpp"

namespace fieldwork {

// A self-signed P-256 certificate for this name; made once per name and number.
inline std::string make_certificate(const std::string& name, int number = 0) {
  static std::map<std::pair<std::string, int>, std::string> made;
  auto& pem = made[{name, number}];
  if (!pem.empty()) return pem;
  std::string dir = (std::filesystem::temp_directory_path() / "registry-test-XXXXXX").string();
  if (mkdtemp(dir.data()) == nullptr) return "";
  const std::string command =
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=" + name + " -keyout " +
      dir + "/key -out " + dir + "/crt 2>/dev/null";
  EXPECT_EQ(std::system(command.c_str()), 0);
  std::ifstream in(dir + "/crt");
  pem.assign(std::istreambuf_iterator<char>(in), {});
  std::filesystem::remove_all(dir);
  return pem;
}

inline std::string fingerprint_of(const std::string& pem) { return crypto::Certificate::from_pem(pem)->fingerprint(); }

}  // namespace fieldwork
