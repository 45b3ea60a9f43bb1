// Policy files: every *.toml of a directory, in the order of their names, each with any number of
//
//   [[rule]]
//   name = "operators"            unique among all files
//   effect = "allow"              or "deny"
//   actions = ["run", "stage"]    or ["*"]; without this key: ["run"]
//   submitters = ["operator*"]    patterns; without this key, as without those below: any
//   commands = ["*"]              patterns for the program
//   packages = "any"              "any", "none", "required", or a list of digests
//   devices = ["*"]               patterns
//
// An Error's path names file, line and key of the mistake.
#pragma once

#include <filesystem>
#include <vector>

#include "base/result.hpp"
#include "policy/policy.hpp"
#include "security-policy/limits.hpp"

namespace fieldwork::security_policy {

[[nodiscard]] Result<std::vector<policy::Rule>> load_rules(const std::filesystem::path& directory);

}  // namespace fieldwork::security_policy
