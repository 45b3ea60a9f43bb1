// The store of a service: PostgreSQL, one schema per service.
#pragma once

#include <memory>
#include <string>

#include "store/store.hpp"

namespace fieldwork::store {

struct PostgresConfig {
  std::string url;         // libpq connection string
  std::string schema;      // this service's own
  std::string migrations;  // directory of numbered NNNN_name.sql files
};

// Applies the migrations not yet applied, in order, each in a transaction, under an advisory lock. A file that was
// applied and has changed since, or a gap in the numbers, is an error that names it. Returns how many were applied.
Result<int> migrate(const PostgresConfig& config);

// Takes its turn as the active instance of the service (an advisory lock of the session that commits), then raises the
// schema's term. When the session breaks, the next call makes another: if the term has passed by then, the call does
// nothing and says so with Code::conflict, and the instance must end at once.
class PostgresStore : public Store {
 public:
  // Tries once: Code::unavailable while another instance is active or the server cannot be reached.
  static Result<std::unique_ptr<PostgresStore>> activate(PostgresConfig config);
  ~PostgresStore() override;

  Result<void> commit(const std::vector<Change>& changes) override;
  Result<std::vector<std::string>> select(const Query& query) override;
  Result<std::vector<std::string>> find(const std::string& table, const std::string& column,
                                        const std::vector<std::string>& keys) override;
  Result<std::int64_t> now_us() override;

 private:
  struct Impl;
  explicit PostgresStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace fieldwork::store
