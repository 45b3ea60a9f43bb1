// What the first bytes of a zstd frame say: RFC 8878, section 3.1.1.1. Private to this library. (libzstd's own reader
// of them is not in its stable interface, and its one-shot decoder takes any window and no checksum.)
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.hpp"

namespace fieldwork::content {

inline constexpr std::size_t frame_header_bytes = 18;  // the longest one

struct FrameHeader {
  std::uint64_t window_bytes = 0;
  std::optional<std::uint64_t> content_bytes{};
  bool has_checksum = false;
};

/// Reads the header at the beginning of `bytes`; nullopt: it is longer than that. Invalid where it is none.
[[nodiscard]] Result<std::optional<FrameHeader>> frame_header(std::string_view bytes);

/// Invalid where the frame has no checksum, needs a window of more than 2^window_log_max bytes or says that its content
/// does not have `size` bytes.
[[nodiscard]] Result<void> check(const FrameHeader& header, std::uint64_t size, int window_log_max);

/// The smallest n for which 2^n is at least `bytes`.
[[nodiscard]] int log2_of(std::uint64_t bytes);

}  // namespace fieldwork::content
