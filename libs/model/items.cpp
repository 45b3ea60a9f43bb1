#include "model/items.hpp"

#include <string_view>

namespace fieldwork {

std::vector<std::string> pack_items(const std::vector<std::string>& items, std::size_t bytes_max,
                                    std::size_t items_max) {
  constexpr std::string_view head = R"({"v":1,"items":[)";
  constexpr std::string_view tail = "]}";
  std::vector<std::string> out;
  std::string text;
  std::size_t count = 0;
  const auto close = [&] {
    if (count == 0) return;
    text += tail;
    out.push_back(std::move(text));
    text.clear();
    count = 0;
  };
  for (const auto& item : items) {
    if (count == items_max || (count > 0 && text.size() + 1 + item.size() + tail.size() > bytes_max)) close();
    text += count == 0 ? head : ",";
    text += item;
    ++count;
  }
  close();
  return out;
}

}  // namespace fieldwork
