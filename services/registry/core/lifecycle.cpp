// Signs of life, and silence.
#include <algorithm>
#include <cmath>

#include "registry/core/registry.hpp"

namespace fieldwork::registry {
namespace {

bool live(DeviceState state) {
  return state == DeviceState::ready || state == DeviceState::suspect || state == DeviceState::lost;
}

std::string silence(Duration since) {
  return "silent for " + std::to_string(std::chrono::duration_cast<seconds>(since).count()) + " s";
}

constexpr const char* duplicated =
    "another device uses this identity, and each throws the other out: issue one of them its own (scripts/pki "
    "--devices)";

}  // namespace

void Registry::apply(const PresenceArrived& input, Time now, Output& out) {
  const auto found = devices_.find(input.device);
  if (found == devices_.end()) return;  // the device will enrol
  auto& entry = found->second;
  auto& device = entry.record.device;
  const auto& presence = input.presence;
  if (presence.online && !input.retained) {
    entry.starts.connected({presence.session, presence.boot}, now);
    if (watch_identity(entry, now, out))
      out.rejections.push_back({device.id, "presence", {Code::conflict, duplicated}});
  }
  if (!live(device.state) || presence.session < device.session) return;
  if (!presence.online) {
    if (presence.session == device.session && device.state == DeviceState::ready) {
      change(entry, DeviceState::suspect, "suspect", "its connection ended", now, out);
    }
    return;
  }
  const bool restarted = presence.session > device.session;
  device.session = presence.session;
  if (!input.retained) {
    entry.sign_of_life = now;
    if (device.state != DeviceState::ready) return revive(entry, now, out);
  }
  if (restarted) {
    save(entry, now);
    publish(entry, now);
  }
}

void Registry::apply(const HeartbeatArrived& input, Time now, Output& out) {
  const auto found = devices_.find(input.device);
  if (found == devices_.end()) {
    out.rejections.push_back({input.device, "heartbeat", {Code::unknown, "this device is not enrolled"}});
    return;
  }
  auto& entry = found->second;
  auto& device = entry.record.device;
  if (!live(device.state) || input.heartbeat.session < device.session) return;
  const bool restarted = input.heartbeat.session > device.session;
  const bool first = !entry.signs.measured;  // placement waits for the first measurements
  device.session = input.heartbeat.session;
  measure(entry, input.heartbeat, now);
  if (device.state != DeviceState::ready) return revive(entry, now, out);
  if (first || restarted || now - entry.saved_at >= limits_.save_every) save(entry, now);
  device.health = health(device, entry.signs);
  const bool moved = std::abs(device.health - entry.published_health) >= 0.05;
  if (first || restarted || moved || now - entry.published_at >= limits_.publish_every) publish(entry, now);
}

void Registry::measure(Entry& entry, const Heartbeat& heartbeat, Time now) {
  auto& device = entry.record.device;
  auto& signs = entry.signs;
  const auto since = now - entry.faded_at;
  signs.reconnects = faded(signs.reconnects, since);
  signs.missed = faded(signs.missed, since);
  entry.faded_at = now;
  if (signs.measured && heartbeat.link.reconnects > device.link.reconnects) {
    signs.reconnects += static_cast<double>(heartbeat.link.reconnects - device.link.reconnects);
  }
  const auto beats =
      static_cast<double>((now - entry.sign_of_life).count()) / static_cast<double>(limits_.heartbeat.count());
  signs.missed += std::max(0.0, std::round(beats) - 1);
  signs.measured = true;
  device.resources = heartbeat.resources;
  device.link = heartbeat.link;
  entry.sign_of_life = now;
}

void Registry::revive(Entry& entry, Time now, Output& out) { change(entry, DeviceState::ready, "back", "", now, out); }

void Registry::apply(const LinkLost&, Time, Output&) { link_ = false; }

void Registry::apply(const LinkBack&, Time now, Output&) {
  link_ = true;
  give_grace(now);
  for (auto& [id, entry] : devices_) publish(entry, now);
}

// Messages of the time that was missed may still wait in the queue.
void Registry::apply(const Stalled&, Time now, Output&) { give_grace(now); }

void Registry::give_grace(Time now) {
  for (auto& [id, entry] : devices_) entry.sign_of_life = std::max(entry.sign_of_life, now);
}

void Registry::apply(const TimePassed&, Time now, Output& out) {
  if (!link_ || now - judged_at_ < limits_.judge_every) return;
  judged_at_ = now;
  for (auto& [id, entry] : devices_) judge(entry, now, out);
}

// Begins or ends duplicated_since_ms, with an event each. Returns whether two devices use the identity now.
bool Registry::watch_identity(Entry& entry, Time now, Output& out) {
  auto& device = entry.record.device;
  const bool shared = entry.starts.shared(now);
  if (shared == (device.duplicated_since_ms > 0)) return shared;
  device.duplicated_since_ms = shared ? to_ms(now) : 0;
  device.changed_ms = to_ms(now);
  publish(entry, now);
  out.events.push_back({device.id, shared ? "duplicated" : "single", shared ? duplicated : ""});
  return shared;
}

void Registry::judge(Entry& entry, Time now, Output& out) {
  watch_identity(entry, now, out);
  const auto state = entry.record.device.state;
  if (state != DeviceState::ready && state != DeviceState::suspect) return;
  const auto since = now - entry.sign_of_life;
  if (since >= limits_.lost_after) {
    change(entry, DeviceState::lost, "lost", silence(since), now, out);
  } else if (since >= limits_.suspect_after && state == DeviceState::ready) {
    change(entry, DeviceState::suspect, "suspect", silence(since), now, out);
  }
}

}  // namespace fieldwork::registry
