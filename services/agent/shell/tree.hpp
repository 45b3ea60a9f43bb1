// Removal of what a job leaves on the disk, whatever it made of it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace fieldwork::agent {

struct Removal {
  std::int64_t left = 0;  // of what was in it at the top, or was lifted there; 0: all is gone
  std::string reason{};   // the first one's, e.g. "d/e: Operation not permitted"
};

// Removes a file or a whole tree: with three descriptors however deep it is, with directories that nobody may read,
// without following a link. What is not there is removed.
Removal remove_tree(const std::filesystem::path& path);

}  // namespace fieldwork::agent
