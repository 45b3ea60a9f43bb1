// The one page of limits that two parties must agree on. Whoever makes a message reads its bound here, and so does
// whoever takes it; tests/unit/libs/model/limits_test.cpp shows that the largest value each producer can make passes
// its consumer and the bus, in encoded bytes. Bounds that concern one party alone stand in that party's Limits.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fieldwork::limits {

// --- messages, in encoded bytes ---
inline constexpr std::size_t packet_bytes_max = 2'000'000;   // one publish, below Mosquitto's max_packet_size of 2 MiB
inline constexpr std::size_t message_bytes_max = 2'000'000;  // a JSON payload: every reader takes what the bus carries
inline constexpr std::size_t items_bytes_max = 96U << 10;    // a message of many items, unless one item is larger: a
                                                             // broker with a small packet limit carries ordinary ones
inline constexpr std::size_t items_max = 512;                // items in one message
inline constexpr std::size_t submission_bytes_max = 1'900'000;         // service/scheduler/submit
inline constexpr std::size_t state_bytes_max = 4096;                   // state/job, state/execution
inline constexpr std::size_t log_bytes_max = 64U << 10;                // device/{device}/up/log
inline constexpr std::size_t log_text_bytes_max = 32U << 10;           // text of one line of the log
inline constexpr std::size_t page_bytes_max = 192U << 10;              // one page of an answer
inline constexpr int depth_max = 16;                                   // nesting of objects and arrays
inline constexpr std::int64_t integer_max = 9'007'199'254'740'991;     // what JavaScript counts exactly: 2^53 - 1
inline constexpr std::int64_t size_bytes_max = std::int64_t{1} << 50;  // any size of memory, disk, file, content

// --- jobs ---
inline constexpr std::size_t job_bytes_max = 256U << 10;  // JOB, encoded; so an assignment or question is below 300 kB
inline constexpr int priority_max = 9;
inline constexpr int executions_max = 10'000;  // executions of one job
inline constexpr int replicas_max = 1000;
inline constexpr std::size_t affinities_max = 8;  // of a job, and jobs that it stays apart from
inline constexpr std::size_t retry_on_max = 16;   // kinds of failure
inline constexpr std::int64_t fence_max = integer_max;

// --- templates ---
inline constexpr std::size_t template_bytes_max = 64U << 10;
inline constexpr std::size_t parameters_max = 64;  // of one template
inline constexpr std::size_t parameter_name_bytes_max = 64;
inline constexpr std::size_t parameter_bytes_max = 4096;  // of a text
inline constexpr double parameter_max = 1e15;             // of a number, and its negative
inline constexpr std::size_t parameter_values_max = 64;   // to choose from

// --- reports ---
inline constexpr std::size_t reason_bytes_max = 1024;             // longer reasons are cut by whoever encodes them
inline constexpr std::size_t files_max = 64;                      // files of one result
inline constexpr std::size_t path_bytes_max = 256;                // path of one of these files
inline constexpr std::int64_t report_tag_max = 0xFFFFFFFF;        // 32 bits, of a report stream
inline constexpr std::int64_t output_bytes_max = 1 << 20;         // of stdout and of stderr, each
inline constexpr std::size_t content_bytes_max = 64U << 10;       // a file that rides in the report stream
inline constexpr std::size_t result_inline_bytes_max = 8U << 10;  // a whole result in one item; else in parts
inline constexpr std::size_t part_bytes_max = 32U << 10;          // raw bytes of one part
inline constexpr std::size_t part_of_bytes_max = 5 + 256;         // ResultPart::of: "file:" and a path
inline constexpr std::size_t report_bytes_max = 64U << 10;  // one message of a report stream, unless one item is larger
inline constexpr std::size_t tail_bytes_max = 1024;         // the end of the output in state/execution
inline constexpr std::int64_t kept_log_bytes_max = 1'000'000'000;  // RunLimits::log_bytes

// --- progress and logs, while a program runs ---
inline constexpr std::size_t step_bytes_max = 64;
inline constexpr std::size_t progress_message_bytes_max = 256;
inline constexpr std::size_t progress_items_max = 64;  // attempts in one device/{device}/up/progress
inline constexpr std::size_t decided_max = 16;         // decisions of a device about one attempt
inline constexpr std::size_t decided_bytes_max = 200;  // of one
inline constexpr int tail_s_max = 600;                 // for how long one request asks for the log

// --- messages between the executions of a job ---
inline constexpr int messages_per_s_max = 100;               // RunLimits::messages_per_s
inline constexpr std::size_t message_line_bytes_max = 1024;  // one line, as it is before it is JSON
inline constexpr std::size_t message_items_max = 64;         // items in one up/message or down/message
inline constexpr std::size_t message_lines_max = 64;         // lines of one item
inline constexpr int executions_with_messages_max = 64;      // executions of a job that exchange messages

// --- transfer ---
inline constexpr std::size_t ranges_max = 4096;        // ranges [begin, end) of one content that a receiver has
inline constexpr std::size_t content_names_max = 100;  // package names of one content
inline constexpr std::size_t architecture_bytes_max = 32;
inline constexpr std::size_t variants_max = 32;            // architectures of one NAME@VERSION
inline constexpr std::int64_t cpu_millis_max = 1'024'000;  // of a device, a job, a package
inline constexpr std::size_t command_words_max = 64;
inline constexpr std::size_t command_word_bytes_max = 4096;
inline constexpr std::size_t manifest_bytes_max = 4U << 20U;  // of a package
inline constexpr std::size_t manifest_files_max = 100'000;    // in it
inline constexpr std::size_t manifest_path_bytes_max = 4096;  // of a file, or a link's target
inline constexpr std::size_t accepted_max = 8;                // decoders, ciphers that a receiver names
inline constexpr std::size_t accepted_word_bytes_max = 71;
inline constexpr std::size_t strategy_reason_bytes_max = 512;
inline constexpr std::int64_t frame_bytes_max = 1 << 20;  // as a sender says
inline constexpr std::size_t bases_max = 32;              // contents against which a receiver can take a patch
inline constexpr std::size_t stages_per_device_max = 64;
inline constexpr std::size_t stage_items_max = 128;    // of one up/stage
inline constexpr std::size_t stage_devices_max = 500;  // named in one request
inline constexpr std::size_t package_uses_max = 100;   // packages in one question of transfer to the scheduler
inline constexpr std::size_t package_users_max = 5;    // named in the answer, of each package
inline constexpr std::size_t package_user_bytes_max = 192;

// --- policy ---
inline constexpr std::size_t trace_rules_max = 8;  // rules in the trace of a decision
inline constexpr std::size_t trace_bytes_max = 512;

// --- devices ---
// Of a configuration: what a device says beyond it is not believed, so that the next version can always be read.
inline constexpr std::int64_t version_max = integer_max / 2;
inline constexpr std::int64_t sleep_s_max = 31'536'000;  // for how long a device may say that it will sleep
inline constexpr std::size_t labels_max = 32;            // of a device's own, of its configuration, of a job: each
inline constexpr std::size_t group_name_bytes_max = 64;
inline constexpr std::size_t groups_max = 64;        // of the fleet
inline constexpr std::size_t group_items_max = 512;  // devices that one request adds to a group, or drops from it
inline constexpr std::size_t resources_max = 4;      // cpu, memory, storage, network
inline constexpr std::size_t names_max = 64;         // capabilities, rungs of the sandbox, groups: of one device, each

// --- heartbeats ---
inline constexpr int heartbeat_s_max = 3600;         // as the registry tells a device
inline constexpr int attempts_per_device_max = 512;  // attempts at once; one heartbeat lists all of them
inline constexpr int ended_per_heartbeat_max = 128;  // the newest ended attempts
inline constexpr std::size_t heartbeat_bytes_max = 256U << 10;

}  // namespace fieldwork::limits
