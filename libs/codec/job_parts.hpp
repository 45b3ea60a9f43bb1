// The objects inside a job document: private to codec.
#pragma once

#include <nlohmann/json.hpp>

#include "codec/json.hpp"
#include "model/job.hpp"

namespace fieldwork::codec {

[[nodiscard]] Json encode(const Requirements& need);
[[nodiscard]] Requirements read_requirements(Reader& parent, const Json& value);
[[nodiscard]] Json encode(const Targets& targets);
[[nodiscard]] Targets read_targets(Reader& parent, const Json& value);
[[nodiscard]] Json encode(const PlacementRules& rules);
[[nodiscard]] PlacementRules read_placement(Reader& parent, const Json& value);
// "all", "any" or a percentage such as "80%".
[[nodiscard]] std::string text_of(const Success& success);
[[nodiscard]] Success read_success(Reader& reader);
// These two say what contradicts the job's semantics, which are read before.
[[nodiscard]] Json encode(const Retry& retry);
[[nodiscard]] Retry read_retry(Reader& parent, const Json& value, const JobSpec& job);
[[nodiscard]] Json encode(const Offline& offline);
[[nodiscard]] Offline read_offline(Reader& parent, const Json& value, const JobSpec& job);

}  // namespace fieldwork::codec
