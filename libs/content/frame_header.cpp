#include "frame_header.hpp"

#include <bit>
#include <string>

namespace fieldwork::content {
namespace {

std::uint64_t little_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

}  // namespace

Result<std::optional<FrameHeader>> frame_header(std::string_view bytes) {
  constexpr std::string_view magic("\x28\xB5\x2F\xFD");
  if (!bytes.starts_with(magic.substr(0, bytes.size()))) return Error{Code::invalid, "is not zstd"};
  if (bytes.size() <= magic.size()) return std::optional<FrameHeader>{};
  const unsigned flags = static_cast<unsigned char>(bytes[magic.size()]);
  if ((flags & 0x08U) != 0) return Error{Code::invalid, "is a zstd frame of an unknown kind"};
  const bool single = (flags & 0x20U) != 0;  // the content is the window
  constexpr std::size_t id_lengths[] = {0, 1, 2, 4};
  const std::size_t size_length = (flags >> 6U) == 0 ? (single ? 1 : 0) : std::size_t{1} << (flags >> 6U);
  const std::size_t size_at = magic.size() + 1 + (single ? 0 : 1) + id_lengths[flags & 3U];
  if (bytes.size() < size_at + size_length) return std::optional<FrameHeader>{};
  FrameHeader header{.has_checksum = (flags & 0x04U) != 0};
  if (size_length > 0) {
    header.content_bytes = little_endian(bytes.substr(size_at, size_length)) + (size_length == 2 ? 256 : 0);
  }
  if (single) {
    header.window_bytes = *header.content_bytes;
  } else {
    const unsigned window = static_cast<unsigned char>(bytes[magic.size() + 1]);
    const std::uint64_t base = std::uint64_t{1} << (10 + (window >> 3U));
    header.window_bytes = base + base / 8 * (window & 7U);
  }
  return std::optional(header);
}

Result<void> check(const FrameHeader& header, std::uint64_t size, int window_log_max) {
  if (!header.has_checksum) return Error{Code::invalid, "has no checksum"};
  if (header.content_bytes && *header.content_bytes != size) {
    return Error{Code::invalid, "is not as long as was announced, when it is decoded"};
  }
  if (log2_of(header.window_bytes) > window_log_max) {
    return Error{Code::invalid, "needs a window of " + std::to_string(header.window_bytes) + " bytes, more than 2^" +
                                    std::to_string(window_log_max)};
  }
  return {};
}

int log2_of(std::uint64_t bytes) { return bytes < 2 ? 0 : static_cast<int>(std::bit_width(bytes - 1)); }

}  // namespace fieldwork::content
