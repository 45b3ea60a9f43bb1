// Durations as people write them.
#pragma once

#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/time.hpp"

namespace fieldwork {

// `90s`, `1.5h`: a number that is not negative, directly behind it ms, s, min, h or d; at most 1,000 years. None: it is
// not that.
[[nodiscard]] inline std::optional<Duration> parse_duration(std::string_view text) {
  double number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (read.ec != std::errc{} || !(number >= 0)) return std::nullopt;
  const std::string_view unit(read.ptr, static_cast<std::size_t>(text.data() + text.size() - read.ptr));
  static constexpr std::array<std::pair<std::string_view, double>, 5> units{
      {{"ms", 1}, {"s", 1000}, {"min", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};
  for (const auto& [name, ms] : units) {
    if (unit == name && number * ms <= 365e3 * 86'400e3) return milliseconds{static_cast<std::int64_t>(number * ms)};
  }
  return std::nullopt;
}

// The shortest such text: `90s`, `15min`, `2d`.
[[nodiscard]] inline std::string duration_text(Duration duration) {
  const auto ms = std::chrono::duration_cast<milliseconds>(duration).count();
  static constexpr std::array<std::pair<std::string_view, std::int64_t>, 4> units{
      {{"d", 86'400'000}, {"h", 3'600'000}, {"min", 60'000}, {"s", 1000}}};
  for (const auto& [name, each] : units) {
    if (ms != 0 && ms % each == 0) return std::to_string(ms / each) + std::string(name);
  }
  return std::to_string(ms) + "ms";
}

}  // namespace fieldwork
