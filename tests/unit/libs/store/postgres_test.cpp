// links: store nlohmann_json::nlohmann_json PkgConfig::PQXX GTest::gtest_main
// What the store keeps and gives back, against a real PostgreSQL.
#include <nlohmann/json.hpp>

#include "support/postgres_test.hpp"
#include "support/row_of.hpp"

namespace fieldwork::store {
namespace {

using Json = nlohmann::json;
using Kind = Change::Kind;
using Rows = std::vector<std::string>;

class StoreTest : public PostgresTest {
 protected:
  StoreTest() {
    write("0001_tables.sql",
          "CREATE TABLE t (key text PRIMARY KEY, \"grant\" text, n bigint, f double precision, yes boolean, j json);"
          "CREATE TABLE pair (a text, b int, v text NOT NULL, PRIMARY KEY (a, b));"
          "CREATE TABLE bare (key text PRIMARY KEY);");
    EXPECT_TRUE(migrate(config).ok());
    store = activate();
  }

  void commit(const std::vector<Change>& changes) {
    const auto done = store->commit(changes);
    EXPECT_TRUE(done.ok()) << describe(done.error());
  }
  // A whole row of t may leave columns out here: they are null.
  static Change in(const std::string& table, Kind kind, Json row) {
    const auto key = row.contains("key") ? row.at("key").get<std::string>() : row.dump();
    if (table == "t" && (kind == Kind::insert || kind == Kind::upsert)) {
      for (const char* column : {"grant", "n", "f", "yes", "j"}) row.emplace(column, nullptr);
    }
    return {table, key, row_of(row), kind};
  }
  static Change put(const std::string& key, std::int64_t n) { return in("t", Kind::upsert, {{"key", key}, {"n", n}}); }

  Rows all(const std::string& table) { return sql("SELECT * FROM " + quoted(table) + " ORDER BY 1, 2"); }
  Rows keys_and_numbers() { return sql("SELECT key, n FROM " + quoted("t") + " ORDER BY key"); }
  std::vector<Json> select(const Query& query) { return parsed(store->select(query)); }
  std::vector<Json> find(const std::string& table, const std::string& column, const Rows& keys) {
    return parsed(store->find(table, column, keys));
  }
  static std::vector<Json> parsed(const Result<Rows>& rows) {
    std::vector<Json> out;
    EXPECT_TRUE(rows.ok()) << describe(rows.error());
    if (!rows) return out;
    for (const auto& row : *rows) out.push_back(Json::parse(row));
    return out;
  }
  static std::string keys_of(std::vector<Json> rows) {
    std::string out;
    for (const auto& row : rows) out += row.at("key").get<std::string>() + " ";
    return out;
  }

  std::unique_ptr<PostgresStore> store;
};

// Texts that something on the way might take for more than texts.
const Rows odd_texts{"",
                     " ",
                     "'",
                     "''",
                     "\"",
                     "\\",
                     "\\\\\"",
                     "a,b",
                     "{a}",
                     "{",
                     "}",
                     "NULL",
                     "null",
                     "$1",
                     "$$;$tag$",
                     "%s",
                     "a\nb\tc\r",
                     "\x01\x1f\x7f",
                     "E'\\x00'",
                     "; DROP TABLE t; --",
                     "ü ß 日本 \xf0\x9f\x98\x80",
                     "\xe2\x80\xa8\xef\xbb\xbf",
                     "e\xcc\x81",
                     "\\u0041"};

std::string hex(const std::string& text) {
  std::string out;
  for (const unsigned char c : text) {
    out += "0123456789abcdef"[c >> 4U];
    out += "0123456789abcdef"[c & 15U];
  }
  return out;
}

// --- changes ------------------------------------------------------------------------------------------------------

TEST_F(StoreTest, EachKindOfChangeInOneBatch) {
  commit({put("a", 1), put("b", 2), put("c", 3)});
  commit({put("a", 10), in("t", Kind::insert, {{"key", "b"}, {"n", 20}}), in("t", Kind::remove, {{"key", "c"}}),
          in("t", Kind::insert, {{"key", "d"}, {"n", 40}}), put("e", 50), in("t", Kind::remove, {{"key", "none"}}),
          in("bare", Kind::upsert, {{"key", "x"}}), in("bare", Kind::insert, {{"key", "y"}})});
  EXPECT_EQ(keys_and_numbers(), (Rows{"a|10", "b|2", "d|40", "e|50"}));
  EXPECT_EQ(sql("SELECT key FROM " + quoted("bare") + " ORDER BY 1"), (Rows{"x", "y"}));
  commit({in("bare", Kind::upsert, {{"key", "x"}}), in("bare", Kind::remove, {{"key", "y"}})});
  EXPECT_EQ(sql("SELECT key FROM " + quoted("bare")), Rows{"x"});
}

TEST_F(StoreTest, ABatchMayComeAgain) {
  const std::vector<Change> batch{put("a", 1), in("t", Kind::insert, {{"key", "b"}, {"n", 2}}),
                                  in("t", Kind::remove, {{"key", "c"}})};
  for (int i = 0; i < 3; ++i) commit(batch);
  EXPECT_EQ(keys_and_numbers(), (Rows{"a|1", "b|2"}));
  commit({});
}

TEST_F(StoreTest, AnUpsertIsTheWholeRow) {
  commit({in("t", Kind::upsert, {{"key", "a"}, {"grant", "g"}, {"n", 1}, {"yes", true}})});
  commit({in("t", Kind::upsert, {{"key", "a"}, {"n", 2}})});
  EXPECT_EQ(select({.table = "t"}),
            std::vector<Json>{Json::parse(R"({"key":"a","grant":null,"n":2,"f":null,"yes":null,"j":null})")});
}

TEST_F(StoreTest, AKeyOfTwoColumns) {
  const auto pair = [](const char* a, int b, Kind kind, const char* v = "") {
    Json row{{"a", a}, {"b", b}};
    if (kind != Kind::remove) row["v"] = v;
    return in("pair", kind, row);
  };
  commit({pair("x", 1, Kind::upsert, "1"), pair("x", 2, Kind::upsert, "2"), pair("y", 1, Kind::upsert, "3")});
  commit({pair("x", 1, Kind::remove), pair("x", 2, Kind::upsert, "4"), pair("y", 1, Kind::insert, "5")});
  EXPECT_EQ(all("pair"), (Rows{"x|2|4", "y|1|3"}));
}

TEST_F(StoreTest, TextsAndJsonSurviveExactly) {
  std::vector<Change> changes;
  for (std::size_t i = 0; i < odd_texts.size(); ++i) {
    changes.push_back(
        in("t", Kind::upsert,
           {{"key", odd_texts[i]}, {"grant", odd_texts[i]}, {"n", i}, {"j", {{odd_texts[i], odd_texts[i]}}}}));
  }
  commit(changes);
  const auto rows = select({.table = "t", .order_by = "n"});
  ASSERT_EQ(rows.size(), odd_texts.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i].at("key"), odd_texts[i]);
    EXPECT_EQ(rows[i].at("grant"), odd_texts[i]);
    EXPECT_EQ(rows[i].at("j"), (Json{{odd_texts[i], odd_texts[i]}}));
    EXPECT_EQ(sql("SELECT n FROM " + quoted("t") + " WHERE encode(convert_to(key, 'UTF8'), 'hex') = '" +
                  hex(odd_texts[i]) + "'"),
              Rows{std::to_string(i)})
        << "the bytes in the table: " << odd_texts[i];
  }
}

TEST_F(StoreTest, AJsonColumnKeepsItsText) {
  const std::string inner = R"({"z": 1,  "a":[1.50,1e3,-0,12345678901234567890],"a":"\u00fc\/"})";
  commit({{"t", "a", {{"key", "a"}, {"n", 0}, {"f", 0.5}, {"yes", true}, {"grant", ""}, {"j", Value::json(inner)}}}});
  const auto rows = store->find("t", "key", {"a"});
  ASSERT_TRUE(rows.ok() && rows->size() == 1);
  EXPECT_NE(rows->front().find(inner), std::string::npos) << rows->front();
}

TEST_F(StoreTest, NumbersAndTruthSurvive) {
  const std::vector<Json> rows{
      {{"key", "a"}, {"n", INT64_MAX}, {"f", 0.1}, {"yes", true}, {"grant", nullptr}, {"j", nullptr}},
      {{"key", "b"}, {"n", INT64_MIN}, {"f", 1e-300}, {"yes", false}, {"grant", "x"}, {"j", {1, "2", nullptr}}}};
  commit({in("t", Kind::upsert, rows[0]), in("t", Kind::upsert, rows[1])});
  EXPECT_EQ(select({.table = "t", .order_by = "key"}), rows);
}

TEST_F(StoreTest, FiveThousandRowsInOneBatch) {
  std::vector<Change> changes;
  for (int i = 0; i < 5000; ++i) changes.push_back(put("key " + std::to_string(i), i));
  commit(changes);
  const std::string summary = "SELECT count(*), min(n), max(n), sum(n) FROM " + quoted("t");
  EXPECT_EQ(sql(summary), Rows{"5000|0|4999|12497500"});
  for (auto& change : changes) change.kind = Kind::insert;
  changes[17] = in("t", Kind::remove, {{"key", "key 17"}});
  commit(changes);
  EXPECT_EQ(sql(summary), Rows{"4999|0|4999|12497483"});
  EXPECT_EQ(select({.table = "t"}).size(), 4999U);
  EXPECT_EQ(select({.table = "t", .where = {{"key", "key 4711"}}}).size(), 1U);
}

TEST_F(StoreTest, AnUpdateChangesWhatItSaysWhereThereIsARow) {
  commit({in("t", Kind::upsert, {{"key", "a"}, {"n", 1}, {"grant", "it's \\ \"{}\""}}), put("b", 2)});
  commit({in("t", Kind::update, {{"key", "a"}, {"n", 10}}), in("t", Kind::update, {{"key", "b"}, {"n", nullptr}}),
          in("t", Kind::update, {{"key", "none"}, {"n", 30}}),
          in("t", Kind::update, {{"key", "a"}, {"grant", "of other columns"}})});
  EXPECT_EQ(keys_and_numbers(), (Rows{"a|10", "b|"}));
  EXPECT_EQ(select({.table = "t", .where = {{"key", "a"}}}).front().at("grant"), "of other columns");
}

TEST_F(StoreTest, ARowThatDoesNotFitNamesItsColumn) {
  const std::pair<Change, const char*> cases[] = {
      {{"t", "a", {{"key", "a"}, {"colour", "red"}}, Kind::update}, "t.colour"},
      {{"t", "a", {{"n", 1}}, Kind::update}, "t.key"},
      {{"t", "a", {{"key", "a"}, {"n", 1}}, Kind::upsert}, "t.grant"},
      {{"t", "a", {{"key", "a"}, {"grant", std::string(1, '\0')}}, Kind::update}, "t.grant"},
  };
  for (const auto& [change, path] : cases) {
    const auto done = store->commit({change});
    ASSERT_FALSE(done.ok()) << path;
    EXPECT_EQ(done.error().code, Code::invalid);
    EXPECT_EQ(done.error().path, path);
  }
}

TEST_F(StoreTest, AllOrNothingWhenARowIsBad) {
  commit({put("a", 1)});
  const std::pair<const char*, Change> bad[] = {
      {"a column that must not be empty", in("pair", Kind::upsert, {{"a", "x"}, {"b", 1}})},
      {"no key", in("t", Kind::upsert, {{"n", 1}})},
      {"a text for a number", in("t", Kind::update, {{"key", "z"}, {"n", "many"}})},
      {"a number too large", in("t", Kind::update, {{"key", "z"}, {"n", 1e19}})},
      {"NUL in a text", in("t", Kind::update, {{"key", "z"}, {"grant", std::string(1, '\0')}})},
      {"no JSON", {"t", "z", {{"key", "z"}, {"j", Value::json("{")}}, Kind::update}},
      {"no such table", in("none", Kind::upsert, {{"key", "z"}})},
  };
  for (const auto& [what, change] : bad) {
    const auto done = store->commit({put("b", 2), in("t", Kind::remove, {{"key", "a"}}), change, put("c", 3)});
    ASSERT_FALSE(done.ok()) << what;
    EXPECT_EQ(done.error().code, Code::invalid) << what << ": " << describe(done.error());
    EXPECT_EQ(keys_and_numbers(), Rows{"a|1"}) << what;
    EXPECT_EQ(all("pair"), Rows{}) << what;
    const auto again = patiently(*store, {put("a", 1)});
    EXPECT_TRUE(again.ok()) << what << ", and then a good one: " << describe(again.error());
  }
}

// --- questions ----------------------------------------------------------------------------------------------------

TEST_F(StoreTest, SelectByWhereOrderAndLimit) {
  commit({in("t", Kind::upsert, {{"key", "a"}, {"n", 10}, {"yes", true}, {"grant", "it's"}}),
          in("t", Kind::upsert, {{"key", "b"}, {"n", 9}, {"yes", true}, {"grant", "$1"}}),
          in("t", Kind::upsert, {{"key", "c"}, {"n", 100}, {"yes", false}, {"grant", "it's"}}),
          in("t", Kind::upsert, {{"key", "d"}, {"n", -1}})});
  struct Case {
    const char* name;
    Query query;
    const char* expected;
  };
  const Case cases[] = {
      {"all, by number", {.table = "t", .order_by = "n"}, "d b a c "},
      {"descending", {.table = "t", .order_by = "n", .descending = true}, "c a b d "},
      {"by text", {.table = "t", .order_by = "key"}, "a b c d "},
      {"the first two", {.table = "t", .order_by = "n", .limit = 2}, "d b "},
      {"the last one", {.table = "t", .order_by = "n", .descending = true, .limit = 1}, "c "},
      {"a limit beyond", {.table = "t", .order_by = "n", .limit = 100}, "d b a c "},
      {"by truth", {.table = "t", .where = {{"yes", "true"}}, .order_by = "n"}, "b a "},
      {"by number", {.table = "t", .where = {{"n", "100"}}}, "c "},
      {"by a text with a quote", {.table = "t", .where = {{"grant", "it's"}}, .order_by = "key"}, "a c "},
      {"by two", {.table = "t", .where = {{"grant", "it's"}, {"yes", "false"}}}, "c "},
      {"ordered by a word of SQL", {.table = "t", .where = {{"yes", "true"}}, .order_by = "grant"}, "b a "},
      {"nothing", {.table = "t", .where = {{"grant", "' OR true --"}}}, ""},
  };
  for (const auto& c : cases) EXPECT_EQ(keys_of(select(c.query)), c.expected) << c.name;
}

TEST_F(StoreTest, AValueThatIsNotOfTheColumnsTypeIsAnError) {
  const auto rows = store->select({.table = "t", .where = {{"n", "many"}}});
  ASSERT_FALSE(rows);
  EXPECT_EQ(rows.error().code, Code::unavailable) << "whatever the data does to a question: an answer, not the end";
}

TEST_F(StoreTest, FindByOddKeys) {
  std::vector<Change> changes;
  for (std::size_t i = 0; i < odd_texts.size(); ++i) {
    changes.push_back(in("t", Kind::upsert, {{"key", odd_texts[i]}, {"n", i}}));
  }
  commit(changes);
  for (const auto& key : odd_texts) {
    const auto rows = find("t", "key", {key});
    ASSERT_EQ(rows.size(), 1U) << key;
    EXPECT_EQ(rows[0].at("key"), key);
  }
  EXPECT_EQ(find("t", "key", odd_texts).size(), odd_texts.size());
  EXPECT_EQ(find("t", "key", {"none", "' OR true", "a"}).size(), 0U);
  EXPECT_EQ(find("t", "key", {}).size(), 0U);
}

TEST_F(StoreTest, FindByAColumnThatIsNoKey) {
  std::vector<Change> changes;
  Rows keys;
  for (int i = 0; i < 1000; ++i) {
    keys.push_back("group " + std::to_string(i));
    for (int b = 0; b < 2; ++b) changes.push_back(in("pair", Kind::upsert, {{"a", keys.back()}, {"b", b}, {"v", "v"}}));
  }
  commit(changes);
  EXPECT_EQ(find("pair", "a", {"group 7", "group 7", "group 8", "none"}).size(), 4U);
  EXPECT_EQ(find("pair", "a", keys).size(), 2000U);
}

TEST_F(StoreTest, WhatCannotBeAsked) {
  const std::function<Result<Rows>()> questions[] = {
      [&] { return store->select({.table = "none"}); },
      [&] {
        return store->select({.table = "t", .where = {{"none", "1"}}});
      },
      [&] { return store->select({.table = "t", .order_by = "none"}); },
      [&] { return store->find("t", "none", {"a"}); },
  };
  for (const auto& question : questions) {
    const auto rows = patiently(question);
    ASSERT_FALSE(rows.ok());
    EXPECT_EQ(rows.error().code, Code::invalid) << describe(rows.error());
  }
}

TEST_F(StoreTest, TheClockIsTheServers) {
  const std::string clock = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
  const auto before = std::stoll(sql(clock).at(0));
  const auto now = store->now_us();
  const auto after = std::stoll(sql(clock).at(0));
  ASSERT_TRUE(now.ok());
  EXPECT_LE(before, *now);
  EXPECT_LE(*now, after);
}

}  // namespace
}  // namespace fieldwork::store
