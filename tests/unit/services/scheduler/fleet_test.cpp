// links: scheduler_core GTest::gtest_main
// The indexes of the fleet against a plain walk.
#include <gtest/gtest.h>

#include <cstdio>
#include <random>

#include "scheduler/core/plan/choices.hpp"
#include "support/scheduler_world.hpp"

namespace fieldwork::scheduler {
namespace {

const Time now = from_ms(1'000'000);

class RandomFleet {
 public:
  explicit RandomFleet(unsigned seed) : random_(seed) {
    const int count = 257 + draw(1500);
    const bool tight = draw(2) == 0;  // many devices are nearly full
    for (int i = 0; i < count; ++i) {
      auto device = ready("d" + std::to_string(i), {{"zone", "z" + std::to_string(draw(5))}}, 1000 * (1 + draw(8)));
      if (draw(20) == 0) device.labels["gpu"] = "1";
      if (draw(10) == 0) {
        device.lifecycle = draw(4) == 0 ? static_cast<Lifecycle>(draw(6)) : Lifecycle::active;
        device.presence = static_cast<Presence>(draw(6));
      }
      device.health = draw(5) == 0 ? draw(100) / 100.0 : 1.0;
      device.link.round_trip_ms = draw(3) == 0 ? draw(400) : draw(20);
      fleet.seen(device);
      const auto cpu = tight ? device.about.capacity.cpu_millis - draw(600)
                             : draw(static_cast<int>(device.about.capacity.cpu_millis));
      fleet.reserve(device.id, {.need = {.cpu_millis = cpu, .memory_bytes = draw(1024) * mib}}, 1);
      if (draw(4) == 0) fleet.ran(device.id, "sha256:p" + std::to_string(draw(3)));
    }
  }

  JobSpec job() {
    JobSpec out{.requirements = {.cpu_millis = 100 * draw(20), .memory_bytes = draw(2) == 0 ? draw(900) * mib : 0}};
    if (draw(2) == 0) out.requirements.labels["zone"] = "z" + std::to_string(draw(6));
    if (draw(10) == 0) out.requirements.labels["gpu"] = "1";
    if (draw(3) == 0) out.package = "sha256:p" + std::to_string(draw(4));
    return out;
  }
  std::set<DeviceId> some() {
    std::set<DeviceId> out;
    for (int i = draw(4); i > 0; --i) out.insert(dev("d" + std::to_string(draw(300))));
    return out;
  }

  Fleet fleet;

 private:
  int draw(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random_); }
  std::mt19937 random_;
};

// It finds a device whenever there is one, and nearly always one as good as the best of all.
TEST(FleetTest, IndexesFindWhatAWalkFinds) {
  std::size_t cases = 0, as_good = 0;
  double worst = 1;
  for (unsigned seed = 1; seed <= 30; ++seed) {
    RandomFleet random(seed);
    for (int i = 0; i < 40; ++i) {
      const auto spec = random.job();
      const auto avoid = random.some();
      std::map<DeviceId, Exclusion> excluded;
      for (const auto& id : random.some()) excluded[id] = {};
      const DeviceId target;
      const std::map<DeviceId, int> taken;
      const Want want{spec, target, avoid, excluded, taken, 1, now};
      const auto walk = explain(want, random.fleet, {});
      const Overlay overlay(random.fleet);
      const Limits limits;
      const auto indexed = Choices(overlay, limits).best(want);
      ASSERT_EQ(indexed.has_value(), walk.chosen.has_value()) << "seed " << seed << " case " << i;
      if (!walk.chosen) continue;
      EXPECT_FALSE(unfit(want, random.fleet, indexed->number, limits)) << seed;
      Limits exact;
      exact.exact = true;
      EXPECT_EQ(Choices(overlay, exact).best(want)->score.score, walk.candidates[0].score) << seed;
      const auto share = indexed->score.score / walk.candidates[0].score;
      ++cases;
      as_good += share >= 0.98 ? 1 : 0;
      worst = std::min(worst, share);
    }
  }
  const auto percent = 100.0 * static_cast<double>(as_good) / static_cast<double>(cases);
  std::printf("of %zu placements %.1f %% score at least 0.98 of the best; the worst %.3f\n", cases, percent, worst);
  EXPECT_GE(percent, 95.0);
}

// After any changes the orders hold exactly the devices that are ready, where they are now.
TEST(FleetTest, IndexesFollowEveryChange) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    std::mt19937 random(seed);
    const auto draw = [&](int below) { return std::uniform_int_distribution<int>(0, below - 1)(random); };
    Fleet fleet;
    std::map<DeviceId, int> reserved;
    for (int i = 0; i < 500; ++i) {
      const auto id = dev("d" + std::to_string(draw(12)));
      const auto* view = fleet.find(id);
      switch (draw(5)) {
        case 0: {
          auto device = ready(id.value, {{"zone", "z" + std::to_string(draw(2))}}, 1000 * (1 + draw(4)));
          device.lifecycle = Lifecycle::active;
          device.presence = draw(3) == 0 ? Presence::suspect : Presence::online;
          fleet.seen(device);
          break;
        }
        case 1:
          fleet.reserve(id, {.need = {.cpu_millis = 100}}, 1);
          ++reserved[id];
          break;
        case 2:
          if (reserved[id] == 0) break;
          fleet.reserve(id, {.need = {.cpu_millis = 100}}, -1);
          --reserved[id];
          break;
        case 3: fleet.gone(id); break;
        default:
          if (view != nullptr) fleet.ran(id, "sha256:" + std::to_string(draw(100)));
      }
      std::map<std::string, std::size_t> per_zone;
      std::size_t listed = 0;
      std::int64_t most = 0;
      for (const auto& [name, number] : fleet.all()) {
        const auto& one = fleet.view(number);
        most = std::max(most, one.device.about.capacity.cpu_millis);
        ASSERT_EQ(one.used.attempts, reserved[name]) << seed << " " << i;
        if (!gets_work(one.device)) continue;
        ++listed;
        const auto zone = one.device.labels.empty() ? "" : one.device.labels.at("zone");
        ++per_zone[zone];
        const auto place = fleet.place_of(one.device, one.used);
        ASSERT_TRUE(fleet.ready({})->contains(place, number)) << seed << " " << i;
        ASSERT_TRUE(fleet.ready({{"zone", zone}})->contains(place, number)) << seed << " " << i;
      }
      ASSERT_EQ(fleet.ready({})->size(), listed) << seed << " " << i;
      for (const std::string zone : {"z0", "z1"}) {
        const auto* order = fleet.ready({{"zone", zone}});
        ASSERT_EQ(order == nullptr ? 0 : order->size(), per_zone[zone]) << seed << " " << i;
      }
      EXPECT_LE(fleet.largest().cpu_millis, most) << seed << " " << i;
    }
  }
}

TEST(FleetTest, ADeviceThatIsGoneLeavesNothing) {
  Fleet fleet;
  fleet.seen(ready("a", {{"zone", "x"}}));
  fleet.ran(dev("a"), "sha256:p");
  fleet.gone(dev("a"));
  EXPECT_EQ(fleet.size(), 0U);
  EXPECT_EQ(fleet.ready({{"zone", "x"}}), nullptr);
  EXPECT_EQ(fleet.largest(), Capacity{});
  fleet.seen(ready("b"));
  EXPECT_EQ(fleet.find(dev("b"))->packages, std::vector<std::string>{}) << "its number is used again, its past is not";
}

TEST(FleetTest, GoneWhileSomethingIsReservedGoesWithTheReservation) {
  Fleet fleet;
  fleet.seen(ready("a"));
  fleet.reserve(dev("a"), {.need = {.cpu_millis = 5}}, 1);
  fleet.gone(dev("a"));
  ASSERT_NE(fleet.find(dev("a")), nullptr);
  EXPECT_TRUE(fleet.ready({})->empty());
  fleet.reserve(dev("a"), {.need = {.cpu_millis = 5}}, -1);
  EXPECT_EQ(fleet.find(dev("a")), nullptr);
}

}  // namespace
}  // namespace fieldwork::scheduler
