// links: store GTest::gtest_main
// Batches of changes, the outbox, and the journal on a real disk.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "store/memory.hpp"
#include "store/outbox.hpp"
#include "store/sqlite.hpp"

namespace fieldwork::store {
namespace {

using Kind = Change::Kind;
using Rows = std::vector<std::string>;

Change change(Kind kind, const std::string& key, const std::string& row = "{}", const std::string& table = "t") {
  return {table, key, row, kind};
}

std::string text(const std::vector<Change>& changes) {
  std::string out;
  for (const auto& c : changes) {
    out += (c.kind == Kind::upsert   ? "+"
            : c.kind == Kind::insert ? "?"
                                     : "-") +
           c.table + "/" + c.key + (c.kind == Kind::remove ? "" : c.row) + " ";
  }
  return out;
}

struct CoalesceCase {
  const char* name;
  std::vector<Change> changes;
  const char* expected;
};

TEST(Coalesce, KeepsTheLastPerKey) {
  const std::vector<CoalesceCase> cases{
      {"nothing", {}, ""},
      {"last upsert, first place",
       {change(Kind::upsert, "a", "1"), change(Kind::upsert, "b", "2"), change(Kind::upsert, "a", "3")},
       "+t/a3 +t/b2 "},
      {"removed", {change(Kind::upsert, "a", "1"), change(Kind::remove, "a")}, "-t/a "},
      {"removed and back", {change(Kind::remove, "a"), change(Kind::upsert, "a", "2")}, "+t/a2 "},
      {"insert after upsert adds nothing", {change(Kind::upsert, "a", "1"), change(Kind::insert, "a", "2")}, "+t/a1 "},
      {"first insert stays", {change(Kind::insert, "a", "1"), change(Kind::insert, "a", "2")}, "?t/a1 "},
      {"upsert after insert", {change(Kind::insert, "a", "1"), change(Kind::upsert, "a", "2")}, "+t/a2 "},
      {"tables apart", {change(Kind::upsert, "a", "1"), change(Kind::upsert, "a", "2", "u")}, "+t/a1 +u/a2 "},
  };
  for (const auto& c : cases) EXPECT_EQ(text(coalesce(c.changes)), c.expected) << c.name;
}

// A batch must do what its changes one by one do.
TEST(Coalesce, MeansTheSameAsOneByOne) {
  const Kind kinds[] = {Kind::upsert, Kind::insert, Kind::remove};
  for (const bool there : {false, true}) {
    for (int i = 0; i < 27; ++i) {
      const std::vector<Change> changes{change(kinds[i % 3], "a", R"({"x":1})"),
                                        change(kinds[i / 3 % 3], "a", R"({"x":2})"),
                                        change(kinds[i / 9], "a", R"({"x":3})")};
      MemoryStore plain, batched;
      for (auto* store : {&plain, &batched}) {
        if (!there) continue;
        ASSERT_TRUE(store->commit({change(Kind::upsert, "a", R"({"x":0})")}).ok());
      }
      for (const auto& one : changes) ASSERT_TRUE(plain.commit({one}).ok());
      ASSERT_TRUE(batched.commit(coalesce(changes)).ok());
      EXPECT_EQ(*plain.select({.table = "t"}), *batched.select({.table = "t"}))
          << text(changes) << (there ? "over a row" : "");
    }
  }
}

// --- outbox -------------------------------------------------------------------------------------------------------

Time at(int s) { return from_ms(0) + seconds(s); }

Rows due_keys(Outbox& outbox, Time now) {
  Rows out;
  for (const auto& command : outbox.due(now)) out.push_back(command.key);
  return out;
}

TEST(OutboxTest, RepeatsWithBackoffUntilSettled) {
  Outbox outbox({.first_repeat = seconds(2), .last_repeat = seconds(5)});
  std::vector<Change> changes;
  outbox.apply(Command{"k", "t", "{}"}, at(0), changes);
  EXPECT_EQ(changes.size(), 1U);
  std::vector<int> sent;
  for (int s = 0; s <= 20; ++s) {
    if (!due_keys(outbox, at(s)).empty()) sent.push_back(s);
  }
  EXPECT_EQ(sent, (std::vector<int>{0, 2, 6, 11, 16}));
  changes.clear();
  outbox.apply(Settle{"k"}, at(0), changes);
  outbox.apply(Settle{"k"}, at(0), changes);
  EXPECT_EQ(text(changes), "-outbox/k ");
  EXPECT_TRUE(due_keys(outbox, at(1000)).empty());
}

TEST(OutboxTest, HastenSendsNowAndStartsOver) {
  Outbox outbox;
  std::vector<Change> changes;
  outbox.apply(Command{"a", "one", "{}"}, at(0), changes);
  outbox.apply(Command{"b", "two", "{}"}, at(0), changes);
  (void)outbox.due(at(0));
  (void)outbox.due(at(2));
  outbox.apply(Hasten{"one"}, at(3), changes);
  EXPECT_EQ(due_keys(outbox, at(3)), Rows{"a"});
  EXPECT_EQ(due_keys(outbox, at(5)), Rows{"a"}) << "its interval is the first again";
  outbox.hasten_all(at(6));
  EXPECT_EQ(due_keys(outbox, at(6)).size(), 2U);
  EXPECT_TRUE(due_keys(outbox, at(7)).empty()) << "once";
}

TEST(OutboxTest, SurvivesARestart) {
  MemoryStore store;
  Outbox outbox;
  std::vector<Change> changes;
  outbox.apply(Command{"a", "t", R"({"x":"\"y"})"}, at(0), changes);
  outbox.apply(Command{"b", "t", "{}"}, at(0), changes);
  outbox.apply(Settle{"b"}, at(0), changes);
  ASSERT_TRUE(store.commit(coalesce(changes)).ok());
  Outbox again;
  ASSERT_TRUE(again.load(store, at(100)).ok());
  const auto due = again.due(at(100));
  ASSERT_EQ(due.size(), 1U);
  EXPECT_EQ(due[0].key, "a");
  EXPECT_EQ(due[0].topic, "t");
  EXPECT_EQ(due[0].item, R"({"x":"\"y"})");
}

// --- SQLite -------------------------------------------------------------------------------------------------------

class SqliteTest : public ::testing::Test {
 protected:
  SqliteTest() {
    std::string name = (std::filesystem::temp_directory_path() / "fieldwork-store-XXXXXX").string();
    directory = mkdtemp(name.data());
    open();
  }
  ~SqliteTest() override {
    store.reset();
    std::filesystem::remove_all(directory);
  }
  void open() {
    store.reset();
    auto opened = SqliteStore::open((directory / "journal.db").string());
    ASSERT_TRUE(opened.ok()) << describe(opened.error());
    store = std::move(*opened);
  }
  Rows rows(const std::string& table = "t") { return *store->select({.table = table}); }

  std::filesystem::path directory;
  std::unique_ptr<SqliteStore> store;
};

TEST_F(SqliteTest, EachKindOfChange) {
  ASSERT_TRUE(store
                  ->commit({change(Kind::upsert, "b", "1"), change(Kind::insert, "a", "2"),
                            change(Kind::upsert, "x", "3", "u")})
                  .ok());
  EXPECT_EQ(rows(), (Rows{"2", "1"})) << "by key";
  ASSERT_TRUE(store->commit({change(Kind::upsert, "b", "4"), change(Kind::insert, "a", "5")}).ok());
  EXPECT_EQ(rows(), (Rows{"2", "4"})) << "an insert does not overwrite";
  ASSERT_TRUE(store->commit({change(Kind::remove, "b"), change(Kind::remove, "none")}).ok());
  EXPECT_EQ(rows(), Rows{"2"});
  EXPECT_EQ(rows("u"), Rows{"3"});
}

TEST_F(SqliteTest, SurvivesReopening) {
  const std::string row = R"({"text":"öä \u0000 \n"})";
  ASSERT_TRUE(store->commit({change(Kind::upsert, "a", row), change(Kind::upsert, "b", "")}).ok());
  open();
  EXPECT_EQ(rows(), (Rows{row, ""}));
}

TEST_F(SqliteTest, WhatIsCommittedIsSeenByAnotherBeforeClosing) {
  ASSERT_TRUE(store->commit({change(Kind::upsert, "a", "1")}).ok());
  auto other = SqliteStore::open((directory / "journal.db").string());
  ASSERT_TRUE(other.ok());
  EXPECT_EQ(*(*other)->select({.table = "t"}), Rows{"1"});
}

TEST_F(SqliteTest, OpeningWhatIsNoDatabaseFails) {
  const auto opened = SqliteStore::open(directory.string());
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, Code::unavailable);
}

}  // namespace
}  // namespace fieldwork::store
