// The questions of store.hpp over rows that are JSON objects, for the stores without SQL columns.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "store/store.hpp"

namespace fieldwork::store::rows {

// Key and row, ordered by key.
using Table = std::vector<std::pair<std::string, std::string>>;

Result<std::vector<std::string>> select(const Table& table, const Query& query);
Result<std::vector<std::string>> find(const Table& table, const std::string& column,
                                      const std::vector<std::string>& keys);
Result<Page> range(const Table& table, const Range& range);
// The keys of the rows to remove.
Result<std::vector<std::string>> prunable(const Table& table, const Prune& prune);
// The keys of the rows of another table that go along with the rows `removed`.
std::vector<std::string> along(const Table& table, const Prune& prune, const std::vector<std::string>& removed);

// A stored row with these columns changed.
std::string merged(const std::string& row, const Row& changed);

// A cursor: it holds values as texts.
std::string write_cursor(const std::vector<std::string>& values);
Result<std::vector<std::string>> read_cursor(const std::string& cursor, std::size_t values);
// A field as the text that a Where or a cursor has for it.
std::string text_of(const std::string& row, const std::string& column);

}  // namespace fieldwork::store::rows
