// links: scheduler_core GTest::gtest_main
// After a start: what the devices have is heard before anything is placed, because this memory may be the older one.
#include "support/scheduler_world.hpp"

namespace fieldwork::scheduler {
namespace {

HeartbeatArrived told(const World& world, const std::string& device, std::vector<AttemptKey> live = {},
                      std::vector<AttemptKey> ended = {}) {
  return {dev(device), 1, std::move(live), world.now, std::move(ended)};
}

// A job that is queued, and a scheduler that has just begun with what its database knows of it.
struct Begun : World {
  Begun() : World({ready("a"), ready("b")}) {
    submit("r");
    restart({}, true);
  }
  // Which devices are asked what they have.
  [[nodiscard]] std::vector<std::string> asked() const {
    std::vector<std::string> out;
    for (const auto& ack : said.acknowledgements) {
      if (ack.ask) out.push_back(ack.device.value);
    }
    return out;
  }
};

TEST(Hearing, NothingIsPlacedBeforeAllThatAreReadySaidWhatTheyHave) {
  Begun world;
  world.pass(seconds(30));  // no broker
  world.step(LinkBack{});
  world.step(DeviceSeen{ready("a")});
  EXPECT_EQ(world.asked(), std::vector<std::string>{"a"});
  world.step(DeviceSeen{ready("b")});
  EXPECT_EQ(world.asked(), std::vector<std::string>{"b"});
  world.step(told(world, "a"));
  world.pass(seconds(2));
  EXPECT_TRUE(world.said.questions.empty());
  world.step(HeartbeatArrived{dev("b"), 1, {}, world.now});  // it was on its way already
  EXPECT_TRUE(world.said.questions.empty());
  world.step(told(world, "b"));
  EXPECT_EQ(world.said.questions.size(), 1U);
  // From now on nobody is asked any more.
  world.step(DeviceSeen{ready("c")});
  EXPECT_TRUE(world.asked().empty());
}

TEST(Hearing, HasAnEndWhoeverIsMissing) {
  Begun world;
  world.step(LinkBack{});
  world.step(DeviceSeen{ready("a")});
  world.pass(world.limits.hear_first - milliseconds(1));
  EXPECT_TRUE(world.said.questions.empty());
  world.pass(milliseconds(1));
  EXPECT_EQ(world.said.questions.size(), 1U);
}

TEST(Hearing, WaitsForThoseAloneThatAreReady) {
  Begun world;
  world.step(LinkBack{});
  world.step(DeviceSeen{ready("a")});
  world.step(DeviceSeen{ready("b")});
  world.step(DeviceSeen{in_presence(ready("b"), Presence::suspect)});
  world.step(told(world, "a"));
  world.pass(world.limits.hear_least);
  EXPECT_EQ(world.said.questions.size(), 1U);
}

TEST(Hearing, AsksAgainWhoComesBack) {
  Begun world;
  world.step(LinkBack{});
  world.step(DeviceSeen{ready("a")});
  world.step(DeviceReturned{dev("a")});
  EXPECT_EQ(world.asked(), std::vector<std::string>{"a"});
  world.step(told(world, "a"));
  world.step(DeviceReturned{dev("a")});
  EXPECT_TRUE(world.asked().empty());
}

// The database went back behind an assignment. What runs on b, or ended there, is asked for there: with a grant, in the
// regular way, and the device does not run it again.
TEST(Hearing, WhatADeviceHasOfAForgottenTimeIsAskedForThere) {
  for (const bool over : {false, true}) {
    for (const char* where : {"a", "b"}) {
      Begun world;
      world.step(LinkBack{});
      world.step(DeviceSeen{ready("a")});
      world.step(DeviceSeen{ready("b")});
      const AttemptKey forgotten{world.core.jobs().begin()->first, 0, limits::fence_max / 2};
      for (const char* device : {"a", "b"}) {
        const bool has = std::string(device) == where;
        const auto keys = has ? std::vector{forgotten} : std::vector<AttemptKey>{};
        world.step(over ? told(world, device, {}, keys) : told(world, device, keys));
        EXPECT_TRUE(world.said.stale.empty());
      }
      world.pass(world.limits.hear_least);
      EXPECT_EQ(world.question().device, dev(where)) << (over ? "ended on " : "live on ") << where;
    }
  }
}

// More than the device has room for at once: the rest waits for it, and holds up nobody who wants the same.
TEST(Hearing, WhatADeviceHasWaitsForItAlsoWhereThereIsNoRoomNow) {
  World world({ready("a"), ready("b")});
  JobSpec wide;
  wide.requirements.cpu_millis = 4000;
  for (const char* job : {"j1", "j2", "j3"}) world.submit(job, wide);
  world.restart({}, true);
  world.step(LinkBack{});
  world.step(DeviceSeen{ready("a")});
  world.step(DeviceSeen{ready("b")});
  const auto forgotten = limits::fence_max / 2;
  world.step(told(world, "a", {}, {key("j1", forgotten), key("j2", forgotten)}));
  world.step(told(world, "b"));
  world.pass(world.limits.hear_least);
  std::map<std::string, std::string> asked;
  for (const auto& question : world.said.questions) asked[question.key.job.value] = question.device.value;
  EXPECT_EQ(asked, (std::map<std::string, std::string>{{"j1", "a"}, {"j3", "b"}}));
  // b is free again, and does not get it either.
  const auto questions = world.said.questions;
  for (const auto& question : questions) {
    if (question.key.job.value == "j3") world.step(World::deny(question, false));
  }
  world.live_through(seconds(30));
  for (const auto& question : world.said.questions) EXPECT_NE(question.key.job.value, "j2");
  // The device is gone: nobody has it any more.
  world.step(DeviceGone{dev("a")});
  std::string device;
  for (int second = 0; second < 5 && device.empty(); ++second) {
    world.pass(seconds(1));
    for (const auto& question : world.said.questions) {
      if (question.key.job.value == "j2") device = question.device.value;
    }
  }
  EXPECT_EQ(device, "b");
}

// A device that is too sick for new work has its attempt all the same; but what policy says of it counts, once.
TEST(Hearing, WhatIsMeasuredHidesNoDenial) {
  auto sick = ready("a");
  sick.health = 0.1;
  World world({sick});
  world.submit("j");
  world.restart({}, true);
  world.step(LinkBack{});
  world.step(DeviceSeen{sick});
  world.step(told(world, "a", {}, {key("j", limits::fence_max / 2)}));
  world.pass(world.limits.hear_least);
  ASSERT_EQ(world.question().device, dev("a"));
  world.step(World::deny(world.question(), true));
  EXPECT_EQ(world.question().device, dev("")) << "not about this device again";
}

// The database forgot the job altogether, and its submitter asks for it again: who has done it is asked, not another.
TEST(Hearing, AForgottenJobThatComesAgainGoesWhereItEnded) {
  for (const char* where : {"a", "b"}) {
    World world({ready("a"), ready("b")});
    world.restart({}, true);
    world.step(LinkBack{});
    for (const char* device : {"a", "b"}) {
      world.step(DeviceSeen{ready(device)});
      // The later one of two attempts counts.
      const auto fence = limits::fence_max / 2 + (std::string(device) == where ? 1 : 0);
      world.step(told(world, device, {}, {{JobId("r"), 0, fence}}));
    }
    world.pass(world.limits.hear_least);
    world.submit("r");
    EXPECT_EQ(world.question().device, dev(where));
  }
}

// The database forgot both; a newer replica is on the device by now. What it has runs nowhere again, nor waits for
// ever.
TEST(Hearing, WhatADeviceHasIsItsOwnBesideAnotherReplica) {
  World world({ready("a"), ready("b")});
  JobSpec spec;
  spec.replicas = 2;
  world.submit("j1", spec);
  const auto first = world.question();
  ASSERT_EQ(first.key.execution, 0);
  world.step(DeviceSeen{in_presence(ready(first.device.value == "a" ? "b" : "a"), Presence::suspect)});
  world.step(World::allow(first));
  const AttemptKey forgotten{first.key.job, 1, limits::fence_max / 2};
  world.step(told(world, first.device.value, {}, {forgotten}));
  world.step(DeviceSeen{ready(first.device.value == "a" ? "b" : "a")});
  EXPECT_EQ(world.question().device, first.device);
  EXPECT_EQ(world.question().key.execution, 1);
}

// What ended in the forgotten time holds no room until its turn to be asked about comes.
TEST(Hearing, AnAttemptThatADeviceDoesNotSpeakOfIsAskedAboutAtOnce) {
  World world({ready("a")});
  world.submit("j1");
  const auto assigned = world.allow_all();
  ASSERT_EQ(assigned.size(), 1U);
  const auto attempt = std::get<Assign>(assigned[0].command).key;
  world.report("a", attempt, AttemptState::running);
  world.restart({}, true);
  world.step(LinkBack{});
  world.step(DeviceSeen{ready("a")});
  world.step(HeartbeatArrived{dev("a"), 1, {}, world.now});
  EXPECT_TRUE(world.said.outbox.empty()) << "its report may be on its way";
  world.step(told(world, "a", {}, {attempt}));
  ASSERT_EQ(world.said.outbox.size(), 1U);
  EXPECT_EQ(std::get<PutCommand>(world.said.outbox[0]).key, inquire_key(attempt));
}

TEST(Hearing, ANewSchedulerHearsFirstToo) {
  World world;
  world.restart({}, true);  // an empty database
  world.step(LinkBack{});
  world.step(DeviceSeen{ready("a")});
  world.pass(seconds(2));
  world.submit("r");
  EXPECT_TRUE(world.said.questions.empty());
  world.step(told(world, "a"));
  EXPECT_EQ(world.said.questions.size(), 1U);
}

}  // namespace
}  // namespace fieldwork::scheduler
