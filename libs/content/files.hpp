// Files that are written anew, and files in memory. Private to this library.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string_view>

#include "base/result.hpp"

namespace fieldwork::content {

/// A file that this process writes; it is removed again unless it is kept (another one at its path stays). Errors:
/// unavailable, with the system's reason: most often the disk is full.
class NewFile {
 public:
  /// To be written from its beginning to its end. An empty file at `path` keeps the blocks that were reserved for it.
  [[nodiscard]] static Result<NewFile> create(const std::filesystem::path& path);
  /// The same, to be mapped. A file at `path` that is not empty is removed, not overwritten: somebody may have mapped
  /// it.
  [[nodiscard]] static Result<NewFile> create_to_map(const std::filesystem::path& path);
  NewFile(NewFile&& other) noexcept;
  NewFile& operator=(NewFile&& other) noexcept;
  ~NewFile();

  [[nodiscard]] Result<void> write(std::string_view bytes);
  /// Makes the file `size` bytes long and gives it all of its blocks, so that a mapping of it can be written.
  [[nodiscard]] Result<void> reserve(std::uint64_t size);
  [[nodiscard]] Result<void> keep();
  /// Closes it as it is, half written.
  void leave();
  /// Moves it to `path` and keeps it; afterwards it is there and whole also after a power cut.
  [[nodiscard]] Result<void> keep_as(const std::filesystem::path& path);

 private:
  friend class Mapping;
  NewFile(std::filesystem::path path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}
  std::filesystem::path path_;
  int descriptor_ = -1;  // -1: kept, or moved from
};

/// A whole file in memory, in pages that the system may take back. The file must stay as it is: a page that is no
/// longer there ends the process (SIGBUS).
class Mapping {
 public:
  /// To be read. Its pages are read here, so that a disk's error is an Error: unavailable.
  [[nodiscard]] static Result<Mapping> of(const std::filesystem::path& path);
  /// To be written: `size` bytes, which were reserved.
  [[nodiscard]] static Result<Mapping> of(const NewFile& file, std::uint64_t size);
  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&& other) noexcept;
  ~Mapping();

  [[nodiscard]] char* data() { return data_; }
  [[nodiscard]] std::string_view bytes() const { return {data_, size_}; }

 private:
  Mapping(char* data, std::size_t size) : data_(data), size_(size) {}
  char* data_ = nullptr;  // null: an empty file
  std::size_t size_ = 0;
};

/// Whether both paths lead to one file that exists.
[[nodiscard]] bool are_one_file(const std::filesystem::path& a, const std::filesystem::path& b);

}  // namespace fieldwork::content
