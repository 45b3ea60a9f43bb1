// links: scheduler_core GTest::gtest_main
// Where a job goes, and why not elsewhere.
#include <gtest/gtest.h>

#include <functional>

#include "scheduler/core/plan/placement.hpp"

namespace fieldwork::scheduler {
namespace {

DeviceView view(const std::string& id) {
  return {.device = {.id = DeviceId(id),
                     .lifecycle = Lifecycle::active,
                     .presence = Presence::online,
                     .about = {.capacity = {4000, 4000, 4000}},
                     .labels = {{"zone", "x"}},
                     .link = {.round_trip_ms = 0}}};
}

const Time now = from_ms(1'000'000);

// A fleet in which each device is as its view says.
Fleet fleet_of(const std::vector<DeviceView>& views) {
  Fleet fleet;
  for (const auto& one : views) {
    fleet.seen(one.device);
    fleet.update(one.device.id, [&](DeviceView& change) { change = one; });
  }
  return fleet;
}

// What a job wants, with nothing behind it.
struct Wanted {
  JobSpec spec;
  DeviceId target;
  std::set<DeviceId> avoid;
  std::map<DeviceId, Exclusion> excluded;
  std::map<DeviceId, int> taken;
  std::uint64_t lane = 1;
  std::map<DeviceId, std::string> running{};  // names of jobs

  Placement on(const std::vector<DeviceView>& views, const Limits& limits = {}) const {
    Job job;
    job.spec = std::make_shared<JobSpec>(spec);
    read_expressions(job);
    auto fleet = fleet_of(views);
    for (const auto& [device, name] : running) fleet.reserve(device, {.need = {}, .name = name}, 1);
    const Want want{.spec = spec,
                    .target = target,
                    .avoid = avoid,
                    .excluded = excluded,
                    .taken = taken,
                    .lane = lane,
                    .now = now,
                    .where = job.where ? &*job.where : nullptr,
                    .affinity = &job.affinity};
    return describe(want, fleet, limits);
  }
};

Placement place_on(const JobSpec& job, const std::vector<DeviceView>& views, const Limits& limits = {}) {
  return Wanted{.spec = job}.on(views, limits);
}

struct FilterCase {
  const char* name;
  JobSpec job;
  std::function<void(DeviceView&)> change = [](DeviceView&) {};
  std::string requirement;  // empty: fits
  std::string reason;
};

TEST(Placement, EveryFilteredDeviceHasItsReason) {
  const FilterCase cases[] = {
      {.name = "fits", .job = {.requirements = {4000, 4000, 4000, {{"zone", "x"}}}}},
      {.name = "enrolling",
       .change = [](auto& v) { v.device.lifecycle = Lifecycle::enrolling; },
       .requirement = "lifecycle",
       .reason = "is enrolling"},
      {.name = "suspect",
       .change = [](auto& v) { v.device.presence = Presence::suspect; },
       .requirement = "presence",
       .reason = "is suspect"},
      {.name = "lost",
       .change = [](auto& v) { v.device.presence = Presence::lost; },
       .requirement = "presence",
       .reason = "is lost"},
      {.name = "refused",
       .change = [](auto& v) { v.device.lifecycle = Lifecycle::refused; },
       .requirement = "lifecycle",
       .reason = "is refused"},
      {.name = "label missing",
       .job = {.requirements = {.labels = {{"arm", "1"}}}},
       .requirement = "labels/arm",
       .reason = "has no such label, wanted 1"},
      {.name = "label other",
       .job = {.requirements = {.labels = {{"zone", "y"}}}},
       .requirement = "labels/zone",
       .reason = "is x, wanted y"},
      {.name = "target label",
       .job = {.targets = Targets{.labels = {{"zone", "y"}}}},
       .requirement = "labels/zone",
       .reason = "is x, wanted y"},
      {.name = "cpu",
       .job = {.requirements = {.cpu_millis = 1001}},
       .change = [](auto& v) { v.used.cpu_millis = 3000; },
       .requirement = "requirements/cpu_millis",
       .reason = "has 1000 free of 4000, wanted 1001"},
      {.name = "memory",
       .job = {.requirements = {.memory_bytes = 4001}},
       .requirement = "requirements/memory_bytes",
       .reason = "has 4000 free of 4000, wanted 4001"},
      {.name = "as many as operators let it have",
       .change = [](auto& v) { v.used.attempts = v.device.configuration.attempts_max.emplace(2); },
       .requirement = "attempts",
       .reason = "runs 2 already"},
      {.name = "disk",
       .job = {.requirements = {.storage_bytes = 1}},
       .change = [](auto& v) { v.used.storage_bytes = 4000; },
       .requirement = "requirements/storage_bytes",
       .reason = "has 0 free of 4000, wanted 1"},
      {.name = "attempts",
       .change = [](auto& v) { v.used.attempts = 256; },
       .requirement = "attempts",
       .reason = "runs 256 already"},
      {.name = "unplaceable",
       .change =
           [](auto& v) {
             v.unplaceable_until = now + milliseconds(1);
             v.unplaceable_reason = "refused 3 jobs";
           },
       .requirement = "placeable",
       .reason = "refused 3 jobs"},
      {.name = "unplaceable no more", .change = [](auto& v) { v.unplaceable_until = now; }},
  };
  for (const auto& c : cases) {
    auto one = view("a");
    c.change(one);
    const auto placement = place_on(c.job, {one});
    const bool fits = c.requirement.empty();
    EXPECT_EQ(placement.chosen.has_value(), fits) << c.name;
    EXPECT_EQ(placement.candidates_total, fits ? 1U : 0U) << c.name;
    ASSERT_EQ(placement.filtered.size(), fits ? 0U : 1U) << c.name;
    if (fits) continue;
    EXPECT_EQ(placement.filtered[0].device, DeviceId("a")) << c.name;
    EXPECT_EQ(placement.filtered[0].requirement, c.requirement) << c.name;
    EXPECT_EQ(placement.filtered[0].reason, c.reason) << c.name;
  }
}

struct MeasuredCase {
  Requirements need;
  std::function<void(Device&)> change = [](Device&) {};
  std::string requirement, reason;  // empty: fits
};

// At each bound, beyond it, and where nothing was measured.
TEST(Placement, WhatIsMeasuredMustMeetWhatIsRequired) {
  const MeasuredCase cases[] = {
      {{.latency_ms_max = 10}, [](auto& d) { d.link.round_trip_ms = 10; }, "", ""},
      {{.latency_ms_max = 10},
       [](auto& d) { d.link.round_trip_ms = 12.5; },
       "requirements/latency_ms_max",
       "the round trip is 12.5 ms, wanted at most 10 ms: 2.5 ms above"},
      {{.latency_ms_max = 10},
       [](auto& d) { d.link.round_trip_ms.reset(); },
       "requirements/latency_ms_max",
       "the round trip is not measured, wanted at most 10 ms"},
      {{.bandwidth_mbit_min = 2}, [](auto& d) { d.link.goodput_bit_per_s = 2'000'000; }, "", ""},
      {{.bandwidth_mbit_min = 2}, [](auto& d) { d.about.uplink.bit_per_s = 2'000'000; }, "", ""},
      {{.bandwidth_mbit_min = 2},
       [](auto& d) {
         d.about.uplink.bit_per_s = 100'000'000;
         d.link.goodput_bit_per_s = 800'000;
       },
       "requirements/bandwidth_mbit_min",
       "the link carries 0.8 Mbit/s, wanted at least 2 Mbit/s"},
      {{.bandwidth_mbit_min = 2},
       [](auto&) {},
       "requirements/bandwidth_mbit_min",
       "what the link carries is not known, wanted at least 2 Mbit/s"},
      {{.loss_max = 0.1}, [](auto& d) { d.link.loss = 0.1; }, "", ""},
      {{.loss_max = 0.1}, [](auto&) {}, "", ""},
      {{.loss_max = 0.1},
       [](auto& d) { d.link.loss = 0.25; },
       "requirements/loss_max",
       "the link loses 0.25 of the frames, wanted at most 0.1"},
      {{}, [](auto& d) { d.health = 0.3; }, "", ""},
      {{}, [](auto& d) { d.health = 0.29; }, "requirements/health_min", "is 0.29, wanted at least 0.3"},
      {{.health_min = 0}, [](auto& d) { d.health = 0; }, "", ""},
      {{.health_min = 0.9}, [](auto& d) { d.health = 0.8; }, "requirements/health_min", "is 0.8, wanted at least 0.9"},
      {{.sandbox_min = "rlimits"},
       [](auto& d) {
         d.about.sandbox = {"rlimits", "pid_namespace"};
       },
       "",
       ""},
      {{.sandbox_min = "pid_namespace"},
       [](auto& d) { d.about.sandbox = {"rlimits"}; },
       "requirements/sandbox_min",
       "its sandbox has no pid_namespace"},
  };
  for (const auto& one : cases) {
    auto device = view("a");
    one.change(device.device);
    const auto out = place_on({.requirements = one.need}, {device});
    EXPECT_EQ(out.chosen.has_value(), one.reason.empty()) << one.reason;
    if (one.reason.empty()) continue;
    ASSERT_EQ(out.filtered.size(), 1U) << one.reason;
    EXPECT_EQ(out.filtered[0].requirement, one.requirement);
    EXPECT_EQ(out.filtered[0].reason, one.reason);
  }
}

TEST(Placement, ADeviceThatTheExpressionLeavesOutSaysWhichTermsItMisses) {
  const auto out = place_on({.requirements = {.expression = "health > 1.5 and label.zone == y"}}, {view("a")});
  ASSERT_EQ(out.filtered.size(), 1U);
  EXPECT_EQ(out.filtered[0].requirement, "expression");
  EXPECT_EQ(out.filtered[0].reason, "health is 1, wanted health > 1.5; label.zone is x, wanted label.zone == y");
  EXPECT_TRUE(place_on({.requirements = {.expression = "label.zone == x or health > 2"}}, {view("a")}).chosen);
}

// Who is asked why sees all that a device misses, and first the device that misses least.
TEST(Placement, TheNearestDeviceMissesLeast) {
  auto full = view("z"), fuller = view("y"), other = view("x");
  full.used.cpu_millis = fuller.used.cpu_millis = other.used.cpu_millis = 4000;
  fuller.used.memory_bytes = 4000;
  other.device.labels["zone"] = "b";
  const Wanted wanted{.spec = {.requirements = {.cpu_millis = 1000, .memory_bytes = 1000, .labels = {{"zone", "x"}}}}};
  const auto fleet = fleet_of({other, fuller, full, view("free")});
  const Want want{wanted.spec, wanted.target, wanted.avoid, wanted.excluded, wanted.taken, wanted.lane, now};
  for (const auto& out : {explain(want, fleet, {}), describe(want, fleet, {})}) {
    ASSERT_EQ(out.filtered.size(), 3U);
    EXPECT_EQ(out.filtered[0].device, DeviceId("z"));
    EXPECT_EQ(out.filtered[0].reason, "has 0 free of 4000, wanted 1000");
    EXPECT_EQ(out.filtered[1].device, DeviceId("y"));
    EXPECT_EQ(out.filtered[1].requirement, "requirements/cpu_millis");
    EXPECT_EQ(out.filtered[1].reason,
              "has 0 free of 4000, wanted 1000; also requirements/memory_bytes has 0 free of 4000, wanted 1000");
    EXPECT_EQ(out.filtered[2].device, DeviceId("x"));
    EXPECT_EQ(out.filtered[2].requirement, "labels/zone");
    EXPECT_EQ(out.filtered_total, 3U);
  }
  EXPECT_EQ(explain(want, fleet, {}).reasons,
            (std::map<std::string, std::size_t>{
                {"requirements/cpu_millis", 3}, {"requirements/memory_bytes", 1}, {"labels/zone", 1}}));
}

TEST(Placement, PressureKeepsWorkAway) {
  using Names = std::vector<std::string>;
  struct Case {
    Names pressure;
    std::string package;
    Names packages;  // that the device has had
    std::string reason;
  };
  const Case cases[] = {
      {{"cpu"}, "", {}, "its use of cpu is over the threshold"},
      {{"memory", "network"}, "", {}, "its use of memory is over the threshold"},
      {{"storage"}, "p", {"p"}, "its use of storage is over the threshold"},
      {{"network"}, "p", {"q"}, "its use of network is over the threshold"},
      {{"network"}, "p", {"p"}, ""},
      {{"network"}, "", {}, ""},
      {{}, "p", {}, ""},
  };
  for (const auto& one : cases) {
    auto device = view("a");
    device.device.pressure = one.pressure;
    device.packages = one.packages;
    const auto placement = place_on({.package = one.package}, {device});
    EXPECT_EQ(placement.chosen.has_value(), one.reason.empty()) << one.reason;
    if (one.reason.empty()) continue;
    EXPECT_EQ(placement.filtered.at(0).requirement, "pressure");
    EXPECT_EQ(placement.filtered.at(0).reason, one.reason);
  }
}

// The scheduler tries again what waits when this says so.
TEST(Placement, ADeviceThatIsRelievedMayFit) {
  Fleet fleet;
  auto device = view("a").device;
  EXPECT_TRUE(fleet.seen(device));
  device.pressure = {"cpu", "memory"};
  EXPECT_FALSE(fleet.seen(device));
  device.pressure = {"memory"};
  EXPECT_TRUE(fleet.seen(device));
  EXPECT_FALSE(fleet.seen(device));
}

TEST(Placement, TakenByAnotherReplica) {
  const auto placement = Wanted{.taken = {{DeviceId("a"), 1}}}.on({view("a"), view("b")});
  EXPECT_EQ(placement.chosen, DeviceId("b"));
  ASSERT_EQ(placement.filtered.size(), 1U);
  EXPECT_EQ(placement.filtered[0].requirement, "replicas");
}

TEST(Placement, ExcludedByPolicyOrByItsRefusal) {
  const auto placement =
      Wanted{.excluded = {{DeviceId("a"), {true, "rule 7"}}, {DeviceId("b"), {false, "disk is full"}}}}.on(
          {view("a"), view("b"), view("c")});
  EXPECT_EQ(placement.chosen, DeviceId("c"));
  ASSERT_EQ(placement.filtered.size(), 2U);
  EXPECT_EQ(placement.filtered[0].requirement, "policy");
  EXPECT_EQ(placement.filtered[0].reason, "rule 7");
  EXPECT_EQ(placement.filtered[1].requirement, "refused");
  EXPECT_EQ(placement.filtered[1].reason, "disk is full");
}

TEST(Placement, HeldForAnotherOne) {
  auto fleet = fleet_of({view("a")});
  fleet.set_hold(*fleet.number_of(DeviceId("a")), Fleet::Hold{.lane = 1, .job = JobId("large")});
  for (const std::uint64_t lane : {1, 2}) {
    Wanted wanted{.lane = lane};
    const Want want{wanted.spec, wanted.target, wanted.avoid, wanted.excluded, wanted.taken, wanted.lane, now};
    const auto placement = describe(want, fleet, {});
    const bool own = lane == 1;
    EXPECT_EQ(placement.chosen.has_value(), own);
    if (own) continue;
    ASSERT_EQ(placement.filtered.size(), 1U);
    EXPECT_EQ(placement.filtered[0].requirement, "held");
    EXPECT_EQ(placement.filtered[0].reason, "is kept free for large, which waits longer");
  }
}

TEST(Placement, TargetIsTheOnlyCandidate) {
  const std::vector<DeviceView> there{view("a"), view("b")};
  EXPECT_EQ(Wanted{.target = DeviceId("b")}.on(there).chosen, DeviceId("b"));
  EXPECT_EQ(Wanted{.target = DeviceId("b")}.on(there).candidates_total, 1U);
  const auto unknown = Wanted{.target = DeviceId("c")}.on(there);
  EXPECT_FALSE(unknown.chosen);
  ASSERT_EQ(unknown.filtered.size(), 1U);
  EXPECT_EQ(unknown.filtered[0].requirement, "targets");
  EXPECT_EQ(unknown.filtered[0].reason, "is not known");
}

struct ScoreCase {
  const char* name;
  JobSpec job;
  std::function<void(DeviceView&)> change = [](DeviceView&) {};
  double fit = 0.5, health = 1, link = 1, locality = 1, spread = 1;
};

TEST(Placement, ScoreComponents) {
  const ScoreCase cases[] = {
      {.name = "nothing asked"},
      {.name = "one asked", .job = {.requirements = {.cpu_millis = 1000}}, .fit = 0.25},
      {.name = "mean", .job = {.requirements = {.cpu_millis = 1000, .memory_bytes = 2000}}, .fit = 0.375},
      {.name = "used counts",
       .job = {.requirements = {.cpu_millis = 1000}},
       .change = [](auto& v) { v.used.cpu_millis = 2000; },
       .fit = 0.75},
      {.name = "full", .job = {.requirements = {4000, 4000, 4000, {}}}, .fit = 1},
      {.name = "to spread, nothing asked", .job = {.placement = {.spread = true}}},
      {.name = "to spread, the fullest counts",
       .job = {.requirements = {.cpu_millis = 1000, .memory_bytes = 1000}, .placement = {.spread = true}},
       .change = [](auto& v) { v.used.memory_bytes = 2000; },
       .fit = 1 - (0.5 + 0.75 * 0.25)},
      {.name = "health", .change = [](auto& v) { v.device.health = 0.4; }, .health = 0.4},
      {.name = "unknown link", .change = [](auto& v) { v.device.link.round_trip_ms.reset(); }, .link = 0.5},
      {.name = "link", .change = [](auto& v) { v.device.link.round_trip_ms = 300; }, .link = 0.25},
      {.name = "not here before", .job = {.package = "sha256:p"}, .locality = 0},
      {.name = "here before",
       .job = {.package = "sha256:p"},
       .change =
           [](auto& v) {
             v.packages = {"sha256:o", "sha256:p"};
           }},
      {.name = "spread", .change = [](auto& v) { v.used.attempts = 64; }, .spread = 0.75},
  };
  for (const auto& c : cases) {
    auto one = view("a");
    c.change(one);
    const auto placement = place_on(c.job, {one});
    ASSERT_EQ(placement.candidates.size(), 1U) << c.name;
    const auto& got = placement.candidates[0];
    EXPECT_NEAR(got.fit, 0.35 * c.fit, 1e-12) << c.name;
    EXPECT_NEAR(got.health, 0.25 * c.health, 1e-12) << c.name;
    EXPECT_NEAR(got.link, 0.15 * c.link, 1e-12) << c.name;
    EXPECT_NEAR(got.locality, 0.15 * c.locality, 1e-12) << c.name;
    EXPECT_NEAR(got.spread, 0.10 * c.spread, 1e-12) << c.name;
    EXPECT_NEAR(got.score, 0.35 * c.fit + 0.25 * c.health + 0.15 * c.link + 0.15 * c.locality + 0.10 * c.spread, 1e-12)
        << c.name;
  }
}

// What the job asks of the link, and what it has to fetch first.
TEST(Placement, TheLinkCountsByWhatTheJobNeeds) {
  constexpr std::int64_t mega = 1'000'000;
  auto on = view("a");
  on.device.link = {.round_trip_ms = 0, .goodput_bit_per_s = 8 * mega, .loss = 0.01};
  struct Case {
    const char* name;
    JobSpec job;
    double link = 1, locality = 0;
  };
  const Case cases[] = {
      {"nothing to fetch", {}, 1, 1},
      {"fetched in a minute", {.package = "sha256:large"}, 0.5},
      {"fetched in a second", {.package = "sha256:small"}, 60.0 / 61},
      {"of unknown size", {.package = "sha256:unknown"}, 1},
      {"the version before is there", {.package = "sha256:next"}, 0.5, 0.5},
      {"half of what it has is asked", {.requirements = {.bandwidth_mbit_min = 4}}, 1, 1},
      {"just what it has", {.requirements = {.bandwidth_mbit_min = 8}}, 0.5, 1},
      {"loses half of what it may", {.requirements = {.loss_max = 0.02}}, 0.75, 1},
      {"no round trip", {.requirements = {.latency_ms_max = 10}}, 1, 1},
  };
  for (const auto& one : cases) {
    auto device = on;
    device.packages = {"sha256:before"};
    auto fleet = fleet_of({device});
    fleet.released("sha256:large", {60 * mega, "large"});
    fleet.released("sha256:small", {mega, "small"});
    fleet.released("sha256:before", {60 * mega, "app"});
    fleet.released("sha256:next", {60 * mega, "app"});
    const Wanted wanted{.spec = one.job};
    const Want want{wanted.spec, wanted.target, wanted.avoid, wanted.excluded, wanted.taken, wanted.lane, now};
    const auto got = describe(want, fleet, {}).candidates.at(0);
    EXPECT_NEAR(got.link, 0.15 * one.link, 1e-12) << one.name;
    EXPECT_NEAR(got.locality, 0.15 * one.locality, 1e-12) << one.name;
  }
  auto near = view("b"), far = view("a");
  near.device.link.round_trip_ms = 4;
  far.device.link.round_trip_ms = 8;
  const auto placed = place_on({.requirements = {.latency_ms_max = 8}}, {near, far});
  EXPECT_NEAR(placed.candidates.at(0).link, 0.15 / 1.04 * 0.75, 1e-12);
  EXPECT_NEAR(placed.candidates.at(1).link, 0.15 / 1.08 * 0.5, 1e-12);
}

struct OrderCase {
  const char* name;
  JobSpec job;
  std::function<void(DeviceView&)> better = [](DeviceView&) {};  // changes "z", which else comes last
};

TEST(Placement, BestFirst) {
  const JobSpec some{.requirements = {.cpu_millis = 500}};
  const OrderCase cases[] = {
      {.name = "fullest first", .job = some, .better = [](auto& v) { v.used.cpu_millis = 2000; }},
      {.name = "smallest that fits", .job = some, .better = [](auto& v) { v.device.about.capacity.cpu_millis = 500; }},
      {.name = "package there", .job = {.package = "sha256:p"}, .better = [](auto& v) { v.packages = {"sha256:p"}; }},
  };
  for (const auto& c : cases) {
    auto z = view("z");
    EXPECT_EQ(place_on(c.job, {view("a"), z}).chosen, DeviceId("a")) << c.name << ": equal scores go by name";
    c.better(z);
    const auto placement = place_on(c.job, {view("a"), z});
    EXPECT_EQ(placement.chosen, DeviceId("z")) << c.name;
    ASSERT_EQ(placement.candidates.size(), 2U) << c.name;
    EXPECT_GT(placement.candidates[0].score, placement.candidates[1].score) << c.name;
  }
}

// `z` is as the rule wants it, `a` comes first by name.
TEST(Placement, RulesOfTheJobChooseTheDevice) {
  const auto at = [](const std::string& id, std::int64_t used, const std::string& zone) {
    auto out = view(id);
    out.used.cpu_millis = used;
    out.device.labels["zone"] = zone;
    return out;
  };
  struct Case {
    const char* name;
    PlacementRules rules;
    DeviceView a, z;
    std::map<DeviceId, std::string> running{};
  };
  const DeviceId a("a"), z("z");
  const Case cases[] = {
      {"spread takes the emptiest", {.spread = true}, at("a", 3000, "x"), at("z", 100, "x")},
      {"wanted", {.affinity = {{.expression = "label.zone == y"}}}, at("a", 0, "x"), at("z", 0, "y")},
      {"not wanted", {.affinity = {{.expression = "label.zone == x", .weight = -1}}}, at("a", 0, "x"), at("z", 0, "y")},
      {"by their weights",
       {.affinity = {{.expression = "label.zone == x", .weight = 30}, {.expression = "label.zone == y", .weight = 40}}},
       at("a", 0, "x"),
       at("z", 0, "y")},
      {"near a job", {.affinity = {{.job = "camera"}}}, at("a", 0, "x"), at("z", 0, "x"), {{z, "camera"}}},
      {"far from a job", {.affinity = {{.job = "b", .weight = -1}}}, at("a", 0, "x"), at("z", 0, "x"), {{a, "b"}}},
      {"apart from a job", {.apart_from = {"camera"}}, at("a", 0, "x"), at("z", 0, "x"), {{a, "camera"}}},
  };
  for (const auto& c : cases) {
    const Wanted wanted{.spec = {.requirements = {.cpu_millis = 500}, .placement = c.rules}, .running = c.running};
    EXPECT_EQ(wanted.on({c.a, c.z}).chosen, z) << c.name;
  }
  const Wanted apart{.spec = {.placement = {.apart_from = {"camera"}}}, .running = {{a, "camera"}}};
  const auto none = apart.on({view("a")});
  ASSERT_EQ(none.filtered.size(), 1U);
  EXPECT_EQ(none.filtered[0].requirement, "placement/apart_from");
  EXPECT_EQ(none.filtered[0].reason, "runs job camera");
}

// The affinity is one part of the score: its weight, times what is met of the weights of all.
TEST(Placement, AffinityIsAPartOfTheScore) {
  const Wanted wanted{.spec = {.placement = {.affinity = {{.expression = "label.zone == x", .weight = 60},
                                                          {.expression = "label.zone == y", .weight = 20},
                                                          {.job = "camera", .weight = -20}}}},
                      .running = {{DeviceId("a"), "camera"}}};
  const auto got = wanted.on({view("a")}, {.weights = {.affinity = 0.5}}).candidates.at(0);
  EXPECT_NEAR(got.affinity, 0.5 * 40 / 100, 1e-12);
  EXPECT_NEAR(got.score, got.fit + got.health + got.link + got.locality + got.spread + got.affinity, 1e-12);
}

TEST(Placement, AvoidedOnlyWhenNoOtherFits) {
  auto best = view("a");
  auto worst = view("b");
  worst.device.health = 0.3;
  worst.device.link.round_trip_ms = 10'000;
  worst.used.attempts = 200;
  const JobSpec job{.package = "sha256:p"};
  const Wanted wanted{.spec = job, .avoid = {DeviceId("a")}};
  EXPECT_EQ(wanted.on({best, worst}).chosen, DeviceId("b"));
  EXPECT_EQ(wanted.on({best}).chosen, DeviceId("a"));
}

TEST(Placement, ExplainsAtMostSoMany) {
  std::vector<DeviceView> views;
  for (int i = 0; i < 40; ++i) {
    views.push_back(view("d" + std::to_string(i)));
    if (i % 2 == 0) views.back().device.presence = Presence::lost;
    views.back().device.health = i == 39 ? 1.0 : 0.5;
  }
  const auto placement = place_on({}, views, {.explained_max = 4});
  EXPECT_EQ(placement.chosen, DeviceId("d39")) << "the best is found however few are explained";
  EXPECT_EQ(placement.candidates.size(), 4U);
  EXPECT_EQ(placement.filtered.size(), 4U);
  EXPECT_EQ(placement.candidates_total, 20U);
  EXPECT_EQ(placement.filtered_total, 20U);
}

TEST(Placement, ExplainCountsEveryReasonAndNamesTheNearest) {
  std::vector<DeviceView> views;
  for (int i = 0; i < 40; ++i) {
    views.push_back(view("d" + std::to_string(100 + i)));
    if (i < 30) views.back().device.labels = {{"zone", "y"}};
    if (i == 39) views.back().used.cpu_millis = 4000;
    if (i >= 30 && i < 39) views.back().device.presence = Presence::lost;
  }
  const JobSpec job{.requirements = {.cpu_millis = 1, .labels = {{"zone", "x"}}}};
  const Wanted wanted{.spec = job};
  const Want want{wanted.spec, wanted.target, wanted.avoid, wanted.excluded, wanted.taken, wanted.lane, now};
  const auto why = explain(want, fleet_of(views), {.explained_max = 4});
  EXPECT_EQ(why.reasons,
            (std::map<std::string, std::size_t>{{"labels/zone", 30}, {"presence", 9}, {"requirements/cpu_millis", 1}}));
  ASSERT_EQ(why.filtered.size(), 4U);
  EXPECT_EQ(why.filtered[0].device, DeviceId("d139")) << "who lacks but a little room comes first";
  EXPECT_EQ(why.filtered[1].requirement, "presence");
  EXPECT_EQ(why.filtered_total, 40U);
}

}  // namespace
}  // namespace fieldwork::scheduler
