// Where a service or an agent keeps its truth: tables of rows, changed by whole batches.
//
// A row travels as one JSON object whose fields are the table's columns, so that a batch is one set-based statement per
// table. Adapters: postgres.hpp (services), sqlite.hpp (the agent's journal), memory.hpp (simulation).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace fieldwork::store {

struct Change {
  enum class Kind {
    upsert,  // the whole row, new or not: saying it twice is saying it once
    insert,  // only if its key is not there yet
    remove,  // the row's key fields are enough
  };
  std::string table;
  std::string key;  // the row's key as one text; of several upserts of one key in a batch the last counts
  std::string row;  // JSON object
  Kind kind = Kind::upsert;
};

struct Query {
  std::string table;
  std::map<std::string, std::string> where;  // column = value, written as text, compared as the column's type
  std::string order_by;                      // a column, or empty
  bool descending = false;
  int limit = 0;  // 0: all
};

class Store {
 public:
  virtual ~Store() = default;

  // All or nothing, durable when it returns. On an error nothing is known to have happened: the caller repeats the
  // same batch (changes are idempotent) until it is done or gives the process up.
  virtual Result<void> commit(const std::vector<Change>& changes) = 0;

  virtual Result<std::vector<std::string>> select(const Query& query) = 0;

  // The rows of `table` with one of these keys in `column`.
  virtual Result<std::vector<std::string>> find(const std::string& table, const std::string& column,
                                                const std::vector<std::string>& keys) = 0;

  // Microseconds since the Unix epoch on the store's clock.
  virtual Result<std::int64_t> now_us() = 0;
};

// Keeps the last upsert or remove per (table, key), in order of first appearance.
[[nodiscard]] std::vector<Change> coalesce(std::vector<Change> changes);

}  // namespace fieldwork::store
