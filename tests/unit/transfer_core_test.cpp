// links: transfer_core GTest::gtest_main
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "../support/pki.hpp"
#include "crypto/digest.hpp"
#include "transfer/core/transfers.hpp"

namespace fieldwork::transfer {
namespace {

using namespace support;

const Asker d1{.party = {Party::Kind::device, "d1"}, .channel = "want"};
const Asker d2{.party = {Party::Kind::device, "d2"}, .channel = "want"};
const Asker alice{.party = {Party::Kind::client, "alice"}, .client = "cli-1", .answer = "a"};

TransferId made_id(int number) {
  auto text = std::to_string(number);
  return TransferId(std::string(32 - text.size(), '0') + text);
}

// The service's part is done at once: offers are made, and devices are ready.
struct Core {
  Limits limits;
  std::optional<Transfers> core;
  Time now = wall();
  int next_id = 1;

  explicit Core(Limits with = {}, Saved saved = {}) : limits(with) {
    core.emplace(limits, std::move(saved), now);
    for (const char* device : {"d1", "d2"}) stands(device, DeviceState::ready);
  }
  Effects step(const Input& input) {
    auto effects = core->step(input, now);
    for (const auto& effect : Effects(effects)) {
      const auto* begin = std::get_if<BeginSending>(&effect);
      if (begin == nullptr) continue;
      const auto& sending = *core->sending(begin->id);
      const Offer offer{.transfer = begin->id, .digest = sending.digest, .encoded_bytes = 100};
      for (auto& more : step(OfferMade{begin->id, offer, "key", begin->asker})) effects.push_back(std::move(more));
    }
    return effects;
  }
  Effects stands(const std::string& device, DeviceState state, const std::string& fingerprint = "") {
    return step(DeviceHeard{device, Standing{state, "why", fingerprint}});
  }
  Effects want(const Asker& from, const std::string& digest) {
    return step(Wanted{from, digest, pki().certificate("d1"), made_id(next_id++)});
  }
  Effects want(const std::string& device, const std::string& digest) {
    return want(Asker{.party = {Party::Kind::device, device}, .channel = "want"}, digest);
  }
  Effects announce(const Asker& from, const Package& package) {
    return step(PackageAnnounced{from, package, made_id(next_id++)});
  }
};

const std::string digest_a = crypto::digest_of("a");
const std::string digest_b = crypto::digest_of("b");

Content content_of(const std::string& digest, ContentKind kind = ContentKind::package) {
  return {.kind = kind, .package = {.digest = digest, .size_bytes = 1}, .encoded_bytes = 100, .stored = wall()};
}

// Packages n@1, n@2, …
Saved packages_of(const std::vector<std::string>& digests) {
  Saved saved;
  for (const auto& digest : digests) {
    saved.contents.push_back(content_of(digest));
    saved.names.push_back({.of = {"n", std::to_string(saved.contents.size())}, .digest = digest});
  }
  return saved;
}

template <class E>
std::size_t count(const Effects& effects) {
  return static_cast<std::size_t>(
      std::count_if(effects.begin(), effects.end(), [](const Effect& e) { return std::holds_alternative<E>(e); }));
}

template <class E>
const E& only(const Effects& effects) {
  EXPECT_EQ(count<E>(effects), 1U);
  for (const auto& effect : effects) {
    if (const auto* one = std::get_if<E>(&effect)) return *one;
  }
  throw std::runtime_error("no such effect");
}

TEST(Core, GivesOneTransferToEachWantAndRepeatsIt) {
  auto saved = packages_of({digest_a});
  saved.contents.push_back(content_of(digest_b, ContentKind::output));
  Core t({}, saved);
  const auto first = t.want("d1", digest_a);
  const auto id = only<SendOffer>(first).id;
  only<SaveSending>(first);
  const auto again = t.want("d1", digest_a);
  EXPECT_EQ(only<SendOffer>(again).id, id);
  EXPECT_EQ(count<AskedAgain>(again), 0U);  // it runs: a repeat restarts nothing
  EXPECT_EQ(count<BeginSending>(again), 0U);
  t.now += seconds(3);
  only<AskedAgain>(t.want("d1", digest_a));  // nothing was answered meanwhile
  EXPECT_EQ(t.core->live().size(), 1U);
  EXPECT_NE(only<SendOffer>(t.want("d2", digest_a)).id, id);
  only<SayNotOffered>(t.want("d1", crypto::digest_of("unknown")));
  only<SayNotOffered>(t.want("d1", digest_b));  // another device's output
}

TEST(Core, ANewCertificateIsANewTransfer) {
  Core t({}, packages_of({digest_a}));
  const auto id = only<SendOffer>(t.want("d1", digest_a)).id;
  const auto effects = t.step(Wanted{d1, digest_a, pki().certificate("d2"), id_of(99)});
  EXPECT_EQ(only<CloseSending>(effects).id, id);
  EXPECT_EQ(only<BeginSending>(effects).id, id_of(99));
  EXPECT_EQ(t.core->sending(id)->state, SendingState::failed);
}

TEST(Core, CompleteEndsItOnce) {
  Core t({}, packages_of({digest_a}));
  const auto id = only<SendOffer>(t.want("d1", digest_a)).id;
  only<Reject>(t.step(Answered{d2, id, ReceivedState::complete, ""}));
  only<Reject>(t.step(Answered{{.party = {Party::Kind::client, "d1"}}, id, ReceivedState::complete, ""}));
  EXPECT_EQ(t.core->live().size(), 1U);
  const auto effects = t.step(Answered{d1, id, ReceivedState::complete, ""});
  only<SayEnded>(effects);
  only<CloseSending>(effects);
  EXPECT_EQ(t.core->sending(id)->acked_bytes, 100);
  EXPECT_TRUE(t.core->sending(id)->content_key.empty());
  EXPECT_TRUE(t.step(Answered{d1, id, ReceivedState::complete, ""}).empty());
  EXPECT_TRUE(t.step(Answered{d1, id, ReceivedState::failed, "late"}).empty());
}

TEST(Core, ForgetsATransferThatNobodyWants) {
  Core t({}, packages_of({digest_a}));
  const auto id = only<SendOffer>(t.want("d1", digest_a)).id;
  const auto effects = t.step(Answered{d1, id, ReceivedState::unwanted, ""});
  only<CloseSending>(effects);
  only<ClearSending>(effects);
  only<DropSending>(effects);
  EXPECT_EQ(t.core->sending(id), nullptr);
  EXPECT_TRUE(t.step(Answered{d1, id, ReceivedState::unwanted, ""}).empty());
  EXPECT_EQ(t.core->sending(only<SendOffer>(t.want("d1", digest_a)).id)->attempt, 1);
}

TEST(Core, GivesUpAfterFourFailuresForAWhile) {
  Core t({}, packages_of({digest_a}));
  for (int attempt = 1; attempt <= 4; ++attempt) {
    const auto id = only<SendOffer>(t.want("d1", digest_a)).id;
    EXPECT_EQ(t.core->sending(id)->attempt, attempt);
    only<SayEnded>(t.step(Answered{d1, id, ReceivedState::failed, "no space"}));
  }
  EXPECT_EQ(only<SayNotOffered>(t.want("d1", digest_a)).reason, "4 transfers failed, the last: no space");
  t.now += std::chrono::minutes(10);
  EXPECT_EQ(t.core->sending(only<SendOffer>(t.want("d1", digest_a)).id)->attempt, 1);
}

TEST(Core, SavesAndSaysProgressNowAndThen) {
  Core t({}, packages_of({digest_a}));
  const auto id = only<SendOffer>(t.want("d1", digest_a)).id;
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
  const auto id = only<SendOffer>(t.want("d1", digest_a)).id;
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
    s.step(Answered{d1, only<SendOffer>(s.want("d1", digest_a)).id, ReceivedState::complete, ""});
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

TEST(Core, ADeviceThatBeginsAnewReplacesItsTransfer) {
  Core t;
  Offer offer{.transfer = id_of(1), .digest = digest_a, .size_bytes = 10, .encoded_bytes = 10};
  EXPECT_EQ(only<Reject>(t.step(Offered{d1, offer})).error.code, Code::unknown);
  only<AskOutput>(t.step(OutputAnnounced{d1, digest_a, 10}));
  only<OpenReceiving>(t.step(Offered{d1, offer}));
  offer.transfer = id_of(2);
  const auto effects = t.step(Offered{d1, offer});
  EXPECT_EQ(only<CloseReceiving>(effects).id, id_of(1));
  EXPECT_EQ(only<OpenReceiving>(effects).id, id_of(2));
  const auto refused = t.step(ContentRefused{id_of(2), {Code::denied, "wrong digest"}});
  EXPECT_EQ(only<AckEnded>(refused).error, "wrong digest");
  EXPECT_TRUE(t.core->receivings().empty());
}

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
  EXPECT_EQ(t.core->named({"n", "1"}), t.core->content(digest_a));
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
  EXPECT_EQ(t.core->named({"n", "1"}), t.core->content(digest_b));
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
  const auto id1 = only<OpenSending>(t.want("d1", digest_a)).id;
  const auto waits = t.want("d2", digest_a);
  EXPECT_EQ(count<OpenSending>(waits), 0U);
  EXPECT_EQ(count<Reject>(waits), 0U);
  const auto id2 = only<SendOffer>(waits).id;  // it knows that its turn comes
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
  EXPECT_EQ(only<SendOffer>(t.want("d1", digest_a)).id, id1);
  EXPECT_FALSE(t.core->has_slot(id1));
  t.step(Answered{d2, id2, ReceivedState::complete, ""});
  EXPECT_EQ(only<OpenSending>(t.step(TimePassed{})).id, id1);
}

TEST(Slots, AreGivenInTurn) {
  std::vector<std::string> digests;
  for (int i = 0; i < 6; ++i) digests.push_back(crypto::digest_of(std::to_string(i)));
  Core t({.slots_max = 1}, packages_of(digests));
  const auto busy = only<OpenSending>(t.want("d1", digests[0])).id;
  for (int i = 1; i < 5; ++i) t.want("d1", digests[static_cast<std::size_t>(i)]);
  t.want("d2", digests[5]);  // after all of d1's
  t.step(Answered{d1, busy, ReceivedState::complete, ""});
  const auto next = only<OpenSending>(t.step(TimePassed{})).id;
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
    ids.push_back(only<SendOffer>(effects).id);
    t.now += seconds(1);
  }
  EXPECT_EQ(t.core->live(), (std::set<TransferId>{ids[0], ids[2], ids[3]}));
}

TEST(Slots, TwoDownloadsOfOneOperatorRunSideBySide) {
  Core t({}, packages_of({digest_a}));
  auto other = alice;
  other.client = "cli-2";
  const auto first = only<SendOffer>(t.want(alice, digest_a)).id;
  const auto second = only<SendOffer>(t.want(other, digest_a)).id;
  EXPECT_NE(first, second);
  EXPECT_EQ(only<SendOffer>(t.want(alice, digest_a)).id, first);
  EXPECT_EQ(t.core->live().size(), 2U);
}

TEST(Slots, AnAbsenceOfOursIsNobodysSilence) {
  auto saved = packages_of({digest_a});
  Core t({}, saved);
  const auto id = only<SendOffer>(t.want("d1", digest_a)).id;
  saved.sendings.push_back(*t.core->sending(id));
  saved.sendings.back().heard -= std::chrono::hours(2);
  Core after({}, saved);
  EXPECT_EQ(only<OpenSending>(after.step(TimePassed{})).id, id);
}

// --- devices ---

TEST(Devices, AreServedAsTheRegistrySays) {
  struct Case {
    DeviceState state;
    bool served;
  };
  for (const auto& one :
       {Case{DeviceState::ready, true}, Case{DeviceState::suspect, true}, Case{DeviceState::lost, true},
        Case{DeviceState::enrolling, false}, Case{DeviceState::refused, false}}) {
    SCOPED_TRACE(name(one.state));
    Core t({}, packages_of({digest_a}));
    t.stands("d1", one.state);
    EXPECT_EQ(count<SendOffer>(t.want("d1", digest_a)), one.served ? 1U : 0U);
    EXPECT_EQ(count<AskOutput>(t.step(OutputAnnounced{d1, digest_b, 1})), one.served ? 1U : 0U);
    EXPECT_EQ(t.core->serves(d1.party), one.served);
  }
  Core t({}, packages_of({digest_a}));
  EXPECT_EQ(only<Reject>(t.want("d3", digest_a)).error.code, Code::unavailable);  // not known
  t.stands("d1", DeviceState::ready, "another certificate");
  EXPECT_EQ(only<Reject>(t.want("d1", digest_a)).error.path, "/certificate");
  t.stands("d1", DeviceState::ready, pki().certificate("d1").fingerprint());
  only<SendOffer>(t.want("d1", digest_a));
}

TEST(Devices, OneThatIsRefusedGetsNoMore) {
  Core t({}, packages_of({digest_a}));
  const auto id = only<OpenSending>(t.want("d1", digest_a)).id;
  t.step(OutputAnnounced{d1, digest_b, 1});
  only<OpenReceiving>(t.step(Offered{d1, {.transfer = id_of(9), .digest = digest_b, .size_bytes = 1}}));
  const auto effects = t.stands("d1", DeviceState::refused);
  EXPECT_EQ(only<CloseSending>(effects).id, id);
  EXPECT_EQ(only<CloseReceiving>(effects).id, id_of(9));
  EXPECT_EQ(t.core->sending(id)->reason, "the device is refused: why");
  EXPECT_EQ(only<SayNotOffered>(t.want("d1", digest_a)).reason, "the registry refuses this device: why");
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
  const auto kept = only<SendOffer>(t.want(alice, crypto::digest_of("0"))).id;  // being fetched
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
  EXPECT_TRUE(t.step(BrokerReturned{}).empty());
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
