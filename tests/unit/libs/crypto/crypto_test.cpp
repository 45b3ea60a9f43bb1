// links: crypto GTest::gtest_main
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "crypto/bytes.hpp"
#include "crypto/certificate.hpp"
#include "crypto/digest.hpp"
#include "crypto/jws.hpp"
#include "crypto/key.hpp"
#include "support/temp_dir.hpp"

namespace fieldwork::crypto {
namespace {

namespace fs = std::filesystem;
using namespace std::string_literals;
using namespace std::chrono_literals;

constexpr auto day = std::chrono::hours(24);

using support::TempDir;

TEST(Bytes, ReadBackWhatTheyWrite) {
  for (std::size_t size = 0; size < 70; ++size) {
    const std::string bytes = random_bytes(size);
    ASSERT_EQ(bytes.size(), size);
    EXPECT_EQ(from_hex(to_hex(bytes)).value(), bytes);
    EXPECT_EQ(base64_decode(base64_encode(bytes)).value(), bytes);
    EXPECT_EQ(base64url_decode(base64url_encode(bytes)).value(), bytes);
  }
}

TEST(Bytes, AreSpelledAsTheRfcSays) {
  const std::pair<std::string, std::string> cases[] = {{"", ""},
                                                       {"f", "Zg=="},
                                                       {"fo", "Zm8="},
                                                       {"foo", "Zm9v"},
                                                       {"foob", "Zm9vYg=="},
                                                       {"fooba", "Zm9vYmE="},
                                                       {"\xff\xef"s, "/+8="}};
  for (const auto& [bytes, text] : cases) EXPECT_EQ(base64_encode(bytes), text);
  EXPECT_EQ(base64url_encode("\xff\xef"), "_-8");
}

TEST(Bytes, RefuseEveryOtherSpelling) {
  for (const char* text : {"0", "0G", "AB", "a b", "0x"}) EXPECT_FALSE(from_hex(text).ok()) << text;
  for (const char* text : {"Zg", "Zg=", "Zh==", "Z===", "====", "Zm9v\n", "Zm9=", "_-8=", "Zg==Zg=="}) {
    EXPECT_FALSE(base64_decode(text).ok()) << text;
  }
  for (const char* text : {"Z", "Zh", "Zg==", "/+8", "Zm9vY", "Zm 9"})
    EXPECT_FALSE(base64url_decode(text).ok()) << text;
}

TEST(Digest, IsSha256) {
  const std::string empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
  const std::string abc = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  EXPECT_EQ(digest_of(""), empty);
  EXPECT_EQ(digest_of("abc"), abc);
  Sha256 sha;
  sha.update("a");
  sha.update("bc");
  EXPECT_EQ(sha.finish(), sha256("abc"));
  EXPECT_EQ(sha.finish(), sha256(""));  // as new
  const TempDir dir;
  const std::string big = random_bytes(300'000);
  EXPECT_EQ(digest_of_file(dir.write("big", big)).value(), digest_of(big));
  EXPECT_EQ(digest_of_file(dir.write("empty", "")).value(), empty);
  EXPECT_EQ(digest_of_file(dir / "none").error().code, Code::unavailable);
  EXPECT_FALSE(digest_of_file(dir.path()).ok());
}

TEST(Digest, HasOneForm) {
  const std::string hex(64, 'a');
  EXPECT_TRUE(is_digest("sha256:" + hex));
  for (const std::string& text : {""s, hex, "sha256:" + hex + "a", "sha256:" + hex.substr(1), "sha512:" + hex,
                                  "sha256:" + std::string(64, 'A'), "SHA256:" + hex}) {
    EXPECT_FALSE(is_digest(text)) << text;
  }
}

TEST(Key, ReadsBackItsPem) {
  const PrivateKey key = PrivateKey::generate();
  const TempDir dir;
  const auto again = PrivateKey::load(dir.write("key.pem", key.to_pem()));
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->public_key(), key.public_key());
  const auto half = PublicKey::from_pem(key.public_key().to_pem());
  ASSERT_TRUE(half.ok());
  EXPECT_EQ(half->id(), key.public_key().id());
  EXPECT_TRUE(is_hex(half->id(), 64));
  EXPECT_NE(PrivateKey::generate().public_key(), key.public_key());
}

TEST(Key, RefusesOtherThings) {
  const TempDir dir;
  const std::string make = "cd " + dir.path().string() +
                           " && openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out p384.pem"
                           " && openssl genpkey -quiet -algorithm ED25519 -out ed.pem"
                           " && openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -aes256"
                           " -pass pass:secret -out locked.pem"
                           " && openssl pkey -in p384.pem -pubout -out p384.pub";
  ASSERT_EQ(std::system(make.c_str()), 0);
  for (const char* name : {"p384.pem", "ed.pem", "locked.pem", "none.pem"}) {
    const auto key = PrivateKey::load(dir / name);
    ASSERT_FALSE(key.ok()) << name;
    EXPECT_EQ(key.error().path, (dir / name).string());
  }
  EXPECT_FALSE(PublicKey::from_pem(dir.read("p384.pub")).ok());
  for (const std::string& text : {""s, "junk"s, std::string(100'000, 'a'), PrivateKey::generate().to_pem()}) {
    EXPECT_FALSE(PublicKey::from_pem(text).ok());
  }
}

constexpr std::string_view type = "fieldwork-grant+jws";

struct Signed {
  PrivateKey key = PrivateKey::generate();
  std::string payload = R"({"job":"j","fence":1})";
  std::string jws = sign_jws(key, type, payload);
  TrustStore trust = [this] {
    TrustStore store;
    store.add(key.public_key());
    return store;
  }();
};

TEST(Jws, IsVerified) {
  const Signed s;
  EXPECT_EQ(s.trust.verify(s.jws, type).value(), s.payload);
  EXPECT_EQ(s.trust.verify_signer(s.jws, type)->kid, s.key.public_key().id());
  EXPECT_EQ(jws_payload_unverified(s.jws).value(), s.payload);
  const std::string longest(jws_payload_bytes_max, 'x');
  EXPECT_EQ(s.trust.verify(sign_jws(s.key, type, longest), type).value(), longest);
}

std::vector<std::string> payloads_of(std::size_t count) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < count; ++i) out.push_back(R"({"job":"j)" + std::to_string(i) + R"("})");
  return out;
}

TEST(JwsBatch, EachVerifiesAsItsOwnPayload) {
  const Signed s, other;
  for (const std::size_t count : {1U, 2U, 3U, 4U, 5U, 7U, 8U, 33U, 100U, 512U}) {
    const auto payloads = payloads_of(count);
    const auto texts = sign_jws_batch(s.key, type, payloads);
    ASSERT_EQ(texts.size(), count);
    for (std::size_t i = 0; i < count; ++i) {
      EXPECT_EQ(s.trust.verify(texts[i], type).value(), payloads[i]) << i << " of " << count;
      EXPECT_EQ(jws_payload_unverified(texts[i]).value(), payloads[i]);
      EXPECT_EQ(s.trust.verify(texts[i], "fieldwork-release+jws").error().code, Code::denied) << "of another type";
      EXPECT_EQ(other.trust.verify(texts[i], type).error().code, Code::denied) << "of another signer";
    }
  }
  EXPECT_TRUE(sign_jws_batch(s.key, type, {}).empty());
}

// Whatever part is another's or cut: denied or invalid, also when the root is known already.
TEST(JwsBatch, NothingElseVerifies) {
  const Signed s;
  const auto texts = sign_jws_batch(s.key, type, payloads_of(5));
  const auto foreign = sign_jws_batch(s.key, type, payloads_of(6));
  const auto parts_of = [](const std::string& text) {
    std::vector<std::string> parts(1);
    for (const char c : text) {
      if (c == '~') {
        parts.emplace_back();
      } else {
        parts.back() += c;
      }
    }
    return parts;
  };
  const auto joined = [](const std::vector<std::string>& parts) {
    std::string out;
    for (const auto& part : parts) out += (out.empty() ? "" : "~") + part;
    return out;
  };
  ASSERT_TRUE(s.trust.verify(texts[2], type).ok());
  const auto good = parts_of(texts[2]);
  ASSERT_EQ(joined(good), texts[2]);
  for (const auto& from : {parts_of(texts[3]), parts_of(foreign[2])}) {
    for (std::size_t part = 0; part < 4; ++part) {
      auto mixed = good;
      mixed[part] = from[part];
      if (mixed == good) continue;
      EXPECT_FALSE(s.trust.verify(joined(mixed), type).ok()) << part;
    }
  }
  for (const char* place : {"2.4", "2.6", "7.5", "2", "2.", ".5", "2.5.", "-2.5", "2.99999", "2.1", "x.5"}) {
    auto mixed = good;
    mixed[2] = place;
    EXPECT_FALSE(s.trust.verify(joined(mixed), type).ok()) << place;
  }
  for (std::size_t i = 0; i < texts[2].size(); ++i) {
    auto text = texts[2];
    text[i] = text[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(s.trust.verify(text, type).ok()) << "byte " << i;
  }
  EXPECT_FALSE(s.trust.verify(texts[2].substr(0, texts[2].rfind('~')), type).ok());
  EXPECT_FALSE(s.trust.verify(good[0], type).ok()) << "the root alone is no grant";
  EXPECT_FALSE(TrustStore().verify(texts[2], type).ok());
  // An inner node given as a payload: leaves and nodes are hashed apart.
  EXPECT_FALSE(s.trust.verify(joined({good[0], good[3], "0.2", ""}), type).ok());
}

TEST(JwsBatch, ACopyOfATrustStoreKnowsOnlyItsOwnRoots) {
  const Signed s, other;
  const auto texts = sign_jws_batch(other.key, type, payloads_of(2));
  TrustStore both = s.trust;
  both.add(other.key.public_key());
  ASSERT_TRUE(both.verify(texts[0], type).ok());
  EXPECT_FALSE(s.trust.verify(texts[0], type).ok());
  TrustStore replaced = both;
  ASSERT_TRUE(replaced.verify(texts[0], type).ok());
  replaced = s.trust;
  EXPECT_FALSE(replaced.verify(texts[0], type).ok()) << "of a key that is trusted no more";
  const TrustStore copy = both;
  EXPECT_TRUE(copy.verify(texts[1], type).ok());
}

TEST(Jws, OfAnotherTypeOrSignerIsDenied) {
  const Signed s, other;
  EXPECT_EQ(s.trust.verify(s.jws, "fieldwork-release+jws").error().code, Code::denied);
  EXPECT_EQ(other.trust.verify(s.jws, type).error().code, Code::denied);
  EXPECT_EQ(TrustStore().verify(s.jws, type).error().code, Code::denied);
  TrustStore both;
  both.add(other.key.public_key());
  both.add(s.key.public_key());
  both.add(s.key.public_key());
  EXPECT_EQ(both.size(), 2U);
  EXPECT_EQ(both.verify_signer(s.jws, type)->kid, s.key.public_key().id());
}

TEST(Jws, IsRefusedInEveryOtherForm) {
  const Signed s;
  const auto first = s.jws.find('.');
  const auto second = s.jws.find('.', first + 1);
  const std::string head = s.jws.substr(0, first), body = s.jws.substr(first + 1, second - first - 1);
  const std::string signature = s.jws.substr(second + 1), kid = s.key.public_key().id();
  const auto with_head = [&](const std::string& header) {
    return base64url_encode(header) + "." + body + "." + signature;
  };
  const std::string t(type);
  const std::pair<const char*, std::string> cases[] = {
      {"empty", ""},
      {"two parts", head + "." + body},
      {"extra part", s.jws + ".x"},
      {"extra dot", s.jws + "."},
      {"no payload", head + ".." + signature},
      {"no signature", head + "." + body + "."},
      {"short signature", s.jws.substr(0, s.jws.size() - 2)},
      {"other payload", head + "." + base64url_encode(R"({"job":"k","fence":1})") + "." + signature},
      {"zero signature", head + "." + body + "." + base64url_encode(std::string(64, '\0'))},
      {"full signature", head + "." + body + "." + base64url_encode(std::string(64, '\xff'))},
      {"alg none", with_head(R"({"alg":"none","kid":")" + kid + R"(","typ":")" + t + R"("})")},
      {"alg HS256", with_head(R"({"alg":"HS256","kid":")" + kid + R"(","typ":")" + t + R"("})")},
      {"another order", with_head(R"({"kid":")" + kid + R"(","alg":"ES256","typ":")" + t + R"("})")},
      {"more members", with_head(R"({"alg":"ES256","kid":")" + kid + R"(","typ":")" + t + R"(","crit":"x"})")},
      {"white space", with_head(R"({"alg":"ES256", "kid":")" + kid + R"(","typ":")" + t + R"("})")},
      {"short kid", with_head(R"({"alg":"ES256","kid":"ab","typ":")" + t + R"("})")},
      {"padding", head + "." + body + "." + signature + "=="},
      {"leading space", " " + s.jws},
      {"trailing newline", s.jws + "\n"},
      {"too long", head + "." + std::string(jws_bytes_max, 'A') + "." + signature},
  };
  for (const auto& [what, jws] : cases) EXPECT_FALSE(s.trust.verify(jws, type).ok()) << what;
  for (std::size_t at = 0; at < s.jws.size(); ++at) {
    std::string changed = s.jws;
    changed[at] = changed[at] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(s.trust.verify(changed, type).ok()) << at;
    EXPECT_FALSE(s.trust.verify(s.jws.substr(0, at), type).ok()) << at;
  }
}

// Made once by another implementation (Python's cryptography 48).
constexpr const char* known_key =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgOVb9pv623Nve6r4K\n"
    "yzpKQ+u/Jf88kg8ri++EgZh0HumhRANCAASo724qMhhDUskpnye50PqLv+bBfJIn\n"
    "c/NTYSwKmTyLKdqu8Hb6S6bgXK16mGbzKbGVp9jxpN8hELavx18NL4Yo\n"
    "-----END PRIVATE KEY-----\n";
constexpr const char* known_jws =
    "eyJhbGciOiJFUzI1NiIsImtpZCI6IjQ5MzcxNjI1Njk5MmUyNjM4YzI4N2UxMWZlZDM3OWFmZDJmMDdmYTIyMGI5MzA1ZGRlYzYx"
    "YTY3OGU3OWQxNGQiLCJ0eXAiOiJmaWVsZHdvcmstZ3JhbnQrandzIn0.eyJqb2IiOiJqIiwiZmVuY2UiOjF9.4Y74sNQgMg09Ar_"
    "-rYFo4yvqiDfpBiy6C4W785_iBafSlRYE0PLm5xFioudZESbMaMh_BfE0vS-Nw8fc6KtRzQ";

TEST(Jws, OfAnEarlierVersionIsStillVerified) {
  TrustStore trust;
  trust.add(PrivateKey::from_pem(known_key).value().public_key());
  EXPECT_EQ(trust.verify(known_jws, type).value(), R"({"job":"j","fence":1})");
}

TEST(TrustStore, LoadsKeysAndCertificates) {
  const TempDir dir;
  const PrivateKey one = PrivateKey::generate(), two = PrivateKey::generate();
  const std::string make = "cd " + dir.path().string() +
                           " && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k.pem"
                           " -out c.pem -subj /CN=releaser 2>/dev/null";
  ASSERT_EQ(std::system(make.c_str()), 0);
  const std::string keys = one.public_key().to_pem() + "a comment\n" + two.public_key().to_pem();
  const auto trust = TrustStore::load(dir.write("trust.pem", keys + dir.read("c.pem")));
  ASSERT_TRUE(trust.ok()) << describe(trust.error());
  EXPECT_EQ(trust->size(), 3U);
  const auto certified = PrivateKey::load(dir / "k.pem");
  EXPECT_TRUE(trust->verify(sign_jws(two, type, "{}"), type).ok());
  EXPECT_TRUE(trust->verify(sign_jws(*certified, type, "{}"), type).ok());

  const std::string cut = keys.substr(0, keys.size() - 40);
  for (const std::string& text : {""s, "junk"s, keys + one.to_pem(), cut, keys + std::string(70'000, '\n'),
                                  "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"s}) {
    EXPECT_FALSE(TrustStore::load(dir.write("bad.pem", text)).ok()) << text.size();
  }
  EXPECT_FALSE(TrustStore::load(dir / "none").ok());
}

/// A real authority made with the openssl command line: devices good, revoked; another authority's device.
class CertificateTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    dir_ = new TempDir;
    dir_->write("ca.conf",
                "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\n"
                "crl_extensions=x\n[x]\nauthorityKeyIdentifier=keyid:always\n[d]\ndefault_days=365\npolicy="
                "p\ncrlnumber=crlnumber\nx509_extensions=leaf\n"
                "[p]\ncommonName=supplied\n[leaf]\nbasicConstraints=critical,CA:FALSE\n");
    dir_->write("make.sh", R"(set -e
ec='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
: > index.txt; echo 0a01 > serial; echo 01 > crlnumber
openssl req -x509 $ec -keyout ca.key -out ca.pem -subj /CN=authority -days 36500
openssl req -x509 $ec -keyout other.key -out other.pem -subj /CN=authority -days 36500
for name in good revoked; do
  openssl req $ec -keyout $name.key -out $name.csr -subj /CN=$name
  openssl ca -batch -config ca.conf -cert ca.pem -keyfile ca.key -in $name.csr -out $name.pem
done
openssl ca -batch -config ca.conf -cert ca.pem -keyfile ca.key -in good.csr -subj /CN=future -out future.pem \
  -startdate 20400101000000Z -enddate 20410101000000Z
openssl x509 -req -in good.csr -CA other.pem -CAkey other.key -out foreign.pem -days 365 -set_serial 7
openssl ca -config ca.conf -cert ca.pem -keyfile ca.key -gencrl -crldays 30 -out nobody.crl
openssl ca -config ca.conf -cert ca.pem -keyfile ca.key -revoke revoked.pem
before=$(date -u -d '1 hour ago' +%Y%m%d%H%M%SZ)  # older than the other's, which has the same name: the key's identifier
openssl ca -config ca.conf -cert ca.pem -keyfile ca.key -gencrl -crldays 30 -crl_lastupdate $before -out one.crl
openssl ca -config ca.conf -cert other.pem -keyfile other.key -gencrl -crldays 30 -out other.crl
)");
    const std::string run = "cd " + dir_->path().string() + " && sh make.sh >log 2>&1 || { cat log; false; }";
    ASSERT_EQ(std::system(run.c_str()), 0);
  }
  static void TearDownTestSuite() { delete dir_; }

  static Certificate certificate(const std::string& name) {
    auto read = Certificate::from_pem(dir_->read(name));
    EXPECT_TRUE(read.ok()) << name;
    return std::move(*read);
  }
  static CertificateAuthority authority(const std::optional<std::string>& crl = {}) {
    std::optional<fs::path> path;
    if (crl) path = *dir_ / *crl;
    auto loaded = CertificateAuthority::load(*dir_ / "ca.pem", path);
    EXPECT_TRUE(loaded.ok()) << describe(loaded.error());
    return std::move(*loaded);
  }
  static std::string verdict(const CertificateAuthority& of, const std::string& name, std::chrono::seconds later) {
    const auto verified = of.verify(certificate(name), std::chrono::system_clock::now() + later);
    EXPECT_TRUE(verified.ok() || verified.error().code == Code::denied);
    return verified.ok() ? "good" : verified.error().reason;
  }

  static TempDir* dir_;
};
TempDir* CertificateTest::dir_ = nullptr;

TEST_F(CertificateTest, IsRead) {
  const Certificate good = certificate("good.pem");
  EXPECT_EQ(good.common_name(), "good");
  EXPECT_EQ(good.serial_hex(), "0a01");
  EXPECT_EQ(good.not_after() - good.not_before(), 365 * day);
  EXPECT_LT(std::chrono::abs(std::chrono::system_clock::now() - good.not_before()), day);
  EXPECT_EQ(good.public_key(), PrivateKey::load(*dir_ / "good.key")->public_key());
  EXPECT_TRUE(is_hex(good.fingerprint(), 64));
  const auto again = Certificate::from_pem(good.to_pem());
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->fingerprint(), good.fingerprint());
}

TEST_F(CertificateTest, IsRefusedWhenMalformed) {
  const std::string good = certificate("good.pem").to_pem();
  std::string damaged = good;
  damaged.replace(28, 4, "AAAA");  // the first bytes of the DER
  for (const std::string& text : {""s, "junk"s, good + good, good.substr(0, good.size() / 2), damaged,
                                  good + std::string(70'000, '\n'), dir_->read("good.key")}) {
    EXPECT_FALSE(Certificate::from_pem(text).ok()) << text;
  }
}

TEST_F(CertificateTest, IsVerifiedAtATime) {
  struct Case {
    std::optional<std::string> crl;
    std::string name;
    std::chrono::seconds later;
    std::string verdict;
  };
  const Case cases[] = {
      {{}, "good.pem", 0s, "good"},
      {{}, "revoked.pem", 0s, "good"},
      {{}, "good.pem", 366 * day, "expired"},
      {{}, "future.pem", 0s, "not yet valid"},
      {{}, "good.pem", -2 * day, "the authority's certificate: not yet valid"},
      {{}, "foreign.pem", 0s, "not issued by this authority"},
      {{}, "other.pem", 0s, "the certificate is an authority's, not a party's"},
      {{}, "ca.pem", 0s, "the certificate is an authority's, not a party's"},
      {"nobody.crl", "good.pem", 0s, "good"},
      {"nobody.crl", "revoked.pem", 0s, "good"},
      {"one.crl", "good.pem", 0s, "good"},
      {"one.crl", "revoked.pem", 0s, "revoked"},
      {"one.crl", "foreign.pem", 0s, "not issued by this authority"},
      {"one.crl", "good.pem", 31 * day, "the revocation list has expired"},
      {"one.crl", "good.pem", -2 * day, "the revocation list is not yet valid"},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(verdict(authority(c.crl), c.name, c.later), c.verdict) << c.name << " " << c.crl.value_or("-");
  }
}

TEST_F(CertificateTest, AuthorityNeedsItsFilesWhole) {
  const auto load = [&](const char* ca, const char* crl) {
    return CertificateAuthority::load(*dir_ / ca, fs::path(*dir_ / crl)).ok();
  };
  EXPECT_TRUE(load("ca.pem", "one.crl"));
  const std::string crl = dir_->read("one.crl");
  std::string damaged = crl;
  damaged.replace(damaged.size() - 60, 4, "AAAA");  // in the signature
  dir_->write("empty.crl", "");
  dir_->write("junk.crl", "junk");
  dir_->write("cut.crl", crl.substr(0, crl.size() - 40));
  dir_->write("damaged.crl", damaged);
  dir_->write("mixed.crl", crl + dir_->read("ca.pem"));
  dir_->write("half.crl", crl + crl.substr(0, 100));
  for (const char* bad : {"empty.crl", "junk.crl", "cut.crl", "damaged.crl", "mixed.crl", "half.crl", "none.crl",
                          "other.crl", "ca.pem"}) {
    EXPECT_FALSE(load("ca.pem", bad)) << bad;
  }
  for (const char* bad : {"empty.crl", "junk.crl", "one.crl", "good.pem", "none.pem"}) {
    EXPECT_FALSE(CertificateAuthority::load(*dir_ / bad).ok()) << bad;
  }
  dir_->write("both.pem", dir_->read("ca.pem") + dir_->read("other.pem"));
  dir_->write("both.crl", crl + dir_->read("other.crl"));
  const auto both = CertificateAuthority::load(*dir_ / "both.pem", fs::path(*dir_ / "both.crl"));
  ASSERT_TRUE(both.ok()) << describe(both.error());
  EXPECT_EQ(verdict(*both, "revoked.pem", 0s), "revoked");
  const auto unlisted = CertificateAuthority::load(*dir_ / "both.pem", fs::path(*dir_ / "one.crl"));
  EXPECT_NE(verdict(*unlisted, "foreign.pem", 0s), "good");  // no list of that issuer
}

}  // namespace
}  // namespace fieldwork::crypto
