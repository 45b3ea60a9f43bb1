// links: scheduler_core GTest::gtest_main
// The properties of plan_test.cpp in fleets of which a plan rates a selection (docs/decisions/0019).
#include "scheduler/core/plan/plan.hpp"

#include <gtest/gtest.h>

#include <cstdio>

#include "support/plan_rules.hpp"

namespace fieldwork::scheduler {
namespace {

constexpr auto large = PlanWorld::Size::large;
constexpr unsigned seeds = 300;

TEST(PlanProperty, HoldsInALargeFleet) {
  rules::Tally tally;
  for (unsigned seed = 1; seed <= seeds; ++seed) {
    PlanWorld world(large, seed);
    const auto made = world.plan();
    ASSERT_EQ(rules::hold(world, made, large, tally), "") << "seed " << seed;
  }
  std::printf("%zu executions placed, %zu lanes asleep, %zu preemptions\n", tally.placed, tally.asleep,
              tally.preempted);
  EXPECT_GT(tally.placed, seeds * 50);
  EXPECT_GT(tally.asleep, seeds);
  EXPECT_GT(tally.preempted, seeds / 10);
}

// Chance draws devices by their numbers, which follow from the order in which they became known: that may change the
// plan, unless all devices are rated.
TEST(PlanProperty, TheSameLargeWorldGivesTheSamePlan) {
  for (unsigned seed = 1; seed <= seeds; ++seed) {
    PlanWorld one(large, seed);
    const PlanWorld jobs(large, seed, {.jobs = true});
    ASSERT_EQ(rules::same(one, one.plan(), jobs, jobs.plan()), "") << "seed " << seed;
    if (seed % 20 > 0) continue;  // all of a large fleet takes its time
    PlanWorld all(large, seed, {.devices = true, .jobs = true});
    one.limits.exact = all.limits.exact = true;
    ASSERT_EQ(rules::same(one, one.plan(), all, all.plan()), "") << "seed " << seed;
  }
}

}  // namespace
}  // namespace fieldwork::scheduler
