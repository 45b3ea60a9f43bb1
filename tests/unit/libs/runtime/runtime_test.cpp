// links: runtime store GTest::gtest_main
// Save, then send: what leaves when, what is said again and to whom, over a store that fails and a bus that listens.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "runtime/engine.hpp"
#include "support/fakes.hpp"

namespace fieldwork::runtime {
namespace {

using fakes::Journal;

const Error away{Code::unavailable, "the store is away"};

Time at(int s) { return from_ms(0) + seconds(s); }

struct Rig {
  Journal journal;
  fakes::FlakyStore store{journal};
  fakes::FakeBus bus{journal};
  fakes::FakeService service{journal};
  std::unique_ptr<Engine> engine;

  Rig() { start(at(0)); }

  void start(Time now) {
    engine = std::make_unique<Engine>(service, store, bus,
                                      store::Outbox::Limits{.first_repeat = seconds(2), .last_repeat = seconds(5)});
    EXPECT_TRUE(engine->load(now).ok());
  }
  Result<void> run(int s, Task task) { return engine->run({std::move(task)}, at(s)); }
  Result<void> run(int s) { return engine->run({}, at(s)); }
  void put(int s, const std::vector<store::Command>& commands) {
    EXPECT_TRUE(run(s, [&](Time, Output& out) {
                  for (const auto& one : commands) out.put(one);
                }).ok());
  }
  // What was said since the last question.
  Journal said() {
    Journal out;
    for (const auto& message : bus.said) out.push_back(message.topic + " " + message.payload);
    bus.said.clear();
    return out;
  }
  // The seconds of [from, to] in which something was said, with one run in each.
  std::vector<int> when_said(int from, int to) {
    std::vector<int> out;
    for (int s = from; s <= to; ++s) {
      EXPECT_TRUE(run(s).ok());
      if (!said().empty()) out.push_back(s);
    }
    return out;
  }
};

// Everything a batch can want, at once.
void everything(Journal& journal, Output& out) {
  out.upsert("t", "k", {});
  out.early.push_back({.topic = "early", .payload = "q"});
  out.messages.push_back({.topic = "event", .payload = "m"});
  out.put({"k", "command", "1"});
  out.acts.emplace_back([&journal] { journal.emplace_back("act 1"); });
  out.acts.emplace_back([&journal] { journal.emplace_back("act 2"); });
}

const std::string command_1 = R"(command {"v":1,"items":[1]})";

TEST(EngineTest, EarlyThenCommitThenTheRest) {
  Rig rig;
  ASSERT_TRUE(rig.run(0, [&](Time, Output& out) { everything(rig.journal, out); }).ok());
  EXPECT_EQ(rig.journal, (Journal{"early q", "committed", command_1, "event m", "act 1", "act 2"}));
  EXPECT_FALSE(rig.engine->waits());
  ASSERT_EQ(rig.store.batches.size(), 1U);
  EXPECT_EQ(rig.store.batches[0].size(), 2U) << "the row and the outbox are one batch";
}

TEST(EngineTest, AFailedCommitSaysNothingAndASecondSaysAllOnce) {
  Rig rig;
  rig.store.failures = {away, away};
  const auto done = rig.run(0, [&](Time, Output& out) { everything(rig.journal, out); });
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error(), away);
  EXPECT_EQ(rig.journal, (Journal{"early q", "refused: unavailable"}));
  EXPECT_TRUE(rig.engine->waits());
  EXPECT_FALSE(rig.engine->commit(at(10)).ok());
  EXPECT_TRUE(rig.engine->waits());
  rig.journal.clear();
  ASSERT_TRUE(rig.engine->commit(at(30)).ok());
  EXPECT_FALSE(rig.engine->waits());
  EXPECT_EQ(rig.journal, (Journal{"committed", command_1, "event m", "act 1", "act 2"}));
  rig.journal.clear();
  ASSERT_TRUE(rig.run(31).ok());
  EXPECT_EQ(rig.journal, Journal{}) << "once";
}

TEST(EngineTest, TheRepeatCountsFromWhatWasSaidNotFromWhatWasWanted) {
  Rig rig;
  rig.store.failures = {away};
  ASSERT_FALSE(rig.run(0, [](Time, Output& out) { out.put({"k", "command", "1"}); }).ok());
  ASSERT_TRUE(rig.engine->commit(at(30)).ok());
  EXPECT_EQ(rig.said(), Journal{command_1});
  EXPECT_EQ(rig.when_said(31, 37), (std::vector<int>{32, 36}));
}

TEST(EngineTest, AFailedPrefetchStepsNothing) {
  Rig rig;
  rig.service.prefetch_failures = {away};
  rig.service.on_message = [](const bus::Message&, Time, Output& out) {
    out.messages.push_back({.topic = "a", .payload = "b"});
  };
  const std::vector<Input> batch{bus::Message{.topic = "x"}, Connected{}, bus::Message{.topic = "y"}};
  ASSERT_FALSE(rig.engine->run(batch, at(0)).ok());
  EXPECT_EQ(rig.journal, Journal{});
  EXPECT_FALSE(rig.engine->waits()) << "the same batch is run again, not committed";
  ASSERT_TRUE(rig.engine->run(batch, at(1)).ok());
  EXPECT_EQ(rig.journal, (Journal{"got x", "got connected", "got y", "a b", "a b"}));
  EXPECT_EQ(rig.service.fetched, (std::vector<std::size_t>{2, 2}));
}

TEST(EngineTest, StepsInOrderThenTicksAndFlushesOnce) {
  Rig rig;
  rig.service.on_message = [](const bus::Message&, Time, Output& out) { out.upsert("t", "seen", {}); };
  rig.service.on_flush = [&rig](Output& out) {
    rig.journal.push_back("flush after " + std::to_string(rig.service.ticks) + " ticks, " +
                          std::to_string(out.changes.size()) + " changes");
  };
  const Task task = [&](Time now, Output&) { rig.journal.push_back("task at " + std::to_string(to_ms(now))); };
  ASSERT_TRUE(rig.engine->run({Disconnected{}, bus::Message{.topic = "x"}, task, Connected{}}, at(7)).ok());
  EXPECT_EQ(rig.journal, (Journal{"got disconnected", "got x", "task at 7000", "got connected",
                                  "flush after 1 ticks, 1 changes", "committed"}));
}

TEST(EngineTest, NothingChangedIsNotCommitted) {
  Rig rig;
  rig.store.failures = {away};
  ASSERT_TRUE(rig.run(0, [](Time, Output& out) { out.messages.push_back({.topic = "a", .payload = "b"}); }).ok());
  EXPECT_EQ(rig.journal, Journal{"a b"});
}

TEST(EngineTest, OneChangePerKeyReachesTheStore) {
  Rig rig;
  ASSERT_TRUE(rig.run(0,
                      [](Time, Output& out) {
                        out.upsert("t", "a", {{"n", 1}});
                        out.insert("t", "b", {{"n", 2}});
                        out.upsert("t", "a", {{"n", 3}});
                        out.remove("t", "c", {{"n", 4}});
                        out.put({"k", "command", "1"});
                        out.put({"k", "command", "2"});
                      })
                  .ok());
  ASSERT_EQ(rig.store.batches.size(), 1U);
  Journal rows;
  for (const auto& change : rig.store.batches[0])
    rows.push_back(change.table + "/" + change.key + " " + change.row.to_json());
  EXPECT_EQ(rows, (Journal{R"(t/a {"n":3})", R"(t/b {"n":2})", R"(t/c {"n":4})",
                           R"(outbox/k {"key":"k","topic":"command","item":"2","until_ms":0})"}));
  EXPECT_EQ(rig.said(), Journal{R"(command {"v":1,"items":[2]})"});
}

// --- the outbox ---------------------------------------------------------------------------------------------------

TEST(EngineTest, ACommandRepeatsWithGrowingGapsUntilClosed) {
  Rig rig;
  rig.put(0, {{"k", "command", "1"}});
  EXPECT_EQ(rig.said(), Journal{command_1});
  EXPECT_EQ(rig.engine->outbox_size(), 1U);
  EXPECT_EQ(rig.when_said(1, 20), (std::vector<int>{2, 6, 11, 16}));
  ASSERT_TRUE(rig.run(21, [](Time, Output& out) { out.close("k"), out.close("never heard of"); }).ok());
  EXPECT_EQ(rig.said(), Journal{}) << "due at 21, but closed in that batch";
  EXPECT_EQ(rig.engine->outbox_size(), 0U);
  EXPECT_EQ(rig.when_said(22, 90), std::vector<int>{});
}

TEST(EngineTest, ClosingIsSavedBeforeItCounts) {
  Rig rig;
  rig.put(0, {{"k", "command", "1"}});
  rig.store.failures = {away};
  ASSERT_FALSE(rig.run(1, [](Time, Output& out) { out.close("k"); }).ok());
  rig.start(at(2));
  ASSERT_TRUE(rig.run(2).ok());
  EXPECT_EQ(rig.said(), (Journal{command_1, command_1})) << "before the restart and after it";
}

TEST(EngineTest, AKeyClosedAndPutAgainInOneBatchIsThere) {
  Rig rig;
  rig.put(0, {{"k", "command", "1"}});
  ASSERT_TRUE(rig.run(1,
                      [](Time, Output& out) {
                        out.close("k");
                        out.put({"k", "command", "2"});
                      })
                  .ok());
  rig.bus.said.clear();
  rig.start(at(100));
  ASSERT_TRUE(rig.run(100).ok());
  EXPECT_EQ(rig.said(), Journal{R"(command {"v":1,"items":[2]})"});
}

// A dead attempt must not begin when its device comes back: not before a restart, and not after it.
TEST(EngineTest, AKeyPutAndClosedInOneBatchIsGone) {
  for (const bool put_before : {false, true}) {
    Rig rig;
    if (put_before) rig.put(0, {{"k", "command", "1"}});
    rig.bus.said.clear();
    ASSERT_TRUE(rig.run(1,
                        [](Time, Output& out) {
                          out.put({"k", "command", "2"});
                          out.close("k");
                        })
                    .ok());
    EXPECT_EQ(rig.said(), Journal{});
    EXPECT_EQ(rig.engine->outbox_size(), 0U);
    rig.start(at(100));
    EXPECT_EQ(rig.engine->outbox_size(), 0U);
    ASSERT_TRUE(rig.run(100).ok());
    EXPECT_EQ(rig.said(), Journal{});
  }
}

TEST(EngineTest, ACommandsLifeEndsInTheStoreToo) {
  Rig rig;
  ASSERT_TRUE(rig.run(0, [](Time, Output& out) { out.put({"k", "command", "1", seconds(10)}); }).ok());
  EXPECT_EQ(rig.when_said(0, 30), (std::vector<int>{0, 2, 6}));
  EXPECT_EQ(rig.engine->outbox_size(), 0U);
  rig.start(at(31));
  EXPECT_EQ(rig.engine->outbox_size(), 0U);
}

TEST(EngineTest, ARestartSendsWhatIsNotClosed) {
  Rig rig;
  rig.put(0, {{"a", "one", R"({"x":"\"ü\n"})"}, {"b", "two", "2"}, {"c", "two", "3"}});
  ASSERT_TRUE(rig.run(1, [](Time, Output& out) { out.close("b"); }).ok());
  rig.bus.said.clear();
  rig.start(at(1000));
  EXPECT_EQ(rig.engine->outbox_size(), 2U);
  EXPECT_EQ(rig.said(), Journal{}) << "loading says nothing";
  ASSERT_TRUE(rig.run(1000).ok());
  EXPECT_EQ(rig.said(), (Journal{R"(one {"v":1,"items":[{"x":"\"ü\n"}]})", R"(two {"v":1,"items":[3]})"}));
  EXPECT_EQ(rig.when_said(1001, 1008), (std::vector<int>{1002, 1006})) << "from the first gap again";
}

TEST(EngineTest, WhatCannotBeReadIsNotAnEmptyOutbox) {
  Rig rig;
  rig.put(0, {{"k", "command", "1"}});
  rig.store.load_answer = away;
  Engine again(rig.service, rig.store, rig.bus);
  const auto loaded = again.load(at(1));
  ASSERT_FALSE(loaded.ok());
  EXPECT_EQ(loaded.error(), away);
}

TEST(EngineTest, ConnectedHastensAll) {
  Rig rig;
  rig.put(0, {{"a", "one", "1"}, {"b", "two", "2"}});
  rig.bus.said.clear();
  EXPECT_EQ(rig.when_said(1, 7), (std::vector<int>{2, 6}));
  ASSERT_TRUE(rig.engine->run({Connected{}}, at(7)).ok());
  EXPECT_EQ(rig.said(), (Journal{R"(one {"v":1,"items":[1]})", R"(two {"v":1,"items":[2]})"}));
  EXPECT_EQ(rig.when_said(8, 12), std::vector<int>{9}) << "and the gaps begin anew";
}

TEST(EngineTest, AReaderThatReturnsHastensItsTopicOnly) {
  Rig rig;
  rig.put(0, {{"a", "one", "1"}, {"b", "two", "2"}, {"c", "one", "3"}});
  rig.bus.said.clear();
  ASSERT_TRUE(rig.run(1, [](Time, Output& out) { out.hasten("one"), out.hasten("three"); }).ok());
  ASSERT_EQ(rig.bus.said.size(), 1U);
  EXPECT_EQ(rig.bus.said[0].topic, "one");
  EXPECT_EQ(rig.bus.said[0].payload.size(), std::string(R"({"v":1,"items":[1,3]})").size()) << "both, in any order";
}

TEST(EngineTest, AReaderThatReturnsInABatchThatClosesIsNotAskedAgain) {
  Rig rig;
  rig.put(0, {{"a", "one", "1"}});
  rig.bus.said.clear();
  ASSERT_TRUE(rig.run(1,
                      [](Time, Output& out) {
                        out.hasten("one");
                        out.close("a");
                      })
                  .ok());
  EXPECT_EQ(rig.said(), Journal{});
}

// --- joining ------------------------------------------------------------------------------------------------------

std::vector<std::size_t> items_per_message(Rig& rig) {
  std::vector<std::size_t> out;
  for (const auto& message : rig.bus.said) {
    EXPECT_EQ(message.qos, 1);
    EXPECT_FALSE(message.retain);
    out.push_back(static_cast<std::size_t>(std::count(message.payload.begin(), message.payload.end(), '"') - 4) / 2);
  }
  rig.bus.said.clear();
  return out;
}

TEST(EngineTest, ItemsOfOneTopicTravelTogetherWithinBounds) {
  struct Case {
    const char* name;
    std::size_t count, item_bytes;
    std::vector<std::size_t> expected;
  };
  const Case cases[] = {
      {"one", 1, 10, {1}},
      {"as many as fit", 512, 10, {512}},
      {"one more", 513, 10, {512, 1}},
      {"many", 1100, 10, {512, 512, 76}},
      {"large", 7, 40U << 10, {2, 2, 2, 1}},
      {"each too large for company", 2, 600U << 10, {1, 1}},
  };
  for (const auto& c : cases) {
    Rig rig;
    std::vector<store::Command> commands;
    for (std::size_t i = 0; i < c.count; ++i) {
      commands.push_back({"k" + std::to_string(i), "command", '"' + std::string(c.item_bytes - 2, 'x') + '"'});
    }
    rig.put(0, commands);
    EXPECT_EQ(items_per_message(rig), c.expected) << c.name;
    EXPECT_EQ(rig.when_said(1, 1), std::vector<int>{}) << c.name;
    ASSERT_TRUE(rig.run(2).ok());
    EXPECT_EQ(items_per_message(rig), c.expected) << c.name << ", said again";
  }
}

TEST(EngineTest, ItemsKeepTheirOrderAndTopicsStayApart) {
  Rig rig;
  rig.put(0, {{"z", "one", "1"}, {"b", "two", "2"}, {"a", "one", "3"}, {"y", "one", "4"}});
  EXPECT_EQ(rig.said(), (Journal{R"(one {"v":1,"items":[1,3,4]})", R"(two {"v":1,"items":[2]})"}));
}

// An answer that cannot be sent is not silence; and of what is no answer nobody waits to hear.
TEST(EngineTest, WhoAskedIsToldThatTheAnswerIsTooLarge) {
  Rig rig;
  rig.bus.bytes_max = 200;
  const auto large = std::string(201, 'x');
  ASSERT_TRUE(rig.run(0,
                      [&](Time, Output& out) {
                        out.messages.push_back({.topic = "reply/ann/x", .payload = large, .correlation = "c"});
                        out.messages.push_back({.topic = "state", .payload = large, .retain = true});
                        out.early.push_back(
                            {.topic = "ask", .payload = large, .response_topic = "r", .correlation = "d"});
                      })
                  .ok());
  ASSERT_EQ(rig.bus.said.size(), 1U);
  const auto& said = rig.bus.said[0];
  EXPECT_EQ(said.topic, "reply/ann/x");
  EXPECT_EQ(said.correlation, "c");
  EXPECT_EQ(said.payload,
            R"({"error":{"code":"invalid","reason":"the answer cannot be sent: it is too large"},"v":1})");
}

}  // namespace
}  // namespace fieldwork::runtime
