// Time as cores see it: a value that comes in as an argument. Services pass the time of the database's clock, the agent
// that of its monotonic clock; this header names neither clock.
#pragma once

#include <chrono>
#include <cstdint>

namespace fieldwork {

using Duration = std::chrono::microseconds;
using Time = std::chrono::time_point<std::chrono::system_clock, Duration>;
using std::chrono::milliseconds;
using std::chrono::seconds;

[[nodiscard]] constexpr std::int64_t to_ms(Time t) {
  return std::chrono::duration_cast<milliseconds>(t.time_since_epoch()).count();
}
[[nodiscard]] constexpr Time from_ms(std::int64_t ms) { return Time{milliseconds{ms}}; }

}  // namespace fieldwork
