// How rows and logs name an attempt.
#pragma once

#include <string>

#include "model/job.hpp"

namespace fieldwork {

// "JOB:EXECUTION:FENCE".
[[nodiscard]] inline std::string key_text(const AttemptKey& key) {
  return key.job.value + ":" + std::to_string(key.execution) + ":" + std::to_string(key.fence);
}

}  // namespace fieldwork
