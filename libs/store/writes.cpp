#include "writes.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/text.hpp"

namespace fieldwork::store {
namespace {

using Kind = Change::Kind;

// Bytes that are not UTF-8 become U+FFFD, as in every other store: one bad byte must not keep a batch from being
// stored.
std::string repaired(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const auto bytes = code_point_bytes(text, at);
    out += bytes > 0 ? text.substr(at, bytes) : std::string_view("\xEF\xBF\xBD");
    at += std::max<std::size_t>(bytes, 1);
  }
  return out;
}

}  // namespace

void add_element(std::string& out, std::string_view text) {
  if (!is_text(text)) return add_element(out, repaired(text));
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\'') out += '\'';
    out += c;
  }
  out += '"';
}

namespace {

template <class Number>
void add_number(std::string& out, Number value) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  out.append(text.data(), end);
}

void add(std::string& out, const Value& value) {
  struct Writer {
    std::string& out;
    void operator()(std::nullptr_t) const { out += "NULL"; }
    void operator()(bool one) const { out += one ? 't' : 'f'; }
    void operator()(std::int64_t one) const { add_number(out, one); }
    void operator()(double one) const { add_number(out, one); }
    void operator()(const std::string& one) const { add_element(out, one); }
    void operator()(const Value::Json& one) const { add_element(out, one.text); }
  };
  std::visit(Writer{out}, value.held());
}

bool same_columns(const Row& a, const Row& b) {
  return std::equal(a.fields().begin(), a.fields().end(), b.fields().begin(), b.fields().end(),
                    [](const auto& x, const auto& y) { return x.column == y.column; });
}

std::string columns_of(const Row& row) {
  std::string out;
  for (const auto& field : row.fields()) out.append(out.empty() ? "" : ",").append(field.column);
  return out;
}

// The text of a value, if it has one. check() looks for NUL in it, which would end the query early.
const std::string* text_of(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value.held())) return text;
  if (const auto* json = std::get_if<Value::Json>(&value.held())) return &json->text;
  return nullptr;
}

Result<void> check(const Change& change) {
  for (const auto& [column, value] : change.row.fields()) {
    const auto* text = text_of(value);
    if (text != nullptr && text->find('\0') != std::string::npos)
      return Error{Code::invalid, "a text holds NUL", change.table + "." + std::string(column)};
  }
  return {};
}

}  // namespace

Result<std::string> Writes::prepared(pqxx::nontransaction& work, const Change& like) {
  static constexpr std::array<const char*, 4> words{"remove", "update", "insert", "upsert"};
  const auto& columns = questions_.columns(work, like.table);
  const auto name = like.table + " " + words.at(static_cast<std::size_t>(like.kind)) + " " + columns_of(like.row);
  if (const auto it = prepared_.find(name); it != prepared_.end()) return it->second;

  const auto where = [&](std::string_view column) { return like.table + "." + std::string(column); };
  std::string names, values, keys, match, set, overwrite;
  const auto append = [](std::string& list, const char* between, std::initializer_list<std::string_view> parts) {
    if (!list.empty()) list += between;
    for (const auto part : parts) list += part;
  };
  std::size_t number = 0;
  for (const auto& field : like.row.fields()) {
    const auto it =
        std::find_if(columns.begin(), columns.end(), [&](const Column& c) { return c.name == field.column; });
    if (it == columns.end()) return Error{Code::invalid, "there is no such column", where(field.column)};
    const auto quoted = work.quote_name(it->name);
    append(names, ", ", {quoted});
    append(values, ", ", {"$", std::to_string(++number), "::", it->type, "[]"});
    if (it->key) {
      append(match, " AND ", {"t.", quoted, " = k.", quoted});
    } else {
      append(set, ", ", {quoted, " = k.", quoted});
      append(overwrite, ", ", {quoted, " = EXCLUDED.", quoted});
    }
  }
  const bool whole = like.kind == Kind::insert || like.kind == Kind::upsert;
  for (const auto& column : columns) {
    const bool there = like.row.find(column.name) != nullptr;
    if (!there && (whole || column.key)) return Error{Code::invalid, "the row does not say it", where(column.name)};
    if (column.key) append(keys, ", ", {work.quote_name(column.name)});
  }
  const auto target = questions_.quoted(like.table);
  const auto rows = "unnest(" + values + ") k(" + names + ")";
  std::string sql;
  if (whole) {
    sql = "INSERT INTO " + target + " (" + names + ") SELECT * FROM " + rows + " ON CONFLICT (" + keys + ") DO " +
          (like.kind == Kind::insert || overwrite.empty() ? "NOTHING" : "UPDATE SET " + overwrite);
  } else if (like.kind == Kind::update) {
    sql = "UPDATE " + target + " t SET " + set + " FROM " + rows + " WHERE " + match;
  } else {
    sql = "DELETE FROM " + target + " t USING " + rows + " WHERE " + match;
  }
  auto statement = work.quote_name("write " + std::to_string(prepared_.size()));
  work.exec("PREPARE " + statement + " AS " + sql);
  return prepared_.emplace(name, std::move(statement)).first->second;
}

Result<std::string> Writes::statements(pqxx::nontransaction& work, const std::vector<Change>& changes) {
  std::map<std::pair<std::string_view, Kind>, std::vector<Group>> groups;
  for (const auto& change : changes) {
    if (auto good = check(change); !good) return good.error();
    auto& of_kind = groups[{change.table, change.kind}];
    auto group = std::find_if(of_kind.begin(), of_kind.end(),
                              [&](const Group& one) { return same_columns(one.first->row, change.row); });
    if (group == of_kind.end())
      group = of_kind.insert(of_kind.end(), Group{&change, std::vector<std::string>(change.row.fields().size())});
    for (std::size_t i = 0; i < group->arrays.size(); ++i) {
      auto& array = group->arrays[i];
      array += array.empty() ? "'{" : ",";
      add(array, change.row.fields()[i].value);
    }
  }
  std::string out;
  for (const auto& [target, of_kind] : groups) {
    for (const auto& group : of_kind) {
      const auto statement = prepared(work, *group.first);
      if (!statement) return statement.error();
      out += "EXECUTE " + *statement + "(";
      for (std::size_t i = 0; i < group.arrays.size(); ++i)
        out.append(i == 0 ? "" : ",").append(group.arrays[i]).append("}'");
      out += ");";
    }
  }
  return out;
}

}  // namespace fieldwork::store
