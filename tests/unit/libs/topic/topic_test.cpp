// links: topic GTest::gtest_main
// Topics from outside: what is taken for ours, and where an answer may go.
#include "topic/topic.hpp"

#include <gtest/gtest.h>

namespace fieldwork {
namespace {

const Topics topics("fieldwork/v1");

TEST(Topic, SaysAndReadsTheSame) {
  const std::string said[] = {topics.up("edge-1", "report"),
                              topics.down("edge-1", "command"),
                              topics.service("scheduler", "submit", "operator"),
                              topics.reply("cli-1", "answer"),
                              topics.state("job", "j1"),
                              topics.event("job", "changed"),
                              topics.content("0123abcd", "frame")};
  const Topic expected[] = {
      {.kind = Topic::Kind::device, .name = "edge-1", .direction = "up", .channel = "report"},
      {.kind = Topic::Kind::device, .name = "edge-1", .direction = "down", .channel = "command"},
      {.kind = Topic::Kind::service, .name = "scheduler", .channel = "submit", .from = "operator"},
      {.kind = Topic::Kind::reply, .name = "cli-1", .channel = "answer"},
      {.kind = Topic::Kind::state, .name = "j1", .channel = "job"},
      {.kind = Topic::Kind::event, .name = "changed", .channel = "job"},
      {.kind = Topic::Kind::content, .name = "0123abcd", .channel = "frame"},
  };
  for (std::size_t i = 0; i < std::size(said); ++i) {
    const auto read = topics.parse(said[i]);
    ASSERT_TRUE(read) << said[i];
    EXPECT_EQ(read->kind, expected[i].kind) << said[i];
    EXPECT_EQ(read->name, expected[i].name) << said[i];
    EXPECT_EQ(read->direction, expected[i].direction) << said[i];
    EXPECT_EQ(read->channel, expected[i].channel) << said[i];
    EXPECT_EQ(read->from, expected[i].from) << said[i];
  }
}

// What a stranger may write where a topic is expected.
std::vector<std::string> odd(const std::string& front, const std::string& back) {
  std::vector<std::string> out;
  for (const std::string& level :
       {std::string("+"), std::string("#"), std::string(), std::string("a b"), std::string("\xc3\xa4"),
        std::string("a\0b", 3), std::string("$SYS"), std::string("-x"), std::string(":x"), std::string(129, 'x'),
        std::string(100'000, 'x')}) {
    out.push_back(front + level + back);
  }
  return out;
}

TEST(Topic, TakesIdsOnly) {
  for (const auto& [front, back] : {std::pair<std::string, std::string>{"fieldwork/v1/device/", "/up/report"},
                                    {"fieldwork/v1/device/edge-1/up/", ""},
                                    {"fieldwork/v1/service/scheduler/", "/operator"},
                                    {"fieldwork/v1/service/scheduler/submit/", ""},
                                    {"fieldwork/v1/state/job/", ""},
                                    {"fieldwork/v1/reply/", "/answer"},
                                    {"fieldwork/v1/content/", "/frame"}}) {
    for (const auto& id : {std::string("x"), std::string("a4:cf:12:00:00:01"), std::string(128, 'x')})
      EXPECT_TRUE(topics.parse(front + id + back)) << id;
    for (const auto& topic : odd(front, back)) EXPECT_FALSE(topics.parse(topic)) << topic.substr(0, 80);
  }
}

Topic asked_by(std::string_view name) {
  return {.kind = Topic::Kind::service, .name = "registry", .channel = "list", .from = name};
}

TEST(Topic, AnswersGoBelowReplyAndNowhereElse) {
  const auto from = asked_by("ann");
  const auto good = topics.reply_to(from, "fieldwork/v1/reply/cli-1/answer", "abc");
  ASSERT_TRUE(good);
  EXPECT_EQ(good->name, "cli-1");
  EXPECT_EQ(good->channel, "answer");
  for (const auto& topic : odd("fieldwork/v1/reply/", "/x")) EXPECT_FALSE(topics.reply_to(from, topic, ""));
  for (const auto& topic : odd("fieldwork/v1/reply/cli-1/", "")) EXPECT_FALSE(topics.reply_to(from, topic, ""));
  for (const auto* topic : {"", "reply/cli-1/answer", "fieldwork/v2/reply/cli-1/answer", "fieldwork/v1/reply/cli-1",
                            "fieldwork/v1/reply/cli-1/answer/more", "fieldwork/v1/state/job/j1",
                            "fieldwork/v1/device/edge-1/down/command", "fieldwork/v1/service/registry/list/x"}) {
    EXPECT_FALSE(topics.reply_to(from, topic, "")) << topic;
  }
  EXPECT_TRUE(topics.reply_to(from, "fieldwork/v1/reply/cli-1/answer", std::string(256, '\xff')));
  EXPECT_FALSE(topics.reply_to(from, "fieldwork/v1/reply/cli-1/answer", std::string(257, 'x')));
}

// As far as the client id tells whose it is.
TEST(Topic, AnswersGoToTheAskersOwnClients) {
  struct Case {
    const char *client, *owner;
  };
  for (const auto& c : {Case{"cli-ann-00ff", "ann"}, Case{"cli-ann-b-00ff", "ann-b"}, Case{"cli-ann.b-x", "ann.b"},
                        Case{"cli-00ff", ""}, Case{"ann", ""}, Case{"auto-1-2", ""}, Case{"cli-", ""}}) {
    EXPECT_EQ(client_owner(c.client), c.owner) << c.client;
    for (const auto* from : {"ann", "ann-b", "bob"}) {
      const bool may = *c.owner == 0 || std::string_view(from) == c.owner;
      const auto topic = std::string("fieldwork/v1/reply/") + c.client + "/answer";
      if (c.client != std::string_view("cli-")) {
        EXPECT_EQ(topics.reply_to(asked_by(from), topic, "").has_value(), may) << from << " " << c.client;
      }
    }
  }
  EXPECT_FALSE(topics.reply_to({.name = "edge-1"}, "fieldwork/v1/reply/cli-ann-00ff/answer", "")) << "of no operator";
  for (const auto& name : {std::string("ann-b"), std::string(107, 'n')}) {
    EXPECT_EQ(client_owner(client_id(name, "0123456789abcdef")), name);
  }
  EXPECT_EQ(client_id(std::string(108, 'n'), "0123456789abcdef"), "cli-0123456789abcdef");
}

TEST(Topic, KindsAreFewWhateverTheIdsAre) {
  const std::pair<std::string, const char*> cases[] = {
      {topics.up("edge-1", "report"), "device/+/up/report"},
      {topics.service("scheduler", "submit", "operator"), "service/scheduler/submit/+"},
      {topics.reply("cli-1", "answer"), "reply/+/answer"},
      {topics.state("job", "j1"), "state/job/+"},
      {topics.event("job", "changed"), "event/job/+"},
      {topics.content("abc", "frame"), "content/+/frame"},
      {"state/job/j1", "state/job/+"},
      {"t", "other"},
      {"", "other"},
      {"a/b/c/d/e", "other"},
  };
  for (const auto& [topic, kind] : cases) EXPECT_EQ(topic_kind(topic), kind) << topic;
}

}  // namespace
}  // namespace fieldwork
