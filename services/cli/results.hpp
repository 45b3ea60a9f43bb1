// What a settled job left behind: its output, and its files.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "codec/json.hpp"
#include "failure.hpp"

namespace fieldwork::cli {

// Executions of a STATE_JOB that have a result, in order.
struct ExecutionResult {
  std::int64_t execution = 0;
  std::string device;
  RunResult result;
  std::string wrong{};  // why the result cannot be read, and then there is none
};
[[nodiscard]] std::vector<ExecutionResult> results_of(const codec::Json& job);

// A device named the path: it must stay below where we write.
[[nodiscard]] bool stays_inside(const std::string& path);

// Brings content that did not come with the report to a path, or says why not.
using Fetch = std::function<Outcome<bool>(const OutputFile& file, const std::filesystem::path& path)>;

// Writes the files to `directory`, or with several executions to `directory`/{execution}. The lines say of each file
// what became of it; `missing`: some file is not there.
struct Written {
  std::vector<std::string> lines;
  bool missing = false;
};
[[nodiscard]] Outcome<Written> write_files(const std::vector<ExecutionResult>& results,
                                           const std::filesystem::path& directory, const Fetch& fetch);

// The same lines where nothing is written.
[[nodiscard]] std::vector<std::string> list_files(const std::vector<ExecutionResult>& results);

}  // namespace fieldwork::cli
