// links: registry_shell GTest::gtest_main
// What is wanted of a device: one document with a version, sent until the device follows it.
#include <gtest/gtest.h>

#include "model/limits.hpp"
#include "support/registry_core.hpp"

namespace fieldwork::registry {
namespace {

const Device& device_of(const Registry& registry) { return registry.find(edge)->device; }
std::vector<std::int64_t> versions(const Output& out) {
  std::vector<std::int64_t> some;
  for (const auto& one : all<SendConfiguration>(out)) some.push_back(one.configuration.version);
  return some;
}
std::size_t found(const Registry& registry, const char* expression) {
  return registry.list(*fleet::Expression::parse(expression), {}, SIZE_MAX).size();
}

// A device whose own labels are zone a and floor 1, and that follows `version`.
Registry following(std::int64_t version) {
  auto saved = record(online);
  saved.device.about.labels = saved.device.labels = {{"zone", "a"}, {"floor", "1"}};
  saved.device.configuration.version = saved.device.configured = version;
  return with(saved);
}

TEST(Configure, SetsAndUnsetsEachSetting) {
  struct Case {
    const char* field;
    Configuration set;
  };
  const Case cases[] = {{"heartbeat_s", {.heartbeat_s = 30}},  {"sample_s", {.sample_s = 9}},
                        {"attempts_max", {.attempts_max = 0}}, {"cache_bytes", {.cache_bytes = 1 << 20}},
                        {"log_level", {.log_level = "debug"}}, {"labels/rack", {.labels = {{"rack", "7"}}}}};
  auto all_set = following(0);
  Configuration whole;
  for (const auto& one : cases) {
    auto registry = following(4);
    const auto set = step(registry, configure({.set = one.set, .unset = {}}), at(1));
    auto wanted = one.set;
    wanted.version = 5;
    EXPECT_EQ(all<SendConfiguration>(set), (std::vector{SendConfiguration{edge, wanted}})) << one.field;
    EXPECT_EQ(device_of(registry).configuration, wanted) << one.field;
    EXPECT_EQ(set.devices, std::vector{*registry.find(edge)}) << one.field;
    const auto unset = step(registry, configure({.set = {}, .unset = {one.field}}), at(2));
    EXPECT_EQ(all<SendConfiguration>(unset), (std::vector{SendConfiguration{edge, {.version = 6}}})) << one.field;
    (void)step(all_set, configure({.set = one.set, .unset = {}}), at(1));
  }
  whole = {.version = 6,
           .heartbeat_s = 30,
           .sample_s = 9,
           .attempts_max = 0,
           .cache_bytes = 1 << 20,
           .log_level = "debug",
           .labels = {{"rack", "7"}}};
  EXPECT_EQ(device_of(all_set).configuration, whole) << "what is not named stays";
}

TEST(Configure, LeavesTheLifecycleToItsVerbs) {
  auto registry = following(1);
  const auto out =
      step(registry, configure({.set = {.version = 90, .lifecycle = Lifecycle::inactive}, .unset = {}}), at(1));
  EXPECT_EQ(out, (Output{.requests = {{1, device_of(registry)}}})) << "nothing changes";
  EXPECT_EQ(device_of(registry).configuration, (Configuration{.version = 1}));
}

TEST(Configure, ItsLabelsWinOverTheDevicesOwn) {
  auto registry = following(0);
  EXPECT_EQ(found(registry, R"(label.zone == "a")"), 1U);
  (void)step(registry, configure({.set = {.labels = {{"zone", "b"}, {"rack", "7"}}}, .unset = {}}), at(1));
  EXPECT_EQ(device_of(registry).labels, (Labels{{"zone", "b"}, {"floor", "1"}, {"rack", "7"}}));
  EXPECT_EQ(device_of(registry).about.labels, (Labels{{"zone", "a"}, {"floor", "1"}}));
  EXPECT_EQ(found(registry, R"(label.zone == "a")"), 0U);
  EXPECT_EQ(found(registry, R"(label.zone == "b" and label.rack == "7")"), 1U);

  auto moved = enrolment(4, make_certificate("edge-1"));
  moved.about.labels = {{"zone", "c"}};
  (void)enrol(registry, moved, at(2));
  EXPECT_EQ(device_of(registry).labels, (Labels{{"zone", "b"}, {"rack", "7"}})) << "also over what it says later";
  Registry after(Limits{}, {stored(*registry.find(edge))}, at(3));
  (void)step(after, configure({.set = {}, .unset = {"labels/zone"}}), at(4));
  EXPECT_EQ(device_of(after).labels, (Labels{{"zone", "c"}, {"rack", "7"}})) << "its own is there again";
  EXPECT_EQ(found(after, R"(label.zone == "c")"), 1U);
}

// A row with more could not be read again, and the registry could not start.
TEST(Configure, HasAsManyLabelsAsCanBeRead) {
  auto registry = following(0);
  Configuration first, second;
  for (int i = 0; i < 32; ++i) (i < 20 ? first : second).labels["l" + std::to_string(i)] = std::string(256, 'v');
  second.labels["l0"] = "w";  // no further one
  (void)step(registry, configure({.set = first, .unset = {}}), at(1));
  (void)step(registry, configure({.set = second, .unset = {}}), at(2));
  const auto full = *registry.find(edge);
  EXPECT_EQ(full.device.configuration.labels.size(), 32U);
  EXPECT_EQ(stored(full).device.configuration, full.device.configuration);
  const auto out = step(registry, configure({.set = {.labels = {{"more", ""}}}, .unset = {}}), at(3));
  ASSERT_EQ(out.requests.size(), 1U);
  EXPECT_EQ(out, (Output{.requests = out.requests}));
  EXPECT_EQ(std::get<Error>(out.requests[0].answer).path, "/set/labels");
  EXPECT_EQ(*registry.find(edge), full);
  (void)step(registry, configure({.set = {.labels = {{"more", ""}}}, .unset = {"labels/l1"}}), at(4));
  EXPECT_TRUE(device_of(registry).configuration.labels.contains("more")) << "where one is unset it has room";
}

TEST(Configure, OfADeviceThatIsNotEnrolledWaitsForIt) {
  const auto pem = make_certificate("edge-1");
  Registry registry(Limits{}, {}, t0);
  (void)step(registry, EnrolmentArrived{edge, enrolment(1, pem)}, at(0));
  EXPECT_EQ(versions(step(registry, configure({.set = {.sample_s = 2}, .unset = {}}), at(1))),
            std::vector<std::int64_t>{1});
  EXPECT_EQ(step(registry, configured(1), at(2)), Output{}) << "who it is, is not known";
  EXPECT_EQ(versions(step(registry, checked(pem), at(3))), std::vector<std::int64_t>{1});
  EXPECT_EQ(events(step(registry, configured(1), at(4))), "configured");
}

TEST(Followed, ClosesTheOutboxAndIsSaidOnce) {
  auto registry = following(0);
  (void)step(registry, configure({.set = {.sample_s = 2}, .unset = {}}), at(1));
  EXPECT_EQ(device_of(registry).configured, 0);
  const auto out = step(registry, configured(1), at(2));
  EXPECT_EQ(out.outbox, (std::vector<OutboxChange>{CloseConfiguration{edge}}));
  EXPECT_EQ(out.events, (std::vector{DeviceEvent{edge, "configured", "version 1", ""}}));
  EXPECT_EQ(out.devices, std::vector{*registry.find(edge)});
  EXPECT_EQ(device_of(registry).configured, 1);
  EXPECT_EQ(step(registry, configured(1), at(3)), Output{}) << "a repeat";
}

TEST(Followed, AnAnswerToAnEarlierVersionChangesNothing) {
  auto registry = following(0);
  for (int i = 1; i <= 3; ++i) (void)step(registry, configure({.set = {.sample_s = i}, .unset = {}}), at(i));
  for (const std::int64_t late : {1, 2, 0}) EXPECT_EQ(step(registry, configured(late), at(4)), Output{}) << late;
  EXPECT_EQ(events(step(registry, configured(3), at(5))), "configured");
  for (const std::int64_t late : {1, 2, 3}) EXPECT_EQ(step(registry, configured(late), at(6)), Output{}) << late;
  EXPECT_EQ(device_of(registry).configured, 3);
}

TEST(Followed, InPartIsSaidWithItsReason) {
  auto registry = following(0);
  (void)step(registry, request(Verb::drain), at(1));
  const auto out = step(registry, ConfiguredArrived{edge, 1, "the cache is read-only"}, at(2));
  EXPECT_EQ(out.events, (std::vector{DeviceEvent{edge, "misconfigured", "the cache is read-only", ""}}));
  EXPECT_EQ(device_of(registry).configured, 1) << "it is not asked for ever";
}

TEST(Followed, ByNobodyKnownOrTrustedIsIgnored) {
  Registry nobody(Limits{}, {}, t0);
  EXPECT_EQ(step(nobody, configured(1), at(1)), Output{});
  for (const auto lifecycle : {Lifecycle::enrolling, Lifecycle::refused, Lifecycle::retired}) {
    auto registry = with(Axes{lifecycle, Presence::online});
    EXPECT_EQ(step(registry, configured(1), at(1)), Output{}) << name(lifecycle);
  }
}

TEST(Versions, ADeviceThatLostItsConfigurationGetsItAgain) {
  auto registry = following(0);
  (void)step(registry, configure({.set = {.sample_s = 2}, .unset = {}}), at(1));
  (void)step(registry, configured(1), at(2));
  const auto out = enrol(registry, enrolment(4, make_certificate("edge-1")), at(3));  // says 0: its journal is new
  EXPECT_EQ(all<SendConfiguration>(out), (std::vector{SendConfiguration{edge, {.version = 1, .sample_s = 2}}}));
  EXPECT_EQ(device_of(registry).configured, 0);
  const auto followed = step(registry, configured(1), at(4));
  EXPECT_EQ(all<CloseConfiguration>(followed).size(), 1U);
  EXPECT_EQ(device_of(registry).configured, 1);
}

// A device ignores what is not newer than what it follows: what this registry wants must become so.
TEST(Versions, WhereTheDatabaseWentBackTheRegistryGoesAhead) {
  const Configuration wanted{.version = 10, .lifecycle = Lifecycle::active, .sample_s = 2};
  const auto went_back = [] {
    auto saved = record(online);
    saved.device.configuration = {.version = 3, .sample_s = 2};
    saved.device.configured = 3;
    return with(saved);
  };
  auto at_enrolment = went_back();
  auto newer = enrolment(4, make_certificate("edge-1"));
  newer.configured = 9;
  const auto enrolled = enrol(at_enrolment, newer, at(1));
  auto at_answer = went_back();
  const auto answered = step(at_answer, configured(9), at(1));
  for (const auto& [registry, out] : {std::pair{&at_enrolment, &enrolled}, std::pair{&at_answer, &answered}}) {
    EXPECT_EQ(all<SendConfiguration>(*out), (std::vector{SendConfiguration{edge, wanted}}));
    ASSERT_EQ(out->devices.size(), 1U) << "saved, so that a restart does not go back again";
    EXPECT_EQ(out->devices[0].device.configuration, wanted);
    EXPECT_EQ(out->devices[0].device.configured, 9);
    EXPECT_EQ(events(*out), "");
    EXPECT_EQ(step(*registry, configured(9), at(2)), Output{}) << "a repeat";
    EXPECT_EQ(events(step(*registry, configured(10), at(3))), "configured");
  }
}

TEST(Versions, OneThatNoRegistryCanHaveSentIsNotGoneBeyond) {
  for (const auto said : {limits::version_max + 1, limits::integer_max}) {
    auto registry = following(3);
    EXPECT_EQ(step(registry, configured(said), at(1)), Output{});
    auto newer = enrolment(4, make_certificate("edge-1"));
    newer.configured = said;
    (void)enrol(registry, newer, at(2));
    EXPECT_EQ(device_of(registry).configured, 0);
    EXPECT_EQ(device_of(registry).configuration.version, 3);
  }
  auto registry = following(3);
  EXPECT_EQ(versions(step(registry, configured(limits::version_max), at(1))), std::vector{limits::version_max + 1});
  EXPECT_EQ(events(step(registry, configured(limits::version_max + 1), at(2))), "configured") << "it was sent";
}

TEST(Versions, AnEnrolmentWithTheOneThatIsWantedClosesTheOutbox) {
  auto registry = following(3);
  (void)step(registry, configure({.set = {.sample_s = 2}, .unset = {}}), at(1));
  auto again = enrolment(4, make_certificate("edge-1"));
  again.configured = 4;
  const auto out = enrol(registry, again, at(2));
  EXPECT_TRUE(all<SendConfiguration>(out).empty());
  EXPECT_EQ(all<CloseConfiguration>(out).size(), 1U);
  EXPECT_EQ(device_of(registry).configured, 4);
}

}  // namespace
}  // namespace fieldwork::registry
