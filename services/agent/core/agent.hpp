// The agent's core: what a device does with commands, and what it owes the scheduler. Pure.
//
// One door in, step(input, now, out); the last input of a batch is BatchEnded. One door out, Output: values in the
// order of duty.
//
// An attempt is journalled before it is answered, and begins at most once under its fence, unless its contract says
// that a restart of the device starts it again. The same try under a newer fence (the scheduler's database went back)
// does not begin again either: what became of it is said under the new one. Ended attempts are remembered with how they
// ended: who asks again is told again. The offline contract is enforced here, by the monotonic clock: `stop_after_s`
// counts from when the newest heartbeat that the scheduler confirmed was sent, so the device gives up before the
// scheduler does. Such work begins, and goes on after the device's own restart, only once a heartbeat that lists it was
// confirmed: how long a command was on its way the device does not know.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "agent/core/reports.hpp"
#include "base/core.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "model/device.hpp"
#include "model/job.hpp"

namespace fieldwork::agent {

struct Limits {
  ReportLimits reports;
  Duration enrol_again{seconds{5}};
  Duration refused_again{seconds{60}};
  std::size_t done_max = 5'000;  // ended attempts remembered
  std::size_t live_max = limits::attempts_per_device_max;
  std::size_t beats_max = 64;  // heartbeats whose confirmation is awaited
};

// --- inputs ---
struct Started {};  // the first input: takes up again what the journal holds
struct Connected {};
struct Disconnected {};
// The registry. now_ms: its clock when it answered, 0 when it did not say.
struct EnrolAnswered {
  std::int64_t session = 0;
  bool enrolled = false;
  std::string reason;
  int heartbeat_s = 5;
  std::int64_t now_ms = 0;
  std::int64_t wall_ms = 0;  // the device's clock
};
// The scheduler. `grant`: what its signature covers, or why it is not good. work_digest: of what the assignment says.
struct AssignArrived {
  Assign assign;
  Result<Grant> grant;
  std::string work_digest;
  std::int64_t wall_ms = 0;
};
struct CancelArrived {
  Cancel cancel;
};
struct InquireArrived {
  Inquire inquire;
};
struct StaleArrived {
  Stale stale;
};
// A command that could not be read, but names its attempt.
struct BadOrderArrived {
  AttemptKey key;
  std::string reason;
};
struct AckArrived {
  StreamAnswer answer;
  std::int64_t beat = 0;
  std::int64_t wall_ms = 0;
  bool ask = false;  // a scheduler that has just begun
};
struct PackageReady {
  std::string digest;
};
// It is not what was signed (work_fault), or this device cannot have it.
struct PackageRefused {
  std::string digest;
  std::string reason;
  bool work_fault = false;
};
struct RunEnded {
  AttemptKey key;
  std::optional<RunResult> result;  // none: it could not be started
  std::string reason;               // empty when the program ended by itself
  bool refused = false;             // it could not be started here; another device may
  bool by_contract = false;         // its keeper ended it where contract_ends() says, while the agent stood still
};
struct TimePassed {};
// random: 64 fresh bits. reports_idle: no report that was sent before is still on its way out of the device.
struct BatchEnded {
  std::uint64_t random = 0;
  bool reports_idle = true;
};
using Input = std::variant<Started, Connected, Disconnected, EnrolAnswered, AssignArrived, CancelArrived,
                           InquireArrived, StaleArrived, BadOrderArrived, AckArrived, PackageReady, PackageRefused,
                           RunEnded, TimePassed, BatchEnded>;

enum class Phase { fetching, running, done };

struct Attempt {
  Assign assign;  // when done: its key and trace only
  Phase phase = Phase::fetching;
  bool cancelled = false;                // killed on request: reported as cancelled when it ends
  bool stale = false;                    // killed because it is no longer ours: not reported
  bool stopped = false;                  // killed by its contract: reported as lost when it ends
  int number = 1;                        // of the try: the scheduler's
  std::int64_t runs_as = 0;              // the fence that its program was started under, when it is another one
  std::int64_t order = 0;                // of arrival
  std::optional<AttemptReport> outcome;  // when done: what it ended with, in short
  // Not saved: a start of the agent is their beginning.
  Time since{};  // of its phase
  Time came{};   // when it was assigned
};

// --- output ---
struct SaveAttempt {
  AttemptKey key;
  std::optional<Attempt> attempt;  // none: forget it
};
struct SaveReport {
  std::int64_t seq = 0;
  std::optional<Numbered> report;  // none: it was acknowledged
};
struct Position {
  std::int64_t epoch = 0, next_seq = 1, acked_tag = 0;
};
struct SendHeartbeat {
  std::int64_t beat = 0;
  std::vector<AttemptKey> attempts;
  std::int64_t clock_offset_ms = 0;
  std::optional<std::vector<AttemptKey>> ended{};  // the newest, for a scheduler that asks and has forgotten something
};
struct Run {
  Assign assign;
};
struct Kill {
  AttemptKey key;
};
struct Fetch {
  std::string digest;
};
struct Unfetch {  // nobody here needs it any more
  std::string digest;
};
using Act = std::variant<Fetch, Unfetch, Run, Kill>;  // carried out after the commit, in order
struct Notice {
  std::string text;
};

struct Output {
  // Saved in the journal with the batch.
  std::vector<SaveAttempt> attempts;
  std::vector<SaveReport> reports;
  std::optional<Position> position;
  // Said after the commit.
  bool enrol = false;
  std::optional<SendHeartbeat> heartbeat;
  std::vector<Message> messages;
  std::vector<Notice> notices;
  // Done after the commit.
  std::vector<Act> acts;
};

struct Saved {
  std::int64_t session = 1;  // of this start
  std::map<AttemptKey, Attempt> attempts;
  StreamState stream;
};

class Agent {
 public:
  using Input = agent::Input;
  using Output = agent::Output;

  Agent(Limits limits, DeviceId device, Saved saved, Time now);

  void step(const Input& input, Time now, Output& out);

  [[nodiscard]] const Attempt* find(const AttemptKey& key) const;
  [[nodiscard]] std::vector<AttemptKey> live() const;
  // Of the programs that run: when they are ended unless there is contact before.
  [[nodiscard]] std::vector<std::pair<AttemptKey, Time>> contract_ends() const;
  [[nodiscard]] bool enrolled() const { return enrolled_; }
  [[nodiscard]] std::int64_t session() const { return session_; }
  [[nodiscard]] const StreamState& stream() const { return reports_.state(); }
  [[nodiscard]] std::size_t unacknowledged() const { return reports_.size(); }

 private:
  void on(const Started& input, Time now, Output& out);
  void on(const Connected& input, Time now, Output& out);
  void on(const Disconnected& input, Time now, Output& out);
  void on(const EnrolAnswered& input, Time now, Output& out);
  void on(const AssignArrived& input, Time now, Output& out);
  void on(const CancelArrived& input, Time now, Output& out);
  void on(const InquireArrived& input, Time now, Output& out);
  void on(const StaleArrived& input, Time now, Output& out);
  void on(const BadOrderArrived& input, Time now, Output& out);
  void on(const AckArrived& input, Time now, Output& out);
  void on(const PackageReady& input, Time now, Output& out);
  void on(const PackageRefused& input, Time now, Output& out);
  void on(const RunEnded& input, Time now, Output& out);
  void on(const TimePassed& input, Time now, Output& out);
  void on(const BatchEnded& input, Time now, Output& out);

  std::optional<std::string> refuse(const AssignArrived& input, Time now) const;
  [[nodiscard]] std::int64_t trusted_ms(std::int64_t wall_ms, Time now) const;
  void resume(Attempt& attempt, Time now, Output& out);
  Attempt* same_try(const AssignArrived& input);
  void go_on_with(Attempt& earlier, Attempt& attempt, Time now, Output& out);
  [[nodiscard]] static AttemptKey program(const Attempt& attempt);
  Attempt* of_program(const AttemptKey& key);
  void start(Attempt& attempt, Time now, Output& out);
  void settle_unseen(const AttemptKey& key, const std::string& traceparent, AttemptReport last, Time now, Output& out);
  void settle(Attempt& attempt, AttemptReport last, Time now, Output& out);
  void tell_again(const Attempt& attempt);
  void report(AttemptReport report);
  void save(const Attempt& attempt, Output& out);
  void leave(const std::string& digest, Output& out);
  void prune(Output& out);
  [[nodiscard]] std::optional<Time> contract_end(const Attempt& attempt) const;
  void enforce(Time now, Output& out);
  void beat(Time now, Output& out);
  void tell_what_is_here(const StreamAnswer& answer, Time now, Output& out);
  void contact(std::int64_t beat, Time sent, Time now, Output& out);
  void hold(const AttemptKey& key, Time now);
  [[nodiscard]] Duration beat_interval(const Contract& contract) const;
  void save_stream(const Reports::Changes& changes, Output& out);

  Limits limits_;
  DeviceId device_;
  std::int64_t session_;
  std::map<AttemptKey, Attempt> attempts_;
  std::set<AttemptKey> live_;
  std::map<AttemptKey, std::int64_t> held_;  // until a heartbeat after this one is confirmed
  std::deque<AttemptKey> done_;
  std::int64_t order_ = 0;
  Reports reports_;

  bool connected_ = false;
  bool enrolled_ = false;
  Time enrol_due_{};
  Time heartbeat_due_{};
  Duration heartbeat_{seconds{5}};
  std::int64_t beat_;
  std::deque<std::pair<std::int64_t, Time>> beats_;  // sent, not confirmed
  Time contact_{};                                   // when the newest confirmed heartbeat was sent
  // The registry's clock, as heard at enrolment, goes on by the monotonic one.
  std::optional<std::pair<std::int64_t, Time>> registry_clock_;
  std::int64_t clock_offset_ms_ = 0;
};

static_assert(Core<Agent>);

}  // namespace fieldwork::agent
