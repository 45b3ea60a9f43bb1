// One job from the store, for the threads that read beside the engine.
#pragma once

#include "base/result.hpp"
#include "scheduler/core/model/state.hpp"
#include "store/store.hpp"

namespace fieldwork::scheduler {

// With its executions, each with its newest attempt, or the one that succeeded. Errors: unknown; unavailable.
[[nodiscard]] Result<Job> stored_job(store::Reader& store, const JobId& id);
// A store that does not answer, as its asker is told.
[[nodiscard]] Error away(const Error& error);
// The same submitter and request name the same job, also after the scheduler has forgotten it.
[[nodiscard]] JobId job_id(std::string_view submitter, const std::string& request);

}  // namespace fieldwork::scheduler
