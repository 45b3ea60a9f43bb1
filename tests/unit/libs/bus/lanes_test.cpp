// links: bus GTest::gtest_main
// The two lanes against links of many kinds, with time as a number.
#include "bus/lanes.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

namespace fieldwork::bus {
namespace {

using Seconds = std::chrono::duration<double>;

Lanes::Clock::time_point at(double s) {
  return Lanes::Clock::time_point(std::chrono::duration_cast<Lanes::Clock::duration>(Seconds(s)));
}

Message bulk(std::size_t bytes) { return {.topic = "b", .payload = std::string(bytes, 'x'), .lane = Lane::bulk}; }
Message control() { return {.topic = "c", .payload = "x"}; }

// A link that sends one after the other at a rate; the acknowledgement comes a round trip after the last byte.
struct Link {
  double rate, round_trip;
  double free_at = 0;
  std::multimap<double, Lanes::Ticket> acks{};
  void send(double now, const Lanes::Sending& sending) {
    free_at = std::max(free_at, now) + static_cast<double>(packet_bytes(sending.message)) / rate;
    acks.emplace(free_at + round_trip, sending.ticket);
  }
};

// Bulk without end for `length_s`, control once a second: how much of the link was used, how long control waited.
struct Seen {
  double used = 0, longest_wait = 0;
};
Seen drive(Link link, std::size_t frame, double length_s) {
  Lanes lanes({});
  double now = 0, sent = 0, next_control = 0.5;
  Seen seen;
  std::map<Lanes::Ticket, double> controls;
  while (now < length_s) {
    while (lanes.backlog(Lane::bulk) < (8U << 20)) EXPECT_TRUE(lanes.put(bulk(frame)).ok());
    if (now >= next_control) {
      EXPECT_TRUE(lanes.put(control()).ok());
      next_control += 1;
    }
    while (auto sending = lanes.next(at(now))) {
      if (sending->message.lane == Lane::control && now > length_s / 2) {
        seen.longest_wait = std::max(seen.longest_wait, link.free_at - now);
      }
      link.send(now, *sending);
    }
    const auto next = link.acks.begin();
    if (next_control < next->first) {
      now = next_control;
      continue;
    }
    now = next->first;
    const auto done = lanes.done(next->second, true, at(now));
    if (done && done->message.lane == Lane::bulk && now > length_s / 2) sent += static_cast<double>(frame);
    link.acks.erase(next);
  }
  seen.used = sent / (length_s / 2) / link.rate;
  return seen;
}

TEST(Lanes, FillTheLinkAndLeaveRoomForControl) {
  struct Case {
    const char* name;
    double rate, round_trip;
    std::size_t frame;
  };
  const Case cases[] = {
      {"256 kbit/s, 600 ms", 32e3, 0.6, 8 << 10},   {"256 kbit/s, 50 ms", 32e3, 0.05, 16 << 10},
      {"1 Mbit/s, 200 ms", 125e3, 0.2, 16 << 10},   {"10 Mbit/s, 20 ms", 1.25e6, 0.02, 64 << 10},
      {"10 Mbit/s, 600 ms", 1.25e6, 0.6, 64 << 10}, {"20 Mbit/s, 100 ms", 2.5e6, 0.1, 64 << 10},
  };
  for (const auto& c : cases) {
    const auto seen = drive({c.rate, c.round_trip}, c.frame, 120);
    EXPECT_GT(seen.used, 0.75) << c.name;
    EXPECT_LT(seen.longest_wait, 0.75 + 2 * static_cast<double>(c.frame) / c.rate) << c.name;
  }
}

TEST(Lanes, ControlGoesFirstAndOrderIsKeptWithinALane) {
  Lanes lanes({.window = 100});
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(lanes.put({.topic = "b" + std::to_string(i), .payload = "x", .lane = Lane::bulk}).ok());
    EXPECT_TRUE(lanes.put({.topic = "c" + std::to_string(i), .payload = "x"}).ok());
  }
  std::vector<std::string> order;
  while (auto sending = lanes.next(at(0))) order.push_back(sending->message.topic);
  EXPECT_EQ(order, (std::vector<std::string>{"c0", "c1", "c2", "b0", "b1", "b2"}));
}

TEST(Lanes, OfHeartbeatsOneIsInFlightAndTheNewestWaits) {
  Lanes lanes({.window = 100});
  const auto beat = [&](const char* payload) {
    EXPECT_TRUE(lanes.put({.topic = "h", .payload = payload, .qos = 0, .lane = Lane::newest}).ok());
  };
  EXPECT_TRUE(lanes.put(bulk(10)).ok());
  beat("1");
  beat("2");
  EXPECT_TRUE(lanes.put(control()).ok());
  EXPECT_EQ(lanes.next(at(0))->message.topic, "c");
  const auto first = lanes.next(at(0));
  EXPECT_EQ(first->message.payload, "2");
  EXPECT_EQ(first->message.qos, 1);
  EXPECT_EQ(lanes.next(at(0))->message.lane, Lane::bulk);
  beat("3");
  beat("44");
  EXPECT_FALSE(lanes.next(at(1))) << "the one before has not arrived";
  EXPECT_EQ(lanes.backlog(Lane::newest), 2 * packet_bytes(first->message) + 1) << "one in flight, one that waits";
  EXPECT_TRUE(lanes.done(first->ticket, true, at(2)));
  EXPECT_EQ(lanes.next(at(2))->message.payload, "44");
  beat("5");
  lanes.lost();
  EXPECT_FALSE(lanes.next(at(3))) << "what was is no news after a break";
  EXPECT_EQ(lanes.backlog(Lane::newest), 0U);
}

TEST(Lanes, BulkLeavesOneOfTheWindowToControl) {
  Lanes lanes({.window = 100});
  lanes.limit_window(3);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(lanes.put({.topic = "b", .payload = "x", .lane = Lane::bulk}).ok());
  int sent = 0;
  while (lanes.next(at(0))) ++sent;
  EXPECT_EQ(sent, 2);
  EXPECT_TRUE(lanes.put(control()).ok());
  const auto next = lanes.next(at(0));
  ASSERT_TRUE(next);
  EXPECT_EQ(next->message.topic, "c");
}

TEST(Lanes, ALargeMessageGoesAlone) {
  Lanes lanes({});
  EXPECT_TRUE(lanes.put(bulk(1'000'000)).ok());
  EXPECT_TRUE(lanes.put(bulk(10)).ok());
  const auto first = lanes.next(at(0));
  ASSERT_TRUE(first);
  EXPECT_FALSE(lanes.next(at(0)));
  EXPECT_TRUE(lanes.done(first->ticket, true, at(30)));
  EXPECT_TRUE(lanes.next(at(30)));
}

// What a repeater goes by: nothing is repeated while the first copy has not left.
TEST(Lanes, BacklogIsWhatTheBrokerHasNotAcknowledged) {
  Lanes lanes({});
  const auto one = bulk(1000);
  const auto size = packet_bytes(one);
  EXPECT_TRUE(lanes.put(one).ok());
  EXPECT_TRUE(lanes.put(one).ok());
  EXPECT_EQ(lanes.backlog(Lane::bulk), 2 * size);
  EXPECT_EQ(lanes.backlog(Lane::control), 0U);
  const auto first = lanes.next(at(0));
  EXPECT_EQ(first->message.qos, 1) << "bulk is acknowledged, whatever was asked for";
  EXPECT_EQ(lanes.backlog(Lane::bulk), 2 * size) << "on its way";
  EXPECT_TRUE(lanes.done(first->ticket, true, at(1)));
  EXPECT_FALSE(lanes.done(first->ticket + (1U << 20), true, at(1)));
  EXPECT_EQ(lanes.backlog(Lane::bulk), size);
  const auto second = lanes.next(at(1));
  lanes.lost();
  EXPECT_EQ(lanes.backlog(Lane::bulk), 0U) << "lost with the connection";
  EXPECT_FALSE(lanes.done(second->ticket, true, at(2))) << "a late word from the connection before";
  EXPECT_TRUE(lanes.idle());
}

}  // namespace
}  // namespace fieldwork::bus
