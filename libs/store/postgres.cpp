#include "store/postgres.hpp"

#include <functional>
#include <map>
#include <pqxx/pqxx>

namespace fieldwork::store {
namespace {

// Session settings belong in the connection string: a reconnect of libpq's would lose SET values.
std::string with_settings(const std::string& url) {
  // A statement is planned once, often on an empty table; all go by key, so no plan may read whole tables.
  const char* settings =
      "options=-c%20statement_timeout%3D30s%20-c%20lock_timeout%3D10s%20-c%20enable_seqscan%3Doff"
      "%20-c%20enable_hashjoin%3Doff%20-c%20enable_mergejoin%3Doff&connect_timeout=5";
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

// Names of prepared statements that take the rows of a batch as one JSON array.
struct Statements {
  std::string upsert, insert, remove;
};

}  // namespace

struct PostgresStore::Impl {
  PostgresConfig config;
  std::unique_ptr<pqxx::connection> connection;
  std::int64_t term = 0;
  std::map<std::string, Statements> tables;
  std::map<std::pair<std::string, std::string>, std::string> finders;  // by table and column

  // Connects and takes the lock. The session that holds it is the one that commits, so a commit need not look whether
  // another instance has taken over: while the session lives none has. Only a new session has to look.
  Result<void> connect() {
    connection.reset();
    tables.clear();
    finders.clear();
    auto fresh = std::make_unique<pqxx::connection>(with_settings(config.url));
    pqxx::work work(*fresh);
    const auto locked =
        work.exec_params1("SELECT pg_try_advisory_lock(hashtext($1))", "fieldwork " + config.schema)[0].as<bool>();
    if (!locked) return Error{Code::unavailable, "another instance of this service is active", "database.url"};
    const auto stored = work.quote_name(config.schema) + ".term";
    if (term == 0) {
      term = work.exec1("UPDATE " + stored + " SET term = term + 1 RETURNING term")[0].as<std::int64_t>();
    } else if (work.exec1("SELECT term FROM " + stored)[0].as<std::int64_t>() != term) {
      return Error{Code::conflict, "another instance of " + config.schema + " has taken over"};
    }
    work.commit();
    connection = std::move(fresh);
    return {};
  }

  // Runs `body` in a transaction of the given kind; a broken connection is thrown away, the next call makes a new one.
  template <class Transaction>
  Result<void> transact(const std::function<void(Transaction&)>& body) {
    try {
      if (!connection || !connection->is_open()) {
        if (auto connected = connect(); !connected) return connected;
      }
      Transaction work(*connection);
      body(work);
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

  // The name of the prepared statement that finds a table's rows by a column.
  const std::string& finder(const std::string& table, const std::string& column) {
    const auto [it, fresh] = finders.try_emplace({table, column}, table + " by " + column);
    if (fresh) {
      connection->prepare(it->second, "SELECT row_to_json(t) FROM " + quoted(table) + " t WHERE t." +
                                          connection->quote_name(column) + " = ANY($1::text[])");
    }
    return it->second;
  }

  const Statements& statements(pqxx::nontransaction& work, const std::string& table) {
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
        match.append(match.empty() ? "t." : " AND t.").append(name).append(" = k.").append(name);
      } else {
        set.append(set.empty() ? "" : ", ").append(name).append(" = EXCLUDED.").append(name);
      }
    }
    const std::string rows = " json_populate_recordset(NULL::" + quoted(table) + ", $1::json)";
    const std::string insert =
        "INSERT INTO " + quoted(table) + " SELECT * FROM" + rows + " ON CONFLICT (" + keys + ") DO ";
    Statements out{connection->quote_name(table + " upsert"), connection->quote_name(table + " insert"),
                   connection->quote_name(table + " remove")};
    work.exec("PREPARE " + out.upsert + "(text) AS " + insert + (set.empty() ? "NOTHING" : "UPDATE SET " + set) +
              ";PREPARE " + out.insert + "(text) AS " + insert + "NOTHING;PREPARE " + out.remove +
              "(text) AS DELETE FROM " + quoted(table) + " t USING" + rows + " k WHERE " + match);
    return tables.emplace(table, std::move(out)).first->second;
  }
};

PostgresStore::PostgresStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PostgresStore::~PostgresStore() = default;

Result<std::unique_ptr<PostgresStore>> PostgresStore::activate(PostgresConfig config) {
  auto impl = std::make_unique<Impl>();
  impl->config = std::move(config);
  try {
    if (auto connected = impl->connect(); !connected) return connected.error();
  } catch (const std::exception& e) {
    return Error{Code::unavailable, e.what(), "database.url"};
  }
  return std::unique_ptr<PostgresStore>(new PostgresStore(std::move(impl)));
}

Result<void> PostgresStore::commit(const std::vector<Change>& changes) {
  // One statement per table and kind; removes last is wrong when a key is removed and added again in one batch,
  // which coalesce() has already reduced to the last of both.
  std::map<std::pair<std::string, Change::Kind>, std::string> batches;
  for (const auto& change : changes) {
    auto& rows = batches[{change.table, change.kind}];
    rows += rows.empty() ? '[' : ',';
    rows += change.row;
  }
  if (batches.empty()) return {};
  // All of them are sent as one query, which PostgreSQL runs as one transaction: one round trip and one flush.
  return impl_->transact<pqxx::nontransaction>([&](pqxx::nontransaction& work) {
    std::string query;
    for (auto& [target, rows] : batches) {
      rows += ']';
      const auto& [upsert, insert, remove] = impl_->statements(work, target.first);
      const auto& name = target.second == Change::Kind::upsert   ? upsert
                         : target.second == Change::Kind::insert ? insert
                                                                 : remove;
      query += "EXECUTE " + name + "(" + work.quote(rows) + ");";
    }
    work.exec(query);
  });
}

Result<std::vector<std::string>> PostgresStore::select(const Query& query) {
  std::vector<std::string> out;
  auto done = impl_->transact<pqxx::work>([&](pqxx::work& work) {
    std::string sql = "SELECT row_to_json(t) FROM " + impl_->quoted(query.table) + " t";
    for (const auto& [column, value] : query.where) {
      sql += (sql.find(" WHERE ") == std::string::npos ? " WHERE t." : " AND t.") + work.quote_name(column) + " = " +
             work.quote(value);  // of the column's own type, so that an index serves
    }
    if (!query.order_by.empty()) {
      sql += " ORDER BY t." + work.quote_name(query.order_by) + (query.descending ? " DESC" : "");
    }
    if (query.limit > 0) sql += " LIMIT " + std::to_string(query.limit);
    for (const auto& row : work.exec(sql)) out.push_back(row[0].as<std::string>());
  });
  if (!done) return done.error();
  return out;
}

Result<std::vector<std::string>> PostgresStore::find(const std::string& table, const std::string& column,
                                                     const std::vector<std::string>& keys) {
  std::vector<std::string> out;
  auto done = impl_->transact<pqxx::nontransaction>([&](pqxx::nontransaction& work) {
    const auto rows = work.exec_prepared(impl_->finder(table, column), text_array(keys));
    for (const auto& row : rows) out.push_back(row[0].as<std::string>());
  });
  if (!done) return done.error();
  return out;
}

Result<std::int64_t> PostgresStore::now_us() {
  std::int64_t now = 0;
  auto done = impl_->transact<pqxx::work>([&](pqxx::work& work) {
    now = work.exec1("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")[0].as<std::int64_t>();
  });
  if (!done) return done.error();
  return now;
}

}  // namespace fieldwork::store
