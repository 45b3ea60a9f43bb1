// links: crypto nlohmann_json::nlohmann_json GTest::gtest_main
// tests/vectors/sealed.json, which another implementation made (tests/vectors/sealed.py).
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "crypto/bytes.hpp"
#include "crypto/content_key.hpp"
#include "crypto/sealed.hpp"

namespace fieldwork::crypto {
namespace {

using Json = nlohmann::json;

const Json& vectors() {
  static const Json read = Json::parse(std::ifstream(FIELDWORK_SOURCE_DIR "/tests/vectors/sealed.json"));
  return read;
}

std::string text(const Json& of, const char* name) { return of.at(name).get<std::string>(); }
std::string bytes(const Json& of, const char* name) { return from_hex(text(of, name)).value(); }

SealedHeader header_of(const Json& content) {
  return {.content_id_hex = text(content, "content"),
          .cipher = cipher_named(text(content, "encryption_algorithm")).value(),
          .chunk_bytes = content.at("chunk_bytes").get<std::uint32_t>(),
          .encoded_bytes = bytes(content, "encoded").size(),
          .digest = text(content, "digest")};
}

TEST(SealedVectors, FramesAreTheSame) {
  ASSERT_EQ(vectors().at("contents").size(), 6U);
  for (const auto& content : vectors().at("contents")) {
    auto sealed = Sealed::make(header_of(content), bytes(content, "key")).value();
    const auto encoded = bytes(content, "encoded");
    std::size_t end = 0;
    for (const auto& one : content.at("frames")) {
      const auto offset = one.at("offset").get<std::size_t>(), length = one.at("length").get<std::size_t>();
      const auto piece = encoded.substr(offset, length);
      EXPECT_EQ(to_hex(sealed.frame(offset, piece)), text(one, "bytes"));
      EXPECT_EQ(sealed.open(bytes(one, "bytes")).value(), (OpenedFrame{offset, piece}));
      end = offset + length;
    }
    EXPECT_EQ(end, encoded.size());
  }
}

TEST(SealedVectors, RootsAreTheSame) {
  for (const auto& content : vectors().at("contents")) {
    const auto encoded = bytes(content, "encoded");
    const auto root =
        sealed_root_hex(header_of(content), bytes(content, "key"),
                        [&](std::uint64_t offset, std::size_t length) { return encoded.substr(offset, length); });
    EXPECT_EQ(root.value(), text(content, "root"));
  }
}

TEST(SealedVectors, WrapsAreOpened) {
  ASSERT_EQ(vectors().at("wraps").size(), 3U);
  for (const auto& [name, wrap] : vectors().at("wraps").items()) {
    const auto& said = wrap.at("wrapped_key");
    const WrappedKey wrapped{text(said, "alg"), said.value("ephemeral", ""), text(said, "wrapped")};
    const auto receiver = name == "none" ? PrivateKey::generate()
                                         : PrivateKey::from_pem(text(wrap, "receiver_key"), KeyUse::receive).value();
    const auto id = text(wrap, "content"), fingerprint = text(wrap, "fingerprint");
    EXPECT_EQ(to_hex(unwrap_content_key(wrapped, receiver, fingerprint, id).value()), text(wrap, "key")) << name;
    EXPECT_EQ(public_content_key(bytes(wrap, "key")).value() == wrapped, name == "none");
  }
}

}  // namespace
}  // namespace fieldwork::crypto
