// links: exchange codec GTest::gtest_main
// The signed header of an offer: who signed it, and that it is of what is offered.
#include "exchange/sealing.hpp"

#include <gtest/gtest.h>

#include <functional>

#include "codec/transfer.hpp"
#include "crypto/bytes.hpp"
#include "crypto/jws.hpp"
#include "support/ends.hpp"

namespace fieldwork::exchange {
namespace {

using namespace support;

constexpr const char* type = "fieldwork-content+jws";

crypto::CertificateAuthority authority(const std::string& name) {
  return crypto::CertificateAuthority::load(pki().path(name + ".crt")).value();
}

Result<void> verdict(const Offer& offer, const std::string& ca = "operator-ca", Duration later = {}) {
  return check_header(offer, authority(ca), "transfer", wall() + later);
}

codec::ContentHeader header_of(const Offer& offer) {
  return codec::decode_content_header(crypto::jws_payload_unverified(offer.envelope.header).value()).value();
}

TEST(Header, SaysWhatIsOfferedAndWhoSignedIt) {
  const Ends ends(make_bytes(50'000, 1));
  EXPECT_TRUE(verdict(ends.offer).ok());
  const auto header = header_of(ends.offer);
  EXPECT_EQ(header.content, Ends::content_id);
  EXPECT_EQ(header.digest, ends.digest());
  EXPECT_EQ(header.encoded_digest, crypto::digest_of(read(ends.encoded.path)));
  const auto bytes = read(ends.encoded.path);
  const auto root = crypto::sealed_root_hex(
      sealed_header(ends.offer).value(), ends.sealing.key,
      [&](std::uint64_t offset, std::size_t length) { return bytes.substr(static_cast<std::size_t>(offset), length); });
  EXPECT_EQ(header.root, root.value());
  const auto patch = Ends("new" + ends.bytes, ends.bytes).offer;
  EXPECT_TRUE(verdict(patch).ok());
  EXPECT_EQ(header_of(patch).base, ends.digest());
}

TEST(Header, IsRefusedWhereItIsMissingOrOfSomebodyElse) {
  const Ends ends(make_bytes(50'000, 1));
  const Ends other("another content");
  const std::string payload = codec::encode(header_of(ends.offer));
  struct Case {
    const char* name;
    const char* path;
    std::function<void(Envelope&)> change;
  };
  const Case cases[] = {
      {"missing", "/envelope/header", [](Envelope& e) { e.header.clear(); }},
      {"nothing", "/envelope/certificate",
       [](Envelope& e) {
         e.header.clear();
         e.certificate.clear();
       }},
      {"of another content", "/envelope/header", [&](Envelope& e) { e.header = other.offer.envelope.header; }},
      {"signed by another key", "/envelope/header",
       [&](Envelope& e) { e.header = crypto::sign_jws(crypto::PrivateKey::generate(), type, payload); }},
      {"of another type", "/envelope/header",
       [&](Envelope& e) { e.header = crypto::sign_jws(pki().key("transfer"), "fieldwork-grant+jws", payload); }},
      {"not a header", "/envelope/header",
       [](Envelope& e) { e.header = crypto::sign_jws(pki().key("transfer"), type, "{}"); }},
      {"without a certificate", "/envelope/certificate", [](Envelope& e) { e.certificate.clear(); }},
      {"of another name", "/envelope/certificate",
       [&](Envelope& e) {
         e.header = crypto::sign_jws(pki().key("alice"), type, payload);
         e.certificate = pki().pem("alice");
       }},
      {"of another authority", "/envelope/certificate",
       [&](Envelope& e) {
         e.header = crypto::sign_jws(pki().key("d1"), type, payload);
         e.certificate = pki().pem("d1");
       }},
  };
  for (const auto& one : cases) {
    auto offer = ends.offer;
    one.change(offer.envelope);
    const auto refused = verdict(offer);
    ASSERT_FALSE(refused.ok()) << one.name;
    EXPECT_EQ(refused.error().code, Code::denied) << one.name;
    EXPECT_EQ(refused.error().path, one.path) << one.name;
  }
  EXPECT_EQ(verdict(ends.offer, "device-ca").error().path, "/envelope/certificate");
  EXPECT_EQ(verdict(ends.offer, "operator-ca", std::chrono::hours(24 * 31)).error().path, "/envelope/certificate");
}

// Signed by the service, and of something else than the offer in a single field.
TEST(Header, EachFieldOfItIsThatOfTheOffer) {
  const std::pair<const char*, std::function<void(codec::ContentHeader&)>> cases[] = {
      {"content", [](auto& h) { h.content = std::string(32, 'a'); }},
      {"epoch", [](auto& h) { h.epoch += 1; }},
      {"digest", [](auto& h) { h.digest = crypto::digest_of("other"); }},
      {"size_bytes", [](auto& h) { h.size_bytes += 1; }},
      {"encoding", [](auto& h) { h.encoding = "identity"; }},
      {"base",
       [](auto& h) {
         h.encoding = "zstd-patch";
         h.base = crypto::digest_of("base");
       }},
      {"encoded_bytes", [](auto& h) { h.encoded_bytes += 1; }},
      {"encoded_digest", [](auto& h) { h.encoded_digest = crypto::digest_of("other"); }},
      {"encryption_algorithm", [](auto& h) { h.encryption_algorithm = "chacha20-poly1305"; }},
      {"chunk_bytes", [](auto& h) { h.chunk_bytes *= 2; }},
  };
  const Ends ends(make_bytes(50'000, 1));
  for (const auto& [name, change] : cases) {
    auto header = header_of(ends.offer);
    change(header);
    auto offer = ends.offer;
    offer.envelope.header = crypto::sign_jws(pki().key("transfer"), type, codec::encode(header));
    const auto refused = verdict(offer);
    ASSERT_FALSE(refused.ok()) << name;
    EXPECT_EQ(refused.error().path, "/envelope/header") << name;
  }
}

// The header is good, and the offer says something else in a single field.
TEST(Header, EachFieldOfTheOfferIsThatOfTheHeader) {
  const std::pair<const char*, std::function<void(Offer&)>> cases[] = {
      {"content", [](Offer& o) { o.envelope.content = std::string(32, 'a'); }},
      {"epoch", [](Offer& o) { o.envelope.epoch += 1; }},
      {"digest", [](Offer& o) { o.digest = crypto::digest_of("other"); }},
      {"size_bytes", [](Offer& o) { o.size_bytes += 1; }},
      {"encoding", [](Offer& o) { o.encoding = "identity"; }},
      {"base", [](Offer& o) { o.base = crypto::digest_of("base"); }},
      {"encoded_bytes", [](Offer& o) { o.encoded_bytes += 1; }},
      {"encoded_digest", [](Offer& o) { o.encoded_digest = crypto::digest_of("other"); }},
      {"encryption_algorithm", [](Offer& o) { o.envelope.encryption_algorithm = "chacha20-poly1305"; }},
      {"chunk_bytes", [](Offer& o) { o.envelope.chunk_bytes *= 2; }},
  };
  const Ends ends(make_bytes(50'000, 1));
  for (const auto& [name, change] : cases) {
    auto offer = ends.offer;
    change(offer);
    const auto refused = verdict(offer);
    ASSERT_FALSE(refused.ok()) << name;
    EXPECT_EQ(refused.error().path, "/envelope/header") << name;
  }
}

// Nobody else has the key of what is sent to the service.
TEST(Sealing, ForOneReceiverHasNoHeader) {
  const Ends ends(make_bytes(50'000, 1));
  const auto one = seal_for_one(Ends::content_id, crypto::Cipher::chacha20_poly1305);
  const auto offer =
      make_offer(id_of(7), ends.digest(), ends.size_bytes(), ends.encoded, one, pki().certificate("d1"), "").value();
  EXPECT_EQ(offer.envelope.header, "");
  EXPECT_EQ(offer.envelope.certificate, "");
  const auto fingerprint = pki().certificate("d1").fingerprint();
  EXPECT_EQ(check_offer(offer, pki().key("d1"), fingerprint, 1 << 30).value(), one.key);
  EXPECT_EQ(check_offer(offer, pki().key("d2"), fingerprint, 1 << 30).error().code, Code::denied);
  EXPECT_NE(seal_for_one(Ends::content_id, crypto::Cipher::chacha20_poly1305).key, one.key);
}

// Whoever reads the offer can read the content; what it is, the service has signed.
TEST(Sealing, APublicContentHasItsKeyInTheOfferAndAHeader) {
  Ends ends(make_bytes(50'000, 1));
  ends.sealing.is_public = true;
  const auto make = [&](const Sealing& sealing) {
    return make_offer(id_of(7), ends.digest(), ends.size_bytes(), ends.encoded, sealing, pki().certificate("d1"), "");
  };
  ends.offer = make(ends.sealing).value();
  EXPECT_EQ(ends.offer.envelope.key_encryption_algorithm, "none");
  EXPECT_EQ(crypto::base64url_decode(ends.offer.envelope.wrapped).value(), ends.sealing.key);
  EXPECT_TRUE(verdict(ends.offer).ok());
  auto inbound = ends.inbound("d2").value();  // whoever it is made for
  for (const auto& frame : ends.frames()) ASSERT_TRUE(inbound.frame(frame, wall()).ok());
  ASSERT_TRUE(inbound.finish(ends.dir / "final").ok());
  EXPECT_EQ(read(ends.dir / "final"), ends.bytes);

  ends.offer.envelope.header.clear();
  EXPECT_EQ(ends.inbound().error().path, "/envelope/header");
  auto bare = seal_for_one(Ends::content_id, crypto::Cipher::aes_256_gcm);
  EXPECT_TRUE(make(bare).ok());
  bare.is_public = true;
  EXPECT_EQ(make(bare).error().path, "/envelope/header");
}

TEST(Sealing, TakesAnEncodingThatIsThere) {
  const Ends ends(make_bytes(50'000, 1));
  const auto again = encode_beside(ends.dir / "plain", ends.digest()).value();
  EXPECT_EQ(again.encoding, "zstd");
  EXPECT_EQ(again.encoded_bytes, ends.encoded.encoded_bytes);
  EXPECT_EQ(again.encoded_digest, ends.encoded.encoded_digest);
  EXPECT_EQ(encode_beside(ends.dir / "none", ends.digest()).error().code, Code::unavailable);
}

}  // namespace
}  // namespace fieldwork::exchange
