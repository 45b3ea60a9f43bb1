// The store of a service: PostgreSQL, one schema per service. Which instance is the active one, and how the others
// know: docs/decisions/0012-one-active-instance.md.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "base/time.hpp"
#include "store/store.hpp"

namespace fieldwork::store {

struct PostgresConfig {
  std::string url;         // libpq connection string, URI or keywords; its settings are stronger than our defaults
  std::string schema;      // this service's own
  std::string migrations;  // directory of numbered NNNN_name.sql files

  Duration lease = seconds{10};          // an active instance that is silent for longer may be replaced
  Duration round = seconds{3};           // wait of a standby for the earlier holder after a server restart
  Duration deadline = seconds{10};       // of a commit, a find() or a check(): then the session is given up
  Duration load_deadline = seconds{40};  // of select() and range(), which read whole tables at the start
};

// Applies the migrations not yet applied, in order, each in a transaction, under an advisory lock. A file that was
// applied and has changed since, or a gap in the numbers, is an error that names it. Returns how many were applied.
Result<int> migrate(const PostgresConfig& config);

// The active instance's store. When its session breaks, the next call makes a new one. If the term has passed by then,
// or the database is not as far as this instance's last commit, the call does nothing and returns Code::conflict. Then
// the instance must end at once: its memory is not what is stored. Every call ends within its deadline.
class PostgresStore : public Store {
 public:
  // Becomes the active instance if the lock is free now, even where its earlier holder may want to come back. To wait,
  // see Turn.
  static Result<std::unique_ptr<PostgresStore>> activate(PostgresConfig config);
  ~PostgresStore() override;  // releases the term, so that a standby need not wait

  Result<void> commit(const std::vector<Change>& changes) override;
  Result<std::vector<std::string>> select(const Query& query) override;
  Result<std::vector<std::string>> find(const std::string& table, const std::string& column,
                                        const std::vector<std::string>& keys) override;
  Result<Page> range(const Range& range) override;
  Result<std::int64_t> prune(const Prune& prune) override;
  [[nodiscard]] bool contested() const override { return true; }
  Result<void> check() override;  // also renews the lease
  Result<std::int64_t> now_us() override;

 private:
  friend class Turn;
  struct Impl;
  explicit PostgresStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// A standby's wait for its turn.
class Turn {
 public:
  explicit Turn(PostgresConfig config);
  ~Turn();

  // Call it each half second until it gives a store. Code::unavailable while another instance is active or may come
  // back, or the server does not answer. Ends the session of an active instance that is silent for longer than the
  // lease.
  Result<std::unique_ptr<PostgresStore>> attempt();

 private:
  std::unique_ptr<PostgresStore::Impl> impl_;
  std::optional<std::chrono::steady_clock::time_point> free_since_;
};

// A session beside the engine's, for one thread: its questions do not hold up the engine, and a failure is only an
// error.
class PostgresReader : public Reader {
 public:
  // The session is read-only; a question may take `statement_max`.
  explicit PostgresReader(const PostgresConfig& config, milliseconds statement_max = seconds{5});
  ~PostgresReader() override;

  Result<std::vector<std::string>> select(const Query& query) override;
  Result<std::vector<std::string>> find(const std::string& table, const std::string& column,
                                        const std::vector<std::string>& keys) override;
  Result<Page> range(const Range& range) override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// A session beside the engine's for removing old rows. It checks no term: rows that nobody needs any more may be
// removed twice.
class PostgresPruner : public Pruner {
 public:
  explicit PostgresPruner(const PostgresConfig& config, milliseconds statement_max = seconds{60});
  ~PostgresPruner() override;

  Result<std::int64_t> prune(const Prune& prune) override;
  Result<std::int64_t> now_us() override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fieldwork::store
