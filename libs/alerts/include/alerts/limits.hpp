// Bounds of alert rules, and of what they read.
#pragma once

#include <cstddef>

namespace fieldwork::alerts {

inline constexpr std::int64_t silence_s_max = 366 * 86'400;  // of one silence
inline constexpr std::size_t file_bytes_max = 256U << 10;
inline constexpr std::size_t rules_max = 256;
inline constexpr std::size_t targets_max = 16;
inline constexpr std::size_t inhibitions_max = 64;
inline constexpr std::size_t labels_max = 16;
inline constexpr std::size_t label_bytes_max = 256;  // of a value
inline constexpr std::size_t text_max = 512;         // of a text with its values
inline constexpr std::size_t reason_max = 1024;      // of what a message says

}  // namespace fieldwork::alerts
