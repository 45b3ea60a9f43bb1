#include "registry/core/registry.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/check.hpp"

namespace fieldwork::registry {

Registry::Registry(Limits limits, std::vector<Record> saved, Time now, std::vector<Group> groups) : limits_(limits) {
  for (auto& group : groups) groups_.emplace(group.name, std::move(group));
  for (auto& record : saved) {
    auto& entry = devices_[record.device.id];
    entry.record = std::move(record);
    std::erase_if(entry.record.device.groups, [&](const auto& one) { return !groups_.contains(one); });
    entry.sign_of_life = entry.saved_at = now;
    entry.proven = entry.record.enrolled_session;
    if (entry.record.device.duplicated_since_ms > 0) entry.starts.resume(now);
    entry.faded_at = entry.record.faded_ms > 0 ? std::min(from_ms(entry.record.faded_ms), now) : now;
    if (entry.record.device.back_ms > 0) entry.sign_of_life = std::max(now, from_ms(entry.record.device.back_ms));
    index_.put(entry.record.device);
  }
  // In a small fleet nobody was told another interval. In a larger one it is told once more.
  if (interval() > limits_.heartbeat) return;
  for (auto& [id, entry] : devices_)
    if (entry.record.told == Duration::zero()) entry.record.told = interval();
}

const Record* Registry::find(const DeviceId& device) const {
  const auto it = devices_.find(device);
  return it == devices_.end() ? nullptr : &it->second.record;
}

std::vector<const Device*> Registry::list(const std::optional<fleet::Expression>& where, const DeviceId& after,
                                          std::size_t limit) const {
  if (where) return index_.find(*where, after, limit);
  std::vector<const Device*> out;
  for (auto it = devices_.upper_bound(after); it != devices_.end() && out.size() < limit; ++it)
    out.push_back(&it->second.record.device);
  return out;
}

void Registry::step(const Input& input, Time now, Output& out) {
  std::visit([&](const auto& one) { apply(one, now, out); }, input);
}

void Registry::become(Entry& entry, Lifecycle lifecycle, const std::string& reason, const std::string& by, Time now,
                      Output& out) {
  auto& device = entry.record.device;
  FIELDWORK_CHECK(may_follow(device.lifecycle, lifecycle));
  device.lifecycle = lifecycle;
  device.reason = reason;
  if (barred(lifecycle) && !device.pressure.empty()) {
    device.pressure.clear();
    index_.put(device);
  }
  device.changed_ms = to_ms(now);
  touch(entry, now);
  unreported_.insert(device.id);
  out.events.push_back({device.id, std::string(name(lifecycle)), reason, by});
}

void Registry::relabel(Entry& entry) {
  auto& device = entry.record.device;
  device.labels = device.about.labels;
  for (const auto& [label, value] : device.configuration.labels) device.labels[label] = value;
  index_.put(device);
}

bool Registry::rate(Entry& entry) {
  auto& device = entry.record.device;
  device.health = health(device, entry.record.signs, limits_.weights);
  index_.measured(device);
  if (entry.reported_health >= 0 && std::abs(device.health - entry.reported_health) >= moved_by)
    unreported_.insert(device.id);
  return regroup(entry);
}

std::optional<HealthReport> Registry::report(const DeviceId& device, Time now) const {
  const auto it = devices_.find(device);
  if (it == devices_.end()) return std::nullopt;
  const auto& entry = it->second;
  auto out = registry::report(entry.record.device, entry.record.signs, limits_.weights, limits_.thresholds);
  out.at_ms = to_ms(now);
  out.heard_ms = entry.heard_at == Time{} ? 0 : to_ms(entry.heard_at);
  out.heartbeat_s = entry.record.device.configuration.heartbeat_s.value_or(
      static_cast<int>(std::chrono::duration_cast<seconds>(std::max(entry.record.told, interval())).count()));
  return out;
}

void Registry::touch(Entry& entry, Time now) {
  rate(entry);
  save(entry, now);
  publish(entry, now);
}

void Registry::save(Entry& entry, Time now) {
  entry.saved_at = now;
  unsaved_.insert(entry.record.device.id);
}

void Registry::publish(Entry& entry, Time now) {
  entry.published_at = now;
  entry.published_health = entry.record.device.health;
  unsaid_.insert(entry.record.device.id);
  unsummarised_ = true;
}

void Registry::apply(const LinkLost&, Time, Output&) { link_ = false; }

void Registry::apply(const LinkBack&, Time now, Output&) {
  link_ = true;
  give_grace(now);
  for (auto& [id, entry] : devices_) {
    rate(entry);
    publish(entry, now);
  }
  resaid_ = DeviceId();
  unsummarised_ = true;
}

// At a pace: all at once they are as large as the fleet's states, which are on their way.
void Registry::say_reports_again() {
  if (!resaid_) return;
  std::size_t left = resaid_max;
  for (auto it = devices_.upper_bound(*resaid_); it != devices_.end(); ++it) {
    if (left-- == 0) return;
    unreported_.insert(it->first);
    resaid_ = it->first;
  }
  resaid_.reset();
}

// Messages of the time that was missed may still wait in the queue.
void Registry::apply(const Stalled&, Time now, Output&) { give_grace(now); }

void Registry::apply(const TimePassed&, Time now, Output& out) {
  if (!link_ || now - judged_at_ < limits_.judge_every) return;
  judged_at_ = now;
  const auto most = out.history.size() + closed_max;
  for (auto& [id, entry] : devices_) {
    judge(entry, now, out);
    // Else the first look after each hour would be one transaction with a row of every device.
    if (out.history.size() < most) entry.record.history.close(id, now, out.history);
  }
  retell(now, out);
  say_reports_again();
  const auto every = limits_.summary_every + seconds{devices_.size() / 10'000};
  if (!unsummarised_ || now - summarised_at_ < every) return;
  unsummarised_ = false;
  summarised_at_ = now;
  out.summary = true;
}

// Each device's last row and last state of the batch.
void Registry::apply(const BatchEnded&, Time now, Output& out) {
  for (const auto& id : unsaved_) {
    auto& entry = devices_.at(id);
    entry.record.faded_ms = to_ms(entry.faded_at);
    out.devices.push_back(entry.record);
  }
  for (const auto& id : unsaid_) out.states.push_back(devices_.at(id).record.device);
  unsaved_.clear();
  unsaid_.clear();
  for (const auto& id : std::exchange(unreported_, {})) {
    auto& entry = devices_.at(id);
    out.reports.push_back(id);
    entry.reported_at = now;
    entry.reported_health = entry.record.device.health;
  }
}

}  // namespace fieldwork::registry
