// The rules of CONTRIBUTING.md that a program can check: each looks at one file and says what is wrong, by line.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fieldwork::tidy {

struct Source {
  std::string path;  // from the top of the tree, with '/'
  std::vector<std::string> lines;
};

struct Finding {
  std::size_t line = 0;  // from 1; 0: the file
  std::string what;
};

struct Rule {
  const char* name;
  std::vector<Finding> (*look)(const Source& source);
  Source bad;  // in which the rule finds something: how a broken rule is found
};

[[nodiscard]] const std::vector<Rule>& rules();

[[nodiscard]] Source read_source(std::string path, std::string_view text);

}  // namespace fieldwork::tidy
