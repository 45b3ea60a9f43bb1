// links: scheduler_core GTest::gtest_main
// When the device of an attempt that silence ended comes back with it (docs/decisions/0024).
#include <gtest/gtest.h>

#include "support/scheduler_world.hpp"

namespace fieldwork::scheduler {
namespace {

// A job on `a` that was lost there and runs on `b` as its second try.
struct Replaced : World {
  explicit Replaced(Reconcile reconcile, bool replaced = true, std::optional<double> done = {})
      : World({ready("a"), ready("b")}) {
    JobSpec spec;
    spec.offline.lost_after_s = 30;
    spec.offline.reconcile = reconcile;
    run("j", std::move(spec));
    first = attempt("j").key;
    lost_on = attempt("j").device.value;
    other = lost_on == "a" ? "b" : "a";
    report(lost_on, first, AttemptState::running);
    if (done) step(ProgressArrived{dev(lost_on), {{first, {.fraction = done}}}, now});
    step(DeviceSeen{in_presence(ready(lost_on), Presence::lost)});
    until_asked(other);
    if (!replaced) return;
    EXPECT_EQ(allow_all().size(), 1U);
    second = attempt("j").key;
    EXPECT_EQ(attempt("j").device, dev(other));
    report(other, second, AttemptState::running);
  }
  // The device `heard` stays in contact until a question is asked.
  void until_asked(const std::string& heard) {
    for (int i = 0; i < 100; ++i) {
      heartbeat(heard, {});
      pass(seconds(1));
      if (!said.questions.empty()) return;
    }
    FAIL() << "nothing is asked";
  }
  // It is back, and lists what it has.
  const Output& comes_back() {
    step(DeviceSeen{ready(lost_on)});
    return heartbeat(lost_on, {first});
  }
  [[nodiscard]] std::vector<AttemptKey> cancelled() const {
    std::vector<AttemptKey> out;
    for (const auto& one : commands<Cancel>()) out.push_back(std::get<Cancel>(one.command).key);
    return out;
  }

  AttemptKey first, second;
  std::string lost_on, other;
};

TEST(Reconcile, ByDefaultTheReplacementStays) {
  Replaced world(Reconcile::keep_replacement);
  world.comes_back();
  ASSERT_EQ(world.said.stale.size(), 1U);
  EXPECT_EQ(world.said.stale[0].stale.key, world.first);
  EXPECT_TRUE(world.cancelled().empty());
  EXPECT_EQ(world.attempt("j").key, world.second);
}

TEST(Reconcile, TheOriginalStaysUnderANewFence) {
  Replaced world(Reconcile::keep_original);
  world.comes_back();
  EXPECT_TRUE(world.said.stale.empty());
  EXPECT_EQ(world.cancelled(), std::vector{world.second});
  EXPECT_EQ(world.rows.attempts().at(world.second).state, AttemptState::cancelled);
  ASSERT_EQ(world.said.moved.size(), 1U);
  const auto& told = world.said.moved[0];
  EXPECT_EQ(told.what, Moved::What::reconciled);
  EXPECT_EQ(told.from, dev(world.other));
  EXPECT_EQ(told.to, dev(world.lost_on));
  EXPECT_TRUE(told.original);
  const auto asked = world.question();
  EXPECT_EQ(asked.device, dev(world.lost_on));
  EXPECT_GT(asked.key.fence, world.second.fence);
  world.heartbeat(world.lost_on, {world.first});
  EXPECT_TRUE(world.said.stale.empty()) << "it is being asked whether the device may";
  world.step(World::allow(asked));
  const auto assigned = world.commands<Assign>();
  ASSERT_EQ(assigned.size(), 1U);
  EXPECT_EQ(std::get<Assign>(assigned[0].command).attempt, 1) << "the device goes on with a try of this number";
  world.heartbeat(world.lost_on, {world.first});
  EXPECT_TRUE(world.said.stale.empty()) << "the new assignment is on its way";
  world.report(world.lost_on, asked.key, AttemptState::running);
  world.report(world.lost_on, asked.key, AttemptState::succeeded);
  EXPECT_EQ(world.state("j"), JobState::succeeded);
  EXPECT_FALSE(world.job("j").executions.empty() && world.rows.job("j").state != JobState::succeeded);
}

TEST(Reconcile, WhatTheCancelledReplacementSaysLaterChangesNothing) {
  Replaced world(Reconcile::keep_original);
  world.comes_back();
  const auto asked = world.question();
  world.report(world.other, world.second, AttemptState::succeeded);
  EXPECT_EQ(world.state("j"), JobState::queued);
  world.step(World::allow(asked));
  world.report(world.lost_on, asked.key, AttemptState::running);
  world.report(world.lost_on, asked.key, AttemptState::succeeded);
  EXPECT_EQ(world.state("j"), JobState::succeeded);
}

TEST(Reconcile, AnOriginalThatIsDoneIsTheResult) {
  Replaced world(Reconcile::keep_original);
  AttemptReport done{.key = world.first, .state = AttemptState::succeeded};
  done.result = RunResult{.stdout_text = "of the original\n"};
  world.step(DeviceSeen{ready(world.lost_on)});
  world.report(world.lost_on, done);
  EXPECT_EQ(world.state("j"), JobState::succeeded);
  EXPECT_EQ(world.cancelled(), std::vector{world.second});
  EXPECT_EQ(world.rows.attempts().at(world.second).state, AttemptState::cancelled);
  const auto& kept = world.rows.attempts().at(world.first);
  EXPECT_EQ(kept.state, AttemptState::succeeded);
  ASSERT_TRUE(kept.result);
  EXPECT_EQ(kept.result->stdout_text, "of the original\n");
  world.report(world.other, world.second, AttemptState::cancelled);
  EXPECT_EQ(world.view(world.other).used, Use{});
  EXPECT_EQ(world.view(world.lost_on).used, Use{});
}

TEST(Reconcile, AnOriginalThatFailedIsNoReasonToStopTheReplacement) {
  Replaced world(Reconcile::keep_original);
  world.step(DeviceSeen{ready(world.lost_on)});
  world.report(world.lost_on, world.first, AttemptState::failed, "exit code 1");
  EXPECT_TRUE(world.cancelled().empty());
  EXPECT_EQ(world.attempt("j").key, world.second);
  EXPECT_EQ(world.execution("j").failures, 0);
  world.heartbeat(world.lost_on, {world.first});
  EXPECT_EQ(world.said.stale.size(), 1U) << "it said that it has ended";
}

TEST(Reconcile, WithoutAReplacementTheOriginalGoesOn) {
  for (const auto policy : {Reconcile::keep_original, Reconcile::best_score}) {
    World world({ready("a")});
    JobSpec spec;
    spec.offline.lost_after_s = 30;
    spec.offline.reconcile = policy;
    world.run("j", std::move(spec));
    world.report("a", key("j"), AttemptState::running);
    world.step(DeviceSeen{in_presence(ready("a"), Presence::lost)});
    world.live_through(seconds(60));
    ASSERT_EQ(world.execution("j").state, ExecutionState::queued);
    world.step(DeviceSeen{ready("a")});
    world.heartbeat("a", {key("j")});
    EXPECT_TRUE(world.said.stale.empty());
    const auto assigned = world.allow_all();
    ASSERT_EQ(assigned.size(), 1U);
    EXPECT_EQ(std::get<Assign>(assigned[0].command).attempt, 1);
  }
}

TEST(Reconcile, TheBetterOneStaysByWhatIsDone) {
  const struct {
    double original, replacement;
    bool original_stays;
  } cases[] = {{0.9, 0.1, true}, {0.1, 0.9, false}};
  for (const auto& one : cases) {
    Replaced world(Reconcile::best_score, true, one.original);
    world.step(ProgressArrived{dev(world.other), {{world.second, {.fraction = one.replacement}}}, world.now});
    world.comes_back();
    EXPECT_EQ(world.said.stale.empty(), one.original_stays);
    ASSERT_EQ(world.said.moved.size(), 1U);
    EXPECT_EQ(world.said.moved[0].original, one.original_stays);
    EXPECT_EQ(world.commands<Cancel>().size(), one.original_stays ? 1U : 0U);
    world.heartbeat(world.lost_on, {world.first});
    EXPECT_TRUE(world.said.moved.empty()) << "it is decided once";
  }
}

TEST(Reconcile, ARestartForgetsNeitherTheOriginalNorTheDecision) {
  Replaced world(Reconcile::keep_original);
  world.restart({ready("a"), ready("b")});
  world.heartbeat(world.other, {world.second});
  world.heartbeat(world.lost_on, {world.first});
  EXPECT_TRUE(world.said.stale.empty());
  EXPECT_EQ(world.cancelled(), std::vector{world.second});
  world.restart({ready("a"), ready("b")});
  world.heartbeat(world.lost_on, {world.first});
  EXPECT_TRUE(world.said.stale.empty()) << "the original is remembered until its new attempt is assigned";
  ASSERT_EQ(world.allow_all().size(), 1U);
  EXPECT_EQ(world.attempt("j").device, dev(world.lost_on));
}

TEST(Reconcile, OfARemovedOrRefusedDeviceNothingStays) {
  Replaced world(Reconcile::keep_original);
  world.step(DeviceSeen{in_lifecycle(ready(world.lost_on), Lifecycle::refused)});
  world.heartbeat(world.lost_on, {world.first});
  EXPECT_EQ(world.said.stale.size(), 1U);
  EXPECT_TRUE(world.cancelled().empty());
}

// The heartbeat may come before the registry's word: nothing is given up before.
TEST(Reconcile, NothingIsDecidedBeforeTheDeviceIsReady) {
  Replaced world(Reconcile::keep_original);
  world.heartbeat(world.lost_on, {world.first});
  EXPECT_TRUE(world.said.stale.empty());
  EXPECT_TRUE(world.cancelled().empty());
  EXPECT_EQ(world.attempt("j").key, world.second);
  world.comes_back();
  EXPECT_EQ(world.cancelled(), std::vector{world.second});
}

TEST(Reconcile, ADeviceThatTakesNoWorkDoesNotGetItBack) {
  Replaced world(Reconcile::keep_original);
  world.step(DeviceSeen{in_lifecycle(ready(world.lost_on), Lifecycle::draining)});
  world.heartbeat(world.lost_on, {world.first});
  EXPECT_EQ(world.said.stale.size(), 1U);
  EXPECT_TRUE(world.cancelled().empty());
  EXPECT_EQ(world.attempt("j").key, world.second);
}

// While its room is another's nothing is given up for it.
TEST(Reconcile, ADeviceWithoutRoomDoesNotGetItBackYet) {
  Replaced world(Reconcile::keep_original);
  world.step(DeviceSeen{in_presence(ready(world.lost_on), Presence::suspect)});
  world.heartbeat(world.lost_on, {world.first});
  EXPECT_TRUE(world.said.stale.empty());
  EXPECT_TRUE(world.cancelled().empty());
  EXPECT_EQ(world.attempt("j").key, world.second);
}

TEST(Reconcile, AfterADenialTheDeviceIsToldToStop) {
  Replaced world(Reconcile::keep_original);
  world.comes_back();
  world.step(World::deny(world.question(), true));
  world.heartbeat(world.lost_on, {world.first});
  EXPECT_EQ(world.said.stale.size(), 1U);
}

// The device with the cancelled replacement must not take the next try for that.
TEST(Reconcile, TriesThatFollowHaveNumbersOfTheirOwn) {
  Replaced world(Reconcile::keep_original);
  world.comes_back();
  ASSERT_EQ(world.allow_all().size(), 1U);
  const auto third = world.attempt("j").key;
  EXPECT_EQ(world.execution("j").losses, 0) << "it was away, and is not lost";
  world.report(world.lost_on, third, AttemptState::running);
  world.report(world.lost_on, third, AttemptState::failed, "exit code 1");
  world.pass(seconds(1));
  const auto assigned = world.allow_all();
  ASSERT_EQ(assigned.size(), 1U);
  EXPECT_EQ(assigned[0].device, dev(world.other));
  EXPECT_EQ(std::get<Assign>(assigned[0].command).attempt, 3);
}

TEST(Reconcile, AResultThatComesWhileItIsAskedIsTaken) {
  Replaced world(Reconcile::keep_original);
  world.comes_back();
  world.report(world.lost_on, world.first, AttemptState::succeeded);
  EXPECT_EQ(world.state("j"), JobState::succeeded);
  EXPECT_EQ(world.view(world.lost_on).used, Use{});
  world.report(world.other, world.second, AttemptState::cancelled);
  EXPECT_EQ(world.view(world.other).used, Use{});
  world.run("k");
  EXPECT_EQ(world.view("a").used.attempts + world.view("b").used.attempts, 1) << "no room was given back twice";
}

TEST(Reconcile, PartsUnderTheOldFenceAreKeptUntilTheDeviceSpeaksUnderTheNewOne) {
  Replaced world(Reconcile::keep_original);
  world.comes_back();
  ASSERT_EQ(world.allow_all().size(), 1U);
  AttemptReport part{.key = world.first, .state = AttemptState::running};
  part.part = ResultPart{"stdout", 0, "text"};
  world.report(world.lost_on, part);
  EXPECT_EQ(world.said.parts.size(), 1U);
  EXPECT_TRUE(world.said.stale.empty());
  world.report(world.lost_on, world.attempt("j").key, AttemptState::running);
  world.report(world.lost_on, world.first, AttemptState::running);
  EXPECT_EQ(world.said.stale.size(), 1U);
}

TEST(Reconcile, TheMoveIsTold) {
  Replaced world(Reconcile::keep_replacement, false);
  world.allow_all();
  ASSERT_EQ(world.said.moved.size(), 1U);
  EXPECT_EQ(world.said.moved[0].what, Moved::What::moved);
  EXPECT_EQ(world.said.moved[0].from, dev(world.lost_on));
  EXPECT_EQ(world.said.moved[0].to, dev(world.other));
  EXPECT_EQ(world.said.moved[0].reason, "nothing was heard of it for 30 s");
}

// --- progress -------------------------------------------------------------------------------------------------------

TEST(ProgressTold, OfTheLiveAttemptOnly) {
  World world({ready("a"), ready("b")});
  world.run("j");
  const auto is = world.attempt("j").key;
  const auto there = world.attempt("j").device.value;
  const std::string other = there == "a" ? "b" : "a";
  world.report(there, is, AttemptState::running);
  world.pass(seconds(1));
  world.step(ProgressArrived{dev(other), {{is, {.fraction = 0.5}}}, world.now});
  world.step(ProgressArrived{dev(there), {{key("j", is.fence + 1), {.fraction = 0.5}}}, world.now});
  EXPECT_TRUE(world.said.execution_states.empty());
  EXPECT_FALSE(world.attempt("j").progress);
  world.step(ProgressArrived{dev(there), {{is, {.fraction = 0.5}}}, world.now});
  ASSERT_EQ(world.said.execution_states.size(), 1U);
  EXPECT_EQ(world.said.execution_states[0].execution.attempt->progress->fraction, 0.5);
  EXPECT_TRUE(world.said.attempts.empty()) << "it is not saved by itself";
  world.step(ProgressArrived{dev(there), {{is, {.fraction = 0.5}}}, world.now});
  EXPECT_TRUE(world.said.execution_states.empty()) << "nothing is new";
}

TEST(ProgressTold, OfManySomeInEachTurnAndAllInTheEnd) {
  World world({ready("a", {}, 1'000'000)}, {.attempts_per_device_max = 512});
  std::vector<std::pair<AttemptKey, RunProgress>> items;
  constexpr std::size_t many = 250;
  for (std::size_t i = 0; i < many; ++i) {
    world.run("j" + std::to_string(i));
    const auto is = world.attempt("j" + std::to_string(i)).key;
    world.report("a", is, AttemptState::running);
    items.emplace_back(is, RunProgress{.fraction = 0.25});
  }
  world.pass(seconds(1));
  std::set<JobId> told;
  world.step(ProgressArrived{dev("a"), items, world.now});
  for (int turn = 0; turn < 10; ++turn) {
    EXPECT_LE(world.said.execution_states.size(), 100U);
    for (const auto& one : world.said.execution_states) told.insert(one.job);
    world.pass(milliseconds(200));
  }
  EXPECT_EQ(told.size(), many);
}

TEST(ProgressTold, IsContact) {
  World world({ready("a")});
  world.run("j");
  world.report("a", key("j"), AttemptState::running);
  world.pass(seconds(50));
  world.step(ProgressArrived{dev("a"), {{key("j"), {.fraction = 0.5}}}, world.now});
  world.pass(seconds(50));
  EXPECT_EQ(world.execution("j").state, ExecutionState::running);
}

// --- versions -------------------------------------------------------------------------------------------------------

TEST(Versions, OfAnotherVersionNothingIsCancelled) {
  World world({ready("a")});
  world.run("j");
  const auto seen = world.job("j").changed_ms;
  world.report("a", key("j"), AttemptState::running);
  EXPECT_GT(world.job("j").changed_ms, seen) << "within the same millisecond, too";
  world.step(CancelRequested{7, JobId("j"), seen});
  EXPECT_EQ(world.error().code, Code::conflict);
  EXPECT_NE(world.error().reason.find("it is running"), std::string::npos);
  EXPECT_EQ(world.state("j"), JobState::running);
  world.step(CancelRequested{8, JobId("j"), world.job("j").changed_ms});
  EXPECT_EQ(world.state("j"), JobState::cancelled);
}

}  // namespace
}  // namespace fieldwork::scheduler
