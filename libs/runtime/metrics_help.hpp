// The HELP line of each metric. One table: a metric without one has no place to look up what it means.
#pragma once

#include <string_view>

namespace fieldwork::metrics {

[[nodiscard]] std::string_view help_of(std::string_view name);  // empty: not one of ours

}  // namespace fieldwork::metrics
