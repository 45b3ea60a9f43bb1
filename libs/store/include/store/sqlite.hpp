// The agent's journal: SQLite, write-ahead log, synchronous. Every table is (key, row) and is read as a whole: the
// journal's tables are small.
#pragma once

#include <memory>

#include "store/store.hpp"

namespace fieldwork::store {

class SqliteStore : public Store {
 public:
  static Result<std::unique_ptr<SqliteStore>> open(const std::string& path);
  ~SqliteStore() override;

  /// Reserves room for later commits of altogether `bytes` inside the database files, so that these commits succeed on
  /// a disk that others have filled. Holds for as long as the store is open. Writes `bytes` once; where the disk has no
  /// room for them now, it fails and changes nothing.
  [[nodiscard]] Result<void> keep_room(std::int64_t bytes);

  Result<void> commit(const std::vector<Change>& changes) override;
  Result<std::vector<std::string>> select(const Query& query) override;
  Result<std::vector<std::string>> find(const std::string& table, const std::string& column,
                                        const std::vector<std::string>& keys) override;
  Result<Page> range(const Range& range) override;
  Result<std::int64_t> prune(const Prune& prune) override;
  Result<std::int64_t> now_us() override;

 private:
  struct Impl;
  explicit SqliteStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace fieldwork::store
