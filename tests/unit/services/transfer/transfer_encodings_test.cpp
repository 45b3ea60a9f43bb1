// links: transfer_core GTest::gtest_main
// Which encoding each receiver gets, when it is made and sealed, and what becomes of it.
#include "support/transfer_core.hpp"

namespace fieldwork::transfer {
namespace {

using content::EncodingKind;
using std::chrono::hours;
using std::chrono::minutes;

constexpr std::int64_t mb = 1'000'000;
const std::string digest_c = crypto::digest_of("c");

// Versions 1, 2, … of package n, of which zstd makes less than half.
Saved versions_of(const std::vector<std::string>& digests) {
  auto saved = packages_of(digests);
  for (auto& one : saved.contents) {
    one.package.size_bytes = 100 * mb;
    one.encoding = "zstd";
    one.encoded_bytes = 40 * mb;
  }
  return saved;
}

Accepts with_bases(std::vector<std::string> bases) {
  return {.decoders = {"identity", "zstd", "zstd-patch"}, .bases = std::move(bases)};
}
Accepts with_ciphers(std::vector<std::string> ciphers) { return {.ciphers = std::move(ciphers)}; }

std::string content_id(const Effects& effects) { return only<SendOffer>(effects).sending.offer.envelope.content; }

void complete(Core& t, const Asker& from, const Effects& offered) {
  t.step(Answered{from, only<SendOffer>(offered).sending.id, ReceivedState::complete, ""});
}

// A batch of this one input, of which nothing follows yet.
Output bare_step(Core& t, const Input& input) {
  Output done;
  t.core->step(input, t.now, done);
  t.core->step(BatchEnded{}, t.now, done);
  t.rows.keep(done);
  return done;
}

TEST(Encoding, IsMadeOnceForAllWhoWaitForIt) {
  Core t({}, versions_of({digest_a}));
  t.makes = false;
  const auto first = t.want("d1", digest_a);
  const auto work = only<MakeEncoding>(first);
  EXPECT_EQ(work.making, (MakingOf{digest_a, {EncodingKind::zstd, 3}, "aes-256-gcm"}));
  EXPECT_EQ(work.size_bytes, 100 * mb);
  EXPECT_EQ(first.size(), 1 + count<SaveContent>(first)) << "nothing is said before it is made";
  EXPECT_TRUE(t.want("d1", digest_a).empty());
  EXPECT_TRUE(t.want("d2", digest_a).empty());
  EXPECT_EQ(t.core->live().size(), 2U);
  const auto made = t.step(EncodingMade{t.made(work)});
  EXPECT_EQ(count<MakeOffer>(made), 2U);
  EXPECT_EQ(count<OpenSending>(made), 2U);
  EXPECT_EQ(only<SaveEncoding>(made).id, "e1");
  EXPECT_EQ(t.rows.encodings.at("e1").key, "key of e1");
  for (const auto& [id, sending] : t.rows.sendings) EXPECT_EQ(sending.offer.envelope.content, "e1");
  const auto later = t.want(alice, digest_a);
  EXPECT_EQ(count<MakeEncoding>(later), 0U);
  EXPECT_EQ(content_id(later), "e1");
}

TEST(Encoding, IsSealedForEachCipherFromTheSameFile) {
  Core t({}, versions_of({digest_a}));
  EXPECT_EQ(content_id(t.want("d1", digest_a)), "e1");
  const auto other = t.want("d2", digest_a, with_ciphers({"rot13", "chacha20-poly1305", "aes-256-gcm"}));
  const auto work = only<MakeEncoding>(other);
  EXPECT_EQ(work.making.cipher, "chacha20-poly1305");
  EXPECT_EQ(work.making.encoding, (content::Encoding{EncodingKind::zstd, 3}));
  ASSERT_TRUE(work.known);
  EXPECT_EQ(*work.known, t.core->encoding("e1")->encoded);
  EXPECT_EQ(content_id(other), "e2");
  complete(t, d2, other);
  EXPECT_EQ(content_id(t.want("d2", digest_a, with_ciphers({"chacha20-poly1305"}))), "e2");
}

TEST(Encoding, GetsSmallerForASlowerLink) {
  Core t({}, versions_of({digest_a}));
  Accepts narrow;
  narrow.goodput_bit_per_s = 500'000;
  EXPECT_EQ(only<MakeEncoding>(t.want("d1", digest_a, narrow)).making.encoding,
            (content::Encoding{EncodingKind::zstd, 19}));
}

// --- what cannot be made ---

TEST(Encoding, ThatCannotBeMadeGivesWayToThePlainContentForAWhile) {
  Core t({}, versions_of({digest_a}));
  t.makes = false;
  const auto better = only<MakeEncoding>(t.want("d1", digest_a)).making;
  t.want("d2", digest_a);
  const auto plain = only<MakeEncoding>(t.step(EncodingFailed{better, "no space"}));
  EXPECT_EQ(plain.making, (MakingOf{digest_a, {}, "aes-256-gcm"}));
  const auto made = t.step(EncodingMade{t.made(plain)});
  EXPECT_EQ(count<SendOffer>(made), 2U);
  EXPECT_EQ(only<MakeEncoding>(t.want(alice, digest_a, with_ciphers({"chacha20-poly1305"}))).making.encoding.kind,
            EncodingKind::zstd)
      << "another sealing may succeed";
  const auto fallen = t.step(EncodingFailed{{digest_a, better.encoding, "chacha20-poly1305"}, "no space"});
  EXPECT_EQ(only<MakeEncoding>(fallen).making, (MakingOf{digest_a, {}, "chacha20-poly1305"}));
  const auto later = [&] {
    auto other = alice;
    other.client = "cli-" + std::to_string(t.next_id);
    return t.want(other, digest_a);
  };
  t.now += minutes(60) - seconds(1);
  EXPECT_EQ(content_id(later()), "e1");
  t.now += seconds(1);
  EXPECT_EQ(only<MakeEncoding>(later()).making, better);
  EXPECT_EQ(content_id(t.step(EncodingFailed{better, "no space"})), "e1") << "it is there already";
}

TEST(Encoding, WithoutEvenThePlainContentTheWantIsRejected) {
  Core t({}, versions_of({digest_a}));
  t.makes = false;
  const auto better = only<MakeEncoding>(t.want("d1", digest_a)).making;
  const auto plain = only<MakeEncoding>(t.step(EncodingFailed{better, "no space"})).making;
  const auto rejected = only<Reject>(t.step(EncodingFailed{plain, "cannot be read"}));
  EXPECT_EQ(rejected.to.party, d1.party);
  EXPECT_EQ(rejected.error.code, Code::unavailable);
  EXPECT_EQ(rejected.error.reason, "cannot be read");
  EXPECT_TRUE(t.core->live().empty());
  EXPECT_TRUE(t.rows.sendings.empty());
  const auto again = t.want("d1", digest_a);
  EXPECT_EQ(content_id(t.step(EncodingMade{t.made(only<MakeEncoding>(again))})), "e1");
  EXPECT_EQ(t.core->sending(made_id(2))->attempt, 1) << "it was no attempt";
}

// --- patches ---

TEST(Encoding, IsAPatchForWhoHasAnotherVersionOfThePackage) {
  auto saved = versions_of({digest_a, digest_b});
  saved.contents.push_back(saved.contents.back());
  saved.contents.back().package.digest = digest_c;
  saved.names.push_back({.of = {"other", "1"}, .digest = digest_c});
  const auto chosen = [&](const Accepts& accepts) {
    Core t({}, saved);
    return only<MakeEncoding>(t.want("d1", digest_b, accepts)).making.encoding;
  };
  const content::Encoding zstd{EncodingKind::zstd, 3};
  EXPECT_EQ(chosen(with_bases({digest_c, digest_a})), (content::Encoding{EncodingKind::patch, 3, digest_a}));
  EXPECT_EQ(chosen(with_bases({})), zstd);
  EXPECT_EQ(chosen(with_bases({digest_c})), zstd) << "of another package";
  EXPECT_EQ(chosen(with_bases({digest_b})), zstd) << "itself";
  EXPECT_EQ(chosen(with_bases({crypto::digest_of("unknown")})), zstd);
  EXPECT_EQ(chosen({.decoders = {"identity", "zstd"}, .bases = {digest_a}}), zstd) << "it decodes no patches";
  Core t({}, saved);
  t.step(ContentLost{digest_a});
  EXPECT_EQ(only<MakeEncoding>(t.want("d1", digest_b, with_bases({digest_a}))).making.encoding, zstd);
}

TEST(Encoding, OfTwoBasesIsTwoPatches) {
  Core t({}, versions_of({digest_a, digest_b, digest_c}));
  EXPECT_EQ(content_id(t.want("d1", digest_c, with_bases({digest_a}))), "e1");
  EXPECT_EQ(content_id(t.want("d2", digest_c, with_bases({digest_b}))), "e2");
  EXPECT_EQ(content_id(t.want(alice, digest_c, with_bases({digest_a, digest_b}))), "e1");
  EXPECT_EQ(t.core->encoding("e2")->encoded.encoding.base, digest_b);
}

// --- what goes ---

TEST(Encoding, BeyondTheBudgetTheOneUnusedForLongestGoes) {
  Core t({.encodings_bytes_max = 250}, versions_of({digest_a, digest_b, digest_c}));
  const auto wants = [&](const char* device, const std::string& digest, const std::string& base) {
    t.now += seconds(1);
    return t.want(device, digest, with_bases({base}));
  };
  const auto running = wants("d1", digest_a, digest_b);  // e1, in use
  complete(t, d1, wants("d1", digest_b, digest_a));      // e2
  complete(t, d1, wants("d1", digest_b, digest_c));      // e3
  complete(t, d1, wants("d1", digest_b, digest_a));      // e2 again
  complete(t, d2, t.want("d2", digest_a));               // e4, of the stored file: it does not count
  t.now += seconds(10);
  const auto dropped = t.step(TimePassed{});
  EXPECT_EQ(only<DropEncoding>(dropped).id, "e3");
  EXPECT_EQ(only<RemoveEncoding>(dropped).encoding.id, "e3");
  EXPECT_EQ(t.rows.encodings.size(), 3U);
  t.now += seconds(10);
  EXPECT_EQ(count<DropEncoding>(t.step(TimePassed{})), 0U);
  complete(t, d2, wants("d2", digest_c, digest_a));  // e5
  complete(t, d1, running);
  t.now += seconds(10);
  EXPECT_EQ(only<DropEncoding>(t.step(TimePassed{})).id, "e1");
  EXPECT_EQ(content_id(t.want("d1", digest_b, with_bases({digest_a}))), "e2");
}

// From the moment that it is chosen, however little may be kept.
TEST(Encoding, InUseIsKept) {
  Core t({.encodings_bytes_max = 0}, versions_of({digest_a, digest_b}));
  const auto wanted = bare_step(t, Wanted{d1, digest_a, pki().certificate("d1"), id_of(1), with_bases({digest_b})});
  bare_step(t, EncodingMade{t.made(std::get<MakeEncoding>(wanted.work.at(0)))});
  EXPECT_TRUE(bare_step(t, TimePassed{}).dropped_encodings.empty());
  const Offer offer{.transfer = id_of(1), .digest = digest_a, .encoded_bytes = 100, .envelope = {.content = "e1"}};
  only<OpenSending>(t.step(OfferMade{id_of(1), offer, d1}));
  t.now += seconds(10);
  EXPECT_EQ(count<DropEncoding>(t.step(TimePassed{})), 0U);
  t.step(Answered{d1, id_of(1), ReceivedState::complete, ""});
  t.now += seconds(10);
  EXPECT_EQ(only<RemoveEncoding>(t.step(TimePassed{})).encoding.id, "e1");
}

TEST(Encoding, OfAnOldEpochServesNoNewTransfer) {
  Core t({}, versions_of({digest_a}));
  complete(t, d1, t.want("d1", digest_a));
  t.now += hours(24 * 30);
  const auto old = t.want("d1", digest_a);
  EXPECT_EQ(content_id(old), "e1");
  t.now += seconds(1);
  const auto fresh = t.want("d2", digest_a);
  EXPECT_EQ(only<MakeEncoding>(fresh).epoch, 2);
  EXPECT_TRUE(only<MakeEncoding>(fresh).known) << "the file stays";
  EXPECT_EQ(content_id(fresh), "e2");
  EXPECT_EQ(count<DropEncoding>(t.step(TimePassed{})), 0U) << "a transfer goes on under it";
  complete(t, d1, old);
  t.now += seconds(10);
  const auto dropped = t.step(TimePassed{});
  EXPECT_EQ(only<DropEncoding>(dropped).id, "e1");
  EXPECT_EQ(count<RemoveEncoding>(dropped), 0U) << "the file is the next epoch's, too";
}

TEST(Encoding, GoesWithItsContent) {
  Saved saved;
  saved.contents.push_back(content_of(digest_a, ContentKind::output));
  Core t({.epoch_kept = hours(24 * 365)}, saved);
  complete(t, alice, t.want(alice, digest_a));
  t.now += hours(24 * 31);
  const auto gone = t.step(TimePassed{});
  only<DropContent>(gone);
  EXPECT_EQ(only<DropEncoding>(gone).id, "e1");
  EXPECT_EQ(only<RemoveEncoding>(gone).encoding.id, "e1");
  EXPECT_TRUE(t.rows.encodings.empty());
}

TEST(Encoding, AgainstAContentGoesWithItToo) {
  Core t({}, versions_of({digest_a, digest_b, digest_c}));
  t.want("d1", digest_a);                          // e1
  t.want("d1", digest_b, with_bases({digest_a}));  // e2
  t.want("d2", digest_b, with_bases({digest_c}));  // e3
  const auto gone = t.step(ContentLost{digest_a});
  EXPECT_EQ(count<DropEncoding>(gone), 2U);
  EXPECT_EQ(count<RemoveEncoding>(gone), 2U);
  EXPECT_EQ(t.core->encoding("e1"), nullptr);
  EXPECT_EQ(t.core->encoding("e2"), nullptr);
  EXPECT_NE(t.core->encoding("e3"), nullptr);
  t.step(EncodingMade{sealed_as({.making = {crypto::digest_of("gone"), {}, "aes-256-gcm"}}, "e9", t.now)});
  EXPECT_EQ(t.core->encoding("e9"), nullptr) << "made for a content that went meanwhile";
}

// Its file cannot be read. The receiver that comes next gets it made again; one that waits for its offer hears of it.
TEST(Encoding, ThatIsBrokenIsMadeAgain) {
  Core t({}, versions_of({digest_a}));
  const auto broken = only<SendOffer>(t.want("d1", digest_a)).sending.id;
  bare_step(t, Wanted{d2, digest_a, pki().certificate("d1"), id_of(50)});
  EXPECT_EQ(only<DropEncoding>(t.step(SendingBroke{broken, "cannot be read"})).id, "e1");
  const Offer offer{.transfer = id_of(50), .digest = digest_a, .encoded_bytes = 100, .envelope = {.content = "e1"}};
  const auto late = t.step(OfferMade{id_of(50), offer, d2});
  EXPECT_EQ(only<SayEnded>(late).id, id_of(50));
  EXPECT_EQ(count<SendOffer>(late), 0U);
  EXPECT_EQ(t.core->sending(id_of(50))->reason, "its encoding is lost");
  EXPECT_EQ(content_id(t.want("d2", digest_a)), "e2");
}

// Under one key only the bytes may be sent that were sealed under it.
TEST(Encoding, WhoseFileHasOtherBytesNowIsNotUsed) {
  Core t({}, versions_of({digest_a}));
  complete(t, d1, t.want("d1", digest_a));
  t.makes = false;
  auto made = t.made(only<MakeEncoding>(t.want("d1", digest_a, with_ciphers({"chacha20-poly1305"}))));
  made.encoded.digest = "sha256:of another version of zstd";
  EXPECT_EQ(content_id(t.step(EncodingMade{made})), "e2");
  EXPECT_EQ(t.core->encoding("e1"), nullptr);
  EXPECT_FALSE(t.rows.encodings.contains("e1"));
}

}  // namespace
}  // namespace fieldwork::transfer
