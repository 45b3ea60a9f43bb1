// The output files of a finished program, from its working directory.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "agent/limits.hpp"
#include "model/job.hpp"

namespace fieldwork::agent {

// Of a result, encoded: a report carries nothing larger, and leaves room for what it stands in. What the two streams do
// not need is the files'; what does not fit in either is cut (a stream) or kept as a file of its own (a file).

struct Collected {
  std::vector<OutputFile> files;
  std::vector<std::filesystem::path> large;  // too large for the report: kept under their digest (outputs.hpp)
  std::vector<std::string> wrong;            // what of `outputs` is missing, and why; a sentence each
};

// `outputs`: relative paths, or patterns: '*' any characters and '?' one of a name, '**' as a whole level any levels
// also none. A directory is packed as a package is (docs/formats.md) and called NAME.tar. Links are not followed.
// `kept` is on the same file system. `room_bytes`: of the files in the report, encoded.
[[nodiscard]] Collected collect_outputs(const AttemptKey& key, const std::filesystem::path& place,
                                        const std::vector<std::string>& outputs, const std::filesystem::path& kept,
                                        std::size_t room_bytes);

[[nodiscard]] bool is_pattern(std::string_view output);
// Whether `path` (levels with '/' between) is one that `pattern` means. In time linear in each name's length times the
// pattern's.
[[nodiscard]] bool matches(std::string_view pattern, std::string_view path);

// Cuts the streams of `result` in their middle until both together are at most streams_bytes_max encoded.
void bound_streams(RunResult& result);

}  // namespace fieldwork::agent
