// The chance of a run: what OpenSSL takes for entropy (transfer ids, content keys, tags) comes from the run's seed too.
#pragma once

#include <cstdint>

namespace fieldwork::sim {

// Holds from here on, for the whole process. Keys that are made then are worth nothing.
void seed_chance(std::uint64_t seed);

}  // namespace fieldwork::sim
