// links: scheduler_core GTest::gtest_main
// Jobs come in, are answered, are stopped.
#include <gtest/gtest.h>

#include <functional>

#include "base/timestamp.hpp"
#include "support/scheduler_world.hpp"

namespace fieldwork::scheduler {
namespace {

// What no device enforces is not promised.
TEST(Submission, MoreThanIsEnforcedIsRefused) {
  World world({ready("a")});
  world.submit("sealed", {.requirements = {.sandbox_min = "seccomp"}});
  EXPECT_EQ(world.error().path, "/requirements/sandbox_min");
  EXPECT_EQ(world.error().reason, "no device enforces seccomp; there are rlimits and pid_namespace");
  world.submit("private", {.requirements = {.privacy = PrivacyLevel::low}});
  EXPECT_EQ(world.error().path, "/requirements/privacy");
  EXPECT_EQ(world.core.find(JobId("private")), nullptr);
}

// Security-policy is asked at once; the job is placed when its time has come, also by a restarted scheduler.
TEST(Submission, WithAStartWaitsForIt) {
  for (const bool restarts : {false, true}) {
    World world({ready("a")});
    const auto start = world.now + seconds(1000);
    world.submit("later", {.replicas = 1, .deadline_s = 2000, .start_at_ms = to_ms(start)});
    EXPECT_EQ(world.question().device, dev(""));
    world.step(World::allow(world.question()));
    EXPECT_EQ(world.answer().state, "queued");
    EXPECT_EQ(world.execution("later").state, ExecutionState::waiting);
    EXPECT_EQ(world.execution("later").reason, "starts at " + timestamp(start));
    if (restarts) world.restart({ready("a")});
    world.pass(seconds(999));
    EXPECT_TRUE(world.said.questions.empty());
    world.pass(seconds(1));
    EXPECT_EQ(world.question().device, dev("a"));
    world.allow_all();
    EXPECT_EQ(world.attempt("later").device, dev("a"));
    EXPECT_EQ(world.execution("later").reason, "");
  }
}

TEST(Submission, WithAStartThatCannotBeIsRefused) {
  World world({ready("a")});
  world.submit("late", {.deadline_s = 10, .start_at_ms = to_ms(world.now + seconds(10))});
  EXPECT_EQ(world.error().path, "/start_at");
  EXPECT_EQ(world.error().reason, "is not before the deadline, " + timestamp(world.now + seconds(10)));
  world.submit("far", {.start_at_ms = to_ms(world.now + std::chrono::hours{24 * 367})});
  EXPECT_EQ(world.error().reason, "must be within a year");
  world.submit("past", {.start_at_ms = to_ms(world.now - seconds(10))});
  EXPECT_EQ(world.question().device, dev("a")) << "at once";
}

TEST(Submission, IsSavedAndAsked) {
  World world({ready("a")});
  world.submit("j", {.command = {"run"}, .limits = {.time_s = 9, .output_bytes = 8}});
  ASSERT_EQ(world.said.jobs.size(), 1U);
  EXPECT_EQ(world.said.jobs[0].id, JobId("j"));
  const Question expected{.key = key("j"),
                          .submitter = "ops",
                          .command = {"run"},
                          .contract = {.lost_after_s = 300},
                          .device = dev("a"),
                          .limits = {9, 8}};
  EXPECT_EQ(world.question(), expected);
  EXPECT_TRUE(world.said.answers.empty()) << "is answered once it is decided";
}

TEST(Submission, WithoutDevicesIsAskedOnceWithoutDevice) {
  World world;
  world.submit("j", {.command = {"run"}, .replicas = 3});
  EXPECT_TRUE(world.question().device.empty());
  world.step(World::allow(world.question()));
  EXPECT_EQ(world.answer().state, "queued");
  world.step(DeviceSeen{ready("a")});
  EXPECT_EQ(world.question().device, dev("a"));
}

TEST(Submission, RepeatAnswersBothAndChangesNothing) {
  World world({ready("a")});
  world.submit("j");
  const auto question = world.question();
  world.step(World::submission("j", {}, 2));
  EXPECT_TRUE(silent(world.said));
  world.step(World::allow(question));
  ASSERT_EQ(world.answers<SubmissionAnswer>().size(), 2U);
  world.step(World::submission("j", {}, 3));
  const auto answer = world.answer();
  EXPECT_EQ(answer.job, JobId("j"));
  EXPECT_EQ(answer.reply, 3U);
  EXPECT_EQ(answer.state, "assigned");
  world.said.answers.clear();
  EXPECT_TRUE(silent(world.said));
  EXPECT_EQ(world.core.live(), 1U);
}

TEST(Submission, RepeatOfAForgottenJobIsAnsweredFromTheStore) {
  World world({ready("a")});
  auto again = World::submission("j");
  again.known = JobSubmitted::Known{"succeeded", "", "d-j"};
  world.step(again);
  EXPECT_EQ(world.answer().state, "succeeded");
  again.known->spec_digest = "other";
  world.step(again);
  EXPECT_EQ(world.error().code, Code::conflict);
  EXPECT_EQ(world.core.find(JobId("j")), nullptr);
}

// Whoever asks on and on displaces his older questions, and is told so: no question goes without an answer.
TEST(Submission, TheNinthRepeatDisplacesTheFirst) {
  World world({ready("a")});
  world.submit("j");
  const auto question = world.question();
  for (Reply reply = 2; reply <= 8; ++reply) {
    world.step(World::submission("j", {}, reply));
    EXPECT_TRUE(silent(world.said));
  }
  world.step(World::submission("j", {}, 9));
  const auto displaced = world.answers<NoAnswer>().at(0).reply;
  world.step(World::allow(question));
  std::set<Reply> answered{displaced};
  for (const auto& one : world.answers<SubmissionAnswer>()) answered.insert(one.reply);
  EXPECT_EQ(answered, (std::set<Reply>{1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

struct RefusedCase {
  const char* name;
  JobSpec spec;
  Code code;
  const char* path;
};

TEST(Submission, RefusalsNameTheField) {
  const RefusedCase cases[] = {
      {.name = "package", .spec = {.package = "sha256:no"}, .code = Code::unknown, .path = "/package"},
      {.name = "cpu",
       .spec = {.requirements = {.cpu_millis = 4001}},
       .code = Code::invalid,
       .path = "/requirements/cpu_millis"},
      {.name = "memory",
       .spec = {.requirements = {.memory_bytes = 1024 * mib + 1}},
       .code = Code::invalid,
       .path = "/requirements/memory_bytes"},
      {.name = "disk",
       .spec = {.requirements = {.storage_bytes = 1024 * mib + 1}},
       .code = Code::invalid,
       .path = "/requirements/storage_bytes"},
      {.name = "targets",
       .spec = {.targets = Targets{.labels = {{"zone", "nowhere"}}}},
       .code = Code::unknown,
       .path = "/targets/labels"},
      {.name = "targets by expression",
       .spec = {.targets = Targets{.expression = "label.zone == nowhere"}},
       .code = Code::unknown,
       .path = "/targets/expression"},
      {.name = "targets by group",
       .spec = {.targets = Targets{.group = "nobody"}},
       .code = Code::unknown,
       .path = "/targets/group"},
      {.name = "targets by name",
       .spec = {.targets = Targets{.devices = {DeviceId("a"), DeviceId("b")}}},
       .code = Code::unknown,
       .path = "/targets/devices"},
      {.name = "stop as late as lost",
       .spec = {.offline = {.lost_after_s = 60, .stop_after_s = 60}},
       .code = Code::invalid,
       .path = "/offline/stop_after_s"},
      {.name = "stop as late as the default",
       .spec = {.offline = {.stop_after_s = 300}},
       .code = Code::invalid,
       .path = "/offline/stop_after_s"},
  };
  for (const auto& c : cases) {
    World world({ready("a", {{"zone", "x"}})});
    world.submit("j", c.spec);
    const auto error = world.error();
    EXPECT_EQ(error.code, c.code) << c.name;
    EXPECT_EQ(error.path, c.path) << c.name;
    world.said.answers.clear();
    EXPECT_TRUE(silent(world.said)) << c.name;
    EXPECT_EQ(world.core.live(), 0U) << c.name;
  }
}

TEST(Submission, TargetsAreWhatIsAskedFor) {
  auto grouped = ready("b", {{"zone", "x"}});
  grouped.groups = {"canary"};
  World world({ready("a", {{"zone", "x"}}), grouped, ready("c", {{"zone", "y"}})});
  struct Case {
    Targets targets;
    std::vector<DeviceId> devices;
  };
  const Case cases[] = {
      {{.labels = {{"zone", "x"}}}, {dev("a"), dev("b")}},
      {{}, {dev("a"), dev("b"), dev("c")}},
      {{.expression = "label.zone in (x, y) and id != a"}, {dev("b"), dev("c")}},
      {{.labels = {{"zone", "x"}}, .expression = "id != b"}, {dev("a")}},
      {{.group = "canary"}, {dev("b")}},
      {{.devices = {dev("c"), dev("a"), dev("c")}}, {dev("a"), dev("c")}},
  };
  int number = 0;
  for (const auto& one : cases) {
    const auto id = "j" + std::to_string(number++);
    world.submit(id.c_str(), {.targets = one.targets});
    EXPECT_EQ(world.job(id.c_str()).targets, one.devices) << id;
  }
}

// A device that does not match waits for what it measures, and nothing else wakes the job.
TEST(Submission, AJobIsPlacedWhenADeviceBeginsToMatchItsExpression) {
  auto device = ready("a");
  device.health = 0.5;
  World world({device});
  world.submit("j", {.requirements = {.expression = "health > 0.8"}});
  const auto first = world.question();
  ASSERT_TRUE(first.device.empty());
  world.step(World::allow(first));
  EXPECT_EQ(world.execution("j").state, ExecutionState::queued);
  EXPECT_EQ(world.core.explain(world.job("j"), world.execution("j"), world.now).filtered.at(0).reason,
            "health is 0.5, wanted health > 0.8");
  device.health = 0.7;
  world.step(DeviceSeen{device});
  EXPECT_TRUE(world.said.questions.empty());
  device.health = 0.9;
  world.step(DeviceSeen{device});
  EXPECT_EQ(world.question().device, dev("a"));
}

TEST(Submission, BoundWorkMayStopAnyTimeForItIsNeverLostBySilence) {
  World world({ready("a", {{"zone", "x"}})});
  world.submit("j", {.targets = Targets{.labels = {{"zone", "x"}}}, .offline = {.stop_after_s = 3000}});
  EXPECT_EQ(world.question().contract, (Contract{.stop_after_s = 3000}));
}

TEST(Submission, TooManyTargetsAreRefusedWithTheirNumber) {
  World world;
  for (int i = 0; i <= limits::executions_max; ++i)
    world.core.step(DeviceSeen{ready("d" + std::to_string(i), {{"zone", "x"}})}, world.now, world.said);
  world.submit("j", {.targets = Targets{.labels = {{"zone", "x"}}}});
  const auto error = world.error();
  EXPECT_EQ(error.code, Code::invalid);
  EXPECT_EQ(error.path, "/targets/labels");
  EXPECT_EQ(error.reason, "10001 devices have these labels, a job has at most 10000; narrow them");
  EXPECT_EQ(world.core.live(), 0U);
  world.step(DeviceGone{dev("d0")});
  world.submit("k", {.targets = Targets{.labels = {{"zone", "x"}}}});
  EXPECT_EQ(world.job("k").executions.size(), 10'000U);
}

TEST(Submission, OtherDigestIsAConflict) {
  World world({ready("a")});
  world.submit("j");
  auto other = World::submission("j", {}, 7);
  other.spec_digest = "other";
  world.step(other);
  EXPECT_EQ(world.error().code, Code::conflict);
  EXPECT_EQ(world.answers<ErrorAnswer>().at(0).reply, 7U);
  world.said.answers.clear();
  EXPECT_TRUE(silent(world.said));
}

TEST(Submission, KnownPackageIsAccepted) {
  World world({ready("a")});
  world.step(PackageSeen{"sha256:p"});
  world.submit("j", {.package = "sha256:p"});
  EXPECT_EQ(world.question().package, "sha256:p");
}

TEST(Submission, TooManyLiveJobsIsUnavailable) {
  World world({}, {.jobs_live_max = 1});
  world.submit("j");
  world.submit("k");
}

TEST(Submission, TooManyLiveExecutionsIsUnavailable) {
  World world({}, {.executions_live_max = 5});
  world.submit("j", {.replicas = 4});
  world.submit("k", {.replicas = 2});
  world.step(CancelRequested{2, JobId("j")});
  world.submit("l", {.replicas = 5});
  EXPECT_TRUE(world.said.answers.empty()) << "what ended counts no more";
}

// --- cancel, deadline ---------------------------------------------------------------------------------------------

TEST(Stop, CancelInEachPhase) {
  struct Case {
    const char* name;
    std::function<void(World&)> before;
    bool told;
  };
  const Case cases[] = {
      {"queued",
       [](World& w) {
         w.run("j", {.requirements = {.labels = {{"zone", "x"}}}});
       },
       false},
      {"asking", [](World& w) { w.submit("j"); }, false},
      {"live", [](World& w) { w.run("j"); }, true},
      {"running", [](World& w) { w.run("j"), w.report("a", key("j"), AttemptState::running); }, true},
      {"waiting", [](World& w) { w.run("j"), w.report("a", key("j"), AttemptState::failed); }, false},
  };
  for (const auto& c : cases) {
    World world({ready("a")});
    c.before(world);
    world.step(CancelRequested{9, JobId("j")});
    EXPECT_EQ(world.state("j"), JobState::cancelled) << c.name;
    bool answered = false;
    for (const auto& answer : world.answers<SubmissionAnswer>())
      answered = answered || (answer.reply == 9 && answer.state == "cancelled");
    EXPECT_TRUE(answered) << c.name;
    const auto commands = world.commands<Cancel>();
    ASSERT_EQ(commands.size(), c.told ? 1U : 0U) << c.name;
    ASSERT_EQ(world.said.executions.size(), 1U) << c.name;
    EXPECT_EQ(world.said.executions[0].execution.state, ExecutionState::cancelled) << c.name;
    if (c.told) {
      EXPECT_EQ(commands[0].key, cancel_key(key("j"))) << c.name;
      EXPECT_EQ(commands[0].device, dev("a")) << c.name;
      EXPECT_EQ(std::get<Cancel>(commands[0].command).key, key("j")) << c.name;
      EXPECT_TRUE(world.closes(assign_key(key("j")))) << c.name;
      world.report("a", key("j"), AttemptState::cancelled);
      EXPECT_TRUE(world.closes(cancel_key(key("j")))) << c.name;
    }
    EXPECT_EQ(world.view("a").used.attempts, 0) << c.name;
    EXPECT_EQ(world.core.queued(), 0U) << c.name;
    world.pass(seconds(1000));
    EXPECT_TRUE(silent(world.said)) << c.name;
    world.step(CancelRequested{10, JobId("j")});
    EXPECT_EQ(world.answer().state, "cancelled") << c.name;
    world.said.answers.clear();
    EXPECT_TRUE(silent(world.said)) << c.name;
  }
}

TEST(Stop, CancelOfAnUnknownJob) {
  World world;
  world.step(CancelRequested{9, JobId("j")});
  EXPECT_EQ(world.error().code, Code::unknown);
  EXPECT_EQ(world.error().path, "/job");
}

// What the program said until it was stopped is kept, in parts and at the end.
TEST(Stop, CancelKeepsTheDevicesLastWords) {
  World world({ready("a")});
  world.run("j");
  world.report("a", key("j"), AttemptState::running);
  world.step(CancelRequested{9, JobId("j")});
  world.heartbeat("a", {key("j")});
  EXPECT_TRUE(silent(world.said)) << "the cancel command is on its way: it is not told that it is stale";
  world.report("a", {.key = key("j"), .state = AttemptState::running, .part = ResultPart{"stdout", 0, "so far"}});
  ASSERT_EQ(world.said.parts.size(), 1U);
  EXPECT_EQ(world.said.parts[0].part.bytes, "so far");
  EXPECT_TRUE(world.closed_keys().empty()) << "a part is not the end";
  world.report("a", {.key = key("j"), .state = AttemptState::cancelled, .result = RunResult{.stdout_text = "so far"}});
  ASSERT_EQ(world.said.attempts.size(), 1U);
  EXPECT_EQ(world.said.attempts[0].state, AttemptState::cancelled);
  EXPECT_EQ(world.said.attempts[0].reason, "cancelled on request");
  EXPECT_EQ(world.said.attempts[0].result->stdout_text, "so far");
  EXPECT_TRUE(world.closes(cancel_key(key("j"))));
  world.report("a", {.key = key("j"), .state = AttemptState::cancelled, .result = RunResult{.stdout_text = "twice"}});
  EXPECT_TRUE(world.said.attempts.empty()) << "once";
}

TEST(Stop, LastWordsAreAwaitedAsLongAsTheOrderLives) {
  World world({ready("a")});
  world.run("j");
  world.step(CancelRequested{9, JobId("j")});
  EXPECT_EQ(world.commands<Cancel>().at(0).life, std::chrono::hours(24));
  world.pass(std::chrono::hours(24));
  world.report("a", {.key = key("j"), .state = AttemptState::cancelled, .result = RunResult{.stdout_text = "late"}});
  EXPECT_TRUE(world.said.attempts.empty());
  EXPECT_TRUE(world.closes(cancel_key(key("j"))));
}

// The device's word is kept with the attempt, also where it brings nothing else.
TEST(Stop, ACancelIsConfirmedByTheDevice) {
  World world({ready("a")});
  world.run("j");
  world.report("a", key("j"), AttemptState::running);
  world.step(CancelRequested{1, JobId("j")});
  EXPECT_FALSE(settled(world.rows.attempts().at(key("j")).reported));
  world.report("a", key("j"), AttemptState::cancelled);
  EXPECT_TRUE(settled(world.rows.attempts().at(key("j")).reported));
}

// Who watches the execution's state hears of it, though the job is over and its executions left the memory.
TEST(Stop, TheConfirmationIsPublished) {
  World world({ready("a")});
  world.run("j");
  world.report("a", key("j"), AttemptState::running);
  world.step(CancelRequested{1, JobId("j")});
  world.report("a", {.key = key("j"), .state = AttemptState::cancelled, .result = RunResult{.exit_code = 143}});
  ASSERT_EQ(world.said.execution_states.size(), 1U);
  const auto& execution = world.said.execution_states[0].execution;
  EXPECT_EQ(execution.state, ExecutionState::cancelled);
  EXPECT_EQ(execution.attempt->reported, AttemptState::cancelled);
  EXPECT_EQ(execution.attempt->result->exit_code, 143);
  World late({ready("a")});
  late.run("j");
  late.report("a", key("j"), AttemptState::running);
  late.step(CancelRequested{1, JobId("j")});
  late.pass(late.limits.shown_after_end);
  late.report("a", key("j"), AttemptState::cancelled);
  EXPECT_TRUE(late.said.execution_states.empty()) << "its topic is cleared by now, and stays so";
}

// A program that was told to end runs for a while: nothing else gets its room until the device says that it has ended,
// or must have ended it.
TEST(Stop, TheRoomOfACancelledProgramIsTakenUntilItHasEnded) {
  JobSpec whole;
  whole.requirements.cpu_millis = 4000;
  for (const bool answers : {true, false}) {
    World world({ready("a")});
    world.run("j", whole);
    world.report("a", key("j"), AttemptState::running);
    world.step(CancelRequested{1, JobId("j")});
    world.run("next", whole);
    EXPECT_EQ(world.state("next"), JobState::queued);
    if (answers) {
      world.report("a", key("j"), AttemptState::cancelled);
    } else {
      world.pass(room_kept - milliseconds(1));
      EXPECT_TRUE(world.said.questions.empty());
      world.pass(milliseconds(1));
    }
    EXPECT_EQ(world.question().device, dev("a"));
    world.report("a", key("j"), AttemptState::cancelled);
    EXPECT_EQ(world.core.fleet().find(dev("a"))->used.attempts, 1) << "of next; given back once";
  }
}

TEST(Stop, DeadlineExpires) {
  World world({ready("a")});
  world.run("j", {.deadline_s = 10});
  world.pass(seconds(10) - milliseconds(1));
  EXPECT_TRUE(silent(world.said));
  world.pass(milliseconds(1));
  EXPECT_EQ(world.state("j"), JobState::expired);
  ASSERT_EQ(world.commands<Cancel>().size(), 1U);
  EXPECT_EQ(world.commands<Cancel>()[0].key, cancel_key(key("j")));
}

// What has succeeded by then is judged as at any other end.
TEST(Stop, AtTheDeadlineTheSuccessRuleDecides) {
  for (const auto& [percent, end] : {std::pair(50, JobState::succeeded), {80, JobState::expired}}) {
    World world({ready("a"), ready("b")});
    world.run("j", {.replicas = 2, .success = {.percent = percent}, .deadline_s = 10});
    world.report("a", world.attempt("j", world.attempt("j", 0).device == dev("a") ? 0 : 1).key,
                 AttemptState::succeeded);
    world.pass(seconds(10));
    EXPECT_EQ(world.state("j"), end) << percent;
    EXPECT_EQ(world.commands<Cancel>().size(), 1U);
  }
}

TEST(Stop, DeadlineOfAFinishedJobPassesSilently) {
  World world({ready("a")});
  world.run("j", {.deadline_s = 10});
  world.report("a", key("j"), AttemptState::succeeded);
  world.pass(seconds(20));
  EXPECT_TRUE(silent(world.said));
  EXPECT_EQ(world.state("j"), JobState::succeeded);
}

// Deadlines and timers leave memory with their job, however far ahead they are.
TEST(Stop, NothingOfAnEndedJobIsRemembered) {
  using Before = std::function<void(World&)>;
  const std::pair<const char*, Before> ends[] = {
      {"succeeded",
       [](World& w) { w.run("j", {.deadline_s = 2'000'000}), w.report("a", key("j"), AttemptState::succeeded); }},
      {"cancelled",
       [](World& w) {
         w.run("j", {.deadline_s = 2'000'000}), w.step(CancelRequested{1, JobId("j")});
       }},
      {"cancelled while asked about",
       [](World& w) {
         w.submit("j", {.deadline_s = 99}), w.step(CancelRequested{1, JobId("j")});
       }},
      {"denied", [](World& w) { w.submit("j", {.deadline_s = 99}), w.step(World::deny(w.question(), false)); }},
      {"failed",
       [](World& w) {
         w.run("j", {.retry = {.attempts_max = 1}, .deadline_s = 99});
         w.report("a", key("j"), AttemptState::failed);
       }},
      {"lost", [](World& w) { w.run("j", {.retry = {.attempts_max = 1}, .deadline_s = 999}), w.pass(seconds(305)); }},
  };
  for (const auto& [name, before] : ends) {
    World world({ready("a")});
    before(world);
    EXPECT_EQ(world.core.live(), 0U) << name;
    EXPECT_EQ(world.core.deadlines(), 0U) << name;
    EXPECT_EQ(world.core.timers(), 0U) << name;
    EXPECT_EQ(world.core.asking(), 0U) << name;
    EXPECT_TRUE(world.job("j").executions.empty()) << name;
  }
}

TEST(Stop, FinishedJobsAreForgottenOldestFirst) {
  World world({ready("a")}, {.jobs_settled_max = 1});
  world.run("j");
  world.report("a", key("j"), AttemptState::succeeded);
  EXPECT_TRUE(world.said.forgotten_jobs.empty());
  world.run("k");
  world.report("a", key("k"), AttemptState::succeeded);
  ASSERT_EQ(world.said.forgotten_jobs.size(), 1U);
  EXPECT_EQ(world.said.forgotten_jobs[0].job, JobId("j"));
  EXPECT_EQ(world.core.find(JobId("j")), nullptr);
}

TEST(Stop, FinishedJobsAreForgottenWhenTheDatabaseMayForgetThem) {
  World world({ready("a")}, {.jobs_kept = std::chrono::hours{24}});
  world.run("j");
  world.report("a", key("j"), AttemptState::succeeded);
  world.pass(std::chrono::hours{23});
  EXPECT_TRUE(world.said.forgotten_jobs.empty());
  world.pass(std::chrono::hours{1} + seconds(1));  // changed_ms grows with each change, also within a millisecond
  ASSERT_EQ(world.said.forgotten_jobs.size(), 1U);
  EXPECT_EQ(world.core.find(JobId("j")), nullptr);
}

}  // namespace
}  // namespace fieldwork::scheduler
