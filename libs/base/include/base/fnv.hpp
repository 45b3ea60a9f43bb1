// FNV-1a (Fowler, Noll, Vo): small, the same on every machine, and nothing for secrets. `hash`: goes on from there.
#pragma once

#include <cstdint>
#include <string_view>

namespace fieldwork {

[[nodiscard]] constexpr std::uint32_t fnv1a_32(std::string_view text, std::uint32_t hash = 2'166'136'261U) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 16'777'619U;
  return hash;
}

[[nodiscard]] constexpr std::uint64_t fnv1a_64(std::string_view text,
                                               std::uint64_t hash = 14'695'981'039'346'656'037ULL) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1'099'511'628'211ULL;
  return hash;
}

}  // namespace fieldwork
