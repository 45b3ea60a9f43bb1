// links: scheduler_core GTest::gtest_main
// Lines that the executions of a job say to each other.
#include <gtest/gtest.h>

#include "support/scheduler_world.hpp"

namespace fieldwork::scheduler {
namespace {

using Lines = std::vector<std::string>;

// Three executions that run, each on a device of its own.
World talking(int messages_per_s = 10) {
  World world({ready("a"), ready("b"), ready("c")});
  world.run("job", {.replicas = 3, .limits = {.messages_per_s = messages_per_s}});
  for (std::size_t i = 0; i < 3; ++i)
    world.report(world.attempt("job", i).device.value, world.attempt("job", i).key, AttemptState::running);
  return world;
}

const Output& says(World& world, std::size_t execution, const Lines& lines, const std::string& device = "") {
  const auto& attempt = world.attempt("job", execution);
  return world.step(LinesSaid{device.empty() ? attempt.device : dev(device), {{attempt.key, lines}}});
}

TEST(Messages, EachOtherExecutionThatRunsHears) {
  auto world = talking();
  says(world, 1, {"x", "y"});
  ASSERT_EQ(world.said.lines.size(), 2U);
  for (const auto& one : world.said.lines) {
    const auto to = one.key.execution;
    EXPECT_NE(to, 1);
    EXPECT_EQ(one.key, world.attempt("job", static_cast<std::size_t>(to)).key);
    EXPECT_EQ(one.device, world.attempt("job", static_cast<std::size_t>(to)).device);
    EXPECT_EQ(one.from, 1);
    EXPECT_EQ(one.lines, (Lines{"x", "y"}));
  }
  EXPECT_EQ(world.said.lines_dropped, 0U);
  EXPECT_TRUE(world.said.attempts.empty()) << "nothing is stored";
}

TEST(Messages, WhoDoesNotRunDoesNotHear) {
  auto world = talking();
  world.report(world.attempt("job", 0).device.value, world.attempt("job", 0).key, AttemptState::succeeded);
  says(world, 1, {"x"});
  ASSERT_EQ(world.said.lines.size(), 1U);
  EXPECT_EQ(world.said.lines[0].key.execution, 2);
}

TEST(Messages, OnlyTheLiveAttemptSpeaks) {
  auto world = talking();
  says(world, 1, {"x", "y"}, "elsewhere");
  EXPECT_TRUE(world.said.lines.empty());
  EXPECT_EQ(world.said.lines_dropped, 2U);
  const auto old = world.attempt("job", 1);
  world.report(old.device.value, old.key, AttemptState::failed);
  world.step(LinesSaid{old.device, {{old.key, {"late"}}}});
  world.step(LinesSaid{dev("a"), {{key("unknown"), {"x"}}}});
  EXPECT_TRUE(world.said.lines.empty());
  EXPECT_EQ(world.said.lines_dropped, 1U);
}

TEST(Messages, AJobThatMayNotSpeakDoesNot) {
  auto world = talking(0);
  says(world, 1, {"x"});
  EXPECT_TRUE(world.said.lines.empty());
}

TEST(Messages, WhoSaysTooMuchIsNotPassedOn) {
  auto world = talking(2);
  says(world, 1, {"1", "2", "3", "4"});
  EXPECT_EQ(world.said.lines.size(), 2U);
  says(world, 1, {"5"});
  EXPECT_TRUE(world.said.lines.empty());
  EXPECT_EQ(world.said.lines_dropped, 1U);
  says(world, 2, {"another one"});
  EXPECT_EQ(world.said.lines.size(), 2U);
  world.now += seconds(1);
  says(world, 1, {"6"});
  EXPECT_EQ(world.said.lines.size(), 2U) << "in the next second";
}

TEST(Messages, NotForMoreDevicesThanMaySpeak) {
  std::vector<Device> devices;
  for (int i = 0; i < 65; ++i) devices.push_back(ready("d" + std::to_string(i)));
  World world(devices);
  JobSpec spec{.targets = Targets{}, .limits = {.messages_per_s = 1}};
  world.submit("all", spec);
  EXPECT_EQ(world.error().path, "/limits/messages_per_s");
  EXPECT_EQ(world.error().reason, "is for at most 64 devices, these are 65");
  spec.targets->continuous = true;
  world.step(DeviceGone{dev("d64")});
  world.submit("joined", spec);
  world.allow_all();
  EXPECT_EQ(world.job("joined").executions.size(), 64U);
  world.step(DeviceSeen{ready("late")});
  EXPECT_EQ(world.job("joined").executions.size(), 64U);
  ASSERT_EQ(world.said.notices.size(), 1U);
}

// Each hears all others: what a job may say in all grows with the square of its executions.
TEST(Messages, NoMoreThanAllOfAJobMayHear) {
  World world({ready("a"), ready("b")});
  world.submit("wide", {.replicas = 64, .limits = {.messages_per_s = 3}});
  EXPECT_EQ(world.error().path, "/limits/messages_per_s");
  EXPECT_EQ(world.error().reason, "is for 64 executions at most 2");
  world.submit("two", {.replicas = 2, .limits = {.messages_per_s = 100}});
  EXPECT_EQ(world.question().key.job, JobId("two"));
}

TEST(Messages, TargetsCountAsLiveExecutions) {
  World world({ready("a"), ready("b"), ready("c")}, {.executions_live_max = 4});
  world.run("first", {.targets = Targets{}});
  world.submit("second", {.targets = Targets{}});
  EXPECT_EQ(world.error().code, Code::unavailable);
  EXPECT_EQ(world.error().reason, "there are 3 live executions already; try again later");
}

}  // namespace
}  // namespace fieldwork::scheduler
