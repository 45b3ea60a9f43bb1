#include "transfer/core/shares.hpp"

#include <algorithm>

namespace fieldwork::transfer {
namespace {

struct Filling {
  double left;            // of the budget
  double weight = 0;      // of the flows that still grow
  std::size_t flows = 0;  // their number
  [[nodiscard]] double level() const { return flows > 0 ? std::max(left, 0.0) / weight : unlimited; }
};

}  // namespace

std::vector<double> fair_shares(const std::vector<Flow>& flows, const std::vector<double>& budgets) {
  std::vector<double> out(flows.size(), unlimited);
  std::vector<Filling> fillings;
  for (const auto budget : budgets) fillings.push_back({budget});
  std::vector<std::size_t> growing;
  for (std::size_t i = 0; i < flows.size(); ++i) {
    growing.push_back(i);
    for (const auto one : flows[i].of) {
      fillings[one].weight += flows[i].weight;
      ++fillings[one].flows;
    }
  }
  // In each round all flows that want no more than the first used-up budget leaves them get what they want; where there
  // are none, the flows of that budget get their part of it. So there are at most two rounds for each budget.
  while (!growing.empty()) {
    double level = unlimited;
    for (const auto& one : fillings) level = std::min(level, one.level());
    const auto satisfied = [&](std::size_t i) { return flows[i].wants <= level * flows[i].weight; };
    const bool any = std::any_of(growing.begin(), growing.end(), satisfied);
    const auto stays = [&](std::size_t i) {
      if (any || level == unlimited) return satisfied(i) || level == unlimited;
      return std::any_of(flows[i].of.begin(), flows[i].of.end(),
                         [&](std::size_t one) { return fillings[one].level() <= level; });
    };
    const auto last = std::partition(growing.begin(), growing.end(), [&](std::size_t i) { return !stays(i); });
    for (auto it = last; it != growing.end(); ++it)
      out[*it] = std::min(flows[*it].wants, level == unlimited ? unlimited : level * flows[*it].weight);
    for (auto it = last; it != growing.end(); ++it) {
      for (const auto one : flows[*it].of) {
        fillings[one].left -= out[*it];
        fillings[one].weight = std::max(fillings[one].weight - flows[*it].weight, 1e-12);
        --fillings[one].flows;
      }
    }
    growing.erase(last, growing.end());
  }
  return out;
}

double weight_of(PriorityClass priority) {
  return priority == PriorityClass::high ? 4 : priority == PriorityClass::normal ? 2 : 1;
}

}  // namespace fieldwork::transfer
