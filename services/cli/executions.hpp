// A job with its executions and results: the scheduler gives them out in pages, here they are put together.
#pragma once

#include "codec/json.hpp"
#include "limits.hpp"
#include "session.hpp"

namespace fieldwork::cli {

// STATE_JOB with "executions": all of them, or at most `count` ("more": true says that there are others).
Outcome<codec::Json> job_with_executions(Session& session, const std::string& job, std::size_t count,
                                         std::optional<Session::Patience> patience = std::nullopt);

// How it was placed, or why not: the answer of explain, with "executions" likewise.
Outcome<codec::Json> explanation(Session& session, const std::string& job, std::size_t count);

// Adds "result" (as in a report, whole) to each execution that has one. `tell` hears how many are done.
Outcome<codec::Json> with_results(Session& session, codec::Json job,
                                  const std::function<void(std::size_t done, std::size_t all)>& tell);

}  // namespace fieldwork::cli
