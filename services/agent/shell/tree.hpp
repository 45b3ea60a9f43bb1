// Removes what a job leaves on the disk, whatever it made of its directory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace fieldwork::agent {

struct Removal {
  std::int64_t left = 0;  // entries that are left at the top of the tree; 0: all is gone
  std::string reason{};   // of the first that is left, e.g. "d/e: Operation not permitted"
};

// Removes a file or a whole tree: with three descriptors at any depth, with directories that nobody may read, without
// following links. A path that is not there counts as removed.
Removal remove_tree(const std::filesystem::path& path);

}  // namespace fieldwork::agent
