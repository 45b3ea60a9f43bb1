// links: transfer_shell GTest::gtest_main
// Stages through the shell: requests, commands in the outbox, retained states, rows, pages.
#include "codec/stage.hpp"
#include "support/transfer_world.hpp"

namespace fieldwork::transfer {
namespace {

class Staging : public World {
 protected:
  std::string digest = crypto::digest_of("a map");
  std::int64_t until_ms = 0;

  void SetUp() override {
    World::SetUp();
    push("a map");
    until_ms = to_ms(now) + 3'600'000;
  }
  Json stage(const std::vector<std::string>& devices, const std::string& file = "") {
    return ask("stage", "alice", codec::encode(codec::StageRequest{digest, devices, until_ms, 5, file}));
  }
  void answer(const std::string& device, StageWord word, const std::string& file = "", const std::string& why = "") {
    hear(topics.up(device, "stage"), codec::encode(StageReport{{{digest, file, until_ms, word, why}}}));
  }
  Json state_of(const std::string& device) {
    const auto text = retained[topics.state("stage", stage_id(device, digest))];
    return text.empty() ? Json() : Json::parse(text);
  }
  std::vector<StageCommand> commands(const std::string& device) {
    std::vector<StageCommand> out;
    for (const auto& text : take(topics.down(device, "stage"))) {
      const auto commands = codec::decode_stage_commands(text);
      EXPECT_TRUE(commands && commands->bad.empty()) << text;
      out.insert(out.end(), commands->good.begin(), commands->good.end());
    }
    return out;
  }
};

TEST_F(Staging, IsOrderedUntilTheDeviceAnswersAndSurvivesARestart) {
  pass(seconds(10));  // who has not been heard of by now is no device
  const auto answered = stage({"d1", "d9"}, "maps/a.bin");
  EXPECT_EQ(answered.at("items").at(0), (Json{{"device", "d1"}, {"state", "accepted"}}));
  EXPECT_EQ(answered.at("items").at(1).at("reason"), "no such device");
  const StageCommand command{.digest = digest, .file = "maps/a.bin", .until_ms = until_ms, .receivers = 2};
  EXPECT_EQ(commands("d1"), std::vector{command});
  EXPECT_EQ(state_of("d1").at("state"), "asked");
  EXPECT_EQ(state_of("d1").at("file"), "maps/a.bin");
  restart();
  EXPECT_EQ(commands("d1"), std::vector{command}) << "it is in the outbox";
  answer("d1", StageWord::taken, "maps/a.bin");
  pass(std::chrono::minutes(5));
  EXPECT_TRUE(commands("d1").empty());
  EXPECT_EQ(state_of("d1").at("state"), "taken");
  answer("d1", StageWord::ready, "maps/a.bin");
  restart();
  retained.clear();
  pass(seconds(1));
  EXPECT_EQ(state_of("d1").at("state"), "ready") << "said again to a broker that has forgotten it";
}

TEST_F(Staging, EndsOnRequestAndItsStateIsClearedAnHourLater) {
  stage({"d1"});
  answer("d1", StageWord::ready);
  take(topics.down("d1", "stage"));
  const auto body = codec::dump({{"v", 1}, {"digest", digest}, {"devices", {"d1"}}});
  EXPECT_EQ(ask("unstage", "alice", body).at("items").at(0).at("state"), "accepted");
  EXPECT_EQ(commands("d1"), (std::vector{StageCommand{.digest = digest}}));
  EXPECT_EQ(state_of("d1").at("reason"), "ended by alice");
  pass(std::chrono::minutes(61));
  EXPECT_TRUE(state_of("d1").is_null());
  EXPECT_TRUE(store.select({.table = "stage"}).value().empty());
}

TEST_F(Staging, AreListedWithTheTransfersThatBringThem) {
  stage({"d1", "d2"});
  answer("d1", StageWord::taken);
  answer("d2", StageWord::refused, "", "disk: full");
  hear(topics.up("d1", "want"), want_of(digest, "d1"));
  auto page = ask("stages", "alice", R"({"v":1,"limit":1})");
  ASSERT_EQ(page.at("items").size(), 1U);
  const auto& first = page.at("items").at(0);
  EXPECT_EQ(first.at("stage").at("device"), "d1");
  EXPECT_EQ(first.at("transfer").at("transfer"), first.at("stage").at("transfer"));
  page = ask("stages", "alice", codec::dump({{"v", 1}, {"after", page.at("next")}}));
  ASSERT_EQ(page.at("items").size(), 1U);
  EXPECT_EQ(page.at("items").at(0).at("stage").at("reason"), "disk: full");
  EXPECT_FALSE(page.contains("next"));
  EXPECT_EQ(ask("stages", "alice", R"({"v":1,"device":"d2"})").at("items").size(), 1U);
  const auto other = codec::dump({{"v", 1}, {"digest", crypto::digest_of("other")}});
  EXPECT_TRUE(ask("stages", "alice", other).at("items").empty());
  EXPECT_EQ(ask("stages", "alice", R"({"v":1,"after":"x"})").at("error").at("path"), "/after");
}

TEST_F(Staging, SecurityPolicyIsAskedAboutEachDevice) {
  permits.reset();
  const auto reply = topics.reply("cli-alice", "answer");
  run({bus::Message{.topic = topics.service("transfer", "stage", "alice"),
                    .payload = codec::encode(codec::StageRequest{digest, {"d1", "d2"}, until_ms, 5, "maps/a"}),
                    .response_topic = reply,
                    .correlation = "c1"}});
  const auto asked = take(topics.service("security-policy", "permit", "transfer"));
  ASSERT_EQ(asked.size(), 1U);
  const auto questions = codec::decode_permit_questions(asked.front());
  ASSERT_TRUE(questions && questions->bad.empty()) << asked.front();
  ASSERT_EQ(questions->good.size(), 2U);
  const auto number = questions->good.at(0).question;
  EXPECT_EQ(questions->good.at(0), (PermitQuestion{number, "alice", "stage", DeviceId("d1"), digest, "maps/a"}));
  EXPECT_EQ(questions->good.at(1), (PermitQuestion{number, "alice", "stage", DeviceId("d2"), digest, "maps/a"}));
  const auto say = [&](const std::string& from, const Permit& permit) {
    const auto payload = codec::dump({{"v", 1}, {"items", {codec::encode(permit)}}});
    hear(topics.service("transfer", "permitted", from), payload);
  };
  say("security-policy", {number, DeviceId("d1"), true, "allowed by rule r"});
  EXPECT_TRUE(take(reply).empty()) << "d2 is open";
  say("mallory", {number, DeviceId("d2"), true, "allowed"});
  EXPECT_TRUE(take(reply).empty()) << "only security-policy may say it";
  hear(topics.service("transfer", "permitted", "security-policy"), R"({"v":1,"items":[{"question":0}]})");
  say("security-policy", {number, DeviceId("d2"), false, "denied by rule plant"});
  const auto answers = take(reply);
  ASSERT_EQ(answers.size(), 1U);
  const auto items = Json::parse(answers.front()).at("items");
  EXPECT_EQ(items.at(0), (Json{{"device", "d1"}, {"state", "accepted"}}));
  EXPECT_EQ(items.at(1), (Json{{"device", "d2"}, {"state", "refused"}, {"reason", "denied by rule plant"}}));
  EXPECT_EQ(commands("d1").size(), 1U);
  EXPECT_TRUE(commands("d2").empty());
}

TEST_F(Staging, BadRequestsAreRefused) {
  const auto error = [&](const std::string& body) { return ask("stage", "alice", body).at("error").at("path"); };
  EXPECT_EQ(error(R"({"v":1,"devices":["d1"]})"), "/digest");
  EXPECT_EQ(error(codec::dump({{"v", 1}, {"digest", digest}, {"devices", {"d1"}}, {"file", "../x"}})), "/file");
  EXPECT_TRUE(commands("d1").empty());
}

}  // namespace
}  // namespace fieldwork::transfer
