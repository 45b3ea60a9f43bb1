// What pack() and pack_package() share. Private to this library.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace fieldwork::content {

struct Item {
  std::string name;  // in the archive
  std::filesystem::path path;
  std::filesystem::file_type type = std::filesystem::file_type::none;
  std::string target{};  // of a link
  std::string digest{};  // of a file, when it was looked at; empty: it was not
};

[[nodiscard]] bool is_executable(const std::filesystem::path& path);

/// Everything under a directory, sorted by the bytes of its name; or the one file.
[[nodiscard]] Result<std::vector<Item>> items_of(const std::filesystem::path& directory_or_file);

/// Writes the archive; `manifest`: not empty, the text of its first entry. Answers the archive's digest.
[[nodiscard]] Result<std::string> write_archive_of(const std::vector<Item>& items, const std::string& manifest,
                                                   const std::filesystem::path& directory_or_file,
                                                   const std::filesystem::path& archive_path);

}  // namespace fieldwork::content
