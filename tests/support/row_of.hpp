// A row from JSON, for tests that write rows as text.
#pragma once

#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "store/row.hpp"

namespace fieldwork {

inline store::Row row_of(const nlohmann::json& fields) {
  static std::set<std::string> columns;  // a Row does not own its column names: they must outlive it
  store::Row out;
  for (const auto& [column, value] : fields.items()) {
    const std::string_view name = *columns.insert(column).first;
    if (value.is_null()) {
      out.add(name, nullptr);
    } else if (value.is_boolean()) {
      out.add(name, value.get<bool>());
    } else if (value.is_number_integer()) {
      out.add(name, value.get<std::int64_t>());
    } else if (value.is_number()) {
      out.add(name, value.get<double>());
    } else if (value.is_string()) {
      out.add(name, value.get<std::string>());
    } else {
      out.add(name, store::Value::json(value.dump()));
    }
  }
  return out;
}
inline store::Row row_of(const std::string& text) { return row_of(nlohmann::json::parse(text)); }
inline store::Row row_of(const char* text) { return row_of(nlohmann::json::parse(text)); }

}  // namespace fieldwork
