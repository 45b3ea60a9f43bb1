// links: scheduler_core GTest::gtest_main
// Jobs that devices join later, and work that is on its device before its time.
#include <gtest/gtest.h>

#include "support/scheduler_world.hpp"

namespace fieldwork::scheduler {
namespace {

JobSpec for_zone(const std::string& zone) {
  JobSpec spec;
  spec.targets = Targets{.expression = "label.zone == " + zone, .continuous = true};
  return spec;
}

TEST(Continuous, WithoutADeviceItWaitsAndItsClientIsAnswered) {
  World world({ready("a")});
  world.submit("j", for_zone("north"));
  EXPECT_EQ(world.answer().state, "submitted");
  EXPECT_EQ(world.answer().reason, "waits for devices that are its targets");
  EXPECT_TRUE(world.said.questions.empty());
  world.step(DeviceSeen{ready("b", {{"zone", "north"}})});
  const auto assigned = world.allow_all();
  ASSERT_EQ(assigned.size(), 1U);
  EXPECT_EQ(assigned[0].device, dev("b"));
  EXPECT_EQ(world.job("j").reason, "");
}

TEST(Continuous, WhoMatchesLaterJoinsOnce) {
  World world({ready("a", {{"zone", "north"}})});
  world.run("j", for_zone("north"));
  world.report("a", world.attempt("j").key, AttemptState::succeeded);
  EXPECT_EQ(world.state("j"), JobState::queued) << "more may come";
  EXPECT_EQ(world.job("j").reason, "waits for devices that are its targets");
  world.step(DeviceSeen{ready("b")});
  EXPECT_EQ(world.job("j").executions.size(), 1U);
  world.step(DeviceSeen{ready("b", {{"zone", "north"}})});
  EXPECT_EQ(world.allow_all().size(), 1U);
  EXPECT_EQ(world.execution("j", 1).target, dev("b"));
  world.report("b", world.attempt("j", 1).key, AttemptState::failed);
  world.step(DeviceSeen{ready("b")});
  world.step(DeviceSeen{ready("b", {{"zone", "north"}})});
  world.step(DeviceSeen{ready("a", {{"zone", "north"}})});
  EXPECT_EQ(world.job("j").executions.size(), 2U);
}

TEST(Continuous, GoesOnAfterARestart) {
  World world({ready("a", {{"zone", "north"}})});
  world.run("j", for_zone("north"));
  world.report("a", world.attempt("j").key, AttemptState::succeeded);
  world.step(DeviceSeen{ready("b", {{"zone", "north"}})});
  world.allow_all();
  world.restart({ready("a", {{"zone", "north"}}), ready("b", {{"zone", "north"}})});
  EXPECT_EQ(world.job("j").executions.size(), 2U);
  EXPECT_TRUE(world.said.questions.empty());
  world.step(DeviceSeen{ready("c", {{"zone", "north"}})});
  EXPECT_EQ(world.allow_all().size(), 1U);
  EXPECT_EQ(world.execution("j", 2).target, dev("c"));
}

TEST(Continuous, WithoutADeviceARestartMakesNoneUp) {
  World world({ready("a")});
  world.submit("j", for_zone("north"));
  world.restart({ready("a")});
  EXPECT_TRUE(world.job("j").executions.empty());
  world.pass(seconds(1));
  EXPECT_TRUE(world.said.questions.empty());
  world.step(World::submission("j", for_zone("north"), 9));
  EXPECT_EQ(world.answer().state, "submitted") << "a repeat is answered, too";
  world.step(DeviceSeen{ready("b", {{"zone", "north"}})});
  EXPECT_EQ(world.allow_all().size(), 1U);
}

TEST(Continuous, EndsAtItsDeadlineByItsRule) {
  const struct {
    AttemptState ended;
    JobState state;
  } cases[] = {{AttemptState::succeeded, JobState::succeeded}, {AttemptState::running, JobState::expired}};
  for (const auto& one : cases) {
    World world({ready("a", {{"zone", "north"}})});
    auto spec = for_zone("north");
    spec.deadline_s = 60;
    world.run("j", std::move(spec));
    world.report("a", world.attempt("j").key, one.ended);
    world.pass(seconds(61));
    EXPECT_EQ(world.state("j"), one.state);
    world.step(DeviceSeen{ready("b", {{"zone", "north"}})});
    EXPECT_TRUE(world.said.questions.empty()) << "it is over";
  }
}

TEST(Continuous, CanBeCancelled) {
  World world({ready("a", {{"zone", "north"}})});
  world.run("j", for_zone("north"));
  world.report("a", world.attempt("j").key, AttemptState::succeeded);
  world.step(CancelRequested{7, JobId("j")});
  EXPECT_EQ(world.state("j"), JobState::cancelled);
  world.step(DeviceSeen{ready("b", {{"zone", "north"}})});
  EXPECT_TRUE(world.said.questions.empty());
}

TEST(Staged, TheDeviceHasTheWorkBeforeItsTime) {
  World world({ready("a")});
  JobSpec spec;
  spec.start_at_ms = to_ms(world.now + seconds(1000));
  spec.offline.stage_s = 400;
  spec.offline.lost_after_s = 86'400;
  spec.timeouts.fetching_s = 60;
  world.submit("j", std::move(spec));
  world.allow_all();
  EXPECT_EQ(world.execution("j").state, ExecutionState::waiting);
  world.pass(seconds(599));
  EXPECT_TRUE(world.said.questions.empty());
  world.pass(seconds(1));
  const auto assigned = world.allow_all();
  ASSERT_EQ(assigned.size(), 1U);
  const auto& contract = std::get<Assign>(assigned[0].command).contract;
  EXPECT_EQ(contract.start_at_ms, to_ms(world.now + seconds(400)));
  const auto is = world.attempt("j").key;
  world.report("a", is, AttemptState::fetching, "it waits for its time");
  world.live_through(seconds(440), {{"a", {is}}});
  EXPECT_EQ(world.execution("j").state, ExecutionState::fetching) << "fetching_s counts from its time on";
  EXPECT_EQ(world.attempt("j").reason, "it waits for its time");
  world.live_through(seconds(150), {{"a", {is}}});
  EXPECT_NE(world.execution("j").state, ExecutionState::fetching) << "it should have begun long ago";
}

}  // namespace
}  // namespace fieldwork::scheduler
