// links: scheduler_core GTest::gtest_main
// From queued to assigned: security-policy's word, what devices refuse, who waits for whom.
#include <gtest/gtest.h>

#include "support/scheduler_world.hpp"

namespace fieldwork::scheduler {
namespace {

TEST(Decision, AllowOrdersWithTheGrant) {
  World world({ready("a")});
  const auto commands = world.run("j", {.command = {"run"}, .env = {{"K", "V"}}, .limits = {9, 8}, .outputs = {"o"}});
  ASSERT_EQ(commands.size(), 1U);
  EXPECT_EQ(commands[0].key, assign_key(key("j")));
  EXPECT_EQ(commands[0].device, dev("a"));
  EXPECT_EQ(commands[0].life, Duration{}) << "until it is settled";
  const Assign expected{.key = key("j"),
                        .attempt = 1,
                        .fetching_s = 3600,
                        .contract = {.lost_after_s = 300},
                        .command = {"run"},
                        .env = {{"K", "V"}},
                        .limits = {9, 8},
                        .outputs = {"o"},
                        .grant = "grant"};
  EXPECT_EQ(std::get<Assign>(commands[0].command), expected);
  ASSERT_EQ(world.said.attempts.size(), 1U);
  EXPECT_EQ(world.said.attempts[0].key, key("j"));
  EXPECT_EQ(world.answer().state, "assigned");
  EXPECT_EQ(world.state("j"), JobState::assigned);
}

TEST(Decision, DenyEndsTheJob) {
  World world({ready("a")});
  world.submit("j");
  world.step(World::deny(world.question(), false));
  EXPECT_EQ(world.state("j"), JobState::denied);
  EXPECT_EQ(world.answer().state, "denied");
  EXPECT_EQ(world.answer().reason, "rule 7");
  EXPECT_TRUE(world.commands<Assign>().empty());
  EXPECT_EQ(world.view("a").used.attempts, 0);
}

TEST(Decision, ForAnotherQuestionIsIgnored) {
  World world({ready("a"), ready("b")});
  world.submit("j");
  const auto good = World::allow(world.question());
  std::vector<std::pair<const char*, DecisionMade>> cases(5, {"", good});
  cases[0].first = "device";
  cases[0].second.decision.device = good.decision.device == dev("a") ? dev("b") : dev("a");
  cases[1].first = "no device";
  cases[1].second.decision.device = DeviceId();
  cases[2].first = "fence";
  cases[2].second.decision.key.fence = 2;
  cases[3].first = "execution";
  cases[3].second.decision.key.execution = 1;
  cases[4].first = "job";
  cases[4].second.decision.key.job = JobId("x");
  for (const auto& [name, decision] : cases) {
    world.step(decision);
    EXPECT_TRUE(silent(world.said)) << name;
  }
  world.step(good);
  EXPECT_EQ(world.commands<Assign>().size(), 1U);
  world.step(good);
  EXPECT_TRUE(silent(world.said)) << "repeat";
}

TEST(Decision, QuestionRepeatsWithGrowingGapsUntilAnswered) {
  World world({ready("a")});
  world.submit("j");
  const auto question = world.question();
  std::vector<int> asked;
  for (int s = 1; s <= 250; ++s) {
    world.pass(seconds(1));
    if (world.said.questions.empty()) continue;
    asked.push_back(s);
    EXPECT_EQ(world.question(), question);
  }
  EXPECT_EQ(asked, (std::vector<int>{2, 6, 14, 30, 62, 122, 182, 242}));
  world.step(World::allow(question));
  EXPECT_EQ(world.commands<Assign>().size(), 1U) << "however late";
}

// 30,000 jobs and nobody who answers: no storm.
TEST(Decision, OnlySoManyQuestionsAreOpen) {
  World world({ready("a", {}, 1'000'000)}, {.questions_open_max = 10});
  for (int i = 0; i < 100; ++i) world.submit("j" + std::to_string(i), {.requirements = {.cpu_millis = 1}});
  EXPECT_EQ(world.core.asking(), 10U);
  std::vector<Question> open;
  for (int s = 0; s < 2; ++s) {
    world.pass(seconds(1));
    open.insert(open.end(), world.said.questions.begin(), world.said.questions.end());
  }
  ASSERT_EQ(open.size(), 10U) << "the same ten again";
  std::set<JobId> assigned;
  while (!open.empty()) {
    world.step(World::allow(open.back()));
    open.pop_back();
    for (const auto& one : world.commands<Assign>()) assigned.insert(std::get<Assign>(one.command).key.job);
    open.insert(open.end(), world.said.questions.begin(), world.said.questions.end());
    EXPECT_LE(world.core.asking(), 10U);
  }
  EXPECT_EQ(assigned.size(), 100U);
}

// --- policy about a device ----------------------------------------------------------------------------------------

TEST(Policy, DenyAboutTheDeviceExcludesIt) {
  World world({ready("a"), ready("b")});
  world.submit("j");
  const auto first = world.question().device;
  world.step(World::deny(world.question(), true));
  EXPECT_EQ(world.state("j"), JobState::submitted);
  EXPECT_TRUE(world.said.answers.empty());
  EXPECT_NE(world.question().device, first);
  EXPECT_EQ(world.question().key, key("j")) << "no attempt was made: the fence is the same";
  ASSERT_EQ(world.allow_all().size(), 1U);
  EXPECT_NE(world.attempt("j").device, first);
  const auto why = world.core.explain(world.job("j"), world.execution("j"), world.now);
  const auto it =
      std::find_if(why.filtered.begin(), why.filtered.end(), [&](const auto& one) { return one.device == first; });
  ASSERT_NE(it, why.filtered.end());
  EXPECT_EQ(it->requirement, "policy");
  EXPECT_EQ(it->reason, "rule 7");
}

// Revoking one device while it is asked about denies nobody's job.
TEST(Policy, DenyOnEveryDeviceDeniesTheJob) {
  World world({ready("a"), ready("b")});
  world.submit("j");
  world.step(World::deny(world.question(), true, "not on one"));
  world.step(World::deny(world.question(), true, "nor on the other"));
  EXPECT_TRUE(world.question().device.empty()) << "may it run anywhere?";
  world.step(World::allow(world.question()));
  EXPECT_EQ(world.answer().state, "queued") << "it may run, and";
  EXPECT_EQ(world.state("j"), JobState::denied) << "in the same batch: nowhere here";
  EXPECT_EQ(world.core.timers(), 0U);
}

TEST(Policy, DenyForOneTargetDeniesThatExecutionOnly) {
  World world({ready("a", {{"zone", "x"}}), ready("b", {{"zone", "x"}})});
  world.submit("j", {.targets = Targets{.labels = {{"zone", "x"}}}, .retry = {.attempts_max = 1}});
  ASSERT_EQ(world.question().device, dev("a"));
  world.step(World::allow(world.question()));
  ASSERT_EQ(world.question().device, dev("b"));
  world.step(World::deny(world.question(), true));
  EXPECT_EQ(world.execution("j", 1).state, ExecutionState::denied);
  EXPECT_EQ(world.execution("j", 0).state, ExecutionState::assigned);
  EXPECT_EQ(world.state("j"), JobState::assigned);
  world.report("a", key("j"), AttemptState::succeeded);
  EXPECT_EQ(world.state("j"), JobState::failed);
  EXPECT_EQ(world.job("j").reason, "rule 7");
}

TEST(Policy, DenyForTheJobEndsWhatRuns) {
  World world({ready("a"), ready("b")});
  world.submit("j", {.replicas = 2});
  world.step(World::allow(world.question()));
  const auto device = world.attempt("j").device;
  world.step(World::deny(world.question(), false));
  EXPECT_EQ(world.state("j"), JobState::denied);
  ASSERT_EQ(world.commands<Cancel>().size(), 1U);
  EXPECT_EQ(world.commands<Cancel>()[0].device, device);
}

// --- what devices refuse ------------------------------------------------------------------------------------------

TEST(Refusal, IsNotTheJobsFailureAndExcludesTheDevice) {
  World world({ready("a"), ready("b")});
  world.run("j", {.retry = {.attempts_max = 1}});
  const auto first = world.attempt("j").device;
  world.report(first.value, key("j"), AttemptState::rejected, "disk is full");
  EXPECT_EQ(world.execution("j").failures, 0);
  EXPECT_EQ(world.execution("j").losses, 0);
  EXPECT_NE(world.question().device, first) << "at once, elsewhere";
  ASSERT_EQ(world.allow_all().size(), 1U);
  const auto second = world.attempt("j").device;
  world.report(second.value, key("j", 2), AttemptState::succeeded);
  EXPECT_EQ(world.state("j"), JobState::succeeded);
}

TEST(Refusal, ByAllIsOneFailedRound) {
  World world({ready("a"), ready("b")});
  world.run("j", {.retry = {.attempts_max = 2, .backoff_s = 10}});
  std::int64_t fence = 1;
  for (int round = 1; round <= 2; ++round) {
    for (int device = 0; device < 2; ++device) {
      world.report(world.attempt("j").device.value, key("j", fence++), AttemptState::rejected, "clock is wrong");
      world.allow_all();
    }
    EXPECT_EQ(world.core.find(JobId("j"))->state, round == 1 ? JobState::queued : JobState::failed);
    if (round == 2) break;
    EXPECT_EQ(world.execution("j").state, ExecutionState::waiting);
    EXPECT_EQ(world.execution("j").rounds, 1);
    EXPECT_TRUE(world.execution("j").excluded.empty()) << "the next round asks them again";
    world.pass(seconds(10) - milliseconds(1));
    EXPECT_TRUE(world.said.questions.empty());
    world.pass(milliseconds(1));
    world.allow_all();
  }
  const auto& reason = world.job("j").reason;
  EXPECT_NE(reason.find("every device that could run it refused"), std::string::npos) << reason;
  EXPECT_NE(reason.find("clock is wrong"), std::string::npos) << reason;
}

// The other one has a replica that succeeded: it will never take this one.
TEST(Refusal, ByAllThatAreLeftIsARoundToo) {
  World world({ready("a"), ready("b")});
  world.run("j", {.replicas = 2, .retry = {.attempts_max = 3, .backoff_s = 1}});
  const auto& executions = world.core.jobs().at(JobId("j")).executions;
  const auto first = executions[0].attempt->device.value, second = executions[1].attempt->device.value;
  world.report(second, executions[1].attempt->key, AttemptState::rejected, "not here within 3600 s");
  world.report(first, executions[0].attempt->key, AttemptState::succeeded);
  world.pass(seconds(0));
  world.pass(seconds(2));
  EXPECT_EQ(world.question().device, dev(second)) << "asked once more";
}

// Who is away, or busy, may still take it: the round is not over.
TEST(Refusal, WaitsForADeviceThatCouldTakeItLater) {
  World world({ready("a")});
  world.step(DeviceSeen{in_presence(ready("b"), Presence::suspect)});
  world.run("j", {.retry = {.attempts_max = 1}});
  world.report("a", key("j"), AttemptState::rejected, "disk is full");
  EXPECT_EQ(world.execution("j").state, ExecutionState::queued);
  EXPECT_TRUE(world.said.questions.empty());
  world.step(DeviceSeen{ready("b")});
  EXPECT_EQ(world.question().device, dev("b"));
}

TEST(Refusal, ARoundEndsWhenTheLastOneThatCouldTakeItIsNoMore) {
  for (const bool removed : {true, false}) {
    World world({ready("a")});
    world.step(DeviceSeen{in_presence(ready("b"), Presence::suspect)});
    world.run("j", {.retry = {.attempts_max = 1}});
    world.report("a", key("j"), AttemptState::rejected, "disk is full");
    ASSERT_EQ(world.execution("j").state, ExecutionState::queued);
    if (removed) {
      world.step(DeviceGone{dev("b")});
    } else {
      world.step(DeviceSeen{in_lifecycle(ready("b"), Lifecycle::refused)});
    }
    EXPECT_EQ(world.state("j"), JobState::failed) << (removed ? "removed" : "refused");
  }
}

// The operator drained the device while the assignments were on their way.
TEST(Refusal, OfADeviceThatIsPutAsideBlamesNobody) {
  World world({ready("a")});
  for (const std::string id : {"j1", "j2", "j3"}) world.run(id, {.retry = {.attempts_max = 1}});
  world.step(DeviceSeen{in_lifecycle(ready("a"), Lifecycle::draining)});
  for (const std::string id : {"j1", "j2", "j3"}) {
    world.report("a", key(id), AttemptState::rejected, "this device is draining");
    EXPECT_TRUE(world.said.placeable.empty()) << id;
    EXPECT_EQ(world.state(id), JobState::queued) << id;
  }
  world.step(DeviceSeen{ready("a")});
  EXPECT_EQ(world.said.questions.size(), 3U) << "it is asked again for all of them";
}

TEST(Refusal, OfDifferentJobsMakesTheDeviceUnplaceable) {
  World world({ready("a")});
  for (const std::string id : {"j1", "j2", "j3"}) {
    world.run(id);
    EXPECT_TRUE(world.said.placeable.empty()) << id;
    world.report("a", key(id), AttemptState::rejected, "clock is wrong");
    world.step(CancelRequested{1, JobId(id)});
  }
  // The third one was said with its report.
  EXPECT_EQ(world.view("a").unplaceable_until, world.now + seconds(60));
  world.run("k");
  EXPECT_EQ(world.state("k"), JobState::queued);
  const auto why = world.core.explain(world.job("k"), world.execution("k"), world.now);
  ASSERT_EQ(why.filtered.size(), 1U);
  EXPECT_EQ(why.filtered[0].requirement, "placeable");
  EXPECT_EQ(why.filtered[0].reason, "refused 3 jobs in a row, the last because of clock is wrong");
  world.pass(seconds(60) - milliseconds(1));
  EXPECT_TRUE(world.said.questions.empty());
  world.pass(milliseconds(1));
  ASSERT_EQ(world.allow_all().size(), 1U) << "it is tried again";
  world.report("a", key("k"), AttemptState::rejected, "clock is wrong");
  ASSERT_EQ(world.said.placeable.size(), 1U);
  EXPECT_FALSE(world.said.placeable[0].placeable);
  EXPECT_EQ(world.said.placeable[0].times, 2);
  EXPECT_EQ(world.view("a").unplaceable_until, world.now + seconds(120)) << "one is enough now, for twice as long";
}

// A full disk shows when the package is fetched, or when the program is to begin.
TEST(Refusal, ThatFollowsAPromiseCountsToo) {
  for (const auto before : {AttemptState::fetching, AttemptState::running}) {
    World world({ready("a")});
    for (const std::string id : {"j1", "j2", "j3"}) {
      world.run(id);
      world.report("a", key(id), before);
      world.report("a", key(id), AttemptState::rejected, "the disk is full");
      EXPECT_EQ(world.state(id), JobState::queued);
      world.step(CancelRequested{1, JobId(id)});
    }
    EXPECT_EQ(world.view("a").unplaceable_times, 1) << name(before);
  }
}

TEST(Refusal, UnplaceableIsKeptOverARestartAndEndsWithWork) {
  World world({ready("a")});
  for (const std::string id : {"j1", "j2", "j3"}) {
    world.run(id);
    world.report("a", key(id), AttemptState::rejected);
    world.step(CancelRequested{1, JobId(id)});
  }
  world.restart({ready("a")});
  EXPECT_TRUE(world.run("k").empty());
  world.pass(seconds(60));
  ASSERT_EQ(world.allow_all().size(), 1U);
  world.report("a", key("k"), AttemptState::fetching);
  EXPECT_TRUE(world.said.placeable.empty()) << "it may still refuse";
  world.report("a", key("k"), AttemptState::succeeded);
  ASSERT_EQ(world.said.placeable.size(), 1U);
  EXPECT_TRUE(world.said.placeable[0].placeable);
  EXPECT_EQ(world.said.placeable[0].device, dev("a"));
  EXPECT_EQ(world.view("a").unplaceable_times, 0);
}

// What it had when it went bad it refuses too: that is one fault, not fifty.
TEST(Refusal, OfWhatItHadAlreadyDoesNotDoubleTheRest) {
  World world({ready("a")});
  for (int i = 0; i < 50; ++i) world.run("j" + std::to_string(i));
  for (int i = 0; i < 50; ++i) world.report("a", key("j" + std::to_string(i)), AttemptState::rejected);
  EXPECT_EQ(world.view("a").unplaceable_until, world.now + seconds(60));
  EXPECT_EQ(world.view("a").unplaceable_times, 1);
}

TEST(Refusal, OfOneJobOrBecauseOfTheWorkSaysNothingOfTheDevice) {
  World world({ready("a")});
  world.run("j", {.retry = {.attempts_max = 10, .backoff_s = 0}});
  for (std::int64_t fence = 1; fence <= 5; ++fence) {
    world.report("a", key("j", fence), AttemptState::rejected);
    world.pass(seconds(0));
    world.allow_all();
  }
  EXPECT_EQ(world.view("a").unplaceable_times, 0) << "one job";
  for (const std::string id : {"k1", "k2", "k3", "k4"}) {
    world.run(id);
    world.report(
        "a", {.key = key(id), .state = AttemptState::rejected, .reason = "not what was signed", .work_fault = true});
  }
  EXPECT_EQ(world.view("a").unplaceable_times, 0) << "the work's fault";
}

TEST(Refusal, SuccessInBetweenStartsTheCountAnew) {
  World world({ready("a")});
  for (const std::string id : {"j1", "j2", "ok", "j3", "j4"}) {
    world.run(id);
    world.report("a", key(id), id == "ok" ? AttemptState::succeeded : AttemptState::rejected);
    world.step(CancelRequested{1, JobId(id)});
  }
  EXPECT_EQ(world.view("a").unplaceable_times, 0);
}

// --- many ---------------------------------------------------------------------------------------------------------

TEST(Many, ReplicasOnDistinctDevices) {
  World world({ready("a"), ready("b")});
  const auto commands = world.run("j", {.replicas = 3});
  ASSERT_EQ(commands.size(), 2U);
  EXPECT_NE(commands[0].device, commands[1].device);
  EXPECT_EQ(world.core.queued(), 1U) << "the third waits for a third device";
  world.step(DeviceSeen{ready("c")});
  EXPECT_EQ(world.question().device, dev("c"));
}

TEST(Many, ReplicasMakeTheJobsState) {
  World world({ready("a"), ready("b")});
  world.run("j", {.replicas = 2, .retry = {.attempts_max = 1}});
  const std::string on[] = {world.attempt("j", 0).device.value, world.attempt("j", 1).device.value};
  world.report(on[0], key("j", 1, 0), AttemptState::succeeded);
  EXPECT_EQ(world.state("j"), JobState::assigned);
  world.report(on[1], key("j", 1, 1), AttemptState::failed, "broke");
  EXPECT_EQ(world.state("j"), JobState::failed);
  EXPECT_EQ(world.job("j").reason, on[1] + ": broke") << "of several, the device is named";
}

TEST(Many, TargetsOnEachMatchingDevice) {
  World world({ready("a", {{"zone", "x"}}), ready("b", {{"zone", "y"}}), ready("c", {{"zone", "x"}, {"arm", "1"}})});
  const auto commands = world.run("j", {.targets = Targets{.labels = {{"zone", "x"}}}});
  ASSERT_EQ(commands.size(), 2U);
  EXPECT_EQ(commands[0].device, dev("a"));
  EXPECT_EQ(commands[1].device, dev("c"));
  world.report("a", key("j", 1, 0), AttemptState::failed);
  world.pass(seconds(1));
  EXPECT_EQ(world.question().device, dev("a")) << "a target is not replaced by another device";
}

TEST(Many, PriorityThenAge) {
  World world;
  const JobSpec whole{.requirements = {.cpu_millis = 4000}};
  for (const auto& [id, priority] : {std::pair{"low", 1}, {"first", 5}, {"high", 9}, {"second", 5}}) {
    auto spec = whole;
    spec.priority = priority;
    world.submit(id, spec);
    world.allow_all();
  }
  world.step(DeviceSeen{ready("a")});
  std::vector<std::string> order;
  for (int i = 0; i < 4; ++i) {
    const auto question = world.question();
    order.push_back(question.key.job.value);
    world.allow_all();
    world.report("a", question.key, AttemptState::succeeded);
  }
  EXPECT_EQ(order, (std::vector<std::string>{"high", "first", "second", "low"}));
}

TEST(Many, ALaneThatDoesNotFitBlocksNoOther) {
  World world({ready("a")});
  world.run("big", {.requirements = {.cpu_millis = 3000}, .priority = 9});
  EXPECT_TRUE(world.run("stuck", {.requirements = {.cpu_millis = 3000}, .priority = 9}).empty());
  EXPECT_TRUE(world.run("stuck2", {.requirements = {.cpu_millis = 3000}, .priority = 9}).empty());
  EXPECT_EQ(world.run("small", {.requirements = {.cpu_millis = 500}, .priority = 0}).size(), 1U);
  world.report("a", key("big"), AttemptState::succeeded);
  EXPECT_EQ(world.question().key, key("stuck"));
}

// --- nobody starves -----------------------------------------------------------------------------------------------

// Small work takes each piece of room as it comes free; the large one gets a device for itself all the same.
class Starving : public ::testing::Test {
 protected:
  void small(int i) { world.run("s" + std::to_string(1000 + i), {.requirements = {.cpu_millis = 1000}}); }
  // A second in which the oldest small one ends and a new one comes. True when the large one was asked about.
  bool turn() {
    world.pass(seconds(1));
    world.allow_all();
    for (auto it = world.rows.attempts().begin(); it != world.rows.attempts().end(); ++it) {
      const auto [attempt, row] = *it;
      if (settled(row.state) || attempt.job == JobId("large")) continue;
      world.report(row.device.value, attempt, AttemptState::succeeded);
      world.allow_all();
      break;
    }
    small(count++);
    return world.execution("large").is<Live>();
  }
  World world{{ready("a"), ready("b")}};
  int count = 0;
};

TEST_F(Starving, TheLargeOneGetsADeviceHeld) {
  while (count < 8) small(count++);
  world.run("large", {.requirements = {.cpu_millis = 4000}});
  const auto since = world.now;
  while (!turn() && world.now < since + seconds(600)) {
  }
  EXPECT_TRUE(world.execution("large").is<Live>());
  EXPECT_GE(world.now, since + seconds(60)) << "not before it has waited";
  const auto number = *world.core.fleet().number_of(world.attempt("large").device);
  EXPECT_FALSE(world.core.fleet().hold(number)) << "the hold ends with its purpose";
}

TEST_F(Starving, AHeldDeviceThatIsLostIsReplaced) {
  while (count < 8) small(count++);
  world.run("large", {.requirements = {.cpu_millis = 4000}});
  world.live_through(seconds(62));
  std::string held;
  for (const std::string id : {"a", "b"}) {
    if (world.core.fleet().hold(*world.core.fleet().number_of(dev(id)))) held = id;
  }
  ASSERT_FALSE(held.empty());
  world.step(DeviceGone{dev(held)});
  for (int i = 0; i < 600 && !turn(); ++i) {
  }
  EXPECT_TRUE(world.execution("large").is<Live>());
  world.step(DeviceSeen{ready(held)});
  EXPECT_FALSE(world.core.fleet().hold(*world.core.fleet().number_of(dev(held)))) << "it came back free";
}

}  // namespace
}  // namespace fieldwork::scheduler
