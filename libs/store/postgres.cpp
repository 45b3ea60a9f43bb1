#include "store/postgres.hpp"

#include <functional>
#include <map>
#include <pqxx/pqxx>

namespace fieldwork::store {
namespace {

// Session settings belong in the connection string: a reconnect of libpq's would lose SET values.
std::string with_settings(const std::string& url) {
  const char* settings = "options=-c%20statement_timeout%3D30s%20-c%20lock_timeout%3D10s&connect_timeout=5";
  return url + (url.find('?') == std::string::npos ? "?" : "&") + settings;
}

std::string text_array(const std::vector<std::string>& values) {
  std::string out = "{";
  for (const auto& value : values) {
    if (out.size() > 1) out += ',';
    out += '"';
    for (const char c : value) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    out += '"';
  }
  return out + "}";
}

struct Statements {
  std::string upsert, insert, remove;
};

}  // namespace

struct PostgresStore::Impl {
  PostgresConfig config;
  std::unique_ptr<pqxx::connection> connection;
  std::int64_t term = 0;
  std::map<std::string, Statements> tables;

  // Connects and takes the lock; on a later reconnect the term says whether another instance was active in between.
  void connect() {
    connection.reset();
    tables.clear();
    auto fresh = std::make_unique<pqxx::connection>(with_settings(config.url));
    pqxx::work work(*fresh);
    const auto locked =
        work.exec_params1("SELECT pg_try_advisory_lock(hashtext($1))", "fieldwork " + config.schema)[0].as<bool>();
    if (!locked) throw pqxx::broken_connection("another instance of this service is active");
    if (term == 0) {
      term = work.exec1("UPDATE " + work.quote_name(config.schema) + ".term SET term = term + 1 RETURNING term")[0]
                 .as<std::int64_t>();
    }
    work.commit();
    connection = std::move(fresh);
  }

  // Runs `body` in a transaction; a broken connection is thrown away, the next call makes a new one.
  Result<void> transact(const std::function<Result<void>(pqxx::work&)>& body) {
    try {
      if (!connection || !connection->is_open()) connect();
      pqxx::work work(*connection);
      auto done = body(work);
      if (!done) return done;
      work.commit();
      return {};
    } catch (const pqxx::broken_connection& e) {
      connection.reset();
      return Error{Code::unavailable, e.what(), "database.url"};
    } catch (const pqxx::in_doubt_error& e) {
      connection.reset();
      return Error{Code::unavailable, e.what(), "database.url"};
    } catch (const std::exception& e) {
      connection.reset();
      return Error{Code::invalid, e.what(), "database"};
    }
  }

  std::string quoted(const std::string& table) const {
    return connection->quote_name(config.schema) + "." + connection->quote_name(table);
  }

  const Statements& statements(pqxx::work& work, const std::string& table) {
    const auto it = tables.find(table);
    if (it != tables.end()) return it->second;
    const auto columns = work.exec_params(
        "SELECT a.attname, coalesce(i.indisprimary, false) FROM pg_attribute a LEFT JOIN pg_index i"
        " ON i.indrelid = a.attrelid AND i.indisprimary AND a.attnum = ANY(i.indkey)"
        " WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
        quoted(table));
    std::string keys, set, match, names;
    for (const auto& column : columns) {
      const std::string name = connection->quote_name(column[0].as<std::string>());
      names += (names.empty() ? "" : ", ") + name;
      if (column[1].as<bool>()) {
        keys += (keys.empty() ? "" : ", ") + name;
        match += (match.empty() ? "" : " AND ") + ("t." + name) + " = k." + name;
      } else {
        set += (set.empty() ? "" : ", ") + name + " = EXCLUDED." + name;
      }
    }
    const std::string rows = " json_populate_recordset(NULL::" + quoted(table) + ", $1::json)";
    const std::string insert =
        "INSERT INTO " + quoted(table) + " SELECT * FROM" + rows + " ON CONFLICT (" + keys + ") DO ";
    Statements out;
    out.upsert = table + "_upsert";
    out.insert = table + "_insert";
    out.remove = table + "_remove";
    connection->prepare(out.upsert, insert + (set.empty() ? "NOTHING" : "UPDATE SET " + set));
    connection->prepare(out.insert, insert + "NOTHING");
    connection->prepare(out.remove, "DELETE FROM " + quoted(table) + " t USING" + rows + " k WHERE " + match);
    return tables.emplace(table, std::move(out)).first->second;
  }

  Result<void> check_term(pqxx::work& work) {
    if (tables.empty()) {
      connection->prepare("check_term",
                          "SELECT term FROM " + connection->quote_name(config.schema) + ".term FOR SHARE");
    }
    const auto current = work.exec_prepared1("check_term")[0].as<std::int64_t>();
    if (current == term) return {};
    return Error{Code::conflict, "another instance of " + config.schema + " has taken over"};
  }
};

PostgresStore::PostgresStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PostgresStore::~PostgresStore() = default;

Result<std::unique_ptr<PostgresStore>> PostgresStore::activate(PostgresConfig config) {
  auto impl = std::make_unique<Impl>();
  impl->config = std::move(config);
  try {
    impl->connect();
  } catch (const std::exception& e) {
    return Error{Code::unavailable, e.what(), "database.url"};
  }
  return std::unique_ptr<PostgresStore>(new PostgresStore(std::move(impl)));
}

Result<void> PostgresStore::commit(const std::vector<Change>& changes) {
  return impl_->transact([&](pqxx::work& work) -> Result<void> {
    if (auto active = impl_->check_term(work); !active) return active;
    // One statement per table and kind; removes last is wrong when a key is removed and added again in one batch,
    // which coalesce() has already reduced to the last of both.
    std::map<std::pair<std::string, Change::Kind>, std::string> batches;
    for (const auto& change : changes) {
      auto& rows = batches[{change.table, change.kind}];
      rows += rows.empty() ? '[' : ',';
      rows += change.row;
    }
    for (auto& [target, rows] : batches) {
      rows += ']';
      const auto& statements = impl_->statements(work, target.first);
      switch (target.second) {
        case Change::Kind::upsert: work.exec_prepared(statements.upsert, rows); break;
        case Change::Kind::insert: work.exec_prepared(statements.insert, rows); break;
        case Change::Kind::remove: work.exec_prepared(statements.remove, rows); break;
      }
    }
    return {};
  });
}

Result<std::vector<std::string>> PostgresStore::select(const Query& query) {
  std::vector<std::string> out;
  auto done = impl_->transact([&](pqxx::work& work) -> Result<void> {
    std::string sql = "SELECT row_to_json(t) FROM " + impl_->quoted(query.table) + " t";
    for (const auto& [column, value] : query.where) {
      sql += (sql.find(" WHERE ") == std::string::npos ? " WHERE t." : " AND t.") + work.quote_name(column) +
             "::text = " + work.quote(value);
    }
    if (!query.order_by.empty()) {
      sql += " ORDER BY t." + work.quote_name(query.order_by) + (query.descending ? " DESC" : "");
    }
    if (query.limit > 0) sql += " LIMIT " + std::to_string(query.limit);
    for (const auto& row : work.exec(sql)) out.push_back(row[0].as<std::string>());
    return {};
  });
  if (!done) return done.error();
  return out;
}

Result<std::vector<std::string>> PostgresStore::find(const std::string& table, const std::string& column,
                                                     const std::vector<std::string>& keys) {
  std::vector<std::string> out;
  auto done = impl_->transact([&](pqxx::work& work) -> Result<void> {
    const auto rows = work.exec_params("SELECT row_to_json(t) FROM " + impl_->quoted(table) + " t WHERE t." +
                                           work.quote_name(column) + " = ANY($1::text[])",
                                       text_array(keys));
    for (const auto& row : rows) out.push_back(row[0].as<std::string>());
    return {};
  });
  if (!done) return done.error();
  return out;
}

Result<std::int64_t> PostgresStore::now_us() {
  std::int64_t now = 0;
  auto done = impl_->transact([&](pqxx::work& work) -> Result<void> {
    now = work.exec1("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")[0].as<std::int64_t>();
    return {};
  });
  if (!done) return done.error();
  return now;
}

}  // namespace fieldwork::store
