#include "file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "exchange/durable.hpp"

namespace fieldwork::exchange {
namespace {

Error failed(const Path& path, const char* what) {
  return Error{Code::unavailable, std::string(what) + ": " + std::strerror(errno), path.string()};
}

}  // namespace

Result<File> File::open(const Path& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (fd < 0) return failed(path, "cannot be opened");
  return File(path, fd);
}

File::File(File&& other) noexcept : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}

File& File::operator=(File&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(fd_, other.fd_);
  return *this;
}

File::~File() {
  if (fd_ >= 0) ::close(fd_);
}

Result<void> File::write_at(std::string_view bytes, std::uint64_t offset) const {
  while (!bytes.empty()) {
    const auto count = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return failed(path_, "cannot be written");
    bytes.remove_prefix(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
  return {};
}

Result<std::string> File::read_at(std::uint64_t offset, std::size_t size) const {
  std::string out(size, '\0');
  for (std::size_t done = 0; done < size;) {
    const auto count = ::pread(fd_, out.data() + done, size - done, static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failed(path_, "cannot be read");
    if (count == 0) return Error{Code::unavailable, "is shorter than it was", path_.string()};
    done += static_cast<std::size_t>(count);
  }
  return out;
}

Result<void> File::sync() const {
  if (::fsync(fd_) != 0) return failed(path_, "cannot be synced");
  return {};
}

Result<std::uint64_t> File::size() const {
  struct stat status {};
  if (::fstat(fd_, &status) != 0) return failed(path_, "cannot be read");
  return static_cast<std::uint64_t>(status.st_size);
}

Result<void> File::reserve(std::uint64_t size_bytes) const {
  while (::fallocate(fd_, FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(size_bytes)) != 0) {
    if (errno == EINTR) continue;
    if (errno == EOPNOTSUPP || errno == ENOSYS) return {};
    return failed(path_, "there is no room for it");
  }
  return {};
}

Result<void> replace_file(const Path& path, std::string_view text) {
  Path fresh = path;
  fresh += ".new";
  auto file = File::open(fresh, O_WRONLY | O_CREAT | O_TRUNC);
  if (!file) return file.error();
  if (auto written = file->write_at(text, 0); !written) return written;
  return move_durably(fresh, path);
}

namespace {

Result<void> sync_directory_of(const Path& path) {
  const Path parent = path.parent_path().empty() ? Path(".") : path.parent_path();
  auto directory = File::open(parent, O_RDONLY | O_DIRECTORY);
  if (!directory) return directory.error();
  return directory->sync();
}

}  // namespace

Result<void> move_durably(const Path& from, const Path& to) {
  auto file = File::open(from, O_RDONLY);
  if (!file) return file.error();
  if (auto synced = file->sync(); !synced) return synced;
  if (::rename(from.c_str(), to.c_str()) != 0) return failed(to, "cannot be put in place");
  return sync_directory_of(to);
}

Result<void> sync_file(const Path& path) {
  auto file = File::open(path, O_RDONLY);
  if (!file) return file.error();
  if (auto synced = file->sync(); !synced) return synced;
  return sync_directory_of(path);
}

Result<Disk> disk_of(const Path& path) {
  struct statvfs status {};
  if (::statvfs(path.c_str(), &status) != 0) return failed(path, "its disk cannot be measured");
  const auto block = static_cast<std::int64_t>(status.f_frsize);
  return Disk{static_cast<std::int64_t>(status.f_blocks) * block, static_cast<std::int64_t>(status.f_bavail) * block};
}

}  // namespace fieldwork::exchange
