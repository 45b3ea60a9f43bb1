// links: alerting_shell GTest::gtest_main
// Notifications to a webhook that is slow, dead, or answers late and twice.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <set>

#include "alerting/core/alerting.hpp"
#include "support/alerting_core.hpp"

namespace fieldwork::alerting {
namespace {

TEST(Delivery, WaitsTwiceAsLongAfterEachFailureUpToTheLast) {
  Alerting alerting(Limits{}, {});
  (void)step(alerting, failed("a"), at(0));
  Time now = at(0);
  for (int wait : {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600}) {
    EXPECT_EQ(step(alerting, NotificationFailed{1, false, "answered 500"}, now), Output{}) << wait;
    now += seconds{wait};
    EXPECT_EQ(step(alerting, TimePassed{}, now - milliseconds{1}), Output{}) << wait;
    EXPECT_EQ(sent(step(alerting, TimePassed{}, now)), Ids{"job_failed.a"}) << wait;
  }
}

TEST(Delivery, ADeadTargetIsNotAskedForEachThatWaits) {
  Alerting alerting(Limits{}, {});
  std::vector<std::int64_t> tries;
  const auto hear = [&](const Output& out) {
    for (const auto& one : out.sends) tries.push_back(one.number);
  };
  for (int i = 0; i < 200; ++i) hear(step(alerting, failed(std::to_string(i).c_str()), at(0)));
  std::size_t answered = 0;
  for (int s = 0; s < 3600; ++s) {
    while (answered < tries.size()) hear(step(alerting, NotificationFailed{tries[answered++]}, at(s)));
    hear(step(alerting, TimePassed{}, at(s)));
  }
  EXPECT_LT(tries.size(), 100U) << "in an hour";
  EXPECT_GT(std::set(tries.begin(), tries.end()).size(), 1U) << "but others have their turn";
  const auto before = tries.size();
  // It is back: the one that it takes opens the way for all others.
  for (int s = 3600; s < 3720 && alerting.waiting() > 0; ++s) {
    while (answered < tries.size()) hear(step(alerting, NotificationDelivered{tries[answered++]}, at(s)));
    hear(step(alerting, TimePassed{}, at(s)));
  }
  EXPECT_GT(tries.size() - before, 150U);
}

TEST(Delivery, WhatIsNoLongerNewsIsNotSentAgain) {
  for (const bool taken : {true, false}) {
    Alerting alerting(Limits{}, {});
    EXPECT_EQ(sent(step(alerting, lost("x"), at(0))), Ids{"device_lost.x"});
    const auto back = step(alerting, ready("x"), at(1));
    EXPECT_TRUE(back.sends.empty()) << "the first one is on its way";
    EXPECT_EQ(removed(back), Numbers{});
    const auto out =
        taken ? step(alerting, NotificationDelivered{1}, at(2)) : step(alerting, NotificationFailed{1}, at(2));
    EXPECT_EQ(removed(out), Numbers{1}) << taken;
    EXPECT_TRUE(out.dead.empty());
    auto next = out.sends;
    if (!taken) next = step(alerting, TimePassed{}, at(3)).sends;
    ASSERT_EQ(next.size(), 1U) << taken;
    EXPECT_EQ(next[0].number, 2);
    EXPECT_FALSE(next[0].alert.firing);
    EXPECT_EQ(removed(step(alerting, NotificationDelivered{2}, at(4))), Numbers{2});
    EXPECT_EQ(alerting.waiting(), 0U);
  }
}

TEST(Delivery, AnswersThatNameAnotherNumberChangeNothing) {
  Alerting alerting(Limits{}, {});
  (void)step(alerting, failed("a"), at(0));
  (void)step(alerting, failed("b"), at(0));
  EXPECT_EQ(step(alerting, NotificationDelivered{2}, at(1)), Output{}) << "it waits, but was not sent";
  EXPECT_EQ(step(alerting, NotificationFailed{2, true, "no"}, at(1)), Output{});
  EXPECT_EQ(step(alerting, NotificationFailed{99, true, "no"}, at(1)), Output{});
  EXPECT_EQ(sent(step(alerting, NotificationDelivered{1}, at(2))), Ids{"job_failed.b"});
  EXPECT_EQ(step(alerting, NotificationDelivered{1}, at(3)), Output{}) << "twice";
  EXPECT_EQ(step(alerting, NotificationFailed{1, true, "no"}, at(3)), Output{}) << "and in another mind";
  EXPECT_EQ(alerting.waiting(), 1U);
}

TEST(Delivery, GivesUpByTheAgeOfTheChangeAlsoAfterARestart) {
  Stored stored;
  Alerting before(Limits{}, {});
  (void)step(before, failed("a"), at(0), stored);
  const auto six_hours = t0 + std::chrono::hours{6};
  Alerting after(Limits{}, stored.saved());
  EXPECT_EQ(sent(step(after, TimePassed{}, six_hours - seconds{10})), Ids{"job_failed.a"}) << "it is tried";
  EXPECT_EQ(step(after, NotificationFailed{1}, six_hours - Duration{1}), Output{});
  EXPECT_EQ(sent(step(after, TimePassed{}, six_hours + seconds{1})), Ids{"job_failed.a"});
  const auto out = step(after, NotificationFailed{1, false, "answered 503"}, six_hours + seconds{2});
  const auto& row = stored.notifications.at(1);
  EXPECT_EQ(out, (Output{.notifications = {{row, true}}, .dead = {{row, "answered 503"}}}));
  EXPECT_EQ(state_of(after, "job_failed.a"), "firing") << "the alert stays";
}

TEST(Delivery, AFullQueueDropsTheOldestThatWaits) {
  Limits limits;
  limits.notifications_max = 3;
  Alerting alerting(limits, {});
  for (const char* id : {"a", "b", "c"}) (void)step(alerting, lost(id), at(0));
  const auto job_dropped = step(alerting, failed("j"), at(1));
  EXPECT_EQ(removed(job_dropped), Numbers{4}) << "all others are about devices";
  EXPECT_EQ(job_dropped.dropped, 1U);
  const auto device_dropped = step(alerting, lost("d"), at(2));
  EXPECT_EQ(removed(device_dropped), Numbers{2}) << "the first is on its way";
  EXPECT_EQ(alerting.waiting(), 3U);
  EXPECT_EQ(sent(step(alerting, NotificationDelivered{1}, at(3))), Ids{"device_lost.c"});
  const auto back = step(alerting, ready("b"), at(4));
  EXPECT_EQ(removed(back), Numbers{}) << "there was room, and what was dropped is forgotten";
  EXPECT_EQ(back.dropped, 0U);
}

TEST(Delivery, WithoutAWebhookNothingWaitsAndWhatWaitedStays) {
  Stored stored;
  Alerting before(Limits{}, {});
  (void)step(before, failed("a"), at(0), stored);
  Alerting without(quiet(), stored.saved());
  auto out = step(without, lost("x"), at(1), stored);
  EXPECT_EQ(out.alerts.size(), 1U);
  EXPECT_TRUE(out.notifications.empty());
  EXPECT_TRUE(step(without, TimePassed{}, at(100), stored).sends.empty());
  Alerting again(Limits{}, stored.saved());
  EXPECT_EQ(sent(step(again, TimePassed{}, at(200))), Ids{"job_failed.a"});
}

TEST(Delivery, AfterARestartDevicesGoFirstOneAtATime) {
  Stored stored;
  Alerting before(Limits{}, {});
  for (const char* id : {"a", "b"}) (void)step(before, failed(id), at(0), stored);
  for (const char* id : {"x", "y"}) (void)step(before, lost(id), at(0), stored);
  (void)step(before, ready("y"), at(1), stored);
  Alerting after(Limits{}, stored.saved());
  Ids order;
  auto out = step(after, TimePassed{}, at(60), stored);
  while (!out.sends.empty()) {
    ASSERT_EQ(out.sends.size(), 1U);
    order.push_back(out.sends[0].alert.id + (out.sends[0].alert.firing ? "" : " resolved"));
    EXPECT_TRUE(step(after, TimePassed{}, at(61), stored).sends.empty()) << "one at a time";
    out = step(after, NotificationDelivered{out.sends[0].number}, at(62), stored);
  }
  EXPECT_EQ(order, (Ids{"device_lost.x", "device_lost.y resolved", "job_failed.a", "job_failed.b"}));
  EXPECT_TRUE(stored.notifications.empty());
}

// Devices that are lost and come back, a webhook that takes two of three, and restarts: in the end everybody was told
// what is.
class Storm {
 public:
  explicit Storm(unsigned seed) : random_(seed) { limits_.rule_max = 2; }

  void turn() {
    now_ += seconds{pick(0, 3)};
    if (chance(0.05)) restart();
    auto& device = devices_[static_cast<std::size_t>(pick(0, 5))];
    device = chance(0.5);
    const auto at = static_cast<std::size_t>(&device - devices_.data());
    if (chance(0.8)) see(at);
    answer(0.66);
    run(TimePassed{});
  }

  void calm() {
    if (chance(0.5)) restart();
    see_all();
    for (int s = 0; s < 1000; ++s) {
      now_ += seconds{1};
      answer(1);
      run(TimePassed{});
    }
    EXPECT_TRUE(stored_.notifications.empty());
    double firing = 0;
    const double lost_now = static_cast<double>(std::count(devices_.begin(), devices_.end(), true));
    for (const auto& [id, alert] : stored_.alerts) {
      ASSERT_TRUE(told_.contains(id)) << id;
      EXPECT_EQ(told_[id].firing, alert.firing) << id << ": told otherwise";
      if (alert.firing) firing += alert.value;
      EXPECT_TRUE(!alert.firing || alert.subject == many || devices_[std::stoul(alert.subject)]) << id;
    }
    EXPECT_EQ(firing, lost_now) << "each once, by its own alert or among the many";
  }

 private:
  bool chance(double p) { return std::bernoulli_distribution(p)(random_); }
  int pick(int from, int to) { return std::uniform_int_distribution<int>(from, to)(random_); }

  void see(std::size_t i) {
    const auto id = std::to_string(i);
    run(devices_[i] ? Input(lost(id.c_str())) : Input(ready(id.c_str())));
  }

  // The states are seen again, in another order.
  void restart() {
    alerting_ = Alerting(limits_, stored_.saved());
    sending_.reset();
    run(LinkBack{});
    see_all();
  }

  void see_all() {
    for (std::size_t i = devices_.size(); i-- > 0;) see(i);
  }

  void answer(double taken) {
    if (!sending_ || chance(0.2)) return;
    const auto one = *std::exchange(sending_, std::nullopt);
    if (!chance(taken)) return run(NotificationFailed{one.number, false, "answered 500"});
    told_[one.alert.id] = one.alert;
    run(NotificationDelivered{one.number});
  }

  void run(const Input& input) {
    const auto out = step(alerting_, input, now_, stored_);
    EXPECT_EQ(stored_.notifications.size(), alerting_.waiting());
    EXPECT_EQ(stored_.alerts.size(), alerting_.size());
    for (const auto& one : out.sends) {
      EXPECT_FALSE(sending_.has_value()) << "two at a time";
      EXPECT_TRUE(stored_.notifications.contains(one.number)) << "sent, but not saved";
      sending_ = one;
    }
    EXPECT_TRUE(out.dead.empty() && out.dropped == 0);
  }

  std::mt19937 random_;
  Limits limits_;
  Time now_ = t0;
  std::array<bool, 6> devices_{};  // lost?
  Alerting alerting_{limits_, {}};
  Stored stored_;
  std::optional<Notification> sending_;
  std::map<std::string, Alert> told_;
};

TEST(Delivery, InTheEndEverybodyWasToldWhatIs) { support::storms<Storm>(20, 300); }

}  // namespace
}  // namespace fieldwork::alerting
