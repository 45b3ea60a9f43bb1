#include "codec/manifest.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "inside.hpp"
#include "package_about.hpp"

namespace fieldwork::codec {
namespace {

Json written_needs(const Capacity& needs) {
  auto out = Json::object();
  if (needs.cpu_millis > 0) out["cpu_millis"] = needs.cpu_millis;
  if (needs.memory_bytes > 0) out["memory_bytes"] = needs.memory_bytes;
  if (needs.storage_bytes > 0) out["storage_bytes"] = needs.storage_bytes;
  return out;
}

Capacity read_needs(Reader& parent, const Json& value) {
  Reader reader(parent, "needs", value);
  const Capacity out{reader.integer_or("cpu_millis", 0, 1, limits::cpu_millis_max),
                     reader.integer_or("memory_bytes", 0, 1, limits::size_bytes_max),
                     reader.integer_or("storage_bytes", 0, 1, limits::size_bytes_max)};
  reader.finish();
  return out;
}

bool is_architecture(std::string_view word) {
  return !word.empty() && std::all_of(word.begin(), word.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

Json written_file(const ManifestFile& file) {
  using Kind = ManifestFile::Kind;
  Json out{{"path", file.path}};
  if (file.kind == Kind::link) {
    out["link"] = file.target;
    return out;
  }
  out["mode"] = file.executable || file.kind == Kind::directory ? "0755" : "0644";
  if (file.kind == Kind::directory) return out;
  out["size_bytes"] = file.size_bytes;
  out["digest"] = file.digest;
  return out;
}

ManifestFile read_manifest_file(Reader& parent, std::size_t index, const Json& value) {
  using Kind = ManifestFile::Kind;
  Reader reader(parent, "files", index, value);
  ManifestFile out{.path = reader.text("path", limits::manifest_path_bytes_max)};
  if (reader.ok() && !is_inside(out.path)) reader.fail("path", "must be a relative path inside the package");
  out.target = reader.text_or("link", "", limits::manifest_path_bytes_max);
  if (out.target.empty()) out.digest = reader.digest_or_empty("digest");
  out.kind = !out.target.empty() ? Kind::link : out.digest.empty() ? Kind::directory : Kind::file;
  if (out.kind != Kind::link) {
    const auto mode = reader.text("mode", 4);
    out.executable = out.kind == Kind::file && mode == "0755";
    const bool good = mode == "0755" || (out.kind == Kind::file && mode == "0644");
    if (reader.ok() && !good) reader.fail("mode", out.kind == Kind::file ? "must be 0644 or 0755" : "must be 0755");
  }
  if (out.kind == Kind::file) out.size_bytes = reader.integer("size_bytes", 0, limits::size_bytes_max);
  reader.finish();
  return out;
}

}  // namespace

void write_package_about(Json& out, const PackageAbout& about) {
  if (!about.architecture.empty()) out["architecture"] = about.architecture;
  if (!about.entry.empty()) out["entry"] = about.entry;
  if (about.needs != Capacity{}) out["needs"] = written_needs(about.needs);
}

PackageAbout read_package_about(Reader& reader) {
  PackageAbout out;
  out.architecture = reader.text_or("architecture", "", limits::architecture_bytes_max);
  if (reader.ok() && !out.architecture.empty() && !is_architecture(out.architecture))
    reader.fail("architecture", "must be a word as uname -m says it");
  out.architecture = architecture_named(out.architecture);
  const bool entry = reader.array_maybe("entry", limits::command_words_max) != nullptr;
  out.entry = reader.texts_or_empty("entry", limits::command_words_max, limits::command_word_bytes_max);
  if (reader.ok() && entry && (out.entry.empty() || out.entry.front().empty()))
    reader.fail("entry", "must name a program");
  if (const Json* needs = reader.object_maybe("needs")) out.needs = read_needs(reader, *needs);
  return out;
}

std::string encode(const Manifest& manifest) {
  auto files = Json::array();
  for (const auto& file : manifest.files) files.push_back(written_file(file));
  Json out{{"v", 1}, {"files", std::move(files)}};
  write_package_about(out, manifest.about);
  return dump(out);
}

Result<Manifest> decode_manifest(std::string_view text) {
  auto value = parse(text, limits::manifest_bytes_max);
  if (!value) return value.error();
  Reader reader(*value);
  reader.version();
  Manifest out{.about = read_package_about(reader), .files = {}};
  if (const Json* files = reader.array("files", limits::manifest_files_max)) {
    out.files.reserve(files->size());
    for (std::size_t i = 0; i < files->size() && reader.ok(); ++i)
      out.files.push_back(read_manifest_file(reader, i, (*files)[i]));
  }
  if (!reader.finish()) return reader.error();
  return out;
}

std::string encode(const PackageAbout& about) {
  auto out = Json::object();
  write_package_about(out, about);
  return dump(out);
}

Result<PackageAbout> decode_about(std::string_view text) {
  auto value = parse(text);
  if (!value) return value.error();
  Reader reader(*value);
  auto out = read_package_about(reader);
  if (!reader.finish()) return reader.error();
  return out;
}

Result<PackageAbout> decode_manifest_template(std::string_view text) {
  auto value = parse(text, limits::manifest_bytes_max);
  if (!value) return value.error();
  Reader reader(*value);
  reader.version();
  auto out = read_package_about(reader);
  (void)reader.any_maybe("files");
  if (!reader.finish()) return reader.error();
  return out;
}

}  // namespace fieldwork::codec
