// links: alerting_shell GTest::gtest_main
// Who is told what, when: groups, waits, repetition, escalation, targets that are down or refuse, restarts.
#include <gtest/gtest.h>

#include "support/alerting_core.hpp"

namespace fieldwork::alerting {
namespace {

constexpr const char* slow = "wait = \"5s\"\ninterval = \"60s\"\n";
Output passes(Alerting& alerting, double s) { return step(alerting, TimePassed{}, at(s)); }
Output takes(Alerting& alerting, const Output& sent, double s) {
  return step(alerting, Delivered{sent.sends.at(0).number}, at(s));
}
Output fails(Alerting& alerting, const Output& sent, double s, bool for_good = false) {
  return step(alerting, Undelivered{sent.sends.at(0).number, for_good, "answered 500"}, at(s));
}

TEST(Telling, OneFiringNotifiesOnceAndItsEndOnce) {
  Alerting alerting(Limits{}, told(), {});
  (void)step(alerting, lost("a"), at(0));
  auto out = passes(alerting, 1);
  EXPECT_EQ(said(out), Texts{"device_lost.a firing"});
  EXPECT_TRUE(passes(alerting, 2).sends.empty()) << "it is on its way";
  EXPECT_TRUE(takes(alerting, out, 3).sends.empty());
  for (int s = 4; s < 100'000; s += 1000) EXPECT_TRUE(passes(alerting, s).sends.empty());
  (void)step(alerting, ready("a"), at(100'000));
  out = passes(alerting, 100'001);
  EXPECT_EQ(said(out), Texts{"device_lost.a resolved"});
  (void)takes(alerting, out, 100'002);
  EXPECT_TRUE(passes(alerting, 100'003).sends.empty());
}

TEST(Telling, WhatBeganAndEndedBeforeAnybodyWasToldIsNotTold) {
  Alerting alerting(Limits{}, told("", slow), {});
  (void)step(alerting, lost("a"), at(0));
  EXPECT_TRUE(passes(alerting, 1).sends.empty());
  (void)step(alerting, ready("a"), at(3));
  for (int s = 4; s < 200; ++s) EXPECT_TRUE(passes(alerting, s).sends.empty());
}

TEST(Telling, AGroupWaitsForAMomentAndThenForItsInterval) {
  Alerting alerting(Limits{}, told("", slow), {});
  (void)step(alerting, lost("a"), at(0));
  EXPECT_TRUE(passes(alerting, 1).sends.empty());
  (void)step(alerting, lost("b"), at(2));
  EXPECT_TRUE(passes(alerting, 5).sends.empty());
  auto out = passes(alerting, 6);
  EXPECT_EQ(said(out), (Texts{"device_lost.a firing", "device_lost.b firing"}));
  (void)takes(alerting, out, 7);
  (void)step(alerting, lost("c"), at(8));
  (void)step(alerting, ready("a"), at(9));
  EXPECT_TRUE(passes(alerting, 10).sends.empty());
  EXPECT_TRUE(passes(alerting, 66).sends.empty());
  EXPECT_EQ(said(passes(alerting, 67)), (Texts{"device_lost.a resolved", "device_lost.c firing"}));
}

TEST(Telling, AFiringThatBeganAnewIsToldWithItsTime) {
  Alerting alerting(Limits{}, told(), {});
  (void)step(alerting, lost("a"), at(0));
  (void)takes(alerting, passes(alerting, 1), 1);
  (void)step(alerting, ready("a"), at(2));
  (void)step(alerting, lost("a"), at(3));
  const auto out = passes(alerting, 4);
  ASSERT_EQ(said(out), Texts{"device_lost.a firing"});
  EXPECT_EQ(out.sends[0].alerts[0].since, at(3));
}

TEST(Telling, TheEndIsToldOnceAlsoOfAFiringOfWhichNobodyHeard) {
  Alerting alerting(Limits{}, told(), {});
  (void)step(alerting, lost("a"), at(0));
  (void)takes(alerting, passes(alerting, 1), 1);
  for (const auto& input : {ready("a"), lost("a"), ready("a")}) (void)step(alerting, input, at(2));
  const auto out = passes(alerting, 3);
  EXPECT_EQ(said(out), Texts{"device_lost.a resolved"});
  EXPECT_TRUE(takes(alerting, out, 4).sends.empty());
  for (int s = 5; s < 100; ++s) EXPECT_TRUE(passes(alerting, s).sends.empty());
}

TEST(Telling, ARestartRepeatsAtMostWhatWasOnItsWay) {
  Stored stored;
  Alerting before(Limits{}, told(), {});
  for (const char* id : {"a", "b"}) (void)step(before, lost(id), at(0), stored);
  auto first = step(before, TimePassed{}, at(1), stored);
  (void)step(before, Delivered{first.sends[0].number}, at(1), stored);
  (void)step(before, failed("j"), at(2), stored);
  const auto flying = step(before, TimePassed{}, at(3), stored);
  EXPECT_EQ(said(flying), Texts{"job_failed.j firing"});
  Alerting after(Limits{}, told(), stored.saved());
  const auto again = step(after, TimePassed{}, at(9));
  ASSERT_EQ(said(again), Texts{"job_failed.j firing"}) << "it may have arrived before";
  EXPECT_EQ(again.sends[0].alerts[0].id, flying.sends[0].alerts[0].id);
  EXPECT_EQ(again.sends[0].alerts[0].since, flying.sends[0].alerts[0].since) << "a receiver can drop it";
  (void)step(after, ready("a"), at(10));
  EXPECT_EQ(said(takes(after, again, 10)), Texts{"device_lost.a resolved"}) << "it was told before the restart";
}

TEST(Telling, ATargetThatIsDownForAnHourLosesNothing) {
  Alerting alerting(Limits{}, told(), {});
  (void)step(alerting, lost("a"), at(0));
  auto out = passes(alerting, 1);
  std::size_t attempts = 0;
  for (int s = 1; s < 3600; ++s) {
    if (!out.sends.empty()) {
      ++attempts;
      EXPECT_TRUE(fails(alerting, out, s).dead.empty());
    }
    if (s == 1000) (void)step(alerting, failed("j"), at(s));
    out = passes(alerting, s + 0.5 + (s % 2) * 0.5);
  }
  EXPECT_LT(attempts, 75U) << "up to a minute between two";
  Texts heard;
  for (int s = 3600; s < 3800; ++s) {
    for (; !out.sends.empty(); out = takes(alerting, out, s)) {
      for (const auto& one : said(out)) heard.push_back(one);
    }
    out = passes(alerting, s);
  }
  std::sort(heard.begin(), heard.end());
  EXPECT_EQ(heard, (Texts{"device_lost.a firing", "job_failed.j firing"}));
}

TEST(Telling, WhatTargetsDoNotTakeIsADeadLetterInTheEnd) {
  Alerting alerting(Limits{}, told("", "give_up = \"10min\"\nwait = \"0s\"\n"), {});
  (void)step(alerting, lost("a"), at(0));
  std::vector<DeadLetter> dead;
  for (int s = 1; s < 2000; ++s) {
    auto out = passes(alerting, s);
    if (out.sends.empty()) continue;
    out = fails(alerting, out, s);
    for (const auto& one : out.dead) dead.push_back(one);
    EXPECT_TRUE(s < 700 || !dead.empty());
  }
  ASSERT_EQ(dead.size(), 1U);
  EXPECT_EQ(dead[0].target, "ops");
  EXPECT_EQ(dead[0].alert.id, "device_lost.a");
  EXPECT_EQ(dead[0].reason, "answered 500");
}

// Late in a long outage something new becomes due: it has its own time.
TEST(Telling, WhoTookNothingIsNotSaidToKnow) {
  Stored stored;
  auto book = told();
  book.targets[0].repeat = std::chrono::hours{4};
  Alerting alerting(Limits{}, book, {});
  (void)step(alerting, lost("a"), at(0), stored);
  const auto out = passes(alerting, 1);
  (void)step(alerting, Undelivered{out.sends.at(0).number, true, "answered 400"}, at(2), stored);
  EXPECT_TRUE(alerting.find("device_lost.a")->told.begin()->second.dead);
  EXPECT_TRUE(passes(alerting, 200).sends.empty()) << "it is given up";
  const auto again = passes(alerting, 4 * 3600 + 10);
  ASSERT_EQ(again.sends.size(), 1U) << "until it is repeated";
  (void)step(alerting, Undelivered{again.sends[0].number, true, "answered 400"}, at(4 * 3600 + 11), stored);
  EXPECT_TRUE(alerting.find("device_lost.a")->told.begin()->second.dead) << "nor after the second one";
}

TEST(Telling, EachAlertHasTheWholeBudget) {
  Alerting alerting(Limits{}, told("", "give_up = \"10min\"\nwait = \"0s\"\n"), {});
  (void)step(alerting, lost("a"), at(0));
  std::map<std::string, int> dead;
  for (int s = 1; s < 1300; ++s) {
    if (s == 590) (void)step(alerting, lost("b"), at(s));
    auto out = passes(alerting, s);
    if (out.sends.empty()) continue;
    for (const auto& one : fails(alerting, out, s).dead) dead[one.alert.subject] = s;
  }
  EXPECT_GE(dead["a"], 600);
  EXPECT_LE(dead["a"], 670);
  EXPECT_GE(dead["b"], 1190);
}

// One that is down holds back nobody else, and neither does one that refuses.
TEST(Telling, EachTargetHasItsOwnTurn) {
  const std::string second = "[[target]]\nname = \"other\"\ntype = \"ntfy\"\nurl = \"http://y\"\n";
  Alerting alerting(Limits{}, told(second), {});
  (void)step(alerting, lost("a"), at(0));
  auto out = passes(alerting, 1);
  ASSERT_EQ(out.sends.size(), 2U);
  (void)step(alerting, Undelivered{out.sends[0].number, false, "down"}, at(1));
  (void)step(alerting, Delivered{out.sends[1].number}, at(1));
  EXPECT_EQ(alerting.trouble("ops"), "down");
  (void)step(alerting, failed("j"), at(1.2));
  (void)step(alerting, ready("a"), at(1.3));
  out = passes(alerting, 2.1);
  EXPECT_EQ(out.sends.size(), 2U) << "of the one target";
  EXPECT_EQ(said(out), (Texts{"job_failed.j firing", "device_lost.a resolved"})) << "what failed goes behind";
}

TEST(Telling, AMessageThatIsRefusedIsSentAgainAlertByAlert) {
  Alerting alerting(Limits{}, told(), {});
  for (const char* id : {"a", "b", "c"}) (void)step(alerting, lost(id), at(0));
  auto out = passes(alerting, 1);
  ASSERT_EQ(out.sends.at(0).alerts.size(), 3U);
  Texts heard;
  std::vector<DeadLetter> dead;
  out = fails(alerting, out, 1, true);
  while (!out.sends.empty()) {
    ASSERT_EQ(out.sends[0].alerts.size(), 1U);
    const bool bad = out.sends[0].alerts[0].subject == "b";
    if (!bad) heard.push_back(said(out)[0]);
    out = bad ? fails(alerting, out, 2, true) : takes(alerting, out, 2);
    for (const auto& one : out.dead) dead.push_back(one);
  }
  EXPECT_EQ(heard, (Texts{"device_lost.a firing", "device_lost.c firing"}));
  ASSERT_EQ(dead.size(), 1U);
  EXPECT_EQ(dead[0].alert.subject, "b");
  EXPECT_TRUE(passes(alerting, 10).sends.empty());
}

TEST(Telling, OnlyWhatATargetAsksFor) {
  Alerting alerting(Limits{}, told("when = \"severity == critical\"\n"), {});
  (void)step(alerting, failed("j"), at(0));
  EXPECT_TRUE(passes(alerting, 1).sends.empty());
  (void)step(alerting, lost("a"), at(2));
  EXPECT_EQ(said(passes(alerting, 3)), Texts{"device_lost.a firing"});
}

TEST(Telling, EscalatesWhatNobodyAcknowledges) {
  const std::string chief = "[[target]]\nname = \"chief\"\ntype = \"ntfy\"\nurl = \"http://y\"\nafter = \"15min\"\n";
  auto book = rules(chief);
  book.wait = Duration{};
  Alerting alerting(Limits{}, book, {});
  for (const char* id : {"a", "b"}) (void)step(alerting, lost(id), at(0));
  (void)step(alerting, AckAsked{0, "device_lost.b", "ann", "on my way"}, at(60));
  EXPECT_TRUE(passes(alerting, 899).sends.empty());
  const auto out = passes(alerting, 900);
  EXPECT_EQ(said(out), Texts{"device_lost.a firing"});
  (void)takes(alerting, out, 901);
  for (const char* id : {"a", "b"}) (void)step(alerting, ready(id), at(1000));
  EXPECT_EQ(said(passes(alerting, 1061)), Texts{"device_lost.a resolved"});
}

TEST(Telling, RepeatsWhatFiresUntilItIsAcknowledged) {
  auto book = told();
  book.targets[0].repeat = seconds{3600};
  Alerting alerting(Limits{}, book, {});
  (void)step(alerting, lost("a"), at(0));
  (void)takes(alerting, passes(alerting, 1), 1);
  EXPECT_TRUE(passes(alerting, 3600).sends.empty());
  const auto out = passes(alerting, 3601);
  EXPECT_EQ(said(out), Texts{"device_lost.a firing"});
  (void)takes(alerting, out, 3602);
  (void)step(alerting, AckAsked{0, "device_lost.a", "ann", ""}, at(3700));
  for (int s = 3701; s < 20'000; s += 100) EXPECT_TRUE(passes(alerting, s).sends.empty());
}

// Alertmanager groups, mutes by itself and forgets what it does not hear of.
TEST(Telling, AlertmanagerHearsOfAllAgainEachMinute) {
  Alerting alerting(Limits{}, rules("[[target]]\nname = \"am\"\ntype = \"alertmanager\"\nurl = \"http://x\"\n"), {});
  for (int i = 0; i < 100; ++i) (void)step(alerting, lost(("d" + std::to_string(i)).c_str()), at(0));
  (void)step(alerting, failed("j"), at(0));
  auto out = passes(alerting, 1);
  EXPECT_EQ(said(out).size(), 101U);
  (void)step(alerting, AckAsked{0, "job_failed.j", "ann", ""}, at(2));
  (void)takes(alerting, out, 2);
  EXPECT_TRUE(passes(alerting, 61).sends.empty());
  EXPECT_EQ(said(passes(alerting, 62)).size(), 101U);
}

// What it does not hear of again ends there after five minutes, and it would tell people so.
TEST(Telling, AlertmanagerGoesOnHearingOfWhatIsMuted) {
  Alerting alerting(Limits{}, rules("[[target]]\nname = \"am\"\ntype = \"alertmanager\"\nurl = \"http://x\"\n"), {});
  (void)step(alerting, lost("a"), at(0));
  auto out = passes(alerting, 1);
  (void)takes(alerting, out, 2);
  SilenceAsked silence{.reply = 0};
  silence.silence = {
      "s-1", *fleet::Expression::parse("rule == device_lost", alerts::alert_vocabulary()), "ann", "", at(3), at(1000)};
  (void)step(alerting, silence, at(3));
  (void)step(alerting, lost("b"), at(4));
  EXPECT_EQ(said(passes(alerting, 62)), (std::vector<std::string>{"device_lost.a firing"})) << "and b is not begun";
}

TEST(Telling, AnswersThatNameAnotherMessageChangeNothing) {
  Alerting alerting(Limits{}, told(), {});
  (void)step(alerting, lost("a"), at(0));
  const auto out = passes(alerting, 1);
  EXPECT_EQ(step(alerting, Delivered{out.sends[0].number + 1}, at(1)), Output{});
  EXPECT_EQ(step(alerting, Undelivered{out.sends[0].number - 1, true, "x"}, at(1)), Output{});
  (void)takes(alerting, out, 2);
  EXPECT_EQ(step(alerting, Delivered{out.sends[0].number}, at(3)), Output{}) << "twice";
}

TEST(Telling, AChangeOfTheRulesTakesNothingBack) {
  Alerting alerting(Limits{}, told(), {});
  (void)step(alerting, lost("a"), at(0));
  auto out = passes(alerting, 1);
  (void)step(alerting, RulesChanged{told("[[target]]\nname = \"new\"\ntype = \"ntfy\"\nurl = \"http://y\"\n")}, at(2));
  (void)step(alerting, Delivered{out.sends[0].number}, at(2));
  EXPECT_EQ(passes(alerting, 3).sends.at(0).target, "new") << "the other knows";
  const std::string moved = "[[target]]\nname = \"new\"\ntype = \"ntfy\"\nurl = \"http://z\"\n";
  (void)step(alerting, RulesChanged{told(moved)}, at(4));
  EXPECT_EQ(passes(alerting, 5).sends.size(), 1U) << "who carried it is gone, and with it the answer";
}

}  // namespace
}  // namespace fieldwork::alerting
