// The output files of a program that has ended, from its working directory.
#pragma once

#include <array>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "agent/limits.hpp"
#include "model/job.hpp"

namespace fieldwork::agent {

// A result has bounds in encoded bytes, so that a report with the rest of its fields can carry it. Bytes that the two
// streams do not need are left to the files. A stream that does not fit is cut; a file that does not fit is kept and
// sent by itself.

struct Collected {
  std::vector<OutputFile> files;
  std::vector<std::filesystem::path> large;  // too large for the report: kept under their digests (outputs.hpp)
  std::vector<std::string> wrong;            // a sentence each: which of `outputs` is missing, and why
};

// `outputs`: relative paths, or patterns. In a pattern '*' is any characters of a name, '?' is one character of a name,
// and '**' as a whole level is any number of levels, also none. A directory is packed as a package is (docs/formats.md)
// and called NAME.tar. Links are not followed. `kept`: a directory on the same file system as `place`. `room_bytes`:
// for the files in the report, encoded. `logs`: files that become the outputs log_outputs; empty paths: there are none.
[[nodiscard]] Collected collect_outputs(const AttemptKey& key, const std::filesystem::path& place,
                                        const std::vector<std::string>& outputs,
                                        const std::array<std::filesystem::path, 2>& logs,
                                        const std::filesystem::path& kept, std::size_t room_bytes);

[[nodiscard]] bool is_pattern(std::string_view output);
// Whether `pattern` matches `path`, whose levels are separated by '/'. Takes time linear in the product of the lengths
// of the pattern and of each name.
[[nodiscard]] bool matches(std::string_view pattern, std::string_view path);

// Cuts the middle out of stdout and stderr until both together have at most streams_bytes_max bytes, encoded.
void bound_streams(RunResult& result);

}  // namespace fieldwork::agent
