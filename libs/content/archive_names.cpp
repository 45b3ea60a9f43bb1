#include "archive_names.hpp"

#include <archive.h>

#include <algorithm>

#include "content/archive.hpp"

namespace fieldwork::content {
namespace {

/// Takes the text up to the next '/' off the front.
std::string_view next_component(std::string_view& rest) {
  const auto slash = rest.find('/');
  const std::string_view component = rest.substr(0, slash);
  rest.remove_prefix(slash == rest.npos ? rest.size() : slash + 1);
  return component;
}

}  // namespace

std::optional<std::string> clean_name(std::string_view name) {
  if (name.empty() || name.front() == '/' || name.size() > archive_name_bytes_max) return std::nullopt;
  std::string clean;
  while (!name.empty()) {
    const std::string_view component = next_component(name);
    if (component == "..") return std::nullopt;
    if (component.empty() || component == ".") continue;
    if (!clean.empty()) clean += '/';
    clean += component;
  }
  return clean;
}

bool link_stays_inside(std::string_view clean_name, std::string_view target) {
  if (target.empty() || target.front() == '/' || target.size() > archive_name_bytes_max) return false;
  auto depth = std::count(clean_name.begin(), clean_name.end(), '/');
  bool named = false;
  while (!target.empty()) {
    const std::string_view component = next_component(target);
    if (component.empty() || component == ".") continue;
    if (component != "..") {
      named = true;
    } else if (named || --depth < 0) {
      return false;
    }
  }
  return true;
}

std::string reason_of(archive* a) {
  const char* text = archive_error_string(a);
  return text != nullptr ? text : "the archive library failed";
}

}  // namespace fieldwork::content
