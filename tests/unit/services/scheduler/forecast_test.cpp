// links: scheduler_core GTest::gtest_main
// When what waits will start, and why it waits.
#include "scheduler/core/plan/forecast.hpp"

#include <gtest/gtest.h>

#include <random>

#include "scheduler/core/plan/why.hpp"
#include "scheduler/limits.hpp"
#include "support/scheduler_world.hpp"

namespace fieldwork::scheduler {
namespace {

// --- durations ----------------------------------------------------------------------------------------------------

DurationKeys record(JobSpec spec, const std::string& made_of = "") {
  JobRecord out;
  out.spec = std::make_shared<JobSpec>(std::move(spec));
  out.made_of = made_of;
  return duration_keys(out);
}

JobSpec command(const std::string& program, const std::string& argument = "") {
  JobSpec out{.command = {program}};
  if (!argument.empty()) out.command.push_back(argument);
  return out;
}

TEST(Durations, MedianOfTheCommandElseOfTheProgram) {
  Durations known;
  EXPECT_FALSE(known.expected(record(command("a"))));
  for (const int s : {10, 30, 20}) known.add(record(command("a", "x")), seconds(s));
  known.add(record(command("a", "y")), seconds(100));
  EXPECT_EQ(known.expected(record(command("a", "x"))), seconds(20));
  EXPECT_EQ(known.expected(record(command("a", "y"))), seconds(100));
  EXPECT_EQ(known.expected(record(command("a", "z"))), seconds(30)) << "of the program: 10 20 30 100, the upper middle";
  EXPECT_FALSE(known.expected(record(command("b", "x"))));
  auto packaged = command("a", "x");
  packaged.package = "sha256:1";
  EXPECT_FALSE(known.expected(record(packaged))) << "the program of another package";
}

TEST(Durations, ATemplateIsKnownBeforeItsProgram) {
  Durations known;
  known.add(record(command("a", "x"), "t@1"), seconds(10));
  known.add(record(command("a", "y"), "u@1"), seconds(100));
  EXPECT_EQ(known.expected(record(command("a", "z"), "t@1")), seconds(10));
  EXPECT_EQ(known.expected(record(command("a", "y"), "t@1")), seconds(100)) << "the command itself says more";
  EXPECT_EQ(known.expected(record(command("a", "z"), "t@2")), seconds(100)) << "another version: by the program";
}

TEST(Durations, WhatIsLeftIsThatOfThoseThatTookLonger) {
  Durations known;
  for (const int s : {10, 20, 30, 40, 50}) known.add(record(command("a")), seconds(s));
  EXPECT_EQ(known.left(record(command("a")), {}), seconds(30));
  EXPECT_EQ(known.left(record(command("a")), seconds(25)), seconds(15));
  EXPECT_EQ(known.left(record(command("a")), seconds(45)), seconds(5));
  EXPECT_EQ(known.left(record(command("a")), seconds(60)), seconds(15)) << "longer than all: a quarter more";
}

TEST(Durations, OnlyTheNewestCountAndWhatIsNotUsedGoes) {
  Durations known;
  for (std::size_t i = 0; i < durations_each_max; ++i) known.add(record(command("a")), seconds(1));
  for (std::size_t i = 0; i < durations_each_max; ++i) known.add(record(command("a")), seconds(9));
  EXPECT_EQ(known.expected(record(command("a"))), seconds(9));
  for (std::size_t i = 0; i < durations_max; ++i) {
    known.add(record(command("p" + std::to_string(i))), seconds(2));
    if (i % 100 == 0) known.add(record(command("a")), seconds(9));
  }
  EXPECT_EQ(known.size(), durations_max);
  EXPECT_TRUE(known.expected(record(command("a")))) << "used all the time";
  EXPECT_FALSE(known.expected(record(command("p0"))));
}

// What is saved says the same after a restart; the bound of what is saved at once loses nothing.
TEST(Durations, AreSavedInParts) {
  Durations known;
  for (int i = 0; i < 50; ++i) known.add(record(command("p" + std::to_string(i), "x")), seconds(i));
  std::map<std::string, DurationRecord> rows;
  for (int round = 0; round < 20; ++round) {
    const auto some = known.changed(7);
    EXPECT_LE(some.size(), 7U);
    for (const auto& one : some) rows[one.key] = one;
  }
  EXPECT_EQ(rows.size(), 100U);
  EXPECT_TRUE(known.changed(7).empty());
  std::vector<DurationRecord> saved;
  for (const auto& [key, row] : rows) saved.push_back(row);
  const Durations loaded(saved);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(loaded.expected(record(command("p" + std::to_string(i), "x"))), seconds(i));
}

// --- forecast -----------------------------------------------------------------------------------------------------

Forecast forecast_of(const World& world, const Extra* extra = nullptr) {
  return forecast(world.core.snapshot(), world.core.durations(), world.now, extra);
}

std::optional<Forecast::Start> start_of(const World& world, const std::string& job, const Forecast& seen) {
  const auto lane = std::get<Queued>(world.execution(job).phase).lane;
  return seen.of(JobId(job), 0, lane, world.core.snapshot().queue.lane(lane).entries.size());
}

// Runs the command once for so long, so that it is known.
void teach(World& world, const std::string& device, const std::string& program, Duration takes) {
  const auto id = "teach-" + program;
  world.run(id, command(program));
  const auto attempt = world.attempt(id);
  ASSERT_EQ(attempt.device, dev(device));
  for (const auto end = world.now + takes; world.now < end;) {
    world.now += std::min<Duration>(seconds(1), end - world.now);
    world.heartbeat(device, {attempt.key});
  }
  world.report(device, attempt.key, AttemptState::succeeded);
}

JobSpec wanting(const std::string& program, std::int64_t cpu_millis, int priority = 5) {
  auto out = command(program);
  out.requirements.cpu_millis = cpu_millis;
  out.priority = priority;
  out.preemptible = false;
  return out;
}

TEST(Forecast, OneAfterTheOther) {
  World world({ready("a")});
  teach(world, "a", "long", seconds(100));
  teach(world, "a", "short", seconds(10));
  world.run("r", wanting("long", 4000));
  world.now += seconds(30);
  for (const char* id : {"j1", "j2", "j3"}) world.run(id, wanting("short", 4000));
  world.run("first", wanting("long", 4000, 9));
  world.run("small", wanting("short", 1000, 1));
  const auto seen = forecast_of(world);
  const auto after = [&](const char* id) { return start_of(world, id, seen)->at.value() - world.now; };
  EXPECT_EQ(after("first"), seconds(70));
  EXPECT_EQ(after("j1"), seconds(170));
  EXPECT_EQ(after("j2"), seconds(180));
  EXPECT_EQ(after("j3"), seconds(190));
  EXPECT_EQ(after("small"), seconds(200));
  EXPECT_EQ(start_of(world, "first", seen)->position, 1U);
  EXPECT_EQ(start_of(world, "j1", seen)->position, 2U);
  EXPECT_EQ(start_of(world, "small", seen)->position, 5U);
}

// What runs for an unknown time gives nothing back; who can do without has an estimate all the same.
TEST(Forecast, WhatIsNotKnownIsNotGuessed) {
  World world({ready("a"), ready("b", {{"zone", "x"}})});
  teach(world, "a", "known", seconds(10));
  world.run("u", [] {
    auto out = wanting("unknown", 4000);
    out.requirements.labels = {{"zone", "x"}};
    return out;
  }());
  world.run("k", wanting("known", 4000));
  auto there = wanting("known", 4000);
  there.requirements.labels = {{"zone", "x"}};
  world.run("there", there);
  world.run("any", wanting("known", 4000));
  const auto seen = forecast_of(world);
  EXPECT_EQ(start_of(world, "there", seen)->at, std::nullopt);
  EXPECT_EQ(start_of(world, "any", seen)->at, world.now + seconds(10));
}

// In a world in which all takes as long as before and nothing new comes, everything begins when it was said.
TEST(ForecastProperty, ComesTrueWhereNothingUnexpectedHappens) {
  std::size_t foretold = 0;
  for (unsigned seed = 1; seed <= 200; ++seed) {
    std::mt19937 random(seed);
    const auto draw = [&](unsigned below) { return static_cast<int>(random() % below); };
    std::vector<Device> devices;
    for (int i = 0; i < 1 + draw(4); ++i) devices.push_back(ready("d" + std::to_string(i), {}, 2000 + 1000 * draw(3)));
    World world(devices, {.age_every = seconds(1'000'000'000)});
    std::map<std::string, Duration> takes;
    std::vector<DurationRecord> rows;
    for (int i = 0; i < 40; ++i) takes["p" + std::to_string(i)] = milliseconds(1000 + draw(1'000'000));
    Durations known;
    for (const auto& [program, time] : takes) known.add(record(command(program)), time);
    std::map<AttemptKey, Time> ends;
    std::map<std::string, Time> began;
    const auto follow = [&] {
      for (const auto& one : world.allow_all()) {
        const auto& key = std::get<Assign>(one.command).key;
        began[key.job.value] = world.now;
        ends[key] = world.now + takes.at(std::get<Assign>(one.command).command.at(0));
      }
    };
    for (int i = 0; i < 40; ++i) {
      world.submit("j" + std::to_string(i), wanting("p" + std::to_string(i), 500 * (1 + draw(4)), draw(10)));
      follow();
    }
    const auto seen = forecast(world.core.snapshot(), known, world.now);
    std::map<std::string, Time> told;
    for (int i = 0; i < 40; ++i) {
      const auto id = "j" + std::to_string(i);
      if (!world.execution(id).is<Queued>()) continue;
      const auto start = start_of(world, id, seen);
      ASSERT_TRUE(start && start->at) << "seed " << seed << ": " << id;
      told[id] = *start->at;
    }
    while (!ends.empty()) {
      const auto next =
          std::min_element(ends.begin(), ends.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
      const auto key = next->first;
      world.now = next->second;
      ends.erase(next);
      world.report(world.attempt(key.job.value).device.value, key, AttemptState::succeeded);
      follow();
    }
    for (const auto& [id, at] : told) ASSERT_EQ(began.at(id), at) << "seed " << seed << ": " << id;
    foretold += told.size();
  }
  EXPECT_GT(foretold, 2000U);
}

// Those behind the bound are as far behind as their lane moves.
TEST(Forecast, BehindTheBoundItGoesOnAtTheSamePace) {
  World world({ready("a")}, {.questions_open_max = 10});
  teach(world, "a", "p", seconds(10));
  world.run("r", wanting("p", 4000));
  const auto many = forecast_waiters_max + 500;
  for (std::size_t i = 0; i < many; ++i)
    world.core.step(World::submission("j" + std::to_string(i), wanting("p", 4000)), world.now, world.said);
  world.step(BatchEnded{});
  // One question decides for each job; until then it stands in a lane of its own.
  for (auto open = world.said.questions; !open.empty(); open = world.said.questions) {
    world.said = {};
    for (const auto& one : open) world.core.step(World::allow(one), world.now, world.said);
    world.core.step(BatchEnded{}, world.now, world.said);
  }
  const auto seen = forecast_of(world);
  const auto last = start_of(world, "j" + std::to_string(many - 1), seen);
  ASSERT_TRUE(last && last->at);
  EXPECT_EQ(last->position, many);
  EXPECT_EQ(*last->at - world.now, seconds(10) * static_cast<int>(many));
}

// --- why ----------------------------------------------------------------------------------------------------------

std::optional<Waits> waits(const World& world, const std::string& job) {
  Reasons known;
  return waits_of(world.job(job), world.core.snapshot(), forecast_of(world), world.core.durations(), known, world.now);
}

TEST(Why, EachReason) {
  struct Case {
    const char* word;
    std::function<void(Device&)> change;
    const char* text;
  };
  const JobSpec spec{.command = {"p"},
                     .requirements = {.cpu_millis = 4000, .labels = {{"zone", "x"}}, .latency_ms_max = 50}};
  const Case cases[] = {
      {"no_suitable_device", [](Device& d) { d.labels.clear(); },
       "2 devices known, and none is suitable; nearest: a: labels/zone has no such label, wanted x"},
      {"no_suitable_device", [](Device& d) { d.about.capacity.cpu_millis = 3000; }, "wanted 4000"},
      {"no_device_ready", [](Device& d) { d.presence = Presence::suspect; }, "nearest: a: presence is suspect"},
      {"no_device_ready", [](Device& d) { d.lifecycle = Lifecycle::draining; }, "nearest: a: lifecycle is draining"},
      {"no_healthy_device", [](Device& d) { d.health = 0.1; }, "requirements/health_min"},
      {"no_good_link", [](Device& d) { d.link.round_trip_ms = 80; }, "requirements/latency_ms_max"},
  };
  for (const auto& c : cases) {
    auto device = ready("a", {{"zone", "x"}});
    device.link.round_trip_ms = 1;
    auto large = ready("z");  // so that no job is refused because nobody has so much
    large.lifecycle = Lifecycle::retired;
    c.change(device);
    World world({device, large});
    world.run("j", spec);
    const auto told = waits(world, "j");
    ASSERT_TRUE(told) << c.word;
    EXPECT_EQ(told->reason.word, c.word) << told->reason.text;
    EXPECT_NE(told->reason.text.find(c.text), std::string::npos) << told->reason.text;
    EXPECT_FALSE(told->until_start) << c.word;
  }
  World world;
  world.run("j", command("p"));
  EXPECT_EQ(waits(world, "j")->reason.word, "no_device");
}

// The few that could run it are found among many that could not.
TEST(Why, AFewFullDevicesInALargeFleetAreNoRoom) {
  std::vector<Device> devices;
  for (int i = 0; i < 5000; ++i) devices.push_back(ready("d" + std::to_string(i)));
  devices[4321].labels["gpu"] = "yes";
  World world(devices);
  auto spec = wanting("p", 4000);
  spec.requirements.labels = {{"gpu", "yes"}};
  world.run("r", spec);
  world.run("j", spec);
  EXPECT_EQ(waits(world, "j")->reason.word, "no_room");
  auto away = devices[4321];
  away.presence = Presence::lost;
  world.step(DeviceSeen{away});
  EXPECT_EQ(waits(world, "j")->reason.word, "no_device_ready");
}

TEST(Why, DeadlinesAndTimes) {
  World world({ready("a")});
  teach(world, "a", "p", seconds(100));
  world.run("r", wanting("p", 4000));
  auto spec = wanting("p", 4000);
  spec.deadline_s = 250;
  world.run("good", spec);
  spec.deadline_s = 199;
  world.run("late", spec);
  EXPECT_EQ(waits(world, "good")->meets_deadline, true);
  EXPECT_EQ(waits(world, "late")->meets_deadline, false);
  EXPECT_EQ(waits(world, "good")->until_start, seconds(100));
  EXPECT_FALSE(waits(world, "r")) << "it runs";
  auto later = command("p");
  later.start_at_ms = to_ms(world.now + seconds(500));
  world.run("later", later);
  EXPECT_EQ(waits(world, "later")->reason.word, "later");
  EXPECT_EQ(waits(world, "later")->until_start, seconds(500));
}

// --- tried out ----------------------------------------------------------------------------------------------------

Trial tried(const World& world, const JobSpec& spec) {
  return try_out(*world.core.job_if(World::submission("t", spec), world.now), world.core.snapshot(),
                 world.core.durations(), world.now);
}

JobSpec preemptible(const char* program, std::int64_t cpu_millis) {
  auto out = wanting(program, cpu_millis);
  out.priority = 1;
  out.preemptible = true;
  return out;
}
JobSpec urgent(const char* program, std::int64_t cpu_millis) {
  auto out = wanting(program, cpu_millis);
  out.priority = 8;
  return out;
}
// One device, which two jobs fill.
World half_and_half(const JobSpec& each) {
  World world({ready("a")});
  world.run("one", each);
  world.run("two", each);
  return world;
}

// What the plan does then: first what is tried out, then the same in earnest.
TEST(Try, KnowsPreemption) {
  World world({ready("a")});
  teach(world, "a", "q", seconds(4));
  auto low = preemptible("p", 4000);
  world.run("low", low);
  auto high = urgent("q", 4000);
  high.deadline_s = 60;
  const auto trial = tried(world, high);
  EXPECT_EQ(trial.placed, 0U);
  ASSERT_TRUE(trial.waits);
  EXPECT_EQ(trial.waits->reason.word, "preempting");
  EXPECT_EQ(trial.waits->until_start, ends_within);
  for (const auto& [deadline, meets] : {std::pair<int, std::optional<bool>>{3, false}, {6, std::nullopt}, {14, true}}) {
    high.deadline_s = deadline;
    EXPECT_EQ(tried(world, high).waits->meets_deadline, meets)
        << "the victim may end at once, or in 10 s: " << deadline;
  }
  EXPECT_EQ(world.attempt("low").preempted_by, JobId());
  high.deadline_s = 60;
  world.run("high", high);
  EXPECT_EQ(world.attempt("low").preempted_by, JobId("high"));
  EXPECT_EQ(waits(world, "high")->reason.text, trial.waits->reason.text);
  EXPECT_EQ(waits(world, "high")->until_start, ends_within);
  low.preemptible = false;
  World other({ready("a")});
  other.run("low", low);
  EXPECT_EQ(tried(other, high).waits->reason.word, "no_room");
}

// The room of a cancelled program is about to be free: nobody else is ended for that, and it is waited for.
TEST(Why, WhatIsCancelledIsAboutToGiveItsRoom) {
  const auto low = preemptible("p", 2000);
  auto world = half_and_half(low);
  const auto one = world.attempt("one").key;
  world.step(CancelRequested{1, JobId("one")});
  world.run("high", urgent("q", 2000));
  EXPECT_EQ(world.attempt("two").preempted_by, JobId());
  EXPECT_EQ(waits(world, "high")->reason.word, "preempting");
  world.run("next", low);
  EXPECT_EQ(waits(world, "next")->reason.word, "no_room");
  world.report("a", one, AttemptState::cancelled);
  world.allow_all();
  EXPECT_EQ(world.attempt("high").device, dev("a"));
  EXPECT_EQ(world.attempt("two").preempted_by, JobId());
  World other({ready("a")});
  other.run("one", wanting("p", 4000));
  other.step(CancelRequested{1, JobId("one")});
  other.run("next", wanting("p", 4000));
  EXPECT_EQ(waits(other, "next")->until_start, room_kept);
}

// A device that gives room is no help to work that is bound to another one.
TEST(Why, WorkThatIsBoundToADeviceWaitsForThatOne) {
  World world({ready("a"), ready("b")});
  teach(world, "a", "p", seconds(100));
  teach(world, "a", "q", seconds(1));
  auto on = [](const char* device, JobSpec spec) {
    spec.targets = Targets{.devices = {dev(device)}};
    spec.deadline_s = 50;
    return spec;
  };
  world.run("long", on("a", wanting("p", 4000)));
  world.run("short", on("b", wanting("q", 4000)));
  ASSERT_EQ(world.attempt("short").device, dev("b"));
  const auto bound = on("a", wanting("p", 4000));
  EXPECT_EQ(tried(world, bound).waits->until_start, seconds(100));
  EXPECT_EQ(tried(world, bound).waits->meets_deadline, false);
  world.run("bound", bound);
  EXPECT_EQ(waits(world, "bound")->until_start, seconds(100));
  EXPECT_EQ(waits(world, "bound")->meets_deadline, false);
}

// Who was told to end for another is cancelled: nobody else is ended for that one.
TEST(Why, AVictimThatIsCancelledStillMakesRoom) {
  const auto low = preemptible("p", 2000);
  auto world = half_and_half(low);
  world.run("high", urgent("q", 2000));
  const auto* victim = world.attempt("one").preempted_by.empty() ? "two" : "one";
  const auto* other = victim == std::string("one") ? "two" : "one";
  world.step(CancelRequested{1, JobId(victim)});
  world.pass(seconds(2));
  EXPECT_EQ(world.attempt(other).preempted_by, JobId());
  EXPECT_EQ(waits(world, "high")->reason.word, "preempting");
}

// One of each zone first, as the plan does it.
TEST(Try, KnowsSpreading) {
  auto first = ready("a"), second = ready("b"), third = ready("c");
  first.labels = second.labels = {{"zone", "east"}};
  third.labels = {{"zone", "west"}};
  third.health = 0.4;  // the worst of them
  World world({first, second, third});
  auto spec = wanting("p", 1000);
  spec.replicas = 2;
  spec.placement.spread_by = "zone";
  auto devices = tried(world, spec).devices;
  ASSERT_EQ(devices.size(), 2U);
  EXPECT_TRUE(devices[0] == DeviceId("c") || devices[1] == DeviceId("c"));
}

TEST(Try, SaysWhereItWouldRunAndWhatTheOthersWaitFor) {
  World world({ready("a"), ready("b")});
  teach(world, "a", "p", seconds(10));
  world.run("r", wanting("p", 4000));
  auto spec = wanting("p", 4000);
  spec.replicas = 2;
  const auto trial = tried(world, spec);
  EXPECT_EQ(trial.placed, 1U);
  EXPECT_EQ(trial.width, 2U);
  ASSERT_EQ(trial.devices.size(), 1U);
  EXPECT_NE(trial.devices[0], world.attempt("r").device);
  ASSERT_TRUE(trial.waits);
  EXPECT_EQ(trial.waits->until_start, seconds(10));
  EXPECT_EQ(trial.waits->position, 1U);
  spec.replicas = 1;
  EXPECT_FALSE(tried(world, spec).waits);
  world.run("s", wanting("p", 4000));
  world.run("w", wanting("p", 4000));
  spec.deadline_s = 15;
  const auto late = tried(world, spec);
  EXPECT_EQ(late.placed, 0U);
  EXPECT_EQ(late.waits->position, 2U) << "behind w";
  EXPECT_EQ(late.waits->meets_deadline, false);
  EXPECT_EQ(late.waits->reason.word, "no_room");
  EXPECT_EQ(world.core.find(JobId("t")), nullptr);
  const auto refused = world.core.job_if(World::submission("t", wanting("p", 9000)), world.now);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().path, "/requirements/cpu_millis");
}

}  // namespace
}  // namespace fieldwork::scheduler
