// Bounds of the scheduler that are not settings. Bounds that a test or a larger fleet changes stand in Limits
// (core/model/state.hpp); bounds that other parties must agree on stand in model/limits.hpp.
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
inline constexpr int passes_max = 8;                  // over the queue, in one batch
inline constexpr std::size_t walk_max = 256;          // devices: a fleet of at most so many is walked from end to end
inline constexpr std::size_t all_per_execution = 16;  // devices, for each execution that wants the same: all are rated
inline constexpr std::size_t visited_max = 1024;      // devices visited in one order before the whole fleet is walked
inline constexpr std::size_t stuck_max = 64;          // lanes of one plan for which a preemption is sought
inline constexpr std::size_t preempts_of_lane_max = 8;  // executions of each of them
inline constexpr std::size_t weighed_max = 256;         // devices on which the cheapest preemption is sought
inline constexpr std::size_t walked_max = 8192;         // devices looked at for one preemption or reservation
inline constexpr std::size_t subsets_of_max = 8;        // attempts of a device of which every set of victims is tried
inline constexpr std::size_t followed_max = 32;         // newest uses within a plan that everybody looks at
inline constexpr std::size_t looked_max = 192;          // used by a plan, looked at when more are to be found
inline constexpr std::size_t others_max = 16;           // devices visited because they had the package
inline constexpr std::size_t more_max = 16;             // devices found at once, where a better one may follow
inline constexpr std::size_t packages_per_device_max = 64;  // digests remembered of a device, for locality
inline constexpr std::size_t devices_per_package_max = 64;
inline constexpr Duration backoff_max = seconds(300);

inline constexpr Duration start_ahead_max = std::chrono::hours{24 * 366};

// --- devices ---
inline constexpr Duration command_life_max = std::chrono::hours{24};  // a grant's: after it the device cannot begin
inline constexpr std::size_t lost_devices_bytes_max = 200;            // names of devices in a quarantine's reason

}  // namespace fieldwork::scheduler
