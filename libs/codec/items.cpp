#include "codec/items.hpp"

#include <nlohmann/json.hpp>

namespace fieldwork::codec {

void each_item(const Json& items, const ReadItem& read, const BadItem& bad, const char* field) {
  for (std::size_t i = 0; i < items.size(); ++i) {
    Reader item(items[i]);
    read(item);
    if (item.ok()) continue;
    auto error = item.error();
    error.path = "/" + std::string(field) + "/" + std::to_string(i) + error.path;
    bad(items[i], std::move(error));
  }
}

Result<void> each_item(std::string_view text, const ReadItem& read, const BadItem& bad) {
  const auto value = parse(text, limits::message_bytes_max);
  if (!value) return value.error();
  Reader reader(*value);
  reader.version();
  const Json* items = reader.items();
  if (!reader.finish()) return reader.error();
  each_item(*items, read, bad);
  return {};
}

}  // namespace fieldwork::codec
