// links: fleet GTest::gtest
// The table of docs/expressions.md is made from the kinds of attributes: `attributes_test --rewrite`.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "fleet/attribute.hpp"

namespace fieldwork::fleet {
namespace {

bool rewrite = false;

std::string read(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string table() {
  std::string out = "| attribute | type | is |\n|---|---|---|\n";
  for (const auto& kind : kinds()) {
    out += "| `" + std::string(kind.name) + (kind.keyed ? ".NAME" : "") + "` | " + std::string(name(kind.type)) +
           " | " + std::string(kind.help);
    if (kind.type == Type::word) {
      const char* before = ": ";
      for (const auto word : kind.words()) out += before + ("`" + std::string(word) + "`"), before = ", ";
    }
    out += " |\n";
  }
  return out;
}

TEST(Attributes, AreThoseOfTheDocument) {
  const std::string path = std::string(FIELDWORK_SOURCE_DIR) + "/docs/expressions.md";
  const std::string begin = "<!-- attributes: made by attributes_test --rewrite -->\n",
                    end = "<!-- end of attributes -->\n";
  const auto text = read(path);
  const auto from = text.find(begin), to = text.find(end);
  ASSERT_TRUE(from != std::string::npos && to != std::string::npos && from < to);
  const auto made = text.substr(0, from + begin.size()) + table() + text.substr(to);
  if (rewrite) std::ofstream(path) << made;
  EXPECT_EQ(read(path), made) << path << ": attributes_test --rewrite makes it";
}

}  // namespace
}  // namespace fieldwork::fleet

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  fieldwork::fleet::rewrite = argc > 1 && std::string(argv[1]) == "--rewrite";
  return RUN_ALL_TESTS();
}
