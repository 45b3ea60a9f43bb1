// links: transfer_core GTest::gtest_main
// Each bound of Limits: what is still allowed at it, and what gives way beyond it.
#include "support/transfer_core.hpp"

namespace fieldwork::transfer {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

std::vector<std::string> digests_of(int count) {
  std::vector<std::string> out;
  for (int i = 0; i < count; ++i) out.push_back(crypto::digest_of(std::to_string(i)));
  return out;
}

// Announces an output and offers it, under a transfer of that number.
Effects offer_output(Core& t, const Asker& from, const std::string& digest, unsigned char number) {
  only<AskOutput>(t.step(OutputAnnounced{from, digest, 1}));
  return t.step(Offered{from, {.transfer = id_of(number), .digest = digest, .size_bytes = 1, .encoded_bytes = 1}});
}

// --- sendings ---

TEST(Bounds, APartyHasSoManySlotsAndItsOldestWantIsNext) {
  const auto digests = digests_of(4);
  Core t({.party_slots_max = 2}, packages_of(digests));
  std::vector<TransferId> ids;
  for (const auto& digest : digests) ids.push_back(only<SendOffer>(t.want("d1", digest)).sending.id);
  EXPECT_TRUE(t.core->has_slot(ids[0]));
  EXPECT_TRUE(t.core->has_slot(ids[1]));
  EXPECT_EQ(count<OpenSending>(t.step(TimePassed{})), 0U);
  only<OpenSending>(t.want("d2", digests[0]));  // others are not behind it
  t.step(Answered{d1, ids[1], ReceivedState::complete, ""});
  EXPECT_EQ(only<OpenSending>(t.step(TimePassed{})).sending.id, ids[2]);
  t.step(Answered{d1, ids[0], ReceivedState::unwanted, ""});
  EXPECT_EQ(only<OpenSending>(t.step(TimePassed{})).sending.id, ids[3]);
}

// A slot is given back once, however a sending loses it.
TEST(Bounds, TheNumberOfSlotsStaysTheSame) {
  const auto digests = digests_of(6);
  Core t({.slots_max = 2}, packages_of(digests));
  const auto first = only<OpenSending>(t.want("d1", digests[0])).sending.id;
  const auto second = only<OpenSending>(t.want("d1", digests[1])).sending.id;
  t.now += seconds(31);
  EXPECT_EQ(count<CloseSending>(t.step(TimePassed{})), 2U);  // parked
  t.step(Answered{d1, first, ReceivedState::complete, ""});
  t.step(Answered{d1, second, ReceivedState::unwanted, ""});
  std::size_t opened = 0;
  for (int i = 2; i < 6; ++i) opened += count<OpenSending>(t.want("d1", digests[static_cast<std::size_t>(i)]));
  EXPECT_EQ(opened, 2U);
}

TEST(Bounds, BeyondAllRowsTheLongestSilentOneOfAnybodyGivesWay) {
  Core t({.slots_max = 1, .rows_max = 3}, packages_of({digest_a, digest_b}));
  const auto busy = only<OpenSending>(t.want("d1", digest_a)).sending.id;
  t.now += seconds(1);
  const auto silent = only<SendOffer>(t.want("d2", digest_a)).sending.id;
  t.now += seconds(1);
  const auto later = only<SendOffer>(t.want(alice, digest_a)).sending.id;
  t.now += seconds(1);
  const auto effects = t.want("d2", digest_b);
  EXPECT_EQ(only<DropSending>(effects).id, silent);
  EXPECT_EQ(only<ClearSending>(effects).id, silent);
  const auto newest = only<SendOffer>(effects).sending.id;
  EXPECT_EQ(t.core->live(), (std::set<TransferId>{busy, later, newest}));
  only<SendOffer>(t.want("d2", digest_a));  // it still wants it, and asks again
}

TEST(Bounds, WhereAllRowsHaveASlotANewWantIsToldToAskAgain) {
  Core t({.rows_max = 2}, packages_of({digest_a}));
  t.want("d1", digest_a);
  const auto id = only<OpenSending>(t.want("d2", digest_a)).sending.id;
  const auto effects = t.want(alice, digest_a);
  EXPECT_EQ(only<Reject>(effects).error.code, Code::unavailable);
  EXPECT_EQ(effects.size(), 1U);
  EXPECT_EQ(only<SendOffer>(t.want("d2", digest_a)).sending.id, id);  // a repeat needs no room
  t.step(Answered{d2, id, ReceivedState::complete, ""});
  only<OpenSending>(t.want(alice, digest_a));
}

TEST(Bounds, RowsOfSettledSendingsGoTheOldestFirstAndAFewAtATime) {
  Core t({.ended_max = 2, .prune_max = 3}, packages_of({digest_a}));
  std::vector<TransferId> ids;
  for (int i = 0; i < 7; ++i, t.now += seconds(1)) {
    ids.push_back(only<SendOffer>(t.want("d1", digest_a)).sending.id);
    t.step(Answered{d1, ids.back(), ReceivedState::complete, ""});
  }
  const auto effects = t.step(TimePassed{});
  EXPECT_EQ(count<DropSending>(effects), 3U);
  EXPECT_EQ(count<ClearSending>(effects), 3U);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(t.core->sending(ids[i]), nullptr) << i;
  EXPECT_EQ(count<DropSending>(t.step(TimePassed{})), 2U);
  EXPECT_EQ(count<DropSending>(t.step(TimePassed{})), 0U);
  const auto rest = t.core->sendings_of(digest_a, 1);
  ASSERT_EQ(rest.size(), 1U);
  EXPECT_EQ(rest[0]->id, ids[6]);  // the newest first
  // A state whose row went before its time is not cleared a second time.
  t.now += hours(1);
  EXPECT_EQ(count<ClearSending>(t.step(TimePassed{})), 2U);
}

// --- receivings ---

TEST(Bounds, ASilentSenderKeepsNobodyFromSending) {
  Core t({.slots_max = 2});
  const auto digests = digests_of(4);
  only<OpenReceiving>(offer_output(t, d1, digests[0], 1));
  only<OpenReceiving>(offer_output(t, d2, digests[1], 2));
  EXPECT_EQ(only<Reject>(t.announce(alice, {.digest = digest_a})).error.code, Code::unavailable);
  EXPECT_EQ(only<Reject>(offer_output(t, d1, digests[2], 3)).error.code, Code::unavailable);
  t.now += seconds(30);
  t.step(ReceivingHeard{id_of(2)});
  EXPECT_EQ(count<Reject>(t.announce(alice, {.digest = digest_a})), 1U);
  t.now += seconds(1);
  only<AnswerUpload>(t.announce(alice, {.digest = digest_a}));
  EXPECT_NE(t.core->receiving(id_of(1)), nullptr);  // what has arrived of it stays
  only<OpenReceiving>(t.step(                       // and a transfer that is known goes on, whatever else runs
      Offered{d1, {.transfer = id_of(1), .digest = digests[0], .size_bytes = 1, .encoded_bytes = 1}}));
}

TEST(Bounds, BeyondThePartysRowsItsOwnLongestSilentUploadGivesWay) {
  Core t({.party_rows_max = 2, .rows_max = 4});
  const auto digests = digests_of(6);
  offer_output(t, d2, digests[0], 9);  // silent for longer, but another's
  t.now += seconds(1);
  offer_output(t, d1, digests[1], 1);
  offer_output(t, d1, digests[2], 2);
  t.now += seconds(31);
  t.step(ReceivingHeard{id_of(1)});
  t.now += seconds(31);
  EXPECT_EQ(only<CloseReceiving>(offer_output(t, d1, digests[3], 3)).id, id_of(2));
  EXPECT_EQ(t.core->receivings().size(), 3U);
  // And beyond those of all parties, the longest silent one of anybody.
  only<AnswerUpload>(t.announce(alice, {.digest = digest_a, .name = "n", .version = "1"}));
  const auto effects = t.announce(alice, {.digest = digest_b, .name = "n", .version = "2"});
  only<AnswerUpload>(effects);
  EXPECT_EQ(only<CloseReceiving>(effects).id, id_of(9));
  EXPECT_EQ(only<DropReceiving>(effects).id, id_of(9));
}

TEST(Bounds, WhatIsBeingVerifiedGivesWayToNothing) {
  Core t({.party_rows_max = 1});
  offer_output(t, d1, digest_a, 1);
  t.step(AllReceived{id_of(1)});
  t.now += minutes(5);
  EXPECT_EQ(count<CloseReceiving>(offer_output(t, d1, digest_b, 2)), 0U);
  only<AckEnded>(t.step(ContentArrived{id_of(1), "identity", 1}));
}

TEST(Bounds, BeyondTheAnnouncedTheOldestAnnouncementIsForgotten) {
  Core t({.announced_max = 2});
  const auto digests = digests_of(3);
  for (const auto& digest : {digests[0], digests[1], digests[0], digests[2]}) {  // the first was said again
    only<AskOutput>(t.step(OutputAnnounced{d1, digest, 1}));
    t.now += seconds(1);
  }
  const auto offer = [&](std::size_t i) {
    return t.step(Offered{d1,
                          {.transfer = id_of(static_cast<unsigned char>(i + 1)),
                           .digest = digests[i],
                           .size_bytes = 1,
                           .encoded_bytes = 1}});
  };
  EXPECT_EQ(only<Reject>(offer(1)).error.code, Code::unknown);
  only<OpenReceiving>(offer(0));
  only<OpenReceiving>(offer(2));
}

// --- contents ---

TEST(Bounds, AContentMayBeExactlyAsLargeAsTheLimit) {
  Core t({.content_bytes_max = 100, .device_output_bytes_max = 100});
  only<AnswerUpload>(t.announce(alice, {.digest = digest_a, .name = "n", .version = "1", .size_bytes = 100}));
  const auto larger = t.announce(alice, {.digest = digest_b, .name = "n", .version = "2", .size_bytes = 101});
  EXPECT_EQ(only<Reject>(larger).error.path, "/size_bytes");
  EXPECT_EQ(only<Reject>(larger).error.code, Code::invalid);
  only<AskOutput>(t.step(OutputAnnounced{d1, digest_a, 100}));
  only<RefuseOutput>(t.step(OutputAnnounced{d1, digest_b, 101}));
}

TEST(Bounds, AContentHasSoManyNamesAndKeepsThem) {
  Core t({.names_max = 2}, packages_of({digest_a}));
  const auto name = [&](const char* version) {
    return t.announce(alice, {.digest = digest_a, .name = "n", .version = version, .size_bytes = 1});
  };
  only<AnswerStored>(name("2"));
  const auto third = name("3");
  ASSERT_EQ(third.size(), 1U);
  EXPECT_EQ(only<Reject>(third).error.code, Code::invalid);
  EXPECT_EQ(only<Reject>(third).error.path, "/name");
  only<AnswerStored>(name("1"));
  only<AnswerStored>(name("2"));
  EXPECT_TRUE(t.core->named({"n", "3"}).empty());
}

TEST(Bounds, TheReasonsOfTheNewestRefusedOutputsAreRemembered) {
  Core t({.content_bytes_max = 1, .refused_max = 2});
  const auto digests = digests_of(3);
  for (const auto& digest : {digests[0], digests[0], digests[1], digests[2]}) {
    only<RefuseOutput>(t.step(OutputAnnounced{d1, digest, 2}));
  }
  const auto refused = [&](const std::string& digest) {
    return only<SayNotOffered>(t.want(alice, digest)).reason.find("was refused") != std::string::npos;
  };
  EXPECT_FALSE(refused(digests[0]));
  EXPECT_TRUE(refused(digests[1]));
  EXPECT_TRUE(refused(digests[2]));
}

TEST(Bounds, AContentWithoutANameIsKeptToItsLastDay) {
  Saved saved;
  saved.contents.push_back(content_of(digest_a, ContentKind::output));
  Core t({}, saved);
  t.now = saved.contents[0].stored + hours(24 * 30);
  EXPECT_EQ(count<DropContent>(t.step(TimePassed{})), 0U);
  t.now += seconds(10);
  Output done;
  t.core->step(TimePassed{}, t.now, done);
  t.core->step(BatchEnded{}, t.now, done);
  EXPECT_EQ(done.dropped_contents, std::vector{digest_a});
  ASSERT_EQ(done.work.size(), 1U);
  EXPECT_EQ(std::get<RemoveContent>(done.work[0]).digest, digest_a);  // the files go too
  EXPECT_EQ(only<SayNotOffered>(t.want(alice, digest_a)).reason, "no such content is stored");
}

}  // namespace
}  // namespace fieldwork::transfer
