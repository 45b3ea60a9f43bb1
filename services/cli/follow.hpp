// Tells in lines what is new about one job. Pure: takes what was heard, returns what to show.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "codec/device.hpp"
#include "codec/json.hpp"
#include "model/job.hpp"

namespace fieldwork::cli {

class Follow {
 public:
  // `package`: the digest of the job's package, or empty.
  Follow(std::string job, std::string package) : job_(std::move(job)), package_(std::move(package)) {}

  // Takes a STATE_JOB with its executions (executions.hpp). Returns the lines that it adds to what was said: one for
  // each execution that changed (where the job has more, for their counts), and one for how the job ended. The state of
  // another job, or an object without a state, adds nothing.
  std::vector<std::string> job(const codec::Json& state);

  struct Sending {
    std::string device;
    std::int64_t done_bytes = 0;
    std::int64_t total_bytes = 0;
    bool complete = false;
    bool operator==(const Sending&) const = default;
  };
  // Takes a state/transfer. Returns something if the transfer brings this job's package to one of its devices that
  // waits.
  std::optional<Sending> transfer(const codec::Json& state);

  // The text to show for a device's log message; nothing if the message is another job's, or the beginning that
  // somebody else asked for. `named`: the device stands before each line.
  std::optional<std::string> log(const std::string& device, const codec::LogLine& line, bool named = true);

  // Somebody asks for what this attempt has written: its beginning is shown once.
  void wants_begin(const AttemptKey& attempt);

  // Whether an event/job/changed names this job.
  [[nodiscard]] bool concerns(const codec::Json& event) const;

  [[nodiscard]] std::optional<JobState> state() const { return state_; }
  // An execution of the job is queued.
  [[nodiscard]] bool waits_for_a_device() const { return queued_; }
  [[nodiscard]] bool is_settled() const { return state_ && settled(*state_); }
  [[nodiscard]] const std::string& reason() const { return reason_; }

 private:
  std::string job_;
  std::string package_;
  std::optional<JobState> state_;
  std::string reason_;
  std::string counts_;
  bool queued_ = false;
  struct Said {
    std::string line, reason;
  };
  std::map<std::int64_t, Said> executions_;  // by execution, what was last said of it
  struct Fetch {
    bool open = false;  // the device's execution does not run yet
    bool seen = false;  // a transfer to the device was seen
  };
  std::map<std::string, Fetch> devices_;                 // the job's devices
  std::set<std::pair<AttemptKey, std::string>> wanted_;  // attempts and streams whose beginning was asked for
};

// How far a job that runs is, by what its programs say; of several executions the mean.
struct HowFar {
  std::string what;
  double share = 0;  // 0 to 1
  std::string amount;
};
// Takes a STATE_JOB with its executions; nothing: no program says how far it is.
[[nodiscard]] std::optional<HowFar> how_far(const codec::Json& job);
// "42 of 100, scan: third floor" of the progress of a STATE_EXECUTION.
[[nodiscard]] std::string amount_of(const codec::Json& progress);

// Takes an answer of `explain`: why no device fits, in one line; empty when something runs or fits.
[[nodiscard]] std::string waiting_line(const codec::Json& explained);

}  // namespace fieldwork::cli
