#include "scheduler/core/placement.hpp"

#include <algorithm>
#include <array>

namespace fieldwork::scheduler {
namespace {

struct Amount {
  const char* requirement;
  std::int64_t need, used, capacity;
};

std::array<Amount, 3> amounts(const JobSpec& job, const DeviceView& view) {
  const auto& need = job.requirements;
  const auto& has = view.device.capacity;
  return {{{"requirements/cpu_millis", need.cpu_millis, view.cpu_millis_used, has.cpu_millis},
           {"requirements/memory_bytes", need.memory_bytes, view.memory_bytes_used, has.memory_bytes},
           {"requirements/disk_bytes", need.disk_bytes, view.disk_bytes_used, has.disk_bytes}}};
}

bool ran_here(const DeviceView& view, const std::string& package) {
  return std::find(view.packages.begin(), view.packages.end(), package) != view.packages.end();
}

Candidate rate(const JobSpec& job, const DeviceView& view, const Limits& limits) {
  Candidate out{.device = view.device.id};
  int asked = 0;
  for (const auto& amount : amounts(job, view)) {
    if (amount.need == 0 || amount.capacity == 0) continue;
    ++asked;
    out.fit += static_cast<double>(amount.used + amount.need) / static_cast<double>(amount.capacity);
  }
  out.fit = asked == 0 ? 0.5 : out.fit / asked;
  out.health = view.device.health;
  out.link = 1.0 / (1.0 + view.device.link.round_trip_ms / 100.0);
  out.locality = job.package.empty() || ran_here(view, job.package) ? 1.0 : 0.0;
  out.spread = 1.0 - static_cast<double>(view.attempts) / limits.attempts_per_device_max;
  out.score = 0.35 * out.fit + 0.25 * out.health + 0.15 * out.link + 0.15 * out.locality + 0.10 * out.spread;
  return out;
}

bool better(const Candidate& a, const Candidate& b) {
  return a.score != b.score ? a.score > b.score : a.device < b.device;
}

}  // namespace

std::optional<Filtered> unfit(const JobSpec& job, const DeviceView& view, const Limits& limits) {
  const auto& device = view.device;
  if (device.state != DeviceState::ready) {
    return Filtered{device.id, "state", "is " + std::string(name(device.state))};
  }
  for (const auto* labels : {&job.requirements.labels, job.targets ? &*job.targets : nullptr}) {
    if (labels == nullptr) continue;
    for (const auto& [key, value] : *labels) {
      const auto it = device.labels.find(key);
      if (it == device.labels.end()) return Filtered{device.id, "labels/" + key, "has no such label, wanted " + value};
      if (it->second != value) return Filtered{device.id, "labels/" + key, "is " + it->second + ", wanted " + value};
    }
  }
  for (const auto& amount : amounts(job, view)) {
    if (amount.used + amount.need > amount.capacity) {
      return Filtered{device.id, amount.requirement,
                      "has " + std::to_string(amount.capacity - amount.used) + " free of " +
                          std::to_string(amount.capacity) + ", wanted " + std::to_string(amount.need)};
    }
  }
  if (view.attempts >= limits.attempts_per_device_max) {
    return Filtered{device.id, "attempts", "runs " + std::to_string(view.attempts) + " already"};
  }
  return std::nullopt;
}

Placement place(const JobSpec& job, const DeviceId& target, const DeviceId& avoid, const std::set<DeviceId>& taken,
                const Devices& devices, const Limits& limits) {
  Placement out;
  const auto consider = [&](const DeviceView& view) {
    auto reason = unfit(job, view, limits);
    if (!reason && taken.contains(view.device.id))
      reason = Filtered{view.device.id, "replicas", "has another replica of this job"};
    if (reason) {
      ++out.filtered_total;
      if (out.filtered.size() < limits.explained_max) out.filtered.push_back(std::move(*reason));
      return;
    }
    ++out.candidates_total;
    auto candidate = rate(job, view, limits);
    if (view.device.id == avoid) candidate.score *= 0.01;  // it failed there: only if nobody else can
    auto& best = out.candidates;
    best.insert(std::upper_bound(best.begin(), best.end(), candidate, better), candidate);
    if (best.size() > limits.explained_max) best.pop_back();
  };
  if (!target.empty()) {
    if (const auto it = devices.find(target); it != devices.end()) {
      consider(it->second);
    } else {
      out.filtered.push_back({target, "targets", "is not known"});
      out.filtered_total = 1;
    }
  } else {
    for (const auto& [id, view] : devices) consider(view);
  }
  std::sort(out.filtered.begin(), out.filtered.end(), [](const auto& a, const auto& b) { return a.device < b.device; });
  if (!out.candidates.empty()) out.chosen = out.candidates.front().device;
  return out;
}

}  // namespace fieldwork::scheduler
