// links: codec nlohmann_json::nlohmann_json GTest::gtest_main
// Wants, offers and content headers: what one member says of another, and what is not said.
#include <gtest/gtest.h>

#include "support/codec_kinds_more.hpp"

namespace fieldwork::codec {
namespace {

const std::string digest = rules::some_digest();
const std::string other = "sha256:" + std::string(64, 'b');
const std::string id(32, 'c');

Offer whole_offer() {
  return {.transfer = TransferId(std::string(32, 'a')),
          .digest = digest,
          .size_bytes = 10,
          .encoding = "zstd-patch",
          .base = other,
          .encoded_bytes = 9,
          .encoded_digest = "sha256:" + std::string(64, 'd'),
          .envelope = {.content = id,
                       .epoch = 2,
                       .encryption_algorithm = "chacha20-poly1305",
                       .chunk_bytes = 8192,
                       .key_encryption_algorithm = "ECDH-ES+HKDF-SHA256+A256GCM",
                       .ephemeral = "E",
                       .wrapped = "W",
                       .header = "H",
                       .certificate = "PEM"},
          .release = "jws"};
}

ContentHeader whole_header() {
  return {.content = id,
          .epoch = 2,
          .digest = digest,
          .size_bytes = 10,
          .encoding = "zstd-patch",
          .base = other,
          .encoded_bytes = 9,
          .encoded_digest = "sha256:" + std::string(64, 'd'),
          .encryption_algorithm = "chacha20-poly1305",
          .chunk_bytes = 8192,
          .root = std::string(64, 'e')};
}

TEST(OfferTest, IsReadAsItIsWritten) {
  const auto offer = whole_offer();
  const auto read = decode_offer(encode(offer));
  ASSERT_TRUE(read.ok()) << describe(read.error());
  EXPECT_TRUE(*read == offer) << encode(*read);
  // To one receiver alone, by RSA: no header, nothing ephemeral.
  auto bare = offer;
  bare.encoding = "zstd";
  bare.base = bare.release = bare.envelope.header = bare.envelope.certificate = bare.envelope.ephemeral = "";
  const auto text = encode(bare);
  for (const char* absent : {"base", "release", "header", "certificate", "ephemeral"})
    EXPECT_EQ(text.find(std::string("\"") + absent), std::string::npos) << absent;
  const auto bare_read = decode_offer(text);
  ASSERT_TRUE(bare_read.ok()) << describe(bare_read.error());
  EXPECT_TRUE(*bare_read == bare) << encode(*bare_read);
}

TEST(ContentHeaderTest, IsReadAsItIsWritten) {
  const auto header = whole_header();
  const auto read = decode_content_header(encode(header));
  ASSERT_TRUE(read.ok()) << describe(read.error());
  EXPECT_TRUE(*read == header) << encode(*read);
}

TEST(OfferTest, ABaseStandsBesideAPatchOnly) {
  const struct {
    const char* encoding;
    std::string base;
    bool good;
  } cases[] = {{"identity", "", true}, {"zstd", "", true},         {"zstd-patch", other, true},
               {"zstd", other, false}, {"identity", other, false}, {"zstd-patch", "", false}};
  for (const auto& [encoding, base, good] : cases) {
    auto offer = whole_offer();
    auto header = whole_header();
    offer.encoding = header.encoding = encoding;
    offer.base = header.base = base;
    const Error error{Code::invalid, "is there exactly for zstd-patch", "/base"};
    const auto offer_read = decode_offer(encode(offer));
    const auto header_read = decode_content_header(encode(header));
    EXPECT_EQ(offer_read.ok(), good) << encoding;
    EXPECT_EQ(header_read.ok(), good) << encoding;
    if (good) continue;
    EXPECT_EQ(offer_read.error(), error);
    EXPECT_EQ(header_read.error(), error);
  }
}

TEST(OfferTest, TheFormBeforeEnvelopesIsRefused) {
  auto json = Json::parse(encode(whole_offer()));
  json.erase("envelope");
  json["frame_bytes"] = 65'536;
  json["key"] = {{"alg", "A"}, {"ephemeral", "E"}, {"wrapped", "W"}};
  const auto read = decode_offer(dump(json));
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().path, "/frame_bytes");
}

TEST(WantTest, WhatIsNotSaidIsTheDefaultAndIsNotWritten) {
  const auto text = encode(Want{digest, "PEM"});
  EXPECT_EQ(text, R"({"certificate":"PEM","digest":")" + digest + R"(","v":1})");
  const auto read = decode_want(text);
  ASSERT_TRUE(read.ok()) << describe(read.error());
  EXPECT_EQ(read->transfer, TransferId());
  EXPECT_TRUE(read->accepts == Accepts{});
  EXPECT_EQ(read->accepts.decoders, (std::vector<std::string>{"identity", "zstd"}));
  EXPECT_EQ(read->accepts.ciphers, (std::vector<std::string>{"aes-256-gcm", "chacha20-poly1305"}));
  EXPECT_EQ(read->accepts.window_log_max, 23);
  EXPECT_EQ(read->priority, 5);
  auto json = Json::parse(text);
  json["accepts"] = Json::object();
  EXPECT_TRUE(decode_want(dump(json))->accepts == Accepts{});
}

TEST(WantTest, IsReadAsItIsWritten) {
  const Accepts all[] = {{},
                         {.decoders = {}, .ciphers = {}},
                         {.bases = {digest, other}},
                         {.round_trip_ms = 0.0},
                         {.decoders = {"identity", "zstd", "zstd-patch"},
                          .ciphers = {"chacha20-poly1305", "aes-256-gcm"},
                          .bases = {other},
                          .window_log_max = 31,
                          .round_trip_ms = 41.5,
                          .goodput_bit_per_s = limits::integer_max}};
  for (const auto& accepts : all) {
    for (const int priority : {0, 5, 9}) {
      const Want want{digest, "PEM", TransferId(id), accepts, priority};
      const auto read = decode_want(encode(want));
      ASSERT_TRUE(read.ok()) << describe(read.error());
      EXPECT_TRUE(read->accepts == accepts) << encode(want);
      EXPECT_EQ(read->priority, priority);
      EXPECT_EQ(read->transfer, want.transfer);
    }
  }
}

// A newer receiver names what this version does not know.
TEST(WantTest, ANewerReceiverMaySayMore) {
  auto json = Json::parse(encode(Want{digest, "PEM"}));
  json["accepts"] = {{"decoders", {"zstd", "later"}}, {"radio", {{"band", 868}}}};
  const auto read = decode_want(dump(json));
  ASSERT_TRUE(read.ok()) << describe(read.error());
  EXPECT_EQ(read->accepts.decoders, (std::vector<std::string>{"zstd", "later"}));
  json["later"] = 1;
  const auto beside = decode_want(dump(json));
  ASSERT_FALSE(beside.ok());
  EXPECT_EQ(beside.error().path, "/later") << "only inside accepts";
}

}  // namespace
}  // namespace fieldwork::codec
