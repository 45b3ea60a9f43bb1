// A job, its executions and attempts: the values, their states and the legal ways between them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/id.hpp"

namespace fieldwork {

using Labels = std::map<std::string, std::string>;

struct Requirements {
  std::int64_t cpu_millis = 0;  // thousandths of one core
  std::int64_t memory_bytes = 0;
  std::int64_t disk_bytes = 0;
  Labels labels;  // each must be on the device with this value
  bool operator==(const Requirements&) const = default;
};

struct RunLimits {
  int time_s = 60;
  std::int64_t output_bytes = 65536;  // of stdout and of stderr, each
  bool operator==(const RunLimits&) const = default;
};

struct Retry {
  int attempts_max = 3;
  int backoff_s = 1;  // before attempt n+1: backoff_s * 2^(n-1), at most 300 s
  bool operator==(const Retry&) const = default;
};

// What someone wants done. Replicas: the scheduler chooses; targets: each device that has these labels.
struct JobSpec {
  std::string name;
  std::vector<std::string> command;  // run without a shell; a relative program is looked up in the package
  std::string package;               // digest, or empty
  std::map<std::string, std::string> env;
  Requirements requirements;
  int priority = 5;  // 0 to 9, higher first
  int replicas = 1;
  std::optional<Labels> targets;
  RunLimits limits;
  std::vector<std::string> outputs;  // relative paths in the working directory
  Retry retry;
  std::optional<int> deadline_s;  // from submission; a job not finished by then expires
  bool operator==(const JobSpec&) const = default;
};

enum class JobState { submitted, queued, assigned, running, succeeded, failed, denied, cancelled, expired };

// assigned: granted, the command repeats until the device answers. accepted: the device has it in its journal.
// lost: its lease ran out or its device was given up; its fence is dead.
enum class AttemptState { assigned, accepted, running, succeeded, failed, cancelled, refused, lost };

[[nodiscard]] std::string_view name(JobState state);
[[nodiscard]] std::string_view name(AttemptState state);
[[nodiscard]] std::optional<JobState> job_state(std::string_view text);
[[nodiscard]] std::optional<AttemptState> attempt_state(std::string_view text);
[[nodiscard]] bool settled(JobState state);
[[nodiscard]] bool settled(AttemptState state);
// The one table of what may follow what. A state may always be said again.
[[nodiscard]] bool may_follow(AttemptState from, AttemptState to);

// One try of one execution. The fence only grows within (job, execution).
struct AttemptKey {
  JobId job;
  int execution = 0;
  std::int64_t fence = 0;
  auto operator<=>(const AttemptKey&) const = default;
};

struct OutputFile {
  std::string path;
  std::int64_t size_bytes = 0;
  std::string digest;
  std::optional<std::string> content;  // the bytes, when small enough to ride in the report
  bool operator==(const OutputFile&) const = default;
};

inline constexpr std::size_t files_max = 64;  // of one result

// How a program ended. What it said is kept as the bytes it was; of more than RunLimits::output_bytes the beginning
// and the end are, half of the limit each, and `…_cut_bytes` says how much is missing between them.
struct RunResult {
  int exit_code = 0;  // -1: ended by `signal`
  std::optional<int> signal;
  std::string stdout_text;
  std::string stderr_text;
  bool truncated = false;  // something of either is missing
  std::int64_t stdout_cut_bytes = 0;
  std::int64_t stderr_cut_bytes = 0;
  std::int64_t elapsed_ms = 0;
  std::vector<OutputFile> files;
  bool operator==(const RunResult&) const = default;
};

// What a device says of an attempt.
struct AttemptReport {
  AttemptKey key;
  AttemptState state = AttemptState::accepted;
  std::string reason;
  std::optional<RunResult> result;
  std::string traceparent;  // the assignment's
  bool operator==(const AttemptReport&) const = default;
};

// Orders to a device.
struct Assign {
  AttemptKey key;
  int attempt = 1;
  int lease_s = 30;
  std::vector<std::string> command;
  std::map<std::string, std::string> env;
  RunLimits limits;
  std::string package;
  std::vector<std::string> outputs;
  std::string grant;  // JWS
  std::string traceparent;
  bool operator==(const Assign&) const = default;
};

struct Cancel {
  AttemptKey key;
  std::string traceparent;
  bool operator==(const Cancel&) const = default;
};

struct Stale {
  AttemptKey key;
  std::string state;
  std::string traceparent;
  bool operator==(const Stale&) const = default;
};

// What a grant permits; signed by security-policy, checked by the device before it runs anything.
struct Grant {
  AttemptKey key;
  DeviceId device;
  std::string package;
  std::string command_digest;
  RunLimits limits;
  std::int64_t issued_ms = 0;
  std::int64_t expires_ms = 0;
  bool operator==(const Grant&) const = default;
};

}  // namespace fieldwork
