// links: agent_shell GTest::gtest_main Threads::Threads
// Programs as the agent runs them, against the real kernel.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>
#include <utility>

#include "agent/shell/capture.hpp"
#include "agent/shell/process.hpp"
#include "agent/shell/survivors.hpp"

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
  // Of a program that may say how far it is.
  [[nodiscard]] Command reporting(const std::string& script) const {
    auto out = shell(script);
    out.progress = directory / "progress";
    out.env["FIELDWORK_PROGRESS"] = out.progress.string();
    std::filesystem::remove(out.progress);
    return out;
  }
  // Any process whose working directory is in the test's.
  [[nodiscard]] bool somebody_is_here() const {
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      std::error_code error;
      const auto place = std::filesystem::read_symlink(entry.path() / "cwd", error);
      if (!error && place.string().starts_with(directory.string())) return true;
    }
    return false;
  }
  [[nodiscard]] bool exists(const char* file) const { return std::filesystem::exists(directory / file); }
  template <class Condition>
  static bool soon(const Condition& holds) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!holds()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      usleep(1000);
    }
    return true;
  }
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
      {.name = "its own SIGKILL",
       .script = "kill -9 $$; echo still here",
       .result = {.exit_code = -1, .signal = 9},
       .reason = "ended by signal 9"},
      {.name = "its own SIGTERM",
       .script = "echo a; kill -TERM $$; echo still here",
       .result = {.exit_code = -1, .signal = 15, .stdout_text = "a\n"},
       .reason = "ended by signal 15"},
      {.name = "abort",
       .script = "ulimit -c 0; kill -ABRT $$",
       .result = {.exit_code = -1, .signal = 6},
       .reason = "ended by signal 6"},
      {.name = "128 and more are its own", .script = "exit 137", .result = {.exit_code = 137}},
      {.name = "bytes", .script = "printf 'a\\000b\\377'", .result = {.stdout_text = std::string("a\0b\xff", 4)}},
      {.name = "standard input is empty", .script = "cat", .result = {}},
      {.name = "shuts its streams and goes on",
       .script = "exec >&- 2>&-; sleep 0.1; exit 5",
       .result = {.exit_code = 5}},
  };
  for (const auto& c : cases) {
    auto ended = run(shell(c.script));
    ended.result.elapsed_ms = 0;
    EXPECT_TRUE(std::exchange(ended.result.use, std::nullopt).has_value()) << c.name;
    EXPECT_EQ(ended.result, c.result) << c.name << ": " << ended.result.stderr_text;
    EXPECT_EQ(ended.reason, c.reason) << c.name;
  }
}

TEST_F(ProcessTest, BeginningAndEndAreKeptAtTheLimit) {
  auto one = shell("printf 12345; printf abcdefghij >&2");
  one.limits.output_bytes = 5;
  auto ended = run(one);
  EXPECT_EQ(ended.result.stdout_text, "12345") << "just full";
  EXPECT_EQ(ended.result.stdout_cut_bytes, 0);
  EXPECT_EQ(ended.result.stderr_text, "abcij");
  EXPECT_EQ(ended.result.stderr_cut_bytes, 5);
  EXPECT_TRUE(ended.result.truncated);
  one = shell("printf 12345");
  one.limits.output_bytes = 5;
  EXPECT_FALSE(run(one).result.truncated);
  one = shell("echo first; head -c 10000000 /dev/zero; echo last; exit 3");
  one.limits.output_bytes = 100;
  ended = run(one);
  EXPECT_EQ(ended.result.exit_code, 3) << "what is not kept is still read";
  EXPECT_TRUE(ended.result.stdout_text.starts_with("first\n"));
  EXPECT_TRUE(ended.result.stdout_text.ends_with("last\n"));
  EXPECT_EQ(ended.result.stdout_text.size(), 100U);
  EXPECT_EQ(ended.result.stdout_cut_bytes, 10'000'000 + 11 - 100);
  one = shell("echo x");
  one.limits.output_bytes = 0;
  ended = run(one);
  EXPECT_EQ(ended.result.stdout_text, "");
  EXPECT_EQ(ended.result.stdout_cut_bytes, 2);
}

TEST_F(ProcessTest, NoCharacterIsCutInTwo) {
  const std::string e = "\xc3\xa9";
  Capture capture(5);
  for (int i = 0; i < 9; ++i) capture.add(e);
  EXPECT_EQ(capture.kept().bytes, e + e);
  EXPECT_EQ(capture.kept().cut_bytes, 14);
  Capture binary(5);
  binary.add("\xff\xff\xc3\xff\xff\xff\xff\xff");
  EXPECT_EQ(binary.kept().bytes, "\xff\xff\xc3\xff\xff") << "what is no text stays as it is";
}

TEST_F(ProcessTest, LinesAreToldAsTheyComeWhileSomebodyFollows) {
  for (const bool followed : {true, false}) {
    Process process;
    if (followed) process.tail(std::chrono::hours(1), true);
    std::string out, err;
    const auto tell = [&](const Told& told) {
      EXPECT_FALSE(told.begin) << "nothing was written before";
      (told.stream == "stdout" ? out : err) += told.text;
      return true;
    };
    ASSERT_TRUE(process.run(shell("echo a; echo b; echo c >&2; printf d"), {.tell = tell}).ok());
    EXPECT_EQ(out, followed ? "a\nb\nd" : "");
    EXPECT_EQ(err, followed ? "c\n" : "");
  }
}

TEST_F(ProcessTest, WhoFollowsIsToldWhatWasWrittenThenTheRest) {
  Process process;
  process.tail(std::chrono::hours(1), false);
  std::vector<std::pair<bool, std::string>> said;
  std::thread other;
  const auto tell = [&](const Told& told) {
    said.emplace_back(told.begin, told.text);
    if (told.begin) std::ofstream(directory / "followed").put('x');
    // This line was read: for who asks now it was written before.
    if (!other.joinable()) other = std::thread([&] { process.tail(std::chrono::hours(1), true); });
    return true;
  };
  const auto ended = process.run(
      shell("echo before; printf half; until [ -e followed ]; do sleep 0.05; done; echo ' after'"), {.tell = tell});
  if (other.joinable()) other.join();
  ASSERT_TRUE(ended.ok());
  EXPECT_EQ(ended->reason, "");
  const std::vector<std::pair<bool, std::string>> expected{
      {false, "before\n"}, {true, "before\n"}, {false, "half after\n"}};
  EXPECT_EQ(said, expected);
}

TEST_F(ProcessTest, TimeLimitKillsTheGroup) {
  auto one = shell("(sleep 30; touch late) & echo begun; sleep 30");
  one.limits.time_s = 1;
  const auto ended = run(one);
  EXPECT_EQ(ended.reason, "time limit of 1 s");
  EXPECT_EQ(ended.result.stdout_text, "begun\n");
  EXPECT_EQ(ended.result.signal, SIGTERM);
}

TEST_F(ProcessTest, TimeLimitLetsCleanUpAndKeepsWhatWasSaid) {
  auto one = shell("trap 'echo tidy; exit 3' TERM; echo begun; while :; do sleep 0.05; done");
  one.limits.time_s = 1;
  const auto ended = run(one);
  EXPECT_EQ(ended.reason, "time limit of 1 s");
  EXPECT_EQ(ended.result.stdout_text, "begun\ntidy\n");
  EXPECT_EQ(ended.result.exit_code, 3);
}

TEST_F(ProcessTest, WhoDoesNotCareForSigtermIsKilled) {
  auto one = shell("trap '' TERM; echo begun; while :; do sleep 0.05; done");
  one.limits.time_s = 1;
  one.stop_s = 1;
  const auto ended = run(one);
  EXPECT_EQ(ended.reason, "time limit of 1 s");
  EXPECT_EQ(ended.result.stdout_text, "begun\n");
  EXPECT_EQ(ended.result.signal, SIGKILL);
  EXPECT_FALSE(somebody_is_here());
}

TEST_F(ProcessTest, CancelLetsAllOfItCleanUp) {
  Process process;
  std::thread other;
  const auto kill_it = [&](const Told&) {
    if (!other.joinable()) other = std::thread([&] { process.kill(); });
    return true;
  };
  process.tail(std::chrono::hours(1), false);
  const auto ended =
      process.run(shell("(trap 'sleep 0.2; touch tidied; exit' TERM; echo begun; while :; do sleep 0.05; done) & exec "
                        "sleep 300"),
                  {.tell = kill_it});
  other.join();
  ASSERT_TRUE(ended.ok());
  EXPECT_EQ(ended->reason, "killed");
  EXPECT_EQ(ended->result.signal, SIGTERM) << "the program's own end";
  EXPECT_TRUE(exists("tidied")) << "its child has as much time";
  EXPECT_FALSE(somebody_is_here());
}

TEST_F(ProcessTest, TimeLimitEndsWhoLeftTheGroup) {
  // The child holds the pipes: had it survived, the run would wait for it.
  auto one = shell("setsid sh -c 'echo $$ > child; sleep 300; touch late' & sleep 300");
  one.limits.time_s = 1;
  const auto ended = run(one);
  EXPECT_EQ(ended.reason, "time limit of 1 s");
  EXPECT_TRUE(exists("child"));
  EXPECT_FALSE(somebody_is_here());
}

TEST_F(ProcessTest, TimeLimitHoldsForAProgramThatShutItsStreams) {
  auto one = shell("exec >&- 2>&-; sleep 30");
  one.limits.time_s = 1;
  EXPECT_EQ(run(one).reason, "time limit of 1 s");
}

TEST_F(ProcessTest, ItsOwnEndIsTheEnd) {
  // One child in its group, one that left it and one whose parent is gone; all hold the pipes.
  const auto ended = run(
      shell("sleep 300 & setsid sleep 300 & sh -c 'setsid sleep 300 & touch orphan'; until [ -e orphan ]; do :; done; "
            "exit 4"));
  EXPECT_EQ(ended.result.exit_code, 4);
  EXPECT_EQ(ended.reason, "");
  EXPECT_FALSE(somebody_is_here());
}

TEST_F(ProcessTest, EndingItsKeeperDoesNotFreeIt) {
  const auto ended =
      run(shell("setsid sh -c 'touch child; sleep 300' & until [ -e child ]; do :; done; kill -9 $PPID; "
                "sleep 1; exit 7"));
  if (pid_namespaces_work()) {
    EXPECT_EQ(ended.result.exit_code, 7) << "process 1 takes no signal from its own namespace";
  } else {
    EXPECT_EQ(ended.reason, "its keeper was ended by somebody, and the job with it");
    EXPECT_FALSE(ended.result.use) << "nobody has counted";
  }
  EXPECT_FALSE(somebody_is_here());
}

TEST_F(ProcessTest, NoDescriptorIsInherited) {
  const int inherited = dup(0);
  ASSERT_GT(inherited, 2);
  EXPECT_EQ(run(command({"/bin/ls", "/proc/self/fd"})).result.stdout_text, "0\n1\n2\n3\n") << "3 is ls's own";
  close(inherited);
}

TEST_F(ProcessTest, AStepWithoutProgressEndsIt) {
  const std::pair<const char*, const char*> cases[] = {
      {"says nothing", "sleep 300"},
      {"said something once", "echo 'progress 1 3' >>\"$FIELDWORK_PROGRESS\"; sleep 300"},
      {"what it says is not understood", "while :; do echo '1 of 3' >>\"$FIELDWORK_PROGRESS\"; sleep 0.1; done"},
      {"its output is no progress", "while :; do echo 'progress 1 3'; sleep 0.1; done"},
      {"took its file away", "rm \"$FIELDWORK_PROGRESS\"; mkfifo \"$FIELDWORK_PROGRESS\"; sleep 300"},
  };
  for (const auto& [name, script] : cases) {
    auto one = reporting(script);
    one.limits.step_s = 1;
    const auto ended = run(one);
    EXPECT_TRUE(ended.timed_out) << name;
    EXPECT_NE(ended.reason.find("step_s"), std::string::npos) << name << ": " << ended.reason;
    EXPECT_EQ(ended.result.signal, SIGTERM) << name;
  }
  EXPECT_FALSE(somebody_is_here());
}

// It runs for longer than its step may take, by the clock that it reads itself. The same line again is a sign, too.
TEST_F(ProcessTest, WhoGoesOnReportingMayTakeLongerThanAStep) {
  auto one = reporting(
      "end=$(($(date +%s) + 7)); while [ $(date +%s) -lt $end ]; do echo 'progress 1 3' >>\"$FIELDWORK_PROGRESS\"; "
      "sleep 0.1; done; exit 6");
  one.limits.step_s = 5;
  const auto ended = run(one);
  EXPECT_EQ(ended.result.exit_code, 6);
  EXPECT_EQ(ended.reason, "");
  EXPECT_FALSE(ended.timed_out);
}

TEST_F(ProcessTest, ProgressIsToldWhenItSaysSomethingElse) {
  const auto one = reporting(
      "say() { echo \"$1\" >>\"$FIELDWORK_PROGRESS\"; }; say 'step a'; say 'progress 1 2 half'; "
      "until [ -e seen ]; do say 'progress 1 2 half'; sleep 0.05; done; say nonsense; say 'progress 2 2'");
  std::vector<RunProgress> said;
  Process process;
  const auto ended = process.run(one, {.progress = [&](const RunProgress& progress) {
                                   said.push_back(progress);
                                   if (progress.done == 1) std::ofstream(directory / "seen").put('x');
                                 }});
  ASSERT_TRUE(ended.ok());
  EXPECT_EQ(ended->reason, "") << "it was seen while it ran";
  // What it said first may have been seen between its lines.
  std::erase_if(said, [](const auto& progress) { return !progress.done; });
  const std::vector<RunProgress> expected{
      {.fraction = 0.5, .done = 1, .total = 2, .step = "a", .message = "half"},
      {.fraction = 1, .done = 2, .total = 2, .step = "a"},
  };
  EXPECT_EQ(said, expected) << "also what it said just before its end";
}

TEST_F(ProcessTest, AProgressFileThatIsThereAlreadyLetsNothingRun) {
  const auto one = reporting("touch ran");
  std::ofstream(one.progress) << "progress 1 1\n";
  Process process;
  EXPECT_FALSE(process.run(one, {}).ok());
  EXPECT_FALSE(exists("ran"));
}

TEST_F(ProcessTest, UseIsOfAllThatItStarted) {
  constexpr std::int64_t bytes = 1 << 20;
  const std::pair<const char*, const char*> cases[] = {
      {"itself", "exec head -c 1048576 /dev/zero >big"},
      {"its child", "head -c 1048576 /dev/zero >big; exit 0"},
      {"its grandchild", "sh -c 'head -c 1048576 /dev/zero >big; exit 0'; exit 0"},
      {"an orphan that left it",
       "sh -c 'setsid sh -c \"head -c 1048576 /dev/zero >big; touch written\" &'; "
       "until [ -e written ]; do sleep 0.05; done"},
      {"to its output", "head -c 1048576 /dev/zero; exit 0"},
  };
  for (const auto& [name, script] : cases) {
    std::filesystem::remove(directory / "written");
    const auto use = run(shell(script)).result.use;
    ASSERT_TRUE(use.has_value()) << name;
    EXPECT_GE(use->written_bytes, bytes) << name;
    EXPECT_GE(use->read_bytes, bytes) << name;
    EXPECT_GT(use->memory_peak_bytes, 0) << name;
  }
  const auto quiet = run(shell("exit 0")).result.use;
  ASSERT_TRUE(quiet.has_value());
  EXPECT_LT(quiet->written_bytes, bytes) << "a run has its own use, not that of the runs before";
}

TEST_F(ProcessTest, UseHasTheProcessorsTime) {
  const std::string loop = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done";
  for (const auto& script : {loop, "sh -c '" + loop + "'; exit 0"}) {
    const auto use = run(shell(script)).result.use;
    ASSERT_TRUE(use.has_value());
    EXPECT_GT(use->cpu_ms, 0) << script;
  }
  auto endless = shell("while :; do :; done");
  endless.limits.time_s = 1;
  const auto ended = run(endless);
  EXPECT_EQ(ended.reason, "time limit of 1 s");
  ASSERT_TRUE(ended.result.use.has_value()) << "also of a program that was stopped";
  EXPECT_GT(ended.result.use->cpu_ms, 0);
}

// What the agent does at its start, after it and the keepers were ended with SIGKILL.
TEST_F(ProcessTest, WhatOutlivedItsAgentIsEndedAtTheNextStart) {
  const auto work = directory / "work";
  const auto place = work / "job-0-1";
  std::filesystem::create_directories(place);
  const auto record = work / "job-0-1.run";
  auto one = shell("trap '' TERM HUP; setsid sh -c 'touch there; sleep 300' & sleep 300");
  one.directory = place.string();
  one.record = record;
  const pid_t agent = fork();
  if (agent == 0) {
    Process process;
    (void)process.run(one, {}).ok();
    _exit(0);
  }
  ASSERT_TRUE(soon([&] { return std::filesystem::exists(place / "there"); }));
  std::string boot, what;
  pid_t keeper = 0;
  std::ifstream(record) >> boot >> what >> keeper;
  ASSERT_EQ(what, "keeper");
  kill(keeper, SIGKILL);
  kill(agent, SIGKILL);
  waitpid(agent, nullptr, 0);
  const auto survivors = end_survivors(work);
  EXPECT_EQ(survivors.left, 0U);
  EXPECT_FALSE(somebody_is_here());
}

TEST_F(ProcessTest, AnAgentsEndIsItsJobsEnd) {
  const pid_t agent = fork();
  if (agent == 0) {
    Process process;
    (void)process.run(shell("trap '' TERM; setsid sh -c 'touch there; sleep 300' & sleep 300"), {}).ok();
    _exit(0);
  }
  ASSERT_TRUE(soon([&] { return exists("there"); }));
  kill(agent, SIGKILL);
  waitpid(agent, nullptr, 0);
  EXPECT_TRUE(soon([&] { return !somebody_is_here(); })) << "the keeper ends them, nobody else";
}

// The agent is frozen (SIGSTOP, a stuck disk): the contract holds all the same, also for who does not care for SIGTERM.
TEST_F(ProcessTest, TheContractHoldsForAnAgentThatStandsStill) {
  int said[2];
  ASSERT_EQ(pipe(said), 0);
  const pid_t agent = fork();
  if (agent == 0) {
    auto one = shell("trap 'touch asked' TERM; touch there; while :; do sleep 0.1; done");
    one.contract_s = 1;
    one.stop_s = 1;
    Process process;
    const auto ended = process.run(one, {});
    const char text = ended.ok() && ended->by_contract ? 'c' : '-';
    _exit(write(said[1], &text, 1) == 1 ? 0 : 1);
  }
  ASSERT_TRUE(soon([&] { return exists("there"); }));
  kill(agent, SIGSTOP);
  EXPECT_TRUE(soon([&] { return exists("asked"); }));
  EXPECT_TRUE(soon([&] { return !somebody_is_here(); }));
  kill(agent, SIGCONT);
  char heard = 0;
  EXPECT_EQ(read(said[0], &heard, 1), 1);
  EXPECT_EQ(heard, 'c') << "it learns of it when it goes on";
  waitpid(agent, nullptr, 0);
  close(said[0]);
  close(said[1]);
}

TEST_F(ProcessTest, AContractThatIsMovedOnEndsNothing) {
  auto one = shell("touch there; while ! test -e enough; do sleep 0.05; done");
  one.contract_s = 0;
  Process process;
  process.contract_ends(std::chrono::hours(1));
  std::thread other([&] {
    EXPECT_TRUE(soon([&] { return exists("there"); }));
    // Nothing happens that could be waited for: longer than contract_s and the keeper's patience together.
    std::this_thread::sleep_for(std::chrono::milliseconds(3500));
    std::ofstream(directory / "enough").put('x');
  });
  const auto ended = process.run(one, {});
  other.join();
  ASSERT_TRUE(ended.ok());
  EXPECT_EQ(ended->reason, "");
  EXPECT_FALSE(ended->by_contract);
}

TEST_F(ProcessTest, ARecordStandsOnlyWhileItRuns) {
  auto one = shell("cat ../record");
  std::filesystem::create_directories(directory / "place");
  one.directory = (directory / "place").string();
  one.record = directory / "record";
  const auto ended = run(one);
  EXPECT_NE(ended.result.stdout_text.find(" keeper "), std::string::npos) << ended.result.stderr_text;
  EXPECT_FALSE(exists("record"));
  one.record = directory / "nowhere" / "record";
  Process process;
  EXPECT_FALSE(process.run(one, {}).ok()) << "nothing runs that could not be ended at the next start";
}

TEST_F(ProcessTest, KillFromAnotherThread) {
  Process process;
  std::thread other;
  const auto kill_it = [&](const Told&) {
    if (!other.joinable()) other = std::thread([&] { process.kill(); });  // once it runs
    return true;
  };
  process.tail(std::chrono::hours(1), false);
  const auto ended = process.run(shell("echo begun; sleep 30"), {.tell = kill_it});
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

TEST_F(ProcessTest, WhatCannotBeStartedIsNamed) {
  const auto file = [&](const char* name, const std::string& content, bool executable = true) {
    std::ofstream(directory / name, std::ios::binary) << content;
    if (executable) std::filesystem::permissions(directory / name, std::filesystem::perms::owner_all);
  };
  const std::string arm("\177ELF\1\1\1\0\0\0\0\0\0\0\0\0\2\0\50\0\1\0\0\0", 24);
  file("plain", "text", false);
  file("no-first-line", "echo hi\n");
  file("empty", "");
  file("crlf", "#!/bin/sh\r\necho hi\r\n");
  file("crlf-option", "#!/bin/sh -e\r\necho hi\r\n");
  file("lost", "#!/opt/python9 -u\nprint()\n");
  file("lost-crlf", "#!/opt/python9\r\n");
  file("arm", arm);
  std::filesystem::create_directories(directory / "sub");
  struct Case {
    std::string program;
    const char* expected;
  };
  const Case cases[] = {
      {"no-such-program", "it is neither in the working directory nor in PATH (/usr/local/bin:/usr/bin:/bin)"},
      {"./no-such-program", "there is no such file in the working directory"},
      {"/no/such/program", "there is no such file"},
      {"./plain", "it is not executable"},
      {"./no-first-line", "it is neither a program nor a script whose first line names an interpreter"},
      {"./empty", "it is an empty file"},
      {"./crlf", "its first line ends in CRLF, as on Windows, so that its interpreter would be \"/bin/sh\\r\""},
      {"./lost", "its interpreter \"/opt/python9\", named in its first line, is not on this device"},
      {"./lost-crlf", "is not on this device (and its lines end in CRLF, as on Windows)"},
      {"./arm", "it is a program for another architecture (ARM, 32-bit); this device's is "},
      {"./sub", "it is a directory"},
      {"./" + std::string(3000, 'x'), "xxx...: "},
  };
  for (const auto& c : cases) {
    Process process;
    const auto ended = process.run(command({c.program}), {});
    ASSERT_FALSE(ended.ok()) << c.program;
    EXPECT_EQ(ended.error().path, "command");
    EXPECT_NE(ended.error().reason.find("cannot start "), std::string::npos) << ended.error().reason;
    EXPECT_NE(ended.error().reason.find(c.expected), std::string::npos) << ended.error().reason;
    EXPECT_LE(ended.error().reason.size(), 1000U);
  }
  auto nowhere = shell("true");
  nowhere.directory = (directory / "nowhere").string();
  Process process;
  EXPECT_EQ(process.run(nowhere, {}).error().reason,
            "cannot start /bin/sh: the working directory cannot be entered: No such file or directory");
}

TEST_F(ProcessTest, ProgramsAreFoundInTheJobsPath) {
  std::filesystem::create_directories(directory / "tools");
  std::ofstream(directory / "tools" / "tool") << "#!/bin/sh\nprintf mine\n";
  std::filesystem::permissions(directory / "tools" / "tool", std::filesystem::perms::owner_all);
  auto one = command({"tool"});
  for (const auto& path : {(directory / "tools").string() + ":/bin", std::string("/nowhere:tools")}) {
    one.env = {{"PATH", path}};
    EXPECT_EQ(run(one).result.stdout_text, "mine") << path;
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
