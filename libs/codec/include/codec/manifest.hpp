// The manifest of a package <-> JSON: .fieldwork/manifest.json (docs/formats.md).
#pragma once

#include "codec/json.hpp"
#include "model/manifest.hpp"

namespace fieldwork::codec {

// The same manifest gives the same bytes.
[[nodiscard]] std::string encode(const Manifest& manifest);
// At most limits::manifest_bytes_max. Architectures are as `uname -m` says. That paths are good is the caller's to see.
[[nodiscard]] Result<Manifest> decode_manifest(std::string_view text);
// What a manifest says that somebody wrote before the package was packed: `files` may be there and is not read.
[[nodiscard]] Result<PackageAbout> decode_manifest_template(std::string_view text);

// What a package says of itself, alone: {"architecture"?,"entry"?,"needs"?}.
[[nodiscard]] std::string encode(const PackageAbout& about);
[[nodiscard]] Result<PackageAbout> decode_about(std::string_view text);

}  // namespace fieldwork::codec
