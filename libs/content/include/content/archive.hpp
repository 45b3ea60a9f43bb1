// Package content: one deterministic archive (docs/formats.md, "Package content"). The same tree gives the same bytes
// on every machine, under every user, umask, locale and clock.
//
// A symbolic link stays inside if its target is relative and consists of some "..", no more than the link is deep,
// followed by plain names. A ".." after a name is refused even where the target would stay inside: the name may be
// another link, behind which it would not. Names are bytes; no character set is assumed. Two hard links are packed as
// two files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

#include "base/result.hpp"
#include "content/limits.hpp"

namespace fieldwork::content {

/// Packs a directory's content, or one file under its own name, and returns the archive's digest ("sha256:…"). Refuses
/// sockets, pipes, devices, links that leave the directory, too many entries, and an archive inside of the directory
/// itself. After an Error there is no file at `archive_path`. A tree that changes meanwhile gives an Error or a mixture
/// of old and new.
[[nodiscard]] Result<std::string> pack(const std::filesystem::path& directory_or_file,
                                       const std::filesystem::path& archive_path);

/// Unpacks an archive, which anyone may have made, into `directory`, which must be new or empty and which nobody else
/// writes to. Accepts only files, directories and links that stay inside; no absolute name, no "..", no entry twice or
/// through a link; at most archive_entries_max entries and `size_max` bytes of files. Modes become 0755 or 0644, the
/// owner is the caller, the times are now. After an Error, whose path is the entry's name, `directory` is as it was
/// before.
[[nodiscard]] Result<void> unpack(const std::filesystem::path& archive_path, const std::filesystem::path& directory,
                                  std::uint64_t size_max);

}  // namespace fieldwork::content
