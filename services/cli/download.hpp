// Fetches stored content from the transfer service: result files that were too large to ride in a report.
#pragma once

#include <filesystem>
#include <string>

#include "failure.hpp"
#include "output.hpp"
#include "session.hpp"

namespace fieldwork::cli {

struct Wanted {
  std::string digest;
  std::int64_t size_bytes = 0;
  std::string name;  // for people
};

// Puts the content at `path`, verified, whose directory exists. What is not stored yet is waited for: a device brings
// its files after its report. Gives up after `silence` without a sign of life.
[[nodiscard]] Outcome<bool> download(Session& session, const Wanted& wanted, const std::filesystem::path& path,
                                     std::chrono::seconds silence, Progress& progress);

}  // namespace fieldwork::cli
