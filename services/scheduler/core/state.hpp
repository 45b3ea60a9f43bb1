// What the scheduler knows: jobs, their executions and attempts, and its view of the devices.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/id.hpp"
#include "base/time.hpp"
#include "model/device.hpp"
#include "model/job.hpp"

namespace fieldwork::scheduler {

struct Limits {
  std::size_t jobs_live_max = 200'000;
  std::size_t jobs_finished_max = 1'000;  // kept in memory and on state topics; all others are in the database
  int attempts_per_device_max = 256;      // at once
  Duration lease{seconds{30}};
  Duration lease_grace{seconds{5}};  // the device gives up first
  Duration ask_again{seconds{2}};    // an unanswered question to security-policy
  std::size_t explained_max = 16;    // candidates and filtered devices kept with an attempt
};

// Why a device got the work, or did not.
struct Candidate {
  DeviceId device;
  double score = 0;  // 0 to 1, see placement.hpp
  double fit = 0, health = 0, link = 0, locality = 0, spread = 0;
};
struct Filtered {
  DeviceId device;
  std::string requirement;  // the field of the job, or state
  std::string reason;
};
struct Placement {
  std::optional<DeviceId> chosen;
  std::vector<Candidate> candidates;  // best first, at most explained_max
  std::vector<Filtered> filtered;     // at most explained_max
  std::size_t candidates_total = 0;
  std::size_t filtered_total = 0;
};

struct Attempt {
  AttemptKey key;
  int number = 1;
  DeviceId device;
  AttemptState state = AttemptState::assigned;
  std::string grant;
  std::string reason;
  std::optional<RunResult> result;
  Placement placement;
  std::int64_t created_ms = 0;
  std::int64_t changed_ms = 0;
  Time lease_until{};
};

// queued: wants a device. waiting: for its retry time. asking: a device is proposed, security-policy is asked.
// live: an attempt is on a device. done: succeeded, or no further attempt will be made.
enum class Phase { queued, waiting, asking, live, done };

struct Execution {
  int index = 0;
  DeviceId target;  // empty: the scheduler chooses
  Phase phase = Phase::queued;
  std::int64_t fence = 0;  // of the newest attempt or proposal
  int attempts = 0;
  int failures = 0;
  std::optional<Attempt> attempt;  // the newest
  std::string lane;                // of the queue, while queued
  // While asking:
  DeviceId proposed;
  Placement placement;
  Time ask_again{};
  Time retry_at{};  // while waiting
};

struct Job {
  JobId id;
  std::string request;
  std::string submitter;
  JobSpec spec;
  std::string spec_digest;
  std::string traceparent;
  JobState state = JobState::submitted;
  std::string reason;
  bool bulk = false;        // no state topic of its own
  bool authorised = false;  // security-policy has said yes once
  std::vector<Execution> executions;
  std::int64_t submitted_ms = 0;
  std::int64_t changed_ms = 0;
  std::uint64_t order = 0;  // of submission, within this process
};

// The scheduler's view of a device: what the registry says, less what is placed there.
struct DeviceView {
  Device device;
  std::int64_t cpu_millis_used = 0;
  std::int64_t memory_bytes_used = 0;
  std::int64_t disk_bytes_used = 0;
  int attempts = 0;
  std::vector<std::string> packages;  // digests that ran there, newest last, at most 64
};

// Where a device's report stream stands.
struct Stream {
  std::int64_t epoch = 0;
  std::int64_t seq = 0;
};

}  // namespace fieldwork::scheduler
