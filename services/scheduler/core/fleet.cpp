#include "scheduler/core/fleet.hpp"
#include "scheduler/limits.hpp"

#include <algorithm>

namespace fieldwork::scheduler {
namespace {

std::int64_t free_cpu(const DeviceView& view) { return view.device.about.capacity.cpu_millis - view.cpu_millis_used; }

}  // namespace

// The key's length comes first, so that no other pair of key and value gives the same text.
std::string Fleet::label_key(const std::string& key, const std::string& value) {
  return std::to_string(key.size()) + ':' + key + '=' + value;
}

const DeviceView* Fleet::find(const DeviceId& device) const {
  const auto it = numbers_.find(device);
  return it == numbers_.end() ? nullptr : &entries_[it->second].view;
}

std::optional<Fleet::Number> Fleet::number_of(const DeviceId& device) const {
  const auto it = numbers_.find(device);
  return it == numbers_.end() ? std::nullopt : std::optional(it->second);
}

Fleet::Number Fleet::make(const DeviceId& device) {
  if (const auto it = numbers_.find(device); it != numbers_.end()) return it->second;
  Number number = static_cast<Number>(entries_.size());
  if (free_.empty()) {
    entries_.emplace_back();
  } else {
    number = free_.back();
    free_.pop_back();
    entries_[number] = Entry{};
  }
  entries_[number].view.device.id = device;
  numbers_.emplace(device, number);
  return number;
}

void Fleet::list(Number number) {
  auto& entry = entries_[number];
  if (!gets_work(entry.view.device)) return;
  entry.listed = true;
  const std::pair place{free_cpu(entry.view), number};
  by_room_.insert(place);
  by_attempts_.emplace(entry.view.attempts, number);
  for (const auto& [key, value] : entry.view.device.labels) by_label_[label_key(key, value)].insert(place);
}

void Fleet::unlist(Number number) {
  auto& entry = entries_[number];
  if (!entry.listed) return;
  entry.listed = false;
  const std::pair place{free_cpu(entry.view), number};
  by_room_.erase(place);
  by_attempts_.erase({entry.view.attempts, number});
  for (const auto& [key, value] : entry.view.device.labels) {
    const auto it = by_label_.find(label_key(key, value));
    if (it == by_label_.end()) continue;
    it->second.erase(place);
    if (it->second.empty()) by_label_.erase(it);
  }
}

void Fleet::count(Number number, bool in) {
  auto& entry = entries_[number];
  if (entry.counted == in) return;
  entry.counted = in;
  const auto& has = entry.view.device.about.capacity;
  const auto apply = [&](std::multiset<std::int64_t>& all, std::int64_t value) {
    if (in) {
      all.insert(value);
    } else {
      all.erase(all.find(value));
    }
  };
  apply(cpu_, has.cpu_millis);
  apply(memory_, has.memory_bytes);
  apply(disk_, has.storage_bytes);
}

Capacity Fleet::largest() const {
  const auto most = [](const std::multiset<std::int64_t>& all) { return all.empty() ? 0 : *all.rbegin(); };
  return {most(cpu_), most(memory_), most(disk_)};
}

bool Fleet::seen(const Device& device) {
  const auto number = make(device.id);
  auto& view = entries_[number].view;
  const bool came = gets_work(device) && !gets_work(view.device);
  const bool changed = view.device.about.capacity != device.about.capacity || view.device.labels != device.labels;
  const auto& now = device.pressure;
  const bool relieved = std::any_of(view.device.pressure.begin(), view.device.pressure.end(), [&](const auto& one) {
    return std::find(now.begin(), now.end(), one) == now.end();
  });
  unlist(number);
  count(number, false);
  view.device = device;
  entries_[number].gone = false;
  count(number, true);
  list(number);
  return came || changed || relieved;
}

void Fleet::gone(const DeviceId& device) {
  const auto it = numbers_.find(device);
  if (it == numbers_.end()) return;
  const auto number = it->second;
  unlist(number);
  count(number, false);
  if (entries_[number].view.attempts > 0) {  // removed when the room that an open question reserves is given back
    entries_[number].view.device.lifecycle = Lifecycle::retired;
    entries_[number].gone = true;
    return;
  }
  for (const auto& digest : entries_[number].view.packages) {
    if (const auto of = by_package_.find(digest); of != by_package_.end()) std::erase(of->second, number);
  }
  entries_[number] = Entry{};
  numbers_.erase(it);
  free_.push_back(number);
}

void Fleet::reserve(const DeviceId& device, const Requirements& need, int sign) {
  update(device, [&](DeviceView& view) {
    view.cpu_millis_used += sign * need.cpu_millis;
    view.memory_bytes_used += sign * need.memory_bytes;
    view.storage_bytes_used += sign * need.storage_bytes;
    view.attempts += sign;
  });
  if (const auto number = numbers_.at(device); entries_[number].gone && entries_[number].view.attempts == 0)
    gone(device);
}

void Fleet::ran(const DeviceId& device, const std::string& package) {
  if (package.empty()) return;
  const auto number = make(device);
  auto& packages = entries_[number].view.packages;
  if (std::find(packages.begin(), packages.end(), package) != packages.end()) return;
  packages.push_back(package);
  auto& there = by_package_[package];
  there.push_back(number);
  if (there.size() > devices_per_package_max) there.erase(there.begin());
  if (packages.size() <= packages_per_device_max) return;
  if (const auto of = by_package_.find(packages.front()); of != by_package_.end()) {
    std::erase(of->second, number);
    if (of->second.empty()) by_package_.erase(of);
  }
  packages.erase(packages.begin());
}

const Fleet::Order* Fleet::by_room(const Labels& labels) const {
  const Order* smallest = &by_room_;
  for (const auto& [key, value] : labels) {
    const auto it = by_label_.find(label_key(key, value));
    if (it == by_label_.end()) return nullptr;
    if (it->second.size() < smallest->size()) smallest = &it->second;
  }
  return smallest;
}

const std::vector<Fleet::Number>* Fleet::with_package(const std::string& digest) const {
  const auto it = by_package_.find(digest);
  return it == by_package_.end() ? nullptr : &it->second;
}

}  // namespace fieldwork::scheduler
