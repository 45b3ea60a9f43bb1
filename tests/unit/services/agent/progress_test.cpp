// links: agent_shell GTest::gtest_main
// How far a program says that it is: the lines that it appends, and the file, to which it may do what it likes.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "agent/core/progress.hpp"
#include "agent/shell/progress_file.hpp"
#include "base/text.hpp"
#include "model/limits.hpp"
#include "support/temp_dir.hpp"

namespace fieldwork::agent {
namespace {
namespace fs = std::filesystem;

RunProgress counted(std::int64_t done, std::int64_t total, std::string message = "", std::string step = "") {
  return {.fraction = static_cast<double>(done) / static_cast<double>(total),
          .done = done,
          .total = total,
          .step = std::move(step),
          .message = std::move(message)};
}
RunProgress share(double fraction, std::string message = "", std::string step = "") {
  return {.fraction = fraction, .step = std::move(step), .message = std::move(message)};
}

struct GoodCase {
  const char* text;
  RunProgress said;
};

const GoodCase good_cases[] = {
    {"progress 3 12\n", counted(3, 12)},
    {"progress 0 12\n", counted(0, 12)},
    {"progress 12 12\n", counted(12, 12)},
    {"progress 1 9007199254740991\n", counted(1, limits::integer_max)},
    {"progress 3 12 loading the map\n", counted(3, 12, "loading the map")},
    {"progress 0%\n", share(0)},
    {"progress 25%\n", share(0.25)},
    {"progress 12.5%\n", share(0.125)},
    {"progress 100%\n", share(1)},
    {"progress 50% half of it\n", share(0.5, "half of it")},
    {"step train\n", {.step = "train"}},
    {"step train with all of it\n", {.step = "train", .message = "with all of it"}},
    {"progress 1 2\nprogress 2 2\n", counted(2, 2)},
    {"progress 1 2\nprogress 50%\n", share(0.5)},
    {"progress 50%\nprogress 1 4\n", counted(1, 4)},
    {"progress 1 4 old\nprogress 2 4\n", counted(2, 4)},
    {"step a\nprogress 1 2 now\n", counted(1, 2, "now", "a")},
    {"step a\nprogress 25%\nprogress 50%\n", share(0.5, "", "a")},
    {"progress 1 2\nstep a\n", counted(1, 2, "", "a")},
    {"step a\nstep b\n", {.step = "b"}},
    {"progress 3 12\r\n", counted(3, 12)},
    {"progress 25%\r\n", share(0.25)},
    {"step a\r\nprogress 3 12 with a word\r\n", counted(3, 12, "with a word", "a")},
    {"\n\r\n  \n\t\nprogress 1 2\n\n", counted(1, 2)},
    {"progress 1 2\nprogress 2 2", counted(1, 2)},
};

TEST(ProgressLines, WhatIsUnderstood) {
  for (const auto& c : good_cases) {
    ProgressLines lines;
    EXPECT_TRUE(lines.add(c.text)) << c.text;
    EXPECT_EQ(lines.said(), c.said) << c.text;
    EXPECT_EQ(lines.wrong(), "") << c.text;
  }
}

TEST(ProgressLines, PiecesAreAsGoodAsTheWhole) {
  for (const auto& c : good_cases) {
    const std::string_view text = c.text;
    for (std::size_t piece = 1; piece < text.size(); ++piece) {
      ProgressLines lines;
      bool sign = false;
      for (std::size_t at = 0; at < text.size(); at += piece) {
        const auto bytes = text.substr(at, piece);
        const bool one = lines.add(bytes);
        EXPECT_TRUE(!one || bytes.find('\n') != bytes.npos) << "a line counts when it has its end";
        sign = sign || one;
      }
      EXPECT_TRUE(sign) << c.text << piece;
      EXPECT_EQ(lines.said(), c.said) << c.text << piece;
      EXPECT_EQ(lines.wrong(), "") << c.text << piece;
    }
  }
}

TEST(ProgressLines, WrongLinesLeaveWhatWasSaid) {
  const char* const cases[] = {"progress",
                               "progress 3",
                               "progress 3 2",
                               "progress -1 2",
                               "progress 1 -2",
                               "progress 0 0",
                               "progress 1 0",
                               "progress 101%",
                               "progress 100.5%",
                               "progress -1%",
                               "progress nan%",
                               "progress -nan%",
                               "progress inf%",
                               "progress %",
                               "progress 25%%",
                               "progress one two",
                               "progress 1.5 3",
                               "progress 3/12",
                               "progress 0x1 2",
                               "progress 99999999999999999999 99999999999999999999",
                               "progress 1 9007199254740992",
                               "Progress 2 2",
                               "progresses 2 2",
                               "step",
                               "steps a",
                               "anything else"};
  for (const auto* text : cases) {
    ProgressLines lines;
    ASSERT_TRUE(lines.add("step a\nprogress 1 2 so far\n"));
    EXPECT_FALSE(lines.add(std::string(text) + "\n")) << text;
    EXPECT_EQ(lines.said(), counted(1, 2, "so far", "a")) << text;
    EXPECT_TRUE(lines.wrong().starts_with("line 3: ")) << lines.wrong();
    EXPECT_NE(lines.wrong().find(text), std::string::npos) << lines.wrong();
    EXPECT_TRUE(lines.add("progress 2 2\n")) << text;
    EXPECT_EQ(lines.said(), counted(2, 2, "", "a")) << text;
  }
}

TEST(ProgressLines, TheFirstWrongLineIsNamed) {
  ProgressLines lines;
  EXPECT_TRUE(lines.add("progress 1 2\n\nfirst\nprogress 2 2\nsecond\n")) << "a good line is among them";
  EXPECT_TRUE(lines.wrong().starts_with("line 3: ")) << lines.wrong();
  EXPECT_NE(lines.wrong().find("first"), std::string::npos) << lines.wrong();
  const auto before = lines.wrong();
  EXPECT_FALSE(lines.add("third\n"));
  EXPECT_EQ(lines.wrong(), before);
  EXPECT_EQ(lines.said(), counted(2, 2));
}

TEST(ProgressLines, WhatIsSaidAgainIsASign) {
  ProgressLines lines;
  EXPECT_TRUE(lines.add("progress 1 2\n"));
  EXPECT_TRUE(lines.add("progress 1 2\n"));
  EXPECT_FALSE(lines.add("\n\n"));
  EXPECT_FALSE(lines.add(""));
  EXPECT_FALSE(lines.add("nonsense\n"));
  EXPECT_TRUE(lines.add("nonsense\nprogress 1 2\nnonsense\n"));
}

TEST(ProgressLines, TextsAreBoundedAndValid) {
  struct Case {
    const char* name;
    std::string line;
  };
  std::string accents;
  while (accents.size() < 5000) accents += "\xc3\xa9";
  const Case cases[] = {
      {"long message", "progress 1 2 " + std::string(5000, 'x')},
      {"long step", "step " + std::string(5000, 'x')},
      {"two bytes each", "progress 1 2 " + accents},
      {"step of two bytes each", "step " + accents},
      {"bytes", "progress 1 2 caf\xe9 \xff\xfe"},
      {"step of bytes", "step \xff\xfe and \xe9"},
      {"control characters", "progress 1 2 \x01\x1b[31m"},
  };
  for (const auto& c : cases) {
    ProgressLines lines;
    EXPECT_TRUE(lines.add(c.line + "\n")) << c.name;
    EXPECT_LE(lines.said().message.size(), limits::progress_message_bytes_max) << c.name;
    EXPECT_LE(lines.said().step.size(), limits::step_bytes_max) << c.name;
    EXPECT_TRUE(is_text(lines.said().message) && is_text(lines.said().step)) << c.name;
    EXPECT_FALSE(lines.said().message.empty() && lines.said().step.empty()) << c.name;
    EXPECT_EQ(lines.wrong(), "") << c.name;
    EXPECT_TRUE(lines.add("progress 2 2\n")) << c.name << ": the next line is a line again";
    EXPECT_EQ(lines.said().done, 2) << c.name;
  }
  const std::string message(limits::progress_message_bytes_max, 'm');
  ProgressLines just;
  EXPECT_TRUE(just.add("progress 1 2 " + message + "\n"));
  EXPECT_EQ(just.said().message, message) << "what fits is whole";
}

TEST(ProgressLines, AWrongLineIsNamedInShort) {
  for (const auto& line : {std::string(1 << 20, 'x'), "caf\xe9 \xff" + std::string(300, '\x01')}) {
    ProgressLines lines;
    EXPECT_FALSE(lines.add(line + "\n"));
    EXPECT_TRUE(lines.wrong().starts_with("line 1: ")) << lines.wrong();
    EXPECT_LE(lines.wrong().size(), 200U);
    EXPECT_TRUE(is_text(lines.wrong()));
    EXPECT_TRUE(lines.add("progress 1 2\n"));
    EXPECT_EQ(lines.said(), counted(1, 2));
  }
}

TEST(ProgressLines, BegunAnew) {
  struct Case {
    const char* name;
    bool within;
    const char* after;
    RunProgress said;
    bool sign;
  };
  const Case cases[] = {
      {"at a line", false, "progress 3 4\n", counted(3, 4), true},
      {"nothing more", false, "", counted(1, 2), false},
      {"within a line", true, "ss 9 9\nprogress 3 4\n", counted(3, 4), true},
      {"what is left of a line looks like one", true, "progress 9 9\nprogress 3", counted(1, 2), false},
      {"no line's end", true, "progress 9 9", counted(1, 2), false},
  };
  for (const auto& c : cases) {
    for (const bool in_pieces : {false, true}) {
      ProgressLines lines;
      ASSERT_TRUE(lines.add("progress 1 2\nprogress 2"));
      lines.begin_anew(c.within);
      bool sign = false;
      const std::string_view text = c.after;
      if (!in_pieces) sign = lines.add(text);
      for (std::size_t at = 0; in_pieces && at < text.size(); ++at) sign = lines.add(text.substr(at, 1)) || sign;
      EXPECT_EQ(sign, c.sign) << c.name;
      EXPECT_EQ(lines.said(), c.said) << c.name;
      EXPECT_EQ(lines.wrong(), "") << c.name;
    }
  }
}

class ProgressFileTest : public ::testing::Test {
 protected:
  void append(const std::string& bytes) const { std::ofstream(path, std::ios::binary | std::ios::app) << bytes; }
  void rewrite(const std::string& bytes) const { std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes; }

  support::TempDir directory;
  fs::path path = directory / "progress";
  ProgressFile file{path};
};

TEST_F(ProgressFileTest, IsMadeOnlyWhereNothingIs) {
  ASSERT_TRUE(file.make().ok());
  EXPECT_TRUE(fs::is_regular_file(path));
  EXPECT_EQ(fs::file_size(path), 0U);
  EXPECT_FALSE(ProgressFile(path).make().ok()) << "it is there";
  fs::create_symlink(directory / "target", directory / "link");
  EXPECT_FALSE(ProgressFile(directory / "link").make().ok());
  EXPECT_FALSE(fs::exists(directory / "target")) << "nothing is made behind a link";
  EXPECT_FALSE(ProgressFile(directory / "nowhere/progress").make().ok());
}

TEST_F(ProgressFileTest, WhatWasAppendedIsReadOnce) {
  EXPECT_FALSE(file.look()) << "it was not made";
  ASSERT_TRUE(file.make().ok());
  EXPECT_FALSE(file.look());
  append("progress 1 3\n");
  EXPECT_TRUE(file.look());
  EXPECT_EQ(file.lines().said(), counted(1, 3));
  EXPECT_FALSE(file.look());
  append("progress 2");
  EXPECT_FALSE(file.look());
  append(" 3\nprog");
  EXPECT_TRUE(file.look());
  EXPECT_EQ(file.lines().said(), counted(2, 3));
  append("ress 2 3\n");
  EXPECT_TRUE(file.look()) << "the same again is a sign, too";
  append("nonsense\n");
  EXPECT_FALSE(file.look());
  EXPECT_TRUE(file.lines().wrong().starts_with("line 4: ")) << file.lines().wrong();
}

TEST_F(ProgressFileTest, BegunAnewItIsReadFromItsBeginning) {
  ASSERT_TRUE(file.make().ok());
  append("progress 1 3 with some words\nprogress 2");
  EXPECT_TRUE(file.look());
  rewrite("progress 3 3\n");
  EXPECT_TRUE(file.look());
  EXPECT_EQ(file.lines().said(), counted(3, 3));
  rewrite("");
  EXPECT_FALSE(file.look());
  append("progress 1 4\n");
  EXPECT_TRUE(file.look());
  EXPECT_EQ(file.lines().said(), counted(1, 4));
  EXPECT_EQ(file.lines().wrong(), "");
}

TEST_F(ProgressFileTest, WhatIsNoFileAnyMoreIsNotRead) {
  struct Case {
    const char* name;
    std::function<void()> replace;
  };
  const auto other = directory.write("other", "progress 9 9 of another file\nprogress 9 9\n");
  const Case cases[] = {
      {"nothing", [] {}},
      {"a FIFO", [&] { ASSERT_EQ(mkfifo(path.c_str(), 0600), 0); }},
      {"a link", [&] { fs::create_symlink(other, path); }},
      {"a link to itself", [&] { fs::create_symlink(path, path); }},
      {"a directory", [&] { fs::create_directories(path / "below"); }},
  };
  for (const auto& c : cases) {
    ProgressFile one(path);
    fs::remove_all(path);
    ASSERT_TRUE(one.make().ok()) << c.name;
    append("progress 1 3\n");
    ASSERT_TRUE(one.look()) << c.name;
    fs::remove_all(path);
    c.replace();
    EXPECT_FALSE(one.look()) << c.name;
    EXPECT_FALSE(one.look()) << c.name;
    EXPECT_EQ(one.lines().said(), counted(1, 3)) << c.name;
    EXPECT_EQ(one.lines().wrong(), "") << c.name;
  }
}

TEST_F(ProgressFileTest, OfMuchAtOnceTheEndCounts) {
  ASSERT_TRUE(file.make().ok());
  append("progress 1 9999\n");
  ASSERT_TRUE(file.look());
  std::string much = "nonsense\n";
  for (int i = 2; much.size() < (200U << 10); ++i) much += "progress " + std::to_string(i) + " 99999 some more words\n";
  append(much + "progress 99998 99999\n");
  EXPECT_TRUE(file.look());
  EXPECT_EQ(file.lines().said(), counted(99998, 99999));
  EXPECT_EQ(file.lines().wrong(), "") << "a line that was cut is not wrong";
  EXPECT_FALSE(file.look());
  append("progress 99999 99999\n");
  EXPECT_TRUE(file.look());
  EXPECT_EQ(file.lines().said(), counted(99999, 99999));
}

}  // namespace
}  // namespace fieldwork::agent
