// links: registry_shell GTest::gtest_main
// The health report: components with their weights and reasons, availability, and what it recommends.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "registry/core/advice.hpp"
#include "registry/core/health.hpp"
#include "support/registry_core.hpp"

namespace fieldwork::registry {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

// 4 cores, 1 GB, 10 GB, 10 Mbit/s: half of each is free.
Device half_used() {
  Device out;
  out.id = edge;
  out.lifecycle = Lifecycle::active;
  out.presence = Presence::online;
  out.about.capacity = {4000, 1'000'000'000, 10'000'000'000};
  out.about.uplink.bit_per_s = 10'000'000;
  out.measured = true;
  out.resources = {.cpu_load = 2,
                   .memory_available_bytes = 500'000'000,
                   .storage_available_bytes = 5'000'000'000,
                   .uptime_s = 1,
                   .cpu_percent = 50,
                   .received_bit_per_s = 5'000'000,
                   .sent_bit_per_s = 1'000'000};
  return out;
}

Device used(std::int64_t memory_free, std::int64_t storage_free) {
  auto out = half_used();
  out.resources.memory_available_bytes = memory_free;
  out.resources.storage_available_bytes = storage_free;
  return out;
}

const HealthComponent& of(const HealthReport& report, Component component) {
  return report.components.at(1 + static_cast<std::size_t>(component));  // behind `presence`
}

TEST(Report, NamesEachComponentWithItsReason) {
  struct Case {
    Component component;
    Device device;
    Signs signs;
    double value;
    const char* reason;
  };
  auto busy = half_used(), loaded = half_used(), lossy = half_used();
  busy.resources.sent_bit_per_s = 9'000'000;
  loaded.resources.cpu_load = 11;
  lossy.link.loss = 0.275;
  const Case cases[] = {
      {Component::beats, half_used(), {.measured = true, .missed = 2.2}, 0.89, "2 heartbeats missed lately"},
      {Component::cpu, loaded, {.measured = true}, 0.75, "load 11.0 on 4 cores"},
      {Component::memory, used(50'000'000, 5e9), {.measured = true}, 0.7, "47.68 MiB of memory free"},
      {Component::storage, used(5e8, 250'000'000), {.measured = true}, 0.7, "238.42 MiB of storage free"},
      {Component::network, busy, {.measured = true}, 0.8, "90 % of its uplink used"},
      {Component::executions,
       half_used(),
       {.measured = true, .succeeded = 4, .failed = 2},
       0.875,
       "2 executions failed lately"},
      {Component::link, half_used(), {.measured = true, .reconnects = 1}, 0.9, "1 reconnect lately"},
      {Component::link, lossy, {.measured = true}, 0.75, "27.5 % of frames lost"},
      {Component::flaps, half_used(), {.measured = true, .flaps = 3}, 0.7, "3 returns from a silence lately"},
  };
  for (const auto& one : cases) {
    const auto made = report(one.device, one.signs);
    EXPECT_NEAR(of(made, one.component).value, one.value, 1e-9) << one.reason;
    EXPECT_EQ(of(made, one.component).reason, one.reason);
    EXPECT_NEAR(made.score, one.value, 1e-9) << one.reason << ": the others are 1";
    for (const auto& other : made.components) {
      if (other.name != of(made, one.component).name) {
        EXPECT_EQ(other.reason, "") << other.name;
      }
    }
  }
}

TEST(Report, WeightsAreExponents) {
  const auto device = used(50'000'000, 250'000'000);  // 0.7 and 0.7
  const Signs signs{.measured = true};
  auto weights = equal_weights;
  EXPECT_NEAR(report(device, signs, weights).score, 0.49, 1e-9);
  weights[static_cast<std::size_t>(Component::memory)] = 0;
  EXPECT_NEAR(report(device, signs, weights).score, 0.7, 1e-9);
  weights[static_cast<std::size_t>(Component::storage)] = 2;
  EXPECT_NEAR(report(device, signs, weights).score, 0.49, 1e-9);
  EXPECT_EQ(of(report(device, signs, weights), Component::storage).weight, 2);
}

TEST(Report, SaysWhatIsAvailable) {
  const auto made = report(used(200'000'000, 5e9), {.measured = true});
  EXPECT_NEAR(*made.use_percent[0], 50, 1e-9);
  EXPECT_NEAR(*made.use_percent[1], 80, 1e-9);
  EXPECT_NEAR(*made.use_percent[3], 50, 1e-9);
  EXPECT_NEAR(made.available[1], 0.2, 1e-9);
  EXPECT_NEAR(made.availability, 0.2, 1e-9) << "the least";
  auto away = half_used();
  for (const auto presence : {Presence::lost, Presence::disconnected}) {
    away.presence = presence;
    EXPECT_EQ(report(away, {.measured = true}).availability, 0) << name(presence);
  }
  auto unmeasured = half_used();
  unmeasured.measured = false;
  EXPECT_EQ(report(unmeasured, {}).availability, 1);
  EXPECT_FALSE(report(unmeasured, {}).use_percent[1]);
}

TEST(Report, RecommendsWhatTheWorstComponentsAskFor) {
  auto device = used(5e8, 300'000'000);
  device.attempts = 3;
  device.resources.prunable_bytes = std::int64_t{4} << 30;
  device.pressure = {"storage"};
  const auto made = report(device, {.measured = true, .flaps = 4, .failed = 8}).recommendations;
  ASSERT_EQ(made.size(), 3U);
  EXPECT_EQ(made[0].text, "storage 97 %: pruning frees 4 GiB of cached packages");
  EXPECT_EQ(made[0].command, "fieldwork device prune edge-1");
  EXPECT_EQ(made[1].about, "executions") << "0.6 comes before 0.6 of a later component";
  EXPECT_EQ(made[2].command, "fieldwork device drain edge-1");
  device.resources.prunable_bytes = 0;
  EXPECT_EQ(report(device, {.measured = true}).recommendations.at(0).command, "") << "there is nothing to prune";
  device.pressure = {"memory"};
  device.resources.memory_available_bytes = 0;
  const auto memory = report(device, {.measured = true}).recommendations;
  EXPECT_EQ(memory.at(0).command, "fieldwork device set edge-1 attempts_max=2");
  EXPECT_EQ(std::count_if(memory.begin(), memory.end(), [](const auto& one) { return one.about == "memory"; }), 1);
  device.presence = Presence::lost;
  device.reason = "silent for 45 s";
  EXPECT_EQ(report(device, {.measured = true}).recommendations.at(0).text,
            "it is lost, silent for 45 s: check its power and link");
}

// Whatever else is so: one sign that worsens never makes the score better.
TEST(Report, TheScoreNeverRisesWhenASignWorsens) {
  std::mt19937 random(7);
  const auto chance = [&](double most) { return std::uniform_real_distribution<double>(0, most)(random); };
  for (int i = 0; i < 2'000; ++i) {
    auto device = used(static_cast<std::int64_t>(chance(1e9)), static_cast<std::int64_t>(chance(1e10)));
    device.resources.cpu_load = chance(20);
    device.resources.received_bit_per_s = static_cast<std::int64_t>(chance(1e7));
    device.link.loss = chance(1);
    const Signs signs{true, chance(8), chance(8), chance(8), chance(8), chance(8)};
    Values weights;
    for (auto& weight : weights) weight = chance(3);
    const double before = health(device, signs, weights);
    const auto not_better = [&](const Device& worse, const Signs& worse_signs, const char* what) {
      EXPECT_LE(health(worse, worse_signs, weights), before + 1e-12) << what << " " << i;
    };
    auto d = device;
    d.resources.memory_available_bytes /= 2;
    not_better(d, signs, "memory");
    d = device;
    d.resources.storage_available_bytes /= 2;
    not_better(d, signs, "storage");
    d = device;
    d.resources.cpu_load += 1;
    not_better(d, signs, "cpu");
    d = device;
    *d.resources.received_bit_per_s += 1'000'000;
    not_better(d, signs, "network");
    d = device;
    d.link.loss = std::min(1.0, *device.link.loss + 0.1);
    not_better(d, signs, "loss");
    for (auto sign : {&Signs::reconnects, &Signs::missed, &Signs::flaps, &Signs::failed}) {
      auto s = signs;
      s.*sign += 1;
      not_better(device, s, "a sign");
    }
    auto s = signs;
    s.succeeded /= 2;
    not_better(device, s, "fewer successes");
    d = device;
    d.presence = Presence::suspect;
    not_better(d, signs, "suspect");
  }
}

TEST(Report, ExecutionsCountOnceEachAndFade) {
  auto registry = with(online);
  // The component after a heartbeat that says these outcomes.
  const auto value = [&](std::int64_t session, std::int64_t beat, Outcomes outcomes, Time now) {
    auto one = heartbeat(session, 0.2, beat);
    one.outcomes = outcomes;
    (void)step(registry, HeartbeatArrived{edge, one}, now);
    return of(*registry.report(edge, now), Component::executions).value;
  };
  EXPECT_NEAR(value(3, 1, {0, 6}, at(1)), 1 - 0.5 * 6 / 8, 1e-9);
  EXPECT_NEAR(value(3, 2, {0, 6}, at(1)), 1 - 0.5 * 6 / 8, 1e-9) << "the same six";
  EXPECT_NEAR(value(3, 1, {0, 5}, at(1)), 1 - 0.5 * 6 / 8, 1e-9) << "a late one says less";
  (void)step(registry, shows_key(4), at(1));
  EXPECT_NEAR(value(4, 1, {3, 1}, at(1)), 1 - 0.5 * 7 / 12, 1e-9) << "an agent that started counts from nothing";
  const double e = std::exp(-1);
  EXPECT_NEAR(value(4, 2, {3, 1}, at(1) + hours(6)), 1 - 0.5 * 7 * e / (10 * e + 2), 1e-9);
}

TEST(Report, IsPublishedWhenItSaysSomethingNew) {
  auto registry = with(online);
  const auto beat = [&](double load, Time now, std::int64_t number) {
    return step(registry, HeartbeatArrived{edge, heartbeat(3, load, number)}, now).reports.size();
  };
  std::int64_t number = 1;
  EXPECT_EQ(step(registry, TimePassed{}, at(0.5)).reports.size(), 1U) << "after the link came back, at a pace";
  EXPECT_EQ(beat(0.2, at(1), number++), 1U) << "its first measurements";
  EXPECT_EQ(beat(0.2, at(1.5), number++), 0U) << "as good as then";
  EXPECT_EQ(beat(99, at(2), number++), 1U);
  EXPECT_EQ(beat(98, at(3), number++), 0U);
  EXPECT_EQ(beat(0.2, at(4), number++), 1U);
  EXPECT_EQ(beat(0.2, at(5) + minutes(5), number++), 1U) << "and every five minutes";
  EXPECT_EQ(step(registry, will(3), at(7) + minutes(5)).reports.size(), 1U);
  (void)step(registry, LinkBack{}, at(8) + minutes(5));
  EXPECT_EQ(step(registry, TimePassed{}, at(9) + minutes(5)).reports.size(), 1U);
  EXPECT_FALSE(registry.report(DeviceId("nobody"), at(1)));
}

}  // namespace
}  // namespace fieldwork::registry
