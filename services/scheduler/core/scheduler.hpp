// The scheduler's core: jobs in, orders out. Pure: no clock, socket, file, thread; time comes in.
//
// Inputs are facts, effects are orders; both are values. What changed is named by SaveJob / SaveAttempt / SaveStream:
// the shell writes the record as it is at the end of the batch, in one transaction, before anything is said. The
// exception is Ask: a question promises nothing and may leave before the commit (docs/decisions/0003).
//
// Promises: at most one live attempt per execution; a fence is never used for two attempts; a report with another fence
// than the live one changes nothing; repeated inputs change nothing.
#pragma once

#include <deque>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "model/package.hpp"
#include "model/policy.hpp"
#include "scheduler/core/placement.hpp"
#include "scheduler/core/queue.hpp"
#include "scheduler/core/state.hpp"

namespace fieldwork::scheduler {

using Reply = std::uint64_t;  // who waits for an answer; the shell's own number

// --- inputs ---
struct JobSubmitted {
  Reply reply = 0;
  JobId job;  // made from submitter and request, so that a repeat names the same job
  std::string submitter;
  std::string request;
  JobSpec spec;
  std::string spec_digest;
  std::string traceparent;
  bool bulk = false;
  // What the store knows of this job, if it is not in memory.
  struct Known {
    std::string state;
    std::string reason;
    std::string spec_digest;
  };
  std::optional<Known> known;
};
struct DecisionMade {
  Decision decision;
};
struct DeviceSeen {
  Device device;
};
struct DeviceReturned {  // said hello on a new connection
  DeviceId device;
};
struct PackageSeen {
  std::string digest;
};
struct ReportArrived {
  DeviceId device;
  std::int64_t epoch = 0;
  std::int64_t seq = 0;  // of the first item
  std::vector<AttemptReport> items;
};
struct HeartbeatArrived {
  DeviceId device;
  std::vector<AttemptKey> attempts;
};
struct CancelRequested {
  Reply reply = 0;
  JobId job;
};
struct TimePassed {};
using Input = std::variant<JobSubmitted, DecisionMade, DeviceSeen, DeviceReturned, PackageSeen, ReportArrived,
                           HeartbeatArrived, CancelRequested, TimePassed>;

// --- effects ---
struct SaveJob {
  JobId job;
};
struct SaveAttempt {
  AttemptKey key;
};
struct SaveStream {
  DeviceId device;
};
struct Ask {
  Question question;
};
struct Order {  // repeated until settled
  std::string key;
  DeviceId device;
  std::variant<Assign, Cancel> order;
};
struct Settle {
  std::string key;
};
struct TellStale {  // said once
  DeviceId device;
  Stale stale;
};
struct Acknowledge {
  DeviceId device;
  Stream stream;
};
struct Remind {  // the device's orders are due now
  DeviceId device;
};
struct AnswerSubmission {
  Reply reply = 0;
  JobId job;
  std::string state;
  std::string reason;
};
struct AnswerError {
  Reply reply = 0;
  Error error;
};
struct JobChanged {  // say it on the state topic
  JobId job;
};
struct ForgetJob {  // leaves memory and its state topic; the database keeps it
  JobId job;
  bool bulk = false;
};
using Effect = std::variant<SaveJob, SaveAttempt, SaveStream, Ask, Order, Settle, TellStale, Acknowledge, Remind,
                            AnswerSubmission, AnswerError, JobChanged, ForgetJob>;
using Effects = std::vector<Effect>;

// What is stored, to begin with.
struct Saved {
  std::vector<Job> jobs;  // live ones with their newest attempts, and some finished ones
  std::map<DeviceId, Stream> streams;
  std::vector<std::string> packages;
};

class Scheduler {
 public:
  explicit Scheduler(Limits limits) : limits_(limits) {}
  Scheduler(Limits limits, Saved saved, Time now);

  void step(const Input& input, Time now, Effects& out);
  // Once per batch, after its inputs: gives devices to what waits, forgets the oldest finished jobs.
  void place_waiting(Time now, Effects& out);

  [[nodiscard]] const Job* find(const JobId& job) const;
  [[nodiscard]] const std::unordered_map<JobId, Job>& jobs() const { return jobs_; }
  [[nodiscard]] const Devices& devices() const { return devices_; }
  [[nodiscard]] Stream stream(const DeviceId& device) const;
  [[nodiscard]] bool knows_package(const std::string& digest) const { return packages_.contains(digest); }
  [[nodiscard]] std::size_t live() const { return live_; }
  [[nodiscard]] std::size_t queued() const { return queue_.size(); }
  // Where an execution would go now, and why not elsewhere.
  [[nodiscard]] Placement explain(const Job& job, const Execution& execution) const;

 private:
  // submission.cpp
  void on(const JobSubmitted& input, Time now, Effects& out);
  void on(const CancelRequested& input, Time now, Effects& out);
  std::optional<Error> refuse(const JobSubmitted& input) const;
  void accept(const JobSubmitted& input, Time now, Effects& out);
  void answer(const JobId& job, Effects& out);
  void stop(Job& job, JobState state, std::string reason, Time now, Effects& out);
  // assignment.cpp
  void on(const DecisionMade& input, Time now, Effects& out);
  void on(const DeviceSeen& input, Time now, Effects& out);
  void on(const DeviceReturned& input, Time now, Effects& out);
  void on(const PackageSeen& input, Time now, Effects& out);
  void on(const TimePassed& input, Time now, Effects& out);
  void ask(Job& job, Execution& execution, Time now, Effects& out);
  void ask_again(Job& job, Execution& execution, Time now, Effects& out);
  [[nodiscard]] bool is_ready(const DeviceId& device) const;
  void assign(Job& job, Execution& execution, const Decision& decision, Time now, Effects& out);
  void withdraw(Job& job, Execution& execution);
  void lose(Job& job, Execution& execution, const std::string& reason, Time now, Effects& out);
  static std::set<DeviceId> taken_by_siblings(const Job& job, const Execution& execution);
  Placement placement_for(const Job& job, const Execution& execution, const Limits& limits) const;
  void enqueue(Job& job, Execution& execution);
  void dequeue(Job& job, Execution& execution);
  void reserve(const Job& job, const DeviceId& device, int sign);
  // reports.cpp
  void on(const ReportArrived& input, Time now, Effects& out);
  void on(const HeartbeatArrived& input, Time now, Effects& out);
  void apply(const DeviceId& device, const AttemptReport& report, Time now, Effects& out);
  void conclude(Job& job, Execution& execution, Time now, Effects& out);
  void settle_attempt(Job& job, Execution& execution, AttemptState state, Time now, Effects& out);
  void refresh(Job& job, Time now, Effects& out);
  void finish(Job& job, JobState state, Time now, Effects& out);
  void forget_finished(Effects& out);

  Execution* find(const AttemptKey& key, Job*& job);

  Limits limits_;
  std::unordered_map<JobId, Job> jobs_;
  std::deque<JobId> finished_;
  std::size_t finished_saved_ = 0;  // so many of them, from the front, were finished before this batch and are written
  std::size_t live_ = 0;
  std::uint64_t order_ = 0;
  Devices devices_;
  std::map<DeviceId, Stream> streams_;
  std::set<std::string> packages_;
  Queue queue_;
  bool try_again_ = false;  // something changed that may let a waiting execution fit
  std::unordered_multimap<JobId, Reply> replies_;
  std::multimap<Time, AttemptKey> timeline_;  // leases, questions, retries; checked when they come up
  std::multimap<Time, JobId> deadlines_;
  std::unordered_map<DeviceId, std::set<AttemptKey>> on_device_;
};

[[nodiscard]] std::string assign_key(const AttemptKey& key);
[[nodiscard]] std::string cancel_key(const AttemptKey& key);

}  // namespace fieldwork::scheduler
