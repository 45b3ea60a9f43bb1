// Package content: one deterministic archive (docs/formats.md, "Package content"). The same tree gives the same bytes
// on every machine, under every user, umask, locale and clock.
//
// A symbolic link stays inside if its target is relative and consists of some "..", no more than the link is deep,
// followed by plain names. A ".." after a name is refused even where the target would stay inside: the name may be
// another link, behind which it would not. Names are bytes; no character set is assumed. Two hard links are packed as
// two files.
//
// A package is an archive whose first entry is its manifest, .fieldwork/manifest.json: what is in the archive, and what
// the package says of itself. The manifest is not unpacked. Names in a package are UTF-8. Nothing else may be in
// .fieldwork.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "content/limits.hpp"
#include "model/manifest.hpp"

namespace fieldwork::content {

/// Packs a directory's content, or one file under its own name, and returns the archive's digest ("sha256:…"). Refuses
/// sockets, pipes, devices, links that leave the directory, too many entries, and an archive inside of the directory
/// itself. After an Error there is no file at `archive_path`. A tree that changes meanwhile gives an Error or a mixture
/// of old and new.
[[nodiscard]] Result<std::string> pack(const std::filesystem::path& directory_or_file,
                                       const std::filesystem::path& archive_path);

struct PackedPackage {
  std::string digest;
  PackageAbout about;  // as the manifest says it
};

/// Packs a package, as pack() does. A manifest in the directory says what `given` leaves empty: its `files` are not
/// read, they are always as they are on the disk. Refuses what pack() refuses, anything else in .fieldwork, an entry
/// with a '/' that is not in the package, and what has no place in a manifest of limits::manifest_bytes_max.
[[nodiscard]] Result<PackedPackage> pack_package(const std::filesystem::path& directory_or_file,
                                                 const std::filesystem::path& archive_path,
                                                 const PackageAbout& given = {});

/// The manifest of an archive; none: it has none. Only the first entry is read.
[[nodiscard]] Result<std::optional<Manifest>> read_manifest(const std::filesystem::path& archive_path);

/// Unpacks an archive, which anyone may have made, into `directory`, which must be new or empty and which nobody else
/// writes to. Accepts only files, directories and links that stay inside; no absolute name, no "..", no entry twice or
/// through a link, no setuid, setgid or sticky bit; at most archive_entries_max entries and `size_max` bytes of files.
/// Modes become 0755 or 0644, the owner is the caller, the times are now. Where there is a manifest, the archive must
/// hold exactly what that says. After an Error, whose path is the entry's name, `directory` is as it was before.
[[nodiscard]] Result<void> unpack(const std::filesystem::path& archive_path, const std::filesystem::path& directory,
                                  std::uint64_t size_max);

}  // namespace fieldwork::content
