// links: cli_lib GTest::gtest_main
// What people type, and the files that they write.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/suggest.hpp"
#include "document.hpp"
#include "output.hpp"
#include "words.hpp"

namespace fieldwork::cli {
namespace {

using Words = std::vector<std::string>;

const Grammar grammar{"fieldwork",
                      {"--json", "--help", "-h", "-v"},
                      {"--config", "-c", "--set"},
                      {{"run", {"--wait"}, {"--request"}, {}},
                       {"job", {}, {}, {{"ls", {}, {"--state"}, {}}, {"show", {}, {}, {}}, {"explain", {}, {}, {}}}}}};

TEST(CliWords, WhatIsUnknownIsNamedWithWhatWasMeant) {
  struct {
    Words words;
    const char* sentence;  // "-": all is known
    Words level;
  } const cases[] = {
      {{"run", "job.json", "--wait"}, "-", {}},
      {{"--config", "rnu", "run", "x"}, "-", {}},
      {{"--config=rnu", "job", "ls", "--state", "nonsense"}, "-", {}},
      {{"-cFILE", "job", "show", "j"}, "-", {}},
      {{"run", "--", "--wiat"}, "-", {}},
      {{"job", "--help"}, "-", {}},
      {{"rnu", "x"}, "there is no command 'fieldwork rnu'. Did you mean 'run'?", {}},
      {{"--json", "jobs"}, "there is no command 'fieldwork jobs'. Did you mean 'job'?", {}},
      {{"job", "list"}, "there is no command 'fieldwork job list'. Did you mean 'ls'?", {"job"}},
      {{"zebra"}, "there is no command 'fieldwork zebra'", {}},
      {{"run", "x", "--wiat"}, "there is no option '--wiat'. Did you mean '--wait'?", {"run"}},
      {{"run", "x", "--requets=1"}, "there is no option '--requets'. Did you mean '--request'?", {"run"}},
      {{}, "", {}},
      {{"job"}, "", {"job"}},
      {{"job", "--json"}, "", {"job"}},
  };
  for (const auto& c : cases) {
    const auto unknown = unknown_word(grammar, c.words);
    EXPECT_EQ(unknown ? unknown->sentence : "-", c.sentence);
    EXPECT_EQ(unknown ? unknown->level : Words{}, c.level) << c.sentence;
  }
}

TEST(CliWords, HabitsAreUnderstood) {
  EXPECT_EQ(as_meant({"help"}), Words{"--help"});
  EXPECT_EQ(as_meant({"help", "job", "ls"}), (Words{"job", "ls", "--help"}));
  EXPECT_EQ(as_meant({"version"}), Words{"--version"});
  EXPECT_EQ(as_meant({"run", "help"}), (Words{"run", "help"}));
  EXPECT_EQ(as_meant({}), Words{});
}

TEST(Suggest, Distances) {
  EXPECT_EQ(typing_distance("comand", "command"), 1U);
  EXPECT_EQ(typing_distance("wiat", "wait"), 1U) << "two letters swapped";
  EXPECT_EQ(typing_distance("WAIT", "wait"), 0U);
  const Words names{"command", "requirements", "memory_bytes"};
  EXPECT_EQ(closest("requirement", names), "requirements");
  EXPECT_EQ(closest("memory", names), "memory_bytes");
  EXPECT_EQ(closest("cmd", names), "command");
  EXPECT_EQ(closest("list", Words{"show", "ls"}), "ls");
  EXPECT_EQ(closest("x", Words{"a"}), "");
  EXPECT_EQ(closest("gpu", names), "");
  EXPECT_EQ(closest(std::string(100'000, 'a'), names), "");
}

// --- files --------------------------------------------------------------------------------------------------------

class CliDocument : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "fieldwork-document-XXXXXX").string();
    place_ = mkdtemp(name.data());
  }
  void TearDown() override { std::filesystem::remove_all(place_); }
  // The reason without the directory.
  std::string reason(const std::string& text) {
    std::ofstream(place_ / "job.json", std::ios::binary) << text;
    const auto read = read_document((place_ / "job.json").string());
    if (read) return "";
    EXPECT_EQ(read.failure().exit, Exit::usage);
    return read.failure().reason.substr(place_.string().size() + 1);
  }
  std::filesystem::path place_;
};

TEST_F(CliDocument, WhatIsNoJsonIsNamedAsWhatItIs) {
  EXPECT_EQ(reason(R"({"command":["a"]})"), "");
  EXPECT_EQ(reason(""), "job.json: not JSON: it is empty");
  EXPECT_EQ(reason("{\n  \"command\": [\"true\"],\n  \"retry\": {\"attempts_max\": 3,}\n}\n").substr(0, 45),
            "job.json: not JSON: line 3, column 31: while ");
  EXPECT_NE(reason("# a job\n[broker]\nurl = \"x\"\n").find("looks like TOML"), std::string::npos);
  EXPECT_NE(reason("name = \"x\"\n").find("looks like TOML"), std::string::npos);
  EXPECT_NE(reason("---\nname: x\n").find("looks like YAML"), std::string::npos);
  EXPECT_EQ(reason("{'a': 1}").find("looks like"), std::string::npos);
  EXPECT_EQ(reason(R"({"a":1,"a":2})"), "job.json: the field \"a\" stands twice in one object");
  EXPECT_EQ(read_document(place_.string()).failure().reason, place_.string() + ": is a directory");
  EXPECT_EQ(read_document("/nonexistent/a").failure().reason,
            "/nonexistent/a: cannot be read: No such file or directory");
}

TEST_F(CliDocument, ADashIsStandardInput) {
  std::ofstream(place_ / "job.json") << R"({"command":["ls"]})";
  const int before = dup(STDIN_FILENO);
  const int file = open((place_ / "job.json").c_str(), O_RDONLY);
  ASSERT_EQ(dup2(file, STDIN_FILENO), STDIN_FILENO);
  auto read = read_document("-");
  std::ofstream(place_ / "job.json") << "{";
  dup2(file, STDIN_FILENO);
  const auto bad = read_document("-");
  dup2(before, STDIN_FILENO);
  close(before);
  close(file);
  ASSERT_TRUE(read) << read.failure().reason;
  EXPECT_EQ(read->at("command").size(), 1U);
  ASSERT_FALSE(bad);
  EXPECT_TRUE(bad.failure().reason.starts_with("standard input: not JSON")) << bad.failure().reason;
}

// --- what is shown ------------------------------------------------------------------------------------------------

TEST(CliColumns, WideAndCombiningCharactersAreCountedAsTheyAreDrawn) {
  Table table({"NAME", "STATE"});
  table.add({"温度", "ok"});
  table.add({"e\xcc\x81t\xc3\xa9", "ok"});  // one é of two characters, one of one
  table.add({"a\xff", "ok"});
  EXPECT_EQ(table.text(),
            "NAME  STATE\n"
            "温度  ok\n"
            "e\xcc\x81t\xc3\xa9   ok\n"
            "a\xff    ok\n");
}

TEST(CliColumns, ADumbTerminalGetsNoControls) {
  EXPECT_TRUE(redraws(true, "xterm"));
  for (const auto* kind : {"dumb", "", static_cast<const char*>(nullptr)}) EXPECT_FALSE(redraws(true, kind));
  EXPECT_FALSE(redraws(false, "xterm"));
}

TEST(CliEnd, AFullDiskUnderStdoutIsAFailure) {
  EXPECT_EQ(flushed(0), 0);
  EXPECT_EXIT(
      {
        if (std::freopen("/dev/full", "w", stdout) == nullptr) std::exit(99);
        print("a\n");
        std::exit(flushed(0));
      },
      testing::ExitedWithCode(1), "cannot write to stdout: No space left on device");
}

}  // namespace
}  // namespace fieldwork::cli
