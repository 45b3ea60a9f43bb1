// links: agent_core GTest::gtest_main
#include "agent/core/round_trips.hpp"

#include <gtest/gtest.h>

namespace fieldwork::agent {
namespace {

constexpr Time t0{seconds{1'000'000}};
Time at(double s) { return t0 + Duration{static_cast<std::int64_t>(s * 1e6)}; }

// One echo that took `ms`, heard at `s`.
void trip(RoundTrips& trips, std::int64_t beat, double s, int ms) {
  trips.sent(beat, at(s) - milliseconds(ms));
  trips.heard(beat, Duration{}, at(s));
}

TEST(RoundTrips, AreNotKnownBeforeTheFirstEcho) {
  RoundTrips trips;
  EXPECT_EQ(trips.percentile_ms(t0), std::nullopt);
  trips.sent(1, t0);
  EXPECT_EQ(trips.percentile_ms(at(1)), std::nullopt);
  EXPECT_EQ(trips.shortest_ms(at(1)), std::nullopt);
}

TEST(RoundTrips, LeaveOutWhatTheRegistryHeld) {
  RoundTrips trips;
  trips.sent(1, t0);
  trips.heard(1, milliseconds(30), t0 + milliseconds(42));
  EXPECT_EQ(trips.percentile_ms(t0), 12.0);
  trips.sent(2, at(1));
  trips.heard(2, seconds(9), at(1) + milliseconds(1));  // more than it can have been
  EXPECT_EQ(trips.percentile_ms(at(1)), 12.0);
}

TEST(RoundTrips, OfAHundredTheNinetyFifth) {
  RoundTrips trips;
  for (int i = 1; i <= 60; ++i) trip(trips, i, i * 0.9, i);
  EXPECT_EQ(trips.shortest_ms(at(54)), 1.0);
  EXPECT_EQ(trips.percentile_ms(at(54)), 57.0);  // nearest rank of 60: ceil(57) is the 57th
}

TEST(RoundTrips, AnEchoCountsOnceAndOnlyForItsHeartbeat) {
  RoundTrips trips;
  trips.sent(1, t0);
  trips.heard(2, Duration{}, at(5));
  EXPECT_EQ(trips.percentile_ms(at(5)), std::nullopt);
  trips.heard(1, Duration{}, at(1));
  trips.heard(1, Duration{}, at(50));
  EXPECT_EQ(trips.percentile_ms(at(50)), 1000.0);
}

TEST(RoundTrips, WhatWasOnItsWayWhenTheConnectionEndedDoesNotCount) {
  RoundTrips trips;
  trips.sent(1, t0);
  trips.disconnected();
  trips.heard(1, Duration{}, at(30));
  EXPECT_EQ(trips.percentile_ms(at(30)), std::nullopt);
}

TEST(RoundTrips, AgeAfterAMinuteButFiveStayForTen) {
  RoundTrips trips;
  trip(trips, 1, 0, 900);
  for (int i = 2; i <= 6; ++i) trip(trips, i, i, 10);
  EXPECT_EQ(trips.percentile_ms(at(59)), 900.0);
  EXPECT_EQ(trips.percentile_ms(at(61)), 10.0);  // the first is over a minute old, and there are five newer ones
  EXPECT_EQ(trips.percentile_ms(at(600)), 10.0);
  EXPECT_EQ(trips.percentile_ms(at(607)), std::nullopt);
}

TEST(RoundTrips, AskAtMostEachFourSeconds) {
  RoundTrips trips;
  EXPECT_TRUE(trips.ask(t0));
  EXPECT_FALSE(trips.ask(at(3.9)));
  EXPECT_TRUE(trips.ask(at(4)));
}

}  // namespace
}  // namespace fieldwork::agent
