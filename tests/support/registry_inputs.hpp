// Inputs of the registry for its tests, and their times.
#pragma once

#include "base/time.hpp"
#include "model/device.hpp"

namespace fieldwork::registry {

inline constexpr Time t0{seconds{1'000'000}};
inline Time at(double s) { return t0 + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(s)); }

inline const DeviceId edge{"edge-1"};
inline const Capacity capacity{4000, 1'000'000'000, 10'000'000'000};

inline Enrolment enrolment(std::int64_t session, const std::string& pem) {
  return {session, pem, capacity, {{"zone", "a"}}, "0.1.0"};
}

}  // namespace fieldwork::registry
