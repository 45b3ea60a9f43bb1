// links: scheduler_core GTest::gtest_main
// Properties of plans over random fleets and queues. Each is checked by a plain reading of the rule, not by the
// planner's own functions.
#include "scheduler/core/plan/plan.hpp"

#include <gtest/gtest.h>

#include <cstdio>

#include "support/plan_world.hpp"

namespace fieldwork::scheduler {
namespace {

constexpr unsigned seeds = 100'000;

// Nothing is given out twice, nothing that is asked for is missing, and who was passed over fits nowhere.
TEST(PlanProperty, NothingIsOverCommittedAndNoRequirementIsBroken) {
  std::size_t placed = 0, asleep = 0;
  for (unsigned seed = 1; seed <= seeds; ++seed) {
    const PlanWorld world(seed);
    auto room = world.rooms();
    std::map<JobId, std::set<DeviceId>> taken;
    std::map<DeviceId, std::set<std::string>> names;
    for (const auto& step : world.plan().steps) {
      if (const auto* place = std::get_if<Place>(&step)) {
        const auto& id = world.fleet.view(place->number).device.id;
        const auto& job = world.jobs.at(place->who.job);
        ASSERT_EQ(world.missing(job, id, room.at(id), names[id]), "")
            << "seed " << seed << ": " << job.id.value << " on " << id.value;
        ASSERT_TRUE(taken[job.id].insert(id).second) << "seed " << seed << ": two replicas on " << id.value;
        room.at(id).add(job.spec->requirements);
        if (!job.spec->name.empty()) names[id].insert(job.spec->name);
        ++placed;
      }
      const auto* sleep = std::get_if<Sleep>(&step);
      if (sleep == nullptr) continue;
      ++asleep;
      const auto& job = world.jobs.at(sleep->who.job);
      for (const auto& [id, used] : room) {
        ASSERT_TRUE(taken[job.id].contains(id) || !world.missing(job, id, used, names[id]).empty())
            << "seed " << seed << ": " << job.id.value << " would have fitted on " << id.value;
      }
    }
  }
  std::printf("%zu executions placed, %zu lanes asleep\n", placed, asleep);
  EXPECT_GT(placed, seeds);
  EXPECT_GT(asleep, seeds / 10);
}

// The levels of a plan only fall, and each waiter is placed, or stands in a lane that sleeps.
TEST(PlanProperty, PriorityHoldsAndNobodyIsForgotten) {
  for (unsigned seed = 1; seed <= seeds / 10; ++seed) {
    const PlanWorld world(seed);
    int level = 9;
    std::set<std::pair<JobId, int>> done;
    std::set<Queue::Lane> sleeping;
    for (const auto& step : world.plan().steps) {
      if (const auto* place = std::get_if<Place>(&step)) {
        const auto now = world.level(place->who);
        ASSERT_LE(now, level) << "seed " << seed;
        level = now;
        ASSERT_TRUE(done.emplace(place->who.job, place->who.execution).second) << "seed " << seed << ": twice";
        ASSERT_FALSE(sleeping.contains(place->who.lane)) << "seed " << seed;
      } else if (const auto* sleep = std::get_if<Sleep>(&step)) {
        sleeping.insert(sleep->who.lane);
      }
    }
    for (const auto& [id, job] : world.jobs) {
      for (const auto& execution : job.executions) {
        const auto* queued = std::get_if<Queued>(&execution.phase);
        if (queued == nullptr || done.contains({id, execution.index})) continue;
        ASSERT_TRUE(sleeping.contains(queued->lane)) << "seed " << seed << ": " << id.value << " had no turn";
      }
    }
  }
}

// The order in which devices and jobs became known says nothing.
TEST(PlanProperty, TheSameWorldGivesTheSamePlan) {
  for (unsigned seed = 1; seed <= seeds / 10; ++seed) {
    const PlanWorld one(seed), same(seed), turned(seed, true);
    ASSERT_EQ(one.text(one.plan()), same.text(same.plan())) << "seed " << seed;
    ASSERT_EQ(one.text(one.plan()), turned.text(turned.plan())) << "seed " << seed;
  }
}

TEST(PlanProperty, OneMoreDeviceNeverMakesAJobUnplaceable) {
  std::size_t placeable = 0;
  for (unsigned seed = 1; seed <= seeds / 10; ++seed) {
    PlanWorld world(seed);
    world.keep_one_waiter();
    const auto places = [&] {
      const auto made = world.plan();
      return std::count_if(made.steps.begin(), made.steps.end(),
                           [](const auto& step) { return std::holds_alternative<Place>(step); });
    };
    const auto before = places();
    world.add_device();
    ASSERT_GE(places(), before) << "seed " << seed;
    placeable += static_cast<std::size_t>(before);
  }
  EXPECT_GT(placeable, seeds / 100);
}

// Whoever is preempted is of a lower class, may be, and makes the waiter fit; and nobody would have been cheaper.
TEST(PlanProperty, PreemptionIsAllowedSufficientAndCheapest) {
  std::size_t preempted = 0;
  for (unsigned seed = 1; seed <= seeds; ++seed) {
    const PlanWorld world(seed);
    const auto made = world.plan();
    const auto rooms = world.rooms(made);
    std::set<Fleet::Number> promised;
    std::set<AttemptKey> ended;
    for (const auto& step : made.steps) {
      const auto* one = std::get_if<Preempt>(&step);
      if (one == nullptr) continue;
      ++preempted;
      ASSERT_TRUE(promised.insert(one->number).second) << "seed " << seed << ": promised twice";
      const auto& job = world.jobs.at(one->who.job);
      const auto& id = world.fleet.view(one->number).device.id;
      auto used = rooms.at(id);
      Duration lost{};
      for (const auto& key : one->victims) {
        const auto& victim = world.jobs.at(key.job);
        ASSERT_LT(class_of(victim.spec->priority), class_of(job.spec->priority)) << "seed " << seed;
        ASSERT_GT(victim.spec->retry.attempts_max, 1) << "seed " << seed << ": runs at most once";
        ASSERT_TRUE(ended.insert(key).second) << "seed " << seed << ": ended twice";
        used.add(victim.spec->requirements, -1);
        lost += world.ran(key);
      }
      ASSERT_EQ(world.missing(job, id, used, world.names(made)[id]), "") << "seed " << seed;
      ASSERT_EQ(one->lost, lost) << "seed " << seed;
      if (promised.size() > 1) continue;  // the first had its choice of all devices
      std::set<DeviceId> given;
      for (const auto& other : made.steps) {
        const auto* place = std::get_if<Place>(&other);
        if (place != nullptr && place->who.job == one->who.job) given.insert(world.fleet.view(place->number).device.id);
      }
      ASSERT_FALSE(given.contains(id)) << "seed " << seed << ": another replica is there";
      ASSERT_EQ(lost, world.cheapest(job, rooms, given, world.names(made))) << "seed " << seed;
    }
  }
  std::printf("%zu preemptions\n", preempted);
  EXPECT_GT(preempted, seeds / 100);
}

// Two submitters who want the same get the same, however many jobs one of them brings and however early.
TEST(Plan, SubmittersShareWhatThereIs) {
  PlanWorld world;
  for (int i = 0; i < 10; ++i) world.device("d" + std::to_string(i), {4000, 4000, 4000});
  for (int i = 0; i < 300; ++i) world.job("many", {.cpu_millis = 1000}, 5);
  for (int i = 0; i < 30; ++i) world.job("few", {.cpu_millis = 1000}, 5);
  EXPECT_EQ(world.placed_by_submitter(), (std::map<std::string, int>{{"few", 20}, {"many", 20}}));
}

// By the dominant share: who wants much memory and who wants much processor get as much of what each wants most.
TEST(Plan, TheDominantShareCounts) {
  PlanWorld world;
  world.device("d", {9000, 18'000, 0});
  for (int i = 0; i < 20; ++i) world.job("memory", {.cpu_millis = 1000, .memory_bytes = 4000}, 5);
  for (int i = 0; i < 20; ++i) world.job("cpu", {.cpu_millis = 3000, .memory_bytes = 1000}, 5);
  // The example of section 4 of the paper.
  EXPECT_EQ(world.placed_by_submitter(), (std::map<std::string, int>{{"cpu", 2}, {"memory", 3}}));
}

TEST(Plan, AHigherLevelComesFirstWhateverTheShares) {
  PlanWorld world;
  world.device("d", {2000, 4000, 0});
  world.job("new", {.cpu_millis = 1000}, 5);
  for (int i = 0; i < 3; ++i) world.job("rich", {.cpu_millis = 1000}, 6);
  EXPECT_EQ(world.placed_by_submitter(), (std::map<std::string, int>{{"rich", 2}}));
}

}  // namespace
}  // namespace fieldwork::scheduler
