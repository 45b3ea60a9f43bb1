#include "scheduler/core/placement.hpp"
#include "model/health.hpp"
#include "scheduler/limits.hpp"

#include <algorithm>

namespace fieldwork::scheduler {
namespace {

constexpr double unknown_round_trip_ms = 100;

struct Amount {
  const char* requirement;
  std::int64_t need, used, capacity;
};

std::array<Amount, 3> amounts(const JobSpec& job, const DeviceView& view) {
  const auto& need = job.requirements;
  const auto& has = view.device.about.capacity;
  return {{{"requirements/cpu_millis", need.cpu_millis, view.cpu_millis_used, has.cpu_millis},
           {"requirements/memory_bytes", need.memory_bytes, view.memory_bytes_used, has.memory_bytes},
           {"requirements/storage_bytes", need.storage_bytes, view.storage_bytes_used, has.storage_bytes}}};
}

bool ran_here(const DeviceView& view, const std::string& package) {
  return std::find(view.packages.begin(), view.packages.end(), package) != view.packages.end();
}

// The resource under pressure that keeps this work away; empty: none. A busy network keeps away what has to be fetched.
std::string pressed(const Want& want, const DeviceView& view) {
  for (const auto& resource : view.device.pressure) {
    const bool fetches = !want.spec.package.empty() && !ran_here(view, want.spec.package);
    if (resource != name(Resource::network) || fetches) return resource;
  }
  return "";
}

Candidate rate(const Want& want, const DeviceView& view, const Limits& limits) {
  Candidate out{.device = view.device.id};
  int asked = 0;
  double fit = 0;
  for (const auto& amount : amounts(want.spec, view)) {
    if (amount.need == 0 || amount.capacity == 0) continue;
    ++asked;
    fit += static_cast<double>(amount.used + amount.need) / static_cast<double>(amount.capacity);
  }
  out.fit = 0.35 * (asked == 0 ? 0.5 : fit / asked);
  out.health = 0.25 * view.device.health;
  out.link = 0.15 / (1.0 + view.device.link.round_trip_ms.value_or(unknown_round_trip_ms) / 100.0);
  out.locality = want.spec.package.empty() || ran_here(view, want.spec.package) ? 0.15 : 0.0;
  out.spread = 0.10 * (1.0 - static_cast<double>(view.attempts) / limits.attempts_per_device_max);
  out.history = want.avoid.contains(view.device.id) ? -1.0 : 0.0;
  out.score = out.fit + out.health + out.link + out.locality + out.spread + out.history;
  return out;
}

bool better(const Candidate& a, const Candidate& b) {
  return a.score != b.score ? a.score > b.score : a.device < b.device;
}

// How far a device is from fitting: devices that lack only some room come first, devices of another kind last.
int distance(const Filtered& filtered) {
  if (filtered.requirement.starts_with("requirements/")) return 0;
  if (filtered.requirement == "attempts" || filtered.requirement == "pressure" || filtered.requirement == "held")
    return 1;
  if (filtered.requirement == "replicas") return 2;
  if (filtered.requirement == "presence" || filtered.requirement == "lifecycle" || filtered.requirement == "placeable")
    return 3;
  return 4;
}

// Which terms would have to be otherwise.
std::string missed(const fleet::Expression& where, const Device& device) {
  std::string out;
  const auto misses = fleet::misses(where, device);
  for (std::size_t i = 0; i < std::min(misses.size(), misses_named_max); ++i)
    out += (out.empty() ? "" : "; ") + misses[i].reason;
  return misses.size() > misses_named_max ? out + "; …" : out;
}

const Labels* labels_of(const JobSpec& spec, bool targets) {
  if (targets) return spec.targets ? &spec.targets->labels : nullptr;
  return &spec.requirements.labels;
}

class Search {
 public:
  Search(const Want& want, const Fleet& fleet, const Limits& limits, bool all)
      : want_(want), fleet_(fleet), limits_(limits), all_(all) {}

  void visit(Fleet::Number number) {
    if (!seen_.insert(number).second) return;
    // Of most devices nobody asks for the reason.
    if (!all_ && out_.filtered.size() >= limits_.explained_max && !matches(want_, fleet_.view(number).device)) {
      ++out_.filtered_total;
      return;
    }
    auto reason = unfit(want_, fleet_, number, limits_);
    if (reason) {
      ++out_.filtered_total;
      if (all_) ++out_.reasons[reason->requirement];
      if (all_ || out_.filtered.size() < limits_.explained_max) out_.filtered.push_back(std::move(*reason));
      return;
    }
    ++out_.candidates_total;
    auto candidate = rate(want_, fleet_.view(number), limits_);
    auto& best = out_.candidates;
    best.insert(std::upper_bound(best.begin(), best.end(), candidate, better), std::move(candidate));
    if (best.size() > limits_.explained_max) best.pop_back();
  }

  void walk() {
    for (const auto& [id, number] : fleet_.all()) visit(number);
  }

  // Visits the devices that fit tightest first, then those with the fewest attempts and those that ran the package.
  void use_indexes() {
    const auto* room = fleet_.by_room(want_.spec.requirements.labels);
    if (room == nullptr) return;
    std::size_t visited = 0;
    bool exhausted = true;
    for (auto it = room->lower_bound({want_.spec.requirements.cpu_millis, 0}); it != room->end(); ++it) {
      if (out_.candidates_total >= limits_.examined_max || visited == visited_max) {
        exhausted = false;
        break;
      }
      visit(it->second);
      ++visited;
    }
    if (out_.candidates_total == 0 && !exhausted) return walk();
    if (room->size() == fleet_.by_attempts().size()) {
      std::size_t taken = 0;
      for (auto it = fleet_.by_attempts().begin(); it != fleet_.by_attempts().end() && taken < others_max;
           ++it, ++taken)
        visit(it->second);
    }
    if (const auto* there = fleet_.with_package(want_.spec.package)) {
      for (std::size_t i = 0; i < there->size() && i < others_max; ++i) visit((*there)[i]);
    }
  }

  Placement finish() {
    std::sort(out_.filtered.begin(), out_.filtered.end(), [](const auto& a, const auto& b) {
      const auto da = distance(a), db = distance(b);
      return da != db ? da < db : a.device < b.device;
    });
    if (out_.filtered.size() > limits_.explained_max) out_.filtered.resize(limits_.explained_max);
    if (!out_.candidates.empty()) out_.chosen = out_.candidates.front().device;
    return std::move(out_);
  }

  Placement run() {
    if (!want_.target.empty()) {
      if (const auto number = fleet_.number_of(want_.target)) {
        visit(*number);
      } else {
        out_.filtered.push_back({want_.target, "targets", "is not known"});
        out_.filtered_total = 1;
        if (all_) ++out_.reasons["targets"];
      }
    } else if (all_ || fleet_.size() <= walk_max) {
      walk();
    } else {
      use_indexes();
    }
    return finish();
  }

 private:
  const Want& want_;
  const Fleet& fleet_;
  const Limits& limits_;
  bool all_;
  std::set<Fleet::Number> seen_;
  Placement out_;
};

}  // namespace

Want want_of(const Job& job, const Execution& execution, Time now) {
  return {.spec = *job.spec,
          .target = execution.target,
          .avoid = execution.avoid,
          .excluded = execution.excluded,
          .taken = job.taken,
          .self = {job.id, execution.index},
          .now = now,
          .where = job.where ? &*job.where : nullptr};
}

bool matches(const Want& want, const Device& device) {
  return want.where == nullptr || fleet::matches(*want.where, device);
}

bool could_ever(const Want& want, const DeviceView& view) {
  if (barred(view.device.lifecycle) || want.excluded.contains(view.device.id)) return false;
  if (!want.target.empty() && want.target != view.device.id) return false;
  for (const bool targets : {false, true}) {
    const auto* labels = labels_of(want.spec, targets);
    if (labels == nullptr) continue;
    for (const auto& [key, value] : *labels) {
      const auto it = view.device.labels.find(key);
      if (it == view.device.labels.end() || it->second != value) return false;
    }
  }
  for (const auto& amount : amounts(want.spec, view)) {
    if (amount.need > amount.capacity) return false;
  }
  return true;
}

std::optional<Filtered> unfit(const Want& want, const Fleet& fleet, Fleet::Number number, const Limits& limits) {
  const auto& view = fleet.view(number);
  const auto& device = view.device;
  if (device.lifecycle != Lifecycle::active)
    return Filtered{device.id, "lifecycle", "is " + std::string(name(device.lifecycle))};
  if (device.presence != Presence::online)
    return Filtered{device.id, "presence", "is " + std::string(name(device.presence))};
  for (const bool targets : {false, true}) {
    const auto* labels = labels_of(want.spec, targets);
    if (labels == nullptr) continue;
    for (const auto& [key, value] : *labels) {
      const auto it = device.labels.find(key);
      if (it == device.labels.end()) return Filtered{device.id, "labels/" + key, "has no such label, wanted " + value};
      if (it->second != value) return Filtered{device.id, "labels/" + key, "is " + it->second + ", wanted " + value};
    }
  }
  if (!matches(want, device)) return Filtered{device.id, "expression", missed(*want.where, device)};
  if (const auto it = want.excluded.find(device.id); it != want.excluded.end()) {
    return Filtered{device.id, it->second.by_policy ? "policy" : "refused", it->second.reason};
  }
  if (view.unplaceable_until > want.now) {
    return Filtered{device.id, "placeable", view.unplaceable_reason};
  }
  for (const auto& amount : amounts(want.spec, view)) {
    if (amount.need > 0 && amount.used + amount.need > amount.capacity) {
      return Filtered{device.id, amount.requirement,
                      "has " + std::to_string(amount.capacity - amount.used) + " free of " +
                          std::to_string(amount.capacity) + ", wanted " + std::to_string(amount.need)};
    }
  }
  const auto most = std::min(limits.attempts_per_device_max,
                             device.configuration.attempts_max.value_or(limits.attempts_per_device_max));
  if (view.attempts >= most) {
    return Filtered{device.id, "attempts", "runs " + std::to_string(view.attempts) + " already"};
  }
  if (const auto resource = pressed(want, view); !resource.empty())
    return Filtered{device.id, "pressure", "its use of " + resource + " is over the threshold"};
  if (const auto& hold = fleet.hold(number); hold && *hold != want.self) {
    return Filtered{device.id, "held", "is kept free for " + hold->job.value + ", which waits longer"};
  }
  if (want.target.empty() && want.taken.contains(device.id)) {
    return Filtered{device.id, "replicas", "has another replica of this job"};
  }
  return std::nullopt;
}

Placement place(const Want& want, const Fleet& fleet, const Limits& limits) {
  return Search(want, fleet, limits, false).run();
}

Placement explain(const Want& want, const Fleet& fleet, const Limits& limits) {
  return Search(want, fleet, limits, true).run();
}

}  // namespace fieldwork::scheduler
