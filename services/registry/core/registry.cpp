#include "registry/core/registry.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace fieldwork::registry {

Registry::Registry(Limits limits, std::vector<Record> saved, Time now) : limits_(limits) {
  for (auto& record : saved) {
    auto& entry = devices_[record.device.id];
    entry.record = std::move(record);
    entry.signs.measured = entry.record.device.measured;
    entry.sign_of_life = entry.faded_at = entry.saved_at = now;
    if (entry.record.device.back_ms > 0) entry.sign_of_life = std::max(now, from_ms(entry.record.device.back_ms));
    index_.put(entry.record.device);
  }
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
  device.changed_ms = to_ms(now);
  touch(entry, now);
  out.events.push_back({device.id, std::string(name(lifecycle)), reason, by});
}

void Registry::relabel(Entry& entry) {
  auto& device = entry.record.device;
  device.labels = device.about.labels;
  for (const auto& [label, value] : device.configuration.labels) device.labels[label] = value;
  index_.put(device);
}

void Registry::rate(Entry& entry) {
  auto& device = entry.record.device;
  device.health = health(device, entry.signs);
  index_.measured(device);
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
}

void Registry::apply(const LinkLost&, Time, Output&) { link_ = false; }

void Registry::apply(const LinkBack&, Time now, Output&) {
  link_ = true;
  give_grace(now);
  for (auto& [id, entry] : devices_) {
    rate(entry);
    publish(entry, now);
  }
}

// Messages of the time that was missed may still wait in the queue.
void Registry::apply(const Stalled&, Time now, Output&) { give_grace(now); }

void Registry::apply(const TimePassed&, Time now, Output& out) {
  if (!link_ || now - judged_at_ < limits_.judge_every) return;
  judged_at_ = now;
  for (auto& [id, entry] : devices_) judge(entry, now, out);
}

// Each device's last row and last state of the batch.
void Registry::apply(const BatchEnded&, Time, Output& out) {
  for (const auto& id : unsaved_) out.devices.push_back(devices_.at(id).record);
  for (const auto& id : unsaid_) out.states.push_back(devices_.at(id).record.device);
  unsaved_.clear();
  unsaid_.clear();
}

}  // namespace fieldwork::registry
