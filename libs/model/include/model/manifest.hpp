// The manifest of a package: what is in its archive, and what the package says of itself (docs/formats.md).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/package.hpp"

namespace fieldwork {

struct ManifestFile {
  enum class Kind { file, directory, link };
  Kind kind = Kind::file;
  std::string path;             // relative, without "..", empty levels and a '/' at its end
  bool executable = false;      // of a file: mode 0755, else 0644; a directory is 0755
  std::int64_t size_bytes = 0;  // of a file
  std::string digest{};         // of a file
  std::string target{};         // of a link
  bool operator==(const ManifestFile&) const = default;
};

struct Manifest {
  PackageAbout about;
  std::vector<ManifestFile> files;  // in the order of the archive; the manifest itself is not among them
  bool operator==(const Manifest&) const = default;
};

}  // namespace fieldwork
