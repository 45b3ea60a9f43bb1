// links: content GTest::gtest_main
#include "content/pace.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "content/receiver.hpp"
#include "content/sender.hpp"

namespace fieldwork::content {
namespace {

using namespace std::chrono_literals;
using Time = Sender::Time;

// A TCP connection over a link, in virtual time: packets of 1,448 bytes that take 1,500 of the link, in order; one that
// is lost comes a round trip later, and those behind it wait for it.
struct Connection {
  double bit_per_s;
  Time delay;  // one way
  double loss = 0;
  std::mt19937 random{1};
  double free_at = 0, last = 0;  // us

  Time send(Time now, std::uint32_t bytes) {
    const double slot = 1500 * 8e6 / bit_per_s;
    for (double left = bytes / 1448.0; left > 0; left -= 1) {
      const double takes = std::min(left, 1.0) * slot;
      free_at = std::max(free_at, static_cast<double>(now.count())) + takes;
      double at = free_at + static_cast<double>(delay.count());
      while (std::uniform_real_distribution<>(0, 1)(random) < loss) {
        free_at += takes;
        at += 2.0 * static_cast<double>(delay.count()) + 10'000;
      }
      last = std::max(last, at);
    }
    return Time(static_cast<std::int64_t>(last));
  }
};

struct Outcome {
  double share = 0;  // of what the link carries without what it loses
  Time queue_max{};  // in front of the link, from the second half on
  std::uint64_t resent = 0;
  Strategy strategy;
};

// Sends what the link carries in `seconds`. In the middle the link becomes `later`, if that is given.
Outcome run(Connection link, double seconds, std::optional<double> later = {}) {
  const auto bytes_of = [&](double rate, double s) { return rate / 8 * s * 1448 / 1500 * (1 - link.loss); };
  const auto total =
      static_cast<std::uint64_t>(later ? bytes_of(link.bit_per_s, seconds / 2) + bytes_of(*later, seconds / 2)
                                       : bytes_of(link.bit_per_s, seconds));
  Sender sender({.encoded_bytes = total, .align = 4096});
  Receiver receiver({.encoded_bytes = total});
  Connection back = link;
  back.random.seed(2);
  std::multimap<Time, Piece> pieces;
  std::multimap<Time, Ranges> answers;
  Outcome out;
  Time now = 0s;
  for (; !sender.finished() && now < 1h;) {
    if (later && now > Time(static_cast<std::int64_t>(seconds * 5e5))) link.bit_per_s = *later;
    for (const auto& piece : sender.due(now)) pieces.emplace(link.send(now, piece.length + 150), piece);
    if (now > Time(static_cast<std::int64_t>(seconds * 6e5)))
      out.queue_max = std::max(out.queue_max, Time(static_cast<std::int64_t>(link.free_at)) - now);
    if (receiver.ack_due(now)) {
      answers.emplace(back.send(now, 250), receiver.ranges());
      receiver.ack_sent(now);
    }
    Time next = now + 1s;
    if (const auto due = sender.next_due()) next = std::min(next, std::max(*due, now + 1us));
    if (const auto due = receiver.next_due()) next = std::min(next, *due);
    if (!pieces.empty()) next = std::min(next, pieces.begin()->first);
    if (!answers.empty()) next = std::min(next, answers.begin()->first);
    now = std::max(now, next);
    for (; !pieces.empty() && pieces.begin()->first <= now; pieces.erase(pieces.begin()))
      EXPECT_TRUE(receiver.accept(pieces.begin()->second.offset, pieces.begin()->second.length).ok());
    for (; !answers.empty() && answers.begin()->first <= now; answers.erase(answers.begin()))
      sender.acknowledged(answers.begin()->second, now);
  }
  EXPECT_TRUE(receiver.complete());
  out.share = 1e6 * seconds / static_cast<double>(now.count());
  out.resent = sender.pieces().bytes_resent();
  out.strategy = sender.strategy();
  return out;
}

TEST(Pace, FillsTheLinkAndSendsNothingTwice) {
  const struct {
    Connection link;
    double seconds, share;
    Time queue_max;
  } table[] = {
      {{1e6, 100ms, 0}, 40, 0.92, 600ms},    {{1e6, 100ms, 0.02}, 40, 0.92, 1500ms},
      {{1e6, 100ms, 0.1}, 40, 0.88, 2000ms}, {{1e6, 100ms, 0.2}, 40, 0.8, 2000ms},
      {{256e3, 300ms, 0}, 60, 0.9, 1500ms},  {{10e6, 10ms, 0}, 20, 0.95, 500ms},
      {{10e6, 10ms, 0.02}, 20, 0.9, 500ms},  {{1e9, 500us, 0}, 2, 0.85, 100ms},
  };
  for (const auto& [link, seconds, share, queue_max] : table) {
    const auto out = run(link, seconds);
    const auto which = std::to_string(link.bit_per_s) + " loss " + std::to_string(link.loss);
    EXPECT_GE(out.share, share) << which;
    EXPECT_LE(out.queue_max, queue_max) << which;
    EXPECT_EQ(out.resent, 0U) << which;
  }
}

TEST(Pace, FollowsALinkThatChanges) {
  EXPECT_GE(run({1e6, 50ms, 0}, 60, 4e6).share, 0.85);
  const auto slower = run({4e6, 50ms, 0}, 60, 0.5e6);
  EXPECT_GE(slower.share, 0.85);
  EXPECT_EQ(slower.resent, 0U);
}

TEST(Pace, KeepsAFixedWindow) {
  const auto pace = fixed_pace(1000);
  pace->silent();
  EXPECT_EQ(pace->window_bytes(), 1000U);
  EXPECT_EQ(pace->bytes_per_s(), std::nullopt);
}

TEST(WindowedMax, ForgetsWhatIsOld) {
  WindowedMax max;
  max.add(5, 1s, 2s, 0, 1);
  max.add(3, 2s, 2s, 1, 1);
  EXPECT_EQ(max.value(), 5);
  max.add(1, 3500ms, 2s, 1, 1);
  EXPECT_EQ(max.value(), 5) << "no round has passed";
  max.add(1, 3500ms, 2s, 2, 1);
  EXPECT_EQ(max.value(), 3);
  max.add(4, 3600ms, 2s, 2, 1);
  EXPECT_EQ(max.value(), 4);
}

}  // namespace
}  // namespace fieldwork::content
