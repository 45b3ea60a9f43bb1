// The bounds of the command line alone. What other parties must agree on stands in model/limits.hpp.
#pragma once

#include <chrono>
#include <cstddef>

namespace fieldwork::cli {

inline constexpr std::size_t messages_max = 100'000;           // waiting to be read; more are dropped and counted
inline constexpr std::size_t followed_max = 200;               // executions that a wait tells of one by one
inline constexpr std::size_t named_max = 5;                    // ids in one line; of the rest only the number
inline constexpr std::size_t alerts_named_max = 10;            // of doctor
inline constexpr std::chrono::seconds answer_patience_max{3};  // of doctor, for each service

}  // namespace fieldwork::cli
