// links: agent_shell GTest::gtest_main
#include "agent/shell/packages.hpp"

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cstring>
#include <fstream>
#include <thread>

#include "codec/transfer.hpp"
#include "content/archive.hpp"
#include "content/encoding.hpp"
#include "crypto/digest.hpp"
#include "exchange/sealing.hpp"
#include "support/frames.hpp"
#include "support/pki.hpp"

namespace fieldwork::agent {
namespace {

using namespace support;

constexpr std::int64_t mib = 1 << 20;

// A released package, and its transfer to d1.
struct Sent {
  TempDir dir;
  std::string bytes, digest;
  exchange::Encoded encoded;
  exchange::Sealing sealing;
  Offer offer;
  PackageAbout about{};  // as the release says it

  // A package with its manifest, and a release that says `released` of it.
  Sent(const PackageAbout& own, PackageAbout released, unsigned char id) : about(std::move(released)) {
    write(dir / "run", "#!/bin/sh");
    fs::permissions(dir / "run", fs::perms::owner_all);
    digest = content::pack_package(dir / "run", dir / "plain", own).value().digest;
    bytes = read(dir / "plain");
    encoded = exchange::encode_beside(dir / "plain", digest).value();
    seal(id);
  }
  explicit Sent(std::size_t size, unsigned char id = 7)
      : bytes(make_bytes(size, id)), digest(crypto::digest_of(bytes)) {
    write(dir / "plain", bytes);
    encoded = exchange::encode_beside(dir / "plain", digest).value();
    seal(id);
  }
  // As a patch of what another transfer brought.
  Sent(const Sent& base, unsigned char id) : bytes("new" + base.bytes), digest(crypto::digest_of(bytes)) {
    write(dir / "plain", bytes);
    const auto made =
        content::make({content::EncodingKind::patch, 3, base.digest}, dir / "plain", base.dir / "plain", dir / "patch");
    encoded = {"zstd-patch", dir / "patch", made->bytes, made->digest, base.digest};
    seal(id);
  }
  void seal(unsigned char id) {
    const auto size_bytes = static_cast<std::int64_t>(bytes.size());
    sealing = exchange::seal(encoded, digest, size_bytes, id_of(static_cast<unsigned char>(id + 100)).value, 1,
                             crypto::Cipher::chacha20_poly1305, pki().key("transfer"), pki().certificate("transfer"))
                  .value();
    const codec::Release release{digest, size_bytes, "n", "1", 1, about};
    const auto jws = crypto::sign_jws(pki().releaser, "fieldwork-release+jws", codec::encode(release));
    offer = exchange::make_offer(id_of(id), digest, size_bytes, encoded, sealing, pki().certificate("d1"), jws).value();
  }
  [[nodiscard]] std::vector<std::string> frames() const { return frames_of(offer, sealing.key, encoded.path, 65'536); }
};

class Device : public ::testing::Test {
 protected:
  TempDir dir;
  Topics topics{"fieldwork/v1"};
  Time now = wall();
  exchange::Disk disk{100 * mib, 90 * mib};
  std::optional<Packages> packages;

  void SetUp() override { start({}); }
  void start(Packages::Options options) {
    crypto::TrustStore releases;
    releases.add(pki().releaser.public_key());
    options.measure = [this](const fs::path&) { return Result<exchange::Disk>(disk); };
    const Identity identity{"d1", pki().pem("d1"), pki().certificate("d1").fingerprint(),
                            std::make_shared<const crypto::PrivateKey>(pki().key("d1")),
                            crypto::CertificateAuthority::load(pki().path("operator-ca.crt")).value()};
    packages.reset();
    packages.emplace(dir / "packages", identity, releases, topics, std::int64_t{1} << 40, std::move(options));
  }
  std::vector<std::string> said(const std::string& channel) {
    std::vector<std::string> out;
    for (auto& message : packages->due(now)) {
      if (message.topic == topics.up("d1", channel)) out.push_back(message.payload);
    }
    return out;
  }
  void bring(const Sent& sent) {
    packages->fetch(sent.digest, now);
    ASSERT_TRUE(packages->offer(codec::encode(sent.offer), now).ok());
    for (const auto& frame : sent.frames()) ASSERT_TRUE(packages->frame(frame, now).ok());
  }
  [[nodiscard]] bool has(const Sent& sent) const {
    return fs::exists(dir / ("packages/" + sent.digest.substr(7) + ".tar"));
  }
  [[nodiscard]] fs::path part(const Sent& sent, const std::string& ending) const {
    return dir / ("packages/" + sent.offer.transfer.value + ending);
  }
};

TEST_F(Device, TakesAPackageInAndSaysSo) {
  const Sent sent(300'000);
  bring(sent);
  const auto news = packages->news();
  ASSERT_EQ(news.size(), 1U);
  EXPECT_FALSE(news.front().refused);
  EXPECT_EQ(read(packages->archive(sent.digest)), sent.bytes);
  EXPECT_EQ(codec::decode_received(said("received").back())->state, ReceivedState::complete);
  EXPECT_EQ(files_in(dir / "packages"), 1U);
}

TEST_F(Device, TakesNothingOfWhichTheServiceDidNotSignTheHeader) {
  Sent sent(300'000);
  sent.offer.envelope.header.clear();
  bring(sent);
  const auto news = packages->news();
  ASSERT_EQ(news.size(), 1U);
  EXPECT_EQ(news.front().refused->rfind("/envelope/header", 0), 0U) << *news.front().refused;
  EXPECT_FALSE(news.front().work_fault);
  EXPECT_EQ(codec::decode_received(said("received").back())->state, ReceivedState::failed);
  EXPECT_EQ(files_in(dir / "packages"), 0U);
}

// Its key is no secret; what it is, is signed twice.
TEST_F(Device, TakesAPublicPackageWithAHeaderOnly) {
  Sent sent(300'000);
  sent.sealing.is_public = true;
  sent.offer = exchange::make_offer(sent.offer.transfer, sent.digest, sent.offer.size_bytes, sent.encoded, sent.sealing,
                                    pki().certificate("d1"), sent.offer.release)
                   .value();
  const auto header = std::exchange(sent.offer.envelope.header, "");
  bring(sent);
  EXPECT_TRUE(packages->news().at(0).refused);
  sent.offer.envelope.header = header;
  bring(sent);
  EXPECT_FALSE(packages->news().at(0).refused);
  EXPECT_TRUE(has(sent));
}

TEST_F(Device, TakesOnlyWhatSaysTheSameOfItselfAsItsRelease) {
  const PackageAbout about{"aarch64", {"./run"}, {.memory_bytes = 7}};
  auto other = about;
  other.needs.memory_bytes = 8;
  const Sent good(about, about, 1), wrong(about, other, 2), silent(about, {}, 3);
  bring(good);
  auto news = packages->news();
  ASSERT_EQ(news.size(), 1U);
  EXPECT_FALSE(news.front().refused) << *news.front().refused;
  for (const auto* sent : {&wrong, &silent}) {
    start({});
    fs::remove(dir / ("packages/" + good.digest.substr(7) + ".tar"));
    start({});
    bring(*sent);
    news = packages->news();
    ASSERT_EQ(news.size(), 1U);
    EXPECT_NE(news.front().refused.value_or("").find("do not say the same"), std::string::npos);
    EXPECT_TRUE(news.front().work_fault);
    EXPECT_EQ(files_in(dir / "packages"), 0U);
  }
  // Of what is no archive, a release that says something is refused, too.
  Sent bytes(1000, 4);
  bytes.about = about;
  bytes.seal(4);
  bring(bytes);
  EXPECT_TRUE(packages->news().at(0).refused);
}

TEST_F(Device, AppliesAPatchToAPackageThatIsHere) {
  const Sent base(300'000, 1), sent(base, 2);
  packages->fetch(base.digest, now);
  EXPECT_TRUE(codec::decode_want(said("want").at(0))->accepts.bases.empty());
  bring(base);
  (void)packages->news();
  packages->fetch(Fetch{sent.digest, 8}, now);
  const auto want = codec::decode_want(said("want").at(0)).value();
  EXPECT_EQ(want.accepts.bases, std::vector{base.digest});
  EXPECT_EQ(want.accepts.decoders, (std::vector<std::string>{"identity", "zstd", "zstd-patch"}));
  EXPECT_EQ(want.priority, 8);
  bring(sent);
  EXPECT_FALSE(packages->news().front().refused);
  EXPECT_EQ(read(packages->archive(sent.digest)), sent.bytes);
  EXPECT_TRUE(has(base));
}

// The base was evicted after the want that named it.
TEST_F(Device, APatchWithoutItsBaseIsDeclinedAndThePackageAskedForAgain) {
  const Sent base(300'000, 1), sent(base, 2);
  bring(sent);
  EXPECT_TRUE(packages->news().empty());
  EXPECT_EQ(codec::decode_received(said("received").back())->state, ReceivedState::unwanted);
  now += seconds(6);
  const auto want = codec::decode_want(said("want").at(0));
  EXPECT_EQ(want->digest, sent.digest);
  EXPECT_TRUE(want->accepts.bases.empty());
}

TEST_F(Device, ABaseThatChangedOnItsDiskIsNamedNoMore) {
  const Sent base(300'000, 1), sent(base, 2);
  bring(base);
  (void)packages->news();
  auto bytes = base.bytes;
  bytes[100] = static_cast<char>(bytes[100] ^ 1);
  write(packages->archive(base.digest), bytes);
  bring(sent);
  EXPECT_TRUE(packages->news().empty());
  const auto want = codec::decode_want(said("want").at(0)).value();
  EXPECT_EQ(want.digest, sent.digest);
  EXPECT_TRUE(want.accepts.bases.empty());
}

TEST_F(Device, BytesThatChangedOnItsDiskAreFetchedAgain) {
  const Sent sent(300'000);
  for (int time = 0; time < 4; ++time, now += seconds(5)) {
    packages->fetch(sent.digest, now);
    EXPECT_EQ(said("want").size(), 1U) << time;
    ASSERT_TRUE(packages->offer(codec::encode(sent.offer), now).ok());
    const auto frames = sent.frames();
    for (std::size_t i = 0; i < frames.size(); ++i) {
      ASSERT_TRUE(packages->frame(frames[i], now).ok());
      if (i > 0) continue;
      auto bytes = read(part(sent, ".part"));
      bytes[100] = static_cast<char>(bytes[100] ^ 1);
      write(part(sent, ".part"), bytes);
    }
    const auto news = packages->news();
    EXPECT_EQ(news.size(), time < 3 ? 0U : 1U) << time;
    for (const auto& one : news) EXPECT_FALSE(one.work_fault) << "another device's disk may be good";
    const auto word = codec::decode_received(said("received").back()).value();
    EXPECT_EQ(word.state, ReceivedState::failed);
    EXPECT_NE(word.reason.find("bytes were changed"), std::string::npos) << word.reason;
    EXPECT_EQ(files_in(dir / "packages"), 0U);
  }
}

TEST_F(Device, KnowsGoodputAndLossOfTheNewestTransfer) {
  const Sent sent(60 * 65'536);
  EXPECT_EQ(packages->figures(), Link{});
  packages->fetch(sent.digest, now);
  ASSERT_TRUE(packages->offer(codec::encode(sent.offer), now).ok());
  const auto frames = sent.frames();
  for (std::size_t i = 0; i < frames.size(); ++i) {
    if (i == 4) continue;  // lost on its way
    ASSERT_TRUE(packages->frame(frames[i], now).ok());
    now += milliseconds(100);
  }
  const auto figures = packages->figures();
  ASSERT_TRUE(figures.loss && figures.goodput_bit_per_s);
  const auto count = static_cast<double>(frames.size());
  EXPECT_NEAR(*figures.loss, 1 / count, 1e-9);
  // One frame each 100 ms, the last of them shorter.
  EXPECT_NEAR(static_cast<double>(*figures.goodput_bit_per_s), 65'536 * 80, 65'536 * 80 * 0.05);
  now += seconds(600);
  (void)packages->due(now);
  EXPECT_EQ(packages->figures(), Link{}) << "it is too long ago";
}

TEST_F(Device, RefusesWhatItsDiskDoesNotHoldAndSaysTheNumbers) {
  const Sent sent(300'000);
  disk.free_bytes = 10 * mib + 1000;  // a tenth is the journal's
  packages->fetch(sent.digest, now);
  ASSERT_TRUE(packages->offer(codec::encode(sent.offer), now).ok());
  const auto news = packages->news();
  ASSERT_EQ(news.size(), 1U);
  ASSERT_TRUE(news.front().refused);
  EXPECT_EQ(news.front().refused->rfind("disk: ", 0), 0U) << *news.front().refused;
  for (const auto number : {std::int64_t{300'000}, sent.encoded.encoded_bytes + 300'000, disk.free_bytes, 10 * mib}) {
    EXPECT_NE(news.front().refused->find(std::to_string(number)), std::string::npos) << *news.front().refused;
  }
  const auto word = codec::decode_received(said("received").back()).value();
  EXPECT_EQ(word.state, ReceivedState::failed);
  EXPECT_EQ(word.reason, *news.front().refused);
  EXPECT_EQ(files_in(dir / "packages"), 0U);
}

TEST_F(Device, DecodesAPackageWhileItComes) {
  const Sent sent(3'000'000), other(3'000'000, 8);
  for (const auto* one : {&sent, &other}) {
    packages->fetch(one->digest, now);
    ASSERT_TRUE(packages->offer(codec::encode(one->offer), now).ok());
  }
  const auto frames = sent.frames(), others = other.frames();
  for (std::size_t i = 0; i + 1 < frames.size(); ++i) {
    ASSERT_TRUE(packages->frame(frames[i], now).ok());
    ASSERT_TRUE(packages->frame(others[i], now).ok());
    (void)packages->due(now);
  }
  EXPECT_GT(fs::file_size(part(sent, ".plain")), 1'000'000U);
  EXPECT_EQ(fs::file_size(part(other, ".plain")), 0U) << "one at a time: a decoder needs memory";
  for (const auto* one : {&frames, &others}) ASSERT_TRUE(packages->frame(one->back(), now).ok());
  for (const auto& news : packages->news()) EXPECT_FALSE(news.refused);
  EXPECT_TRUE(has(sent) && has(other));
}

// The disk fills up while the package comes, also behind a restart: the room for its end is reserved.
TEST_F(Device, DecodesOnADiskThatIsFullByThen) {
  if (::mount("tmpfs", (dir / "packages").c_str(), "tmpfs", 0, "size=4m") != 0)
    GTEST_SKIP() << "no small disk can be mounted: " << std::strerror(errno);
  const auto end = [](const fs::path* at) { ::umount2(at->c_str(), MNT_DETACH); };
  const fs::path at = dir / "packages";
  const std::unique_ptr<const fs::path, decltype(end)> mounted(&at, end);
  const Sent first(1'000'000, 1);
  const Sent sents[] = {Sent(1'000'000, 2), Sent(first, 3)};
  start({});
  bring(first);
  for (const auto& sent : sents) {
    (void)packages->news();
    packages->fetch(sent.digest, now);
    ASSERT_TRUE(packages->offer(codec::encode(sent.offer), now).ok());
    std::ofstream(at / "ballast") << std::string(8 << 20, 'x');
    start({});
    packages->fetch(sent.digest, now);
    ASSERT_TRUE(packages->offer(codec::encode(sent.offer), now).ok());
    for (const auto& frame : sent.frames()) ASSERT_TRUE(packages->frame(frame, now).ok());
    const auto news = packages->news();
    ASSERT_EQ(news.size(), 1U);
    EXPECT_FALSE(news.front().refused) << *news.front().refused;
    EXPECT_TRUE(read(packages->archive(sent.digest)) == sent.bytes);
    fs::remove(at / "ballast");
    if (&sent == &sents[0]) fs::remove(at / (sent.digest.substr(7) + ".tar"));
  }
  packages.reset();
}

TEST_F(Device, EvictsWhatNobodyNeedsLongestUnusedFirst) {
  start({.cache_bytes_max = 1'000'000});
  const Sent first(400'000, 1), second(400'000, 2), third(400'000, 3), fourth(400'000, 4);
  for (const auto* sent : {&first, &second}) bring(*sent);
  (void)packages->news();
  packages->fetch(third.digest, now);
  ASSERT_TRUE(packages->offer(codec::encode(third.offer), now).ok());
  EXPECT_TRUE(packages->news().front().refused);  // both may be needed
  packages->unfetch(second.digest);
  bring(third);
  EXPECT_FALSE(packages->news().front().refused);
  EXPECT_TRUE(has(first));
  EXPECT_FALSE(has(second));
  now += std::chrono::minutes(11);  // nobody said that they are not needed, but it was long ago
  packages->fetch(first.digest, now);
  bring(fourth);
  EXPECT_TRUE(has(first));
  EXPECT_FALSE(has(third));
  EXPECT_TRUE(has(fourth));
}

TEST_F(Device, StopsFetchingWhatNobodyNeeds) {
  const Sent sent(300'000);
  packages->fetch(sent.digest, now);
  EXPECT_EQ(said("want").size(), 1U);
  ASSERT_TRUE(packages->offer(codec::encode(sent.offer), now).ok());
  ASSERT_TRUE(packages->frame(sent.frames().front(), now).ok());
  EXPECT_TRUE(fs::exists(part(sent, ".part")));
  packages->unfetch(sent.digest);
  EXPECT_EQ(codec::decode_received(said("received").back())->state, ReceivedState::unwanted);
  EXPECT_EQ(files_in(dir / "packages"), 0U);
  now += std::chrono::minutes(1);
  EXPECT_TRUE(said("want").empty());
}

TEST_F(Device, WhatIsStagedIsOutOfReachOfEviction) {
  start({.cache_bytes_max = 1'000'000});
  const Sent staged(400'000, 1), second(400'000, 2), third(400'000, 3), fourth(700'000, 4);
  packages->stage({staged.digest}, now);
  for (const auto* sent : {&staged, &second}) bring(*sent);
  (void)packages->news();
  for (const auto* sent : {&staged, &second}) packages->unfetch(sent->digest);
  EXPECT_EQ(packages->prunable_bytes(), 400'000);
  packages->prune(now);
  EXPECT_TRUE(has(staged));
  EXPECT_FALSE(has(second));
  packages->fetch(fourth.digest, now);
  ASSERT_TRUE(packages->offer(codec::encode(fourth.offer), now).ok());
  const auto refused = packages->news().front().refused;
  ASSERT_TRUE(refused);
  EXPECT_NE(refused->find("may have 1000000 bytes and have 400000, of these 400000 staged"), std::string::npos)
      << *refused;
  packages->unstage(staged.digest);
  bring(fourth);
  EXPECT_FALSE(has(staged));
  EXPECT_TRUE(has(fourth));
}

TEST_F(Device, AStageAndAJobFetchTheSameOnce) {
  const Sent sent(300'000);
  packages->fetch(Fetch{sent.digest, 3, 1}, now);
  packages->stage({sent.digest, 7, 4}, now);
  const auto wants = said("want");
  ASSERT_EQ(wants.size(), 1U);
  EXPECT_EQ(codec::decode_want(wants.front())->priority, 7);
  EXPECT_EQ(codec::decode_want(wants.front())->receivers, 4);
  ASSERT_TRUE(packages->offer(codec::encode(sent.offer), now).ok());
  ASSERT_TRUE(packages->frame(sent.frames().front(), now).ok());
  packages->unfetch(sent.digest);
  EXPECT_TRUE(fs::exists(part(sent, ".part"))) << "it is staged";
  packages->fetch(sent.digest, now);
  packages->unstage(sent.digest);
  EXPECT_TRUE(fs::exists(part(sent, ".part"))) << "a job needs it";
  packages->unfetch(sent.digest);
  EXPECT_FALSE(fs::exists(part(sent, ".part")));
}

// What is decoded is a pipe that nobody writes: who decodes stands still. It must not be the engine's thread.
TEST_F(Device, DecodesOnAThreadOfItsOwn) {
  start({.thread = true});
  const Sent sent(300'000);
  packages->fetch(sent.digest, now);
  ASSERT_TRUE(packages->offer(codec::encode(sent.offer), now).ok());
  fs::rename(part(sent, ".part"), dir / "part");
  ASSERT_EQ(mkfifo(part(sent, ".part").c_str(), 0600), 0);
  for (const auto& frame : sent.frames()) ASSERT_TRUE(packages->frame(frame, now).ok());
  EXPECT_TRUE(packages->news().empty());
  now += std::chrono::minutes(1);
  EXPECT_TRUE(said("want").empty());  // it is here, it need not be asked for
  ASSERT_TRUE(packages->frame(sent.frames().front(), now).ok());
  const auto busy = codec::decode_received(said("received").back()).value();
  EXPECT_EQ(busy.state, ReceivedState::receiving);
  EXPECT_EQ(busy.ranges, (ByteRanges{{0, static_cast<std::uint64_t>(sent.encoded.encoded_bytes)}}));
  write(part(sent, ".part"), read(dir / "part"));
  std::vector<PackageNews> news;
  while (news.empty()) {
    news = packages->news();
    std::this_thread::yield();
  }
  EXPECT_FALSE(news.front().refused);
  EXPECT_EQ(read(packages->archive(sent.digest)), sent.bytes);
}

// A job is cancelled while its package is finished, and another one needs the same.
TEST_F(Device, IsWantedAgainWhileItIsFinished) {
  disk = {100'000 * mib, 90'000 * mib};
  start({.thread = true});
  for (unsigned char i = 1; i <= 3; ++i) {
    const Sent sent(16'000'000, i);
    const auto frames = sent.frames();
    packages->fetch(sent.digest, now);
    ASSERT_TRUE(packages->offer(codec::encode(sent.offer), now).ok());
    for (std::size_t at = 0; at < frames.size(); ++at) {
      now += milliseconds(200);
      ASSERT_TRUE(packages->frame(frames[at], now).ok());
      while (at + 2 == frames.size() && !fs::exists(part(sent, ".ranges"))) (void)packages->due(now);
    }
    packages->unfetch(sent.digest);
    packages->fetch(sent.digest, now);
    ASSERT_TRUE(packages->offer(codec::encode(sent.offer), now).ok());
    std::vector<PackageNews> news;
    while (news.empty()) {
      for (const auto& frame : frames) (void)packages->frame(frame, now);
      (void)packages->due(now);
      news = packages->news();
      std::this_thread::yield();
    }
    EXPECT_FALSE(news.front().refused) << *news.front().refused;
    EXPECT_TRUE(read(packages->archive(sent.digest)) == sent.bytes);
  }
}

TEST_F(Device, GoesOnAfterARestartWhatIsLeftOver) {
  const Sent sent(3'000'000);
  packages->fetch(sent.digest, now);
  ASSERT_TRUE(packages->offer(codec::encode(sent.offer), now).ok());
  const auto frames = sent.frames();
  for (std::size_t i = 0; i < 20; ++i) {
    if (i == 19) now += seconds(3);  // now a checkpoint is due
    ASSERT_TRUE(packages->frame(frames[i], now).ok());
  }
  for (const char* name : {"11111111111111111111111111111111.part", "22222222222222222222222222222222.ranges",
                           "33333333333333333333333333333333.plain", "x.new"}) {
    write(dir / "packages" / name, "x");
  }
  start({});
  EXPECT_EQ(files_in(dir / "packages"), 3U);
  packages->fetch(sent.digest, now);
  ASSERT_TRUE(packages->offer(codec::encode(sent.offer), now).ok());
  EXPECT_GE(codec::decode_received(said("received").back())->ranges.front().second, 1'000'000U);
  start({});  // nobody comes for it
  said("want");
  now += std::chrono::hours(23);
  said("want");
  EXPECT_EQ(files_in(dir / "packages"), 3U) << "the database may be away for hours";
  now += std::chrono::hours(2);
  said("want");
  EXPECT_EQ(files_in(dir / "packages"), 0U);
}

TEST_F(Device, StartsWhateverItFinds) {
  const TempDir other;
  fs::remove_all(dir / "packages");
  write(dir / "packages", "a file where the directory should be");
  start({});
  packages->fetch(crypto::digest_of("a"), now);
  EXPECT_EQ(said("want").size(), 1U);
}

TEST_F(Device, PrunesWhatNothingNeeds) {
  const auto directory = dir / "cache";
  fs::create_directories(directory);
  const auto digest = [](char digit) { return "sha256:" + std::string(64, digit); };
  for (const char digit : {'a', 'b', 'c'}) write(directory / (std::string(64, digit) + ".tar"), std::string(100, 'x'));
  PackageCache cache(directory, 0);
  cache.used(digest('a'), now);
  cache.used(digest('b'), now);
  cache.unneeded(digest('b'));
  EXPECT_EQ(cache.prunable_bytes(now), 200);
  cache.prune(now);
  EXPECT_TRUE(cache.has(digest('a'))) << "an attempt may need it";
  EXPECT_FALSE(cache.has(digest('b')) || cache.has(digest('c')));
  EXPECT_EQ(cache.prunable_bytes(now), 0);
  EXPECT_EQ(cache.prunable_bytes(now + PackageCache::needed_for - milliseconds(1)), 0);
  EXPECT_EQ(cache.prunable_bytes(now + PackageCache::needed_for), 100);
  cache.ran(digest('a'), now);
  EXPECT_EQ(cache.prunable_bytes(now + PackageCache::rests_for), 100) << "its run has ended";
}

TEST_F(Device, AFullDiskIsClearedBeforeTheStart) {
  const auto directory = dir / "full";
  fs::create_directories(directory);
  const std::string part(32, '1');
  const auto older = directory / (std::string(64, 'a') + ".tar"), newer = directory / (std::string(64, 'b') + ".tar");
  for (const auto& path : {directory / (part + ".part"), directory / (part + ".ranges"), older, newer})
    write(path, "x");
  fs::last_write_time(older, fs::last_write_time(newer) - std::chrono::hours(1));
  PackageCache::prepare(directory, [&](const fs::path&) {
    return Result<exchange::Disk>(exchange::Disk{100 * mib, fs::exists(older) ? 1 * mib : 20 * mib});
  });
  EXPECT_EQ(files_in(directory), 1U);
  EXPECT_TRUE(fs::exists(newer));
}

}  // namespace
}  // namespace fieldwork::agent
