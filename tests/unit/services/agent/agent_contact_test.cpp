// links: agent_core GTest::gtest_main
// The agent's core and the link: enrolment, heartbeats, the clock, and what the contract says while nobody answers.
#include "support/agent_world.hpp"

namespace fieldwork::agent {
namespace {

TEST(Link, EnrolsLessAndLessOftenWhileNobodyAnswers) {
  World world;
  world.step({Connected{}, TimePassed{}});
  std::string at;
  for (int s = 1; s <= 80; ++s) {
    world.pass(seconds(1));
    if (world.said.enrol) at += std::to_string(s) + " ";
  }
  EXPECT_EQ(at, "5 15 35 55 75 ");
  world.step({Connected{}, TimePassed{}});
  world.pass(seconds(5));
  EXPECT_TRUE(world.said.enrol) << "a new connection begins anew";
}

TEST(Link, EnrolsUntilAnswered) {
  World world;
  world.pass(seconds(1));
  EXPECT_TRUE(world.quiet()) << "not connected";
  world.step({Connected{}, TimePassed{}});
  EXPECT_TRUE(world.said.enrol);
  world.pass(seconds(5));
  EXPECT_TRUE(world.said.enrol);
  world.step({EnrolAnswered{.session = 2, .enrolled = true, .reason = ""}});
  EXPECT_FALSE(world.core.enrolled()) << "the answer to an earlier start";
  world.step({EnrolAnswered{.session = 3, .enrolled = false, .reason = "revoked"}});
  world.pass(seconds(59));
  EXPECT_FALSE(world.said.enrol);
  world.pass(seconds(1));
  EXPECT_TRUE(world.said.enrol);
  world.step({EnrolAnswered{.session = 3, .enrolled = true, .reason = "", .heartbeat_s = 2}});
  EXPECT_TRUE(world.core.enrolled());
  world.pass(seconds(2));
  EXPECT_FALSE(world.said.enrol);
  EXPECT_TRUE(world.said.heartbeat.has_value());
  world.pass(seconds(2));
  EXPECT_TRUE(world.said.heartbeat.has_value());
  world.step({Connected{}, TimePassed{}});
  EXPECT_TRUE(world.said.enrol) << "anew on each connection";
}

// It was removed, or the registry's database is an older one.
TEST(Link, EnrolsAnewWhenAHeartbeatIsAnsweredThatItIsUnknown) {
  World world;
  const EnrolAnswered unknown{.session = 3, .unknown = true};
  world.step({Connected{}, TimePassed{}});
  ASSERT_TRUE(world.said.enrol);
  world.step({unknown, TimePassed{}});
  EXPECT_FALSE(world.said.enrol) << "an enrolment is on its way";
  world.step({EnrolAnswered{.session = 3, .enrolled = true, .heartbeat_s = 5}});
  world.step({unknown, TimePassed{}});
  EXPECT_TRUE(world.said.enrol);
  world.step({unknown, TimePassed{}});
  EXPECT_FALSE(world.said.enrol) << "not with each heartbeat";
  world.pass(seconds(20));
  EXPECT_TRUE(world.said.enrol);
}

TEST(Link, ADeviceThatIsRefusedTakesNoWork) {
  World world;
  world.step({Connected{}, TimePassed{}});
  world.step({EnrolAnswered{.session = 3, .enrolled = false, .reason = "already_registered: …"}});
  world.step({assignment(key("j"))});
  EXPECT_EQ(world.last_report().reason, "this device's enrolment was refused: already_registered: …");
  world.step({EnrolAnswered{.session = 3, .enrolled = true, .heartbeat_s = 5}});
  EXPECT_TRUE(world.core.enrolled());
}

TEST(Link, NoHeartbeatTakesBackThatItWillSleep) {
  World world;
  world.step({Connected{}});
  world.step({EnrolAnswered{.session = 3, .enrolled = true, .heartbeat_s = 5}, TimePassed{}});
  world.now += seconds(5);
  world.step({SleepAnnounced{3600}, TimePassed{}});
  EXPECT_FALSE(world.said.heartbeat);
  world.pass(seconds(29));
  EXPECT_FALSE(world.said.heartbeat);
  world.pass(seconds(1));
  EXPECT_TRUE(world.said.heartbeat) << "it was not suspended after all";
  world.step({SleepAnnounced{3600}, Connected{}, TimePassed{}});
  EXPECT_TRUE(world.said.heartbeat) << "it was, and is back";
}

TEST(Link, IsAsQuietBeforeASleepAsItsContractsAllow) {
  const auto beats_after = [](std::int64_t sleep_s, const Contract& contract, bool works) {
    World world;
    world.step({Connected{}});
    world.step({EnrolAnswered{.session = 3, .enrolled = true, .heartbeat_s = 5}, TimePassed{}});
    if (works) world.step({assignment(key("j"), "", contract), TimePassed{}});
    world.step({World::confirmed(world.said.heartbeat ? world.said.heartbeat->beat : 0), SleepAnnounced{sleep_s}});
    int s = 0;
    do {
      world.pass(seconds(1));
      ++s;
    } while (!world.said.heartbeat && s < 60);
    return s;
  };
  EXPECT_EQ(beats_after(3600, {}, false), 30);
  EXPECT_EQ(beats_after(10, {}, false), 10) << "it is awake by then";
  EXPECT_LE(beats_after(3600, {.lost_after_s = 30}, true), 10);
}

TEST(Link, ADeviceWithWorkBeatsOftenHoweverLargeTheFleet) {
  World world;
  world.step({Connected{}});
  world.step({EnrolAnswered{.session = 3, .enrolled = true, .heartbeat_s = 600}, TimePassed{}});
  world.step({assignment(key("j"))});
  int s = 0;
  do {
    world.pass(seconds(1));
    ++s;
  } while (!world.said.heartbeat && s < 60);
  EXPECT_LE(s, 20) << "the first that lists it, too";
}

TEST(Link, AHeartbeatIsMadeWhenTheOneBeforeHasArrived) {
  World world;
  world.step({Connected{}});
  world.step({EnrolAnswered{.session = 3, .enrolled = true, .heartbeat_s = 5}, TimePassed{}});
  const auto first = world.said.heartbeat->beat;
  world.now += seconds(20);
  world.step({TimePassed{.beat_idle = false}});
  EXPECT_FALSE(world.said.heartbeat);
  world.step({TimePassed{}});
  EXPECT_EQ(world.said.heartbeat->beat, first + 1) << "no number is left out";
}

// A scheduler that has just begun asks; one that forgot hears what ended as well, the newest first.
TEST(Link, SaysAtOnceWhatIsHereToASchedulerThatAsks) {
  const auto ask = [](std::int64_t epoch, std::int64_t seq) {
    return AckArrived{.answer = {epoch, seq, 0, 0}, .beat = 0, .wall_ms = 500, .ask = true};
  };
  struct Case {
    const char* what;
    std::int64_t epoch, seq;
    bool forgot;
  };
  for (const auto& one : {Case{"it knows all", 7, 3, false}, Case{"it forgot the last one", 7, 2, true},
                          Case{"it has no stream of this device", 0, 0, true},
                          Case{"it knows an older epoch", 6, 90, true}, Case{"it knows a newer one", 8, 1, false}}) {
    SCOPED_TRACE(one.what);
    World world;
    world.step({Connected{}, assignment(key("f")), assignment(key("d")), ended(key("f")), ended(key("d")),
                assignment(key("r")), TimePassed{}});
    world.acknowledge_all();
    ASSERT_EQ(world.journal.stream.next_seq, 4);
    world.step({ask(one.epoch, one.seq), TimePassed{}});
    ASSERT_TRUE(world.said.heartbeat.has_value());
    EXPECT_EQ(world.said.heartbeat->attempts, std::vector{key("r")});
    ASSERT_TRUE(world.said.heartbeat->ended.has_value());
    EXPECT_EQ(*world.said.heartbeat->ended, one.forgot ? (std::vector{key("d"), key("f")}) : std::vector<AttemptKey>{});
    world.pass(seconds(5));
    ASSERT_TRUE(world.said.heartbeat.has_value());
    EXPECT_FALSE(world.said.heartbeat->ended.has_value()) << "nobody asked";
  }
  World many;
  many.step({Connected{}, TimePassed{}});
  for (int i = 0; i < 300; ++i) {
    const auto k = key("j" + std::to_string(i));
    many.step({assignment(k), ended(k)});
  }
  many.acknowledge_all();
  many.step({ask(7, 1)});
  EXPECT_EQ(many.said.heartbeat->ended->size(), static_cast<std::size_t>(limits::ended_per_heartbeat_max));
  EXPECT_EQ(many.said.heartbeat->ended->front(), key("j299"));
}

TEST(Link, HeartbeatsListWhatIsLive) {
  World world;
  world.step({Connected{}, assignment(key("f"), "p"), assignment(key("r")), assignment(key("s")), assignment(key("d")),
              ended(key("d")), StaleArrived{{key("s"), "queued", ""}}, TimePassed{}});
  ASSERT_TRUE(world.said.heartbeat.has_value());
  EXPECT_EQ(world.said.heartbeat->attempts, (std::vector{key("f"), key("r")}));
  const auto first = world.said.heartbeat->beat;
  world.pass(seconds(5));
  ASSERT_TRUE(world.said.heartbeat.has_value());
  EXPECT_EQ(world.said.heartbeat->beat, first + 1);
  world.step({Disconnected{}});
  world.pass(seconds(50));
  EXPECT_FALSE(world.said.heartbeat.has_value());
}

TEST(Link, HeartbeatsAreAsOftenAsTheContractNeeds) {
  struct Case {
    Contract contract;
    milliseconds every;
  };
  const Case cases[] = {
      {{.lost_after_s = std::nullopt, .stop_after_s = std::nullopt}, seconds(5)},
      {{.lost_after_s = 300, .stop_after_s = std::nullopt}, seconds(5)},
      {{.lost_after_s = 300, .stop_after_s = 6}, seconds(2)},
      {{.lost_after_s = 3, .stop_after_s = std::nullopt}, seconds(1)},
      {{.lost_after_s = 2, .stop_after_s = 1}, milliseconds(500)},
  };
  for (const auto& c : cases) {
    World world;
    world.step({Connected{}, assignment(key("j"), "", c.contract), TimePassed{}});
    ASSERT_TRUE(world.said.heartbeat.has_value());
    world.pass(c.every - milliseconds(1));
    EXPECT_FALSE(world.said.heartbeat.has_value()) << c.every.count();
    world.pass(milliseconds(1));
    EXPECT_TRUE(world.said.heartbeat.has_value()) << c.every.count();
  }
}

// --- stop_after_s -------------------------------------------------------------------------------------------------

const Contract stop_10{.lost_after_s = 20, .stop_after_s = 10};

// Commands, and the confirmation of the heartbeat that lists their attempts, at the same moment.
void begin(World& world, std::vector<Input> commands) {
  commands.insert(commands.begin(), Connected{});
  commands.emplace_back(TimePassed{});
  world.step(commands);
  world.step({World::confirmed(world.said.heartbeat.value().beat)});
}

// The command may have lain in a socket for minutes while this device stood still: another one may have the work by
// now.
TEST(StopAfter, BeginsOnlyOnceAHeartbeatThatListsItIsConfirmed) {
  for (const bool package : {false, true}) {
    World world;
    world.step({Connected{}, TimePassed{}});
    const auto before = world.said.heartbeat.value().beat;
    world.pass(seconds(1));
    world.step({assignment(key("j"), package ? "p" : "", stop_10), assignment(key("k")), TimePassed{}});
    EXPECT_EQ(world.all<agent::Run>().size(), 1U) << "what has no such contract";
    EXPECT_EQ(world.reported(), (Words{"j1 fetching", "k1 running"}));
    const auto beat = world.said.heartbeat.value();
    EXPECT_EQ(beat.attempts, (std::vector{key("j"), key("k")})) << "at once";
    world.step({World::confirmed(before)});
    EXPECT_TRUE(world.said.acts.empty()) << "it does not list it";
    world.restart();  // it does not begin by being found in the journal, either
    EXPECT_TRUE(world.all<Fetch>().empty());
    world.step({Connected{}, TimePassed{}});
    world.step({World::confirmed(world.said.heartbeat.value().beat)});
    EXPECT_EQ(world.all<agent::Run>().size(), package ? 0U : 1U);
    EXPECT_EQ(world.all<Fetch>().size(), package ? 1U : 0U);
  }
  World late;
  late.step({Connected{}, assignment(key("j"), "", stop_10), TimePassed{}});
  late.step({StaleArrived{{key("j"), "lost", ""}}, World::confirmed(late.said.heartbeat.value().beat)});
  EXPECT_TRUE(late.all<agent::Run>().empty());
}

// The interval of an idle device may be longer than the new work's bound.
TEST(StopAfter, AHeartbeatComesInTimeForNewWork) {
  World world;
  world.step({Connected{}, TimePassed{}});
  world.pass(milliseconds(100));
  world.step({assignment(key("j"), "", {.lost_after_s = 3, .stop_after_s = std::nullopt}), TimePassed{}});
  EXPECT_FALSE(world.said.heartbeat.has_value());
  world.pass(seconds(1));
  EXPECT_TRUE(world.said.heartbeat.has_value());
}

TEST(StopAfter, StopsWhatRunsWithoutContact) {
  for (const bool connected : {false, true}) {
    World world;
    begin(world, {assignment(key("j"), "", stop_10), assignment(key("k"))});
    if (!connected) world.step({Disconnected{}});
    world.pass(seconds(10) - milliseconds(1));
    EXPECT_TRUE(world.all<Kill>().empty());
    world.pass(milliseconds(1));
    ASSERT_EQ(world.all<Kill>().size(), 1U) << "with a link that nobody answers on, and without one: " << connected;
    EXPECT_EQ(world.all<Kill>()[0].key, key("j"));
    EXPECT_EQ(world.said.notices.size(), 1U);
    world.pass(seconds(1));
    EXPECT_TRUE(world.all<Kill>().empty()) << "once";
    world.step({killed(key("j"))});
    EXPECT_EQ(world.reported(), Words{"j1 lost"});
    EXPECT_EQ(world.last_report().reason, "its contract stopped it: no contact for 10 s");
    EXPECT_EQ(world.core.live(), std::vector{key("k")}) << "nothing stops what goes on";
  }
}

// For an agent that stands still each program's keeper knows the moment.
TEST(StopAfter, IsKnownToTheKeeper) {
  World world;
  const auto ends = [&] { return world.core.contract_ends(); };
  begin(world, {assignment(key("j"), "", stop_10), assignment(key("k")), assignment(key("f"), "p", stop_10)});
  EXPECT_EQ(ends(), (std::vector{std::pair(key("j"), world.now + seconds(10))}));
  world.pass(seconds(4));
  const auto sent = world.now;
  const auto second = world.said.heartbeat.value().beat;
  world.pass(seconds(1));
  world.step({World::confirmed(second)});
  EXPECT_EQ(ends(), (std::vector{std::pair(key("j"), sent + seconds(10))}));
  world.pass(seconds(1));
  auto by_contract = killed(key("j"));
  by_contract.by_contract = true;
  world.step({by_contract});
  EXPECT_EQ(world.reported(), Words{"j1 lost"}) << "though this side has not seen it end";
  EXPECT_EQ(world.last_report().reason, "its contract stopped it: no contact for 10 s");
  EXPECT_TRUE(ends().empty());
}

TEST(StopAfter, CountsFromWhenTheConfirmedHeartbeatWasSent) {
  World world;
  world.step({Connected{}, assignment(key("j"), "", stop_10), TimePassed{}});
  const auto first = world.said.heartbeat.value().beat;
  world.step({World::confirmed(first)});
  world.pass(seconds(4));
  const auto second = world.said.heartbeat.value().beat;
  world.pass(seconds(5));
  ASSERT_TRUE(world.said.heartbeat.has_value());
  // Five seconds later the second one is confirmed, and then the first again: it counts from its sending.
  world.step({World::confirmed(second), World::confirmed(first), World::confirmed(second)});
  world.pass(seconds(5) - milliseconds(1));
  EXPECT_TRUE(world.all<Kill>().empty());
  world.pass(milliseconds(1));
  EXPECT_EQ(world.all<Kill>().size(), 1U) << "ten seconds after it was sent, five after it was confirmed";
}

TEST(StopAfter, GoesOnWhileHeartbeatsAreConfirmed) {
  World world;
  begin(world, {assignment(key("j"), "", stop_10)});
  for (int i = 0; i < 1000; ++i) {
    world.pass(seconds(1));
    ASSERT_TRUE(world.all<Kill>().empty()) << i;
    if (world.said.heartbeat) world.step({World::confirmed(world.said.heartbeat->beat)});
  }
  EXPECT_EQ(world.core.live().size(), 1U);
}

TEST(StopAfter, AnAnswerToReportsOrToAnotherSessionIsNoContact) {
  World world;
  begin(world, {assignment(key("j"), "", stop_10)});
  world.pass(seconds(4));
  const auto old = world.said.heartbeat.value().beat;
  world.restart();
  world.step({Connected{}, assignment(key("k"), "", stop_10), TimePassed{}});
  EXPECT_NE(world.said.heartbeat.value().beat, old);
  world.step({World::confirmed(world.said.heartbeat.value().beat)});
  ASSERT_EQ(world.all<agent::Run>().size(), 1U);
  world.pass(seconds(8));
  world.step({World::confirmed(old)});
  world.acknowledge_all();
  world.pass(seconds(2));
  EXPECT_EQ(world.all<Kill>().size(), 1U);
}

TEST(StopAfter, EndsWhatStillFetches) {
  World world;
  begin(world, {assignment(key("j"), "p", stop_10)});
  world.pass(seconds(10));
  EXPECT_EQ(world.reported(), Words{"j1 lost"});
  EXPECT_EQ(world.last_report().reason, "its contract ended it before it began: no contact for 10 s");
  EXPECT_EQ(world.all<Unfetch>().size(), 1U);
  world.step({PackageReady{"p"}});
  EXPECT_TRUE(world.all<agent::Run>().empty());
}

TEST(StopAfter, TheTimeOfFetchingCounts) {
  World world;
  begin(world, {assignment(key("j"), "p", stop_10)});
  world.pass(seconds(9));
  world.step({PackageReady{"p"}});
  ASSERT_EQ(world.all<agent::Run>().size(), 1U);
  world.pass(seconds(1));
  EXPECT_EQ(world.all<Kill>().size(), 1U) << "ten seconds after the last contact, not after it began";
}

TEST(StopAfter, AfterARestartNothingGoesOnBeforeThereIsContact) {
  auto again = stop_10;
  again.restart_on_reboot = true;
  World world;
  begin(world, {assignment(key("r"), "", again), assignment(key("f"), "p", stop_10), assignment(key("n"), "p")});
  world.restart();
  EXPECT_TRUE(world.all<agent::Run>().empty()) << "how long the device was off nobody here knows";
  EXPECT_EQ(world.all<Fetch>().size(), 1U) << "of what has no such contract";
  world.step({PackageReady{"p"}});
  ASSERT_EQ(world.all<agent::Run>().size(), 1U);
  EXPECT_EQ(world.all<agent::Run>()[0].assign.key, key("n"));
  world.step({Connected{}, TimePassed{}});
  EXPECT_EQ(world.said.heartbeat.value().attempts, (std::vector{key("f"), key("n"), key("r")}));
  world.pass(seconds(5));
  world.step({World::confirmed(world.said.heartbeat.value().beat)});
  ASSERT_EQ(world.all<agent::Run>().size(), 1U);
  EXPECT_EQ(world.all<agent::Run>()[0].assign.key, key("r"));
  EXPECT_EQ(world.all<Fetch>().size(), 1U);
  world.step({PackageReady{"p"}});
  EXPECT_EQ(world.all<agent::Run>().size(), 1U);

  world.step({CancelArrived{{key("f"), ""}}, killed(key("f")), CancelArrived{{key("n"), ""}}, killed(key("n"))});
  world.restart();
  world.step({Connected{}});
  world.pass(seconds(10));
  EXPECT_EQ(world.reported(), Words{"r1 lost"}) << "it was silent for too long";
  world.step({StaleArrived{{key("r"), "lost", ""}}});
  EXPECT_TRUE(world.quiet());
  EXPECT_TRUE(world.core.live().empty());
}

TEST(StopAfter, WhatWaitsForContactCanBeTakenAway) {
  auto again = stop_10;
  again.restart_on_reboot = true;
  World world;
  begin(world, {assignment(key("c"), "", again), assignment(key("s"), "", again), assignment(key("o", 1), "", again)});
  world.restart();
  world.step({Connected{}, CancelArrived{{key("c"), ""}}, StaleArrived{{key("s"), "queued", ""}},
              assignment(key("o", 2), "", again), TimePassed{}});
  EXPECT_TRUE(world.all<agent::Run>().empty());
  world.step({World::confirmed(world.said.heartbeat.value().beat)});
  ASSERT_EQ(world.all<agent::Run>().size(), 1U);
  EXPECT_EQ(world.all<agent::Run>()[0].assign.key, key("o", 2)) << "the newer attempt";
  EXPECT_EQ(world.core.live(), std::vector{key("o", 2)});
}

// --- the clock ----------------------------------------------------------------------------------------------------

constexpr std::int64_t year_ms = 365LL * 86'400'000;

struct ClockCase {
  const char* name;
  std::int64_t registry_ms;  // at enrolment; 0: it did not say
  std::int64_t wall_ms;      // then
  seconds later;             // the assignment comes
  std::int64_t wall_later_ms;
  bool good;  // grants are good up to 1,000 ms
};

TEST(Clock, GrantsAreJudgedByTheRegistrys) {
  const ClockCase cases[] = {
      {"right", 500, 500, seconds(0), 500, true},
      {"years ahead", 500, 50 * year_ms, seconds(0), 50 * year_ms, true},
      {"years behind, and it has expired", 1500, -20 * year_ms, seconds(0), -20 * year_ms, false},
      {"jumps ahead after enrolment", 500, 500, seconds(0), 3 * year_ms, true},
      {"jumps back after enrolment, and it expires", 500, 500, seconds(2), 400, false},
      {"its own, when the registry did not say", 0, 500, seconds(2), 2500, false},
      {"its own, and good", 0, 500, seconds(2), 700, true},
  };
  for (const auto& c : cases) {
    World world;
    world.step(
        {Connected{},
         EnrolAnswered{.session = 3, .enrolled = true, .reason = "", .now_ms = c.registry_ms, .wall_ms = c.wall_ms}});
    EXPECT_EQ(world.said.notices.size(), std::abs(c.wall_ms - 500) > 60'000 ? 1U : 0U) << c.name;
    world.pass(c.later);
    auto command = assignment(key("j"));
    command.wall_ms = c.wall_later_ms;
    world.step({command});
    EXPECT_EQ(world.all<agent::Run>().size(), c.good ? 1U : 0U) << c.name;
    if (c.good) continue;
    EXPECT_EQ(world.last_report().state, AttemptState::rejected) << c.name;
    EXPECT_TRUE(world.last_report().reason.starts_with("grant: has expired ")) << c.name;
    EXPECT_FALSE(world.last_report().work_fault) << c.name << ": the device's fault";
  }
}

TEST(Clock, HeartbeatsSayHowFarOffItIs) {
  World world;
  world.step(
      {Connected{},
       EnrolAnswered{.session = 3, .enrolled = true, .reason = "", .now_ms = 1'000'000, .wall_ms = 1'000'000 - year_ms},
       TimePassed{}});
  EXPECT_EQ(world.said.heartbeat.value().clock_offset_ms, -year_ms);
}

}  // namespace
}  // namespace fieldwork::agent
