// A store in memory: the simulation's disk, and the journal of simulated devices.
#pragma once

#include <map>

#include "store/store.hpp"

namespace fieldwork::store {

class MemoryStore : public Store {
 public:
  Result<void> commit(const std::vector<Change>& changes) override;
  Result<std::vector<std::string>> select(const Query& query) override;
  Result<std::vector<std::string>> find(const std::string& table, const std::string& column,
                                        const std::vector<std::string>& keys) override;
  Result<Page> range(const Range& range) override;
  Result<std::int64_t> prune(const Prune& prune) override;
  Result<std::int64_t> now_us() override { return now_us_; }
  void set_now_us(std::int64_t now) { now_us_ = now; }
  [[nodiscard]] std::size_t commits() const { return commits_; }

 private:
  std::map<std::string, std::map<std::string, std::string>> tables_;
  std::int64_t now_us_ = 0;
  std::size_t commits_ = 0;
};

}  // namespace fieldwork::store
