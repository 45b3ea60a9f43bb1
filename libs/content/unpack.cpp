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
#include "codec/manifest.hpp"
#include "content/archive.hpp"
#include "crypto/bytes.hpp"
#include "crypto/digest.hpp"
#include "listed.hpp"
#include "model/limits.hpp"

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

/// The manifest in the entry that the reader has come to.
Result<Manifest> manifest_of(archive* reader, archive_entry* entry) {
  const auto size = archive_entry_size(entry);
  if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry) != nullptr || size < 0 ||
      static_cast<std::uint64_t>(size) > limits::manifest_bytes_max)
    return refused(manifest_name, Code::invalid, "is no file of at most 4 MiB");
  std::string text(static_cast<std::size_t>(size), '\0');
  std::size_t got = 0;
  while (got < text.size()) {
    const la_ssize_t count = archive_read_data(reader, text.data() + got, text.size() - got);
    if (count <= 0) return refused(manifest_name, Code::invalid, count < 0 ? reason_of(reader) : "ends too early");
    got += static_cast<std::size_t>(count);
  }
  auto manifest = codec::decode_manifest(text);
  if (!manifest) return refused(manifest_name, Code::invalid, describe(manifest.error()));
  return manifest;
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
    if (type != AE_IFDIR && type != AE_IFREG && type != AE_IFLNK)
      return refused(raw, Code::invalid, "is neither a file, a directory nor a symbolic link");
    if (type != AE_IFLNK && (archive_entry_perm(entry) & 07000) != 0)
      return refused(raw, Code::invalid, "has a setuid, setgid or sticky bit");
    if (name->empty() && type == AE_IFDIR) return {};
    if (name->empty()) return refused(raw, Code::invalid, "the name is empty");
    if (*name == manifest_name) return read_manifest_entry(reader, entry);
    const auto listed = take_listed(*name, type);
    if (!listed) return listed.error();
    if (auto made = make_parents(*name); !made) return made;
    if (type == AE_IFDIR) return make_directory(*name);
    if (type == AE_IFREG) return make_file(*name, reader, entry, *listed);
    return make_link(*name, text_or_utf8(archive_entry_symlink(entry), archive_entry_symlink_utf8(entry)), *listed);
  }

  /// Whether all came that the manifest says, where there is one.
  Result<void> finish() const {
    if (const auto missing = listed_ ? listed_->missing() : std::nullopt) return *missing;
    return {};
  }

 private:
  enum class Kind { implied_directory, directory, other };

  Result<void> read_manifest_entry(archive* reader, archive_entry* entry) {
    if (entries_ != 1) return refused(manifest_name, Code::invalid, "is not the first entry");
    auto manifest = manifest_of(reader, entry);
    if (!manifest) return manifest.error();
    auto listed = Listed::of(std::move(*manifest), left_);
    if (!listed) return listed.error();
    listed_ = std::move(*listed);
    return {};
  }

  /// Null: there is no manifest.
  Result<const ManifestFile*> take_listed(const std::string& name, unsigned type) {
    if (!listed_) return nullptr;
    using Is = ManifestFile::Kind;
    return listed_->take(name, type == AE_IFDIR ? Is::directory : type == AE_IFLNK ? Is::link : Is::file);
  }

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

  Result<void> make_link(const std::string& name, const std::string& target, const ManifestFile* listed) {
    if (listed != nullptr && listed->target != target)
      return refused(name, Code::invalid, "leads to " + target + ", the manifest says " + listed->target);
    if (!is_new(name, Kind::other)) return refused(name, Code::invalid, "is there twice");
    if (!link_stays_inside(name, target)) {
      return refused(name, Code::invalid, "the link to " + target + " may lead outside");
    }
    if (symlink(target.c_str(), (root_ / name).c_str()) != 0) return failed(name, "cannot be made");
    return {};
  }

  Result<void> make_file(const std::string& name, archive* reader, archive_entry* entry, const ManifestFile* listed) {
    if (!is_new(name, Kind::other)) return refused(name, Code::invalid, "is there twice");
    const auto size = archive_entry_size(entry);
    if (size < 0 || static_cast<std::uint64_t>(size) > left_) return too_large(name);
    if (listed != nullptr && size != listed->size_bytes)
      return refused(name, Code::invalid,
                     "has " + std::to_string(size) + " bytes, the manifest says " + std::to_string(listed->size_bytes));
    if (listed != nullptr && archive_entry_perm(entry) != (listed->executable ? 0755U : 0644U))
      return refused(name, Code::invalid,
                     std::string("has another mode: the manifest says ") + (listed->executable ? "0755" : "0644"));
    File file(root_ / name, (archive_entry_perm(entry) & 0100) != 0 ? 0755 : 0644);
    if (!file.is_open()) return failed(name, "cannot be made");
    crypto::Sha256 hash;
    for (;;) {
      const la_ssize_t count = archive_read_data(reader, buffer_.data(), buffer_.size());
      if (count == 0) break;
      if (count < 0) return refused(name, Code::invalid, reason_of(reader));
      if (static_cast<std::uint64_t>(count) > left_) return too_large(name);
      left_ -= static_cast<std::uint64_t>(count);
      if (listed != nullptr) hash.update({buffer_.data(), static_cast<std::size_t>(count)});
      if (!file.write(buffer_.data(), static_cast<std::size_t>(count))) return failed(name, "cannot be written");
    }
    if (!file.close()) return failed(name, "cannot be written");
    if (listed != nullptr && "sha256:" + crypto::to_hex(hash.finish()) != listed->digest)
      return refused(name, Code::invalid, "is not what the manifest says: it has another digest");
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
  std::optional<Listed> listed_;
};

Result<Reader> opened(const fs::path& archive_path) {
  Reader reader(archive_read_new());
  if (archive_read_support_format_tar(reader.get()) != ARCHIVE_OK ||
      archive_read_open_filename(reader.get(), archive_path.c_str(), 128 * 1024) != ARCHIVE_OK) {
    return refused(archive_path.string(), Code::invalid, reason_of(reader.get()));
  }
  return reader;
}

Result<void> unpack_into(const fs::path& archive_path, const fs::path& directory, std::uint64_t size_max) {
  const auto open = opened(archive_path);
  if (!open) return open.error();
  const Reader& reader = *open;
  Unpacking unpacking(directory, size_max);
  std::string last;
  for (;;) {
    archive_entry* entry = nullptr;
    const int status = archive_read_next_header(reader.get(), &entry);
    if (status == ARCHIVE_EOF) return unpacking.finish();
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

Result<std::optional<Manifest>> read_manifest(const fs::path& archive_path) {
  const auto reader = opened(archive_path);
  if (!reader) return reader.error();
  archive_entry* entry = nullptr;
  const int status = archive_read_next_header(reader->get(), &entry);
  if (status == ARCHIVE_EOF) return std::optional<Manifest>();
  if (status != ARCHIVE_OK && status != ARCHIVE_WARN)
    return refused(archive_path.string(), Code::invalid, reason_of(reader->get()));
  const auto raw = text_or_utf8(archive_entry_pathname(entry), archive_entry_pathname_utf8(entry));
  if (clean_name(raw) != manifest_name) return std::optional<Manifest>();
  auto manifest = manifest_of(reader->get(), entry);
  if (!manifest) return manifest.error();
  return std::optional(std::move(*manifest));
}

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
