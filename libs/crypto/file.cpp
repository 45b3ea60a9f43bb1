#include "file.hpp"

#include <fstream>

namespace fieldwork::crypto {

Result<std::string> read_file(const std::filesystem::path& path, std::size_t bytes_max) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return Error{Code::unavailable, "cannot be opened", path.string()};
  std::string bytes(bytes_max + 1, '\0');
  in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (in.bad()) return Error{Code::unavailable, "cannot be read", path.string()};
  bytes.resize(static_cast<std::size_t>(in.gcount()));
  if (bytes.size() > bytes_max) {
    return Error{Code::invalid, "is longer than " + std::to_string(bytes_max) + " bytes", path.string()};
  }
  return bytes;
}

}  // namespace fieldwork::crypto
