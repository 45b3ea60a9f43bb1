// Policy files: every *.toml of a directory, in the order of their names, each with any number of
//
//   [[rule]]
//   name = "operators"            unique among all files
//   effect = "allow"              or "deny"
//   submitters = ["operator*"]    patterns; this and those below: any, when not there
//   commands = ["*"]              patterns for the program
//   packages = "any"              "any", "none", "required", or a list of digests
//   devices = ["*"]               patterns
//
// A mistake is an Error whose path names file, line and key.
#pragma once

#include <filesystem>
#include <vector>

#include "base/result.hpp"
#include "policy/policy.hpp"
#include "security-policy/limits.hpp"

namespace fieldwork::security_policy {

[[nodiscard]] Result<std::vector<policy::Rule>> load_rules(const std::filesystem::path& directory);

}  // namespace fieldwork::security_policy
