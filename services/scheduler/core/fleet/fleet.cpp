#include "scheduler/core/fleet/fleet.hpp"
#include "scheduler/limits.hpp"

#include <algorithm>

namespace fieldwork::scheduler {
namespace {

constexpr double unknown_round_trip_ms = 100;

}  // namespace

Merit merit_of(const Device& device, int attempts, const Weights& weights, int attempts_per_device_max) {
  return {.health = weights.health * device.health,
          .link = weights.link / (1.0 + device.link.round_trip_ms.value_or(unknown_round_trip_ms) / 100.0),
          .spread = weights.spread * (1.0 - static_cast<double>(attempts) / attempts_per_device_max)};
}

double Fleet::potential(const Device& device, const Use& used) const {
  const auto merit = merit_of(device, used.attempts, weights_, attempts_per_device_max_);
  const auto& has = device.about.capacity;
  const auto fit = (share_of(used.cpu_millis, has.cpu_millis) + share_of(used.memory_bytes, has.memory_bytes)) / 2;
  return weights_.fit * fit + merit.health + merit.link + merit.spread;
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
  entry.listed = place_of(entry.view.device, entry.view.used);
  ready_.insert(*entry.listed, number);
  for (const auto& [key, value] : entry.view.device.labels) by_label_[key][value].insert(*entry.listed, number);
}

void Fleet::unlist(Number number) {
  auto& entry = entries_[number];
  if (!entry.listed) return;
  ready_.erase(*entry.listed, number);
  for (const auto& [key, value] : entry.view.device.labels) {
    const auto label = by_label_.find(key);
    if (label == by_label_.end()) continue;
    const auto it = label->second.find(value);
    if (it == label->second.end()) continue;
    it->second.erase(*entry.listed, number);
    if (it->second.empty()) label->second.erase(it);
    if (label->second.empty()) by_label_.erase(label);
  }
  entry.listed.reset();
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
  const auto sign = in ? 1 : -1;
  total_.cpu_millis += sign * has.cpu_millis;
  total_.memory_bytes += sign * has.memory_bytes;
  total_.storage_bytes += sign * has.storage_bytes;
}

Capacity Fleet::largest() const {
  const auto most = [](const std::multiset<std::int64_t>& all) { return all.empty() ? 0 : *all.rbegin(); };
  return {most(cpu_), most(memory_), most(disk_)};
}

bool Fleet::seen(const Device& device) {
  const auto number = make(device.id);
  auto& view = entries_[number].view;
  const bool came = gets_work(device) && !gets_work(view.device);
  const bool changed = view.device.about.capacity != device.about.capacity || view.device.labels != device.labels ||
                       view.device.about.sandbox != device.about.sandbox ||
                       view.device.about.uplink.metered != device.about.uplink.metered ||
                       view.device.configuration.attempts_max != device.configuration.attempts_max ||
                       view.device.about.architecture != device.about.architecture;
  const bool texts = !entries_[number].counted || view.device.about != device.about ||
                     view.device.labels != device.labels || view.device.groups != device.groups;
  const auto& now = device.pressure;
  const bool relieved = std::any_of(view.device.pressure.begin(), view.device.pressure.end(), [&](const auto& one) {
    return std::find(now.begin(), now.end(), one) == now.end();
  });
  unlist(number);
  count(number, false);
  view.device = device;
  entries_[number].architecture = number_of_architecture(device.about.architecture);
  entries_[number].gone = false;
  count(number, true);
  list(number);
  if (texts) {
    index_.put(view.device);
  } else {
    index_.measured(view.device);
  }
  return came || changed || relieved;
}

void Fleet::gone(const DeviceId& device) {
  const auto it = numbers_.find(device);
  if (it == numbers_.end()) return;
  const auto number = it->second;
  unlist(number);
  count(number, false);
  failures_.forget(device);
  if (entries_[number].view.used.attempts > 0) {  // removed when the room that an open question reserves is given back
    entries_[number].view.device.lifecycle = Lifecycle::retired;
    entries_[number].gone = true;
    return;
  }
  for (const auto& digest : entries_[number].view.packages) {
    if (const auto of = by_package_.find(digest); of != by_package_.end()) std::erase(of->second, number);
  }
  index_.erase(device);
  entries_[number] = Entry{};
  numbers_.erase(it);
  free_.push_back(number);
}

void Fleet::reserve(const DeviceId& device, const Load& load, int sign) {
  const bool counts = load.preemptible && load.of != PriorityClass::high;
  const auto of = static_cast<std::size_t>(load.of);
  if (counts) preemptible_[of] += sign;
  update(device, [&](DeviceView& view) {
    view.used.add(load.need, sign);
    if (counts) view.preemptible[of].add(load.need, sign);
  });
  const auto number = numbers_.at(device);
  if (!load.name.empty()) {
    auto& there = by_job_[load.name];
    if ((there[number] += sign) <= 0) there.erase(number);
    if (there.empty()) by_job_.erase(load.name);
  }
  if (entries_[number].gone && entries_[number].view.used.attempts == 0) gone(device);
}

bool Fleet::may_preempt(PriorityClass of) const {
  int count = 0;
  for (std::size_t below = 0; below < static_cast<std::size_t>(of); ++below) count += preemptible_[below];
  return count > 0;
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

void Fleet::evicted(const DeviceId& device, const std::string& package) {
  const auto number = make(device);
  std::erase(entries_[number].view.packages, package);
  const auto of = by_package_.find(package);
  if (of == by_package_.end()) return;
  std::erase(of->second, number);
  if (of->second.empty()) by_package_.erase(of);
}

const Order* Fleet::ready(const Labels& labels) const {
  const Order* smallest = &ready_;
  for (const auto& [key, value] : labels) {
    const auto* one = with_label(key, value);
    if (one == nullptr) return nullptr;
    if (one->size() < smallest->size()) smallest = one;
  }
  return smallest;
}

const Order* Fleet::ready(const Labels& labels, const std::string& key, const std::string& value) const {
  const auto* rarest = ready(labels);
  const auto* there = with_label(key, value);
  if (rarest == nullptr || there == nullptr) return nullptr;
  return there->size() < rarest->size() ? there : rarest;
}

const Order* Fleet::with_label(const std::string& key, const std::string& value) const {
  const auto* values = values_of(key);
  if (values == nullptr) return nullptr;
  const auto it = values->find(value);
  return it == values->end() ? nullptr : &it->second;
}

const Fleet::ByValue* Fleet::values_of(const std::string& label) const {
  const auto it = by_label_.find(label);
  return it == by_label_.end() ? nullptr : &it->second;
}

const Fleet::Counted* Fleet::with_job(const std::string& name) const {
  const auto it = by_job_.find(name);
  return it == by_job_.end() ? nullptr : &it->second;
}

const std::vector<Fleet::Number>* Fleet::with_package(const std::string& digest) const {
  const auto it = by_package_.find(digest);
  return it == by_package_.end() ? nullptr : &it->second;
}

}  // namespace fieldwork::scheduler
