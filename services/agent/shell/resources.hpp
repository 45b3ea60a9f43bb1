// What this machine has left, from /proc and statvfs, as this device's part of it.
#pragma once

#include <string>

#include "model/device.hpp"

namespace fieldwork::agent {

// The whole machine's.
[[nodiscard]] Capacity read_capacity(const std::string& directory);

// `declared` may be less than the machine has (several devices on one, a budget): the load is what falls to the
// declared cores, and no more memory or disk is free than is declared. Otherwise a small device on a large busy machine
// would look overloaded, and a device of 512 MiB would have 22 GiB free.
[[nodiscard]] Resources scale(Resources machine, const Capacity& declared, int machine_cores);
[[nodiscard]] Resources read_resources(const std::string& directory, const Capacity& declared);

}  // namespace fieldwork::agent
