// What a job has left behind: its output and its files.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "codec/json.hpp"
#include "failure.hpp"

namespace fieldwork::cli {

// The executions of a STATE_JOB that have a result, in order.
struct ExecutionResult {
  std::int64_t execution = 0;
  std::string device;
  RunResult result;
  std::string wrong{};  // why the result cannot be read; then `result` is empty
};
[[nodiscard]] std::vector<ExecutionResult> results_of(const codec::Json& job);

// Whether the path, which a device named, stays below the directory that files are written to.
[[nodiscard]] bool stays_inside(const std::string& path);

// Brings a content that did not come with the report to `path`; a Failure says why not.
using Fetch = std::function<Outcome<bool>(const OutputFile& file, const std::filesystem::path& path)>;

// Writes the files to `directory`; where several executions have results, to `directory`/{execution}. The lines say
// what became of each file. `missing`: some file is not there.
struct Written {
  std::vector<std::string> lines;
  bool missing = false;
};
[[nodiscard]] Outcome<Written> write_files(const std::vector<ExecutionResult>& results,
                                           const std::filesystem::path& directory, const Fetch& fetch);

// Lines about the same files where nothing is written.
[[nodiscard]] std::vector<std::string> list_files(const std::vector<ExecutionResult>& results);

}  // namespace fieldwork::cli
