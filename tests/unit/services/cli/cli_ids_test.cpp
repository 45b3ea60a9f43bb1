// links: cli_lib GTest::gtest_main
// The beginnings of ids.
#include "ids.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "commands/commands.hpp"
#include "support/cli_line.hpp"

namespace fieldwork::cli {
namespace {

using codec::Json;

const std::string digits = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

TEST(CliIds, WhatIsTheBeginningOfADigest) {
  EXPECT_EQ(digest_beginning("sha256:012345"), "sha256:012345");
  EXPECT_EQ(digest_beginning("0123456789ab"), "sha256:0123456789ab");
  EXPECT_EQ(digest_beginning(digits), "sha256:" + digits);
  for (const auto& other : {"sha256:" + digits, "sha256:" + digits + "0", std::string("sha256:01234"),
                            std::string("01234"), std::string("anomaly"), std::string("ABCDEF"), std::string()})
    EXPECT_EQ(digest_beginning(other), std::nullopt) << other;
}

TEST(CliIds, WhatIsTheBeginningOfAJob) {
  EXPECT_TRUE(is_job_beginning("j-012345"));
  for (const char* other : {"j-01234", "j-0123456789abcdef0123", "j-anomaly", "012345678", "j-"})
    EXPECT_FALSE(is_job_beginning(other)) << other;
}

TEST(CliIds, OneOrNone) {
  const std::vector<std::string> ids{"ab1", "ab2", "cd1", "cd1"};
  EXPECT_EQ(*only_one("cd", ids, ""), "cd1");
  EXPECT_EQ(only_one("ef", ids, "among these").failure().reason, "nothing begins with ef among these");
  EXPECT_EQ(only_one("ab", ids, "").failure().reason, "ab is the beginning of several: ab1, ab2");
  const std::vector<std::string> many{"a1", "a2", "a3", "a4", "a5", "a6", "a7"};
  EXPECT_EQ(only_one("a", many, "").failure().reason, "a is the beginning of several: a1, a2, a3, a4, a5 and 2 more");
}

class CliIdsAsked : public testing::Test {
 protected:
  std::unique_ptr<Session> open() {
    Settings settings;
    settings.root = "fieldwork/v1";
    settings.from = "operator";
    auto session = Session::open(settings, {}, Options{}, [this](bus::MqttConfig, bus::MqttEvents events) {
      return std::make_unique<FakeLine>(std::move(events), answer, retained, asked, refuses);
    });
    return std::move(*session);
  }
  // Pages of these, two in one.
  FakeLine::Answer pages(const char* field, std::vector<std::string> ids) {
    return [field, ids = std::move(ids)](const bus::Message& question) {
      const auto body = Json::parse(question.payload);
      auto at = static_cast<std::size_t>(std::stoul(body.value("after", std::string("0"))));
      Json page{{"v", 1}, {"items", Json::array()}};
      if (!body.contains("limit")) page["package"] = {{"digest", body.at("digest")}};
      for (int i = 0; i < 2 && at < ids.size(); ++i) page["items"].push_back({{field, ids[at++]}});
      if (at < ids.size()) page["next"] = std::to_string(at);
      return bus::Message{
          .topic = question.response_topic, .payload = page.dump(), .correlation = question.correlation};
    };
  }

  FakeLine::Answer answer;
  std::vector<bus::Message> retained, asked;
  bool refuses = false;
};

TEST_F(CliIdsAsked, AJobIsFoundOnAnyPageAndAWholeIdIsNotLookedFor) {
  answer = pages("job", {"j-aaaaaaaaaaaaaaaaaaaa", "j-bbbbbbbbbbbbbbbbbbbb", "j-cccccccccccccccccccc"});
  const auto session = open();
  EXPECT_EQ(*whole_job(*session, "j-cccccc"), "j-cccccccccccccccccccc");
  EXPECT_EQ(asked.size(), 2U);
  EXPECT_EQ(whole_job(*session, "j-dddddd").failure().reason,
            "nothing begins with j-dddddd among the jobs. See fieldwork job ls");
  asked.clear();
  EXPECT_EQ(*whole_job(*session, "j-cccccccccccccccccccc"), "j-cccccccccccccccccccc");
  EXPECT_EQ(*whole_job(*session, "j-1"), "j-1");
  EXPECT_TRUE(asked.empty());
}

TEST_F(CliIdsAsked, APackageByItsFirstDigits) {
  answer = pages("digest", {"sha256:" + std::string(64, 'a'), "sha256:" + std::string(64, 'b'), "sha256:" + digits});
  const auto session = open();
  auto found = find_package(*session, "012345");
  ASSERT_TRUE(found) << found.failure().reason;
  EXPECT_EQ(found->at("digest"), "sha256:" + digits);
  EXPECT_EQ(find_package(*session, "sha256:ffffff").failure().exit, Exit::failed);
  EXPECT_EQ(find_package(*session, "0123").failure().exit, Exit::usage);
}

}  // namespace
}  // namespace fieldwork::cli
