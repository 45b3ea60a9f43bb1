// links: transfer_shell GTest::gtest_main
// Packages that are public are offered with their key; nothing else is.
#include "crypto/bytes.hpp"
#include "crypto/content_key.hpp"
#include "support/frames.hpp"
#include "support/transfer_world.hpp"

namespace fieldwork::transfer {
namespace {

Package named(const std::vector<std::string>& names) {
  Package out;
  for (const auto& name : names) out.names.push_back({name, "1"});
  return out;
}

TEST(PublicPackages, AreNamedWholeOrByTheirBeginning) {
  struct Case {
    const char* setting;
    std::vector<std::string> names;
    bool is_public;
  };
  const Case cases[] = {
      {"", {"maps"}, false},
      {"", {}, false},
      {"*", {}, false},  // an output
      {"*", {"maps"}, true},
      {"maps", {"maps"}, true},
      {"maps", {"maps-private"}, false},
      {"maps", {"map"}, false},
      {"maps*", {"maps-private"}, true},
      {"maps-*", {"maps"}, false},
      {"fonts, maps", {"maps"}, true},
      {" fonts ,maps-* ", {"fonts"}, true},
      {"fonts", {"private", "fonts"}, true},
      {"fonts", {"Fonts"}, false},
  };
  for (const auto& one : cases)
    EXPECT_EQ(PublicPackages::parse(one.setting)->has(named(one.names)), one.is_public) << one.setting;
  for (const auto* wrong : {",", "a,,b", " ", "a*b", "*a", "a**"})
    EXPECT_FALSE(PublicPackages::parse(wrong).ok()) << wrong;
}

TEST_F(World, OnlyPackagesThatThePolicyNamesAreSentWithTheirKey) {
  const auto bytes = make_bytes(100'000, 30);
  const auto digest = crypto::digest_of(bytes);
  push(bytes);  // as "demo"
  for (const auto* setting : {"", "other", "dem*"}) {
    const bool is_public = std::string(setting) == "dem*";
    public_packages = PublicPackages::parse(setting).value();
    restart();
    hear(topics.up("d1", "want"), want_of(digest, "d1"));
    const auto offer = codec::decode_offer(take(topics.down("d1", "offer")).at(0)).value();
    EXPECT_EQ(offer.envelope.key_encryption_algorithm == crypto::public_algorithm, is_public) << setting;
    EXPECT_NE(offer.envelope.header, "");
    EXPECT_EQ(crypto::base64url_decode(offer.envelope.wrapped)->size() == crypto::content_key_bytes, is_public);
    hear(topics.up("d1", "received"),
         codec::encode(Received{.transfer = offer.transfer, .state = ReceivedState::complete}));
    const auto shown = ask("show", "bob", R"({"v":1,"digest":")" + digest + R"("})").at("package");
    EXPECT_EQ(shown.value("public", false), is_public) << setting;
  }
}

// Nobody but the service has the key of what is sent to it.
TEST_F(World, AnUploadWithAPublicKeyIsRefused) {
  public_packages = PublicPackages::parse("*").value();
  restart();
  const auto bytes = make_bytes(1'000, 31);
  const auto upload = upload_of(bytes);
  const TransferId id(ask("offer", "alice", codec::encode(upload)).at("transfer").get<std::string>());
  write(dir / "upload", bytes);
  const exchange::Encoded encoded{"identity", dir / "upload", upload.size_bytes, upload.digest};
  auto sealing = exchange::seal(encoded, upload.digest, upload.size_bytes, id.value, 1, crypto::Cipher::aes_256_gcm,
                                pki().key("alice"), pki().certificate("alice"))
                     .value();
  sealing.is_public = true;
  auto offer = exchange::make_offer(id, upload.digest, upload.size_bytes, encoded, sealing,
                                    pki().certificate("transfer"), upload.release)
                   .value();
  const auto path_of = [&] { return ask("start", "alice", codec::encode(offer)).at("error").at("path"); };
  EXPECT_EQ(path_of(), "/envelope/key_encryption_algorithm");
  offer.envelope.header.clear();
  EXPECT_EQ(path_of(), "/envelope/key_encryption_algorithm");
  EXPECT_EQ(files_in(dir / "store/incoming"), 0U);
}

}  // namespace
}  // namespace fieldwork::transfer
