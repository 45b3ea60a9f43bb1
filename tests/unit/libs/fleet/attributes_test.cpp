// links: fleet GTest::gtest
// The table of docs/expressions.md is made from the kinds of attributes: `attributes_test --rewrite`.
#include <gtest/gtest.h>

#include "fleet/attribute.hpp"
#include "support/made_text.hpp"

namespace fieldwork::fleet {
namespace {

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
  support::part_is_made(FIELDWORK_SOURCE_DIR "/docs/expressions.md", "attributes", table(), "attributes_test");
}

}  // namespace
}  // namespace fieldwork::fleet

int main(int argc, char** argv) { return fieldwork::support::run_all(argc, argv); }
