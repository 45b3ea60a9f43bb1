#include "questions.hpp"

#include <algorithm>

#include "rows.hpp"
#include "writes.hpp"

namespace fieldwork::store {
namespace {

// The values as a literal of SQL: an array of texts.
std::string text_array(const std::vector<std::string>& values) {
  std::string out = "'{";
  for (const auto& value : values) {
    if (out.size() > 2) out += ',';
    add_element(out, value);
  }
  return out + "}'";
}

std::vector<std::string> texts(const pqxx::result& rows) {
  std::vector<std::string> out;
  out.reserve(rows.size());
  for (const auto& row : rows) out.push_back(row[0].as<std::string>());
  return out;
}

}  // namespace

std::string Questions::quoted(const std::string& table) {
  return session_.connection().quote_name(schema_) + "." + session_.connection().quote_name(table);
}

const std::vector<Column>& Questions::columns(pqxx::nontransaction& work, const std::string& table) {
  const auto known = columns_.find(table);
  if (known != columns_.end()) return known->second;
  const auto rows = work.exec_params(
      "SELECT a.attname, format_type(a.atttypid, a.atttypmod), coalesce(i.indisprimary, false) FROM pg_attribute a"
      " LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary AND a.attnum = ANY(i.indkey)"
      " WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
      quoted(table));
  std::vector<Column> out;
  for (const auto& row : rows) out.push_back({row[0].as<std::string>(), row[1].as<std::string>(), row[2].as<bool>()});
  return columns_.emplace(table, std::move(out)).first->second;
}

// An untyped literal takes the type of the column with which it is compared, so that indexes serve.
std::string Questions::where(pqxx::nontransaction& work, const Where& where) {
  std::string out;
  for (const auto& [column, value] : where) {
    out += (out.empty() ? " WHERE t." : " AND t.") + work.quote_name(column) + " = " + work.quote(value);
  }
  return out;
}

// The columns of the table's key, each with `suffix`, in the order of the table.
std::string Questions::keys(pqxx::nontransaction& work, const std::string& table, const std::string& suffix) {
  std::string out;
  for (const auto& column : columns(work, table)) {
    if (column.key) out += (out.empty() ? "t." : ", t.") + work.quote_name(column.name) + suffix;
  }
  return out;
}

std::vector<std::string> Questions::select(pqxx::nontransaction& work, const Query& query) {
  std::string sql = "SELECT row_to_json(t) FROM " + quoted(query.table) + " t" + where(work, query.where);
  if (!query.order_by.empty()) {
    sql += " ORDER BY t." + work.quote_name(query.order_by) + (query.descending ? " DESC" : "");
  }
  if (query.limit > 0) sql += " LIMIT " + std::to_string(query.limit);
  return texts(work.exec(sql));
}

std::vector<std::string> Questions::find(pqxx::nontransaction& work, const std::string& table,
                                         const std::string& column, const std::vector<std::string>& keys) {
  auto finder = finders_.find({table, column});
  if (finder == finders_.end()) {
    const auto& all = columns(work, table);
    const auto it = std::find_if(all.begin(), all.end(), [&](const Column& c) { return c.name == column; });
    const std::string type = it == all.end() ? "text" : it->type;
    const std::string name = table + " by " + column;
    // Prepared by SQL, here and now: pqxx would send its PREPARE only with the first execution.
    work.exec("PREPARE " + work.quote_name(name) + "(text) AS SELECT row_to_json(t) FROM " + quoted(table) +
              " t WHERE t." + work.quote_name(column) + " = ANY($1::" + type + "[])");
    finder = finders_.emplace(std::pair(table, column), name).first;
  }
  return texts(work.exec("EXECUTE " + work.quote_name(finder->second) + "(" + text_array(keys) + ")"));
}

Result<Page> Questions::range(pqxx::nontransaction& work, const Range& range) {
  const std::string column = "t." + work.quote_name(range.column);
  std::string sql = where(work, range.where);
  const auto also = [&](const std::string& condition) { sql += (sql.empty() ? " WHERE " : " AND ") + condition; };
  also(column + " IS NOT NULL");
  if (!range.from.empty()) also(column + " >= " + work.quote(range.from));
  if (!range.to.empty()) also(column + " < " + work.quote(range.to));
  if (!range.after.empty()) {
    const auto& all = columns(work, range.table);
    const auto parts = 1 + std::count_if(all.begin(), all.end(), [](const Column& c) { return c.key; });
    const auto cursor = rows::read_cursor(range.after, static_cast<std::size_t>(parts));
    if (!cursor) return cursor.error();
    std::string values;
    for (const auto& value : *cursor) values += (values.empty() ? "" : ", ") + work.quote(value);
    also("(" + column + ", " + keys(work, range.table, "") + (range.descending ? ") < (" : ") > (") + values + ")");
  }
  const std::string direction = range.descending ? " DESC" : "";
  const auto limit = static_cast<std::size_t>(std::max(range.limit, 1));
  Page page;
  const std::string asked = range.key_only ? column + ", " + keys(work, range.table, "") : "t.*";
  const std::string rows = "SELECT " + asked + " FROM " + quoted(range.table) + " t" + sql + " ORDER BY " + column +
                           direction + ", " + keys(work, range.table, direction) + " LIMIT " +
                           std::to_string(limit + 1);
  page.rows = texts(work.exec("SELECT row_to_json(r) FROM (" + rows + ") r"));
  if (page.rows.size() <= limit) return page;
  page.rows.pop_back();
  std::vector<std::string> last{rows::text_of(page.rows.back(), range.column)};
  for (const auto& c : columns(work, range.table)) {
    if (c.key) last.push_back(rows::text_of(page.rows.back(), c.name));
  }
  page.next = rows::write_cursor(last);
  return page;
}

std::int64_t Questions::prune(pqxx::nontransaction& work, const Prune& prune) {
  const std::string column = "t." + work.quote_name(prune.column);
  const std::string key = keys(work, prune.table, "");
  const std::string newest_first = " ORDER BY " + column + " DESC, " + keys(work, prune.table, " DESC");
  const std::string from = " FROM " + quoted(prune.table) + " t" + where(work, prune.where) +
                           (prune.where.empty() ? " WHERE " : " AND ") + column + " IS NOT NULL";
  const std::string spared = prune.spare == 0 ? ""
                                              : " AND (" + key + ") NOT IN (SELECT " + key + from + newest_first +
                                                    " LIMIT " + std::to_string(prune.spare) + ")";
  std::string along;
  for (const auto& table : prune.along) {
    const auto name = work.quote_name(prune.key);
    const auto gone = "\"" + std::to_string(along.size()) + "\"";
    along.append(", ").append(gone).append(" AS (DELETE FROM ").append(quoted(table)).append(" a USING gone WHERE a.");
    along.append(name).append(" = gone.").append(name).append(")");
  }
  std::int64_t removed = 0;
  const auto remove = [&](const std::string& victims) {
    // Deletes by key, not by ctid: a row that was updated in between has another ctid.
    removed += work.exec1("WITH gone AS (DELETE FROM " + quoted(prune.table) + " t WHERE (" + key + ") IN (" + victims +
                          ") RETURNING t.*)" + along + " SELECT count(*) FROM gone")[0]
                   .as<std::int64_t>();
  };
  if (!prune.before.empty()) {
    remove("SELECT " + key + from + " AND " + column + " < " + work.quote(prune.before) + spared + " ORDER BY " +
           column + " LIMIT " + std::to_string(prune.limit));
  }
  if (prune.keep > 0 && removed < prune.limit) {
    const std::string beyond = "SELECT " + key + ", " + column + " AS value" + from + newest_first + " OFFSET " +
                               std::to_string(std::max<std::int64_t>(prune.keep, prune.spare));
    remove("SELECT " + key + " FROM (" + beyond + ") t ORDER BY t.value LIMIT " +
           std::to_string(prune.limit - removed));
  }
  return removed;
}

std::int64_t Questions::now_us(pqxx::nontransaction& work) {
  return work.exec1("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")[0].as<std::int64_t>();
}

}  // namespace fieldwork::store
