// The rules for names in an archive, the same for packing and unpacking. Private to this library.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

struct archive;

namespace fieldwork::content {

/// The name without ".", empty components and a trailing '/' ("" for the archive's own root); nullopt where the name is
/// absolute, has a ".." or is too long.
[[nodiscard]] std::optional<std::string> clean_name(std::string_view name);

/// Whether a link with this clean name may point to this target: see archive.hpp.
[[nodiscard]] bool link_stays_inside(std::string_view clean_name, std::string_view target);

/// The error whose path is the name of the archive's member.
[[nodiscard]] inline Error refused(const std::string& name, Code code, std::string reason) {
  return Error{code, std::move(reason), name};
}

/// What libarchive says went wrong.
[[nodiscard]] std::string reason_of(archive* a);

}  // namespace fieldwork::content
