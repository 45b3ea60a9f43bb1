// Jobs and executions as they are published: STATE_JOB and STATE_EXECUTION of docs/topics.md. Each has at most
// limits::state_bytes_max bytes, whatever the job's width or output is.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "codec/json.hpp"
#include "scheduler/core/model/state.hpp"

namespace fieldwork::scheduler {

[[nodiscard]] codec::Json encode_state(const JobRecord& job);
[[nodiscard]] codec::Json encode_state(const ExecutionRecord& record);

}  // namespace fieldwork::scheduler
