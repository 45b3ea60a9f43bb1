// What is kept of heartbeats: one row for each, one for each minute, one for each hour (decision 0018). Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/id.hpp"
#include "base/time.hpp"
#include "model/device.hpp"

namespace fieldwork::registry {

enum class Resolution { raw, minute, hour };
inline constexpr std::array<std::string_view, 3> resolution_names{"raw", "minute", "hour"};

enum class Measure { health, cpu, memory, storage, network, temperature, round_trip, loss };
// Percent, but for health (0 to 1), temperature (degrees Celsius) and round_trip (milliseconds).
inline constexpr std::array<std::string_view, 8> measure_names{"health",  "cpu",         "memory",     "storage",
                                                               "network", "temperature", "round_trip", "loss"};
// By Measure; none: not measured.
using Measures = std::array<std::optional<double>, measure_names.size()>;

// The heartbeats of one period.
struct Period {
  std::int64_t from_ms = 0;  // its beginning; of one heartbeat: when it arrived
  std::int64_t beats = 0;    // 0: it is empty
  std::array<double, measure_names.size()> sum{};
  std::array<std::int64_t, measure_names.size()> count{};  // heartbeats that had the measure
  std::array<double, measure_names.size()> worst{};        // of health the least, of all others the greatest
  bool operator==(const Period&) const = default;

  void add(const Measures& measures);
  [[nodiscard]] std::optional<double> mean(Measure measure) const;
};

struct HistoryRow {
  DeviceId device;
  Resolution resolution = Resolution::raw;
  Period period;
  bool operator==(const HistoryRow&) const = default;
};

// Of a device, as its newest heartbeat and its score say.
[[nodiscard]] Measures measures(const Device& device);

// The open periods of one device.
class History {
 public:
  // A heartbeat that arrived at `at`; adds the periods that ended before. `raw`: the heartbeat itself is kept.
  void add(const DeviceId& device, const Measures& measures, Time at, bool raw, std::vector<HistoryRow>& out);
  // Adds the periods that have ended.
  void close(const DeviceId& device, Time now, std::vector<HistoryRow>& out);

  Period minute, hour;  // of the newest heartbeat; empty: they were added
  bool operator==(const History&) const = default;
};

}  // namespace fieldwork::registry
