// links: transfer_core GTest::gtest_main
// Contents on their way to the service, whose senders repeat themselves, come late, or have forgotten something.
#include "support/transfer_core.hpp"

namespace fieldwork::transfer {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

Offer offer_of(const TransferId& id, const std::string& digest = digest_a) {
  return {.transfer = id, .digest = digest, .size_bytes = 10, .encoded_bytes = 10};
}

void announce_output(Core& t, const Asker& from, const std::string& digest = digest_a, std::int64_t size = 10) {
  only<AskOutput>(t.step(OutputAnnounced{from, digest, size}));
}

void bring_output(Core& t, const Asker& from, const TransferId& id, const std::string& digest = digest_a) {
  announce_output(t, from, digest);
  only<OpenReceiving>(t.step(Offered{from, offer_of(id, digest)}));
  only<FinishReceiving>(t.step(AllReceived{id}));
  only<AckEnded>(t.step(ContentArrived{id, "identity", 10}));
}

TEST(Receiving, ManyRepeatsInOneBatchAreOneRow) {
  Core t;
  Output done;
  t.core->step(OutputAnnounced{d1, digest_a, 10}, t.now, done);
  for (int i = 0; i < 3; ++i) t.core->step(Offered{d1, offer_of(id_of(1))}, t.now, done);
  t.core->step(AllReceived{id_of(1)}, t.now, done);
  t.core->step(AllReceived{id_of(1)}, t.now, done);
  t.core->step(BatchEnded{}, t.now, done);
  ASSERT_EQ(done.receivings.size(), 1U);
  EXPECT_EQ(done.receivings[0].offer, offer_of(id_of(1)));
  EXPECT_EQ(count<OpenReceiving>(flat(done)), 3U);  // each asker hears what has arrived
  EXPECT_EQ(count<FinishReceiving>(flat(done)), 1U);
  EXPECT_TRUE(t.step(TimePassed{}).empty());
}

// What began and ended in one batch is a row that has ended.
TEST(Receiving, ABatchEndsWithWhatIsTrueThen) {
  Core t;
  Output done;
  t.core->step(OutputAnnounced{d1, digest_a, 10}, t.now, done);
  t.core->step(Offered{d1, offer_of(id_of(1))}, t.now, done);
  t.core->step(ContentArrived{id_of(1), "identity", 10}, t.now, done);
  t.core->step(BatchEnded{}, t.now, done);
  ASSERT_EQ(done.receivings.size(), 1U);
  EXPECT_EQ(done.receivings[0].state, SendingState::complete);
  EXPECT_TRUE(done.dropped_receivings.empty());
  ASSERT_EQ(done.contents.size(), 1U);
  EXPECT_EQ(done.contents[0].transfer, id_of(1));
  EXPECT_EQ(done.contents[0].kind, ContentKind::output);
  EXPECT_TRUE(done.packages.empty());  // an output is nobody's package
}

TEST(Receiving, ADeviceWhoseMemoryWentBackTakesUpItsOlderTransfer) {
  Core t;
  announce_output(t, d1);
  t.step(Offered{d1, offer_of(id_of(1))});
  t.step(Offered{d1, offer_of(id_of(2))});
  const auto back = t.step(Offered{d1, offer_of(id_of(1))});
  EXPECT_EQ(only<CloseReceiving>(back).id, id_of(2));
  EXPECT_EQ(only<OpenReceiving>(back).receiving.id, id_of(1));
  EXPECT_EQ(t.core->receivings().size(), 1U);
  t.step(AllReceived{id_of(1)});
  t.step(ContentArrived{id_of(1), "identity", 10});
  // It has forgotten that too, an hour later.
  t.now += hours(1);
  EXPECT_EQ(only<AnswerStored>(t.step(OutputAnnounced{d1, digest_a, 10})).digest, digest_a);
  for (const auto& id : {id_of(1), id_of(2), id_of(3)}) {
    const auto ended = only<AckEnded>(t.step(Offered{d1, offer_of(id)}));
    EXPECT_EQ(ended.receiving.id, id);
    EXPECT_EQ(ended.error, "");
  }
  EXPECT_TRUE(t.core->receivings().empty());
}

TEST(Receiving, LateOutcomesOfWhatIsForgottenChangeNothing) {
  Core t;
  announce_output(t, d1);
  t.step(Offered{d1, offer_of(id_of(1))});
  t.step(Offered{d1, offer_of(id_of(2))});  // in place of the first
  const Input late[] = {ReceivingHeard{id_of(1)},
                        AllReceived{id_of(1)},
                        ContentArrived{id_of(1), "identity", 10},
                        ContentRefused{id_of(1), {Code::denied, "wrong digest"}},
                        ContentRefused{id_of(1), {Code::unavailable, "disk"}},
                        FrameNotKept{id_of(1), {Code::unavailable, "disk"}}};
  for (const auto& input : late) EXPECT_TRUE(t.step(input).empty()) << input.index();
  EXPECT_TRUE(t.core->contents().empty());
  EXPECT_NE(t.core->receiving(id_of(2)), nullptr);
}

// The content's last byte is here: the sender needs to do nothing more.
TEST(Receiving, WhatIsBeingVerifiedIsTakenFromNobody) {
  Core t;
  announce_output(t, d1);
  t.step(Offered{d1, offer_of(id_of(1))});
  t.step(AllReceived{id_of(1)});
  const auto anew = t.step(Offered{d1, offer_of(id_of(2))});
  EXPECT_EQ(only<Reject>(anew).error.code, Code::conflict);
  t.now += hours(25);  // a slow disk
  EXPECT_EQ(count<CloseReceiving>(t.step(TimePassed{})), 0U);
  EXPECT_EQ(count<CloseReceiving>(t.stands("d1", Lifecycle::refused)), 0U);
  const auto arrived = t.step(ContentArrived{id_of(1), "identity", 10});
  EXPECT_EQ(only<SaveContent>(arrived).digest, digest_a);
  EXPECT_EQ(only<AckEnded>(arrived).error, "");
}

TEST(Receiving, ASendersSilenceEndsItWhenItsPatienceIsOver) {
  Core t;
  const Package package{.digest = digest_b, .name = "n", .version = "1", .size_bytes = 10};
  const auto idle = only<AnswerUpload>(t.announce(alice, package)).id;
  announce_output(t, d1);
  t.step(Offered{d1, offer_of(id_of(9))});
  t.now += minutes(10);
  EXPECT_EQ(count<CloseReceiving>(t.step(TimePassed{})), 0U);
  only<AnswerUpload>(t.announce(alice, package));  // which is a word of it
  t.now += minutes(10);
  EXPECT_EQ(count<CloseReceiving>(t.step(TimePassed{})), 0U);
  t.now += seconds(10);
  EXPECT_EQ(only<CloseReceiving>(t.step(TimePassed{})).id, idle);
  t.step(ReceivingHeard{id_of(9)});
  t.now += hours(24);  // whoever has begun has longer
  EXPECT_EQ(count<CloseReceiving>(t.step(TimePassed{})), 0U);
  t.now += seconds(10);
  EXPECT_EQ(only<SayReceivingEnded>(t.step(TimePassed{})).id, id_of(9));
}

TEST(Receiving, AnAnnouncementIsGoodForADayAndForItsSize) {
  Core t;
  announce_output(t, d1, digest_a, 9);
  EXPECT_EQ(only<Reject>(t.step(Offered{d1, offer_of(id_of(1))})).error.path, "/size_bytes");
  announce_output(t, d1, digest_a, 10);  // the newest counts
  EXPECT_EQ(only<Reject>(t.step(Offered{d2, offer_of(id_of(1))})).error.code, Code::unknown);
  t.now += hours(24);
  t.step(TimePassed{});
  announce_output(t, d1);
  t.now += hours(24);
  t.step(TimePassed{});
  t.step(LinkLost{});
  t.now += hours(24);
  t.step(LinkBack{});  // it could not be repeated meanwhile
  t.step(TimePassed{});
  only<OpenReceiving>(t.step(Offered{d1, offer_of(id_of(1))}));
  announce_output(t, d1, digest_b);
  t.now += hours(24) + seconds(1);
  t.step(TimePassed{});
  EXPECT_EQ(only<Reject>(t.step(Offered{d1, offer_of(id_of(2), digest_b)})).error.code, Code::unknown);
}

TEST(Receiving, AFullDiskHoldsOnlyTheTransferThatItStopped) {
  Core t;
  announce_output(t, d1);
  announce_output(t, d2, digest_b);
  t.step(Offered{d1, offer_of(id_of(1))});
  t.step(Offered{d2, offer_of(id_of(2), digest_b)});
  only<FinishReceiving>(t.step(AllReceived{id_of(1)}));
  only<AckHeld>(t.step(ContentRefused{id_of(1), {Code::unavailable, "disk"}}));
  EXPECT_TRUE(t.step(AllReceived{id_of(1)}).empty());
  only<FinishReceiving>(t.step(AllReceived{id_of(2)}));
  // While it is held the sender may ask on, and nothing of it is lost.
  EXPECT_EQ(only<OpenReceiving>(t.step(Offered{d1, offer_of(id_of(1))})).receiving.id, id_of(1));
  EXPECT_TRUE(t.step(FrameNotKept{id_of(1), {Code::unavailable, "disk"}}).empty());  // it knows
}

TEST(Receiving, TwoOperatorsThatPushTheSameAtOnceAreBothAnswered) {
  Core t;
  const Asker bob{.party = {Party::Kind::client, "bob"}, .client = "cli-2", .answer = "b"};
  const Package package{.digest = digest_a, .name = "n", .version = "1", .size_bytes = 10};
  const auto first = only<AnswerUpload>(t.announce(alice, package)).id;
  const auto second = only<AnswerUpload>(t.announce(bob, package)).id;
  ASSERT_NE(first, second);
  EXPECT_EQ(only<Reject>(t.step(Offered{bob, offer_of(first)})).error.path, "/transfer");
  for (const auto& [from, id] : {std::pair{alice, first}, std::pair{bob, second}}) {
    only<OpenReceiving>(t.step(Offered{from, offer_of(id)}));
    only<FinishReceiving>(t.step(AllReceived{id}));
  }
  only<PublishPackage>(t.step(ContentArrived{second, "identity", 10}));
  const auto late = t.step(ContentArrived{first, "zstd", 7});
  EXPECT_EQ(only<AckEnded>(late).error, "");
  EXPECT_EQ(only<AckEnded>(late).receiving.reply, "cli-1");
  EXPECT_EQ(count<SaveName>(late), 0U);
  const auto* content = t.core->content(digest_a);
  EXPECT_EQ(content->brought_by, bob.party);
  EXPECT_EQ(content->encoding, "identity");
  EXPECT_EQ(t.core->brought_by(first), content);
}

TEST(Receiving, TwoDevicesWithTheSameOutputShareItAndOneIsCharged) {
  Core t({.device_outputs_max = 1});
  announce_output(t, d1);
  announce_output(t, d2);
  t.step(Offered{d1, offer_of(id_of(1))});
  t.step(Offered{d2, offer_of(id_of(2))});
  EXPECT_EQ(t.core->receivings().size(), 2U);
  t.step(ContentArrived{id_of(1), "identity", 10});
  const auto other = t.step(Offered{d2, offer_of(id_of(2))});
  EXPECT_EQ(only<AckEnded>(other).error, "");
  EXPECT_EQ(only<CloseReceiving>(other).id, id_of(2));
  only<RefuseOutput>(t.step(OutputAnnounced{d1, digest_b, 10}));
  only<AskOutput>(t.step(OutputAnnounced{d2, digest_b, 10}));
}

// All of them were announced before the first was sent.
TEST(Receiving, TheQuotaHoldsForWhatWasAnnouncedTogether) {
  Core t({.device_output_bytes_max = 25});
  const std::string digests[] = {digest_a, digest_b, crypto::digest_of("c")};
  for (const auto& digest : digests) announce_output(t, d1, digest);
  only<OpenReceiving>(t.step(Offered{d1, offer_of(id_of(1), digests[0])}));
  only<OpenReceiving>(t.step(Offered{d1, offer_of(id_of(2), digests[1])}));
  const auto third = t.step(Offered{d1, offer_of(id_of(3), digests[2])});
  ASSERT_EQ(third.size(), 1U);
  EXPECT_EQ(only<RefuseOutput>(third).digest, digests[2]);
  EXPECT_NE(only<SayNotOffered>(t.want(alice, digests[2])).reason.find("was refused"), std::string::npos);
  only<OpenReceiving>(t.step(Offered{d1, offer_of(id_of(1), digests[0])}));  // goes on
  only<OpenReceiving>(t.step(Offered{d1, offer_of(id_of(4), digests[1])}));  // begins anew, and counts once
}

TEST(Receiving, AnOutputThatGetsANameIsNoLongerItsDevices) {
  Core t({.device_outputs_max = 1});
  bring_output(t, d1, id_of(1));
  only<RefuseOutput>(t.step(OutputAnnounced{d1, digest_b, 10}));
  const auto named = t.announce(alice, {.digest = digest_a, .name = "n", .version = "1", .size_bytes = 10});
  only<SaveContent>(named);
  only<PublishPackage>(named);
  EXPECT_EQ(t.rows.contents.at(digest_a).kind, ContentKind::package);
  only<AskOutput>(t.step(OutputAnnounced{d1, digest_b, 10}));
  only<SendOffer>(t.want("d2", digest_a));  // a package is for every device
  t.now += hours(24 * 31);
  EXPECT_EQ(count<DropContent>(t.step(TimePassed{})), 0U);
}

TEST(Receiving, WhoFetchesWhatIsNotHereHearsWhereItIs) {
  Core t({.content_bytes_max = 100});
  const auto why = [&] { return only<SayNotOffered>(t.want(alice, digest_a)).reason; };
  EXPECT_EQ(why(), "no such content is stored");
  only<RefuseOutput>(t.step(OutputAnnounced{d1, digest_a, 101}));
  EXPECT_EQ(why().find("the output was refused: "), 0U);
  announce_output(t, d2);  // refused of one device, and here comes the other
  EXPECT_EQ(why(), "it is still on d2");
  t.step(Offered{d2, offer_of(id_of(1))});
  EXPECT_EQ(why(), "it is on its way from d2");
  t.step(ContentArrived{id_of(1), "identity", 10});
  only<SendOffer>(t.want(alice, digest_a));
}

// The device repeats it until it is answered, and its transfers of the output end.
TEST(Receiving, WhatADeviceDroppedIsRememberedAndAnswered) {
  Core t;
  const auto why = [&] { return only<SayNotOffered>(t.want(alice, digest_a)).reason; };
  announce_output(t, d1);
  only<OpenReceiving>(t.step(Offered{d1, offer_of(id_of(1))}));
  const auto heard = t.step(OutputDropped{d1, digest_a, "no room"});
  EXPECT_EQ(only<CloseReceiving>(heard).id, id_of(1));
  EXPECT_EQ(only<AnswerDropped>(heard).reason, "no room");
  EXPECT_TRUE(only<AnswerDropped>(heard).first);
  EXPECT_EQ(why(), "d1 dropped the output: no room");
  const auto again = t.step(OutputDropped{d1, digest_a, "no room"});
  ASSERT_EQ(again.size(), 1U);
  EXPECT_FALSE(only<AnswerDropped>(again).first);
  EXPECT_EQ(why(), "d1 dropped the output: no room");
  EXPECT_EQ(only<Reject>(t.step(Offered{d1, offer_of(id_of(1))})).error.code, Code::unknown);
  // A later attempt wrote the same.
  bring_output(t, d1, id_of(2));
  only<SendOffer>(t.want(alice, digest_a));
}

TEST(Receiving, ADropTakesNothingFromOthersNorWhatIsStored) {
  Core t;
  announce_output(t, d1);
  announce_output(t, d2);
  only<OpenReceiving>(t.step(Offered{d2, offer_of(id_of(2))}));
  EXPECT_EQ(count<CloseReceiving>(t.step(OutputDropped{d1, digest_a, "no room"})), 0U);
  EXPECT_EQ(only<SayNotOffered>(t.want(alice, digest_a)).reason, "it is on its way from d2");
  // Its last byte has arrived: it will be stored, and only then is there an answer.
  only<FinishReceiving>(t.step(AllReceived{id_of(2)}));
  EXPECT_TRUE(t.step(OutputDropped{d2, digest_a, "no room"}).empty());
  only<SaveContent>(t.step(ContentArrived{id_of(2), "identity", 10}));
  EXPECT_EQ(only<AnswerStored>(t.step(OutputDropped{d2, digest_a, "no room"})).digest, digest_a);
  only<SendOffer>(t.want(alice, digest_a));
}

TEST(Receiving, ADropIsHeardOnlyOfADeviceThatIsServed) {
  Core t;
  t.stands("d1", Lifecycle::enrolling);
  EXPECT_EQ(only<Reject>(t.step(OutputDropped{d1, digest_a, "no room"})).error.code, Code::unavailable);
  EXPECT_EQ(only<SayNotOffered>(t.want(alice, digest_a)).reason, "no such content is stored");
}

TEST(Receiving, AStrayFrameOfAClientIsAnsweredOnlyWhereNothingIsKnownOfIt) {
  Core t;
  const auto id = only<AnswerUpload>(t.announce(alice, {.digest = digest_a, .name = "n", .version = "1"})).id;
  t.step(Offered{alice, {.transfer = id, .digest = digest_a, .encoded_bytes = 10}});
  t.step(ContentArrived{id, "identity", 10});
  EXPECT_TRUE(t.step(StrayFrame{alice, id, 10}).empty());  // it starts again, and then hears it
  EXPECT_EQ(only<Reject>(t.step(StrayFrame{alice, id_of(9), 10})).error.code, Code::unknown);
  EXPECT_EQ(only<Reject>(t.step(StrayFrame{d1, id, 10})).error.code, Code::unknown);
}

}  // namespace
}  // namespace fieldwork::transfer
