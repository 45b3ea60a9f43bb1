#include "files.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

namespace fieldwork::content {
namespace {

Error failed_at(const std::filesystem::path& path, const char* what, int number = errno) {
  return Error{Code::unavailable, std::string(what) + ": " + std::strerror(number), path.string()};
}

/// A descriptor that is closed.
class Opened {
 public:
  Opened(const std::filesystem::path& path, int flags) : descriptor(::open(path.c_str(), flags | O_CLOEXEC)) {}
  ~Opened() {
    if (descriptor >= 0) ::close(descriptor);
  }
  Opened(const Opened&) = delete;
  Opened& operator=(const Opened&) = delete;
  const int descriptor;
};

Result<char*> mapped(const std::filesystem::path& path, int descriptor, std::uint64_t size, int protection) {
  if (size > std::numeric_limits<std::size_t>::max()) return failed_at(path, "cannot be mapped", EFBIG);
  void* at = ::mmap(nullptr, static_cast<std::size_t>(size), protection, MAP_SHARED, descriptor, 0);
  if (at == MAP_FAILED) return failed_at(path, "cannot be mapped");
  return static_cast<char*>(at);
}

}  // namespace

// An empty file may have blocks, which O_TRUNC would give back.
Result<NewFile> NewFile::create(const std::filesystem::path& path) {
  struct stat status {};
  const bool empty = ::stat(path.c_str(), &status) == 0 && status.st_size == 0;
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | (empty ? 0 : O_TRUNC), 0644);
  if (descriptor < 0) return failed_at(path, "cannot be written");
  return NewFile(path, descriptor);
}

Result<NewFile> NewFile::create_to_map(const std::filesystem::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0 && status.st_size > 0) ::unlink(path.c_str());
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor < 0) return failed_at(path, "cannot be written");
  return NewFile(path, descriptor);
}

NewFile::NewFile(NewFile&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

NewFile& NewFile::operator=(NewFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

NewFile::~NewFile() {
  if (descriptor_ < 0) return;
  struct stat own {
  }, there{};
  const bool is_own = ::fstat(descriptor_, &own) == 0 && ::stat(path_.c_str(), &there) == 0 &&
                      own.st_ino == there.st_ino && own.st_dev == there.st_dev;
  ::close(descriptor_);
  if (is_own) ::unlink(path_.c_str());
}

Result<void> NewFile::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto count = ::write(descriptor_, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failed_at(path_, "cannot be written");
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

Result<void> NewFile::reserve(std::uint64_t size) {
  if (size == 0) return {};
  int error = EINTR;
  while (error == EINTR) error = ::posix_fallocate(descriptor_, 0, static_cast<off_t>(size));
  if (error != 0) return failed_at(path_, "there is no room for it", error);
  return {};
}

Result<void> NewFile::keep() {
  // close() tells what a network's or a quota's disk found out late.
  if (::close(std::exchange(descriptor_, -1)) == 0) return {};
  auto failed = failed_at(path_, "cannot be written");
  ::unlink(path_.c_str());
  return failed;
}

void NewFile::leave() {
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
}

Result<void> NewFile::keep_as(const std::filesystem::path& path) {
  if (::fsync(descriptor_) != 0) return failed_at(path_, "cannot be synced");
  const Opened directory(path.parent_path().empty() ? "." : path.parent_path(), O_RDONLY | O_DIRECTORY);
  if (directory.descriptor < 0) return failed_at(path, "cannot be put in place");
  if (::rename(path_.c_str(), path.c_str()) != 0) return failed_at(path, "cannot be put in place");
  path_ = path;
  if (::fsync(directory.descriptor) != 0) return failed_at(path, "cannot be synced");
  return keep();
}

Result<Mapping> Mapping::of(const std::filesystem::path& path) {
  const Opened file(path, O_RDONLY);
  struct stat status {};
  if (file.descriptor < 0 || ::fstat(file.descriptor, &status) != 0) return failed_at(path, "cannot be opened");
  if (!S_ISREG(status.st_mode)) return Error{Code::unavailable, "is not a file", path.string()};
  if (status.st_size == 0) return Mapping(nullptr, 0);
  const auto at = mapped(path, file.descriptor, static_cast<std::uint64_t>(status.st_size), PROT_READ);
  if (!at) return at.error();
  Mapping mapping(*at, static_cast<std::size_t>(status.st_size));
#ifdef MADV_POPULATE_READ
  // A kernel before 5.14 does not know it.
  const bool read = ::madvise(mapping.data_, mapping.size_, MADV_POPULATE_READ) == 0 || errno == EINVAL;
  if (!read) return failed_at(path, "cannot be read", errno == EFAULT ? EIO : errno);
#endif
  return mapping;
}

Result<Mapping> Mapping::of(const NewFile& file, std::uint64_t size) {
  if (size == 0) return Mapping(nullptr, 0);
  const auto at = mapped(file.path_, file.descriptor_, size, PROT_READ | PROT_WRITE);
  if (!at) return at.error();
  return Mapping(*at, static_cast<std::size_t>(size));
}

Mapping::Mapping(Mapping&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

Mapping::~Mapping() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

bool are_one_file(const std::filesystem::path& a, const std::filesystem::path& b) {
  std::error_code ignored;
  return std::filesystem::equivalent(a, b, ignored);
}

}  // namespace fieldwork::content
