// links: agent_shell GTest::gtest_main
#include "agent/shell/outputs.hpp"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <mutex>
#include <set>
#include <thread>

#include "codec/transfer.hpp"
#include "crypto/digest.hpp"
#include "exchange/inbound.hpp"
#include "runtime/metrics.hpp"
#include "support/pki.hpp"

namespace {
std::set<std::string>* synced = nullptr;  // paths, by those who look
std::mutex syncs;                         // whoever holds it keeps all others from syncing
}  // namespace

// Stands before the C library's, and tells what was synced.
extern "C" int fsync(int fd) {
  const std::lock_guard lock(syncs);
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
  std::vector<codec::OutputOffer> told() {
    std::vector<codec::OutputOffer> out;
    for (const auto& one : said("output")) out.push_back(codec::decode_output_offer(one).value());
    return out;
  }
  std::vector<std::string> announced() {
    std::vector<std::string> out;
    for (const auto& one : told()) {
      if (one.dropped.empty()) out.push_back(one.digest);
    }
    return out;
  }
  std::vector<codec::OutputOffer> notices() {
    auto out = told();
    std::erase_if(out, [](const auto& one) { return one.dropped.empty(); });
    return out;
  }
  // As if it had been kept so many minutes ago.
  void age(const std::string& digest, int minutes) const {
    fs::last_write_time(file(digest).string() + ".of",
                        fs::file_time_type::clock::now() - std::chrono::minutes(minutes));
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

TEST_F(Waiting, SaysOnceHowItIsSentWhenTheLinkIsMeasured) {
  const auto digest = add(make_bytes(400'000, 7));
  announced();
  want(digest);
  std::optional<exchange::Inbound> service;
  std::vector<codec::OutputOffer> strategies;
  for (int i = 0; i < 100 && !(service && service->complete()); ++i) {
    for (const auto& message : outputs->due(now)) {
      if (message.topic == topics.up("d1", "offer"))
        service.emplace(exchange::Inbound::open(codec::decode_offer(message.payload).value(), pki().key("transfer"),
                                                pki().certificate("transfer").fingerprint(), dir / "in", 1 << 20)
                            .value());
      if (message.topic == topics.up("d1", "frame")) {
        ASSERT_TRUE(service->frame(message.payload, now).ok());
      }
      if (message.topic == topics.up("d1", "output"))
        strategies.push_back(codec::decode_output_offer(message.payload).value());
    }
    now += milliseconds(10);
    if (const auto answer = service->ack_due(now)) {
      ASSERT_TRUE(outputs->received(codec::encode(*answer), now).ok());
    }
  }
  ASSERT_TRUE(service->complete());
  ASSERT_EQ(strategies.size(), 1U);
  EXPECT_EQ(strategies[0].digest, digest);
  ASSERT_TRUE(strategies[0].strategy.has_value());
  EXPECT_EQ(strategies[0].strategy->name, "near");
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
  EXPECT_EQ(after.envelope.content, before.envelope.content);
  EXPECT_NE(after.envelope.wrapped, before.envelope.wrapped);
}

TEST_F(Waiting, CompressesOnAThreadOfItsOwn) {
  start({.thread = true});
  const auto digest = add(make_bytes(1'000'000, 1));
  EXPECT_EQ(announced(), std::vector{digest});
  {
    const std::lock_guard lock(syncs);  // who compresses stands still
    want(digest);                       // returns
    want(digest);
    EXPECT_TRUE(outputs->due(now).empty()) << "it is neither asked about again nor offered";
  }
  std::vector<std::string> offers;
  while (offers.empty()) {
    offers = said("offer");
    std::this_thread::yield();
  }
  EXPECT_EQ(codec::decode_offer(offers[0])->encoding, "zstd");
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
  fs::last_write_time(file(digest).string() + ".of", now_on_disk - Outputs::waiting_kept_max - std::chrono::hours(1));
  fs::last_write_time(file(refused).string() + ".refused",
                      now_on_disk - Outputs::refused_kept_max - std::chrono::hours(1));
  now += std::chrono::minutes(11);
  const auto said_of_it = notices();
  ASSERT_EQ(said_of_it.size(), 1U);  // of the one that the service waits for
  EXPECT_EQ(said_of_it[0].digest, digest);
  EXPECT_EQ(said_of_it[0].dropped, "outputs wait on the device for at most 30 days");
  EXPECT_EQ(files_in(dir / "outputs"), 1U);  // the notice
}

TEST_F(Waiting, StartsWhateverItFinds) {
  fs::remove_all(dir / "outputs");
  write(dir / "outputs", "a file where the directory should be");
  start({});
  EXPECT_TRUE(announced().empty());
}

// --- a budget of the disk ---

double counted() {
  const auto text = metrics::text();
  const auto at = text.find("\nfieldwork_outputs_dropped_total ");
  return at == std::string::npos ? 0.0 : std::stod(text.substr(text.find(' ', at)));
}

class Room : public Waiting {
 protected:
  void SetUp() override { start({.bytes_max = 250}); }
  std::string add_bytes(char fill, std::size_t count) { return add(std::string(count, fill)); }
  std::string add_to(char fill, std::size_t count, const AttemptKey& of) {
    const std::string bytes(count, fill);
    const auto digest = crypto::digest_of(bytes);
    write(dir / "made", bytes);
    EXPECT_TRUE(keep_output(dir / "made", file(digest), of).ok());
    outputs->add(file(digest), of, now);
    return digest;
  }
  [[nodiscard]] bool here(const std::string& digest) const { return fs::exists(file(digest)); }
};

TEST_F(Room, TheOldestGoAndThatIsToldAndCounted) {
  const auto before = counted();
  const auto first = add_to('a', 100, {JobId("old"), 3, 7});
  const auto second = add_bytes('b', 100);
  EXPECT_EQ(outputs->waiting_bytes(), 200);
  const auto third = add_bytes('c', 150);
  EXPECT_FALSE(here(first));
  EXPECT_FALSE(fs::exists(file(first).string() + ".of"));
  EXPECT_TRUE(here(second) && here(third));
  EXPECT_EQ(outputs->waiting_bytes(), 250);
  EXPECT_EQ(counted(), before + 1);
  const auto said_of_it = notices();
  ASSERT_EQ(said_of_it.size(), 1U);
  EXPECT_EQ(said_of_it[0],
            (codec::OutputOffer{first, 100, "old", 3, 7,
                                "outputs wait on the device in at most 250 bytes, and newer ones needed the room"}));
  add_bytes('d', 240);
  EXPECT_FALSE(here(second) || here(third));
  EXPECT_EQ(counted(), before + 3);
  EXPECT_EQ(outputs->size(), 1U);
}

TEST_F(Room, OneThatIsLargerThanAllGoesAlone) {
  const auto first = add_bytes('a', 100), second = add_bytes('b', 100);
  const auto large = add_bytes('c', 251);
  EXPECT_FALSE(here(large));
  EXPECT_TRUE(here(first) && here(second));
  const auto said_of_it = notices();
  ASSERT_EQ(said_of_it.size(), 1U);
  EXPECT_EQ(said_of_it[0].digest, large);
  EXPECT_EQ(said_of_it[0].dropped,
            "outputs wait on the device in at most 250 bytes, and this one of 251 bytes did not fit");
}

TEST_F(Room, WhatIsBeingSentStays) {
  start({.bytes_max = 3000});
  const auto sent = add(make_bytes(2000, 1));  // which nothing makes smaller
  const auto second = add_bytes('b', 500), third = add_bytes('c', 500);
  announced();
  want(sent);
  const auto fourth = add_bytes('d', 600);
  EXPECT_TRUE(here(sent) && here(fourth));
  EXPECT_FALSE(here(second) || here(third));
  // It does not fit beside that, whatever else goes.
  const auto fifth = add_bytes('e', 1001);
  EXPECT_FALSE(here(fifth));
  EXPECT_TRUE(here(sent) && here(fourth));
  const auto said_of_them = notices();
  ASSERT_EQ(said_of_them.size(), 3U);
  EXPECT_EQ(
      said_of_them[2].dropped,
      "outputs wait on the device in at most 3000 bytes, and this one of 1001 bytes did not fit beside those that "
      "were being sent");
  // After an outage it waits like the others, as the oldest of them.
  outputs->connected(now);
  add_bytes('f', 1001);
  EXPECT_FALSE(here(sent));
  EXPECT_TRUE(here(fourth));
}

// The copy goes with its output. While there is no room for it, the output is sent as it is.
TEST_F(Room, ACompressedCopyTakesRoomToo) {
  start({.bytes_max = 250'000});
  const auto first = add(std::string(100'000, 'x'));
  announced();
  want(first);
  EXPECT_EQ(codec::decode_offer(said("offer").at(0))->encoding, "zstd");
  const auto copy_bytes = static_cast<std::int64_t>(fs::file_size(file(first).string() + ".zst"));
  EXPECT_EQ(outputs->waiting_bytes(), 100'000 + copy_bytes);
  const auto second = add(std::string(100'000, 'y'));
  announced();
  want(second);
  EXPECT_EQ(codec::decode_offer(said("offer").at(0))->encoding, "identity");
  EXPECT_EQ(outputs->waiting_bytes(), 200'000 + copy_bytes);
  answer({first, ""});
  EXPECT_EQ(outputs->waiting_bytes(), 100'000);
}

TEST_F(Room, ANoticeOutlivesTheAgentAndEndsWithItsAnswer) {
  const auto first = add_bytes('a', 200), second = add_bytes('b', 200), third = add_bytes('c', 200);
  start({.bytes_max = 250});
  const auto said_of_them = notices();
  ASSERT_EQ(said_of_them.size(), 2U);
  EXPECT_EQ(said_of_them[0].job, "j1");
  EXPECT_EQ(said_of_them[0].size_bytes, 200);
  answer({first, said_of_them[0].dropped});
  answer({second, ""});  // another device had brought it
  now += std::chrono::minutes(10);
  EXPECT_TRUE(notices().empty());
  start({.bytes_max = 250});
  EXPECT_TRUE(notices().empty());
  EXPECT_EQ(files_in(dir / "outputs"), 2U);  // the third, and whose it is
  EXPECT_TRUE(here(third));
}

TEST_F(Room, ANoticeIsRepeatedUntilThen) {
  add_bytes('a', 200);
  add_bytes('b', 200);
  EXPECT_EQ(notices().size(), 1U);
  EXPECT_EQ(notices().size(), 0U);
  now += seconds(5);
  EXPECT_EQ(notices().size(), 1U);
  outputs->connected(now);
  EXPECT_EQ(notices().size(), 1U);
}

TEST_F(Room, TheRuleHoldsAtTheStartWithLessRoom) {
  const auto first = add_bytes('a', 80), second = add_bytes('b', 80), third = add_bytes('c', 80);
  age(first, 1);
  age(second, 3);
  age(third, 2);
  start({.bytes_max = 170});
  EXPECT_FALSE(here(second));
  EXPECT_EQ(outputs->size(), 2U);
  const auto told_then = told();
  ASSERT_EQ(told_then.size(), 3U);
  std::vector<std::string> waiting;
  for (const auto& one : told_then) {
    if (one.dropped.empty()) waiting.push_back(one.digest);
  }
  EXPECT_EQ(waiting, (std::vector{third, first}));  // as they were kept
}

TEST_F(Room, WhatIsWrittenAgainIsTheNewestAndCountsOnce) {
  const auto first = add_bytes('a', 100), second = add_bytes('b', 100);
  add_to('a', 100, {JobId("again"), 0, 2});
  EXPECT_EQ(outputs->waiting_bytes(), 200);
  add_bytes('c', 100);
  EXPECT_TRUE(here(first));
  EXPECT_FALSE(here(second));
  add_bytes('d', 150);
  const auto said_of_them = notices();
  ASSERT_EQ(said_of_them.size(), 2U);
  EXPECT_EQ(said_of_them[1].digest, first);
  EXPECT_EQ(said_of_them[1].job, "again");
}

// The answer to the notice may still be on its way.
TEST_F(Room, WhatWasDroppedAndWrittenAgainIsSent) {
  const auto first = add_bytes('a', 200);
  const auto second = add_bytes('b', 200);
  const auto notice = notices().at(0);
  EXPECT_EQ(notice.digest, first);
  answer({second, ""});
  add_bytes('a', 200);
  EXPECT_FALSE(fs::exists(file(first).string() + ".dropped"));
  answer({first, notice.dropped});
  EXPECT_EQ(announced(), std::vector{first});
  start({.bytes_max = 250});
  EXPECT_EQ(announced(), std::vector{first});
}

TEST_F(Room, RefusedOnesGoBeforeThoseThatWait) {
  const auto before = counted();
  const auto waiting = add_bytes('a', 100), refused = add_bytes('b', 100);
  announced();
  answer({refused, "over the quota"});
  start({.bytes_max = 250});
  const auto third = add_bytes('c', 100);
  EXPECT_FALSE(here(refused) || fs::exists(file(refused).string() + ".refused"));
  EXPECT_TRUE(here(waiting) && here(third));
  EXPECT_EQ(counted(), before);
  EXPECT_TRUE(notices().empty());
}

TEST_F(Room, AnAgentThatDiedWhileItDroppedGoesOnWithIt) {
  const auto first = add_bytes('a', 200);
  add_bytes('b', 200);
  kept(std::string(200, 'a'));  // its file was still there
  start({.bytes_max = 250});
  EXPECT_FALSE(here(first));
  EXPECT_EQ(notices().at(0).digest, first);
}

TEST(Notices, BeyondTheirNumberTheOldestIsForgotten) {
  const TempDir dir;
  const Time now = wall();
  const auto digest = [](int i) { return crypto::digest_of(std::to_string(i)); };
  {
    DropNotices notices(dir.path(), now, 3);
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(notices.add(digest(i), {{JobId("j"), 0, 1}, i, "no room"}, now).ok());
    EXPECT_EQ(notices.size(), 3U);
  }
  for (int i = 2; i < 5; ++i)  // a second apart, for file systems that count time coarsely
    fs::last_write_time(dir.path() / (digest(i).substr(7) + ".dropped"),
                        fs::file_time_type::clock::now() - seconds(9 - i));
  EXPECT_EQ(files_in(dir.path()), 3U);
  write(dir.path() / (digest(9).substr(7) + ".dropped"), "not a notice");
  DropNotices notices(dir.path(), now, 3);
  std::vector<std::string> told;
  for (const auto& one : notices.due(now)) told.push_back(one.digest);
  EXPECT_EQ(told, (std::vector{digest(2), digest(3), digest(4)}));
  EXPECT_EQ(files_in(dir.path()), 3U);
}

}  // namespace
}  // namespace fieldwork::agent
