// What a package says of itself, as fields of a manifest, a release and a package. Private to this library.
#pragma once

#include <nlohmann/json.hpp>

#include "codec/json.hpp"
#include "model/package.hpp"

namespace fieldwork::codec {

// Adds `architecture`, `entry` and `needs`, as far as there is something to say.
void write_package_about(Json& out, const PackageAbout& about);
// Each of the three may be absent.
[[nodiscard]] PackageAbout read_package_about(Reader& reader);

}  // namespace fieldwork::codec
