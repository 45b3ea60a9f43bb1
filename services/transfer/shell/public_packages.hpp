// Which packages are public (docs/decisions/0028): their content keys are not wrapped, so whoever hears the offer and
// the frames can read them. For now this is the installation's policy, by the setting transfer.public_packages.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "model/package.hpp"

namespace fieldwork::transfer {

class PublicPackages {
 public:
  PublicPackages() = default;
  // Names with commas between them; one that ends in '*' stands for all names that begin so. Empty: none. Invalid: an
  // empty name, or a '*' that is not the end.
  [[nodiscard]] static Result<PublicPackages> parse(std::string_view text);

  // Whether one of its names is among them. Outputs have no name.
  [[nodiscard]] bool has(const Package& package) const;

 private:
  std::vector<std::string> names_, beginnings_;
};

}  // namespace fieldwork::transfer
