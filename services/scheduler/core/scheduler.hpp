// The scheduler's core: jobs in, commands out. Pure: no clock, socket, file, thread; time comes in.
//
// One door in, step(input, now, out); the last input of a batch is BatchEnded, which places what waits and tells what
// changed, each thing once. One door out, Output (output.hpp): values in the order of duty. A restart is constructing
// it from what is saved.
//
// Promises: at most one live attempt per execution; a fence is never used for two attempts, also when this memory went
// back; a report with another fence than the live one changes nothing (but the success of an attempt that was given up
// and not yet replaced is taken); repeated inputs change nothing; silence ends an attempt by its contract alone; each
// phase of an execution ends.
#pragma once

#include <deque>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "base/core.hpp"
#include "scheduler/core/fleet.hpp"
#include "scheduler/core/input.hpp"
#include "scheduler/core/output.hpp"
#include "scheduler/core/placement.hpp"
#include "scheduler/core/queue.hpp"

namespace fieldwork::scheduler {

// What is stored, to begin with.
struct Saved {
  std::vector<Job> jobs;  // live ones with their executions, and the newest finished ones without
  std::map<DeviceId, Stream> streams;
  std::vector<std::string> packages;
  std::vector<PlaceableRecord> placeable;
  std::vector<ShownRecord> shown;
};

class Scheduler {
 public:
  using Input = scheduler::Input;
  using Output = scheduler::Output;

  explicit Scheduler(Limits limits) : limits_(limits) {}
  Scheduler(Limits limits, Saved saved, Time now);

  void step(const Input& input, Time now, Output& out);

  // For those who ask: reads.
  [[nodiscard]] const Job* find(const JobId& job) const;
  [[nodiscard]] const Fleet& fleet() const { return fleet_; }
  [[nodiscard]] Stream stream(const DeviceId& device) const;
  [[nodiscard]] bool knows_package(const std::string& digest) const { return packages_.contains(digest); }
  [[nodiscard]] const std::unordered_map<JobId, Job>& jobs() const { return jobs_; }
  // Of the live jobs in `state` those that come after `after` (nothing: from the newest on), newest first: at most
  // `count`, at the cost of as many.
  using Place = std::pair<std::int64_t, JobId>;  // submitted_ms
  [[nodiscard]] std::vector<const Job*> live_in(JobState state, const std::optional<Place>& after,
                                                std::size_t count) const;
  [[nodiscard]] std::size_t live() const { return live_; }
  [[nodiscard]] std::size_t queued() const { return queue_.size(); }
  [[nodiscard]] std::size_t asking() const { return asking_; }
  [[nodiscard]] std::size_t timers() const { return timers_.size(); }
  [[nodiscard]] std::size_t deadlines() const { return deadlines_.size(); }
  [[nodiscard]] std::size_t streams_behind() const { return reports_lost_; }
  // Where an execution would go now, and why not elsewhere.
  [[nodiscard]] Placement explain(const Job& job, const Execution& execution, Time now) const;
  [[nodiscard]] Contract contract(const Job& job, const Execution& execution) const;
  // Of each live attempt that its device has not spoken of: what the outbox does not keep. After a load they are put
  // again.
  [[nodiscard]] std::vector<PutCommand> open_commands() const;

 private:
  // submission.cpp
  void on(const JobSubmitted& input, Time now, Output& out);
  void on(const CancelRequested& input, Time now, Output& out);
  std::optional<Error> refuse(const JobSubmitted& input) const;
  void accept(const JobSubmitted& input, Time now, Output& out);
  void wait(const JobId& job, Reply reply, Output& out);
  void answer(const Job& job, Output& out);
  void end_job(Job& job, JobState state, const std::string& reason, Time now, Output& out);
  // assignment.cpp
  void on(const DecisionMade& input, Time now, Output& out);
  void on(const BatchEnded& input, Time now, Output& out);
  void place_waiting(Time now, Output& out);
  bool propose(Job& job, Execution& execution, Queue::Lane lane, std::set<std::string>& full, Time now, Output& out);
  enum class Claim { none, fits, waits };  // of the device that has it already
  [[nodiscard]] Claim claim_of(const Job& job, const Execution& execution, Time now) const;
  void ask(Job& job, Execution& execution, Time now, Output& out);
  bool authorised(Job& job, Time now);
  void denied(Job& job, Execution& execution, const Decision& decision, Time now, Output& out);
  void assign(Job& job, Execution& execution, const Decision& decision, Time now, Output& out);
  [[nodiscard]] PutCommand command_of(const Job& job, const Execution& execution) const;
  bool end_round(Job& job, Execution& execution, Time now, Output& out);
  [[nodiscard]] bool is_ready(const DeviceId& device) const;
  void hold_for_the_starving(Time now);
  // devices.cpp
  void on(const DeviceSeen& input, Time now, Output& out);
  void on(const DeviceGone& input, Time now, Output& out);
  void on(const DeviceReturned& input, Time now, Output& out);
  void on(const PackageSeen& input, Time now, Output& out);
  void end_rounds_without(const DeviceId& device);
  void ask_what_it_has(const Device& device, Output& out);
  void heard(const DeviceId& device);
  [[nodiscard]] bool hears_first(Time now);
  void lose_all(const DeviceId& device, const std::string& reason, Time now, Output& out);
  void device_refused(const DeviceId& device, const JobId& job, const std::string& reason, Time now, Output& out);
  void device_works(const DeviceId& device, Output& out);
  // reports.cpp
  void on(const ReportArrived& input, Time now, Output& out);
  void on(const HeartbeatArrived& input, Time now, Output& out);
  void on(const StreamReset& input, Time now, Output& out);
  void apply(const DeviceId& device, const AttemptReport& report, Time at, Time now, Output& out);
  bool claim(const DeviceId& device, const AttemptKey& key, Output& out);
  void remember_ended(const DeviceId& device, const AttemptKey& key);
  bool apply_late(const DeviceId& device, const AttemptReport& report, Time now, Output& out);
  void attempt_ended(Job& job, Execution& execution, AttemptState state, Time now, Output& out);
  void refused(Job& job, Execution& execution, const std::string& reason, bool device_fault, Time now, Output& out);
  void lose(Job& job, Execution& execution, const std::string& reason, Time now, Output& out);
  // time.cpp
  void on(const LinkLost& input, Time now, Output& out);
  void on(const LinkBack& input, Time now, Output& out);
  void on(const Stalled& input, Time now, Output& out);
  void on(const TimePassed& input, Time now, Output& out);
  void timer_fired(Job& job, Execution& execution, Time now, Output& out);
  void watch_live(Job& job, Execution& execution, Time now, Output& out);
  void set_timer(const Job& job, Execution& execution, Time at);
  void clear_timer(const Job& job, Execution& execution);
  void rearm(const Job& job, Execution& execution);
  void give_full_time(Time now);
  // phases.cpp: the only places that change a phase or a state
  void enqueue(Job& job, Execution& execution, Time now);
  void dequeue(Job& job, Execution& execution);
  void back_off(Job& job, Execution& execution, int times, Time now);
  void withdraw(Job& job, Execution& execution);
  void settle_attempt(Job& job, Execution& execution, AttemptState state, Time now, Output& out);
  void settle(Job& job, Execution& execution, ExecutionState state, const std::string& reason, Time now);
  void set_state(Job& job, Execution& execution, ExecutionState state, Time now);
  void set_attempt_state(Job& job, Execution& execution, AttemptState state, Time now);
  void occupy(Job& job, const DeviceId& device, int sign);
  void set_state(Job& job, JobState state, Time now);
  void list(const Job& job);
  void refresh(Job& job, Time now, Output& out);
  void settle(Job& job, JobState state, Time now, Output& out);
  void touch(const Job& job, const Execution& execution);
  static void save_attempt(Execution& execution, Output& out);
  void say_changes(Time now, Output& out);
  void forget_settled(Time now, Output& out);

  Execution* find(const AttemptKey& key, Job*& job);

  struct Cancelled {  // its last words are still to come
    Attempt attempt;
    Time until{};
  };

  Limits limits_;
  std::unordered_map<JobId, Job> jobs_;
  std::map<JobState, std::set<Place>> live_in_;  // live jobs by state
  std::deque<JobId> settled_jobs_;
  std::size_t live_ = 0;             // jobs
  std::size_t live_executions_ = 0;  // of live jobs
  std::uint64_t order_ = 0;
  Fleet fleet_;
  std::map<DeviceId, Stream> streams_;
  std::size_t reports_lost_ = 0;  // numbers that neither side has
  std::set<std::string> packages_;
  Queue queue_;
  bool place_ = false;  // a lane is awake that was not tried
  std::size_t asking_ = 0;
  std::map<Fleet::Number, Fleet::Hold> holds_;
  Time held_at_{};
  std::unordered_multimap<JobId, Reply> replies_;
  std::set<std::tuple<Time, JobId, int>> timers_;  // one per execution at most
  std::set<std::pair<Time, JobId>> deadlines_;
  std::set<std::pair<Time, DeviceId>> resting_;  // unplaceable devices, by when they are tried again
  std::unordered_map<DeviceId, std::set<AttemptKey>> on_device_;
  std::map<AttemptKey, Cancelled> cancelled_;
  // Heard after the start, of jobs that this memory has forgotten: by job and execution the device and the fence.
  std::map<std::pair<JobId, int>, std::pair<DeviceId, std::int64_t>> ended_there_;
  bool link_ = true;
  // Since a start, until it is known what the devices have (limits_.hear_first).
  bool hearing_ = false;
  std::optional<Time> hearing_since_;  // the first connection
  std::set<DeviceId> heard_, unheard_;

  std::set<JobId> unsaved_jobs_;
  std::set<JobId> touched_jobs_;
  std::set<std::pair<JobId, int>> touched_;                     // executions
  std::size_t shown_ = 0;                                       // executions with a retained state
  std::set<std::tuple<std::int64_t, JobId, int>> shown_ended_;  // by until_ms
};

static_assert(Core<Scheduler>);

[[nodiscard]] std::string assign_key(const AttemptKey& key);
[[nodiscard]] std::string cancel_key(const AttemptKey& key);
[[nodiscard]] std::string inquire_key(const AttemptKey& key);

}  // namespace fieldwork::scheduler
