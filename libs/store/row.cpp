#include "store/row.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace fieldwork::store {

const Value* Row::find(std::string_view column) const {
  const auto it = std::find_if(fields_.begin(), fields_.end(), [&](const Field& one) { return one.column == column; });
  return it == fields_.end() ? nullptr : &it->value;
}

void Row::merge(const Row& newer) {
  for (const auto& field : newer.fields_) {
    const auto it =
        std::find_if(fields_.begin(), fields_.end(), [&](const Field& one) { return one.column == field.column; });
    if (it == fields_.end()) {
      fields_.push_back(field);
    } else {
      it->value = field.value;
    }
  }
}

std::string Row::to_json() const {
  using Tree = nlohmann::json;
  const auto written = [](const Tree& value) { return value.dump(-1, ' ', false, Tree::error_handler_t::replace); };
  std::string out = "{";
  for (const auto& [column, value] : fields_) {
    if (out.size() > 1) out += ',';
    out.append("\"").append(column).append("\":");
    out += std::visit(
        [&](const auto& one) {
          if constexpr (std::is_same_v<std::decay_t<decltype(one)>, Value::Json>) {
            return one.text;
          } else {
            return written(Tree(one));
          }
        },
        value.held());
  }
  return out + "}";
}

}  // namespace fieldwork::store
