// Records from rows of table `device`, and back.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "registry/core/registry.hpp"
#include "store/row.hpp"

namespace fieldwork::registry {

[[nodiscard]] store::Row to_row(const Record& record);
[[nodiscard]] Result<Record> from_row(std::string_view row);

}  // namespace fieldwork::registry
