// links: scheduler_core GTest::gtest_main
// Properties of plans over small random fleets and queues (support/plan_rules.hpp), and the order by fair shares.
// Large fleets are in plan_large_test.cpp.
#include "scheduler/core/plan/plan.hpp"

#include <gtest/gtest.h>

#include <cstdio>

#include "support/plan_rules.hpp"

namespace fieldwork::scheduler {
namespace {

constexpr auto small = PlanWorld::Size::small;
constexpr unsigned seeds = 100'000;

// One world and one plan for all properties: to make them takes most of the time.
TEST(PlanProperty, HoldsInASmallFleet) {
  rules::Tally tally;
  for (unsigned seed = 1; seed <= seeds; ++seed) {
    PlanWorld world(small, seed);
    const auto made = world.plan();
    const PlanWorld turned(small, seed, {.devices = true, .jobs = true});
    ASSERT_EQ(rules::same(world, made, turned, turned.plan()), "") << "seed " << seed;
    ASSERT_EQ(rules::hold(world, made, small, tally), "") << "seed " << seed;
  }
  std::printf("%zu executions placed, %zu lanes asleep, %zu preemptions\n", tally.placed, tally.asleep,
              tally.preempted);
  EXPECT_GT(tally.placed, seeds);
  EXPECT_GT(tally.asleep, seeds / 10);
  EXPECT_GT(tally.preempted, seeds / 100);
}

// Two submitters who want the same get the same, however many jobs one of them brings and however early.
TEST(Plan, SubmittersShareWhatThereIs) {
  PlanWorld world;
  for (int i = 0; i < 10; ++i) world.device("d" + std::to_string(i), {4000, 4000, 4000});
  for (int i = 0; i < 300; ++i) world.job("many", {.cpu_millis = 1000}, 5);
  for (int i = 0; i < 30; ++i) world.job("few", {.cpu_millis = 1000}, 5);
  EXPECT_EQ(world.placed_by_submitter(), (std::map<std::string, int>{{"few", 20}, {"many", 20}}));
}

// By the dominant share: who wants much memory and who wants much processor get as much of what each wants most.
TEST(Plan, TheDominantShareCounts) {
  PlanWorld world;
  world.device("d", {9000, 18'000, 0});
  for (int i = 0; i < 20; ++i) world.job("memory", {.cpu_millis = 1000, .memory_bytes = 4000}, 5);
  for (int i = 0; i < 20; ++i) world.job("cpu", {.cpu_millis = 3000, .memory_bytes = 1000}, 5);
  // The example of section 4 of the paper.
  EXPECT_EQ(world.placed_by_submitter(), (std::map<std::string, int>{{"cpu", 2}, {"memory", 3}}));
}

TEST(Plan, AHigherLevelComesFirstWhateverTheShares) {
  PlanWorld world;
  world.device("d", {2000, 4000, 0});
  world.job("new", {.cpu_millis = 1000}, 5);
  for (int i = 0; i < 3; ++i) world.job("rich", {.cpu_millis = 1000}, 6);
  EXPECT_EQ(world.placed_by_submitter(), (std::map<std::string, int>{{"rich", 2}}));
}

}  // namespace
}  // namespace fieldwork::scheduler
