// links: registry_shell GTest::gtest_main
// Use thresholds: when a resource is under pressure, who hears it, and what is asked of the device.
#include <gtest/gtest.h>

#include <cmath>

#include "support/registry_core.hpp"

namespace fieldwork::registry {
namespace {

using std::chrono::minutes;

// A device with an uplink; its use of each resource is said in percent.
struct Pressed {
  Registry registry = make();
  std::int64_t beat = 0;
  std::int64_t configured = 0;

  static Registry make(Limits limits = {.pressed_after = {}, .relieved_after = {}}) {
    auto saved = record(online);
    saved.device.about.uplink.bit_per_s = 1'000'000;
    Registry registry(limits, {saved}, t0);
    (void)step(registry, LinkBack{}, t0);
    return registry;
  }
  Output use(double cpu, double memory, double storage, double network, Time now, std::int64_t prunable = 0) {
    auto one = heartbeat(3, 0.2, ++beat);
    const auto left = [](std::int64_t of, double percent) {
      return static_cast<std::int64_t>(std::llround(static_cast<double>(of) * (100 - percent) / 100));
    };
    one.resources.cpu_percent = cpu;
    one.resources.memory_available_bytes = left(capacity.memory_bytes, memory);
    one.resources.storage_available_bytes = left(capacity.storage_bytes, storage);
    one.resources.sent_bit_per_s = static_cast<std::int64_t>(network * 10'000);
    one.resources.prunable_bytes = prunable;
    return step(registry, HeartbeatArrived{edge, one}, now);
  }
  [[nodiscard]] const Device& device() const { return registry.find(edge)->device; }
};

TEST(Pressure, BeginsAboveTheThresholdAndEndsBelowTheHysteresis) {
  struct Case {
    const char* resource;
    double threshold;
    int place;
  };
  const Case cases[] = {{"cpu", 80, 0}, {"memory", 85, 1}, {"storage", 90, 2}, {"network", 70, 3}};
  for (const auto& one : cases) {
    Pressed pressed;
    double uses[] = {1, 1, 1, 1};
    int s = 0;
    const auto use = [&](double percent) {
      uses[one.place] = percent;
      return pressed.use(uses[0], uses[1], uses[2], uses[3], at(++s));
    };
    EXPECT_EQ(events(use(one.threshold)), "") << one.resource << " at it";
    const auto begins = use(one.threshold + 1);
    EXPECT_EQ(events(begins), "optimization") << one.resource;
    EXPECT_NE(begins.events.at(0).reason.find(one.resource), std::string::npos);
    ASSERT_EQ(begins.states.size(), 1U) << "others act on it, so it is said at once";
    EXPECT_EQ(begins.states[0].pressure, std::vector<std::string>{one.resource});
    EXPECT_EQ(begins.devices.size(), 1U)
        << "and saved: a restart does not forget on which side of the hysteresis it is";
    EXPECT_EQ(begins.reports.size(), 1U);
    EXPECT_EQ(events(use(one.threshold - 4)), "") << one.resource << " within the hysteresis";
    const auto ends = use(one.threshold - 6);
    EXPECT_EQ(events(ends), "relieved") << one.resource;
    EXPECT_EQ(ends.events.at(0).reason, one.resource);
    EXPECT_TRUE(ends.states.at(0).pressure.empty());
    EXPECT_EQ(events(use(one.threshold - 4)), "") << one.resource << " from below";
  }
}

TEST(Pressure, OnSeveralResourcesIsSaidOfEach) {
  Pressed pressed;
  EXPECT_EQ(events(pressed.use(99, 99, 1, 1, at(1))), "optimization optimization");
  EXPECT_EQ(pressed.device().pressure, (std::vector<std::string>{"cpu", "memory"}));
  EXPECT_EQ(events(pressed.use(1, 99, 1, 99, at(2))), "relieved optimization");
  EXPECT_EQ(pressed.device().pressure, (std::vector<std::string>{"memory", "network"}));
}

TEST(Pressure, ThresholdsAreSettings) {
  Limits limits{.pressed_after = {}, .relieved_after = {}};
  limits.thresholds = {.percent = {100, 100, 20, 100}, .hysteresis = 0};
  Pressed pressed;
  pressed.registry = Pressed::make(limits);
  EXPECT_EQ(events(pressed.use(99, 99, 20.5, 99, at(1))), "optimization");
  EXPECT_EQ(events(pressed.use(99, 99, 20, 99, at(2))), "relieved");
}

// What a part does about it lowers the use: that alone must not end it.
TEST(Pressure, EndsWhenTheUseHasBeenLowForAMinute) {
  Pressed pressed;
  pressed.registry = Pressed::make({.pressed_after = {}});
  EXPECT_EQ(events(pressed.use(1, 1, 1, 99, at(1))), "optimization");
  for (int s = 6; s <= 61; s += 5) EXPECT_EQ(events(pressed.use(1, 1, 1, 60, at(s))), "") << s;
  EXPECT_EQ(events(pressed.use(1, 1, 1, 99, at(62))), "") << "it rises again: the minute begins anew";
  for (int s = 67; s <= 122; s += 5) EXPECT_EQ(events(pressed.use(1, 1, 1, 60, at(s))), "") << s;
  EXPECT_EQ(events(pressed.use(1, 1, 1, 60, at(127))), "relieved");
}

TEST(Pressure, OfWhatJumpsBeginsWhenItLasts) {
  Pressed pressed;
  pressed.registry = Pressed::make(Limits{});
  EXPECT_EQ(events(pressed.use(99, 99, 99, 99, at(1))), "optimization optimization");
  EXPECT_EQ(pressed.device().pressure, (std::vector<std::string>{"memory", "storage"}));
  EXPECT_EQ(events(pressed.use(1, 99, 99, 99, at(26))), "");
  EXPECT_EQ(events(pressed.use(99, 99, 99, 99, at(31))), "optimization");
  EXPECT_EQ(pressed.device().pressure, (std::vector<std::string>{"memory", "storage", "network"}));
  EXPECT_EQ(events(pressed.use(99, 99, 99, 99, at(60))), "");
  EXPECT_EQ(events(pressed.use(99, 99, 99, 99, at(61))), "optimization") << "its half minute began anew";
}

TEST(Pressure, IsSwitchedOffBy100PercentAlsoWhereItIsOn) {
  Pressed pressed;
  (void)pressed.use(1, 1, 97, 1, at(1));
  const auto row = stored(*pressed.registry.find(edge));
  Limits limits{.relieved_after = {}};
  limits.thresholds.percent[static_cast<std::size_t>(Resource::storage)] = 100;
  pressed.registry = Registry(limits, {row}, at(2));
  EXPECT_EQ(events(pressed.use(1, 1, 97, 1, at(3))), "relieved");
}

TEST(Pressure, OfWhatJumpsIsMeasuredAnewAfterASilence) {
  Pressed pressed;
  pressed.registry = Pressed::make(Limits{});
  (void)pressed.use(99, 1, 1, 1, at(1));
  EXPECT_EQ(pass(pressed.registry, 2, 100), "suspect lost");
  EXPECT_EQ(events(pressed.use(99, 1, 1, 1, at(3600))), "back") << "one measurement";
}

TEST(Pressure, SurvivesARestart) {
  Pressed pressed;
  (void)pressed.use(1, 1, 91, 1, at(1));
  const auto row = stored(*pressed.registry.find(edge));
  EXPECT_EQ(row.device.pressure, std::vector<std::string>{"storage"});
  pressed.registry = Registry(Limits{}, {row}, at(2));
  EXPECT_EQ(events(pressed.use(1, 1, 87, 1, at(3))), "") << "still within the hysteresis";
  EXPECT_EQ(pressed.device().pressure, std::vector<std::string>{"storage"});
}

std::vector<std::int64_t> prunes(const Output& out) {
  std::vector<std::int64_t> some;
  for (const auto& one : all<SendConfiguration>(out)) some.push_back(one.configuration.prune);
  return some;
}

TEST(Pressure, OnStorageAsksTheDeviceToPruneUntilItFollowsAndNotTooOften) {
  Pressed pressed;
  EXPECT_EQ(prunes(pressed.use(1, 1, 95, 1, at(1))), std::vector<std::int64_t>{}) << "it has nothing to delete";
  EXPECT_EQ(prunes(pressed.use(1, 1, 95, 1, at(2), 4096)), std::vector<std::int64_t>{1});
  EXPECT_EQ(prunes(pressed.use(1, 1, 95, 1, at(3), 4096)), std::vector<std::int64_t>{});
  EXPECT_EQ(prunes(pressed.use(1, 1, 95, 1, at(4) + minutes(10), 4096)), std::vector<std::int64_t>{})
      << "it has not answered the first";
  (void)step(pressed.registry, ConfiguredArrived{edge, 1, ""}, at(5) + minutes(10));
  EXPECT_EQ(prunes(pressed.use(1, 1, 95, 1, at(6) + minutes(10), 4096)), std::vector<std::int64_t>{});
  EXPECT_EQ(prunes(pressed.use(1, 1, 95, 1, at(5) + minutes(20), 4096)), std::vector<std::int64_t>{2});
}

TEST(Prune, IsAskedOnceHoweverOftenItIsRequested) {
  auto registry = with(online);
  const auto asked = step(registry, request(Verb::prune), at(1));
  EXPECT_EQ(prunes(asked), std::vector<std::int64_t>{1});
  EXPECT_EQ(events(asked), "wanted");
  EXPECT_EQ(asked.events.at(0).reason, "prune");
  EXPECT_EQ(prunes(step(registry, request(Verb::prune), at(2))), std::vector<std::int64_t>{});
  (void)step(registry, ConfiguredArrived{edge, 1, ""}, at(3));
  EXPECT_EQ(prunes(step(registry, request(Verb::prune), at(4))), std::vector<std::int64_t>{2});
  auto gone = with(refused);
  const auto no = step(gone, request(Verb::prune), at(1));
  EXPECT_EQ(std::get<Error>(no.requests.at(0).answer).code, Code::conflict);
}

}  // namespace
}  // namespace fieldwork::registry
