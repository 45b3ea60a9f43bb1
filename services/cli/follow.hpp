// Tells in lines what is new about one job. Pure: takes what was heard, returns what to show.
#pragma once

#include <map>
#include <optional>
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

  // The text to show for a device's log message; nothing if the message is another job's.
  [[nodiscard]] std::optional<std::string> log(const std::string& device, const codec::LogLine& line) const;

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
  std::map<std::string, Fetch> devices_;  // the job's devices
};

// Takes an answer of `explain`: why no device fits, in one line; empty when something runs or fits.
[[nodiscard]] std::string waiting_line(const codec::Json& explained);

}  // namespace fieldwork::cli
