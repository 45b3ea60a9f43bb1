// Signs of life, and silence.
#include <algorithm>
#include <cmath>
#include <utility>

#include "registry/core/advice.hpp"
#include "registry/core/registry.hpp"

namespace fieldwork::registry {
namespace {

std::string silence(Duration since) {
  return "silent for " + std::to_string(std::chrono::duration_cast<seconds>(since).count()) + " s";
}

// What one heartbeat adds to a sign: a device may say any number.
double bounded(std::int64_t more) { return static_cast<double>(std::min<std::int64_t>(more, 10'000)); }

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
    if (entry.starts.connected({said.session, said.boot}, now)) entry.foreign = false;
    if (watch_identity(entry, now, out))
      out.rejections.push_back({device.id, "presence", {Code::conflict, duplicated}});
  }
  const bool heard = barred(device.lifecycle) ? said.session == device.session : said.session >= device.session;
  if (device.lifecycle == Lifecycle::enrolling || !heard) return;
  if (!online) {
    if (said.session == device.session) say_offline(entry, input, now, out);
    return;
  }
  const bool restarted = said.session > device.session;
  count_anew(entry, said.session);
  if (restarted) touch(entry, now);
  if (input.retained) return;
  entry.sign_of_life = entry.heard_at = now;
  // After a restart of this service no heartbeat has come, but the saved presence says that one of this session had.
  const bool beats = !entry.foreign && (entry.beat > 0 || (!restarted && device.presence == Presence::online));
  hear(entry, beats ? Presence::online : Presence::starting, "", now, out);
}

// Whether a heartbeat of this session is this device's: its start has shown the registered key when it enrolled. Until
// then the device is `starting`, and gets no work.
bool Registry::is_its(const Entry& entry, std::int64_t session) {
  const auto& device = entry.record.device;
  return device.lifecycle != Lifecycle::enrolling && !entry.foreign && session >= device.session &&
         session <= entry.proven;
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
    // Removed, or enrolled after the backup that the database was restored from: it asks again.
    out.answers.push_back(answer(input.device, input.heartbeat.session, false, "this device is not enrolled"));
    out.answers.back().unknown = true;
    return;
  }
  auto& entry = found->second;
  auto& device = entry.record.device;
  // Perhaps another device has claimed its id since, or its enrolment was lost with the newest part of the database.
  if (trusted(device.lifecycle) && (entry.foreign || input.heartbeat.session > entry.proven)) {
    out.answers.push_back(answer(input.device, input.heartbeat.session, false, "this start has not enrolled"));
    out.answers.back().unknown = true;
  }
  if (!is_its(entry, input.heartbeat.session)) return;
  if (barred(device.lifecycle)) {  // it is heard, and that is all
    entry.sign_of_life = now;
    return hear(entry, Presence::online, "", now, out);
  }
  const bool restarted = input.heartbeat.session > device.session;
  const bool first = !device.measured || restarted || device.presence != Presence::online;
  const bool was_silent = device.presence == Presence::suspect || device.presence == Presence::lost;
  count_anew(entry, input.heartbeat.session);
  const bool news = measure(entry, input.heartbeat, now);
  hear(entry, Presence::online, "", now, out);
  // Perhaps it beats as it was told before: what it was told last may be lost.
  if (was_silent && is_enrolled(entry)) tell_interval(entry, now, out);
  press(entry, now, out);
  say_drained(entry, now, out);
  const bool regrouped = rate(entry);
  if (news) remember(entry, now, out);
  if (first || regrouped || now - entry.saved_at >= limits_.save_every) save(entry, now);
  if (first || now - entry.reported_at >= limits_.report_every) unreported_.insert(device.id);
  const bool moved = std::abs(device.health - entry.published_health) >= moved_by;
  if (first || regrouped || moved || now - entry.published_at >= limits_.publish_every) publish(entry, now);
}

// False: it says nothing new, because it came late or twice.
bool Registry::measure(Entry& entry, const Heartbeat& heartbeat, Time now) {
  auto& device = entry.record.device;
  entry.sign_of_life = entry.heard_at = now;
  // A later one has said more; but a journal that went back numbers its heartbeats anew, in the same session.
  const auto behind = entry.beat - heartbeat.beat;
  if (heartbeat.beat > 0 && behind > 0 && behind <= late_max) return false;
  if (behind > late_max) entry.beat = 0;
  const bool repeated = heartbeat.beat > 0 && behind == 0;
  auto& signs = entry.record.signs;
  fade(signs, now - entry.faded_at);
  entry.faded_at = now;
  if (signs.measured && heartbeat.link.reconnects > device.link.reconnects) {
    signs.reconnects += bounded(heartbeat.link.reconnects - device.link.reconnects);
  }
  // Numbers that were left out are heartbeats that were lost on the way.
  const bool excused = std::exchange(entry.excused, false);
  if (!excused && entry.beat > 0 && heartbeat.beat > entry.beat)
    signs.missed += bounded(heartbeat.beat - entry.beat - 1);
  entry.beat = std::max(entry.beat, std::max<std::int64_t>(heartbeat.beat, 1));
  signs.measured = device.measured = true;
  device.resources = heartbeat.resources;
  device.link = heartbeat.link;
  device.attempts = static_cast<std::int64_t>(heartbeat.attempts.size());
  // A lower count is another agent's, with a copy of the journal.
  const auto count = [](std::int64_t said, std::int64_t& known, double& recent) {
    recent += bounded(std::max<std::int64_t>(said - known, 0));
    known = std::max(said, known);
  };
  count(heartbeat.outcomes.succeeded, device.outcomes.succeeded, signs.succeeded);
  count(heartbeat.outcomes.failed, device.outcomes.failed, signs.failed);
  return !repeated;
}

void Registry::remember(Entry& entry, Time now, Output& out) {
  const auto share = Duration{seconds{1}} * static_cast<std::int64_t>(devices_.size()) / limits_.history_rows_per_s;
  const bool raw = now - entry.kept_at >= std::max(history_each, share);
  if (raw) entry.kept_at = now;
  entry.record.history.add(entry.record.device.id, measures(entry.record.device), now, raw, out.history);
}

// What is under pressure now: others act on the device's state, so each change is published at once. A device whose
// storage fills up is asked to delete cached packages.
void Registry::press(Entry& entry, Time now, Output& out) {
  auto& device = entry.record.device;
  const auto over = pressure(device, limits_.thresholds);
  std::vector<std::string> next;
  for (std::size_t i = 0; i < resource_names.size(); ++i) {
    const auto resource = static_cast<Resource>(i);
    const bool was = is_pressed(device.pressure, resource), high = is_pressed(over, resource);
    auto &low_since = entry.low_since[i], &high_since = entry.high_since[i];
    low_since = high ? std::nullopt : std::optional(low_since.value_or(now));
    high_since = high ? std::optional(high_since.value_or(now)) : std::nullopt;
    const bool jumps = resource == Resource::cpu || resource == Resource::network;
    const bool begins = high && !was && now - *high_since >= (jumps ? limits_.pressed_after : Duration::zero());
    const bool ends = was && !high && now - *low_since >= limits_.relieved_after;
    if ((was && !ends) || begins) next.emplace_back(resource_names[i]);
    if (begins) out.events.push_back({device.id, "optimization", relief(device, resource).text, ""});
    if (ends) out.events.push_back({device.id, "relieved", std::string(resource_names[i]), ""});
  }
  if (next != device.pressure) {
    device.pressure = std::move(next);
    index_.put(device);
    touch(entry, now);
    unreported_.insert(device.id);
  }
  if (is_pressed(device.pressure, Resource::storage) && device.resources.prunable_bytes.value_or(0) > 0 &&
      (entry.pruned_at == Time{} || now - entry.pruned_at >= limits_.prune_every)) {
    entry.pruned_at = now;
    prune(entry, "", now, out);
  }
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
  if (!barred(device.lifecycle)) device.reason = reason;  // else why it is barred
  device.changed_ms = to_ms(now);
  if (presence != Presence::sleeping) device.back_ms = 0;
  touch(entry, now);
  unreported_.insert(device.id);
  const bool back = presence == Presence::online && before != Presence::starting;
  const bool was_silent = before == Presence::suspect || before == Presence::lost;
  if (was_silent && (presence == Presence::online || presence == Presence::starting)) {
    fade(entry.record.signs, now - entry.faded_at);
    entry.faded_at = now;
    entry.high_since = {};
    ++entry.record.signs.flaps;
  }
  if (presence != Presence::starting)
    out.events.push_back({device.id, back ? "back" : std::string(name(presence)), reason, ""});
}

// A start of the agent counts its heartbeats and executions from 1.
void Registry::count_anew(Entry& entry, std::int64_t session) {
  auto& device = entry.record.device;
  if (device.session == session) return;
  device.session = session;
  device.outcomes = {};
  entry.beat = 0;
  entry.high_since = {};
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
  touch(entry, now);
  out.events.push_back({device.id, shared ? "duplicated" : "single", shared ? duplicated : "", ""});
  return shared;
}

// Three quarters of the rate, so that a fleet that grows stays below it until its devices are told anew.
Duration Registry::interval() const {
  const auto per_s = std::max(0.75 * limits_.beats_per_s_max, 0.1);
  const auto s = std::llround(std::ceil(static_cast<double>(devices_.size()) / per_s));
  return std::clamp<Duration>(seconds{s}, limits_.heartbeat, std::max<Duration>(limits_.heartbeat, heartbeat_max));
}

EnrolmentAnswer Registry::answer(const DeviceId& device, std::int64_t session, bool enrolled,
                                 const std::string& reason) const {
  return {device, session, enrolled, reason, static_cast<int>(std::chrono::duration_cast<seconds>(interval()).count())};
}

// A device may beat as it was told before, until it hears this: its silence counts from now.
void Registry::tell_interval(Entry& entry, Time now, Output& out) {
  const auto& device = entry.record.device;
  const auto before = std::exchange(entry.record.told, interval());
  if (before == Duration::zero() || interval() < before) entry.sign_of_life = std::max(entry.sign_of_life, now);
  if (before != entry.record.told) save(entry, now);
  out.answers.push_back(answer(device.id, device.session, true, ""));
}

// The limits are for the interval of a small fleet. A device that does not yet follow a configuration may still beat as
// it was told.
Duration Registry::stretched(const Entry& entry, Duration limit, int beats) const {
  const auto& device = entry.record.device;
  const Duration own = seconds{device.configuration.heartbeat_s.value_or(0)};
  const bool follows = own > Duration::zero() && device.configured == device.configuration.version;
  const auto told = entry.record.told == Duration::zero() ? std::max(interval(), untold_interval) : entry.record.told;
  const auto every = follows ? own : std::max(told, own);
  const auto ratio = static_cast<double>(every.count()) /
                     static_cast<double>(std::max<Duration>(limits_.heartbeat, seconds{1}).count());
  const auto longer = Duration{std::llround(static_cast<double>(limit.count()) * std::max(ratio, 1.0))};
  return std::max<Duration>(longer, beats * own);
}

// In its session. An answer that says `enrolled` promises that.
bool Registry::is_enrolled(const Entry& entry) {
  const auto& device = entry.record.device;
  return trusted(device.lifecycle) && entry.record.enrolled_session == device.session && !entry.pending;
}

// A device whose interval is a quarter off what the fleet's size asks for is told anew, a few at a time.
void Registry::retell(Time now, Output& out) {
  const auto wanted = interval();
  std::size_t left = retold_max;
  for (auto& [id, entry] : devices_) {
    if (left == 0) return;
    if (4 * entry.record.told <= 5 * wanted && 5 * entry.record.told >= 4 * wanted) continue;
    const auto& device = entry.record.device;
    const bool connected = device.presence == Presence::online || device.presence == Presence::starting ||
                           device.presence == Presence::suspect;
    if (!is_enrolled(entry) || !connected) continue;
    tell_interval(entry, now, out);
    --left;
  }
}

void Registry::judge(Entry& entry, Time now, Output& out) {
  watch_identity(entry, now, out);
  const auto& device = entry.record.device;
  if (device.lifecycle == Lifecycle::enrolling || device.presence == Presence::lost ||
      device.presence == Presence::disconnected)
    return;
  const auto since = now - entry.sign_of_life;
  if (since >= stretched(entry, limits_.lost_after, 9)) {
    hear(entry, Presence::lost, silence(since), now, out);
  } else if (since >= stretched(entry, limits_.suspect_after, 3)) {
    hear(entry, Presence::suspect, silence(since), now, out);
  }
}

}  // namespace fieldwork::registry
