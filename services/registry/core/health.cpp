#include "registry/core/health.hpp"

#include <algorithm>
#include <cmath>

namespace fieldwork::registry {
namespace {

// A straight line from `low` at x = a to `high` at x = b; constant outside.
double ramp(double x, double a, double low, double b, double high) {
  const double t = std::clamp((x - a) / (b - a), 0.0, 1.0);
  return low + t * (high - low);
}

double room(std::int64_t available, std::int64_t capacity, double enough) {
  if (capacity <= 0) return 1;
  return ramp(static_cast<double>(available) / static_cast<double>(capacity), 0, 0.4, enough, 1);
}

}  // namespace

double faded(double count, Duration since) {
  return count * std::exp(-std::chrono::duration<double>(since).count() / 600.0);
}

double health(const Device& device, const Signs& signs) {
  if (device.presence == Presence::lost || device.lifecycle == Lifecycle::refused ||
      device.lifecycle == Lifecycle::retired)
    return 0;
  double out = std::max(0.5, 1 - 0.1 * signs.reconnects) * std::max(0.5, 1 - 0.05 * signs.missed);
  if (signs.measured) {
    const double cores = std::max(0.1, static_cast<double>(device.about.capacity.cpu_millis) / 1000);
    out *= room(device.resources.memory_available_bytes, device.about.capacity.memory_bytes, 0.10);
    out *= room(device.resources.storage_available_bytes, device.about.capacity.storage_bytes, 0.05);
    out *= ramp(device.resources.cpu_load / cores, 1.5, 1, 4, 0.5);
  }
  return device.presence == Presence::suspect ? std::min(out, 0.5) : out;
}

}  // namespace fieldwork::registry
