#include "store/store.hpp"

#include <unordered_map>

namespace fieldwork::store {

Result<std::vector<std::string>> newest(Reader& reader, const std::string& table, const std::string& column,
                                        int limit) {
  auto page = reader.range({.table = table, .column = column, .descending = true, .limit = limit});
  if (!page) return page.error();
  return std::move(page->rows);
}

std::vector<Change> coalesce(std::vector<Change> changes) {
  std::unordered_map<std::string, std::size_t> at;
  std::vector<Change> out;
  out.reserve(changes.size());
  for (auto& change : changes) {
    const auto [it, fresh] = at.try_emplace(change.table + '\n' + change.key, out.size());
    if (fresh) {
      out.push_back(std::move(change));
      continue;
    }
    auto& earlier = out[it->second];
    // Nothing may turn a row that an insert only meant to add into an overwrite of one that is there.
    if (change.kind == Change::Kind::insert) {
      if (earlier.kind != Change::Kind::remove) continue;
      change.kind = Change::Kind::upsert;  // it was removed just before: what is there now goes
    }
    earlier = std::move(change);
  }
  return out;
}

}  // namespace fieldwork::store
