// What the scheduler knows: jobs, their executions and attempts, and its view of the devices.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/id.hpp"
#include "base/time.hpp"
#include "fleet/expression.hpp"
#include "model/device.hpp"
#include "model/job.hpp"
#include "model/limits.hpp"

namespace fieldwork::scheduler {

// The most that each part of a device's score can be (plan/placement.hpp).
struct Weights {
  double fit = 0.35, health = 0.25, link = 0.15, locality = 0.15, spread = 0.10, affinity = 0.20, history = 0.15;
  // More than all parts together can differ between two devices.
  [[nodiscard]] double last_choice() const {
    return 1 + fit + health + link + locality + spread + 2 * affinity + history;
  }
};

struct Limits {
  std::size_t jobs_live_max = 200'000;
  std::size_t executions_live_max = 1'000'000;
  std::size_t jobs_settled_max = 1'000;  // settled jobs in memory and on state topics; all others are in the database
  Duration jobs_kept{std::chrono::hours{24 * 30}};  // settled jobs in the database, since their last change
  std::int64_t jobs_kept_max = 5'000'000;
  std::size_t executions_shown_max = 50'000;  // executions with a state topic
  Duration shown_after_end{std::chrono::hours{1}};
  int attempts_per_device_max = 256;        // live at once
  int lease_s = 300;                        // lost_after_s of jobs that set none
  Duration unreachable_after{seconds{60}};  // silence of an attempt; usually the registry's word comes first
  Duration ask_again{seconds{2}};           // before a question to security-policy is repeated; doubles
  Duration ask_again_max{seconds{60}};
  std::size_t questions_open_max = 1'024;
  Duration inquire_after{seconds{10}};  // silence of a live attempt whose connected device does not list it
  // After a start nothing is placed for hear_least, and then until each ready device was heard, for hear_first at most
  // (both from the first connection on): a device may have attempts that this memory forgot. hear_first 0: no such
  // wait.
  Duration hear_least{seconds{1}};
  Duration hear_first{seconds{7}};
  Duration overdue{seconds{120}};           // how much later than its own limit a device in contact may end a phase
  double backoff_spread = 0.5;              // of a backoff, the most that chance adds
  int refusals_max = 3;                     // of different jobs in a row; then the device is unplaceable
  Duration unplaceable_first{seconds{60}};  // doubles with each time, up to unplaceable_last
  Duration unplaceable_last{seconds{3600}};
  Duration hold_after{seconds{60}};  // a queued execution that others overtake waits so long, then a device is held
  std::size_t holds_max = 16;        // for executions that wait too long, and as many while room is made for others
  int preempted_max = 3;             // an execution that was preempted so often is left alone
  std::size_t ended_there_max = 100'000;  // executions of unknown jobs that ended on a device
  std::size_t stale_max = 32;             // stale commands in answer to one heartbeat
  std::size_t examined_max = 64;          // devices scored for one placement
  std::size_t explained_max = 16;         // candidates, and devices that did not fit, kept with an attempt
  Duration age_every{seconds{600}};       // of waiting: one level more
  bool exact = false;                     // rate every device for each placement
  bool learn_demand = true;               // what a job does not say is estimated by what such work used
  Weights weights;
};

// Why a device was chosen or not. The score is the sum of its parts.
struct Score {
  double score = 0;
  double fit = 0, health = 0, link = 0, locality = 0, spread = 0, affinity = 0, history = 0;
};
struct Candidate : Score {
  DeviceId device;
};
struct Filtered {
  DeviceId device;
  std::string requirement;  // the job's field that is not met, or another word of unfit() (placement.cpp)
  std::string reason;
};
struct Placement {
  std::optional<DeviceId> chosen;
  std::vector<Candidate> candidates;  // the best first, at most explained_max
  std::vector<Filtered> filtered;     // the nearest to fitting first, at most explained_max
  std::size_t candidates_total = 0;
  std::size_t filtered_total = 0;
  std::map<std::string, std::size_t> reasons;  // number of devices that do not meet a requirement; explain() only
};

struct Attempt {
  AttemptKey key;
  int number = 1;
  DeviceId device;
  AttemptState state = AttemptState::assigned;
  // The last state that the device reported; `unreachable` ends in it. A cancelled attempt is confirmed when it is
  // settled.
  AttemptState reported = AttemptState::assigned;
  std::string grant;
  std::string package{};  // that the grant was signed for: the job's, or a variant of it
  // The contract that the device was told and that the grant was signed for: the settings may have changed since. None
  // in a row of an earlier version.
  std::optional<Contract> contract;
  std::string reason;
  JobId preempted_by;                   // the job that gets its room; its device was told to end it
  std::string moves{};                  // what its device no longer meets; its device was told to end it
  std::optional<RunProgress> progress;  // the newest that was heard
  std::vector<Decided> decided;         // what its device decided about it by itself
  std::shared_ptr<const RunResult> result;
  std::shared_ptr<const Placement> placement;
  std::int64_t created_ms = 0;
  std::int64_t changed_ms = 0;
  // The execution's version and shown: an execution that follows from its newest attempt has no row of its own.
  std::int64_t version = 0;
  bool shown = false;
  bool went_on = false;  // with a program that an earlier attempt began; not saved
  bool stored = false;   // has a row: a further save writes only the columns that can change
};

[[nodiscard]] inline bool is_told_to_end(const Attempt& attempt) {
  return !attempt.preempted_by.empty() || !attempt.moves.empty();
}

// The state of an execution by the state of its newest attempt; `queued` where that attempt ended without success.
[[nodiscard]] ExecutionState seen_as(AttemptState state);

// --- phases of an execution: each alternative has only the fields that are valid in it ---
struct Queued {
  std::uint64_t lane = 0;  // its number in the queue; 0: the execution is in no lane
  Time since{};
};
struct Waiting {  // for the next try, after a backoff
  Time until{};
  Time since{};  // Queued::since, where it stands aside for a moment
};
// Security-policy is asked whether the execution may run on `device`; without a device: whether the job may run at all.
struct Asking {
  DeviceId device;
  std::int64_t fence = 0;  // that the attempt will have
  std::shared_ptr<const Placement> placement;
  Time again{};
  Duration patience{};
  Time since{};           // Queued::since
  std::string package{};  // of the device's architecture
};
struct Live {          // Execution::attempt is on a device
  Time contact{};      // when the newest contact of the attempt arrived
  Time phase_since{};  // when the reported state began
  bool inquired = false;
  int said = 0;  // lines to the job's other executions, in the second that began at
  Time said_since{};
};
struct Settled {};
using Phase = std::variant<Queued, Waiting, Asking, Live, Settled>;

struct Exclusion {
  bool by_policy = false;  // security-policy denied it; else the device refused
  std::string reason;
};

// The newest attempt that silence took from an execution: its device may come back with it (docs/decisions/0024).
struct Original {
  std::int64_t fence = 0;
  DeviceId device;
  int number = 1;
  std::int64_t created_ms = 0;
  std::optional<RunProgress> progress{};
};

struct Execution {
  int index = 0;
  DeviceId target;  // empty: the scheduler chooses
  Phase phase = Queued{};
  ExecutionState state = ExecutionState::queued;
  std::int64_t fence = 0;  // of the newest attempt; 0: there was none
  std::int64_t version = 0;
  int attempts = 0;
  int failures = 0;
  int losses = 0;
  int rounds = 0;     // how often every device that could run it refused
  int preempted = 0;  // how often it made room, since the start of this process
  std::string reason;
  std::optional<Attempt> attempt;          // the newest attempt
  std::map<DeviceId, Exclusion> excluded;  // devices that said no in this round
  std::set<DeviceId> avoid;                // devices where it failed or was lost: used only if no other fits
  DeviceId claimed;  // the device says that it has an attempt which this memory forgot, or gave up
  std::optional<Original> original;
  Time joined{};  // of a continuous job, in this process: its place in the queue counts from then
  std::int64_t changed_ms = 0;
  bool shown = false;         // has a retained state topic
  bool stored = false;        // has a row of its own, since it did not follow from its newest attempt
  std::optional<Time> timer;  // when its ExecutionDue is

  template <class T>
  [[nodiscard]] bool is() const {
    return std::holds_alternative<T>(phase);
  }
};

// For how long the program of a live attempt has run: since its state is known to be `running`, in this process or as
// it was stored.
[[nodiscard]] inline Duration ran_for(const Execution& execution, Time now) {
  if (execution.attempt->reported != AttemptState::running) return {};
  const auto since = std::min(std::get<Live>(execution.phase).phase_since, from_ms(execution.attempt->changed_ms));
  return std::max(Duration{}, now - since);
}

// Sets an execution that has no row of its own to what its newest attempt says.
void follow_attempt(Execution& execution);

using Counts = std::array<std::size_t, 14>;  // number of executions, by ExecutionState

// What of a job's requirements was estimated; 0: nothing.
struct Demand {
  std::int64_t cpu_millis = 0, memory_bytes = 0;
  bool operator==(const Demand&) const = default;
};

// A job without its executions, as it is stored and published.
struct JobRecord {
  JobId id;
  std::string request;
  std::string submitter;
  std::shared_ptr<const JobSpec> spec;
  std::string made_of;  // NAME@VERSION of its template; empty: none
  JobId retry_of;       // the job whose failed executions it tries again; empty: none
  Demand estimated{};   // is contained in its requirements
  std::string spec_digest;
  std::string traceparent;
  JobState state = JobState::submitted;
  std::string reason;
  bool bulk = false;              // submitted with 16 others or more: no state topic of its own
  bool authorised = false;        // security-policy has allowed the job once
  DeviceId device;                // of the newest attempt; only of a job with one execution
  std::vector<DeviceId> targets;  // the device of each execution; empty: the scheduler chooses
  Counts counts{};
  std::vector<std::string> reasons;  // of its executions, the newest first, at most reasons_max
  std::int64_t submitted_ms = 0;
  std::int64_t changed_ms = 0;  // grows with each change of its state: operators name it as the version that they saw
  bool stored = false;          // has a row: a further save writes only the columns that can change
};

// Of its command, its template (0: none) and its program (follow/durations.hpp): the most telling first.
using DurationKeys = std::array<std::uint64_t, 3>;

struct Content;

struct Job : JobRecord {
  std::vector<Execution> executions;           // empty once the job is settled and stored
  std::map<DeviceId, int> taken;               // number of executions that have a device or are proposed to it
  std::uint64_t order = 0;                     // of submission, within this process
  std::optional<fleet::Expression> where{};    // of its requirements
  std::optional<fleet::Expression> chooses{};  // of its targets, where they are continuous
  std::vector<std::optional<fleet::Expression>> affinity{};  // of its affinities, in their order
  DurationKeys durations{};
  const Content* content = nullptr;  // what the fleet knows of its package; null: nothing
  Time moved_at{};                   // when work of it was last told to leave its device, in this process
};

// Before it nothing of the job begins; Time{}: at once.
[[nodiscard]] inline Time start_of(const Job& job) {
  return job.spec->start_at_ms ? from_ms(*job.spec->start_at_ms) : Time{};
}
// Before it no device gets the job.
[[nodiscard]] inline Time placed_from(const Job& job) {
  return job.spec->start_at_ms ? from_ms(*job.spec->start_at_ms) - seconds(job.spec->offline.stage_s.value_or(0))
                               : Time{};
}

// Of a job with deadline_s.
[[nodiscard]] inline Time deadline_of(const Job& job) {
  return from_ms(job.submitted_ms) + seconds(*job.spec->deadline_s);
}

// The state of a job of which not all executions are settled.
[[nodiscard]] JobState live_state_of(const Job& job);

// One execution, as it is stored and published.
struct ExecutionRecord {
  JobId job;
  std::shared_ptr<const JobSpec> spec;
  std::string traceparent;
  bool bulk = false;
  Execution execution;
};

// 0 where there is nothing of it.
[[nodiscard]] inline double share_of(std::int64_t some, std::int64_t all) {
  return all <= 0 ? 0 : static_cast<double>(some) / static_cast<double>(all);
}

// What attempts use, or may use.
struct Use {
  std::int64_t cpu_millis = 0;
  std::int64_t memory_bytes = 0;
  std::int64_t storage_bytes = 0;
  int attempts = 0;

  void add(const Requirements& need, int sign = 1) {
    cpu_millis += sign * need.cpu_millis;
    memory_bytes += sign * need.memory_bytes;
    storage_bytes += sign * need.storage_bytes;
    attempts += sign;
  }
  void remove(const Use& other) {
    cpu_millis -= other.cpu_millis;
    memory_bytes -= other.memory_bytes;
    storage_bytes -= other.storage_bytes;
    attempts -= other.attempts;
  }
  bool operator==(const Use&) const = default;
};

// The scheduler's view of a device: what the registry says of it, and what is placed on it.
struct DeviceView {
  Device device;
  Use used;
  std::array<Use, 2> preemptible;     // of it what work of the classes low and normal uses that may be preempted
  std::vector<std::string> packages;  // digests that ran there, the newest last, at most packages_per_device_max
  // Jobs that the device refused in a row. With refusals_max of them nothing is placed there until unplaceable_until.
  std::set<JobId> refused_jobs;
  int unplaceable_times = 0;
  Time unplaceable_until{};
  std::string unplaceable_reason;
  std::int64_t unplaceable_since_ms = 0;
};

// Whether a device takes work, as it is stored and published (state/placement/{device}).
struct PlaceableRecord {
  DeviceId device;
  bool placeable = true;
  std::string reason;
  int times = 0;
  std::int64_t since_ms = 0;
  std::int64_t until_ms = 0;
};

// How far a device's report stream is applied (docs/decisions/0011).
struct Stream {
  std::int64_t epoch = 0;
  std::int64_t seq = 0;
  std::int64_t tag = 0;  // of the report `seq`; 0: it was never heard
  bool operator==(const Stream&) const = default;
};

}  // namespace fieldwork::scheduler
