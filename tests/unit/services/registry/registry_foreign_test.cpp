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
