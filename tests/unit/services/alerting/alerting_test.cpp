// links: alerting_shell GTest::gtest_main
// The life of an alert: pending, firing, resolved, gone; batches, restarts, rules that change.
#include <gtest/gtest.h>

#include "support/alerting_core.hpp"

namespace fieldwork::alerting {
namespace {

const std::string held = R"(
[[rule]]
name = "hot"
over = "device"
when = "health < 0.5"
until = "health > 0.8"
for = "10s"
value = "health"
text = "its health is {health}"
labels = ["site"]
)";
Seen health(double value) { return device("edge-1", Lifecycle::active, Presence::online, value, "", "berlin"); }

TEST(Life, GoesFromPendingToFiringToResolvedToGone) {
  Alerting alerting(Limits{}, rules(held), {});
  EXPECT_EQ(step(alerting, health(0.4), at(0)).states.size(), 2U) << "and device_health";
  EXPECT_EQ(state_of(alerting, "hot.edge-1"), "pending");
  (void)step(alerting, TimePassed{}, at(9));
  EXPECT_EQ(state_of(alerting, "hot.edge-1"), "pending");
  const auto out = step(alerting, TimePassed{}, at(10));
  ASSERT_EQ(out.begun.size(), 1U);
  const Alert wanted{.id = "hot.edge-1",
                     .rule = "hot",
                     .subject = "edge-1",
                     .value = 0.4,
                     .reason = "its health is 0.4",
                     .about = "device",
                     .next = "",
                     .labels = {{"site", "berlin"}},
                     .since = at(10),
                     .changed = at(10),
                     .first = at(10),
                     .count = 1};
  EXPECT_EQ(out.begun[0], wanted);
  (void)step(alerting, health(0.7), at(20));
  EXPECT_EQ(state_of(alerting, "hot.edge-1"), "firing") << "not yet above 0.8";
  EXPECT_EQ(step(alerting, health(0.9), at(30)).ended.size(), 2U);
  EXPECT_EQ(state_of(alerting, "hot.edge-1"), "resolved");
  (void)step(alerting, TimePassed{}, at(30 + 3600));
  EXPECT_EQ(state_of(alerting, "hot.edge-1"), "");
}

TEST(Life, WhatWasOnlyPendingLeavesNothing) {
  Alerting alerting(Limits{}, rules(held), {});
  (void)step(alerting, health(0.4), at(0));
  const auto out = step(alerting, health(0.7), at(5));
  EXPECT_EQ(state_of(alerting, "hot.edge-1"), "");
  EXPECT_EQ(out.alerts.front(), (AlertRecord{"hot.edge-1", {}}));
  EXPECT_TRUE(out.ended.empty());
}

TEST(Life, CountsItsFiringsAndKeepsTheFirst) {
  Alerting alerting(Limits{}, rules(), {});
  for (const int s : {0, 100}) {
    (void)step(alerting, lost("a"), at(s));
    (void)step(alerting, ready("a"), at(s + 10));
  }
  (void)step(alerting, lost("a"), at(200));
  const auto& alert = *alerting.find("device_lost.a");
  EXPECT_EQ(alert.count, 3);
  EXPECT_EQ(alert.first, at(0));
  EXPECT_EQ(alert.since, at(200));
  EXPECT_EQ(alert.severity, Severity::critical);
}

TEST(Life, IsSavedAndSaidOncePerBatch) {
  Alerting alerting(Limits{}, rules(), {});
  Output out;
  for (const auto& one : {lost("a"), ready("a"), lost("a")}) alerting.step(one, at(0), out);
  EXPECT_TRUE(out.alerts.empty()) << "before the end of the batch";
  alerting.step(BatchEnded{}, at(0), out);
  const std::vector<AlertRecord> last{{"device_lost.a", *alerting.find("device_lost.a")}};
  EXPECT_EQ(out.alerts, last);
  EXPECT_EQ(out.states, last);
  EXPECT_EQ(step(alerting, LinkBack{}, at(1)).states, last) << "the broker may have lost it";
  EXPECT_EQ(step(alerting, lost("a"), at(2)), Output{}) << "seen again, it is no news";
}

TEST(Life, GoesOnAfterARestart) {
  Stored stored;
  Alerting before(Limits{}, rules(held), {});
  (void)step(before, health(0.4), at(0), stored);
  (void)step(before, lost("b"), at(1), stored);
  Alerting after(Limits{}, rules(held), stored.saved());
  EXPECT_EQ(*after.find("device_lost.b"), *before.find("device_lost.b"));
  EXPECT_EQ(step(after, lost("b"), at(2)), Output{});
  (void)step(after, TimePassed{}, at(10));
  EXPECT_EQ(state_of(after, "hot.edge-1"), "firing") << "it was pending since before";
}

TEST(Life, WhatFiresGoesOnAfterARestart) {
  Stored stored;
  Alerting before(Limits{}, rules(held), {});
  (void)step(before, health(0.4), at(0), stored);
  (void)step(before, TimePassed{}, at(10), stored);
  Alerting after(Limits{}, rules(held), stored.saved());
  EXPECT_TRUE(step(after, health(0.4), at(12)).ended.empty());
  EXPECT_EQ(after.find("hot.edge-1")->since, at(10));
}

// What went while nothing was heard is never said again.
TEST(Life, EndsWhereTheThingIsNotNamedAfterTheLinkIsBack) {
  Alerting alerting(Limits{}, rules(), {});
  for (const char* id : {"a", "b"}) (void)step(alerting, lost(id), at(0));
  (void)step(alerting, failed("j"), at(0));
  (void)step(alerting, LinkBack{}, at(10));
  (void)step(alerting, lost("a"), at(11));
  (void)step(alerting, TimePassed{}, at(609));
  EXPECT_EQ(state_of(alerting, "device_lost.b"), "firing");
  (void)step(alerting, TimePassed{}, at(610));
  EXPECT_EQ(state_of(alerting, "device_lost.a"), "firing");
  EXPECT_EQ(state_of(alerting, "device_lost.b"), "resolved");
  EXPECT_EQ(state_of(alerting, "job_failed.j"), "firing") << "a failure stays one";
}

TEST(Life, OfARuleThatIsGoneOrOffEnds) {
  Alerting alerting(Limits{}, rules(held), {});
  (void)step(alerting, health(0.4), at(0));
  (void)step(alerting, lost("b"), at(0));
  const auto out = step(alerting, RulesChanged{rules("[[rule]]\nname = \"device_lost\"\nenabled = false\n")}, at(1));
  EXPECT_EQ(state_of(alerting, "hot.edge-1"), "") << "it was pending";
  ASSERT_EQ(out.ended.size(), 1U);
  EXPECT_EQ(out.ended[0].reason, "the device is lost") << "what it was";
  EXPECT_EQ(out.ended[0].ended, "its rule is gone, or another one");
  EXPECT_EQ(state_of(alerting, "device_health.edge-1"), "firing") << "of another rule";
  (void)step(alerting, lost("c"), at(2));
  EXPECT_EQ(state_of(alerting, "device_lost.c"), "");
}

TEST(Life, OfARuleThatIsAboutAnotherSortOfThingEnds) {
  Alerting alerting(Limits{}, rules(held), {});
  (void)step(alerting, health(0.4), at(0));
  (void)step(alerting, TimePassed{}, at(10));
  ASSERT_EQ(state_of(alerting, "hot.edge-1"), "firing");
  (void)step(alerting, RulesChanged{rules("[[rule]]\nname = \"hot\"\nover = \"disk\"\nwhen = \"use > 1%\"\n")}, at(11));
  EXPECT_EQ(state_of(alerting, "hot.edge-1"), "resolved");
}

TEST(Life, AValueThatMovedIsShown) {
  Alerting alerting(Limits{}, rules(), {});
  (void)step(alerting, health(0.6), at(0));
  EXPECT_EQ(step(alerting, health(0.57), at(1)).states.size(), 0U);
  EXPECT_EQ(step(alerting, health(0.5), at(2)).states.size(), 1U);
  EXPECT_EQ(alerting.find("device_health.edge-1")->reason, "its health is 0.5");
}

TEST(Life, FollowsAChangedRule) {
  Alerting alerting(Limits{}, rules(held), {});
  (void)step(alerting, health(0.4), at(0));
  (void)step(alerting, TimePassed{}, at(10));
  (void)step(alerting, RulesChanged{rules(held + "severity = \"critical\"\n")}, at(11));
  (void)step(alerting, health(0.4), at(12));
  const auto& alert = *alerting.find("hot.edge-1");
  EXPECT_EQ(alert.severity, Severity::critical);
  EXPECT_EQ(alert.since, at(10)) << "it is the same firing";
}

TEST(Life, IdsAreIds) {
  EXPECT_EQ(alert_id("job_failed", "j1"), "job_failed.j1");
  EXPECT_TRUE(is_id(alert_id("disk_full", "/var/lib")));
  EXPECT_NE(alert_id("disk_full", "/a"), alert_id("disk_full", "/b"));
}

TEST(Life, IsListedByExpressionAndPage) {
  Alerting alerting(Limits{}, rules(), {});
  for (const char* id : {"a", "b", "c"}) (void)step(alerting, lost(id, "berlin"), at(0));
  (void)step(alerting, failed("j"), at(0));
  const auto matcher = *fleet::Expression::parse("severity == critical and label.site == berlin and over == device",
                                                 alerts::alert_vocabulary());
  const auto all = alerting.list(matcher, "", 10);
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(alerting.list(matcher, "device_lost.a", 1).front()->id, "device_lost.b");
}

}  // namespace
}  // namespace fieldwork::alerting
