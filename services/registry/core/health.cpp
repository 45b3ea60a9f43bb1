#include "registry/core/health.hpp"

#include <algorithm>
#include <cmath>

#include "fleet/attribute.hpp"
#include "registry/core/advice.hpp"

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

double& of(Values& values, Component component) { return values[static_cast<std::size_t>(component)]; }

bool gone(const Device& device) { return device.presence == Presence::lost || barred(device.lifecycle); }

double health_max(const Device& device) {
  if (gone(device)) return 0;
  return device.presence == Presence::suspect ? 0.5 : 1;
}

std::string why_at_most(const Device& device, double most) {
  const auto is = barred(device.lifecycle) ? name(device.lifecycle) : name(device.presence);
  return "it is " + std::string(is) + (most > 0 ? ": its health is at most 0.5" : ": its health is 0");
}

}  // namespace

std::optional<double> use(const Device& device, Resource resource) {
  static const std::array<fleet::Attribute, resource_names.size()> attributes = [] {
    std::array<fleet::Attribute, resource_names.size()> out;
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = *fleet::attribute(std::string(resource_names[i]) + ".use");
    return out;
  }();
  const double percent = fleet::number(attributes[static_cast<std::size_t>(resource)], device);
  return std::isnan(percent) ? std::nullopt : std::optional(percent);
}

double faded(double count, Duration since, Duration to_one_eth) {
  return count * std::exp(-std::chrono::duration<double>(since) / std::chrono::duration<double>(to_one_eth));
}

void fade(Signs& signs, Duration since) {
  for (double* count : {&signs.reconnects, &signs.missed, &signs.flaps}) *count = faded(*count, since);
  for (double* count : {&signs.succeeded, &signs.failed}) *count = faded(*count, since, std::chrono::hours(6));
}

double load_cores(const Device& device) {
  if (device.about.cores > 0) return static_cast<double>(device.about.cores);
  return std::max(0.1, static_cast<double>(device.about.capacity.cpu_millis) / 1000);
}

Values components(const Device& device, const Signs& signs) {
  auto out = equal_weights;
  of(out, Component::beats) = std::max(0.5, 1 - 0.05 * signs.missed);
  of(out, Component::executions) = 1 - 0.5 * signs.failed / (signs.failed + signs.succeeded + 2);
  of(out, Component::link) = std::max(0.5, 1 - 0.1 * signs.reconnects);
  of(out, Component::flaps) = std::max(0.5, 1 - 0.1 * signs.flaps);
  if (!signs.measured) return out;
  const auto& capacity = device.about.capacity;
  const double cores = load_cores(device);
  of(out, Component::cpu) = ramp(device.resources.cpu_load / cores, 1.5, 1, 4, 0.5);
  of(out, Component::memory) = room(device.resources.memory_available_bytes, capacity.memory_bytes, 0.10);
  of(out, Component::storage) = room(device.resources.storage_available_bytes, capacity.storage_bytes, 0.05);
  if (const auto network = use(device, Resource::network))
    of(out, Component::network) = ramp(*network, 80, 1, 100, 0.6);
  if (device.link.loss) of(out, Component::link) *= ramp(*device.link.loss, 0.05, 1, 0.5, 0.5);
  return out;
}

double health(const Device& device, const Signs& signs, const Values& weights) {
  if (gone(device)) return 0;
  const auto values = components(device, signs);
  double out = 1;
  for (std::size_t i = 0; i < values.size(); ++i) {
    // A power is only taken where it is needed: heartbeats come often.
    if (values[i] < 1) out *= weights[i] == 1 ? values[i] : std::pow(values[i], weights[i]);
  }
  return std::min(out, health_max(device));
}

std::vector<std::string> pressure(const Device& device, const Thresholds& thresholds) {
  std::vector<std::string> out;
  if (!device.measured) return out;
  for (std::size_t i = 0; i < resource_names.size(); ++i) {
    if (thresholds.percent[i] >= 100) continue;  // switched off
    const auto resource = static_cast<Resource>(i);
    const double margin = is_pressed(device.pressure, resource) ? thresholds.hysteresis : 0;
    const auto percent = use(device, resource);
    if (percent && *percent > thresholds.percent[i] - margin) out.emplace_back(resource_names[i]);
  }
  return out;
}

HealthReport report(const Device& device, const Signs& signs, const Values& weights, const Thresholds& thresholds) {
  HealthReport out;
  out.device = device.id;
  out.score = health(device, signs, weights);
  out.lifecycle = device.lifecycle;
  out.presence = device.presence;
  out.reason = device.reason;
  out.missed = signs.missed;
  out.pressure = device.pressure;
  out.attempts = device.attempts;
  out.outcomes = device.outcomes;
  for (std::size_t i = 0; i < resource_names.size(); ++i) {
    if (thresholds.percent[i] < 100) out.threshold_percent[i] = thresholds.percent[i];
    if (device.measured) out.use_percent[i] = use(device, static_cast<Resource>(i));
    out.available[i] = 1 - out.use_percent[i].value_or(0) / 100;
  }
  const bool heard = !gone(device) && (device.presence == Presence::online || device.presence == Presence::starting);
  out.availability = heard ? *std::min_element(out.available.begin(), out.available.end()) : 0;
  const auto values = components(device, signs);
  const double most = health_max(device);
  out.components.push_back({"presence", most, 1, most < 1 ? why_at_most(device, most) : ""});
  for (std::size_t i = 0; i < values.size(); ++i)
    out.components.push_back({component_names[i], values[i], weights[i],
                              values[i] < 1 ? reason(static_cast<Component>(i), device, signs) : ""});
  out.recommendations = recommendations(device, signs, values, weights);
  return out;
}

}  // namespace fieldwork::registry
