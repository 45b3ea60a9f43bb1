// Ids as people type them: their beginnings, where one thing alone begins so. Whole ids cost no question.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "failure.hpp"
#include "session.hpp"

namespace fieldwork::cli {

// Of "sha256:0123ab…", or of its digits alone, 6 at least: "sha256:0123ab". Nothing for what is no beginning of a
// digest, and for a whole one.
[[nodiscard]] std::optional<std::string> digest_beginning(const std::string& text);

// "j-" and 6 to 19 of the scheduler's 20 digits.
[[nodiscard]] bool is_job_beginning(const std::string& text);

// The one of `ids` that begins so. A Failure names the others, or that there is none `where` it was looked for.
[[nodiscard]] Outcome<std::string> only_one(const std::string& beginning, const std::vector<std::string>& ids,
                                            const std::string& where);

// The job that is meant: of a beginning the only one among the newest jobs, else the text as it is.
[[nodiscard]] Outcome<std::string> whole_job(Session& session, const std::string& text);

}  // namespace fieldwork::cli
