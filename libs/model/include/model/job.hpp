// A job, its executions and attempts: the values, their states and the legal transitions between these.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/id.hpp"

namespace fieldwork {

using Labels = std::map<std::string, std::string>;

// How what a job says is kept from others; the higher the stricter.
enum class PrivacyLevel { none, low, medium, high };
[[nodiscard]] std::string_view name(PrivacyLevel level);
[[nodiscard]] std::optional<PrivacyLevel> privacy_level(std::string_view text);

struct Requirements {
  std::int64_t cpu_millis = 0;  // thousandths of one core
  std::int64_t memory_bytes = 0;
  std::int64_t storage_bytes = 0;
  Labels labels;           // each must be on the device with this value
  std::string expression;  // over devices (libs/fleet); empty: any
  // Of the link as it is measured (model/device.hpp, Link).
  std::optional<double> latency_ms_max{};  // of the round trip to the registry; where it is not known, unfit
  std::optional<double>
      bandwidth_mbit_min{};            // 10^6 bit/s: of the newest transfer, else what its uplink is said to carry
  std::optional<double> loss_max{};    // of frames, 0 to 1; where it is not known, there is none
  std::optional<double> health_min{};  // 0 to 1; default: health_min_default
  std::string sandbox_min{};           // a rung of the sandbox that the device has; empty: any
  PrivacyLevel privacy = PrivacyLevel::none;
  bool operator==(const Requirements&) const = default;
};
inline constexpr double health_min_default = 0.3;

// Kinds of failure: the program ended with another code than 0, by a signal, at its time limit; or its outputs are
// missing, or it could not begin, or its device was restarted.
inline constexpr std::array<std::string_view, 4> retry_words{"exit", "signal", "timed_out", "other"};

struct RunLimits {
  int time_s = 60;
  std::int64_t output_bytes = 65536;  // of stdout and of stderr, each
  std::optional<int> step_s{};        // at most between two signs of progress (RunProgress)
  std::int64_t log_bytes = 0;         // of stdout and of stderr, each, that are kept whole as outputs; 0: they are not
  int messages_per_s = 0;             // lines that the program may send to the job's other executions; 0: none
  bool operator==(const RunLimits&) const = default;
};
// The outputs of a job with log_bytes.
inline constexpr std::array<std::string_view, 2> log_outputs{"stdout.log", "stderr.log"};

// How far a program says that it is (docs/job.md, "Progress").
struct RunProgress {
  std::optional<double> fraction{};             // 0 to 1, also where done and total are given
  std::optional<std::int64_t> done{}, total{};  // both or neither
  std::string step{};                           // what it does now; at most limits::step_bytes_max
  std::string message{};                        // at most limits::progress_message_bytes_max
  bool operator==(const RunProgress&) const = default;
};

struct Retry {
  int attempts_max = 3;  // tries that may fail by themselves
  int backoff_s = 1;     // before try n+1: backoff_s * 2^(n-1), at most 300 s, and up to half as much again by chance
  int lost_max = 3;      // lost tries at which the job is quarantined
  std::vector<std::string> on{};  // which failures: words of retry_words, or "exit:N"; empty: any
  bool operator==(const Retry&) const = default;
};

// Which copy of an execution stays when its device returns after the attempt was given up (docs/decisions/0024).
enum class Reconcile { keep_replacement, keep_original, best_score };
[[nodiscard]] std::string_view name(Reconcile reconcile);
[[nodiscard]] std::optional<Reconcile> reconcile_word(std::string_view text);

// What holds while nobody hears of an attempt (docs/decisions/0010), as the job gives it. Unset fields have defaults.
struct Offline {
  std::optional<int> lost_after_s;  // default: the scheduler's lease_s; none for work that is bound to a device
  std::optional<int> stop_after_s;  // the device stops the work; below lost_after_s. Default: the work goes on
  std::optional<bool> replace;      // a lost attempt is tried again elsewhere; default: not at_most_once()
  bool restart_on_reboot = false;   // the device starts the work again after its own restart; default: it fails
  Reconcile reconcile = Reconcile::keep_replacement;
  std::optional<int>
      stage_s{};  // so long before start_at the device gets the work; it begins then, with or without a link
  bool operator==(const Offline&) const = default;
};

// A wish: devices that match, or on which a job of this name has its attempt, are the better or the worse.
struct Affinity {
  std::string expression{};  // either this
  std::string job{};         // or this
  int weight = 100;          // -100 to 100
  bool operator==(const Affinity&) const = default;
};

// Which of the devices that fit.
struct PlacementRules {
  bool spread = false;      // the emptiest first; else the fullest
  std::string spread_by{};  // a label: executions of the job go to devices with different values of it
  std::vector<Affinity> affinity{};
  std::vector<std::string> apart_from{};  // names of jobs: not on a device where one of these has its attempt
  bool operator==(const PlacementRules&) const = default;
};

// How many of a job's executions must succeed.
struct Success {
  std::optional<int> percent{};  // 1 to 100
  bool any = false;              // the first one ends the job
  bool operator==(const Success&) const = default;
};

// Bounds in time of the phases that nothing else ends.
struct Timeouts {
  int queued_s = 604'800;  // queued, without a device that fits
  int fetching_s = 3'600;  // on a device, before the program runs
  bool operator==(const Timeouts&) const = default;
};

// The devices on each of which a job runs, as they are when it is submitted: those that have all of the labels, match
// the expression and are in the group; or those that are named. Continuous: also each device that is one of them later.
struct Targets {
  Labels labels{};
  std::string expression{};         // empty: any
  std::string group{};              // empty: any
  std::vector<DeviceId> devices{};  // not empty: nothing else is set
  bool continuous = false;
  bool operator==(const Targets&) const = default;
};

// The one division of priorities into classes; who fits nowhere preempts work of a lower one.
enum class PriorityClass { low, normal, high };
[[nodiscard]] inline PriorityClass class_of(int priority) {
  return priority <= 3 ? PriorityClass::low : priority <= 6 ? PriorityClass::normal : PriorityClass::high;
}

// The number of executions, of `all`, that must succeed.
[[nodiscard]] inline std::size_t successes_needed(const Success& success, std::size_t all) {
  if (success.any) return 1;
  return (all * static_cast<std::size_t>(success.percent.value_or(100)) + 99) / 100;
}

// What someone wants done. Replicas: the scheduler chooses; targets: on each of these.
struct JobSpec {
  std::string name;
  std::vector<std::string> command;  // run without a shell; a relative program is looked up in the package
  std::string package;               // digest, or empty
  std::map<std::string, std::string> env;
  Requirements requirements;
  int priority = 5;  // 0 to 9, higher first
  int replicas = 1;
  std::optional<Targets> targets;
  RunLimits limits;
  std::vector<std::string> outputs;  // relative paths in the working directory
  PlacementRules placement{};
  Success success{};
  Retry retry;
  Offline offline;
  Timeouts timeouts;
  std::optional<int> deadline_s;              // from submission; a job not settled by then expires
  std::optional<std::int64_t> start_at_ms{};  // Unix time before which it does not begin
  std::optional<bool> at_most_once{};         // default: attempts_max == 1
  std::optional<bool> preemptible{};          // default: not at_most_once()
  bool metered = false;  // its package and its files may use a connection that is paid for by volume (Uplink)
  bool operator==(const JobSpec&) const = default;
};
// Whether a try whose end nobody knows is never followed by another.
[[nodiscard]] inline bool at_most_once(const JobSpec& job) {
  return job.at_most_once.value_or(job.retry.attempts_max == 1);
}

// Whether devices may join it later: it goes on until it is cancelled, or its deadline.
[[nodiscard]] inline bool is_continuous(const JobSpec& job) { return job.targets && job.targets->continuous; }

// Whether its attempts may be ended for a job of a higher class.
[[nodiscard]] inline bool may_be_preempted(const JobSpec& job) { return job.preemptible.value_or(!at_most_once(job)); }

// quarantined: too many attempts of the job were lost; the job may be what takes its devices down.
enum class JobState {
  submitted,
  queued,
  assigned,
  running,
  succeeded,
  failed,
  denied,
  cancelled,
  expired,
  quarantined,
};

// assigned: granted; the outbox repeats the command until the device answers. fetching: the device has the attempt in
// its journal, and does not run it yet: it gets the package, or waits for its time or for contact. unreachable: nobody
// hears of the attempt; its contract decides. timed_out: at the limit of its time. rejected: the device did not begin.
// lost: the attempt was given up; its fence is no longer live.
enum class AttemptState {
  assigned,
  fetching,
  running,
  unreachable,
  succeeded,
  failed,
  timed_out,
  cancelled,
  rejected,
  lost,
};

// An execution's state as others see it: the state of its live attempt, or what the execution waits for, or how it
// ended.
enum class ExecutionState {
  queued,   // waits for a device
  waiting,  // waits for its next try
  assigned,
  fetching,
  running,
  unreachable,
  succeeded,
  failed,
  timed_out,
  cancelled,
  lost,
  denied,
  expired,
  quarantined,
};

[[nodiscard]] std::string_view name(JobState state);
[[nodiscard]] std::string_view name(AttemptState state);
[[nodiscard]] std::string_view name(ExecutionState state);
[[nodiscard]] std::optional<JobState> job_state(std::string_view text);
[[nodiscard]] std::optional<AttemptState> attempt_state(std::string_view text);
[[nodiscard]] std::optional<ExecutionState> execution_state(std::string_view text);
[[nodiscard]] bool settled(JobState state);
[[nodiscard]] bool settled(AttemptState state);
[[nodiscard]] bool settled(ExecutionState state);
// Whether `to` may follow `from` (tables: libs/model/transitions.cpp). A state may always follow itself.
[[nodiscard]] bool may_follow(JobState from, JobState to);
[[nodiscard]] bool may_follow(AttemptState from, AttemptState to);
[[nodiscard]] bool may_follow(ExecutionState from, ExecutionState to);
// The names of all states of a noun, in the order of its enum.
[[nodiscard]] std::vector<std::string_view> job_state_names();
[[nodiscard]] std::vector<std::string_view> attempt_state_names();
[[nodiscard]] std::vector<std::string_view> execution_state_names();

// The contract of one attempt, after defaults.
struct Contract {
  std::optional<int> lost_after_s;  // none: silence never makes it lost
  std::optional<int> stop_after_s;
  bool replace = true;
  bool restart_on_reboot = false;
  std::optional<std::int64_t> start_at_ms{};  // Unix time: the device has the work before, and begins it then
  bool operator==(const Contract&) const = default;
};
// `bound`: the execution belongs to a named device. `lost_after_s`: used where the job sets none and the execution is
// not bound.
[[nodiscard]] Contract contract_of(const JobSpec& job, bool bound, int lost_after_s);

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

// What a program and all that it started used, as the kernel counted.
struct RunUse {
  std::int64_t cpu_ms = 0;             // of all processors together
  std::int64_t memory_peak_bytes = 0;  // resident, of the largest of its processes
  std::int64_t read_bytes = 0;         // as read() and its kin returned them
  std::int64_t written_bytes = 0;
  bool operator==(const RunUse&) const = default;
};

// How a program ended. Its output is kept as the bytes it was. Of output longer than RunLimits::output_bytes the
// beginning and the end are kept, half of the limit each; `…_cut_bytes` says how many bytes between them are missing.
struct RunResult {
  int exit_code = 0;  // -1: ended by `signal`
  std::optional<int> signal;
  std::string stdout_text;
  std::string stderr_text;
  bool truncated = false;  // bytes of stdout or stderr are missing
  std::int64_t stdout_cut_bytes = 0;
  std::int64_t stderr_cut_bytes = 0;
  std::int64_t elapsed_ms = 0;
  // The output came in parts: then the texts are at most its last 512 bytes, and the files have no content.
  bool in_parts = false;
  std::int64_t stdout_bytes = 0;  // with in_parts: the bytes of all parts
  std::int64_t stderr_bytes = 0;
  std::vector<OutputFile> files;
  std::optional<RunUse> use{};  // none: not measured
  bool operator==(const RunResult&) const = default;
};

// A piece of a result that is too large for one message (docs/decisions/0009).
struct ResultPart {
  std::string of;           // "stdout", "stderr", or "file:" and the path of an output file
  std::int64_t offset = 0;  // in bytes
  std::string bytes;
  bool operator==(const ResultPart&) const = default;
};

// What a device decided about an attempt by itself, for those who were not there.
struct Decided {
  std::int64_t at_ms = 0;  // Unix time, as well as the device knew it
  std::string what;
  bool operator==(const Decided&) const = default;
};

// What a device reports of an attempt. A report with `part` reports nothing else: its state is the one that the attempt
// had.
struct AttemptReport {
  AttemptKey key;
  AttemptState state = AttemptState::fetching;
  std::string reason;
  std::optional<RunResult> result;
  std::optional<ResultPart> part;
  bool work_fault = false;  // refused: because of the work (its package is not what was signed), not of the device
  std::string traceparent;  // of the assignment
  std::optional<RunProgress> progress{};  // the newest, when it ended
  std::vector<Decided> decided{};         // when it ended: the newest limits::decided_max
  bool operator==(const AttemptReport&) const = default;
};

// Commands to a device.
struct Assign {
  AttemptKey key;
  int attempt = 1;
  int fetching_s = 3'600;
  int priority = 5;             // of the job
  std::int64_t executions = 1;  // of the job: so many devices may need its package
  bool metered = false;         // as the job says
  Contract contract;
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

// Asks what became of an attempt. The device answers with a report: how the attempt stands, how it ended, or lost where
// the device does not know it.
struct Inquire {
  AttemptKey key;
  std::string traceparent;
  bool operator==(const Inquire&) const = default;
};

// Asks to publish what the program writes, as it comes, on up/log: for so long. `begin`: the end of what it has written
// already comes first.
struct Tail {
  AttemptKey key;
  int for_s = 60;
  bool begin = true;
  std::string traceparent;
  bool operator==(const Tail&) const = default;
};

// What a grant permits; signed by security-policy, checked by the device before it runs anything.
struct Grant {
  AttemptKey key;
  DeviceId device;
  std::string package;
  std::string work_digest;  // digest of codec::work_text: command, environment, outputs and contract
  RunLimits limits;
  std::int64_t issued_ms = 0;
  std::int64_t expires_ms = 0;
  bool operator==(const Grant&) const = default;
};

}  // namespace fieldwork
