#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <pqxx/pqxx>
#include <sstream>

#include "crypto/digest.hpp"
#include "session.hpp"
#include "store/postgres.hpp"

namespace fieldwork::store {
namespace {

namespace fs = std::filesystem;

struct Migration {
  int number = 0;
  std::string name;
  std::string sql;
  std::string checksum;
};

Result<std::vector<Migration>> read_migrations(const std::string& directory) {
  std::error_code error;
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    if (entry.path().extension() == ".sql") paths.push_back(entry.path());
  }
  if (error) return Error{Code::unavailable, error.message(), directory};
  std::sort(paths.begin(), paths.end());
  std::vector<Migration> out;
  for (const auto& path : paths) {
    Migration migration;
    migration.name = path.filename().string();
    std::from_chars(migration.name.data(), migration.name.data() + migration.name.size(), migration.number);
    if (migration.number != static_cast<int>(out.size()) + 1) {
      return Error{Code::invalid, "migrations must be numbered from 0001 without a gap", path.string()};
    }
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    migration.sql = text.str();
    migration.checksum = crypto::digest_of(migration.sql);
    out.push_back(std::move(migration));
  }
  return out;
}

Result<int> apply(pqxx::connection& connection, const std::string& schema, const std::vector<Migration>& migrations) {
  int applied = 0;
  for (const auto& migration : migrations) {
    pqxx::work work(connection);
    const auto known = work.exec_params("SELECT checksum FROM migration WHERE number = $1", migration.number);
    if (!known.empty()) {
      if (known[0][0].as<std::string>() != migration.checksum) {
        return Error{Code::conflict, "was applied with other content; write a new migration instead", migration.name};
      }
      continue;
    }
    try {
      work.exec(migration.sql);
    } catch (const pqxx::sql_error& e) {
      return Error{Code::invalid, e.what(), migration.name};
    }
    work.exec_params("INSERT INTO migration (number, name, checksum) VALUES ($1, $2, $3)", migration.number,
                     migration.name, migration.checksum);
    work.commit();
    ++applied;
  }
  pqxx::work work(connection);
  const auto newest = work.exec1("SELECT coalesce(max(number), 0) FROM migration")[0].as<int>();
  if (newest > static_cast<int>(migrations.size())) {
    return Error{Code::conflict,
                 "the database is at migration " + std::to_string(newest) + ", newer than this software", schema};
  }
  return applied;
}

// SQL functions. advance() runs in each commit, renew() when there was no commit for a second. Both abort the
// transaction of an instance that does not hold the term.
std::string term_functions(const std::string& schema) {
  const std::string refuse =
      " IF NOT FOUND THEN RAISE EXCEPTION 'another instance has taken over, or the database is not"
      " the one it was' USING ERRCODE = '" +
      std::string(replaced_state) + "'; END IF; END $$;";
  return "CREATE OR REPLACE FUNCTION " + schema +
         ".advance(t bigint, c bigint) RETURNS void LANGUAGE plpgsql AS $$"
         " BEGIN UPDATE " +
         schema +
         ".term SET commits = commits + 1, renewed_at = clock_timestamp()"
         " WHERE term = t AND commits = c;" +
         refuse + "CREATE OR REPLACE FUNCTION " + schema +
         ".renew(t bigint) RETURNS void LANGUAGE plpgsql AS $$"
         " BEGIN PERFORM set_config('synchronous_commit', 'off', true);"  // a lost renewal does no harm
         " UPDATE " +
         schema + ".term SET renewed_at = clock_timestamp() WHERE term = t;" + refuse;
}

}  // namespace

Result<int> migrate(const PostgresConfig& config) {
  auto migrations = read_migrations(config.migrations);
  if (!migrations) return migrations.error();
  try {
    const auto settings = connection_string(config.url, "-c lock_timeout=10s -c client_min_messages=warning");
    if (!settings) return settings.error();
    pqxx::connection connection(*settings);
    {
      pqxx::work work(connection);
      // This is not the active instance's lock: a migration may run beside a standby that waits for that lock.
      work.exec_params("SELECT pg_advisory_lock(hashtext($1))", "fieldwork migrate " + config.schema);
      // The schema is looked up first: IF NOT EXISTS needs the right to create schemas even where the schema exists.
      if (work.exec_params("SELECT 1 FROM pg_namespace WHERE nspname = $1", config.schema).empty()) {
        work.exec("CREATE SCHEMA " + work.quote_name(config.schema));
      }
      work.exec("SET search_path TO " + work.quote_name(config.schema));
      work.exec(
          "CREATE TABLE IF NOT EXISTS migration (number int PRIMARY KEY, name text NOT NULL, checksum text NOT NULL,"
          " applied_at timestamptz NOT NULL DEFAULT now())");
      work.exec(
          "CREATE TABLE IF NOT EXISTS term (one boolean PRIMARY KEY DEFAULT true CHECK (one), term bigint NOT NULL,"
          " commits bigint NOT NULL DEFAULT 0, renewed_at timestamptz NOT NULL DEFAULT now(),"
          " server timestamptz, released boolean NOT NULL DEFAULT false)");
      work.exec("INSERT INTO term (term) VALUES (0) ON CONFLICT DO NOTHING");
      work.exec(term_functions(work.quote_name(config.schema)));
      work.exec(
          "CREATE TABLE IF NOT EXISTS outbox (key text PRIMARY KEY, topic text NOT NULL, item text NOT NULL, "
          "until_ms bigint NOT NULL)");
      work.commit();
    }
    return apply(connection, config.schema, *migrations);
  } catch (const pqxx::broken_connection& e) {
    return Error{Code::unavailable, e.what(), "database.url"};
  } catch (const pqxx::sql_error& e) {
    auto error = judge(e, false);
    error.path = config.schema;
    return error;
  } catch (const std::exception& e) {
    return Error{Code::invalid, e.what(), config.schema};
  }
}

}  // namespace fieldwork::store
