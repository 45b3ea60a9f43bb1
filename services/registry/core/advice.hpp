// The words of a health report: why a component is what it is, and what to do about it.
#pragma once

#include "registry/core/health.hpp"

namespace fieldwork::registry {

// Of a component whose value is below 1.
[[nodiscard]] std::string reason(Component component, const Device& device, const Signs& signs);
// What to do about a resource that is under pressure, or near its end.
[[nodiscard]] Recommendation relief(const Device& device, Resource resource);
// `values` are those of components(). A device that is not heard first, then resources under pressure, then components
// below advise_below, the worst first.
[[nodiscard]] std::vector<Recommendation> recommendations(const Device& device, const Signs& signs,
                                                          const Values& values, const Values& weights);
inline constexpr double advise_below = 0.9;  // value ^ weight

}  // namespace fieldwork::registry
