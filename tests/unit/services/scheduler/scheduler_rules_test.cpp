// links: scheduler_core GTest::gtest_main
// What a job says beside its requirements: which of the devices that fit, which failures are tried again, and when it
// has succeeded.
#include <gtest/gtest.h>

#include <set>

#include "support/scheduler_world.hpp"

namespace fieldwork::scheduler {
namespace {

std::string site_of(const World& world, const std::string& job, std::size_t index) {
  const auto& labels = world.view(world.attempt(job, index).device.value).device.labels;
  const auto it = labels.find("site");
  return it == labels.end() ? "" : it->second;
}

// --- placement ----------------------------------------------------------------------------------------------------

TEST(Rules, ReplicasGoToDifferentSites) {
  World world({ready("a1", {{"site", "a"}}), ready("a2", {{"site", "a"}}), ready("a3", {{"site", "a"}}),
               ready("b1", {{"site", "b"}}), ready("c1", {{"site", "c"}}), ready("d1")});
  world.run("j", {.replicas = 3, .placement = {.spread_by = "site"}});
  std::multiset<std::string> sites;
  for (std::size_t i = 0; i < 3; ++i) sites.insert(site_of(world, "j", i));
  EXPECT_EQ(sites, (std::multiset<std::string>{"a", "b", "c"}));
  world.run("all", {.replicas = 6, .placement = {.spread_by = "site"}});
  sites.clear();
  for (std::size_t i = 0; i < 6; ++i) sites.insert(site_of(world, "all", i));
  EXPECT_EQ(sites, (std::multiset<std::string>{"", "a", "a", "a", "b", "c"})) << "what has no site comes last";
}

// Not back to where it failed while another device fits, wherever that is.
TEST(Rules, AnotherSiteComesBeforeTheDeviceWhereItFailed) {
  World world({ready("a1", {{"site", "a"}}), ready("b1", {{"site", "b"}})});
  world.run("j", {.placement = {.spread_by = "site"}, .retry = {.backoff_s = 0}});
  const auto first = world.attempt("j").device;
  world.report(first.value, world.attempt("j").key, AttemptState::failed);
  world.pass(seconds(0));
  world.allow_all();
  EXPECT_NE(world.attempt("j").device, first);
  world.report(world.attempt("j").device.value, world.attempt("j").key, AttemptState::failed);
  world.pass(seconds(0));
  world.allow_all();
  EXPECT_EQ(world.attempt("j").number, 3) << "where it failed, when nothing else is left";
}

// Whatever the weights are, and whoever fits better.
TEST(Rules, WhereItFailedIsTheLastChoice) {
  auto bad = ready("z");
  bad.health = 0.3;
  World world({ready("a"), bad}, {.weights = {.fit = 10, .health = 10, .affinity = 10}});
  world.run("j", {.placement = {.affinity = {{.expression = "health > 0.9"}}}, .retry = {.backoff_s = 0}});
  ASSERT_EQ(world.attempt("j").device, dev("a"));
  world.report("a", world.attempt("j").key, AttemptState::failed);
  world.pass(seconds(0));
  world.allow_all();
  EXPECT_EQ(world.attempt("j").device, dev("z"));
}

// Also what was placed before a restart counts.
TEST(Rules, SpreadGoesOnAfterARestart) {
  World world({ready("a1", {{"site", "a"}})});
  world.run("j", {.replicas = 2, .placement = {.spread_by = "site"}});
  world.restart();
  for (const auto& [id, site] : {std::pair("a1", "a"), std::pair("a2", "a"), std::pair("b1", "b")})
    world.core.step(DeviceSeen{ready(id, {{"site", site}})}, world.now, world.said);
  world.step(BatchEnded{});
  world.allow_all();
  EXPECT_EQ(site_of(world, "j", 0) + site_of(world, "j", 1), "ab");
}

// None of those that came at the same time has a right before the others: the device is filled as well as it can be.
TEST(Rules, InASmallFleetTheFullestOrderIsTaken) {
  for (const auto earlier : {Duration{}, Duration(milliseconds(1))}) {
    World world({ready("a")});
    const auto come = [&](const char* id, std::int64_t cpu_millis, int priority = 5) {
      world.core.step(World::submission(id, {.requirements = {.cpu_millis = cpu_millis}, .priority = priority}),
                      world.now, world.said);
    };
    world.said = {};
    come("large", 3000);
    world.now += earlier;
    for (const char* id : {"half1", "half2"}) come(id, 2000);
    world.core.step(BatchEnded{}, world.now, world.said);
    world.rows.keep(world.said);
    world.allow_all();
    const bool same = earlier == Duration{};
    EXPECT_EQ(world.execution("large").state == ExecutionState::queued, same);
    EXPECT_EQ(world.view("a").used.cpu_millis, same ? 4000 : 3000);
  }
  // Not against a higher priority.
  World world({ready("a")});
  world.said = {};
  const auto come = [&](const char* id, std::int64_t cpu_millis, int priority) {
    world.core.step(World::submission(id, {.requirements = {.cpu_millis = cpu_millis}, .priority = priority}),
                    world.now, world.said);
  };
  come("first", 3000, 6);
  for (const char* id : {"half1", "half2"}) come(id, 2000, 5);
  world.core.step(BatchEnded{}, world.now, world.said);
  world.rows.keep(world.said);
  world.allow_all();
  EXPECT_EQ(world.execution("first").state, ExecutionState::assigned);
}

// Jobs that stay apart from each other do so within one batch, too; who finds no device waits until one is free.
TEST(Rules, ApartMeansNeverTogether) {
  World world({ready("a"), ready("b")});
  const JobSpec camera{.name = "camera", .placement = {.apart_from = {"camera"}}};
  world.said = {};
  for (const char* id : {"j1", "j2", "j3"}) world.core.step(World::submission(id, camera), world.now, world.said);
  world.core.step(BatchEnded{}, world.now, world.said);
  world.rows.keep(world.said);
  world.allow_all();
  EXPECT_EQ((std::set{world.attempt("j1").device, world.attempt("j2").device}), (std::set{dev("a"), dev("b")}));
  EXPECT_EQ(world.execution("j3").state, ExecutionState::queued);
  const auto freed = world.attempt("j1").device;
  world.report(freed.value, world.attempt("j1").key, AttemptState::succeeded);
  world.allow_all();
  EXPECT_EQ(world.attempt("j3").device, freed);
}

std::vector<Device> many(std::size_t count) {
  std::vector<Device> out;
  for (std::size_t i = 0; i < count; ++i) out.push_back(ready("d" + std::to_string(i)));
  return out;
}

// In a fleet of which only a part is looked at, work that is to be spread finds one of the emptiest devices.
TEST(Rules, SpreadInALargeFleet) {
  World world(many(2000));
  world.run("load", {.requirements = {.cpu_millis = 1000}, .replicas = 1000, .placement = {.spread = true}});
  for (int i = 0; i < 20; ++i) {
    const auto id = "j" + std::to_string(i);
    world.run(id, {.requirements = {.cpu_millis = 1000}, .placement = {.spread = true}});
    EXPECT_EQ(world.view(world.attempt(id).device.value).used.attempts, 1) << id << " is not alone there";
  }
}

TEST(Rules, AnAffinityThatFewMeetIsFoundInALargeFleet) {
  auto devices = many(2000);
  devices[1234].labels["gpu"] = "yes";
  World world(devices);
  world.run("j", {.placement = {.affinity = {{.expression = "label.gpu == yes"}}}});
  EXPECT_EQ(world.attempt("j").device, dev("d1234"));
  world.run("near", {.name = "camera", .requirements = {.labels = {{"gpu", "yes"}}}});
  world.run("k", {.placement = {.affinity = {{.job = "camera"}}}});
  EXPECT_EQ(world.attempt("k").device, dev("d1234"));
}

// The order in which a large fleet is looked through is that of the configured weights.
TEST(Rules, ConfiguredWeightsFindTheDevice) {
  auto devices = many(2000);
  for (auto& one : devices) one.health = 0.9;
  for (std::size_t i = 0; i < 1500; ++i) devices[i].link.round_trip_ms = 1;
  devices[1700].health = 1.0;
  devices[1700].link.round_trip_ms = 5000;
  World world(devices, {.weights = {.fit = 0, .health = 1, .link = 0, .locality = 0, .spread = 0}});
  world.run("j");
  EXPECT_EQ(world.attempt("j").device, dev("d1700"));
}

// --- retry --------------------------------------------------------------------------------------------------------

TEST(Retry, OnlyTheFailuresThatAreNamed) {
  struct Case {
    std::vector<std::string> on;
    AttemptState state;
    std::optional<RunResult> result;
    bool again;
  };
  const RunResult exit_75{.exit_code = 75}, exit_1{.exit_code = 1}, killed{.exit_code = -1, .signal = 9};
  const Case cases[] = {
      {{}, AttemptState::failed, exit_1, true},
      {{"exit"}, AttemptState::failed, exit_1, true},
      {{"exit:75"}, AttemptState::failed, exit_75, true},
      {{"exit:75"}, AttemptState::failed, exit_1, false},
      {{"exit"}, AttemptState::failed, killed, false},
      {{"signal"}, AttemptState::failed, killed, true},
      {{"signal"}, AttemptState::timed_out, killed, false},
      {{"timed_out"}, AttemptState::timed_out, killed, true},
      {{"timed_out"}, AttemptState::failed, killed, false},
      {{"other"}, AttemptState::failed, RunResult{}, true},
      {{"other"}, AttemptState::failed, std::nullopt, true},
      {{"exit", "signal", "timed_out"}, AttemptState::failed, std::nullopt, false},
  };
  for (std::size_t i = 0; i < std::size(cases); ++i) {
    const auto& c = cases[i];
    World world({ready("a")});
    world.run("j", {.retry = {.attempts_max = 3, .on = c.on}});
    world.report("a", {.key = key("j"), .state = c.state, .reason = "why", .result = c.result});
    EXPECT_EQ(world.state("j"), c.again ? JobState::queued : JobState::failed) << "case " << i;
    EXPECT_EQ(world.job("j").reason, c.again ? "" : "why; retry/on does not name this failure") << "case " << i;
  }
}

// A run that its limit ended is told apart from one that failed by itself.
TEST(Retry, TheLimitOfTimeHasAStateOfItsOwn) {
  World world({ready("a")});
  world.run("j", {.limits = {.time_s = 10}, .retry = {.attempts_max = 1}});
  world.report("a", key("j"), AttemptState::timed_out, "time limit of 10 s");
  EXPECT_EQ(world.state("j"), JobState::failed);
  ASSERT_EQ(world.said.execution_states.size(), 1U);
  EXPECT_EQ(world.said.execution_states[0].execution.state, ExecutionState::timed_out);
  EXPECT_EQ(world.job("j").reason, "time limit of 10 s");
}

// Executions that failed at one time come back at different times, and none before its backoff is over.
TEST(Retry, ChanceSpreadsWhatFailedTogether) {
  World world({ready("a")}, {.backoff_spread = 0.4});
  std::set<Time> due;
  for (int i = 0; i < 20; ++i) {
    const auto id = "k" + std::to_string(i);
    world.run(id, {.retry = {.backoff_s = 100}});
    world.report("a", world.attempt(id).key, AttemptState::failed);
    const auto until = std::get<Waiting>(world.execution(id).phase).until;
    EXPECT_GE(until, world.now + seconds(100));
    EXPECT_LT(until, world.now + seconds(140));
    due.insert(until);
  }
  EXPECT_GT(due.size(), 15U);
}

// --- success ------------------------------------------------------------------------------------------------------

struct Ends {
  Success success;
  std::string ends;  // of the executions, in this order: s succeeds, f fails
  JobState state;
  std::string reason{};
};

TEST(Success, EachRule) {
  const Ends cases[] = {
      {{}, "sss", JobState::succeeded},
      {{}, "ssf", JobState::failed, "why"},
      {{.percent = 60}, "sfssf", JobState::succeeded},
      {{.percent = 60}, "sffsf", JobState::failed, "2 of 5 succeeded, 3 must; the newest reason: d4: why"},
      {{.percent = 1}, "ffffs", JobState::succeeded},
      {{.percent = 100}, "sf", JobState::failed, "1 of 2 succeeded, 2 must; the newest reason: d1: why"},
      {{.any = true}, "fs", JobState::succeeded},
      {{.any = true}, "ff", JobState::failed, "0 of 2 succeeded, 1 must; the newest reason: d1: why"},
  };
  for (const auto& c : cases) {
    for (const bool restarted : {false, true}) {
      std::vector<Device> devices;
      for (std::size_t i = 0; i < c.ends.size(); ++i) devices.push_back(ready("d" + std::to_string(i)));
      World world(devices);
      world.run("j", {.replicas = static_cast<int>(c.ends.size()), .success = c.success, .retry = {.attempts_max = 1}});
      for (std::size_t i = 0; i < c.ends.size(); ++i) {
        EXPECT_FALSE(settled(world.state("j"))) << c.ends << " is over before " << i;
        if (restarted && i + 1 == c.ends.size()) world.restart(devices);
        const auto& attempt = world.attempt("j", i);
        world.report(attempt.device.value, attempt.key,
                     c.ends[i] == 's' ? AttemptState::succeeded : AttemptState::failed, "why");
      }
      EXPECT_EQ(world.state("j"), c.state) << c.ends << (restarted ? ", restarted" : "");
      EXPECT_TRUE(world.job("j").reason.ends_with(c.reason)) << c.ends << ": " << world.job("j").reason;
      EXPECT_EQ(world.job("j").reason.empty(), c.reason.empty()) << c.ends << ": " << world.job("j").reason;
    }
  }
}

// With `any` the first success ends the others: their devices are told, and their ends are waited for.
TEST(Success, AnyEndsTheRest) {
  World world({ready("a"), ready("b"), ready("c")});
  world.run("j", {.replicas = 3, .success = {.any = true}});
  const auto first = world.attempt("j", 0), second = world.attempt("j", 1), third = world.attempt("j", 2);
  world.report(second.device.value, second.key, AttemptState::running);
  world.report(first.device.value, first.key, AttemptState::succeeded);
  EXPECT_EQ(world.state("j"), JobState::succeeded);
  EXPECT_EQ(world.job("j").reason, "");
  std::set<DeviceId> told;
  for (const auto& command : world.commands<Cancel>()) told.insert(command.device);
  EXPECT_EQ(told, (std::set{second.device, third.device}));
  EXPECT_EQ(world.rows.attempts().at(second.key).reason, "another execution succeeded");
  world.report(second.device.value, second.key, AttemptState::cancelled);
  EXPECT_TRUE(world.closes("cancel:j:1:" + std::to_string(second.key.fence)));
  world.report(third.device.value, third.key, AttemptState::cancelled);
  for (const char* id : {"a", "b", "c"}) EXPECT_EQ(world.view(id).used.attempts, 0) << id;
}

}  // namespace
}  // namespace fieldwork::scheduler
