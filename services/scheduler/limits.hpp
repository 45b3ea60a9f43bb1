// Bounds of the scheduler that are not settings. Bounds that a test or a larger fleet changes stand in Limits
// (core/model/state.hpp); bounds that other parties must agree on stand in model/limits.hpp.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/time.hpp"

namespace fieldwork::scheduler {

// --- answers ---
inline constexpr std::size_t misses_named_max =
    3;  // terms of an expression, or things that a device lacks, in one reason
inline constexpr std::size_t filtered_reason_bytes_max = 512;
inline constexpr std::int64_t list_max = 1000;
inline constexpr std::size_t list_page_max = 48;       // jobs in one page, which holds them however long they are
inline constexpr std::int64_t show_max = 200;          // executions in one page, which is bounded in bytes, too
inline constexpr std::size_t explain_max = 8;          // executions in one page, each with all its candidates
inline constexpr int ids_page_max = 1000;              // of stored jobs, after a start (StoredIds)
inline constexpr std::size_t replies_per_job_max = 8;  // clients that wait for the answer to one submission
inline constexpr std::size_t reasons_max = 5;          // newest reasons kept with a job

inline constexpr std::size_t logs_executions_max = 16;  // that one request follows

// --- templates ---
inline constexpr std::size_t templates_max = 1'000;
inline constexpr std::size_t template_names_max = 10'000;      // with those of removed ones: numbers are given out once
inline constexpr std::size_t template_versions_max = 8;        // the newest of each
inline constexpr std::size_t templates_bytes_max = 16U << 20;  // of all documents
inline constexpr std::size_t templates_page_max = 100;

// --- scenarios ---
inline constexpr std::size_t scenario_jobs_max = 16;
inline constexpr int scenario_replicas_max = 5;

// --- placement ---
inline constexpr int passes_max = 8;                  // over the queue, in one batch
inline constexpr std::size_t walk_max = 256;          // devices: a fleet of at most so many is walked from end to end
inline constexpr std::size_t all_per_execution = 16;  // devices, for each execution that wants the same: all are rated
inline constexpr std::size_t visited_max = 1024;      // devices visited in one order before the whole fleet is walked
inline constexpr std::size_t small_fleet_max = 64;  // devices: in so small a fleet other orders of the queue are tried,
inline constexpr std::size_t small_lanes_max = 64;  // of so many lanes at most,
inline constexpr Duration fresh_for = seconds(2);   // of executions that came not longer ago,
inline constexpr std::uint64_t orders_max = 16;     // so many
inline constexpr std::size_t stuck_max = 64;        // lanes of one plan for which a preemption is sought
inline constexpr std::size_t preempts_of_lane_max = 8;   // executions of each of them
inline constexpr std::size_t weighed_max = 256;          // devices on which the cheapest preemption is sought
inline constexpr std::size_t walked_max = 8192;          // devices looked at for one preemption or reservation
inline constexpr std::size_t subsets_of_max = 8;         // attempts of a device of which every set of victims is tried
inline constexpr std::size_t followed_max = 32;          // newest uses within a plan that everybody looks at
inline constexpr std::size_t looked_max = 192;           // used by a plan, looked at when more are to be found
inline constexpr std::size_t others_max = 16;            // devices visited because they had the package
inline constexpr std::size_t sampled_max = 256;          // devices of a sample that fit
inline constexpr std::size_t sample_looks_max = 4096;    // devices looked at for it
inline constexpr std::size_t spread_values_max = 1024;   // values of a label, over which a job is spread
inline constexpr std::size_t more_max = 16;              // devices found at once, where a better one may follow
inline constexpr std::size_t works_failing_max = 4'096;  // commands that failed of late,
inline constexpr std::size_t devices_failing_max = 16;   // on so many devices each
inline constexpr double failure_step = 0.3;              // what one try counts in the share that fails,
inline constexpr double failure_least = 0.1;             // and below which that is forgotten
inline constexpr std::size_t failures_saved_max = 64;    // rows in one batch
inline constexpr std::size_t packages_per_device_max = 64;  // digests remembered of a device, for locality
inline constexpr std::size_t devices_per_package_max = 64;
inline constexpr std::size_t versions_max = 8;  // of a package, the newest, that are looked for on devices
inline constexpr Duration backoff_max = seconds(300);
inline constexpr Duration move_every = seconds(60);        // at least between two moves of a job
inline constexpr std::size_t moves_looked_max = 16;        // attempts of a device for which another one is looked for
inline constexpr std::size_t lines_per_s_max = 50'000;     // passed on to other executions, of all jobs together
inline constexpr std::size_t lines_bytes_max = 32U << 10;  // in one message, encoded
inline constexpr int lines_of_job_per_s_max = 10'000;      // that all executions of a job may hear together
inline constexpr Duration balance_every = seconds(5);      // at least between two looks at the load of all devices

// --- forecast ---
inline constexpr std::size_t waits_reason_bytes_max = 384;    // in an answer or a state
inline constexpr Duration ends_within = seconds(10);          // a program that is told to (the agent's stop_s_default)
inline constexpr std::size_t durations_max = 20'000;          // commands and programs whose durations are known
inline constexpr std::size_t durations_each_max = 32;         // newest ones of each
inline constexpr std::size_t durations_saved_max = 64;        // rows in one batch
inline constexpr std::size_t demand_known_min = 3;            // attempts, before a demand is estimated
inline constexpr std::size_t demand_devices_max = 64;         // and one for each execution: they limit an estimate
inline constexpr std::size_t demand_looked_max = 512;         // devices looked at for these
inline constexpr std::size_t forecast_waiters_max = 20'000;   // executions whose start is looked for
inline constexpr std::size_t forecast_lanes_max = 4'096;      // that sleep, and as many that are awake
inline constexpr std::size_t forecast_attempts_max = 50'000;  // that run, of which the end is expected
inline constexpr std::size_t forecast_devices_max =
    4'096;  // a larger fleet is not looked through for room that is free
inline constexpr std::size_t forecast_looks_max = 200'000;  // lanes looked at for devices that have room
inline constexpr std::size_t reason_devices_max = 1'024;    // devices looked at for why a job waits
inline constexpr std::size_t reasons_looked_max = 32;       // lanes for which devices are looked at, in one forecast
inline constexpr std::size_t waits_said_max = 50'000;       // jobs of which it is remembered what was said
inline constexpr std::size_t tries_max = 8;                 // jobs tried out in one batch,
inline constexpr std::size_t tries_width_max = 1'000;       // with so many executions, where they are more than one
inline constexpr std::size_t waits_passed_max = 512;        // jobs, for those that are refreshed
inline constexpr std::size_t waits_refreshed_max = 8;       // jobs, in one second
inline constexpr Duration forecast_every = milliseconds(500);
inline constexpr Duration forecast_again = milliseconds(50);  // for a job that came after the last one

inline constexpr Duration start_ahead_max = std::chrono::hours{24 * 366};

// --- progress ---
inline constexpr std::size_t progress_said_max = 100;  // executions whose progress is published at once,
inline constexpr Duration progress_said_every = milliseconds(200);

inline constexpr const char* no_target_yet = "waits for devices that are its targets";

// --- devices ---
inline constexpr Duration room_kept =
    seconds(15);  // of what was cancelled, where its device does not say that it ended
inline constexpr Duration command_life_max = std::chrono::hours{24};  // a grant's: after it the device cannot begin
inline constexpr std::size_t lost_devices_bytes_max = 200;            // names of devices in a quarantine's reason

}  // namespace fieldwork::scheduler
