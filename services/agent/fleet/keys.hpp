// Keys and certificates for many simulated devices at once: scripts/pki takes a tenth of a second for each.
#pragma once

#include <filesystem>

#include "base/result.hpp"

namespace fieldwork::agent {

// sim-1 to sim-COUNT: NAME.key (mode 0600) and NAME.crt in `pki`/devices where they are missing, signed with `pki`'s
// device-ca.key, valid from a day ago for ten years. The number made. Only for stacks whose CA key is on this machine.
[[nodiscard]] Result<int> make_device_keys(const std::filesystem::path& pki, int count);

}  // namespace fieldwork::agent
