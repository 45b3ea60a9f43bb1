// links: content GTest::gtest_main
#include "content/sender.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "content/receiver.hpp"

namespace fieldwork::content {
namespace {

using namespace std::chrono_literals;
using Time = Sender::Time;

Ranges ranges(const std::vector<Range>& pairs) { return Ranges::parse(pairs, ~0ULL).value(); }

// Sends `count` pieces of at most `length` bytes.
std::vector<Piece> send(Pieces& pieces, int count, std::uint32_t length, Time now) {
  std::vector<Piece> out;
  for (int i = 0; i < count; ++i) {
    const auto piece = pieces.next(length);
    if (!piece) break;
    pieces.sent(*piece, now, false);
    out.push_back(*piece);
  }
  return out;
}

TEST(Pieces, AreCutAtMultiplesBetweenWhatIsThere) {
  Pieces pieces(1000, 16, ranges({{0, 160}, {320, 992}}));
  EXPECT_EQ(send(pieces, 10, 100, 0s), (std::vector<Piece>{{160, 96}, {256, 64}, {992, 8}}));
  EXPECT_EQ(pieces.in_flight_bytes(), 168U);
  Pieces odd(100, 10, ranges({{0, 15}, {18, 90}}));  // as a receiver with other chunks might say
  EXPECT_EQ(send(odd, 10, 25, 0s), (std::vector<Piece>{{10, 10}, {90, 10}}));
  EXPECT_TRUE(Pieces(0, 1, {}).finished());
  EXPECT_TRUE(Pieces(100, 1, ranges({{0, 500}})).finished());
  EXPECT_EQ(Pieces(100, 1, ranges({{0, 500}})).acked().covered_bytes(), 100U);
}

TEST(Pieces, AreLostOnlyWhenALaterOneHasArrived) {
  Pieces pieces(1000, 10, {});
  send(pieces, 4, 10, 0ms);  // 0, 10, 20, 30
  auto answer = pieces.acknowledged(ranges({{0, 10}, {20, 30}}), 100ms, 0ms);
  EXPECT_EQ(answer.bytes, 20U);
  EXPECT_EQ(answer.lost_bytes, 10U);
  EXPECT_EQ(answer.round_trip_shortest, Time(100ms));
  EXPECT_EQ(pieces.in_flight_bytes(), 10U);
  EXPECT_EQ(send(pieces, 1, 10, 110ms), (std::vector<Piece>{{10, 10}}));  // lost bytes go first
  EXPECT_EQ(pieces.bytes_resent(), 10U);
  answer = pieces.acknowledged(ranges({{0, 40}}), 120ms, 0ms);
  EXPECT_EQ(answer.lost_bytes, 0U);
  EXPECT_EQ(answer.round_trip_shortest, Time(120ms));  // of the one that was sent once (Karn)
}

TEST(Pieces, MayBeSentAgainInAnotherSize) {
  Pieces pieces(1000, 10, {});
  send(pieces, 2, 40, 0ms);
  (void)pieces.acknowledged(ranges({{40, 80}}), 1ms, 0ms);
  EXPECT_EQ(send(pieces, 4, 20, 2ms), (std::vector<Piece>{{0, 20}, {20, 20}, {80, 20}, {100, 20}}));
  EXPECT_EQ(pieces.bytes_resent(), 40U);
}

TEST(Pieces, CountHowOftenOneWasSent) {
  Pieces pieces(1000, 10, {});
  EXPECT_EQ(pieces.tries_most(), 0U);
  send(pieces, 3, 10, 0ms);
  EXPECT_EQ(pieces.tries_most(), 1U);
  (void)pieces.acknowledged(ranges({{20, 30}}), 1ms, 0ms);  // 0 and 10 are lost
  send(pieces, 3, 10, 2ms);                                 // 0, 10, and 30 for the first time
  EXPECT_EQ(pieces.tries_most(), 2U);
  (void)pieces.acknowledged(ranges({{10, 40}}), 3ms, 0ms);  // 0 again
  send(pieces, 2, 10, 4ms);
  EXPECT_EQ(pieces.tries_most(), 3U);
  EXPECT_EQ(pieces.probe(5ms), (Piece{0, 10}));
  EXPECT_EQ(pieces.tries_most(), 4U);
  pieces.lose_all();
  send(pieces, 2, 10, 6ms);
  EXPECT_EQ(pieces.tries_most(), 5U);
  EXPECT_EQ(pieces.pieces_sent(), 11U);
  EXPECT_EQ(pieces.pieces_resent(), 6U);
}

TEST(Pieces, ThatWereSentTwiceShowNothingWhileTheAnswerMayBeToTheFirst) {
  Pieces pieces(1000, 10, {});
  send(pieces, 3, 10, 0ms);
  EXPECT_EQ(pieces.probe(1s), (Piece{0, 10}));
  auto answer = pieces.acknowledged(ranges({{0, 10}}), 1010ms, 50ms);
  EXPECT_EQ(answer.bytes, 10U);
  EXPECT_EQ(answer.lost_bytes, 0U);
  EXPECT_EQ(pieces.probe(2s), (Piece{10, 10}));
  answer = pieces.acknowledged(ranges({{0, 20}}), 2050ms, 50ms);
  EXPECT_EQ(answer.lost_bytes, 10U);
}

TEST(Pieces, MeasureWhatIsDelivered) {
  Pieces pieces(10'000, 10, {});
  send(pieces, 10, 100, 0ms);
  auto answer = pieces.acknowledged(ranges({{0, 500}}), 100ms, 0ms);
  EXPECT_DOUBLE_EQ(answer.bytes_per_s, 5000);
  send(pieces, 1, 100, 100ms);
  answer = pieces.acknowledged(ranges({{0, 1000}}), 200ms, 0ms);
  EXPECT_DOUBLE_EQ(answer.bytes_per_s, 5000);
  answer = pieces.acknowledged(ranges({{0, 1100}}), 300ms, 0ms);
  EXPECT_DOUBLE_EQ(answer.bytes_per_s, 3000);  // 600 bytes since the delivery before it was sent
  EXPECT_EQ(answer.delivered_before, 500U);
}

TEST(Sender, AsksAfterSilenceAndIsSuspendedAfterItsRetries) {
  const struct {
    PriorityClass priority;
    std::vector<double> waits;
  } table[] = {{PriorityClass::high, {1.5, 2.25, 3.375, 5.0625, 7.59375}},
               {PriorityClass::normal, {2, 4, 8}},
               {PriorityClass::low, {2, 4}}};
  for (const auto& [priority, waits] : table) {
    Sender sender({.encoded_bytes = 1'000'000, .retry = retry_of(priority), .seed = 7});
    Time now = 0s;
    EXPECT_EQ(sender.due(now).size(), 4U);
    for (std::size_t n = 0; n < waits.size(); ++n) {
      const Time wait(static_cast<std::int64_t>(1e6 * waits[n]));
      ASSERT_GE(*sender.next_due() - now, wait);
      ASSERT_LE(*sender.next_due() - now, wait * 5 / 4);
      EXPECT_TRUE(sender.due(*sender.next_due() - 1us).empty());
      now = *sender.next_due();
      ASSERT_EQ(sender.due(now).size(), 1U);  // one piece, however many are on their way
      EXPECT_EQ(sender.attempt(), static_cast<int>(n) + 1);
    }
    EXPECT_TRUE(sender.due(*sender.next_due()).empty());
    EXPECT_TRUE(sender.suspended());
    EXPECT_EQ(sender.next_due(), std::nullopt);
    EXPECT_TRUE(sender.due(now + 1h).empty());
    sender.acknowledged(ranges({{0, 16'384}}), now + 1h);
    EXPECT_FALSE(sender.suspended());
    EXPECT_EQ(sender.attempt(), 0);
    EXPECT_FALSE(sender.due(now + 1h).empty());
    EXPECT_EQ(sender.pieces().acked().covered_bytes(), 16'384U);  // nothing was forgotten
  }
}

TEST(Sender, KnowsNoTimeWithoutALinkAndGoesOnAtOnceWithIt) {
  Sender sender({.encoded_bytes = 1'000'000});
  EXPECT_EQ(sender.due(0s).size(), 4U);
  sender.link(false, 1s);
  EXPECT_EQ(sender.next_due(), std::nullopt);
  EXPECT_TRUE(sender.due(1h).empty());
  EXPECT_EQ(sender.attempt(), 0);
  sender.link(true, 1h);
  EXPECT_LE(*sender.next_due(), Time(1h));
  EXPECT_EQ(sender.due(1h).front(), (Piece{0, 16'384}));  // what was on its way is gone
}

TEST(Sender, AnswersThatNameNothingNewDoNotPutOffTheProbe) {
  Sender sender({.encoded_bytes = 1'000'000});
  (void)sender.due(0s);
  for (Time now = 0s; now < 2s; now += 100ms) sender.acknowledged({}, now);
  EXPECT_LE(*sender.next_due(), Time(2500ms));
}

TEST(Sender, KeepsToItsLimit) {
  Sender sender({.encoded_bytes = 10'000'000});
  sender.limit(100'000);
  std::uint64_t sent = 0;
  for (Time now = 0s; now <= 10s; now += 1ms) {
    for (const auto& piece : sender.due(now)) sent += piece.length;
    if (now.count() % 20'000 == 0 && sent > 0) sender.acknowledged(ranges({{0, sent}}), now);
  }
  EXPECT_LE(sent, 1'100'000U);
  EXPECT_GE(sent, 900'000U);
}

/// A network in which all may happen to what is sent.
struct Faults {
  double loss = 0, twice = 0;
  Time shortest = 1ms, longest = 1ms;
};

/// Runs one transfer, with a restart of either side now and then; returns the virtual time it took.
Time transfer(unsigned seed, const Faults& faults, double restart) {
  std::mt19937 random(seed);
  const auto chance = [&](double p) { return std::uniform_real_distribution<>(0, 1)(random) < p; };
  const SenderConfig sending{
      .encoded_bytes = 300'000 + seed, .align = 512, .retry = {.retries = 1'000'000, .factor = 1.0001}, .seed = seed};
  const ReceiverConfig receiving{.encoded_bytes = sending.encoded_bytes};
  Sender sender(sending);
  Receiver receiver(receiving);
  std::multimap<Time, Piece> pieces;
  std::multimap<Time, Ranges> answers;
  Time now = 0s;
  const auto post = [&](auto& way, const auto& what) {
    const auto delay = [&] {
      return Time(std::uniform_int_distribution<>(static_cast<int>(faults.shortest.count()),
                                                  static_cast<int>(faults.longest.count()))(random));
    };
    if (!chance(faults.loss)) way.emplace(now + delay(), what);
    if (chance(faults.twice)) way.emplace(now + delay(), what);
  };
  for (int step = 0; !sender.finished(); ++step) {
    if (step > 200'000 || now > 24h) {
      ADD_FAILURE() << "no end, seed " << seed;
      return now;
    }
    for (const Piece& piece : sender.due(now)) {
      EXPECT_LE(piece.length, 256 * 1024U);
      EXPECT_EQ(piece.offset % sending.align, 0U);
      EXPECT_LE(piece.offset + piece.length, sending.encoded_bytes);
      post(pieces, piece);
    }
    EXPECT_LE(sender.pieces().in_flight_bytes(), sending.pace.window_max);
    if (receiver.ack_due(now)) {
      post(answers, receiver.ranges());
      receiver.ack_sent(now);
    }
    if (chance(restart)) receiver = Receiver(receiving, receiver.ranges());
    if (chance(restart)) {
      sender = chance(0.5) ? Sender(sending, receiver.ranges())
                           : Sender(sending, receiver.ranges(), fixed_pace(65'536), chance(0.5) ? 4096 : 1536);
    }
    Time next = sender.next_due().value_or(now);
    if (const auto due = receiver.next_due()) next = std::min(next, *due);
    if (!pieces.empty()) next = std::min(next, pieces.begin()->first);
    if (!answers.empty()) next = std::min(next, answers.begin()->first);
    now = std::max(now, next);
    while (!pieces.empty() && pieces.begin()->first <= now) {
      const Piece piece = pieces.begin()->second;
      EXPECT_TRUE(receiver.accept(piece.offset, piece.length).ok());
      pieces.erase(pieces.begin());
    }
    while (!answers.empty() && answers.begin()->first <= now) {
      sender.acknowledged(answers.begin()->second, now);
      answers.erase(answers.begin());
    }
  }
  EXPECT_TRUE(receiver.complete()) << "seed " << seed;
  return now;
}

TEST(Transfer, EndsUnderEveryFault) {
  const Faults cases[] = {
      {},
      {.loss = 0.3},
      {.twice = 0.5},
      {.shortest = 1ms, .longest = 400ms},
      {.loss = 0.2, .twice = 0.2, .shortest = 1ms, .longest = 2s},
      {.shortest = 3s, .longest = 3s},
      {.loss = 0.6, .twice = 0.1, .shortest = 10ms, .longest = 100ms},
  };
  for (unsigned seed = 1; seed <= 40; ++seed) {
    for (const Faults& faults : cases) {
      transfer(seed, faults, 0);
      transfer(seed, faults, 0.01);
    }
  }
}

}  // namespace
}  // namespace fieldwork::content
