// links: agent_shell GTest::gtest_main
#include "agent/shell/outputs.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <set>
#include <thread>

#include "codec/transfer.hpp"
#include "crypto/digest.hpp"
#include "support/pki.hpp"

namespace {
std::set<std::string>* synced = nullptr;  // paths, by those who look
}

// Stands before the C library's, and tells what was synced.
extern "C" int fsync(int fd) {
  if (synced != nullptr) synced->insert(std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd)).string());
  return static_cast<int>(syscall(SYS_fsync, fd));
}

namespace fieldwork::agent {
namespace {

using namespace support;

class Waiting : public ::testing::Test {
 protected:
  TempDir dir;
  Topics topics{"fieldwork/v1"};
  Time now = wall();
  std::optional<Outputs> outputs;
  const AttemptKey key{JobId("j1"), 0, 1};

  void SetUp() override { start({}); }
  void start(Outputs::Options options) {
    const Identity identity{"d1", pki().pem("d1"), pki().certificate("d1").fingerprint(),
                            std::make_shared<const crypto::PrivateKey>(pki().key("d1"))};
    outputs.reset();
    outputs.emplace(dir / "outputs", identity,
                    crypto::CertificateAuthority::load(pki().path("operator-ca.crt")).value(), topics, options);
  }
  // A file as the workplace leaves it.
  std::string kept(const std::string& bytes) {
    const auto digest = crypto::digest_of(bytes);
    write(file(digest), bytes);
    return digest;
  }
  std::string add(const std::string& bytes) {
    const auto digest = crypto::digest_of(bytes);
    write(dir / "made", bytes);
    EXPECT_TRUE(keep_output(dir / "made", file(digest), key).ok());
    outputs->add(file(digest), key, now);
    return digest;
  }
  [[nodiscard]] fs::path file(const std::string& digest) const { return dir / ("outputs/" + digest.substr(7)); }
  std::vector<std::string> said(const std::string& channel) {
    std::vector<std::string> out;
    for (auto& message : outputs->due(now)) {
      if (message.topic == topics.up("d1", channel)) out.push_back(message.payload);
    }
    return out;
  }
  std::vector<std::string> announced() {
    std::vector<std::string> out;
    for (const auto& one : said("output")) out.push_back(codec::decode_output_offer(one)->digest);
    return out;
  }
  void answer(const codec::OutputStored& stored) { ASSERT_TRUE(outputs->stored(codec::encode(stored), now).ok()); }
  void want(const std::string& digest) {
    ASSERT_TRUE(outputs->want(codec::encode(codec::Want{digest, pki().pem("transfer")}), now).ok());
  }
};

// A report that names it may leave as soon as keep_output() returns, and the power may go right after that.
TEST_F(Waiting, IsOnTheDiskBeforeAReportNamesIt) {
  const std::string bytes = "an output";
  const auto digest = crypto::digest_of(bytes);
  write(dir / "made", bytes);
  std::set<std::string> paths;
  synced = &paths;
  const auto kept = keep_output(dir / "made", file(digest), key);
  synced = nullptr;
  ASSERT_TRUE(kept.ok());
  // The bytes and the note under the names that they had then, and the names themselves: their directory.
  for (const auto& path : {dir / "made", fs::path(file(digest).string() + ".of.new"), dir / "outputs"})
    EXPECT_TRUE(paths.contains(fs::canonical(path.parent_path()) / path.filename())) << path;
}

TEST_F(Waiting, ThoseThatAreRefusedEndAndStarveNobody) {
  for (int i = 0; i < 5; ++i) add("output " + std::to_string(i));
  const auto first = announced();
  EXPECT_EQ(first.size(), exchange::deliver::Limits{}.at_once);
  for (const auto& digest : first) answer({digest, "over the quota"});
  EXPECT_EQ(announced().size(), 1U);
  EXPECT_EQ(outputs->size(), 1U);
  EXPECT_EQ(read(file(first[0]).string() + ".refused"), "over the quota\n");
  EXPECT_TRUE(fs::exists(file(first[0])));  // for who wants to see
  start({});
  EXPECT_EQ(announced().size(), 1U);  // and not asked again
  // The same bytes of another attempt are a new question.
  outputs->add(file(first[0]), {JobId("j2"), 0, 2}, now);
  EXPECT_EQ(announced(), std::vector{first[0]});
}

TEST_F(Waiting, WithoutAnswersEachHasItsTurnMoreAndMoreSeldom) {
  for (int i = 0; i < 10; ++i) add("output " + std::to_string(i));
  std::map<std::string, int> times;
  for (int second = 0; second < 3600; ++second, now += seconds(1)) {
    for (const auto& digest : announced()) ++times[digest];
  }
  EXPECT_EQ(times.size(), 10U);
  for (const auto& [digest, count] : times) {
    EXPECT_GT(count, 8);
    EXPECT_LT(count, 30);
  }
}

TEST_F(Waiting, IsSentOnAndGoesWhenItIsStored) {
  const auto digest = add(std::string(100'000, 'x'));
  EXPECT_EQ(announced(), std::vector{digest});
  want(digest);
  want(digest);  // a repeat
  const auto offers = said("offer");
  ASSERT_EQ(offers.size(), 1U);
  EXPECT_EQ(codec::decode_offer(offers[0])->digest, digest);
  answer({digest, ""});
  EXPECT_EQ(outputs->size(), 0U);
  EXPECT_EQ(files_in(dir / "outputs"), 0U);
}

// What the receiver has of it is not sent again: the same transfer, under the same key.
TEST_F(Waiting, AfterAnOutageTheTransferGoesOn) {
  const auto digest = add(std::string(100'000, 'x'));
  announced();
  want(digest);
  const auto offer = said("offer").at(0);
  outputs->connected(now);
  EXPECT_EQ(announced(), std::vector{digest});
  EXPECT_TRUE(said("frame").empty());
  want(digest);
  EXPECT_EQ(said("offer"), std::vector{offer});
  // The last word may be one of before the outage.
  outputs->connected(now);
  const Received last{codec::decode_offer(offer)->transfer, ReceivedState::complete, {}, ""};
  ASSERT_TRUE(outputs->received(codec::encode(last), now).ok());
  EXPECT_EQ(outputs->size(), 0U);
}

// The agent died, and with it the content key. The transfer is the one before, under a new key.
TEST_F(Waiting, AfterADeathTheTransferGoesOnWhereTheServiceSays) {
  const auto digest = add(std::string(100'000, 'x'));
  announced();
  want(digest);
  const auto before = codec::decode_offer(said("offer").at(0)).value();
  start({});
  EXPECT_EQ(announced(), std::vector{digest});
  const codec::Want again{digest, pki().pem("transfer"), before.transfer};
  ASSERT_TRUE(outputs->want(codec::encode(again), now).ok());
  const auto after = codec::decode_offer(said("offer").at(0)).value();
  EXPECT_EQ(after.transfer, before.transfer);
  EXPECT_NE(after.key.wrapped, before.key.wrapped);
}

TEST_F(Waiting, CompressesOnAThreadOfItsOwn) {
  start({.thread = true});
  const auto digest = add(make_bytes(1'000'000, 1));
  EXPECT_EQ(announced(), std::vector{digest});
  const auto pipe = file(digest).string() + ".zst.new";  // takes less than that: who compresses stands still
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  want(digest);  // returns
  want(digest);
  EXPECT_TRUE(outputs->due(now).empty()) << "it is neither asked about again nor offered";
  drain(pipe);
}

TEST_F(Waiting, AFullReceiverIsSentNothingForAWhile) {
  const auto digest = add(std::string(100'000, 'x'));
  announced();
  want(digest);
  const auto offer = codec::decode_offer(said("offer").at(0)).value();
  const Received held{offer.transfer, ReceivedState::receiving, {}, "No space left on device"};
  ASSERT_TRUE(outputs->received(codec::encode(held), now).ok());
  now += seconds(9);
  EXPECT_TRUE(said("frame").empty());
  now += seconds(1);
  EXPECT_FALSE(said("frame").empty());
}

TEST_F(Waiting, WithoutRoomToCompressItIsSentAsItIs) {
  const auto digest = add(std::string(100'000, 'x'));
  announced();
  fs::create_directories(file(digest).string() + ".zst.new");  // a file cannot be made there
  want(digest);
  EXPECT_EQ(codec::decode_offer(said("offer").at(0))->encoding, "identity");
}

TEST_F(Waiting, WhatFailsFourTimesIsTakenForRefused) {
  const auto digest = add("an output");
  for (int i = 0; i < exchange::deliver::Limits{}.failures_max; ++i) {
    now += std::chrono::minutes(6);
    ASSERT_EQ(announced(), std::vector{digest}) << i;
    want(digest);
    const auto offer = codec::decode_offer(said("offer").at(0)).value();
    const Received failed{offer.transfer, ReceivedState::failed, {}, "not what was announced"};
    ASSERT_TRUE(outputs->received(codec::encode(failed), now).ok());
  }
  now += std::chrono::minutes(6);
  EXPECT_TRUE(announced().empty());
  EXPECT_EQ(read(file(digest).string() + ".refused"), "not what was announced\n");
}

TEST_F(Waiting, WhatNoReportNamesIsNotKept) {
  const auto named = add("named");
  const auto unnamed = kept("unnamed");
  EXPECT_EQ(read(file(named).string() + ".of"), "j1 0 1\n");
  start({});
  EXPECT_EQ(announced(), std::vector{named});
  EXPECT_FALSE(fs::exists(file(unnamed)));
}

TEST_F(Waiting, OldOnesAreGivenUp) {
  const auto digest = add("an output");
  const auto refused = add("another");
  announced();
  answer({refused, "too large"});
  const auto now_on_disk = fs::file_time_type::clock::now();
  fs::last_write_time(file(digest), now_on_disk - Outputs::waiting_kept_max - std::chrono::hours(1));
  fs::last_write_time(file(refused).string() + ".refused",
                      now_on_disk - Outputs::refused_kept_max - std::chrono::hours(1));
  now += std::chrono::minutes(11);
  announced();
  EXPECT_EQ(files_in(dir / "outputs"), 0U);
}

TEST_F(Waiting, StartsWhateverItFinds) {
  fs::remove_all(dir / "outputs");
  write(dir / "outputs", "a file where the directory should be");
  start({});
  EXPECT_TRUE(announced().empty());
}

}  // namespace
}  // namespace fieldwork::agent
