// libFuzzer: the first byte chooses a kind of message, the others are read as one. A reader takes them or says what is
// wrong; what it takes and writes again, it takes again and writes the same.
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "seeds.hpp"
#include "support/codec_kinds_more.hpp"

namespace {

const std::vector<fieldwork::codec::rules::Kind>& kinds() {
  static const auto all = fieldwork::codec::rules::all_kinds();
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* count, char*** words) {
  std::vector<std::string> inputs;
  for (std::size_t i = 0; i < kinds().size(); ++i) inputs.push_back(static_cast<char>(i) + kinds()[i].example);
  fieldwork::fuzz::seed_corpus(*count, *words, inputs);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto& kind = kinds()[data[0] % kinds().size()];
  const auto first = kind.read_and_write({reinterpret_cast<const char*>(data) + 1, size - 1});
  if (!first) return 0;
  const auto second = kind.read_and_write(*first);
  if (second && *second == *first) return 0;
  std::fprintf(stderr, "%s: taken, then not the same:\n%s\n", kind.name.c_str(), first->c_str());
  std::abort();
}
