// links: transfer_shell GTest::gtest_main
// One name for a content per architecture, and what a release says of its package.
#include "support/transfer_core.hpp"
#include "support/transfer_world.hpp"

namespace fieldwork::transfer {
namespace {

const std::string digest_a = crypto::digest_of("a"), digest_b = crypto::digest_of("b"),
                  digest_c = crypto::digest_of("c");

Package package(const std::string& digest, const std::string& version, const std::string& architecture,
                std::vector<std::string> entry = {}) {
  return {.digest = digest,
          .name = "n",
          .version = version,
          .size_bytes = 1,
          .about = {.architecture = architecture, .entry = std::move(entry), .needs = {}}};
}

// Pushes it to the end.
void store(Core& t, const Package& one) {
  const auto upload = only<AnswerUpload>(t.announce(alice, one));
  t.step(Offered{alice, {.transfer = upload.id, .digest = one.digest, .size_bytes = 1, .encoded_bytes = 1}});
  t.step(AllReceived{upload.id});
  EXPECT_EQ(only<AckEnded>(t.step(ContentArrived{upload.id, "identity", 1})).error, "");
}

TEST(Variants, ANameHasAContentForEachArchitecture) {
  Core t;
  store(t, package(digest_a, "1", "x86_64", {"./a"}));
  store(t, package(digest_b, "1", "aarch64"));
  t.restart();
  EXPECT_EQ(t.core->named({"n", "1"}), (std::vector{t.core->content(digest_b), t.core->content(digest_a)}));
  EXPECT_EQ(t.core->content(digest_a)->package.about, (PackageAbout{"x86_64", {"./a"}, {}}));
  EXPECT_EQ(t.core->content(digest_b)->package.about.architecture, "aarch64");
  only<AnswerStored>(t.announce(alice, package(digest_b, "1", "aarch64")));
}

TEST(Variants, WhatCannotStandBesideTheOthersIsAConflict) {
  Core t;
  store(t, package(digest_a, "1", "x86_64", {"./a"}));
  store(t, package(digest_b, "2", ""));
  struct Case {
    const char* what;
    Package package;
    std::string reason;
  };
  const Case cases[] = {
      {"another content for the same", package(digest_c, "1", "x86_64"), "n@1 is already " + digest_a + " for x86_64"},
      {"for all beside one", package(digest_c, "1", ""), "n@1 is already there for x86_64; say for which architecture"},
      {"one beside for all", package(digest_c, "2", "x86_64"),
       "n@2 is already " + digest_b + " for every architecture"},
      {"the content for another", package(digest_a, "1", "aarch64", {"./a"}), "was released with another architecture"},
      {"the content with another entry", package(digest_a, "3", "x86_64", {"./b"}), "was released with another"},
  };
  for (const auto& c : cases) {
    const auto effects = t.announce(alice, c.package);
    ASSERT_EQ(effects.size(), 1U) << c.what;
    const auto& error = only<Reject>(effects).error;
    EXPECT_EQ(error.code, Code::conflict) << c.what;
    EXPECT_NE(error.reason.find(c.reason), std::string::npos) << c.what << ": " << error.reason;
  }
  only<AnswerStored>(t.announce(alice, package(digest_a, "3", "x86_64", {"./a"})));
}

TEST(Variants, OfTwoThatCannotStandTogetherTheFirstToArriveHasTheName) {
  Core t;
  std::vector<TransferId> ids;
  for (const auto& one : {package(digest_a, "1", ""), package(digest_b, "1", "x86_64")}) {
    ids.push_back(only<AnswerUpload>(t.announce(alice, one)).id);
    t.step(Offered{alice, {.transfer = ids.back(), .digest = one.digest, .size_bytes = 1, .encoded_bytes = 1}});
    t.step(AllReceived{ids.back()});
  }
  EXPECT_EQ(only<AckEnded>(t.step(ContentArrived{ids[1], "identity", 1})).error, "");
  EXPECT_NE(only<AckEnded>(t.step(ContentArrived{ids[0], "identity", 1})).error, "");
  EXPECT_EQ(t.core->named({"n", "1"}), std::vector{t.core->content(digest_b)});
}

TEST(Variants, OfOneNameAreBounded) {
  Core t;
  for (std::size_t i = 0; i < limits::variants_max; ++i)
    store(t, package(crypto::digest_of(std::to_string(i)), "1", "cpu" + std::to_string(i)));
  EXPECT_EQ(only<Reject>(t.announce(alice, package(digest_a, "1", "one-more"))).error.code, Code::invalid);
}

TEST_F(World, ShowsAllVariantsOfANameOrOne) {
  std::vector<std::string> digests;
  for (const char* architecture : {"x86_64", "arm64"}) {
    about = {architecture, {"./run"}, {.memory_bytes = 7}};
    const auto bytes = make_bytes(5000, static_cast<unsigned>(digests.size()));
    push(bytes);
    digests.push_back(crypto::digest_of(bytes));
  }
  restart();
  const auto all = ask("show", "bob", R"({"v":1,"name":"demo","version":"1"})");
  ASSERT_EQ(all.at("variants").size(), 2U) << all;
  EXPECT_EQ(all.at("variants").at(0).at("architecture"), "aarch64");
  EXPECT_EQ(all.at("variants").at(1).at("digest"), digests[0]);
  EXPECT_EQ(all.at("package").at("digest"), digests[1]);
  const auto one = ask("show", "bob", R"({"v":1,"name":"demo","version":"1","architecture":"amd64"})");
  EXPECT_FALSE(one.contains("variants"));
  EXPECT_EQ(one.at("package").at("digest"), digests[0]);
  EXPECT_EQ(one.at("package").at("needs").at("memory_bytes"), 7);
  const auto none = ask("show", "bob", R"({"v":1,"name":"demo","version":"1","architecture":"riscv64"})");
  EXPECT_EQ(none.at("error").at("code"), "unknown");
}

}  // namespace
}  // namespace fieldwork::transfer
