#include "agent/fleet/keys.hpp"

#include <sys/stat.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <string>

#include "crypto/issue.hpp"

namespace fieldwork::agent {
namespace {

namespace fs = std::filesystem;
using std::chrono::hours;

Result<void> write_secret(const fs::path& path, const std::string& text) {
  const auto fresh = path.string() + ".new";
  const auto mask = umask(077);
  std::error_code error;
  fs::remove(fresh, error);
  std::ofstream out(fresh);
  umask(mask);
  out << text;
  out.close();
  if (out) fs::rename(fresh, path, error);
  if (!out || error) return Error{Code::unavailable, "cannot be written", path.string()};
  return {};
}

}  // namespace

Result<int> make_device_keys(const fs::path& pki, int count) {
  const auto key = crypto::PrivateKey::load(pki / "device-ca.key");
  if (!key) return key.error();
  std::ifstream file(pki / "device-ca.crt");
  const auto authority = crypto::Certificate::from_pem(std::string(std::istreambuf_iterator<char>(file), {}));
  if (!authority) return Error{authority.error().code, authority.error().reason, (pki / "device-ca.crt").string()};
  const auto now = std::chrono::system_clock::now();
  int made = 0;
  for (int i = 1; i <= count; ++i) {
    const auto name = "sim-" + std::to_string(i);
    const auto path = pki / "devices" / name;
    if (fs::exists(path.string() + ".crt")) continue;
    if (fs::exists(pki / "operators" / (name + ".crt")))
      return Error{Code::conflict, "is the name of an operator already", name};
    const auto own = crypto::PrivateKey::generate();
    const auto pem =
        crypto::issue_certificate(*authority, *key, own.public_key(), {name, now - hours(24), now + hours(24 * 3650)});
    if (!pem) return pem.error();
    if (auto done = write_secret(path.string() + ".key", own.to_pem()); !done) return done.error();
    if (auto done = write_secret(path.string() + ".crt", *pem); !done) return done.error();
    ++made;
  }
  return made;
}

}  // namespace fieldwork::agent
