// Waits until a job is settled, and tells what happens to it.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "follow.hpp"
#include "output.hpp"
#include "session.hpp"

namespace fieldwork::cli {

struct WaitHow {
  std::string package{};           // the digest of the job's package: its transfer is shown; or empty
  bool quiet = false;              // nothing is told
  bool logs = false;               // what the job's programs write is told, too
  bool only_logs = false;          // that alone, on stdout
  std::optional<int> execution{};  // logs of this one; none: of those that run
};

class Wait {
 public:
  // What a session must be opened with.
  [[nodiscard]] static std::vector<std::string> filters(const WaitHow& how);

  Wait(Session& session, std::string job, WaitHow how);

  // Returns the settled STATE_JOB with its executions. Failures: timed_out, interrupted (the job goes on).
  Outcome<codec::Json> run(std::optional<std::chrono::milliseconds> patience);

 private:
  Outcome<bool> look();
  void ask_for_logs(const codec::Json& job);
  bool ask_for_log(codec::Json body);
  std::string why_it_waits();
  void hear(const bus::Message& message);
  void tell(const std::string& line);
  [[nodiscard]] Failure goes_on(Exit exit, const std::string& why) const;

  Session& session_;
  std::string job_;
  WaitHow how_;
  Follow follow_;
  Progress progress_;
  std::shared_ptr<const codec::Json> last_;
  Session::Clock::time_point look_at_{};
  Session::Clock::time_point why_at_;
  Session::Clock::time_point logs_at_{};
  std::set<std::pair<std::int64_t, std::int64_t>> logs_of_;  // executions and fences whose logs were asked for
  std::string said_why_, estimate_;
  bool up_ = true;
  bool many_ = false;          // it has several executions
  bool said_nothing_ = false;  // that none of them can be followed
  bool closed_ = false;        // stdout
};

}  // namespace fieldwork::cli
