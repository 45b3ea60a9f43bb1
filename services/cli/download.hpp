// Fetches a stored content from the transfer service: result files that were too large for a report.
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
  std::string name;  // shown to people
};

// Puts the content, verified, at `path`, whose directory exists. Waits for a content that is not stored yet: a device
// brings its files after its report. Gives up after `silence` without a sign of life from the service.
[[nodiscard]] Outcome<bool> download(Session& session, const Wanted& wanted, const std::filesystem::path& path,
                                     std::chrono::seconds silence, Progress& progress);

}  // namespace fieldwork::cli
