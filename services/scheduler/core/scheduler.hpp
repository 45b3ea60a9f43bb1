// The scheduler's core: jobs and reports in, commands out. Pure: no clock, socket, file or thread; the time is an
// argument.
//
// One door in: step(input, now, out). The last input of a batch is BatchEnded: it places executions that wait, and puts
// out each change of the batch once. One door out: Output (output.hpp), values in the order of duty. A restart
// constructs the core from what is saved.
//
// Promises:
// - an execution has at most one live attempt;
// - no fence is used for two attempts of an execution, also after the database went back to an older state;
// - a report whose fence is not the live attempt's changes nothing; the exceptions: `succeeded` of an attempt that was
//   given up counts while no newer attempt has replaced it, and otherwise where the job lets the original stay
//   (docs/decisions/0024);
// - a repeated input changes nothing;
// - silence ends an attempt only by its contract;
// - each phase of an execution ends.
#pragma once

#include <deque>
#include <set>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include "base/core.hpp"
#include "scheduler/core/fleet/fleet.hpp"
#include "scheduler/core/follow/durations.hpp"
#include "scheduler/core/follow/timers.hpp"
#include "scheduler/core/model/input.hpp"
#include "scheduler/core/model/output.hpp"
#include "scheduler/core/plan/plan.hpp"

namespace fieldwork::scheduler {

// What is stored: a restarted core begins with it.
struct Saved {
  std::vector<Job> jobs;  // live jobs with their executions, the newest settled jobs without
  std::map<DeviceId, Stream> streams;
  std::vector<PackageSeen> packages;
  std::vector<PlaceableRecord> placeable;
  std::vector<ShownRecord> shown;
  std::vector<DurationRecord> durations{};
  std::vector<FailureRecord> failures{};
};

class Scheduler {
 public:
  using Input = scheduler::Input;
  using Output = scheduler::Output;

  explicit Scheduler(Limits limits) : limits_(limits), fleet_(limits), queue_(limits.age_every) {}
  Scheduler(Limits limits, Saved saved, Time now);

  void step(const Input& input, Time now, Output& out);

  // Reads, for the shell.
  [[nodiscard]] const Job* find(const JobId& job) const;
  [[nodiscard]] const Fleet& fleet() const { return fleet_; }
  [[nodiscard]] Stream stream(const DeviceId& device) const;
  // Whether all of it is known already.
  [[nodiscard]] bool knows(const PackageSeen& package) const;
  [[nodiscard]] bool knows_package(const std::string& digest) const { return packages_.contains(digest); }
  [[nodiscard]] const std::unordered_map<JobId, Job>& jobs() const { return jobs_; }
  // Live jobs in `state`, the newest first, at most `count`: those behind `after`, without it from the newest on. The
  // cost grows only with the number of jobs returned.
  using Position = std::pair<std::int64_t, JobId>;  // submitted_ms and job: where a job stands in such a list
  [[nodiscard]] std::vector<const Job*> live_in(JobState state, const std::optional<Position>& after,
                                                std::size_t count) const;
  [[nodiscard]] std::size_t live() const { return live_; }
  [[nodiscard]] std::size_t queued() const { return queue_.size(); }
  [[nodiscard]] std::size_t asking() const { return asking_.size(); }
  [[nodiscard]] std::size_t timers() const { return timers_.count<ExecutionDue>(); }
  [[nodiscard]] std::size_t deadlines() const { return timers_.count<DeadlineDue>(); }
  [[nodiscard]] std::size_t streams_behind() const { return reports_lost_; }
  [[nodiscard]] Snapshot snapshot() const;
  // Settled executions that have a state topic still, of jobs whose executions are not in memory any more.
  using Executions = std::map<JobId, std::set<int>>;
  [[nodiscard]] Executions shown_of_the_settled() const;
  [[nodiscard]] const Durations& durations() const { return durations_; }
  // Which device the execution would get now, and why no other device.
  [[nodiscard]] Placement explain(const Job& job, const Execution& execution, Time now) const;
  // The job as it would be accepted now, with order and place of the newest; or why it would be refused.
  [[nodiscard]] Result<Job> job_if(const JobSubmitted& input, Time now) const;
  [[nodiscard]] Contract contract(const Job& job, const Execution& execution) const;
  // The assign commands of the live attempts that their devices have not reported on. The outbox keeps no row of these:
  // the shell puts them again after a load.
  [[nodiscard]] std::vector<PutCommand> open_commands() const;

 private:
  void resume(Job& job, Execution& execution, const std::set<std::pair<JobId, int>>& shown, Time now);
  // intake/submission.cpp
  void on(const JobSubmitted& input, Time now, Output& out);
  void on(const CancelRequested& input, Time now, Output& out);
  std::optional<Error> refuse(const JobSpec& spec, Time now) const;
  // intake/demand.cpp
  void estimate(Job& job) const;
  [[nodiscard]] JobSpec with_needs(JobSpec spec) const;
  [[nodiscard]] std::optional<Capacity> had_by_all(const Job& job) const;
  // intake/submission.cpp
  void accept(Job job, Reply reply, Time now, Output& out);
  [[nodiscard]] Result<std::vector<DeviceId>> devices_of(const Targets& targets) const;
  void remember_continuous(const Job& job);
  void join(const Device& device, Time now, Output& out);
  void wait(const JobId& job, Reply reply, Output& out);
  void answer(const Job& job, Output& out);
  void end_job(Job& job, JobState state, const std::string& reason, Time now, Output& out);
  // plan/apply.cpp
  void on(const DecisionMade& input, Time now, Output& out);
  void on(const BatchEnded& input, Time now, Output& out);
  void place_waiting(Time now, Output& out);
  Execution* waiting(const Waiter& who, Job*& job);
  [[nodiscard]] std::shared_ptr<const Placement> described(const Job& job, const Execution& execution,
                                                           const Place& place, Time now) const;
  void apply(const Place& step, Time now, Output& out);
  void apply(const Ask& step, Time now, Output& out);
  void apply(const StandAside& step, Time now, Output& out);
  void apply(const Sleep& step, Time now, Output& out);
  void apply(const Preempt& step, Time now, Output& out);
  void propose(Job& job, Execution& execution, const DeviceId& device, std::shared_ptr<const Placement> placement,
               Time now, Output& out);
  void ask(Job& job, Execution& execution, Time now, Output& out);
  bool authorised(Job& job, Time now);
  void denied(Job& job, Execution& execution, const Decision& decision, Time now, Output& out);
  void assign(Job& job, Execution& execution, const Decision& decision, Time now, Output& out);
  [[nodiscard]] PutCommand command_of(const Job& job, const Execution& execution) const;
  [[nodiscard]] const std::string& package_for(const Job& job, const DeviceId& device) const;
  bool end_round(Job& job, Execution& execution, Time now, Output& out);
  [[nodiscard]] bool is_ready(const DeviceId& device) const;
  // plan/holds.cpp
  void keep_free(Fleet::Number number, const Waiter& who);
  void wake_all_of(const DeviceView& view);
  void stop_holding(Fleet::Number number);
  void release(Fleet::Number number, const Waiter& who);
  void pass_on(Fleet::Number number);
  void hold_for_the_starving(Time now, Output& out);
  // fleet/devices.cpp
  void on(const DeviceSeen& input, Time now, Output& out);
  void on(const DeviceGone& input, Time now, Output& out);
  void on(const DeviceReturned& input, Time now, Output& out);
  void on(const PackageSeen& input, Time now, Output& out);
  void wake_for(const PackageSeen& input);
  void on(const PackageGone& input, Time now, Output& out);
  void forget_contents();
  void end_rounds_without(const DeviceId& device);
  void ask_what_it_has(const Device& device, Output& out);
  void heard(const DeviceId& device);
  [[nodiscard]] bool hears_first(Time now);
  void lose_all(const DeviceId& device, const std::string& reason, Time now, Output& out);
  void device_refused(const DeviceId& device, const JobId& job, const std::string& reason, Time now, Output& out);
  void device_works(const DeviceId& device, Output& out);
  // follow/reports.cpp
  void on(const ReportArrived& input, Time now, Output& out);
  void on(const HeartbeatArrived& input, Time now, Output& out);
  void ask_for_missing(const HeartbeatArrived& input, const std::set<AttemptKey>& keys, Output& out);
  void on(const StreamReset& input, Time now, Output& out);
  void apply(const DeviceId& device, const AttemptReport& report, Time at, Time now, Output& out);
  void ended(Job& job, Execution& execution, const AttemptReport& report, Time now, Output& out);
  [[nodiscard]] std::optional<Demand> used_by(const DeviceId& device, const AttemptReport& report, Duration took) const;
  bool claim(const DeviceId& device, const AttemptKey& key, Output& out);
  void remember_ended(const DeviceId& device, const AttemptKey& key);
  bool apply_late(const DeviceId& device, const AttemptReport& report, Time now, Output& out);
  void back_in_queue(Job& job, Execution& execution, Time now, Output& out);
  void attempt_ended(Job& job, Execution& execution, AttemptState state, Time now, Output& out);
  void refused(Job& job, Execution& execution, const std::string& reason, bool device_fault, Time now, Output& out);
  void lose(Job& job, Execution& execution, const std::string& reason, Time now, Output& out);
  // follow/moves.cpp
  void look_at_health(const DeviceId& device, Time now, Output& out);
  void move_away(const DeviceId& device, Time now, Output& out);
  void tell_to_end(const Job& job, const Execution& execution, Output& out);
  // follow/messages.cpp
  void on(const LinesSaid& input, Time now, Output& out);
  // follow/progress.cpp
  void on(const ProgressArrived& input, Time now, Output& out);
  void say_progress(Time now, Output& out);
  // follow/reconcile.cpp
  void remember_original(const Job& job, Execution& execution);
  [[nodiscard]] double score_there(const Job& job, const Execution& execution, const DeviceId& device, Time now) const;
  [[nodiscard]] bool original_stays(const Job& job, const Execution& execution, bool done, Time now) const;
  bool returned(const DeviceId& device, const AttemptKey& key, Time now, Output& out);
  bool original_reports(const DeviceId& device, const AttemptReport& report, Time now, Output& out);
  void wake_for_room(const DeviceId& device);
  void give_room_back(const DeviceId& device, const AttemptKey& key);
  void cancel_attempt(Job& job, Execution& execution, const std::string& reason, Time now, Output& out);
  // follow/time.cpp
  void on(const LinkLost& input, Time now, Output& out);
  void on(const LinkBack& input, Time now, Output& out);
  void on(const Stalled& input, Time now, Output& out);
  void on(const TimePassed& input, Time now, Output& out);
  // `at`: when it was due
  void fired(const DeadlineDue& due, Time at, Time now, Output& out);
  void fired(const ExecutionDue& due, Time at, Time now, Output& out);
  void fired(const RestOver& due, Time at, Time now, Output& out);
  void fired(const ShownToTheEnd& due, Time at, Time now, Output& out);
  void fired(const CancelOver& due, Time at, Time now, Output& out);
  void fired(const RoomBack& due, Time at, Time now, Output& out);
  void fired(const SickLook& due, Time at, Time now, Output& out);
  void watch_live(Job& job, Execution& execution, Time now, Output& out);
  void set_timer(const Job& job, Execution& execution, Time at);
  void clear_timer(const Job& job, Execution& execution);
  void rearm(const Job& job, Execution& execution);
  void give_full_time(Time now);
  // follow/phases.cpp: only these functions change a phase or a state
  void enqueue(Job& job, Execution& execution, Time now);
  void dequeue(Job& job, Execution& execution);
  void back_off(Job& job, Execution& execution, int times, Time now);
  void withdraw(Job& job, Execution& execution);
  void settle_attempt(Job& job, Execution& execution, AttemptState state, Time now, Output& out);
  void settle(Job& job, Execution& execution, ExecutionState state, const std::string& reason, Time now);
  void set_state(Job& job, Execution& execution, ExecutionState state, Time now);
  void set_attempt_state(Job& job, Execution& execution, AttemptState state, Time now);
  void occupy(Job& job, const DeviceId& device, int sign);
  void reserve(const Job& job, const DeviceId& device, int sign);
  void set_state(Job& job, JobState state, Time now);
  void list(const Job& job);
  void refresh(Job& job, Time now, Output& out);
  void settle(Job& job, JobState state, Time now, Output& out);
  void touch(const Job& job, const Execution& execution);
  static void save_attempt(Execution& execution, Output& out);
  void say_changes(Time now, Output& out);
  void forget_settled(Time now, Output& out);

  Execution* find(const AttemptKey& key, Job*& job);

  Limits limits_;
  std::unordered_map<JobId, Job> jobs_;
  std::map<JobState, std::set<Position>> live_in_;  // live jobs, by state
  std::deque<JobId> settled_jobs_;
  std::size_t live_ = 0;             // live jobs
  std::size_t live_executions_ = 0;  // executions of live jobs
  std::uint64_t order_ = 0;
  Fleet fleet_;
  std::map<DeviceId, Stream> streams_;
  std::size_t reports_lost_ = 0;                 // numbers of reports that neither side has any more
  std::map<std::string, PackageSeen> packages_;  // by digest
  bool package_gone_ = false;                    // in this batch
  Queue queue_;
  bool place_ = false;  // a lane is awake that was not tried yet
  Which asking_;
  Durations durations_;
  Holds holds_;
  Shares shares_;
  Time held_at_{};
  std::map<DeviceId, AttemptKey> sick_;  // devices with a SickLook, and the attempt that was looked at last
  Time lines_since_{};                   // lines of all jobs that were passed on since then
  std::size_t lines_ = 0;
  std::unordered_multimap<JobId, Reply> replies_;
  Timers timers_;
  OnDevice on_device_;
  struct Cancelled {  // its device may still report how it ended
    Attempt attempt;
    Time until{};  // when its CancelOver is
    // Of an execution with a state topic whose job is over: told again when the device answers.
    std::optional<ExecutionRecord> shown{};
  };
  std::map<AttemptKey, Cancelled> cancelled_;
  Leaving leaving_;
  Time hears_since_{};  // of this process, or of the newest connection: what ended before was not heard then
  // What devices listed as `ended` after the start, of jobs that this memory does not know: (job, execution) to
  // (device, fence).
  std::map<std::pair<JobId, int>, std::pair<DeviceId, std::int64_t>> ended_there_;
  bool link_ = true;
  // True from a start until it is known what the devices have (limits_.hear_first).
  bool hearing_ = false;
  std::optional<Time> hearing_since_;  // of the first connection to the broker
  std::set<DeviceId> heard_, unheard_;

  std::set<JobId> unsaved_jobs_;
  std::set<JobId> touched_jobs_;
  std::set<std::pair<JobId, int>> touched_;                   // executions
  std::size_t shown_ = 0;                                     // executions with a retained state topic
  std::map<JobId, std::unordered_set<DeviceId>> continuous_;  // live jobs that devices join later, and who has
  std::set<std::pair<JobId, int>> progressed_;                // executions whose progress is to be published
  std::pair<JobId, int> progress_last_;                       // that was
  Time progress_said_at_{};
};

static_assert(Core<Scheduler>);

// What the report of an attempt's end brings beside its state and reason.
void add_end(Attempt& attempt, const AttemptReport& report);
// To who expected another version of the job: its present state.
[[nodiscard]] Error changed_since(std::string_view state, std::int64_t changed_ms);
[[nodiscard]] std::string assign_key(const AttemptKey& key);
[[nodiscard]] std::string cancel_key(const AttemptKey& key);
[[nodiscard]] std::string inquire_key(const AttemptKey& key);

}  // namespace fieldwork::scheduler
