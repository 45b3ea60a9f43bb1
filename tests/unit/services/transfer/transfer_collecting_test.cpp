// links: transfer_core GTest::gtest_main
// Packages that nothing needs: what the rule collects, what an operator removes, and what stays of either.
#include <functional>

#include "support/transfer_core.hpp"

namespace fieldwork::transfer {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

const std::string digest_c = crypto::digest_of("c");

constexpr Duration unused_for = hours(24 * 30);

Limits collecting(std::size_t kept = 1) {
  Limits out;
  out.package_versions_kept = kept;
  return out;
}

// n@1, n@2, …, each named a second after the one before; all of them used at that time.
Saved versions_of(const std::vector<std::string>& digests) {
  auto saved = packages_of(digests);
  for (std::size_t i = 0; i < digests.size(); ++i) {
    saved.names[i].named = wall() + seconds(static_cast<int>(i));
    saved.contents[i].used = wall();
  }
  return saved;
}

struct Collecting : Core {
  explicit Collecting(const Limits& with, Saved saved) : Core(with, std::move(saved)) {}
  // The next sweep is due; what it asks.
  std::optional<AskUses> sweep(Duration later = hours(1)) {
    now += later;
    swept = step(TimePassed{});
    if (count<AskUses>(swept) == 0) return std::nullopt;
    return only<AskUses>(swept);
  }
  Effects says(std::int64_t question, const std::string& digest, const std::vector<std::string>& users = {}) {
    return step(UsesSaid{question, {{digest, users}}});
  }
  Effects asks_removal(const std::string& digest) { return step(RemovalAsked{alice, digest}); }
  Effects asks_removal_of(const std::string& version, const std::string& architecture = "") {
    return step(RemovalAsked{alice, "", {"n", version}, architecture});
  }
  // Of this content, when the scheduler knows nobody who needs it.
  std::string refused(const std::string& digest) {
    const auto question = only<AskUses>(asks_removal(digest));
    return only<Reject>(says(question.question, digest)).error.reason;
  }
  Effects swept;
};

TEST(Collecting, OldVersionsThatNobodyNeedsGoWithAllThatIsTheirs) {
  auto limits = collecting();
  limits.epoch_kept = hours(24 * 100);
  Collecting t(limits, versions_of({digest_a, digest_b}));
  t.want("d1", digest_a);
  t.step(Answered{d1, made_id(1), ReceivedState::complete});
  ASSERT_EQ(t.rows.encodings.size(), 1U);
  const auto question = t.sweep(unused_for + hours(1));
  ASSERT_TRUE(question);
  EXPECT_EQ(question->digests, std::vector<std::string>{digest_a});
  Output done;
  t.core->step(UsesSaid{question->question, {{digest_a, {}}}}, t.now, done);
  t.core->step(BatchEnded{}, t.now, done);
  t.rows.keep(done);
  EXPECT_EQ(done.dropped_contents, std::vector<std::string>{digest_a});
  EXPECT_EQ(done.cleared_packages, std::vector<std::string>{digest_a});
  EXPECT_TRUE(done.packages.empty());
  EXPECT_EQ(std::get<RemoveContent>(done.work.at(1)).digest, digest_a);
  EXPECT_EQ(std::get<RemoveEncoding>(done.work.at(0)).encoding.digest, digest_a);
  ASSERT_EQ(done.removed_packages.size(), 1U);
  EXPECT_EQ(done.removed_packages[0].by, "rule");
  EXPECT_EQ(done.removed_packages[0].reason, "not among the newest 1 versions, and not wanted for 30 days");
  EXPECT_TRUE(t.rows.encodings.empty());
  EXPECT_EQ(t.rows.contents.size(), 1U);
  EXPECT_TRUE(t.core->named({"n", "1"}).empty());
  EXPECT_FALSE(t.core->named({"n", "2"}).empty());
  t.restart();
  EXPECT_TRUE(t.core->named({"n", "1"}).empty());
  EXPECT_EQ(only<SayNotOffered>(t.want("d1", digest_a)).reason, "no such content is stored");
}

TEST(Collecting, TheRuleAtItsBounds) {
  struct Case {
    const char* what;
    std::size_t kept = 1;
    Duration later = unused_for + hours(1);
    std::function<void(Collecting&)> before = nullptr;
    bool asks = false;
  };
  const Case cases[] = {
      {.what = "old enough", .asks = true},
      {.what = "a moment too young", .later = unused_for + hours(1) - milliseconds(1)},
      {.what = "off", .kept = 0},
      {.what = "among the newest", .kept = 2},
      {.what = "wanted since",
       .before =
           [](Collecting& t) {
             t.now += hours(2);
             t.want("d1", digest_a);
             t.step(Answered{d1, made_id(1), ReceivedState::complete});
             t.now -= hours(2);
           }},
      {.what = "pushed again since",
       .before =
           [](Collecting& t) {
             t.now += hours(2);
             t.announce(alice, {.digest = digest_a, .name = "n", .version = "1"});
             t.now -= hours(2);
           }},
      {.what = "another name of it is the newest",
       .before = [](Collecting& t) { t.announce(alice, {.digest = digest_a, .name = "m", .version = "1"}); }},
  };
  for (const auto& one : cases) {
    SCOPED_TRACE(one.what);
    Collecting t(collecting(one.kept), versions_of({digest_a, digest_b}));
    if (one.before) one.before(t);
    EXPECT_EQ(t.sweep(one.later).has_value(), one.asks);
    EXPECT_EQ(t.core->unused({}, 10, t.now).size(), one.asks ? 1U : 0U);
  }
}

TEST(Collecting, WhatIsOnItsWayOrABaseIsInUse) {
  auto limits = collecting();
  limits.silence_max = hours(24 * 100);
  limits.client_silence_max = hours(24 * 100);
  {
    Collecting t(limits, versions_of({digest_a, digest_b}));
    t.want("d1", digest_a);
    EXPECT_FALSE(t.sweep(unused_for + hours(2)));
    EXPECT_EQ(t.refused(digest_a), "n@1 is needed by transfer " + made_id(1).value + " to d1");
    t.step(Answered{d1, made_id(1), ReceivedState::complete});
    EXPECT_TRUE(t.sweep());
  }
  {
    auto saved = versions_of({digest_a, digest_b});
    for (auto& one : saved.contents) one.package.size_bytes = one.encoded_bytes = 100'000'000;
    Collecting t(limits, saved);
    t.makes = false;
    Accepts accepts{.decoders = {"identity", "zstd", "zstd-patch"}, .bases = {digest_a}};
    accepts.goodput_bit_per_s = 1'000'000;
    const auto making = only<MakeEncoding>(t.want("d1", digest_b, accepts));
    ASSERT_EQ(making.making.encoding.base, digest_a);
    EXPECT_FALSE(t.sweep(unused_for + hours(2)));
    EXPECT_EQ(t.refused(digest_a), "n@1 is needed by a patch against it that is being made");
    t.step(EncodingMade{t.made(making)});
    EXPECT_FALSE(t.sweep());
    t.step(Answered{d1, made_id(1), ReceivedState::complete});
    EXPECT_TRUE(t.sweep());
  }
}

TEST(Collecting, AnAnswerCountsOnceAndOnlyForTheLastQuestion) {
  Collecting t(collecting(), versions_of({digest_a, digest_b}));
  const auto first = t.sweep(unused_for + hours(1));
  ASSERT_TRUE(first);
  const auto second = t.sweep();  // the first was not answered: asked again
  ASSERT_TRUE(second);
  EXPECT_EQ(second->digests, first->digests);
  EXPECT_TRUE(t.says(first->question, digest_a).empty()) << "late";
  EXPECT_TRUE(t.says(second->question, digest_b).empty()) << "not asked";
  EXPECT_TRUE(t.says(second->question, digest_a, {"job j"}).empty()) << "needed";
  EXPECT_TRUE(t.says(second->question, digest_a).empty()) << "twice";
  const auto third = t.sweep();
  ASSERT_TRUE(third);
  t.want("d1", digest_a);  // meanwhile
  EXPECT_EQ(count<DropContent>(t.says(third->question, digest_a)), 0U);
  EXPECT_FALSE(t.core->named({"n", "1"}).empty());
}

TEST(Collecting, NothingGoesWithoutAnAnswerAndARestartAsksAgain) {
  Collecting t(collecting(), versions_of({digest_a, digest_b}));
  const auto before = t.sweep(unused_for + hours(1));
  ASSERT_TRUE(before);
  t.restart();
  EXPECT_TRUE(t.says(before->question, digest_a).empty());
  EXPECT_FALSE(t.sweep(minutes(9)));
  const auto after = t.sweep(minutes(1));
  ASSERT_TRUE(after);
  EXPECT_NE(after->question, before->question);
  EXPECT_EQ(only<DropContent>(t.says(after->question, digest_a)).digest, digest_a);
}

TEST(Collecting, AHundredAreAskedAboutAtOnceAndAllInTheirTurn) {
  std::vector<std::string> digests;
  for (int i = 0; i < 131; ++i) digests.push_back(crypto::digest_of(std::to_string(i)));
  Collecting t(collecting(), versions_of(digests));
  std::set<std::string> asked;
  const auto first = t.sweep(unused_for + hours(2));
  ASSERT_TRUE(first);
  EXPECT_EQ(first->digests.size(), 100U);
  asked.insert(first->digests.begin(), first->digests.end());
  const auto second = t.sweep();
  ASSERT_TRUE(second);
  asked.insert(second->digests.begin(), second->digests.end());
  EXPECT_EQ(asked.size(), 130U);
}

TEST(Collecting, TheTimeOfLastUseIsSavedOncePerHour) {
  Collecting t(collecting(), versions_of({digest_a}));
  EXPECT_EQ(count<SaveContent>(t.want("d1", digest_a)), 0U);
  t.now += hours(1);
  EXPECT_EQ(count<SaveContent>(t.want("d2", digest_a)), 1U);
  EXPECT_EQ(count<SaveContent>(t.want("d1", digest_a)), 0U);
  EXPECT_EQ(t.rows.contents.at(digest_a).used, from_ms(to_ms(t.now)));
}

TEST(Collecting, ARemovedNameIsNoOtherContents) {
  Collecting t({}, versions_of({digest_a, digest_b}));
  const auto asked = only<AskUses>(t.asks_removal(digest_a));
  const auto done = t.says(asked.question, digest_a);
  EXPECT_EQ(only<AnswerRemoved>(done).names, (std::vector<PackageName>{{"n", "1"}}));
  EXPECT_EQ(only<RemovedPackage>(done).reason, "removed by alice");
  for (const bool restarted : {false, true}) {
    if (restarted) t.restart();
    const auto other = t.announce(alice, {.digest = digest_c, .name = "n", .version = "1"});
    EXPECT_EQ(only<Reject>(other).error.reason,
              "n@1 was " + digest_a + "; a version never changes, release this content under another one");
  }
  const auto id = only<AnswerUpload>(t.announce(alice, {.digest = digest_a, .name = "n", .version = "1"})).id;
  const auto back = t.step(ContentArrived{id, "identity", 1});
  EXPECT_EQ(only<PublishPackage>(back).digest, digest_a);
  ASSERT_EQ(t.core->named({"n", "1"}).size(), 1U);
  t.restart();
  EXPECT_EQ(t.core->named({"n", "1"}).at(0)->package.digest, digest_a);
  EXPECT_TRUE(t.core->name({"n", "1"})->removed == Time{});
}

TEST(Collecting, AnOperatorIsToldWhyNot) {
  Collecting t({}, versions_of({digest_a, digest_b}));
  EXPECT_EQ(only<Reject>(t.asks_removal(digest_c)).error.reason, "no such package");
  const auto first = only<AskUses>(t.asks_removal(digest_b));
  EXPECT_EQ(only<AskUses>(t.asks_removal(digest_b)).question, first.question) << "a repeat";
  const auto needed = only<Reject>(t.says(first.question, digest_b, {"job j-1", "template t@2"}));
  EXPECT_EQ(needed.error.code, Code::conflict);
  EXPECT_EQ(needed.error.reason, "n@2 is needed by job j-1, template t@2");
  EXPECT_EQ(needed.to.answer, alice.answer);
  EXPECT_TRUE(t.says(first.question, digest_b).empty()) << "answered already";

  const auto second = only<AskUses>(t.asks_removal(digest_b));
  t.now += seconds(4);
  EXPECT_EQ(count<Reject>(t.step(TimePassed{})), 0U);
  t.now += seconds(1);
  EXPECT_EQ(only<Reject>(t.step(TimePassed{})).error.code, Code::unavailable);
  EXPECT_TRUE(t.says(second.question, digest_b).empty()) << "too late";

  const auto third = only<AskUses>(t.asks_removal(digest_b));
  t.want("d1", digest_b);
  EXPECT_EQ(only<Reject>(t.says(third.question, digest_b)).error.code, Code::conflict) << "sent meanwhile";
  EXPECT_FALSE(t.core->named({"n", "2"}).empty());
}

TEST(Collecting, ARepeatedRemovalIsTheSame) {
  Collecting t({}, versions_of({digest_a}));
  const auto asked = only<AskUses>(t.asks_removal(digest_a));
  only<AnswerRemoved>(t.says(asked.question, digest_a));
  EXPECT_EQ(only<AnswerRemoved>(t.asks_removal(digest_a)).names, (std::vector<PackageName>{{"n", "1"}}));
  t.now += minutes(11);
  EXPECT_EQ(only<Reject>(t.asks_removal(digest_a)).error.reason, "no such package");
}

TEST(Collecting, ARemovalIsSaidAgainAndItsNameForgottenAtLast) {
  Limits limits;
  limits.removed_kept = hours(24 * 60);
  Collecting t(limits, versions_of({digest_a, digest_b}));
  const auto asked = only<AskUses>(t.asks_removal(digest_a));
  EXPECT_EQ(only<ClearPackage>(t.says(asked.question, digest_a)).digest, digest_a);
  const auto clears = [&](Duration later) {
    t.now += later;
    auto effects = t.step(TimePassed{});  // puts it in the queue
    t.now += seconds(1);
    for (auto& more : t.step(TimePassed{})) effects.push_back(std::move(more));
    return count<ClearPackage>(effects);
  };
  EXPECT_EQ(clears(hours(1)), 1U);
  t.step(LinkLost{});
  t.step(LinkBack{});
  EXPECT_EQ(clears(seconds(1)), 1U) << "the broker may have lost it";
  t.restart();
  EXPECT_EQ(clears(hours(1)), 1U);
  EXPECT_EQ(clears(hours(24 * 31)), 0U);
  EXPECT_EQ(t.rows.names.size(), 2U);
  clears(hours(24 * 30));
  EXPECT_EQ(t.rows.names.size(), 1U);
}

}  // namespace
}  // namespace fieldwork::transfer
