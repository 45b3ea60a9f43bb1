// links: scheduler_core GTest::gtest_main
// What devices report: streams (docs/decisions/0011), attempts to their end, retries, what comes late, restarts.
#include <gtest/gtest.h>

#include "support/scheduler_world.hpp"

namespace fieldwork::scheduler {
namespace {

// --- streams ------------------------------------------------------------------------------------------------------

std::vector<ReportItem> items_of(const std::vector<std::int64_t>& tags) {
  std::vector<ReportItem> out;
  for (const auto tag : tags) out.push_back({tag, {.key = key("x"), .state = AttemptState::running}});
  return out;
}

struct StreamCase {
  const char* name;
  Stream stored;  // epoch 0: nothing
  std::int64_t epoch, first, seq, after;
  std::vector<std::int64_t> tags;
  Stream answered;
  std::int64_t begin = 0;
  std::size_t applied = 0;
  std::size_t lost = 0;
};

// The tag of number n is 100 + n; another history's is 200 + n.
const StreamCase stream_cases[] = {
    {"the first of all", {}, 5, 1, 1, 0, {101, 102}, {5, 2, 102}, 0, 2},
    {"the first of all, of a journal that goes on", {}, 5, 8, 8, 107, {108}, {5, 8, 108}, 0, 1},
    {"the first of all, with a gap", {}, 5, 8, 9, 108, {109}, {5, 7, 0}},
    {"next", {5, 3, 103}, 5, 4, 4, 103, {104, 105}, {5, 5, 105}, 0, 2},
    {"next, of a device that has no tag before it", {5, 3, 103}, 5, 4, 4, 0, {104}, {5, 4, 104}, 0, 1},
    {"next, where the stored one was never heard", {5, 3, 0}, 5, 4, 4, 103, {104}, {5, 4, 104}, 0, 1},
    {"next, of another history", {5, 3, 103}, 5, 4, 4, 203, {204}, {5, 3, 103}, 6},
    {"repeated", {5, 3, 103}, 5, 1, 1, 0, {101, 102, 103}, {5, 3, 103}},
    {"repeated in part", {5, 3, 103}, 5, 1, 1, 0, {101, 102}, {5, 3, 103}},
    {"overlapping", {5, 3, 103}, 5, 2, 2, 101, {102, 103, 104, 105}, {5, 5, 105}, 0, 2},
    {"overlapping, of another history", {5, 3, 103}, 5, 2, 2, 101, {102, 203, 204}, {5, 3, 103}, 6},
    {"repeated, of another history", {5, 3, 103}, 5, 3, 3, 0, {203}, {5, 3, 103}, 6},
    {"gap", {5, 3, 103}, 5, 4, 5, 104, {105}, {5, 3, 103}},
    {"gone on both sides", {5, 3, 103}, 5, 8, 8, 107, {108}, {5, 8, 108}, 0, 1, 4},
    {"gone on both sides, and a gap", {5, 3, 103}, 5, 8, 9, 108, {109}, {5, 7, 0}, 0, 0, 4},
    {"older epoch", {5, 3, 103}, 4, 4, 4, 103, {104}, {5, 3, 103}, 6},
    {"newer epoch", {5, 3, 103}, 6, 1, 1, 0, {101, 102}, {6, 2, 102}, 0, 2},
    {"newer epoch, gap", {5, 3, 103}, 6, 1, 4, 103, {104}, {6, 0, 0}},
    {"newer epoch that goes on", {5, 3, 103}, 6, 4, 4, 103, {104}, {6, 4, 104}, 0, 1},
    {"held below one that was never heard", {5, 5, 0}, 5, 3, 3, 102, {103, 104}, {5, 4, 104}, 0, 2},
    {"nothing in it", {5, 3, 103}, 5, 4, 4, 103, {}, {5, 3, 103}},
};

TEST(Stream, EachCaseOfTheDecision) {
  for (const auto& c : stream_cases) {
    World world;
    Saved saved;
    if (c.stored.epoch > 0) saved.streams[dev("a")] = c.stored;
    world.core = Scheduler(Limits{}, saved, world.now);
    world.step(ReportArrived{dev("a"), c.epoch, c.first, c.seq, c.after, items_of(c.tags), world.now});
    ASSERT_EQ(world.said.acknowledgements.size(), 1U) << c.name << ": every message is answered";
    const auto& ack = world.said.acknowledgements[0];
    EXPECT_EQ(ack.device, dev("a")) << c.name;
    EXPECT_EQ(ack.stream, c.answered) << c.name << ": " << ack.stream.epoch << " " << ack.stream.seq << " "
                                      << ack.stream.tag;
    EXPECT_EQ(ack.begin, c.begin) << c.name;
    // Each item applied speaks of a job that nobody knows, and is told so.
    EXPECT_EQ(world.said.stale.size(), c.applied) << c.name;
    EXPECT_EQ(world.core.streams_behind(), c.lost) << c.name;
    // What is answered is saved first: also a position that was only jumped to.
    ASSERT_EQ(world.said.streams.size(), c.answered == c.stored ? 0U : 1U) << c.name;
    for (const auto& save : world.said.streams) EXPECT_EQ(save.stream, c.answered) << c.name;
    EXPECT_EQ(world.said.notices.size(), (c.begin > 0 ? 1U : 0U) + (c.lost > 0 ? 1U : 0U)) << c.name;
    for (const auto& notice : world.said.notices) EXPECT_EQ(notice.device, dev("a")) << c.name;
  }
}

TEST(Stream, ResetMakesTheNextMessageTheBeginning) {
  World world;
  world.core = Scheduler(Limits{}, Saved{.streams = {{dev("a"), {5, 3, 103}}}}, world.now);
  world.step(StreamReset{dev("a")});
  ASSERT_EQ(world.said.streams.size(), 1U);
  EXPECT_TRUE(world.said.streams[0].remove);
  world.step(ReportArrived{dev("a"), 2, 7, 7, 206, items_of({207}), world.now});
  EXPECT_EQ(world.core.stream(dev("a")), (Stream{2, 7, 207}));
}

TEST(Stream, PositionIsKeptOverARestart) {
  World world;
  world.step(ReportArrived{dev("a"), 5, 1, 1, 0, items_of({101, 102}), world.now});
  world.restart();
  EXPECT_EQ(world.core.stream(dev("a")), (Stream{5, 2, 102}));
}

// --- attempts -----------------------------------------------------------------------------------------------------

TEST(Report, FollowsAnAttemptToItsEnd) {
  World world({ready("a")});
  world.run("j");
  world.report("a", key("j"), AttemptState::fetching);
  EXPECT_EQ(world.closed_keys(), std::vector<std::string>{assign_key(key("j"))});
  EXPECT_EQ(world.state("j"), JobState::assigned);
  EXPECT_EQ(world.execution("j").state, ExecutionState::fetching);
  world.report("a", key("j"), AttemptState::running);
  EXPECT_EQ(world.state("j"), JobState::running);
  world.report("a", {.key = key("j"), .state = AttemptState::succeeded, .result = RunResult{.stdout_text = "hi"}});
  EXPECT_EQ(world.state("j"), JobState::succeeded);
  EXPECT_EQ(world.rows.attempts().at(key("j")).result->stdout_text, "hi");
  EXPECT_EQ(world.rows.attempts().at(key("j")).state, AttemptState::succeeded);
  EXPECT_EQ(world.view("a").used.attempts, 0);
  EXPECT_EQ(world.core.live(), 0U);
  ASSERT_EQ(world.said.jobs.size(), 1U);
  EXPECT_EQ(world.said.jobs[0].id, JobId("j"));
  EXPECT_EQ(world.said.jobs[0].counts[static_cast<std::size_t>(ExecutionState::succeeded)], 1U);
}

TEST(Report, PartsAreKeptAndAreNoEnd) {
  World world({ready("a")});
  world.run("j");
  world.report("a", key("j"), AttemptState::running);
  world.report("a", {.key = key("j"), .state = AttemptState::running, .part = ResultPart{"stdout", 32768, "more"}});
  ASSERT_EQ(world.said.parts.size(), 1U);
  EXPECT_EQ(world.said.parts[0].key, key("j"));
  EXPECT_EQ(world.said.parts[0].part, (ResultPart{"stdout", 32768, "more"}));
  EXPECT_TRUE(world.said.executions.empty());
  EXPECT_TRUE(world.said.attempts.empty());
  EXPECT_EQ(world.state("j"), JobState::running);
}

TEST(Report, WhatIsNotTheLiveAttemptIsToldStale) {
  World world({ready("a"), ready("b")});
  world.run("j");
  const auto device = world.attempt("j").device.value;
  world.report(device, key("j"), AttemptState::failed, "broke");
  world.pass(seconds(2));
  world.allow_all();
  ASSERT_EQ(world.attempt("j").key, key("j", 2));
  const auto other = world.attempt("j").device.value;
  const auto before = world.attempt("j").state;
  struct Case {
    const char* name;
    std::string device;
    AttemptKey key;
    const char* state;
  };
  const Case cases[] = {{"old fence", device, key("j", 1), "assigned"},
                        {"fence to come", other, key("j", 3), "assigned"},
                        {"another device", device, key("j", 2), "assigned"},
                        {"no such execution", other, key("j", 2, 1), "assigned"},
                        {"no such job", other, key("x"), "unknown"}};
  for (const auto& c : cases) {
    world.report(c.device, c.key, AttemptState::running);
    ASSERT_EQ(world.said.stale.size(), 1U) << c.name;
    EXPECT_EQ(world.said.stale[0].device, dev(c.device)) << c.name;
    EXPECT_EQ(world.said.stale[0].stale, (Stale{c.key, c.state, ""})) << c.name;
    EXPECT_TRUE(world.said.attempts.empty()) << c.name;
    EXPECT_EQ(world.attempt("j").state, before) << c.name;
    EXPECT_EQ(world.state("j"), JobState::assigned) << c.name;
  }
  world.report(device, key("j", 1), AttemptState::succeeded);
  EXPECT_EQ(world.state("j"), JobState::assigned) << "an end with an old fence changes nothing either";
  EXPECT_TRUE(world.said.stale.empty()) << "it is over there: nothing to drop";
}

TEST(Report, NeverGoesBack) {
  World world({ready("a")});
  world.run("j");
  world.report("a", key("j"), AttemptState::running);
  world.report("a", key("j"), AttemptState::fetching);
  EXPECT_EQ(world.attempt("j").state, AttemptState::running);
  EXPECT_TRUE(world.said.attempts.empty());
}

// --- retries ------------------------------------------------------------------------------------------------------

TEST(Retry, OnAnotherDeviceAfterBackoff) {
  World world({ready("a"), ready("b")});
  world.run("j", {.retry = {.attempts_max = 3, .backoff_s = 1}});
  const auto first = world.attempt("j").device;
  world.report(first.value, key("j"), AttemptState::failed, "exit code 1");
  EXPECT_TRUE(world.said.questions.empty());
  EXPECT_EQ(world.state("j"), JobState::queued);
  EXPECT_EQ(world.execution("j").state, ExecutionState::waiting);
  world.pass(milliseconds(999));
  EXPECT_TRUE(world.said.questions.empty());
  world.pass(milliseconds(1));
  EXPECT_EQ(world.question().key, key("j", 2));
  EXPECT_NE(world.question().device, first);
  const auto commands = world.allow_all();
  ASSERT_EQ(commands.size(), 1U);
  EXPECT_EQ(std::get<Assign>(commands[0].command).attempt, 2);
}

// What stands in the timeline from the question and the contact of the attempt must not wake it early.
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
      ASSERT_TRUE(world.said.questions.empty())
          << "backoff " << c.backoff_s << " s, asked " << to_ms(due) - to_ms(world.now) << " ms early";
    }
    world.pass(milliseconds(500));
    EXPECT_EQ(world.said.questions.size(), 1U) << c.backoff_s;
  }
}

TEST(Retry, BackoffDoublesUpToFiveMinutes) {
  World world({ready("a")});
  world.run("j", {.retry = {.attempts_max = 10, .backoff_s = 100}});
  std::int64_t fence = 1;
  for (const int wait : {100, 200, 300, 300}) {
    world.report("a", key("j", fence++), AttemptState::failed);
    world.pass(seconds(wait) - milliseconds(1));
    ASSERT_TRUE(world.said.questions.empty()) << wait;
    world.pass(milliseconds(1));
    ASSERT_EQ(world.said.questions.size(), 1U) << wait;
    world.allow_all();
  }
}

TEST(Retry, OnTheSameDeviceWhenThereIsNoOther) {
  World world({ready("a")});
  world.run("j");
  world.report("a", key("j"), AttemptState::failed);
  world.pass(seconds(1));
  EXPECT_EQ(world.question().device, dev("a"));
}

TEST(Retry, AttemptsMaxEndsTheJob) {
  for (const auto state : {AttemptState::failed, AttemptState::cancelled}) {
    World world({ready("a")});
    world.run("j", {.retry = {.attempts_max = 2, .backoff_s = 0}});
    world.report("a", key("j", 1), state, "first");
    world.pass(seconds(0));
    world.allow_all();
    world.report("a", key("j", 2), state, "second");
    EXPECT_EQ(world.state("j"), JobState::failed) << name(state);
    EXPECT_EQ(world.job("j").reason, "second") << name(state);
    world.pass(seconds(1000));
    EXPECT_TRUE(silent(world.said)) << name(state);
  }
}

// --- late ---------------------------------------------------------------------------------------------------------

// It was silent, not dead, and nobody has begun again: its success counts.
TEST(Late, SuccessOfALostAttemptIsTaken) {
  for (const bool asking : {false, true}) {
    World world({ready("a"), ready("b")});
    world.run("j", {.retry = {.backoff_s = 10}});
    const auto first = world.attempt("j").device.value;
    world.report(first, key("j"), AttemptState::running);
    world.pass(seconds(305));
    ASSERT_EQ(world.execution("j").state, ExecutionState::waiting);
    if (asking) {
      world.pass(seconds(10));
      ASSERT_EQ(world.core.asking(), 1U);
    }
    world.report(first, {.key = key("j"), .state = AttemptState::running, .part = ResultPart{"stdout", 0, "x"}});
    EXPECT_EQ(world.said.parts.size(), 1U);
    world.report(first, {.key = key("j"), .state = AttemptState::succeeded, .result = RunResult{.stdout_text = "hi"}});
    EXPECT_EQ(world.state("j"), JobState::succeeded);
    EXPECT_EQ(world.rows.attempts().at(key("j")).state, AttemptState::succeeded);
    EXPECT_EQ(world.rows.attempts().at(key("j")).result->stdout_text, "hi");
    EXPECT_EQ(world.core.asking(), 0U);
    EXPECT_EQ(world.view("a").used.attempts + world.view("b").used.attempts, 0);
  }
}

TEST(Late, NothingElseOfALostAttemptIsTaken) {
  World world({ready("a"), ready("b")});
  world.run("j", {.retry = {.backoff_s = 10}});
  const auto first = world.attempt("j").device.value;
  world.pass(seconds(305));
  for (const auto state : {AttemptState::running, AttemptState::failed, AttemptState::cancelled}) {
    world.report(first, key("j"), state);
    EXPECT_EQ(world.execution("j").state, ExecutionState::waiting) << name(state);
    EXPECT_EQ(world.attempt("j").state, AttemptState::lost) << name(state);
    EXPECT_EQ(world.said.stale.size(), settled(state) ? 0U : 1U) << name(state);
  }
  world.pass(seconds(10));
  world.allow_all();
  world.report(first, key("j"), AttemptState::succeeded);
  EXPECT_EQ(world.execution("j").state, ExecutionState::assigned) << "another one has begun";
  EXPECT_EQ(world.attempt("j").key, key("j", 2));
}

// Its device counts as one that a replica has had, like any other success.
TEST(Late, SuccessKeepsItsDeviceFromTheOtherReplicas) {
  World world({ready("a")});
  world.run("j", {.replicas = 2, .retry = {.backoff_s = 300}});
  ASSERT_EQ(world.execution("j", 0).state, ExecutionState::assigned);
  world.pass(seconds(305));
  ASSERT_EQ(world.question().key, key("j", 1, 1)) << "the other one takes its place";
  world.report("a", key("j"), AttemptState::succeeded);
  EXPECT_EQ(world.execution("j", 0).state, ExecutionState::succeeded);
  EXPECT_EQ(world.job("j").taken.at(dev("a")), 2);
}

// --- restart ------------------------------------------------------------------------------------------------------

TEST(Restart, LiveStaysLiveAndTheRestIsPlacedAgain) {
  World world({ready("a")});
  world.run("live", {.requirements = {.cpu_millis = 3000}});
  world.report("a", key("live"), AttemptState::running);
  world.run("queued", {.requirements = {.cpu_millis = 3000}});
  world.submit("asking");
  world.run("done");
  world.report("a", key("done"), AttemptState::succeeded);
  world.run("waiting", {.retry = {.backoff_s = 300}});
  world.report("a", key("waiting"), AttemptState::failed);

  world.now += seconds(300);
  world.restart();
  EXPECT_EQ(world.core.stream(dev("a")).seq, 3);
  EXPECT_EQ(world.core.live(), 4U);
  world.step(DeviceSeen{ready("a")});
  std::map<JobId, std::int64_t> asked;
  for (const auto& question : world.said.questions) asked[question.key.job] = question.key.fence;
  EXPECT_EQ(asked, (std::map<JobId, std::int64_t>{{JobId("asking"), 1}}));
  EXPECT_EQ(world.view("a").used.cpu_millis, 3000);
  world.pass(seconds(0));
  EXPECT_EQ(world.question().key, key("waiting", 2)) << "its backoff went on meanwhile";

  world.pass(seconds(299));
  EXPECT_TRUE(world.execution("live").is<Live>()) << "silence counts anew from the restart";
  world.report("a", key("live"), AttemptState::succeeded);
  EXPECT_EQ(world.state("live"), JobState::succeeded);
  std::vector<std::string> again;
  for (const auto& question : world.said.questions) again.push_back(question.key.job.value);
  EXPECT_EQ(again, std::vector<std::string>{"queued"});
}

// Whoever looks after a restart sees what was so before it.
TEST(Restart, ShowsStatesAsTheyWere) {
  World world({ready("a"), ready("b")});
  world.run("running");
  world.report(world.attempt("running").device.value, key("running"), AttemptState::running);
  world.run("assigned");
  world.run("wide", {.replicas = 3});
  world.submit("submitted");
  world.restart();
  EXPECT_EQ(world.state("running"), JobState::running);
  EXPECT_EQ(world.state("assigned"), JobState::assigned);
  EXPECT_EQ(world.state("wide"), JobState::assigned);
  EXPECT_EQ(world.job("wide").counts[static_cast<std::size_t>(ExecutionState::assigned)], 2U);
  EXPECT_EQ(world.job("wide").counts[static_cast<std::size_t>(ExecutionState::queued)], 1U);
  EXPECT_EQ(world.state("submitted"), JobState::submitted);
  world.step(World::submission("running", {}, 5));
  EXPECT_EQ(world.answer().state, "running") << "a repeat is answered at once";
}

// What a batch saves of an execution: "job" and "execution" when it has a row of its own, "attempt" or "attempt again".
std::vector<std::string> saved(const Output& said) {
  std::vector<std::string> out;
  for (const auto& one : said.jobs) out.emplace_back(one.stored ? "job again" : "job");
  if (!said.executions.empty()) out.emplace_back("execution");
  for (const auto& one : said.attempts) out.emplace_back(one.stored ? "attempt again" : "attempt");
  return out;
}

TEST(Saved, OnlyWhatDoesNotFollowFromOthers) {
  using Words = std::vector<std::string>;
  World world({ready("a")});
  world.submit("good");
  EXPECT_EQ(saved(world.said), Words{"job"});
  world.allow_all();
  EXPECT_EQ(saved(world.said), Words{"attempt"}) << "it says that the job is authorised, and how the execution stands";
  world.report("a", key("good"), AttemptState::running);
  EXPECT_EQ(saved(world.said), Words{"attempt again"});
  world.report("a", key("good"), AttemptState::succeeded);
  EXPECT_EQ(saved(world.said), (Words{"job again", "attempt again"}));

  world.run("bad", {.retry = {.attempts_max = 2, .backoff_s = 1}});
  world.report("a", key("bad"), AttemptState::failed, "exit code 1");
  EXPECT_EQ(saved(world.said), (Words{"execution", "attempt again"})) << "failures count, and no attempt says how many";
  world.pass(seconds(1));
  world.allow_all();
  EXPECT_EQ(saved(world.said), (Words{"execution", "attempt"})) << "once it has a row, that goes on";
}

TEST(Saved, AnExecutionThatFollowsIsTheSameAfterARestart) {
  World world({ready("a"), ready("b")});
  world.run("j", {.replicas = 2});
  const auto first = world.attempt("j").device.value;
  world.report(first, key("j"), AttemptState::running);
  world.report(first, key("j"), AttemptState::succeeded);
  const auto before = world.job("j").executions;
  ASSERT_TRUE(world.rows.load().jobs.front().executions.front().is<Settled>());
  world.restart({ready("a"), ready("b")});
  for (std::size_t i = 0; i < before.size(); ++i) {
    const auto& after = world.execution("j", i);
    EXPECT_EQ(after.state, before[i].state) << i;
    EXPECT_EQ(after.version, before[i].version) << i;
    EXPECT_EQ(after.fence, before[i].fence) << i;
    EXPECT_EQ(after.attempts, before[i].attempts) << i;
    EXPECT_EQ(after.shown, before[i].shown) << i;
    EXPECT_EQ(after.changed_ms, before[i].changed_ms) << i;
  }
}

TEST(Saved, OrdersThatNobodySpokeOfAreMadeAgainFromAttempts) {
  World world({ready("a"), ready("b"), ready("c")});
  world.run("heard");
  const auto said = world.run("unheard").front();
  world.run("over");
  const auto report = [&](const char* job, AttemptState state) {
    world.report(world.attempt(job).device.value, key(job), state);
  };
  report("heard", AttemptState::fetching);
  report("over", AttemptState::succeeded);
  world.limits.lease_s = 77;  // what the grant was signed for counts, not what the settings say now
  world.restart();
  const auto commands = world.core.open_commands();
  ASSERT_EQ(commands.size(), 1U);
  EXPECT_EQ(commands[0].key, assign_key(key("unheard")));
  EXPECT_EQ(commands[0].device, world.attempt("unheard").device);
  EXPECT_FALSE(commands[0].kept);
  EXPECT_EQ(std::get<Assign>(commands[0].command), std::get<Assign>(said.command));
}

TEST(Restart, ShowsTheDeviceOfTheNewestAttempt) {
  World world({ready("a"), ready("b")});
  world.run("j", {.retry = {.attempts_max = 3, .backoff_s = 1}});
  const auto first = world.attempt("j").device;
  world.report(first.value, key("j"), AttemptState::failed, "exit code 1");
  world.pass(seconds(1));
  world.allow_all();
  const auto second = world.attempt("j").device;
  ASSERT_NE(first, second);
  EXPECT_EQ(world.job("j").device, second);
  world.restart();
  EXPECT_EQ(world.job("j").device, second);
}

TEST(Restart, SilenceEndsAnAttemptAfterIt) {
  World world({ready("a")});
  world.run("j");
  world.restart({ready("a")});
  world.pass(seconds(3600));
  EXPECT_EQ(world.execution("j").state, ExecutionState::assigned) << "before it is connected silence means nothing";
  world.step(LinkBack{});
  world.pass(seconds(305));
  EXPECT_EQ(world.execution("j").state, ExecutionState::waiting);
  world.pass(seconds(1));
  EXPECT_EQ(world.question().key, key("j", 2));
}

TEST(Restart, DeadlineCountsFromSubmission) {
  World world({ready("a")});
  world.run("j", {.deadline_s = 20});
  world.now += seconds(15);
  world.restart();
  world.pass(seconds(5));
  EXPECT_EQ(world.state("j"), JobState::expired);
}

// Until the registry has said what the devices have, nothing is impossible.
TEST(Restart, SubmissionBeforeTheDevicesAreSeenWaits) {
  World world({ready("a")});
  world.run("j");
  world.restart();
  world.submit("k", {.requirements = {.cpu_millis = 100}});
  EXPECT_TRUE(world.said.answers.empty());
  EXPECT_EQ(world.said.questions.size(), 1U);
}

}  // namespace
}  // namespace fieldwork::scheduler
