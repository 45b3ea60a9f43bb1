// links: scheduler_core GTest::gtest_main
// Where a command failed of late, it is placed later.
#include "scheduler/core/fleet/failures.hpp"

#include "scheduler/limits.hpp"
#include "support/scheduler_world.hpp"

namespace fieldwork::scheduler {
namespace {

const DeviceId a("a"), b("b");

TEST(Failures, EachTryCountsLessWithEachOneAfterIt) {
  Failures some;
  some.add(1, a, false);
  EXPECT_EQ(some.size(), 0U) << "a success says nothing without a failure";
  some.add(1, a, true);
  EXPECT_DOUBLE_EQ(some.failing(1, a), failure_step);
  some.add(1, a, true);
  EXPECT_DOUBLE_EQ(some.failing(1, a), failure_step + (1 - failure_step) * failure_step);
  EXPECT_EQ(some.failing(1, b), 0);
  EXPECT_EQ(some.failing(2, a), 0);
  int good = 0;
  for (; some.failing(1, a) > 0 && good < 100; ++good) some.add(1, a, false);
  EXPECT_EQ(good, 5);
  EXPECT_EQ(some.size(), 0U);
  some.add(0, a, true);
  EXPECT_EQ(some.size(), 0U) << "of no command";
}

TEST(Failures, AreBounded) {
  Failures some;
  some.add(1, a, true);
  some.add(1, a, true);
  for (std::size_t i = 0; i < devices_failing_max + 5; ++i) some.add(1, DeviceId("d" + std::to_string(i)), true);
  EXPECT_GT(some.failing(1, a), failure_step) << "the least gives way";
  EXPECT_GT(some.failing(1, DeviceId("d" + std::to_string(devices_failing_max + 4))), 0) << "the newest stays";
  const auto saved = some.changed(9);
  ASSERT_EQ(saved.size(), 1U);
  EXPECT_EQ(saved[0].failing.size(), devices_failing_max);
  for (std::uint64_t work = 2; work <= works_failing_max + 1; ++work) some.add(work, b, true);
  EXPECT_EQ(some.size(), works_failing_max);
  EXPECT_EQ(some.failing(1, a), 0) << "what failed longest ago is forgotten";
}

TEST(Failures, AreSavedAndReadAgain) {
  Failures some;
  some.add(1, a, true);
  some.add(2, b, true);
  auto saved = some.changed(99);
  EXPECT_EQ(saved.size(), 2U);
  EXPECT_TRUE(some.changed(99).empty());
  some.forget(b);
  const auto gone = some.changed(99);
  ASSERT_EQ(gone.size(), 1U);
  EXPECT_TRUE(gone[0].remove);
  saved.push_back({"3", {{a, 0.0}, {b, 7.0}}});  // nothing that this could have written
  Failures again(saved);
  EXPECT_DOUBLE_EQ(again.failing(1, a), failure_step);
  EXPECT_EQ(again.failing(3, b), 0);
  const auto bad = again.changed(99);
  ASSERT_EQ(bad.size(), 1U);
  EXPECT_EQ(bad[0].work, "3");
  EXPECT_TRUE(bad[0].remove);
}

JobSpec doing(const char* what) {
  JobSpec spec{.command = {what}};
  spec.retry.attempts_max = 1;
  return spec;
}

// Both devices are alike, and the first by id is taken. The failure counts for others of the command, also after a
// restart, and is said with the decision.
TEST(Failures, ACommandGoesElsewhereAfterAFailure) {
  World world({ready("a"), ready("b")});
  world.run("first", doing("x"));
  ASSERT_EQ(world.attempt("first").device, a);
  world.report("a", world.attempt("first").key, AttemptState::failed);
  world.run("other", doing("y"));
  EXPECT_EQ(world.attempt("other").device, a) << "another command";
  world.report("a", world.attempt("other").key, AttemptState::succeeded);
  world.restart({ready("a"), ready("b")});
  world.run("second", doing("x"));
  EXPECT_EQ(world.attempt("second").device, b);
  const auto& candidates = world.attempt("second").placement->candidates;
  const auto& behind = candidates.at(1);
  EXPECT_EQ(behind.device, a);
  EXPECT_DOUBLE_EQ(behind.history, -Weights{}.history * failure_step);
}

}  // namespace
}  // namespace fieldwork::scheduler
