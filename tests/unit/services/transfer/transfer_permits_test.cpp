// links: transfer_core GTest::gtest_main
// Stages wait for security-policy: what it is asked, what its answers and its silence do, and what happens meanwhile.
#include "support/transfer_core.hpp"

namespace fieldwork::transfer {
namespace {

using Words = std::vector<std::string>;

struct Asking : Core {
  explicit Asking(Limits with = {}) : Core(with, packages_of({digest_a, digest_b})) { permits = false; }

  Effects ask(const Words& devices, const std::string& correlation = "c", const std::string& digest = digest_a) {
    auto from = alice;
    from.correlation = correlation;
    return step(StageAsked{from, digest, devices, std::nullopt, 5, "maps/a"});
  }
  // The devices that security-policy was asked about since the last call.
  Words asked() {
    Words out;
    for (const auto& one : std::exchange(questions, {})) {
      last = one.question;
      out.push_back(one.device.value);
    }
    return out;
  }
  Effects say(const std::string& device, bool allow, const std::string& reason = "rule r") {
    return say_of(last, device, allow, reason);
  }
  Effects say_of(std::int64_t question, const std::string& device, bool allow, const std::string& reason = "rule r") {
    return step(PermitsAnswered{{{question, DeviceId(device), allow, reason}}});
  }
  Effects sweep(Duration after) {
    now += after;
    return step(TimePassed{});
  }
  // "d1: why", in the order of the answer.
  static Words told(const Effects& effects) {
    Words out;
    for (const auto& one : only<AnswerStaged>(effects).items) out.push_back(one.device + ": " + one.refused);
    return out;
  }
  [[nodiscard]] bool staged_on(const std::string& device) const { return core->stages().contains({device, digest_a}); }
  std::int64_t last = 0;
};

TEST(TransferPermits, NothingIsStagedBeforeItIsAllowed) {
  Asking t;
  EXPECT_TRUE(t.ask({"d2", "d1"}).empty());
  ASSERT_EQ(t.questions.size(), 2U);
  const auto number = t.questions.front().question;
  EXPECT_GE(number, 1);
  EXPECT_EQ(t.questions.front(), (PermitQuestion{number, "alice", "stage", DeviceId("d1"), digest_a, "maps/a"}));
  EXPECT_EQ(t.asked(), (Words{"d1", "d2"}));
  EXPECT_FALSE(t.staged_on("d1"));
  EXPECT_EQ(count<AnswerStaged>(t.say("d1", true)), 0U) << "d2 is open";
  EXPECT_FALSE(t.staged_on("d1"));
  const auto effects = t.say("d2", true);
  EXPECT_EQ(Asking::told(effects), (Words{"d2: ", "d1: "})) << "in the order of the request";
  EXPECT_EQ(only<AnswerStaged>(effects).unanswered, 0U);
  EXPECT_EQ(only<AnswerStaged>(effects).to.correlation, "c");
  EXPECT_TRUE(t.staged_on("d1") && t.staged_on("d2"));
  EXPECT_EQ(t.core->stages().at({"d1", digest_a}).asked_by, "alice");
  EXPECT_EQ(t.core->stages().at({"d1", digest_a}).file, "maps/a");
}

TEST(TransferPermits, WhatIsDeniedIsRefusedAndTheRestIsStaged) {
  Asking t;
  t.ask({"d1", "d2", "d9", "d1"});
  EXPECT_EQ(t.asked(), (Words{"d1", "d2"})) << "each device once, and none that is refused anyway";
  t.say("d1", false, "denied by rule plant");
  EXPECT_EQ(Asking::told(t.say("d2", true)),
            (Words{"d1: denied by rule plant", "d2: ", "d9: no such device", "d1: denied by rule plant"}));
  EXPECT_FALSE(t.staged_on("d1"));
  EXPECT_TRUE(t.staged_on("d2"));
}

TEST(TransferPermits, WhereNobodyCanBeStagedNobodyAsks) {
  Asking t;
  t.stands("d2", Lifecycle::refused);
  EXPECT_EQ(Asking::told(t.ask({"d9", "d2"})), (Words{"d9: no such device", "d2: the device is refused: why"}));
  EXPECT_EQ(t.asked(), Words{});
}

TEST(TransferPermits, WhatIsNotAnsweredIsAskedAgainAndThenRefused) {
  Asking t;
  t.ask({"d1", "d2"});
  EXPECT_EQ(t.asked(), (Words{"d1", "d2"}));
  t.say("d1", true);
  t.sweep(milliseconds(1'900));
  EXPECT_EQ(t.asked(), Words{});
  t.sweep(milliseconds(100));
  EXPECT_EQ(t.asked(), Words{"d2"}) << "d1 is answered";
  t.sweep(seconds(2));
  EXPECT_EQ(t.asked(), Words{"d2"});
  EXPECT_EQ(count<AnswerStaged>(t.sweep(milliseconds(5'900))), 0U);
  const auto effects = t.sweep(milliseconds(100));
  EXPECT_EQ(Asking::told(effects), (Words{"d1: ", "d2: security-policy does not answer"}));
  EXPECT_EQ(only<AnswerStaged>(effects).unanswered, 1U);
  EXPECT_TRUE(t.staged_on("d1"));
  t.asked();
  EXPECT_TRUE(t.say("d2", true).empty()) << "too late";
  EXPECT_FALSE(t.staged_on("d2"));
  t.sweep(seconds(60));
  EXPECT_EQ(t.asked(), Words{});
}

TEST(TransferPermits, WhatIsNotOpenIsNotAnswered) {
  Asking t;
  t.ask({"d1", "d2"});
  t.asked();
  t.say_of(t.last + 1, "d1", true);
  t.say_of(t.last - 1, "d2", true);
  t.say("d9", true);
  t.say("d1", false, "first");
  t.say("d1", true);
  EXPECT_EQ(Asking::told(t.say("d2", true)), (Words{"d1: first", "d2: "}));
  EXPECT_TRUE(t.say("d2", true).empty());
}

TEST(TransferPermits, ARepeatedRequestIsAnsweredOnce) {
  Asking t;
  t.ask({"d1"});
  t.ask({"d1"});
  EXPECT_EQ(t.asked(), Words{"d1"});
  t.ask({"d1"}, "other");
  const auto first = t.last;
  EXPECT_EQ(t.asked(), Words{"d1"});
  EXPECT_NE(t.last, first);
  t.ask({"d1"}, "other", digest_b);
  const auto third = t.last;
  EXPECT_EQ(t.asked(), Words{"d1"});
  EXPECT_NE(t.last, third);
  EXPECT_EQ(count<AnswerStaged>(t.say_of(first, "d1", true)), 1U);
}

TEST(TransferPermits, ADeviceThatIsBarredMeanwhileIsRefused) {
  Asking t;
  t.ask({"d1", "d2"});
  t.asked();
  t.say("d1", true);
  t.stands("d1", Lifecycle::refused);
  t.step(DeviceHeard{"d2", std::nullopt});
  EXPECT_EQ(Asking::told(t.say("d2", true)), (Words{"d1: the device is refused: why", "d2: no such device"}));
  EXPECT_TRUE(t.core->stages().empty());
}

TEST(TransferPermits, AContentThatIsLostMeanwhileIsRefused) {
  Asking t;
  t.ask({"d1"});
  t.asked();
  t.step(ContentLost{digest_a});
  EXPECT_EQ(only<Reject>(t.say("d1", true)).error.code, Code::unavailable);
  EXPECT_TRUE(t.core->stages().empty());
}

TEST(TransferPermits, WhatIsEndedMeanwhileDoesNotBegin) {
  Asking t;
  t.ask({"d1", "d2"});
  t.asked();
  auto bob = alice;
  bob.party.name = "bob";
  const auto other = t.step(StageEnded{bob, digest_b, {"d1"}});
  EXPECT_EQ(Asking::told(other), Words{"d1: it is not staged there"}) << "another content";
  EXPECT_EQ(Asking::told(t.step(StageEnded{bob, digest_a, {"d1"}})), Words{"d1: "});
  t.say("d1", true);
  EXPECT_EQ(Asking::told(t.say("d2", true)), (Words{"d1: ended by bob", "d2: "}));
  EXPECT_FALSE(t.staged_on("d1"));
}

TEST(TransferPermits, SoManyRequestsWait) {
  Limits limits;
  limits.permits.waiting_max = 2;
  Asking t(limits);
  t.ask({"d1"}, "1");
  t.ask({"d1"}, "2");
  const auto error = only<Reject>(t.ask({"d1"}, "3")).error;
  EXPECT_EQ(error.code, Code::unavailable);
  EXPECT_EQ(error.reason, "too many requests wait for security-policy");
  EXPECT_EQ(Asking::told(t.ask({"d9"}, "4")), Words{"d9: no such device"}) << "it need not wait";
  EXPECT_EQ(t.asked(), (Words{"d1", "d1"}));
  t.say("d1", true);
  EXPECT_EQ(count<Reject>(t.ask({"d1"}, "3")), 0U);
}

TEST(TransferPermits, OnePersonLeavesRoomForOthers) {
  Limits limits;
  limits.permits.of_one_max = 1;
  limits.permits.devices_max = 3;
  Asking t(limits);
  t.ask({"d1", "d2"}, "1");
  EXPECT_EQ(count<Reject>(t.ask({"d1"}, "2")), 1U) << "alice waits already";
  auto bob = alice;
  bob.party.name = "bob";
  const auto asks = [&](const std::vector<std::string>& devices) {
    return count<Reject>(t.step(StageAsked{bob, digest_a, devices, {}}));
  };
  EXPECT_EQ(asks({"d1", "d2"}), 1U) << "devices that wait";
  EXPECT_EQ(asks({"d1"}), 0U);
}

TEST(TransferPermits, AfterARestartNothingWaitsAndOldAnswersAreNone) {
  Asking t;
  t.ask({"d1"});
  t.asked();
  const auto before = t.last;
  t.now += milliseconds(1);
  t.restart();
  t.sweep(seconds(3));
  EXPECT_EQ(t.asked(), Words{});
  EXPECT_TRUE(t.ask({"d1"}).empty());
  EXPECT_EQ(t.asked(), Words{"d1"});
  EXPECT_GT(t.last, before);
  EXPECT_TRUE(t.say_of(before, "d1", true).empty()) << "the answer to a question of the earlier run";
  EXPECT_EQ(Asking::told(t.say("d1", true)), Words{"d1: "});
}

TEST(TransferPermits, TimeWithoutTheBrokerIsNobodysSilence) {
  Asking t;
  t.ask({"d1"});
  t.sweep(seconds(9));
  t.asked();
  t.step(LinkLost{});
  EXPECT_TRUE(t.sweep(milliseconds(1'100)).empty());
  EXPECT_EQ(t.asked(), Words{}) << "nothing can be said";
  t.step(LinkBack{});
  EXPECT_EQ(count<AnswerStaged>(t.sweep(seconds(0))), 0U);
  EXPECT_EQ(t.asked(), Words{"d1"}) << "at once: the question may be lost";
  EXPECT_EQ(count<AnswerStaged>(t.sweep(seconds(9))), 0U);
  EXPECT_EQ(Asking::told(t.sweep(seconds(1))), Words{"d1: security-policy does not answer"});
}

// Retained states arrive after the service has subscribed.
TEST(TransferPermits, RightAfterTheStartADeviceMayStillBeHeardOf) {
  Asking t;
  t.step(LinkLost{});
  t.step(LinkBack{});
  EXPECT_TRUE(t.ask({"d1", "d7", "d8", "d9"}).empty());
  EXPECT_EQ(t.asked(), Words{"d1"});
  t.say("d1", true);
  t.sweep(seconds(1));
  EXPECT_EQ(t.asked(), Words{}) << "nobody is asked about";
  t.stands("d7", Lifecycle::active);
  t.stands("d8", Lifecycle::retired);
  t.sweep(milliseconds(20));
  EXPECT_EQ(t.asked(), Words{"d7"}) << "at once";
  t.say("d7", false, "denied by rule plant");
  EXPECT_EQ(count<AnswerStaged>(t.sweep(milliseconds(8'970))), 0U);
  const auto effects = t.sweep(milliseconds(10));
  EXPECT_EQ(Asking::told(effects),
            (Words{"d1: ", "d7: denied by rule plant", "d8: the device is retired: why", "d9: no such device"}));
  EXPECT_EQ(only<AnswerStaged>(effects).unanswered, 0U);
  EXPECT_EQ(Asking::told(t.ask({"d9"}, "later")), Words{"d9: no such device"}) << "at once";
}

TEST(TransferPermits, OneThatCameLateIsNotWaitedForLongerThanTheOthers) {
  Asking t;
  t.step(LinkBack{});
  t.sweep(seconds(4));
  EXPECT_TRUE(t.ask({"d7"}).empty());
  EXPECT_EQ(count<AnswerStaged>(t.sweep(milliseconds(5'990))), 0U);
  EXPECT_EQ(Asking::told(t.sweep(milliseconds(10))), Words{"d7: no such device"}) << "10 s after the link";
}

TEST(TransferPermits, WhoWasNotHeardOfIsNoDeviceWhenTheTimeIsOver) {
  Limits limits;
  limits.permits.patience = seconds(5);
  Asking t(limits);
  t.step(LinkBack{});
  t.ask({"d1", "d9"});
  const auto effects = t.sweep(seconds(5));
  EXPECT_EQ(Asking::told(effects), (Words{"d1: security-policy does not answer", "d9: no such device"}));
  EXPECT_EQ(only<AnswerStaged>(effects).unanswered, 1U);
}

}  // namespace
}  // namespace fieldwork::transfer
