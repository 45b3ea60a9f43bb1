// The words of `fieldwork device set`, NAME=VALUE, to the request that the registry takes; and those of `package push
// --needs`.
#pragma once

#include <string>
#include <vector>

#include "codec/json.hpp"
#include "failure.hpp"
#include "model/device.hpp"

namespace fieldwork::cli {

// NAME is heartbeat_s, sample_s, attempts_max, cache_bytes, log_level or label.NAME. Nothing behind the `=` takes the
// setting back. A Failure names the word that is wrong.
[[nodiscard]] Outcome<codec::Json> set_request(const std::string& device, const std::vector<std::string>& changes);

// NAME is cpu_millis, memory_bytes or storage_bytes, of the amounts those of bytes with a unit or without: 256MiB.
[[nodiscard]] Outcome<Capacity> needs_of(const std::vector<std::string>& words);

}  // namespace fieldwork::cli
