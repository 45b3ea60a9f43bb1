// links: store PkgConfig::PQXX GTest::gtest_main
// Migrations against a real PostgreSQL: each once, in order, whole or not at all, and nothing behind our back.
#include "support/postgres_test.hpp"

namespace fieldwork::store {
namespace {

using Rows = std::vector<std::string>;

class MigrateTest : public PostgresTest {
 protected:
  MigrateTest() {
    write("0001_first.sql", "CREATE TABLE t (key text PRIMARY KEY);");
    write("0002_second.sql",
          "ALTER TABLE t ADD COLUMN n int; INSERT INTO t VALUES ('a', 1); INSERT INTO t VALUES ('b', 2);");
  }
  int applied() {
    const auto done = migrate(config);
    EXPECT_TRUE(done.ok()) << describe(done.error());
    return done ? *done : -1;
  }
  Error refused() {
    const auto done = migrate(config);
    EXPECT_FALSE(done.ok());
    return done ? Error{} : done.error();
  }
  Rows known() { return sql("SELECT number, name FROM " + quoted("migration") + " ORDER BY number"); }
};

TEST_F(MigrateTest, InOrderAndTwiceIsOnce) {
  write("README.md", "not SQL");
  EXPECT_EQ(applied(), 2);
  EXPECT_EQ(known(), (Rows{"1|0001_first.sql", "2|0002_second.sql"}));
  EXPECT_EQ(sql("SELECT key, n FROM " + quoted("t") + " ORDER BY key"), (Rows{"a|1", "b|2"}));
  EXPECT_EQ(applied(), 0);
  write("0003_third.sql", "UPDATE t SET n = n * 10");
  EXPECT_EQ(applied(), 1);
  EXPECT_EQ(applied(), 0);
  EXPECT_EQ(sql("SELECT n FROM " + quoted("t") + " ORDER BY key"), (Rows{"10", "20"}));
}

TEST_F(MigrateTest, WithoutAnyTheTablesOfTheStoreAreThere) {
  std::filesystem::remove(directory / "0001_first.sql");
  std::filesystem::remove(directory / "0002_second.sql");
  EXPECT_EQ(applied(), 0);
  EXPECT_EQ(sql("SELECT count(*) FROM " + quoted("outbox")), Rows{"0"});
  EXPECT_NE(activate(), nullptr);
}

TEST_F(MigrateTest, AnAppliedFileThatChangedIsRefused) {
  ASSERT_EQ(applied(), 2);
  write("0001_first.sql", "CREATE TABLE t (key text PRIMARY KEY); -- nicer");
  write("0003_third.sql", "DROP TABLE t");
  const auto error = refused();
  EXPECT_EQ(error.code, Code::conflict);
  EXPECT_EQ(error.path, "0001_first.sql");
  EXPECT_EQ(known().size(), 2U) << "and what is new waits";
}

TEST_F(MigrateTest, NumbersBeginAtOneAndLeaveNoneOut) {
  struct Case {
    const char* add;
    const char* remove;
    const char* named;
  };
  const Case cases[] = {
      {"0004_fourth.sql", "", "0004_fourth.sql"},
      {"0002_again.sql", "", "0002_second.sql"},
      {"third.sql", "", "third.sql"},
      {"0003_third.sql", "0001_first.sql", "0002_second.sql"},
      {"0000_zero.sql", "", "0000_zero.sql"},
  };
  for (const auto& c : cases) {
    std::filesystem::remove_all(directory);
    std::filesystem::create_directory(directory);
    write("0001_first.sql", "CREATE TABLE t (key text PRIMARY KEY);");
    write("0002_second.sql", "SELECT 1");
    write(c.add, "SELECT 1");
    if (*c.remove != '\0') std::filesystem::remove(directory / c.remove);
    const auto error = refused();
    EXPECT_EQ(error.code, Code::invalid) << c.add;
    EXPECT_EQ(error.path, (directory / c.named).string());
  }
  EXPECT_EQ(sql("SELECT count(*) FROM pg_namespace WHERE nspname = '" + config.schema + "'"), Rows{"0"});
}

TEST_F(MigrateTest, ADatabaseThatIsNewerIsRefused) {
  ASSERT_EQ(applied(), 2);
  std::filesystem::remove(directory / "0002_second.sql");
  const auto error = refused();
  EXPECT_EQ(error.code, Code::conflict);
  EXPECT_EQ(error.path, config.schema);
  EXPECT_NE(error.reason.find("migration 2, newer than this software"), std::string::npos) << error.reason;
}

TEST_F(MigrateTest, OneThatFailsLeavesNothingOfItself) {
  write("0003_third.sql", "CREATE TABLE u (key text); INSERT INTO t VALUES ('a', 3)");
  const auto error = refused();
  EXPECT_EQ(error.code, Code::invalid);
  EXPECT_NE(describe(error).find("duplicate key"), std::string::npos) << describe(error);
  EXPECT_EQ(error.path, "0003_third.sql");
  EXPECT_EQ(known().size(), 2U) << "those before it stay";
  EXPECT_EQ(sql("SELECT count(*) FROM pg_tables WHERE tablename = 'u' AND schemaname = '" + config.schema + "'"),
            Rows{"0"});
  write("0003_third.sql", "CREATE TABLE u (key text)");
  EXPECT_EQ(applied(), 1) << "it was never applied, so it may be mended";
}

TEST_F(MigrateTest, ManyAtOnceApplyEachOnce) {
  std::vector<int> counts(4, -1);
  std::vector<std::thread> threads;
  for (auto& count : counts) {
    threads.emplace_back([this, &count] {
      const auto done = migrate(config);
      if (done) count = *done;
    });
  }
  for (auto& thread : threads) thread.join();
  std::sort(counts.begin(), counts.end());
  EXPECT_EQ(counts, (std::vector<int>{0, 0, 0, 2}));
}

TEST_F(MigrateTest, BesideAnActiveInstance) {
  ASSERT_EQ(applied(), 2);
  const auto active = activate();
  write("0003_third.sql", "CREATE TABLE u (key text)");
  EXPECT_EQ(applied(), 1);
}

TEST_F(MigrateTest, WhatIsNotThere) {
  config.migrations += "/none";
  const auto error = refused();
  EXPECT_EQ(error.code, Code::unavailable);
  EXPECT_EQ(error.path, config.migrations);
  config.migrations = directory.string();
  config.url = "postgresql://postgres@127.0.0.1:" + std::to_string(support::free_port()) + "/postgres";
  EXPECT_EQ(refused().code, Code::unavailable);
}

}  // namespace
}  // namespace fieldwork::store
