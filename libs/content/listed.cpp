#include "listed.hpp"

#include "archive_names.hpp"

namespace fieldwork::content {
namespace {

const char* name_of(ManifestFile::Kind kind) {
  switch (kind) {
    case ManifestFile::Kind::file: return "a file";
    case ManifestFile::Kind::directory: return "a directory";
    case ManifestFile::Kind::link: return "a link";
  }
  return "a file";
}

}  // namespace

bool is_reserved(std::string_view name) {
  const std::string_view directory = manifest_directory;
  return name.starts_with(directory) && (name.size() == directory.size() || name[directory.size()] == '/');
}

Result<Listed> Listed::of(Manifest manifest, std::uint64_t size_max) {
  Listed out;
  for (auto& file : manifest.files) {
    auto path = file.path;
    if (is_reserved(path) || clean_name(path) != path)
      return refused(path, Code::invalid, "the manifest has a path that no file may have");
    const auto size = static_cast<std::uint64_t>(file.size_bytes);
    if (size > size_max) return refused(path, Code::invalid, "the files are larger than was announced");
    size_max -= size;
    if (!out.all_.emplace(path, One{std::move(file)}).second)
      return refused(path, Code::invalid, "is in the manifest twice");
  }
  return out;
}

Result<const ManifestFile*> Listed::take(const std::string& name, ManifestFile::Kind kind) {
  const auto it = all_.find(name);
  if (it == all_.end()) return refused(name, Code::invalid, "is not in the manifest");
  if (it->second.file.kind != kind)
    return refused(name, Code::invalid,
                   std::string("is ") + name_of(kind) + ", the manifest says " + name_of(it->second.file.kind));
  it->second.came = true;
  return &it->second.file;
}

std::optional<Error> Listed::missing() const {
  for (const auto& [path, one] : all_) {
    if (!one.came) return refused(path, Code::invalid, "is in the manifest and not in the package");
  }
  return std::nullopt;
}

}  // namespace fieldwork::content
