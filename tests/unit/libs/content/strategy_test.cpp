// links: content GTest::gtest_main
#include "content/strategy.hpp"

#include <gtest/gtest.h>

namespace fieldwork::content {
namespace {

using namespace std::chrono_literals;
using Row = Strategy::Row;

std::optional<std::chrono::microseconds> ms(double value) {
  return std::chrono::microseconds(static_cast<std::int64_t>(value * 1000));
}

TEST(Strategy, TakesTheFirstRowThatHolds) {
  const struct {
    Measured link;
    Row row;
    Compression compression;
    std::uint32_t frame_kib;
  } table[] = {
      // at and around 100 ms; the round trip wins where both hold
      {{ms(99.9), 50e6}, Row::near, Compression::fast, 64},
      {{ms(100), 50e6}, Row::near, Compression::fast, 64},
      {{ms(100.1), 50e6}, Row::far, Compression::high, 16},
      {{ms(600), 256e3}, Row::far, Compression::high, 8},
      {{ms(600), {}}, Row::far, Compression::high, 4},
      {{ms(200), 1e6}, Row::far, Compression::high, 16},
      {{ms(200), 500e3}, Row::far, Compression::high, 16},
      {{ms(200), 1e9}, Row::far, Compression::high, 16},
      {{ms(200), 1e3}, Row::far, Compression::high, 4},
      // at and around 1 Mbit/s
      {{ms(20), 999'999}, Row::narrow, Compression::maximum, 32},
      {{ms(20), 1e6}, Row::near, Compression::fast, 64},
      {{ms(20), 1'000'001}, Row::near, Compression::fast, 64},
      {{{}, 999'999}, Row::narrow, Compression::maximum, 32},
      {{ms(20), 64e3}, Row::narrow, Compression::maximum, 4},
      {{ms(20), 1.0}, Row::narrow, Compression::maximum, 4},
      // the frames of a good link: 10 ms of it
      {{ms(1), 52e6}, Row::near, Compression::fast, 64},
      {{ms(1), 110e6}, Row::near, Compression::fast, 136},
      {{ms(1), 220e6}, Row::near, Compression::fast, 256},
      {{ms(1), 10e9}, Row::near, Compression::fast, 256},
      {{{}, 50e6}, Row::near, Compression::fast, 64},
      // nothing is known
      {{}, Row::unknown, Compression::fast, 16},
      {{ms(20), {}}, Row::unknown, Compression::fast, 16},
  };
  for (const auto& [link, row, compression, frame_kib] : table) {
    const auto got = strategy(link);
    const auto why = reason(got, link);
    EXPECT_EQ(name_of(got.row), name_of(row)) << why;
    EXPECT_EQ(got.compression, compression) << why;
    EXPECT_EQ(got.frame_bytes, frame_kib * 1024) << why;
  }
}

TEST(Strategy, LeavesARowOnlyATenthBeyondItsBound) {
  EXPECT_EQ(strategy({ms(95), 50e6}, Row::far).row, Row::far);
  EXPECT_EQ(strategy({ms(89), 50e6}, Row::far).row, Row::near);
  EXPECT_EQ(strategy({ms(95), 50e6}, Row::near).row, Row::near);
  EXPECT_EQ(strategy({ms(20), 1.05e6}, Row::narrow).row, Row::narrow);
  EXPECT_EQ(strategy({ms(20), 1.11e6}, Row::narrow).row, Row::near);
  EXPECT_EQ(strategy({ms(20), 1.05e6}, Row::near).row, Row::near);
}

TEST(Strategy, SaysWhy) {
  EXPECT_EQ(reason(strategy({ms(212), 1e6}), {ms(212), 1e6}), "round trip 212 ms > 100 ms: zstd 9, frames of 16 KiB");
  EXPECT_EQ(reason(strategy({ms(20), 64e3}), {ms(20), 64e3}),
            "bandwidth 64 kbit/s < 1000 kbit/s: zstd 19, frames of 4 KiB");
  EXPECT_EQ(reason(strategy({ms(2), 50e6}), {ms(2), 50e6}),
            "a near link, round trip 2 ms, 50000 kbit/s: zstd 3, frames of 64 KiB");
  EXPECT_EQ(reason(strategy({}), {}), "the link is not measured yet: zstd 3, frames of 16 KiB");
}

TEST(Strategy, RetriesByPriority) {
  EXPECT_EQ(retry_of(PriorityClass::high).retries, 5);
  EXPECT_EQ(retry_of(PriorityClass::normal).retries, 3);
  EXPECT_EQ(retry_of(PriorityClass::low).retries, 2);
  EXPECT_EQ(retry_wait(retry_of(PriorityClass::high), 2, 0), 2250ms);
  EXPECT_EQ(retry_wait(retry_of(PriorityClass::normal), 3, 0), 8s);
  EXPECT_EQ(retry_wait(retry_of(PriorityClass::low), 2, 0.5), 4500ms);
}

}  // namespace
}  // namespace fieldwork::content
