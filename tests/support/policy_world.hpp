// What tests of security-policy need: a device authority with two devices, one rule, questions, and a core to ask.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "core_batch.hpp"
#include "security-policy/core/security_policy.hpp"
#include "temp_dir.hpp"

namespace fieldwork::security_policy {

namespace fs = std::filesystem;

using support::TempDir;

// Certificates of two devices; revoked.crl revokes edge-1, empty.crl revokes nobody. edge-1-new is another certificate
// of edge-1, which neither revokes.
class Pki {
 public:
  static const Pki& get() {
    static const Pki one;
    return one;
  }
  Pki() {
    dir_.write("openssl.cnf", R"([ca]
default_ca=d
[d]
database=index
certificate=ca.crt
private_key=ca.key
default_md=sha256
default_crl_days=30
crlnumber=number
new_certs_dir=.
serial=serial
policy=p
default_days=30
[p]
commonName=supplied
)");
    dir_.write("make", R"sh(set -e
cd "$(dirname "$0")"
: > index; echo 01 > number; echo 1000 > serial
new() { openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $1.key -subj /CN=$1 "${@:2}"; }
new ca -x509 -days 30 -out ca.crt
new stranger -x509 -days 30 -out stranger.crt
for d in edge-1 edge-2; do new $d -out $d.csr; openssl ca -batch -notext -config openssl.cnf -in $d.csr -out $d.crt; done
openssl ca -config openssl.cnf -gencrl -out empty.crl
openssl ca -config openssl.cnf -revoke edge-1.crt
openssl ca -config openssl.cnf -gencrl -out revoked.crl
openssl req -new -key edge-1.key -subj /CN=edge-1 -out edge-1-new.csr
openssl ca -batch -notext -config openssl.cnf -in edge-1-new.csr -out edge-1-new.crt
)sh");
    const auto command = "bash " + (dir_ / "make").string() + " > " + (dir_ / "log").string() + " 2>&1";
    if (std::system(command.c_str()) != 0) ADD_FAILURE() << dir_.read("log");
  }
  std::string pem(const std::string& name) const { return dir_.read(name + ".crt"); }
  fs::path file(const std::string& name) const { return dir_ / name; }
  Authority authority(const std::string& crl) const {
    auto loaded = crypto::CertificateAuthority::load(file("ca.crt"), file(crl));
    EXPECT_TRUE(loaded.ok()) << describe(loaded.error());
    return std::make_shared<const crypto::CertificateAuthority>(std::move(*loaded));
  }

 private:
  TempDir dir_;
};

// A minute from now: certificates that are made meanwhile are valid then.
inline const Time t0 = std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()) + seconds{60};
inline Time at(double s) { return t0 + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(s)); }

inline Question question(const std::string& submitter, const std::string& program, const std::string& device = "edge-1",
                         std::int64_t fence = 1) {
  Question out;
  out.key = {JobId{"j1"}, 0, fence};
  out.submitter = submitter;
  out.command = {program, "x"};
  out.device = DeviceId{device};
  return out;
}

inline Rulebook rulebook() {
  return {{policy::Rule{.name = "operators", .effect = policy::Effect::allow, .submitters = {"operator*"}}},
          seconds{100}};
}

inline const DeviceId edge{"edge-1"};

inline Output step(SecurityPolicy& core, const Input& input, Time now) { return support::step_batch(core, input, now); }

template <class T>
std::vector<T> all(const Output& out) {
  return support::all_of<T>(out);
}

// A core that has had a link since `linked`.
inline SecurityPolicy make_core(Limits limits = {}, Saved saved = {}, Time linked = at(-100)) {
  const auto sign = [](const std::vector<Question>& all, Time issued, Time expires) {
    std::vector<std::string> out;
    for (const auto& asked : all) {
      out.push_back("grant " + asked.device.value + " " + std::to_string(to_ms(expires) - to_ms(issued)));
    }
    return out;
  };
  SecurityPolicy core(limits, rulebook(), Pki::get().authority("empty.crl"), sign, std::move(saved));
  (void)step(core, LinkBack{}, linked);
  return core;
}

inline Output ask(SecurityPolicy& core, Question asked, double s = 1) {
  return step(core, QuestionsArrived{{std::move(asked)}}, at(s));
}

}  // namespace fieldwork::security_policy
