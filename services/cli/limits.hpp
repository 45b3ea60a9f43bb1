// Bounds of the command line alone. Bounds that other parties must agree on stand in model/limits.hpp.
#pragma once

#include <chrono>
#include <cstddef>

namespace fieldwork::cli {

inline constexpr std::size_t messages_max = 100'000;   // waiting to be read; further ones are dropped
inline constexpr std::size_t followed_max = 200;       // executions that a wait tells about one by one
inline constexpr std::size_t named_max = 5;            // ids in one line; of the others only their number
inline constexpr std::size_t jobs_searched_max = 480;  // the newest, for a part of an id: ten pages
inline constexpr int packages_page_max = 500;
inline constexpr int transfers_page_max = 200;
inline constexpr int stages_page_max = 200;
inline constexpr std::size_t sent_shown_max = 20;              // devices that `send` tells about one by one
inline constexpr std::size_t events_bytes_max = 256U << 20;    // of a recorded file
inline constexpr std::size_t alerts_named_max = 10;            // by doctor
inline constexpr std::chrono::seconds answer_patience_max{3};  // by doctor, for each service

}  // namespace fieldwork::cli
