// Reading small files whole. Private to this library.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

#include "base/result.hpp"

namespace fieldwork::crypto {

/// The whole file; an Error where it cannot be read or is longer than `bytes_max`.
[[nodiscard]] Result<std::string> read_file(const std::filesystem::path& path, std::size_t bytes_max);

}  // namespace fieldwork::crypto
