// Text that every receiver accepts: valid UTF-8 of a bounded length.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace fieldwork {

// The length in bytes of the UTF-8 code point at offset `at` of `text` (no overlong form, no surrogate, at most
// U+10FFFF); 0: there is no valid one.
[[nodiscard]] constexpr std::size_t code_point_bytes(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const auto follows = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xBF) {
    return at + i < text.size() && byte(i) >= low && byte(i) <= high;
  };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return follows(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    return follows(1, first == 0xE0 ? 0xA0 : 0x80, first == 0xED ? 0x9F : 0xBF) && follows(2) ? 3 : 0;
  }
  if (first < 0xF0 || first > 0xF4) return 0;
  return follows(1, first == 0xF0 ? 0x90 : 0x80, first == 0xF4 ? 0x8F : 0xBF) && follows(2) && follows(3) ? 4 : 0;
}

// Valid UTF-8 without NUL: what JSON carries and PostgreSQL keeps.
[[nodiscard]] constexpr bool is_text(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto bytes = code_point_bytes(text, at);
    if (bytes == 0 || text[at] == '\0') return false;
    at += bytes;
  }
  return true;
}

// Text, as above, that fits on one line: it has no control character but tabs.
[[nodiscard]] constexpr bool is_line(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 && c != '\t') return false;
  }
  return is_text(text);
}

// Makes `text` a sentence for people that every receiver accepts. Each byte that is not valid UTF-8 and each control
// character except line ends and tabs becomes '?'. A text longer than `bytes_max` is cut between two code points and
// ends in "..." (if that fits). The result has at most `bytes_max` bytes, as a JSON string at most twice as many.
[[nodiscard]] inline std::string clamp_text(std::string_view text, std::size_t bytes_max) {
  constexpr std::string_view more = "...";
  std::string out;
  std::size_t fits = 0;  // the length at which `more` still fits
  for (std::size_t at = 0; at < text.size();) {
    const auto bytes = code_point_bytes(text, at);
    const char c = text[at];
    const bool good = bytes > 0 && (static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\t' || c == '\r');
    if (out.size() + (good ? bytes : 1) > bytes_max) {
      if (bytes_max < more.size()) return out;
      out.resize(fits);
      return out.append(more);
    }
    out += good ? text.substr(at, bytes) : std::string_view("?");
    at += good ? bytes : 1;
    if (out.size() + more.size() <= bytes_max) fits = out.size();
  }
  return out;
}

}  // namespace fieldwork
