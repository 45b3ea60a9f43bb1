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
  std::int64_t of_package;  // what of it the package needs
};

std::array<Amount, 3> amounts(const Want& want, const DeviceView& view, const Use& used) {
  const auto& need = want.spec.requirements;
  const auto& has = view.device.about.capacity;
  auto cpu = need.cpu_millis, memory = need.memory_bytes;
  if (want.estimated != nullptr) {
    if (want.estimated->cpu_millis > 0) cpu = std::min(cpu, has.cpu_millis);
    if (want.estimated->memory_bytes > 0) memory = std::min(memory, has.memory_bytes);
  }
  const auto of = want.content != nullptr ? want.content->needs_most : Capacity{};
  return {
      {{"requirements/cpu_millis", cpu, used.cpu_millis, has.cpu_millis, of.cpu_millis},
       {"requirements/memory_bytes", memory, used.memory_bytes, has.memory_bytes, of.memory_bytes},
       {"requirements/storage_bytes", need.storage_bytes, used.storage_bytes, has.storage_bytes, of.storage_bytes}}};
}

// As people know it.
std::string name_of(const Content& content) {
  return content.names.empty() ? "the package" : content.names.front().name + "@" + content.names.front().version;
}

// Why no variant is for the device.
std::string no_variant(const Want& want, const Fleet& fleet, const Device& device) {
  std::string there;
  for (const auto& variant : want.content->variants)
    there += (there.empty() ? "" : ", ") + fleet.content(variant.digest)->architecture;
  const auto& is = device.about.architecture;
  return name_of(*want.content) + " is there for " + there +
         (is.empty() ? ", and what this device is it does not say" : ", and this device is " + is);
}

bool ran_here(const DeviceView& view, const std::string& package) {
  return std::find(view.packages.begin(), view.packages.end(), package) != view.packages.end();
}

bool fetches(const Want& want, const Fleet& fleet, Fleet::Number number) {
  const auto* package = package_on(want, fleet, number);
  return package != nullptr && !package->empty() && !ran_here(fleet.view(number), *package);
}

// Whether its package or its files would use a connection that it does not allow.
bool is_metered(const Want& want, const Fleet& fleet, Fleet::Number number) {
  const auto& spec = want.spec;
  if (spec.metered || !fleet.view(number).device.about.uplink.metered) return false;
  return fetches(want, fleet, number) || !spec.outputs.empty() || spec.limits.log_bytes > 0;
}

// The resource under pressure that keeps this work away; empty: none. A busy network keeps away what has to be fetched.
std::string_view pressed(const Want& want, const Fleet& fleet, Fleet::Number number) {
  const auto& view = fleet.view(number);
  for (const auto& resource : view.device.pressure) {
    if (resource != name(Resource::network) || fetches(want, fleet, number)) return resource;
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

// Each calls say(requirement, text, key) for what is missing, where text() is a sentence about it, and a key belongs to
// the requirement, as long as say() returns true. False: it did not.

// What the device is.
template <class Say>
bool check_kind(const Want& want, const Device& device, Say& say) {
  const auto is = [](std::string_view what) { return [what] { return "is " + std::string(what); }; };
  if (device.lifecycle != Lifecycle::active && !say("lifecycle", is(name(device.lifecycle)))) return false;
  if (device.presence != Presence::online && !say("presence", is(name(device.presence)))) return false;
  for (const bool targets : {false, true}) {
    const auto* labels = labels_of(want.spec, targets);
    if (labels == nullptr) continue;
    for (const auto& label : *labels) {
      const auto it = device.labels.find(label.first);
      if (it != device.labels.end() && it->second == label.second) continue;
      const auto text = [&] {
        return (it == device.labels.end() ? "has no such label" : "is " + it->second) + ", wanted " + label.second;
      };
      if (!say("labels/", text, label.first)) return false;
    }
  }
  if (want.value != nullptr) {
    const auto it = device.labels.find(want.spec.placement.spread_by);
    const bool there = it != device.labels.end() && it->second == *want.value;
    if (!there && !say("placement/spread_by", [&] { return "is not at " + *want.value; })) return false;
  }
  if (const auto& rung = want.spec.requirements.sandbox_min; !rung.empty()) {
    const auto& has = device.about.sandbox;
    if (std::find(has.begin(), has.end(), rung) == has.end() &&
        !say("requirements/sandbox_min", [&] { return "its sandbox has no " + rung; }))
      return false;
  }
  return true;
}

// How it is now.
template <class Say>
bool check(const Want& want, const Fleet& fleet, Fleet::Number number, const Use& used, const Limits& limits, Say say) {
  const auto& view = fleet.view(number);
  const auto& device = view.device;
  if (package_on(want, fleet, number) == nullptr && !say("package", [&] { return no_variant(want, fleet, device); }))
    return false;
  if (!check_kind(want, device, say)) return false;
  if (const auto measures = measures_of(device); want.measured && !meets(want.spec.requirements, measures)) {
    const auto why = unmet(want.spec.requirements, measures);
    if (!say(why.requirement, [&] { return why.reason; })) return false;
  }
  if (want.measured && !matches(want, device) && !say("expression", [&] { return missed(*want.where, device); }))
    return false;
  if (const auto it = want.excluded.find(device.id);
      it != want.excluded.end() && !say(it->second.by_policy ? "policy" : "refused", [&] { return it->second.reason; }))
    return false;
  if (view.unplaceable_until > want.now && !say("placeable", [&] { return view.unplaceable_reason; })) return false;
  for (const auto& amount : amounts(want, view, used)) {
    if (amount.need == 0 || amount.used + amount.need <= amount.capacity) continue;
    if (!say(amount.requirement, [&] {
          return "has " + std::to_string(amount.capacity - amount.used) + " free of " +
                 std::to_string(amount.capacity) + ", wanted " + std::to_string(amount.need) +
                 (amount.need == amount.of_package ? ", which " + name_of(*want.content) + " needs" : "");
        }))
      return false;
  }
  if (used.attempts >= attempts_max(device, limits) &&
      !say("attempts", [&] { return "runs " + std::to_string(used.attempts) + " already"; }))
    return false;
  if (const auto resource = pressed(want, fleet, number);
      want.measured && !resource.empty() &&
      !say("pressure", [&] { return "its use of " + std::string(resource) + " is over the threshold"; }))
    return false;
  const auto& hold = fleet.hold(number);
  if (hold && hold->lane != want.lane &&
      !say("held", [&] { return "is kept free for " + hold->job.value + ", which waits longer"; }))
    return false;
  for (const auto& name : want.spec.placement.apart_from) {
    if (fleet.has_job(number, name) && !say("placement/apart_from", [&] { return "runs job " + name; })) return false;
  }
  // What an attempt that is there needs has come already: claim_of() passes over this, and over what follows.
  if (is_metered(want, fleet, number) && !say("metered", [] { return metered_reason; })) return false;
  if (want.target.empty() && want.taken.contains(device.id) &&
      !say("replicas", [] { return "has another replica of this job"; }))
    return false;
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
          .affinity = &job.affinity,
          .work = job.durations[0],
          .content = job.content,
          .estimated = job.estimated == Demand{} ? nullptr : &job.estimated};
}

const std::string* package_on(const Want& want, const Fleet& fleet, Fleet::Number number) {
  return want.content == nullptr ? &want.spec.package : want.content->for_architecture(fleet.architecture(number));
}

bool could_ever(const Want& want, const Fleet& fleet, Fleet::Number number) {
  const auto& view = fleet.view(number);
  if (package_on(want, fleet, number) == nullptr) return false;
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
  for (const auto& amount : amounts(want, view, view.used)) {
    if (amount.need > amount.capacity) return false;
  }
  if (is_metered(want, fleet, number)) return false;
  const auto& has = view.device.about.sandbox;
  const auto& rung = want.spec.requirements.sandbox_min;
  if (!rung.empty() && std::find(has.begin(), has.end(), rung) == has.end()) return false;
  return true;
}

namespace {

// Of what is wanted. Half of it would spread best: by u + d / 2 the sum of squares of the uses u grows for each part
// of d that it adds to their sum. But the nearer to all of it, the fewer are late where far more comes than fits.
constexpr double spread_counts = 0.75;

// 0 to 1.
double fit_of(const Want& want, const DeviceView& view, const Use& used) {
  int asked = 0;
  double filled = 0, fullest = 0;
  for (const auto& amount : amounts(want, view, used)) {
    if (amount.need == 0 || amount.capacity == 0) continue;
    const auto capacity = static_cast<double>(amount.capacity);
    ++asked;
    filled += static_cast<double>(amount.used + amount.need) / capacity;
    const auto counts = static_cast<double>(amount.used) + spread_counts * static_cast<double>(amount.need);
    fullest = std::max(fullest, counts / capacity);
  }
  if (asked == 0) return 0.5;
  return want.spec.placement.spread ? 1 - fullest : filled / asked;
}

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

struct There {
  double locality = 1;
  std::int64_t fetch_bytes = 0;
};
There data_there(const Want& want, const Fleet& fleet, Fleet::Number number) {
  const auto& view = fleet.view(number);
  const auto* variant = package_on(want, fleet, number);
  const auto& package = variant != nullptr ? *variant : want.spec.package;
  if (package.empty()) return {};
  if (!view.packages.empty() && ran_here(view, package)) return {};
  const bool alone = want.content != nullptr && want.content->variants.size() == 1;
  const auto* content = alone ? want.content : fleet.content(package);
  if (content == nullptr) return {0, 0};
  const auto& versions = fleet.versions_of(*content);
  const bool other = !view.packages.empty() && std::any_of(versions.begin(), versions.end(),
                                                           [&](const auto& one) { return ran_here(view, one); });
  return {other ? 0.5 : 0, content->size_bytes};
}

}  // namespace

Score rate(const Want& want, const Fleet& fleet, Fleet::Number number, const Use& used, const Limits& limits) {
  const auto& view = fleet.view(number);
  Score out;
  const auto& weights = limits.weights;
  out.fit = weights.fit * fit_of(want, view, used);
  const auto merit = merit_of(view.device, used.attempts, weights, limits.attempts_per_device_max);
  out.health = merit.health;
  const auto there = data_there(want, fleet, number);
  out.link = merit.link;
  if (there.fetch_bytes > 0 || asks_of_link(want.spec.requirements))
    out.link *= serves(want.spec.requirements, measures_of(view.device), there.fetch_bytes);
  out.spread = merit.spread;
  out.locality = weights.locality * there.locality;
  out.affinity = weights.affinity * affinity_of(want, fleet, number);
  out.history = want.avoid.contains(view.device.id)
                    ? -weights.last_choice()
                    : 0.0 - weights.history * fleet.failures().failing(want.work, view.device.id);
  out.score = out.fit + out.health + out.link + out.locality + out.spread + out.affinity + out.history;
  return out;
}

bool has_room(const Want& want, const DeviceView& view, const Use& used, const Limits& limits) {
  for (const auto& amount : amounts(want, view, used)) {
    if (amount.need > 0 && amount.used + amount.need > amount.capacity) return false;
  }
  return used.attempts < attempts_max(view.device, limits);
}

bool fits(const Want& want, const Fleet& fleet, Fleet::Number number, const Use& used, const Limits& limits) {
  return check(want, fleet, number, used, limits,
               [](std::string_view, auto&&, std::string_view = {}) { return false; });
}

std::vector<Filtered> missing(const Want& want, const Fleet& fleet, Fleet::Number number, const Limits& limits) {
  const auto& view = fleet.view(number);
  std::vector<Filtered> out;
  check(want, fleet, number, view.used, limits,
        [&](std::string_view requirement, auto&& text, std::string_view key = {}) {
          out.push_back({view.device.id, std::string(requirement).append(key), text()});
          return true;
        });
  return out;
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
