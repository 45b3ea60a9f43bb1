// What a scheduler without indexes would do at least, beside which placement is measured.
#pragma once

#include "scheduler/core/fleet/fleet.hpp"

namespace fieldwork::bench {

// The device with the least free processor that is enough: a walk over one number of each, no label, no reason kept.
[[nodiscard]] inline const scheduler::DeviceView* walk(const scheduler::Fleet& devices) {
  const scheduler::DeviceView* best = nullptr;
  for (scheduler::Fleet::Number i = 0; i < devices.size(); ++i) {
    const auto& view = devices.view(i);
    if (view.device.about.capacity.cpu_millis - view.used.cpu_millis < 1000) continue;
    if (best == nullptr || view.used.cpu_millis > best->used.cpu_millis) best = &view;
  }
  return best;
}

}  // namespace fieldwork::bench
