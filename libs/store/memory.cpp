#include "store/memory.hpp"

#include "rows.hpp"

namespace fieldwork::store {
namespace {

rows::Table listed(const std::map<std::string, std::string>& table) { return {table.begin(), table.end()}; }

}  // namespace

Result<void> MemoryStore::commit(const std::vector<Change>& changes) {
  for (const auto& change : changes) {
    auto& table = tables_[change.table];
    switch (change.kind) {
      case Change::Kind::remove: table.erase(change.key); break;
      case Change::Kind::update:
        if (const auto it = table.find(change.key); it != table.end())
          it->second = rows::merged(it->second, change.row);
        break;
      case Change::Kind::insert: table.try_emplace(change.key, change.row.to_json()); break;
      case Change::Kind::upsert: table[change.key] = change.row.to_json(); break;
    }
  }
  ++commits_;
  return {};
}

Result<std::vector<std::string>> MemoryStore::select(const Query& query) {
  return rows::select(listed(tables_[query.table]), query);
}

Result<std::vector<std::string>> MemoryStore::find(const std::string& table, const std::string& column,
                                                   const std::vector<std::string>& keys) {
  return rows::find(listed(tables_[table]), column, keys);
}

Result<Page> MemoryStore::range(const Range& range) { return rows::range(listed(tables_[range.table]), range); }

Result<std::int64_t> MemoryStore::prune(const Prune& prune) {
  const auto keys = rows::prunable(listed(tables_[prune.table]), prune);
  if (!keys) return keys.error();
  std::vector<std::string> removed;
  for (const auto& key : *keys) removed.push_back(tables_[prune.table].extract(key).mapped());
  for (const auto& table : prune.along) {
    for (const auto& key : rows::along(listed(tables_[table]), prune, removed)) tables_[table].erase(key);
  }
  return static_cast<std::int64_t>(keys->size());
}

}  // namespace fieldwork::store
