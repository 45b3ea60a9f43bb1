#include "rows.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

namespace fieldwork::store::rows {
namespace {

using Json = nlohmann::json;

struct Match {
  const std::string* key;
  const std::string* text;
  Json value;  // of the column by which rows are ordered
};

std::string as_text(const Json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

Json field(const Json& row, const std::string& column) { return row.is_object() ? row.value(column, Json()) : Json(); }

// `text` as the type that `like` has, so that numbers compare as numbers.
Json typed(const std::string& text, const Json& like) {
  if (like.is_string()) return text;
  auto value = Json::parse(text, nullptr, false);
  return value.is_discarded() ? Json(text) : value;
}

// Null is greater than everything, as in PostgreSQL.
bool less(const Json& a, const Json& b) {
  if (a.is_null() || b.is_null()) return !a.is_null();
  return a < b;
}

bool matches(const Json& row, const Where& where) {
  return std::all_of(where.begin(), where.end(), [&](const auto& condition) {
    const auto value = field(row, condition.first);
    return !value.is_null() && value == typed(condition.second, value);
  });
}

// The rows that match, with their value of `column`. Empty `column`: without a value; and if `where` is empty too, rows
// are not even parsed.
std::vector<Match> matching(const Table& table, const Where& where, const std::string& column) {
  std::vector<Match> out;
  for (const auto& [key, text] : table) {
    Json value;
    if (!where.empty() || !column.empty()) {
      const auto row = Json::parse(text, nullptr, false);
      if (!matches(row, where)) continue;
      if (!column.empty()) value = field(row, column);
    }
    out.push_back({&key, &text, std::move(value)});
  }
  return out;
}

void order(std::vector<Match>& rows, bool descending) {
  std::stable_sort(rows.begin(), rows.end(), [&](const Match& a, const Match& b) {
    const auto& x = descending ? b : a;
    const auto& y = descending ? a : b;
    if (less(x.value, y.value)) return true;
    if (less(y.value, x.value)) return false;
    return *x.key < *y.key;
  });
}

}  // namespace

Result<std::vector<std::string>> select(const Table& table, const Query& query) {
  auto found = matching(table, query.where, query.order_by);
  if (!query.order_by.empty()) order(found, query.descending);
  std::vector<std::string> out;
  for (const auto& row : found) {
    if (query.limit > 0 && out.size() == static_cast<std::size_t>(query.limit)) break;
    out.push_back(*row.text);
  }
  return out;
}

Result<std::vector<std::string>> find(const Table& table, const std::string& column,
                                      const std::vector<std::string>& keys) {
  std::vector<std::string> out;
  for (const auto& row : matching(table, {}, column)) {
    const bool wanted = !row.value.is_null() && std::any_of(keys.begin(), keys.end(), [&](const std::string& key) {
      return row.value == typed(key, row.value);
    });
    if (wanted) out.push_back(*row.text);
  }
  return out;
}

Result<Page> range(const Table& table, const Range& range) {
  auto found = matching(table, range.where, range.column);
  order(found, range.descending);
  std::vector<std::string> cursor;
  if (!range.after.empty()) {
    auto read = read_cursor(range.after, 2);
    if (!read) return read.error();
    cursor = std::move(*read);
  }
  Page page;
  const Match* last = nullptr;
  for (const auto& row : found) {
    if (row.value.is_null() || (!range.from.empty() && less(row.value, typed(range.from, row.value))) ||
        (!range.to.empty() && !less(row.value, typed(range.to, row.value)))) {
      continue;
    }
    if (!cursor.empty()) {
      const Json value = typed(cursor[0], row.value);
      const auto here = std::pair(row.value, *row.key);
      const auto there = std::pair(value, cursor[1]);
      if (range.descending ? !(here < there) : !(there < here)) continue;
    }
    if (page.rows.size() == static_cast<std::size_t>(std::max(range.limit, 1))) {
      page.next = write_cursor({as_text(last->value), *last->key});
      break;
    }
    page.rows.push_back(*row.text);
    last = &row;
  }
  return page;
}

Result<std::vector<std::string>> prunable(const Table& table, const Prune& prune) {
  auto found = matching(table, prune.where, prune.column);
  found.erase(std::remove_if(found.begin(), found.end(), [](const Match& row) { return row.value.is_null(); }),
              found.end());
  order(found, false);
  const auto count = static_cast<std::int64_t>(found.size());
  std::vector<std::string> out;
  for (std::int64_t i = 0; i < count && out.size() < static_cast<std::size_t>(prune.limit); ++i) {
    const auto& row = found[static_cast<std::size_t>(i)];
    const bool old = !prune.before.empty() && less(row.value, typed(prune.before, row.value));
    if (count - i <= prune.spare) break;
    if (old || (prune.keep > 0 && count - i > prune.keep)) out.push_back(*row.key);
  }
  return out;
}

std::vector<std::string> along(const Table& table, const Prune& prune, const std::vector<std::string>& removed) {
  std::set<std::string> values;
  for (const auto& row : removed) values.insert(text_of(row, prune.key));
  std::vector<std::string> out;
  for (const auto& [key, row] : table) {
    if (values.contains(text_of(row, prune.key))) out.push_back(key);
  }
  return out;
}

std::string merged(const std::string& row, const store::Row& changed) {
  auto out = Json::parse(row);
  out.update(Json::parse(changed.to_json()));
  return out.dump();
}

std::string write_cursor(const std::vector<std::string>& values) {
  return Json(values).dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<std::vector<std::string>> read_cursor(const std::string& cursor, std::size_t values) {
  const Error wrong{Code::invalid, "is no cursor of this list", "after"};
  const auto json = cursor.size() > 4096 ? Json() : Json::parse(cursor, nullptr, false);
  if (!json.is_array() || json.size() != values) return wrong;
  std::vector<std::string> out;
  for (const auto& value : json) {
    if (!value.is_string() || value.get_ref<const std::string&>().find('\0') != std::string::npos) return wrong;
    out.push_back(value.get<std::string>());
  }
  return out;
}

std::string text_of(const std::string& row, const std::string& column) {
  return as_text(field(Json::parse(row, nullptr, false), column));
}

}  // namespace fieldwork::store::rows
