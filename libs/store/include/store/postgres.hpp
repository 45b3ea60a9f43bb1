// The store of a service: PostgreSQL, one schema per service. Who is the active instance and how that is known:
// docs/decisions/0012-one-active-instance.md.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "base/time.hpp"
#include "store/store.hpp"

namespace fieldwork::store {

struct PostgresConfig {
  std::string url;         // libpq connection string, URI or keywords; what it says is stronger than our defaults
  std::string schema;      // this service's own
  std::string migrations;  // directory of numbered NNNN_name.sql files

  Duration lease = seconds{10};          // an active instance that is silent for longer may be replaced
  Duration round = seconds{3};           // after a restart of the server the earlier holder may come back first
  Duration deadline = seconds{10};       // of a commit, a find, a look at the session: then the session is given up
  Duration load_deadline = seconds{40};  // of select() and range(), which read whole tables at the start
};

// Applies the migrations not yet applied, in order, each in a transaction, under an advisory lock. A file that was
// applied and has changed since, or a gap in the numbers, is an error that names it. Returns how many were applied.
Result<int> migrate(const PostgresConfig& config);

// The active instance's store. When its session breaks, the next call makes another: if the term has passed by then, or
// the database is not as far as this instance's last commit, the call does nothing and says so with Code::conflict, and
// the instance must end at once: what it remembers is not what is stored. Every call ends within its deadline.
class PostgresStore : public Store {
 public:
  // Becomes the active instance if the lock is free now, whoever may want to come back. For waiting see Turn.
  static Result<std::unique_ptr<PostgresStore>> activate(PostgresConfig config);
  ~PostgresStore() override;  // gives the turn back, so that a standby need not wait

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

// A session beside the engine's, for one thread: it holds up nobody, and its failure is an answer.
class PostgresReader : public Reader {
 public:
  // It can change nothing; a question may take `statement_max`.
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

// The same for removing old rows. It asks for no term: rows that nobody needs any more may be removed twice.
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
