#include "store/memory.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace fieldwork::store {
namespace {

std::string as_text(const nlohmann::json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

}  // namespace

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
  std::vector<std::pair<nlohmann::json, std::string>> found;
  for (const auto& [key, row] : tables_[query.table]) {
    nlohmann::json order;
    if (!query.where.empty() || !query.order_by.empty()) {
      const auto parsed = nlohmann::json::parse(row);
      const bool match = std::all_of(query.where.begin(), query.where.end(), [&](const auto& condition) {
        return parsed.contains(condition.first) && as_text(parsed.at(condition.first)) == condition.second;
      });
      if (!match) continue;
      if (!query.order_by.empty()) order = parsed.at(query.order_by);
    }
    found.emplace_back(std::move(order), row);
  }
  if (!query.order_by.empty()) {
    std::stable_sort(found.begin(), found.end(), [&](const auto& a, const auto& b) {
      return query.descending ? b.first < a.first : a.first < b.first;
    });
  }
  std::vector<std::string> rows;
  for (auto& [order, row] : found) {
    if (query.limit > 0 && rows.size() == static_cast<std::size_t>(query.limit)) break;
    rows.push_back(std::move(row));
  }
  return rows;
}

Result<std::vector<std::string>> MemoryStore::find(const std::string& table, const std::string& column,
                                                   const std::vector<std::string>& keys) {
  std::vector<std::string> rows;
  for (const auto& [key, row] : tables_[table]) {
    const auto parsed = nlohmann::json::parse(row);
    if (parsed.contains(column) && std::find(keys.begin(), keys.end(), as_text(parsed.at(column))) != keys.end()) {
      rows.push_back(row);
    }
  }
  return rows;
}

}  // namespace fieldwork::store
