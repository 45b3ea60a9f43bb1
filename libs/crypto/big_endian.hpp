// Numbers in binary formats. Private to this library.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace fieldwork::crypto {

/// Appends the lowest `bytes` bytes of `value`.
inline void put_big_endian(std::string& out, std::uint64_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out += static_cast<char>((value >> shift) & 0xff);
}

/// Of at most 8 bytes.
[[nodiscard]] inline std::uint64_t big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char c : bytes) value = (value << 8) | static_cast<std::uint8_t>(c);
  return value;
}

}  // namespace fieldwork::crypto
