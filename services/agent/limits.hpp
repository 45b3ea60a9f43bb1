// Bounds of the agent that are not settings. Bounds that a test changes stand in Limits (core/agent.hpp), bounds that
// other parties must agree on in model/limits.hpp.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace fieldwork::agent {

// --- a result, in encoded bytes unless said otherwise ---
inline constexpr std::size_t result_bytes_max = 900'000;
inline constexpr std::size_t streams_bytes_max = 600'000;                     // stdout and stderr together
inline constexpr std::int64_t inline_bytes_max = 64 * 1024;                   // one file in a report, before base64
inline constexpr std::int64_t inline_total_bytes_max = 512 * 1024;            // all files in one report, before base64
inline constexpr std::int64_t output_file_bytes_max = std::int64_t{1} << 30;  // one file, unencoded
inline constexpr std::size_t file_entry_bytes_max = 700;                      // a file's entry without its content
inline constexpr std::size_t stream_tail_bytes_max = 512;                     // kept of a stream that goes in parts
// A message of reports that is larger goes behind heartbeats, in the bulk lane.
inline constexpr std::size_t report_control_bytes_max = 8U << 10;

// --- processes of a job ---
inline constexpr std::size_t processes_max = 65536;      // looked at by the agent in one round
inline constexpr std::size_t ended_at_once_max = 16384;  // ended by a keeper in one round; the rest in the next round
// Waiting after SIGKILL. A process that is still there then (uninterruptible, another user's) is left to the agent's
// next start.
inline constexpr std::chrono::seconds kill_patience_max{10};
inline constexpr int drain_rounds_max = 64;  // reads of a pipe after its program's end, while another writes to it

// --- the file in which a program says how far it is ---
inline constexpr std::size_t progress_line_bytes_max = 1024;       // what is beyond in a line is passed over
inline constexpr std::int64_t progress_look_bytes_max = 64 << 10;  // of what was appended since the last look, the end

// --- the files through which programs exchange lines ---
inline constexpr std::size_t mail_look_bytes_max = 32 << 10;             // of an outbox, read in one look: one message
inline constexpr std::int64_t inbox_bytes_max = std::int64_t{64} << 20;  // of an inbox: what comes later is left out

// --- what followers of a program's output are told, of each program ---
inline constexpr std::int64_t told_bytes_per_s_max = 16 << 10;
inline constexpr std::int64_t told_at_once_bytes_max = 64 << 10;  // also of what waits for the link: more is dropped
inline constexpr std::int64_t told_around_bytes = 300;            // topic and JSON around a text
inline constexpr std::size_t told_begin_bytes_max = 8 << 10;      // of what each stream had before
inline constexpr std::size_t told_line_bytes_max = 8 << 10;       // a longer line goes in pieces

// --- files of a job ---
inline constexpr std::size_t removed_at_once_max = 65536;  // names of one directory, removed in one round

// --- outputs ---
inline constexpr std::int64_t outputs_bytes = std::int64_t{1} << 30;  // device.outputs_bytes_max, where it is not set
inline constexpr std::size_t drop_notices_max = 1000;                 // that wait for the transfer service's answer

// --- packages ---
// Parts of packages from before the start: the sender keeps its own as long.
inline constexpr std::chrono::hours leftovers_kept_max{24};

}  // namespace fieldwork::agent
