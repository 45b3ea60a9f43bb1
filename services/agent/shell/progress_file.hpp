// The file to which a program appends how far it is: made before the program starts, read from where the look before
// ended. The program may do to it whatever it likes.
#pragma once

#include <cstdint>
#include <filesystem>

#include "agent/core/progress.hpp"
#include "base/result.hpp"

namespace fieldwork::agent {

class ProgressFile {
 public:
  explicit ProgressFile(std::filesystem::path path) : path_(std::move(path)) {}
  ProgressFile(const ProgressFile&) = delete;
  ProgressFile& operator=(const ProgressFile&) = delete;
  ~ProgressFile();
  // Makes it, and keeps it open: another file that the program puts there is not read, and cannot hold anybody up.
  [[nodiscard]] Result<void> make();
  // Reads what was appended, at most progress_look_bytes_max of it: of more the end. True: a sign of progress is among
  // it. A file that was written without having grown is read from its beginning.
  bool look();
  [[nodiscard]] const ProgressLines& lines() const { return lines_; }

 private:
  std::filesystem::path path_;
  int fd_ = -1;
  std::int64_t read_to_ = 0;
  std::int64_t written_ = -1;  // when it was, in ns
  ProgressLines lines_;
};

}  // namespace fieldwork::agent
