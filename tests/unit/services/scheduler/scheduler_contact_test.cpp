// links: scheduler_core GTest::gtest_main
// Contact, leases and the offline contract (docs/decisions/0010): what silence means, and what it does not.
#include <gtest/gtest.h>

#include "support/scheduler_world.hpp"

namespace fieldwork::scheduler {
namespace {

TEST(Contact, UnreachableThenLostByTheContract) {
  World world({ready("a")});
  world.run("j");
  world.report("a", key("j"), AttemptState::running);
  world.pass(seconds(60) - milliseconds(1));
  EXPECT_TRUE(silent(world.said));
  world.pass(milliseconds(1));
  EXPECT_EQ(world.execution("j").state, ExecutionState::unreachable);
  EXPECT_EQ(world.attempt("j").reason, "nothing was heard of it for 60 s");
  EXPECT_EQ(world.state("j"), JobState::assigned);
  world.pass(seconds(245) - milliseconds(1));
  EXPECT_EQ(world.execution("j").state, ExecutionState::unreachable);
  world.pass(milliseconds(1));
  EXPECT_EQ(world.execution("j").state, ExecutionState::waiting);
  EXPECT_EQ(world.attempt("j").state, AttemptState::lost);
  EXPECT_EQ(world.attempt("j").reason, "nothing was heard of it for 300 s");
  EXPECT_TRUE(world.closes(assign_key(key("j"))));
  EXPECT_EQ(world.execution("j").failures, 0) << "nobody failed";
  EXPECT_EQ(world.execution("j").losses, 1);
  world.pass(seconds(1));
  EXPECT_EQ(world.question().key, key("j", 2));
}

TEST(Contact, HeartbeatsKeepItAndBringItBack) {
  World world({ready("a")});
  world.run("j");
  world.report("a", key("j"), AttemptState::running);
  for (int i = 0; i < 3; ++i) {
    world.pass(seconds(50));
    world.heartbeat("a", {key("j")});
    EXPECT_TRUE(silent(world.said));
  }
  world.pass(seconds(60));
  EXPECT_EQ(world.execution("j").state, ExecutionState::unreachable);
  world.heartbeat("a", {key("j")});
  EXPECT_EQ(world.execution("j").state, ExecutionState::running) << "where it was";
  EXPECT_EQ(world.attempt("j").reason, "");
  EXPECT_EQ(world.state("j"), JobState::running);
}

// What counts is when it came, not when this process got round to it.
TEST(Contact, CountsFromTheArrival) {
  World world({ready("a")});
  world.run("j");
  const auto came = world.now;
  world.now += seconds(50);
  world.step(HeartbeatArrived{dev("a"), 0, {key("j")}, came + seconds(20)});
  world.now = came + seconds(80) - milliseconds(1);
  world.step(TimePassed{});
  EXPECT_EQ(world.execution("j").state, ExecutionState::assigned);
  world.pass(milliseconds(1));
  EXPECT_EQ(world.execution("j").state, ExecutionState::unreachable);
}

TEST(Contact, HeartbeatOfAnotherDeviceIsNone) {
  World world({ready("a")});
  world.run("j");
  world.pass(seconds(50));
  world.heartbeat("b", {key("j")});
  ASSERT_EQ(world.said.stale.size(), 1U);
  EXPECT_EQ(world.said.stale[0].device, dev("b"));
  world.pass(seconds(255));
  EXPECT_EQ(world.attempt("j").state, AttemptState::lost);
}

TEST(Contact, HeartbeatWithAnUnknownAttemptIsToldStale) {
  World world({ready("a")});
  world.run("j");
  world.heartbeat("a", {key("j"), key("j", 7), key("x")});
  ASSERT_EQ(world.said.stale.size(), 2U);
  EXPECT_EQ(world.said.stale[0].stale, (Stale{key("j", 7), "assigned", ""}));
  EXPECT_EQ(world.said.stale[1].stale, (Stale{key("x"), "unknown", ""}));
}

TEST(Contact, AHeartbeatFullOfForeignAttemptsGetsFewAnswers) {
  World world({ready("a")});
  std::vector<AttemptKey> foreign;
  for (int i = 0; i < 512; ++i) foreign.push_back(key("x" + std::to_string(i)));
  world.heartbeat("a", foreign);
  EXPECT_EQ(world.said.stale.size(), world.limits.stale_max);
}

TEST(Contact, HeartbeatsAreConfirmedWhileTheContractNeedsIt) {
  World world({ready("a")});
  world.run("plain");
  world.heartbeat("a", {key("plain")}, 41);
  EXPECT_TRUE(world.said.acknowledgements.empty());
  world.run("bound", {.offline = {.stop_after_s = 30}});
  world.heartbeat("a", {key("plain"), key("bound")}, 42);
  ASSERT_EQ(world.said.acknowledgements.size(), 1U);
  EXPECT_EQ(world.said.acknowledgements[0].beat, 42);
}

// --- the contract -------------------------------------------------------------------------------------------------

TEST(OfflineContract, SaysWhenSilenceEndsIt) {
  struct Case {
    const char* name;
    JobSpec spec;
    int lost_at_s;  // 0: never
  };
  const Case cases[] = {
      {"nothing said", {}, 305},
      {"sooner", {.offline = {.lost_after_s = 20}}, 25},
      {"the device stops first, and may need time for it", {.offline = {.lost_after_s = 20, .stop_after_s = 10}}, 35},
      {"bound to a device", {.targets = Targets{.labels = {{"zone", "x"}}}}, 0},
      {"bound, and says so", {.targets = Targets{.labels = {{"zone", "x"}}}, .offline = {.lost_after_s = 20}}, 25},
  };
  for (const auto& c : cases) {
    World world({ready("a", {{"zone", "x"}})});
    world.run("j", c.spec);
    int lost_at_s = 0;
    for (int s = 1; s <= 1000 && lost_at_s == 0; ++s) {
      world.pass(seconds(1));
      if (world.attempt("j").state == AttemptState::lost) lost_at_s = s;
    }
    EXPECT_EQ(lost_at_s, c.lost_at_s) << c.name;
    if (c.lost_at_s == 0) {
      EXPECT_EQ(world.execution("j").state, ExecutionState::unreachable) << c.name;
      world.heartbeat("a", {key("j")});
      EXPECT_EQ(world.execution("j").state, ExecutionState::assigned) << c.name;
    }
  }
}

// At most once: it ends, and says that nobody knows.
TEST(OfflineContract, AtMostOnceIsNotReplaced) {
  World world({ready("a"), ready("b")});
  world.run("j", {.retry = {.attempts_max = 1}});
  world.pass(seconds(305));
  EXPECT_EQ(world.state("j"), JobState::failed);
  ASSERT_EQ(world.said.executions.size(), 1U);
  EXPECT_EQ(world.said.executions[0].execution.state, ExecutionState::lost);
  EXPECT_EQ(world.job("j").reason, "nothing was heard of it for 300 s");
  world.pass(seconds(1000));
  EXPECT_TRUE(silent(world.said));
}

TEST(OfflineContract, ReplaceIsTheJobsWord) {
  World always({ready("a")}), never({ready("a")});
  always.run("j", {.retry = {.attempts_max = 3}, .offline = {.replace = true}});
  never.run("j", {.retry = {.attempts_max = 3}, .offline = {.replace = false}});
  always.pass(seconds(305));
  never.pass(seconds(305));
  EXPECT_EQ(always.state("j"), JobState::queued);
  EXPECT_EQ(never.state("j"), JobState::failed);
}

// Of work on each of many devices one may be bad: the others go on.
TEST(OfflineContract, OneLostTargetDoesNotEndTheOthers) {
  World world({ready("a"), ready("b")});
  world.run("j", {.targets = Targets{}, .retry = {.backoff_s = 0, .lost_max = 1}, .offline = {.replace = true}});
  ASSERT_EQ(world.execution("j").target, dev("a"));
  world.report("a", world.attempt("j").key, AttemptState::lost, "its journal is new");
  EXPECT_EQ(world.execution("j").state, ExecutionState::quarantined);
  EXPECT_FALSE(settled(world.state("j")));
  EXPECT_TRUE(world.commands<Cancel>().empty());
  world.report("b", world.attempt("j", 1).key, AttemptState::succeeded);
  EXPECT_EQ(world.state("j"), JobState::failed) << "all must succeed";
}

// A job that takes its devices down does not walk through the fleet.
TEST(OfflineContract, LostMaxQuarantines) {
  World world({ready("a"), ready("b"), ready("c"), ready("d")});
  world.run("j", {.retry = {.attempts_max = 10, .backoff_s = 1, .lost_max = 3}});
  std::set<DeviceId> killed;
  for (int i = 1; i <= 3; ++i) {
    ASSERT_EQ(world.execution("j").losses, i - 1);
    killed.insert(world.attempt("j").device);
    world.pass(seconds(305));
    if (i == 3) break;
    EXPECT_EQ(world.execution("j").state, ExecutionState::waiting);
    world.pass(seconds(1 << (i - 1)));
    ASSERT_EQ(world.allow_all().size(), 1U);
  }
  EXPECT_EQ(killed.size(), 3U) << "each on another one";
  EXPECT_EQ(world.state("j"), JobState::quarantined);
  EXPECT_NE(world.job("j").reason.find("3 attempts were lost"), std::string::npos) << world.job("j").reason;
  ASSERT_EQ(world.said.notices.size(), 1U);
  EXPECT_EQ(world.said.notices[0].job, JobId("j"));
  world.pass(seconds(1000));
  EXPECT_TRUE(silent(world.said));
}

// --- the scheduler's own absence ----------------------------------------------------------------------------------

TEST(Absence, WhileTheLinkIsAwayNothingTimesOut) {
  World world({ready("a")});
  world.run("j");
  world.step(LinkLost{});
  for (int i = 0; i < 100; ++i) {
    world.pass(seconds(10));
    ASSERT_TRUE(silent(world.said));
  }
  world.step(LinkBack{});
  EXPECT_TRUE(silent(world.said));
  world.pass(seconds(60) - milliseconds(1));
  EXPECT_TRUE(silent(world.said)) << "the full time from there";
  world.pass(milliseconds(1));
  EXPECT_EQ(world.execution("j").state, ExecutionState::unreachable);
  world.pass(seconds(245) - milliseconds(1));
  EXPECT_EQ(world.execution("j").state, ExecutionState::unreachable);
  world.pass(milliseconds(1));
  EXPECT_EQ(world.attempt("j").state, AttemptState::lost);
}

TEST(Absence, AStallIsNobodysSilence) {
  World world({ready("a")});
  world.run("j");
  world.now += seconds(1000);
  world.step(Stalled{});
  world.step(TimePassed{});
  EXPECT_EQ(world.execution("j").state, ExecutionState::assigned);
  world.pass(seconds(60));
  EXPECT_EQ(world.execution("j").state, ExecutionState::unreachable);
}

// Who was silent before it was away goes on being so, with the full time again.
TEST(Absence, TheUnreachableGetTheirTimeToo) {
  World world({ready("a")});
  world.run("j");
  world.pass(seconds(200));
  ASSERT_EQ(world.execution("j").state, ExecutionState::unreachable);
  world.step(LinkLost{});
  world.pass(seconds(1000));
  world.step(LinkBack{});
  world.pass(seconds(304));
  EXPECT_EQ(world.execution("j").state, ExecutionState::unreachable);
  world.pass(seconds(1));
  EXPECT_EQ(world.attempt("j").state, AttemptState::lost);
}

// --- devices in contact that do not get on ------------------------------------------------------------------------

TEST(Overdue, FetchingEndsAndTheDeviceIsExcluded) {
  World world({ready("a"), ready("b")});
  world.run("j", {.timeouts = {.fetching_s = 100}});
  const auto device = world.attempt("j").device.value;
  world.report(device, key("j"), AttemptState::fetching);
  world.live_through(seconds(220), {{device, {key("j")}}});
  EXPECT_EQ(world.execution("j").state, ExecutionState::queued) << "it is being asked about elsewhere";
  EXPECT_EQ(world.attempt("j").state, AttemptState::rejected);
  EXPECT_EQ(world.attempt("j").reason, "it did not begin within 100 s");
  EXPECT_EQ(world.execution("j").excluded.count(dev(device)), 1U);
  EXPECT_EQ(world.execution("j").failures, 0);
}

TEST(Overdue, RunningBeyondTheTimeLimitFails) {
  World world({ready("a")});
  world.run("j", {.limits = {.time_s = 100}, .retry = {.attempts_max = 1}});
  world.report("a", key("j"), AttemptState::running);
  world.live_through(seconds(219), {{"a", {key("j")}}});
  EXPECT_EQ(world.state("j"), JobState::running);
  world.pass(seconds(1));
  EXPECT_EQ(world.state("j"), JobState::failed);
  EXPECT_EQ(world.job("j").reason, "it did not end at its time limit of 100 s");
  ASSERT_EQ(world.commands<Cancel>().size(), 1U) << "and the device is told";
}

TEST(Overdue, QueuedEndsWithTheNearestReason) {
  World world({ready("a", {{"zone", "x"}})});
  world.run("j", {.requirements = {.labels = {{"zone", "y"}}}, .timeouts = {.queued_s = 100}});
  world.pass(seconds(100));
  EXPECT_EQ(world.state("j"), JobState::expired);
  EXPECT_EQ(world.job("j").reason, "no device took it within 100 s; nearest: a: labels/zone is x, wanted y");
}

TEST(Overdue, APolicyThatNeverAnswersEndsTheWait) {
  World world({ready("a")});
  world.submit("j", {.timeouts = {.queued_s = 100}});
  for (int i = 0; i < 9; ++i) world.pass(seconds(10));
  EXPECT_FALSE(settled(world.state("j")));
  for (int i = 0; i < 8; ++i) world.pass(seconds(10));
  EXPECT_EQ(world.state("j"), JobState::expired);
  EXPECT_EQ(world.job("j").reason, "security-policy did not answer within 100 s");
  EXPECT_EQ(world.view("a").used.attempts, 0);
}

// Its device has an attempt of it that is forgotten here, and no room for it: it waits for that device, and not for
// ever.
TEST(Overdue, AClaimThatFindsNoRoomEndsTheWait) {
  World world({ready("a")});
  world.run("large", {.requirements = {.cpu_millis = 4000}});
  world.report("a", world.attempt("large").key, AttemptState::running);
  world.step(HeartbeatArrived{dev("a"), 0, {world.attempt("large").key}, world.now, std::vector{key("j", 50)}});
  world.run("j", {.requirements = {.cpu_millis = 1000}, .timeouts = {.queued_s = 100}});
  ASSERT_EQ(world.execution("j").claimed, dev("a"));
  world.live_through(seconds(99), {{"a", {world.attempt("large").key}}});
  EXPECT_FALSE(settled(world.state("j"))) << world.job("j").reason;
  world.live_through(seconds(2), {{"a", {world.attempt("large").key}}});
  EXPECT_EQ(world.state("j"), JobState::expired) << fieldwork::name(world.state("j"));
}

// --- inquiries ----------------------------------------------------------------------------------------------------

TEST(Inquiry, AboutWhatAConnectedDeviceDoesNotList) {
  World world({ready("a")});
  world.run("j");
  world.run("k");
  world.report("a", key("j"), AttemptState::running);
  world.report("a", key("k"), AttemptState::running);
  world.pass(seconds(9));
  world.heartbeat("a", {key("k")});
  EXPECT_TRUE(world.commands<Inquire>().empty()) << "a report may be on its way";
  world.pass(seconds(1));
  world.heartbeat("a", {key("k")});
  ASSERT_EQ(world.commands<Inquire>().size(), 1U);
  EXPECT_EQ(world.commands<Inquire>()[0].key, inquire_key(key("j")));
  world.heartbeat("a", {key("k")});
  EXPECT_TRUE(world.commands<Inquire>().empty()) << "once: the outbox repeats it";
  world.report("a", key("j"), AttemptState::lost);
  EXPECT_TRUE(world.closes(inquire_key(key("j"))));
  EXPECT_EQ(world.attempt("j").reason, "the device does not know it");
  EXPECT_EQ(world.execution("j").losses, 1);
}

// A database that went back: the device lists what is not known here, and not what is.
TEST(Inquiry, IsNotHiddenByAnAttemptThatIsNotKnown) {
  World world({ready("a")});
  world.run("j");
  world.report("a", key("j"), AttemptState::running);
  world.pass(seconds(10));
  world.heartbeat("a", {key("x")});
  EXPECT_EQ(world.said.stale.size(), 1U);
  EXPECT_EQ(world.commands<Inquire>().size(), 1U);
}

TEST(Inquiry, EndsWhenTheAttemptIsListedAgain) {
  World world({ready("a")});
  world.run("j");
  world.report("a", key("j"), AttemptState::running);
  world.pass(seconds(10));
  world.heartbeat("a", {});
  ASSERT_EQ(world.commands<Inquire>().size(), 1U);
  world.heartbeat("a", {key("j")});
  EXPECT_TRUE(world.closes(inquire_key(key("j")))) << "else it would be asked for a day";
}

TEST(Inquiry, NotAboutWhatTheDeviceMayNeverHaveGot) {
  World world({ready("a")});
  world.run("j");
  world.pass(seconds(20));
  world.heartbeat("a", {});
  EXPECT_TRUE(silent(world.said)) << "its assignment is repeated by the outbox";
}

// --- what the registry says ---------------------------------------------------------------------------------------

TEST(Presence, SilentMakesItsWorkUnreachable) {
  for (const auto state : {Presence::suspect, Presence::lost, Presence::disconnected, Presence::sleeping}) {
    World world({ready("a")});
    world.run("j");
    world.step(DeviceSeen{in_presence(ready("a"), state)});
    EXPECT_EQ(world.execution("j").state, ExecutionState::unreachable) << name(state);
    EXPECT_EQ(world.attempt("j").reason, "the device is " + std::string(name(state)));
    world.submit("k");
    EXPECT_TRUE(world.question().device.empty()) << "and it gets no more";
    world.heartbeat("a", {key("j")});
    EXPECT_EQ(world.execution("j").state, ExecutionState::assigned) << name(state);
  }
}

TEST(Presence, RefusedOrRemovedLosesItsWorkAtOnce) {
  for (const bool removed : {false, true}) {
    World world({ready("a")});
    world.run("j", {.retry = {.backoff_s = 0}});
    world.step(DeviceSeen{ready("b")});
    if (removed) {
      world.step(DeviceGone{dev("a")});
    } else {
      world.step(DeviceSeen{in_lifecycle(ready("a"), Lifecycle::refused)});
    }
    EXPECT_EQ(world.attempt("j").state, AttemptState::lost);
    world.pass(seconds(0));
    EXPECT_EQ(world.question().device, dev("b"));
    EXPECT_EQ(world.question().key.fence, 2);
    world.allow_all();
    world.report("a", key("j"), AttemptState::succeeded);
    EXPECT_EQ(world.state("j"), JobState::assigned) << "the first device's end counts no more";
    EXPECT_EQ(world.core.fleet().find(dev("a")) == nullptr, removed);
  }
}

// The answer comes after the device was given up: it must not get the work.
TEST(Presence, LostWhileAskedAboutIsNotAssigned) {
  World world({ready("a")});
  world.submit("j");
  const auto question = world.question();
  world.step(DeviceSeen{in_presence(ready("a"), Presence::lost)});
  world.step(World::allow(question));
  EXPECT_TRUE(world.commands<Assign>().empty());
  world.step(DeviceSeen{ready("b")});
  EXPECT_EQ(world.question().device, dev("b"));
}

// Nobody answers: the question is put about another one.
TEST(Presence, LostWhileAskedAboutIsNotAskedAboutAgain) {
  World world({ready("a")});
  world.submit("j");
  world.step(DeviceSeen{in_presence(ready("a"), Presence::lost)});
  world.step(DeviceSeen{ready("b")});
  world.pass(seconds(3));
  EXPECT_EQ(world.question().device, dev("b"));
  EXPECT_EQ(world.view("a").used.attempts, 0);
}

TEST(Presence, RemovedWhileAskedAboutIsForgottenWithTheAnswer) {
  World world({ready("a")});
  world.submit("j");
  const auto question = world.question();
  world.step(DeviceGone{dev("a")});
  world.step(World::allow(question));
  EXPECT_TRUE(world.commands<Assign>().empty());
  EXPECT_EQ(world.core.fleet().find(dev("a")), nullptr);
  world.step(DeviceSeen{ready("a")});
  EXPECT_EQ(world.question().device, dev("a")) << "and may come again";
  EXPECT_EQ(world.allow_all().size(), 1U);
}

TEST(Presence, ReturnedHastensItsCommands) {
  World world({ready("a")});
  world.step(DeviceReturned{dev("a")});
  ASSERT_EQ(world.said.outbox.size(), 1U);
  EXPECT_EQ(std::get<HastenCommands>(world.said.outbox[0]).device, dev("a"));
}

}  // namespace
}  // namespace fieldwork::scheduler
