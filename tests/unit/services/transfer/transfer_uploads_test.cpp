// links: transfer_core GTest::gtest_main
// How contents on their way to the service stand, and how they ended: what is published, kept and cleared.
#include "support/transfer_core.hpp"

namespace fieldwork::transfer {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using Verb = Controlled::Verb;

const auto id1 = made_id(901);
const auto id2 = made_id(902);

Offer offer_of(const TransferId& id, const std::string& digest = digest_a) {
  return {.transfer = id, .digest = digest, .size_bytes = 2000, .encoded_bytes = 1000};
}

// d1's output, of which nothing has come.
void begin(Core& t, const TransferId& id = id1, const std::string& digest = digest_a) {
  only<AskOutput>(t.step(OutputAnnounced{d1, digest, 2000}));
  only<OpenReceiving>(t.step(Offered{d1, offer_of(id, digest)}));
  t.step(ReceivingOpened{id, 0});
}

ReceivingHeard heard(std::int64_t bytes, std::int64_t came = 100) { return {id1, bytes, came, 0, 1, 0, 0}; }

const Receiving& ended(const Core& t, const TransferId& id = id1) {
  const auto* one = t.core->ended_receiving(id);
  if (one == nullptr) throw std::runtime_error("it has not ended");
  return *one;
}

TEST(Uploads, ArePublishedOnceASecondWithTheirRate) {
  Core t;
  only<AskOutput>(t.step(OutputAnnounced{d1, digest_a, 2000}));
  EXPECT_EQ(only<PublishReceiving>(t.step(Offered{d1, offer_of(id1)})).id, id1);
  EXPECT_EQ(t.core->receiving(id1)->phase, Phase::offered);
  t.step(ReceivingOpened{id1, 0});
  for (int i = 1; i <= 8; ++i) {
    t.now += milliseconds(500);
    t.step(ReceivingHeard{id1, 50 * i, 60, 10, 2, 1, 3});
    EXPECT_EQ(count<PublishReceiving>(t.step(TimePassed{})), i % 2 == 0 ? 1U : 0U) << i;
  }
  const auto& receiving = *t.core->receiving(id1);
  EXPECT_EQ(receiving.phase, Phase::sending);
  EXPECT_EQ(receiving.received_bytes, 400);
  EXPECT_EQ(receiving.bit_per_s, 800);
  EXPECT_EQ(receiving.came_bytes, 480);
  EXPECT_EQ(receiving.again_bytes, 80);
  EXPECT_EQ(receiving.came_frames, 16);
  EXPECT_EQ(receiving.again_frames, 8);
  EXPECT_EQ(receiving.bad_frames, 3) << "all of them, each time";
  EXPECT_EQ(receiving.resumed_from, 0);
  t.now += seconds(1);
  EXPECT_EQ(count<PublishReceiving>(t.step(TimePassed{})), 0U) << "nothing is new";
}

TEST(Uploads, TheRateIsThatOfTheLastSeconds) {
  Core t;
  begin(t);
  for (int i = 1; i <= 20; ++i) {
    t.now += seconds(1);
    t.step(heard(i <= 10 ? 10 * i : 100 + 40 * (i - 10)));
    t.step(TimePassed{});
  }
  EXPECT_EQ(t.core->receiving(id1)->bit_per_s, 320);
}

TEST(Uploads, AreSuspendedWhileTheSenderIsSilent) {
  Core t;
  begin(t);
  t.step(heard(100));
  t.now += seconds(31);
  EXPECT_EQ(count<PublishReceiving>(t.step(TimePassed{})), 1U);
  EXPECT_EQ(t.core->receiving(id1)->phase, Phase::suspended);
  EXPECT_EQ(t.core->receiving(id1)->reason, "the sender is silent");
  t.now += seconds(11);
  EXPECT_EQ(count<PublishReceiving>(t.step(TimePassed{})), 0U) << "once";
  t.step(ReceivingHeard{id1, 100, 100, 100, 1, 1});
  t.step(TimePassed{});
  EXPECT_EQ(t.core->receiving(id1)->phase, Phase::sending) << "also where it brought nothing new";
}

TEST(Uploads, AreSuspendedWhileTheDiskIsFull) {
  Core t;
  begin(t);
  t.step(heard(100));
  t.step(FrameNotKept{id1, {Code::unavailable, "no space", "/x"}});
  t.now += seconds(1);
  t.step(TimePassed{});
  EXPECT_EQ(t.core->receiving(id1)->phase, Phase::suspended);
  EXPECT_EQ(t.core->receiving(id1)->reason, "/x: no space");
  t.step(ReceivingHeard{id1, 100, 100, 100, 1, 1});
  EXPECT_FALSE(t.core->receiving(id1)->reason.empty()) << "nothing was taken";
  t.step(heard(200));
  t.now += seconds(1);
  t.step(TimePassed{});
  EXPECT_EQ(t.core->receiving(id1)->phase, Phase::sending);
  t.now += seconds(10);
  only<FinishReceiving>(t.step(AllReceived{id1}));
  t.now += seconds(1);
  EXPECT_EQ(count<PublishReceiving>(t.step(TimePassed{})), 1U);
  EXPECT_EQ(t.core->receiving(id1)->phase, Phase::verifying);
}

TEST(Uploads, ThatAreStoredAreKnownForAWhileAlsoAfterARestart) {
  Core t;
  begin(t);
  t.step(heard(500));
  t.step(AllReceived{id1});
  const auto effects = t.step(ContentArrived{id1, "zstd", 1000});
  EXPECT_EQ(only<SayReceivingEnded>(effects).id, id1);
  EXPECT_EQ(only<PublishReceiving>(effects).id, id1);
  EXPECT_EQ(count<SaveReceiving>(effects), 1U);
  EXPECT_EQ(t.core->receiving(id1), nullptr);
  EXPECT_EQ(ended(t).state, SendingState::complete);
  EXPECT_EQ(ended(t).received_bytes, 1000);
  t.restart();
  EXPECT_EQ(ended(t).state, SendingState::complete);
  EXPECT_EQ(t.core->receiving(id1), nullptr);
  t.step(LinkBack{});
  t.now += seconds(1);
  EXPECT_EQ(count<PublishReceiving>(t.step(TimePassed{})), 1U) << "the broker may have lost it";
  t.now += hours(1) - seconds(2);
  EXPECT_EQ(count<ClearSending>(t.step(TimePassed{})), 0U);
  t.now += seconds(2);
  EXPECT_EQ(only<ClearSending>(t.step(TimePassed{})).id, id1);
  t.now += hours(24 * 30);
  EXPECT_EQ(only<DropReceiving>(t.step(TimePassed{})).id, id1);
  EXPECT_EQ(t.core->ended_receiving(id1), nullptr);
}

TEST(Uploads, SayWhyTheyFailed) {
  struct Case {
    const char* name;
    Input input;
    TransferFailure failure;
    const char* reason;
    Duration after{};
  };
  const auto refused = Standing{Lifecycle::refused, "revoked", ""};
  for (const auto& one : {
           Case{"wrong content", ContentRefused{id1, {Code::denied, "digest: it is another"}},
                TransferFailure::verification_failed, "digest: it is another"},
           Case{"changed bytes", ContentRefused{id1, {Code::conflict, "changed"}}, TransferFailure::verification_failed,
                "changed"},
           Case{"dropped", OutputDropped{d1, digest_a, "no room"}, TransferFailure::gone,
                "d1 dropped the output: no room"},
           Case{"barred", DeviceHeard{"d1", refused}, TransferFailure::denied, "the device is refused: revoked"},
           Case{"silent", TimePassed{}, TransferFailure::silent, "device silent", hours(25)},
       }) {
    Core t;
    begin(t);
    t.now += one.after;
    EXPECT_EQ(only<SayReceivingEnded>(t.step(one.input)).id, id1) << one.name;
    EXPECT_EQ(ended(t).state, SendingState::failed) << one.name;
    EXPECT_EQ(ended(t).failure, one.failure) << one.name;
    EXPECT_EQ(ended(t).reason, one.reason) << one.name;
  }
}

TEST(Uploads, TheSenderHearsTheSortOfFailure) {
  Core t;
  begin(t);
  const auto effects = t.step(ContentRefused{id1, {Code::conflict, "changed"}});
  EXPECT_EQ(only<AckEnded>(effects).failure, TransferFailure::verification_failed);
}

TEST(Uploads, ADeviceThatIsCancelledAnnouncesItNoMore) {
  Core t;
  begin(t);
  auto effects = t.control(Verb::cancel, id1);
  EXPECT_EQ(only<CloseReceiving>(effects).id, id1);
  EXPECT_EQ(only<AckEnded>(effects).failure, TransferFailure::cancelled);
  EXPECT_EQ(only<AckEnded>(effects).error, "cancelled by alice");
  EXPECT_EQ(only<RefuseOutput>(effects).to.party.name, "d1");
  EXPECT_EQ(only<AnswerCancelled>(effects).receiving.state, SendingState::cancelled);
  EXPECT_FALSE(ended(t).failure.has_value()) << "nobody failed";
  EXPECT_EQ(t.core->receiving(id1), nullptr);
  EXPECT_EQ(only<RefuseOutput>(t.step(OutputAnnounced{d1, digest_a, 2000})).reason, "cancelled by alice");
  t.restart();
  EXPECT_EQ(count<RefuseOutput>(t.step(OutputAnnounced{d1, digest_a, 2000})), 1U);
  t.now += minutes(10);
  EXPECT_EQ(count<AskOutput>(t.step(OutputAnnounced{d1, digest_a, 2000})), 1U) << "an operator asks again";
}

TEST(Uploads, AClientThatIsCancelledHearsIt) {
  Core t;
  const auto id =
      only<AnswerUpload>(t.announce(alice, {.digest = digest_a, .name = "n", .version = "1", .size_bytes = 9})).id;
  EXPECT_EQ(t.core->receiving(id)->phase, Phase::offered);
  const auto effects = t.control(Verb::cancel, id);
  EXPECT_EQ(only<AckEnded>(effects).receiving.reply, "cli-1");
  EXPECT_EQ(count<RefuseOutput>(effects), 0U);
  EXPECT_EQ(only<Reject>(t.control(Verb::cancel, id)).error.code, Code::conflict);
}

TEST(Uploads, CannotBePausedNorCancelledWhileTheyAreVerified) {
  Core t;
  begin(t);
  for (const auto verb : {Verb::pause, Verb::resume})
    EXPECT_EQ(only<Reject>(t.control(verb, id1)).error.code, Code::invalid);
  t.step(AllReceived{id1});
  EXPECT_EQ(only<Reject>(t.control(Verb::cancel, id1)).error.code, Code::conflict);
  EXPECT_NE(t.core->receiving(id1), nullptr);
}

TEST(Uploads, KeepWhatTheirSenderSaysOfItsStrategy) {
  Core t({.strategies_max = 3});
  begin(t);
  const auto say = [&](const std::string& name, const std::string& reason) {
    Output done;
    t.core->step(OutputAnnounced{d1, digest_a, 2000, SaidStrategy{name, reason, 4096}}, t.now, done);
    EXPECT_TRUE(done.answers.empty());
    return done.new_receiving_strategies.size();
  };
  EXPECT_EQ(say("near", "1"), 1U);
  EXPECT_EQ(say("near", "1"), 0U) << "once per change";
  for (const char* reason : {"2", "3", "4"}) EXPECT_EQ(say("far", reason), 1U);
  const auto& receiving = *t.core->receiving(id1);
  EXPECT_EQ(receiving.strategy->name, "far");
  ASSERT_EQ(receiving.strategies.size(), 3U);
  EXPECT_EQ(receiving.strategies.front().why, "2");
  t.step(AllReceived{id1});
  t.step(ContentRefused{id1, {Code::denied, "no"}});
  EXPECT_EQ(say("near", "5"), 0U) << "it is over";
}

TEST(Uploads, OfAPackageKeepItToo) {
  Core t;
  const Package package{.digest = digest_a, .name = "n", .version = "1", .size_bytes = 9};
  const SaidStrategy near{"near", "a near link", 65536};
  EXPECT_TRUE(t.step(PackageAnnounced{alice, package, made_id(50), near}).empty()) << "there is no such upload";
  const auto id = only<AnswerUpload>(t.announce(alice, package)).id;
  t.step(PackageAnnounced{alice, package, made_id(51), near});
  EXPECT_EQ(t.core->receiving(id)->strategy, near);
}

TEST(Uploads, SayFromWhereTheyWentOn) {
  Core t;
  begin(t);
  t.step(heard(600));
  t.now += minutes(2);
  t.step(Offered{d1, offer_of(id1)});
  t.step(ReceivingOpened{id1, 512});
  EXPECT_EQ(t.core->receiving(id1)->resumed_from, 512);
  EXPECT_EQ(t.core->receiving(id1)->received_bytes, 512) << "the rest was on no disk";
}

TEST(Uploads, ThatAnotherOneReplacesLeaveNothing) {
  Core t;
  begin(t);
  only<AskOutput>(t.step(OutputAnnounced{d1, digest_a, 2000}));
  const auto effects = t.step(Offered{d1, offer_of(id2)});
  EXPECT_EQ(only<ClearSending>(effects).id, id1);
  EXPECT_EQ(only<DropReceiving>(effects).id, id1);
  EXPECT_EQ(count<SayReceivingEnded>(effects), 0U);
  EXPECT_EQ(t.core->ended_receiving(id1), nullptr);
}

TEST(Uploads, AnIdThatComesAgainIsOfTheNewOne) {
  Core t;
  begin(t);
  t.step(ContentRefused{id1, {Code::denied, "no"}});
  t.now += minutes(30);
  begin(t);
  EXPECT_EQ(t.core->ended_receiving(id1), nullptr);
  t.now += minutes(10);
  t.step(ContentRefused{id1, {Code::denied, "again no"}});
  t.now += minutes(20);
  EXPECT_EQ(count<ClearSending>(t.step(TimePassed{})), 0U) << "an hour after its own end";
  t.now += minutes(40);
  EXPECT_EQ(count<ClearSending>(t.step(TimePassed{})), 1U);
}

TEST(Uploads, AreBoundedWhenTheyHaveEnded) {
  Core t({.ended_max = 2});
  for (int i = 0; i < 4; ++i) {
    begin(t, made_id(800 + i));
    t.step(ContentRefused{made_id(800 + i), {Code::denied, "no"}});
    t.now += seconds(1);
  }
  const auto effects = t.step(TimePassed{});
  EXPECT_EQ(count<DropReceiving>(effects), 2U);
  EXPECT_EQ(count<ClearSending>(effects), 2U);
  EXPECT_NE(t.core->ended_receiving(made_id(803)), nullptr);
}

TEST(Uploads, AreListedTheNewestFirst) {
  Core t;
  begin(t);
  t.now += seconds(1);
  begin(t, id2, digest_b);
  t.step(ContentRefused{id2, {Code::denied, "no"}});
  ASSERT_EQ(t.core->newest_receivings("", false, 9).size(), 2U);
  EXPECT_EQ(t.core->newest_receivings("d1", false, 1).front()->id, id2);
  EXPECT_EQ(t.core->newest_receivings("d1", true, 9).size(), 1U);
  EXPECT_TRUE(t.core->newest_receivings("d2", false, 9).empty());
}

TEST(Downloads, SayWhyTheyFailedAndCountBadFramesAndTries) {
  Core t({}, packages_of({digest_a}));
  const auto id = only<OpenSending>(t.want("d1", digest_a)).sending.id;
  t.step(Progressed{id, {}, 0, 30, 10, {}, 3, 1, 2});
  t.step(Progressed{id, {}, 0, 10, 0, {}, 1, 0, 2});
  t.step(Answered{d1, id, ReceivedState::receiving, "", {}, 2});
  t.step(Answered{d1, id, ReceivedState::failed, "digest: x", TransferFailure::verification_failed, 0});
  const auto& sending = *t.core->sending(id);
  EXPECT_EQ(sending.frames_sent, 4);
  EXPECT_EQ(sending.frames_resent, 1);
  EXPECT_EQ(sending.tries_most, 2);
  EXPECT_EQ(sending.bad_frames, 2);
  EXPECT_EQ(sending.failure, TransferFailure::verification_failed);
  const auto silent = only<OpenSending>(t.want("d2", digest_a)).sending.id;
  t.now += hours(25);
  t.step(TimePassed{});
  EXPECT_EQ(t.core->sending(silent)->failure, TransferFailure::silent);
}

}  // namespace
}  // namespace fieldwork::transfer
