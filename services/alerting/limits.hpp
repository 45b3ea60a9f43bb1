// Bounds of alerting that are not settings. Others stand in Limits (core/alert.hpp).
#pragma once

#include <cstddef>
#include <cstdint>

namespace fieldwork::alerting {

inline constexpr std::size_t ntfy_bytes_max = 3'900;  // ntfy takes 4 KiB as a text
inline constexpr std::size_t words_bytes_max = 1 << 20;
inline constexpr std::size_t answer_max = 400;  // bytes of a target's answer that are shown
inline constexpr std::size_t comment_max = 512;

}  // namespace fieldwork::alerting
