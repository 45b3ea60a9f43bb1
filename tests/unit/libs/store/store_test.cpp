// links: store GTest::gtest_main
// Batches of changes, the outbox, and the journal on a real disk.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <algorithm>

#include <filesystem>

#include "store/memory.hpp"
#include "store/outbox.hpp"
#include "store/sqlite.hpp"
#include "support/row_of.hpp"

namespace fieldwork::store {
namespace {

using Kind = Change::Kind;
using Rows = std::vector<std::string>;

Change change(Kind kind, const std::string& key, const std::string& row = "{}", const std::string& table = "t") {
  return {table, key, row_of(row), kind};
}

std::string text(const std::vector<Change>& changes) {
  std::string out;
  for (const auto& c : changes) {
    out += (c.kind == Kind::upsert   ? "+"
            : c.kind == Kind::insert ? "?"
            : c.kind == Kind::update ? "~"
                                     : "-") +
           c.table + "/" + c.key;
    for (const auto& [column, value] : c.row.fields()) {
      if (const auto* number = std::get_if<std::int64_t>(&value.held()))
        out += std::string(column) + std::to_string(*number);
    }
    out += " ";
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
       {change(Kind::upsert, "a", R"({"x":1})"), change(Kind::upsert, "b", R"({"x":2})"),
        change(Kind::upsert, "a", R"({"x":3})")},
       "+t/ax3 +t/bx2 "},
      {"removed", {change(Kind::upsert, "a", R"({"x":1})"), change(Kind::remove, "a")}, "-t/a "},
      {"removed and back", {change(Kind::remove, "a"), change(Kind::upsert, "a", R"({"x":2})")}, "+t/ax2 "},
      {"insert after upsert adds nothing",
       {change(Kind::upsert, "a", R"({"x":1})"), change(Kind::insert, "a", R"({"x":2})")},
       "+t/ax1 "},
      {"first insert stays",
       {change(Kind::insert, "a", R"({"x":1})"), change(Kind::insert, "a", R"({"x":2})")},
       "?t/ax1 "},
      {"upsert after insert",
       {change(Kind::insert, "a", R"({"x":1})"), change(Kind::upsert, "a", R"({"x":2})")},
       "+t/ax2 "},
      {"update after upsert",
       {change(Kind::upsert, "a", R"({"x":1,"y":1})"), change(Kind::update, "a", R"({"x":2})")},
       "+t/ax2y1 "},
      {"updates of other columns",
       {change(Kind::update, "a", R"({"x":1})"), change(Kind::update, "a", R"({"y":2})")},
       "~t/ax1y2 "},
      {"what was removed cannot change", {change(Kind::remove, "a"), change(Kind::update, "a", R"({"x":1})")}, "-t/a "},
      {"tables apart",
       {change(Kind::upsert, "a", R"({"x":1})"), change(Kind::upsert, "a", R"({"x":2})", "u")},
       "+t/ax1 +u/ax2 "},
  };
  for (const auto& c : cases) EXPECT_EQ(text(coalesce(c.changes)), c.expected) << c.name;
}

// A batch must do what its changes one by one do.
TEST(Coalesce, MeansTheSameAsOneByOne) {
  const Kind kinds[] = {Kind::upsert, Kind::insert, Kind::remove, Kind::update};
  for (const bool there : {false, true}) {
    for (int i = 0; i < 256; ++i) {
      const auto one = [&](int kind, int x) {
        const bool whole = kinds[kind] == Kind::upsert || kinds[kind] == Kind::insert;
        const auto other = std::to_string(x * 10);
        return change(kinds[kind], "a",
                      whole        ? R"({"x":)" + std::to_string(x) + R"(,"y":)" + other + "}"
                      : x % 2 == 0 ? R"({"x":)" + std::to_string(x) + "}"
                                   : R"({"y":)" + other + "}");
      };
      const std::vector<Change> changes{one(i % 4, 1), one(i / 4 % 4, 2), one(i / 16 % 4, 3), one(i / 64, 4)};
      MemoryStore plain, batched;
      for (auto* store : {&plain, &batched}) {
        if (!there) continue;
        ASSERT_TRUE(store->commit({change(Kind::upsert, "a", R"({"x":0,"y":0})")}).ok());
      }
      for (const auto& each : changes) ASSERT_TRUE(plain.commit({each}).ok());
      auto together = coalesce(changes);
      std::stable_sort(together.begin(), together.end(), [](const auto& a, const auto& b) { return a.kind < b.kind; });
      ASSERT_TRUE(batched.commit(together).ok());
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

TEST(OutboxTest, RepeatsWithBackoffUntilClosed) {
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
  outbox.apply(Close{"k"}, at(0), changes);
  outbox.apply(Close{"k"}, at(0), changes);
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

TEST(OutboxTest, WhatIsNotKeptHasNoRowAndWhatWasKeptLosesIts) {
  Outbox outbox;
  std::vector<Change> changes;
  outbox.apply(Command{"a", "t", "{}", {}, false}, at(0), changes);
  EXPECT_EQ(due_keys(outbox, at(0)), Rows{"a"});
  outbox.apply(Close{"a"}, at(1), changes);
  EXPECT_TRUE(changes.empty());
  outbox.apply(Command{"a", "t", "{}"}, at(1), changes);
  changes.clear();
  outbox.apply(Command{"a", "t", "{}", {}, false}, at(2), changes);
  outbox.apply(Close{"a"}, at(3), changes);
  EXPECT_EQ(text(changes), "-outbox/a ");
}

TEST(OutboxTest, SurvivesARestart) {
  MemoryStore store;
  Outbox outbox;
  std::vector<Change> changes;
  outbox.apply(Command{"a", "t", R"({"x":"\"y"})"}, at(0), changes);
  outbox.apply(Command{"b", "t", "{}"}, at(0), changes);
  outbox.apply(Close{"b"}, at(0), changes);
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
                  ->commit({change(Kind::upsert, "b", R"({"x":1})"), change(Kind::insert, "a", R"({"x":2})"),
                            change(Kind::upsert, "x", R"({"x":3})", "u")})
                  .ok());
  EXPECT_EQ(rows(), (Rows{R"({"x":2})", R"({"x":1})"})) << "by key";
  ASSERT_TRUE(
      store->commit({change(Kind::upsert, "b", R"({"x":4,"y":1})"), change(Kind::insert, "a", R"({"x":5})")}).ok());
  EXPECT_EQ(rows(), (Rows{R"({"x":2})", R"({"x":4,"y":1})"})) << "an insert does not overwrite";
  ASSERT_TRUE(
      store->commit({change(Kind::update, "b", R"({"x":6})"), change(Kind::update, "none", R"({"x":7})")}).ok());
  EXPECT_EQ(rows(), (Rows{R"({"x":2})", R"({"x":6,"y":1})"})) << "an update changes what it says, where there is a row";
  ASSERT_TRUE(store->commit({change(Kind::remove, "b"), change(Kind::remove, "none")}).ok());
  EXPECT_EQ(rows(), Rows{R"({"x":2})"});
  EXPECT_EQ(rows("u"), Rows{R"({"x":3})"});
}

TEST_F(SqliteTest, SurvivesReopening) {
  const std::string row = R"({"text":"öä \u0000 \n"})";
  ASSERT_TRUE(store->commit({change(Kind::upsert, "a", row), change(Kind::upsert, "b")}).ok());
  open();
  EXPECT_EQ(rows(), (Rows{row, "{}"}));
}

TEST_F(SqliteTest, WhatIsCommittedIsSeenByAnotherBeforeClosing) {
  ASSERT_TRUE(store->commit({change(Kind::upsert, "a", R"({"x":1})")}).ok());
  auto other = SqliteStore::open((directory / "journal.db").string());
  ASSERT_TRUE(other.ok());
  EXPECT_EQ(*(*other)->select({.table = "t"}), Rows{R"({"x":1})"});
}

TEST_F(SqliteTest, OpeningWhatIsNoDatabaseFails) {
  const auto opened = SqliteStore::open(directory.string());
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, Code::unavailable);
}

}  // namespace
}  // namespace fieldwork::store
