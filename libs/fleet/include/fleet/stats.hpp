// Counts devices by an attribute, and says how a number is distributed over them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "fleet/attribute.hpp"
#include "fleet/limits.hpp"

namespace fieldwork::fleet {

// Percentiles by the nearest rank: the smallest value that at least so many percent of the values do not exceed.
struct Distribution {
  std::int64_t count = 0;  // of devices that have the number
  double min = 0, p50 = 0, p90 = 0, p99 = 0, max = 0, mean = 0;
  bool operator==(const Distribution&) const = default;
};

struct Group {
  std::string value;  // of `by`; empty: absent
  std::int64_t devices = 0;
  Distribution distribution;  // of `of`, where it was asked for
  bool operator==(const Group&) const = default;
};

// The groups, the largest first, then by value; at most groups_max, the others summed up in one whose value is `…`. A
// device with several values of `by` counts in each. Invalid: `of` is not a number.
[[nodiscard]] Result<std::vector<Group>> stats(const std::vector<const Device*>& devices,
                                               const std::optional<Attribute>& by, const std::optional<Attribute>& of);

}  // namespace fieldwork::fleet
