#include "agent/shell/placer.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "agent/shell/package_cache.hpp"
#include "content/only_file.hpp"
#include "crypto/digest.hpp"

namespace fieldwork::agent {
namespace {

namespace fs = std::filesystem;

class PlaceFd {
 public:
  explicit PlaceFd(int fd = -1) : fd_(fd) {}
  PlaceFd(PlaceFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  PlaceFd& operator=(PlaceFd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~PlaceFd() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_;
};

Error place_failed(const std::string& what) {
  const int number = errno;
  const bool disk = number == ENOSPC || number == EDQUOT || number == EIO || number == EROFS || number == EMFILE;
  return {disk ? Code::unavailable : Code::invalid, (disk ? "disk: " : "") + what + ": " + std::strerror(number)};
}

// The directory of `file` below `root`. A level that is a link is refused.
Result<PlaceFd> open_place(const fs::path& root, const fs::path& inside) {
  constexpr int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  PlaceFd at(::open(root.c_str(), flags));
  if (!at) return place_failed("device.files (" + root.string() + ") cannot be opened");
  fs::path so_far;
  for (const auto& level : inside) {
    so_far /= level;
    if (::mkdirat(at.get(), level.c_str(), 0755) == 0) {
      (void)::fsync(at.get());
    } else if (errno != EEXIST) {
      return place_failed("the directory " + so_far.string() + " cannot be made");
    }
    PlaceFd next(::openat(at.get(), level.c_str(), flags | O_NOFOLLOW));
    if (!next) return place_failed(so_far.string() + " is a link or no directory");
    at = std::move(next);
  }
  return at;
}

std::string temporary_name(const std::string& file) { return ".fieldwork-" + crypto::digest_of(file).substr(7, 16); }

Result<void> write_beside(int directory, const std::string& temporary, const fs::path& archive, std::int64_t left) {
  if (::unlinkat(directory, temporary.c_str(), 0) != 0 && errno != ENOENT) return place_failed("cannot be written");
  const PlaceFd out(::openat(directory, temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!out) return place_failed("cannot be written");
  const auto done = content::take_only_file(archive, out.get(), static_cast<std::uint64_t>(left));
  if (!done) return done.error();
  if (done->executable && ::fchmod(out.get(), 0755) != 0) return place_failed("cannot be made executable");
  if (::fsync(out.get()) != 0) return place_failed("cannot be written");
  return {};
}

}  // namespace

Result<void> place_file(const fs::path& root, const fs::path& archive, const std::string& file,
                        const MeasureRoom& measure) {
  const fs::path path(file);
  const auto disk = measure(root);
  if (!disk) return Error{Code::unavailable, "disk: " + describe(disk.error())};
  const auto directory = open_place(root, path.parent_path());
  if (!directory) return directory.error();
  const auto temporary = temporary_name(file);
  const auto left = std::max<std::int64_t>(disk->free_bytes - reserved_of(*disk), 0);
  auto done = write_beside(directory->get(), temporary, archive, left);
  if (done && ::renameat(directory->get(), temporary.c_str(), directory->get(), path.filename().c_str()) != 0)
    done = place_failed("cannot take its place");
  if (done && ::fsync(directory->get()) != 0) done = place_failed("cannot be written");
  if (!done) ::unlinkat(directory->get(), temporary.c_str(), 0);
  return done;
}

Placer::Placer(fs::path root, bool thread)
    : root_(std::move(root)), outcomes_(std::make_shared<exchange::Mailbox<staging::Placed>>()) {
  if (thread && !root_.empty()) worker_ = std::make_unique<exchange::Worker>();
}

void Placer::place(const staging::Place& what, const fs::path& archive) {
  auto job = [outcomes = outcomes_, root = root_, what, archive] {
    const auto done = [&]() -> Result<void> {
      if (root.empty()) return Error{Code::invalid, "device.files is not set on this device"};
      // It may have lain here for long.
      const auto digest = crypto::digest_of_file(archive);
      if (!digest) return Error{Code::unavailable, "disk: " + describe(digest.error())};
      if (*digest == what.digest) return place_file(root, archive, what.file);
      std::error_code ignored;
      fs::remove(archive, ignored);
      return Error{Code::unavailable, "disk: the package was changed here; it is deleted. Ask for it again"};
    }();
    outcomes->put(
        {what.digest, what.file, done ? std::nullopt : std::optional(what.file + ": " + describe(done.error()))});
  };
  if (worker_) return worker_->run(std::move(job));
  job();
}

std::vector<staging::Placed> Placer::done() {
  auto taken = outcomes_->take();
  return {std::make_move_iterator(taken.begin()), std::make_move_iterator(taken.end())};
}

}  // namespace fieldwork::agent
