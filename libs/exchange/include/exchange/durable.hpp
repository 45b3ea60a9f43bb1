// Files that are still there, and whole, after a power cut; and the room that is left for them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

#include "base/result.hpp"

namespace fieldwork::exchange {

/// Puts `text` at `path` so that a reader sees the old or the new text, also after a power cut. One thread at a time.
[[nodiscard]] Result<void> replace_file(const std::filesystem::path& path, std::string_view text);

/// fsync of `from`, rename, fsync of the directory.
[[nodiscard]] Result<void> move_durably(const std::filesystem::path& from, const std::filesystem::path& to);

/// fsync of the file and of its directory. Quick where both are on the disk already.
[[nodiscard]] Result<void> sync_file(const std::filesystem::path& path);

/// The space of the file system that holds the `path` of disk_of(), which must exist.
struct Disk {
  std::int64_t total_bytes = 0;
  std::int64_t free_bytes = 0;  // free for us: without the blocks that are kept for root
};
[[nodiscard]] Result<Disk> disk_of(const std::filesystem::path& path);

}  // namespace fieldwork::exchange
