// links: transfer_shell GTest::gtest_main
// Packages that nothing needs, where a name has a content for each architecture, and where devices keep one.
#include "codec/uses.hpp"
#include "support/transfer_core.hpp"
#include "support/transfer_world.hpp"

namespace fieldwork::transfer {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using Words = std::vector<std::string>;

const std::string digest_c = crypto::digest_of("c"), digest_d = crypto::digest_of("d"),
                  digest_e = crypto::digest_of("e");
constexpr Duration old = hours(24 * 30 + 1);

// n@1: a for x86_64, b for aarch64. n@2: c for x86_64, d for aarch64. All used when they were named.
Saved two_of_each() {
  auto saved = packages_of({digest_a, digest_b, digest_c, digest_d});
  for (std::size_t i = 0; i < 4; ++i) {
    saved.names[i].of.version = i < 2 ? "1" : "2";
    saved.names[i].about.architecture = i % 2 == 0 ? "x86_64" : "aarch64";
    saved.names[i].named = wall() + seconds(static_cast<int>(i));
    saved.contents[i].used = wall();
  }
  return saved;
}

Words sorted(Words all) {
  std::sort(all.begin(), all.end());
  return all;
}

struct Removing : Core {
  explicit Removing(std::size_t kept = 1, Saved saved = two_of_each()) : Core(with(kept), std::move(saved)) {}
  static Limits with(std::size_t kept) {
    Limits out;
    out.package_versions_kept = kept;
    out.silence_max = out.client_silence_max = hours(24 * 100);
    return out;
  }
  // What the rule asks about when the next sweep is due.
  Words swept(Duration later = hours(1)) {
    now += later;
    const auto effects = step(TimePassed{});
    return count<AskUses>(effects) == 0 ? Words{} : sorted(only<AskUses>(effects).digests);
  }
  Effects removes(const std::string& version, const std::string& architecture = "") {
    return step(RemovalAsked{alice, "", {"n", version}, architecture});
  }
  Effects says(const AskUses& question, const std::map<std::string, Words>& users = {}) {
    UsesSaid said{question.question, {}};
    for (const auto& digest : question.digests)
      said.items.push_back({digest, users.contains(digest) ? users.at(digest) : Words{}});
    return step(said);
  }
  std::string refused(const std::string& version, const std::map<std::string, Words>& users = {}) {
    return only<Reject>(says(only<AskUses>(removes(version)), users)).error.reason;
  }
  std::string announced(const std::string& digest, const std::string& version, const std::string& architecture) {
    const auto effects = announce(alice, {.digest = digest,
                                          .name = "n",
                                          .version = version,
                                          .size_bytes = 1,
                                          .about = {.architecture = architecture, .entry = {}, .needs = {}}});
    return count<Reject>(effects) == 0 ? "" : only<Reject>(effects).error.reason;
  }
};

TEST(RemovedVariants, AllOfAVersionThatIsKeptAreKept) {
  EXPECT_EQ(Removing(1).swept(old), sorted({digest_a, digest_b}));
  EXPECT_EQ(Removing(2).swept(old), Words{});
  auto saved = two_of_each();
  saved.names[1].named = wall() + minutes(1);  // n@1 for aarch64 came last
  EXPECT_EQ(Removing(1, saved).swept(old), sorted({digest_c, digest_d})) << "a version is as new as its newest";
}

TEST(RemovedVariants, OneThatIsRemovedIsNotAmongTheNewest) {
  Removing t;
  t.says(only<AskUses>(t.removes("2")));
  EXPECT_EQ(t.swept(old), Words{});
}

TEST(RemovedVariants, OneThatIsUsedKeepsTheOthers) {
  Removing t;
  t.now += hours(2);
  t.want("d1", digest_a);
  t.step(Answered{d1, made_id(1), ReceivedState::complete});
  EXPECT_EQ(t.swept(old - hours(2)), Words{});
  EXPECT_EQ(t.swept(hours(3)), sorted({digest_a, digest_b}));
  t.want("d1", digest_b);  // on its way
  EXPECT_EQ(t.swept(old + hours(1)), Words{});
}

TEST(RemovedVariants, ANameIsRemovedForAllArchitecturesOrForOne) {
  for (const std::string architecture : {"", "aarch64"}) {
    Removing t;
    const auto question = only<AskUses>(t.removes("1", architecture));
    const auto going = architecture.empty() ? sorted({digest_a, digest_b}) : Words{digest_b};
    EXPECT_EQ(sorted(question.digests), going);
    const auto done = only<AnswerRemoved>(t.says(question));
    EXPECT_EQ(sorted(done.digests), going);
    EXPECT_EQ(done.names, (std::vector<PackageName>{{"n", "1"}}));
    EXPECT_EQ(sorted(only<AnswerRemoved>(t.removes("1", "aarch64")).digests), Words{digest_b}) << "a repeat";
    t.restart();
    EXPECT_EQ(t.core->named({"n", "1"}).size(), architecture.empty() ? 0U : 1U);
    EXPECT_EQ(t.core->content(digest_a) == nullptr, architecture.empty());
    EXPECT_EQ(t.core->content(digest_b), nullptr);
    EXPECT_EQ(t.core->named({"n", "2"}).size(), 2U);
    EXPECT_EQ(only<Reject>(t.removes("1", "riscv64")).error.reason, "no such package for riscv64");
  }
}

TEST(RemovedVariants, AllOrNoneGo) {
  Removing t;
  EXPECT_EQ(t.refused("1", {{digest_a, {"job j-1"}}, {digest_b, {"job j-1", "job j-2"}}}),
            "n@1 is needed by job j-1, job j-2");
  t.want("d1", digest_b);
  EXPECT_EQ(t.refused("1"), "n@1 is needed by transfer " + made_id(1).value + " to d1");
  t.step(Answered{d1, made_id(1), ReceivedState::complete});
  const auto question = only<AskUses>(t.removes("1"));
  EXPECT_TRUE(t.step(UsesSaid{question.question, {{digest_a, {}}}}).empty()) << "nothing is said of the other";
  EXPECT_EQ(t.core->named({"n", "1"}).size(), 2U);
  only<AnswerRemoved>(t.says(question));
}

TEST(RemovedVariants, ANameIsNeverAnotherContentForAnArchitecture) {
  auto saved = two_of_each();
  saved.names[2].about.architecture = "";  // n@2: c for all
  saved.names.pop_back();
  saved.contents.pop_back();
  Removing t(1, saved);
  for (const char* version : {"1", "2"}) t.says(only<AskUses>(t.removes(version)));
  for (const bool restarted : {false, true}) {
    if (restarted) t.restart();
    const std::string never = "; a version never changes, release this content under another one";
    EXPECT_EQ(t.announced(digest_e, "1", "aarch64"), "n@1 was " + digest_b + " for aarch64" + never);
    EXPECT_NE(t.announced(digest_e, "1", "").find("is already there for"), std::string::npos);
    EXPECT_EQ(t.announced(digest_e, "2", ""), "n@2 was " + digest_c + never);
    EXPECT_NE(t.announced(digest_e, "2", "x86_64").find("n@2 was " + digest_c + " for every"), std::string::npos);
    EXPECT_EQ(t.announced(digest_e, "1", "riscv64"), "");
  }
  const auto back = t.announce(alice, {.digest = digest_b,
                                       .name = "n",
                                       .version = "1",
                                       .size_bytes = 1,
                                       .about = {.architecture = "aarch64", .entry = {}, .needs = {}}});
  t.step(ContentArrived{only<AnswerUpload>(back).id, "identity", 1});
  t.restart();
  ASSERT_EQ(t.core->named({"n", "1"}).size(), 1U) << "the other one stays removed";
  EXPECT_EQ(t.core->named({"n", "1"}).at(0)->package.digest, digest_b);
}

TEST(RemovedVariants, TheRowOfANameIsForgottenForItsArchitecture) {
  Removing t;
  t.limits.removed_kept = hours(24);
  t.restart();
  t.says(only<AskUses>(t.removes("1", "aarch64")));
  ASSERT_EQ(t.rows.names.size(), 4U);
  t.now += hours(25);
  t.step(TimePassed{});
  ASSERT_EQ(t.rows.names.size(), 3U);
  EXPECT_FALSE((t.rows.names.contains({{"n", "1"}, "aarch64"})));
}

TEST(RemovedVariants, ANameThatComesBackCountsLikeAnyOther) {
  Removing t;
  t.limits.names_max = 1;
  t.restart();
  t.says(only<AskUses>(t.removes("1")));
  const Package back{.digest = digest_a, .name = "m", .version = "1", .size_bytes = 1, .about = {"x86_64", {}, {}}};
  t.step(ContentArrived{only<AnswerUpload>(t.announce(alice, back)).id, "identity", 1});
  EXPECT_EQ(t.announced(digest_a, "1", "x86_64"), "this content has 1 names already");
}

TEST(RemovedVariants, OperatorsWhoWaitAreBounded) {
  std::vector<std::string> digests;
  for (int i = 0; i < 101; ++i) digests.push_back(crypto::digest_of(std::to_string(i)));
  Core t({}, packages_of(digests));
  for (int i = 0; i < 100; ++i) only<AskUses>(t.step(RemovalAsked{alice, digests[static_cast<std::size_t>(i)]}));
  EXPECT_EQ(only<Reject>(t.step(RemovalAsked{alice, digests[100]})).error.code, Code::unavailable);
  only<AskUses>(t.step(RemovalAsked{alice, digests[0]}));
}

// --- stages ---

struct Keeping : Removing {
  using Removing::Removing;
  void stage(const std::string& digest, const std::string& device = "d1") {
    step(StageAsked{alice, digest, {device}, to_ms(now) + 1000LL * 3600 * 24 * 80});
  }
  void unstage(const std::string& digest) { step(StageEnded{alice, digest, {"d1"}}); }
};

TEST(StagedPackages, AreInUseUntilTheirStageIsOver) {
  Keeping t;
  t.stage(digest_a);
  for (const auto word : {StageWord::taken, StageWord::ready}) {
    EXPECT_EQ(t.swept(old / 2 + hours(1)), Words{}) << "and its other variant";
    EXPECT_EQ(t.refused("1"), "n@1 is needed by stage on d1");
    const auto& stage = t.core->stages().at({"d1", digest_a});
    t.step(DeviceStaged{Asker{.party = {Party::Kind::device, "d1"}},
                        {{{.digest = digest_a, .until_ms = to_ms(stage.until), .word = word}}, false}});
    t.restart();
  }
  t.unstage(digest_a);
  EXPECT_EQ(t.swept(), sorted({digest_a, digest_b}));
  only<AnswerRemoved>(t.says(only<AskUses>(t.removes("1"))));
}

TEST(StagedPackages, OneThatIsStagedMeanwhileStays) {
  Keeping t;
  const auto rule = [&] {
    t.now += hours(1);
    return only<AskUses>(t.step(TimePassed{}));
  };
  t.now += old;
  const auto asked = rule();
  const auto removal = only<AskUses>(t.removes("1"));
  t.stage(digest_b);
  EXPECT_EQ(count<DropContent>(t.says(asked)), 0U);
  EXPECT_EQ(only<Reject>(t.says(removal)).error.reason, "n@1 is needed by stage on d1");
  t.stands("d1", Lifecycle::refused);  // the stage is refused
  t.now += hours(1);
  EXPECT_EQ(count<DropContent>(t.says(rule())), 2U);
}

TEST(StagedPackages, AreNamedBesideJobsFiveOfThemAndWithoutTheScheduler) {
  Keeping t;
  for (int i = 0; i < 7; ++i) {
    const auto device = "e" + std::to_string(i);
    t.stands(device, Lifecycle::active);
    t.stage(digest_a, device);
  }
  const auto question = only<AskUses>(t.removes("1"));
  EXPECT_EQ(only<Reject>(t.says(question, {{digest_a, {"job j"}}})).error.reason,
            "n@1 is needed by job j, stage on e0, stage on e1, stage on e2, stage on e3, stage on e4");
}

// --- at the service's door ---

TEST_F(World, ARemovedVariantsRowIsThatOfItsArchitecture) {
  Words digests;
  for (const char* architecture : {"x86_64", "aarch64"}) {
    about = {architecture, {}, {}};
    const auto bytes = make_bytes(5000, static_cast<unsigned>(digests.size()));
    push(bytes);
    digests.push_back(crypto::digest_of(bytes));
  }
  const auto removes = [&](const std::string& body) {
    run({bus::Message{.topic = topics.service("transfer", "remove", "alice"),
                      .payload = body,
                      .response_topic = topics.reply("cli-alice", "answer"),
                      .correlation = "c1"}});
    for (const auto& text : take(topics.service("scheduler", "uses", "transfer"))) {
      const auto question = codec::decode_uses_question(text).value();
      codec::UsesAnswer answer{question.question, {}};
      for (const auto& one : question.digests) answer.items.push_back({one, {}});
      hear(topics.service("transfer", "used", "scheduler"), codec::encode(answer));
    }
    return Json::parse(take(topics.reply("cli-alice", "answer")).at(0));
  };
  EXPECT_EQ(removes(R"({"v":1,"name":"demo","version":"1","architecture":"arm64"})").at("digests"),
            Json::array({digests[1]}));
  EXPECT_EQ(removes(R"({"v":1,"digest":")" + digests[1] + R"("})").at("digests"), Json::array({digests[1]}));
  EXPECT_EQ(removes(R"({"v":1,"name":"demo","version":"1","architecture":"riscv64"})").at("error").at("code"),
            "unknown");
  Limits limits;
  limits.removed_kept = hours(1);
  restart(limits);
  EXPECT_EQ(ask("show", "bob", R"({"v":1,"name":"demo","version":"1"})").at("package").at("digest"), digests[0]);
  EXPECT_EQ(store.select({.table = "name"})->size(), 2U);
  pass(hours(2));
  EXPECT_EQ(store.select({.table = "name"})->size(), 1U);
  EXPECT_EQ(ask("show", "bob", R"({"v":1,"name":"demo","version":"1"})").at("package").at("digest"), digests[0]);
}

}  // namespace
}  // namespace fieldwork::transfer
