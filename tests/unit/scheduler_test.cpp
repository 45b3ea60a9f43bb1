// links: scheduler_core GTest::gtest_main
// The scheduler's core as a conversation: facts in, orders out, and what it promises under a storm of both.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>

#include "scheduler/core/scheduler.hpp"

namespace fieldwork::scheduler {
namespace {

constexpr std::int64_t mib = 1 << 20;

DeviceId dev(const std::string& id) { return DeviceId(id); }

Device ready(const std::string& id, Labels labels = {}, std::int64_t cpu_millis = 4000) {
  return {.id = dev(id),
          .state = DeviceState::ready,
          .capacity = {.cpu_millis = cpu_millis, .memory_bytes = 1024 * mib, .disk_bytes = 1024 * mib},
          .labels = std::move(labels)};
}

// One scheduler, its time, and what it said since the last question.
struct World {
  Scheduler core{Limits{}};
  Time now = from_ms(1'000'000);
  Effects said;

  World() = default;
  explicit World(std::vector<Device> devices) {
    for (auto& device : devices) (void)step(DeviceSeen{std::move(device)});
  }

  const Effects& step(const Input& input) {
    said.clear();
    core.step(input, now, said);
    core.place_waiting(now, said);
    return said;
  }
  const Effects& pass(Duration time) {
    now += time;
    return step(TimePassed{});
  }
  template <class T>
  [[nodiscard]] std::vector<T> all() const {
    std::vector<T> out;
    for (const auto& effect : said) {
      if (const auto* one = std::get_if<T>(&effect)) out.push_back(*one);
    }
    return out;
  }
  template <class T>
  [[nodiscard]] T one() const {
    const auto found = all<T>();
    EXPECT_EQ(found.size(), 1U);
    return found.empty() ? T{} : found.front();
  }
  [[nodiscard]] std::vector<std::string> settled_keys() const {
    std::vector<std::string> out;
    for (const auto& settle : all<Settle>()) out.push_back(settle.key);
    return out;
  }

  static JobSubmitted submission(const std::string& id, JobSpec spec = {}, Reply reply = 1) {
    if (spec.command.empty()) spec.command = {"run", id};
    return {.reply = reply,
            .job = JobId(id),
            .submitter = "ops",
            .request = id,
            .spec = std::move(spec),
            .spec_digest = "d-" + id};
  }
  static DecisionMade allow(const Question& question) {
    return {{.key = question.key, .device = question.device, .allow = true, .reason = "rule 1", .grant = "grant"}};
  }
  const Effects& submit(const std::string& id, JobSpec spec = {}) { return step(submission(id, std::move(spec))); }
  // Says yes to all that is asked, until nothing more is asked; gives the orders.
  std::vector<Order> allow_all() {
    std::vector<Order> orders;
    auto open = all<Ask>();
    while (!open.empty()) {
      std::vector<Ask> more;
      for (const auto& ask : open) {
        (void)step(allow(ask.question));
        for (auto& order : all<Order>()) orders.push_back(std::move(order));
        for (auto& again : all<Ask>()) more.push_back(std::move(again));
      }
      open = std::move(more);
    }
    return orders;
  }
  std::vector<Order> run(const std::string& id, JobSpec spec = {}) {
    submit(id, std::move(spec));
    return allow_all();
  }
  std::map<DeviceId, std::int64_t> seqs;
  const Effects& report(const std::string& device, const AttemptKey& key, AttemptState state,
                        const std::string& reason = "") {
    return step(ReportArrived{dev(device), 1, ++seqs[dev(device)], {{.key = key, .state = state, .reason = reason}}});
  }
  [[nodiscard]] JobState state(const std::string& id) const { return core.find(JobId(id))->state; }
  [[nodiscard]] const Execution& execution(const std::string& id, std::size_t index = 0) const {
    return core.find(JobId(id))->executions.at(index);
  }
};

AttemptKey key(const std::string& job, std::int64_t fence = 1, int execution = 0) {
  return {JobId(job), execution, fence};
}

// --- submission ---------------------------------------------------------------------------------------------------

TEST(Submission, IsSavedAndAsked) {
  World world({ready("a")});
  world.submit("j", {.command = {"run"}, .limits = {.time_s = 9, .output_bytes = 8}});
  EXPECT_EQ(world.one<SaveJob>().job, JobId("j"));
  const Question expected{
      .key = key("j"), .submitter = "ops", .command = {"run"}, .device = dev("a"), .limits = {9, 8}};
  EXPECT_EQ(world.one<Ask>().question, expected);
  EXPECT_TRUE(world.all<AnswerSubmission>().empty()) << "is answered once it is decided";
}

TEST(Submission, WithoutDevicesIsAskedOnceWithoutDevice) {
  World world;
  world.submit("j", {.command = {"run"}, .replicas = 3});
  EXPECT_TRUE(world.one<Ask>().question.device.empty());
  world.step(World::allow(world.one<Ask>().question));
  EXPECT_EQ(world.one<AnswerSubmission>().state, "queued");
  world.step(DeviceSeen{ready("a")});
  EXPECT_EQ(world.one<Ask>().question.device, dev("a"));
}

TEST(Submission, RepeatAnswersBothAndChangesNothing) {
  World world({ready("a")});
  world.submit("j");
  const auto question = world.one<Ask>().question;
  world.step(World::submission("j", {}, 2));
  EXPECT_TRUE(world.said.empty());
  world.step(World::allow(question));
  ASSERT_EQ(world.all<AnswerSubmission>().size(), 2U);
  world.step(World::submission("j", {}, 3));
  const auto answer = world.one<AnswerSubmission>();
  EXPECT_EQ(answer.job, JobId("j"));
  EXPECT_EQ(answer.reply, 3U);
  EXPECT_EQ(answer.state, "assigned");
  EXPECT_EQ(world.said.size(), 1U);
  EXPECT_EQ(world.core.live(), 1U);
}

TEST(Submission, RepeatOfAForgottenJobIsAnsweredFromTheStore) {
  World world({ready("a")});
  auto again = World::submission("j");
  again.known = JobSubmitted::Known{"succeeded", "", "d-j"};
  world.step(again);
  EXPECT_EQ(world.one<AnswerSubmission>().state, "succeeded");
  again.known->spec_digest = "other";
  world.step(again);
  EXPECT_EQ(world.one<AnswerError>().error.code, Code::conflict);
  EXPECT_EQ(world.core.find(JobId("j")), nullptr);
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
       .spec = {.requirements = {.disk_bytes = 1024 * mib + 1}},
       .code = Code::invalid,
       .path = "/requirements/disk_bytes"},
  };
  for (const auto& c : cases) {
    World world({ready("a", {{"zone", "x"}})});
    world.submit("j", c.spec);
    const auto error = world.one<AnswerError>().error;
    EXPECT_EQ(error.code, c.code) << c.name;
    EXPECT_EQ(error.path, c.path) << c.name;
    EXPECT_EQ(world.said.size(), 1U) << c.name;
    EXPECT_EQ(world.core.live(), 0U) << c.name;
  }
}

TEST(Submission, TargetsThatNobodyMatchesAreRefused) {
  World world({ready("a", {{"zone", "x"}})});
  JobSpec spec;
  spec.targets = Labels{{"zone", "nowhere"}};
  world.submit("j", spec);
  EXPECT_EQ(world.one<AnswerError>().error.code, Code::unknown);
  EXPECT_EQ(world.one<AnswerError>().error.path, "/targets/labels");
  EXPECT_EQ(world.core.live(), 0U);
}

TEST(Submission, OtherDigestIsAConflict) {
  World world({ready("a")});
  world.submit("j");
  auto other = World::submission("j", {}, 7);
  other.spec_digest = "other";
  world.step(other);
  EXPECT_EQ(world.one<AnswerError>().error.code, Code::conflict);
  EXPECT_EQ(world.one<AnswerError>().reply, 7U);
  EXPECT_EQ(world.said.size(), 1U);
}

TEST(Submission, KnownPackageIsAccepted) {
  World world({ready("a")});
  world.step(PackageSeen{"sha256:p"});
  world.submit("j", {.package = "sha256:p"});
  EXPECT_EQ(world.one<Ask>().question.package, "sha256:p");
}

TEST(Submission, TooManyLiveJobsIsUnavailable) {
  World world;
  world.core = Scheduler(Limits{.jobs_live_max = 1});
  world.submit("j");
  world.submit("k");
  EXPECT_EQ(world.one<AnswerError>().error.code, Code::unavailable);
}

// --- decisions ----------------------------------------------------------------------------------------------------

TEST(Decision, AllowOrdersWithTheGrant) {
  World world({ready("a")});
  const auto orders = world.run("j", {.command = {"run"}, .env = {{"K", "V"}}, .limits = {9, 8}, .outputs = {"o"}});
  ASSERT_EQ(orders.size(), 1U);
  EXPECT_EQ(orders[0].key, assign_key(key("j")));
  EXPECT_EQ(orders[0].device, dev("a"));
  const Assign expected{.key = key("j"),
                        .attempt = 1,
                        .lease_s = 30,
                        .command = {"run"},
                        .env = {{"K", "V"}},
                        .limits = {9, 8},
                        .outputs = {"o"},
                        .grant = "grant"};
  EXPECT_EQ(std::get<Assign>(orders[0].order), expected);
  EXPECT_EQ(world.one<SaveAttempt>().key, key("j"));
  EXPECT_EQ(world.one<AnswerSubmission>().state, "assigned");
  EXPECT_EQ(world.state("j"), JobState::assigned);
}

TEST(Decision, DenyEndsTheJob) {
  World world({ready("a")});
  world.submit("j");
  const auto question = world.one<Ask>().question;
  world.step(DecisionMade{{.key = question.key, .device = question.device, .allow = false, .reason = "rule 7"}});
  EXPECT_EQ(world.state("j"), JobState::denied);
  EXPECT_EQ(world.one<AnswerSubmission>().state, "denied");
  EXPECT_EQ(world.one<AnswerSubmission>().reason, "rule 7");
  EXPECT_TRUE(world.all<Order>().empty());
  EXPECT_EQ(world.core.devices().at(dev("a")).attempts, 0);
}

TEST(Decision, ForAnotherQuestionIsIgnored) {
  World world({ready("a"), ready("b")});
  world.submit("j");
  const auto good = World::allow(world.one<Ask>().question);
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
    EXPECT_TRUE(world.said.empty()) << name;
  }
  world.step(good);
  EXPECT_EQ(world.all<Order>().size(), 1U);
  world.step(good);
  EXPECT_TRUE(world.said.empty()) << "repeat";
}

TEST(Decision, QuestionRepeatsUntilAnswered) {
  World world({ready("a")});
  world.submit("j");
  const auto question = world.one<Ask>().question;
  world.pass(seconds(1));
  EXPECT_TRUE(world.all<Ask>().empty());
  for (int i = 0; i < 3; ++i) {
    world.pass(seconds(2));
    EXPECT_EQ(world.one<Ask>().question, question);
  }
}

// --- reports ------------------------------------------------------------------------------------------------------

TEST(Report, FollowsAnAttemptToItsEnd) {
  World world({ready("a")});
  world.run("j");
  world.report("a", key("j"), AttemptState::accepted);
  EXPECT_EQ(world.settled_keys(), std::vector<std::string>{assign_key(key("j"))});
  EXPECT_EQ(world.state("j"), JobState::assigned);
  world.report("a", key("j"), AttemptState::running);
  EXPECT_EQ(world.state("j"), JobState::running);
  world.step(
      ReportArrived{dev("a"),
                    1,
                    ++world.seqs[dev("a")],
                    {{.key = key("j"), .state = AttemptState::succeeded, .result = RunResult{.stdout_text = "hi"}}}});
  EXPECT_EQ(world.state("j"), JobState::succeeded);
  EXPECT_EQ(world.execution("j").attempt->result->stdout_text, "hi");
  EXPECT_EQ(world.core.devices().at(dev("a")).attempts, 0);
  EXPECT_EQ(world.core.live(), 0U);
  EXPECT_EQ(world.one<SaveJob>().job, JobId("j"));
}

struct StreamCase {
  const char* name;
  std::int64_t epoch, seq;
  std::size_t items;
  std::int64_t ack_epoch, ack_seq;  // ack_epoch 0: no answer
  bool saved;
};

TEST(Report, StreamInOrder) {
  // The stream stands at epoch 5, sequence 3.
  const StreamCase cases[] = {
      {.name = "next", .epoch = 5, .seq = 4, .items = 2, .ack_epoch = 5, .ack_seq = 5, .saved = true},
      {.name = "repeated", .epoch = 5, .seq = 1, .items = 3, .ack_epoch = 5, .ack_seq = 3, .saved = false},
      {.name = "overlapping", .epoch = 5, .seq = 2, .items = 4, .ack_epoch = 5, .ack_seq = 5, .saved = true},
      {.name = "gap", .epoch = 5, .seq = 5, .items = 1, .ack_epoch = 5, .ack_seq = 3, .saved = false},
      {.name = "older epoch", .epoch = 4, .seq = 4, .items = 1, .ack_epoch = 0, .ack_seq = 0, .saved = false},
      {.name = "newer epoch", .epoch = 6, .seq = 1, .items = 2, .ack_epoch = 6, .ack_seq = 2, .saved = true},
      {.name = "newer epoch, gap", .epoch = 6, .seq = 4, .items = 1, .ack_epoch = 6, .ack_seq = 0, .saved = false},
  };
  for (const auto& c : cases) {
    World world;
    world.core = Scheduler(Limits{}, Saved{.streams = {{dev("a"), {5, 3}}}}, world.now);
    world.step(ReportArrived{dev("a"), c.epoch, c.seq, std::vector<AttemptReport>(c.items, {.key = key("x")})});
    const auto acks = world.all<Acknowledge>();
    ASSERT_EQ(acks.size(), c.ack_epoch == 0 ? 0U : 1U) << c.name;
    if (c.ack_epoch != 0) {
      EXPECT_EQ(acks[0].stream.epoch, c.ack_epoch) << c.name;
      EXPECT_EQ(acks[0].stream.seq, c.ack_seq) << c.name;
    }
    EXPECT_EQ(world.all<SaveStream>().size(), c.saved ? 1U : 0U) << c.name;
  }
}

TEST(Report, WhatIsNotTheLiveAttemptIsToldStale) {
  World world({ready("a"), ready("b")});
  world.run("j");
  const auto device = world.execution("j").attempt->device.value;
  world.report(device, key("j"), AttemptState::failed, "broke");
  world.pass(seconds(2));
  world.allow_all();
  ASSERT_EQ(world.execution("j").attempt->key, key("j", 2));
  const auto other = world.execution("j").attempt->device.value;
  const auto before = world.execution("j").attempt->state;
  struct Case {
    const char* name;
    std::string device;
    AttemptKey key;
    const char* state;
  };
  const Case cases[] = {{"old fence", device, key("j", 1), "assigned"},
                        {"fence to come", other, key("j", 3), "assigned"},
                        {"another device", device, key("j", 2), "assigned"},
                        {"no such execution", other, key("j", 2, 1), "unknown"},
                        {"no such job", other, key("x"), "unknown"}};
  for (const auto& c : cases) {
    world.report(c.device, c.key, AttemptState::running);
    const auto stale = world.one<TellStale>();
    EXPECT_EQ(stale.device, dev(c.device)) << c.name;
    EXPECT_EQ(stale.stale, (Stale{c.key, c.state})) << c.name;
    EXPECT_TRUE(world.all<SaveAttempt>().empty()) << c.name;
    EXPECT_EQ(world.execution("j").attempt->state, before) << c.name;
    EXPECT_EQ(world.state("j"), JobState::assigned) << c.name;
  }
  world.report(device, key("j", 1), AttemptState::succeeded);
  EXPECT_EQ(world.state("j"), JobState::assigned) << "an end with an old fence changes nothing either";
  EXPECT_TRUE(world.all<TellStale>().empty()) << "it is over there: nothing to drop";
}

TEST(Report, NeverGoesBack) {
  World world({ready("a")});
  world.run("j");
  world.report("a", key("j"), AttemptState::running);
  world.report("a", key("j"), AttemptState::accepted);
  EXPECT_EQ(world.execution("j").attempt->state, AttemptState::running);
  EXPECT_TRUE(world.all<SaveAttempt>().empty());
}

// --- retries, leases, devices -------------------------------------------------------------------------------------

TEST(Retry, OnAnotherDeviceAfterBackoff) {
  World world({ready("a"), ready("b")});
  world.run("j", {.retry = {.attempts_max = 3, .backoff_s = 1}});
  const auto first = world.execution("j").attempt->device;
  world.report(first.value, key("j"), AttemptState::failed, "exit code 1");
  EXPECT_TRUE(world.all<Ask>().empty());
  EXPECT_EQ(world.state("j"), JobState::queued);
  world.pass(milliseconds(999));
  EXPECT_TRUE(world.all<Ask>().empty());
  world.pass(milliseconds(1));
  const auto question = world.one<Ask>().question;
  EXPECT_EQ(question.key, key("j", 2));
  EXPECT_NE(question.device, first);
  const auto orders = world.allow_all();
  ASSERT_EQ(orders.size(), 1U);
  EXPECT_EQ(std::get<Assign>(orders[0].order).attempt, 2);
}

// What stands in the timeline from the question and the lease of the attempt must not wake it early.
TEST(Retry, WaitsItsWholeBackoff) {
  struct Case {
    int backoff_s;
    Duration runs;
  };
  for (const auto& c : {Case{10, milliseconds(500)}, Case{100, seconds(30)}, Case{300, seconds(1)}}) {
    World world({ready("a")});
    world.run("j", {.retry = {.attempts_max = 2, .backoff_s = c.backoff_s}});
    world.pass(c.runs);
    world.report("a", key("j"), AttemptState::failed);
    const auto due = world.now + seconds(c.backoff_s);
    while (world.now + milliseconds(500) < due) {
      world.pass(milliseconds(500));
      ASSERT_TRUE(world.all<Ask>().empty())
          << "backoff " << c.backoff_s << " s, asked " << to_ms(due) - to_ms(world.now) << " ms early";
    }
    world.pass(milliseconds(500));
    EXPECT_EQ(world.all<Ask>().size(), 1U) << c.backoff_s;
  }
}

TEST(Retry, BackoffDoublesUpToFiveMinutes) {
  World world({ready("a")});
  world.run("j", {.retry = {.attempts_max = 10, .backoff_s = 100}});
  std::int64_t fence = 1;
  for (const int wait : {100, 200, 300, 300}) {
    world.report("a", key("j", fence++), AttemptState::failed);
    world.pass(seconds(wait) - milliseconds(1));
    ASSERT_TRUE(world.all<Ask>().empty()) << wait;
    world.pass(milliseconds(1));
    ASSERT_EQ(world.all<Ask>().size(), 1U) << wait;
    world.allow_all();
  }
}

TEST(Retry, OnTheSameDeviceWhenThereIsNoOther) {
  World world({ready("a")});
  world.run("j");
  world.report("a", key("j"), AttemptState::failed);
  world.pass(seconds(1));
  EXPECT_EQ(world.one<Ask>().question.device, dev("a"));
}

TEST(Retry, AttemptsMaxEndsTheJob) {
  for (const auto state : {AttemptState::failed, AttemptState::refused, AttemptState::cancelled}) {
    World world({ready("a")});
    world.run("j", {.retry = {.attempts_max = 2, .backoff_s = 0}});
    world.report("a", key("j", 1), state, "first");
    world.pass(seconds(0));
    world.allow_all();
    world.report("a", key("j", 2), state, "second");
    EXPECT_EQ(world.state("j"), JobState::failed) << name(state);
    EXPECT_EQ(world.core.find(JobId("j"))->reason, "second") << name(state);
    world.pass(seconds(1000));
    EXPECT_TRUE(world.said.empty()) << name(state);
  }
}

TEST(Lease, RunsOutAndIsPlacedAgain) {
  World world({ready("a")});
  world.run("j");
  world.report("a", key("j"), AttemptState::running);
  world.pass(seconds(35) - milliseconds(1));
  EXPECT_TRUE(world.said.empty());
  world.pass(milliseconds(1));
  EXPECT_EQ(world.one<Ask>().question.key, key("j", 2));
  EXPECT_EQ(world.execution("j").attempt->state, AttemptState::lost);
  EXPECT_EQ(world.execution("j").attempt->reason, "its lease ran out");
  EXPECT_EQ(world.one<SaveAttempt>().key, key("j"));
  EXPECT_EQ(world.settled_keys(), std::vector<std::string>{assign_key(key("j"))});
  EXPECT_EQ(world.execution("j").failures, 0) << "nobody failed";
}

TEST(Lease, HeartbeatRenews) {
  World world({ready("a")});
  world.run("j");
  for (int i = 0; i < 10; ++i) {
    world.pass(seconds(30));
    world.step(HeartbeatArrived{dev("a"), {key("j")}});
    EXPECT_TRUE(world.said.empty());
  }
  world.pass(seconds(35));
  EXPECT_EQ(world.execution("j").attempt->state, AttemptState::lost);
}

TEST(Lease, HeartbeatOfAnotherDeviceDoesNotRenew) {
  World world({ready("a")});
  world.run("j");
  world.pass(seconds(30));
  world.step(HeartbeatArrived{dev("b"), {key("j")}});
  EXPECT_EQ(world.one<TellStale>().device, dev("b"));
  world.pass(seconds(5));
  EXPECT_EQ(world.execution("j").attempt->state, AttemptState::lost);
}

TEST(Lease, HeartbeatWithAnUnknownAttemptIsToldStale) {
  World world({ready("a")});
  world.run("j");
  world.step(HeartbeatArrived{dev("a"), {key("j"), key("j", 7), key("x")}});
  const auto stale = world.all<TellStale>();
  ASSERT_EQ(stale.size(), 2U);
  EXPECT_EQ(stale[0].stale, (Stale{key("j", 7), "assigned"}));
  EXPECT_EQ(stale[1].stale, (Stale{key("x"), "unknown"}));
}

TEST(DeviceState, LostOrRefusedFreesItsWork) {
  for (const auto state : {DeviceState::lost, DeviceState::refused}) {
    World world({ready("a")});
    world.run("j");
    world.step(DeviceSeen{ready("b")});
    auto gone = ready("a");
    gone.state = state;
    world.step(DeviceSeen{gone});
    EXPECT_EQ(world.execution("j").attempt->state, AttemptState::lost);
    EXPECT_EQ(world.one<Ask>().question.device, dev("b"));
    EXPECT_EQ(world.one<Ask>().question.key.fence, 2);
    world.allow_all();
    world.report("a", key("j"), AttemptState::succeeded);
    EXPECT_EQ(world.state("j"), JobState::assigned) << "the first device's end counts no more";
  }
}

TEST(DeviceState, SuspectKeepsItsWorkAndGetsNoMore) {
  World world({ready("a")});
  world.run("j");
  auto suspect = ready("a");
  suspect.state = DeviceState::suspect;
  world.step(DeviceSeen{suspect});
  EXPECT_TRUE(world.said.empty());
  world.submit("k");
  EXPECT_TRUE(world.one<Ask>().question.device.empty());
}

// The answer comes after the device was given up: it must not get the work.
TEST(DeviceState, LostWhileAskedAboutIsNotAssigned) {
  World world({ready("a")});
  world.submit("j");
  const auto question = world.one<Ask>().question;
  auto gone = ready("a");
  gone.state = DeviceState::lost;
  world.step(DeviceSeen{gone});
  world.step(World::allow(question));
  EXPECT_TRUE(world.all<Order>().empty());
  world.step(DeviceSeen{ready("b")});
  const auto next = world.all<Ask>();
  ASSERT_EQ(next.size(), 1U);
  EXPECT_EQ(next[0].question.device, dev("b"));
}

// Nobody answers: the question is put about another one.
TEST(DeviceState, LostWhileAskedAboutIsNotAskedAboutAgain) {
  World world({ready("a")});
  world.submit("j");
  auto gone = ready("a");
  gone.state = DeviceState::lost;
  world.step(DeviceSeen{gone});
  world.step(DeviceSeen{ready("b")});
  world.pass(seconds(3));
  EXPECT_EQ(world.one<Ask>().question.device, dev("b"));
  EXPECT_EQ(world.core.devices().at(dev("a")).attempts, 0);
}

TEST(DeviceState, ReturnedIsReminded) {
  World world({ready("a")});
  world.step(DeviceReturned{dev("a")});
  EXPECT_EQ(world.one<Remind>().device, dev("a"));
}

// --- cancel, deadline ---------------------------------------------------------------------------------------------

TEST(Stop, CancelInEachPhase) {
  struct Case {
    const char* name;
    std::function<void(World&)> before;
    bool order;
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
    for (const auto& answer : world.all<AnswerSubmission>())
      answered = answered || (answer.reply == 9 && answer.state == "cancelled");
    EXPECT_TRUE(answered) << c.name;
    const auto orders = world.all<Order>();
    ASSERT_EQ(orders.size(), c.order ? 1U : 0U) << c.name;
    if (c.order) {
      EXPECT_EQ(orders[0].key, cancel_key(key("j"))) << c.name;
      EXPECT_EQ(std::get<Cancel>(orders[0].order).key, key("j")) << c.name;
      world.report("a", key("j"), AttemptState::cancelled);
      const auto keys = world.settled_keys();
      EXPECT_NE(std::find(keys.begin(), keys.end(), cancel_key(key("j"))), keys.end()) << c.name;
    }
    EXPECT_EQ(world.core.devices().at(dev("a")).attempts, 0) << c.name;
    EXPECT_EQ(world.core.queued(), 0U) << c.name;
    world.pass(seconds(1000));
    EXPECT_TRUE(world.said.empty()) << c.name;
    world.step(CancelRequested{10, JobId("j")});
    EXPECT_EQ(world.said.size(), 1U) << c.name;
    EXPECT_EQ(world.one<AnswerSubmission>().state, "cancelled") << c.name;
  }
}

TEST(Stop, CancelOfAnUnknownJob) {
  World world;
  world.step(CancelRequested{9, JobId("j")});
  EXPECT_EQ(world.one<AnswerError>().error.code, Code::unknown);
  EXPECT_EQ(world.one<AnswerError>().error.path, "/job");
}

TEST(Stop, DeadlineExpires) {
  World world({ready("a")});
  world.run("j", {.deadline_s = 10});
  world.pass(seconds(10) - milliseconds(1));
  EXPECT_TRUE(world.said.empty());
  world.pass(milliseconds(1));
  EXPECT_EQ(world.state("j"), JobState::expired);
  EXPECT_EQ(world.one<Order>().key, cancel_key(key("j")));
}

TEST(Stop, DeadlineOfAFinishedJobPassesSilently) {
  World world({ready("a")});
  world.run("j", {.deadline_s = 10});
  world.report("a", key("j"), AttemptState::succeeded);
  world.pass(seconds(20));
  EXPECT_TRUE(world.said.empty());
  EXPECT_EQ(world.state("j"), JobState::succeeded);
}

// --- many ---------------------------------------------------------------------------------------------------------

TEST(Many, ReplicasOnDistinctDevices) {
  World world({ready("a"), ready("b")});
  const auto orders = world.run("j", {.replicas = 3});
  ASSERT_EQ(orders.size(), 2U);
  EXPECT_NE(orders[0].device, orders[1].device);
  EXPECT_EQ(world.core.queued(), 1U) << "the third waits for a third device";
  world.step(DeviceSeen{ready("c")});
  EXPECT_EQ(world.one<Ask>().question.device, dev("c"));
}

TEST(Many, ReplicasMakeTheJobsState) {
  World world({ready("a"), ready("b")});
  world.run("j", {.replicas = 2, .retry = {.attempts_max = 1}});
  const auto on = [&](std::size_t i) { return world.execution("j", i).attempt->device.value; };
  world.report(on(0), key("j", 1, 0), AttemptState::succeeded);
  EXPECT_EQ(world.state("j"), JobState::assigned);
  world.report(on(1), key("j", 1, 1), AttemptState::failed, "broke");
  EXPECT_EQ(world.state("j"), JobState::failed);
  EXPECT_EQ(world.core.find(JobId("j"))->reason, "broke");
}

TEST(Many, TargetsOnEachMatchingDevice) {
  World world({ready("a", {{"zone", "x"}}), ready("b", {{"zone", "y"}}), ready("c", {{"zone", "x"}, {"arm", "1"}})});
  const auto orders = world.run("j", {.targets = Labels{{"zone", "x"}}});
  ASSERT_EQ(orders.size(), 2U);
  EXPECT_EQ(orders[0].device, dev("a"));
  EXPECT_EQ(orders[1].device, dev("c"));
  world.report("a", key("j", 1, 0), AttemptState::failed);
  world.pass(seconds(1));
  EXPECT_EQ(world.one<Ask>().question.device, dev("a")) << "a target is not replaced by another device";
}

TEST(Many, PriorityThenOrder) {
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
    const auto question = world.one<Ask>().question;
    order.push_back(question.key.job.value);
    world.allow_all();
    world.report("a", question.key, AttemptState::succeeded);
  }
  EXPECT_EQ(order, (std::vector<std::string>{"high", "first", "second", "low"}));
}

TEST(Many, ALaneThatDoesNotFitBlocksNoOther) {
  World world({ready("a")});
  world.run("big", {.requirements = {.cpu_millis = 3000}});
  EXPECT_TRUE(world.run("stuck", {.requirements = {.cpu_millis = 3000}, .priority = 9}).empty());
  EXPECT_TRUE(world.run("stuck2", {.requirements = {.cpu_millis = 3000}, .priority = 9}).empty());
  EXPECT_EQ(world.run("small", {.requirements = {.cpu_millis = 500}, .priority = 0}).size(), 1U);
  world.report("a", key("big"), AttemptState::succeeded);
  EXPECT_EQ(world.one<Ask>().question.key, key("stuck"));
}

TEST(Many, FinishedJobsAreForgottenOldestFirst) {
  World world({ready("a")});
  world.core = Scheduler(Limits{.jobs_finished_max = 1});
  world.step(DeviceSeen{ready("a")});
  world.run("j");
  world.report("a", key("j"), AttemptState::succeeded);
  EXPECT_TRUE(world.all<ForgetJob>().empty());
  world.run("k");
  world.report("a", key("k"), AttemptState::succeeded);
  EXPECT_EQ(world.one<ForgetJob>().job, JobId("j"));
  EXPECT_EQ(world.core.find(JobId("j")), nullptr);
}

// --- restart ------------------------------------------------------------------------------------------------------

Saved save(const Scheduler& core, const std::vector<std::string>& devices) {
  Saved saved;
  for (const auto& [id, job] : core.jobs()) saved.jobs.push_back(job);
  std::sort(saved.jobs.begin(), saved.jobs.end(), [](const auto& a, const auto& b) { return a.order < b.order; });
  for (const auto& id : devices) saved.streams[dev(id)] = core.stream(dev(id));
  return saved;
}

TEST(Restart, LiveStaysLiveAndTheRestIsPlacedAgain) {
  World world({ready("a")});
  world.run("live", {.requirements = {.cpu_millis = 3000}});
  world.run("queued", {.requirements = {.cpu_millis = 3000}});
  world.submit("asking");
  world.run("done");
  world.report("a", key("done"), AttemptState::succeeded);
  world.run("waiting");
  world.report("a", key("waiting"), AttemptState::failed);

  world.now += seconds(34);
  world.core = Scheduler(Limits{}, save(world.core, {"a"}), world.now);
  EXPECT_EQ(world.core.stream(dev("a")).seq, 2);
  EXPECT_EQ(world.core.live(), 4U);
  world.step(DeviceSeen{ready("a")});
  std::map<JobId, std::int64_t> asked;
  for (const auto& ask : world.all<Ask>()) asked[ask.question.key.job] = ask.question.key.fence;
  EXPECT_EQ(asked, (std::map<JobId, std::int64_t>{{JobId("asking"), 1}, {JobId("waiting"), 2}}));
  EXPECT_EQ(world.core.devices().at(dev("a")).cpu_millis_used, 3000);

  world.pass(seconds(34));
  EXPECT_EQ(world.execution("live").phase, Phase::live) << "the lease counts anew from the restart";
  world.report("a", key("live"), AttemptState::succeeded);
  EXPECT_EQ(world.state("live"), JobState::succeeded);
  std::vector<std::string> again;
  for (const auto& ask : world.all<Ask>()) again.push_back(ask.question.key.job.value);
  EXPECT_EQ(again, std::vector<std::string>{"queued"});
}

TEST(Restart, LeaseRunsOutAfterIt) {
  World world({ready("a")});
  world.run("j");
  world.core = Scheduler(Limits{}, save(world.core, {"a"}), world.now);
  world.step(DeviceSeen{ready("a")});
  world.pass(seconds(35));
  EXPECT_EQ(world.one<Ask>().question.key, key("j", 2));
}

TEST(Restart, DeadlineCountsFromSubmission) {
  World world({ready("a")});
  world.run("j", {.deadline_s = 20});
  world.now += seconds(15);
  world.core = Scheduler(Limits{}, save(world.core, {"a"}), world.now);
  world.pass(seconds(5));
  EXPECT_EQ(world.state("j"), JobState::expired);
}

// Until the registry has said what the devices have, nothing is impossible.
TEST(Restart, SubmissionBeforeTheDevicesAreSeenWaits) {
  World world({ready("a")});
  world.run("j");
  world.core = Scheduler(Limits{}, save(world.core, {"a"}), world.now);
  world.submit("k", {.requirements = {.cpu_millis = 100}});
  EXPECT_TRUE(world.all<AnswerError>().empty());
  EXPECT_EQ(world.all<Ask>().size(), 1U);
}

// --- the storm ----------------------------------------------------------------------------------------------------

// Random facts, repeated, late and reordered; restarts in between. The promises are checked after each.
class Storm {
 public:
  explicit Storm(unsigned seed) : random_(seed) {
    for (const auto& id : devices_) world_.step(DeviceSeen{ready(id, {{"zone", id < "d3" ? "x" : "y"}})});
  }

  void run(int steps) {
    for (int i = 0; i < steps && !::testing::Test::HasFailure(); ++i) {
      any();
      check();
    }
  }

  // The faults stop: every job ends.
  void calm() {
    for (const auto& id : devices_) feed(DeviceSeen{ready(id, {{"zone", id < "d3" ? "x" : "y"}})});
    for (int round = 0; round < 4000 && world_.core.live() > 0 && !::testing::Test::HasFailure(); ++round) {
      world_.now += seconds(1);
      feed(TimePassed{});
      const auto open = std::move(asked_);
      asked_.clear();
      for (const auto& question : open) feed(World::allow(question));
      std::vector<std::pair<DeviceId, AttemptKey>> live;
      for (const auto& [id, job] : world_.core.jobs()) {
        for (const auto& e : job.executions) {
          if (e.phase == Phase::live) live.emplace_back(e.attempt->device, e.attempt->key);
        }
      }
      for (const auto& [device, k] : live) say(device, k, AttemptState::succeeded);
      check();
    }
    EXPECT_EQ(world_.core.live(), 0U) << stuck();
    for (const auto& [id, view] : world_.core.devices()) {
      EXPECT_EQ(view.attempts, 0) << id.value;
      EXPECT_EQ(view.cpu_millis_used, 0) << id.value;
    }
  }

 private:
  int draw(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random_); }

  [[nodiscard]] std::string stuck() const {
    std::string out;
    for (const auto& [id, job] : world_.core.jobs()) {
      if (settled(job.state)) continue;
      out += id.value + " is " + std::string(name(job.state)) + (job.authorised ? ", authorised:" : ":");
      for (const auto& e : job.executions) {
        out += " phase " + std::to_string(static_cast<int>(e.phase)) + " on " +
               (e.attempt ? e.attempt->device.value : e.proposed.value);
        for (const auto& f : world_.core.explain(job, e).filtered)
          out += " [" + f.device.value + " " + f.requirement + " " + f.reason + "]";
      }
      out += "\n";
    }
    return out;
  }

  void feed(const Input& input) {
    world_.step(input);
    for (const auto& ask : world_.all<Ask>()) asked_.push_back(ask.question);
    for (const auto& order : world_.all<Order>()) {
      if (const auto* assign = std::get_if<Assign>(&order.order)) ordered(order.device, assign->key);
    }
  }

  void ordered(const DeviceId& device, const AttemptKey& k) {
    auto& last = newest_[{k.job, k.execution}];
    EXPECT_GT(k.fence, last) << "a fence was used twice: " << k.job.value;
    if (last > 0) {
      EXPECT_TRUE(ended_.contains({k.job, k.execution, last})) << k.job.value << " has two live attempts";
    }
    last = k.fence;
    given_.emplace_back(device, k);
  }

  void say(const DeviceId& device, const AttemptKey& k, AttemptState state) {
    const auto at = world_.core.stream(device);
    feed(ReportArrived{device, std::max<std::int64_t>(1, at.epoch), at.seq + 1, {{.key = k, .state = state}}});
  }

  JobSpec spec() {
    JobSpec out{.requirements = {.cpu_millis = 500 * draw(7)}, .priority = draw(10)};
    if (draw(3) == 0) out.requirements.labels["zone"] = draw(2) == 0 ? "x" : "y";
    if (draw(4) == 0) out.replicas = 1 + draw(out.requirements.labels.empty() ? 5 : 2);  // as many as there are devices
    if (out.requirements.labels.empty() && draw(5) == 0) out.targets = Labels{{"zone", "x"}};
    if (draw(5) == 0) out.deadline_s = 1 + draw(200);
    out.retry = {1 + draw(4), draw(20)};
    return out;
  }

  void any() {
    switch (draw(13)) {
      case 0:
      case 1:
        return feed(World::submission("j" + std::to_string(jobs_ < 5 || draw(4) > 0 ? jobs_++ : draw(jobs_)), spec()));
      case 2:
      case 3:
      case 4:
        if (asked_.empty()) return;
        {
          const auto at = static_cast<std::size_t>(draw(static_cast<int>(asked_.size())));
          auto decision = World::allow(asked_[at]);
          decision.decision.allow = draw(12) > 0;
          if (draw(3) > 0) asked_.erase(asked_.begin() + static_cast<std::ptrdiff_t>(at));  // else it comes again
          return feed(decision);
        }
      case 5:
      case 6:
      case 7:
        if (given_.empty()) return;
        {
          const auto& [device, k] = given_[static_cast<std::size_t>(draw(static_cast<int>(given_.size())))];
          return say(device, k, static_cast<AttemptState>(1 + draw(6)));
        }
      case 8: {
        HeartbeatArrived beat{dev(devices_[static_cast<std::size_t>(draw(5))]), {}};
        for (const auto& [device, k] : given_) {
          if (device == beat.device && draw(2) == 0) beat.attempts.push_back(k);
        }
        return feed(beat);
      }
      case 9: {
        const auto& id = devices_[static_cast<std::size_t>(draw(5))];
        auto device = ready(id, {{"zone", id < "d3" ? "x" : "y"}});
        if (draw(2) == 0) device.state = static_cast<DeviceState>(draw(5));
        return feed(DeviceSeen{device});
      }
      case 10:
        if (jobs_ > 0 && draw(3) == 0) return feed(CancelRequested{1, JobId("j" + std::to_string(draw(jobs_)))});
        return;
      case 11: world_.now += milliseconds(draw(8000)); return feed(TimePassed{});
      default: break;
    }
    if (draw(6) > 0) return;
    world_.core = Scheduler(Limits{}, save(world_.core, devices_), world_.now);
    for (const auto& id : devices_) feed(DeviceSeen{ready(id, {{"zone", id < "d3" ? "x" : "y"}})});
  }

  void check() {
    std::map<DeviceId, std::pair<int, std::int64_t>> used;
    std::size_t live = 0;
    for (const auto& [id, job] : world_.core.jobs()) {
      live += settled(job.state) ? 0 : 1;
      std::set<DeviceId> on;
      for (const auto& e : job.executions) {
        const bool is_live = e.phase == Phase::live;
        ASSERT_TRUE(!is_live || !settled(job.state)) << id.value << " has ended and has a live attempt";
        if (e.attempt) {
          EXPECT_EQ(is_live, !settled(e.attempt->state)) << id.value;
          if (settled(e.attempt->state)) ended_.insert(e.attempt->key);
        }
        const auto device = is_live ? e.attempt->device : e.phase == Phase::asking ? e.proposed : DeviceId();
        if (device.empty()) continue;
        EXPECT_TRUE(on.insert(device).second) << id.value << " is twice on " << device.value;
        auto& [attempts, cpu] = used[device];
        ++attempts;
        cpu += job.spec.requirements.cpu_millis;
      }
    }
    EXPECT_EQ(live, world_.core.live());
    for (const auto& [id, view] : world_.core.devices()) {
      EXPECT_EQ(view.attempts, used[id].first) << id.value;
      EXPECT_EQ(view.cpu_millis_used, used[id].second) << id.value;
      EXPECT_LE(view.cpu_millis_used, view.device.capacity.cpu_millis) << id.value;
    }
  }

  std::mt19937 random_;
  World world_;
  std::vector<std::string> devices_{"d0", "d1", "d2", "d3", "d4"};
  int jobs_ = 0;
  std::vector<Question> asked_;
  std::vector<std::pair<DeviceId, AttemptKey>> given_;
  std::map<std::pair<JobId, int>, std::int64_t> newest_;
  std::set<AttemptKey> ended_;
};

TEST(StormTest, PromisesHold) {
  for (unsigned seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Storm storm(seed);
    storm.run(400);
    storm.calm();
    if (HasFailure()) break;
  }
}

}  // namespace
}  // namespace fieldwork::scheduler
