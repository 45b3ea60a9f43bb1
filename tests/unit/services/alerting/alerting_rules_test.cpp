// links: alerting_shell GTest::gtest_main
// Each rule: what resolves it, what does not, and states that are seen twice, late or after a restart.
#include <gtest/gtest.h>

#include "alerting/core/alerting.hpp"
#include "support/alerting_core.hpp"

namespace fieldwork::alerting {
namespace {

const TransferId transfer{std::string(32, 'a')};
const std::string failed_transfer = "transfer_failed." + transfer.value;

DeviceSeen seen(Lifecycle lifecycle, Presence presence, double health = 1) {
  return {edge, lifecycle, presence, health, ""};
}
JobSeen seen(JobState state) { return {job, state, "", t0}; }
JobSeen quarantined(Time changed = t0) { return {job, JobState::failed, "", changed, true}; }

TEST(Rules, ResolveByWhatTheirTableSaysAndByNothingElse) {
  struct Case {
    Input fires;
    std::string alert;
    Input then;
    const char* state;
  };
  const auto unwell = seen(Lifecycle::active, Presence::online, 0.5);
  const PlacementSeen idle{edge, false, "clock"};
  const Case cases[] = {
      {lost("edge-1"), "device_lost.edge-1", seen(Lifecycle::enrolling, Presence::starting), "resolved"},
      {lost("edge-1"), "device_lost.edge-1", seen(Lifecycle::active, Presence::suspect, 0.1), "resolved"},
      {lost("edge-1"), "device_lost.edge-1", seen(Lifecycle::refused, Presence::online, 0), "resolved"},
      {lost("edge-1"), "device_lost.edge-1", DeviceGone{edge}, "resolved"},
      {lost("edge-1"), "device_lost.edge-1", ready("edge-2"), "firing"},
      {lost("edge-1"), "device_lost.edge-1", PlacementSeen{edge, true, ""}, "firing"},
      {unwell, "device_health.edge-1", seen(Lifecycle::refused, Presence::online, 0), "resolved"},
      {unwell, "device_health.edge-1", DeviceGone{edge}, "resolved"},
      {unwell, "device_health.edge-1", seen(Lifecycle::active, Presence::lost, 0), "firing"},
      {unwell, "device_health.edge-1", seen(Lifecycle::enrolling, Presence::starting, 1), "firing"},
      {idle, "device_unplaceable.edge-1", DeviceGone{edge}, "resolved"},
      {idle, "device_unplaceable.edge-1", seen(Lifecycle::active, Presence::online), "firing"},
      {seen(JobState::failed), "job_failed.j1", seen(JobState::succeeded), "resolved"},
      {seen(JobState::failed), "job_failed.j1", seen(JobState::cancelled), "resolved"},
      {seen(JobState::failed), "job_failed.j1", quarantined(), "resolved"},
      {seen(JobState::failed), "job_failed.j1", TransferSeen{TransferId{"j1"}, false, "", t0}, "firing"},
      {quarantined(), "job_quarantined.j1", seen(JobState::failed), "resolved"},
      {TransferSeen{transfer, true, "", t0}, failed_transfer, TransferSeen{transfer, false, "", t0}, "resolved"},
      {AuditSeen{true, "row 9"}, "audit_broken.head", AuditSeen{false, ""}, "resolved"},
      {seen(Lifecycle::active, Presence::suspect, 0.1), "device_health.edge-1",
       seen(Lifecycle::active, Presence::lost, 0.1), ""},
  };
  int index = 0;
  for (const auto& one : cases) {
    Alerting alerting(quiet(), {});
    (void)step(alerting, one.fires, at(1));
    EXPECT_EQ(state_of(alerting, one.alert), *one.state == 0 ? "" : "firing") << index;
    (void)step(alerting, one.then, at(2));
    EXPECT_EQ(state_of(alerting, one.alert), one.state) << index;
    ++index;
  }
}

TEST(Rules, SayAStateOnceHoweverOftenItIsSeenAndAfterARestart) {
  const std::pair<const char*, Input> inputs[] = {
      {"device_lost.edge-1", lost("edge-1")},
      {"device_health.edge-2", DeviceSeen{DeviceId{"edge-2"}, Lifecycle::active, Presence::online, 0.3, ""}},
      {"device_duplicated.edge-3", DeviceSeen{DeviceId{"edge-3"}, Lifecycle::active, Presence::online, 1, "", true}},
      {"device_unplaceable.edge-1", PlacementSeen{edge, false, "clock"}},
      {"job_failed.j1", seen(JobState::failed)},
      {"job_quarantined.j2", JobSeen{JobId{"j2"}, JobState::failed, "", t0, true}},
      {failed_transfer.c_str(), TransferSeen{transfer, true, "", t0}},
      {"audit_broken.head", AuditSeen{true, "row 9"}},
  };
  Stored stored;
  Alerting before(Limits{}, {});
  for (const auto& [id, input] : inputs) {
    const auto out = step(before, input, at(1), stored);
    ASSERT_EQ(out.alerts.size(), 1U) << id;
    EXPECT_EQ(out.alerts, out.states) << id;
    EXPECT_EQ(out.alerts[0].id, id);
    EXPECT_EQ(out.notifications.size(), 1U) << id;
    EXPECT_EQ(step(before, input, at(2)), Output{}) << id;
  }
  Alerting after(Limits{}, stored.saved());
  for (const auto& [id, input] : inputs) {
    EXPECT_EQ(step(after, input, at(3600)), Output{}) << id;
    EXPECT_EQ(*after.find(id), *before.find(id));
  }
  EXPECT_EQ(step(after, LinkBack{}, at(3601)).states.size(), 8U);
}

TEST(Rules, AFailureFiresUntilItIsADayOldAndNotAfter) {
  const auto day = std::chrono::hours{24};
  const auto fires = [&](const Input& input, Time now) {
    return step(*std::make_unique<Alerting>(quiet(), Saved{}), input, now).alerts.size();
  };
  for (const Input& input :
       {Input(seen(JobState::failed)), Input(quarantined()), Input(TransferSeen{transfer, true, "", t0})}) {
    EXPECT_EQ(fires(input, t0 + day - Duration{1}), 1U) << input.index();
    EXPECT_EQ(fires(input, t0 + day), 0U) << input.index();
  }
  // However old, it says that the job is not quarantined any more.
  Alerting alerting(quiet(), {});
  (void)step(alerting, quarantined(), at(0));
  (void)step(alerting, JobSeen{job, JobState::failed, "", t0 - day}, at(1));
  EXPECT_EQ(state_of(alerting, "job_quarantined.j1"), "resolved");
  EXPECT_EQ(state_of(alerting, "job_failed.j1"), "");
}

TEST(Rules, OnlyFailuresResolveByTheirAge) {
  Alerting alerting(quiet(), {});
  const JobSeen late{JobId{"late"}, JobState::failed, "", t0};
  for (const Input& input : {Input(lost("edge-1")), Input(AuditSeen{true, "row 9"}), Input(quarantined()),
                             Input(TransferSeen{transfer, true, "", t0})})
    (void)step(alerting, input, at(0));
  (void)step(alerting, late, at(3600));
  const auto out = step(alerting, TimePassed{}, at(24 * 3600));
  EXPECT_EQ(out.states.size(), 2U);
  EXPECT_EQ(state_of(alerting, "job_quarantined.j1"), "resolved");
  EXPECT_EQ(state_of(alerting, failed_transfer), "resolved");
  EXPECT_EQ(state_of(alerting, "job_failed.late"), "firing") << "it has its day from when it fired";
  EXPECT_EQ(state_of(alerting, "device_lost.edge-1"), "firing");
  EXPECT_EQ(state_of(alerting, "audit_broken.head"), "firing");
}

TEST(Rules, AnAlertThatFiresAgainBeginsAnewAndIsKept) {
  Alerting alerting(quiet(), {});
  (void)step(alerting, lost("edge-1"), at(0));
  (void)step(alerting, ready("edge-1"), at(100));
  const auto resolved = *alerting.find("device_lost.edge-1");
  EXPECT_EQ(resolved.since, at(0)) << "of the firing that ended";
  EXPECT_EQ(resolved.changed, at(100));
  (void)step(alerting, DeviceSeen{edge, Lifecycle::active, Presence::lost, 0, "silent for 45 s"}, at(200));
  const Alert again{"device_lost.edge-1", "device_lost", "edge-1", true, 1, "silent for 45 s", at(200), at(200)};
  EXPECT_EQ(*alerting.find("device_lost.edge-1"), again);
  EXPECT_EQ(step(alerting, TimePassed{}, at(100 + 3600)), Output{}) << "it is not the one that was resolved";
  (void)step(alerting, ready("edge-1"), at(5000));
  EXPECT_EQ(step(alerting, TimePassed{}, at(5000 + 3599)), Output{});
  EXPECT_EQ(step(alerting, TimePassed{}, at(5000 + 3600)).alerts, (std::vector{AlertRecord{"device_lost.edge-1", {}}}));
}

TEST(Rules, LongSubjectsAreToldApart) {
  const std::string a(64, 'a'), b = std::string(63, 'a') + "b";
  Alerting alerting(quiet(), {});
  (void)step(alerting, failed(a.c_str()), at(0));
  (void)step(alerting, failed(b.c_str()), at(0));
  EXPECT_EQ(alerting.size(), 2U);
  (void)step(alerting, JobSeen{JobId{a}, JobState::succeeded, "", t0}, at(1));
  EXPECT_EQ(state_of(alerting, alert_id("job_failed", a)), "resolved");
  EXPECT_EQ(state_of(alerting, alert_id("job_failed", b)), "firing");
  EXPECT_EQ(next_step(*alerting.find(alert_id("job_failed", b))), "fieldwork job show " + b) << "the whole name";
}

}  // namespace
}  // namespace fieldwork::alerting
