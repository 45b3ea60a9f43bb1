#include "agent/shell/tree.hpp"
#include "agent/limits.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

namespace fieldwork::agent {
namespace {

class Remover {
 public:
  explicit Remover(const std::filesystem::path& path) : path_(path) {}

  // A directory is emptied by moving each directory in it up to the top, where the next round empties that one.
  Removal run() {
    if (gone(AT_FDCWD, path_.c_str())) return {};
    top_ = open_directory(AT_FDCWD, path_.c_str());
    if (top_ < 0) return note("."), Removal{1, reason_};
    while (round()) continue;
    const bool all = gone(AT_FDCWD, path_.c_str());
    if (!all) note(".");
    const auto left = static_cast<std::int64_t>(names_in(top_).size());
    close(top_);
    return all ? Removal{} : Removal{std::max<std::int64_t>(left, 1), reason_};
  }

 private:
  // Gives this process the rights on the directory that it lacks.
  static int open_directory(int at, const char* name) {
    constexpr int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    const int plain = openat(at, name, flags);
    if (plain >= 0) {
      if (faccessat(plain, ".", W_OK | X_OK, 0) != 0) fchmod(plain, S_IRWXU);
      return plain;
    }
    if (errno != EACCES) return -1;  // ENOTDIR: it is a link or no directory
    if (fchmodat(at, name, S_IRWXU, 0) != 0) return -1;
    return openat(at, name, flags);
  }

  static bool gone(int at, const char* name) {
    if (unlinkat(at, name, 0) == 0 || errno == ENOENT) return true;
    const int as_file = errno;
    if (unlinkat(at, name, AT_REMOVEDIR) == 0 || errno == ENOENT) return true;
    if (errno == ENOTDIR) errno = as_file;
    return false;
  }

  void note(const std::string& name) {
    if (reason_.empty()) reason_ = name + ": " + std::strerror(errno);
  }

  static std::vector<std::string> names_in(int directory) {
    std::vector<std::string> out;
    const int again = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR* list = again < 0 ? nullptr : fdopendir(again);
    if (list == nullptr) {
      if (again >= 0) close(again);
      return out;
    }
    while (const dirent* entry = readdir(list)) {
      const std::string name = entry->d_name;
      if (name != "." && name != "..") out.push_back(name);
      if (out.size() >= removed_at_once_max) break;
    }
    closedir(list);
    return out;
  }

  // Empties every directory of the top. True: something has changed, so that another round may change more.
  bool round() {
    bool changed = false;
    reason_.clear();
    for (const auto& name : names_in(top_)) {
      if (gone(top_, name.c_str())) {
        changed = true;
        continue;
      }
      const int cannot = errno;
      const int directory = open_directory(top_, name.c_str());
      if (directory < 0) {
        if (errno == ENOTDIR) errno = cannot;
        note(name);
        continue;
      }
      changed = empty(directory, name) || changed;
      close(directory);
      if (!gone(top_, name.c_str())) note(name);
    }
    return changed;
  }

  bool empty(int directory, const std::string& above) {
    bool changed = false;
    for (const auto& name : names_in(directory)) {
      if (gone(directory, name.c_str())) {
        changed = true;
        continue;
      }
      // Moving a directory changes its entry "..", for which the directory must be writable.
      const int inner = open_directory(directory, name.c_str());
      if (inner >= 0) close(inner);
      if (renameat(directory, name.c_str(), top_, free_name().c_str()) == 0) {
        changed = true;
      } else {
        note(std::string(above).append("/").append(name));
      }
    }
    return changed;
  }

  // A name that is not there yet. If a directory appears under it, an empty one is replaced, which is as good.
  std::string free_name() {
    struct stat found {};
    std::string out;
    do {
      out = ".lifted-" + std::to_string(++lifted_);
    } while (fstatat(top_, out.c_str(), &found, AT_SYMLINK_NOFOLLOW) == 0);
    return out;
  }

  std::filesystem::path path_;
  int top_ = -1;
  std::int64_t lifted_ = 0;
  std::string reason_;
};

}  // namespace

Removal remove_tree(const std::filesystem::path& path) { return Remover(path).run(); }

}  // namespace fieldwork::agent
