#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <vector>

#include "archive_names.hpp"
#include "content/archive.hpp"
#include "crypto/bytes.hpp"
#include "crypto/digest.hpp"
#include "listed.hpp"
#include "packing.hpp"

namespace fieldwork::content {
namespace {

namespace fs = std::filesystem;

struct FreeWriter {
  void operator()(archive* a) const { archive_write_free(a); }
};
struct FreeEntry {
  void operator()(archive_entry* entry) const { archive_entry_free(entry); }
};
using Writer = std::unique_ptr<archive, FreeWriter>;
using Entry = std::unique_ptr<archive_entry, FreeEntry>;

Result<Item> item_of(std::string name, const fs::path& path) {
  std::error_code error;
  Item item{std::move(name), path, fs::symlink_status(path, error).type()};
  if (error) return refused(item.name, Code::unavailable, "cannot be examined: " + error.message());
  if (item.name.size() > archive_name_bytes_max) return refused(item.name, Code::invalid, "the name is too long");
  switch (item.type) {
    case fs::file_type::regular:
    case fs::file_type::directory: return item;
    case fs::file_type::symlink: break;
    default: return refused(item.name, Code::invalid, "is neither a file, a directory nor a symbolic link");
  }
  item.target = fs::read_symlink(path, error).string();
  if (error) return refused(item.name, Code::unavailable, "cannot be examined: " + error.message());
  if (!link_stays_inside(item.name, item.target)) {
    return refused(item.name, Code::invalid, "the link to " + item.target + " may lead outside");
  }
  return item;
}

/// Everything under the root, sorted by the bytes of its name.
Result<std::vector<Item>> items_under(const fs::path& root) {
  std::vector<Item> items;
  std::error_code error;
  fs::recursive_directory_iterator at(root, error);
  for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    auto item = item_of(at->path().lexically_relative(root).generic_string(), at->path());
    if (!item) return item.error();
    items.push_back(std::move(*item));
    if (items.size() > archive_entries_max) return refused(root.string(), Code::invalid, "holds too many entries");
  }
  if (error) return refused(root.string(), Code::unavailable, "cannot be listed: " + error.message());
  std::sort(items.begin(), items.end(), [](const Item& a, const Item& b) { return a.name < b.name; });
  return items;
}

/// The header of an entry; for a file with the size that was found on disk.
Result<Entry> entry_of(const Item& item) {
  Entry entry(archive_entry_new());
  archive_entry_copy_pathname(entry.get(), item.name.c_str());
  archive_entry_set_mtime(entry.get(), 0, 0);
  archive_entry_set_uid(entry.get(), 0);
  archive_entry_set_gid(entry.get(), 0);
  archive_entry_set_size(entry.get(), 0);
  if (item.type == fs::file_type::directory) {
    archive_entry_set_filetype(entry.get(), AE_IFDIR);
    archive_entry_set_perm(entry.get(), 0755);
  } else if (item.type == fs::file_type::symlink) {
    archive_entry_set_filetype(entry.get(), AE_IFLNK);
    archive_entry_set_perm(entry.get(), 0755);
    archive_entry_copy_symlink(entry.get(), item.target.c_str());
  } else {
    std::error_code error;
    const auto size = fs::file_size(item.path, error);
    if (error) return refused(item.name, Code::unavailable, "cannot be examined: " + error.message());
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    archive_entry_set_perm(entry.get(), is_executable(item.path) ? 0755 : 0644);
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(size));
  }
  return entry;
}

Result<void> write_bytes(archive* writer, const Item& item, la_int64_t size, std::vector<char>& buffer) {
  std::ifstream in(item.path, std::ios::binary);
  if (!in) return refused(item.name, Code::unavailable, "cannot be opened");
  crypto::Sha256 hash;
  while (in && size >= 0) {
    in.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    const auto count = in.gcount();
    size -= count;
    if (size < 0 || count == 0) break;
    if (archive_write_data(writer, buffer.data(), static_cast<std::size_t>(count)) != count) {
      return refused(item.name, Code::unavailable, reason_of(writer));
    }
    if (!item.digest.empty()) hash.update({buffer.data(), static_cast<std::size_t>(count)});
  }
  if (in.bad()) return refused(item.name, Code::unavailable, "cannot be read");
  const bool same = item.digest.empty() || item.digest == "sha256:" + crypto::to_hex(hash.finish());
  if (size != 0 || !same) return refused(item.name, Code::unavailable, "changed while it was packed");
  return {};
}

/// hdrcharset=BINARY: names are written as they are, whatever the locale is. Set only where a name or target is not
/// ASCII: it costs every entry a pax header.
const char* options_for(const std::vector<Item>& items) {
  const auto is_ascii = [](const std::string& text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  };
  const auto plain = [&](const Item& item) { return is_ascii(item.name) && is_ascii(item.target); };
  return std::all_of(items.begin(), items.end(), plain) ? "" : "hdrcharset=BINARY";
}

Result<void> write_manifest(archive* writer, const std::string& text) {
  const Entry entry(archive_entry_new());
  archive_entry_copy_pathname(entry.get(), manifest_name);
  archive_entry_set_mtime(entry.get(), 0, 0);
  archive_entry_set_uid(entry.get(), 0);
  archive_entry_set_gid(entry.get(), 0);
  archive_entry_set_filetype(entry.get(), AE_IFREG);
  archive_entry_set_perm(entry.get(), 0644);
  archive_entry_set_size(entry.get(), static_cast<la_int64_t>(text.size()));
  if (archive_write_header(writer, entry.get()) != ARCHIVE_OK ||
      archive_write_data(writer, text.data(), text.size()) != static_cast<la_ssize_t>(text.size()))
    return refused(manifest_name, Code::unavailable, reason_of(writer));
  return {};
}

Result<void> write_archive(const std::vector<Item>& items, const std::string& manifest, const fs::path& path) {
  const Writer writer(archive_write_new());
  if (archive_write_set_format_pax_restricted(writer.get()) != ARCHIVE_OK ||
      archive_write_set_options(writer.get(), options_for(items)) != ARCHIVE_OK ||
      archive_write_set_bytes_per_block(writer.get(), 10240) != ARCHIVE_OK ||
      archive_write_set_bytes_in_last_block(writer.get(), 10240) != ARCHIVE_OK ||
      archive_write_open_filename(writer.get(), path.c_str()) != ARCHIVE_OK) {
    return refused(path.string(), Code::unavailable, reason_of(writer.get()));
  }
  if (!manifest.empty()) {
    if (auto written = write_manifest(writer.get(), manifest); !written) return written;
  }
  std::vector<char> buffer(128 * 1024);
  for (const Item& item : items) {
    const auto entry = entry_of(item);
    if (!entry) return entry.error();
    if (archive_write_header(writer.get(), entry->get()) != ARCHIVE_OK) {
      return refused(item.name, Code::unavailable, reason_of(writer.get()));
    }
    if (item.type != fs::file_type::regular) continue;
    const auto written = write_bytes(writer.get(), item, archive_entry_size(entry->get()), buffer);
    if (!written) return written;
  }
  if (archive_write_close(writer.get()) != ARCHIVE_OK) {
    return refused(path.string(), Code::unavailable, reason_of(writer.get()));
  }
  return {};
}

bool is_inside(const fs::path& path, const fs::path& root) {
  std::error_code error;
  const fs::path whole = fs::weakly_canonical(fs::absolute(path), error);
  const fs::path relative = whole.lexically_relative(fs::weakly_canonical(fs::absolute(root), error));
  return !relative.empty() && *relative.begin() != "..";
}

}  // namespace

bool is_executable(const fs::path& path) {
  std::error_code ignored;
  return (fs::status(path, ignored).permissions() & fs::perms::owner_exec) != fs::perms::none;
}

Result<std::vector<Item>> items_of(const fs::path& directory_or_file) {
  std::error_code error;
  const fs::file_status status = fs::status(directory_or_file, error);
  if (fs::is_directory(status)) return items_under(directory_or_file);
  if (!fs::is_regular_file(status)) {
    return refused(directory_or_file.string(), Code::invalid, "is neither a file nor a directory, or does not exist");
  }
  return std::vector<Item>{Item{directory_or_file.filename().string(), directory_or_file, fs::file_type::regular}};
}

Result<std::string> write_archive_of(const std::vector<Item>& items, const std::string& manifest,
                                     const fs::path& directory_or_file, const fs::path& archive_path) {
  if (is_inside(archive_path, directory_or_file)) {
    return refused(archive_path.string(), Code::invalid, "the archive would pack itself");
  }
  const auto written = write_archive(items, manifest, archive_path);
  if (written) return crypto::digest_of_file(archive_path);
  std::error_code ignored;
  fs::remove(archive_path, ignored);
  return written.error();
}

Result<std::string> pack(const fs::path& directory_or_file, const fs::path& archive_path) {
  const auto items = items_of(directory_or_file);
  if (!items) return items.error();
  return write_archive_of(*items, "", directory_or_file, archive_path);
}

}  // namespace fieldwork::content
