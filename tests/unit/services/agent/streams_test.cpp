// links: agent_shell GTest::gtest_main
// What a program writes: told to whoever follows, kept for its result, kept whole in a file.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "agent/limits.hpp"
#include "agent/shell/streams.hpp"
#include "model/limits.hpp"
#include "support/temp_dir.hpp"

namespace fieldwork::agent {
namespace {
namespace fs = std::filesystem;

using Words = std::vector<std::string>;

constexpr std::int64_t s = 1'000'000;  // times are in microseconds
constexpr std::int64_t t0 = 5'000 * s;
constexpr std::int64_t at_once = told_at_once_bytes_max, per_s = told_bytes_per_s_max;

struct Follower {
  explicit Follower(const RunLimits& limits = {}, const std::array<fs::path, 2>& files = {})
      : streams(limits, files, [this](Told one) {
          if (takes) told.push_back(std::move(one));
          return takes;
        }) {}

  // What was told since the last call, as "stdout begin after 2: text".
  Words said() {
    Words out;
    for (const auto& one : std::exchange(told, {})) {
      out.push_back(std::string(one.stream) + (one.begin ? " begin" : "") +
                    (one.dropped > 0 ? " after " + std::to_string(one.dropped) : "") + ": " + one.text);
    }
    return out;
  }
  [[nodiscard]] std::string text() const {
    std::string out;
    for (const auto& one : told) out += one.text;
    return out;
  }
  [[nodiscard]] std::int64_t lines() const {
    const auto all = text();
    return std::count(all.begin(), all.end(), '\n');
  }
  [[nodiscard]] std::int64_t dropped() const {
    std::int64_t out = 0;
    for (const auto& one : told) out += one.dropped;
    return out;
  }
  [[nodiscard]] RunResult result() const {
    RunResult out;
    streams.fill(out);
    return out;
  }

  bool takes = true;
  std::vector<Told> told;
  Streams streams;
};

std::string line_of(std::size_t bytes) { return std::string(bytes - 1, 'x') + "\n"; }

TEST(Following, NothingIsToldWhileNobodyDoes) {
  Follower one;
  one.streams.add(0, "a\nhalf", t0);
  one.streams.add(1, line_of(20'000), t0 + s);
  one.streams.finish(t0 + 2 * s);
  EXPECT_EQ(one.said(), Words{});
  Streams nowhere({}, {}, {});
  nowhere.add(0, "a\n", t0);
  nowhere.follow(t0 + 10 * s, true, t0);
  nowhere.add(0, "b\n", t0);
  nowhere.finish(t0);
  RunResult result;
  nowhere.fill(result);
  EXPECT_EQ(result.stdout_text, "a\nb\n") << "nobody can follow, and nothing is lost";
}

TEST(Following, TheEndOfWhatWasWrittenComesFirst) {
  for (const bool begin : {true, false}) {
    Follower one;
    one.streams.add(0, "a\nb\nha", t0);
    one.streams.add(0, "lf", t0);
    one.streams.add(1, "e\n", t0);
    one.streams.follow(t0 + 60 * s, begin, t0 + s);
    EXPECT_EQ(one.said(), begin ? (Words{"stdout begin: a\nb\n", "stderr begin: e\n"}) : Words{});
    one.streams.add(0, " a line\nc\n", t0 + 2 * s);
    one.streams.add(1, "f\n", t0 + 2 * s);
    EXPECT_EQ(one.said(), (Words{"stdout: half a line\nc\n", "stderr: f\n"}));
    one.streams.follow(t0 + 60 * s, true, t0 + 3 * s);
    EXPECT_EQ(one.said(), (Words{"stdout begin: a\nb\nhalf a line\nc\n", "stderr begin: e\nf\n"})) << "who asks again";
  }
  Follower quiet;
  quiet.streams.follow(t0 + 60 * s, true, t0);
  EXPECT_EQ(quiet.said(), Words{}) << "nothing was written";
}

TEST(Following, OfMuchThatWasWrittenTheLastWholeLinesAreTold) {
  struct Case {
    int lines;
    std::int64_t output_bytes;
    std::size_t told_min;
  };
  const auto most = told_begin_bytes_max;
  const Case cases[] = {{3, 65536, 60}, {409, 65536, 8180}, {410, 65536, most - 40},    {2000, 65536, most - 40},
                        {3, 30, 0},     {100, 200, 60},     {20'000, 65536, most - 40}, {20'000, 8192, 4096 - 40}};
  for (const auto& c : cases) {
    SCOPED_TRACE(std::to_string(c.lines) + " lines, " + std::to_string(c.output_bytes) + " bytes kept");
    Follower one({.output_bytes = c.output_bytes});
    std::string all;
    for (int i = 0; i < c.lines; ++i) {
      const auto number = std::to_string(i);
      const auto line = "line " + std::string(14 - number.size(), '0') + number + "\n";  // of 20 bytes
      one.streams.add(0, line, t0);
      all += line;
    }
    one.streams.add(0, "half", t0);
    one.streams.follow(t0 + 60 * s, true, t0);
    const auto text = one.text();
    EXPECT_LE(text.size(), most);
    EXPECT_GE(text.size(), c.told_min);
    EXPECT_TRUE(all.ends_with(text)) << text.substr(0, 100);
    EXPECT_TRUE(text.empty() || text.starts_with("line ")) << text.substr(0, 100);
    for (const auto& told : one.told) EXPECT_TRUE(told.begin);
  }
}

TEST(Following, PiecesWithoutALineEndAreCompleted) {
  Follower one;
  one.streams.follow(t0 + 60 * s, false, t0);
  one.streams.add(0, "wor", t0);
  one.streams.add(1, "err", t0);
  one.streams.add(0, "ki", t0);
  EXPECT_EQ(one.said(), Words{});
  one.streams.add(0, "ng\nno", t0);
  EXPECT_EQ(one.said(), Words{"stdout: working\n"});
  one.streams.add(1, "or\n", t0);
  EXPECT_EQ(one.said(), Words{"stderr: error\n"});
  one.streams.add(0, " end", t0);
  one.streams.finish(t0);
  EXPECT_EQ(one.said(), Words{"stdout: no end"});
}

TEST(Following, ALongLineGoesInPieces) {
  constexpr std::size_t line_bytes = 20'000;
  for (const std::size_t bytes : {std::size_t{100}, std::size_t{1000}, std::size_t{4096}, line_bytes + 1}) {
    Follower one;
    one.streams.follow(t0 + 60 * s, false, t0);
    const auto line = line_of(line_bytes) + "next\n";
    for (std::size_t at = 0; at < line.size(); at += bytes) one.streams.add(0, line.substr(at, bytes), t0);
    EXPECT_TRUE(one.text() == line) << bytes;
    EXPECT_EQ(one.dropped(), 0) << bytes;
    EXPECT_GE(one.told.size(), line_bytes / (told_line_bytes_max + std::min(bytes, told_line_bytes_max))) << bytes;
    EXPECT_GT(one.told.size(), 1U) << bytes;
    ASSERT_FALSE(one.told.empty());
    EXPECT_LT(one.told.front().text.size(), line_bytes) << bytes << ": it does not wait for the line's end";
  }
}

// A message has room for so much text; whoever encodes it cuts what is longer, and nobody counts that.
TEST(Following, APieceFitsAMessage) {
  struct Case {
    const char* name;
    std::string text;
  };
  std::string lines;
  while (lines.size() <= 60'000) lines += line_of(100);
  const Case cases[] = {{"lines", lines}, {"one line", line_of(60'000)}, {"no line", std::string(60'000, 'x')}};
  for (const auto& c : cases) {
    Follower one;
    one.streams.follow(t0 + 60 * s, false, t0);
    one.streams.add(0, c.text, t0);
    EXPECT_TRUE(one.text() == c.text) << c.name << ": it is in hand";
    for (const auto& told : one.told) EXPECT_LE(told.text.size(), limits::log_text_bytes_max) << c.name;
  }
}

// What is beyond is dropped, not what fits.
TEST(Following, OfMoreThanIsInHandTheBeginningIsTold) {
  Follower one;
  one.streams.follow(t0 + 3600 * s, false, t0);
  std::string lines;
  while (lines.size() < 2 * static_cast<std::size_t>(at_once)) lines += line_of(128);
  const auto count = std::count(lines.begin(), lines.end(), '\n');
  one.streams.add(0, lines, t0);
  EXPECT_GT(one.lines(), 0);
  EXPECT_LE(one.text().size(), static_cast<std::size_t>(at_once));
  one.streams.add(0, "end\n", t0 + 60 * s);
  EXPECT_EQ(one.lines() + one.dropped(), count + 1) << "each line is told or counted";
}

TEST(Following, WhatIsBeyondTheBudgetIsCounted) {
  const auto line = line_of(1024);
  constexpr auto cost = 1024 + told_around_bytes;  // what is around a text counts, too
  Follower one;
  const auto add = [&](std::size_t stream, int lines, std::int64_t now) {
    for (int i = 0; i < lines; ++i) one.streams.add(stream, line, now);
    const auto told = std::exchange(one.told, {});
    const std::int64_t dropped = told.empty() ? 0 : told.front().dropped;
    for (std::size_t i = 1; i < told.size(); ++i) EXPECT_EQ(told[i].dropped, 0) << "each is counted once";
    return std::pair(static_cast<std::int64_t>(told.size()), dropped);
  };
  using Pair = std::pair<std::int64_t, std::int64_t>;  // lines told, lines dropped before the first of them
  one.streams.follow(t0 + 8000 * s, false, t0);
  EXPECT_EQ(add(0, 100, t0), Pair(at_once / cost, 0));
  EXPECT_EQ(add(1, 5, t0), Pair(0, 0)) << "both streams have one budget";
  EXPECT_EQ(add(0, 20, t0 + s), Pair(per_s / cost, 100 - at_once / cost));
  EXPECT_EQ(add(0, 1, t0 + 2 * s), Pair(1, 20 - per_s / cost));
  EXPECT_EQ(add(1, 1, t0 + 2 * s), Pair(1, 5)) << "each stream has its own count";
  EXPECT_EQ(add(0, 1, t0 + 2 * s), Pair(1, 0));
  EXPECT_EQ(add(0, 100, t0 + 7000 * s), Pair(at_once / cost, 0)) << "no more is saved up";
}

// A program that writes a little very often has the same budget.
TEST(Following, TheBudgetGrowsHoweverOftenItIsLookedAt) {
  Follower one;
  one.streams.follow(t0 + 60 * s, false, t0);
  const auto line = line_of(64);
  std::int64_t told = 0;
  for (std::int64_t now = t0; now <= t0 + 3 * s; now += 50) {
    one.streams.add(0, line, now);
    told += static_cast<std::int64_t>(one.text().size() + one.told.size() * told_around_bytes);
    one.told.clear();
  }
  EXPECT_GE(told, at_once + 2 * per_s);
  EXPECT_LE(told, at_once + 3 * per_s);
}

TEST(Following, WhatWasNotSentIsCounted) {
  Follower one;
  one.streams.follow(t0 + 60 * s, false, t0);
  one.takes = false;
  one.streams.add(0, "a\nb\nc\n", t0);
  one.streams.add(0, "d\n", t0);
  one.streams.add(1, "e\n", t0);
  one.takes = true;
  one.streams.add(0, "f\n", t0);
  one.streams.add(0, "g\n", t0);
  one.streams.add(1, "h\n", t0);
  EXPECT_EQ(one.said(), (Words{"stdout after 4: f\n", "stdout: g\n", "stderr after 1: h\n"}));
}

TEST(Following, EndsAtItsTime) {
  Follower one;
  one.streams.follow(t0 + 10 * s, false, t0);
  one.streams.add(0, "a\n", t0 + 10 * s - 1);
  EXPECT_EQ(one.said(), Words{"stdout: a\n"});
  one.streams.add(0, "b\nc", t0 + 10 * s);
  one.streams.add(0, "d\n", t0 + 20 * s);
  EXPECT_EQ(one.said(), Words{});
  one.streams.follow(t0 + 40 * s, false, t0 + 30 * s);
  one.streams.add(0, "e\n", t0 + 31 * s);
  EXPECT_EQ(one.said(), Words{"stdout: e\n"}) << "what nobody asked for was not dropped";
  one.streams.follow(t0 + 60 * s, false, t0 + 39 * s);
  one.streams.add(0, "f\n", t0 + 50 * s);
  EXPECT_EQ(one.said(), Words{"stdout: f\n"}) << "who goes on looking asks again";
}

TEST(Kept, BeginningAndEndForTheResult) {
  for (const bool followed : {false, true}) {
    Follower one({.output_bytes = 5});
    if (followed) one.streams.follow(t0 + 60 * s, true, t0);
    for (const char c : std::string("abcdefghij")) one.streams.add(0, {&c, 1}, t0);
    one.streams.add(1, "12345", t0);
    one.streams.finish(t0);
    const auto result = one.result();
    EXPECT_EQ(result.stdout_text, "abcij");
    EXPECT_EQ(result.stdout_cut_bytes, 5);
    EXPECT_EQ(result.stderr_text, "12345");
    EXPECT_EQ(result.stderr_cut_bytes, 0);
    EXPECT_TRUE(result.truncated);
  }
  Follower whole({.output_bytes = 5});
  whole.streams.add(0, "abcde", t0);
  EXPECT_FALSE(whole.result().truncated);
}

TEST(KeptLogs, AreWholeUpToTheirBytes) {
  const support::TempDir directory;
  std::string all;
  for (int i = 0; all.size() < (1U << 20); ++i) all += "line " + std::to_string(i) + std::string("\0\xff\r\n", 4);
  struct Case {
    const char* name;
    std::int64_t bytes_max;
    std::int64_t missing;
  };
  const auto size = static_cast<std::int64_t>(all.size());
  const Case cases[] = {
      {"more room", size + 1, 0}, {"just full", size, 0}, {"one too many", size - 1, 1}, {"little", 10, size - 10}};
  for (const auto& c : cases) {
    KeptLog log(directory / c.name, c.bytes_max);
    for (std::size_t at = 0, piece = 1; at < all.size(); at += piece, piece = piece * 7 % 9001 + 1)
      log.add(std::string_view(all).substr(at, piece));
    log.finish();
    EXPECT_EQ(log.wrong(), "") << c.name;
    const auto kept = directory.read(c.name);
    const auto whole = std::min<std::size_t>(all.size(), static_cast<std::size_t>(c.bytes_max));
    ASSERT_GE(kept.size(), whole) << c.name;
    EXPECT_TRUE(kept.compare(0, whole, all, 0, whole) == 0) << c.name;
    const auto rest = kept.substr(whole);
    if (c.missing == 0) {
      EXPECT_EQ(rest, "") << c.name;
    } else {
      EXPECT_NE(rest.find(std::to_string(c.missing) + " "), std::string::npos) << c.name << rest;
      EXPECT_TRUE(rest.starts_with("\n") && rest.ends_with("\n")) << c.name << ": a line of its own";
    }
  }
}

TEST(KeptLogs, OfAProgramThatWroteNothingAreEmpty) {
  const support::TempDir directory;
  {
    KeptLog log(directory / "a", 10);
    log.finish();
    EXPECT_EQ(log.wrong(), "");
    KeptLog unfinished(directory / "b", 10);
    unfinished.add("b");
    KeptLog nowhere({}, 10);
    nowhere.add("c");
    nowhere.finish();
    EXPECT_EQ(nowhere.wrong(), "");
  }
  EXPECT_TRUE(fs::exists(directory / "a"));
  EXPECT_EQ(directory.read("a"), "");
  EXPECT_EQ(directory.read("b"), "b");
}

TEST(KeptLogs, ThatCannotBeWrittenSayWhy) {
  const support::TempDir directory;
  directory.write("target", "theirs");
  fs::create_directories(directory / "directory");
  fs::create_symlink(directory / "target", directory / "link");
  for (const char* name : {"nowhere/log", "directory", "link"}) {
    for (const bool empty : {false, true}) {
      KeptLog log(directory / name, 100);
      if (!empty) log.add("text\n");
      if (!empty) log.add("more\n");
      log.finish();
      EXPECT_NE(log.wrong(), "") << name;
    }
  }
  EXPECT_EQ(directory.read("target"), "theirs") << "nothing is written through a link";
}

TEST(KeptLogs, OfBothStreams) {
  const support::TempDir directory;
  {
    Follower one({.output_bytes = 4, .log_bytes = 100}, {directory / "out", directory / "err"});
    one.streams.add(0, "abcdefgh", t0);
    one.streams.add(1, "e\n", t0);
    one.streams.add(0, "ij\n", t0);
    one.streams.finish(t0);
    EXPECT_EQ(directory.read("out"), "abcdefghij\n") << "whatever its result keeps";
    EXPECT_EQ(directory.read("err"), "e\n");
    EXPECT_EQ(one.streams.wrong(), "");
  }
  Follower two({.log_bytes = 100}, {directory / "other", directory / "nowhere/err"});
  two.streams.add(0, "b\n", t0);
  two.streams.add(1, "f\n", t0);
  two.streams.finish(t0);
  EXPECT_EQ(directory.read("other"), "b\n");
  EXPECT_NE(two.streams.wrong().find("stderr.log"), std::string::npos) << two.streams.wrong();
  EXPECT_EQ(two.streams.wrong().find("stdout.log"), std::string::npos) << two.streams.wrong();
  EXPECT_EQ(two.result().stderr_text, "f\n") << "its result has it all the same";
}

}  // namespace
}  // namespace fieldwork::agent
