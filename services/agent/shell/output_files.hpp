// The files of outputs in their directory: outputs.hpp names them.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "model/job.hpp"

namespace fieldwork::agent {

// Moves an output to `kept` (in the directory, named by its digest) and notes its attempt beside it. Both are on the
// disk when this returns; before that no report may name the output. Unavailable: the disk failed. On any thread.
[[nodiscard]] Result<void> keep_output(const std::filesystem::path& from, const std::filesystem::path& kept,
                                       const AttemptKey& key);

// The outputs in the directory, in the order in which they were kept. An attempt that writes one again keeps it anew.
[[nodiscard]] std::vector<std::filesystem::path> kept_outputs(const std::filesystem::path& directory);

[[nodiscard]] std::string digest_of(const std::filesystem::path& kept);
// 0: there is no such file.
[[nodiscard]] std::int64_t size_of(const std::filesystem::path& path);
// Whether the file was written longer ago than that.
[[nodiscard]] bool older(const std::filesystem::path& path, std::chrono::hours age);

// Deletes the output and what stands beside it, but no notice that it was dropped.
void remove_output(const std::filesystem::path& kept);

}  // namespace fieldwork::agent
