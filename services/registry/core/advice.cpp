#include "registry/core/advice.hpp"

#include <algorithm>
#include <cmath>

#include "fleet/attribute.hpp"

namespace fieldwork::registry {
namespace {

std::string shown(const Device& device, const char* attribute) {
  return fleet::value_text(*fleet::attribute(attribute), device);
}

std::string use_text(const Device& device, std::string_view resource) {
  return std::string(resource) + " " + shown(device, (std::string(resource) + ".use").c_str());
}

std::string counted(double count, const char* one, const char* many) {
  const auto whole = std::max(1L, std::lround(count));
  return std::to_string(whole) + " " + (whole == 1 ? one : many) + " lately";
}

// The resource that a component is about; none: it is about something else.
std::optional<Resource> resource_of(Component component) {
  switch (component) {
    case Component::cpu: return Resource::cpu;
    case Component::memory: return Resource::memory;
    case Component::storage: return Resource::storage;
    case Component::network: return Resource::network;
    default: return std::nullopt;
  }
}

// Jobs use it: fewer of them. No job, or one: nothing that a command could change.
Recommendation fewer_jobs(const Device& device, std::string_view resource) {
  Recommendation out{std::string(resource), use_text(device, resource), ""};
  if (device.attempts > 1) {
    out.text += ": let it run fewer jobs at once";
    out.command = "fieldwork device set " + device.id.value + " attempts_max=" + std::to_string(device.attempts - 1);
  } else if (device.attempts == 1) {
    out.text += ": nothing more is placed there until its one job has ended";
  } else {
    out.text += ": no job runs there; something else on the device uses it";
  }
  return out;
}

Recommendation advice(Component component, const Device& device, const Signs& signs) {
  if (const auto resource = resource_of(component)) return relief(device, *resource);
  const auto what = reason(component, device, signs);
  const std::string about(component_names[static_cast<std::size_t>(component)]);
  switch (component) {
    case Component::executions: return {about, what + ": see why", "fieldwork job ls --state failed"};
    case Component::flaps:
      return {about, what + ": keep work away until its link and power are steady",
              "fieldwork device drain " + device.id.value};
    default: return {about, what + ": check its antenna or cable, and whether its uplink carries the load", ""};
  }
}

}  // namespace

std::string reason(Component component, const Device& device, const Signs& signs) {
  switch (component) {
    case Component::beats: return counted(signs.missed, "heartbeat missed", "heartbeats missed");
    case Component::cpu: {
      char text[64];
      std::snprintf(text, sizeof text, "load %.1f on %.3g cores", device.resources.cpu_load, load_cores(device));
      return text;
    }
    case Component::memory: return shown(device, "memory.free") + " of memory free";
    case Component::storage: return shown(device, "storage.free") + " of storage free";
    case Component::network: return shown(device, "network.use") + " of its uplink used";
    case Component::executions: return counted(signs.failed, "execution failed", "executions failed");
    case Component::flaps: return counted(signs.flaps, "return from a silence", "returns from a silence");
    case Component::link:
      if (signs.reconnects >= 0.5) return counted(signs.reconnects, "reconnect", "reconnects");
      if (!device.link.loss) return "a reconnect some time ago";
      return shown(device, "link.loss") + " of frames lost";
  }
  return "";
}

Recommendation relief(const Device& device, Resource resource) {
  Recommendation out{std::string(name(resource)), use_text(device, name(resource)), ""};
  switch (resource) {
    case Resource::cpu:
    case Resource::memory: return fewer_jobs(device, name(resource));
    case Resource::network: out.text += " of its uplink: transfers to it are slowed"; return out;
    case Resource::storage: break;
  }
  if (device.resources.prunable_bytes.value_or(0) > 0) {
    out.text += ": pruning frees " + shown(device, "storage.prunable") + " of cached packages";
    out.command = "fieldwork device prune " + device.id.value;
  } else {
    out.text += ": no cached package is left to delete; something else on the device uses it";
  }
  return out;
}

std::vector<Recommendation> recommendations(const Device& device, const Signs& signs, const Values& values,
                                            const Values& weights) {
  std::vector<Recommendation> out;
  if (device.presence == Presence::lost || device.presence == Presence::suspect)
    out.push_back({"presence",
                   "it is " + std::string(name(device.presence)) + ", " + device.reason + ": check its power and link",
                   "fieldwork device show " + device.id.value});
  for (std::size_t i = 0; i < resource_names.size(); ++i) {
    if (const auto resource = static_cast<Resource>(i); is_pressed(device.pressure, resource))
      out.push_back(relief(device, resource));
  }
  std::vector<std::pair<double, Component>> bad;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double counts = std::pow(values[i], weights[i]);
    const auto component = static_cast<Component>(i);
    const auto resource = resource_of(component);
    const bool said = resource && is_pressed(device.pressure, *resource);
    if (counts < advise_below && !said) bad.emplace_back(counts, component);
  }
  std::sort(bad.begin(), bad.end());
  for (const auto& [counts, component] : bad) out.push_back(advice(component, device, signs));
  return out;
}

}  // namespace fieldwork::registry
