#include "scheduler/core/plan/placement.hpp"
#include "model/health.hpp"
#include "scheduler/core/fleet/measures.hpp"
#include "scheduler/limits.hpp"

#include <algorithm>
#include <cstdlib>

namespace fieldwork::scheduler {
namespace {

struct Amount {
  const char* requirement;
  std::int64_t need, used, capacity;
};

std::array<Amount, 3> amounts(const JobSpec& job, const DeviceView& view, const Use& used) {
  const auto& need = job.requirements;
  const auto& has = view.device.about.capacity;
  return {{{"requirements/cpu_millis", need.cpu_millis, used.cpu_millis, has.cpu_millis},
           {"requirements/memory_bytes", need.memory_bytes, used.memory_bytes, has.memory_bytes},
           {"requirements/storage_bytes", need.storage_bytes, used.storage_bytes, has.storage_bytes}}};
}

bool ran_here(const DeviceView& view, const std::string& package) {
  return std::find(view.packages.begin(), view.packages.end(), package) != view.packages.end();
}

// The resource under pressure that keeps this work away; empty: none. A busy network keeps away what has to be fetched.
std::string_view pressed(const Want& want, const DeviceView& view) {
  for (const auto& resource : view.device.pressure) {
    const bool fetches = !want.spec.package.empty() && !ran_here(view, want.spec.package);
    if (resource != name(Resource::network) || fetches) return resource;
  }
  return "";
}

int attempts_max(const Device& device, const Limits& limits) {
  return std::min(limits.attempts_per_device_max,
                  device.configuration.attempts_max.value_or(limits.attempts_per_device_max));
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

// Calls say(requirement, text, key) for the first thing that is missing, where text() is a sentence about it, and a key
// belongs to the requirement. True: nothing is missing.
template <class Say>
bool check(const Want& want, const Fleet& fleet, Fleet::Number number, const Use& used, const Limits& limits, Say say) {
  const auto& view = fleet.view(number);
  const auto& device = view.device;
  const auto is = [](std::string_view what) { return [what] { return "is " + std::string(what); }; };
  if (device.lifecycle != Lifecycle::active) return say("lifecycle", is(name(device.lifecycle)));
  if (device.presence != Presence::online) return say("presence", is(name(device.presence)));
  for (const bool targets : {false, true}) {
    const auto* labels = labels_of(want.spec, targets);
    if (labels == nullptr) continue;
    for (const auto& label : *labels) {
      const auto it = device.labels.find(label.first);
      if (it != device.labels.end() && it->second == label.second) continue;
      const auto text = [&] {
        return (it == device.labels.end() ? "has no such label" : "is " + it->second) + ", wanted " + label.second;
      };
      return say("labels/", text, label.first);
    }
  }
  if (want.value != nullptr) {
    const auto it = device.labels.find(want.spec.placement.spread_by);
    if (it == device.labels.end() || it->second != *want.value)
      return say("placement/spread_by", [&] { return "is not at " + *want.value; });
  }
  if (const auto& rung = want.spec.requirements.sandbox_min; !rung.empty()) {
    const auto& has = device.about.sandbox;
    if (std::find(has.begin(), has.end(), rung) == has.end())
      return say("requirements/sandbox_min", [&] { return "its sandbox has no " + rung; });
  }
  if (const auto measures = measures_of(device); want.measured && !meets(want.spec.requirements, measures)) {
    const auto why = unmet(want.spec.requirements, measures);
    return say(why.requirement, [&] { return why.reason; });
  }
  if (want.measured && !matches(want, device)) return say("expression", [&] { return missed(*want.where, device); });
  if (const auto it = want.excluded.find(device.id); it != want.excluded.end())
    return say(it->second.by_policy ? "policy" : "refused", [&] { return it->second.reason; });
  if (view.unplaceable_until > want.now) return say("placeable", [&] { return view.unplaceable_reason; });
  for (const auto& amount : amounts(want.spec, view, used)) {
    if (amount.need == 0 || amount.used + amount.need <= amount.capacity) continue;
    return say(amount.requirement, [&] {
      return "has " + std::to_string(amount.capacity - amount.used) + " free of " + std::to_string(amount.capacity) +
             ", wanted " + std::to_string(amount.need);
    });
  }
  if (used.attempts >= attempts_max(device, limits))
    return say("attempts", [&] { return "runs " + std::to_string(used.attempts) + " already"; });
  if (const auto resource = pressed(want, view); want.measured && !resource.empty())
    return say("pressure", [&] { return "its use of " + std::string(resource) + " is over the threshold"; });
  if (const auto& hold = fleet.hold(number); hold && hold->lane != want.lane)
    return say("held", [&] { return "is kept free for " + hold->job.value + ", which waits longer"; });
  for (const auto& name : want.spec.placement.apart_from) {
    if (fleet.has_job(number, name)) return say("placement/apart_from", [&] { return "runs job " + name; });
  }
  if (want.target.empty() && want.taken.contains(device.id))
    return say("replicas", [] { return "has another replica of this job"; });
  return true;
}

}  // namespace

std::optional<fleet::Expression> expression_of(const std::string& text) {
  if (text.empty()) return std::nullopt;
  auto parsed = fleet::Expression::parse(text);
  return parsed ? std::optional(std::move(*parsed)) : std::nullopt;
}

void read_expressions(Job& job) {
  job.where = expression_of(job.spec->requirements.expression);
  if (is_continuous(*job.spec)) job.chooses = expression_of(job.spec->targets->expression);
  for (const auto& one : job.spec->placement.affinity) job.affinity.push_back(expression_of(one.expression));
}

bool matches(const Want& want, const Device& device) {
  return want.where == nullptr || fleet::matches(*want.where, device);
}

Want want_of(const Job& job, const Execution& execution, Time now) {
  return {.spec = *job.spec,
          .target = execution.target,
          .avoid = execution.avoid,
          .excluded = execution.excluded,
          .taken = job.taken,
          .lane = execution.is<Queued>() ? std::get<Queued>(execution.phase).lane : 0,
          .now = now,
          .where = job.where ? &*job.where : nullptr,
          .affinity = &job.affinity};
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
  for (const auto& amount : amounts(want.spec, view, view.used)) {
    if (amount.need > amount.capacity) return false;
  }
  const auto& has = view.device.about.sandbox;
  const auto& rung = want.spec.requirements.sandbox_min;
  if (!rung.empty() && std::find(has.begin(), has.end(), rung) == has.end()) return false;
  return true;
}

namespace {

// -1 to 1.
double affinity_of(const Want& want, const Fleet& fleet, Fleet::Number number) {
  int met = 0, all = 0;
  const auto& wishes = want.spec.placement.affinity;
  for (std::size_t i = 0; i < wishes.size(); ++i) {
    const auto& where = (*want.affinity)[i];
    const bool is = where ? fleet::matches(*where, fleet.view(number).device) : fleet.has_job(number, wishes[i].job);
    met += is ? wishes[i].weight : 0;
    all += std::abs(wishes[i].weight);
  }
  return all == 0 ? 0 : static_cast<double>(met) / all;
}

}  // namespace

Score rate(const Want& want, const Fleet& fleet, Fleet::Number number, const Use& used, const Limits& limits) {
  const auto& view = fleet.view(number);
  Score out;
  int asked = 0;
  double fit = 0;
  for (const auto& amount : amounts(want.spec, view, used)) {
    if (amount.need == 0 || amount.capacity == 0) continue;
    ++asked;
    fit += static_cast<double>(amount.used + amount.need) / static_cast<double>(amount.capacity);
  }
  const auto& weights = limits.weights;
  const auto full = asked == 0 ? 0.5 : fit / asked;
  out.fit = weights.fit * (want.spec.placement.spread ? 1 - full : full);
  const auto merit = merit_of(view.device, used.attempts, weights, limits.attempts_per_device_max);
  out.health = merit.health;
  out.link = merit.link;
  out.spread = merit.spread;
  out.locality = want.spec.package.empty() || ran_here(view, want.spec.package) ? weights.locality : 0.0;
  out.affinity = weights.affinity * affinity_of(want, fleet, number);
  out.history = want.avoid.contains(view.device.id) ? -1.0 : 0.0;
  out.score = out.fit + out.health + out.link + out.locality + out.spread + out.affinity + out.history;
  return out;
}

bool has_room(const JobSpec& spec, const DeviceView& view, const Use& used, const Limits& limits) {
  for (const auto& amount : amounts(spec, view, used)) {
    if (amount.need > 0 && amount.used + amount.need > amount.capacity) return false;
  }
  return used.attempts < attempts_max(view.device, limits);
}

bool fits(const Want& want, const Fleet& fleet, Fleet::Number number, const Use& used, const Limits& limits) {
  return check(want, fleet, number, used, limits,
               [](std::string_view, auto&&, std::string_view = {}) { return false; });
}

std::optional<Filtered> unfit(const Want& want, const Fleet& fleet, Fleet::Number number, const Use& used,
                              const Limits& limits) {
  const auto& view = fleet.view(number);
  std::optional<Filtered> out;
  check(want, fleet, number, used, limits, [&](std::string_view requirement, auto&& text, std::string_view key = {}) {
    out = Filtered{view.device.id, std::string(requirement).append(key), text()};
    return false;
  });
  return out;
}

}  // namespace fieldwork::scheduler
