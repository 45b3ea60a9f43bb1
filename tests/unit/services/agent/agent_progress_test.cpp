// links: agent_core GTest::gtest_main
// The agent's core and programs that run: how far they say that they are, and who follows what they write.
#include <algorithm>
#include <map>
#include <set>

#include "support/agent_world.hpp"

namespace fieldwork::agent {
namespace {

constexpr std::int64_t total = 1000;

RunProgress counted(std::int64_t done) {
  return {.fraction = static_cast<double>(done) / total, .done = done, .total = total, .step = "s"};
}
ProgressMade made(const AttemptKey& k, std::int64_t done) { return {k, counted(done)}; }

EnrolAnswered accepted(const World& world) {
  return {.session = world.core.session(), .enrolled = true, .heartbeat_s = 5};
}
void connect(World& world) {
  world.step({Connected{}});
  world.step({accepted(world), TimePassed{}});
}

// What the last batch said of progress, as "j1 3".
Words told(const World& world) {
  Words out;
  for (const auto& [k, progress] : world.said.progress) {
    EXPECT_EQ(progress, counted(progress.done.value_or(-1)));
    out.push_back(k.job.value + std::to_string(k.fence) + " " + std::to_string(progress.done.value_or(-1)));
  }
  return out;
}

TEST(Progress, TheNewestIsToldAtMostOnceInItsTime) {
  for (const auto every : {Limits{}.progress_every, Duration(seconds(7))}) {
    World world(Limits{.progress_every = every});
    connect(world);
    world.step({assignment(key("j")), assignment(key("k"))});
    world.step({made(key("j"), 1), TimePassed{}});
    EXPECT_EQ(told(world), Words{"j1 1"});
    world.step({made(key("j"), 2), made(key("k"), 1), TimePassed{}});
    EXPECT_EQ(told(world), Words{});
    world.now += every - milliseconds(1);
    world.step({made(key("j"), 3), made(key("j"), 4), TimePassed{}});
    EXPECT_EQ(told(world), Words{}) << "too early";
    world.pass(milliseconds(1));
    auto both = told(world);
    std::sort(both.begin(), both.end());
    EXPECT_EQ(both, (Words{"j1 4", "k1 1"}));
    for (int i = 0; i < 3; ++i) {
      world.pass(every);
      EXPECT_EQ(told(world), Words{}) << "nothing changed";
    }
    world.step({made(key("k"), 2)});
    world.step({TimePassed{}});
    EXPECT_EQ(told(world), Words{"k1 2"}) << "after a while at once";
  }
}

TEST(Progress, IsAFactThatNothingIsSavedFor) {
  World world;
  connect(world);
  world.step({assignment(key("j"))});
  world.step({made(key("j"), 1)});
  EXPECT_TRUE(world.quiet());
  world.step({TimePassed{}});
  EXPECT_EQ(told(world), Words{"j1 1"});
  EXPECT_TRUE(world.said.attempts.empty() && world.said.reports.empty() && world.said.acts.empty());
}

TEST(Progress, IsToldWhileThisDeviceIsConnectedAndEnrolled) {
  World world;
  const auto says = [&](std::int64_t done) {
    world.step({made(key("j"), done)});
    world.pass(seconds(10));
    return told(world);
  };
  world.step({assignment(key("j"))});
  EXPECT_EQ(says(1), Words{}) << "not connected";
  world.step({Connected{}});
  EXPECT_EQ(says(2), Words{}) << "not enrolled";
  world.step({accepted(world), TimePassed{}});
  EXPECT_EQ(told(world), Words{"j1 2"});
  world.step({EnrolAnswered{.session = world.core.session(), .unknown = true}});
  EXPECT_EQ(says(3), Words{}) << "the registry does not know it any more";
  world.step({accepted(world), TimePassed{}});
  EXPECT_EQ(told(world), Words{"j1 3"});
  world.step({Disconnected{}});
  EXPECT_EQ(says(4), Words{});
  world.step({Connected{}});
  EXPECT_EQ(says(5), Words{}) << "each connection is enrolled anew";
  world.step({accepted(world), TimePassed{}});
  EXPECT_EQ(told(world), Words{"j1 5"});
}

// A fact may be lost with its connection.
TEST(Progress, IsToldAgainAfterAReconnect) {
  World world;
  connect(world);
  world.step({assignment(key("j")), assignment(key("k")), assignment(key("l"))});
  world.step({made(key("j"), 1), made(key("k"), 2), TimePassed{}});
  EXPECT_EQ(told(world).size(), 2U);
  world.step({ended(key("k"))});
  world.step({Disconnected{}});
  world.pass(seconds(10));
  connect(world);
  EXPECT_EQ(told(world), Words{"j1 1"}) << "what ended is told by its report; l said nothing";
  world.pass(seconds(10));
  EXPECT_EQ(told(world), Words{});
}

TEST(Progress, OfMoreThanAMessageHoldsEachHasItsTurn) {
  const auto count = limits::progress_items_max + 10;
  World world;
  connect(world);
  std::vector<AttemptKey> keys;
  std::vector<Input> begin;
  for (std::size_t i = 0; i < count; ++i) {
    keys.push_back(key("j" + std::to_string(100 + i)));
    begin.emplace_back(assignment(keys.back()));
  }
  world.step(begin);
  const auto next = [&](std::int64_t done) {
    std::vector<Input> inputs;
    if (done > 0) {
      for (const auto& k : keys) inputs.emplace_back(made(k, done));
    }
    inputs.emplace_back(TimePassed{});
    world.now += Limits{}.progress_every;
    world.step(inputs);
    std::set<AttemptKey> out;
    for (const auto& [k, progress] : world.said.progress) {
      EXPECT_TRUE(out.insert(k).second) << k.job.value << " twice in one message";
      EXPECT_EQ(progress.done, done > 0 ? done : 1) << k.job.value;
    }
    return out;
  };
  auto all = next(1);
  EXPECT_EQ(all.size(), limits::progress_items_max);
  all.merge(next(0));
  EXPECT_EQ(all.size(), count) << "the others come next";
  EXPECT_EQ(next(0).size(), 0U);
  std::map<AttemptKey, int> missed;
  for (int round = 2; round < 40; ++round) {
    const auto said = next(round);
    EXPECT_EQ(said.size(), limits::progress_items_max);
    for (const auto& k : keys) {
      missed[k] = said.contains(k) ? 0 : missed[k] + 1;
      EXPECT_LE(missed[k], 1) << k.job.value << " starves in round " << round;
    }
  }
}

TEST(Progress, OnlyOfProgramsThatRun) {
  World world;
  connect(world);
  world.step({assignment(key("f"), "p"), assignment(key("e")), ended(key("e"))});
  world.step({made(key("f"), 1), made(key("e"), 1), made(key("x"), 1)});
  world.pass(seconds(10));
  EXPECT_EQ(told(world), Words{});
  world.step({assignment(key("j"))});
  world.step({made(key("j"), 1), ended(key("j"))});
  EXPECT_EQ(world.last_report().progress, counted(1));
  world.step({made(key("j"), 2)});
  world.pass(seconds(10));
  EXPECT_EQ(told(world), Words{}) << "its report has told it";
}

struct EndCase {
  const char* name;
  std::vector<Input> before;
  RunEnded input;
  AttemptState state;
};

TEST(Progress, TheReportOfTheEndHasTheNewest) {
  const EndCase cases[] = {
      {"good", {}, ended(key("j")), AttemptState::succeeded},
      {"exit code", {}, ended(key("j"), 3), AttemptState::failed},
      {"time",
       {},
       {.key = key("j"), .result = RunResult{.exit_code = -1}, .reason = "no progress", .timed_out = true},
       AttemptState::timed_out},
      {"cancelled", {CancelArrived{{key("j"), ""}}}, killed(key("j")), AttemptState::cancelled},
      {"deactivated",
       {ConfigurationArrived{{.version = 1, .lifecycle = Lifecycle::inactive}}},
       killed(key("j")),
       AttemptState::lost},
  };
  for (const auto& c : cases) {
    for (const bool connected : {false, true}) {
      World world;
      if (connected) connect(world);
      world.step({assignment(key("j"))});
      EXPECT_EQ(world.last_report().progress, std::nullopt) << c.name;
      world.step({made(key("j"), 1), TimePassed{}});
      world.step({made(key("j"), 2)});
      world.step(c.before);
      world.step({made(key("j"), 3), c.input});
      EXPECT_EQ(world.last_report().state, c.state) << c.name;
      EXPECT_EQ(world.last_report().progress, counted(3)) << c.name;
      world.acknowledge_all();
      for (const bool restarted : {false, true}) {
        if (restarted) world.restart();
        world.step({InquireArrived{{key("j"), ""}}});
        EXPECT_EQ(world.last_report().progress, counted(3)) << c.name << ": whoever asks again is told again";
        world.acknowledge_all();
      }
    }
  }
  World silent;
  silent.step({assignment(key("j"))});
  silent.step({ended(key("j"))});
  EXPECT_EQ(silent.last_report().progress, std::nullopt);
}

TEST(Progress, ALargeResultHasItWithItsEnd) {
  World world;
  world.step({assignment(key("j"))});
  auto end = ended(key("j"));
  end.result->stdout_text = std::string(100'000, 'a');
  world.step({made(key("j"), 7), end});
  EXPECT_GT(world.said.reports.size(), 1U);
  for (const auto& save : world.said.reports) {
    ASSERT_TRUE(save.report.has_value());
    const auto& report = save.report->report;
    EXPECT_EQ(report.progress, report.part ? std::nullopt : std::optional(counted(7)));
  }
}

TEST(Progress, GoesOnUnderANewerFence) {
  World world;
  connect(world);
  world.step({assignment(key("j", 1))});
  world.step({made(key("j", 1), 4), TimePassed{}});
  EXPECT_EQ(told(world), Words{"j1 4"});
  world.step({same_try(key("j", 9), 1)});
  world.pass(seconds(10));
  EXPECT_EQ(told(world), Words{"j9 4"}) << "the scheduler was not told it of this attempt";
  world.step({made(key("j", 1), 5)});
  world.pass(seconds(10));
  EXPECT_EQ(told(world), Words{"j9 5"}) << "the program has the name it was started under";
  world.step({made(key("j", 1), 6), ended(key("j", 1))});
  EXPECT_EQ(world.reported(), Words{"j9 succeeded"});
  EXPECT_EQ(world.last_report().progress, counted(6));
}

TEST(Progress, OfATryThatIsOverIsToldUnderANewerFence) {
  World world;
  world.step({assignment(key("j", 1))});
  world.step({made(key("j", 1), 4), ended(key("j", 1), 3)});
  world.acknowledge_all();
  world.step({same_try(key("j", 9), 1)});
  EXPECT_EQ(world.reported(), Words{"j9 failed"});
  EXPECT_EQ(world.last_report().progress, counted(4)) << "what became of it is reported under the newer fence";
}

struct FollowCase {
  const char* name;
  std::vector<Input> before;
  AttemptKey asked;
  std::optional<AttemptKey> program{};
};

TEST(Following, IsDoneUnderTheKeyThatTheProgramWasStartedUnder) {
  const FollowCase cases[] = {
      {"runs", {assignment(key("j"))}, key("j"), key("j")},
      {"fetches its package", {assignment(key("j"), "p")}, key("j"), key("j")},
      {"waits for contact", {assignment(key("j"), "", {.stop_after_s = 10})}, key("j"), key("j")},
      {"goes on", {assignment(key("j", 1)), same_try(key("j", 9), 1)}, key("j", 9), key("j", 1)},
      {"goes on twice",
       {assignment(key("j", 1)), same_try(key("j", 9), 1), same_try(key("j", 12), 1)},
       key("j", 12),
       key("j", 1)},
      {"its older name", {assignment(key("j", 1)), same_try(key("j", 9), 1)}, key("j", 1)},
      {"a newer try runs", {assignment(key("j", 1)), killed(key("j", 1)), assignment(key("j", 2))}, key("j", 1)},
      {"unknown", {assignment(key("k"))}, key("j")},
      {"another execution", {assignment(key("j"))}, {JobId("j"), 1, 1}},
      {"ended", {assignment(key("j")), ended(key("j"))}, key("j")},
      {"refused", {BadCommandArrived{key("j"), "is no map"}}, key("j")},
  };
  for (const auto& c : cases) {
    for (const bool begin : {true, false}) {
      World world;
      for (const auto& input : c.before) world.step({input});
      world.step({TailArrived{{.key = c.asked, .for_s = 90, .begin = begin}}});
      const auto follows = world.all<Follow>();
      ASSERT_EQ(follows.size(), c.program ? 1U : 0U) << c.name;
      EXPECT_EQ(world.said.acts.size(), follows.size()) << c.name;
      EXPECT_TRUE(world.said.attempts.empty() && world.reported().empty()) << c.name << ": nothing to save or answer";
      if (!c.program) continue;
      EXPECT_EQ(follows[0].key, *c.program) << c.name;
      EXPECT_EQ(follows[0].left, seconds(90)) << c.name;
      EXPECT_EQ(follows[0].begin, begin) << c.name;
    }
  }
}

TEST(Following, EachRequestIsCarriedOut) {
  World world;
  world.step({assignment(key("j")), assignment(key("k"))});
  world.step({TailArrived{{.key = key("j"), .for_s = 60}}, TailArrived{{.key = key("k"), .for_s = 60}},
              TailArrived{{.key = key("j"), .for_s = 600, .begin = false}}});
  const auto follows = world.all<Follow>();
  ASSERT_EQ(follows.size(), 3U);
  EXPECT_EQ(follows[1].key, key("k"));
  EXPECT_EQ(follows[2].left, seconds(600));
}

}  // namespace
}  // namespace fieldwork::agent
