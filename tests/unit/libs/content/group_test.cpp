// links: content GTest::gtest_main
#include "content/group.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "content/receiver.hpp"

namespace fieldwork::content {
namespace {

using namespace std::chrono_literals;
using Time = Group::Time;

Ranges ranges(const std::vector<Range>& pairs) { return Ranges::parse(pairs, ~0ULL).value(); }

TEST(Ranges, InCommonAreWhatBothHold) {
  std::mt19937 random(3);
  for (int round = 0; round < 500; ++round) {
    Ranges a, b;
    for (int i = 0; i < 5; ++i) {
      for (auto* one : {&a, &b}) {
        const std::uint64_t begin = random() % 60;
        ASSERT_TRUE(one->add(begin, begin + random() % (64 - begin)));
      }
    }
    const std::uint64_t from = random() % 64;
    const auto both = a.common(b, from);
    for (std::uint64_t at = 0; at < 64; ++at)
      ASSERT_EQ(both.contains(at, at + 1), at >= from && a.contains(at, at + 1) && b.contains(at, at + 1));
  }
}

// Members with a link of their own each, in virtual time: a queue in front of it, a delay, and loss of whole frames.
class Network {
 public:
  struct Link {
    double bytes_per_s = 1e6;
    Time delay = 10ms;
    double loss = 0;
    Time dead_from = Time::max();
    Time wakes_every = 1us;  // what came before is heard then
    Time hears_after = 0us;  // it has joined
  };

  Network(std::uint64_t total, std::vector<Link> links)
      : total_(total), group_({.encoded_bytes = total, .align = 4096}) {
    for (const auto& link : links) ends_.push_back({link, Receiver({.encoded_bytes = total}), {}, {}, 0us, 0us});
  }

  void join(std::size_t i, Ranges has = {}) {
    ends_[i].receiver = Receiver({.encoded_bytes = total_}, has);
    ends_[i].hears_from = now + ends_[i].link.hears_after;
    group_.join(std::to_string(i), std::move(has), now);
  }

  // Until nobody is left in the group. Every member that joins later is given with its time.
  void run(std::vector<std::pair<Time, std::size_t>> later = {}) {
    while ((group_.size() > 0 || !later.empty()) && now < 1h) {
      if (!later.empty() && later.front().first <= now) {
        join(later.front().second);
        later.erase(later.begin());
      }
      for (const auto& piece : group_.due(now)) {
        sent += piece.length;
        for (auto& end : ends_) deliver(end, piece);
      }
      note_released();
      now = next(later);
      for (std::size_t i = 0; i < ends_.size(); ++i) hear(i);
      note_released();
    }
  }

  [[nodiscard]] std::uint64_t missing() const {
    std::uint64_t out = 0;
    for (const auto& end : ends_) out += total_ - end.receiver.ranges().covered_bytes();
    return out;
  }
  [[nodiscard]] std::uint64_t missing(std::size_t i) const {
    return total_ - ends_[i].receiver.ranges().covered_bytes();
  }
  [[nodiscard]] Time released_at(std::size_t i) const {
    const auto it = std::find_if(released.begin(), released.end(), [&](const auto& one) { return one.first == i; });
    return it == released.end() ? Time::max() : it->second;
  }

  Time now{0};
  std::uint64_t sent = 0;
  std::vector<std::pair<std::size_t, Time>> released;

 private:
  struct End {
    Link link;
    Receiver receiver;
    std::deque<std::pair<Time, Piece>> pieces;
    std::deque<std::pair<Time, Ranges>> answers;
    Time free_at;
    Time hears_from{};
  };

  void note_released() {
    for (const auto& name : group_.take_released()) released.emplace_back(std::stoul(name), now);
  }
  void deliver(End& end, const Piece& piece) {
    if (now < end.hears_from || now >= end.link.dead_from ||
        std::uniform_real_distribution<>(0, 1)(random_) < end.link.loss)
      return;
    end.free_at =
        std::max(end.free_at, now) + Time(static_cast<std::int64_t>(1e6 * piece.length / end.link.bytes_per_s));
    end.pieces.emplace_back(wakes(end, end.free_at + end.link.delay), piece);
  }
  // Each at another time.
  Time wakes(const End& end, Time at) const {
    const auto every = end.link.wakes_every;
    const auto phase = every * (&end - ends_.data()) / static_cast<std::int64_t>(ends_.size());
    return at + (every - (at + phase) % every) % every;
  }
  void hear(std::size_t i) {
    auto& end = ends_[i];
    if (now < end.hears_from) return;
    for (; !end.pieces.empty() && end.pieces.front().first <= now; end.pieces.pop_front())
      (void)end.receiver.accept(end.pieces.front().second.offset, end.pieces.front().second.length);
    if (end.receiver.ack_due(now)) {
      end.answers.emplace_back(now + end.link.delay, end.receiver.ranges());
      end.receiver.ack_sent(now);
    }
    for (; !end.answers.empty() && end.answers.front().first <= now; end.answers.pop_front())
      group_.acknowledged(std::to_string(i), end.answers.front().second, now);
  }
  Time next(const std::vector<std::pair<Time, std::size_t>>& later) const {
    Time out = now + 1s;
    const auto sooner = [&](Time at) { out = std::min(out, std::max(at, now + 1us)); };
    if (const auto due = group_.next_due()) sooner(*due);
    if (!later.empty()) sooner(later.front().first);
    for (const auto& end : ends_) {
      if (now < end.hears_from) {
        sooner(end.hears_from);
        continue;
      }
      if (!end.pieces.empty()) sooner(end.pieces.front().first);
      if (!end.answers.empty()) sooner(end.answers.front().first);
      if (const auto due = end.receiver.next_due()) sooner(*due);
    }
    return out;
  }

  std::uint64_t total_;
  Group group_;
  std::vector<End> ends_;
  std::mt19937 random_{1};
};

constexpr std::uint64_t total = 10 << 20;

TEST(Group, SendsOnceWhatManyReceive) {
  Network net(total, std::vector<Network::Link>(100));
  for (std::size_t i = 0; i < 100; ++i) net.join(i);
  net.run();
  EXPECT_EQ(net.sent, total);
  EXPECT_EQ(net.missing(), 0U);
  EXPECT_EQ(net.released.size(), 100U);
  EXPECT_LT(net.now, 12s);  // virtual: 10.5 s at 1 MB/s
}

// As those of a busy machine do.
TEST(Group, KeepsMembersWhoAnswerLate) {
  for (const auto wakes_every : {1000us, 50'000us, 200'000us}) {
    for (const double bytes_per_s : {2e5, 1e6}) {
      SCOPED_TRACE(std::to_string(wakes_every.count()) + " us, " + std::to_string(bytes_per_s) + " B/s");
      const Network::Link link{.bytes_per_s = bytes_per_s, .delay = 500us, .wakes_every = wakes_every};
      Network net(total, std::vector<Network::Link>(20, link));
      for (std::size_t i = 0; i < 20; ++i) net.join(i);
      net.run();
      EXPECT_EQ(net.sent, total);
      EXPECT_EQ(net.missing(), 0U);
      EXPECT_GT(net.released.front().second, net.released.back().second * 95 / 100);
    }
  }
}

TEST(Group, SendsNothingThatAllHave) {
  Network net(total, std::vector<Network::Link>(3));
  net.join(0, ranges({{1 << 20, 2 << 20}}));
  net.join(1, ranges({{1 << 20, 2 << 20}, {4 << 20, 4'200'000}}));
  net.join(2, ranges({{0, 2 << 20}, {9 << 20, total}}));
  net.run();
  EXPECT_EQ(net.sent, total - (1 << 20));
  EXPECT_EQ(net.missing(), 0U);
}

TEST(Group, LeavesToEachWhatItAloneHasLost) {
  std::vector<Network::Link> links(10);
  for (auto& link : links) link.loss = 0.05;
  Network net(total, links);
  for (std::size_t i = 0; i < links.size(); ++i) net.join(i);
  net.run();
  EXPECT_LE(net.sent, total);
  EXPECT_GT(net.missing(), 0U);
  EXPECT_LT(net.missing(), links.size() * total / 5);  // who loses the last pieces is released a little early
}

TEST(Group, IsHeldUpByNobody) {
  std::vector<Network::Link> links(10);
  links[3].bytes_per_s = 1e5;  // a tenth of the others
  links[5].dead_from = 2s;
  Network net(total, links);
  for (std::size_t i = 0; i < links.size(); ++i) net.join(i);
  net.run();
  EXPECT_EQ(net.sent, total);
  EXPECT_LT(net.now, 20s);  // virtual: 10.5 s for the others, and 2 s for each of the two
  EXPECT_LT(net.released_at(3), 8s);
  EXPECT_LT(net.released_at(5), 8s);
  for (const std::size_t i : {0U, 1U, 2U, 4U, 6U, 7U, 8U, 9U}) EXPECT_EQ(net.missing(i), 0U) << i;
  EXPECT_GT(net.missing(3), total / 2);
}

TEST(Group, TakesLateMembersForTheRestOfThePass) {
  Network net(total, std::vector<Network::Link>(4));
  net.join(0);
  net.join(1);
  net.run({{3s, 2}, {5s, 3}});
  EXPECT_EQ(net.sent, total);
  EXPECT_EQ(net.missing(0) + net.missing(1), 0U);
  EXPECT_GT(net.missing(2), std::uint64_t{2} << 20);
  EXPECT_LT(net.missing(2), net.missing(3));
  EXPECT_LT(net.missing(3), total * 6 / 10);
}

// It is in the group before it hears its topic.
TEST(Group, WaitsForNobodyWhoDoesNotHearItYet) {
  for (const auto hears_after : {50'000us, 100'000us, 1'000'000us}) {
    SCOPED_TRACE(hears_after.count());
    std::vector<Network::Link> links(6, {.bytes_per_s = 12.5e6});
    links[3].hears_after = hears_after;
    Network net(8 * total, links);
    for (std::size_t i = 0; i < links.size(); ++i) net.join(i);
    net.run();
    EXPECT_EQ(net.sent, 8 * total);
    EXPECT_LT(net.now, 8500ms);  // virtual: 6.7 s at 12.5 MB/s
    EXPECT_GT(net.released_at(3), 6s) << "it follows";
    EXPECT_LT(net.missing(3), static_cast<std::uint64_t>(12.5 * 1.5 * static_cast<double>(hears_after.count())));
  }
}

TEST(Group, DoesNotCountTimeInWhichNobodyCouldBeHeard) {
  Group group({.encoded_bytes = total, .align = 4096});
  for (const auto* name : {"a", "b"}) group.join(name, {}, 0s);
  ASSERT_FALSE(group.due(0s).empty());
  group.give_time(10s);
  (void)group.due(10s);
  EXPECT_EQ(group.size(), 2U);
  (void)group.due(10s + Group::silence_max);
  EXPECT_EQ(group.size(), 0U);
}

TEST(Group, OfOneIsNone) {
  Network net(total, std::vector<Network::Link>(2));
  net.join(0);
  net.run();
  EXPECT_EQ(net.sent, 0U);
  EXPECT_EQ(net.released_at(0), 0us);
}

TEST(Group, LeavesTheLastMemberAloneWhenNothingIsOnItsWay) {
  Group group({.encoded_bytes = total, .align = 4096});
  group.join("a", {}, 0s);
  group.join("b", {}, 0s);
  const auto pieces = group.due(0s);
  ASSERT_FALSE(pieces.empty());
  group.leave("b");
  EXPECT_TRUE(group.due(1ms).empty());
  EXPECT_EQ(group.take_released(), std::vector<std::string>{});
  EXPECT_EQ(group.next_due(), Group::silence_max);
  group.acknowledged("a", ranges({{0, pieces.back().offset + pieces.back().length}}), 2ms);
  EXPECT_EQ(group.next_due(), 0us);
  EXPECT_TRUE(group.due(2ms).empty());
  EXPECT_EQ(group.take_released(), std::vector<std::string>{"a"});
  EXPECT_EQ(group.next_due(), std::nullopt);

  group.join("a", {}, 1s);
  group.join("b", {}, 1s);
  ASSERT_FALSE(group.due(1s).empty());
  group.leave("b");
  EXPECT_TRUE(group.due(1s + Group::silence_max).empty());  // it is silent
  EXPECT_EQ(group.take_released(), std::vector<std::string>{"a"});
}

}  // namespace
}  // namespace fieldwork::content
