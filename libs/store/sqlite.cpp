#include "store/sqlite.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "rows.hpp"

namespace fieldwork::store {
namespace {

struct Statement {
  sqlite3_stmt* handle = nullptr;
  ~Statement() { sqlite3_finalize(handle); }
};

}  // namespace

struct SqliteStore::Impl {
  sqlite3* db = nullptr;
  Statement upsert, insert, remove, by_table, begin, commit, rollback;

  ~Impl() {
    for (auto* statement : {&upsert, &insert, &remove, &by_table, &begin, &commit, &rollback}) {
      sqlite3_finalize(statement->handle);
      statement->handle = nullptr;
    }
    sqlite3_close(db);
  }

  Error error(const char* what) const {
    return Error{Code::unavailable, std::string(what) + ": " + sqlite3_errmsg(db), "journal"};
  }

  Result<void> prepare(Statement& into, const char* sql) const {
    if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &into.handle, nullptr) != SQLITE_OK)
      return error(sql);
    return {};
  }

  static void bind(const Statement& statement, int at, const std::string& text) {
    sqlite3_bind_text(statement.handle, at, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
  }

  Result<void> run(const Statement& statement) const {
    const int code = sqlite3_step(statement.handle);
    sqlite3_reset(statement.handle);
    sqlite3_clear_bindings(statement.handle);
    if (code != SQLITE_DONE && code != SQLITE_ROW) return error("write");
    return {};
  }

  Result<void> apply(const Change& change) const {
    auto kind = change.kind;
    std::string row;
    if (kind == Change::Kind::update) {
      const auto table = this->table(change.table);
      if (!table) return table.error();
      const auto it =
          std::find_if(table->begin(), table->end(), [&](const auto& one) { return one.first == change.key; });
      if (it == table->end()) return {};
      row = rows::merged(it->second, change.row);
      kind = Change::Kind::upsert;
    } else if (kind != Change::Kind::remove) {
      row = change.row.to_json();
    }
    const auto& statement = kind == Change::Kind::upsert ? upsert : kind == Change::Kind::insert ? insert : remove;
    bind(statement, 1, change.table);
    bind(statement, 2, change.key);
    if (kind != Change::Kind::remove) bind(statement, 3, row);
    return run(statement);
  }

  Result<rows::Table> table(const std::string& name) const {
    bind(by_table, 1, name);
    rows::Table out;
    int code = SQLITE_ROW;
    const auto text = [&](int column) {
      const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(by_table.handle, column));
      return std::string(bytes, static_cast<std::size_t>(sqlite3_column_bytes(by_table.handle, column)));
    };
    while ((code = sqlite3_step(by_table.handle)) == SQLITE_ROW) out.emplace_back(text(0), text(1));
    sqlite3_reset(by_table.handle);
    sqlite3_clear_bindings(by_table.handle);
    if (code != SQLITE_DONE) return error("read");
    return out;
  }
};

SqliteStore::SqliteStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SqliteStore::~SqliteStore() = default;

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const std::string& path) {
  auto impl = std::make_unique<Impl>();
  if (sqlite3_open(path.c_str(), &impl->db) != SQLITE_OK) return impl->error(path.c_str());
  sqlite3_busy_timeout(impl->db, 5000);
  const char* setup =
      // Checkpoints come early, so that SQLite overwrites the log from its beginning before the log outgrows
      // keep_room().
      "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=256;"
      "CREATE TABLE IF NOT EXISTS row (\"table\" TEXT NOT NULL, key TEXT NOT NULL, row TEXT NOT NULL,"
      " PRIMARY KEY (\"table\", key)) WITHOUT ROWID;";
  if (sqlite3_exec(impl->db, setup, nullptr, nullptr, nullptr) != SQLITE_OK) return impl->error(path.c_str());
  const std::pair<Statement*, const char*> statements[] = {
      {&impl->upsert, "INSERT OR REPLACE INTO row VALUES (?1, ?2, ?3)"},
      {&impl->insert, "INSERT OR IGNORE INTO row VALUES (?1, ?2, ?3)"},
      {&impl->remove, "DELETE FROM row WHERE \"table\" = ?1 AND key = ?2"},
      {&impl->by_table, "SELECT key, row FROM row WHERE \"table\" = ?1 ORDER BY key"},
      {&impl->begin, "BEGIN IMMEDIATE"},
      {&impl->commit, "COMMIT"},
      {&impl->rollback, "ROLLBACK"},
  };
  for (const auto& [statement, sql] : statements) {
    if (auto done = impl->prepare(*statement, sql); !done) return done.error();
  }
  return std::unique_ptr<SqliteStore>(new SqliteStore(std::move(impl)));
}

// Emptying the table `room` leaves free pages in the database file; the log keeps its length. Later commits use both.
Result<void> SqliteStore::keep_room(std::int64_t bytes) {
  const auto run = [this](const std::string& sql) -> Result<void> {
    if (sqlite3_exec(impl_->db, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) return impl_->error("keep room");
    return {};
  };
  if (auto made = run("CREATE TABLE IF NOT EXISTS room (bytes BLOB)"); !made) return made;
  auto filled = run("INSERT INTO room VALUES (zeroblob(" + std::to_string(bytes) + "))");
  auto emptied = run("DELETE FROM room");
  return filled ? emptied : filled;
}

Result<void> SqliteStore::commit(const std::vector<Change>& changes) {
  if (auto begun = impl_->run(impl_->begin); !begun) return begun;
  for (const auto& change : changes) {
    if (auto done = impl_->apply(change); !done) {
      (void)impl_->run(impl_->rollback);
      return done;
    }
  }
  auto done = impl_->run(impl_->commit);
  if (!done) (void)impl_->run(impl_->rollback);
  return done;
}

Result<std::vector<std::string>> SqliteStore::select(const Query& query) {
  const auto table = impl_->table(query.table);
  if (!table) return table.error();
  return rows::select(*table, query);
}

Result<std::vector<std::string>> SqliteStore::find(const std::string& name, const std::string& column,
                                                   const std::vector<std::string>& keys) {
  const auto table = impl_->table(name);
  if (!table) return table.error();
  return rows::find(*table, column, keys);
}

Result<Page> SqliteStore::range(const Range& range) {
  const auto table = impl_->table(range.table);
  if (!table) return table.error();
  return rows::range(*table, range);
}

Result<std::int64_t> SqliteStore::prune(const Prune& prune) {
  const auto table = impl_->table(prune.table);
  if (!table) return table.error();
  const auto keys = rows::prunable(*table, prune);
  if (!keys) return keys.error();
  std::vector<Change> changes;
  for (const auto& key : *keys) changes.push_back({prune.table, key, {}, Change::Kind::remove});
  const std::set<std::string> gone(keys->begin(), keys->end());
  std::vector<std::string> removed;
  for (const auto& [key, row] : *table) {
    if (gone.contains(key)) removed.push_back(row);
  }
  for (const auto& name : prune.along) {
    const auto other = impl_->table(name);
    if (!other) return other.error();
    for (const auto& key : rows::along(*other, prune, removed))
      changes.push_back({name, key, {}, Change::Kind::remove});
  }
  if (!changes.empty()) {
    if (auto done = commit(changes); !done) return done.error();
  }
  return static_cast<std::int64_t>(keys->size());
}

Result<std::int64_t> SqliteStore::now_us() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

}  // namespace fieldwork::store
