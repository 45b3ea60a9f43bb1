// The bounds of the scheduler alone that nobody sets. Those that a test or a larger fleet sets stand in Limits
// (core/state.hpp), what other parties must agree on in model/limits.hpp.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/time.hpp"

namespace fieldwork::scheduler {

// --- answers ---
inline constexpr std::int64_t list_max = 1000;
inline constexpr std::size_t list_page_max = 48;  // jobs in one page, which holds them however long they are
inline constexpr std::int64_t show_max = 200;     // executions in one page: each is at most 4 KiB, the page below 1 MB
inline constexpr std::size_t explain_max = 8;     // executions in one page, with all candidates
inline constexpr int ids_in_a_page = 1000;        // of stored jobs, after a start (StoredIds)
inline constexpr std::size_t replies_per_job_max = 8;  // askers that wait for one submission
inline constexpr std::size_t reasons_max = 5;          // kept with a job, the newest

// --- placement ---
inline constexpr std::size_t walk_max = 256;      // devices: a fleet so small is always looked at from end to end
inline constexpr std::size_t visited_max = 1024;  // devices in one order, before the whole fleet is walked
inline constexpr std::size_t others_max = 16;     // devices from the orders by attempts and by package
inline constexpr std::size_t packages_per_device_max = 64;  // remembered, for locality
inline constexpr std::size_t devices_per_package_max = 64;
inline constexpr Duration backoff_max = seconds(300);

}  // namespace fieldwork::scheduler
