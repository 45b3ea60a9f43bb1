#include "store/store.hpp"

#include <optional>
#include <unordered_map>

namespace fieldwork::store {

Result<std::vector<std::string>> newest(Reader& reader, const std::string& table, const std::string& column,
                                        int limit) {
  auto page = reader.range({.table = table, .column = column, .descending = true, .limit = limit});
  if (!page) return page.error();
  return std::move(page->rows);
}

namespace {

// What is left of one key's changes: one change, or an update and then an insert.
struct Left {
  std::optional<std::size_t> whole, update;  // their places in the result
};

}  // namespace

std::vector<Change> coalesce(std::vector<Change> changes) {
  using Kind = Change::Kind;
  std::unordered_map<std::string, Left> by_key;
  by_key.reserve(changes.size());
  std::vector<Change> out;
  out.reserve(changes.size());
  std::size_t dropped = 0;
  const auto keep = [&](std::optional<std::size_t>& place, Change&& change) {
    if (place) {
      out[*place] = std::move(change);
    } else {
      place = out.size();
      out.push_back(std::move(change));
    }
  };
  for (auto& change : changes) {
    auto& left = by_key[change.table + '\n' + change.key];
    Change* whole = left.whole ? &out[*left.whole] : nullptr;
    if (change.kind == Kind::update) {
      if (whole != nullptr && whole->kind == Kind::remove) continue;  // a removed row cannot change
      if (whole != nullptr) whole->row.merge(change.row);
      if (whole != nullptr && whole->kind == Kind::upsert) continue;
      if (left.update) {
        out[*left.update].row.merge(change.row);
      } else {
        keep(left.update, std::move(change));
      }
      continue;
    }
    // An insert must not become an overwrite of a row that is there.
    if (change.kind == Kind::insert) {
      if (whole != nullptr && whole->kind != Kind::remove) continue;
      if (whole != nullptr) change.kind = Kind::upsert;  // it was removed just before: the stored row is replaced
    }
    if (change.kind != Kind::insert && left.update) {
      out[*left.update].table.clear();
      left.update.reset();
      ++dropped;
    }
    keep(left.whole, std::move(change));
  }
  if (dropped > 0) std::erase_if(out, [](const Change& one) { return one.table.empty(); });
  return out;
}

}  // namespace fieldwork::store
