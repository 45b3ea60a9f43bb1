// links: agent_core GTest::gtest_main
// The agent's core: what it does with commands, what it reports of them, what survives a restart.
#include <functional>

#include "support/agent_world.hpp"

namespace fieldwork::agent {
namespace {

TEST(Commands, ReportsCarryTheTraceOfTheirJob) {
  World world;
  auto command = assignment(key("j"));
  command.assign.traceparent = "00-t";
  world.step({command});
  EXPECT_EQ(world.last_report().traceparent, "00-t");
  world.step({ended(key("j"))});
  EXPECT_EQ(world.last_report().traceparent, "00-t");
  world.acknowledge_all();
  world.step({CancelArrived{{key("j"), "00-t"}}});
  EXPECT_EQ(world.last_report().traceparent, "00-t") << "also when it is over";
  world.acknowledge_all();
  for (auto& [k, row] : world.journal.attempts) row.assign.traceparent.clear();  // the journal keeps the outcome's only
  world.restart();
  world.step({CancelArrived{{key("j"), "00-t"}}});
  EXPECT_EQ(world.last_report().traceparent, "00-t") << "also after a restart";
  world.step({CancelArrived{{key("k"), "00-k"}}});
  EXPECT_EQ(world.last_report().traceparent, "00-k") << "also of an assignment that was never seen";
  world.step({InquireArrived{{key("l"), "00-l"}}});
  EXPECT_EQ(world.last_report().traceparent, "00-l");
}

TEST(Commands, RunIsJournalledThenStarted) {
  World world;
  world.step({assignment(key("j"))});
  EXPECT_EQ(world.said.attempts.size(), 1U);
  ASSERT_EQ(world.all<agent::Run>().size(), 1U);
  EXPECT_EQ(world.all<agent::Run>()[0].assign, assignment(key("j")).assign);
  EXPECT_EQ(world.reported(), Words{"j1 running"}) << "fetching is coalesced";
  EXPECT_EQ(world.core.live(), std::vector<AttemptKey>{key("j")});
  world.step({ended(key("j"))});
  EXPECT_EQ(world.reported(), Words{"j1 succeeded"});
  EXPECT_TRUE(world.core.live().empty());
}

TEST(Commands, OneBatchReportsTheLastOnly) {
  World world;
  world.step({assignment(key("j")), ended(key("j")), assignment(key("k"))});
  EXPECT_EQ(world.reported(), (Words{"j1 succeeded", "k1 running"}));
}

TEST(Commands, RepeatDoesNotRunTwice) {
  World world;
  world.step({assignment(key("j")), assignment(key("j"))});
  EXPECT_EQ(world.all<agent::Run>().size(), 1U);
  world.step({assignment(key("j"))});
  EXPECT_TRUE(world.quiet()) << "the stream answers it";
  world.step({ended(key("j"))});
  world.step({assignment(key("j"))});
  EXPECT_TRUE(world.quiet()) << "nor after it ended";
  world.restart();
  world.step({assignment(key("j"))});
  EXPECT_TRUE(world.all<agent::Run>().empty()) << "nor after a restart";
}

TEST(Commands, RepeatIsToldAgainOnce) {
  World world;
  world.step({assignment(key("j")), assignment(key("k"), "p")});
  world.acknowledge_all();
  world.step({assignment(key("j")), assignment(key("j")), assignment(key("k"), "p")});
  EXPECT_EQ(world.reported(), (Words{"j1 running", "k1 fetching"})) << "the answer was acknowledged, then lost there";
  world.step({assignment(key("j"))});
  EXPECT_TRUE(world.quiet());
  world.acknowledge_all();
  auto end = ended(key("j"), 3);
  end.result->stdout_text = "out";
  world.step({end});
  world.acknowledge_all();
  for (const bool restarted : {false, true}) {
    if (restarted) world.restart();
    world.step({assignment(key("j")), assignment(key("j"))});
    EXPECT_EQ(world.reported(), Words{"j1 failed"}) << restarted;
    EXPECT_EQ(world.last_report().reason, "exit code 3");
    EXPECT_EQ(world.last_report().result, end.result);
    EXPECT_TRUE(world.all<agent::Run>().empty());
    world.step({assignment(key("j"))});
    EXPECT_TRUE(world.quiet()) << "it is on its way";
    world.acknowledge_all();
  }
}

TEST(Commands, ALargeResultIsToldAgainInShort) {
  World world;
  world.step({assignment(key("j"))});
  auto end = ended(key("j"));
  end.result->stdout_text = std::string(100'000, 'a') + "end";
  world.step({end});
  EXPECT_EQ(world.said.reports.size(), 5U) << "four parts and how it ended";
  world.acknowledge_all();
  world.step({assignment(key("j"))});
  ASSERT_EQ(world.said.reports.size(), 1U);
  const auto again = world.last_report();
  EXPECT_EQ(again.state, AttemptState::succeeded);
  ASSERT_TRUE(again.result.has_value());
  EXPECT_TRUE(again.result->truncated);
  EXPECT_FALSE(again.result->in_parts) << "its parts do not come with it";
  EXPECT_EQ(again.result->stdout_text, std::string(509, 'a') + "end");
}

struct EndCase {
  const char* name;
  RunEnded input;
  AttemptState state;
  const char* reason;
};

TEST(Commands, HowARunEnds) {
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
    EXPECT_TRUE(world.quiet()) << c.name << ": repeat";
  }
}

TEST(Commands, HeartbeatsCountHowRunsEnded) {
  World world;
  world.step({Connected{}});
  world.step({EnrolAnswered{.session = world.core.session(), .enrolled = true, .heartbeat_s = 5}, TimePassed{}});
  EXPECT_EQ(world.said.heartbeat->outcomes, Outcomes{});
  for (const auto& [job, code] : {std::pair{"j", 0}, {"k", 3}, {"l", 0}}) {
    world.step({assignment(key(job))});
    world.step({ended(key(job), code)});
    world.step({ended(key(job), code)});
  }
  world.pass(seconds(10));
  EXPECT_EQ(world.said.heartbeat->outcomes, (Outcomes{2, 1}));
}

struct GrantCase {
  const char* name;
  std::function<void(AssignArrived&)> change;
  const char* reason;
};

TEST(Commands, GrantMustCoverEachField) {
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
      {"work", [](auto& a) { a.work_digest = "x"; }, "grant: is for another command, environment, outputs or contract"},
      {"time", [](auto& a) { a.assign.limits.time_s = 61; }, "grant: is for other limits"},
      {"output", [](auto& a) { a.assign.limits.output_bytes = 1; }, "grant: is for other limits"},
  };
  for (const auto& c : cases) {
    World world;
    auto input = assignment(key("j"), "sha256:p");
    c.change(input);
    world.step({input});
    EXPECT_TRUE(world.all<agent::Run>().empty() && world.all<Fetch>().empty()) << c.name;
    EXPECT_EQ(world.last_report().state, AttemptState::rejected) << c.name;
    EXPECT_EQ(world.last_report().reason, c.reason) << c.name;
    EXPECT_FALSE(world.last_report().work_fault) << c.name;
    EXPECT_TRUE(world.core.live().empty()) << c.name;
  }
}

TEST(Commands, AMeteredConnectionIsUsedOnlyIfTheJobAllowsIt) {
  struct Case {
    const char* name;
    bool metered = true, fetches = false, allowed = false;
    Words outputs{};
    std::int64_t log_bytes = 0;
    bool good = false;
  };
  const Case cases[] = {
      {.name = "nothing to move", .good = true},
      {.name = "a package", .fetches = true},
      {.name = "outputs", .outputs = {"result"}},
      {.name = "logs", .log_bytes = 1},
      {.name = "allowed", .fetches = true, .allowed = true, .outputs = {"result"}, .good = true},
      {.name = "another connection", .metered = false, .fetches = true, .outputs = {"result"}, .good = true},
  };
  for (const auto& one : cases) {
    World world;
    auto input = assignment(key("j"), "p");
    input.metered = one.metered;
    input.fetches = one.fetches;
    input.assign.metered = one.allowed;
    input.assign.outputs = one.outputs;
    input.assign.limits.log_bytes = input.grant.value().limits.log_bytes = one.log_bytes;
    world.step({input});
    EXPECT_EQ(world.all<Fetch>().size(), one.good ? 1U : 0U) << one.name;
    EXPECT_EQ(world.last_report().state, one.good ? AttemptState::fetching : AttemptState::rejected) << one.name;
    EXPECT_EQ(world.last_report().reason, one.good ? "" : metered_reason) << one.name;
    EXPECT_FALSE(world.last_report().work_fault) << one.name;
  }
}

// A device's clock may be years off: nothing has expired before it was compared with the registry's.
TEST(Commands, ExpiryIsJudgedOnceTheClocksWereCompared) {
  World world;
  auto input = assignment(key("j"));
  input.wall_ms = 3001;
  world.step({input});
  EXPECT_EQ(world.core.find(key("j")), nullptr);
  world.step({EnrolAnswered{.session = world.core.session(), .enrolled = true, .now_ms = 4001, .wall_ms = 1}, input});
  EXPECT_EQ(world.last_report().state, AttemptState::rejected);
  EXPECT_EQ(world.last_report().reason, "grant: has expired 3 s ago by the registry's clock");
}

TEST(Commands, PackageComesFirst) {
  World world;
  world.step({assignment(key("j"), "p"), assignment(key("k"), "p"), assignment(key("l"), "q")});
  EXPECT_EQ(world.reported(), (Words{"j1 fetching", "k1 fetching", "l1 fetching"}));
  EXPECT_EQ(world.said.attempts.size(), 3U);
  EXPECT_EQ(world.all<Fetch>().size(), 3U);
  EXPECT_TRUE(world.all<agent::Run>().empty());
  world.step({PackageReady{"p"}});
  EXPECT_EQ(world.all<agent::Run>().size(), 2U);
  world.step({PackageReady{"p"}});
  EXPECT_TRUE(world.quiet()) << "repeat";
  world.step({PackageRefused{"q", "wrong digest", true}});
  EXPECT_EQ(world.reported(), Words{"l1 rejected"});
  EXPECT_EQ(world.last_report().reason, "package: wrong digest");
  EXPECT_TRUE(world.last_report().work_fault);
}

TEST(Commands, FetchingEndsByItsTimeout) {
  World world;
  auto short_one = assignment(key("j"), "p");
  short_one.assign.fetching_s = 10;
  world.step({short_one, assignment(key("k"), "p")});
  world.pass(seconds(10) - milliseconds(1));
  EXPECT_TRUE(world.reported().empty());
  world.pass(milliseconds(1));
  EXPECT_EQ(world.reported(), Words{"j1 rejected"});
  EXPECT_EQ(world.last_report().reason, "package: not here within 10 s");
  EXPECT_FALSE(world.last_report().work_fault);
  EXPECT_TRUE(world.all<Unfetch>().empty()) << "another attempt waits for it";
  world.step({CancelArrived{{key("k"), ""}}});
  ASSERT_EQ(world.all<Unfetch>().size(), 1U);
  EXPECT_EQ(world.all<Unfetch>()[0].digest, "p");
  world.step({PackageReady{"p"}});
  EXPECT_TRUE(world.quiet());
  world.pass(seconds(100'000));
  EXPECT_TRUE(world.quiet()) << "nor does a program that runs have it";
}

// No room for its directory, no process to be had: not the job's failure.
TEST(Commands, AProgramThatCouldNotBeginHereIsRefused) {
  World world;
  world.step({assignment(key("j")), assignment(key("k"))});
  EXPECT_EQ(world.reported(), (Words{"j1 running", "k1 running"}));
  world.step({RunEnded{key("j"), std::nullopt, "No space left on device", true}});
  EXPECT_EQ(world.reported(), Words{"j1 rejected"});
  EXPECT_EQ(world.last_report().reason, "No space left on device");
  EXPECT_FALSE(world.last_report().work_fault);
  world.step({RunEnded{key("k"), std::nullopt, "there is no such program"}});
  EXPECT_EQ(world.reported(), Words{"k1 failed"});
}

TEST(Commands, AsManyAtOnceAsAHeartbeatHolds) {
  World world(Limits{.live_max = 2});
  world.step({assignment(key("j")), assignment(key("k")), assignment(key("l"))});
  EXPECT_EQ(world.reported(), (Words{"j1 running", "k1 running", "l1 rejected"}));
  EXPECT_EQ(world.last_report().reason, "this device has 2 attempts already");
  world.step({ended(key("j")), assignment(key("m"))});
  EXPECT_EQ(world.reported(), (Words{"j1 succeeded", "m1 running"}));
}

TEST(Commands, CancelBefore) {
  World world;
  world.step({CancelArrived{{key("j"), ""}}});
  EXPECT_EQ(world.reported(), Words{"j1 cancelled"});
  world.restart();
  world.step({assignment(key("j"))});
  EXPECT_TRUE(world.all<agent::Run>().empty()) << "the late assignment does not run";
}

TEST(Commands, CancelWhileFetching) {
  World world;
  world.step({assignment(key("j"), "p")});
  world.step({CancelArrived{{key("j"), ""}}});
  EXPECT_EQ(world.reported(), Words{"j1 cancelled"});
  world.step({PackageReady{"p"}});
  EXPECT_TRUE(world.all<agent::Run>().empty());
}

TEST(Commands, CancelWhileRunning) {
  World world;
  world.step({assignment(key("j"))});
  world.step({CancelArrived{{key("j"), ""}}, CancelArrived{{key("j"), ""}}});
  EXPECT_EQ(world.all<Kill>().size(), 1U);
  EXPECT_TRUE(world.reported().empty()) << "it still runs";
  world.step({killed(key("j"))});
  EXPECT_EQ(world.reported(), Words{"j1 cancelled"});
  EXPECT_EQ(world.last_report().reason, "cancelled on request");
}

TEST(Commands, CancelAfter) {
  World world;
  world.step({assignment(key("j")), ended(key("j"))});
  world.step({CancelArrived{{key("j"), ""}}});
  EXPECT_TRUE(world.quiet()) << "the stream answers it";
  for (int i = 0; i < 2; ++i) {
    world.acknowledge_all();
    world.step({CancelArrived{{key("j"), ""}}});
    EXPECT_EQ(world.reported(), Words{"j1 succeeded"}) << "each is answered, with what is so";
    EXPECT_TRUE(world.all<Kill>().empty());
  }
}

TEST(Commands, StaleKillsOnceAndIsSilent) {
  World world;
  world.step({assignment(key("j")), assignment(key("k"), "p")});
  const std::vector<Input> stale{StaleArrived{{key("j"), "queued", ""}}, StaleArrived{{key("k"), "queued", ""}},
                                 StaleArrived{{key("x"), "unknown", ""}}};
  world.step(stale);
  ASSERT_EQ(world.all<Kill>().size(), 1U);
  EXPECT_EQ(world.all<Kill>()[0].key, key("j"));
  EXPECT_TRUE(world.core.live().empty());
  world.step(stale);
  EXPECT_TRUE(world.quiet()) << "twice";
  world.step({killed(key("j")), PackageReady{"p"}});
  EXPECT_TRUE(world.reported().empty());
  EXPECT_TRUE(world.all<agent::Run>().empty());
}

TEST(Commands, NewerFenceKillsTheOlder) {
  World world;
  world.step({assignment(key("j", 1))});
  world.step({assignment(key("j", 2))});
  ASSERT_EQ(world.all<Kill>().size(), 1U);
  EXPECT_EQ(world.all<Kill>()[0].key, key("j", 1));
  EXPECT_EQ(world.all<agent::Run>().size(), 1U);
  world.step({killed(key("j", 1))});
  EXPECT_TRUE(world.reported().empty());
  EXPECT_EQ(world.core.live(), std::vector<AttemptKey>{key("j", 2)});
}

TEST(ForgottenTry, ThatIsOverDoesNotRunAgain) {
  World world;
  world.step({assignment(key("j", 1))});
  world.step({ended(key("j", 1))});
  world.acknowledge_all();
  world.step({same_try(key("j", 9), 1)});
  EXPECT_TRUE(world.all<agent::Run>().empty());
  EXPECT_EQ(world.reported(), Words{"j9 succeeded"});
  world.step({same_try(key("j", 10), 2)});
  EXPECT_EQ(world.all<agent::Run>().size(), 1U) << "another try is another try";
}

TEST(ForgottenTry, ThatStillRunsGoesOn) {
  for (const bool cancelled : {false, true}) {
    World world;
    world.step({assignment(key("j", 1))});
    world.step({same_try(key("j", 9), 1)});
    EXPECT_TRUE(world.all<agent::Run>().empty());
    EXPECT_TRUE(world.all<Kill>().empty());
    EXPECT_EQ(world.reported(), Words{"j9 running"});
    EXPECT_EQ(world.core.live(), std::vector<AttemptKey>{key("j", 9)});
    if (cancelled) {
      world.step({CancelArrived{{.key = key("j", 9)}}});
      ASSERT_EQ(world.all<Kill>().size(), 1U);
      EXPECT_EQ(world.all<Kill>()[0].key, key("j", 1)) << "the program has the name it was started under";
      world.step({killed(key("j", 1))});
      EXPECT_EQ(world.reported(), Words{"j9 cancelled"});
    } else {
      world.step({ended(key("j", 1))});
      EXPECT_EQ(world.reported(), Words{"j9 succeeded"});
    }
  }
}

TEST(Commands, OlderFenceThatStillFetchesNeverRuns) {
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

TEST(Commands, OlderFenceThatComesLateNeverRuns) {
  World world;
  world.step({assignment(key("j", 2))});
  world.step({assignment(key("j", 1))});
  EXPECT_TRUE(world.all<agent::Run>().empty());
  EXPECT_EQ(world.core.live(), std::vector<AttemptKey>{key("j", 2)});
}

TEST(Commands, OneThatCannotBeReadIsRefusedAndNeverRuns) {
  World world;
  world.step({assignment(key("k"))});
  world.step({BadCommandArrived{key("j"), "/env: is no map"}, BadCommandArrived{key("j"), "/env: is no map"}});
  EXPECT_EQ(world.reported(), Words{"j1 rejected"});
  EXPECT_EQ(world.last_report().reason, "the command could not be read: /env: is no map");
  EXPECT_TRUE(world.last_report().work_fault);
  EXPECT_EQ(world.said.notices.size(), 2U);
  world.acknowledge_all();
  world.step({BadCommandArrived{key("j"), "/env: is no map"}});
  EXPECT_EQ(world.reported(), Words{"j1 rejected"}) << "who asks again is told again";
  world.restart();
  world.step({assignment(key("j"))});
  EXPECT_TRUE(world.all<agent::Run>().empty()) << "the fence is dead";
  EXPECT_EQ(world.core.live(), std::vector<AttemptKey>{});
}

TEST(Commands, InquireIsAnsweredWithWhatIsSo) {
  World world;
  world.step({assignment(key("f"), "p"), assignment(key("r")), assignment(key("d")), ended(key("d"), 4)});
  world.acknowledge_all();
  const auto ask = [](const char* job) { return InquireArrived{{key(job), ""}}; };
  world.step({ask("f"), ask("r"), ask("d"), ask("u")});
  EXPECT_EQ(world.reported(), (Words{"f1 fetching", "r1 running", "d1 failed", "u1 lost"}));
  world.step({ask("f"), ask("r"), ask("d"), ask("u")});
  EXPECT_TRUE(world.quiet()) << "the answers are on their way";
  world.acknowledge_all();
  world.restart();
  world.step({ask("u"), assignment(key("u"))});
  EXPECT_EQ(world.reported(), (Words{"u1 lost"})) << "again lost, however late its assignment comes";
  EXPECT_TRUE(world.all<agent::Run>().empty());
}

TEST(Commands, RemembersAtMostDoneMax) {
  World world(Limits{.settled_max = 2});
  const auto forgotten = [&] {
    std::vector<AttemptKey> out;
    for (const auto& save : world.said.attempts) {
      if (!save.attempt) out.push_back(save.key);
    }
    return out;
  };
  for (const auto* job : {"z", "k", "l"}) world.step({assignment(key(job)), ended(key(job))});
  EXPECT_EQ(forgotten(), std::vector{key("z")});
  EXPECT_EQ(world.journal.attempts.size(), 2U);
  world.restart();
  world.step({assignment(key("m")), ended(key("m"))});
  EXPECT_EQ(forgotten(), std::vector{key("k")}) << "the oldest, also after a restart";
  for (const auto* job : {"n", "o", "p", "q"}) world.step({CancelArrived{{key(job), ""}}});
  EXPECT_EQ(world.journal.attempts.size(), 2U) << "also of what was never seen";
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

TEST(Restart, StartsAgainWhatItsContractSays) {
  const Contract again{.restart_on_reboot = true};
  World world;
  world.step({assignment(key("j"), "", again), assignment(key("k"), "p", again), PackageReady{"p"}});
  ASSERT_EQ(world.all<agent::Run>().size(), 2U);
  for (int i = 0; i < 2; ++i) {
    world.restart();
    ASSERT_EQ(world.all<agent::Run>().size(), 1U);
    EXPECT_EQ(world.all<agent::Run>()[0].assign, assignment(key("j"), "", again).assign);
    EXPECT_EQ(world.all<Fetch>().size(), 1U) << "the package may be gone from the cache";
    world.step({PackageReady{"p"}});
    ASSERT_EQ(world.all<agent::Run>().size(), 1U);
    EXPECT_EQ(world.all<agent::Run>()[0].assign.key, key("k"));
  }
  world.step({ended(key("j"))});
  EXPECT_EQ(world.reported(), Words{"j1 succeeded"});
}

TEST(Restart, WhatWasToEndDoesNotBeginAgain) {
  World world;
  const Contract again{.stop_after_s = 10, .restart_on_reboot = true};
  world.step({Connected{}, assignment(key("c"), "", again), assignment(key("s"), "", again),
              assignment(key("t"), "", again), TimePassed{}});
  world.step({World::confirmed(world.said.heartbeat.value().beat)});
  ASSERT_EQ(world.all<agent::Run>().size(), 3U);
  world.step({CancelArrived{{key("c"), ""}}, StaleArrived{{key("s"), "queued", ""}}});
  ASSERT_EQ(world.all<Kill>().size(), 2U);
  world.pass(seconds(10));
  ASSERT_EQ(world.all<Kill>().size(), 1U) << "the contract's";
  world.restart();
  EXPECT_TRUE(world.all<agent::Run>().empty());
  EXPECT_EQ(world.reported(), (Words{"c1 cancelled", "t1 lost"}));
  EXPECT_TRUE(world.core.live().empty());
}

}  // namespace
}  // namespace fieldwork::agent
