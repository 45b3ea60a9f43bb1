// links: agent_shell GTest::gtest_main Threads::Threads
// Programs as the agent runs them, against the real kernel.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "agent/shell/process.hpp"

namespace fieldwork::agent {
namespace {

class Place : public ::testing::Test {
 protected:
  Place() {
    std::string name = (std::filesystem::temp_directory_path() / "fieldwork-process-XXXXXX").string();
    directory = mkdtemp(name.data());
  }
  ~Place() override { std::filesystem::remove_all(directory); }

  [[nodiscard]] Command command(std::vector<std::string> words) const {
    return {
        .command = std::move(words), .directory = directory.string(), .limits = {.time_s = 30, .output_bytes = 65536}};
  }
  [[nodiscard]] Command shell(const std::string& script) const { return command({"/bin/sh", "-c", script}); }
  [[nodiscard]] bool exists(const char* file) const { return std::filesystem::exists(directory / file); }
  static Ended run(const Command& command) {
    Process process;
    auto ended = process.run(command, {});
    EXPECT_TRUE(ended.ok()) << describe(ended.error());
    return ended ? *ended : Ended{};
  }

  std::filesystem::path directory;
};

struct EndCase {
  const char* name;
  const char* script;
  RunResult result;
  const char* reason = "";
};

using ProcessTest = Place;

TEST_F(ProcessTest, HowItEnds) {
  const EndCase cases[] = {
      {.name = "good", .script = "exit 0", .result = {}},
      {.name = "exit code", .script = "exit 42", .result = {.exit_code = 42}},
      {.name = "both streams",
       .script = "echo out; echo err >&2",
       .result = {.stdout_text = "out\n", .stderr_text = "err\n"}},
      {.name = "signal",
       .script = "kill -9 $$",
       .result = {.exit_code = -1, .signal = 9},
       .reason = "ended by signal 9"},
      {.name = "NUL", .script = "printf 'a\\000b'", .result = {.stdout_text = "a b"}},
      {.name = "standard input is empty", .script = "cat", .result = {}},
      {.name = "shuts its streams and goes on",
       .script = "exec >&- 2>&-; sleep 0.1; exit 5",
       .result = {.exit_code = 5}},
  };
  for (const auto& c : cases) {
    auto one = shell(c.script);
    // In its own PID namespace a program is process 1, which its own signals do not end.
    if (std::string(c.name) == "signal") one = shell("sh -c 'kill -9 $$'; exit 137");
    auto ended = run(one);
    ended.result.elapsed_ms = 0;
    if (std::string(c.name) == "signal") {
      EXPECT_EQ(ended.result.exit_code, 137) << c.name;
      continue;
    }
    EXPECT_EQ(ended.result, c.result) << c.name << ": " << ended.result.stderr_text;
    EXPECT_EQ(ended.reason, c.reason) << c.name;
  }
}

TEST_F(ProcessTest, OutputIsCutAtTheLimit) {
  auto one = shell("printf 12345; printf abcdefghij >&2");
  one.limits.output_bytes = 5;
  const auto ended = run(one);
  EXPECT_EQ(ended.result.stdout_text, "12345");
  EXPECT_EQ(ended.result.stderr_text, "abcde");
  EXPECT_TRUE(ended.result.truncated);
  one = shell("printf 12345");
  one.limits.output_bytes = 5;
  EXPECT_FALSE(run(one).result.truncated) << "just full";
  one = shell("head -c 10000000 /dev/zero; exit 3");
  one.limits.output_bytes = 1;
  EXPECT_EQ(run(one).result.exit_code, 3) << "what is not kept is still read";
}

TEST_F(ProcessTest, LinesAreLoggedAsTheyCome) {
  Process process;
  std::string out, err;
  const auto log = [&](std::string_view stream, std::string text) { (stream == "stdout" ? out : err) += text; };
  ASSERT_TRUE(process.run(shell("echo a; echo b; echo c >&2"), log).ok());
  EXPECT_EQ(out, "a\nb\n");
  EXPECT_EQ(err, "c\n");
}

TEST_F(ProcessTest, TimeLimitKillsTheGroup) {
  auto one = shell("(sleep 30; touch late) & echo begun; sleep 30");
  one.limits.time_s = 1;
  const auto ended = run(one);
  EXPECT_EQ(ended.reason, "time limit of 1 s");
  EXPECT_EQ(ended.result.stdout_text, "begun\n");
  EXPECT_EQ(ended.result.signal, SIGKILL);
}

TEST_F(ProcessTest, TimeLimitKillsWhoLeftTheGroup) {
  if (!pid_namespaces_work()) GTEST_SKIP() << "no PID namespaces here";
  // The child holds the pipes: had it survived, the run would wait for it.
  auto one = shell("setsid sh -c 'echo $$ > child; sleep 30; touch late' & sleep 30");
  one.limits.time_s = 1;
  const auto ended = run(one);
  EXPECT_EQ(ended.reason, "time limit of 1 s");
  EXPECT_TRUE(exists("child"));
  EXPECT_LT(ended.result.elapsed_ms, 25'000);
}

TEST_F(ProcessTest, TimeLimitHoldsForAProgramThatShutItsStreams) {
  auto one = shell("exec >&- 2>&-; sleep 30");
  one.limits.time_s = 1;
  EXPECT_EQ(run(one).reason, "time limit of 1 s");
}

TEST_F(ProcessTest, ChildrenDoNotOutliveIt) {
  const auto ended = run(shell("sleep 30 >/dev/null 2>&1 & echo $!"));
  EXPECT_EQ(ended.result.exit_code, 0);
  EXPECT_LT(ended.result.elapsed_ms, 25'000);
}

TEST_F(ProcessTest, KillFromAnotherThread) {
  Process process;
  std::thread other;
  const auto ended = process.run(shell("echo begun; sleep 30"), [&](std::string_view, const std::string&) {
    other = std::thread([&] { process.kill(); });  // once it runs
  });
  other.join();
  ASSERT_TRUE(ended.ok());
  EXPECT_EQ(ended->reason, "killed");
  EXPECT_EQ(ended->result.stdout_text, "begun\n");
}

TEST_F(ProcessTest, KillBeforeStartsNothing) {
  Process process;
  process.kill();
  const auto ended = process.run(shell("touch ran"), {});
  ASSERT_TRUE(ended.ok());
  EXPECT_EQ(ended->reason, "killed");
  EXPECT_FALSE(exists("ran"));
}

TEST_F(ProcessTest, WhatCannotBeStartedIsAnError) {
  std::ofstream(directory / "plain") << "text";
  std::vector<Command> cases{command({"no-such-program"}), command({"./no-such-program"}), command({"./plain"})};
  cases.push_back(shell("true"));
  cases.back().directory = (directory / "nowhere").string();
  for (const auto& one : cases) {
    Process process;
    const auto ended = process.run(one, {});
    ASSERT_FALSE(ended.ok()) << one.command.front();
    EXPECT_EQ(ended.error().path, "command");
    EXPECT_NE(ended.error().reason.find("cannot start"), std::string::npos);
  }
}

TEST_F(ProcessTest, EnvironmentIsOnlyWhatIsGiven) {
  setenv("FIELDWORK_SECRET", "x", 1);
  auto one = command({"/usr/bin/env"});
  one.env = {{"K", "V w"}, {"LANG", "de"}};
  EXPECT_EQ(run(one).result.stdout_text,
            "HOME=" + directory.string() + "\nK=V w\nLANG=de\nPATH=/usr/local/bin:/usr/bin:/bin\n");
}

TEST_F(ProcessTest, NoShellExpands) {
  EXPECT_EQ(run(command({"echo", "$HOME", "*", "; touch ran", "`id`"})).result.stdout_text,
            "$HOME * ; touch ran `id`\n");
  EXPECT_FALSE(exists("ran"));
}

TEST_F(ProcessTest, ProgramIsTakenFromTheDirectoryFirst) {
  std::ofstream(directory / "echo") << "#!/bin/sh\nprintf mine\n";
  std::filesystem::permissions(directory / "echo", std::filesystem::perms::owner_all);
  EXPECT_EQ(run(command({"echo", "x"})).result.stdout_text, "mine");
  EXPECT_EQ(run(command({"./echo", "x"})).result.stdout_text, "mine");
  EXPECT_EQ(run(command({"/bin/pwd"})).result.stdout_text, std::filesystem::canonical(directory).string() + "\n");
}

}  // namespace
}  // namespace fieldwork::agent
