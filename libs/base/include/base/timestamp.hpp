// Times as people write them: RFC 3339 in UTC, to the second, `2026-12-01T02:00:00Z`.
#pragma once

#include <cstdio>
#include <ctime>
#include <optional>
#include <string>

#include "base/time.hpp"

namespace fieldwork {

[[nodiscard]] inline std::string timestamp(Time at) {
  const auto whole = static_cast<std::time_t>(to_ms(at) / 1000);
  std::tm parts{};
  char out[32];
  if (gmtime_r(&whole, &parts) == nullptr) return "";
  return {out, std::strftime(out, sizeof out, "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

// Nothing: it is not of this form, or there is no such day.
[[nodiscard]] inline std::optional<Time> timestamp_of(const std::string& text) {
  std::tm parts{};
  if (text.size() != 20 || std::sscanf(text.c_str(), "%4d-%2d-%2dT%2d:%2d:%2dZ", &parts.tm_year, &parts.tm_mon,
                                       &parts.tm_mday, &parts.tm_hour, &parts.tm_min, &parts.tm_sec) != 6)
    return std::nullopt;
  parts.tm_year -= 1900;
  parts.tm_mon -= 1;
  const auto at = from_ms(static_cast<std::int64_t>(timegm(&parts)) * 1000);
  return timestamp(at) == text ? std::optional(at) : std::nullopt;
}

}  // namespace fieldwork
