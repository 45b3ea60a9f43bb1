// links: exchange GTest::gtest_main
// The sending half of the conversation: what is said and done, input by input.
#include "exchange/deliver.hpp"

#include <gtest/gtest.h>

#include "support/conversation.hpp"

#include <random>
#include <set>

namespace fieldwork::exchange::deliver {
namespace {

// A step's output in one line.
std::string told(const Output& out) {
  support::Words words;
  const auto add = [&](const std::string& word) { words.add(word); };
  for (const auto& one : out.work) {
    if (std::holds_alternative<Make>(one)) add("make");
    if (std::holds_alternative<Resume>(one)) add("resume");
    if (std::holds_alternative<Close>(one)) add("close");
  }
  for (std::size_t i = 0; i < out.announcements.size(); ++i) add("announce");
  for (const auto& ended : out.ended) add(ended.refused ? "refused(" + *ended.refused + ")" : "delivered");
  return words.text();
}

struct Conversation : support::Conversation<Deliveries, told> {
  explicit Conversation(Limits limits = {}) : support::Conversation<Deliveries, told>(limits) {}
};

const std::string d = "sha256:d";

using Line = support::Line<Deliveries>;

class Table : public ::testing::TestWithParam<Line> {};

TEST_P(Table, Holds) {
  Conversation one;
  for (const auto& input : GetParam().before) one.step(input);
  EXPECT_EQ(one.step(GetParam().input), GetParam().follows) << GetParam().what;
}

const std::vector<Input> announced{Add{d}, TimePassed{}};
const std::vector<Input> making{Add{d}, TimePassed{}, Wanted{d, "terms"}};
const std::vector<Input> sending{Add{d}, TimePassed{}, Wanted{d, "terms"}, Made{d}};
const std::vector<Input> closed{Add{d}, TimePassed{}, Wanted{d, "terms"}, Made{d}, LinkBack{}, TimePassed{}};

INSTANTIATE_TEST_SUITE_P(
    Conversation, Table,
    ::testing::Values(Line{"what is here is announced", {Add{d}}, TimePassed{}, "announce"},
                      Line{"once", {Add{d}, TimePassed{}, Add{d}}, TimePassed{}, ""},
                      Line{"it is wanted", announced, Wanted{d, "terms"}, "make"},
                      Line{"it is wanted before it was announced", {Add{d}}, Wanted{d, "terms"}, "make"},
                      Line{"it is wanted twice", making, Wanted{d, "terms"}, ""},
                      Line{"it is wanted while it is sent", sending, Wanted{d, "terms"}, ""},
                      Line{"by somebody else", sending, Wanted{d, "other"}, "close make"},
                      Line{"what is not here is wanted", {}, Wanted{d, "terms"}, ""},
                      Line{"the offer cannot be made", making, Failed{d, "why"}, "close"},
                      Line{"it is there", sending, Delivered{d}, "delivered"},
                      Line{"it is there already", announced, Delivered{d}, "delivered"},
                      Line{"said twice", {}, Delivered{d}, ""},
                      Line{"it will never be taken", announced, Refused{d, "too large"}, "refused(too large)"},
                      Line{"the receiver gave it up", sending, Failed{d, "why"}, "close"},
                      Line{"the link came back", sending, LinkBack{}, "close"},
                      Line{"it goes on where the receiver is", closed, Wanted{d, "terms"}, "resume"},
                      Line{"or anew, with another one", closed, Wanted{d, "other"}, "make"},
                      Line{"the link came back while the offer is made", making, LinkBack{}, ""},
                      Line{"an offer that nobody waits for", announced, Made{d}, ""}));

TEST(Deliver, AnOutageGoesOnWithTheStandingOffer) {
  Conversation one;
  for (const auto& input : sending) one.step(input);
  one.step(LinkBack{});
  EXPECT_FALSE(one.core.busy(d));
  EXPECT_EQ(one.step(TimePassed{}), "announce");  // at once
  EXPECT_EQ(one.step(Wanted{d, "terms"}), "resume");
  EXPECT_TRUE(one.core.busy(d));
}

TEST(Deliver, AReceiverThatIsSilentIsToldAgain) {
  Conversation one;
  for (const auto& input : sending) one.step(input);
  one.now += seconds(59);
  one.step(Heard{d});
  one.now += seconds(59);
  EXPECT_EQ(one.step(TimePassed{}), "");
  one.now += seconds(1);
  EXPECT_EQ(one.step(TimePassed{}), "close announce");
  EXPECT_EQ(one.step(Wanted{d, "terms"}), "resume");
}

TEST(Deliver, AFailureBeginsAnewLaterAndTheFourthEndsIt) {
  Conversation one;
  one.step(Add{d});
  for (int i = 0; i < 3; ++i) {
    one.now += std::chrono::minutes(6);
    EXPECT_EQ(one.step(TimePassed{}), "announce") << i;
    EXPECT_EQ(one.step(Wanted{d, "terms"}), "make") << i;
    one.step(Made{d});
    EXPECT_EQ(one.step(Failed{d, "not what was announced"}), "close") << i;
    EXPECT_EQ(one.step(TimePassed{}), "");  // not at once
  }
  one.now += std::chrono::minutes(6);
  one.step(TimePassed{});
  one.step(Wanted{d, "terms"});
  EXPECT_EQ(one.step(Failed{d, "not what was announced"}), "refused(not what was announced)");
  EXPECT_EQ(one.core.size(), 0U);
}

TEST(Deliver, WhoIsNotAnsweredIsHeardMoreAndMoreSeldom) {
  Conversation one;
  one.step(Add{d});
  std::string at;
  for (int second = 0; second < 1000; ++second, one.now += seconds(1)) {
    if (one.step(TimePassed{}) == "announce") at += std::to_string(second) + " ";
  }
  EXPECT_EQ(at, "0 5 15 35 75 155 315 615 915 ");
  one.step(LinkBack{});
  EXPECT_EQ(one.step(TimePassed{}), "announce");
}

TEST(Deliver, WhoWaitsForAPersonGivesUpInTheEnd) {
  Conversation one({.announce_last = seconds(5), .silent = seconds(5), .give_up = seconds(30)});
  for (const auto& input : sending) one.step(input);
  one.now += seconds(30);
  one.step(Heard{d});
  one.now += seconds(30);
  EXPECT_EQ(one.step(TimePassed{}), "close announce");
  one.now += seconds(1);
  EXPECT_EQ(one.step(TimePassed{}), "refused(nothing was heard of it for 30 s)");
}

// The turns of a time without a link count for nothing.
TEST(Deliver, AfterAnOutageTheOldestGoFirst) {
  Conversation one;
  for (int i = 9; i >= 0; --i) one.step(Add{std::to_string(i)});
  one.step(TimePassed{});
  for (int second = 0; second < 7; ++second, one.now += seconds(1)) one.step(TimePassed{});
  one.step(LinkBack{});
  std::string told;
  while (one.core.size() > 0) {
    Output out;
    one.core.step(TimePassed{}, one.now, out);
    ASSERT_FALSE(out.announcements.empty());
    for (const auto& one_told : out.announcements) {
      told += one_told.digest;
      one.step(Delivered{one_told.digest});
    }
  }
  EXPECT_EQ(told, "9876543210");
}

TEST(Deliver, FourAtOnceAndTheOthersInTurn) {
  Conversation one;
  for (int i = 0; i < 10; ++i) one.step(Add{std::to_string(i)});
  Output out;
  one.core.step(TimePassed{}, one.now, out);
  ASSERT_EQ(out.announcements.size(), 4U);
  for (int i = 0; i < 4; ++i) {
    one.step(Wanted{std::to_string(i), "terms"});
    one.step(Made{std::to_string(i)});
  }
  EXPECT_EQ(one.step(TimePassed{}), "");
  EXPECT_EQ(one.step(Delivered{"2"}), "delivered");
  out = {};
  one.core.step(TimePassed{}, one.now, out);
  ASSERT_EQ(out.announcements.size(), 1U);
  EXPECT_EQ(out.announcements[0].digest, "4");
  // One that is never answered holds its place for the time of an answer only.
  one.now += seconds(5);
  out = {};
  one.core.step(TimePassed{}, one.now, out);
  ASSERT_EQ(out.announcements.size(), 1U);
  EXPECT_EQ(out.announcements[0].digest, "5");
}

// Whatever comes in whatever order: what is open is known to be, and all that is added ends when it is answered.
TEST(Deliver, AnyOrderLosesNothing) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    std::mt19937 random(seed);
    Conversation one;
    std::set<std::string> here, open;
    const auto apply = [&](const Input& input) {
      Output out;
      one.core.step(input, one.now, out);
      for (const auto& work : out.work) {
        if (const auto* make = std::get_if<Make>(&work)) open.insert(make->digest);
        if (const auto* resume = std::get_if<Resume>(&work)) open.insert(resume->digest);
        if (const auto* close = std::get_if<Close>(&work)) open.erase(close->digest);
      }
      for (const auto& ended : out.ended) {
        open.erase(ended.digest);
        EXPECT_EQ(here.erase(ended.digest), 1U);
      }
    };
    for (int i = 0; i < 400; ++i) {
      const auto digest = std::to_string(random() % 12);
      one.now += milliseconds(random() % 20'000);
      switch (random() % 9) {
        case 0: here.insert(digest), apply(Add{digest}); break;
        case 1: apply(Wanted{digest, random() % 4 == 0 ? "other" : "terms"}); break;
        case 2: apply(Made{digest}); break;
        case 3: apply(Heard{digest}); break;
        case 4: apply(Failed{digest, "why"}); break;
        case 5: apply(Delivered{digest}); break;
        case 6: apply(LinkBack{}); break;
        default: apply(TimePassed{});
      }
      ASSERT_EQ(one.core.size(), here.size());
      for (const auto& which : open) ASSERT_TRUE(one.core.busy(which)) << seed;
    }
    for (int round = 0; round < 200 && !here.empty(); ++round, one.now += std::chrono::minutes(6)) {
      Output out;
      one.core.step(TimePassed{}, one.now, out);
      for (const auto& announcement : out.announcements) apply(Delivered{announcement.digest});
      for (const auto& digest : std::set<std::string>(here)) apply(Made{digest});
    }
    ASSERT_TRUE(here.empty()) << seed;
  }
}

}  // namespace
}  // namespace fieldwork::exchange::deliver
