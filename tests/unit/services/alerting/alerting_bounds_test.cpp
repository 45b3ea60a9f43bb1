// links: alerting_shell GTest::gtest_main
// Bounds: what has no room of its own is counted, nothing is counted twice, and a restart changes neither.
#include <gtest/gtest.h>

#include "alerting/core/alerting.hpp"
#include "support/alerting_core.hpp"

namespace fieldwork::alerting {
namespace {

Limits room_for(std::size_t subjects) {
  Limits limits;
  limits.rule_max = subjects;
  return limits;
}

double value_of(const Alerting& alerting, const std::string& id) {
  const auto* alert = alerting.find(id);
  return alert == nullptr || !alert->firing() ? 0 : alert->value;
}

TEST(Bounds, ARuleHasAnEighthOfAllRoomAtMost) {
  auto limits = room_for(1000);
  limits.alerts_max = 16;
  Alerting alerting(limits, rules(), {});
  for (const char* id : {"a", "b", "c"}) (void)step(alerting, lost(id), at(0));
  for (const char* id : {"a", "b"}) (void)step(alerting, failed(id), at(0));
  EXPECT_EQ(state_of(alerting, "device_lost.b"), "firing");
  EXPECT_EQ(state_of(alerting, "device_lost.c"), "");
  EXPECT_EQ(value_of(alerting, "device_lost._many"), 1);
  EXPECT_EQ(state_of(alerting, "job_failed.b"), "firing") << "another rule has room of its own";
  EXPECT_EQ(state_of(alerting, "job_failed._many"), "");
}

TEST(Bounds, RoomIsMadeByTheOldestThatIsResolved) {
  auto limits = room_for(8);
  limits.alerts_max = 4;  // so one that fires for each rule
  Alerting alerting(limits, rules(), {});
  (void)step(alerting, lost("x"), at(0));
  int now = 1;
  for (const char* id : {"b", "a", "c"}) {
    (void)step(alerting, failed(id), at(now++));
    (void)step(alerting, job(id, "succeeded"), at(now++));
  }
  const auto out = step(alerting, failed("d"), at(now));
  const std::vector<AlertRecord> changed{{"job_failed.b", {}}, {"job_failed.d", *alerting.find("job_failed.d")}};
  EXPECT_EQ(out.alerts, changed) << "its row goes";
  EXPECT_EQ(out.states, changed) << "and its state";
  EXPECT_EQ(state_of(alerting, "device_lost.x"), "firing") << "older, but it fires";
  EXPECT_EQ(alerting.size(), 4U);
}

// What a target must still hear goes last, and not in silence.
TEST(Bounds, AnEndThatATargetMustHearMakesRoomLast) {
  auto limits = room_for(8);
  limits.alerts_max = 3;
  Alerting alerting(limits, told(), {});
  (void)step(alerting, failed("told"), at(0));
  const auto sent = step(alerting, TimePassed{}, at(1));
  (void)step(alerting, Delivered{sent.sends.at(0).number}, at(1));
  (void)step(alerting, job("told", "succeeded"), at(2));
  (void)step(alerting, TimePassed{}, at(3));  // its end is on its way
  for (const char* id : {"a", "b", "c"}) {
    (void)step(alerting, failed(id), at(4));
    (void)step(alerting, job(id, "succeeded"), at(4));
  }
  EXPECT_EQ(state_of(alerting, "job_failed.told"), "resolved") << "older than the others";
  Output out;
  for (const char* id : {"x", "y", "z"}) {
    alerting.step(lost(id), at(5), out);  // room for one alone
    alerting.step(job(id, "quarantined"), at(5), out);
    alerting.step(job(id, "expired"), at(5), out);
  }
  ASSERT_EQ(out.dead.size(), 1U);
  EXPECT_EQ(out.dead[0].alert.subject, "told");
  EXPECT_EQ(out.dead[0].reason, "there are too many alerts");
}

TEST(Bounds, ARestartWithLessRoomKeepsWhatFires) {
  Stored stored;
  Alerting before(room_for(3), rules(), {});
  for (const char* id : {"a", "b", "c"}) (void)step(before, lost(id), at(0), stored);
  Alerting after(room_for(1), rules(), stored.saved());
  for (const char* id : {"a", "b", "c", "d"}) (void)step(after, lost(id), at(1));
  for (const char* id : {"a", "b", "c"}) EXPECT_EQ(state_of(after, std::string("device_lost.") + id), "firing");
  EXPECT_EQ(value_of(after, "device_lost._many"), 1) << "the one that is new";
  for (const char* id : {"a", "b", "c"}) (void)step(after, ready(id), at(2));
  (void)step(after, lost("e"), at(3));
  EXPECT_EQ(state_of(after, "device_lost.e"), "firing") << "there is room again";
}

TEST(Bounds, WhoGetsAnAlertOfItsOwnIsNotCountedAmongTheManyAnyMore) {
  Alerting alerting(room_for(1), rules(), {});
  for (const char* id : {"a", "b", "c"}) (void)step(alerting, lost(id), at(0));
  (void)step(alerting, TimePassed{}, at(1));
  EXPECT_EQ(value_of(alerting, "device_lost._many"), 2);
  (void)step(alerting, ready("a"), at(2));
  (void)step(alerting, lost("b"), at(3));
  (void)step(alerting, TimePassed{}, at(4));
  EXPECT_EQ(state_of(alerting, "device_lost.b"), "firing");
  EXPECT_EQ(value_of(alerting, "device_lost._many"), 1) << "c alone";
  (void)step(alerting, ready("b"), at(5));
  const auto out = step(alerting, lost("c"), at(6));
  EXPECT_EQ(state_of(alerting, "device_lost.c"), "firing");
  EXPECT_EQ(state_of(alerting, "device_lost._many"), "resolved") << "at once";
  EXPECT_EQ(out.states.size(), 2U);
}

TEST(Bounds, TheManyAreToldAtOnceAndThenEachTimeTheyHaveDoubled) {
  auto book = told();
  book.targets[0].repeat = std::chrono::hours{4};
  Alerting alerting(room_for(1), book, {});
  (void)step(alerting, failed("j0"), at(0));
  std::vector<double> values;
  for (int i = 1; i <= 20; ++i) {
    auto out = step(alerting, failed(("j" + std::to_string(i)).c_str()), at(i));
    alerting.step(TimePassed{}, at(i), out);
    for (std::size_t n = 0; n < out.sends.size(); ++n) {
      for (const auto& one : out.sends[n].alerts) {
        if (one.subject == many) values.push_back(one.value);
      }
      alerting.step(Delivered{out.sends[n].number}, at(i), out);
    }
    EXPECT_EQ(value_of(alerting, "job_failed._many"), i) << "shown each time";
  }
  EXPECT_EQ(values, (std::vector<double>{1, 2, 4, 8, 16}));
}

TEST(Bounds, BeyondThoseKnownByNameTheManyAreCounted) {
  auto limits = room_for(1);
  limits.many_max = 2;
  Alerting alerting(limits, rules(), {});
  for (const char* id : {"a", "b", "c", "d", "e"}) (void)step(alerting, failed(id), at(0));
  (void)step(alerting, TimePassed{}, at(1));
  EXPECT_EQ(alerting.find("job_failed._many")->reason, "4 more jobs failed");
  (void)step(alerting, TimePassed{}, at(24 * 3600));
  EXPECT_EQ(state_of(alerting, "job_failed._many"), "resolved") << "those without a name, too";
  EXPECT_EQ(state_of(alerting, "job_failed.a"), "resolved");
}

// Three lost devices, room for one; an hour later alerting is restarted.
Stored an_hour_ago() {
  Stored stored;
  Alerting alerting(room_for(1), told(), {});
  for (const char* id : {"a", "b", "c"}) (void)step(alerting, lost(id), at(0), stored);
  auto out = step(alerting, TimePassed{}, at(1), stored);
  while (!out.sends.empty()) out = step(alerting, Delivered{out.sends[0].number}, at(2), stored);
  EXPECT_EQ(stored.alerts.at("device_lost._many").value, 2);
  return stored;
}

TEST(Bounds, TheManySurviveARestartUntilTheStatesHaveNamedThem) {
  Alerting alerting(room_for(1), told(), an_hour_ago().saved());
  EXPECT_EQ(step(alerting, TimePassed{}, at(3600)), Output{}) << "nothing was named yet";
  EXPECT_EQ(step(alerting, LinkBack{}, at(3700)).states.size(), 2U);
  EXPECT_EQ(step(alerting, TimePassed{}, at(3700)), Output{});
  for (const char* id : {"a", "b", "c"}) EXPECT_EQ(step(alerting, lost(id), at(3701)), Output{}) << id;
  const auto out = step(alerting, TimePassed{}, at(3702));
  EXPECT_EQ(value_of(alerting, "device_lost._many"), 2);
  EXPECT_TRUE(out.sends.empty()) << "nobody is told again what was told before";
  (void)step(alerting, TimePassed{}, at(7300));
  EXPECT_EQ(value_of(alerting, "device_lost._many"), 2) << "as long as they are lost";
}

TEST(Bounds, TheManyOfBeforeARestartEndWhereNoneOfThemIsNamed) {
  Alerting alerting(room_for(1), told(), an_hour_ago().saved());
  (void)step(alerting, LinkBack{}, at(3600));
  for (const char* id : {"a", "b", "c"}) (void)step(alerting, ready(id), at(3600));
  (void)step(alerting, TimePassed{}, at(3600 + 599));
  EXPECT_EQ(state_of(alerting, "device_lost._many"), "firing");
  (void)step(alerting, TimePassed{}, at(3600 + 660));
  EXPECT_EQ(state_of(alerting, "device_lost._many"), "resolved");
}

// 10,000 failed jobs are one group, and a lost device is told.
TEST(Bounds, AFloodOfOneKindHidesNoOther) {
  Alerting alerting(Limits{}, told("", "wait = \"5s\"\ninterval = \"60s\"\n"), {});
  for (int i = 0; i < 10'000; ++i) (void)step(alerting, failed(("j" + std::to_string(i)).c_str()), at(0));
  (void)step(alerting, lost("a"), at(0));
  EXPECT_EQ(value_of(alerting, "job_failed._many"), 1);
  auto out = step(alerting, TimePassed{}, at(1));
  EXPECT_EQ(value_of(alerting, "job_failed._many"), 9'000);
  EXPECT_TRUE(out.sends.empty()) << "what belongs together waits for a moment";
  out = step(alerting, TimePassed{}, at(6.5));
  EXPECT_EQ(said(out), Texts{"device_lost.a firing"}) << "the more severe first";
  out = step(alerting, Delivered{out.sends[0].number}, at(7));
  ASSERT_EQ(out.sends.size(), 1U);
  EXPECT_EQ(out.sends[0].alerts.size(), 64U);
  EXPECT_EQ(out.sends[0].more, 1'001U - 64);
  EXPECT_EQ(out.sends[0].group, (std::map<std::string, std::string>{{"rule", "job_failed"}}));
}

// 500 devices that come and go each second: bounded in rows, in alerts and in messages.
TEST(Bounds, DevicesThatToggleNeitherFloodNorGrow) {
  Alerting alerting(Limits{}, told("", "wait = \"5s\"\ninterval = \"60s\"\n"), {});
  std::size_t messages = 0;
  for (int s = 0; s < 300; ++s) {
    Output out;
    for (int i = 0; i < 500; ++i) {
      const auto id = "d" + std::to_string(i);
      alerting.step(s % 2 == 0 ? lost(id.c_str()) : ready(id.c_str()), at(s), out);
    }
    alerting.step(TimePassed{}, at(s), out);
    alerting.step(BatchEnded{}, at(s), out);
    EXPECT_LE(out.alerts.size(), 500U);
    for (std::size_t n = 0; n < out.sends.size(); ++n) {
      alerting.step(Delivered{out.sends[n].number}, at(s), out);
      ++messages;
    }
  }
  EXPECT_LE(alerting.size(), 500U);
  EXPECT_LE(messages, 5U * 2 * 500 / 64 + 5) << "no message a device and second";
}

}  // namespace
}  // namespace fieldwork::alerting
