// links: agent_core GTest::gtest_main
// The agent's core: what it does with orders, what it reports, what survives a restart.
#include <gtest/gtest.h>

#include <functional>

#include "agent/core/agent.hpp"

namespace fieldwork::agent {
namespace {

AttemptKey key(const std::string& job, std::int64_t fence = 1) { return {JobId(job), 0, fence}; }

AssignArrived assignment(const AttemptKey& k, const std::string& package = "") {
  Assign assign{.key = k, .command = {"run"}, .package = package, .grant = "jws"};
  Grant grant{.key = k,
              .device = DeviceId("a"),
              .package = package,
              .command_digest = "d",
              .issued_ms = 100,
              .expires_ms = 1000};
  return {.assign = std::move(assign), .grant = std::move(grant), .command_digest = "d", .wall_ms = 500};
}

RunEnded ended(const AttemptKey& k, int exit_code = 0) {
  return {.key = k, .result = RunResult{.exit_code = exit_code}};
}

struct World {
  Time now = from_ms(1'000'000);
  Limits limits;
  Saved journal{.epoch = 7, .session = 3};  // what the effects wrote
  Agent core{limits, DeviceId("a"), journal, now};
  Effects said;

  World() = default;
  explicit World(Limits with) : limits(with) { core = Agent(limits, DeviceId("a"), journal, now); }

  // One batch.
  void step(const std::vector<Input>& inputs) {
    said.clear();
    for (const auto& input : inputs) core.step(input, now, said);
    core.flush(now, said);
    for (const auto& effect : said) {
      if (const auto* save = std::get_if<SaveAttempt>(&effect)) {
        if (const auto* attempt = core.find(save->key)) journal.attempts[save->key] = *attempt;
      } else if (const auto* drop = std::get_if<DropAttempt>(&effect)) {
        journal.attempts.erase(drop->key);
      } else if (const auto* report = std::get_if<SaveReport>(&effect)) {
        journal.reports[report->seq] = report->report;
        journal.next_seq = report->seq + 1;
      } else if (const auto* acked = std::get_if<DropReports>(&effect)) {
        journal.reports.erase(journal.reports.lower_bound(acked->first), journal.reports.upper_bound(acked->last));
      }
    }
  }
  void pass(Duration time) {
    now += time;
    step({TimePassed{}});
  }
  void restart() {
    ++journal.session;
    core = Agent(limits, DeviceId("a"), journal, now);
    step({Started{}});
  }
  template <class T>
  [[nodiscard]] std::vector<T> all() const {
    std::vector<T> out;
    for (const auto& effect : said) {
      if (const auto* one = std::get_if<T>(&effect)) out.push_back(*one);
    }
    return out;
  }
  // The reports of the batch, as "j1 running".
  [[nodiscard]] std::vector<std::string> reported() const {
    std::vector<std::string> out;
    for (const auto& save : all<SaveReport>()) {
      out.push_back(save.report.key.job.value + std::to_string(save.report.key.fence) + " " +
                    std::string(name(save.report.state)));
    }
    return out;
  }
  [[nodiscard]] AttemptReport last_report() const { return all<SaveReport>().at(0).report; }
};

using Words = std::vector<std::string>;

// --- orders -------------------------------------------------------------------------------------------------------

TEST(Orders, ReportsCarryTheTraceOfTheirJob) {
  World world;
  auto order = assignment(key("j"));
  order.assign.traceparent = "00-t";
  world.step({order});
  EXPECT_EQ(world.last_report().traceparent, "00-t");
  world.step({ended(key("j"))});
  EXPECT_EQ(world.last_report().traceparent, "00-t");
  world.step({CancelArrived{{key("j"), "00-t"}}});
  EXPECT_EQ(world.last_report().traceparent, "00-t") << "also when it is over";
  world.step({CancelArrived{{key("k"), "00-k"}}});
  EXPECT_EQ(world.last_report().traceparent, "00-k") << "also of an assignment that was never seen";
}

TEST(Orders, RunIsJournalledThenStarted) {
  World world;
  world.step({assignment(key("j"))});
  EXPECT_EQ(world.all<SaveAttempt>().size(), 1U);
  ASSERT_EQ(world.all<agent::Run>().size(), 1U);
  EXPECT_EQ(world.all<agent::Run>()[0].assign, assignment(key("j")).assign);
  EXPECT_EQ(world.reported(), Words{"j1 running"}) << "accepted is coalesced";
  EXPECT_EQ(world.core.live(), std::vector<AttemptKey>{key("j")});
  world.step({ended(key("j"))});
  EXPECT_EQ(world.reported(), Words{"j1 succeeded"});
  EXPECT_TRUE(world.core.live().empty());
}

TEST(Orders, OneBatchReportsTheLastOnly) {
  World world;
  world.step({assignment(key("j")), ended(key("j")), assignment(key("k"))});
  EXPECT_EQ(world.reported(), (Words{"j1 succeeded", "k1 running"}));
}

TEST(Orders, RepeatDoesNotRunTwice) {
  World world;
  world.step({assignment(key("j")), assignment(key("j"))});
  EXPECT_EQ(world.all<agent::Run>().size(), 1U);
  world.step({assignment(key("j"))});
  EXPECT_TRUE(world.said.empty());
  world.step({ended(key("j"))});
  world.step({assignment(key("j"))});
  EXPECT_TRUE(world.said.empty()) << "nor after it ended";
  world.restart();
  world.step({assignment(key("j"))});
  EXPECT_TRUE(world.all<agent::Run>().empty()) << "nor after a restart";
}

struct EndCase {
  const char* name;
  RunEnded input;
  AttemptState state;
  const char* reason;
};

TEST(Orders, HowARunEnds) {
  const EndCase cases[] = {
      {"good", ended(key("j")), AttemptState::succeeded, ""},
      {"exit code", ended(key("j"), 3), AttemptState::failed, "exit code 3"},
      {"limit", {key("j"), RunResult{.exit_code = -1}, "time limit of 9 s"}, AttemptState::failed, "time limit of 9 s"},
      {"not started", {key("j"), std::nullopt, "no such file"}, AttemptState::failed, "no such file"},
  };
  for (const auto& c : cases) {
    World world;
    world.step({assignment(key("j"))});
    world.step({c.input});
    EXPECT_EQ(world.last_report().state, c.state) << c.name;
    EXPECT_EQ(world.last_report().reason, c.reason) << c.name;
    EXPECT_EQ(world.last_report().result, c.input.result) << c.name;
    world.step({c.input});
    EXPECT_TRUE(world.said.empty()) << c.name << ": repeat";
  }
}

struct GrantCase {
  const char* name;
  std::function<void(AssignArrived&)> change;
  const char* reason;
};

TEST(Orders, GrantMustCoverEachField) {
  const GrantCase cases[] = {
      {"signature",
       [](auto& a) {
         a.grant = Error{Code::denied, "bad signature"};
       },
       "grant: bad signature"},
      {"job", [](auto& a) { a.grant.value().key.job = JobId("x"); }, "grant: is for another attempt"},
      {"execution", [](auto& a) { a.grant.value().key.execution = 1; }, "grant: is for another attempt"},
      {"fence", [](auto& a) { a.grant.value().key.fence = 2; }, "grant: is for another attempt"},
      {"device", [](auto& a) { a.grant.value().device = DeviceId("b"); }, "grant: is for device b"},
      {"package", [](auto& a) { a.grant.value().package = "sha256:x"; }, "grant: is for another package"},
      {"command", [](auto& a) { a.command_digest = "x"; }, "grant: is for another command"},
      {"time", [](auto& a) { a.assign.limits.time_s = 61; }, "grant: is for other limits"},
      {"output", [](auto& a) { a.assign.limits.output_bytes = 1; }, "grant: is for other limits"},
      {"expiry", [](auto& a) { a.wall_ms = 1001; }, "grant: has expired"},
  };
  for (const auto& c : cases) {
    World world;
    auto input = assignment(key("j"), "sha256:p");
    c.change(input);
    world.step({input});
    EXPECT_TRUE(world.all<agent::Run>().empty() && world.all<Fetch>().empty()) << c.name;
    EXPECT_EQ(world.last_report().state, AttemptState::refused) << c.name;
    EXPECT_EQ(world.last_report().reason, c.reason) << c.name;
  }
}

TEST(Orders, PackageComesFirst) {
  World world;
  world.step({assignment(key("j"), "p"), assignment(key("k"), "p"), assignment(key("l"), "q")});
  EXPECT_EQ(world.reported(), (Words{"j1 accepted", "k1 accepted", "l1 accepted"}));
  EXPECT_EQ(world.all<SaveAttempt>().size(), 3U);
  EXPECT_EQ(world.all<Fetch>().size(), 3U);
  EXPECT_TRUE(world.all<agent::Run>().empty());
  world.step({PackageReady{"p"}});
  EXPECT_EQ(world.all<agent::Run>().size(), 2U);
  world.step({PackageReady{"p"}});
  EXPECT_TRUE(world.said.empty()) << "repeat";
  world.step({PackageRefused{"q", "wrong digest"}});
  EXPECT_EQ(world.reported(), Words{"l1 refused"});
  EXPECT_EQ(world.last_report().reason, "package: wrong digest");
}

TEST(Orders, CancelBefore) {
  World world;
  world.step({CancelArrived{{key("j")}}});
  EXPECT_EQ(world.reported(), Words{"j1 cancelled"});
  world.restart();
  world.step({assignment(key("j"))});
  EXPECT_TRUE(world.all<agent::Run>().empty()) << "the late assignment does not run";
}

TEST(Orders, CancelWhileFetching) {
  World world;
  world.step({assignment(key("j"), "p")});
  world.step({CancelArrived{{key("j")}}});
  EXPECT_EQ(world.reported(), Words{"j1 cancelled"});
  world.step({PackageReady{"p"}});
  EXPECT_TRUE(world.all<agent::Run>().empty());
}

TEST(Orders, CancelWhileRunning) {
  World world;
  world.step({assignment(key("j"))});
  world.step({CancelArrived{{key("j")}}});
  EXPECT_EQ(world.all<Kill>().size(), 1U);
  EXPECT_TRUE(world.reported().empty()) << "it still runs";
  world.step({RunEnded{key("j"), RunResult{.exit_code = -1}, "killed"}});
  EXPECT_EQ(world.reported(), Words{"j1 cancelled"});
  EXPECT_EQ(world.last_report().reason, "cancelled on request");
}

TEST(Orders, CancelAfter) {
  World world;
  world.step({assignment(key("j")), ended(key("j"))});
  for (int i = 0; i < 2; ++i) {
    world.step({CancelArrived{{key("j")}}});
    EXPECT_EQ(world.reported(), Words{"j1 cancelled"}) << "each is answered";
    EXPECT_TRUE(world.all<Kill>().empty());
  }
}

TEST(Orders, StaleKillsAndIsSilent) {
  World world;
  world.step({assignment(key("j")), assignment(key("k"), "p")});
  world.step(
      {StaleArrived{{key("j"), "queued"}}, StaleArrived{{key("k"), "queued"}}, StaleArrived{{key("x"), "unknown"}}});
  ASSERT_EQ(world.all<Kill>().size(), 1U);
  EXPECT_EQ(world.all<Kill>()[0].key, key("j"));
  EXPECT_TRUE(world.core.live().empty());
  world.step({RunEnded{key("j"), RunResult{.exit_code = -1}, "killed"}, PackageReady{"p"}});
  EXPECT_TRUE(world.reported().empty());
  EXPECT_TRUE(world.all<agent::Run>().empty());
}

TEST(Orders, NewerFenceKillsTheOlder) {
  World world;
  world.step({assignment(key("j", 1))});
  world.step({assignment(key("j", 2))});
  ASSERT_EQ(world.all<Kill>().size(), 1U);
  EXPECT_EQ(world.all<Kill>()[0].key, key("j", 1));
  EXPECT_EQ(world.all<agent::Run>().size(), 1U);
  world.step({RunEnded{key("j", 1), RunResult{.exit_code = -1}, "killed"}});
  EXPECT_TRUE(world.reported().empty());
  EXPECT_EQ(world.core.live(), std::vector<AttemptKey>{key("j", 2)});
}

TEST(Orders, OlderFenceThatStillFetchesNeverRuns) {
  for (const bool restarted : {false, true}) {
    World world;
    world.step({assignment(key("j", 1), "p")});
    world.step({assignment(key("j", 2), "p")});
    if (restarted) world.restart();
    world.step({PackageReady{"p"}});
    const auto runs = world.all<agent::Run>();
    ASSERT_EQ(runs.size(), 1U) << (restarted ? "after a restart" : "");
    EXPECT_EQ(runs[0].assign.key, key("j", 2));
  }
}

TEST(Orders, OlderFenceThatComesLateNeverRuns) {
  World world;
  world.step({assignment(key("j", 2))});
  world.step({assignment(key("j", 1))});
  EXPECT_TRUE(world.all<agent::Run>().empty());
  EXPECT_EQ(world.core.live(), std::vector<AttemptKey>{key("j", 2)});
}

TEST(Orders, RemembersAtMostDoneMax) {
  World world(Limits{.done_max = 2});
  for (const auto* job : {"j", "k", "l"}) world.step({assignment(key(job)), ended(key(job))});
  ASSERT_EQ(world.all<DropAttempt>().size(), 1U);
  EXPECT_EQ(world.all<DropAttempt>()[0].key, key("j"));
  EXPECT_EQ(world.journal.attempts.size(), 2U);
  world.restart();
  world.step({assignment(key("m")), ended(key("m"))});
  ASSERT_EQ(world.all<DropAttempt>().size(), 1U);
  EXPECT_EQ(world.all<DropAttempt>()[0].key, key("k")) << "the oldest, also after a restart";
}

// --- restart ------------------------------------------------------------------------------------------------------

TEST(Restart, RunningHasFailedAndFetchingFetchesAgain) {
  World world;
  world.step({assignment(key("j")), assignment(key("k"), "p")});
  world.restart();
  EXPECT_EQ(world.reported(), Words{"j1 failed"});
  EXPECT_NE(world.last_report().reason.find("restarted"), std::string::npos);
  EXPECT_TRUE(world.all<agent::Run>().empty());
  ASSERT_EQ(world.all<Fetch>().size(), 1U);
  EXPECT_EQ(world.all<Fetch>()[0].digest, "p");
  EXPECT_EQ(world.core.live(), std::vector<AttemptKey>{key("k")});
  world.restart();
  EXPECT_TRUE(world.reported().empty()) << "failed once only";
}

// --- the report stream --------------------------------------------------------------------------------------------

TEST(Reports, AreSentWhenConnectedAndRepeatedFromTheFirst) {
  World world;
  world.step({assignment(key("j"))});
  EXPECT_TRUE(world.all<SendReports>().empty());
  world.step({Connected{}});
  ASSERT_EQ(world.all<SendReports>().size(), 1U);
  EXPECT_EQ(world.all<SendReports>()[0].seq, 1);
  world.step({ended(key("j"))});
  ASSERT_EQ(world.all<SendReports>().size(), 1U);
  EXPECT_EQ(world.all<SendReports>()[0].seq, 2) << "only what is new";
  for (const int wait : {2, 4, 8, 16, 30, 30}) {
    world.pass(seconds(wait) - milliseconds(1));
    EXPECT_TRUE(world.all<SendReports>().empty()) << wait;
    world.pass(milliseconds(1));
    ASSERT_EQ(world.all<SendReports>().size(), 1U) << wait;
    EXPECT_EQ(world.all<SendReports>()[0].seq, 1) << wait;
    EXPECT_EQ(world.all<SendReports>()[0].items.size(), 2U) << wait;
  }
  world.step({Disconnected{}});
  world.pass(seconds(100));
  EXPECT_TRUE(world.said.empty());
  world.step({Connected{}});
  EXPECT_EQ(world.all<SendReports>().at(0).items.size(), 2U) << "and at once after a reconnect";
}

TEST(Reports, AckDropsUpToItself) {
  World world;
  world.step({Connected{}});
  for (const auto* job : {"j", "k", "l"}) world.step({assignment(key(job))});
  ASSERT_EQ(world.core.unacknowledged(), 3U);
  world.step({AckArrived{6, 3}});
  EXPECT_TRUE(world.said.empty()) << "of another epoch";
  world.step({AckArrived{7, 0}});
  EXPECT_TRUE(world.said.empty()) << "of nothing";
  world.step({AckArrived{7, 2}});
  ASSERT_EQ(world.all<DropReports>().size(), 1U);
  EXPECT_EQ(world.all<DropReports>()[0].first, 1);
  EXPECT_EQ(world.all<DropReports>()[0].last, 2);
  world.pass(seconds(2));
  ASSERT_EQ(world.all<SendReports>().size(), 1U);
  EXPECT_EQ(world.all<SendReports>()[0].seq, 3);
  world.step({AckArrived{7, 99}});
  EXPECT_EQ(world.core.unacknowledged(), 0U);
  world.pass(seconds(100));
  EXPECT_TRUE(world.all<SendReports>().empty());
}

TEST(Reports, SurviveARestart) {
  World world;
  world.step({assignment(key("j")), ended(key("j"))});
  world.restart();
  world.step({assignment(key("k"))});
  world.step({Connected{}});
  const auto sent = world.all<SendReports>();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].seq, 1);
  ASSERT_EQ(sent[0].items.size(), 2U);
  EXPECT_EQ(sent[0].items[0].state, AttemptState::succeeded);
  EXPECT_EQ(sent[0].items[1].key, key("k"));
}

TEST(Reports, AreSplitBySizeAndNumber) {
  World world(Limits{.report_items_max = 2, .report_bytes_max = 1000});
  for (const auto* job : {"j", "k", "l", "m"}) {
    auto end = ended(key(job));
    if (job[0] == 'l') end.result->stdout_text = std::string(5000, 'x');
    world.step({assignment(key(job)), end});
  }
  world.step({Connected{}});
  std::vector<std::pair<std::int64_t, std::size_t>> sent;
  for (const auto& message : world.all<SendReports>()) sent.emplace_back(message.seq, message.items.size());
  EXPECT_EQ(sent, (std::vector<std::pair<std::int64_t, std::size_t>>{{1, 2}, {3, 1}, {4, 1}}));
}

// --- the link -----------------------------------------------------------------------------------------------------

TEST(Link, EnrolsUntilAnswered) {
  World world;
  world.pass(seconds(1));
  EXPECT_TRUE(world.said.empty()) << "not connected";
  world.step({Connected{}, TimePassed{}});
  EXPECT_EQ(world.all<SendEnrolment>().size(), 1U);
  world.pass(seconds(5));
  EXPECT_EQ(world.all<SendEnrolment>().size(), 1U);
  world.step({EnrolAnswered{.session = 2, .enrolled = true}});
  EXPECT_FALSE(world.core.enrolled()) << "the answer to an earlier start";
  world.step({EnrolAnswered{.session = 3, .enrolled = false, .reason = "revoked"}});
  world.pass(seconds(59));
  EXPECT_TRUE(world.all<SendEnrolment>().empty());
  world.pass(seconds(1));
  EXPECT_EQ(world.all<SendEnrolment>().size(), 1U);
  world.step({EnrolAnswered{.session = 3, .enrolled = true, .heartbeat_s = 2}});
  EXPECT_TRUE(world.core.enrolled());
  world.pass(seconds(2));
  EXPECT_TRUE(world.all<SendEnrolment>().empty());
  EXPECT_EQ(world.all<SendHeartbeat>().size(), 1U);
  world.pass(seconds(2));
  EXPECT_EQ(world.all<SendHeartbeat>().size(), 1U);
  world.step({Connected{}, TimePassed{}});
  EXPECT_EQ(world.all<SendEnrolment>().size(), 1U) << "anew on each connection";
}

}  // namespace
}  // namespace fieldwork::agent
