// One open file. Private to this library.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace fieldwork::exchange {

using Path = std::filesystem::path;

class File {
 public:
  [[nodiscard]] static Result<File> open(const Path& path, int flags);
  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;
  ~File();

  [[nodiscard]] Result<void> write_at(std::string_view bytes, std::uint64_t offset) const;
  /// Reads exactly `size` bytes.
  [[nodiscard]] Result<std::string> read_at(std::uint64_t offset, std::size_t size) const;
  [[nodiscard]] Result<void> sync() const;
  [[nodiscard]] Result<std::uint64_t> size() const;
  /// Reserves `size_bytes` of disk space for this file without making it longer. Ok also where the file system cannot
  /// reserve.
  [[nodiscard]] Result<void> reserve(std::uint64_t size_bytes) const;

 private:
  File(Path path, int fd) : path_(std::move(path)), fd_(fd) {}
  Path path_;
  int fd_ = -1;
};

}  // namespace fieldwork::exchange
