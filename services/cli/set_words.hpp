// The words of `fieldwork device set`: NAME=VALUE to the request that the registry takes.
#pragma once

#include <string>
#include <vector>

#include "codec/json.hpp"
#include "failure.hpp"

namespace fieldwork::cli {

// NAME is heartbeat_s, sample_s, attempts_max, cache_bytes, log_level or label.NAME. Nothing behind the `=` takes the
// setting back. A Failure names the word that is wrong.
[[nodiscard]] Outcome<codec::Json> set_request(const std::string& device, const std::vector<std::string>& changes);

}  // namespace fieldwork::cli
