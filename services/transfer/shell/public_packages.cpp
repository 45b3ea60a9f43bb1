#include "transfer/shell/public_packages.hpp"

#include <algorithm>
#include <sstream>

namespace fieldwork::transfer {

Result<PublicPackages> PublicPackages::parse(std::string_view text) {
  PublicPackages out;
  std::istringstream all{std::string(text)};
  for (std::string one; std::getline(all, one, ',');) {
    one.erase(0, one.find_first_not_of(' '));
    one.erase(one.find_last_not_of(' ') + 1);
    if (one.empty()) return Error{Code::invalid, "has an empty name"};
    const auto star = one.find('*');
    if (star != std::string::npos && star + 1 != one.size())
      return Error{Code::invalid, "\"" + one + "\": a * stands at the end of a name only"};
    if (star == std::string::npos) {
      out.names_.push_back(one);
    } else {
      out.beginnings_.push_back(one.substr(0, star));
    }
  }
  return out;
}

bool PublicPackages::has(const Package& package) const {
  return std::any_of(package.names.begin(), package.names.end(), [&](const PackageName& of) {
    return std::find(names_.begin(), names_.end(), of.name) != names_.end() ||
           std::any_of(beginnings_.begin(), beginnings_.end(),
                       [&](const auto& beginning) { return of.name.starts_with(beginning); });
  });
}

}  // namespace fieldwork::transfer
