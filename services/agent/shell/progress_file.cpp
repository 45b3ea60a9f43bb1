#include "agent/shell/progress_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "agent/limits.hpp"

namespace fieldwork::agent {

ProgressFile::~ProgressFile() {
  if (fd_ >= 0) close(fd_);
}

Result<void> ProgressFile::make() {
  fd_ = open(path_.c_str(), O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd_ < 0) return Error{Code::unavailable, std::strerror(errno), path_.string()};
  return {};
}

bool ProgressFile::look() {
  struct stat found {};
  if (fd_ < 0 || fstat(fd_, &found) != 0) return false;
  const auto written = std::int64_t{found.st_mtim.tv_sec} * 1'000'000'000 + found.st_mtim.tv_nsec;
  if (found.st_size == read_to_ && written == written_) return false;
  if (found.st_size <= read_to_) {  // shorter, or written without having grown: begun anew
    read_to_ = 0;
    lines_.begin_anew(false);
  }
  written_ = written;
  if (found.st_size - read_to_ > progress_look_bytes_max) {
    read_to_ = found.st_size - progress_look_bytes_max;
    lines_.begin_anew(true);
  }
  std::string bytes(static_cast<std::size_t>(found.st_size - read_to_), '\0');
  const auto got = pread(fd_, bytes.data(), bytes.size(), read_to_);
  if (got <= 0) return false;
  read_to_ += got;
  return lines_.add({bytes.data(), static_cast<std::size_t>(got)});
}

}  // namespace fieldwork::agent
