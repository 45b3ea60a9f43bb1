// links: registry_shell GTest::gtest_main
// What a device says of its own absence, and of its start.
#include <gtest/gtest.h>

#include "support/registry_core.hpp"

namespace fieldwork::registry {
namespace {

const Device& device_of(const Registry& registry) { return registry.find(edge)->device; }

Output beats(Registry& registry, double s, std::int64_t session = 3, std::int64_t number = 1) {
  return step(registry, HeartbeatArrived{edge, heartbeat(session, 0.2, number)}, at(s));
}

Registry heard() {
  auto registry = with(online);
  (void)beats(registry, 0);
  return registry;
}

TEST(Starting, EndsWithTheFirstHeartbeatOfTheSession) {
  auto registry = with(online);
  const auto out = step(registry, connects(4), at(1));
  EXPECT_EQ(events(out), "");
  EXPECT_EQ(state_of(registry), "active starting");
  EXPECT_FALSE(gets_work(device_of(registry)));
  ASSERT_EQ(out.states.size(), 1U);
  EXPECT_EQ(events(beats(registry, 2, 3)), "") << "of the session before";
  EXPECT_EQ(events(beats(registry, 3, 4)), "") << "it has not shown its key";
  (void)step(registry, shows_key(4), at(3));
  EXPECT_EQ(events(beats(registry, 3, 4)), "online");
  EXPECT_TRUE(gets_work(device_of(registry)));
  EXPECT_EQ(events(beats(registry, 4, 4, 2)), "");
}

TEST(Starting, IsJudgedToo) {
  auto registry = with(starting);
  EXPECT_EQ(pass(registry, 0.5, 14.5), "");
  EXPECT_EQ(pass(registry, 15, 100), "suspect lost");
}

TEST(Starting, ASessionIsSavedAsSoonAsItIsHeard) {
  for (const bool retained : {false, true}) {
    auto registry = with(starting);
    const auto out = step(registry, connects(4, retained), at(1));
    ASSERT_EQ(out.devices.size(), 1U) << "no restart may believe session 3 again";
    EXPECT_EQ(out.devices[0].device.session, 4);
    ASSERT_EQ(out.states.size(), 1U);
  }
}

TEST(Starting, IsNotTheLotOfWhoIsOnlineAlready) {
  auto before = heard();
  Registry after(Limits{}, {stored(*before.find(edge))}, at(5));
  EXPECT_EQ(events(step(after, connects(3), at(6))), "");
  EXPECT_EQ(state_of(after), "active online") << "it gets work meanwhile";
  (void)step(after, connects(4), at(7));
  EXPECT_EQ(state_of(after), "active starting");
}

struct StartCase {
  const char* name;
  std::string before, then;  // boot ids
  std::int64_t session;
  const char* event;
};

TEST(Boots, AreToldFromRestartsOfTheAgent) {
  const StartCase cases[] = {{"the machine booted", "b1", "b2", 4, "rebooted"},
                             {"the agent restarted", "b1", "b1", 4, "restarted"},
                             {"not known before", "", "b2", 4, ""},
                             {"not said", "b1", "", 4, ""},
                             {"the same session, another certificate", "b1", "b1", 3, ""}};
  for (const auto& one : cases) {
    auto saved = record(online);
    saved.boot_id = one.before;
    auto registry = with(stored(saved));
    auto start = enrolment(one.session, make_certificate("edge-1", 0, 1));
    start.boot_id = one.then;
    EXPECT_EQ(events(enrol(registry, start, at(1))), one.event) << one.name;
    EXPECT_EQ(registry.find(edge)->boot_id, one.then) << one.name;
  }
  Registry registry(Limits{}, {}, t0);
  auto first = enrolment(1, make_certificate("edge-1"));
  first.boot_id = "b1";
  EXPECT_EQ(events(enrol(registry, first, at(1))), "active") << "the first start is neither";
}

TEST(Sleeping, IsNotSilence) {
  auto registry = heard();
  const auto out = step(registry, sleeps(3, 120), at(10));
  EXPECT_EQ(out.events, (std::vector{DeviceEvent{edge, "sleeping", "it will be back in 120 s", ""}}));
  EXPECT_EQ(device_of(registry).back_ms, to_ms(at(130)));
  EXPECT_FALSE(gets_work(device_of(registry)));
  EXPECT_EQ(out.devices, std::vector{*registry.find(edge)});
  EXPECT_EQ(step(registry, will(3), at(11)), Output{}) << "its connection may end";
  EXPECT_EQ(pass(registry, 11, 144.5), "");
  EXPECT_EQ(pass(registry, 145, 174.5), "suspect");
  EXPECT_EQ(device_of(registry).back_ms, 0);
  EXPECT_EQ(pass(registry, 175, 300), "lost");
  EXPECT_EQ(events(beats(registry, 301)), "back");
}

TEST(Sleeping, EndsWhenItIsBack) {
  for (const bool connected : {false, true}) {
    auto registry = heard();
    (void)step(registry, sleeps(3, 120), at(10));
    const auto out = connected ? step(registry, connects(3), at(130)) : beats(registry, 130);
    EXPECT_EQ(events(out), "back");
    EXPECT_EQ(device_of(registry).back_ms, 0);
    EXPECT_EQ(device_of(registry).reason, "");
    EXPECT_EQ(pass(registry, 130.5, 144.5), "");
    EXPECT_EQ(pass(registry, 145, 146), "suspect") << "counted from when it came";
  }
}

TEST(Sleeping, CountsFromWhenItWasSaidFirst) {
  auto registry = heard();
  (void)step(registry, sleeps(3, 120), at(10));
  for (const bool retained : {false, true})
    EXPECT_EQ(step(registry, sleeps(3, 120, retained), at(60)), Output{}) << "said again";
  EXPECT_EQ(step(registry, sleeps(2, 5), at(61)), Output{}) << "by an old session";
  const auto earlier = step(registry, sleeps(3, 30), at(62));
  EXPECT_EQ(device_of(registry).back_ms, to_ms(at(92)));
  EXPECT_EQ(earlier.devices, std::vector{*registry.find(edge)});
  EXPECT_EQ(earlier.states, std::vector{device_of(registry)});
  EXPECT_EQ(pass(registry, 63, 106.5), "");
  EXPECT_EQ(pass(registry, 107, 108), "suspect");
}

TEST(Sleeping, GoesOnAfterARestartOfTheRegistry) {
  auto before = heard();
  (void)step(before, sleeps(3, 120), at(10));
  Registry after(Limits{}, {stored(*before.find(edge))}, at(50));
  (void)step(after, LinkBack{}, at(50));
  EXPECT_EQ(step(after, sleeps(3, 120, true), at(51)), Output{});
  EXPECT_EQ(pass(after, 51, 144.5), "");
  EXPECT_EQ(pass(after, 145, 146), "suspect");
}

// The broker keeps the presence, and does not say when it was said.
TEST(Sleeping, IsNotBegunAgainByTheBrokersCopy) {
  auto registry = heard();
  (void)step(registry, sleeps(3, 20), at(1));
  EXPECT_EQ(pass(registry, 1, 100), "suspect lost");
  (void)step(registry, LinkLost{}, at(100));
  (void)step(registry, LinkBack{}, at(101));
  EXPECT_EQ(step(registry, sleeps(3, 20, true), at(102)), Output{});
  EXPECT_EQ(state_of(registry), "active lost");
  EXPECT_EQ(events(step(registry, sleeps(3, 20), at(103))), "sleeping") << "it says so now";
  EXPECT_EQ(events(beats(registry, 104)), "back");
  EXPECT_EQ(events(step(registry, sleeps(3, 20, true), at(105))), "sleeping") << "said while nobody listened";
}

TEST(Goodbye, IsNeverFollowedByLost) {
  auto registry = heard();
  const auto out = step(registry, goodbye(3), at(1));
  EXPECT_EQ(events(out), "disconnected");
  EXPECT_EQ(device_of(registry).reason, "it said goodbye");
  EXPECT_FALSE(gets_work(device_of(registry)));
  EXPECT_EQ(step(registry, will(3), at(2)), Output{});
  EXPECT_EQ(step(registry, goodbye(3, true), at(3)), Output{});
  EXPECT_EQ(step(registry, sleeps(3, 60), at(3)), Output{}) << "it would have to connect first";
  EXPECT_EQ(pass(registry, 3, 7200), "");
  Registry after(Limits{}, {stored(*registry.find(edge))}, at(7200));
  (void)step(after, LinkBack{}, at(7200));
  EXPECT_EQ(pass(after, 7200, 14'400), "");
  EXPECT_EQ(state_of(after), "active disconnected");
  EXPECT_EQ(events(enrol(after, enrolment(4, make_certificate("edge-1")), at(14'401))), "");
  EXPECT_EQ(state_of(after), "active starting");
  EXPECT_EQ(events(beats(after, 14'402, 4)), "online");
}

TEST(Goodbye, OfAnotherSessionIsIgnored) {
  for (const std::int64_t session : {2, 4}) {
    auto registry = heard();
    EXPECT_EQ(step(registry, goodbye(session), at(1)), Output{}) << session;
    EXPECT_EQ(step(registry, sleeps(session, 60), at(1)), Output{}) << session;
  }
}

Registry large_fleet(int devices) {
  Limits limits;
  limits.beats_per_s_max = 10;
  std::vector<Record> saved;
  for (int i = 0; i < devices; ++i) {
    saved.push_back(record(online));
    saved.back().device.id = DeviceId("d" + std::to_string(i));
  }
  Registry registry(limits, saved, t0);
  (void)step(registry, LinkBack{}, at(0));
  return registry;
}

// `first`, and so many that are lost.
std::vector<Record> large(int others, const Record& first) {
  std::vector<Record> all{first};
  for (int i = 0; i < others; ++i) {
    all.push_back(record(lost));
    all.back().device.id = DeviceId("d" + std::to_string(i));
  }
  return all;
}

// 1,000 devices at three quarters of 10 beats per second: each beats every 134 s, 26.8 times the 5 s of a small fleet.
TEST(Interval, FollowsTheSizeOfTheFleet) {
  auto registry = large_fleet(999);
  EXPECT_EQ(pass(registry, 0.5, 401.5), "") << "stretched as the interval is, also where it was not told yet";
  EXPECT_EQ(pass(registry, 402, 402.5).find("suspect"), 0U);
  const auto told = enrol(registry, enrolment(4, make_certificate("edge-1")), at(403)).answers;
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].heartbeat_s, 134);
  const auto no = step(registry, EnrolmentArrived{DeviceId("bad"), enrolment(1, make_certificate("edge-1"))}, at(404));
  EXPECT_EQ(no.answers.at(0).heartbeat_s, 134) << "also to who is refused";
}

TEST(Interval, IsToldAnewToAFewAtATimeWhenTheFleetHasGrown) {
  auto registry = large_fleet(300);
  const auto told = [&](double s) { return step(registry, TimePassed{}, at(s)).answers; };
  EXPECT_EQ(told(1).size() + told(2).size() + told(3).size(), 300U) << "once after a start of the registry";
  for (int i = 0; i < 100; ++i)
    (void)step(registry, EnrolmentArrived{DeviceId("n" + std::to_string(i)), enrolment(1, make_certificate("edge-1"))},
               at(3));
  const auto first = told(4), second = told(5);
  EXPECT_EQ(first.size(), 200U);
  EXPECT_EQ(second.size(), 100U) << "those that are not enrolled hear it when they are";
  EXPECT_EQ(second[0].heartbeat_s, 54);
  EXPECT_TRUE(second[0].enrolled);
  EXPECT_EQ(second[0].session, 3);
  EXPECT_TRUE(told(6).empty());
}

// In a large fleet, what the process before told nobody knows.
TEST(Interval, IsToldOnceAfterAStartOfTheRegistry) {
  Registry registry(Limits{.beats_per_s_max = 1}, large(99, record(online)), t0);
  (void)step(registry, LinkBack{}, at(0));
  const auto told = step(registry, TimePassed{}, at(1)).answers;
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].heartbeat_s, 134);
  EXPECT_TRUE(step(registry, TimePassed{}, at(2)).answers.empty());
}

TEST(Interval, IsNotToldAgainAfterAStartOfTheRegistry) {
  Registry before(Limits{.beats_per_s_max = 1}, large(99, record(online)), t0);
  (void)step(before, LinkBack{}, at(0));
  const auto rows = step(before, TimePassed{}, at(1)).devices;
  ASSERT_EQ(rows.size(), 1U);
  Registry after(Limits{.beats_per_s_max = 1}, large(99, stored(rows[0])), at(2));
  (void)step(after, LinkBack{}, at(2));
  EXPECT_TRUE(step(after, TimePassed{}, at(3)).answers.empty());
  EXPECT_EQ(pass(after, 4, 403), "");
  EXPECT_EQ(pass(after, 404, 405).find("suspect"), 0U);
}

TEST(Interval, IsToldAgainToADeviceThatWasSilent) {
  auto registry = with(online);
  EXPECT_EQ(pass(registry, 0.5, 16), "suspect");
  const auto back = step(registry, HeartbeatArrived{edge, heartbeat(3, 0.2, 9)}, at(17)).answers;
  ASSERT_EQ(back.size(), 1U);
  EXPECT_EQ(back[0].heartbeat_s, 5);
  EXPECT_TRUE(back[0].enrolled);
  EXPECT_TRUE(step(registry, HeartbeatArrived{edge, heartbeat(3, 0.2, 10)}, at(22)).answers.empty());
}

TEST(Interval, OfAConfigurationCountsFromItsAnswer) {
  auto saved = record(online);
  Registry registry(Limits{.beats_per_s_max = 1}, large(99, saved), t0);
  (void)step(registry, LinkBack{}, at(0));
  (void)step(registry, TimePassed{}, at(0.5));
  (void)step(registry, configure({.set = {.heartbeat_s = 5}, .unset = {}}), at(1));
  (void)step(registry, configured(1), at(60));
  EXPECT_EQ(pass(registry, 60, 74.5), "");
  EXPECT_EQ(pass(registry, 75, 75.5), "suspect");
}

// A restored journal begins its numbers anew, in a session of the same number.
TEST(Beats, OfAJournalThatWentBackAreBelieved) {
  auto registry = with(online);
  const auto load = [&](std::int64_t beat, double value) {
    (void)step(registry, HeartbeatArrived{edge, heartbeat(3, value, beat)}, at(1));
    return device_of(registry).resources.cpu_load;
  };
  EXPECT_EQ(load(1000, 1), 1);
  EXPECT_EQ(load(990, 2), 1) << "it comes late";
  EXPECT_EQ(load(7, 3), 3);
  EXPECT_EQ(load(8, 4), 4);
}

// `enrolled` promises that the certificate of this session was checked.
TEST(Interval, IsToldOnlyToWhoIsEnrolledInItsSession) {
  for (const auto lifecycle : {Lifecycle::refused, Lifecycle::retired, Lifecycle::active}) {
    auto saved = record(Axes{lifecycle, Presence::online});
    if (lifecycle == Lifecycle::active) saved.device.session = saved.enrolled_session + 1;
    Registry registry(Limits{.beats_per_s_max = 1}, large(99, saved), t0);
    (void)step(registry, LinkBack{}, at(0));
    EXPECT_TRUE(step(registry, TimePassed{}, at(1)).answers.empty()) << name(lifecycle);
  }
}

TEST(Interval, OfADeviceThatHasItsOwnIsThat) {
  auto saved = record(online);
  saved.device.configuration = {.version = 1, .heartbeat_s = 1};
  saved.device.configured = 1;
  Registry registry(Limits{.beats_per_s_max = 10}, large(999, saved), t0);
  (void)step(registry, LinkBack{}, at(0));
  EXPECT_EQ(pass(registry, 0.5, 14.5), "");
  EXPECT_EQ(pass(registry, 15, 46), "suspect lost");
}

TEST(Interval, OfLongSettingsStretchesNothing) {
  Limits limits{
      .heartbeat = seconds{3600}, .suspect_after = std::chrono::hours{3}, .lost_after = std::chrono::hours{9}};
  Registry registry(limits, {record(online)}, t0);
  (void)step(registry, LinkBack{}, at(0));
  EXPECT_EQ(pass(registry, 1, 100), "");
}

}  // namespace
}  // namespace fieldwork::registry
