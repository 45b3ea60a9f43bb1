// Bounds of the transfer service that are not settings. Others stand in Limits (core/input.hpp); bounds that other
// parties must agree on stand in model/limits.hpp.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fieldwork::transfer {

inline constexpr std::size_t answer_bytes_max = 900'000;              // less than a reader accepts in one message
inline constexpr std::int64_t page_max = 500;                         // packages in one page
inline constexpr std::size_t removal_askers_max = 16;                 // of one package
inline constexpr std::size_t removals_max = 100;                      // that operators wait for
inline constexpr std::int64_t bit_per_s_max = std::int64_t{1} << 50;  // of a budget
inline constexpr std::size_t shown_transfers_max = 100;               // transfers of one package
inline constexpr std::size_t row_text_max = 1 << 20;                  // bytes of a text in this service's own rows
inline constexpr std::size_t failed_encodings_max = 1000;             // remembered, of those that could not be made
inline constexpr std::size_t ahead_max = 1000;                        // packages that wait to be encoded ahead
inline constexpr double seal_s_max = 3600;                            // for sealing what is stored
inline constexpr int resay_burst_max = 100;  // states published again at once after a quiet time

}  // namespace fieldwork::transfer
