// links: store nlohmann_json::nlohmann_json PkgConfig::PQXX GTest::gtest_main
// What store.hpp promises, put to all three adapters: each question must have one answer.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "store/memory.hpp"
#include "store/sqlite.hpp"
#include "support/postgres_test.hpp"
#include "support/row_of.hpp"

// libpqxx 6.4 loses the answer it was reading when a session breaks; nobody but LeakSanitizer minds.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:PQmakeEmptyPGresult\n"; }

namespace fieldwork::store {
namespace {

using Json = nlohmann::json;
using Kind = Change::Kind;

class ContractTest : public PostgresTest {
 protected:
  ContractTest() {
    write("0001_tables.sql",
          "CREATE TABLE t (key text PRIMARY KEY, n bigint, live boolean, name text);"
          "CREATE INDEX t_live ON t (key) WHERE live; CREATE INDEX t_n ON t (n);"
          "CREATE TABLE part (key text, part text, PRIMARY KEY (key, part));"
          "CREATE VIEW setting AS SELECT current_setting('jit') AS jit;");
    EXPECT_TRUE(migrate(config).ok());
    auto journal = SqliteStore::open((directory / "journal.db").string());
    EXPECT_TRUE(journal.ok());
    stores["postgres"] = activate();
    stores["sqlite"] = std::move(*journal);
    stores["memory"] = std::make_unique<MemoryStore>();
  }
  void commit(const std::vector<Change>& changes) {
    for (const auto& [name, store] : stores) {
      const auto done = store->commit(changes);
      ASSERT_TRUE(done.ok()) << name << ": " << describe(done.error());
    }
  }
  static Change put(const std::string& key, const Json& n, bool live, const std::string& name) {
    return {"t", key, row_of(Json{{"key", key}, {"n", n}, {"live", live}, {"name", name}}), Kind::upsert};
  }
  void fill() {
    commit({put("a", 10, true, "x"), put("b", 9, true, "y"), put("c", 100, false, "x"), put("d", nullptr, false, "z"),
            put("e", 9, false, "x"), put("f", -1, true, "it's")});
  }
  static std::string keys(const Result<std::vector<std::string>>& rows) {
    if (!rows) return describe(rows.error());
    std::string out;
    for (const auto& row : *rows) out += Json::parse(row).at("key").get<std::string>();
    return out;
  }
  static std::string sorted(std::string text) {
    std::sort(text.begin(), text.end());
    return text;
  }

  std::map<std::string, std::unique_ptr<Store>> stores;
};

TEST_F(ContractTest, SelectAndFind) {
  fill();
  struct Case {
    Query query;
    const char* expected;
  };
  const Case ordered[] = {
      {{.table = "t", .order_by = "key"}, "abcdef"},
      {{.table = "t", .order_by = "key", .descending = true, .limit = 2}, "fe"},
      {{.table = "t", .where = {{"live", "true"}}, .order_by = "n"}, "fba"},
      {{.table = "t", .where = {{"n", "9"}, {"live", "false"}}}, "e"},
      {{.table = "t", .where = {{"name", "it's"}}}, "f"},
      {{.table = "t", .where = {{"name", "none"}}}, ""},
      {{.table = "t", .where = {{"live", "false"}}, .order_by = "n", .descending = true, .limit = 2}, "dc"},
  };
  for (const auto& [name, store] : stores) {
    for (const auto& c : ordered) EXPECT_EQ(keys(store->select(c.query)), c.expected) << name << " " << c.expected;
    EXPECT_EQ(sorted(keys(store->find("t", "key", {"a", "none", "c"}))), "ac") << name;
    EXPECT_EQ(sorted(keys(store->find("t", "name", {"x"}))), "ace") << name;
    EXPECT_EQ(sorted(keys(store->find("t", "n", {"9", "-1"}))), "bef") << name;
  }
}

TEST_F(ContractTest, RangesComeInPagesUntilTheEnd) {
  fill();
  const auto walk = [](Store& store, Range range) {
    std::string out;
    for (int i = 0; i < 10; ++i) {
      const auto page = store.range(range);
      if (!page) return describe(page.error());
      out += keys(page->rows) + "|";
      range.after = page->next;
      if (range.after.empty()) break;
    }
    return out;
  };
  for (const auto& [name, store] : stores) {
    EXPECT_EQ(walk(*store, {.table = "t", .column = "n", .limit = 2}), "fb|ea|c|") << name;
    EXPECT_EQ(walk(*store, {.table = "t", .column = "n", .descending = true, .limit = 2}), "ca|eb|f|") << name;
    EXPECT_EQ(walk(*store, {.table = "t", .column = "n", .from = "9", .to = "100", .limit = 1}), "b|e|a|") << name;
    EXPECT_EQ(walk(*store, {.table = "t", .column = "n", .where = {{"live", "true"}}, .limit = 9}), "fba|") << name;
    EXPECT_EQ(walk(*store, {.table = "t", .column = "n", .limit = 2, .key_only = true}), "fb|ea|c|") << name;
    EXPECT_EQ(keys(newest(*store, "t", "n", 2)), "ca") << name;
    for (const char* wrong : {"x", "[]", "[1,2]", R"(["1"])"}) {
      const auto page = store->range({.table = "t", .column = "n", .after = wrong});
      ASSERT_FALSE(page.ok()) << name << wrong;
      EXPECT_EQ(page.error().code, Code::invalid) << name << wrong;
    }
  }
}

TEST_F(ContractTest, PruneRemovesTheOldestInBatchesAndCounts) {
  for (const auto& [name, store] : stores) {
    std::vector<Change> changes;
    for (int i = 0; i < 10; ++i) changes.push_back(put(std::string(1, static_cast<char>('a' + i)), i, i == 2, ""));
    ASSERT_TRUE(store->commit(changes).ok());
    const auto prune = [&](const Prune& what) {
      const auto removed = store->prune(what);
      EXPECT_TRUE(removed.ok()) << name;
      return std::to_string(removed ? *removed : -1) + keys(store->select({.table = "t", .order_by = "key"}));
    };
    const Where over{{"live", "false"}};
    EXPECT_EQ(prune({.table = "t", .column = "n", .where = over, .before = "5", .limit = 3}), "3cefghij") << name;
    EXPECT_EQ(prune({.table = "t", .column = "n", .where = over, .before = "5", .limit = 3}), "1cfghij") << name;
    EXPECT_EQ(prune({.table = "t", .column = "n", .where = over, .keep = 3}), "2chij") << name;
    EXPECT_EQ(prune({.table = "t", .column = "n", .where = over, .before = "9", .keep = 1, .limit = 1}), "1cij")
        << name;
    EXPECT_EQ(prune({.table = "t", .column = "n", .where = over, .keep = 2}), "0cij") << name;
  }
}

TEST_F(ContractTest, AnUpdateLeavesWhatItDoesNotSay) {
  commit({put("a", 1, true, "x")});
  commit(
      {{"t", "a", {{"key", "a"}, {"n", 2}}, Kind::update}, {"t", "none", {{"key", "none"}, {"n", 3}}, Kind::update}});
  for (const auto& [name, store] : stores) {
    const auto rows = store->select({.table = "t"});
    ASSERT_TRUE(rows.ok() && rows->size() == 1) << name;
    EXPECT_EQ(Json::parse(rows->front()), (Json{{"key", "a"}, {"n", 2}, {"live", true}, {"name", "x"}})) << name;
  }
}

TEST_F(ContractTest, WhatBelongsToAPrunedRowGoesAlongAndTheNewestStay) {
  for (const auto& [name, store] : stores) {
    std::vector<Change> changes;
    for (int i = 0; i < 4; ++i) {
      const std::string key(1, static_cast<char>('a' + i));
      changes.push_back(put(key, i, false, ""));
      for (const char* part : {"1", "2"}) {
        changes.push_back({"part", key + part, {{"key", key}, {"part", part}}, Kind::upsert});
      }
    }
    ASSERT_TRUE(store->commit(changes).ok()) << name;
    PostgresPruner beside(config);
    Pruner& pruner = name == "postgres" ? static_cast<Pruner&>(beside) : *store;
    const Prune all{
        .table = "t", .column = "n", .before = "9", .limit = 2, .spare = 1, .key = "key", .along = {"part"}};
    for (const std::int64_t expected : {2, 1, 0}) {
      const auto removed = pruner.prune(all);
      ASSERT_TRUE(removed.ok()) << name << describe(removed.error());
      EXPECT_EQ(*removed, expected) << name;
    }
    EXPECT_EQ(keys(store->select({.table = "t"})), "d") << name;
    EXPECT_EQ(keys(store->select({.table = "part"})), "dd") << name;
    EXPECT_EQ(*pruner.prune({.table = "t", .column = "n", .keep = 0, .spare = 1}), 0) << name;
  }
}

TEST_F(ContractTest, AQuestionThatFailsIsAnAnswerAndTheNextOneWorks) {
  fill();
  auto& store = *stores["postgres"];
  EXPECT_EQ(store.select({.table = "t", .where = {{"n", "many"}}}).error().code, Code::unavailable);
  EXPECT_EQ(store.select({.table = "none"}).error().code, Code::invalid);
  EXPECT_EQ(keys(store.find("t", "key", {"a"})), "a");
  pqxx::connection blocker(config.url);
  pqxx::work lock(blocker);
  lock.exec("LOCK TABLE " + quoted("t") + " IN ACCESS EXCLUSIVE MODE");
  PostgresReader reader(config, milliseconds(50));
  EXPECT_EQ(reader.find("t", "key", {"a"}).error().code, Code::unavailable) << "it took too long";
  lock.abort();
  EXPECT_EQ(keys(reader.select({.table = "t", .order_by = "key"})), "abcdef");
  EXPECT_EQ(keys(reader.range({.table = "t", .column = "n", .limit = 2})->rows), "fb");
}

// What people ask must not fail because nobody asked for hours, or the server was restarted.
TEST_F(ContractTest, AReaderWhoseSessionEndedAsksAgain) {
  fill();
  pqxx::connection other(config.url);
  pqxx::nontransaction work(other);
  PostgresReader reader(config);
  EXPECT_EQ(keys(reader.find("t", "key", {"a"})), "a");
  const auto ended = work.exec(
      "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE backend_type = 'client backend' AND "
      "backend_start > (SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid())");
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(keys(reader.find("t", "key", {"a"})), "a");
}

// Plans without their best choices look dear, and PostgreSQL compiles what is dear: 50 ms for a statement of one.
TEST_F(ContractTest, StatementsAreNotCompiled) {
  PostgresReader reader(config);
  for (Reader* one : {static_cast<Reader*>(stores["postgres"].get()), static_cast<Reader*>(&reader)}) {
    const auto rows = one->select({.table = "setting"});
    ASSERT_TRUE(rows.ok()) << describe(rows.error());
    EXPECT_EQ(Json::parse(rows->front()).at("jit"), "off");
  }
}

TEST_F(ContractTest, TheIndexOfLiveRowsServes) {
  fill();
  ASSERT_TRUE(stores["postgres"]->select({.table = "t", .where = {{"live", "true"}}}).ok());
  // The session says what it used when it ends.
  stores.erase("postgres");
  waits_until("SELECT idx_scan > 0 FROM pg_stat_user_indexes WHERE indexrelname = 't_live' AND schemaname = '" +
                  config.schema + "'",
              {"t"});
}

}  // namespace
}  // namespace fieldwork::store
