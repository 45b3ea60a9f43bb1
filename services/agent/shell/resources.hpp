// What this machine has left, from /proc and statvfs.
#pragma once

#include <string>

#include "model/device.hpp"

namespace fieldwork::agent {

[[nodiscard]] Resources read_resources(const std::string& directory);
[[nodiscard]] Capacity read_capacity(const std::string& directory);

}  // namespace fieldwork::agent
