// What tests of the PostgreSQL store share: one server for the program, a schema and a directory of migrations for each
// test, and a session past the store to see what is stored.
#pragma once

#include <gtest/gtest.h>

#include <cctype>
#include <functional>

#include "postgres.hpp"
#include "store/postgres.hpp"

namespace fieldwork::store {

class PostgresTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = std::make_unique<support::PostgresServer>(); }
  static void TearDownTestSuite() { server_.reset(); }

  PostgresTest() : side_(server_->url()) {
    std::string name = (std::filesystem::temp_directory_path() / "fieldwork-migrations-XXXXXX").string();
    directory = mkdtemp(name.data());
    // A schema name that must be quoted, so that code which does not quote it is found.
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    config = {server_->url(), std::string("of \"") + test->name() + "\"", directory.string()};
  }
  ~PostgresTest() override { std::filesystem::remove_all(directory); }

  void write(const std::string& name, const std::string& sql) const { std::ofstream(directory / name) << sql; }

  // Runs SQL past the store. Returns the rows of the answer, their columns with '|' between.
  std::vector<std::string> sql(const std::string& statement) {
    std::vector<std::string> out;
    pqxx::nontransaction work(side_);
    for (const auto& row : work.exec(statement)) {
      std::string line;
      for (const auto& field : row) line += (line.empty() ? "" : "|") + std::string(field.c_str());
      out.push_back(line);
    }
    return out;
  }
  std::string quoted(const std::string& table) { return side_.quote_name(config.schema) + "." + table; }

  // Ends every session but this object's own, and waits until they are gone.
  void end_sessions() {
    for (const auto& ended : sql("SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity"
                                 " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()")) {
      EXPECT_EQ(ended, "t");
    }
  }

  // Repeats `act` while the store is away, as the runner does.
  template <class T>
  static Result<T> patiently(const std::function<Result<T>()>& act) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (true) {
      auto done = act();
      if (done || done.error().code != Code::unavailable || std::chrono::steady_clock::now() > deadline) return done;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  static Result<void> patiently(PostgresStore& store, const std::vector<Change>& changes) {
    return patiently<void>([&] { return store.commit(changes); });
  }
  std::unique_ptr<PostgresStore> activate() {
    auto store = patiently<std::unique_ptr<PostgresStore>>([&] { return PostgresStore::activate(config); });
    if (store) return std::move(*store);
    ADD_FAILURE() << describe(store.error());
    return nullptr;
  }
  void waits_until(const std::string& statement, const std::vector<std::string>& answer) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (sql(statement) != answer) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << statement;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }

  std::filesystem::path directory;
  PostgresConfig config;

 private:
  static inline std::unique_ptr<support::PostgresServer> server_;
  pqxx::connection side_;
};

}  // namespace fieldwork::store
