// links: exchange GTest::gtest_main
#include <gtest/gtest.h>

#include <functional>

#include "crypto/digest.hpp"
#include "crypto/sealed.hpp"
#include "exchange/durable.hpp"
#include "exchange/fetch.hpp"
#include "exchange/inbound.hpp"
#include "exchange/outbound.hpp"
#include "exchange/worker.hpp"
#include "support/ends.hpp"
#include "support/frames.hpp"
#include "support/pki.hpp"

namespace fieldwork::exchange {
namespace {

using namespace support;

TEST(Exchange, BringsTheBytesThroughAStorm) {
  for (unsigned seed = 1; seed <= 25; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Ends ends(make_bytes(600'000 + seed, seed));
    std::mt19937 random(seed);
    const auto chance = [&](unsigned percent) { return random() % 100 < percent; };
    Time now = wall();
    auto sender = ends.outbound({}, now);
    auto receiver = ends.inbound().value();
    std::vector<std::string> to_receiver;
    std::vector<Received> to_sender;
    bool stored = false;
    content::Ranges checkpoint;
    Time heard = now;  // by the receiver
    for (int round = 0; !sender.finished(); ++round) {
      ASSERT_LT(round, 200'000);
      ASSERT_FALSE(sender.failed()) << sender.reason();
      now += milliseconds(10);
      for (auto& frame : sender.due(now)) {
        for (int copies = chance(20) ? 0 : chance(10) ? 2 : 1; copies > 0; --copies) to_receiver.push_back(frame);
      }
      std::shuffle(to_receiver.begin(), to_receiver.end(), random);
      // A sender that has retried often enough waits until the receiver asks.
      if (now - heard >= fetch::Limits{}.silent) {
        if (!chance(20)) sender.asked_again(now);
        heard = now;
      }
      while (!to_receiver.empty() && chance(85)) {
        heard = now;
        if (!stored) {
          ASSERT_TRUE(receiver.frame(to_receiver.back(), now).ok());
        }
        // A receiver that is done says so again whenever it is asked.
        if (stored && !chance(30))
          to_sender.push_back({.transfer = ends.offer.transfer, .state = ReceivedState::complete});
        to_receiver.pop_back();
      }
      if (!stored) {
        if (const auto answer = receiver.ack_due(now); answer && !chance(30)) to_sender.push_back(*answer);
        if (receiver.complete()) stored = receiver.finish(ends.dir / "final").ok();
      }
      std::shuffle(to_sender.begin(), to_sender.end(), random);
      while (!to_sender.empty() && chance(80)) {
        sender.received(to_sender.back(), now);
        to_sender.pop_back();
      }
      if (!stored && random() % 150 == 0) receiver = ends.inbound().value();  // killed: only its files are left
      if (random() % 200 == 0) {                                              // as of an older save
        sender = ends.outbound(checkpoint, now);
      } else if (chance(5)) {
        checkpoint = sender.acked();
      }
    }
    EXPECT_TRUE(stored);
    EXPECT_EQ(read(ends.dir / "final"), ends.bytes);
    EXPECT_EQ(files_in(ends.dir / "in"), 0U);
  }
}

TEST(Exchange, KeepsToTheRateThatItIsGiven) {
  const Ends ends(make_bytes(400'000, 5));
  Time now = wall();
  std::uint64_t sent = 0;
  auto sender = ends.outbound({}, now);
  auto receiver = ends.inbound().value();
  const auto run = [&](Duration span) {
    const auto before = sender.sent_bytes();
    for (const auto end = now + span; now < end && !receiver.complete(); now += milliseconds(10)) {
      for (auto& frame : sender.due(now)) ASSERT_TRUE(receiver.frame(frame, now).ok());
      if (const auto next = sender.next_due()) {
        EXPECT_GT(*next, now - milliseconds(1));
      }
      if (const auto answer = receiver.ack_due(now)) sender.received(*answer, now);
    }
    sent = sender.sent_bytes() - before;
  };
  sender.limit(160'000);  // 20,000 bytes per second
  run(seconds(4));
  EXPECT_NEAR(static_cast<double>(sent), 80'000, 16'384 + 3 * 4096);  // a frame is longer until the link is known
  sender.limit(80'000);
  run(seconds(4));
  EXPECT_NEAR(static_cast<double>(sent), 40'000, 3 * 4096);
  sender.limit(0);
  run(seconds(4));
  EXPECT_TRUE(receiver.complete()) << "as fast as the link takes it";
}

TEST(Exchange, GoesOnFromWhatWasCheckpointed) {
  const Ends ends(make_bytes(300'000, 3));
  const auto frames = ends.frames();
  {
    auto first = ends.inbound().value();
    for (std::size_t i = 0; i < 10; ++i) ASSERT_TRUE(first.frame(frames[i], wall()).value());
    ASSERT_TRUE(first.checkpoint().ok());
    ASSERT_TRUE(first.frame(frames[10], wall()).value());  // lost with the kill
  }
  auto second = ends.inbound().value();
  EXPECT_EQ(second.received_bytes(), 10U * 4096);
  EXPECT_EQ(second.ack_due(wall())->ranges, (ByteRanges{{0, 10 * 4096}}));  // announced
  EXPECT_FALSE(second.ack_due(wall()));
  ASSERT_TRUE(second.frame(frames[10], wall() + seconds(1)).value());
  ASSERT_TRUE(second.frame(frames[11], wall() + seconds(4)).value());  // time for a checkpoint
  EXPECT_EQ(ends.inbound()->received_bytes(), 12U * 4096);
}

TEST(Exchange, TakesARangesFileOnlyForTheSameContent) {
  Ends ends(make_bytes(300'000, 3));
  {
    auto first = ends.inbound().value();
    for (const auto& frame : ends.frames()) ASSERT_TRUE(first.frame(frame, wall()).value());
  }
  EXPECT_TRUE(ends.inbound()->complete());
  ends.offer.encoded_bytes -= 1;
  EXPECT_EQ(ends.inbound()->received_bytes(), 0U);
  ends.offer.encoded_bytes += 1;
  fs::remove(ends.dir / "in" / (ends.offer.transfer.value + ".part"));
  EXPECT_EQ(ends.inbound()->received_bytes(), 0U);
}

// The disk lost what it had confirmed.
TEST(Exchange, ClaimsNoByteBeyondTheEndOfItsPart) {
  const Ends ends(make_bytes(300'000, 3));
  const auto frames = ends.frames();
  {
    auto first = ends.inbound().value();
    for (std::size_t i = 0; i < 12; ++i) {
      if (i == 8) continue;  // lost on its way
      ASSERT_TRUE(first.frame(frames[i], wall()).value());
    }
    ASSERT_TRUE(first.checkpoint().ok());
  }
  const auto part = ends.dir / "in" / (ends.offer.transfer.value + ".part");
  fs::resize_file(part, 11 * 4096 - 1);
  EXPECT_EQ(ends.inbound()->received().ranges, (ByteRanges{{0, 8 * 4096}, {9 * 4096, 11 * 4096 - 1}}));
  fs::resize_file(part, 9 * 4096);
  EXPECT_EQ(ends.inbound()->received().ranges, (ByteRanges{{0, 8 * 4096}}));
  fs::resize_file(part, 0);
  EXPECT_EQ(ends.inbound()->received_bytes(), 0U);
}

TEST(Exchange, AReceiverThatLostWhatItHadIsServedAgain) {
  const Ends ends(make_bytes(100'000, 4));
  const Time t0 = wall();
  auto sender = ends.outbound({}, t0);
  (void)sender.due(t0);
  Received all{.transfer = ends.offer.transfer, .ranges = {{0, static_cast<std::uint64_t>(ends.offer.encoded_bytes)}}};
  sender.received(all, t0);
  EXPECT_TRUE(sender.due(t0 + milliseconds(500)).empty());
  EXPECT_EQ(sender.due(t0 + seconds(1)).size(), 1U);  // asks
  EXPECT_TRUE(sender.due(t0 + milliseconds(1500)).empty());
  EXPECT_EQ(sender.due(t0 + seconds(2)).size(), 1U);
  EXPECT_TRUE(sender.due(t0 + seconds(3)).empty());
  all.ranges = {{0, 4096}};
  sender.received(all, t0 + seconds(1));
  EXPECT_EQ(sender.acked_bytes(), 4096U);
  std::uint64_t again = 0;
  for (const auto& frame : sender.due(t0 + seconds(1))) again += crypto::sealed_frame_header(frame)->length;
  EXPECT_EQ(again, sender.total_bytes() - 4096);
  all.state = ReceivedState::failed;
  all.reason = "no space";
  sender.received(all, t0);
  EXPECT_TRUE(sender.failed());
  EXPECT_EQ(sender.reason(), "no space");
  EXPECT_FALSE(sender.next_due());
}

TEST(Exchange, KeepsOutWhatIsNotForItOrNotWhole) {
  const Ends ends(make_bytes(50'000, 5));
  EXPECT_EQ(ends.inbound("d2").error().code, Code::denied);
  auto inbound = ends.inbound().value();
  auto frame = ends.frames().front();
  for (const std::size_t at : {std::size_t{0}, std::size_t{5}, std::size_t{27}, std::size_t{40}, frame.size() - 1}) {
    auto bad = frame;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    EXPECT_FALSE(inbound.frame(bad, wall()).ok()) << at;
  }
  EXPECT_FALSE(inbound.frame("FW", wall()).ok());
  EXPECT_FALSE(inbound.frame(frame.substr(0, frame.size() - 1), wall()).ok());
  auto longer = sealed_header(ends.offer).value();
  const auto end = longer.encoded_bytes / 4096 * 4096;
  longer.encoded_bytes += 4096;
  const auto beyond = crypto::Sealed::make(longer, ends.sealing.key)->frame(end, std::string(4096, 'x'));
  EXPECT_EQ(inbound.frame(beyond, wall()).error().code, Code::invalid);
  EXPECT_EQ(inbound.received_bytes(), 0U);
  EXPECT_EQ(inbound.finish(ends.dir / "final").error().code, Code::conflict);
  EXPECT_FALSE(fs::exists(ends.dir / "final"));
  EXPECT_GE(inbound.bad_frames(), 7);
  EXPECT_EQ(inbound.received().bad_frames, inbound.bad_frames());
}

TEST(Exchange, CountsWhatComesAndWhatCannotBeOpenedAlsoAfterARestart) {
  const Ends ends(make_bytes(50'000, 5));
  auto inbound = ends.inbound().value();
  const auto frame = ends.frames().front();
  auto bad = frame;
  bad.back() = static_cast<char>(bad.back() ^ 1);
  EXPECT_FALSE(inbound.frame(bad, wall()).ok());
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(inbound.frame(frame, wall()).ok());
  const auto came = inbound.take_came();
  EXPECT_EQ(came.frames, 2);
  EXPECT_EQ(came.again_frames, 1);
  EXPECT_EQ(came.bytes, 2 * static_cast<std::int64_t>(inbound.received_bytes()));
  EXPECT_EQ(came.again_bytes, static_cast<std::int64_t>(inbound.received_bytes()));
  EXPECT_EQ(inbound.take_came().frames, 0);
  ASSERT_TRUE(inbound.checkpoint().ok());
  EXPECT_EQ(ends.inbound()->bad_frames(), 1);
}

TEST(Exchange, ASenderSaysItsStrategyOncePerChange) {
  const Ends ends(make_bytes(500'000, 6));
  auto inbound = ends.inbound().value();
  auto sender = exchange::Outbound::open(ends.offer, ends.sealing.key, ends.encoded.path, {}, {}, wall()).value();
  EXPECT_FALSE(sender.new_strategy()) << "nothing is measured";
  auto now = wall();
  std::vector<std::string> names;
  for (int i = 0; i < 50; ++i) {
    for (const auto& frame : sender.due(now)) ASSERT_TRUE(inbound.frame(frame, now).ok());
    now += milliseconds(10);
    if (const auto answer = inbound.ack_due(now)) sender.received(*answer, now);
    if (const auto strategy = sender.new_strategy()) {
      names.push_back(strategy->name);
      EXPECT_FALSE(strategy->reason.empty());
      EXPECT_GT(strategy->frame_bytes, 0);
    }
  }
  EXPECT_EQ(names, std::vector<std::string>{"near"});
  EXPECT_GT(sender.sent_frames(), 0U);
  EXPECT_EQ(sender.resent_frames(), 0U);
  EXPECT_EQ(sender.tries_most(), 1U);
}

TEST(Exchange, AWrongContentNeverGetsAFinalFile) {
  struct Case {
    const char* name;
    std::function<void(Ends&)> change;
  };
  const Case cases[] = {
      {"digest", [](Ends& e) { e.offer.digest = crypto::digest_of("other"); }},
      {"smaller than announced", [](Ends& e) { e.offer.size_bytes += 1; }},
      {"larger than announced", [](Ends& e) { e.offer.size_bytes -= 1; }},
      {"not zstd",
       [](Ends& e) {
         e.encoded.path = e.dir / "plain";
         e.offer.encoded_bytes = e.offer.size_bytes;
         e.offer.encoded_digest = e.offer.digest;
       }},
  };
  for (const auto& one : cases) {
    SCOPED_TRACE(one.name);
    Ends ends(make_bytes(50'000, 6));
    one.change(ends);
    auto inbound = ends.inbound().value();
    for (const auto& frame : ends.frames()) ASSERT_TRUE(inbound.frame(frame, wall()).ok());
    ASSERT_TRUE(inbound.complete());
    const auto done = inbound.finish(ends.dir / "final");
    EXPECT_EQ(done.error().code, Code::denied);
    EXPECT_EQ(failure_of(done.error()), TransferFailure::verification_failed);
    const bool digest = std::string(one.name) == "digest";
    EXPECT_TRUE(done.error().reason.starts_with(digest ? "digest: " : "encoding: ")) << done.error().reason;
    EXPECT_FALSE(fs::exists(ends.dir / "final"));
    EXPECT_EQ(files_in(ends.dir / "in"), 0U);
  }
}

TEST(Exchange, RefusesImplausibleOffers) {
  struct Case {
    const char* path;
    std::function<void(Offer&)> change;
  };
  const Case cases[] = {
      {"/size_bytes", [](Offer& o) { o.size_bytes = (1 << 30) + 1; }},
      {"/encoded_bytes", [](Offer& o) { o.encoded_bytes = exchange::encoded_bytes_max(o.size_bytes) + 1; }},
      {"/encoded_bytes", [](Offer& o) { o.encoded_bytes = 0; }},
      {"/encoded_bytes", [](Offer& o) { o.encoding = "identity"; }},
      {"/encoded_digest",
       [](Offer& o) {
         o.encoding = "identity";
         o.encoded_bytes = o.size_bytes;
       }},
      {"/encoding", [](Offer& o) { o.encoding = "gzip"; }},
      {"/digest", [](Offer& o) { o.digest = "sha256:"; }},
      {"/base", [](Offer& o) { o.base = o.digest; }},
      {"/base", [](Offer& o) { o.encoding = "zstd-patch"; }},
      {"/envelope/wrapped", [](Offer& o) { o.envelope.wrapped = "AAAA"; }},
      {"/envelope/ephemeral", [](Offer& o) { o.envelope.ephemeral = "AAAA"; }},
      {"/envelope/key_encryption_algorithm",
       [](Offer& o) {
         o.envelope.key_encryption_algorithm = "dir";
         o.envelope.ephemeral.clear();
       }},
      {"/envelope/encryption_algorithm", [](Offer& o) { o.envelope.encryption_algorithm = "aes-128-gcm"; }},
      {"/envelope/chunk_bytes", [](Offer& o) { o.envelope.chunk_bytes = 4095; }},
      {"/envelope/content", [](Offer& o) { o.envelope.content = "../../etc/passwd"; }},
      {"/transfer", [](Offer& o) { o.transfer = TransferId("../../etc/passwd"); }},
  };
  for (const auto& one : cases) {
    Ends ends(make_bytes(50'000, 6));
    one.change(ends.offer);
    const auto opened = ends.inbound();
    ASSERT_FALSE(opened.ok()) << one.path;
    EXPECT_EQ(opened.error().path, one.path) << describe(opened.error());
    EXPECT_FALSE(fs::exists(ends.dir / "in"));
  }
}

// After a restart the bytes on the disk are not those that came: they are fetched again, from the beginning.
TEST(Exchange, BytesThatChangeOnTheDiskAreNoFaultOfTheContent) {
  for (const auto& content : {make_bytes(50'000, 6), make_bytes(2000, 1).substr(0, 1000)}) {  // zstd, identity
    const Ends ends(content);
    for (const bool changed : {true, false}) {
      {
        auto before = ends.inbound().value();
        EXPECT_EQ(before.received_bytes(), 0U);
        for (const auto& frame : ends.frames()) ASSERT_TRUE(before.frame(frame, wall()).ok());
      }
      const auto part = ends.dir / "in" / (ends.offer.transfer.value + ".part");
      auto bytes = read(part);
      bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ (changed ? 1 : 0));
      write(part, bytes);
      auto inbound = ends.inbound().value();
      const auto finished = inbound.finish(ends.dir / "final");
      EXPECT_EQ(finished.ok(), !changed) << ends.offer.encoding;
      if (changed) {
        EXPECT_EQ(finished.error().code, Code::conflict);
      }
      EXPECT_EQ(fs::exists(ends.dir / "final"), !changed);
      EXPECT_EQ(files_in(ends.dir / "in"), 0U);
    }
    EXPECT_EQ(read(ends.dir / "final"), content);
  }
}

// Whoever takes another content under the same transfer has nothing left of the first.
TEST(Exchange, APartThatWasReplacedIsClaimedByNobody) {
  Ends ends(make_bytes(300'000, 3));
  {
    auto first = ends.inbound().value();
    for (const auto& frame : ends.frames()) ASSERT_TRUE(first.frame(frame, wall()).value());
  }
  ends.offer.encoded_bytes -= 1;
  EXPECT_EQ(ends.inbound()->received_bytes(), 0U);
  ends.offer.encoded_bytes += 1;
  EXPECT_EQ(ends.inbound()->received_bytes(), 0U);
}

TEST(Exchange, APatchNeedsItsBase) {
  const auto before = make_bytes(200'000, 7);
  const auto after = "new" + before;
  const Ends ends(after, before);
  EXPECT_EQ(ends.offer.encoding, "zstd-patch");
  EXPECT_LT(ends.offer.encoded_bytes, 1000);
  fs::rename(ends.base(), ends.dir / "elsewhere");
  EXPECT_EQ(ends.inbound().error().path, "/base");
  const auto fingerprint = pki().certificate("d1").fingerprint();
  const auto none = Inbound::open(ends.offer, pki().key("d1"), fingerprint, ends.dir / "in", 1 << 30);
  EXPECT_EQ(none.error().path, "/base");
  EXPECT_FALSE(fs::exists(ends.dir / "in"));
  fs::rename(ends.dir / "elsewhere", ends.base());

  Time now = wall();
  auto sender = ends.outbound({}, now);
  auto receiver = ends.inbound().value();
  for (int round = 0; round < 100 && !receiver.complete(); ++round, now += milliseconds(10)) {
    for (const auto& frame : sender.due(now)) ASSERT_TRUE(receiver.frame(frame, now).ok());
    if (const auto answer = receiver.ack_due(now)) sender.received(*answer, now);
  }
  EXPECT_EQ(sender.acked_bytes(), sender.total_bytes());
  ASSERT_TRUE(receiver.finish(ends.dir / "final").ok());
  EXPECT_EQ(read(ends.dir / "final"), after);
  EXPECT_EQ(read(ends.base()), before);
}

// It is this disk's fault: another device may have a base that is whole.
TEST(Exchange, ABaseThatChangedIsNoFaultOfTheContent) {
  auto before = make_bytes(200'000, 7);
  const Ends ends("new" + before, before);
  before[5] = static_cast<char>(before[5] ^ 1);
  write(ends.base(), before);
  auto inbound = ends.inbound().value();
  for (const auto& frame : ends.frames()) ASSERT_TRUE(inbound.frame(frame, wall()).ok());
  EXPECT_EQ(inbound.finish(ends.dir / "final").error().code, Code::conflict);
  EXPECT_FALSE(fs::exists(ends.dir / "final"));
}

TEST(Exchange, SendsWhatDoesNotShrinkAsItIsAndNothingAsAStream) {
  const Ends noise(make_bytes(2000, 1).substr(0, 1000));
  EXPECT_EQ(noise.encoded.encoding, "identity");
  EXPECT_FALSE(fs::exists(noise.dir / "plain.zst"));
  for (const auto& content : {noise.bytes, std::string(), std::string("a")}) {
    const Ends ends(content);
    auto inbound = ends.inbound().value();
    for (const auto& frame : ends.frames()) ASSERT_TRUE(inbound.frame(frame, wall()).ok());
    EXPECT_EQ(inbound.finish(ends.dir / "final").value(), (ends.dir / "final").string());
    EXPECT_EQ(read(ends.dir / "final"), content);
  }
}

}  // namespace
}  // namespace fieldwork::exchange
