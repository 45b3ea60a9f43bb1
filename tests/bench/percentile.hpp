#pragma once

#include <algorithm>
#include <vector>

namespace fieldwork::bench {

// `p`: 0 to 1; 0.5 is the median. 0 where there are no values.
[[nodiscard]] inline double percentile(std::vector<double> values, double p) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[std::min(values.size() - 1, static_cast<std::size_t>(p * static_cast<double>(values.size())))];
}

}  // namespace fieldwork::bench
