// Where a service or an agent keeps its state: tables of rows, changed by whole batches.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "store/row.hpp"

namespace fieldwork::store {

struct Change {
  // In the order in which a batch applies them.
  enum class Kind {
    remove,  // the row's key columns are enough
    update,  // the key columns and some others: the others change if the row is there, all else stays
    insert,  // the whole row, only if its key is not there yet
    upsert,  // the whole row, new or not
  };
  std::string table;
  std::string key;  // the row's key as one text; see coalesce for several changes of one key
  Row row;
  Kind kind = Kind::upsert;
};

// column = value. The value is written as text and compared as the column's own type: "true", "12", "0.5", "edge-1".
using Where = std::map<std::string, std::string>;

struct Query {
  std::string table;
  Where where;
  std::string order_by;  // a column, or empty: in any order. Nulls count as greater than everything
  bool descending = false;
  int limit = 0;  // 0: all
};

// Rows in the order of `column`; rows of one value in the order of their keys. Rows whose `column` is null are left
// out. PostgreSQL orders texts by its collation, the others by bytes: times and numbers are the columns for this.
struct Range {
  std::string table;
  std::string column;
  Where where;
  std::string from;   // column >= from; empty: from the first
  std::string to;     // column < to; empty: to the last
  std::string after;  // Page::next of the page before; empty: the first page
  bool descending = false;
  int limit = 100;        // rows of a page, at least 1
  bool key_only = false;  // of each row only the key and `column` are asked for; a store may give more
};

struct Page {
  std::vector<std::string> rows;
  std::string next;  // cursor for Range::after; empty: this was the last page
};

// Which rows are old: those whose `column` is below `before`, and those that are not among the `keep` rows with the
// greatest `column`.
struct Prune {
  std::string table;
  std::string column;
  Where where;            // only rows like this are counted and removed
  std::string before;     // empty: no row is too old
  std::int64_t keep = 0;  // 0: any number may stay
  int limit = 1000;       // at most so many at once, the oldest first
  int spare = 0;          // so many of the newest stay, however old they are
  // With each removed row go the rows of these tables that have the same value in the column `key`.
  std::string key;
  std::vector<std::string> along;
};

// Reads. After an error the next question may succeed. Code::unavailable: the store did not answer or took too long.
// Code::invalid: the question is wrong (no such table or column, no cursor of ours).
class Reader {
 public:
  virtual ~Reader() = default;

  virtual Result<std::vector<std::string>> select(const Query& query) = 0;
  // The rows of `table` with one of these keys in `column`.
  virtual Result<std::vector<std::string>> find(const std::string& table, const std::string& column,
                                                const std::vector<std::string>& keys) = 0;
  virtual Result<Page> range(const Range& range) = 0;
};

// The rows with the greatest values of `column`, the greatest first.
Result<std::vector<std::string>> newest(Reader& reader, const std::string& table, const std::string& column, int limit);

class Pruner {
 public:
  virtual ~Pruner() = default;

  // Removes old rows, at most prune.limit, and says how many (without the rows of prune.along). In a transaction of its
  // own; repeating it is harmless.
  virtual Result<std::int64_t> prune(const Prune& prune) = 0;
  // Microseconds since the Unix epoch on the store's clock.
  virtual Result<std::int64_t> now_us() = 0;
};

class Store : public Reader, public Pruner {
 public:
  // Applies all changes or none; they are durable when it returns Ok. After an error it is not known whether they were
  // applied: the caller repeats the same batch (changes are idempotent) until it succeeds, or gives the process up.
  virtual Result<void> commit(const std::vector<Change>& changes) = 0;

  // True: another process may take this one's place, so check() has to be called.
  [[nodiscard]] virtual bool contested() const { return false; }
  // Whether this process may still speak for the store: Code::conflict when another does. Call it at least once a
  // second.
  virtual Result<void> check() { return {}; }
};

// Merges changes until each (table, key) has one, or an update and then an insert, with the same effect as all of them
// one by one. Keys stand in the order of their first appearance.
[[nodiscard]] std::vector<Change> coalesce(std::vector<Change> changes);

}  // namespace fieldwork::store
