// links: transfer_core GTest::gtest_main
// The service was killed: what its rows say is all that it knows.
#include <functional>

#include "support/transfer_core.hpp"

namespace fieldwork::transfer {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

const Offer offer_a{.transfer = id_of(1), .digest = digest_a, .size_bytes = 10, .encoded_bytes = 10};

TEST(Restart, ASendingGoesOnFromItsRow) {
  Core t({}, packages_of({digest_a}));
  const auto id = only<SendOffer>(t.want("d1", digest_a)).sending.id;
  t.now += seconds(2);
  t.step(Progressed{id, {{0, 60}}, 60, 80});
  t.step(TimePassed{});
  t.step(Progressed{id, {{0, 90}}, 90, 30});  // not saved yet: sent again
  t.restart();
  const auto [opened, encoding, shared] = only<OpenSending>(t.step(TimePassed{}));
  EXPECT_FALSE(shared);
  EXPECT_EQ(opened.id, id);
  EXPECT_EQ(encoding.id, "e1");
  EXPECT_EQ(encoding.key, "key of e1");
  EXPECT_EQ(opened.offer.transfer, id);
  EXPECT_EQ(opened.acked, (ByteRanges{{0, 60}}));
  EXPECT_EQ(opened.sent_bytes, 80);
  const auto again = t.want("d1", digest_a);
  EXPECT_EQ(only<SendOffer>(again).sending.id, id);
  EXPECT_EQ(count<MakeOffer>(again), 0U);
}

TEST(Restart, ASendingWhoseEncodingIsNotInItsTableFails) {
  Core t({}, packages_of({digest_a}));
  const auto id = only<SendOffer>(t.want("d1", digest_a)).sending.id;
  t.rows.encodings.clear();
  t.restart();
  EXPECT_EQ(only<SayEnded>(t.step(TimePassed{})).id, id);
  EXPECT_EQ(t.core->sending(id)->state, SendingState::failed);
  EXPECT_EQ(t.core->sending(id)->reason, "its encoding is lost");
  const auto again = t.want("d1", digest_a);
  EXPECT_EQ(only<SaveEncoding>(again).id, "e2");
  EXPECT_EQ(only<OpenSending>(again).sending.attempt, 2);
}

// The row says when the receiver was heard at the last save; since then the service may have been away, or the receiver
// may have waited for a slot.
TEST(Restart, AnAbsenceBeyondAllPatienceIsNobodysSilenceEither) {
  Core t({}, packages_of({digest_a}));
  const auto device = only<SendOffer>(t.want("d1", digest_a)).sending.id;
  const auto client = only<SendOffer>(t.want(alice, digest_a)).sending.id;
  t.now += hours(25);
  t.restart();
  EXPECT_EQ(count<SayEnded>(t.step(TimePassed{})), 0U);
  EXPECT_TRUE(t.core->has_slot(device));
  EXPECT_TRUE(t.core->has_slot(client));
  t.now += minutes(10);
  EXPECT_EQ(count<SayEnded>(t.step(TimePassed{})), 0U);
  t.now += seconds(1);
  t.step(TimePassed{});
  EXPECT_EQ(t.core->sending(client)->reason, "client silent");
  t.now += hours(24);
  t.step(TimePassed{});
  EXPECT_EQ(t.core->sending(device)->reason, "device silent");
}

// The database was restored twice, and the file was swept in between.
TEST(Restart, AContentWhoseFileIsLostIsTakenFromWhoeverHasIt) {
  Core t({}, packages_of({digest_a, digest_b}));
  const auto sending = only<SendOffer>(t.want("d1", digest_a)).sending.id;
  const auto other = only<SendOffer>(t.want("d1", digest_b)).sending.id;
  t.restart();
  EXPECT_EQ(only<SayEnded>(t.step(ContentLost{digest_a})).id, sending);
  EXPECT_TRUE(t.step(ContentLost{digest_a}).empty());
  EXPECT_EQ(t.core->encoding("e1"), nullptr) << "what comes back may have other bytes under its key";
  EXPECT_EQ(t.core->sending(other)->state, SendingState::sending);
  for (int i = 0; i < 5; ++i)  // it waits; these are no attempts
    EXPECT_EQ(only<Reject>(t.want("d1", digest_a)).error.code, Code::unavailable);
  const auto id = only<AnswerUpload>(t.announce(alice, {.digest = digest_a, .name = "n", .version = "1"})).id;
  only<OpenReceiving>(t.step(Offered{alice, {.transfer = id, .digest = digest_a}}));
  t.step(AllReceived{id});
  only<SaveContent>(t.step(ContentArrived{id, "zstd", 7}));
  EXPECT_EQ(t.core->content(digest_a)->encoded_bytes, 7);
  EXPECT_EQ(t.core->content(digest_a)->package.names.size(), 1U);
  EXPECT_EQ(t.core->sending(only<SendOffer>(t.want("d1", digest_a)).sending.id)->attempt, 2);
}

TEST(Restart, FailedAttemptsAreStillCounted) {
  Core t({}, packages_of({digest_a}));
  for (int attempt = 1; attempt <= 4; ++attempt, t.now += minutes(1)) {
    const auto id = only<SendOffer>(t.want("d1", digest_a)).sending.id;
    EXPECT_EQ(t.core->sending(id)->attempt, attempt);
    t.step(Answered{d1, id, ReceivedState::failed, "no space"});
    t.restart();
  }
  EXPECT_EQ(only<SayNotOffered>(t.want("d1", digest_a)).reason, "4 transfers failed, the last: no space");
}

TEST(Restart, TheStateOfASettledSendingIsClearedOnce) {
  Core t({}, packages_of({digest_a}));
  const auto id = only<SendOffer>(t.want("d1", digest_a)).sending.id;
  t.step(Answered{d1, id, ReceivedState::complete, ""});
  t.restart();
  EXPECT_TRUE(t.step(TimePassed{}).empty());  // it is over, and its end was said
  EXPECT_EQ(t.core->sending(id)->state, SendingState::complete);
  t.now += hours(1);
  EXPECT_EQ(only<ClearSending>(t.step(TimePassed{})).id, id);
  t.restart();
  t.now += hours(1);
  EXPECT_EQ(count<ClearSending>(t.step(TimePassed{})), 0U);
  t.now += hours(24 * 30);
  EXPECT_EQ(only<DropSending>(t.step(TimePassed{})).id, id);
  t.restart();
  EXPECT_EQ(t.core->sending(id), nullptr);
}

TEST(Restart, WhatWaitedForASlotGetsOne) {
  Core t({.slots_max = 1}, packages_of({digest_a}));
  const auto first = only<SendOffer>(t.want("d1", digest_a)).sending.id;
  const auto second = only<SendOffer>(t.want("d2", digest_a)).sending.id;
  t.step(Answered{d1, first, ReceivedState::complete, ""});
  t.restart();
  EXPECT_NE(t.core->sending(second)->reason, "");
  const auto effects = t.step(TimePassed{});
  EXPECT_EQ(only<OpenSending>(effects).sending.id, second);
  EXPECT_EQ(only<PublishSending>(effects).id, second);
  EXPECT_EQ(t.core->sending(second)->reason, "");
}

TEST(Restart, WhatEndedInAnyWayDoesNotComeBack) {
  struct Case {
    const char* what;
    std::function<Input(TransferId)> end;
    bool row;
  };
  const Case cases[] = {
      {"unwanted",
       [](TransferId id) {
         return Answered{d1, id, ReceivedState::unwanted, ""};
       },
       false},
      {"failed",
       [](TransferId id) {
         return Answered{d1, id, ReceivedState::failed, "why"};
       },
       true},
      {"broke",
       [](TransferId id) {
         return SendingBroke{id, "why"};
       },
       true},
      {"refused",
       [](TransferId) {
         return DeviceHeard{"d1", Standing{Lifecycle::refused, "why", ""}};
       },
       true},
      {"other certificate",
       [](TransferId) {
         return Wanted{d1, digest_a, pki().certificate("d2"), id_of(99)};
       },
       true},
  };
  for (const auto& one : cases) {
    SCOPED_TRACE(one.what);
    Core t({}, packages_of({digest_a}));
    const auto id = only<SendOffer>(t.want("d1", digest_a)).sending.id;
    t.step(one.end(id));
    t.restart();
    EXPECT_FALSE(t.core->live().contains(id));
    EXPECT_EQ(t.core->sending(id) != nullptr, one.row);
    for (const auto& effect : t.step(TimePassed{})) {
      const auto* opened = std::get_if<OpenSending>(&effect);
      EXPECT_FALSE(opened != nullptr && opened->sending.id == id);
    }
  }
}

TEST(Restart, AnUploadGoesOnFromEachOfItsSteps) {
  Core t;
  const Package package{.digest = digest_a, .name = "n", .version = "1", .size_bytes = 10, .release = "jws"};
  const auto id = only<AnswerUpload>(t.announce(alice, package)).id;
  auto offer = offer_a;
  offer.transfer = id;
  t.restart();
  EXPECT_EQ(only<AnswerUpload>(t.announce(alice, package)).id, id);
  only<OpenReceiving>(t.step(Offered{alice, offer}));
  t.restart();
  EXPECT_EQ(t.core->receiving(id)->offer, offer);
  EXPECT_EQ(t.core->receiving(id)->reply, "cli-1");
  only<FinishReceiving>(t.step(AllReceived{id}));
  t.restart();  // while it is verified
  EXPECT_EQ(only<FinishReceiving>(t.step(AllReceived{id})).offer, offer);
  t.step(ContentArrived{id, "zstd", 7});
  t.restart();
  EXPECT_TRUE(t.core->receivings().empty());
  const auto* content = t.core->named({"n", "1"}).at(0);
  ASSERT_NE(content, nullptr);
  EXPECT_EQ(content->package.release, "jws");
  EXPECT_EQ(content->encoding, "zstd");
  EXPECT_EQ(content->encoded_bytes, 7);
  EXPECT_EQ(t.core->brought_by(id), content);
  EXPECT_EQ(only<AckEnded>(t.step(Offered{alice, offer})).error, "");  // the last word was lost
  only<AnswerStored>(t.announce(alice, package));
}

// Its silence before the restart is not counted, the silence after it is.
TEST(Restart, AnUploadThatNobodyStartedEndsTenMinutesLater) {
  Core t;
  const auto id = only<AnswerUpload>(t.announce(alice, {.digest = digest_a, .name = "n", .version = "1"})).id;
  t.now += hours(1);
  t.restart();
  EXPECT_EQ(count<DropReceiving>(t.step(TimePassed{})), 0U);
  t.now += minutes(10) + seconds(1);
  EXPECT_EQ(only<DropReceiving>(t.step(TimePassed{})).id, id);
  t.restart();
  EXPECT_EQ(t.core->receiving(id), nullptr);
  EXPECT_EQ(only<Reject>(t.step(Offered{alice, {.transfer = id, .digest = digest_a}})).error.path, "/transfer");
}

TEST(Restart, TheQuotaCountsWhatIsStoredAndUnderWay) {
  Core t({.device_outputs_max = 2});
  t.step(OutputAnnounced{d1, digest_a, 10});
  t.step(Offered{d1, offer_a});
  t.step(ContentArrived{id_of(1), "identity", 10});
  t.step(OutputAnnounced{d1, digest_b, 10});
  t.step(Offered{d1, {.transfer = id_of(2), .digest = digest_b, .size_bytes = 10}});
  t.restart();
  only<RefuseOutput>(t.step(OutputAnnounced{d1, crypto::digest_of("c"), 1}));
  EXPECT_EQ(only<AskOutput>(t.step(OutputAnnounced{d1, digest_b, 10})).under_way, id_of(2));
  only<AskOutput>(t.step(OutputAnnounced{d2, crypto::digest_of("c"), 1}));
  t.now += hours(24 * 31);
  t.restart();
  EXPECT_EQ(only<DropContent>(t.step(TimePassed{})).digest, digest_a);  // its age is that of its row
}

// The rows of a table come in any sequence; a content is called by the name that it got first.
TEST(Restart, TheOldestNameStaysTheFirst) {
  Core t;
  const auto upload = only<AnswerUpload>(
      t.announce(alice, {.digest = digest_a, .name = "z", .version = "1", .size_bytes = 10, .release = "first"}));
  t.step(Offered{alice, {.transfer = upload.id, .digest = digest_a, .size_bytes = 10, .encoded_bytes = 10}});
  t.step(ContentArrived{upload.id, "identity", 10});
  t.now += seconds(1);
  t.announce(alice, {.digest = digest_a, .name = "a", .version = "1", .size_bytes = 10, .release = "second"});
  t.restart();
  const auto& package = t.core->content(digest_a)->package;
  EXPECT_EQ(package.name, "z");
  EXPECT_EQ(package.release, "first");
  EXPECT_EQ(package.names, (std::vector<PackageName>{{"z", "1"}, {"a", "1"}}));
  EXPECT_EQ(t.core->name({"a", "1"})->release, "second");
}

}  // namespace
}  // namespace fieldwork::transfer
