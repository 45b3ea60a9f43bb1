// Reads small files as a whole.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/result.hpp"

namespace fieldwork::cli {

// An Error names the file.
[[nodiscard]] inline Result<std::string> read_file(const std::filesystem::path& path, std::size_t bytes_max) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return Error{Code::invalid, "is a directory", path.string()};
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in) return Error{Code::invalid, std::string("cannot be read: ") + std::strerror(errno), path.string()};
  std::string text, piece(std::min<std::size_t>(bytes_max + 1, 1 << 16), '\0');
  while (text.size() <= bytes_max &&
         (in.read(piece.data(), static_cast<std::streamsize>(piece.size())), in.gcount() > 0))
    text.append(piece, 0, static_cast<std::size_t>(in.gcount()));
  if (text.size() > bytes_max)
    return Error{Code::invalid, "is larger than " + std::to_string(bytes_max) + " bytes", path.string()};
  return text;
}

}  // namespace fieldwork::cli
