// links: alerting_shell GTest::gtest_main
// Silences, inhibitions, acknowledgements.
#include <gtest/gtest.h>

#include "support/alerting_core.hpp"

namespace fieldwork::alerting {
namespace {

SilenceAsked silence(const std::string& matcher, double from, double to, std::uint64_t reply = 0) {
  SilenceAsked out{.reply = reply};
  out.silence = {"s-1", *fleet::Expression::parse(matcher, alerts::alert_vocabulary()), "ann", "works", at(from),
                 at(to)};
  return out;
}
Texts passes(Alerting& alerting, double s) { return said(step(alerting, TimePassed{}, at(s))); }

TEST(Silences, MuteUntilTheyEnd) {
  Alerting alerting(Limits{}, told(), {});
  const auto out = step(alerting, silence("rule == device_lost and subject ^= edge", 0, 100, 7), at(0));
  ASSERT_EQ(out.answers.size(), 1U);
  EXPECT_EQ(std::get<Silence>(out.answers[0].answer).id, "s-1");
  (void)step(alerting, lost("edge-1"), at(1));
  EXPECT_EQ(alerting.find("device_lost.edge-1")->muted, "silence s-1: works");
  (void)step(alerting, lost("other"), at(1));
  EXPECT_EQ(passes(alerting, 2), Texts{"device_lost.other firing"});
  (void)step(alerting, Delivered{1}, at(3));
  EXPECT_EQ(passes(alerting, 99), Texts{});
  EXPECT_EQ(passes(alerting, 100), Texts{"device_lost.edge-1 firing"}) << "it still fires";
  EXPECT_EQ(alerting.find("device_lost.edge-1")->muted, "");
}

TEST(Silences, MuteNoEndOfWhatWasTold) {
  Alerting alerting(Limits{}, told(), {});
  (void)step(alerting, lost("a"), at(0));
  EXPECT_EQ(passes(alerting, 1), Texts{"device_lost.a firing"});
  (void)step(alerting, Delivered{1}, at(1));
  (void)step(alerting, silence("rule == device_lost", 2, 100), at(2));
  (void)step(alerting, ready("a"), at(3));
  EXPECT_EQ(passes(alerting, 4), Texts{"device_lost.a resolved"});
}

TEST(Silences, GoOnAfterARestartAndEndWhenAsked) {
  Stored stored;
  Alerting before(Limits{}, told(), {});
  (void)step(before, silence("severity == critical", 0, 1000), at(0), stored);
  Alerting after(Limits{}, told(), stored.saved());
  (void)step(after, lost("a"), at(1), stored);
  EXPECT_EQ(passes(after, 2), Texts{});
  auto end = silence("severity == critical", 0, 0, 9);
  end.end = true;
  const auto out = step(after, end, at(3), stored);
  EXPECT_EQ(std::get<Silence>(out.answers.at(0).answer).until, at(3));
  EXPECT_TRUE(stored.silences.empty());
  EXPECT_EQ(passes(after, 4), Texts{"device_lost.a firing"});
  EXPECT_EQ(std::get<Error>(step(after, end, at(5)).answers.at(0).answer),
            (Error{Code::unknown, "no such silence", "/silence"}));
}

TEST(Silences, AskedTwiceIsOneAndTheirNumberIsBounded) {
  Limits limits;
  limits.silences_max = 2;
  Alerting alerting(limits, told(), {});
  (void)step(alerting, silence("rule == a", 0, 100), at(0));
  auto again = silence("rule == a", 1, 101, 1);
  again.silence.id = "s-2";
  EXPECT_EQ(std::get<Silence>(step(alerting, again, at(1)).answers.at(0).answer).id, "s-1");
  auto other = silence("rule == b", 0, 100);
  other.silence.id = "s-3";
  (void)step(alerting, other, at(0));
  auto third = silence("rule == c", 0, 100, 2);
  third.silence.id = "s-4";
  EXPECT_EQ(std::get<Error>(step(alerting, third, at(1)).answers.at(0).answer).code, Code::unavailable);
}

// A lost site is told, its devices are not; those of another site are.
TEST(Inhibitions, ALostSiteMutesItsDevices) {
  Alerting alerting(Limits{}, told(), {});
  for (const char* id : {"a", "b", "c"}) (void)step(alerting, lost(id, "berlin"), at(0));
  (void)step(alerting, lost("x", "paris"), at(0));
  (void)step(alerting, ready("y", "paris"), at(0));
  for (int s = 1; s <= 32; ++s) {
    Output out;
    alerting.step(TimePassed{}, at(s), out);
    alerting.step(BatchEnded{}, at(s), out);
  }
  EXPECT_EQ(state_of(alerting, "site_lost.berlin"), "firing");
  EXPECT_EQ(alerting.find("site_lost.berlin")->reason, "nearly all devices of the site are lost: 3 of 3 (100 %)");
  EXPECT_EQ(alerting.find("device_lost.a")->muted, "inhibited by rule == site_lost");
  EXPECT_EQ(alerting.find("device_lost.x")->muted, "");
  (void)step(alerting, ready("a", "berlin"), at(40));
  (void)step(alerting, TimePassed{}, at(41));
  EXPECT_EQ(state_of(alerting, "site_lost.berlin"), "resolved");
  EXPECT_EQ(alerting.find("device_lost.b")->muted, "") << "it is news by itself again";
}

// The last devices of a site went while nothing was heard.
// Before its 30 s are over, what it explains waits.
TEST(Inhibitions, ASiteThatIsAboutToBeLostMutesToo) {
  Alerting alerting(Limits{}, told(), {});
  for (const char* id : {"a", "b", "c"}) (void)step(alerting, lost(id, "berlin"), at(0));
  for (int s = 1; s <= 5; ++s) (void)step(alerting, TimePassed{}, at(s));
  ASSERT_EQ(alerting.find("site_lost.berlin")->state, Alert::State::pending);
  EXPECT_NE(alerting.find("device_lost.a")->muted, "");
  for (const char* id : {"a", "b"}) (void)step(alerting, ready(id, "berlin"), at(6));
  (void)step(alerting, TimePassed{}, at(7));
  EXPECT_EQ(alerting.find("device_lost.c")->muted, "") << "the site is not lost: it is";
}

TEST(Inhibitions, ASiteThatIsAboutToBeLostAgainMutesToo) {
  Alerting alerting(Limits{}, told(), {});
  const auto pass = [&](int from, int to) {
    for (int s = from; s <= to; ++s) (void)step(alerting, TimePassed{}, at(s));
  };
  for (const char* id : {"a", "b", "c"}) (void)step(alerting, lost(id, "berlin"), at(0));
  pass(1, 40);
  for (const char* id : {"a", "b", "c"}) (void)step(alerting, ready(id, "berlin"), at(41));
  pass(42, 50);
  ASSERT_EQ(state_of(alerting, "site_lost.berlin"), "resolved");
  for (const char* id : {"a", "b", "c"}) (void)step(alerting, lost(id, "berlin"), at(60));
  pass(61, 65);
  EXPECT_EQ(state_of(alerting, "site_lost.berlin"), "resolved") << "it has not fired again yet";
  EXPECT_NE(alerting.find("device_lost.a")->muted, "");
  for (const char* id : {"a", "b"}) (void)step(alerting, ready(id, "berlin"), at(66));
  pass(67, 67);
  EXPECT_EQ(alerting.find("device_lost.c")->muted, "");
}

TEST(Inhibitions, ASiteOfWhichNobodyIsLeftIsNotLost) {
  Stored stored;
  Alerting before(Limits{}, told(), {});
  for (const char* id : {"a", "b", "c"}) (void)step(before, lost(id, "berlin"), at(0), stored);
  for (int s = 1; s <= 32; ++s) (void)step(before, TimePassed{}, at(s), stored);
  Alerting after(Limits{}, told(), stored.saved());
  EXPECT_EQ(state_of(after, "site_lost.berlin"), "firing");
  (void)step(after, LinkBack{}, at(100));
  (void)step(after, TimePassed{}, at(700));
  EXPECT_EQ(state_of(after, "site_lost.berlin"), "resolved");
}

TEST(Acknowledgements, AreOfOneFiring) {
  Alerting alerting(Limits{}, told(), {});
  (void)step(alerting, lost("a"), at(0));
  const auto out = step(alerting, AckAsked{3, "device_lost.a", "ann", "on my way"}, at(1));
  const auto& alert = std::get<Alert>(out.answers.at(0).answer);
  EXPECT_EQ(alert.acked, (Ack{"ann", "on my way", at(1)}));
  EXPECT_EQ(out.states.size(), 1U);
  EXPECT_TRUE(step(alerting, AckAsked{4, "device_lost.a", "ann", "on my way"}, at(2)).states.empty()) << "repeated";
  (void)step(alerting, AckAsked{0, "device_lost.a", "ann", "", true}, at(3));
  EXPECT_FALSE(alerting.find("device_lost.a")->acked);
  (void)step(alerting, AckAsked{0, "device_lost.a", "bob", ""}, at(4));
  (void)step(alerting, ready("a"), at(5));
  const auto late = step(alerting, AckAsked{5, "device_lost.a", "bob", ""}, at(6));
  EXPECT_EQ(std::get<Error>(late.answers.at(0).answer).code, Code::conflict);
  (void)step(alerting, lost("a"), at(7));
  EXPECT_FALSE(alerting.find("device_lost.a")->acked) << "it fires anew";
  EXPECT_EQ(std::get<Error>(step(alerting, AckAsked{6, "x.y", "bob", ""}, at(8)).answers.at(0).answer),
            (Error{Code::unknown, "no such alert", "/alert"}));
}

}  // namespace
}  // namespace fieldwork::alerting
