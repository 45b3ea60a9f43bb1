// A monotonic clock that also counts while the machine is suspended, because a suspended device has no contact.
#pragma once

#include <time.h>

#include <cstdint>

namespace fieldwork {

// Microseconds since the machine booted, suspended time included. Async-signal-safe.
[[nodiscard]] inline std::int64_t boot_us() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
}

}  // namespace fieldwork
