#include "registry/core/history.hpp"

#include <algorithm>

#include "registry/core/health.hpp"

namespace fieldwork::registry {
namespace {

constexpr std::int64_t minute_ms = 60'000;
constexpr std::int64_t hour_ms = 60 * minute_ms;

std::int64_t beginning(std::int64_t at_ms, std::int64_t length_ms) { return at_ms - at_ms % length_ms; }

void close_one(const DeviceId& device, Resolution resolution, Period& period, std::int64_t from_ms,
               std::vector<HistoryRow>& out) {
  if (period.beats == 0 || period.from_ms == from_ms) return;
  out.push_back({device, resolution, period});
  period = {};
}

}  // namespace

void Period::add(const Measures& measures) {
  ++beats;
  for (std::size_t i = 0; i < measures.size(); ++i) {
    if (!measures[i]) continue;
    const bool least = static_cast<Measure>(i) == Measure::health;
    if (count[i] == 0) {
      worst[i] = *measures[i];
    } else {
      worst[i] = least ? std::min(worst[i], *measures[i]) : std::max(worst[i], *measures[i]);
    }
    sum[i] += *measures[i];
    ++count[i];
  }
}

std::optional<double> Period::mean(Measure measure) const {
  const auto i = static_cast<std::size_t>(measure);
  if (count[i] == 0) return std::nullopt;
  return sum[i] / static_cast<double>(count[i]);
}

Measures measures(const Device& device) {
  Measures out;
  const auto at = [&](Measure measure) -> std::optional<double>& { return out[static_cast<std::size_t>(measure)]; };
  at(Measure::health) = device.health;
  at(Measure::cpu) = use(device, Resource::cpu);
  at(Measure::memory) = use(device, Resource::memory);
  at(Measure::storage) = use(device, Resource::storage);
  at(Measure::network) = use(device, Resource::network);
  at(Measure::temperature) = device.resources.temperature_c;
  at(Measure::round_trip) = device.link.round_trip_ms;
  if (device.link.loss) at(Measure::loss) = 100 * *device.link.loss;
  return out;
}

void History::close(const DeviceId& device, Time now, std::vector<HistoryRow>& out) {
  const auto now_ms = to_ms(now);
  close_one(device, Resolution::minute, minute, beginning(now_ms, minute_ms), out);
  close_one(device, Resolution::hour, hour, beginning(now_ms, hour_ms), out);
}

void History::add(const DeviceId& device, const Measures& measures, Time at, bool raw, std::vector<HistoryRow>& out) {
  close(device, at, out);
  const auto at_ms = to_ms(at);
  minute.from_ms = beginning(at_ms, minute_ms);
  hour.from_ms = beginning(at_ms, hour_ms);
  minute.add(measures);
  hour.add(measures);
  if (!raw) return;
  Period one{.from_ms = at_ms};
  one.add(measures);
  out.push_back({device, Resolution::raw, one});
}

}  // namespace fieldwork::registry
