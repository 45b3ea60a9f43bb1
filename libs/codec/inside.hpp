// Relative paths in messages. Private to this library.
#pragma once

#include <string>
#include <string_view>

namespace fieldwork::codec {

// True for a relative path of which no level is empty (so no leading '/') or "..".
[[nodiscard]] constexpr bool is_inside(std::string_view path) {
  while (true) {
    const auto slash = path.find('/');
    const auto level = path.substr(0, slash);
    if (level.empty() || level == "..") return false;
    if (slash == path.npos) return true;
    path.remove_prefix(slash + 1);
  }
}

inline constexpr const char* inside_text = "must be a relative path inside the working directory";

class Reader;

// The field `file`: where a package's only file goes (is_plain); empty: it is only kept.
[[nodiscard]] std::string read_place(Reader& reader);

}  // namespace fieldwork::codec
