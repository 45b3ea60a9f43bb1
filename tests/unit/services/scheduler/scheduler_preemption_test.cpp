// links: scheduler_core GTest::gtest_main
// Room for work of a higher class: who makes it, and what becomes of them.
#include <gtest/gtest.h>

#include "support/scheduler_world.hpp"

namespace fieldwork::scheduler {
namespace {

JobSpec of(int priority, std::int64_t cpu_millis = 4000) {
  return {.requirements = {.cpu_millis = cpu_millis}, .priority = priority};
}

// A device that is full of work of priority 5, which runs for 30 s by now.
World full(const Limits& limits = {}) {
  World world({ready("a")}, limits);
  world.run("low", of(5));
  world.report("a", world.attempt("low").key, AttemptState::running);
  world.pass(seconds(30));
  return world;
}

TEST(Preemption, TheVictimIsToldMakesRoomAndReturnsToItsPlace) {
  auto world = full();
  world.run("behind", of(5));
  const auto first = world.attempt("low").key;
  world.submit("high", of(9));
  world.allow_all();
  ASSERT_EQ(world.state("high"), JobState::queued);
  EXPECT_EQ(world.attempt("low").preempted_by, JobId("high"));
  EXPECT_EQ(world.attempt("low").state, AttemptState::running) << "until its device says otherwise";
  world.report("a", first, AttemptState::cancelled);
  ASSERT_EQ(world.question().key.job, JobId("high")) << "the room is held for it";
  EXPECT_EQ(world.state("low"), JobState::queued);
  EXPECT_EQ(world.execution("low").failures + world.execution("low").losses, 0);
  EXPECT_EQ(world.execution("low").reason, "made room for job high, which has a higher priority");
  world.allow_all();
  world.report("a", world.attempt("high").key, AttemptState::succeeded);
  EXPECT_EQ(world.question().key.job, JobId("low")) << "before the one that came after it";
  EXPECT_GT(world.question().key.fence, first.fence);
}

TEST(Preemption, WhatItCostsIsSaid) {
  auto world = full();
  world.submit("high", of(7));
  world.step(World::allow(world.question()));
  ASSERT_EQ(world.said.preempted.size(), 1U);
  EXPECT_EQ(world.said.preempted[0].key, world.attempt("low").key);
  EXPECT_EQ(world.said.preempted[0].by, JobId("high"));
  EXPECT_EQ(world.said.preempted[0].ran, seconds(30));
  ASSERT_EQ(world.commands<Cancel>().size(), 1U);
  EXPECT_EQ(world.commands<Cancel>()[0].key, cancel_key(world.attempt("low").key));
  EXPECT_TRUE(world.closes(assign_key(world.attempt("low").key)));
  world.live_through(seconds(5), {{"a", {world.attempt("low").key}}});
  EXPECT_TRUE(world.said.preempted.empty()) << "once";
  EXPECT_TRUE(world.commands<Cancel>().empty());
}

TEST(Preemption, OnlyOfALowerClassAndOnlyIfItMakesRoom) {
  for (const auto& [spec, preempts] : {std::pair{of(6), false}, {of(7), true}, {of(9, 4001), false}}) {
    auto world = full();
    world.step(DeviceSeen{ready("large", {}, 8000)});
    world.step(DeviceSeen{in_presence(ready("large", {}, 8000), Presence::suspect)});
    world.submit("high", spec);
    world.allow_all();
    EXPECT_EQ(!world.attempt("low").preempted_by.empty(), preempts)
        << spec.priority << " " << spec.requirements.cpu_millis;
  }
}

TEST(Preemption, WorkThatRunsAtMostOnceIsLeftAlone) {
  World world({ready("a")});
  auto once = of(0);
  once.retry.attempts_max = 1;
  world.run("once", once);
  world.run("high", of(9));
  EXPECT_TRUE(world.attempt("once").preempted_by.empty());
}

TEST(Preemption, AJobMaySayWhetherItIsPreempted) {
  for (const bool may : {false, true}) {
    World world({ready("a")});
    auto spec = of(0);
    spec.at_most_once = may;
    spec.preemptible = may;
    world.run("low", spec);
    world.run("high", of(9));
    EXPECT_EQ(!world.attempt("low").preempted_by.empty(), may);
  }
}

TEST(Preemption, SomeWhoWaitedLongDoNotPreempt) {
  auto world = full();
  world.run("old", of(4));
  world.live_through(seconds(4000), {{"a", {world.attempt("low").key}}});
  EXPECT_TRUE(world.attempt("low").preempted_by.empty()) << "age is no class";
}

TEST(Preemption, AVictimThatEndsByItselfCountsAsItEnded) {
  for (const auto state : {AttemptState::succeeded, AttemptState::failed}) {
    auto world = full();
    world.submit("high", of(9));
    world.allow_all();
    world.report("a", world.attempt("low").key, state);
    if (state == AttemptState::failed) {
      EXPECT_EQ(world.execution("low").failures, 1);
    } else {
      EXPECT_EQ(world.state("low"), JobState::succeeded);
    }
    EXPECT_EQ(world.question().key.job, JobId("high"));
  }
}

TEST(Preemption, AfterSomeTimesTheSameWorkIsLeftAlone) {
  Limits limits;
  limits.preempted_max = 2;
  auto world = full(limits);
  for (int i = 0; i < 2; ++i) {
    const auto id = "high" + std::to_string(i);
    const auto victim = world.attempt("low").key;
    world.submit(id, of(9));
    world.allow_all();
    ASSERT_FALSE(world.attempt("low").preempted_by.empty()) << i;
    world.report("a", victim, AttemptState::cancelled);
    world.allow_all();
    world.report("a", world.attempt(id).key, AttemptState::succeeded);
    world.allow_all();
    world.report("a", world.attempt("low").key, AttemptState::running);
  }
  world.run("high2", of(9));
  EXPECT_TRUE(world.attempt("low").preempted_by.empty());
  world.report("a", world.attempt("low").key, AttemptState::succeeded);
  EXPECT_EQ(world.question().key.job, JobId("high2"));
}

TEST(Preemption, ARestartForgetsNobodyWhoWasTold) {
  auto world = full();
  world.submit("high", of(9));
  world.allow_all();
  world.restart({ready("a")});
  EXPECT_EQ(world.attempt("low").preempted_by, JobId("high"));
  EXPECT_TRUE(world.core.open_commands().empty()) << "its assignment is not repeated";
  world.report("a", world.attempt("low").key, AttemptState::cancelled);
  EXPECT_EQ(world.question().key.job, JobId("high"));
  EXPECT_EQ(world.execution("low").failures, 0);
}

// Several of one job, and several victims.
TEST(Preemption, ManyAtOnce) {
  World world({ready("a"), ready("b"), ready("c")});
  for (int i = 0; i < 12; ++i) world.run("low" + std::to_string(i), of(2, 1000));
  auto spec = of(8, 2000);
  spec.replicas = 3;
  world.submit("high", spec);
  world.step(World::allow(world.question()));
  std::set<DeviceId> devices;
  std::vector<std::pair<DeviceId, AttemptKey>> told;
  for (const auto& one : world.said.preempted) {
    devices.insert(one.device);
    told.emplace_back(one.device, one.key);
  }
  EXPECT_EQ(told.size(), 6U) << "two on each";
  EXPECT_EQ(devices.size(), 3U);
  std::set<DeviceId> got;
  for (const auto& [device, key] : told) {
    world.report(device.value, key, AttemptState::cancelled);
    for (const auto& question : world.said.questions) {
      EXPECT_EQ(question.key.job, JobId("high"));
      got.insert(question.device);
    }
  }
  EXPECT_EQ(got.size(), 3U);
}

// What is kept free for work of the same class as the victims does not keep them.
TEST(Preemption, AReservationGivesWayToAHigherClass) {
  auto world = full();
  world.run("waits", of(5));
  world.live_through(seconds(70), {{"a", {world.attempt("low").key}}});
  ASSERT_TRUE(world.core.fleet().hold(*world.core.fleet().number_of(dev("a"))));
  world.run("high", of(9));
  EXPECT_EQ(world.attempt("low").preempted_by, JobId("high"));
  world.report("a", world.attempt("low").key, AttemptState::cancelled);
  EXPECT_EQ(world.question().key.job, JobId("high"));
}

// One replica gets the room that is left on a device; for the other nobody is ended there.
TEST(Preemption, NotWhereAnotherReplicaIs) {
  World world({ready("a"), in_presence(ready("b"), Presence::suspect)});
  world.run("low", of(0, 2000));
  auto spec = of(9, 2000);
  spec.replicas = 2;
  world.run("high", spec);
  EXPECT_EQ(world.attempt("high").device, dev("a"));
  EXPECT_TRUE(world.attempt("low").preempted_by.empty());
}

// Work that may not be preempted ends, and what is left may be: together they are enough.
TEST(Preemption, AnEndMayMakeItSuffice) {
  World world({ready("a")});
  auto once = of(0, 2000);
  once.at_most_once = true;
  world.run("once", once);
  world.run("low", of(0, 2000));
  world.run("high", of(9));
  EXPECT_TRUE(world.attempt("low").preempted_by.empty());
  world.report("a", world.attempt("once").key, AttemptState::succeeded);
  world.live_through(seconds(3));
  EXPECT_EQ(world.attempt("low").preempted_by, JobId("high"));
}

// Of two that wait for two devices the first takes the room that is there first; nobody else is ended for the second.
TEST(Preemption, NobodyMoreThanNeeded) {
  World world({ready("a"), ready("b"), ready("c")});
  for (int i = 0; i < 3; ++i) {
    world.run("low" + std::to_string(i), of(0));
    const auto& low = world.attempt("low" + std::to_string(i));
    world.report(low.device.value, low.key, AttemptState::running);
    world.pass(seconds(1));
  }
  world.submit("first", of(9));
  world.allow_all();
  world.submit("second", of(9));
  world.allow_all();
  world.live_through(seconds(2));
  std::vector<Attempt> told;
  for (int i = 0; i < 3; ++i) {
    if (const auto& low = world.attempt("low" + std::to_string(i)); !low.preempted_by.empty()) told.push_back(low);
  }
  ASSERT_EQ(told.size(), 2U);
  if (told[0].preempted_by == JobId("first")) std::swap(told[0], told[1]);
  world.report(told[0].device.value, told[0].key, AttemptState::cancelled);
  world.allow_all();
  world.live_through(seconds(2));
  world.report(told[1].device.value, told[1].key, AttemptState::cancelled);
  world.allow_all();
  EXPECT_EQ(world.state("first"), JobState::assigned);
  EXPECT_EQ(world.state("second"), JobState::assigned);
  int ended = 0;
  for (int i = 0; i < 3; ++i) ended += world.attempt("low" + std::to_string(i)).preempted_by.empty() ? 0 : 1;
  EXPECT_EQ(ended, 2);
}

// A device that falls silent while it makes room is not waited for.
TEST(Preemption, ADeviceThatFallsSilentMakesNoRoom) {
  World world({ready("a"), in_presence(ready("b"), Presence::suspect)});
  world.run("low", of(0));
  world.run("high", of(9));
  ASSERT_FALSE(world.attempt("low").preempted_by.empty());
  world.step(DeviceSeen{in_presence(ready("a"), Presence::suspect)});
  world.step(DeviceSeen{ready("b")});
  world.allow_all();
  EXPECT_EQ(world.attempt("high").device, dev("b"));
  world.run("other", of(9));
  world.step(DeviceSeen{ready("c")});
  world.allow_all();
  EXPECT_EQ(world.attempt("other").device, dev("c"));
}

// What is reserved for lower work is not kept from higher work that fits as it is, and nobody is ended for it.
TEST(Preemption, AReservedDeviceThatHasRoomIsUsed) {
  World world({ready("a")});
  world.run("small", of(2, 2000));
  world.run("big", of(2));
  world.live_through(seconds(70), {{"a", {world.attempt("small").key}}});
  ASSERT_TRUE(world.core.fleet().hold(*world.core.fleet().number_of(dev("a"))));
  world.run("high", of(9, 2000));
  EXPECT_EQ(world.attempt("high").device, dev("a"));
  EXPECT_TRUE(world.attempt("small").preempted_by.empty());
}

// Room is being made for the first; it finds other room: the second gets what is being made, and nobody else is ended.
TEST(Preemption, WhoLeavesPassesItsRoomOn) {
  for (const bool cancelled : {false, true}) {
    World world({ready("a"), ready("b")});
    world.run("low0", of(0));
    world.run("low1", of(0));
    world.submit("first", of(9));
    world.allow_all();
    world.submit("second", of(9));
    world.allow_all();
    std::vector<DeviceId> making;
    for (const auto* id : {"low0", "low1"}) {
      if (!world.attempt(id).preempted_by.empty()) making.push_back(world.attempt(id).device);
    }
    ASSERT_EQ(making.size(), 1U) << "the second joins the first's lane";
    if (cancelled) {
      world.step(CancelRequested{1, JobId("first")});
    } else {
      world.step(DeviceSeen{ready("free")});
      world.allow_all();
      ASSERT_EQ(world.attempt("first").device, dev("free"));
    }
    world.live_through(seconds(3));
    EXPECT_NE(world.attempt("low0").preempted_by.empty(), world.attempt("low1").preempted_by.empty());
    EXPECT_EQ(world.core.fleet().hold(*world.core.fleet().number_of(making[0]))->job, JobId("second"));
  }
}

TEST(Preemption, AfterARestartWhatIsBeingMadeIsEnough) {
  World world({ready("a"), ready("b")});
  world.run("low0", of(0));
  world.run("low1", of(0));
  world.run("high", of(9));
  world.restart({ready("a"), ready("b")});
  world.live_through(seconds(3));
  EXPECT_NE(world.attempt("low0").preempted_by.empty(), world.attempt("low1").preempted_by.empty()) << "one of them";
}

// Lanes that have grown old, and may end nobody, do not stand before a new one that may.
TEST(Preemption, OldLanesDoNotHideAHighOne) {
  World world({ready("a")});
  auto once = of(5, 2000);
  once.at_most_once = true;
  world.run("once", once);
  world.run("low", of(4, 2000));
  for (int i = 0; i < 40; ++i) world.run("old" + std::to_string(i), of(5, 3000 + i));
  const auto both = [&] {
    return std::map<std::string, std::vector<AttemptKey>>{{"a", {world.attempt("once").key, world.attempt("low").key}}};
  };
  for (int i = 0; i < 50; ++i) {
    world.now += seconds(55);
    world.step(HeartbeatArrived{dev("a"), 0, both().at("a"), world.now});
    world.step(TimePassed{});
  }
  world.run("high", of(7));
  world.report("a", world.attempt("once").key, AttemptState::succeeded);
  world.live_through(seconds(3), {{"a", {world.attempt("low").key}}});
  EXPECT_EQ(world.attempt("low").preempted_by, JobId("high"));
}

TEST(Preemption, CancelledOrPlacedElsewhereTheDeviceIsFreeForOthers) {
  auto world = full();
  world.submit("high", of(9));
  world.allow_all();
  world.run("other", of(5));
  world.step(CancelRequested{1, JobId("high")});
  world.report("a", world.attempt("low").key, AttemptState::cancelled);
  EXPECT_EQ(world.question().key.job, JobId("low")) << "its place is before the other's";
}

}  // namespace
}  // namespace fieldwork::scheduler
