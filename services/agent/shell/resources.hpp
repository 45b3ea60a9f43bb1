// What is free on this machine, from /proc and statvfs, scaled to what this device declares.
#pragma once

#include <string>

#include "model/device.hpp"

namespace fieldwork::agent {

// The capacity of the whole machine.
[[nodiscard]] Capacity read_capacity(const std::string& directory);

// `declared` may be less than the machine has (several devices on one machine, a budget). The load becomes that of the
// declared cores, and at most the declared memory and disk are free. Unscaled, a small device on a large busy machine
// would look overloaded, and a device of 512 MiB would have 22 GiB free.
[[nodiscard]] Resources scale(Resources machine, const Capacity& declared, int machine_cores);
[[nodiscard]] Resources read_resources(const std::string& directory, const Capacity& declared);

}  // namespace fieldwork::agent
