#include "chance.hpp"

#include <openssl/rand.h>

#include <random>
#include <stdexcept>

namespace fieldwork::sim {
namespace {

std::mt19937_64& engine() {
  static std::mt19937_64 one;
  return one;
}

int fill(unsigned char* bytes, int count) {
  for (int i = 0; i < count; ++i) bytes[i] = static_cast<unsigned char>(engine()() >> 56);
  return 1;
}

int ready() { return 1; }

}  // namespace

void seed_chance(std::uint64_t seed) {
  engine().seed(seed);
// This call is deprecated, but the only way that needs no provider of our own.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  static const RAND_METHOD method{nullptr, fill, nullptr, nullptr, fill, ready};
  if (RAND_set_rand_method(&method) != 1) throw std::runtime_error("OpenSSL keeps its own chance");
#pragma GCC diagnostic pop
}

}  // namespace fieldwork::sim
