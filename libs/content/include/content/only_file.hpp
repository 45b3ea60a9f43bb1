// The file of a package that is one file (archive.hpp: pack() of one file).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/result.hpp"

namespace fieldwork::content {

struct OnlyFile {
  std::string name;  // in the archive
  std::uint64_t size_bytes = 0;
  bool executable = false;
};

/// Writes the only file of an archive, which anyone may have made, to `descriptor`. Invalid: there is not exactly one
/// regular file, or something else than files and directories. Unavailable: it is larger than `size_max`, with the
/// numbers, or cannot be written. After an error a part may be written.
[[nodiscard]] Result<OnlyFile> take_only_file(const std::filesystem::path& archive_path, int descriptor,
                                              std::uint64_t size_max);

}  // namespace fieldwork::content
