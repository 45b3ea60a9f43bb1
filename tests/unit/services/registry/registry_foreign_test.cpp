// links: registry_shell GTest::gtest_main
// Two devices under one id: what a start says that has not shown the registered key, and what a restart keeps of it.
#include <gtest/gtest.h>

#include "registry/core/registry.hpp"
#include "support/registry_core.hpp"

namespace fieldwork::registry {
namespace {

PresenceArrived starts(std::int64_t session, std::int64_t boot) {
  return {edge, {.state = PresenceSaid::State::online, .session = session, .boot = boot}};
}

// Nobody is told that all is well because the registry was restarted.
TEST(Identity, IsSharedAfterARestartUntilItWasQuiet) {
  auto saved = record(online);
  saved.device.duplicated_since_ms = 9;
  Registry registry(Limits{}, {saved}, t0);
  (void)step(registry, LinkBack{}, at(0));
  EXPECT_EQ(pass(registry, 1, 14), "");
  std::string all;
  for (int s = 15; s <= 130; s += 5) {
    (void)step(registry, HeartbeatArrived{edge, heartbeat(3, 0.2, s)}, at(s));
    all += events(step(registry, TimePassed{}, at(s)));
    EXPECT_EQ(all, s < 120 ? "" : "single") << s;
  }
}

// A device with another key, which the broker lets in by its name, is not this device: its heartbeats count for
// nothing.
TEST(Foreign, AStartThatHasNotShownTheKeyGetsNoWork) {
  auto registry = with(online);
  (void)step(registry, connects(9), at(1));
  EXPECT_EQ(state_of(registry), "active starting");
  (void)step(registry, HeartbeatArrived{edge, heartbeat(9)}, at(2));
  EXPECT_EQ(state_of(registry), "active starting");
  EXPECT_EQ(events(step(registry, EnrolmentArrived{edge, enrolment(9, make_certificate("edge-1", 1))}, at(3))),
            "already_registered");
  (void)step(registry, HeartbeatArrived{edge, heartbeat(9)}, at(4));
  EXPECT_EQ(state_of(registry), "active starting");
  (void)step(registry, EnrolmentArrived{edge, enrolment(9, make_certificate("edge-1"))}, at(5));
  (void)step(registry, HeartbeatArrived{edge, heartbeat(9)}, at(6));
  EXPECT_EQ(state_of(registry), "active online") << "it was the device, started anew";
}

// Each minute, while a replaced device waits for its id.
TEST(Foreign, AClaimTouchesNoDeviceThatIsNotThere) {
  auto registry = with(lost);
  std::string all;
  for (int s = 0; s < 300; s += 60) {
    all += events(step(registry, starts(5, 7), at(s)));
    all += events(step(registry, EnrolmentArrived{edge, enrolment(5, make_certificate("edge-1", 1))}, at(s + 1)));
    for (int i = 2; i < 10; ++i) all += events(step(registry, TimePassed{}, at(s + i)));
  }
  EXPECT_EQ(all.find("lost"), std::string::npos) << all;
}

// The registry's row is older than the device's session: after a failover to a copy that lagged.
TEST(Foreign, ADeviceWhoseEnrolmentIsForgottenIsAskedToEnrol) {
  Registry registry(Limits{}, {record(online, 3)}, t0);
  (void)step(registry, LinkBack{}, at(0));
  const auto out = step(registry, HeartbeatArrived{edge, heartbeat(4)}, at(1));
  ASSERT_EQ(out.answers.size(), 1U);
  EXPECT_TRUE(out.answers[0].unknown);
  EXPECT_EQ(out.answers[0].session, 4);
  (void)step(registry, shows_key(4), at(2));
  (void)step(registry, HeartbeatArrived{edge, heartbeat(4)}, at(3));
  EXPECT_EQ(registry.find(edge)->device.session, 4);
}

TEST(Foreign, NorIsItBelievedAfterARestart) {
  auto before = with(online);
  const auto rows = step(before, starts(9, 7), at(1)).devices;
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].device.session, 9);
  Registry after(Limits{}, {stored(rows[0])}, at(2));
  (void)step(after, LinkBack{}, at(2));
  (void)step(after, HeartbeatArrived{edge, heartbeat(9)}, at(3));
  EXPECT_EQ(state_of(after), "active starting");
}

TEST(Foreign, AlsoWithTheSameSession) {
  auto registry = with(online);
  (void)step(registry, HeartbeatArrived{edge, heartbeat(3)}, at(0));
  (void)step(registry, starts(3, 7), at(1));
  (void)step(registry, EnrolmentArrived{edge, enrolment(3, make_certificate("edge-1", 1))}, at(2));
  EXPECT_EQ(state_of(registry), "active starting");
  const auto out = step(registry, HeartbeatArrived{edge, heartbeat(3, 0.2, 2)}, at(3));
  EXPECT_EQ(state_of(registry), "active starting");
  ASSERT_EQ(out.answers.size(), 1U) << "if it is the device after all, it enrols again";
  EXPECT_FALSE(out.answers[0].enrolled);
  (void)step(registry, starts(3, 8), at(4));
  EXPECT_EQ(state_of(registry), "active online") << "another start: the device is back";
}

}  // namespace
}  // namespace fieldwork::registry
