// links: alerting_shell GTest::gtest_main
#include <gtest/gtest.h>

#include "alerting/core/alerting.hpp"
#include "alerting/shell/rows.hpp"
#include "support/alerting_core.hpp"

namespace fieldwork::alerting {
namespace {

TEST(Alerting, FiresAndResolves) {
  struct Step {
    Input input;
    const char* alert;
    const char* state;  // firing, resolved, or empty: not there
    std::size_t said;
  };
  const TransferId transfer{std::string(32, 'a')};
  const Step steps[] = {
      {DeviceSeen{edge, Lifecycle::active, Presence::online, 0.9, ""}, "device_lost.edge-1", "", 0},
      {DeviceSeen{edge, Lifecycle::active, Presence::lost, 0, "silent"}, "device_lost.edge-1", "firing", 1},
      {DeviceSeen{edge, Lifecycle::active, Presence::lost, 0, "silent"}, "device_lost.edge-1", "firing", 0},
      {DeviceSeen{edge, Lifecycle::active, Presence::online, 1, ""}, "device_lost.edge-1", "resolved", 1},
      {DeviceSeen{edge, Lifecycle::active, Presence::online, 0.70, ""}, "device_health.edge-1", "", 0},
      {DeviceSeen{edge, Lifecycle::active, Presence::online, 0.69, ""}, "device_health.edge-1", "firing", 1},
      {DeviceSeen{edge, Lifecycle::active, Presence::online, 0.68, ""}, "device_health.edge-1", "firing", 0},
      {DeviceSeen{edge, Lifecycle::active, Presence::online, 0.5, ""}, "device_health.edge-1", "firing",
       1},  // the value moved
      {DeviceSeen{edge, Lifecycle::active, Presence::suspect, 0.9, ""}, "device_health.edge-1", "firing", 0},
      {DeviceSeen{edge, Lifecycle::active, Presence::online, 0.74, ""}, "device_health.edge-1", "firing", 0},
      {DeviceSeen{edge, Lifecycle::active, Presence::online, 0.75, ""}, "device_health.edge-1", "resolved", 1},
      {DeviceSeen{edge, Lifecycle::active, Presence::online, 1, "", true}, "device_duplicated.edge-1", "firing", 1},
      {DeviceSeen{edge, Lifecycle::active, Presence::suspect, 1, "", true}, "device_duplicated.edge-1", "firing", 0},
      {DeviceSeen{edge, Lifecycle::active, Presence::online, 1, ""}, "device_duplicated.edge-1", "resolved", 1},
      {DeviceSeen{edge, Lifecycle::active, Presence::online, 1, "", true}, "device_duplicated.edge-1", "firing", 1},
      {DeviceGone{edge}, "device_duplicated.edge-1", "resolved", 1},
      {DeviceSeen{edge, Lifecycle::active, Presence::online, 1, "", false, at(-3590)}, "device_claimed.edge-1",
       "firing", 1},
      {DeviceSeen{edge, Lifecycle::active, Presence::online, 1, "", false, at(-3600)}, "device_claimed.edge-1",
       "resolved", 1},
      {JobSeen{job, JobState::running, "", at(0)}, "job_failed.j1", "", 0},
      {JobSeen{job, JobState::failed, "exit code 1", at(0)}, "job_failed.j1", "firing", 1},
      {JobSeen{job, JobState::queued, "", at(0)}, "job_failed.j1", "resolved", 1},
      {JobSeen{JobId{"old"}, JobState::failed, "", t0 - std::chrono::hours(25)}, "job_failed.old", "", 0},
      {TransferSeen{transfer, true, "no space", at(0)}, nullptr, "firing", 1},
      {TransferSeen{transfer, false, "", at(0)}, nullptr, "resolved", 1},
  };
  Alerting alerting(quiet(), {});
  int index = 0;
  for (const auto& one : steps) {
    const auto out = step(alerting, one.input, at(1));
    const auto id = one.alert != nullptr ? std::string(one.alert) : alert_id("transfer_failed", transfer.value);
    const auto* alert = alerting.find(id);
    EXPECT_EQ(alert == nullptr ? "" : alert->firing ? "firing" : "resolved", std::string(one.state)) << index;
    EXPECT_EQ(out.states.size(), one.said) << index;
    EXPECT_EQ(out.alerts.size(), one.said) << index;
    ++index;
  }
}

TEST(Alerting, NamesStayIds) {
  EXPECT_EQ(alert_id("job_failed", "j1"), "job_failed.j1");
  EXPECT_TRUE(is_id(alert_id("transfer_failed", std::string(64, 'x'))));
}

TEST(Alerting, RemovesWhatIsLongResolvedAndForgetsFailures) {
  Alerting alerting(quiet(), {});
  (void)step(alerting, JobSeen{job, JobState::failed, "", t0}, t0);
  EXPECT_EQ(step(alerting, TimePassed{}, at(86'399)), Output{});
  EXPECT_EQ(step(alerting, TimePassed{}, at(86'400)).states.size(), 1u);
  EXPECT_EQ(step(alerting, JobSeen{job, JobState::failed, "", t0}, at(86'401)), Output{});  // said again, still old
  const auto out = step(alerting, TimePassed{}, at(86'400 + 3600));
  EXPECT_EQ(out, (Output{.alerts = {{"job_failed.j1", {}}}, .states = {{"job_failed.j1", {}}}}));
  EXPECT_EQ(alerting.size(), 0u);
}

TEST(Alerting, SavesAndSaysAnAlertOncePerBatch) {
  Alerting alerting(quiet(), {});
  Output out;
  for (const auto state : {Presence::lost, Presence::online, Presence::lost})
    alerting.step(DeviceSeen{edge, Lifecycle::active, state, 1, ""}, at(0), out);
  EXPECT_EQ(out, Output{}) << "before the end of the batch";
  alerting.step(BatchEnded{}, at(0), out);
  const std::vector<AlertRecord> last{{"device_lost.edge-1", *alerting.find("device_lost.edge-1")}};
  EXPECT_EQ(out, (Output{.alerts = last, .states = last}));
  EXPECT_EQ(step(alerting, LinkBack{}, at(1)), (Output{.states = last})) << "the broker may have lost it";
  EXPECT_EQ(step(alerting, TimePassed{}, at(1)), Output{});
}

TEST(Alerting, SaysWhatGetsNoWork) {
  Alerting alerting(quiet(), {});
  (void)step(alerting, PlacementSeen{edge, false, "three jobs were refused: disk full"}, at(0));
  const auto* alert = alerting.find("device_unplaceable.edge-1");
  ASSERT_NE(alert, nullptr);
  EXPECT_EQ(alert->reason, "three jobs were refused: disk full");
  EXPECT_EQ(next_step(*alert), "fieldwork device show edge-1");
  (void)step(alerting, PlacementSeen{edge, true, ""}, at(1));
  EXPECT_FALSE(alerting.find("device_unplaceable.edge-1")->firing);
  (void)step(alerting, JobSeen{job, JobState::failed, "two devices were lost", t0, true}, at(2));
  EXPECT_TRUE(alerting.find("job_quarantined.j1")->firing);
  EXPECT_EQ(alerting.find("job_failed.j1"), nullptr);
  (void)step(alerting, JobSeen{job, JobState::queued, "", t0}, at(3));
  EXPECT_FALSE(alerting.find("job_quarantined.j1")->firing);
}

// Any number of failed jobs: the lost device is told, and the flood is one alert that counts.
TEST(Alerting, AFloodOfOneKindHidesNoOther) {
  Alerting alerting(quiet(), {});
  std::size_t said = 0;
  for (int i = 0; i < 10'000; ++i) {
    said += step(alerting, JobSeen{JobId{"j" + std::to_string(i)}, JobState::failed, "", t0}, at(0)).states.size();
  }
  EXPECT_EQ(said, 1'000U + 1) << "each within the room, and that there are more";
  EXPECT_EQ(step(alerting, DeviceSeen{edge, Lifecycle::active, Presence::lost, 0, ""}, at(0)).states.size(), 1u);
  auto out = step(alerting, TimePassed{}, at(2)).states;
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(out[0].alert->id, "job_failed._many");
  EXPECT_EQ(out[0].alert->value, 9'000);
  EXPECT_EQ(out[0].alert->reason, "9000 more jobs failed");
  EXPECT_EQ(next_step(*out[0].alert), "fieldwork job ls --state failed");
  (void)step(alerting, JobSeen{JobId{"j9999"}, JobState::succeeded, "", t0}, at(3));
  (void)step(alerting, JobSeen{JobId{"j9998"}, JobState::failed, "", t0}, at(3));  // said again
  EXPECT_EQ(step(alerting, TimePassed{}, at(4)).states[0].alert->value, 8'999);
  (void)step(alerting, TimePassed{}, at(86'500));
  EXPECT_FALSE(alerting.find("job_failed._many")->firing) << "it is long ago";
  EXPECT_TRUE(alerting.find("device_lost.edge-1")->firing);
}

TEST(Alerting, ManyLostDevicesAreCountedUntilTheyAreBack) {
  auto limits = quiet();
  limits.rule_max = 1;
  Alerting alerting(limits, {});
  for (const char* id : {"a", "b", "c"})
    (void)step(alerting, DeviceSeen{DeviceId{id}, Lifecycle::active, Presence::lost, 0, ""}, at(0));
  EXPECT_TRUE(alerting.find("device_lost._many")->firing);
  for (const char* id : {"b", "c"})
    (void)step(alerting, DeviceSeen{DeviceId{id}, Lifecycle::active, Presence::online, 1, ""}, at(1));
  EXPECT_FALSE(alerting.find("device_lost._many")->firing);
  EXPECT_TRUE(alerting.find("device_lost.a")->firing);
}

TEST(Alerting, ResolvedAlertsMakeRoom) {
  auto limits = quiet();
  limits.alerts_max = 2;
  Alerting alerting(limits, {});
  for (const char* id : {"a", "b", "c"}) {
    (void)step(alerting, JobSeen{JobId{id}, JobState::failed, "", t0}, at(0));
    (void)step(alerting, JobSeen{JobId{id}, JobState::succeeded, "", t0}, at(1));
  }
  EXPECT_EQ(alerting.size(), 2u);
}

TEST(Notifications, GoOneAtATimeDevicesFirstAndTheNewestOnly) {
  Alerting alerting(Limits{}, {});
  EXPECT_EQ(sent(step(alerting, failed("a"), at(0))), Ids{"job_failed.a"});
  EXPECT_EQ(sent(step(alerting, failed("b"), at(0))), Ids{});
  EXPECT_EQ(sent(step(alerting, lost("x"), at(0))), Ids{});
  const auto back = step(alerting, DeviceSeen{DeviceId{"x"}, Lifecycle::active, Presence::online, 1, ""}, at(0));
  EXPECT_EQ(removed(back), Numbers{3}) << "no longer news";
  EXPECT_EQ(step(alerting, NotificationDelivered{7}, at(0)), Output{});
  const auto next = step(alerting, NotificationDelivered{1}, at(0));
  EXPECT_EQ(sent(next), Ids{"device_lost.x"});
  EXPECT_FALSE(next.sends[0].alert.firing);
  EXPECT_EQ(sent(step(alerting, NotificationDelivered{4}, at(0))), Ids{"job_failed.b"});
  (void)step(alerting, NotificationDelivered{2}, at(0));
  EXPECT_EQ(alerting.waiting(), 0u);
}

TEST(Notifications, WhatIsRefusedForGoodHoldsNobodyBack) {
  Alerting alerting(Limits{}, {});
  (void)step(alerting, failed("a"), at(0));
  (void)step(alerting, failed("b"), at(0));
  const auto out = step(alerting, NotificationFailed{1, true, "answered 400"}, at(0));
  ASSERT_EQ(out.dead.size(), 1u);
  EXPECT_EQ(out.dead[0].reason, "answered 400");
  EXPECT_EQ(removed(out), Numbers{1});
  EXPECT_EQ(sent(out), Ids{"job_failed.b"}) << "at once";
}

TEST(Notifications, WhatFailsIsTriedAgainWhileOthersGo) {
  Alerting alerting(Limits{}, {});
  (void)step(alerting, failed("a"), at(0));
  (void)step(alerting, failed("b"), at(0));
  EXPECT_EQ(step(alerting, NotificationFailed{1}, at(0)), Output{});
  EXPECT_EQ(sent(step(alerting, TimePassed{}, at(1) - milliseconds{1})), Ids{}) << "the target has a moment";
  EXPECT_EQ(sent(step(alerting, TimePassed{}, at(1))), Ids{"job_failed.a"});
  (void)step(alerting, NotificationFailed{1}, at(1));
  EXPECT_EQ(sent(step(alerting, TimePassed{}, at(3))), Ids{"job_failed.a"});
  (void)step(alerting, NotificationFailed{1}, at(3));
  EXPECT_EQ(sent(step(alerting, TimePassed{}, at(3) + seconds{4} - milliseconds{1})), Ids{});
  // Hours later it is given up, and the other one had its turn.
  int now = 7;
  std::size_t dead = 0;
  bool other = false;
  for (; now < 30'000 && dead == 0; ++now) {
    const auto out = step(alerting, TimePassed{}, at(now));
    for (const auto& one : out.sends) {
      const auto number = one.number;
      if (number == 2) {
        other = true;
        (void)step(alerting, NotificationDelivered{2}, at(now));
      } else {
        dead += step(alerting, NotificationFailed{number, false, "answered 500"}, at(now)).dead.size();
      }
    }
  }
  EXPECT_EQ(dead, 1u);
  EXPECT_GE(now, 6 * 3600);
  EXPECT_TRUE(other);
  EXPECT_EQ(alerting.waiting(), 0u);
}

TEST(Notifications, AFullQueueKeepsWhatIsAboutDevices) {
  Limits limits;
  limits.notifications_max = 3;
  Alerting alerting(limits, {});
  (void)step(alerting, failed("a"), at(0));  // on its way
  (void)step(alerting, lost("x"), at(0));
  (void)step(alerting, failed("b"), at(0));
  const auto out = step(alerting, failed("c"), at(0));
  EXPECT_EQ(removed(out), Numbers{3});
  EXPECT_EQ(out.dropped, 1u);
  EXPECT_EQ(sent(step(alerting, NotificationDelivered{1}, at(0))), Ids{"device_lost.x"});
}

TEST(Notifications, SurviveARestart) {
  Limits limits;
  Alerting before(limits, {});
  Saved saved;
  for (const char* id : {"a", "b", "c"}) {
    const auto out = step(before, JobSeen{JobId{id}, JobState::failed, "", t0}, at(0));
    for (const auto& one : out.notifications) {
      if (one.remove) {
        std::erase_if(saved.notifications, [&](const auto& n) { return n.number == one.notification.number; });
        continue;
      }
      auto read = notification_from_row(to_row(one.notification).to_json());
      ASSERT_TRUE(read.ok());
      EXPECT_EQ(*read, one.notification);
      saved.notifications.insert(saved.notifications.begin(), *read);
    }
  }
  EXPECT_EQ(before.waiting(), 3u);
  EXPECT_EQ(saved.notifications.size(), 3u);
  Alerting after(limits, saved);
  const auto again = step(after, TimePassed{}, at(9)).sends;
  ASSERT_EQ(again.size(), 1u) << "one, which may have arrived before";
  EXPECT_EQ(again[0].number, 1);
  const auto next = step(after, JobSeen{JobId{"d"}, JobState::failed, "", t0}, at(9));
  EXPECT_EQ(next.notifications.at(0).notification.number, 4);
}

}  // namespace
}  // namespace fieldwork::alerting
