// links: base GTest::gtest_main
#include "base/timestamp.hpp"

#include <gtest/gtest.h>

namespace fieldwork {
namespace {

TEST(Timestamp, IsReadAndWrittenAlike) {
  for (const std::string text : {"1970-01-01T00:00:00Z", "2026-12-01T02:00:00Z", "2028-02-29T23:59:59Z"}) {
    ASSERT_TRUE(timestamp_of(text)) << text;
    EXPECT_EQ(timestamp(*timestamp_of(text)), text);
  }
  EXPECT_EQ(to_ms(timestamp_of("2026-12-01T02:00:00Z").value()), 1'796'090'400'000);
}

TEST(Timestamp, WhatIsNoTimeIsNotRead) {
  for (const std::string text :
       {"", "2026-12-01", "2026-12-01 02:00:00Z", "2026-12-01T02:00:00", "2026-12-01T02:00:00+01:00",
        "2027-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-12-01T24:00:00Z", "2026-12-01T02:00:60Z",
        "2026-1 -01T02:00:00Z", "+026-12-01T02:00:00Z"})
    EXPECT_FALSE(timestamp_of(text)) << text;
}

}  // namespace
}  // namespace fieldwork
