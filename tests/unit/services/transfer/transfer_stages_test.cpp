// links: transfer_core GTest::gtest_main
// What is to lie on devices before a job needs it: commands, what devices answer, and what becomes of both.
#include "support/transfer_core.hpp"

namespace fieldwork::transfer {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using Words = std::vector<std::string>;

constexpr std::int64_t ms_per_h = 3'600'000;

struct Staged : Core {
  std::int64_t until_ms = to_ms(wall()) + 24 * ms_per_h;

  explicit Staged(Limits with = {}) : Core(with, packages_of({digest_a, digest_b})) {}

  // What the devices d1 and d2 are refused for, joined; empty: nothing.
  std::string ask(const std::string& digest = digest_a, const Words& devices = {"d1"}, const std::string& file = "") {
    const auto effects = step(StageAsked{alice, digest, devices, until_ms, 5, file});
    std::string out;
    for (const auto& one : only<AnswerStaged>(effects).items) out += one.refused;
    return out;
  }
  StageSaid of(StageWord word, const std::string& digest = digest_a, const std::string& reason = "") const {
    return {.digest = digest, .until_ms = until_ms, .word = word, .reason = reason};
  }
  void say(const std::vector<StageSaid>& items, bool all = false, const std::string& device = "d1") {
    step(DeviceStaged{Asker{.party = {Party::Kind::device, device}}, {items, all}});
  }
  // "d1 keep", "d1 over", "d1 over once", "close": what was put into the outbox, and taken out, since the last call.
  Words commands() {
    Words out;
    for (const auto& one : std::exchange(staged, {}).commands) {
      const auto* command = std::get_if<TellStage>(&one);
      out.push_back(command == nullptr
                        ? "close"
                        : command->stage.device + (command->over ? " over" : " keep") + (command->once ? " once" : ""));
    }
    return out;
  }
  [[nodiscard]] const Stage* stage(const std::string& device = "d1", const std::string& digest = digest_a) const {
    const auto it = core->stages().find({device, digest});
    return it == core->stages().end() ? nullptr : &it->second;
  }
  void sweep(Duration after) {
    now += after;
    step(TimePassed{});
  }
};

TEST(TransferStages, AnOrderStandsUntilItIsAnsweredAndIsThenReady) {
  Staged t;
  EXPECT_EQ(t.ask(digest_a, {"d1", "d2"}, "maps/a"), "");
  EXPECT_EQ(t.commands(), (Words{"d1 keep", "d2 keep"}));
  EXPECT_EQ(t.stage()->state, StageState::asked);
  EXPECT_EQ(t.stage()->receivers, 2);
  EXPECT_EQ(t.stage()->asked_by, "alice");
  auto said = t.of(StageWord::taken);
  said.file = "maps/a";
  t.say({said});
  EXPECT_EQ(t.commands(), Words{"close"});
  EXPECT_EQ(t.stage()->state, StageState::taken);
  said.word = StageWord::ready;
  t.say({said});
  EXPECT_EQ(t.stage()->state, StageState::ready);
  EXPECT_EQ(t.stage("d2")->state, StageState::asked);
}

TEST(TransferStages, AskingAgainInTheSameWayChangesNothing) {
  Staged t;
  t.ask();
  t.say({t.of(StageWord::ready)});
  t.commands();
  EXPECT_EQ(t.ask(), "");
  EXPECT_EQ(t.commands(), Words{});
  EXPECT_EQ(t.stage()->state, StageState::ready);
  t.until_ms += ms_per_h;
  EXPECT_EQ(t.ask(), "");
  EXPECT_EQ(t.commands(), Words{"d1 keep"}) << "longer";
  EXPECT_EQ(t.stage()->state, StageState::asked);
  t.until_ms -= ms_per_h;
  t.say({t.of(StageWord::ready)});
  EXPECT_EQ(t.commands(), Words{}) << "the answer to the command before is none to this one";
  EXPECT_EQ(t.stage()->state, StageState::asked);
}

TEST(TransferStages, WithoutATimeARepeatedRequestMeansTheSameTime) {
  Staged t;
  for (int i = 0; i < 2; ++i) t.step(StageAsked{alice, digest_a, {"d1"}});
  EXPECT_EQ(t.commands(), Words{"d1 keep"});
  EXPECT_GT(t.stage()->until, t.now + hours(24 * 7));
  EXPECT_LE(t.stage()->until, t.now + hours(24 * 7 + 1));
}

TEST(TransferStages, WhatCannotBeAskedFor) {
  Staged t;
  const auto error = [&](const StageAsked& asked) { return only<Reject>(t.step(asked)).error; };
  EXPECT_EQ(error({alice, crypto::digest_of("none"), {"d1"}}).path, "/digest");
  EXPECT_EQ(error({alice, digest_a, {"d1"}, to_ms(t.now)}).path, "/until_ms");
  EXPECT_EQ(error({alice, digest_a, {"d1"}, to_ms(t.now) + 367 * 24 * ms_per_h}).path, "/until_ms");
  EXPECT_EQ(t.ask(digest_a, {"d9"}), "no such device");
  t.stands("d2", Lifecycle::refused);
  EXPECT_EQ(t.ask(digest_a, {"d2"}), "the device is refused: why");
  EXPECT_EQ(t.commands(), Words{});
  t.step(ContentLost{digest_a});
  EXPECT_EQ(error({alice, digest_a, {"d1"}}).code, Code::unavailable);
}

TEST(TransferStages, OnlyPackagesAreStaged) {
  Saved saved;
  saved.contents.push_back(content_of(digest_a, ContentKind::output));
  Core t({}, std::move(saved));
  EXPECT_EQ(only<Reject>(t.step(StageAsked{alice, digest_a, {"d1"}})).error.code, Code::invalid);
}

TEST(TransferStages, EachDeviceHasSoManyAndAllTogetherSoMany) {
  Limits limits;
  limits.stages.per_device_max = 1;
  limits.stages.all_max = 2;
  Staged t(limits);
  EXPECT_EQ(t.ask(digest_a), "");
  EXPECT_EQ(t.ask(digest_b), "this device has 1 stages already, which is its limit");
  EXPECT_EQ(t.ask(digest_a, {"d2"}), "");
  t.say({t.of(StageWord::refused, digest_a, "disk: full")});
  EXPECT_EQ(t.ask(digest_b), "") << "one that was refused makes room";
  EXPECT_EQ(t.stage(), nullptr);
  t.say({t.of(StageWord::refused, digest_b, "disk: full")}, false, "d2");
  t.stands("d3", Lifecycle::active);
  EXPECT_EQ(t.ask(digest_a, {"d3"}), "there are 2 stages, which is the limit");
}

TEST(TransferStages, ARefusalIsSaidAndForgottenAfterAnHour) {
  Staged t;
  t.ask();
  t.say({t.of(StageWord::refused, digest_a, "disk: full")});
  EXPECT_EQ(t.commands(), (Words{"d1 keep", "close"}));
  EXPECT_EQ(t.stage()->state, StageState::refused);
  EXPECT_EQ(t.stage()->reason, "disk: full");
  t.sweep(minutes(59));
  EXPECT_NE(t.stage(), nullptr);
  t.sweep(minutes(2));
  EXPECT_EQ(t.stage(), nullptr);
  EXPECT_EQ(t.staged.cleared, Words{stage_id("d1", digest_a)});
  EXPECT_TRUE(t.rows.stages.empty());
}

TEST(TransferStages, AskingAgainAfterARefusalBeginsAnew) {
  Staged t;
  t.ask();
  t.say({t.of(StageWord::refused, digest_a, "disk: full")});
  t.commands();
  EXPECT_EQ(t.ask(), "");
  EXPECT_EQ(t.commands(), Words{"d1 keep"});
  EXPECT_EQ(t.stage()->reason, "");
}

TEST(TransferStages, TheEndIsToldUntilTheDeviceHasLetGo) {
  Staged t;
  t.ask();
  t.say({t.of(StageWord::ready)});
  t.commands();
  const auto end = [&] {
    return only<AnswerStaged>(t.step(StageEnded{alice, digest_a, {"d1"}})).items.front().refused;
  };
  EXPECT_EQ(end(), "");
  EXPECT_EQ(t.commands(), Words{"d1 over"});
  EXPECT_EQ(t.stage()->reason, "ended by alice");
  EXPECT_EQ(end(), "") << "twice changes nothing";
  EXPECT_EQ(t.commands(), Words{});
  auto dropped = t.of(StageWord::dropped);
  dropped.until_ms = 0;
  t.say({dropped});
  EXPECT_EQ(t.commands(), Words{"close"});
  t.sweep(minutes(61));
  EXPECT_EQ(end(), "it is not staged there");
}

TEST(TransferStages, ItsTimeEnds) {
  Staged t;
  t.ask();
  t.say({t.of(StageWord::ready)});
  t.commands();
  t.sweep(hours(23));
  EXPECT_EQ(t.commands(), Words{});
  t.sweep(hours(1));
  EXPECT_EQ(t.commands(), Words{"d1 over"});
  EXPECT_EQ(t.stage()->state, StageState::ended);
}

TEST(TransferStages, ARestartGoesOnWithWhatIsStored) {
  Staged t;
  t.ask(digest_a, {"d1"}, "f");
  auto said = t.of(StageWord::taken);
  said.file = "f";
  t.say({said});
  const auto before = *t.stage();
  t.restart();
  ASSERT_NE(t.stage(), nullptr);
  EXPECT_EQ(t.stage()->state, StageState::taken);
  EXPECT_EQ(t.stage()->file, "f");
  EXPECT_EQ(t.stage()->until, before.until);
  t.commands();
  EXPECT_EQ(t.ask(digest_a, {"d1"}, "f"), "");
  EXPECT_EQ(t.commands(), Words{}) << "the same";
}

TEST(TransferStages, ADeviceWithAnOlderMemoryIsOrderedAgain) {
  Staged t;
  t.ask(digest_a);
  t.ask(digest_b);
  t.say({t.of(StageWord::ready), t.of(StageWord::taken, digest_b)});
  t.commands();
  t.say({t.of(StageWord::ready)}, true);
  EXPECT_EQ(t.commands(), (Words{"close", "d1 keep"})) << "it has forgotten digest_b";
  EXPECT_EQ(t.stage("d1", digest_b)->state, StageState::asked);
  EXPECT_EQ(t.stage()->state, StageState::ready);
  auto older = t.of(StageWord::ready);
  older.until_ms -= 5;
  t.say({older}, true);
  EXPECT_EQ(t.commands(), Words{"d1 keep"}) << "it has an earlier command; that of digest_b stands";
}

TEST(TransferStages, AnAgentThatBeganAnewIsToldAllAgain) {
  Staged t;
  const auto runs = [&](std::int64_t session) {
    t.step(DeviceHeard{"d1", Standing{.lifecycle = Lifecycle::active, .session = session}});
  };
  runs(3);
  t.ask(digest_a);
  t.ask(digest_b);
  t.say({t.of(StageWord::ready)});
  t.commands();
  runs(3);
  EXPECT_EQ(t.commands(), Words{});
  runs(4);
  EXPECT_EQ(t.commands(), Words{"d1 keep"}) << "that of digest_b stands";
  EXPECT_EQ(t.stage()->state, StageState::ready);
  runs(4);
  EXPECT_EQ(t.commands(), Words{});
  t.restart();
  runs(4);
  EXPECT_EQ(t.commands(), Words{});
  t.say({t.of(StageWord::taken)});
  EXPECT_EQ(t.stage()->state, StageState::taken) << "its journal was new";
}

TEST(TransferStages, WhatNobodyWantsThereIsTakenBackOnce) {
  Staged t;
  t.say({t.of(StageWord::ready)}, true);
  EXPECT_EQ(t.commands(), Words{"d1 over once"});
  t.say({t.of(StageWord::dropped)});
  EXPECT_EQ(t.commands(), Words{"close"});
  EXPECT_TRUE(t.core->stages().empty());
}

TEST(TransferStages, ADeviceThatTookItAndSaysNothingIsAskedHowItStands) {
  Staged t;
  t.ask();
  t.say({t.of(StageWord::taken)});
  t.commands();
  t.sweep(minutes(9));
  EXPECT_EQ(t.commands(), Words{});
  t.sweep(minutes(2));
  EXPECT_EQ(t.commands(), Words{"d1 keep"});
  EXPECT_EQ(t.stage()->state, StageState::taken);
  t.say({t.of(StageWord::ready)});
  t.commands();
  t.sweep(minutes(11));
  EXPECT_EQ(t.commands(), Words{}) << "what is ready stays so";
}

TEST(TransferStages, TheTransferThatBringsItIsNamed) {
  Staged t;
  t.ask();
  t.say({t.of(StageWord::taken)});
  const auto id = only<OpenSending>(t.want("d1", digest_a)).sending.id;
  t.step(Answered{d1, id, ReceivedState::complete, ""});
  EXPECT_EQ(t.stage()->transfer, id);
  EXPECT_EQ(t.rows.stages.begin()->second.transfer, id);
  EXPECT_EQ(t.staged.said.back().transfer, id);
}

TEST(TransferStages, ATransferSaysFromWhereItWentOn) {
  Staged t;
  const auto id = only<OpenSending>(t.want("d1", digest_a)).sending.id;
  const auto acknowledge = [&](std::int64_t bytes) {
    t.step(Progressed{id, {{0, static_cast<std::uint64_t>(bytes)}}, bytes, 0});
    t.step(Answered{d1, id, ReceivedState::receiving, ""});
  };
  acknowledge(0);
  t.want("d1", digest_a);
  acknowledge(10);
  EXPECT_EQ(t.core->sending(id)->resumed_from, 0) << "asked again before anything had come";
  t.want("d1", digest_a);  // the device was killed
  acknowledge(20);
  EXPECT_EQ(t.core->sending(id)->resumed_from, 20);
  acknowledge(30);
  EXPECT_EQ(t.core->sending(id)->resumed_from, 20);
}

TEST(TransferStages, ABarredDeviceHasNone) {
  Staged t;
  t.ask();
  t.commands();
  t.stands("d1", Lifecycle::retired);
  EXPECT_EQ(t.commands(), Words{"close"});
  EXPECT_EQ(t.stage()->state, StageState::refused);
  EXPECT_EQ(t.stage()->reason, "the device is retired: why");
  t.step(DeviceHeard{"d1", std::nullopt});
  EXPECT_EQ(t.stage(), nullptr);
  EXPECT_EQ(t.staged.cleared, Words{stage_id("d1", digest_a)});
}

TEST(TransferStages, AllStatesAreSaidAgainWhenTheBrokerIsBack) {
  Staged t;
  t.ask(digest_a, {"d1", "d2"});
  t.staged = {};
  t.step(LinkLost{});
  t.step(LinkBack{});
  t.sweep(seconds(1));
  EXPECT_EQ(t.staged.said.size(), 2U);
}

}  // namespace
}  // namespace fieldwork::transfer
