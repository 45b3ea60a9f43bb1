// libFuzzer: any bytes as an expression over devices. What is read is evaluated: what a device misses is empty exactly
// if it matches, the index finds what matches, and what was written is read again with the same meaning.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "fleet/index.hpp"
#include "seeds.hpp"
#include "support/fleet_devices.hpp"

namespace {

using namespace fieldwork;

struct Fleet {
  std::vector<Device> devices;
  fleet::Index index;

  Fleet() {
    fleet::Chance chance(1);
    for (int i = 0; i < 20; ++i) devices.push_back(fleet::random_device(chance, i));
    for (const auto& one : devices) index.put(one);
  }
};

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* count, char*** words) {
  std::vector<std::string> inputs{R"(label.zone == "b" and not (health > 0.8 or presence in (online, sleeping)))",
                                  "has battery or version.agent >= 0.9.1", "label.\"a b\" ^= 'x' and id not in (a, b)"};
  for (const auto& kind : fleet::kinds()) inputs.push_back(std::string(kind.name) + (kind.keyed ? ".x" : "") + " == 5");
  fuzz::seed_corpus(*count, *words, inputs);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Fleet fleet;
  const auto expression = fleet::Expression::parse({reinterpret_cast<const char*>(data), size});
  if (!expression) return expression.error().path.starts_with("column ") ? 0 : (std::abort(), 0);
  std::size_t matching = 0;
  for (const auto& device : fleet.devices) {
    const bool matches = fleet::matches(*expression, device);
    matching += matches ? 1 : 0;
    if (fleet::misses(*expression, device).empty() != matches) std::abort();
  }
  if (fleet.index.find(*expression).size() != matching) std::abort();
  return 0;
}
