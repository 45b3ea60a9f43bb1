// links: scheduler_core GTest::gtest_main
// What a job does not say that it needs is taken from what such work used.
#include <gtest/gtest.h>

#include "scheduler/core/follow/durations.hpp"
#include "scheduler/limits.hpp"
#include "support/scheduler_world.hpp"

namespace fieldwork::scheduler {
namespace {

constexpr DurationKeys keys{1, 2, 3};

Demand used(std::int64_t cpu_millis, std::int64_t memory_bytes) { return {cpu_millis, memory_bytes}; }

TEST(Demand, NineTenthsOfTheAttemptsUsedNoMore) {
  Durations some;
  EXPECT_FALSE(some.demand(keys));
  for (int i = 1; i <= 10; ++i) some.add(keys, seconds(2), used(50 * i, 1000 * i));
  const auto got = some.demand(keys);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->cpu_millis, 518) << "450, and 15 % more";
  EXPECT_EQ(got->memory_bytes, 10350);
}

TEST(Demand, ThreeAttemptsThatSaidIt) {
  Durations some;
  some.add(keys, seconds(1), used(100, 1000));
  some.add(keys, seconds(1), used(100, 1000));
  some.add(keys, seconds(1));
  EXPECT_FALSE(some.demand(keys)) << "one did not say it";
  some.add(keys, seconds(1), used(100, 1000));
  EXPECT_TRUE(some.demand(keys));
}

TEST(Demand, OfTheCommandElseOfTheTemplateNeverOfTheProgram) {
  Durations some;
  for (int i = 0; i < 3; ++i) some.add({7, 2, 3}, seconds(1), used(100, 1000));
  EXPECT_TRUE(some.demand({1, 2, 3})) << "the template";
  EXPECT_FALSE(some.demand({1, 0, 3})) << "the program";
  EXPECT_FALSE(some.demand({1, 9, 3}));
}

TEST(Demand, OnlyTheNewestCount) {
  Durations some;
  for (std::size_t i = 0; i < durations_each_max; ++i) some.add(keys, seconds(1), used(1000, 1000));
  for (std::size_t i = 0; i < durations_each_max; ++i) some.add(keys, seconds(1), used(100, 100));
  EXPECT_EQ(some.demand(keys)->cpu_millis, 115);
  auto saved = some.changed(10);
  const Durations again(std::move(saved));
  EXPECT_EQ(again.demand(keys)->cpu_millis, 115) << "also after a restart";
}

// Runs the command three times, each of which uses a tenth of a core and 8 MiB. It is over after a second.
void run_thrice(World& world, const RunUse& use = {.cpu_ms = 100, .memory_peak_bytes = 8 * mib}) {
  for (int i = 0; i < 3; ++i) {
    const auto id = "first" + std::to_string(i);
    world.run(id, {.command = {"work"}});
    const auto attempt = world.attempt(id);
    world.report(attempt.device.value, attempt.key, AttemptState::running);
    world.now += seconds(1);
    RunResult result;
    result.use = use;
    world.report(attempt.device.value,
                 AttemptReport{.key = attempt.key, .state = AttemptState::succeeded, .result = result});
  }
}

TEST(Demand, TheNextJobSetsAsideWhatSuchWorkUsed) {
  World world({ready("a")});
  run_thrice(world);
  EXPECT_EQ(world.job("first0").estimated, Demand{});
  world.run("next", {.command = {"work"}});
  const auto& job = world.job("next");
  EXPECT_EQ(job.estimated, (Demand{128, 10 * mib})) << "115, and 9.2 MiB, in steps";
  EXPECT_EQ(job.spec->requirements.cpu_millis, 128);
  EXPECT_EQ(world.view("a").used.cpu_millis, 128);
  EXPECT_EQ(world.view("a").used.memory_bytes, 10 * mib);
  world.report("a", world.attempt("next").key, AttemptState::succeeded);
  EXPECT_EQ(world.view("a").used, Use{});
}

TEST(Demand, WhatTheJobSaysIsNotChanged) {
  World world({ready("a")});
  run_thrice(world);
  world.run("says", {.command = {"work"}, .requirements = {.cpu_millis = 10}});
  EXPECT_EQ(world.job("says").estimated, (Demand{0, 10 * mib}));
  EXPECT_EQ(world.job("says").spec->requirements.cpu_millis, 10);
  world.run("all", {.command = {"work"}, .requirements = {.cpu_millis = 10, .memory_bytes = 5}});
  EXPECT_EQ(world.job("all").estimated, Demand{});
  World off({ready("a")}, {.learn_demand = false});
  run_thrice(off);
  off.run("off", {.command = {"work"}});
  EXPECT_EQ(off.job("off").estimated, Demand{});
}

// The estimate comes from a large device; each that could run the job still can.
TEST(Demand, NoEstimateKeepsAJobFromADevice) {
  World world({ready("a")});
  run_thrice(world);
  world.step(DeviceSeen{ready("small", {{"size", "s"}}, 50)});
  world.run("any", {.command = {"work"}});
  EXPECT_EQ(world.job("any").estimated.cpu_millis, 50);
  world.run("labels", {.command = {"work"}, .requirements = {.labels = {{"size", "s"}}}});
  EXPECT_EQ(world.job("labels").estimated.cpu_millis, 50);
  world.run("where", {.command = {"work"}, .requirements = {.expression = "cpu.millis > 1000"}});
  EXPECT_EQ(world.job("where").estimated.cpu_millis, 128);
  world.run("targets", {.command = {"work"}, .targets = Targets{.devices = {dev("a"), dev("small")}}});
  EXPECT_EQ(world.job("targets").estimated.cpu_millis, 50);
  world.submit("none", {.command = {"work"}, .requirements = {.labels = {{"size", "unknown"}}}});
  EXPECT_EQ(world.job("none").estimated, Demand{});
}

// A device may say anything.
TEST(Demand, NobodyUsesMoreThanItsDeviceHas) {
  constexpr auto most = std::int64_t{1} << 53;
  World world({ready("a")});
  run_thrice(world, {.cpu_ms = most, .memory_peak_bytes = most});
  world.run("next", {.command = {"work"}});
  EXPECT_EQ(world.job("next").estimated, (Demand{4000, 1024 * mib}));
}

// What ended at once, by the clock here, tells nothing of its use.
TEST(Demand, NothingIsLearnedOfWhatTookNoTime) {
  World world({ready("a")});
  for (int i = 0; i < 3; ++i) {
    const auto id = "first" + std::to_string(i);
    world.run(id, {.command = {"work"}});
    RunResult result;
    result.use = RunUse{.cpu_ms = 1};
    const auto attempt = world.attempt(id);
    world.report("a", AttemptReport{.key = attempt.key, .state = AttemptState::succeeded, .result = result});
  }
  world.run("next", {.command = {"work"}});
  EXPECT_EQ(world.job("next").estimated, Demand{});
}

// On a device that is smaller than the estimate it takes the whole.
TEST(Demand, ASmallerDeviceThatComesLaterStillFits) {
  World world({ready("a")});
  run_thrice(world);
  world.run("large", {.command = {"other"}, .requirements = {.cpu_millis = 4000}});
  world.submit("next", {.command = {"work"}});
  world.allow_all();
  ASSERT_EQ(world.execution("next").state, ExecutionState::queued);
  world.step(DeviceSeen{ready("small", {}, 50)});
  world.allow_all();
  EXPECT_EQ(world.attempt("next").device, dev("small"));
  world.run("exact", {.command = {"else"}, .requirements = {.cpu_millis = 60}});
  EXPECT_EQ(world.execution("exact").state, ExecutionState::queued) << "what a job says itself is what it needs";
  world.report("small", world.attempt("next").key, AttemptState::succeeded);
  world.run("again", {.command = {"work"}});
  EXPECT_EQ(world.attempt("again").device, dev("small")) << "the room is back";
}

TEST(Demand, AnEstimateIsFixedAlsoAfterARestart) {
  World world({ready("a")});
  run_thrice(world);
  world.run("next", {.command = {"work"}});
  world.restart({ready("a")});
  EXPECT_EQ(world.job("next").estimated.cpu_millis, 128);
  EXPECT_EQ(world.view("a").used.cpu_millis, 128);
}

}  // namespace
}  // namespace fieldwork::scheduler
