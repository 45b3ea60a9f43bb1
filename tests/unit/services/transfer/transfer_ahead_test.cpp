// links: transfer_shell GTest::gtest_main
// Packages are made small before anyone wants them, and whoever wants something first does not wait for that.
#include <condition_variable>
#include <mutex>

#include "support/frames.hpp"
#include "support/transfer_core.hpp"
#include "support/transfer_world.hpp"

namespace fieldwork::transfer {
namespace {

using content::EncodingKind;

constexpr std::int64_t mb = 1'000'000;

Limits with_ahead() {
  Limits out;
  out.ahead_bytes_max = 50 * mb;
  return out;
}

// A package that comes: of `size` bytes, of which the stored encoding has `encoded`. Returns what is to be made at
// once.
std::vector<MakeEncoding> comes(Core& t, const std::string& digest, std::int64_t size, std::int64_t encoded,
                                const char* version = "1") {
  const auto id = made_id(t.next_id);
  Package package{.digest = digest, .size_bytes = size};
  package.name = "n";
  package.version = version;
  t.announce(alice, package);
  t.step(Offered{alice, {.transfer = id, .digest = digest, .size_bytes = size, .encoded_bytes = encoded}});
  t.step(AllReceived{id});
  std::vector<MakeEncoding> out;
  for (const auto& effect : t.step(ContentArrived{id, encoded < size ? "zstd" : "identity", encoded})) {
    if (const auto* make = std::get_if<MakeEncoding>(&effect)) out.push_back(*make);
  }
  return out;
}

void arrives(Core& t, const std::string& digest, std::int64_t size, std::int64_t encoded, const char* version = "1") {
  for (const auto& make : comes(t, digest, size, encoded, version)) t.step(EncodingMade{t.made(make)});
}

MakeEncoding ordered(const Effects& effects) { return only<MakeEncoding>(effects); }

TEST(Ahead, WhatIsStoredIsSealedWhenItComes) {
  Core t(with_ahead());
  t.makes = false;
  const auto packed = comes(t, digest_a, 40 * mb, 10 * mb);
  ASSERT_EQ(packed.size(), 1U);
  EXPECT_FALSE(packed[0].ahead);
  EXPECT_EQ(packed[0].making, (MakingOf{digest_a, {EncodingKind::zstd, 3}, "aes-256-gcm"}));
  EXPECT_EQ(count<MakeEncoding>(t.want("d1", digest_a)), 0U) << "it waits for that";
  const auto sealed = t.step(EncodingMade{t.made(packed[0])});
  EXPECT_EQ(only<SendOffer>(sealed).sending.offer.envelope.content, "e1");
  const auto plain = comes(t, digest_b, 50 * mb, 50 * mb, "2");
  ASSERT_EQ(plain.size(), 1U);
  EXPECT_EQ(plain[0].making, (MakingOf{digest_b, {}, "aes-256-gcm"}));
  t.step(EncodingMade{t.made(plain[0])});
  EXPECT_EQ(only<SendOffer>(t.want("d1", digest_b)).sending.offer.envelope.content, "e2");
  EXPECT_TRUE(comes(t, crypto::digest_of("c"), 400 * mb, 400 * mb, "3").empty()) << "it is too large";
  t.want(alice, digest_a, {.ciphers = {"chacha20-poly1305"}});
  EXPECT_TRUE(comes(t, crypto::digest_of("d"), mb, mb, "4").empty()) << "somebody waits for another";
}

TEST(Ahead, ThePackageIsMadeSmallOnceItIsThere) {
  Core t(with_ahead());
  t.makes = false;
  arrives(t, digest_a, 40 * mb, 10 * mb);
  const auto order = ordered(t.step(TimePassed{}));
  EXPECT_TRUE(order.ahead);
  EXPECT_EQ(order.making, (MakingOf{digest_a, {EncodingKind::zstd, 19}, "aes-256-gcm"}));
  EXPECT_EQ(order.at_most, with_ahead().ahead_at_most);
  t.now += seconds(60);
  EXPECT_EQ(count<MakeEncoding>(t.step(TimePassed{})), 0U) << "it is being made";
  t.step(EncodingMade{t.made(order), true});
  EXPECT_EQ(t.rows.encodings.size(), 2U);
  const auto wanted = t.want("d1", digest_a);
  EXPECT_EQ(count<MakeEncoding>(wanted), 0U);
  EXPECT_EQ(only<SendOffer>(wanted).sending.offer.envelope.content, "e2") << "the smallest that is there";
  t.now += seconds(60);
  EXPECT_EQ(count<MakeEncoding>(t.step(TimePassed{})), 0U) << "once";
}

TEST(Ahead, OnlyWhatShrinksAndIsNotTooLarge) {
  Core t(with_ahead());
  t.makes = false;
  arrives(t, digest_a, 40 * mb, 37 * mb);
  arrives(t, digest_b, 51 * mb, 10 * mb, "2");
  arrives(t, crypto::digest_of("c"), 40 * mb, 40 * mb, "3");
  EXPECT_EQ(count<MakeEncoding>(t.step(TimePassed{})), 0U);
  arrives(t, crypto::digest_of("d"), 50 * mb, 44 * mb, "4");
  EXPECT_EQ(ordered(t.step(TimePassed{})).making.digest, crypto::digest_of("d"));
  Core none;
  none.makes = false;
  EXPECT_TRUE(comes(none, digest_a, 40 * mb, 10 * mb).empty());
  EXPECT_EQ(count<MakeEncoding>(none.step(TimePassed{})), 0U) << "it is off";
}

TEST(Ahead, WaitsForWhatSomebodyWaitsFor) {
  Core t(with_ahead());
  t.makes = false;
  arrives(t, digest_a, 40 * mb, 10 * mb);
  const auto wanted = ordered(t.want("d1", digest_a, {.ciphers = {"chacha20-poly1305"}}));
  EXPECT_FALSE(wanted.ahead);
  EXPECT_EQ(count<MakeEncoding>(t.step(TimePassed{})), 0U);
  t.step(EncodingMade{t.made(wanted)});
  EXPECT_TRUE(ordered(t.step(TimePassed{})).ahead);
}

TEST(Ahead, NotWhatSomebodyHadMadeAlready) {
  Core t(with_ahead());
  arrives(t, digest_a, 40 * mb, 10 * mb);
  Accepts narrow;
  narrow.goodput_bit_per_s = 100'000;
  EXPECT_EQ(ordered(t.want("d1", digest_a, narrow)).making.encoding.level, 19);
  EXPECT_EQ(count<MakeEncoding>(t.step(TimePassed{})), 0U);
}

TEST(Ahead, WhatFailedIsNotTriedAgain) {
  Core t(with_ahead());
  t.makes = false;
  arrives(t, digest_a, 40 * mb, 10 * mb);
  const auto order = ordered(t.step(TimePassed{}));
  t.step(EncodingFailed{order.making, "no space", true});
  EXPECT_EQ(count<MakeEncoding>(t.step(TimePassed{})), 0U);
  Accepts narrow;
  narrow.goodput_bit_per_s = 100'000;
  EXPECT_EQ(ordered(t.want("d1", digest_a, narrow)).making, order.making) << "who needs it may try all the same";
}

TEST(Ahead, WhatIsMadeOfARemovedPackageGoesWithIt) {
  Core t(with_ahead());
  t.makes = false;
  arrives(t, digest_a, 40 * mb, 10 * mb);
  const auto order = ordered(t.step(TimePassed{}));
  t.core.emplace(t.limits, Saved{}, t.now);
  EXPECT_EQ(only<RemoveEncoding>(t.step(EncodingMade{t.made(order), true})).encoding.digest, digest_a);
}

// It ended at the moment in which somebody asked for it: the file is written a second time.
TEST(Ahead, IsForgottenWhereTheSameIsBeingMadeForSomebody) {
  Core t(with_ahead());
  t.makes = false;
  arrives(t, digest_a, 40 * mb, 10 * mb);
  const auto ahead = ordered(t.step(TimePassed{}));
  Accepts narrow;
  narrow.goodput_bit_per_s = 100'000;
  const auto wanted = ordered(t.want("d1", digest_a, narrow));
  EXPECT_EQ(wanted.making, ahead.making);
  EXPECT_EQ(count<MakeOffer>(t.step(EncodingMade{t.made(ahead), true})), 0U);
  EXPECT_EQ(t.rows.encodings.size(), 1U) << "what is stored";
  EXPECT_EQ(only<SendOffer>(t.step(EncodingMade{t.made(wanted)})).sending.offer.envelope.content, "e3");
}

// The service with its threads: who wants the package meanwhile is served, and then it is made ahead all the same.
TEST_F(World, MakesAheadWithTheTimeThatIsLeft) {
  std::mutex mutex;
  std::condition_variable came;
  std::deque<runtime::Task> tasks;
  engine.reset();
  service.reset();
  auto settings = settings_here();
  settings.limits.ahead_bytes_max = 50 * mb;
  service =
      std::make_unique<TransferService>("fieldwork/v1", std::move(settings), runtime::Post{[&](runtime::Task task) {
                                          const std::lock_guard lock(mutex);
                                          tasks.push_back(std::move(task));
                                          came.notify_one();
                                        }});
  engine = std::make_unique<runtime::Engine>(*service, store, *this);
  ASSERT_TRUE(engine->load(now).ok());
  run({runtime::Connected{}});
  stands("d1", Lifecycle::active);
  const auto work = [&] {
    std::unique_lock lock(mutex);
    came.wait_for(lock, std::chrono::milliseconds(1), [&] { return !tasks.empty(); });  // of other threads
    auto done = std::exchange(tasks, {});
    lock.unlock();
    for (auto& one : done) run({std::move(one)});
    pass(milliseconds(10));
  };
  std::string lines;
  for (unsigned i = 0; lines.size() < 3 * mb; ++i) lines += "line " + std::to_string(i * 2654435761U) + " of a log\n";
  const auto digest = crypto::digest_of(lines);
  push(lines, [&](int) { work(); });
  pass(seconds(1));  // it begins
  hear(topics.up("d1", "want"), want_of(digest, "d1"));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(2);
  const auto in_time = [&] { return std::chrono::steady_clock::now() < deadline; };
  const auto file = [&](int level) {
    return fs::exists(settings_here().store.encoded(digest, {EncodingKind::zstd, level}));
  };
  std::vector<std::string> offers;
  while (offers.empty() && in_time()) {
    work();
    offers = take(topics.down("d1", "offer"));
  }
  ASSERT_EQ(offers.size(), 1U);
  EXPECT_FALSE(file(19)) << "the offer did not wait for it";
  while (store.select({.table = "encoding"}).value().size() < 2 && in_time()) work();
  EXPECT_TRUE(file(19));
  service.reset();
}

}  // namespace
}  // namespace fieldwork::transfer
