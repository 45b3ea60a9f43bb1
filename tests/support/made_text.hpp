// Files that a test makes from what the code says: with --rewrite it writes them, without it compares.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

namespace fieldwork::support {

inline bool rewrite = false;

inline std::string read_file(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// `by`: the name of the test program.
inline void is_made(const std::string& path, const std::string& made, const std::string& by) {
  if (rewrite) std::ofstream(path) << made;
  EXPECT_EQ(read_file(path), made) << path << ": " << by << " --rewrite makes it";
}

// The part of the file between the lines "<!-- NAME: made by BY --rewrite -->" and "<!-- end of NAME -->".
inline void part_is_made(const std::string& path, const std::string& name, const std::string& made,
                         const std::string& by) {
  const auto begin = "<!-- " + name + ": made by " + by + " --rewrite -->\n", end = "<!-- end of " + name + " -->\n";
  const auto text = read_file(path);
  const auto from = text.find(begin), to = text.find(end);
  ASSERT_TRUE(from != std::string::npos && to != std::string::npos && from < to);
  is_made(path, text.substr(0, from + begin.size()) + made + text.substr(to), by);
}

// The main() of such a test.
inline int run_all(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  rewrite = argc > 1 && std::string_view(argv[1]) == "--rewrite";
  return RUN_ALL_TESTS();
}

}  // namespace fieldwork::support
