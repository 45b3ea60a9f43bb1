// Bounds of security-policy's shell alone. The core's stand in its Limits; bounds that other parties must agree on
// stand in model/limits.hpp.
#pragma once

#include <cstddef>

namespace fieldwork::security_policy {

inline constexpr std::size_t rules_max = 256;         // in all rule files together
inline constexpr std::size_t row_text_max = 1 << 20;  // bytes of a text in this service's own rows

}  // namespace fieldwork::security_policy
