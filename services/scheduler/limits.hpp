// Bounds of the scheduler that are not settings. Bounds that a test or a larger fleet changes stand in Limits
// (core/state.hpp); bounds that other parties must agree on stand in model/limits.hpp.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/time.hpp"

namespace fieldwork::scheduler {

// --- answers ---
inline constexpr std::size_t misses_named_max = 3;  // terms of an expression, in one reason
inline constexpr std::int64_t list_max = 1000;
inline constexpr std::size_t list_page_max = 48;  // jobs in one page, which holds them however long they are
inline constexpr std::int64_t show_max = 200;     // executions in one page: at most 4 KiB each, less than 1 MB together
inline constexpr std::size_t explain_max = 8;     // executions in one page, each with all its candidates
inline constexpr int ids_page_max = 1000;         // of stored jobs, after a start (StoredIds)
inline constexpr std::size_t replies_per_job_max = 8;  // clients that wait for the answer to one submission
inline constexpr std::size_t reasons_max = 5;          // newest reasons kept with a job

// --- placement ---
inline constexpr std::size_t walk_max = 256;      // devices: a fleet of at most so many is walked from end to end
inline constexpr std::size_t visited_max = 1024;  // devices visited in one order before the whole fleet is walked
inline constexpr std::size_t others_max = 16;     // devices visited by attempts, and as many with the package
inline constexpr std::size_t packages_per_device_max = 64;  // digests remembered of a device, for locality
inline constexpr std::size_t devices_per_package_max = 64;
inline constexpr Duration backoff_max = seconds(300);

// --- devices ---
inline constexpr Duration command_life_max = std::chrono::hours{24};  // a grant's: after it the device cannot begin
inline constexpr std::size_t lost_devices_bytes_max = 200;            // names of devices in a quarantine's reason

}  // namespace fieldwork::scheduler
