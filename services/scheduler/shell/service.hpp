// The shell around the scheduler's core: topics and JSON to inputs, effects to rows and messages.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <unordered_map>

#include "codec/json.hpp"
#include "runtime/reject.hpp"
#include "runtime/service.hpp"
#include "scheduler/core/scheduler.hpp"
#include "topic/topic.hpp"

namespace fieldwork::scheduler {

class SchedulerService : public runtime::Service {
 public:
  SchedulerService(std::string root, Limits limits);
  ~SchedulerService() override;

  [[nodiscard]] std::string name() const override { return "scheduler"; }
  [[nodiscard]] std::vector<std::pair<std::string, int>> subscriptions() const override;
  Result<void> load(store::Store& store, Time now) override;
  Result<void> prefetch(store::Store& store, const std::vector<const bus::Message*>& batch) override;
  void message(const bus::Message& message, Time now, runtime::Output& out) override;
  void tick(Time now, runtime::Output& out) override;
  void connected(Time now, runtime::Output& out) override;
  void flush(Time now, runtime::Output& out) override;
  [[nodiscard]] const Scheduler& core() const { return *core_; }

 private:
  // Who waits for the answers to one message.
  struct Group {
    std::string topic, correlation;
    std::size_t open = 0;
    std::vector<std::string> items;  // JSON
  };
  struct Waiting {
    std::uint64_t group = 0;
    std::string request;  // empty: not a submission
  };
  struct Submission {  // decoded in prefetch
    std::vector<JobSubmitted> jobs;
    std::vector<std::pair<std::string, Error>> refused;  // request, why
  };

  // wire.cpp
  void device_message(const Topic& topic, const bus::Message& message, Time now, runtime::Output& out);
  void state_message(const Topic& topic, const bus::Message& message, Time now, runtime::Output& out);
  void decided(const Topic& topic, const bus::Message& message, Time now);
  void reject(const Topic& topic, const bus::Message& message, const Error& error, Time now, runtime::Output& out);
  void step(const Input& input, Time now);
  // effects.cpp
  void carry_out(const Effect& effect, runtime::Output& out);
  void say_changes(runtime::Output& out);
  [[nodiscard]] bus::Message state_of(const Job& job) const;
  void answer(Reply reply, codec::Json item, runtime::Output& out);
  // requests.cpp
  void request(const Topic& topic, const bus::Message& message, Time now, runtime::Output& out);
  void submit(const bus::Message& message, Time now, runtime::Output& out);
  void show(const bus::Message& message, bool explain, runtime::Output& out);
  void list(const bus::Message& message, runtime::Output& out);
  Result<Submission> decode_submission(const bus::Message& message, std::string_view from) const;
  Reply wait_for(const bus::Message& message, std::size_t answers);
  static void respond(const bus::Message& message, const codec::Json& answer, runtime::Output& out);
  [[nodiscard]] const Job* known(const JobId& job) const;  // in memory, or fetched for this batch

  Topics topics_;
  Limits limits_;
  std::unique_ptr<Scheduler> core_;
  runtime::Rejections rejections_;
  Effects effects_;
  std::vector<Question> questions_;
  std::vector<JobId> changed_;
  std::set<JobId> forgotten_;
  std::unordered_map<Reply, Waiting> waiting_;
  std::map<std::uint64_t, Group> groups_;  // oldest first, at most groups_max
  Reply next_reply_ = 1;
  // Of this batch only:
  std::unordered_map<const bus::Message*, Result<Submission>> submissions_;
  std::unordered_map<JobId, Job> fetched_;
  std::unordered_map<const bus::Message*, std::vector<Job>> lists_;
};

// STATE_JOB of docs/topics.md.
[[nodiscard]] codec::Json encode_state(const Job& job);

}  // namespace fieldwork::scheduler
