// links: agent_shell content GTest::gtest_main Threads::Threads
// What a program leaves in its directory: outputs are collected, the rest is removed.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <random>
#include <sstream>

#include "agent/shell/collect.hpp"
#include "agent/shell/resources.hpp"
#include "agent/shell/tree.hpp"
#include "agent/shell/workplace.hpp"
#include "codec/job.hpp"
#include "content/archive.hpp"
#include "crypto/digest.hpp"

namespace fieldwork::agent {
namespace {
namespace fs = std::filesystem;

class Place : public ::testing::Test {
 protected:
  Place() {
    std::string name = (fs::temp_directory_path() / "fieldwork-workplace-XXXXXX").string();
    root = mkdtemp(name.data());
    place = root / "place";
    kept = root / "outputs";
    fs::create_directories(place);
    fs::create_directories(kept);
  }
  ~Place() override { remove_tree(root); }

  void write(const std::string& name, const std::string& bytes) const {
    fs::create_directories((place / name).parent_path());
    std::ofstream(place / name, std::ios::binary) << bytes;
  }
  [[nodiscard]] Collected collect(const std::vector<std::string>& outputs, std::size_t room = 700'000) const {
    return collect_outputs({JobId("j1"), 0, 1}, place, outputs, {}, kept, room);
  }
  static std::vector<std::string> paths(const Collected& collected) {
    std::vector<std::string> out;
    for (const auto& file : collected.files) out.push_back(file.path);
    return out;
  }

  fs::path root, place, kept;
};

using OutputsTest = Place;
using Names = std::vector<std::string>;

TEST(PatternTest, WhatMatches) {
  struct Case {
    const char* pattern;
    const char* path;
    bool expected;
  };
  const Case cases[] = {
      {"*.csv", "a.csv", true},
      {"*.csv", "d/a.csv", false},
      {"*.csv", ".csv", true},
      {"*", "a", true},
      {"a?c", "abc", true},
      {"a?c", "ac", false},
      {"logs/**", "logs/a", true},
      {"logs/**", "logs/d/e/a", true},
      {"logs/**", "logs", false},
      {"logs/**", "log/a", false},
      {"**/*.csv", "a.csv", true},
      {"**/*.csv", "d/e/a.csv", true},
      {"**/*.csv", "d/e/a.txt", false},
      {"a/**/b/**/c", "a/b/c", true},
      {"a/**/b/**/c", "a/x/b/b/y/c", true},
      {"a/**/b/**/c", "a/x/c", false},
      {"**/b/c", "a/b/b/c", true},
      {"*a*b*c*", "xxaxxbxxcxx", true},
      {"*a*b*c*", "xxaxxcxxbxx", false},
      {"a**", "abc", true},
  };
  for (const auto& c : cases) EXPECT_EQ(matches(c.pattern, c.path), c.expected) << c.pattern << " " << c.path;
  // In a matcher that tries all ways this takes for ever.
  const std::string many = "*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b";
  EXPECT_FALSE(matches(many, std::string(250, 'a')));
}

TEST_F(OutputsTest, FilesPatternsAndDirectories) {
  write("a.csv", "1");
  write("b.csv", "2");
  write("logs/x", "3");
  write("logs/deep/y", "4");
  write("d/one", "5");
  write("literal[*]", "6");
  const auto out = collect({"*.csv", "logs/**", "d", "literal[*]", "a.csv"});
  EXPECT_EQ(paths(out), (Names{"a.csv", "b.csv", "logs/deep/y", "logs/x", "d.tar", "literal[*]"}));
  EXPECT_EQ(out.wrong, Names{});
  EXPECT_EQ(out.files[0].content, "1");
  // The archive is the one that a package of this directory has.
  const auto digest = content::pack(place / "d", root / "expected.tar");
  ASSERT_TRUE(digest.ok());
  EXPECT_EQ(out.files[4].digest, *digest);
  EXPECT_FALSE(fs::exists(place.string() + ".tar"));
}

TEST_F(OutputsTest, WhatCannotBeAnOutputIsSaidAsWhatItIs) {
  write("real", "1");
  write("sub/real", "1");
  fs::create_symlink("real", place / "latest");
  fs::create_directory_symlink("sub", place / "linked");
  ASSERT_EQ(mkfifo((place / "pipe").c_str(), 0600), 0);
  const auto out = collect({"latest", "linked", "linked/real", "pipe", "absent", "real/below", "*.csv", "sub"});
  EXPECT_EQ(paths(out), Names{"sub.tar"});
  const Names expected{"output latest is a symbolic link to real; only files and directories can be outputs",
                       "output linked is a symbolic link to sub; only files and directories can be outputs",
                       "output linked/real is a symbolic link; only files and directories can be outputs",
                       "output pipe is a FIFO; only files and directories can be outputs",
                       "output absent was not written",
                       "output real/below was not written",
                       "output *.csv matches no file"};
  EXPECT_EQ(out.wrong, expected);
}

// A report that names it promises that it is there after a power cut, and that somebody will ask for it.
TEST_F(OutputsTest, WhatCannotBeNotedIsNotNamed) {
  const std::string large(70'000, 'x');
  write("large", large);
  const auto hex = crypto::digest_of(large).substr(7);
  fs::create_directories(kept / (hex + ".of") / "in the way");
  const auto out = collect({"large"});
  EXPECT_TRUE(out.files.empty());
  EXPECT_TRUE(out.large.empty());
  ASSERT_EQ(out.wrong.size(), 1U);
  EXPECT_NE(out.wrong[0].find("output large cannot be kept: "), std::string::npos) << out.wrong[0];
  remove_tree(kept / (hex + ".of"));
  write("large", large);
  EXPECT_EQ(collect({"large"}).large, std::vector{kept / hex});
  std::ifstream note(kept / (hex + ".of"));
  std::string line;
  EXPECT_TRUE(std::getline(note, line));
  EXPECT_EQ(line, "j1 0 1");
}

TEST_F(OutputsTest, WhatDoesNotFitInTheReportIsKept) {
  const std::string large(70'000, 'x');
  write("large", large);
  write("small", "1");
  auto out = collect({"large", "small"});
  ASSERT_EQ(out.large.size(), 1U);
  EXPECT_EQ(out.files[0].content, std::nullopt);
  EXPECT_EQ(out.files[1].content, "1");
  EXPECT_EQ(*crypto::digest_of_file(out.large[0]), out.files[0].digest);
  EXPECT_EQ(out.large[0].parent_path(), kept);
  write("again", std::string(300, 'y'));
  out = collect({"again"}, 399);  // as base64 it is 400
  EXPECT_EQ(out.large.size(), 1U) << "no room in the report";
}

TEST_F(OutputsTest, MoreFilesThanAResultHolds) {
  for (int i = 0; i < 70; ++i) write("f" + std::to_string(i), "x");
  const auto out = collect({"f*"});
  EXPECT_EQ(out.files.size(), limits::files_max);
  ASSERT_EQ(out.wrong.size(), 1U);
  EXPECT_NE(out.wrong[0].find("is more than the 64 files of a result"), std::string::npos);
}

TEST(StreamsTest, WhateverAProgramSaysItsResultFits) {
  std::mt19937 random(1);
  const std::string_view alphabets[] = {"plain text ", "\n", "\x01\x02", "\"\\", "\xff\xfe", "\xc3\xa9", "a\xc3\xa9\n"};
  for (int round = 0; round < 40; ++round) {
    RunResult result;
    for (auto* text : {&result.stdout_text, &result.stderr_text}) {
      const auto& alphabet = alphabets[random() % std::size(alphabets)];
      const std::size_t size = random() % 3 == 0 ? random() % 1000 : random() % ((1U << 20) + 1);
      while (text->size() + alphabet.size() <= size) *text += alphabet;
    }
    const auto before = result.stdout_text.size() + result.stderr_text.size();
    bound_streams(result);
    const auto after = result.stdout_text.size() + result.stderr_text.size();
    EXPECT_LE(codec::encoded_bytes(result), streams_bytes_max + 1000);
    EXPECT_EQ(result.stdout_cut_bytes + result.stderr_cut_bytes, static_cast<std::int64_t>(before - after));
    EXPECT_EQ(result.truncated, before != after);
    if (before != after) {
      EXPECT_GE(codec::encoded_bytes(result), streams_bytes_max * 9 / 10) << "no more than is needed";
    }
  }
}

// Whole logs stand beside the directory, and need no name among the outputs of the job.
TEST_F(OutputsTest, LogsAreOutputs) {
  write("a", "1");
  write("out", "said");
  write("err", std::string(70'000, 'e'));
  const std::array<fs::path, 2> logs{place / "out", place / "err"};
  const auto out = collect_outputs({JobId("j1"), 0, 1}, place, {"a"}, logs, kept, 700'000);
  EXPECT_EQ(paths(out), (Names{"stdout.log", "stderr.log", "a"}));
  EXPECT_EQ(out.wrong, Names{});
  ASSERT_EQ(out.files.size(), 3U);
  EXPECT_EQ(out.files[0].content, "said");
  EXPECT_EQ(out.files[1].digest, crypto::digest_of(std::string(70'000, 'e')));
  EXPECT_EQ(out.files[1].content, std::nullopt);
  EXPECT_EQ(out.large.size(), 1U) << "it goes by itself, as other outputs do";
  const auto missing = collect_outputs({JobId("j1"), 0, 1}, place, {}, {root / "nowhere", {}}, kept, 700'000);
  EXPECT_EQ(paths(missing), Names{});
  ASSERT_EQ(missing.wrong.size(), 1U);
  EXPECT_NE(missing.wrong[0].find("stdout.log"), std::string::npos) << missing.wrong[0];
}

using TreeTest = Place;

TEST_F(TreeTest, DeeperThanThereAreDescriptors) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  constexpr int depth = 500;
  ASSERT_EQ(chdir(place.c_str()), 0);
  for (int i = 0; i < depth; ++i) {
    std::ofstream("file") << "x";
    ASSERT_EQ(mkdir("deep", 0700), 0);
    ASSERT_EQ(chdir("deep"), 0);
  }
  ASSERT_EQ(chdir("/"), 0);
  const rlimit few{64, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  const auto removal = remove_tree(place);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(removal.left, 0) << removal.reason;
  EXPECT_FALSE(fs::exists(place));
}

TEST_F(TreeTest, UnreadableDirectoriesGoAndLinksAreNotFollowed) {
  fs::create_directories(root / "outside");
  std::ofstream(root / "outside" / "file") << "x";
  write("shut/inner/file", "x");
  write("shut/inner/deeper/file", "x");
  write(".lifted-1/deeper/file", "a name that the removal itself would use");
  fs::create_directory_symlink(root / "outside", place / "link");
  fs::create_directory_symlink(root / "outside", place / "shut" / "link");
  fs::permissions(place / "shut" / "inner" / "deeper", fs::perms::none);
  fs::permissions(place / "shut" / "inner", fs::perms::none);
  fs::permissions(place / "shut", fs::perms::none);
  fs::permissions(place, fs::perms::none);
  const auto removal = remove_tree(place);
  EXPECT_EQ(removal.left, 0) << removal.reason;
  EXPECT_FALSE(fs::exists(fs::symlink_status(place)));
  EXPECT_TRUE(fs::exists(root / "outside" / "file"));
  EXPECT_EQ(remove_tree(place).left, 0) << "what is not there is removed";
  fs::create_symlink(root / "outside", place);
  EXPECT_EQ(remove_tree(place).left, 0);
  EXPECT_TRUE(fs::exists(root / "outside" / "file"));
}

TEST_F(TreeTest, AtItsStartAWorkplaceRemovesWhatIsLeft) {
  write("a/b", "x");
  std::ofstream(root / "place.run") << "record";
  std::ofstream(root / "place.tar") << "half an archive";
  Workplace::clear(root);
  EXPECT_TRUE(fs::is_empty(root));
}

// A workplace, and what it said.
struct Watched {
  explicit Watched(const fs::path& root)
      : workplace(
            root / "work", root / "outputs", 1 << 20,
            [this](Outcome outcome) { note([&] { ended.push_back(std::move(outcome)); }); },
            [this](const Assign& assign, const Told& told) {
              note([&] { said[assign.key] += told.text; });
              return true;
            },
            [this](const AttemptKey& key, const RunProgress& now) { note([&] { progress[key] = now; }); }) {}

  template <class Condition>
  [[nodiscard]] bool until(const Condition& holds) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, std::chrono::seconds(60), holds);
  }
  // Runs one attempt to its end.
  Outcome run(const Assign& assign) {
    workplace.run(assign, {});
    EXPECT_TRUE(until([&] { return !ended.empty(); }));
    const std::lock_guard lock(mutex);
    auto out = ended.empty() ? Outcome{} : ended.front();
    ended.clear();
    return out;
  }

  std::mutex mutex;
  std::condition_variable changed;
  std::vector<Outcome> ended;
  std::map<AttemptKey, std::string> said;  // to who follows
  std::map<AttemptKey, RunProgress> progress;
  Workplace workplace;

 private:
  template <class Change>
  void note(const Change& change) {
    const std::lock_guard lock(mutex);
    change();
    changed.notify_all();
  }
};

Assign attempt_of(const std::string& script, std::int64_t fence = 1) {
  Assign out{.key = {JobId("j"), 0, fence}, .limits = {.time_s = 60}};
  out.command = {"/bin/sh", "-c", script};
  return out;
}

TEST_F(TreeTest, WhatCannotBeginForWantOfAPlaceIsRefused) {
  Watched watched(root);
  fs::remove_all(root / "work");
  std::ofstream(root / "work") << "no directory";
  const auto outcome = watched.run(attempt_of("true"));
  EXPECT_TRUE(outcome.refused) << outcome.reason;
  EXPECT_FALSE(outcome.result);
}

TEST_F(TreeTest, ANewerAttemptDoesNotRunBesideTheOlderOne) {
  const auto log = (root / "log").string();
  Watched watched(root);
  const auto older =
      attempt_of("trap 'sleep 0.3; echo older >>" + log + "; exit' TERM; echo; while :; do sleep 0.05; done");
  const auto newer = attempt_of("echo newer >>" + log, 2);
  watched.workplace.tail(older.key, std::chrono::hours(1), false);
  watched.workplace.run(older, {});
  ASSERT_TRUE(watched.until([&] { return !watched.said[older.key].empty(); }));
  watched.workplace.kill(older.key);
  watched.workplace.run(newer, {});
  ASSERT_TRUE(watched.until([&] { return watched.ended.size() == 2; }));
  std::stringstream said;
  said << std::ifstream(log).rdbuf();
  EXPECT_EQ(said.str(), "older\nnewer\n");
}

// Assigned and cancelled in one batch: the run waits for the commit, the kill does not.
TEST_F(TreeTest, WhatIsKilledBeforeItRunsDoesNotBegin) {
  Watched watched(root);
  const auto one = attempt_of("touch " + (root / "ran").string() + "; sleep 60");
  auto other = attempt_of("", 2);
  other.command = {"/bin/true"};
  watched.workplace.kill(one.key);
  watched.workplace.run(one, {});
  watched.workplace.run(other, {});
  ASSERT_TRUE(watched.until([&] { return watched.ended.size() == 2; }));
  EXPECT_EQ(watched.ended[0].key, one.key);
  EXPECT_EQ(watched.ended[0].reason, "killed");
  EXPECT_EQ(watched.ended[1].reason, "");
  EXPECT_FALSE(fs::exists(root / "ran"));
}

using WorkplaceTest = Place;

TEST_F(WorkplaceTest, AProgramIsToldWhatItIs) {
  Watched watched(root);
  auto one = attempt_of(
      "echo \"$FIELDWORK_JOB $FIELDWORK_EXECUTION $FIELDWORK_ATTEMPT $OWN\"; test -f \"$FIELDWORK_PROGRESS\" && "
      "test ! -s \"$FIELDWORK_PROGRESS\" && echo empty; echo 'progress 1 2 x' >>\"$FIELDWORK_PROGRESS\"; pwd; "
      "dirname \"$FIELDWORK_PROGRESS\"");
  one.key = {JobId("j-7"), 3, 9};
  one.attempt = 5;
  one.env = {{"OWN", "mine"}};
  for (const bool replaces : {false, true}) {
    if (replaces) {
      for (const char* name : {"FIELDWORK_JOB", "FIELDWORK_EXECUTION", "FIELDWORK_ATTEMPT", "FIELDWORK_PROGRESS"})
        one.env[name] = "/dev/null";
      ++one.key.fence;
    }
    const auto outcome = watched.run(one);
    ASSERT_TRUE(outcome.result.has_value()) << outcome.reason;
    std::stringstream lines(outcome.result->stdout_text);
    std::string said, empty, directory, progress_is_in;
    std::getline(lines, said);
    std::getline(lines, empty);
    std::getline(lines, directory);
    std::getline(lines, progress_is_in);
    EXPECT_EQ(said, "j-7 3 5 mine") << replaces;
    EXPECT_EQ(empty, "empty") << replaces << outcome.result->stderr_text;
    EXPECT_NE(directory, progress_is_in) << "no pattern of the outputs finds it";
    EXPECT_EQ(watched.progress[one.key], (RunProgress{.fraction = 0.5, .done = 1, .total = 2, .message = "x"}));
  }
}

TEST_F(WorkplaceTest, NothingStaysWhateverItDoesToItsProgress) {
  const std::pair<const char*, const char*> cases[] = {
      {"nothing", "true"},
      {"reports", "echo 'progress 1 2' >>\"$FIELDWORK_PROGRESS\""},
      {"fails", "echo x; echo y >&2; exit 3"},
      {"kills itself", "kill -9 $$"},
      {"removes it", "rm \"$FIELDWORK_PROGRESS\""},
      {"a FIFO", "rm \"$FIELDWORK_PROGRESS\"; mkfifo \"$FIELDWORK_PROGRESS\""},
      {"a link", "ln -sf /etc \"$FIELDWORK_PROGRESS\""},
      {"a directory", "rm \"$FIELDWORK_PROGRESS\"; mkdir -p \"$FIELDWORK_PROGRESS/below\""},
  };
  Watched watched(root);
  std::int64_t fence = 0;
  for (const auto& [name, script] : cases) {
    auto one = attempt_of(script, ++fence);
    one.limits.log_bytes = 1000;
    const auto outcome = watched.run(one);
    ASSERT_TRUE(outcome.result.has_value()) << name << ": " << outcome.reason;
    EXPECT_TRUE(fs::is_empty(root / "work")) << name;
  }
  EXPECT_TRUE(fs::exists("/etc"));
}

TEST_F(WorkplaceTest, WholeLogsBecomeOutputs) {
  Watched watched(root);
  auto one = attempt_of(
      "i=0; while [ $i -lt 5000 ]; do echo \"line $i\"; i=$((i+1)); done; echo oops >&2; echo out >own; exit 3");
  one.limits.output_bytes = 100;
  one.limits.log_bytes = 1 << 20;
  one.outputs = {"own"};
  std::string all;
  for (int i = 0; i < 5000; ++i) all += "line " + std::to_string(i) + "\n";
  auto outcome = watched.run(one);
  ASSERT_TRUE(outcome.result.has_value()) << outcome.reason;
  std::map<std::string, std::string> files;
  for (const auto& file : outcome.result->files) {
    files[file.path] = file.content.value_or("");
    EXPECT_EQ(file.digest, crypto::digest_of(files[file.path])) << file.path;
  }
  EXPECT_EQ(files.size(), 3U);
  EXPECT_TRUE(files["stdout.log"] == all) << "also of a program that failed";
  EXPECT_EQ(files["stderr.log"], "oops\n");
  EXPECT_EQ(files["own"], "out\n");
  EXPECT_EQ(outcome.result->exit_code, 3);
  EXPECT_EQ(outcome.result->stdout_text.size(), 100U) << "the result keeps what it kept before";
  one.key.fence = 2;
  one.limits.log_bytes = 10;
  outcome = watched.run(one);
  ASSERT_TRUE(outcome.result.has_value() && !outcome.result->files.empty());
  const auto log = outcome.result->files[0].content.value_or("");
  EXPECT_TRUE(log.starts_with("line 0\nlin")) << log;
  EXPECT_NE(log.find(std::to_string(all.size() - 10)), std::string::npos) << log;
  one.key.fence = 3;
  one.limits.log_bytes = 0;
  outcome = watched.run(one);
  ASSERT_TRUE(outcome.result.has_value());
  EXPECT_EQ(outcome.result->files.size(), 1U) << "only where the job asks for them";
}

// Asked for in one batch with the assignment: the run waits for the commit, the tail does not.
TEST_F(WorkplaceTest, WhoFollowedBeforeItRanIsTold) {
  Watched watched(root);
  const auto followed = attempt_of("echo a; echo b >&2"), other = attempt_of("echo c", 2);
  watched.workplace.tail(followed.key, std::chrono::hours(1), true);
  EXPECT_EQ(watched.run(followed).reason, "");
  EXPECT_EQ(watched.run(other).reason, "");
  EXPECT_EQ(watched.said[followed.key].size(), 4U) << watched.said[followed.key];
  EXPECT_FALSE(watched.said.contains(other.key));
}

TEST_F(WorkplaceTest, WhoFollowsWhileItRunsIsToldWhatWasWritten) {
  Watched watched(root);
  auto one = attempt_of("echo before; echo 'progress 1 2' >>\"$FIELDWORK_PROGRESS\"; until [ -e " +
                        (root / "told").string() + " ]; do sleep 0.05; done; echo after");
  watched.workplace.run(one, {});
  ASSERT_TRUE(watched.until([&] { return watched.progress.contains(one.key); }));
  watched.workplace.tail(one.key, std::chrono::hours(1), true);
  EXPECT_TRUE(watched.until([&] { return !watched.said[one.key].empty(); }));
  std::ofstream(root / "told").put('x');
  ASSERT_TRUE(watched.until([&] { return !watched.ended.empty(); }));
  EXPECT_EQ(watched.said[one.key], "before\nafter\n");
}

TEST(ResourcesTest, ADevicesPartOfItsMachine) {
  const Resources machine{.cpu_load = 4, .memory_available_bytes = 22LL << 30, .storage_available_bytes = 100LL << 30};
  const Capacity declared{.cpu_millis = 1000, .memory_bytes = 512 << 20, .storage_bytes = 1LL << 30};
  const auto part = scale(machine, declared, 8);
  EXPECT_EQ(part.cpu_load, 0.5) << "half of its one core";
  EXPECT_EQ(part.memory_available_bytes, 512 << 20);
  EXPECT_EQ(part.storage_available_bytes, 1LL << 30);
  const auto whole = scale(machine, {.cpu_millis = 8000, .memory_bytes = 64LL << 30, .storage_bytes = 1LL << 40}, 8);
  EXPECT_EQ(whole.cpu_load, 4);
  EXPECT_EQ(whole.memory_available_bytes, 22LL << 30);
}

}  // namespace
}  // namespace fieldwork::agent
