// What the scheduler knows: jobs, their executions and attempts, and its view of the devices.
#pragma once

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
#include "model/device.hpp"
#include "model/job.hpp"
#include "model/limits.hpp"

namespace fieldwork::scheduler {

struct Limits {
  std::size_t jobs_live_max = 200'000;
  std::size_t executions_live_max = 1'000'000;
  std::size_t jobs_settled_max = 1'000;  // kept in memory and on state topics; all others are in the database
  Duration jobs_kept{std::chrono::hours{24 * 30}};  // finished ones, in the database; then nobody needs their topics
  std::int64_t jobs_kept_max = 5'000'000;
  std::size_t executions_shown_max = 50'000;  // on state topics at once
  Duration shown_after_end{std::chrono::hours{1}};
  int attempts_per_device_max = 256;        // at once
  int lease_s = 300;                        // lost_after_s of jobs that say nothing
  Duration unreachable_after{seconds{60}};  // without contact; the registry's word usually comes first
  Duration ask_again{seconds{2}};           // an unanswered question to security-policy; doubles
  Duration ask_again_max{seconds{60}};
  std::size_t questions_open_max = 1'024;
  Duration inquire_after{seconds{10}};  // a live attempt that its connected device does not list
  // After a start nothing is placed for hear_least, and until each ready device was heard, at most for hear_first: it
  // may have what this memory forgot. 0: no such wait.
  Duration hear_least{seconds{1}};
  Duration hear_first{seconds{7}};
  Duration overdue{seconds{120}};  // a device that is in contact ends a phase so long after the phase's own limit
  int refusals_max = 3;            // of different jobs in a row, then the device is unplaceable for a while
  Duration unplaceable_first{seconds{60}};  // doubles up to unplaceable_last
  Duration unplaceable_last{seconds{3600}};
  Duration hold_after{seconds{60}};  // a queued execution that others overtake so long gets a device held for it
  std::size_t holds_max = 16;
  std::size_t ended_there_max = 100'000;  // executions of forgotten jobs, remembered until they are submitted again
  std::size_t stale_max = 32;             // answers to one heartbeat about attempts that are not the device's
  std::size_t examined_max = 64;          // devices scored for one placement
  std::size_t explained_max = 16;         // candidates and filtered devices kept with an attempt
};

// Why a device got the work, or did not. The score is the sum of its parts.
struct Candidate {
  DeviceId device;
  double score = 0;
  double fit = 0, health = 0, link = 0, locality = 0, spread = 0, history = 0;
};
struct Filtered {
  DeviceId device;
  std::string requirement;  // the field of the job, or state
  std::string reason;
};
struct Placement {
  std::optional<DeviceId> chosen;
  std::vector<Candidate> candidates;  // best first, at most explained_max
  std::vector<Filtered> filtered;     // at most explained_max, the nearest to fitting first
  std::size_t candidates_total = 0;
  std::size_t filtered_total = 0;
  std::map<std::string, std::size_t> reasons;  // devices per requirement that they do not meet; explain only
};

struct Attempt {
  AttemptKey key;
  int number = 1;
  DeviceId device;
  AttemptState state = AttemptState::assigned;
  AttemptState reported = AttemptState::assigned;  // what the device said last: where it comes back to
  std::string grant;
  // As the device was told, and as the grant was signed for: the settings may have changed since. None in rows of an
  // earlier version.
  std::optional<Contract> contract;
  std::string reason;
  std::shared_ptr<const RunResult> result;
  std::shared_ptr<const Placement> placement;
  std::int64_t created_ms = 0;
  std::int64_t changed_ms = 0;
  // The execution's, as they are with this attempt: one that follows from its newest attempt has no row of its own.
  std::int64_t version = 0;
  bool shown = false;
  bool stored = false;  // has a row: only what may have changed is saved again
};

// What an execution is by its newest attempt; queued, where that ended without success.
[[nodiscard]] ExecutionState seen_as(AttemptState state);

// --- phases of an execution: each alternative holds only what is valid in it ---
struct Queued {
  std::uint64_t lane = 0;  // of the queue; 0: not in it
  int rank = 0;            // smaller first
  Time since{};
};
struct Waiting {  // for its next try
  Time until{};
};
struct Asking {  // security-policy is asked about this device; empty: whether the job may run at all
  DeviceId device;
  std::int64_t fence = 0;  // of the attempt that it would be
  std::shared_ptr<const Placement> placement;
  Time again{};
  Duration patience{};
};
struct Live {          // an attempt is on a device: Execution::attempt
  Time contact{};      // when something of it arrived last
  Time phase_since{};  // when its reported state began
  bool inquired = false;
};
struct Done {};
using Phase = std::variant<Queued, Waiting, Asking, Live, Done>;

struct Exclusion {
  bool by_policy = false;  // else the device refused
  std::string reason;
};

struct Execution {
  int index = 0;
  DeviceId target;  // empty: the scheduler chooses
  Phase phase = Queued{};
  ExecutionState state = ExecutionState::queued;
  std::int64_t fence = 0;  // of the newest attempt
  std::int64_t version = 0;
  int attempts = 0;
  int failures = 0;
  int losses = 0;
  int rounds = 0;  // times that every device that could run it refused
  std::string reason;
  std::optional<Attempt> attempt;          // the newest
  std::map<DeviceId, Exclusion> excluded;  // of this round
  std::set<DeviceId> avoid;                // failed or was lost there: only if nobody else can
  DeviceId claimed;                        // this device speaks of an attempt that this memory has forgotten
  std::int64_t changed_ms = 0;
  bool shown = false;         // has a retained state
  bool stored = false;        // has a row of its own: since it did not follow from its newest attempt
  std::optional<Time> timer;  // its entry in the scheduler's timeline

  template <class T>
  [[nodiscard]] bool is() const {
    return std::holds_alternative<T>(phase);
  }
};

// Makes an execution without a row of its own what its newest attempt says.
void follow_attempt(Execution& execution);

using Counts = std::array<std::size_t, 13>;  // executions per ExecutionState

// A job without its executions: what is stored and said of it.
struct JobRecord {
  JobId id;
  std::string request;
  std::string submitter;
  std::shared_ptr<const JobSpec> spec;
  std::string spec_digest;
  std::string traceparent;
  JobState state = JobState::submitted;
  std::string reason;
  bool bulk = false;              // no state topic of its own
  bool authorised = false;        // security-policy has said yes once
  DeviceId device;                // of the newest attempt, when it has one execution
  std::vector<DeviceId> targets;  // of each execution; empty: the scheduler chooses
  Counts counts{};
  std::vector<std::string> reasons;  // the newest ones of its executions, newest first
  std::int64_t submitted_ms = 0;
  std::int64_t changed_ms = 0;
  bool stored = false;  // has a row: only what may have changed is saved again
};

struct Job : JobRecord {
  std::vector<Execution> executions;  // empty once it is finished and stored
  std::map<DeviceId, int> taken;      // devices that its executions have or are proposed to
  std::uint64_t order = 0;            // of submission, within this process
};

// What a job is of which not all executions are over.
[[nodiscard]] JobState live_state_of(const Job& job);

// Of one execution, as it is said and stored.
struct ExecutionRecord {
  JobId job;
  std::string name;
  std::string traceparent;
  bool bulk = false;
  Execution execution;
};

// The scheduler's view of a device: what the registry says, less what is placed there.
struct DeviceView {
  Device device;
  std::int64_t cpu_millis_used = 0;
  std::int64_t memory_bytes_used = 0;
  std::int64_t disk_bytes_used = 0;
  int attempts = 0;
  std::vector<std::string> packages;  // digests that ran there, newest last, at most 64
  // Refusals in a row, by job; at refusals_max nothing is placed there until `unplaceable_until`.
  std::set<JobId> refused_jobs;
  int unplaceable_times = 0;
  Time unplaceable_until{};
  std::string unplaceable_reason;
  std::int64_t unplaceable_since_ms = 0;
};

// Whether devices take work: what is stored and said of one that does not.
struct PlaceableRecord {
  DeviceId device;
  bool placeable = true;
  std::string reason;
  int times = 0;
  std::int64_t since_ms = 0;
  std::int64_t until_ms = 0;
};

// Up to where a device's report stream is applied (docs/decisions/0011).
struct Stream {
  std::int64_t epoch = 0;
  std::int64_t seq = 0;
  std::int64_t tag = 0;  // of seq
  bool operator==(const Stream&) const = default;
};

}  // namespace fieldwork::scheduler
