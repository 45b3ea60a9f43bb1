// One open file, and what makes files durable. Private to this library.
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
  /// Exactly `size` bytes.
  [[nodiscard]] Result<std::string> read_at(std::uint64_t offset, std::size_t size) const;
  [[nodiscard]] Result<void> sync() const;
  [[nodiscard]] Result<std::uint64_t> size() const;

 private:
  File(Path path, int fd) : path_(std::move(path)), fd_(fd) {}
  Path path_;
  int fd_ = -1;
};

/// Puts `text` at `path` so that a reader sees the old or the new, also after a power cut.
[[nodiscard]] Result<void> replace_file(const Path& path, std::string_view text);

/// fsync of `from`, rename, fsync of the directory.
[[nodiscard]] Result<void> move_durably(const Path& from, const Path& to);

}  // namespace fieldwork::exchange
