#include "content/only_file.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "archive_names.hpp"
#include "listed.hpp"

namespace fieldwork::content {
namespace {

namespace fs = std::filesystem;

struct FreeOnly {
  void operator()(archive* a) const { archive_read_free(a); }
};
using OnlyReader = std::unique_ptr<archive, FreeOnly>;

bool write_out(int descriptor, const char* bytes, std::size_t size) {
  while (size > 0) {
    const ssize_t count = ::write(descriptor, bytes, size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    bytes += count;
    size -= static_cast<std::size_t>(count);
  }
  return true;
}

Error only_too_large(const std::string& name, std::uint64_t size, std::uint64_t size_max) {
  return refused(name, Code::unavailable,
                 "disk: the file has " + std::to_string(size) + " bytes, and " + std::to_string(size_max) +
                     " are free where it goes");
}

Result<OnlyFile> take_entry(archive* reader, archive_entry* entry, int descriptor, std::uint64_t size_max) {
  const char* raw = archive_entry_pathname(entry);
  OnlyFile out{.name = raw != nullptr ? raw : "", .executable = (archive_entry_perm(entry) & 0100) != 0};
  const auto said = archive_entry_size(entry);
  if (said < 0 || static_cast<std::uint64_t>(said) > size_max)
    return only_too_large(out.name, static_cast<std::uint64_t>(said), size_max);
  std::vector<char> buffer(128 * 1024);
  for (;;) {
    const la_ssize_t count = archive_read_data(reader, buffer.data(), buffer.size());
    if (count == 0) return out;
    if (count < 0) return refused(out.name, Code::invalid, reason_of(reader));
    out.size_bytes += static_cast<std::uint64_t>(count);
    if (out.size_bytes > size_max) return only_too_large(out.name, out.size_bytes, size_max);
    if (!write_out(descriptor, buffer.data(), static_cast<std::size_t>(count)))
      return refused(out.name, Code::unavailable, std::string("disk: cannot be written: ") + std::strerror(errno));
  }
}

}  // namespace

Result<OnlyFile> take_only_file(const fs::path& archive_path, int descriptor, std::uint64_t size_max) {
  const OnlyReader reader(archive_read_new());
  if (archive_read_support_format_tar(reader.get()) != ARCHIVE_OK ||
      archive_read_open_filename(reader.get(), archive_path.c_str(), 128 * 1024) != ARCHIVE_OK)
    return refused(archive_path.string(), Code::invalid, reason_of(reader.get()));
  std::optional<OnlyFile> out;
  const auto not_one = [&] { return Error{Code::invalid, "the package is not one file: it can only be staged"}; };
  for (;;) {
    archive_entry* entry = nullptr;
    const int status = archive_read_next_header(reader.get(), &entry);
    if (status == ARCHIVE_EOF) break;
    if (status != ARCHIVE_OK && status != ARCHIVE_WARN)
      return refused(archive_path.string(), Code::invalid, reason_of(reader.get()));
    const auto type = archive_entry_filetype(entry);
    const char* raw = archive_entry_pathname(entry);
    if (type == AE_IFDIR || (raw != nullptr && clean_name(raw) == manifest_name)) continue;
    if (type != AE_IFREG || out || archive_entry_hardlink(entry) != nullptr) return not_one();
    auto taken = take_entry(reader.get(), entry, descriptor, size_max);
    if (!taken) return taken.error();
    out = std::move(*taken);
  }
  if (!out) return not_one();
  return *out;
}

}  // namespace fieldwork::content
