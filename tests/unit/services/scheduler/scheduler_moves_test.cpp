// links: scheduler_core GTest::gtest_main
// Work that has not begun leaves a device that falls below what the job requires.
#include <gtest/gtest.h>

#include <set>

#include "support/scheduler_world.hpp"

namespace fieldwork::scheduler {
namespace {

Device sick(const std::string& id, double health = 0.2) {
  auto out = ready(id);
  out.health = health;
  return out;
}

// `job` is on `a`, which is better than `b`.
World placed(JobSpec spec = {}, const std::string& job = "job") {
  World world({ready("a"), sick("b", 0.9)});
  world.run(job, std::move(spec));
  EXPECT_EQ(world.attempt(job).device, dev("a"));
  return world;
}

TEST(Moves, WhatHasNotBegunLeavesASickDevice) {
  auto world = placed();
  const auto first = world.attempt("job").key;
  world.report("a", first, AttemptState::fetching);
  world.step(DeviceSeen{sick("a")});
  ASSERT_EQ(world.commands<Cancel>().size(), 1U);
  EXPECT_EQ(world.commands<Cancel>()[0].device, dev("a"));
  EXPECT_EQ(world.state("job"), JobState::assigned) << "until the device says that it ended";
  world.step(DeviceSeen{sick("a", 0.1)});
  EXPECT_TRUE(world.commands<Cancel>().empty()) << "it was told";
  world.report("a", first, AttemptState::cancelled);
  EXPECT_TRUE(world.closes(cancel_key(first)));
  EXPECT_EQ(world.execution("job").reason, "left its device: requirements/health_min is 0.2, wanted at least 0.3");
  world.allow_all();
  EXPECT_EQ(world.attempt("job").device, dev("b"));
  EXPECT_EQ(world.execution("job").failures + world.execution("job").losses, 0);
  EXPECT_FALSE(world.execution("job").avoid.contains(dev("a")));
}

TEST(Moves, TheMoveIsTold) {
  auto world = placed();
  const auto first = world.attempt("job").key;
  world.step(DeviceSeen{sick("a")});
  world.report("a", first, AttemptState::cancelled);
  world.step(World::allow(world.question()));
  ASSERT_EQ(world.said.moved.size(), 1U);
  EXPECT_EQ(world.said.moved[0].what, Moved::What::moved);
  EXPECT_EQ(world.said.moved[0].from, dev("a"));
  EXPECT_EQ(world.said.moved[0].to, dev("b"));
}

TEST(Moves, WhatStays) {
  struct Case {
    const char* name;
    JobSpec spec{};
    AttemptState reported = AttemptState::fetching;
    double health = 0.2;
  };
  for (const auto& one : {
           Case{"healthy enough", {}, AttemptState::fetching, 0.31},
           Case{"it runs", {}, AttemptState::running},
           Case{"at most once", {.at_most_once = true}},
           Case{"not to be preempted", {.preemptible = false}},
           Case{"asks for less", {.requirements = {.health_min = 0.1}}},
           Case{"bound to its device", {.targets = Targets{.devices = {dev("a")}}}},
       }) {
    auto world = placed(one.spec);
    world.report("a", world.attempt("job").key, one.reported);
    world.step(DeviceSeen{sick("a", one.health)});
    EXPECT_TRUE(world.commands<Cancel>().empty()) << one.name;
  }
}

TEST(Moves, OnlyWhereAnotherDeviceFits) {
  auto world = placed();
  world.step(DeviceSeen{sick("b")});
  world.step(DeviceSeen{sick("a")});
  EXPECT_TRUE(world.commands<Cancel>().empty());
  world.step(DeviceSeen{sick("b", 0.5)});
  const auto key = world.attempt("job").key;
  world.live_through(seconds(59), {{"a", {key}}});
  EXPECT_TRUE(world.attempt("job").moves.empty());
  world.live_through(seconds(1), {{"a", {key}}});
  EXPECT_FALSE(world.attempt("job").moves.empty()) << "it is looked at again each minute";
}

// Of many on a device that cannot move, each is looked at in its turn.
TEST(Moves, OfManyEachHasItsTurn) {
  World world({ready("a"), sick("b", 0.9)});
  std::vector<AttemptKey> keys;
  for (int i = 0; i < 40; ++i) {
    const auto job = "j" + std::to_string(100 + i);
    world.run(job);
    keys.push_back(world.attempt(job).key);
    ASSERT_EQ(world.attempt(job).device, dev("a"));
  }
  const auto told = [&] {
    return std::count_if(keys.begin(), keys.end(),
                         [&](const auto& key) { return !world.attempt(key.job.value).moves.empty(); });
  };
  world.step(DeviceSeen{sick("b", 0.1)});
  world.step(DeviceSeen{sick("a")});
  world.step(DeviceSeen{sick("b", 0.9)});
  EXPECT_EQ(told(), 0);
  for (const auto some : {16, 32, 40}) {
    world.live_through(seconds(60), {{"a", keys}});
    EXPECT_EQ(told(), some);
  }
}

// After a restart an attempt may run that this memory takes for waiting.
TEST(Moves, NotBeforeItsDeviceWasHeard) {
  auto world = placed();
  const auto first = world.attempt("job").key;
  world.report("a", first, AttemptState::fetching);
  world.now += seconds(1);
  world.restart({ready("b")});
  world.step(DeviceSeen{sick("a")});
  EXPECT_TRUE(world.commands<Cancel>().empty());
  world.now += seconds(1);
  world.heartbeat("a", {first});
  world.pass(seconds(59));
  EXPECT_EQ(world.commands<Cancel>().size(), 1U);
}

// A link that falls below what the job requires counts as health does.
TEST(Moves, ForAnythingMeasuredThatTheJobRequires) {
  const auto at = [](const std::string& id, double latency_ms) {
    auto out = ready(id);
    out.link.round_trip_ms = latency_ms;
    return out;
  };
  World world({at("a", 5), at("b", 9)});
  world.run("job", {.requirements = {.latency_ms_max = 10}});
  ASSERT_EQ(world.attempt("job").device, dev("a"));
  world.step(DeviceSeen{at("a", 12)});
  ASSERT_EQ(world.commands<Cancel>().size(), 1U);
  EXPECT_EQ(world.attempt("job").moves,
            "requirements/latency_ms_max the round trip is 12 ms, wanted at most 10 ms: 2 ms above");
}

TEST(Moves, AJobMovesOnceAMinute) {
  auto world = placed({.replicas = 2});
  const auto at = [&](const std::string& device) { return world.attempt("job", 0).device == dev(device) ? 0U : 1U; };
  world.step(DeviceSeen{ready("c")});
  world.step(DeviceSeen{ready("d")});
  world.step(DeviceSeen{sick("a")});
  ASSERT_EQ(world.commands<Cancel>().size(), 1U);
  world.report("a", world.attempt("job", at("a")).key, AttemptState::cancelled);
  world.allow_all();
  world.step(DeviceSeen{sick("b")});
  EXPECT_TRUE(world.commands<Cancel>().empty()) << "its other execution, at once";
  world.live_through(seconds(59), {{"b", {world.attempt("job", at("b")).key}}});
  EXPECT_TRUE(world.attempt("job", at("b")).moves.empty());
  world.live_through(seconds(1), {{"b", {world.attempt("job", at("b")).key}}});
  EXPECT_FALSE(world.attempt("job", at("b")).moves.empty());
}

TEST(Moves, ARestartForgetsNoMove) {
  auto world = placed();
  const auto first = world.attempt("job").key;
  world.report("a", first, AttemptState::fetching);
  world.step(DeviceSeen{sick("a")});
  world.restart({sick("a"), ready("b")});
  EXPECT_TRUE(world.core.open_commands().empty()) << "the assignment is not repeated";
  world.report("a", first, AttemptState::cancelled);
  world.allow_all();
  EXPECT_EQ(world.attempt("job").device, dev("b"));
  EXPECT_EQ(world.execution("job").failures, 0);
}

// It began, and ended, before it heard that it should.
TEST(Moves, WhatEndedBeforeItHeardCounts) {
  auto world = placed();
  const auto first = world.attempt("job").key;
  world.step(DeviceSeen{sick("a")});
  world.report("a", first, AttemptState::running);
  world.report("a", first, AttemptState::succeeded);
  EXPECT_EQ(world.state("job"), JobState::succeeded);
  EXPECT_TRUE(world.closes(cancel_key(first)));
}

TEST(Moves, ASilentDeviceLosesItByItsContract) {
  auto world = placed({.offline = {.lost_after_s = 10}});
  world.report("a", world.attempt("job").key, AttemptState::fetching);
  world.step(DeviceSeen{sick("a")});
  world.step(DeviceSeen{in_presence(sick("a"), Presence::suspect)});
  world.pass(seconds(20));
  world.pass(seconds(2));
  world.allow_all();
  EXPECT_EQ(world.attempt("job").device, dev("b"));
  EXPECT_EQ(world.execution("job").losses, 1);
}

}  // namespace
}  // namespace fieldwork::scheduler
