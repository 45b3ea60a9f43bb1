// links: agent_shell GTest::gtest_main
// The files through which programs exchange lines.
#include "agent/shell/mail.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "agent/limits.hpp"
#include "model/limits.hpp"
#include "support/temp_dir.hpp"

namespace fieldwork::agent {
namespace {

using support::TempDir;
using Lines = std::vector<std::string>;

struct Post {
  TempDir dir;
  std::filesystem::path place = dir.path() / "place";
  Mailbox box;
  Time now = from_ms(1'000'000);

  explicit Post(int lines_per_s = 100) : box(place, lines_per_s) {}
  void write(const std::string& text) const { std::ofstream(outbox(), std::ios::app) << text; }
  Lines look(Duration later = seconds(1)) {
    now += later;
    return box.look(now);
  }
  [[nodiscard]] std::filesystem::path outbox() const { return place.string() + std::string(outbox_ending); }
  [[nodiscard]] std::string inbox() const {
    std::ostringstream out;
    out << std::ifstream(place.string() + std::string(inbox_ending)).rdbuf();
    return out.str();
  }
};

TEST(Mail, WholeLinesAreTakenOnce) {
  Post post;
  EXPECT_EQ(post.look(), Lines{});
  post.write("one\ntwo\r\n\nhal");
  EXPECT_EQ(post.look(), (Lines{"one", "two"}));
  EXPECT_EQ(post.look(), Lines{});
  post.write("f\n");
  EXPECT_EQ(post.look(), Lines{"half"});
  EXPECT_EQ(post.box.wrong(), "");
}

TEST(Mail, MoreThanTheRateWaitsInTheFile) {
  Post post(4);
  std::string text;
  for (int i = 0; i < 11; ++i) text += std::to_string(i) + "\n";
  post.write(text);
  EXPECT_EQ(post.look(), (Lines{"0", "1", "2", "3"}));
  EXPECT_EQ(post.look(milliseconds(200)), Lines{});
  EXPECT_EQ(post.look(milliseconds(300)), (Lines{"4", "5"}));
  EXPECT_EQ(post.look(seconds(60)), (Lines{"6", "7", "8", "9"})) << "no more is saved up than a second's worth";
  EXPECT_EQ(post.look(), Lines{"10"});
}

// What is no message is left out, and what follows it is not.
TEST(Mail, LinesThatAreNoMessages) {
  const std::string longest(limits::message_line_bytes_max, 'x');
  for (const auto& [bad, why] : {
           std::pair<std::string, std::string>{longest + "x", "a line is longer than a message may be"},
           {std::string(mail_look_bytes_max * 2, 'y'), "a line is longer than a message may be"},
           {"a\x01z", "a line is not UTF-8 text without control characters"},
           {"\xff", "a line is not UTF-8 text without control characters"},
       }) {
    Post post;
    post.write(longest + "\r\n" + bad + "\nnext\n");
    Lines got;
    for (int i = 0; i < 4; ++i) {
      for (auto& line : post.look()) got.push_back(std::move(line));
    }
    EXPECT_EQ(got, (Lines{longest, "next"})) << why;
    EXPECT_EQ(post.box.wrong(), why);
  }
}

TEST(Mail, AnOutboxThatIsBegunAnewIsReadFromItsBeginning) {
  Post post;
  post.write("one\ntwo\nrest");
  EXPECT_EQ(post.look(), (Lines{"one", "two"}));
  std::ofstream(post.outbox(), std::ios::trunc) << "new\n";
  EXPECT_EQ(post.look(), Lines{"new"});
}

TEST(Mail, AProgramMayEmptyItsInbox) {
  Post post;
  const Lines many(60, std::string(limits::message_line_bytes_max, 'z'));
  while (post.box.wrong().empty()) post.box.add(many);
  std::ofstream(post.place.string() + std::string(inbox_ending), std::ios::trunc).flush();
  post.box.add({"again"});
  EXPECT_EQ(post.inbox(), "again\n");
}

TEST(Mail, AnotherFileInItsPlaceIsNotRead) {
  Post post;
  std::filesystem::remove(post.outbox());
  post.write("elsewhere\n");
  EXPECT_EQ(post.look(), Lines{});
}

TEST(Mail, TheInboxGrowsToItsBound) {
  Post post;
  post.box.add({"from the other", "again"});
  EXPECT_EQ(post.inbox(), "from the other\nagain\n");
  const Lines many(60, std::string(limits::message_line_bytes_max, 'z'));
  for (std::int64_t written = 0; written < inbox_bytes_max + (1 << 20); written += 60 * 1025) post.box.add(many);
  EXPECT_LE(static_cast<std::int64_t>(post.inbox().size()), inbox_bytes_max);
  EXPECT_GT(static_cast<std::int64_t>(post.inbox().size()), inbox_bytes_max - 60 * 1025);
  EXPECT_EQ(post.box.wrong(), "the inbox is full");
}

TEST(Mail, TheRoomKeepsProgramsApart) {
  TempDir dir;
  Mailroom room(dir.path());
  const AttemptKey a{JobId("j"), 0, 1}, b{JobId("j"), 1, 1};
  room.open(a, "a", 10);
  room.open(b, "b", 10);
  std::ofstream(dir.path() / "b.outbox") << "by b\n";
  auto now = from_ms(1'000'000);
  const auto got = room.look(now);
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got[0].key, b);
  EXPECT_EQ(got[0].lines, Lines{"by b"});
  room.add(a, {"to a"});
  EXPECT_EQ(std::filesystem::file_size(dir.path() / "a.inbox"), 5U);
  EXPECT_EQ(std::filesystem::file_size(dir.path() / "b.inbox"), 0U);
  std::ofstream(dir.path() / "b.outbox", std::ios::app) << "at its end\n";
  EXPECT_TRUE(room.look(now + milliseconds(10)).empty()) << "too early";
  EXPECT_EQ(room.close(b, now + milliseconds(20)).lines, Lines{"at its end"});
  EXPECT_EQ(room.close(b, now + seconds(1)).lines, Lines{}) << "it is closed";
  room.add(b, {"nobody"});
}

}  // namespace
}  // namespace fieldwork::agent
