// Ids as people type them: the beginning of an id will do where only one thing has it. A whole id costs no question.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "failure.hpp"
#include "session.hpp"

namespace fieldwork::cli {

// The beginning of a digest with its prefix: of "sha256:0123ab" or "0123ab" (6 digits at least) "sha256:0123ab".
// Nothing for a text that is no beginning of a digest, or a whole digest with its prefix.
[[nodiscard]] std::optional<std::string> digest_beginning(const std::string& text);

// Whether the text is "j-" and 6 to 19 of the scheduler's 20 digits.
[[nodiscard]] bool is_job_beginning(const std::string& text);

// Whether the text is 6 to 31 of a transfer's 32 digits.
[[nodiscard]] bool is_transfer_beginning(const std::string& text);

// The only one of `ids` with this beginning. A Failure names the ids that have it, or says that there is none `where`
// they were looked for.
[[nodiscard]] Outcome<std::string> only_one(const std::string& beginning, const std::vector<std::string>& ids,
                                            const std::string& where);

// The request id that was given, or a new one. A Failure (usage): it is none.
[[nodiscard]] Outcome<std::string> request_id(const std::string& given);

// The job that `text` means: for a beginning, the only job with it among the newest; any other text is the id itself.
[[nodiscard]] Outcome<std::string> whole_job(Session& session, const std::string& text);

}  // namespace fieldwork::cli
