// Bounds of security-policy that are not settings. Bounds that a test changes stand in the core's Limits; bounds that
// other parties must agree on stand in model/limits.hpp.
#pragma once

#include <cstddef>

namespace fieldwork::security_policy {

inline constexpr std::size_t rules_max = 256;               // in all rule files together
inline constexpr std::size_t row_text_max = 1 << 20;        // bytes of a text in this service's own rows
inline constexpr std::size_t flood_reason_bytes_max = 256;  // of the last of many rows that are only counted

}  // namespace fieldwork::security_policy
