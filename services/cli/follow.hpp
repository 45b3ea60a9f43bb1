// What is new about one job, told in lines. Pure: takes what was heard, gives what to say.
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
  // `package`: its digest, or empty.
  Follow(std::string job, std::string package) : job_(std::move(job)), package_(std::move(package)) {}

  // Takes a STATE_JOB with its executions (executions.hpp); the lines that it adds to what was said: of each execution,
  // or of their counts when there are more, and how the job ended. Another job's, or one without a state, says nothing.
  std::vector<std::string> job(const codec::Json& state);

  struct Sending {
    std::string device;
    std::int64_t done_bytes = 0;
    std::int64_t total_bytes = 0;
    bool complete = false;
    bool operator==(const Sending&) const = default;
  };
  // Takes a state/transfer; something where it brings this job's package to one of its devices that waits for it.
  std::optional<Sending> transfer(const codec::Json& state);

  // The line to show for a device's log message; nothing for another job's.
  [[nodiscard]] std::optional<std::string> log(const std::string& device, const codec::LogLine& line) const;

  // Whether an event/job/changed names this job.
  [[nodiscard]] bool concerns(const codec::Json& event) const;

  [[nodiscard]] std::optional<JobState> state() const { return state_; }
  // Something of it is in the queue.
  [[nodiscard]] bool waits_for_a_device() const { return queued_; }
  [[nodiscard]] bool finished() const { return state_ && settled(*state_); }
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
  std::map<std::int64_t, Said> executions_;  // what was last said of each
  struct Fetch {
    bool open = false;  // its execution does not run yet
    bool seen = false;  // a transfer to it
  };
  std::map<std::string, Fetch> devices_;  // of the job
};

// Of an explain answer: why nothing fits, in one line; empty when something runs or fits.
[[nodiscard]] std::string waiting_line(const codec::Json& explained);

}  // namespace fieldwork::cli
