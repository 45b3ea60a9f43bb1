// How a device is, and why: what the registry makes of its heartbeats (docs/health.md has the formulas).
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/device.hpp"

namespace fieldwork {

enum class Resource { cpu, memory, storage, network };
inline constexpr std::array<std::string_view, 4> resource_names{"cpu", "memory", "storage", "network"};
[[nodiscard]] constexpr std::string_view name(Resource resource) {
  return resource_names[static_cast<std::size_t>(resource)];
}
// Whether the list (Device::pressure) names the resource.
[[nodiscard]] inline bool is_pressed(const std::vector<std::string>& pressure, Resource resource) {
  return std::find(pressure.begin(), pressure.end(), name(resource)) != pressure.end();
}

// A sign that the score is made of. The score is the product of value ^ weight, and at most the value of `presence`.
struct HealthComponent {
  std::string_view name;
  double value = 1;    // 0 to 1
  double weight = 1;   // 0: it does not count
  std::string reason;  // in words; empty where the value is 1
};

struct Recommendation {
  std::string about;    // the resource or component
  std::string text;     // what is wrong, and what helps
  std::string command;  // that does it; empty: only somebody at the device can
};

struct HealthReport {
  DeviceId device;
  std::int64_t at_ms = 0;
  double score = 1;
  Lifecycle lifecycle = Lifecycle::enrolling;
  Presence presence = Presence::starting;
  std::string reason;                                // of the presence or lifecycle
  std::int64_t heartbeat_s = 0;                      // as asked of it
  std::int64_t heard_ms = 0;                         // the newest sign of life; 0: none yet
  double missed = 0;                                 // heartbeats, recent ones
  std::array<std::optional<double>, 4> use_percent;  // by Resource; none: not measured
  std::array<double, 4> available{};                 // by Resource, 0 to 1; 1 where not measured
  double availability = 1;                           // the least of them; 0 where the device is not heard
  std::vector<std::string> pressure;
  std::array<std::optional<double>, 4> threshold_percent;  // of use, by Resource; none: switched off
  std::int64_t attempts = 0;
  Outcomes outcomes;
  std::vector<HealthComponent> components;
  std::vector<Recommendation> recommendations;  // the most urgent first
};

}  // namespace fieldwork
