// Rows <-> the core's state.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "base/result.hpp"
#include "scheduler/core/scheduler.hpp"
#include "store/store.hpp"

namespace fieldwork::scheduler {

[[nodiscard]] std::string job_row(const Job& job);
[[nodiscard]] std::string attempt_row(const Attempt& attempt);
[[nodiscard]] std::string stream_row(const DeviceId& device, const Stream& stream);

[[nodiscard]] nlohmann::json encode(const Placement& placement);

// All live jobs and the newest finished ones.
[[nodiscard]] Result<Saved> load(store::Store& store, const Limits& limits);

// Jobs by their rows and all their attempts' rows.
[[nodiscard]] Result<std::vector<Job>> assemble(const std::vector<std::string>& job_rows,
                                                const std::vector<std::string>& attempt_rows);

}  // namespace fieldwork::scheduler
