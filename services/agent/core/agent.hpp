// The agent's core: what a device does with commands, and what it reports to the scheduler. Pure.
//
// One door in: step(input, now, out); the last input of a batch is BatchEnded. One door out: Output, values in the
// order of duty.
//
// Promises:
// - An attempt is saved in the journal before it is answered. It begins at most once under its fence, unless its
//   contract says that a restart of the device begins it again.
// - The same try under a newer fence (the scheduler's database went back) does not begin again: what became of it is
//   reported under the newer fence.
// - How an attempt ended is remembered: whoever asks again is told again.
// - The offline contract is enforced here, by the monotonic clock. `stop_after_s` counts from when the newest confirmed
//   heartbeat was sent, so the device gives up before the scheduler does.
// - An attempt with `start_at_ms` is held when all that it needs is here, and begins at that time by the registry's
//   clock, where that was heard since the agent's start, else by the device's own.
// - An attempt with `stop_after_s` begins, and goes on after a restart of the agent, only once a heartbeat that lists
//   it is confirmed: the device does not know how long the command was on its way.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "agent/core/lines.hpp"
#include "agent/core/reports.hpp"
#include "base/core.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "model/device.hpp"
#include "model/job.hpp"

namespace fieldwork::agent {

struct Limits {
  ReportLimits reports;
  Duration enrol_again{seconds{5}};  // when an enrolment was not answered; then twice as long, up to
  Duration enrol_again_max{seconds{20}};
  Duration refused_again{seconds{60}};  // when an enrolment was refused
  std::size_t settled_max = 5'000;      // settled attempts that are remembered
  std::size_t live_max = limits::attempts_per_device_max;
  Duration quiet_before_sleep{seconds{30}};
  Duration working_beat{seconds{20}};     // at most between heartbeats while it has attempts, in a fleet of any size
  std::size_t beats_max = 64;             // newest heartbeats that may still be confirmed
  Duration away_told_after{seconds{30}};  // a link that was away for less is no decision to tell
  Duration fetch_again{seconds{4}};       // of a package that waits for its time: it must not be deleted meanwhile
  Duration progress_every{seconds{2}};    // at most one message of progress
};

// --- inputs: each comment names who says the fact, and what turns it into the input (shell/service.cpp, main.cpp) ---
// The shell has loaded the journal; the first input. The core takes up the attempts of the journal again.
struct Started {
  std::int64_t wall_ms = 0;  // the device's clock
};
// The runtime: the agent is connected to the broker; or no longer.
struct Connected {};
struct Disconnected {};
// The registry answered an enrolment: device/{device}/down/enrolled.
struct EnrolAnswered {
  std::int64_t session = 0;  // of the enrolment; an answer to another session is ignored
  bool enrolled = false;
  std::string reason;
  int heartbeat_s = 5;       // between heartbeats; contracts may need them more often
  std::int64_t now_ms = 0;   // the registry's clock at its answer; 0: not said
  std::int64_t wall_ms = 0;  // the device's clock at the arrival
  bool unknown = false;      // the answer to a heartbeat: the registry has no enrolment of this start
};
// The scheduler assigned an attempt: item `assign` of device/{device}/down/command.
struct AssignArrived {
  Assign assign;
  Result<Grant> grant;       // what the signed grant covers, or why the grant is not good
  std::string work_digest;   // SHA-256 of the assigned command, environment, outputs and contract
  std::int64_t wall_ms = 0;  // the device's clock at the arrival
  bool metered = false;      // the device's connection is paid for by volume
  bool fetches = false;      // the package is not here
};
// The scheduler cancels an attempt: item `cancel` of device/{device}/down/command.
struct CancelArrived {
  Cancel cancel;
};
// The scheduler asks what became of an attempt: item `inquire` of device/{device}/down/command.
struct InquireArrived {
  Inquire inquire;
};
// The scheduler answers a report or a heartbeat of an attempt that is not, or no longer, this device's: item `stale` of
// device/{device}/down/command.
struct StaleArrived {
  Stale stale;
};
// Somebody follows what a program writes: item `tail` of device/{device}/down/command.
struct TailArrived {
  Tail tail;
};
// A program says how far it is: from the thread that watches the program, through the runtime's queue.
struct ProgressMade {
  AttemptKey key;  // that the program was started under
  RunProgress progress;
};
// The registry says what operators want: device/{device}/down/configure, repeated until Output::configured answers.
struct ConfigurationArrived {
  Configuration configuration;
};
// This device said that its machine will be suspended: no heartbeat takes that back before it is (quiet_before_sleep).
struct SleepAnnounced {
  std::int64_t sleep_s = 0;
};
// An item of device/{device}/down/command could not be read, but names its attempt.
struct BadCommandArrived {
  AttemptKey key;
  std::string reason;
};
// The scheduler answered reports or a heartbeat: device/{device}/down/ack.
struct AckArrived {
  StreamAnswer answer;       // how far the report stream is stored
  std::int64_t beat = 0;     // number of the heartbeat that is confirmed; 0: none
  std::int64_t wall_ms = 0;  // the device's clock at the arrival
  bool ask = false;          // the scheduler has just started: a heartbeat with `ended` follows at once
};
// Hands::news(): the package that a Fetch asked for is here.
struct PackageReady {
  std::string digest;
};
// Hands::news(): the package is not what was signed (work_fault), or this device cannot get or keep it.
struct PackageRefused {
  std::string digest;
  std::string reason;
  bool work_fault = false;
};
// A run has ended; the answer to Run. From the thread that watches the program, through the runtime's queue, or from
// Hands::ended().
struct RunEnded {
  AttemptKey key;
  std::optional<RunResult> result;  // none: the program could not be started
  std::string reason;               // empty: the program ended by itself
  bool refused = false;             // the program could not be started here; another device may be able to
  bool timed_out = false;           // its limit of time was reached
  bool by_contract = false;         // the keeper ended it when contract_ends() said, while the agent stood still
};
// The shell's tick, once per batch: what is due happens. `beat_idle`: the heartbeat before has arrived at the broker,
// or was lost with its connection; until then the next one is not made, so that it says what is so when it leaves.
struct TimePassed {
  bool beat_idle = true;
  std::int64_t wall_ms = 0;  // the device's clock
};
// The shell's flush, the last input of a batch. `random`: 64 fresh bits, for the tags of reports. `reports_idle`: every
// report that was published has left the device.
struct BatchEnded {
  std::uint64_t random = 0;
  bool reports_idle = true;
};
using Input = std::variant<Started, Connected, Disconnected, EnrolAnswered, AssignArrived, CancelArrived,
                           InquireArrived, StaleArrived, TailArrived, ProgressMade, LinesWritten, LinesHeard,
                           ConfigurationArrived, SleepAnnounced, BadCommandArrived, AckArrived, PackageReady,
                           PackageRefused, RunEnded, TimePassed, BatchEnded>;

enum class Phase { fetching, running, settled };

struct Attempt {
  Assign assign;  // when settled: only its key and traceparent
  Phase phase = Phase::fetching;
  bool cancelled = false;                // being killed on request: reported as cancelled when its program ends
  bool stale = false;                    // being killed because it is not this device's any more: not reported
  bool stopped = false;                  // being killed by its contract: reported as lost when its program ends
  bool deactivated = false;              // being killed because the device was deactivated: reported as lost, too
  std::vector<Decided> decided;          // what was decided here while nobody could be asked, the newest
  int number = 1;                        // of the try, as the scheduler counts; 0: not known
  std::int64_t runs_as = 0;              // the fence that its program was started under; 0: its own
  std::int64_t order = 0;                // a sequence number, by arrival
  std::optional<AttemptReport> outcome;  // when settled: how it ended, in one report
  // Not saved: these begin with the agent's start.
  bool staged = false;                    // all that it needs is here; it waits for its time
  bool waited = false;                    // it did
  std::optional<RunProgress> progress{};  // the newest that its program said
  Time since{};                           // when its phase began
  Time came{};                            // when it was assigned
};

// --- output ---
// Save an attempt in the journal.
struct SaveAttempt {
  AttemptKey key;
  std::optional<Attempt> attempt;  // none: remove its row
};
// Save a report in the journal until it is acknowledged.
struct SaveReport {
  std::int64_t seq = 0;
  std::optional<Numbered> report;  // none: remove its row
};
// Where the report stream stands: its epoch, the next number to give, and the tag of the newest acknowledged report.
struct Position {
  std::int64_t epoch = 0, next_seq = 1, acked_tag = 0;
};
// Publish a heartbeat.
struct SendHeartbeat {
  std::int64_t beat = 0;             // its number: an acknowledgement confirms it by this
  std::vector<AttemptKey> attempts;  // the live ones
  std::int64_t clock_offset_ms = 0;  // the device's clock less the registry's
  Outcomes outcomes;                 // of executions, since the agent's start
  // Only after AckArrived with `ask`: the newest attempts that ended, at most 128; empty when the scheduler's position
  // shows that it has forgotten nothing.
  std::optional<std::vector<AttemptKey>> ended{};
};
// Start the program of an attempt. RunEnded must follow, once.
struct Run {
  Assign assign;
};
// End the program that was started under this key. The RunEnded of its Run follows.
struct Kill {
  AttemptKey key;
};
// Publish what the program that was started under this key writes, for so long.
struct Follow {
  AttemptKey key;
  Duration left{};
  bool begin = false;
};
// Let the program that was started under this key hear lines.
struct Deliver {
  Mail mail;
};
// Get the package of this digest. PackageReady or PackageRefused must follow, unless Unfetch does.
struct Fetch {
  std::string digest;
  int priority = 5;            // of the job that needs it
  std::int64_t receivers = 1;  // so many devices may need it
};
// Stop getting the package: no attempt here needs it any more.
struct Unfetch {
  std::string digest;
};
// Delete the cached packages that nothing needs. Done again after a restart that came too early: it does no harm.
struct Prune {};
using Act = std::variant<Fetch, Unfetch, Run, Kill, Follow, Deliver,
                         Prune>;  // carried out in this order; when, says Output::acts
// Write a warning to the log.
struct Notice {
  std::string text;
};

// The shell carries this out in flush(), in several rounds where package news or ended runs lead to more. All saves of
// a batch are one transaction.
struct Output {
  // --- saved in the journal, in one transaction ---
  // Table `attempt`: upsert, or remove. A settled attempt is also logged.
  std::vector<SaveAttempt> attempts;
  // Table `report`: upsert, or remove. In this order: a new epoch removes and adds the same numbers.
  std::vector<SaveReport> reports;
  // Table `meta`: the rows `epoch`, `next_seq` and `acked_tag`, with the reports that moved them.
  std::optional<Position> position;
  // Table `meta`: the row `configuration`; also applied to this device: log level, cache, sampling.
  std::optional<Configuration> configuration;
  // --- published after the commit, once ---
  // On device/{device}/up/configured: the version that this device follows.
  std::optional<std::int64_t> configured;
  // On device/{device}/up/enrol, with certificate, description and the version of the configuration. True again each
  // Limits::enrol_again, then less often, until EnrolAnswered.
  bool enrol = false;
  // On device/{device}/up/heartbeat, in the lane of newest, with the device's resources and link.
  std::optional<SendHeartbeat> heartbeat;
  // On device/{device}/up/progress: of each attempt the newest, at most limits::progress_items_max of them. A fact.
  std::vector<std::pair<AttemptKey, RunProgress>> progress;
  // On device/{device}/up/message, with the keys of the attempts. A fact.
  std::vector<Mail> mail;
  // On device/{device}/up/report; a message above 8 KiB takes the bulk lane of the bus. The core asks for a repeat
  // until AckArrived acknowledges the reports.
  std::vector<Message> messages;
  // Logged as warnings.
  std::vector<Notice> notices;
  // --- done, in this order ---
  // Kill, Follow, Deliver, Fetch, Unfetch and Prune at once, before the commit: a full disk must not keep a program
  // running. Run after the commit: no program runs that is not in the journal.
  std::vector<Act> acts;
};

// What the journal holds: a restarted core begins with it.
struct Saved {
  std::int64_t session = 1;  // of this start; one more than that of the start before
  std::map<AttemptKey, Attempt> attempts;
  StreamState stream;
  Configuration configuration;
};

class Agent {
 public:
  using Input = agent::Input;
  using Output = agent::Output;

  Agent(Limits limits, DeviceId device, Saved saved, Time now);

  void step(const Input& input, Time now, Output& out);

  [[nodiscard]] const Attempt* find(const AttemptKey& key) const;
  [[nodiscard]] std::vector<AttemptKey> live() const;
  // When the contract ends each running program, by its key at the start, unless there is contact before.
  [[nodiscard]] std::vector<std::pair<AttemptKey, Time>> contract_ends() const;
  // The registry's clock, once it was heard since the start.
  [[nodiscard]] std::optional<std::int64_t> registry_ms(Time now) const;
  [[nodiscard]] bool enrolled() const { return enrolled_; }
  [[nodiscard]] bool connected() const { return connected_; }
  [[nodiscard]] std::int64_t session() const { return session_; }
  [[nodiscard]] const Configuration& configuration() const { return configuration_; }
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
  void on(const TailArrived& input, Time now, Output& out);
  void on(const ProgressMade& input, Time now, Output& out);
  void on(const LinesWritten& input, Time now, Output& out);
  void on(const LinesHeard& input, Time now, Output& out);
  void on(const ConfigurationArrived& input, Time now, Output& out);
  void on(const SleepAnnounced& input, Time now, Output& out);
  void on(const BadCommandArrived& input, Time now, Output& out);
  void on(const AckArrived& input, Time now, Output& out);
  void on(const PackageReady& input, Time now, Output& out);
  void on(const PackageRefused& input, Time now, Output& out);
  void on(const RunEnded& input, Time now, Output& out);
  void on(const TimePassed& input, Time now, Output& out);
  void on(const BatchEnded& input, Time now, Output& out);

  void stop_all(Time now, Output& out);
  std::optional<std::string> refuse(const AssignArrived& input, bool goes_on, Time now) const;
  [[nodiscard]] std::int64_t trusted_ms(std::int64_t wall_ms, Time now) const;
  [[nodiscard]] std::int64_t clock_ms(Time now) const;
  void resume(Attempt& attempt, Time now, Output& out);
  Attempt* same_try(const AssignArrived& input);
  void go_on_with(Attempt& earlier, Attempt& attempt, Time now, Output& out);
  [[nodiscard]] static AttemptKey program(const Attempt& attempt);
  Attempt* of_program(const AttemptKey& key);
  void begin(Attempt& attempt, Time now, Output& out);
  void start(Attempt& attempt, Time now, Output& out);
  [[nodiscard]] bool is_before_its_time(const Attempt& attempt, Time now) const;
  void decide(Attempt& attempt, std::string what, Time now, Output& out);
  void settle_unseen(const AttemptKey& key, const std::string& traceparent, AttemptReport last, Time now, Output& out);
  void settle(Attempt& attempt, AttemptReport last, Time now, Output& out);
  void tell_again(const Attempt& attempt);
  void report(AttemptReport report);
  void save(const Attempt& attempt, Output& out);
  void leave(const std::string& digest, Output& out);
  void prune(Output& out);
  [[nodiscard]] std::optional<Time> contract_end(const Attempt& attempt) const;
  void enforce(Time now, Output& out);
  void wait_for_package(Attempt& attempt, Time now, Output& out);
  void beat(Time now, Output& out);
  void tell_progress_again();
  void say_progress(Time now, Output& out);
  void tell_what_is_here(const StreamAnswer& answer, Time now, Output& out);
  void contact(std::int64_t beat, Time sent, Time now, Output& out);
  void hold(const AttemptKey& key, Time now);
  [[nodiscard]] Duration at_rest() const;
  [[nodiscard]] Duration beat_interval(const Contract& contract) const;
  void save_stream(const Reports::Changes& changes, Output& out);

  Limits limits_;
  DeviceId device_;
  std::int64_t session_;
  std::map<AttemptKey, Attempt> attempts_;
  std::set<AttemptKey> live_;
  std::map<AttemptKey, std::int64_t> held_;  // begin when a heartbeat with a greater number than this is confirmed
  std::deque<AttemptKey> settled_;
  std::int64_t order_ = 0;
  Reports reports_;

  bool connected_ = false;
  bool enrolled_ = false;
  std::optional<std::string> refused_;  // the enrolment: why. Until it is accepted no work is taken
  Time enrol_due_{};
  int enrols_ = 0;  // that were sent since it connected
  Time heartbeat_due_{};
  Duration heartbeat_{seconds{5}};  // as the registry told; a configuration's comes before it
  Configuration configuration_;
  Outcomes outcomes_;
  std::uint64_t random_ = 0;  // of the batch before
  std::int64_t beat_;
  std::deque<std::pair<std::int64_t, Time>> beats_;  // number and time of heartbeats that were sent and not confirmed
  Time contact_{};                                   // when the newest confirmed heartbeat was sent
  // The registry's clock in ms as it was said at enrolment, and when it was said; it goes on by the monotonic clock.
  std::optional<std::pair<std::int64_t, Time>> registry_clock_;
  std::int64_t clock_offset_ms_ = 0;
  std::optional<std::pair<std::int64_t, Time>> wall_;  // the device's clock, as it was said last, and when
  std::optional<Time> away_since_;                     // without a link; none: it is there
  std::set<AttemptKey> progressed_;                    // whose progress the scheduler was not told
  AttemptKey progress_last_;                           // that was told
  Time progress_due_{};
};

static_assert(Core<Agent>);

}  // namespace fieldwork::agent
