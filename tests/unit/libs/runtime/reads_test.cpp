// links: runtime store GTest::gtest_main
// Questions beside the engine: in turn among their askers, bounded, and none is answered after the end.
#include <gtest/gtest.h>

#include <future>

#include "runtime/reads.hpp"
#include "store/memory.hpp"

namespace fieldwork::runtime {
namespace {

// Runs what the reads give back on their own thread: the test has no engine.
struct Desk {
  std::promise<void> gate;
  std::shared_future<void> open = gate.get_future().share();
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::string> answered;
  Reads reads{std::make_unique<store::MemoryStore>(), [](const Task& task) {
                Output out;
                task(Time{}, out);
              }};

  bool ask(const std::string& asker, const std::string& name) {
    return reads.ask(asker, [this, name](store::Reader&) -> Task {
      open.wait();
      return [this, name](Time, Output&) {
        std::lock_guard lock(mutex);
        answered.push_back(name);
        changed.notify_all();
      };
    });
  }
  std::vector<std::string> after(std::size_t count) {
    std::unique_lock lock(mutex);
    EXPECT_TRUE(changed.wait_for(lock, seconds(60), [&] { return answered.size() >= count; }));
    return answered;
  }
};

TEST(ReadsTest, AskersAreServedInTurnAndEachIsBounded) {
  Desk desk;
  ASSERT_TRUE(desk.ask("a", "first"));  // the thread is at it, or soon will be
  std::size_t taken = 0;
  while (desk.ask("a", "a" + std::to_string(taken))) ++taken;
  EXPECT_GE(taken, Reads::asker_max - 1);
  EXPECT_LE(taken, Reads::asker_max);
  EXPECT_TRUE(desk.ask("b", "b")) << "one that asks too much is in nobody's way";
  EXPECT_TRUE(desk.ask("c", "c"));
  desk.gate.set_value();
  const auto answered = desk.after(1 + taken + 2);
  ASSERT_EQ(answered.size(), 1 + taken + 2);
  const auto place = [&](const std::string& name) {
    return std::find(answered.begin(), answered.end(), name) - answered.begin();
  };
  EXPECT_LE(place("b"), 3);
  EXPECT_LE(place("c"), 4);
  EXPECT_EQ(answered.front(), "first");
}

TEST(ReadsTest, AllTogetherAreBounded) {
  Desk desk;
  std::size_t taken = 0;
  for (int asker = 0; asker < 1000; ++asker) taken += desk.ask(std::to_string(asker), "x") ? 1 : 0;
  EXPECT_GE(taken, Reads::waiting_max);
  EXPECT_LE(taken, Reads::waiting_max + 1);  // and the one that it is at
  desk.gate.set_value();
}

TEST(ReadsTest, AfterTheEndNothingIsTaken) {
  Desk desk;
  desk.gate.set_value();
  desk.reads.stop();
  EXPECT_FALSE(desk.ask("a", "late"));
  EXPECT_TRUE(desk.answered.empty());
}

}  // namespace
}  // namespace fieldwork::runtime
