// Rows from the core's state, and back.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "base/result.hpp"
#include "model/key_text.hpp"
#include "scheduler/core/plan/why.hpp"
#include "scheduler/core/scheduler.hpp"
#include "store/store.hpp"

namespace fieldwork::scheduler {

inline constexpr double parts_of_one = 10'000;  // scores are stored as whole numbers of 1/10,000

[[nodiscard]] std::string execution_key(const JobId& job, int execution);

// Of a record that has a row already (`stored`), only the columns that can change.
[[nodiscard]] store::Row job_row(const JobRecord& job);
[[nodiscard]] store::Row execution_row(const ExecutionRecord& record);
[[nodiscard]] store::Row attempt_row(const Attempt& attempt);
[[nodiscard]] store::Row part_row(const PartRecord& part);
[[nodiscard]] std::string part_key(const PartRecord& part);
[[nodiscard]] store::Row stream_row(const DeviceId& device, const Stream& stream);
[[nodiscard]] store::Row placeable_row(const PlaceableRecord& record);
[[nodiscard]] store::Row shown_row(const ShownRecord& record);

[[nodiscard]] store::Row package_row(const PackageSeen& package);
[[nodiscard]] store::Row duration_row(const DurationRecord& record);
[[nodiscard]] store::Row failure_row(const FailureRecord& record);

[[nodiscard]] nlohmann::json encode(const Placement& placement);
// waits.cpp
[[nodiscard]] nlohmann::json encode(const Waits& waits);
[[nodiscard]] nlohmann::json encode(const Demand& estimated);

// load.cpp
// Loads all live jobs with their executions, and the newest settled jobs without.
[[nodiscard]] Result<Saved> load(store::Store& store, const Limits& limits);

// Makes jobs of their rows. With the rows of executions and attempts each execution has the attempt that succeeded,
// else its newest one.
[[nodiscard]] Result<std::vector<Job>> assemble(const std::vector<std::string>& job_rows,
                                                const std::vector<std::string>& execution_rows,
                                                const std::vector<std::string>& attempt_rows);

}  // namespace fieldwork::scheduler
