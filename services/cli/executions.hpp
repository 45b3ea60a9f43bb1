// A job with its executions and results, put together from the pages that the scheduler answers with.
#pragma once

#include "codec/json.hpp"
#include "limits.hpp"
#include "session.hpp"

namespace fieldwork::cli {

// STATE_JOB with "executions": all, or at most about `count` of them; then "more" is true.
Outcome<codec::Json> job_with_executions(Session& session, const std::string& job, std::size_t count,
                                         std::optional<Session::Patience> patience = std::nullopt);

// The answer of `explain`, with "executions" likewise: how each was placed, or why not.
Outcome<codec::Json> explanation(Session& session, const std::string& job, std::size_t count);

// Adds "result" (as in a report, whole) to each execution that has one. `tell` hears how many executions are done.
Outcome<codec::Json> with_results(Session& session, codec::Json job,
                                  const std::function<void(std::size_t done, std::size_t all)>& tell);

}  // namespace fieldwork::cli
