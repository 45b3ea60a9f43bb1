// Attempts as the rows of the agent's journal.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "agent/core/agent.hpp"
#include "base/result.hpp"
#include "store/store.hpp"

namespace fieldwork::agent {

[[nodiscard]] store::Row attempt_row(const Attempt& attempt);
// Also of a row that an earlier version wrote. Throws what the JSON library throws where a field is missing.
[[nodiscard]] Result<Attempt> decode_attempt(const nlohmann::json& row);

}  // namespace fieldwork::agent
