// links: exchange GTest::gtest_main
// The receiving half of the conversation: what is said and done, input by input.
#include "exchange/fetch.hpp"

#include <gtest/gtest.h>

#include "support/conversation.hpp"

#include <functional>

namespace fieldwork::exchange::fetch {
namespace {

std::string said(const Word& word) {
  switch (word.state) {
    case ReceivedState::complete: return "complete:" + word.transfer.value;
    case ReceivedState::failed: return "failed:" + word.transfer.value + ":" + std::string(name(word.failure.value()));
    case ReceivedState::unwanted: return "unwanted:" + word.transfer.value;
    default: return "receiving:" + word.transfer.value;
  }
}

// A step's output in one line.
std::string told(const Output& out) {
  support::Words words;
  const auto add = [&](const std::string& word) { words.add(word); };
  for (const auto& one : out.work) {
    if (const auto* open = std::get_if<Open>(&one)) add("open:" + open->transfer.value);
    if (std::holds_alternative<Finish>(one)) add("finish");
    if (const auto* discard = std::get_if<Discard>(&one)) add("discard:" + discard->transfer.value);
  }
  for (const auto& one : out.say) {
    if (std::holds_alternative<Ask>(one)) add("ask");
    if (const auto* word = std::get_if<Word>(&one)) add(said(*word));
  }
  for (const auto& ended : out.ended) add(ended.refused ? "refused(" + *ended.refused + ")" : "here");
  return words.text();
}

struct Conversation : support::Conversation<Fetches, told> {
  explicit Conversation(Limits limits = {}) : support::Conversation<Fetches, told>(limits) {}
};

const std::string d = "sha256:d";
const TransferId t1("t1"), t2("t2");
const Error disk{Code::unavailable, "no space"}, wrong{Code::denied, "wrong digest"}, changed{Code::conflict, "bytes"};

using Line = support::Line<Fetches>;

class Table : public ::testing::TestWithParam<Line> {};

TEST_P(Table, Holds) {
  Conversation one;
  for (const auto& input : GetParam().before) one.step(input);
  EXPECT_EQ(one.step(GetParam().input), GetParam().follows) << GetParam().what;
}

const std::vector<Input> wanted{Want{d}, TimePassed{}};
const std::vector<Input> receiving{Want{d}, TimePassed{}, OfferCame{d, t1}};
const std::vector<Input> finishing{Want{d}, OfferCame{d, t1}, FrameCame{d, true}};

INSTANTIATE_TEST_SUITE_P(
    Conversation, Table,
    ::testing::Values(Line{"what is wanted is asked for", {Want{d}}, TimePassed{}, "ask"},
                      Line{"once", {Want{d}, TimePassed{}, Want{d}}, TimePassed{}, ""},
                      Line{"after the link came back, again", wanted, LinkBack{}, ""},
                      Line{"an offer is taken", wanted, OfferCame{d, t1}, "open:t1"},
                      Line{"a repeat of it changes nothing", receiving, OfferCame{d, t1}, ""},
                      Line{"another one replaces it", receiving, OfferCame{d, t2}, "discard:t1 open:t2"},
                      Line{"it is not offered", wanted, NotOffered{d, "no such content"}, "refused(no such content)"},
                      Line{"not offered, and not wanted", {}, NotOffered{d, "no such content"}, ""},
                      Line{"a frame", receiving, FrameCame{d}, ""},
                      Line{"the last one", receiving, FrameCame{d, true}, "finish"},
                      Line{"the sender asks what keeps us", finishing, FrameCame{d}, "receiving:t1"},
                      Line{"an offer while it is being verified", finishing, OfferCame{d, t2}, ""},
                      Line{"verified", finishing, Finished{d, t1}, "complete:t1 here"},
                      Line{"verified, said twice", {}, Finished{d, t1}, "complete:t1"},
                      Line{"it is not what was offered", finishing, Finished{d, t1, wrong},
                           "discard:t1 failed:t1:verification_failed refused(wrong digest)"},
                      Line{"bytes were changed on their way", finishing, Finished{d, t1, changed},
                           "discard:t1 failed:t1:verification_failed"},
                      Line{"the disk is full", finishing, Finished{d, t1, disk},
                           "discard:t1 failed:t1:unavailable refused(disk: no space)"},
                      Line{"the disk has room again", finishing, Finished{d, t1, disk, true}, "finish"},
                      Line{"of a transfer that was replaced", receiving, Finished{d, t2, wrong}, "discard:t2"},
                      Line{"it cannot be taken in", receiving,
                           CannotReceive{d, "no room", TransferFailure::unavailable},
                           "discard:t1 failed:t1:unavailable refused(no room)"},
                      Line{"that comes too late", finishing, CannotReceive{d, "no room"}, ""},
                      Line{"nobody needs it", receiving, Unwant{d}, "discard:t1 unwanted:t1"},
                      Line{"nobody needs it, before an offer", wanted, Unwant{d}, ""},
                      Line{"nobody needs it, while it is being verified", finishing, Unwant{d}, ""},
                      Line{"a frame of what is over", {}, FrameCame{d}, ""}));

TEST(Fetch, TheDiskIsTriedOnceMore) {
  Conversation one;
  for (const auto& input : finishing) one.step(input);
  EXPECT_EQ(one.step(Finished{d, t1, disk, true}), "finish");
  EXPECT_EQ(one.step(Finished{d, t1, disk, true}), "discard:t1 failed:t1:unavailable refused(disk: no space)");
  EXPECT_EQ(one.core.size(), 0U);
}

TEST(Fetch, WhatWasChangedOnItsWayIsFetchedAgainAtMostThreeTimes) {
  Conversation one;
  one.step(Want{d});
  for (int time = 0; time < 3; ++time) {
    EXPECT_EQ(one.step(TimePassed{}), "ask") << "at once";
    EXPECT_EQ(one.step(OfferCame{d, t1}), "open:t1");
    one.step(FrameCame{d, true});
    EXPECT_EQ(one.step(Finished{d, t1, changed}), "discard:t1 failed:t1:verification_failed") << time;
  }
  one.step(OfferCame{d, t2});
  one.step(FrameCame{d, true});
  EXPECT_EQ(one.step(Finished{d, t2, changed}), "discard:t2 failed:t2:verification_failed refused(bytes)");
  EXPECT_EQ(one.core.size(), 0U);
}

TEST(Fetch, OnlyWhatWasOfferedWrongIsWrongForEveryone) {
  for (const auto& [error, fault] : {std::pair{wrong, true}, {disk, false}, {changed, false}}) {
    Conversation one({.fetched_again_max = 0});
    for (const auto& input : finishing) one.step(input);
    Output out;
    one.core.step(Finished{d, t1, error}, one.now, out);
    ASSERT_EQ(out.ended.size(), 1U);
    EXPECT_EQ(out.ended[0].work_fault, fault) << error.reason;
  }
}

TEST(Fetch, AsksAgainWhileThereIsNoOfferAndAfterSilence) {
  Conversation one;
  one.step(Want{d});
  std::string asked;
  for (int second = 0; second <= 12; ++second, one.now += seconds(1)) {
    if (one.step(TimePassed{}) == "ask") asked += std::to_string(second) + " ";
  }
  EXPECT_EQ(asked, "0 5 10 ");
  one.step(OfferCame{d, t1});
  one.now += seconds(19);
  EXPECT_EQ(one.step(TimePassed{}), "");
  one.step(FrameCame{d});
  one.now += seconds(19);
  EXPECT_EQ(one.step(TimePassed{}), "");
  one.now += seconds(1);
  EXPECT_EQ(one.step(TimePassed{}), "ask");  // the transfer stands: its offer comes again
  EXPECT_EQ(one.step(OfferCame{d, t1}), "");
  one.step(LinkBack{});
  EXPECT_EQ(one.step(TimePassed{}), "ask");
  one.step(FrameCame{d, true});
  one.now += std::chrono::hours(2);
  EXPECT_EQ(one.step(TimePassed{}), "");  // it is ours to end
}

// What was wanted by an attempt of an earlier life is offered in the batch in which it is wanted again.
TEST(Fetch, OnlyAtTheEndOfTheBatchItIsKnownWhatIsWanted) {
  Conversation one;
  EXPECT_EQ(one.step(OfferCame{d, t1}), "");
  one.step(Want{d});
  EXPECT_EQ(one.step(BatchEnded{}), "open:t1");
  EXPECT_EQ(one.step(BatchEnded{}), "");
  Conversation other;
  other.step(OfferCame{d, t1});
  EXPECT_EQ(other.step(BatchEnded{}), "discard:t1 unwanted:t1");
  other.step(OfferCame{d, t1, true});
  EXPECT_EQ(other.step(BatchEnded{}), "complete:t1");  // the sender missed our last word
}

TEST(Fetch, WhoWaitsForAPersonAsksOnAndGivesUpInTheEnd) {
  Conversation one({.ask_again = seconds(1), .silent = seconds(5), .not_yet = seconds(1), .give_up = seconds(30)});
  one.step(Want{d});
  EXPECT_EQ(one.step(TimePassed{}), "ask");
  EXPECT_EQ(one.step(NotOffered{d, "it is still on edge-1"}), "");
  one.now += seconds(1);
  EXPECT_EQ(one.step(TimePassed{}), "ask");
  one.step(OfferCame{d, t1});
  one.now += seconds(30);
  EXPECT_EQ(one.step(TimePassed{}), "ask");
  one.now += seconds(1);
  EXPECT_EQ(one.step(TimePassed{}), "discard:t1 failed:t1:silent refused(nothing was heard of it for 30 s)");
}

TEST(Fetch, ManyAreIndependent) {
  Conversation one;
  for (int i = 0; i < 100; ++i) one.step(Want{std::to_string(i)});
  Output out;
  one.core.step(TimePassed{}, one.now, out);
  EXPECT_EQ(out.say.size(), 100U);
  for (int i = 0; i < 100; ++i) one.step(OfferCame{std::to_string(i), TransferId("t" + std::to_string(i))});
  EXPECT_EQ(one.step(FrameCame{"7", true}), "finish");
  EXPECT_TRUE(one.core.finishing("7"));
  EXPECT_FALSE(one.core.finishing("8"));
  EXPECT_EQ(one.step(Finished{"7", TransferId("t7")}), "complete:t7 here");
  EXPECT_EQ(one.core.size(), 99U);
}

}  // namespace
}  // namespace fieldwork::exchange::fetch
