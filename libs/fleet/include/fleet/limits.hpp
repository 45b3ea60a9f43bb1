// Bounds of expressions, which anybody may send, and of statistics.
#pragma once

#include <cstddef>

namespace fieldwork::fleet {

inline constexpr std::size_t expression_bytes_max = 4096;
inline constexpr std::size_t terms_max = 128;   // of one expression
inline constexpr std::size_t values_max = 256;  // in one list
inline constexpr int nesting_max = 32;          // parentheses and `not`
inline constexpr std::size_t groups_max = 256;  // of one statistic

}  // namespace fieldwork::fleet
