// Signs of life, and silence.
#include <algorithm>
#include <cmath>
#include <utility>

#include "registry/core/registry.hpp"

namespace fieldwork::registry {
namespace {

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
  const auto& said = input.said;
  const bool online = said.state == PresenceSaid::State::online;
  if (online && !input.retained) {
    entry.starts.connected({said.session, said.boot}, now);
    if (watch_identity(entry, now, out))
      out.rejections.push_back({device.id, "presence", {Code::conflict, duplicated}});
  }
  if (!trusted(device.lifecycle) || said.session < device.session) return;
  if (!online) {
    if (said.session == device.session) say_offline(entry, input, now, out);
    return;
  }
  const bool restarted = said.session > device.session;
  if (restarted) entry.beat = 0;
  device.session = said.session;
  if (restarted) touch(entry, now);
  if (input.retained) return;
  entry.sign_of_life = now;
  // After a restart of this service no heartbeat has come, but the saved presence says that one of this session had.
  const bool beats = entry.beat > 0 || (!restarted && device.presence == Presence::online);
  hear(entry, beats ? Presence::online : Presence::starting, "", now, out);
}

void Registry::say_offline(Entry& entry, const PresenceArrived& input, Time now, Output& out) {
  const auto& said = input.said;
  auto& device = entry.record.device;
  const auto heard = device.presence;
  switch (said.state) {
    case PresenceSaid::State::goodbye: return hear(entry, Presence::disconnected, "it said goodbye", now, out);
    case PresenceSaid::State::sleeping: {
      const auto back = now + seconds{said.sleep_s};
      // Said again after a reconnect, or repeated by the broker as the retained copy: the first time counts.
      if (heard == Presence::sleeping && from_ms(device.back_ms) <= back) return;
      if ((entry.overslept && input.retained) || !may_follow(heard, Presence::sleeping)) return;
      entry.sign_of_life = back;
      hear(entry, Presence::sleeping, "it will be back in " + std::to_string(said.sleep_s) + " s", now, out);
      device.back_ms = to_ms(back);
      touch(entry, now);
      return;
    }
    default:
      if (heard == Presence::online || heard == Presence::starting)
        hear(entry, Presence::suspect, "its connection ended", now, out);
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
  if (!trusted(device.lifecycle) || input.heartbeat.session < device.session) return;
  const bool restarted = input.heartbeat.session > device.session;
  const bool first = !device.measured || restarted || device.presence != Presence::online;
  if (restarted) entry.beat = 0;
  device.session = input.heartbeat.session;
  measure(entry, input.heartbeat, now);
  hear(entry, Presence::online, "", now, out);
  say_drained(entry, now, out);
  rate(entry);
  if (first || now - entry.saved_at >= limits_.save_every) save(entry, now);
  const bool moved = std::abs(device.health - entry.published_health) >= 0.05;
  if (first || moved || now - entry.published_at >= limits_.publish_every) publish(entry, now);
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
  // Numbers that were left out are heartbeats that were lost on the way.
  const bool excused = std::exchange(entry.excused, false);
  if (!excused && entry.beat > 0 && heartbeat.beat > entry.beat)
    signs.missed += static_cast<double>(heartbeat.beat - entry.beat - 1);
  entry.beat = std::max(entry.beat, std::max<std::int64_t>(heartbeat.beat, 1));
  signs.measured = device.measured = true;
  device.resources = heartbeat.resources;
  device.link = heartbeat.link;
  device.attempts = static_cast<std::int64_t>(heartbeat.attempts.size());
  entry.sign_of_life = now;
}

// The device's presence, with an event where it changes. The first time online after a start is `online`; after a
// silence it is `back`.
void Registry::hear(Entry& entry, Presence presence, const std::string& reason, Time now, Output& out) {
  auto& device = entry.record.device;
  const auto before = device.presence;
  if (before == presence || !may_follow(before, presence)) return;
  device.presence = presence;
  entry.overslept = before == Presence::sleeping ? presence == Presence::suspect || presence == Presence::lost
                                                 : entry.overslept && presence == Presence::lost;
  device.reason = reason;
  device.changed_ms = to_ms(now);
  if (presence != Presence::sleeping) device.back_ms = 0;
  touch(entry, now);
  const bool back = presence == Presence::online && before != Presence::starting;
  if (presence != Presence::starting)
    out.events.push_back({device.id, back ? "back" : std::string(name(presence)), reason, ""});
}

void Registry::give_grace(Time now) {
  for (auto& [id, entry] : devices_) {
    entry.sign_of_life = std::max(entry.sign_of_life, now);
    entry.excused = true;
  }
}

// Begins or ends duplicated_since_ms, with an event each. Returns whether two devices use the identity now.
bool Registry::watch_identity(Entry& entry, Time now, Output& out) {
  auto& device = entry.record.device;
  const bool shared = entry.starts.shared(now);
  if (shared == (device.duplicated_since_ms > 0)) return shared;
  device.duplicated_since_ms = shared ? to_ms(now) : 0;
  device.changed_ms = to_ms(now);
  rate(entry);
  publish(entry, now);
  out.events.push_back({device.id, shared ? "duplicated" : "single", shared ? duplicated : "", ""});
  return shared;
}

Duration Registry::suspect_after(const Device& device) const {
  return std::max<Duration>(limits_.suspect_after, 3 * seconds{device.configuration.heartbeat_s.value_or(0)});
}

Duration Registry::lost_after(const Device& device) const {
  return std::max<Duration>(limits_.lost_after, 9 * seconds{device.configuration.heartbeat_s.value_or(0)});
}

void Registry::judge(Entry& entry, Time now, Output& out) {
  watch_identity(entry, now, out);
  const auto& device = entry.record.device;
  if (!trusted(device.lifecycle) || device.presence == Presence::lost || device.presence == Presence::disconnected)
    return;
  const auto since = now - entry.sign_of_life;
  if (since >= lost_after(device)) {
    hear(entry, Presence::lost, silence(since), now, out);
  } else if (since >= suspect_after(device)) {
    hear(entry, Presence::suspect, silence(since), now, out);
  }
}

}  // namespace fieldwork::registry
