// links: alerts GTest::gtest_main
// What each condition of a rule says of what is seen, and what it remembers: by restarts, in any order, within bounds.
#include "alerts/evaluate.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <tuple>

namespace fieldwork::alerts {
namespace {

using Is = Finding::Is;
using Findings = std::vector<Finding>;

constexpr Time t0{seconds{1'000'000}};
Time at(int s) { return t0 + seconds{s}; }

// A rule `mine` and no other.
RuleBook book_of(const std::string& over, const std::string& more) {
  auto book = read_rules("[[rule]]\nname = \"mine\"\nover = \"" + over + "\"\n" + more, "f.toml");
  EXPECT_TRUE(book) << more << "\n" << (book ? "" : describe(book.error()));
  if (!book) return {};
  std::erase_if(book->rules, [](const Rule& rule) { return rule.name != "mine"; });
  return *book;
}

using Texts = std::initializer_list<std::pair<const char*, std::string>>;
fleet::NamedValues named(Texts texts) {
  fleet::NamedValues out;
  for (const auto& [name, text] : texts) out.set(name, text);
  return out;
}
Sample disk(const std::string& id, double use) {
  auto values = named({{"path", "/" + id}});
  values.set("use", use);
  return of(Over::disk, id, std::move(values));
}
Sample job(const std::string& id, const char* state, Time since, const std::string& submitter = "ann") {
  auto values = named({{"job", id}, {"submitter", submitter}});
  EXPECT_TRUE(set_word(values, vocabulary(Over::job), "state", state)) << state;
  return of(Over::job, id, std::move(values), since);
}
Sample event(const std::string& device, const std::string& what) {
  return of(Over::event, device, named({{"device", device}, {"event", what}}));
}
Sample device(const std::string& id, const std::string& site, Presence presence, std::int64_t claimed_ms = 0) {
  Device out{.id = DeviceId(id), .lifecycle = Lifecycle::active, .presence = presence, .claimed_ms = claimed_ms};
  out.about.site = site;
  return of(std::move(out));
}

struct Scene {
  Scene(const std::string& over, const std::string& more, std::size_t subjects_max = 100'000)
      : book(book_of(over, more)), max(subjects_max), evaluator(book, max) {}
  Findings see(const Sample& sample, int s) {
    Findings out;
    return evaluator.see(sample, at(s), out), out;
  }
  Findings pass(int s) {
    Findings out;
    return evaluator.pass(at(s), out), out;
  }
  // As the service does it: from what it had stored.
  void restart(const Findings& stored) {
    evaluator = Evaluator(book, max);
    for (const auto& one : stored) evaluator.resume(one);
  }
  RuleBook book;
  std::size_t max;
  Evaluator evaluator;
};

// Subject, what it is, since when, value.
using All = std::vector<std::tuple<std::string, Is, Time, double>>;
All said(const Findings& findings) {
  All out;
  for (const auto& one : findings) out.emplace_back(one.subject, one.is, one.since, one.value);
  return out;
}
const All nothing;
All one(const std::string& subject, Is is, int since, double value = 1) { return {{subject, is, at(since), value}}; }
All clear(const std::string& subject) { return {{subject, Is::clear, Time{}, 1}}; }
All calm(const std::string& subject) { return {{subject, Is::calm, Time{}, 1}}; }

const std::string full = "when = \"use > 90%\"\nvalue = \"use\"\n";

TEST(State, FiresWhenItIsSoAndIsClearWhenNot) {
  const std::string words = "text = \"{use} of {path}\"\nnext = \"df {subject}\"\n";
  Scene scene("disk", full + words + "labels = [\"path\", \"free\"]\nset = {team = \"ops\"}\n");
  const Finding wanted{"mine", "a", Is::firing, 95, "95 % of /a", "df a", {{"path", "/a"}, {"team", "ops"}}, at(0)};
  EXPECT_EQ(scene.see(disk("a", 95), 0), Findings{wanted}) << "an absent value makes no label";
  EXPECT_EQ(said(scene.see(disk("a", 90), 1)), clear("a"));
  EXPECT_EQ(said(scene.see(gone(Over::disk, "a"), 2)), clear("a"));
  EXPECT_EQ(scene.see(event("a", "lost"), 3), Findings{}) << "another sort of thing";
}

TEST(State, IsSinceWhenTheThingSays) {
  Scene as_said("job", "when = \"state == failed\"\n");
  EXPECT_EQ(said(as_said.see(job("j", "failed", at(3)), 9)), one("j", Is::firing, 3));
  EXPECT_EQ(said(as_said.see(job("j", "failed", Time{}), 9)), one("j", Is::firing, 9));
  Scene by_attribute("device", "when = \"has claimed\"\nsince = \"claimed\"\n");
  EXPECT_EQ(said(by_attribute.see(device("d", "", Presence::online, to_ms(at(2))), 9)), one("d", Is::firing, 2));
}

TEST(State, WithUntilIsCalmInBetween) {
  Scene scene("disk", full + "until = \"use < 80%\"\n");
  EXPECT_EQ(said(scene.see(disk("a", 85), 0)), calm("a")) << "it says nothing new, fired or not";
  EXPECT_EQ(said(scene.see(disk("a", 91), 1)), one("a", Is::firing, 1, 91));
  EXPECT_EQ(said(scene.see(disk("a", 85), 2)), calm("a"));
  EXPECT_EQ(said(scene.see(disk("a", 79), 3)), clear("a"));
}

TEST(For, IsPendingUntilItHasHeld) {
  Scene scene("disk", full + "for = \"60s\"\n");
  EXPECT_EQ(said(scene.see(disk("a", 95), 0)), one("a", Is::pending, 0, 95));
  EXPECT_EQ(said(scene.see(disk("a", 96), 10)), one("a", Is::pending, 0, 96)) << "since it was first seen";
  EXPECT_EQ(said(scene.pass(59)), nothing);
  EXPECT_EQ(said(scene.pass(60)), one("a", Is::firing, 0, 96)) << "with its newest value";
  EXPECT_EQ(said(scene.pass(61)), nothing) << "once";
  EXPECT_EQ(said(scene.see(disk("a", 97), 70)), one("a", Is::firing, 0, 97)) << "it goes on";
  EXPECT_EQ(said(scene.see(disk("a", 1), 201)), clear("a"));
}

TEST(For, EndsWhenItIsInterrupted) {
  const std::pair<Sample, All> ends[] = {{disk("a", 85), calm("a")}, {gone(Over::disk, "a"), clear("a")}};
  for (const auto& [sample, wanted] : ends) {
    Scene scene("disk", full + "until = \"use < 80%\"\nfor = \"60s\"\n");
    (void)scene.see(disk("a", 95), 0);
    EXPECT_EQ(said(scene.see(sample, 30)), wanted);
    EXPECT_EQ(said(scene.pass(60)), nothing);
    EXPECT_EQ(said(scene.see(disk("a", 95), 61)), one("a", Is::pending, 61, 95));
    EXPECT_EQ(said(scene.see(disk("a", 95), 121)), one("a", Is::firing, 61, 95)) << "seeing it is enough";
  }
}

TEST(For, CountsFromWhenTheThingSays) {
  Scene scene("job", "when = \"state == queued\"\nfor = \"60s\"\n");
  EXPECT_EQ(said(scene.see(job("old", "queued", at(-100)), 0)), one("old", Is::firing, -100)) << "at once";
  EXPECT_EQ(said(scene.see(job("new", "queued", at(-50)), 0)), one("new", Is::pending, -50));
  EXPECT_EQ(said(scene.pass(9)), nothing);
  EXPECT_EQ(said(scene.pass(10)), one("new", Is::firing, -50));
}

TEST(Forget, AnOldReasonDoesNotFireAndItsEndIsNotSaid) {
  Scene scene("job", "when = \"state == failed\"\nforget = \"60s\"\n");
  EXPECT_EQ(said(scene.see(job("j", "failed", at(0)), 59)), one("j", Is::firing, 0));
  EXPECT_EQ(said(scene.see(job("j", "failed", at(0)), 60)), nothing);
  EXPECT_EQ(said(scene.see(gone(Over::job, "j"), 61)), nothing) << "a failure stays one when its state is cleared";
  EXPECT_EQ(said(scene.see(job("j", "succeeded", at(0)), 62)), clear("j")) << "however old";
  Scene devices("device", "when = \"has claimed\"\nsince = \"claimed\"\nforget = \"60s\"\n");
  EXPECT_EQ(said(devices.see(device("d", "", Presence::online, to_ms(at(0))), 59)), one("d", Is::firing, 0));
  EXPECT_EQ(said(devices.see(device("d", "", Presence::online, to_ms(at(0))), 60)), nothing);
  EXPECT_EQ(said(devices.see(gone(Over::device, "d"), 61)), clear("d")) << "there is no device any more";
}

// Jobs wait in the queue for a moment all the time: that is no news.
TEST(Hold, OfLongRulesTheBeginningIsNotShown) {
  Scene scene("job", "when = \"state == queued\"\nfor = \"6h\"\n");
  EXPECT_EQ(said(scene.see(job("j", "queued", at(0)), 1)), nothing);
  EXPECT_EQ(said(scene.pass(59)), nothing);
  EXPECT_EQ(said(scene.pass(60)), one("j", Is::pending, 0));
  EXPECT_EQ(said(scene.pass(61)), nothing) << "once";
  EXPECT_EQ(said(scene.pass(6 * 3600)), one("j", Is::firing, 0));
}

TEST(Forget, WhatIsPendingIsForgottenToo) {
  Scene scene("job", "when = \"state == failed\"\nfor = \"10s\"\nforget = \"60s\"\n");
  EXPECT_EQ(said(scene.see(job("j", "failed", at(0)), 5)), one("j", Is::pending, 0));
  EXPECT_EQ(said(scene.pass(60)), clear("j")) << "an older one does not fire";
}

TEST(Absence, FiresOnceAndIsClearWhenSeen) {
  Scene scene("disk", "when = \"use > 90%\"\nabsent = \"60s\"\ntext = \"{path} was {use}\"\n");
  EXPECT_EQ(said(scene.see(disk("a", 95), 0)), clear("a"));
  EXPECT_EQ(said(scene.see(disk("a", 96), 30)), clear("a"));
  EXPECT_EQ(said(scene.pass(89)), nothing);
  const auto fired = scene.pass(90);
  EXPECT_EQ(said(fired), one("a", Is::firing, 90));
  EXPECT_EQ(fired.at(0).reason, "/a was 96 %") << "as it was last seen";
  EXPECT_EQ(said(scene.pass(200)), nothing) << "once";
  EXPECT_EQ(said(scene.see(disk("a", 95), 201)), clear("a"));
  EXPECT_EQ(said(scene.pass(261)), one("a", Is::firing, 261)) << "and again";
}

TEST(Absence, IsOfThingsThatMatched) {
  for (const auto& end : {disk("a", 1), gone(Over::disk, "a")}) {
    Scene scene("disk", "when = \"use > 90%\"\nabsent = \"60s\"\n");
    (void)scene.see(disk("a", 95), 0);
    EXPECT_EQ(said(scene.see(end, 1)), clear("a"));
    EXPECT_EQ(said(scene.pass(1000)), nothing);
  }
  Scene every("disk", "absent = \"60s\"\n");
  (void)every.see(disk("a", 1), 0);
  EXPECT_EQ(said(every.pass(60)), one("a", Is::firing, 60)) << "without `when` every one";
}

TEST(Absence, DoesNotCountWhileNothingIsHeard) {
  Scene scene("disk", "absent = \"60s\"\n");
  (void)scene.see(disk("a", 1), 0);
  scene.evaluator.deaf_until(at(50));
  EXPECT_EQ(said(scene.pass(109)), nothing);
  EXPECT_EQ(said(scene.pass(110)), one("a", Is::firing, 110));
  scene.evaluator.deaf_until(at(120));
  EXPECT_EQ(said(scene.pass(300)), nothing) << "it fires already";
}

const std::string rate = "when = \"event == lost\"\ncount = 3\nwithin = \"60s\"\n";
const std::string denials = "when = \"state == denied\"\nby = \"submitter\"\ncount = 2\nwithin = \"60s\"\n";

TEST(Rate, FiresWhenSoManyWereSeen) {
  Scene scene("event", rate + "text = \"{device}: {event}\"\n");
  EXPECT_EQ(said(scene.see(event("d", "lost"), 0)), nothing);
  EXPECT_EQ(said(scene.see(event("d", "online"), 1)), nothing);
  EXPECT_EQ(said(scene.see(event("e", "lost"), 1)), nothing) << "each subject has its own";
  EXPECT_EQ(said(scene.see(event("d", "lost"), 20)), nothing);
  const auto fired = scene.see(event("d", "lost"), 20);
  EXPECT_EQ(said(fired), one("d", Is::firing, 20, 3)) << "two at once are two";
  EXPECT_EQ(fired.at(0).reason, "d: lost");
  EXPECT_EQ(said(scene.pass(59)), nothing);
  EXPECT_EQ(said(scene.pass(60)), clear("d")) << "of the last minute there are two";
  EXPECT_EQ(said(scene.see(event("d", "lost"), 70)), one("d", Is::firing, 70, 3)) << "the two count on";
  EXPECT_EQ(said(scene.pass(80)), clear("d"));
}

TEST(Rate, TheWindowSlides) {
  Scene scene("event", rate);
  for (int s = 0; s < 600; s += 30) EXPECT_EQ(said(scene.see(event("d", "lost"), s)), nothing) << s;
  Scene steady("event", rate);
  for (int s = 0; s < 600; s += 29) {
    EXPECT_EQ(said(steady.see(event("d", "lost"), s)).size(), s < 58 ? 0U : 1U) << s;
    EXPECT_EQ(said(steady.pass(s)), nothing) << s;
  }
}

TEST(Rate, IsByAnAttribute) {
  Scene scene("job", denials);
  EXPECT_EQ(said(scene.see(job("a", "denied", at(0)), 0)), nothing);
  EXPECT_EQ(said(scene.see(job("b", "denied", at(1), "bob"), 1)), nothing);
  EXPECT_EQ(said(scene.see(job("a", "denied", at(0)), 2)), nothing) << "the same state, said again, counts once";
  EXPECT_EQ(said(scene.see(job("c", "denied", at(-60)), 2)), nothing) << "it is too old";
  EXPECT_EQ(said(scene.see(job("d", "denied", at(1)), 2)), one("ann", Is::firing, 2, 2)) << "at once, but another job";
  EXPECT_EQ(said(scene.see(gone(Over::job, "d"), 3)), nothing);
  auto nobodys = named({{"job", "e"}});
  EXPECT_TRUE(set_word(nobodys, vocabulary(Over::job), "state", "denied"));
  for (int i = 0; i < 9; ++i) EXPECT_EQ(said(scene.see(of(Over::job, "e", nobodys), 3)), nothing) << "of nobody";
}

// After the link is back the broker tells all states again, by their names.
TEST(Rate, CountsStatesInWhateverOrderTheyAreSeen) {
  Scene late("job", denials);
  (void)late.see(job("a", "denied", at(50)), 52);
  EXPECT_EQ(said(late.see(job("b", "denied", at(0)), 52)), one("ann", Is::firing, 52, 2));
  EXPECT_EQ(said(late.pass(59)), nothing);
  EXPECT_EQ(said(late.pass(60)), clear("ann")) << "the older one counts no more";
  Scene newest("job", denials);
  (void)newest.see(job("a", "denied", at(50)), 52);
  (void)newest.see(job("b", "denied", at(0)), 52);
  EXPECT_EQ(said(newest.see(job("c", "denied", at(51)), 53)), one("ann", Is::firing, 53, 2));
  EXPECT_EQ(said(newest.pass(70)), nothing) << "a and c are in the last minute";
  EXPECT_EQ(said(newest.pass(110)), clear("ann"));
}

const std::string share = "when = \"presence == lost\"\nby = \"site\"\nshare = \"50%\"\nat_least = 2\n";

TEST(Share, FiresWhenSoManyOfAGroupMatch) {
  Scene scene("device", share + "text = \"{subject} is dark\"\nnext = \"ls {subject}\"\nlabels = [\"site\"]\n");
  EXPECT_EQ(scene.see(device("1", "x", Presence::lost), 0), Findings{}) << "time must pass: all are told at once";
  EXPECT_EQ(said(scene.pass(1)), clear("x")) << "all of it, but one";
  for (const auto* id : {"2", "3", "4"}) (void)scene.see(device(id, "x", Presence::online), 2);
  (void)scene.see(device("5", "", Presence::lost), 2);
  EXPECT_EQ(said(scene.pass(2)), clear("x"));
  EXPECT_EQ(said(scene.pass(3)), nothing) << "nothing has changed";
  (void)scene.see(device("2", "x", Presence::lost), 4);
  const Finding dark{"mine", "x", Is::firing, 0.5, "x is dark: 2 of 4 (50 %)", "ls x", {{"site", "x"}}, at(4)};
  EXPECT_EQ(scene.pass(4), Findings{dark});
  (void)scene.see(device("2", "x", Presence::lost), 5);
  EXPECT_EQ(said(scene.pass(5)), nothing) << "seen again";
  (void)scene.see(device("5", "x", Presence::online), 6);
  EXPECT_EQ(said(scene.pass(6)), clear("x")) << "2 of 5";
}

TEST(Share, FollowsMembersThatLeave) {
  Scene scene("device", share);
  const auto lost = [](const char* id, const char* site) { return device(id, site, Presence::lost); };
  for (const auto* id : {"1", "2", "3"}) (void)scene.see(lost(id, "x"), 0);
  EXPECT_EQ(said(scene.pass(1)), one("x", Is::firing, 1, 1));
  (void)scene.see(gone(Over::device, "1"), 2);
  (void)scene.see(gone(Over::device, "nobody"), 2);
  EXPECT_EQ(said(scene.pass(2)).size(), 1U) << "2 of 2";
  (void)scene.see(lost("2", "y"), 3);
  (void)scene.see(lost("4", "y"), 3);
  EXPECT_EQ(said(scene.pass(3)), (All{{"x", Is::clear, Time{}, 1}, {"y", Is::firing, at(3), 1}})) << "another site";
  (void)scene.see(gone(Over::device, "3"), 4);
  EXPECT_EQ(said(scene.pass(4)), nothing) << "nobody is left";
  for (const auto* id : {"2", "4"}) (void)scene.see(gone(Over::device, id), 5);
  EXPECT_EQ(said(scene.pass(5)), clear("y")) << "nor here, where it fired";
}

TEST(Share, HoldsFor) {
  Scene scene("device", share + "for = \"30s\"\n");
  for (const auto* id : {"1", "2"}) (void)scene.see(device(id, "x", Presence::lost), 0);
  EXPECT_EQ(said(scene.pass(1)), one("x", Is::pending, 1, 1));
  (void)scene.see(device("3", "x", Presence::online), 2);
  EXPECT_EQ(said(scene.pass(2)), one("x", Is::pending, 1, 2.0 / 3));
  EXPECT_EQ(said(scene.pass(30)), nothing);
  EXPECT_EQ(said(scene.pass(31)), one("x", Is::firing, 1, 2.0 / 3));
  (void)scene.see(device("3", "x", Presence::lost), 40);
  EXPECT_EQ(said(scene.pass(40)), one("x", Is::firing, 1, 1)) << "it goes on";
  (void)scene.see(device("3", "", Presence::lost), 50);
  (void)scene.see(device("2", "x", Presence::online), 50);
  EXPECT_EQ(said(scene.pass(50)), clear("x"));
}

TEST(Restart, WhatWasPendingGoesOn) {
  Scene scene("disk", full + "for = \"60s\"\n");
  const auto pending = scene.see(disk("a", 95), 0);
  scene.restart(pending);
  EXPECT_EQ(said(scene.see(disk("a", 96), 30)), one("a", Is::pending, 0, 96));
  scene.restart(pending);
  EXPECT_EQ(said(scene.pass(59)), nothing);
  const auto firing = scene.pass(60);
  EXPECT_EQ(said(firing), one("a", Is::firing, 0, 95));
  scene.restart(firing);
  EXPECT_EQ(said(scene.see(disk("a", 97), 71)), one("a", Is::firing, 0, 97));
  scene.restart({{.rule = "another", .subject = "a", .is = Is::pending, .since = at(0)}});
  EXPECT_EQ(said(scene.pass(200)), nothing) << "a rule that is not there any more";
}

TEST(Restart, ARateIsTakenAsCountedWhenItFired) {
  const Finding fires{.rule = "mine", .subject = "d", .is = Is::firing, .value = 3, .since = at(20)};
  Scene scene("event", rate);
  scene.restart({fires});
  EXPECT_EQ(said(scene.pass(79)), nothing);
  EXPECT_EQ(said(scene.pass(80)), clear("d"));
  scene.restart({fires});
  EXPECT_EQ(said(scene.see(event("d", "lost"), 30)), one("d", Is::firing, 30, 3));
  EXPECT_EQ(said(scene.pass(80)), clear("d"));
  Scene states("job", denials);
  states.restart({{.rule = "mine", .subject = "ann", .is = Is::firing, .since = at(20)}});
  (void)states.see(job("a", "denied", at(0)), 30);  // an older state, told again
  All ends;
  for (int s = 59; s <= 200; ++s) std::ranges::copy(said(states.pass(s)), std::back_inserter(ends));
  EXPECT_EQ(ends, clear("ann"));
}

TEST(Restart, AnAbsenceThatFiresEndsWhenItsThingIsSeen) {
  Scene scene("disk", "absent = \"60s\"\n");
  (void)scene.see(disk("a", 1), 0);
  scene.restart(scene.pass(60));
  EXPECT_EQ(said(scene.see(disk("a", 1), 501)), clear("a"));
  EXPECT_EQ(said(scene.pass(561)), one("a", Is::firing, 561));
}

TEST(Disabled, SaysNothing) {
  for (const auto& more : {full, full + "for = \"1s\"\n", std::string("absent = \"1s\"\n"),
                           "count = 1\nwithin = \"1s\"\n" + full, "share = 1\nby = \"path\"\n" + full}) {
    Scene scene("disk", "enabled = false\n" + more);
    EXPECT_EQ(scene.see(disk("a", 95), 0), Findings{}) << more;
    EXPECT_EQ(scene.pass(10), Findings{}) << more;
    for (const auto is : {Is::pending, Is::firing}) {
      scene.restart({{.rule = "mine", .subject = "a", .is = is, .since = at(0)}});
      EXPECT_EQ(said(scene.pass(100)), nothing) << more << "after a restart";
    }
  }
}

constexpr std::size_t few = 3;
std::string nth(int i) { return "n" + std::to_string(i); }

TEST(Bounds, FewSubjectsAreRemembered) {
  Scene held("disk", full + "for = \"60s\"\n", few), watched("disk", "absent = \"60s\"\n", few);
  Scene counted("event", rate, few), members("device", share + "for = \"1s\"\n", few);
  std::size_t pending = 0, fired = 0;
  for (int i = 0; i < 5000; ++i) {
    pending += held.see(disk(nth(i), 95), 0).size();
    (void)watched.see(disk(nth(i), 1), 0);
    for (int n = 0; n < 3; ++n) fired += counted.see(event(nth(i), "lost"), 0).size();
    (void)members.see(device(nth(i), nth(i), Presence::lost), 0);
  }
  EXPECT_EQ(pending, few);
  EXPECT_EQ(held.pass(60).size(), few);
  EXPECT_EQ(watched.pass(60).size(), few);
  EXPECT_EQ(fired, few);
  EXPECT_EQ(members.pass(60).size(), few);
  EXPECT_EQ(counted.pass(60).size(), few) << "what was counted ends, and there is room";
  for (int n = 0; n < 3; ++n) fired += counted.see(event("new", "lost"), 61).size();
  EXPECT_EQ(fired, few + 1);
  (void)held.see(gone(Over::disk, nth(0)), 61);
  EXPECT_EQ(said(held.see(disk("new", 95), 62)), one("new", Is::pending, 62, 95));
}

TEST(Bounds, FewGroupsAreRememberedOfAThingThatMoves) {
  Scene scene("device", share, few);
  for (int i = 0; i < 5000; ++i) (void)scene.see(device("d", nth(i), Presence::lost), 0);
  EXPECT_LE(scene.pass(1).size(), few + 1);
}

TEST(Bounds, FewAreTakenFromBeforeARestart) {
  for (const auto& more : {full + "for = \"60s\"\n", "count = 1\nwithin = \"60s\"\n" + full}) {
    Scene scene("disk", more, few);
    Findings stored;
    const auto is = more.starts_with("count") ? Is::firing : Is::pending;
    for (int i = 0; i < 5000; ++i) stored.push_back({.rule = "mine", .subject = nth(i), .is = is, .since = at(0)});
    scene.restart(stored);
    EXPECT_EQ(scene.pass(60).size(), few) << more;
  }
}

}  // namespace
}  // namespace fieldwork::alerts
