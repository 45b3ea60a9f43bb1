#include "store/memory.hpp"

namespace fieldwork::store {

Result<void> MemoryStore::commit(const std::vector<Change>& changes) {
  for (const auto& change : changes) {
    auto& table = tables_[change.table];
    switch (change.kind) {
      case Change::Kind::upsert: table[change.key] = change.row; break;
      case Change::Kind::insert: table.try_emplace(change.key, change.row); break;
      case Change::Kind::remove: table.erase(change.key); break;
    }
  }
  ++commits_;
  return {};
}

Result<std::vector<std::string>> MemoryStore::select(const Query& query) {
  std::vector<std::string> rows;
  for (const auto& [key, row] : tables_[query.table]) {
    if (query.limit > 0 && rows.size() == static_cast<std::size_t>(query.limit)) break;
    rows.push_back(row);
  }
  return rows;
}

Result<std::vector<std::string>> MemoryStore::find(const std::string& table, const std::string& /*column*/,
                                                   const std::vector<std::string>& keys) {
  std::vector<std::string> rows;
  auto& all = tables_[table];
  for (const auto& key : keys) {
    if (const auto it = all.find(key); it != all.end()) rows.push_back(it->second);
  }
  return rows;
}

}  // namespace fieldwork::store
