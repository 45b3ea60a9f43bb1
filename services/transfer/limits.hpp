// The bounds of transfer alone that nobody sets. The others stand in Limits (core/input.hpp), what other parties must
// agree on in model/limits.hpp.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fieldwork::transfer {

inline constexpr std::size_t answer_bytes_max = 900'000;  // below what a reader of one message takes
inline constexpr std::int64_t page_max = 500;             // packages in one page
inline constexpr std::size_t shown_transfers_max = 100;   // of one package
inline constexpr std::size_t row_text_max = 1 << 20;      // bytes; the row is our own
inline constexpr int resay_burst_max = 100;               // offers said again at once after a quiet time

}  // namespace fieldwork::transfer
