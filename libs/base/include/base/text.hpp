// Texts for people, cut to what their reader takes.
#pragma once

#include <string>
#include <string_view>

namespace fieldwork {

// At most bytes_max bytes, cut between two characters of UTF-8; a text that was cut ends in "...".
[[nodiscard]] inline std::string clamp_text(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return std::string(text);
  constexpr std::string_view dots = "...";
  std::size_t end = bytes_max > dots.size() ? bytes_max - dots.size() : 0;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return std::string(text.substr(0, end)).append(dots.substr(0, bytes_max));
}

}  // namespace fieldwork
