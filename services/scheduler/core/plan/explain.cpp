// Which devices fit, and why others do not, for people to read.
#include <algorithm>

#include "scheduler/core/fleet/measures.hpp"
#include "scheduler/core/plan/placement.hpp"
#include "scheduler/limits.hpp"

namespace fieldwork::scheduler {
namespace {

bool better(const Candidate& a, const Candidate& b) {
  return a.score != b.score ? a.score > b.score : a.device < b.device;
}

// How far a device is from fitting: devices that lack only some room come first, devices of another kind last.
int distance(const Filtered& filtered) {
  const auto& what = filtered.requirement;
  if (what == "requirements/sandbox_min") return 4;
  if (what == "attempts" || what == "pressure" || what == "held" || what == "placement/apart_from" || is_measured(what))
    return 1;
  if (what.starts_with("requirements/")) return 0;
  if (what == "replicas") return 2;
  return what == "presence" || what == "lifecycle" || what == "placeable" ? 3 : 4;
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
    const auto& view = fleet_.view(number);
    Candidate candidate{rate(want_, fleet_, number, view.used, limits_), view.device.id};
    auto& best = out_.candidates;
    best.insert(std::upper_bound(best.begin(), best.end(), candidate, better), std::move(candidate));
    if (best.size() > limits_.explained_max) best.pop_back();
  }

  void walk() {
    for (const auto& [id, number] : fleet_.all()) visit(number);
  }

  // Visits the devices that are best for little wants first, and those that ran the package.
  void use_indexes() {
    const auto* ready = fleet_.ready(want_.spec.requirements.labels);
    if (ready == nullptr) return;
    std::size_t visited = 0;
    Order::Walk walking(*ready, want_.spec.requirements.cpu_millis);
    for (; !walking.over(); walking.next(), ++visited) {
      if (out_.candidates_total >= limits_.examined_max || visited == visited_max) break;
      visit(walking.number());
    }
    if (out_.candidates_total == 0 && !walking.over()) return walk();
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

Placement describe(const Want& want, const Fleet& fleet, const Limits& limits) {
  return Search(want, fleet, limits, false).run();
}

Placement explain(const Want& want, const Fleet& fleet, const Limits& limits) {
  return Search(want, fleet, limits, true).run();
}

}  // namespace fieldwork::scheduler
