// The agent's core: what a device does with orders, and what it owes the scheduler. Pure.
//
// An attempt is journalled before it is answered, and run at most once: what was running when the agent died is
// reported as failed, never started again. Reports are a durable stream (epoch, seq) that is repeated from the first
// one not acknowledged. Several changes of one attempt that were not yet sent travel as the last of them.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "model/device.hpp"
#include "model/job.hpp"

namespace fieldwork::agent {

struct Limits {
  Duration report_again{seconds{2}};  // doubles up to report_again_max while nothing is acknowledged
  Duration report_again_max{seconds{30}};
  Duration enrol_again{seconds{5}};
  Duration refused_again{seconds{60}};
  std::size_t done_max = 1000;               // ended attempts remembered, so that a late repeat does not run them again
  std::size_t report_items_max = 256;        // in one message
  std::size_t report_bytes_max = 1'000'000;  // of output in one message
};

// --- inputs ---
struct Started {};  // the first input: takes up again what the journal holds
struct Connected {};
struct Disconnected {};
struct EnrolAnswered {
  std::int64_t session = 0;
  bool enrolled = false;
  std::string reason;
  int heartbeat_s = 5;
};
// `grant`: what its signature covers, or why it is not good. command_digest: of assign.command.
struct AssignArrived {
  Assign assign;
  Result<Grant> grant;
  std::string command_digest;
  std::int64_t wall_ms = 0;  // the device's wall clock, for the grant's expiry only
};
struct CancelArrived {
  Cancel cancel;
};
struct StaleArrived {
  Stale stale;
};
struct AckArrived {
  std::int64_t epoch = 0;
  std::int64_t seq = 0;
};
struct PackageReady {
  std::string digest;
};
struct PackageRefused {  // it is there, and it is not what was signed; or it cannot be had
  std::string digest;
  std::string reason;
};
struct RunEnded {
  AttemptKey key;
  std::optional<RunResult> result;  // none: it could not be started
  std::string reason;               // empty when the program ended by itself
};
struct TimePassed {};
using Input = std::variant<Started, Connected, Disconnected, EnrolAnswered, AssignArrived, CancelArrived, StaleArrived,
                           AckArrived, PackageReady, PackageRefused, RunEnded, TimePassed>;

// --- effects ---
struct SaveAttempt {
  AttemptKey key;
};
struct DropAttempt {
  AttemptKey key;
};
struct SaveReport {
  std::int64_t seq = 0;
  AttemptReport report;
};
struct DropReports {
  std::int64_t first = 0, last = 0;
};
struct SendReports {
  std::int64_t seq = 0;  // of the first
  std::vector<AttemptReport> items;
};
struct SendEnrolment {};
struct SendHeartbeat {};
struct Fetch {
  std::string digest;
};
struct Run {
  Assign assign;
};
struct Kill {
  AttemptKey key;
};
using Effect = std::variant<SaveAttempt, DropAttempt, SaveReport, DropReports, SendReports, SendEnrolment,
                            SendHeartbeat, Fetch, Run, Kill>;
using Effects = std::vector<Effect>;

enum class Phase { fetching, running, done };

struct Attempt {
  Assign assign;
  Phase phase = Phase::fetching;
  bool cancelled = false;  // killed on request: reported as cancelled when it ends
  bool stale = false;      // killed because it is no longer ours: not reported
  std::int64_t order = 0;  // of arrival
};

struct Saved {
  std::int64_t epoch = 0;
  std::int64_t session = 1;  // of this start
  std::map<AttemptKey, Attempt> attempts;
  std::map<std::int64_t, AttemptReport> reports;  // by seq, not acknowledged
  std::int64_t next_seq = 1;
};

class Agent {
 public:
  Agent(Limits limits, DeviceId device, Saved saved, Time now);

  void step(const Input& input, Time now, Effects& out);
  // Once per batch, after its inputs: numbers and sends what is new.
  void flush(Time now, Effects& out);

  [[nodiscard]] const Attempt* find(const AttemptKey& key) const;
  [[nodiscard]] std::vector<AttemptKey> live() const;
  [[nodiscard]] bool enrolled() const { return enrolled_; }
  [[nodiscard]] std::int64_t epoch() const { return epoch_; }
  [[nodiscard]] std::int64_t session() const { return session_; }
  [[nodiscard]] std::size_t unacknowledged() const { return reports_.size(); }

 private:
  void on(const Started& input, Time now, Effects& out);
  void on(const Connected& input, Time now, Effects& out);
  void on(const Disconnected& input, Time now, Effects& out);
  void on(const EnrolAnswered& input, Time now, Effects& out);
  void on(const AssignArrived& input, Time now, Effects& out);
  void on(const CancelArrived& input, Time now, Effects& out);
  void on(const StaleArrived& input, Time now, Effects& out);
  void on(const AckArrived& input, Time now, Effects& out);
  void on(const PackageReady& input, Time now, Effects& out);
  void on(const PackageRefused& input, Time now, Effects& out);
  void on(const RunEnded& input, Time now, Effects& out);
  void on(const TimePassed& input, Time now, Effects& out);
  std::optional<std::string> refuse(const AssignArrived& input) const;
  void start(Attempt& attempt, Effects& out);
  void end(Attempt& attempt, AttemptState state, std::string reason, std::optional<RunResult> result, Effects& out);
  void report(AttemptReport report);
  void send_from(std::int64_t seq, Effects& out);
  void prune(Effects& out);

  Limits limits_;
  DeviceId device_;
  std::int64_t epoch_;
  std::int64_t session_;
  std::map<AttemptKey, Attempt> attempts_;
  std::deque<AttemptKey> done_;
  std::int64_t order_ = 0;

  std::vector<AttemptReport> unsent_;              // not numbered yet
  std::map<std::int64_t, AttemptReport> reports_;  // numbered, not acknowledged
  std::int64_t next_seq_;
  std::int64_t sent_up_to_ = 0;
  Time report_due_{};
  Duration report_wait_{};

  bool connected_ = false;
  bool enrolled_ = false;
  Time enrol_due_{};
  Time heartbeat_due_{};
  Duration heartbeat_{seconds{5}};
};

}  // namespace fieldwork::agent
