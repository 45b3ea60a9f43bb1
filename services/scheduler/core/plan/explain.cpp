// Which devices fit, and why others do not, for people to read.
#include <algorithm>
#include <tuple>

#include "base/text.hpp"
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

// A device that does not fit: the first thing that it misses, with the others behind it.
struct Near {
  int distance = 0;
  std::size_t missing = 0;
  Filtered what;
};
Near near(std::vector<Filtered> missing) {
  Near out{0, missing.size(), {}};
  for (const auto& one : missing) out.distance = std::max(out.distance, distance(one));
  out.what = std::move(missing.front());
  for (std::size_t i = 1; i < missing.size() && i < misses_named_max; ++i)
    out.what.reason += "; also " + missing[i].requirement + " " + missing[i].reason;
  out.what.reason = clamp_text(out.what.reason, filtered_reason_bytes_max);
  if (missing.size() > misses_named_max)
    out.what.reason += "; and " + std::to_string(missing.size() - misses_named_max) + " more";
  return out;
}

class Search {
 public:
  Search(const Want& want, const Fleet& fleet, const Limits& limits, bool all)
      : want_(want), fleet_(fleet), limits_(limits), all_(all) {}

  void visit(Fleet::Number number) {
    if (!seen_.insert(number).second) return;
    // Of most devices nobody asks for the reason.
    if (!all_ && near_.size() >= limits_.explained_max && !matches(want_, fleet_.view(number).device)) {
      ++out_.filtered_total;
      return;
    }
    const auto& view = fleet_.view(number);
    if (!fits(want_, fleet_, number, view.used, limits_)) {
      ++out_.filtered_total;
      if (!all_ && near_.size() >= limits_.explained_max) return;
      auto missing = scheduler::missing(want_, fleet_, number, limits_);
      if (all_) {
        for (const auto& one : missing) ++out_.reasons[one.requirement];
      }
      near_.push_back(near(std::move(missing)));
      return;
    }
    ++out_.candidates_total;
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
    Order::Walk walking(*ready, least_cpu(want_));
    for (; !walking.over(); walking.next(), ++visited) {
      if (out_.candidates_total >= limits_.examined_max || visited == visited_max) break;
      visit(walking.number());
    }
    if (out_.candidates_total == 0 && !walking.over()) return walk();
    each_with_package(want_, fleet_, [&](Fleet::Number number) { visit(number); });
  }

  Placement finish() {
    const auto rank = [](const Near& one) { return std::tie(one.distance, one.missing, one.what.device); };
    std::sort(near_.begin(), near_.end(), [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
    if (near_.size() > limits_.explained_max) near_.resize(limits_.explained_max);
    for (auto& one : near_) out_.filtered.push_back(std::move(one.what));
    if (!out_.candidates.empty()) out_.chosen = out_.candidates.front().device;
    return std::move(out_);
  }

  Placement run() {
    if (!want_.target.empty()) {
      if (const auto number = fleet_.number_of(want_.target)) {
        visit(*number);
      } else {
        near_.push_back({4, 1, {want_.target, "targets", "is not known"}});
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
  std::vector<Near> near_;
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
