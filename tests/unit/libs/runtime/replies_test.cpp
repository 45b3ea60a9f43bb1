// links: runtime GTest::gtest_main nlohmann_json::nlohmann_json
// Answers to the items of one request come together, once, to who asked; who waits is bounded.
#include "runtime/replies.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace fieldwork::runtime {
namespace {

using codec::Json;

bus::Message asked(const std::string& correlation) {
  return {.topic = "r/service/scheduler/submit/cli", .response_topic = "r/reply/cli/x", .correlation = correlation};
}

TEST(Replies, TheItemsOfOneRequestTravelTogetherWhenTheLastIsThere) {
  Replies replies;
  const auto first = replies.open(asked("c1"), {"a", "", "b"});
  EXPECT_FALSE(replies.answer(first + 2, {{"job", "3"}}));
  EXPECT_FALSE(replies.answer(first, {{"v", 1}, {"job", "1"}}));
  const auto said = replies.answer(first + 1, {{"job", "2"}});
  ASSERT_TRUE(said);
  EXPECT_EQ(said->topic, "r/reply/cli/x");
  EXPECT_EQ(said->correlation, "c1");
  EXPECT_EQ(Json::parse(said->payload),
            Json::parse(R"({"v":1,"items":[{"job":"3","request":"b"},{"job":"1","request":"a"},{"job":"2"}]})"));
  EXPECT_EQ(replies.waiting(), 0U);
}

TEST(Replies, OneAnswerIsTheItemItself) {
  Replies replies;
  const auto said = replies.answer(replies.open(asked("c1")), {{"job", "1"}});
  ASSERT_TRUE(said);
  EXPECT_EQ(Json::parse(said->payload), Json::parse(R"({"v":1,"job":"1"})"));
}

TEST(Replies, AnItemIsAnsweredOnce) {
  Replies replies;
  const auto first = replies.open(asked("c1"), {"a", "b"});
  EXPECT_FALSE(replies.answer(first, {{"job", "1"}}));
  EXPECT_FALSE(replies.answer(first, {{"job", "1"}}));  // again: not the second's answer
  EXPECT_EQ(replies.waiting(), 1U);
  EXPECT_TRUE(replies.answer(first + 1, {{"job", "2"}}));
  EXPECT_FALSE(replies.answer(first + 1, {{"job", "2"}}));
  EXPECT_FALSE(replies.answer(0, {}));
  EXPECT_FALSE(replies.leave(first + 77));
}

TEST(Replies, AnItemThatIsLeftHoldsNobodyUp) {
  Replies replies;
  const auto first = replies.open(asked("c1"), {"a", "b"});
  EXPECT_FALSE(replies.leave(first));
  const auto said = replies.answer(first + 1, {{"job", "2"}});
  ASSERT_TRUE(said);
  EXPECT_EQ(Json::parse(said->payload).at("items").size(), 1U);
  EXPECT_FALSE(replies.leave(replies.open(asked("c2"), {"a"})));  // nothing to say at all
  EXPECT_EQ(replies.waiting(), 0U);
}

TEST(Replies, BeyondTheBoundTheOldestIsForgottenWithItsItems) {
  Replies replies(2);
  const auto oldest = replies.open(asked("c1"), {"a", "b"});
  const auto second = replies.open(asked("c2"));
  const auto third = replies.open(asked("c3"));
  EXPECT_EQ(replies.waiting(), 2U);
  EXPECT_FALSE(replies.answer(oldest, {{"job", "1"}}));
  EXPECT_FALSE(replies.answer(oldest + 1, {{"job", "1"}}));
  EXPECT_TRUE(replies.answer(second, {{"job", "2"}}));
  EXPECT_TRUE(replies.answer(third, {{"job", "3"}}));
}

TEST(Replies, MemoryIsBoundedByBytesToo) {
  Replies replies(1000, 4000);
  Replies::Reply last = 0;
  for (int i = 0; i < 100; ++i) last = replies.open(asked(std::string(500, 'c')), {std::string(500, 'r')});
  EXPECT_LE(replies.waiting(), 4U);
  EXPECT_TRUE(replies.answer(last, {{"job", "1"}}));
  // One that is larger than the bound alone is answered.
  EXPECT_TRUE(replies.answer(replies.open(asked(std::string(9000, 'c'))), {{"job", "1"}}));
  // Answers count as well, until they are said.
  const auto first = replies.open(asked("c"), {"a", "b"});
  EXPECT_FALSE(replies.answer(first, {{"reason", std::string(9000, 'x')}}));
  const auto next = replies.open(asked("d"));
  EXPECT_FALSE(replies.answer(first + 1, {{"job", "1"}}));
  EXPECT_TRUE(replies.answer(next, {{"job", "1"}}));
}

TEST(Replies, WhoNamesNoPlaceForAnAnswerGetsNone) {
  Replies replies;
  EXPECT_FALSE(replies.answer(replies.open(bus::Message{}), {{"job", "1"}}));
  EXPECT_EQ(replies.waiting(), 0U);
}

}  // namespace
}  // namespace fieldwork::runtime
