#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <vector>

#include "archive_names.hpp"
#include "content/archive.hpp"

namespace fieldwork::content {
namespace {

namespace fs = std::filesystem;

struct FreeReader {
  void operator()(archive* a) const { archive_read_free(a); }
};
using Reader = std::unique_ptr<archive, FreeReader>;

Error failed(const std::string& name, const std::string& what) {
  return refused(name, Code::unavailable, what + ": " + std::strerror(errno));
}

/// The raw bytes of a name; `text` is null where the archive's character set does not fit our locale.
std::string text_or_utf8(const char* text, const char* utf8) {
  if (text != nullptr) return text;
  return utf8 != nullptr ? utf8 : "";
}

class File {
 public:
  File(const fs::path& path, mode_t mode)
      : descriptor_(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)), mode_(mode) {}
  ~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  [[nodiscard]] bool is_open() const { return descriptor_ >= 0; }

  bool write(const char* bytes, std::size_t size) {
    while (size > 0) {
      const ssize_t count = ::write(descriptor_, bytes, size);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return false;
      bytes += count;
      size -= static_cast<std::size_t>(count);
    }
    return true;
  }

  bool close() {
    const bool moded = fchmod(descriptor_, mode_) == 0;
    const int descriptor = descriptor_;
    descriptor_ = -1;
    return ::close(descriptor) == 0 && moded;
  }

 private:
  int descriptor_;
  mode_t mode_;
};

/// Unpacks one archive into one directory. This object made all that is in the directory, so its own list of names says
/// what a path leads through.
class Unpacking {
 public:
  Unpacking(const fs::path& root, std::uint64_t size_max) : root_(root), left_(size_max), buffer_(128 * 1024) {}

  Result<void> unpack(archive* reader, archive_entry* entry) {
    const std::string raw = text_or_utf8(archive_entry_pathname(entry), archive_entry_pathname_utf8(entry));
    if (++entries_ > archive_entries_max) return refused(raw, Code::invalid, "there are too many entries");
    const auto name = clean_name(raw);
    if (!name) return refused(raw, Code::invalid, "the name is empty, absolute, too long or has a ..");
    if (archive_entry_hardlink(entry) != nullptr) return refused(raw, Code::invalid, "is a hard link");
    const auto type = archive_entry_filetype(entry);
    if (name->empty() && type == AE_IFDIR) return {};
    if (name->empty()) return refused(raw, Code::invalid, "the name is empty");
    if (auto made = make_parents(*name); !made) return made;
    switch (type) {
      case AE_IFDIR: return make_directory(*name);
      case AE_IFREG: return make_file(*name, reader, entry);
      case AE_IFLNK:
        return make_link(*name, text_or_utf8(archive_entry_symlink(entry), archive_entry_symlink_utf8(entry)));
      default: return refused(raw, Code::invalid, "is neither a file, a directory nor a symbolic link");
    }
  }

 private:
  enum class Kind { implied_directory, directory, other };

  /// Notes a name; false where the name was noted before.
  bool is_new(const std::string& name, Kind kind) { return made_.emplace(name, kind).second; }

  Result<void> make_parents(const std::string& name) {
    for (auto slash = name.find('/'); slash != name.npos; slash = name.find('/', slash + 1)) {
      const std::string parent = name.substr(0, slash);
      const auto found = made_.find(parent);
      if (found == made_.end()) {
        if (made_.size() >= made_max) return refused(name, Code::invalid, "there are too many directories");
        if (auto made = create_directory(parent); !made) return made;
        made_.emplace(parent, Kind::implied_directory);
      } else if (found->second == Kind::other) {
        return refused(name, Code::invalid, "leads through " + parent + ", which is not a directory");
      }
    }
    return {};
  }

  Result<void> create_directory(const std::string& name) {
    const fs::path path = root_ / name;
    if (mkdir(path.c_str(), 0700) != 0 || chmod(path.c_str(), 0755) != 0) return failed(name, "cannot be made");
    return {};
  }

  Result<void> make_directory(const std::string& name) {
    const auto found = made_.find(name);
    if (found != made_.end() && found->second == Kind::implied_directory) {
      found->second = Kind::directory;
      return {};
    }
    if (!is_new(name, Kind::directory)) return refused(name, Code::invalid, "is there twice");
    return create_directory(name);
  }

  Result<void> make_link(const std::string& name, const std::string& target) {
    if (!is_new(name, Kind::other)) return refused(name, Code::invalid, "is there twice");
    if (!link_stays_inside(name, target)) {
      return refused(name, Code::invalid, "the link to " + target + " may lead outside");
    }
    if (symlink(target.c_str(), (root_ / name).c_str()) != 0) return failed(name, "cannot be made");
    return {};
  }

  Result<void> make_file(const std::string& name, archive* reader, archive_entry* entry) {
    if (!is_new(name, Kind::other)) return refused(name, Code::invalid, "is there twice");
    const auto size = archive_entry_size(entry);
    if (size < 0 || static_cast<std::uint64_t>(size) > left_) return too_large(name);
    File file(root_ / name, (archive_entry_perm(entry) & 0100) != 0 ? 0755 : 0644);
    if (!file.is_open()) return failed(name, "cannot be made");
    for (;;) {
      const la_ssize_t count = archive_read_data(reader, buffer_.data(), buffer_.size());
      if (count == 0) break;
      if (count < 0) return refused(name, Code::invalid, reason_of(reader));
      if (static_cast<std::uint64_t>(count) > left_) return too_large(name);
      left_ -= static_cast<std::uint64_t>(count);
      if (!file.write(buffer_.data(), static_cast<std::size_t>(count))) return failed(name, "cannot be written");
    }
    if (!file.close()) return failed(name, "cannot be written");
    return {};
  }

  static Error too_large(const std::string& name) {
    return refused(name, Code::invalid, "the files are larger than was announced");
  }

  static constexpr std::size_t made_max = 2 * archive_entries_max;

  const fs::path& root_;
  std::uint64_t left_;
  std::size_t entries_ = 0;
  std::map<std::string, Kind> made_;
  std::vector<char> buffer_;
};

Result<void> unpack_into(const fs::path& archive_path, const fs::path& directory, std::uint64_t size_max) {
  const Reader reader(archive_read_new());
  if (archive_read_support_format_tar(reader.get()) != ARCHIVE_OK ||
      archive_read_open_filename(reader.get(), archive_path.c_str(), 128 * 1024) != ARCHIVE_OK) {
    return refused(archive_path.string(), Code::invalid, reason_of(reader.get()));
  }
  Unpacking unpacking(directory, size_max);
  std::string last;
  for (;;) {
    archive_entry* entry = nullptr;
    const int status = archive_read_next_header(reader.get(), &entry);
    if (status == ARCHIVE_EOF) return {};
    // A warning is about a character set that is not this locale's. It is ignored: names are bytes here.
    if (status != ARCHIVE_OK && status != ARCHIVE_WARN) {
      const std::string after = last.empty() ? "" : " (after " + last + ")";
      return refused(archive_path.string(), Code::invalid, reason_of(reader.get()) + after);
    }
    if (const auto taken = unpacking.unpack(reader.get(), entry); !taken) return taken;
    last = text_or_utf8(archive_entry_pathname(entry), archive_entry_pathname_utf8(entry));
  }
}

void remove_all_in(const fs::path& directory) {
  std::error_code error;
  std::vector<fs::path> paths;
  for (fs::directory_iterator at(directory, error); !error && at != fs::directory_iterator(); at.increment(error)) {
    paths.push_back(at->path());
  }
  for (const fs::path& path : paths) fs::remove_all(path, error);
}

}  // namespace

Result<void> unpack(const fs::path& archive_path, const fs::path& directory, std::uint64_t size_max) {
  std::error_code error;
  const bool is_ours = fs::create_directory(directory, error);
  if (error) return refused(directory.string(), Code::unavailable, "cannot be made: " + error.message());
  if (!is_ours && !fs::is_empty(directory, error)) {
    return refused(directory.string(), Code::conflict, "is not an empty directory");
  }
  auto done = unpack_into(archive_path, directory, size_max);
  if (done) return done;
  remove_all_in(directory);
  if (is_ours) fs::remove(directory, error);
  return done;
}

}  // namespace fieldwork::content
