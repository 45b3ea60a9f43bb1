// links: codec GTest::gtest_main
// What programs send to the other executions of their job: what a line is, and that it arrives as it was sent.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "codec/job.hpp"
#include "model/items.hpp"
#include "model/limits.hpp"

namespace fieldwork::codec {
namespace {

const AttemptKey key{JobId("swarm-1"), 3, 7};

TEST(LineTest, HasNoControlCharacterButTabs) {
  for (const char* good : {"", "a", "a\tb", " ", "\xc3\xbc", "\x7f"}) EXPECT_TRUE(is_line(good)) << good;
  for (int c = 0; c < 0x20; ++c) EXPECT_EQ(is_line(std::string("a") + static_cast<char>(c)), c == '\t') << c;
  for (const char* bad : {"\xc3", "\xff", "\xed\xa0\x80"}) EXPECT_FALSE(is_line(bad)) << bad;
}

// Also the longest ones, each in its place.
TEST(MessagesTest, ArriveAsTheyWereSent) {
  std::vector<std::string> lines(limits::message_lines_max, std::string(limits::message_line_bytes_max, '"'));
  lines.front() = "first\t\xc3\xbc";
  lines.back() = " last ";
  const auto sent = decode_sent(encode(std::vector<SentItem>{{key, lines}, {key, {"after"}}}));
  ASSERT_TRUE(sent.ok()) << describe(sent.error());
  ASSERT_EQ(sent->good.size(), 2U);
  EXPECT_EQ(sent->good[0].key, key);
  EXPECT_EQ(sent->good[0].lines, lines);
  EXPECT_EQ(sent->good[1].lines, std::vector<std::string>{"after"});
  const auto heard = decode_heard(pack_items({dump(encode(HeardItem{key, 5, lines}))}).at(0));
  ASSERT_TRUE(heard.ok()) << describe(heard.error());
  ASSERT_EQ(heard->good.size(), 1U);
  EXPECT_EQ(heard->good[0].key, key);
  EXPECT_EQ(heard->good[0].from, 5);
  EXPECT_EQ(heard->good[0].lines, lines);
}

TEST(MessagesTest, HaveNoMoreItemsThanTheirBound) {
  const std::vector<SentItem> most(limits::message_items_max, {key, {"l"}});
  EXPECT_TRUE(decode_sent(encode(most)).ok());
  auto more = most;
  more.push_back({key, {""}});  // bad items count, too
  const auto read = decode_sent(encode(more));
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error(), (Error{Code::invalid, "has more than 64 entries", "/items"}));
}

}  // namespace
}  // namespace fieldwork::codec
