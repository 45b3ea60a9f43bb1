// links: runtime store GTest::gtest_main
// The loop around the engine: what the store's answers mean for the process, with no broker at its address; and what a
// real one brings.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "runtime/runner.hpp"
#include "support/broker.hpp"
#include "support/fakes.hpp"

namespace fieldwork::runtime {
namespace {

using fakes::Journal;

const Error away{Code::unavailable, "the store is away"};

struct Rig {
  Journal journal;
  fakes::FlakyStore store{journal};
  fakes::FakeService service{journal};
  RunnerLimits limits{.tick = milliseconds(1)};

  std::unique_ptr<Runner> runner() {
    bus::MqttConfig nowhere;
    nowhere.url = "tcp://127.0.0.1:1";
    nowhere.client_id = "runner-test";
    return std::make_unique<Runner>(service, store, nowhere, limits);
  }
};

// Saves a row; what comes after the commit ends the loop.
Task save_and_stop(Runner& runner, Journal& journal) {
  return [&](Time, Output& out) {
    journal.emplace_back("stepped");
    out.upsert("t", "k", {});
    out.acts.emplace_back([&] {
      journal.emplace_back("acted");
      runner.stop();
    });
  };
}

TEST(RunnerTest, TasksRunInOrderInBoundedBatchesOnOneThread) {
  Rig rig;
  rig.limits.batch_max = 3;
  const auto runner = rig.runner();
  std::vector<int> order;
  std::vector<std::size_t> batches;
  std::set<std::thread::id> threads;
  std::size_t flushed = 0;
  rig.service.on_flush = [&](Output&) {
    if (order.size() > flushed) batches.push_back(order.size() - flushed);
    flushed = order.size();
  };
  for (int i = 0; i < 7; ++i) {
    runner->post([&, i](Time, Output&) {
      order.push_back(i);
      threads.insert(std::this_thread::get_id());
      if (i == 6) runner->stop();
    });
  }
  std::thread other([&] { EXPECT_EQ(runner->run(), 0); });
  const auto id = other.get_id();
  other.join();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(batches, (std::vector<std::size_t>{3, 3, 1}));
  EXPECT_EQ(threads, std::set<std::thread::id>{id});
}

TEST(RunnerTest, PostFromAnotherThreadWakesTheLoopAndTimeIsTheStores) {
  Rig rig;
  rig.limits.tick = seconds(3600);
  const auto runner = rig.runner();
  Time seen{};
  std::thread other([&] {
    runner->post([&](Time now, Output&) {
      seen = now;
      runner->stop();
    });
  });
  EXPECT_EQ(runner->run(), 0);
  other.join();
  EXPECT_GE(seen, from_ms(0)) << "the store's clock began at 0";
  EXPECT_LT(seen, from_ms(600'000)) << "not this machine's";
}

TEST(RunnerTest, StopBeforeTheBeginning) {
  Rig rig;
  const auto runner = rig.runner();
  runner->stop();
  EXPECT_EQ(runner->run(), 0);
}

TEST(RunnerTest, WithoutABrokerItIsHealthyButNotReady) {
  Rig rig;
  const auto runner = rig.runner();
  bool healthy = false;
  bool ready = true;
  runner->post([&](Time, Output&) {
    healthy = runner->healthy();
    ready = runner->ready();
    runner->stop();
  });
  EXPECT_EQ(runner->run(), 0);
  EXPECT_TRUE(healthy);
  EXPECT_FALSE(ready);
}

struct StoreCase {
  const char* name;
  std::deque<Error> failures;
  seconds patience;
  int code;
  Journal journal;
};

TEST(RunnerTest, WhatTheStoreAnswersDecides) {
  const Error taken{Code::conflict, "another instance took over"};
  const Error bad{Code::invalid, "no such table"};
  const StoreCase cases[] = {
      {"well", {}, seconds(60), 0, {"stepped", "committed", "acted"}},
      {"away twice: the same batch again, stepped once",
       {away, away},
       seconds(60),
       0,
       {"stepped", "refused: unavailable", "refused: unavailable", "committed", "acted"}},
      {"away for longer than patience", {away, away}, seconds(0), 1, {"stepped", "refused: unavailable"}},
      {"another instance took over", {taken}, seconds(60), 75, {"stepped", "refused: conflict"}},
      {"took over while the store was away",
       {away, taken},
       seconds(60),
       75,
       {"stepped", "refused: unavailable", "refused: conflict"}},
      {"our own bug", {bad}, seconds(60), 1, {"stepped", "refused: invalid"}},
  };
  for (const auto& c : cases) {
    Rig rig;
    rig.limits.store_patience = c.patience;
    rig.store.failures = c.failures;
    const auto runner = rig.runner();
    runner->post(save_and_stop(*runner, rig.journal));
    EXPECT_EQ(runner->run(), c.code) << c.name;
    EXPECT_EQ(rig.journal, c.journal) << c.name;
  }
}

TEST(RunnerTest, AfterAStandstillTheNextBatchBeginsWithIt) {
  Rig rig;
  rig.limits.tick = seconds(3600);
  rig.limits.stalled_after = milliseconds(200);
  const auto runner = rig.runner();
  runner->post([&](Time, Output&) {
    runner->post([&](Time, Output&) {
      rig.journal.emplace_back("stepped");
      runner->stop();
    });
    std::this_thread::sleep_for(milliseconds(250));  // the standstill itself
  });
  EXPECT_EQ(runner->run(), 0);
  EXPECT_EQ(rig.journal, (Journal{"got stalled", "stepped"}));
}

TEST(RunnerTest, AStoreThatWasAwayIsAStandstillToo) {
  Rig rig;
  rig.limits.tick = seconds(3600);
  rig.limits.stalled_after = milliseconds(100);
  rig.store.failures = {away, away};  // waits 50 and 100 ms between the tries
  const auto runner = rig.runner();
  runner->post([&](Time, Output& out) {
    out.upsert("t", "k", {});
    runner->post([&](Time, Output&) {
      rig.journal.emplace_back("stepped");
      runner->stop();
    });
  });
  EXPECT_EQ(runner->run(), 0);
  EXPECT_EQ(rig.journal,
            (Journal{"refused: unavailable", "refused: unavailable", "committed", "got stalled", "stepped"}));
}

TEST(RunnerTest, AnIdleInstanceThatWasReplacedEnds) {
  Rig rig;
  rig.store.is_contested = true;
  rig.limits.look_each = milliseconds(1);
  int looks = 0;
  rig.store.on_check = [&]() -> Result<void> {
    if (++looks < 3) return {};
    return Error{Code::conflict, "another instance took over"};
  };
  const auto runner = rig.runner();
  EXPECT_EQ(runner->run(), 75);
  EXPECT_EQ(looks, 3);
}

TEST(RunnerTest, NothingIsSteppedBeforeTheStoreIsKnownGoodAfterAPause) {
  Rig rig;
  rig.store.is_contested = true;
  rig.limits.look_each = milliseconds(50);
  rig.store.on_check = [&]() -> Result<void> {
    // A machine that is busy makes pauses of its own before the first step: then it looks more than once.
    if (rig.journal.empty() || rig.journal.back() != "looked") rig.journal.emplace_back("looked");
    return rig.journal.size() < 3 ? Result<void>() : Error{Code::conflict, "another instance took over"};
  };
  const auto runner = rig.runner();
  runner->post([&](Time, Output&) {
    rig.journal.emplace_back("stepped");
    runner->post([&](Time, Output&) { rig.journal.emplace_back("stepped after the pause"); });
    std::this_thread::sleep_for(milliseconds(60));  // the pause itself
  });
  EXPECT_EQ(runner->run(), 75);
  EXPECT_EQ(rig.journal, (Journal{"looked", "stepped", "looked"}));
}

TEST(RunnerTest, WhatCannotBeLoadedIsNotRun) {
  Rig rig;
  rig.store.load_answer = away;
  const auto runner = rig.runner();
  runner->post(save_and_stop(*runner, rig.journal));
  EXPECT_EQ(runner->run(), 1);
  EXPECT_EQ(rig.journal, Journal{});
}

// --- with a broker ---

// Until it is so; false after 60 s.
bool await(const std::function<bool()>& good) {
  const auto deadline = std::chrono::steady_clock::now() + seconds(60);
  while (!good()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(milliseconds(1));
  }
  return true;
}

// A runner on a thread of its own, over a real broker.
struct Live : Rig {
  support::Broker broker;
  std::unique_ptr<Runner> runner;
  std::thread thread;

  void begin() {
    broker.begin();
    runner = std::make_unique<Runner>(service, store, config("runner-test"), limits);
    thread = std::thread([this] { EXPECT_EQ(runner->run(), 0); });
  }
  [[nodiscard]] bus::MqttConfig config(const std::string& name) const {
    bus::MqttConfig out;
    out.url = broker.url();
    out.client_id = name;
    return out;
  }
  void end() {
    runner->stop();
    thread.join();
  }
};

TEST(RunnerTest, ABatchIsBoundedByTheBytesOfItsMessages) {
  Live live;
  live.limits.batch_bytes_max = 1000;
  live.service.topics = {{"t/#", 1}};
  std::atomic<int> got = 0;
  live.service.on_message = [&](auto&&...) { ++got; };
  live.begin();
  ASSERT_TRUE(await([&] { return live.runner->ready(); }));
  // The loop stands still until all of them wait.
  live.runner->post([&](Time, Output&) {
    const auto from = live.runner->bus_stats().received;
    bus::MqttBus other(live.config("other"), {.message = {}, .connected = [] {}, .disconnected = [](auto&&) {}});
    other.start();
    for (const std::size_t size : {300, 300, 300, 300, 300, 5000, 300})
      (void)other.publish({.topic = "t/x", .payload = std::string(size, 'x')});
    EXPECT_TRUE(await([&] { return live.runner->bus_stats().received == from + 7; }));
  });
  EXPECT_TRUE(await([&] { return got == 7; }));
  live.end();
  EXPECT_EQ(live.service.fetched, (std::vector<std::size_t>{3, 2, 1, 1}))
      << "within the bound, and what is larger than it alone";
}

TEST(RunnerTest, WhoCannotAskItsStoreIsNotReady) {
  Live live;
  live.store.is_contested = true;
  live.limits.look_each = milliseconds(1);
  std::atomic<bool> stands_still = false;
  live.store.on_check = [&]() -> Result<void> {
    EXPECT_TRUE(await([&] { return !stands_still; }));
    return {};
  };
  live.begin();
  EXPECT_TRUE(await([&] { return live.runner->ready(); }));
  stands_still = true;
  EXPECT_TRUE(await([&] { return !live.runner->ready(); }));
  EXPECT_TRUE(live.runner->healthy()) << "and need not be restarted";
  stands_still = false;
  EXPECT_TRUE(await([&] { return live.runner->ready(); })) << "when it answers again";
  live.end();
}

}  // namespace
}  // namespace fieldwork::runtime
