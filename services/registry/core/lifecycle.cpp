// What operators want of a device, and when it follows.
#include <algorithm>
#include <array>
#include <utility>

#include "model/limits.hpp"
#include "registry/core/registry.hpp"

namespace fieldwork::registry {
namespace {

constexpr std::array<std::string_view, 7> verbs{"activate", "drain",     "deactivate", "retire",
                                                "remove",   "configure", "prune"};

std::string state_of(const Device& device) {
  return "the device is " + std::string(name(device.lifecycle)) + " and " + std::string(name(device.presence));
}

// Why the verb is not legal in this state; empty: it is.
std::string forbids(Verb verb, const Device& device) {
  const bool trusts = trusted(device.lifecycle);
  const bool away = device.presence == Presence::lost || device.presence == Presence::disconnected;
  switch (verb) {
    case Verb::activate:
    case Verb::prune:
    case Verb::deactivate: return trusts ? "" : "only an enrolled device can be";
    case Verb::drain: return trusts && device.lifecycle != Lifecycle::inactive ? "" : "only an active device can be";
    case Verb::retire:
    case Verb::remove: return !trusts || device.lifecycle == Lifecycle::inactive || away ? "" : "deactivate it first";
    case Verb::configure: return device.lifecycle != Lifecycle::retired ? "" : "nothing is wanted of it any more";
  }
  return "";
}

}  // namespace

std::string_view name(Verb verb) { return verbs[static_cast<std::size_t>(verb)]; }

std::optional<Verb> verb(std::string_view text) {
  const auto* found = std::find(verbs.begin(), verbs.end(), text);
  return found == verbs.end() ? std::nullopt : std::optional(static_cast<Verb>(found - verbs.begin()));
}

void Registry::apply(const Requested& input, Time now, Output& out) {
  const auto found = devices_.find(input.device);
  if (found == devices_.end()) {
    out.requests.push_back({input.reply, Error{Code::unknown, "no such device", "/device"}});
    return;
  }
  auto& entry = found->second;
  const Device& device = entry.record.device;
  if (const auto why = forbids(input.verb, device); !why.empty()) {
    const auto reason = "cannot " + std::string(name(input.verb)) + ": " + state_of(device) + "; " + why;
    out.requests.push_back({input.reply, Error{Code::conflict, reason, "/device"}});
    return;
  }
  switch (input.verb) {
    case Verb::activate: want(entry, Lifecycle::active, input.by, now, out); break;
    case Verb::drain: want(entry, Lifecycle::draining, input.by, now, out); break;
    case Verb::deactivate: want(entry, Lifecycle::inactive, input.by, now, out); break;
    case Verb::retire: retire(entry, input.by, now, out); break;
    case Verb::configure:
      if (configure(entry, input, now, out)) break;
      out.requests.push_back({input.reply, Error{Code::invalid,
                                                 "a configuration has at most " + std::to_string(limits::labels_max) +
                                                     " labels: unset some",
                                                 "/set/labels"}});
      return;
    case Verb::prune: prune(entry, input.by, now, out); break;
    case Verb::remove: out.requests.push_back({input.reply, device}); return remove(entry, input.by, out);
  }
  out.requests.push_back({input.reply, device});
}

// The device hears it, and its lifecycle changes when it follows. What takes work away from it counts at once: nothing
// more is placed there.
void Registry::want(Entry& entry, Lifecycle lifecycle, const std::string& by, Time now, Output& out) {
  auto& device = entry.record.device;
  if (device.configuration.lifecycle == lifecycle) return;
  device.configuration.lifecycle = lifecycle;
  ++device.configuration.version;
  entry.drained = false;
  if (lifecycle != Lifecycle::active && device.lifecycle == Lifecycle::active)
    become(entry, Lifecycle::draining, lifecycle == Lifecycle::draining ? "" : "it is being deactivated", by, now, out);
  else
    out.events.push_back({device.id, "wanted", std::string(name(lifecycle)), by});
  touch(entry, now);
  follow(entry, out);
}

// False: nothing was done, there would be too many labels.
bool Registry::configure(Entry& entry, const Requested& input, Time now, Output& out) {
  auto& device = entry.record.device;
  auto next = device.configuration;
  const auto& [set, unset] = input.settings;
  const auto change = [&unset = unset](const char* setting, auto& mine, const auto& wanted) {
    if (wanted) mine = wanted;
    if (std::find(unset.begin(), unset.end(), setting) != unset.end()) mine.reset();
  };
  change("heartbeat_s", next.heartbeat_s, set.heartbeat_s);
  change("sample_s", next.sample_s, set.sample_s);
  change("attempts_max", next.attempts_max, set.attempts_max);
  change("cache_bytes", next.cache_bytes, set.cache_bytes);
  change("log_level", next.log_level, set.log_level);
  for (const auto& [label, value] : set.labels) next.labels[label] = value;
  for (const auto& field : unset) {
    if (field.starts_with("labels/")) next.labels.erase(field.substr(7));
  }
  if (next.labels.size() > limits::labels_max) return false;
  if (next == device.configuration) return true;
  ++next.version;
  // The interval that it keeps until it follows may be longer than what is asked of it now.
  if (next.heartbeat_s != device.configuration.heartbeat_s) entry.sign_of_life = std::max(entry.sign_of_life, now);
  device.configuration = std::move(next);
  out.events.push_back({device.id, "wanted", "version " + std::to_string(device.configuration.version), input.by});
  relabel(entry);
  touch(entry, now);
  follow(entry, out);
  return true;
}

// A device that was asked already, and does not follow yet, is not asked again.
void Registry::prune(Entry& entry, const std::string& by, Time now, Output& out) {
  auto& device = entry.record.device;
  if (device.configured < entry.prune_version) return;
  ++device.configuration.prune;
  entry.prune_version = ++device.configuration.version;
  out.events.push_back({device.id, "wanted", "prune", by});
  touch(entry, now);
  follow(entry, out);
}

// Tells the device what is wanted, unless it follows that already.
void Registry::follow(Entry& entry, Output& out) {
  const auto& device = entry.record.device;
  if (device.configuration.version != device.configured) {
    out.outbox.emplace_back(SendConfiguration{device.id, device.configuration});
  } else {
    out.outbox.emplace_back(CloseConfiguration{device.id});
  }
}

// A version that no registry can have sent is not gone beyond: the next could not be read.
bool Registry::believed(std::int64_t configured, const Configuration& wanted) {
  return configured <= std::max(wanted.version, limits::version_max);
}

void Registry::apply(const ConfiguredArrived& input, Time now, Output& out) {
  const auto found = devices_.find(input.device);
  if (found == devices_.end()) return;
  auto& entry = found->second;
  auto& device = entry.record.device;
  auto& wanted = device.configuration;
  if (!trusted(device.lifecycle) || input.version == device.configured) return;
  if (input.version < wanted.version) return;  // an answer to an earlier one
  if (!believed(input.version, wanted)) return;
  device.configured = input.version;
  entry.sign_of_life = std::max(entry.sign_of_life, now);  // it may be judged by a shorter interval from now on
  if (input.version > wanted.version) {                    // this service's database went back
    wanted.version = input.version + 1;
    touch(entry, now);
    return follow(entry, out);
  }
  touch(entry, now);
  follow(entry, out);
  if (input.reason.empty())
    out.events.push_back({device.id, "configured", "version " + std::to_string(input.version), ""});
  else
    out.events.push_back({device.id, "misconfigured", input.reason, ""});
  if (device.lifecycle != wanted.lifecycle) become(entry, wanted.lifecycle, "", "", now, out);
}

// Once per drain: the device follows it, and a heartbeat since then lists no attempt. An earlier heartbeat may not know
// of an attempt that it took meanwhile.
void Registry::say_drained(Entry& entry, Time now, Output& out) {
  static constexpr const char* drained = "drained: nothing runs there";
  auto& device = entry.record.device;
  const bool empty = device.lifecycle == Lifecycle::draining && device.configured == device.configuration.version &&
                     device.presence == Presence::online && device.attempts == 0;
  if (!empty) return;
  const bool again = std::exchange(entry.drained, true);
  if (device.reason == drained) return;
  device.reason = drained;  // also after a silence, which had a reason of its own
  device.changed_ms = to_ms(now);
  touch(entry, now);
  if (!again) out.events.push_back({device.id, "drained", "", ""});
}

void Registry::retire(Entry& entry, const std::string& by, Time now, Output& out) {
  if (entry.record.device.lifecycle == Lifecycle::retired) return;
  close_question(entry, out);
  out.outbox.emplace_back(CloseConfiguration{entry.record.device.id});
  become(entry, Lifecycle::retired, "", by, now, out);
}

void Registry::remove(Entry& entry, const std::string& by, Output& out) {
  const DeviceId id = entry.record.device.id;
  close_question(entry, out);
  out.outbox.emplace_back(CloseConfiguration{id});
  out.removed.push_back(id);
  out.events.push_back({id, "removed", "", by});
  index_.erase(id);
  unsaved_.erase(id);
  unsaid_.erase(id);
  unreported_.erase(id);
  unsummarised_ = true;
  devices_.erase(id);
}

}  // namespace fieldwork::registry
