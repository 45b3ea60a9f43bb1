// Bounds of the connection to the broker.
#pragma once

#include <cstddef>

namespace fieldwork::bus {

inline constexpr std::size_t mqtt_string_bytes_max =
    65'535;                                             // a string or binary data begins with a length of two bytes
inline constexpr std::size_t troubles_noted_max = 100;  // different ones, each told once a minute

}  // namespace fieldwork::bus
