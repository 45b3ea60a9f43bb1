// links: transfer_core GTest::gtest_main
#include <functional>

#include "support/transfer_core.hpp"

namespace fieldwork::transfer {
namespace {

TEST(Core, GivesOneTransferToEachWantAndRepeatsIt) {
  auto saved = packages_of({digest_a});
  saved.contents.push_back(content_of(digest_b, ContentKind::output));
  Core t({}, saved);
  const auto first = t.want("d1", digest_a);
  const auto id = only<SendOffer>(first).sending.id;
  only<SaveSending>(first);
  const auto again = t.want("d1", digest_a);
  EXPECT_EQ(only<SendOffer>(again).sending.id, id);
  EXPECT_EQ(count<AskedAgain>(again), 0U);  // it runs: a repeat restarts nothing
  EXPECT_EQ(count<MakeOffer>(again), 0U);
  t.now += seconds(3);
  only<AskedAgain>(t.want("d1", digest_a));  // nothing was answered meanwhile
  EXPECT_EQ(t.core->live().size(), 1U);
  EXPECT_NE(only<SendOffer>(t.want("d2", digest_a)).sending.id, id);
  only<SayNotOffered>(t.want("d1", crypto::digest_of("unknown")));
  only<SayNotOffered>(t.want("d1", digest_b));  // another device's output
}

TEST(Core, ANewCertificateIsANewTransfer) {
  Core t({}, packages_of({digest_a}));
  const auto id = only<SendOffer>(t.want("d1", digest_a)).sending.id;
  const auto effects = t.step(Wanted{d1, digest_a, pki().certificate("d2"), id_of(99)});
  EXPECT_EQ(only<CloseSending>(effects).id, id);
  EXPECT_EQ(only<MakeOffer>(effects).id, id_of(99));
  EXPECT_EQ(t.core->sending(id)->state, SendingState::failed);
}

// The encoding is made in a later batch than it is wanted in, and the offer in a later one still.
TEST(Core, WhatEndsBeforeItsOfferWasMadeNeverWas) {
  Core t({}, packages_of({digest_a}));
  t.makes = false;
  const std::pair<const char*, Input> ends[] = {
      {"refused", DeviceHeard{"d1", Standing{Lifecycle::refused, "why", ""}}},
      {"another certificate", Wanted{d1, digest_a, pki().certificate("d2"), id_of(99)}},
      {"failed", OfferFailed{id_of(1), "no random numbers", d1}},
  };
  for (const auto& [what, end] : ends) {
    SCOPED_TRACE(what);
    t.stands("d1", Lifecycle::active);
    Output done;
    t.core->step(Wanted{d1, digest_a, pki().certificate("d1"), id_of(1)}, t.now, done);
    t.core->step(BatchEnded{}, t.now, done);
    const bool made = t.core->encoding("e1") != nullptr;  // with the first of them
    if (!made) t.core->step(EncodingMade{t.made(std::get<MakeEncoding>(done.work.at(0)))}, t.now, done);
    EXPECT_EQ(count<MakeOffer>(flat(done)), 1U);
    t.core->step(end, t.now, done);
    t.core->step(OfferMade{id_of(1), {.transfer = id_of(1), .digest = digest_a}, d1}, t.now, done);
    t.core->step(BatchEnded{}, t.now, done);
    EXPECT_TRUE(done.sendings.empty());  // a row without an offer could not be read again
    EXPECT_TRUE(done.sending_states.empty());
    EXPECT_EQ(t.core->sending(id_of(1)), nullptr);
    t.step(OfferFailed{id_of(99), "", d1});
    EXPECT_TRUE(t.core->live().empty());
  }
}

TEST(Core, TimeWithoutTheBrokerIsNobodysSilence) {
  for (const bool stall : {false, true}) {
    Core t({}, packages_of({digest_a}));
    const auto id = only<SendOffer>(t.want("d1", digest_a)).sending.id;
    const auto upload = only<AnswerUpload>(t.announce(alice, {.digest = digest_b, .name = "m", .version = "1"})).id;
    if (!stall) t.step(LinkLost{});
    t.now += std::chrono::hours(25);
    if (!stall) {
      EXPECT_TRUE(t.step(TimePassed{}).empty());
    }
    const auto back = t.step(stall ? Input(Stalled{}) : Input(LinkBack{}));
    EXPECT_EQ(count<SendOffer>(back), stall ? 0U : 1U);  // it may have been said to nobody
    t.step(TimePassed{});
    EXPECT_TRUE(t.core->has_slot(id));
    EXPECT_NE(t.core->receiving(upload), nullptr);
    t.now += std::chrono::hours(25);  // now it is
    t.step(TimePassed{});
    EXPECT_TRUE(t.core->live().empty());
    EXPECT_EQ(t.core->receiving(upload), nullptr);
  }
}

TEST(Core, TheOfferAsksAReceiverThatHasForgottenTheTransfer) {
  Core t({}, packages_of({digest_a}));
  const auto id = only<SendOffer>(t.want("d1", digest_a)).sending.id;
  EXPECT_TRUE(t.step(Progressed{id, {{0, 10}}, 10, 20}).empty());
  t.now += seconds(5);
  EXPECT_TRUE(t.step(Progressed{id, {{0, 10}}, 10, 0}).empty());  // nothing was sent
  only<SendOffer>(t.step(Progressed{id, {{0, 10}}, 10, 20}));     // silent
  t.step(Answered{d1, id, ReceivedState::receiving, ""});
  EXPECT_TRUE(t.step(Progressed{id, {{0, 10}}, 10, 20}).empty());
  only<SendOffer>(t.step(Progressed{id, {{0, 100}}, 100, 20}));  // all is there, and no word of it
}

void offer_output(Core& t) {
  t.step(OutputAnnounced{d1, digest_a, 10});
  t.step(Offered{d1, {.transfer = id_of(1), .digest = digest_a, .size_bytes = 10, .encoded_bytes = 10}});
}

// Decoding again for each word of the sender would fill the disk again each time.
TEST(Core, AFullDiskIsTriedAgainMoreAndMoreSeldom) {
  Core t;
  offer_output(t);
  std::string tried;
  for (int second = 0; second < 200; ++second, t.now += seconds(1)) {
    if (count<FinishReceiving>(t.step(AllReceived{id_of(1)})) == 0) continue;
    tried += std::to_string(second) + " ";
    const auto refused = t.step(ContentRefused{id_of(1), {Code::unavailable, "No space left on device"}});
    EXPECT_EQ(only<AckHeld>(refused).reason, "No space left on device");
    EXPECT_EQ(count<DropReceiving>(refused), 0U);
  }
  EXPECT_EQ(tried, "0 10 30 70 150 ");
  t.now += std::chrono::minutes(5);
  only<FinishReceiving>(t.step(AllReceived{id_of(1)}));
  only<AckEnded>(t.step(ContentArrived{id_of(1), "identity", 10}));
}

TEST(Core, WhoSendsFramesToAFullDiskIsToldNowAndThen) {
  Core t;
  offer_output(t);
  std::string told;
  for (int second = 0; second < 120; ++second, t.now += seconds(1)) {
    const auto refused = t.step(FrameNotKept{id_of(1), {Code::unavailable, "No space left on device"}});
    if (count<AckHeld>(refused) > 0) told += std::to_string(second) + " ";
  }
  EXPECT_EQ(told, "0 10 30 60 90 ");
  only<FinishReceiving>(t.step(AllReceived{id_of(1)}));
}

TEST(Core, AStrayFrameGetsTheLastWordAgain) {
  auto saved = packages_of({});
  saved.contents.push_back(content_of(digest_a, ContentKind::output));
  saved.contents.back().brought_by = d1.party;
  saved.contents.back().transfer = id_of(7);
  Core t({}, saved);
  const auto last = only<AckEnded>(t.step(StrayFrame{d1, id_of(7), 100}));
  EXPECT_EQ(last.error, "");
  EXPECT_EQ(last.receiving.offer.encoded_bytes, 100);
  EXPECT_EQ(only<Reject>(t.step(StrayFrame{d2, id_of(7), 100})).error.code, Code::unknown);
  EXPECT_EQ(only<Reject>(t.step(StrayFrame{d1, id_of(8), 100})).error.code, Code::unknown);
}

TEST(Core, CompleteEndsItOnce) {
  Core t({}, packages_of({digest_a}));
  const auto id = only<SendOffer>(t.want("d1", digest_a)).sending.id;
  only<Reject>(t.step(Answered{d2, id, ReceivedState::complete, ""}));
  only<Reject>(t.step(Answered{{.party = {Party::Kind::client, "d1"}}, id, ReceivedState::complete, ""}));
  EXPECT_EQ(t.core->live().size(), 1U);
  const auto effects = t.step(Answered{d1, id, ReceivedState::complete, ""});
  only<SayEnded>(effects);
  only<CloseSending>(effects);
  EXPECT_EQ(t.core->sending(id)->acked_bytes, 100);
  EXPECT_TRUE(t.step(Answered{d1, id, ReceivedState::complete, ""}).empty());
  EXPECT_TRUE(t.step(Answered{d1, id, ReceivedState::failed, "late"}).empty());
}

TEST(Core, ForgetsATransferThatNobodyWants) {
  Core t({}, packages_of({digest_a}));
  const auto id = only<SendOffer>(t.want("d1", digest_a)).sending.id;
  const auto effects = t.step(Answered{d1, id, ReceivedState::unwanted, ""});
  only<CloseSending>(effects);
  only<ClearSending>(effects);
  only<DropSending>(effects);
  EXPECT_EQ(t.core->sending(id), nullptr);
  EXPECT_TRUE(t.step(Answered{d1, id, ReceivedState::unwanted, ""}).empty());
  EXPECT_EQ(t.core->sending(only<SendOffer>(t.want("d1", digest_a)).sending.id)->attempt, 1);
}

TEST(Core, GivesUpAfterFourFailuresForAWhile) {
  Core t({}, packages_of({digest_a}));
  for (int attempt = 1; attempt <= 4; ++attempt) {
    const auto id = only<SendOffer>(t.want("d1", digest_a)).sending.id;
    EXPECT_EQ(t.core->sending(id)->attempt, attempt);
    only<SayEnded>(t.step(Answered{d1, id, ReceivedState::failed, "no space"}));
  }
  EXPECT_EQ(only<SayNotOffered>(t.want("d1", digest_a)).reason, "4 transfers failed, the last: no space");
  t.now += std::chrono::minutes(10);
  EXPECT_EQ(t.core->sending(only<SendOffer>(t.want("d1", digest_a)).sending.id)->attempt, 1);
}

TEST(Core, SavesAndSaysProgressNowAndThen) {
  Core t({}, packages_of({digest_a}));
  const auto id = only<SendOffer>(t.want("d1", digest_a)).sending.id;
  t.step(Progressed{id, {{0, 10}}, 10, 20});
  EXPECT_TRUE(t.step(TimePassed{}).empty());
  t.now += seconds(1);
  only<PublishSending>(t.step(TimePassed{}));
  EXPECT_TRUE(t.step(TimePassed{}).empty());
  t.now += seconds(1);
  only<SaveSending>(t.step(TimePassed{}));
  t.step(Progressed{id, {{0, 5 << 20}}, 5 << 20, 0});
  EXPECT_EQ(count<SaveSending>(t.step(TimePassed{})), 1U);
  EXPECT_EQ(t.core->sending(id)->sent_bytes, 20);
}

TEST(Core, SaysItsPackagesNowAndThen) {
  Core t({}, packages_of({digest_a, digest_b}));
  std::map<std::string, int> said;
  for (int second = 0; second < 300; ++second, t.now += seconds(1)) {
    for (const auto& effect : t.step(TimePassed{})) ++said[std::get<PublishPackage>(effect).digest];
  }
  EXPECT_EQ(said.size(), 2U);
  for (const auto& [digest, times] : said) EXPECT_NEAR(times, 5, 1);
}

TEST(Core, ForgetsByAndBy) {
  Core t({}, packages_of({digest_a}));
  const auto id = only<SendOffer>(t.want("d1", digest_a)).sending.id;
  t.now += std::chrono::hours(25);
  only<SayEnded>(t.step(TimePassed{}));
  EXPECT_EQ(t.core->sending(id)->reason, "device silent");
  t.now += std::chrono::hours(1);
  only<ClearSending>(t.step(TimePassed{}));
  EXPECT_EQ(count<ClearSending>(t.step(TimePassed{})), 0U);
  t.now += std::chrono::hours(24 * 30);
  only<DropSending>(t.step(TimePassed{}));
  EXPECT_EQ(t.core->sending(id), nullptr);
}

TEST(Core, IsBounded) {
  Core t({.slots_max = 3, .party_slots_max = 2, .ended_max = 2});
  for (const char* text : {"1", "2", "3"}) {
    const auto digest = crypto::digest_of(text);
    const auto effects = t.step(PackageAnnounced{alice, {.digest = digest, .size_bytes = 1}, TransferId(text)});
    EXPECT_EQ(count<AnswerUpload>(effects), std::string(text) == "3" ? 0U : 1U);
  }
  only<Reject>(t.step(PackageAnnounced{alice, {.digest = digest_a, .size_bytes = std::int64_t{5} << 30}, id_of(1)}));
  t.now += std::chrono::minutes(11);
  EXPECT_EQ(count<DropReceiving>(t.step(TimePassed{})), 2U);  // announced, and never started
  Core s({.ended_max = 2}, packages_of({digest_a}));
  for (int i = 0; i < 4; ++i) {
    s.step(Answered{d1, only<SendOffer>(s.want("d1", digest_a)).sending.id, ReceivedState::complete, ""});
  }
  EXPECT_EQ(count<DropSending>(s.step(TimePassed{})), 2U);
  EXPECT_EQ(s.core->sendings_of(digest_a, 100).size(), 2U);
}

TEST(Core, TakesOnlyWhatWasAnnounced) {
  Core t;
  const auto announce = t.step(PackageAnnounced{alice, {.digest = digest_a, .size_bytes = 10}, id_of(1)});
  EXPECT_EQ(only<AnswerUpload>(announce).id, id_of(1));
  EXPECT_EQ(only<AnswerUpload>(t.step(PackageAnnounced{alice, {.digest = digest_a, .size_bytes = 10}, id_of(2)})).id,
            id_of(1));
  Offer offer{.transfer = id_of(1), .digest = digest_a, .size_bytes = 10, .encoded_bytes = 10};
  struct Case {
    const char* path;
    Asker from;
    std::function<void(Offer&)> change;
  };
  const Case cases[] = {
      {"/transfer", {.party = {Party::Kind::client, "bob"}}, [](Offer&) {}},
      {"/transfer", d1, [](Offer&) {}},
      {"/transfer", alice, [](Offer& o) { o.transfer = id_of(9); }},
      {"/digest", alice, [](Offer& o) { o.digest = digest_b; }},
      {"/size_bytes", alice, [](Offer& o) { o.size_bytes = 11; }},
  };
  for (const auto& one : cases) {
    auto bad = offer;
    one.change(bad);
    const auto effects = t.step(Offered{one.from, bad});
    ASSERT_EQ(effects.size(), 1U) << one.path;
    EXPECT_EQ(only<Reject>(effects).error.path, one.path);
  }
  only<OpenReceiving>(t.step(Offered{alice, offer}));
  only<FinishReceiving>(t.step(AllReceived{id_of(1)}));
  EXPECT_TRUE(t.step(AllReceived{id_of(1)}).empty());
  only<AnswerFinishing>(t.step(Offered{alice, offer}));
  const auto arrived = t.step(ContentArrived{id_of(1), "identity", 10});
  only<SaveContent>(arrived);
  only<PublishPackage>(arrived);
  only<AckEnded>(arrived);
  EXPECT_EQ(only<AckEnded>(t.step(Offered{alice, offer})).error, "");
  only<AnswerStored>(t.step(PackageAnnounced{alice, {.digest = digest_a, .size_bytes = 10}, id_of(2)}));
}

// It forgot the transfer when it died; what is here of it is not sent again.
TEST(Core, AnOutputIsAskedForUnderItsTransfer) {
  Core t;
  EXPECT_EQ(only<AskOutput>(t.step(OutputAnnounced{d1, digest_a, 10})).under_way, TransferId());
  t.step(Offered{d1, {.transfer = id_of(1), .digest = digest_a, .size_bytes = 10, .encoded_bytes = 10}});
  EXPECT_EQ(only<AskOutput>(t.step(OutputAnnounced{d1, digest_a, 10})).under_way, id_of(1));
  EXPECT_EQ(only<AskOutput>(t.step(OutputAnnounced{d2, digest_a, 10})).under_way, TransferId());
}

TEST(Core, ADeviceThatBeginsAnewReplacesItsTransfer) {
  Core t;
  Offer offer{.transfer = id_of(1), .digest = digest_a, .size_bytes = 10, .encoded_bytes = 10};
  EXPECT_EQ(only<Reject>(t.step(Offered{d1, offer})).error.code, Code::unknown);
  only<AskOutput>(t.step(OutputAnnounced{d1, digest_a, 10}));
  only<OpenReceiving>(t.step(Offered{d1, offer}));
  offer.transfer = id_of(2);
  const auto effects = t.step(Offered{d1, offer});
  EXPECT_EQ(only<CloseReceiving>(effects).id, id_of(1));
  EXPECT_EQ(only<OpenReceiving>(effects).receiving.id, id_of(2));
  const auto refused = t.step(ContentRefused{id_of(2), {Code::denied, "wrong digest"}});
  EXPECT_EQ(only<AckEnded>(refused).error, "wrong digest");
  EXPECT_TRUE(t.core->receivings().empty());
}

}  // namespace
}  // namespace fieldwork::transfer
