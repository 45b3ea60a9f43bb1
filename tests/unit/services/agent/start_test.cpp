// links: agent_shell GTest::gtest_main Threads::Threads
// How an agent starts when something is in its way.
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "agent/shell/start.hpp"

namespace fieldwork::agent {
namespace {
namespace fs = std::filesystem;

class StartTest : public ::testing::Test {
 protected:
  StartTest() {
    std::string name = (fs::temp_directory_path() / "fieldwork-start-XXXXXX").string();
    directory = mkdtemp(name.data());
  }
  ~StartTest() override {
    umount(directory.c_str());
    fs::remove_all(directory);
  }
  [[nodiscard]] std::vector<std::string> rows() const {
    auto journal = open_journal(directory);
    EXPECT_TRUE(journal.ok()) << describe(journal.error());
    return *(*journal)->select({.table = "meta"});
  }
  void put(const std::string& row) const {
    ASSERT_TRUE((*store::SqliteStore::open(directory / "journal.db"))
                    ->commit({{"meta", "k", {{"row", store::Value::json(row)}}}})
                    .ok());
  }

  fs::path directory;
};

TEST_F(StartTest, OneAgentPerDirectory) {
  {
    const auto first = DirectoryLock::acquire(directory);
    ASSERT_TRUE(first.ok()) << describe(first.error());
    const auto second = DirectoryLock::acquire(directory);
    ASSERT_FALSE(second.ok());
    EXPECT_EQ(second.error().code, Code::conflict);
    EXPECT_EQ(second.error().path, "device.directory");
    EXPECT_NE(second.error().reason.find("is in use by the agent with pid " + std::to_string(getpid())),
              std::string::npos)
        << second.error().reason;
  }
  EXPECT_TRUE(DirectoryLock::acquire(directory).ok());
  // However the first one ends.
  const pid_t agent = fork();
  if (agent == 0) {
    const auto taken = DirectoryLock::acquire(directory);
    _exit(taken.ok() ? 0 : 1);
  }
  int status = 0;
  waitpid(agent, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(DirectoryLock::acquire(directory).ok());
}

TEST_F(StartTest, ASoundJournalIsLeftAlone) {
  put("{}");
  const auto said = repair_journal(directory);
  ASSERT_TRUE(said.ok()) << describe(said.error());
  EXPECT_NE(said->find("is sound; nothing was done"), std::string::npos);
  EXPECT_EQ(rows(), std::vector<std::string>{R"({"row":{}})"});
}

TEST_F(StartTest, ADamagedJournalIsNamedAndRepairMovesItAside) {
  const auto overwrite = [&](std::streamoff at, std::size_t bytes) {
    std::fstream file(directory / "journal.db", std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(at);
    file << std::string(bytes, '\x5a');
  };
  const std::function<void()> damages[] = {
      [&] { overwrite(0, 100); },                                                      // no header
      [&] { overwrite(4096, 4096); },                                                  // the table's page
      [&] { std::ofstream(directory / "journal.db", std::ios::trunc) << "rubbish"; },  // something else
      [&] { put("{\"key\":"); },                                                       // SQLite does not see it
  };
  int number = 0;
  for (const auto& damage : damages) {
    put(R"({"key":"session","value":7})");
    damage();
    const auto journal = open_journal(directory);
    ASSERT_FALSE(journal.ok()) << number;
    EXPECT_EQ(journal.error().code, Code::conflict);
    EXPECT_EQ(journal.error().path, (directory / "journal.db").string());
    EXPECT_NE(journal.error().reason.find("`fieldwork-agent repair --config FILE`"), std::string::npos);
    const auto said = repair_journal(directory);
    ASSERT_TRUE(said.ok()) << describe(said.error());
    const auto aside = directory / ("journal.db.damaged-" + std::to_string(++number));
    EXPECT_NE(said->find(aside.string()), std::string::npos) << *said;
    EXPECT_TRUE(fs::exists(aside));
    EXPECT_EQ(rows(), std::vector<std::string>{});
  }
}

TEST_F(StartTest, AFullDiskDoesNotEndIt) {
  if (mount("tmpfs", directory.c_str(), "tmpfs", 0, "size=80m") != 0) GTEST_SKIP() << "no right to mount a tmpfs";
  (void)rows();  // makes the journal and reserves room
  EXPECT_TRUE(fs::exists(directory / "journal.reserve"));
  const auto fill = [&] {
    std::ofstream file(directory / "package.part", std::ios::binary | std::ios::app);
    const std::string block(4096, 'x');
    while (file.write(block.data(), 4096).flush()) continue;
  };
  put("{}");
  fill();
  EXPECT_EQ(rows(), std::vector<std::string>{R"({"row":{}})"});
  EXPECT_FALSE(fs::exists(directory / "journal.reserve")) << "the reserve is used";
  fill();
  std::thread later([&] { fs::remove(directory / "package.part"); });
  (void)rows();  // waits until there is room
  later.join();
}

// What others fill the disk with while the agent runs does not keep it from noting what it does.
TEST_F(StartTest, ADiskThatIsFilledWhileItRunsDoesNotStopIt) {
  if (mount("tmpfs", directory.c_str(), "tmpfs", 0, "size=80m") != 0) GTEST_SKIP() << "no right to mount a tmpfs";
  auto journal = open_journal(directory);
  ASSERT_TRUE(journal.ok());
  {
    std::ofstream file(directory / "foreign", std::ios::binary);
    const std::string block(4096, 'x');
    while (file.write(block.data(), 4096).flush()) continue;
  }
  // More than the log holds, many times; altogether as many live rows as a busy agent has.
  const store::Row row{{"result", std::string(8192, 'x')}};
  for (int i = 0; i < 2000; ++i) {
    const auto done = (*journal)->commit({{"report", std::to_string(i % 64), row}});
    ASSERT_TRUE(done.ok()) << i << ": " << describe(done.error());
  }
}

}  // namespace
}  // namespace fieldwork::agent
