// links: transfer_shell GTest::gtest_main
// Removing packages at the service's door: messages, rows, files and the retained state.
#include <gtest/gtest.h>

#include "codec/uses.hpp"
#include "support/frames.hpp"
#include "support/transfer_world.hpp"

namespace fieldwork::transfer {
namespace {

class Removal : public World {
 protected:
  std::string bytes = make_bytes(100'000, 15), other = make_bytes(100'000, 16);
  std::string digest = crypto::digest_of(bytes);

  // What was asked of the scheduler since the last call.
  std::vector<codec::UsesQuestion> asked() {
    std::vector<codec::UsesQuestion> out;
    for (const auto& text : take(topics.service("scheduler", "uses", "transfer")))
      out.push_back(codec::decode_uses_question(text).value());
    return out;
  }
  void scheduler_says(const codec::UsesQuestion& to, const std::vector<std::string>& users,
                      const std::string& from = "scheduler") {
    codec::UsesAnswer answer{to.question, {}};
    for (const auto& one : to.digests) answer.items.push_back({one, users});
    hear(topics.service("transfer", "used", from), codec::encode(answer));
  }
  // Alice asks for it; the answer comes when the scheduler has answered.
  void removes(const std::string& body) {
    run({bus::Message{.topic = topics.service("transfer", "remove", "alice"),
                      .payload = body,
                      .response_topic = topics.reply("cli-alice", "answer"),
                      .correlation = "c1"}});
  }
  Json answered() {
    const auto answers = take(topics.reply("cli-alice", "answer"));
    EXPECT_EQ(answers.size(), 1U);
    return answers.empty() ? Json() : Json::parse(answers.front());
  }
  [[nodiscard]] std::size_t files() const { return files_in(dir / "store/content"); }
  [[nodiscard]] std::string state() { return retained.at(topics.state("package", digest.substr(7))); }
};

TEST_F(Removal, AllWhoAskForTheSameAreAnswered) {
  push(bytes);
  for (int i = 0; i < 2; ++i) removes(R"({"v":1,"name":"demo","version":"1"})");
  run({bus::Message{.topic = topics.service("transfer", "remove", "bob"),
                    .payload = R"({"v":1,"name":"demo","version":"1"})",
                    .response_topic = topics.reply("cli-bob", "answer"),
                    .correlation = "c2"}});
  scheduler_says(asked().back(), {});
  EXPECT_EQ(answered().at("state"), "removed");
  EXPECT_EQ(take(topics.reply("cli-bob", "answer")).size(), 1U);
}

TEST_F(Removal, APackageGoesWithRowsFilesAndStateAndItsNameStays) {
  push(bytes);
  ASSERT_GT(files(), 0U);
  removes(R"({"v":1,"name":"demo","version":"1"})");
  const auto questions = asked();
  ASSERT_EQ(questions.size(), 1U);
  EXPECT_EQ(questions[0].digests, std::vector<std::string>{digest});
  EXPECT_TRUE(take(topics.reply("cli-alice", "answer")).empty());
  scheduler_says(questions[0], {}, "mallory");
  EXPECT_GT(files(), 0U);
  scheduler_says(questions[0], {});
  const Json removed{
      {"v", 1}, {"state", "removed"}, {"digests", {digest}}, {"names", {{{"name", "demo"}, {"version", "1"}}}}};
  EXPECT_EQ(answered(), removed);
  EXPECT_EQ(files(), 0U);
  EXPECT_EQ(state(), "");
  EXPECT_EQ(store.select({.table = "content"})->size(), 0U);
  EXPECT_EQ(store.select({.table = "name"})->size(), 1U);
  restart();
  EXPECT_EQ(ask("show", "alice", R"({"v":1,"name":"demo","version":"1"})").at("error").at("code"), "unknown");
  const auto taken = ask("offer", "alice", codec::encode(upload_of(other)));
  EXPECT_EQ(taken.at("error").at("code"), "conflict");
  push(bytes);
  EXPECT_EQ(ask("show", "alice", R"({"v":1,"name":"demo","version":"1"})").at("package").at("digest"), digest);
  EXPECT_NE(state(), "");
  restart();
  EXPECT_EQ(ask("list", "alice", R"({"v":1})").at("items").size(), 1U);
}

TEST_F(Removal, AnOperatorIsToldWhoNeedsItOrThatNobodySaid) {
  push(bytes);
  removes(R"({"v":1,"digest":")" + digest + R"("})");
  scheduler_says(asked().at(0), {"job j-1"});
  const auto needed = answered().at("error");
  EXPECT_EQ(needed.at("code"), "conflict");
  EXPECT_EQ(needed.at("reason"), "demo@1 is needed by job j-1");
  removes(R"({"v":1,"digest":")" + digest + R"("})");
  pass(seconds(6));
  EXPECT_EQ(answered().at("error").at("code"), "unavailable");
  removes(R"({"v":1,"name":"demo","version":"2"})");
  EXPECT_EQ(answered().at("error").at("reason"), "no such package");
  EXPECT_GT(files(), 0U);
}

TEST_F(Removal, TheRuleCollectsOldVersions) {
  Limits limits;
  limits.package_versions_kept = 1;
  restart(limits);
  push(bytes);
  pass(seconds(1));
  push(
      other, [](int) {}, "2");
  EXPECT_TRUE(ask("list", "alice", R"({"v":1,"unused":true})").at("items").empty());
  pass(std::chrono::hours(24 * 30 + 2));
  const auto unused = ask("list", "alice", R"({"v":1,"unused":true})").at("items");
  ASSERT_EQ(unused.size(), 1U);
  EXPECT_EQ(unused.at(0).at("digest"), digest);
  const auto questions = asked();
  ASSERT_EQ(questions.size(), 1U);
  restart(limits);
  scheduler_says(questions[0], {});
  EXPECT_EQ(ask("list", "alice", R"({"v":1})").at("items").size(), 2U) << "the answer to a question before the restart";
  pass(std::chrono::minutes(11));
  scheduler_says(asked().at(0), {});
  EXPECT_EQ(ask("list", "alice", R"({"v":1})").at("items").size(), 1U);
  EXPECT_EQ(state(), "");
}

}  // namespace
}  // namespace fieldwork::transfer
