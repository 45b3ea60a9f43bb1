// The agent's journal: SQLite, write-ahead log, synchronous. Every table is (key, row), and is read as a whole: its
// tables are small.
#pragma once

#include <memory>

#include "store/store.hpp"

namespace fieldwork::store {

class SqliteStore : public Store {
 public:
  static Result<std::unique_ptr<SqliteStore>> open(const std::string& path);
  ~SqliteStore() override;

  /// Room for later commits of altogether `bytes` in the files themselves, so that they succeed on a disk that others
  /// have filled. For as long as it is open. Writes them once; without room for it now it fails, and nothing changes.
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
