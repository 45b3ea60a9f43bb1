// How bandwidth is divided: max-min fair, by progressive filling (Bertsekas and Gallager, Data Networks, 6.5.2). The
// rates of all flows grow together, in proportion to their weights, until a flow has what it wants or a budget is used
// up. Those flows stay; the others grow on.
#pragma once

#include <cstddef>
#include <limits>
#include <vector>

#include "model/job.hpp"

namespace fieldwork::transfer {

inline constexpr double unlimited = std::numeric_limits<double>::infinity();

struct Flow {
  double weight = 1;            // above 0
  double wants = unlimited;     // bit/s
  std::vector<std::size_t> of;  // the budgets that it draws on, as places in `budgets`
};

/// The rate of each flow in bit/s; `unlimited` for one that wants all and draws on no budget. `budgets`: bit/s.
[[nodiscard]] std::vector<double> fair_shares(const std::vector<Flow>& flows, const std::vector<double>& budgets);

/// 4, 2, 1 of high, normal, low.
[[nodiscard]] double weight_of(PriorityClass priority);

}  // namespace fieldwork::transfer
