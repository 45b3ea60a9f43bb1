// links: exchange GTest::gtest_main
// A content is decoded while it comes: in jobs between the frames, over restarts, and never further than it is whole.
#include <gtest/gtest.h>

#include <fstream>
#include <random>

#include "exchange/inbound.hpp"
#include "support/ends.hpp"

namespace fieldwork::exchange {
namespace {

using namespace support;

constexpr std::size_t mib = 1 << 20;

// Of which zstd makes about half.
std::string half_noise(std::size_t size) {
  std::mt19937 random(3);
  std::string out(size, 'x');
  for (std::size_t i = 0; i < size; ++i) {
    if (i % 128 < 64) out[i] = static_cast<char>(random());
  }
  return out;
}

Inbound reserved(const Ends& ends) {
  auto inbound = ends.inbound().value();
  EXPECT_TRUE(inbound.reserve().ok());
  inbound.checkpoint_elsewhere();
  return inbound;
}

TEST(Decoding, HasDecodedMostWhenTheLastByteComes) {
  const Ends ends(half_noise(8 * mib));
  ASSERT_EQ(ends.offer.encoding, "zstd");
  auto inbound = reserved(ends);
  const auto plain = ends.dir / "in" / (ends.offer.transfer.value + ".plain");
  int jobs = 0;
  for (const auto& frame : ends.frames()) {
    ASSERT_TRUE(inbound.frame(frame, wall()).ok());
    for (auto job = inbound.decode_due(); job; job = inbound.decode_due(), ++jobs) job();
  }
  EXPECT_GT(jobs, 3);
  EXPECT_GT(fs::file_size(plain), 7 * mib);
  std::fstream(ends.dir / "in" / (ends.offer.transfer.value + ".part")) << "what was decoded is not read again";
  ASSERT_TRUE(inbound.finish(ends.dir / "final").ok());
  EXPECT_TRUE(read(ends.dir / "final") == ends.bytes);
  EXPECT_EQ(files_in(ends.dir / "in"), 0U);
}

TEST(Decoding, WaitsBehindAGapAndBeginsAnewAfterARestart) {
  const Ends ends(half_noise(8 * mib));
  auto frames = ends.frames();
  std::reverse(frames.begin(), frames.end());
  auto inbound = reserved(ends);
  for (std::size_t i = 0; i + 1 < frames.size(); ++i) {
    ASSERT_TRUE(inbound.frame(frames[i], wall()).ok());
    EXPECT_FALSE(inbound.decode_due()) << "its beginning is missing";
  }
  ASSERT_TRUE(inbound.frame(frames.back(), wall()).ok());
  const auto late = inbound.decode_due();
  ASSERT_TRUE(late);
  ASSERT_TRUE(inbound.checkpoint().ok());
  inbound = reserved(ends);  // the same offer, once more
  late();                    // a job of the one before
  ASSERT_TRUE(inbound.complete());
  const auto job = inbound.decode_due();
  ASSERT_TRUE(job);
  job();
  ASSERT_TRUE(inbound.finish(ends.dir / "final").ok());
  EXPECT_TRUE(read(ends.dir / "final") == ends.bytes);
}

// The older one is gone only when its job has ended, and takes no other's file with it.
TEST(Decoding, OfAnEarlierOfferLeavesTheNewFileAlone) {
  const Ends ends(half_noise(4 * mib));
  auto inbound = std::make_unique<Inbound>(reserved(ends));
  for (const auto& frame : ends.frames()) ASSERT_TRUE(inbound->frame(frame, wall()).ok());
  ASSERT_TRUE(inbound->checkpoint().ok());
  auto late = inbound->decode_due();
  inbound = std::make_unique<Inbound>(reserved(ends));
  const auto job = inbound->decode_due();
  job();
  late();
  late = nullptr;
  const auto done = inbound->finish(ends.dir / "final");
  ASSERT_TRUE(done.ok()) << describe(done.error());
  EXPECT_TRUE(read(ends.dir / "final") == ends.bytes);
}

// Whoever opens the same offer once more takes the file away from it.
TEST(Decoding, AFileThatIsNoLongerItsOwnIsNotTheContent) {
  const Ends ends(half_noise(4 * mib));
  auto inbound = reserved(ends);
  for (const auto& frame : ends.frames()) {
    ASSERT_TRUE(inbound.frame(frame, wall()).ok());
    if (const auto job = inbound.decode_due()) job();
  }
  const auto other = reserved(ends);
  EXPECT_EQ(inbound.finish(ends.dir / "final").error().code, Code::unavailable);
  EXPECT_FALSE(fs::exists(ends.dir / "final"));
}

TEST(Decoding, SaysAtTheEndWhatItFoundWrong) {
  Ends ends(half_noise(4 * mib));
  auto bad = read(ends.encoded.path);
  bad[bad.size() / 2] = static_cast<char>(bad[bad.size() / 2] ^ 1);
  write(ends.encoded.path, bad);
  ends.encoded.encoded_digest = crypto::digest_of(bad);
  ends.seal();
  auto inbound = reserved(ends);
  for (const auto& frame : ends.frames()) {
    ASSERT_TRUE(inbound.frame(frame, wall()).ok());
    if (const auto job = inbound.decode_due()) job();
  }
  const auto done = inbound.finish(ends.dir / "final");
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().code, Code::denied) << describe(done.error());
  EXPECT_EQ(files_in(ends.dir / "in"), 0U);
}

}  // namespace
}  // namespace fieldwork::exchange
