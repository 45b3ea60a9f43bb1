// links: crypto GTest::gtest_main
#include "crypto/content_key.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

#include "crypto/bytes.hpp"
#include "crypto/certificate.hpp"
#include "crypto/issue.hpp"
#include "crypto/jws.hpp"
#include "support/temp_dir.hpp"

namespace fieldwork::crypto {
namespace {

using namespace std::string_literals;
using namespace std::chrono_literals;
using support::TempDir;

constexpr std::string_view id = "000102030405060708090a0b0c0d0e0f";
const std::string fingerprint(64, 'a');

/// Keys of every kind that a receiver may have, and some that none may have; made by the openssl command line.
class ReceiverTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    dir_ = new TempDir;
    dir_->write("make.sh", R"(set -e
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out p256.key
for bits in 1024 2047 2048 4096; do openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:$bits -out $bits.key; done
openssl genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -out pss.key
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out other.key
openssl rsa -in 2048.key -traditional -out pkcs1.key
for name in p256 1024 2047 2048 4096 pss; do openssl req -x509 -key $name.key -out $name.crt -subj /CN=$name -days 30; done
openssl pkey -in 2048.key -pubout -out 2048.pub
)");
    const std::string run = "cd " + dir_->path().string() + " && sh make.sh >log 2>&1 || { cat log; false; }";
    ASSERT_EQ(std::system(run.c_str()), 0);
  }
  static void TearDownTestSuite() { delete dir_; }

  static PrivateKey key(const std::string& name) {
    auto read = PrivateKey::load(*dir_ / (name + ".key"), KeyUse::receive);
    EXPECT_TRUE(read.ok()) << name;
    return std::move(*read);
  }
  static Certificate certificate(const std::string& name) {
    return Certificate::from_pem(dir_->read(name + ".crt")).value();
  }

  static TempDir* dir_;
};
TempDir* ReceiverTest::dir_ = nullptr;

TEST_F(ReceiverTest, HasAKeyOfP256OrRsa) {
  const std::pair<const char*, KeyKind> cases[] = {
      {"p256", KeyKind::p256}, {"2048", KeyKind::rsa}, {"4096", KeyKind::rsa}};
  for (const auto& [name, kind] : cases) {
    const auto own = key(name);
    EXPECT_EQ(own.public_key().kind(), kind) << name;
    EXPECT_EQ(certificate(name).public_key(), own.public_key()) << name;
    EXPECT_EQ(PrivateKey::from_pem(own.to_pem(), KeyUse::receive)->public_key(), own.public_key()) << name;
  }
  EXPECT_EQ(key("pkcs1").public_key(), key("2048").public_key());
  for (const auto* name : {"1024", "2047", "pss"}) {
    const auto own = PrivateKey::load(*dir_ / (name + ".key"s), KeyUse::receive);
    ASSERT_FALSE(own.ok()) << name;
    EXPECT_EQ(own.error().reason, "the key is neither of the curve P-256 nor RSA with 2048 to 8192 bits");
    EXPECT_FALSE(Certificate::from_pem(dir_->read(name + ".crt"s)).ok()) << name;
  }
}

TEST_F(ReceiverTest, HasAKeyThatFitsTogether) {
  auto text = dir_->read("2048.key");
  const auto begin = text.find('\n') + 1;
  const auto end = text.find("-----END");
  std::string base64;
  for (const char c : text.substr(begin, end - begin)) base64 += c == '\n' ? "" : std::string(1, c);
  auto der = base64_decode(base64).value();
  der[60] = static_cast<char>(der[60] ^ 1);  // in the modulus
  const auto changed = "-----BEGIN PRIVATE KEY-----\n" + base64_encode(der) + "\n-----END PRIVATE KEY-----\n";
  const auto read = PrivateKey::from_pem(changed, KeyUse::receive);
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().reason, "the key does not fit together");
}

TEST_F(ReceiverTest, WithAnRsaKeyNeverSigns) {
  const std::string reason = "the key is not of the curve P-256";
  EXPECT_EQ(PrivateKey::load(*dir_ / "2048.key").error().reason, reason);
  EXPECT_EQ(PrivateKey::from_pem(dir_->read("2048.key")).error().reason, reason);
  EXPECT_EQ(PublicKey::from_pem(dir_->read("2048.pub")).error().reason, reason);
  EXPECT_EQ(TrustStore::load(*dir_ / "2048.pub").error().reason, reason);
  EXPECT_EQ(TrustStore::load(*dir_ / "2048.crt").error().reason, reason);
  EXPECT_DEATH((void)sign_jws(key("2048"), "t+jws", "{}"), "a key that does not sign");
  EXPECT_DEATH(TrustStore().add(key("2048").public_key()), "a key that does not sign");
  const auto now = std::chrono::system_clock::now();
  const IssueTerms terms{"name", now, now + 1h};
  EXPECT_TRUE(issue_certificate(certificate("p256"), key("p256"), key("p256").public_key(), terms).ok());
  EXPECT_FALSE(issue_certificate(certificate("p256"), key("p256"), key("2048").public_key(), terms).ok());
  EXPECT_FALSE(issue_certificate(certificate("2048"), key("2048"), key("p256").public_key(), terms).ok());
}

TEST_F(ReceiverTest, UnwrapsItsOwnKeyOnly) {
  const std::string content_key = generate_content_key();
  const std::tuple<const char*, const char*, const char*> cases[] = {{"p256", "2048", "ECDH-ES+HKDF-SHA256+A256GCM"},
                                                                     {"2048", "other", "RSA-OAEP-256"},
                                                                     {"4096", "p256", "RSA-OAEP-256"}};
  for (const auto& [name, other, alg] : cases) {
    const auto own = key(name);
    const auto wrapped = wrap_content_key(content_key, certificate(name).public_key(), fingerprint, id).value();
    EXPECT_EQ(wrapped.alg, alg);
    EXPECT_EQ(wrapped.ephemeral.empty(), own.public_key().kind() == KeyKind::rsa);
    EXPECT_EQ(unwrap_content_key(wrapped, own, fingerprint, id).value(), content_key);
    EXPECT_NE(wrap_content_key(content_key, own.public_key(), fingerprint, id).value(), wrapped);
    EXPECT_FALSE(unwrap_content_key(wrapped, key(other), fingerprint, id).ok());
    EXPECT_EQ(unwrap_content_key(wrapped, own, std::string(64, 'b'), id).error().code, Code::denied);
    EXPECT_EQ(unwrap_content_key(wrapped, own, fingerprint, std::string(32, '0')).error().code, Code::denied);
    EXPECT_FALSE(unwrap_content_key(wrapped, own, "aa", id).ok());
    EXPECT_FALSE(unwrap_content_key(wrapped, own, fingerprint, "aa").ok());
    EXPECT_FALSE(wrap_content_key("short", own.public_key(), fingerprint, id).ok());
    EXPECT_FALSE(wrap_content_key(content_key, own.public_key(), "zz", id).ok());
    EXPECT_FALSE(wrap_content_key(content_key, own.public_key(), fingerprint, std::string(32, 'F')).ok());
  }
}

TEST_F(ReceiverTest, RefusesAChangedWrap) {
  for (const auto* name : {"p256", "2048"}) {
    const auto own = key(name);
    const auto good = wrap_content_key(generate_content_key(), own.public_key(), fingerprint, id).value();
    const auto refuses = [&](const WrappedKey& changed) {
      return !unwrap_content_key(changed, own, fingerprint, id).ok();
    };
    const auto bytes = base64url_decode(good.wrapped).value();
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      auto changed = bytes;
      changed[at] = static_cast<char>(changed[at] ^ 1);
      EXPECT_TRUE(refuses({good.alg, good.ephemeral, base64url_encode(changed)})) << name << " byte " << at;
    }
    const auto point = base64url_decode(good.ephemeral).value();
    for (std::size_t at = 0; at < point.size(); ++at) {
      auto changed = point;
      changed[at] = static_cast<char>(changed[at] ^ 1);
      EXPECT_TRUE(refuses({good.alg, base64url_encode(changed), good.wrapped})) << name << " byte " << at;
    }
    EXPECT_TRUE(refuses({good.alg, good.ephemeral, base64url_encode(bytes + '\0')}));
    EXPECT_TRUE(refuses({good.alg, good.ephemeral, base64url_encode('\0' + bytes)}));
    EXPECT_TRUE(refuses({good.alg, good.ephemeral, base64url_encode(bytes.substr(1))}));
    EXPECT_TRUE(refuses({good.alg, good.ephemeral, good.wrapped + "="}));
    EXPECT_TRUE(refuses({good.alg, good.ephemeral, ""}));
    EXPECT_TRUE(refuses({good.alg, good.ephemeral.empty() ? "AAAA" : "", good.wrapped}));
    for (const auto* alg : {"none", "RSA-OAEP", "RSA-OAEP-256", "ECDH-ES+HKDF-SHA256+A256GCM", ""}) {
      if (alg == good.alg) continue;
      EXPECT_TRUE(refuses({alg, good.ephemeral, good.wrapped})) << name << " " << alg;
    }
  }
}

// One in 256 begins with a zero byte: a number has one accepted length.
TEST_F(ReceiverTest, RefusesAShorterSpellingOfAWrap) {
  const auto own = key("2048");
  WrappedKey wrapped;
  std::string bytes;
  do {
    wrapped = wrap_content_key(generate_content_key(), own.public_key(), fingerprint, id).value();
    bytes = base64url_decode(wrapped.wrapped).value();
  } while (bytes[0] != '\0');
  EXPECT_TRUE(unwrap_content_key(wrapped, own, fingerprint, id).ok());
  wrapped.wrapped = base64url_encode(bytes.substr(1));
  EXPECT_EQ(unwrap_content_key(wrapped, own, fingerprint, id).error().code, Code::denied);
}

TEST_F(ReceiverTest, ReadsAPublicContentsKey) {
  const std::string content_key = generate_content_key();
  const auto bare = public_content_key(content_key).value();
  EXPECT_EQ(bare, (WrappedKey{"none", "", base64url_encode(content_key)}));
  for (const auto* name : {"p256", "2048"}) {
    EXPECT_EQ(unwrap_content_key(bare, key(name), fingerprint, id).value(), content_key);
    EXPECT_FALSE(unwrap_content_key({"none", "AAAA", bare.wrapped}, key(name), fingerprint, id).ok());
    EXPECT_FALSE(unwrap_content_key({"none", "", bare.wrapped + "AAAA"}, key(name), fingerprint, id).ok());
  }
  EXPECT_FALSE(public_content_key("short").ok());
}

TEST_F(ReceiverTest, RefusesAPointThatIsNotUncompressedAndOnTheCurve) {
  const auto own = key("p256");
  const auto good = wrap_content_key(generate_content_key(), own.public_key(), fingerprint, id).value();
  const auto point = base64url_decode(good.ephemeral).value();
  for (const auto& other : {"\x02" + point.substr(1, 32), "\0"s, "\x04" + std::string(64, '\0'), point + "x"}) {
    const auto refused = unwrap_content_key({good.alg, base64url_encode(other), good.wrapped}, own, fingerprint, id);
    EXPECT_EQ(refused.error().path, "/ephemeral") << to_hex(other);
  }
}

// Made by another implementation (Python's cryptography 48).
TEST(ContentKey, IsWrappedAsTheFormatSays) {
  const char* pem =
      "-----BEGIN PRIVATE KEY-----\n"
      "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgOVb9pv623Nve6r4K\n"
      "yzpKQ+u/Jf88kg8ri++EgZh0HumhRANCAASo724qMhhDUskpnye50PqLv+bBfJIn\n"
      "c/NTYSwKmTyLKdqu8Hb6S6bgXK16mGbzKbGVp9jxpN8hELavx18NL4Yo\n"
      "-----END PRIVATE KEY-----\n";
  const WrappedKey wrapped{"ECDH-ES+HKDF-SHA256+A256GCM",
                           "BLV85P1raFtI5VpHi-Tt1rGcuhvVO8wlr3inou1BrLHpw6Ai4-cNKYk7mT4o1ecVbpDdRibHvhJxMOV3jXuYABw",
                           "T1suc5W74ptx1YoIvYjKuqc1I2NpoKiK1KBDRWYGCe8A1xlp-Uo_ZwLPBGf-x-c_"};
  const auto receiver = PrivateKey::from_pem(pem);
  EXPECT_EQ(unwrap_content_key(wrapped, *receiver, fingerprint, id).value(), std::string(32, 'k'));
}

}  // namespace
}  // namespace fieldwork::crypto
