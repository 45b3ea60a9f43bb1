// links: transfer_core GTest::gtest_main
// Who may have how much of the transfer service: names, slots, devices' standing and quota, and what goes with time.
#include "support/transfer_core.hpp"

namespace fieldwork::transfer {
namespace {

// --- names ---

TEST(Names, OneContentHasAllOfThem) {
  Core t({}, packages_of({digest_a}));
  const auto effects = t.announce(alice, {.digest = digest_a, .name = "n", .version = "2", .size_bytes = 1});
  only<AnswerStored>(effects);
  EXPECT_EQ(only<SaveName>(effects).name, (PackageName{"n", "2"}));
  only<PublishPackage>(effects);
  const auto& package = t.core->content(digest_a)->package;
  EXPECT_EQ(package.names, (std::vector<PackageName>{{"n", "1"}, {"n", "2"}}));
  EXPECT_EQ(package.version, "1");
  EXPECT_EQ(t.core->named({"n", "1"}), t.core->named({"n", "2"}));
  const auto again = t.announce(alice, {.digest = digest_a, .name = "n", .version = "2", .release = "newer"});
  EXPECT_EQ(again.size(), 1U);
  only<AnswerStored>(again);
}

TEST(Names, AVersionNeverBecomesAnotherContent) {
  Core t({}, packages_of({digest_a}));
  const auto effects = t.announce(alice, {.digest = digest_b, .name = "n", .version = "1", .size_bytes = 1});
  ASSERT_EQ(effects.size(), 1U);  // and nothing is uploaded
  EXPECT_EQ(only<Reject>(effects).error.code, Code::conflict);
  EXPECT_EQ(t.core->named({"n", "1"}), std::vector{t.core->content(digest_a)});
}

TEST(Names, OfTwoThatArePushedAtOnceTheFirstHasIt) {
  Core t;
  std::vector<TransferId> ids;
  for (const auto& digest : {digest_a, digest_b}) {
    ids.push_back(only<AnswerUpload>(t.announce(alice, {.digest = digest, .name = "n", .version = "1"})).id);
    only<OpenReceiving>(t.step(Offered{alice, {.transfer = ids.back(), .digest = digest, .encoded_bytes = 1}}));
    t.step(AllReceived{ids.back()});
  }
  EXPECT_EQ(only<AckEnded>(t.step(ContentArrived{ids[1], "identity", 1})).error, "");
  const auto late = t.step(ContentArrived{ids[0], "identity", 1});
  EXPECT_NE(only<AckEnded>(late).error.find("n@1 is already " + digest_b), std::string::npos);
  EXPECT_EQ(count<PublishPackage>(late), 0U);
  EXPECT_EQ(t.core->named({"n", "1"}), std::vector{t.core->content(digest_b)});
  // Its bytes are here, and need no second upload under another name.
  only<AnswerStored>(t.announce(alice, {.digest = digest_a, .name = "n", .version = "2"}));
}

TEST(Names, TwoNamesOfWhatIsBeingPushedAreBothKept) {
  Core t;
  const Offer offer{.digest = digest_a, .encoded_bytes = 1};
  std::vector<TransferId> ids;
  for (const char* version : {"1", "2"}) {
    ids.push_back(only<AnswerUpload>(t.announce(alice, {.digest = digest_a, .name = "n", .version = version})).id);
    auto own = offer;
    own.transfer = ids.back();
    only<OpenReceiving>(t.step(Offered{alice, own}));
  }
  t.step(AllReceived{ids[0]});
  t.step(ContentArrived{ids[0], "identity", 1});
  auto second = offer;
  second.transfer = ids[1];
  EXPECT_EQ(only<AckEnded>(t.step(Offered{alice, second})).error, "");
  EXPECT_EQ(t.core->content(digest_a)->package.names.size(), 2U);
  EXPECT_TRUE(t.core->receivings().empty());
}

TEST(Names, PagesHaveEachPackageOnce) {
  Saved saved;
  for (int i = 0; i < 25; ++i) {
    auto content = content_of(crypto::digest_of(std::to_string(i)));
    content.stored = from_ms(1000 + i / 3);
    saved.names.push_back({.of = {"n", std::to_string(i)}, .digest = content.package.digest});
    saved.contents.push_back(std::move(content));
  }
  Core t({}, saved);
  std::vector<Time> stored;
  std::set<std::string> digests;
  std::optional<Transfers::Place> after;
  while (true) {
    const auto page = t.core->packages(after, 4);
    if (page.empty()) break;
    for (const auto* content : page) {
      stored.push_back(content->stored);
      digests.insert(content->package.digest);
    }
    after = {page.back()->stored, page.back()->package.digest};
  }
  EXPECT_EQ(digests.size(), 25U);
  EXPECT_EQ(stored.size(), 25U);
  EXPECT_TRUE(std::is_sorted(stored.rbegin(), stored.rend()));
}

// --- slots ---

TEST(Slots, ASilentReceiverKeepsItsRowAndNotItsSlot) {
  Core t({.slots_max = 1}, packages_of({digest_a}));
  const auto id1 = only<OpenSending>(t.want("d1", digest_a)).sending.id;
  const auto waits = t.want("d2", digest_a);
  EXPECT_EQ(count<OpenSending>(waits), 0U);
  EXPECT_EQ(count<Reject>(waits), 0U);
  const auto id2 = only<SendOffer>(waits).sending.id;  // it knows that its turn comes
  EXPECT_NE(t.core->sending(id2)->reason, "");
  t.step(Progressed{id1, {{0, 10}}, 10, 20});
  for (int i = 0; i < 7; ++i) {  // d2 asks on, d1 is gone
    t.now += seconds(5);
    t.want("d2", digest_a);
    t.step(TimePassed{});
  }
  EXPECT_FALSE(t.core->has_slot(id1));
  EXPECT_TRUE(t.core->has_slot(id2));
  EXPECT_EQ(t.core->sending(id1)->acked_bytes, 10);
  EXPECT_EQ(t.core->sending(id1)->state, SendingState::sending);
  // It comes back while the other runs: the same transfer, later.
  EXPECT_EQ(only<SendOffer>(t.want("d1", digest_a)).sending.id, id1);
  EXPECT_FALSE(t.core->has_slot(id1));
  t.step(Answered{d2, id2, ReceivedState::complete, ""});
  EXPECT_EQ(only<OpenSending>(t.step(TimePassed{})).sending.id, id1);
}

// It gets none either when its turn comes while it is silent: others wait behind it.
TEST(Slots, WhoFellSilentWhileItWaitedIsPassedOver) {
  Core t({.slots_max = 1}, packages_of({digest_a}));
  const auto busy = only<OpenSending>(t.want("d1", digest_a)).sending.id;
  const auto gone = only<SendOffer>(t.want("d2", digest_a)).sending.id;
  for (int i = 0; i < 12; ++i) {
    t.now += seconds(5);
    t.step(Progressed{busy, {{0, 10}}, 10, 20});
    t.want("d1", digest_a);
    t.step(TimePassed{});
  }
  ASSERT_TRUE(t.core->has_slot(busy));
  t.step(Answered{d1, busy, ReceivedState::complete, ""});
  EXPECT_EQ(count<OpenSending>(t.step(TimePassed{})), 0U);
  EXPECT_FALSE(t.core->has_slot(gone));
  t.want("d2", digest_a);
  t.step(TimePassed{});
  EXPECT_TRUE(t.core->has_slot(gone));
}

TEST(Slots, AreGivenInTurn) {
  std::vector<std::string> digests;
  for (int i = 0; i < 6; ++i) digests.push_back(crypto::digest_of(std::to_string(i)));
  Core t({.slots_max = 1}, packages_of(digests));
  const auto busy = only<OpenSending>(t.want("d1", digests[0])).sending.id;
  for (int i = 1; i < 5; ++i) t.want("d1", digests[static_cast<std::size_t>(i)]);
  t.want("d2", digests[5]);  // after all of d1's
  t.step(Answered{d1, busy, ReceivedState::complete, ""});
  const auto next = only<OpenSending>(t.step(TimePassed{})).sending.id;
  EXPECT_EQ(t.core->sending(next)->to.name, "d2");
}

TEST(Slots, WhoIsSilentIsOfferedItAgainMoreAndMoreSeldom) {
  Core t({}, packages_of({digest_a}));
  t.want("d1", digest_a);
  std::size_t offers = 0;
  for (int second = 0; second < 3600; ++second, t.now += seconds(1)) offers += count<SendOffer>(t.step(TimePassed{}));
  EXPECT_GT(offers, 5U);
  EXPECT_LT(offers, 15U);
}

TEST(Slots, BeyondTheBoundOfRowsTheLongestSilentOneIsForgotten) {
  std::vector<std::string> digests;
  for (int i = 0; i < 4; ++i) digests.push_back(crypto::digest_of(std::to_string(i)));
  Core t({.party_slots_max = 1, .party_rows_max = 3}, packages_of(digests));
  std::vector<TransferId> ids;
  for (const auto& digest : digests) {
    const auto effects = t.want("d1", digest);
    EXPECT_EQ(count<Reject>(effects), 0U);
    ids.push_back(only<SendOffer>(effects).sending.id);
    t.now += seconds(1);
  }
  EXPECT_EQ(t.core->live(), (std::set<TransferId>{ids[0], ids[2], ids[3]}));
}

TEST(Slots, TwoDownloadsOfOneOperatorRunSideBySide) {
  Core t({}, packages_of({digest_a}));
  auto other = alice;
  other.client = "cli-2";
  const auto first = only<SendOffer>(t.want(alice, digest_a)).sending.id;
  const auto second = only<SendOffer>(t.want(other, digest_a)).sending.id;
  EXPECT_NE(first, second);
  EXPECT_EQ(only<SendOffer>(t.want(alice, digest_a)).sending.id, first);
  EXPECT_EQ(t.core->live().size(), 2U);
}

TEST(Slots, AnAbsenceOfOursIsNobodysSilence) {
  auto saved = packages_of({digest_a});
  Core t({}, saved);
  const auto id = only<SendOffer>(t.want("d1", digest_a)).sending.id;
  saved.encodings.push_back(*t.core->encoding("e1"));
  saved.sendings.push_back(*t.core->sending(id));
  saved.sendings.back().heard -= std::chrono::hours(2);
  Core after({}, saved);
  EXPECT_EQ(only<OpenSending>(after.step(TimePassed{})).sending.id, id);
}

// --- devices ---

TEST(Devices, AreServedAsTheRegistrySays) {
  struct Case {
    Lifecycle state;
    bool served;
  };
  for (const auto& one :
       {Case{Lifecycle::active, true}, Case{Lifecycle::draining, true}, Case{Lifecycle::inactive, true},
        Case{Lifecycle::enrolling, false}, Case{Lifecycle::refused, false}}) {
    SCOPED_TRACE(name(one.state));
    Core t({}, packages_of({digest_a}));
    t.stands("d1", one.state);
    EXPECT_EQ(count<SendOffer>(t.want("d1", digest_a)), one.served ? 1U : 0U);
    EXPECT_EQ(count<AskOutput>(t.step(OutputAnnounced{d1, digest_b, 1})), one.served ? 1U : 0U);
    EXPECT_EQ(t.core->serves(d1.party), one.served);
  }
  Core t({}, packages_of({digest_a}));
  EXPECT_EQ(only<Reject>(t.want("d3", digest_a)).error.code, Code::unavailable);  // not known
  t.stands("d1", Lifecycle::active, "another certificate");
  EXPECT_EQ(only<Reject>(t.want("d1", digest_a)).error.path, "/certificate");
  t.stands("d1", Lifecycle::active, pki().certificate("d1").fingerprint());
  only<SendOffer>(t.want("d1", digest_a));
}

TEST(Devices, OneThatIsRefusedGetsNoMore) {
  Core t({}, packages_of({digest_a}));
  const auto id = only<OpenSending>(t.want("d1", digest_a)).sending.id;
  t.step(OutputAnnounced{d1, digest_b, 1});
  only<OpenReceiving>(t.step(Offered{d1, {.transfer = id_of(9), .digest = digest_b, .size_bytes = 1}}));
  const auto effects = t.stands("d1", Lifecycle::refused);
  EXPECT_EQ(only<CloseSending>(effects).id, id);
  EXPECT_EQ(only<CloseReceiving>(effects).id, id_of(9));
  EXPECT_EQ(t.core->sending(id)->reason, "the device is refused: why");
  EXPECT_EQ(only<SayNotOffered>(t.want("d1", digest_a)).reason, "the device is refused: why");
  only<Reject>(t.step(Offered{d1, {.transfer = id_of(9), .digest = digest_b, .size_bytes = 1}}));
}

TEST(Devices, HaveAQuota) {
  Core t({.content_bytes_max = 100, .device_outputs_max = 2, .device_output_bytes_max = 150});
  const auto bring = [&](const Asker& from, const std::string& text, std::int64_t size) {
    const auto digest = crypto::digest_of(text);
    const auto effects = t.step(OutputAnnounced{from, digest, size});
    if (count<RefuseOutput>(effects) > 0) return only<RefuseOutput>(effects).reason;
    const auto id = made_id(t.next_id++);
    t.step(Offered{from, {.transfer = id, .digest = digest, .size_bytes = size, .encoded_bytes = size}});
    t.step(AllReceived{id});
    t.step(ContentArrived{id, "identity", size});
    return std::string();
  };
  EXPECT_NE(bring(d1, "too large", 101), "");
  EXPECT_EQ(bring(d1, "1", 100), "");
  EXPECT_NE(bring(d1, "too much", 51), "");
  EXPECT_EQ(bring(d1, "2", 50), "");
  EXPECT_NE(bring(d1, "too many", 0), "");
  EXPECT_EQ(bring(d2, "another's", 100), "");
  EXPECT_NE(only<SayNotOffered>(t.want(alice, crypto::digest_of("too many"))).reason.find("was refused"),
            std::string::npos);
  t.now += std::chrono::hours(24 * 31);
  EXPECT_EQ(count<DropContent>(t.step(TimePassed{})), 3U);
  EXPECT_EQ(bring(d1, "too many", 1), "");
}

// --- what grows ---

TEST(Retention, DropsWhatNoNameRefersToInSmallBatches) {
  auto saved = packages_of({digest_a});
  for (int i = 0; i < 5; ++i) {
    saved.contents.push_back(content_of(crypto::digest_of(std::to_string(i)), ContentKind::output));
  }
  Core t({.prune_max = 2}, saved);
  t.now += std::chrono::hours(24 * 31);
  const auto kept = only<SendOffer>(t.want(alice, crypto::digest_of("0"))).sending.id;  // being fetched
  std::size_t dropped = 0;
  for (int i = 0; i < 10; ++i, t.now += seconds(10)) {
    const auto effects = t.step(TimePassed{});
    EXPECT_LE(count<DropContent>(effects), 2U);
    dropped += count<DropContent>(effects);
  }
  EXPECT_EQ(dropped, 4U);
  t.step(Answered{alice, kept, ReceivedState::complete, ""});
  t.now += seconds(10);
  EXPECT_EQ(count<DropContent>(t.step(TimePassed{})), 1U);
  EXPECT_EQ(t.core->contents().size(), 1U);  // the package
}

TEST(Retention, WhatARestartFoundHalfReceivedEndsToo) {
  Saved saved;
  Receiving half{.id = id_of(1), .from = alice.party, .package = {.digest = digest_a}};
  half.offer.transfer = half.id;
  half.heard = wall() - std::chrono::hours(24 * 3);
  saved.receivings.push_back(half);
  Core t({}, saved);
  EXPECT_EQ(count<DropReceiving>(t.step(TimePassed{})), 0U);
  t.now += std::chrono::minutes(11);
  EXPECT_EQ(only<CloseReceiving>(t.step(TimePassed{})).id, id_of(1));
}

TEST(Retention, AfterTheBrokerCameBackAllIsSaidAtAPace) {
  std::vector<std::string> digests;
  for (int i = 0; i < 1000; ++i) digests.push_back(crypto::digest_of(std::to_string(i)));
  Core t({.packages_again = std::chrono::hours(24)}, packages_of(digests));
  EXPECT_TRUE(t.step(LinkBack{}).empty());
  std::set<std::string> said;
  for (int i = 0; i < 60; ++i, t.now += milliseconds(20)) {
    const auto effects = t.step(TimePassed{});
    EXPECT_LE(effects.size(), 30U);
    for (const auto& effect : effects) said.insert(std::get<PublishPackage>(effect).digest);
  }
  EXPECT_EQ(said.size(), 1000U);
}

}  // namespace
}  // namespace fieldwork::transfer
