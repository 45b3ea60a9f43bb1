// Many items in few messages: the one place that packs under a limit of encoded bytes.
#pragma once

#include <string>
#include <vector>

#include "model/limits.hpp"

namespace fieldwork {

// Messages {"v":1,"items":[…]} of these JSON texts, in order; each message has at most items_max items and bytes_max
// bytes. A larger item travels alone.
[[nodiscard]] std::vector<std::string> pack_items(const std::vector<std::string>& items,
                                                  std::size_t bytes_max = limits::items_bytes_max,
                                                  std::size_t items_max = limits::items_max);

}  // namespace fieldwork
