// A package: the archive with its manifest.
#include <algorithm>
#include <fstream>
#include <iterator>

#include "archive_names.hpp"
#include "base/text.hpp"
#include "codec/manifest.hpp"
#include "content/archive.hpp"
#include "crypto/digest.hpp"
#include "listed.hpp"
#include "model/limits.hpp"
#include "packing.hpp"

namespace fieldwork::content {
namespace {

namespace fs = std::filesystem;

static_assert(limits::manifest_files_max == archive_entries_max);

// Takes .fieldwork out of the items: what the manifest says that was written there.
Result<PackageAbout> take_template(std::vector<Item>& items) {
  PackageAbout out;
  for (const Item& item : items) {
    if (!is_reserved(item.name)) continue;
    if (item.name == manifest_directory && item.type == fs::file_type::directory) continue;
    if (item.name != manifest_name || item.type != fs::file_type::regular)
      return refused(item.name, Code::invalid, "only the file manifest.json may be in .fieldwork");
    std::error_code error;
    const auto size = fs::file_size(item.path, error);
    if (error || size > limits::manifest_bytes_max) return refused(item.name, Code::invalid, "is larger than 4 MiB");
    std::ifstream in(item.path, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    auto read = codec::decode_manifest_template(text);
    if (!read) return refused(item.name, Code::invalid, describe(read.error()));
    out = std::move(*read);
  }
  std::erase_if(items, [](const Item& item) { return is_reserved(item.name); });
  return out;
}

PackageAbout merged(PackageAbout out, const PackageAbout& given) {
  if (!given.architecture.empty()) out.architecture = architecture_named(given.architecture);
  if (!given.entry.empty()) out.entry = given.entry;
  const auto take = [](std::int64_t& need, std::int64_t one) { need = one > 0 ? one : need; };
  take(out.needs.cpu_millis, given.needs.cpu_millis);
  take(out.needs.memory_bytes, given.needs.memory_bytes);
  take(out.needs.storage_bytes, given.needs.storage_bytes);
  return out;
}

Result<ManifestFile> listed_as(Item& item) {
  using Kind = ManifestFile::Kind;
  if (!is_text(item.name) || !is_text(item.target))
    return refused(item.name, Code::invalid, "the name is not UTF-8: a manifest cannot say it");
  ManifestFile out{.kind = Kind::link, .path = item.name, .target = item.target};
  if (item.type == fs::file_type::directory) out.kind = Kind::directory;
  if (item.type != fs::file_type::regular) return out;
  out.kind = Kind::file;
  out.executable = is_executable(item.path);
  std::error_code error;
  const auto size = fs::file_size(item.path, error);
  if (error) return refused(item.name, Code::unavailable, "cannot be examined: " + error.message());
  out.size_bytes = static_cast<std::int64_t>(size);
  auto digest = crypto::digest_of_file(item.path);
  if (!digest) return refused(item.name, Code::unavailable, digest.error().reason);
  out.digest = item.digest = std::move(*digest);
  return out;
}

// A program with a '/' is looked up in the package.
std::optional<Error> bad_entry(const Manifest& manifest) {
  if (manifest.about.entry.empty()) return std::nullopt;
  const auto& program = manifest.about.entry.front();
  if (program.find('/') == program.npos || program.front() == '/') return std::nullopt;
  const auto name = clean_name(program);
  const auto is_there = [&](const ManifestFile& file) {
    return name == file.path && (file.executable || file.kind == ManifestFile::Kind::link);
  };
  if (std::any_of(manifest.files.begin(), manifest.files.end(), is_there)) return std::nullopt;
  return refused(program, Code::invalid, "the entry is no program in the package");
}

}  // namespace

Result<PackedPackage> pack_package(const fs::path& directory_or_file, const fs::path& archive_path,
                                   const PackageAbout& given) {
  auto items = items_of(directory_or_file);
  if (!items) return items.error();
  auto written = take_template(*items);
  if (!written) return written.error();
  if (items->size() >= archive_entries_max)
    return refused(directory_or_file.string(), Code::invalid, "holds too many entries");
  Manifest manifest{.about = merged(std::move(*written), given), .files = {}};
  for (Item& item : *items) {
    auto file = listed_as(item);
    if (!file) return file.error();
    manifest.files.push_back(std::move(*file));
  }
  if (auto bad = bad_entry(manifest)) return *bad;
  const auto text = codec::encode(manifest);
  if (text.size() > limits::manifest_bytes_max)
    return refused(directory_or_file.string(), Code::invalid,
                   "holds too many files for a manifest of 4 MiB: pack some of them as one file");
  // The limits of what is said are those of who reads it.
  if (const auto good = codec::decode_manifest(text); !good)
    return refused(manifest_name, Code::invalid, describe(good.error()));
  auto digest = write_archive_of(*items, text, directory_or_file, archive_path);
  if (!digest) return digest.error();
  return PackedPackage{std::move(*digest), std::move(manifest.about)};
}

}  // namespace fieldwork::content
