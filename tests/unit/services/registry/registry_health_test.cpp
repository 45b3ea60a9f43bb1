// links: registry_shell GTest::gtest_main
// Health over time, and silence: what counts against a device, for how long, and what does not.
#include <gtest/gtest.h>

#include <cmath>

#include "registry/core/health.hpp"
#include "registry/core/registry.hpp"
#include "registry/shell/rows.hpp"
#include "support/registry_core.hpp"

namespace fieldwork::registry {
namespace {

double health_of(const Registry& registry) { return registry.find(edge)->device.health; }

void beat(Registry& registry, double s, std::int64_t reconnects, std::int64_t session = 3) {
  auto one = heartbeat(session);
  one.link.reconnects = reconnects;
  (void)step(registry, HeartbeatArrived{edge, one}, at(s));
}

TEST(Health, IsTheProductOfItsFactorsEachWithAFloor) {
  struct Case {
    const char* name;
    Axes axes;
    Capacity capacity;
    Resources resources;
    Signs signs;
    double health;
  };
  const Resources fine{1, 500'000'000, 5'000'000'000, 1};
  const Case cases[] = {
      {"exactly enough", online, capacity, {6, 100'000'000, 500'000'000, 1}, {true, 0, 0}, 1},
      {"half of enough memory, no disk", online, capacity, {1, 50'000'000, 0, 1}, {true, 0, 0}, 0.7 * 0.4},
      {"half way to overload", online, capacity, {11, 500'000'000, 5'000'000'000, 1}, {true, 0, 0}, 0.75},
      {"any number of reconnects", online, capacity, fine, {true, 1000, 0}, 0.5},
      {"any number of missed beats", online, capacity, fine, {true, 0, 1000}, 0.5},
      {"all at once", online, capacity, {99, 0, 0, 1}, {true, 99, 99}, 0.5 * 0.4 * 0.4 * 0.5 * 0.5},
      {"no measurements, a shaky link", online, capacity, {99, 0, 0, 1}, {false, 2, 0}, 0.8},
      {"room of an unknown size", online, {4000, 0, 0}, {1, 0, 0, 1}, {true, 0, 0}, 1},
      {"suspect and unwell", suspect, capacity, {1, 0, 5'000'000'000, 1}, {true, 0, 0}, 0.4},
      {"refused", refused, capacity, fine, {true, 0, 0}, 0},
  };
  for (const auto& one : cases) {
    Device device;
    device.lifecycle = one.axes.lifecycle;
    device.presence = one.axes.presence;
    device.about.capacity = one.capacity;
    device.resources = one.resources;
    EXPECT_NEAR(health(device, one.signs), one.health, 1e-9) << one.name;
  }
}

TEST(Health, ReconnectsCountFromTheFirstMeasurementAndFade) {
  auto registry = with(online);
  beat(registry, 1, 7);
  EXPECT_EQ(health_of(registry), 1) << "when those were, nobody knows";
  beat(registry, 6, 10);
  EXPECT_NEAR(health_of(registry), 0.7, 1e-9);
  for (int s = 11; s <= 606; s += 5) beat(registry, s, 10);
  EXPECT_NEAR(health_of(registry), 1 - 0.3 / std::exp(1), 1e-6) << "ten minutes later";
  (void)step(registry, shows_key(4), at(611));
  beat(registry, 611, 0, 4);
  const double restarted = health_of(registry);
  EXPECT_GT(restarted, 0.88) << "an agent that starts counts from nothing";
  beat(registry, 616, 1, 4);
  EXPECT_NEAR(health_of(registry), restarted - 0.1, 0.01);
}

TEST(Health, ReconnectsThatARestartOfTheRegistryMissedCount) {
  auto before = with(online);
  beat(before, 1, 2);
  auto row = from_row(to_row(*before.find(edge)).to_json());
  ASSERT_TRUE(row.ok());
  Registry after(Limits{}, {*row}, at(60));
  beat(after, 61, 4);
  EXPECT_NEAR(health_of(after), 0.8, 1e-9);
}

// A heartbeat is late for many reasons; that one was lost, its successor's number says.
TEST(Health, MissedBeatsCountOnlyWhereTheyCouldHaveArrived) {
  struct Case {
    const char* name;
    std::vector<Input> between;
    std::int64_t session, number;
    double health;
  };
  const Case cases[] = {
      {"the next one", {}, 3, 11, 1},
      {"four were lost", {}, 3, 15, 0.8},
      {"any number was lost", {}, 3, 1000, 0.5},
      {"an earlier one comes late", {}, 3, 8, 1},
      {"the link was away", {LinkLost{}, LinkBack{}}, 3, 15, 1},
      {"the registry stood still", {Stalled{}}, 3, 15, 1},
      {"a new start of the agent", {connects(4), shows_key(4)}, 4, 5000, 1},
      {"it connected again", {connects(3)}, 3, 15, 0.8},
      {"what the broker kept", {connects(3, true)}, 3, 15, 0.8},
  };
  for (const auto& one : cases) {
    auto registry = with(online);
    (void)step(registry, HeartbeatArrived{edge, heartbeat(3, 0.2, 10)}, at(1));
    for (const auto& input : one.between) (void)step(registry, input, at(100));
    (void)step(registry, HeartbeatArrived{edge, heartbeat(one.session, 0.2, one.number)}, at(101));
    EXPECT_NEAR(health_of(registry), one.health, 1e-9) << one.name;
    const double before = health_of(registry);
    if (before < 0.6) continue;
    const auto next = std::max<std::int64_t>(one.number, 10) + 3;
    (void)step(registry, HeartbeatArrived{edge, heartbeat(one.session, 0.2, next)}, at(101));
    EXPECT_NEAR(health_of(registry), before - 0.1, 1e-9) << one.name << ": two lost after that";
  }
}

TEST(Silence, IsMeasuredFromTheLastSignOfLifeAlsoAfterAWill) {
  auto registry = with(online);
  beat(registry, 5, 0);
  const auto out = step(registry, will(3), at(10));
  ASSERT_EQ(out.states.size(), 1U);
  EXPECT_EQ(out.states[0].health, 0.5);
  EXPECT_EQ(pass(registry, 10.5, 49.5), "") << "suspect already";
  EXPECT_EQ(pass(registry, 50, 51), "lost");
  EXPECT_EQ(registry.find(edge)->device.reason, "silent for 45 s");
}

TEST(Silence, OfALostDeviceIsEndedByItsCurrentSessionOnly) {
  auto registry = with(lost);
  EXPECT_EQ(step(registry, HeartbeatArrived{edge, heartbeat(2)}, at(1)), Output{});
  EXPECT_EQ(step(registry, connects(2), at(1)), Output{});
  const auto out = step(registry, HeartbeatArrived{edge, heartbeat(3)}, at(2));
  EXPECT_EQ(events(out), "back");
  ASSERT_EQ(out.states.size(), 1U);
  EXPECT_EQ(out.states[0].health, 0.9) << "it was silent";
  EXPECT_EQ(out.states[0].resources, heartbeat(3).resources);
  EXPECT_EQ(pass(registry, 2.5, 16.5), "");
}

TEST(Silence, OfADeviceThatBeginsANewSessionBeginsAnew) {
  auto registry = with(online);
  beat(registry, 1, 0);
  (void)step(registry, shows_key(9), at(14));
  const auto out = step(registry, HeartbeatArrived{edge, heartbeat(9)}, at(14));
  ASSERT_EQ(out.devices.size(), 1U) << "saved, so that no restart believes the old session again";
  EXPECT_EQ(out.devices[0].device.session, 9);
  EXPECT_EQ(out.devices[0].enrolled_session, 3) << "its certificate is not checked yet";
  EXPECT_EQ(step(registry, HeartbeatArrived{edge, heartbeat(3)}, at(20)), Output{});
  EXPECT_EQ(pass(registry, 20, 28.5), "");
  EXPECT_EQ(pass(registry, 29, 30), "suspect");
}

}  // namespace
}  // namespace fieldwork::registry
