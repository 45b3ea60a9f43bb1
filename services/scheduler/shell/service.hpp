// The shell around the scheduler's core: topics and JSON to inputs, the core's output to rows and messages.
#pragma once

#include <deque>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <unordered_map>

#include "codec/json.hpp"
#include "runtime/reads.hpp"
#include "runtime/replies.hpp"
#include "runtime/shell.hpp"
#include "scheduler/core/scheduler.hpp"
#include "scheduler/shell/states.hpp"
#include "scheduler/shell/stored_ids.hpp"

namespace fieldwork::scheduler {

struct Asked;

class SchedulerService : public runtime::Shell<Scheduler> {
 public:
  // Without `reads` no question is answered from the store.
  SchedulerService(std::string root, Limits limits, std::shared_ptr<runtime::Reads> reads = nullptr);

  [[nodiscard]] std::string name() const override { return "scheduler"; }
  [[nodiscard]] std::vector<std::pair<std::string, int>> subscriptions() const override;
  [[nodiscard]] std::vector<runtime::RetentionRule> retention() const override;
  Result<void> load(store::Store& store, Time now) override;
  Result<void> prefetch(store::Store& store, const std::vector<const bus::Message*>& batch) override;
  void message(const bus::Message& message, Time now, runtime::Output& out) override;
  void connected(Time now, runtime::Output& out) override;
  void flush(Time now, runtime::Output& out) override;

  [[nodiscard]] const StoredIds& stored_ids() const { return stored_ids_; }

 private:
  struct Submission {  // decoded in prefetch
    std::vector<JobSubmitted> jobs;
    std::vector<std::pair<std::string, Error>> refused;  // request id and why it is refused
  };

  // wire.cpp
  void device_message(const Topic& topic, const bus::Message& message, Time now, runtime::Output& out);
  void report(const DeviceId& device, const Topic& topic, const bus::Message& message, Time now, runtime::Output& out);
  void state_message(const Topic& topic, const bus::Message& message, Time now, runtime::Output& out);
  void decided(const Topic& topic, const bus::Message& message, Time now);
  // says.cpp
  void apply(const Output& done, Time now, runtime::Output& out) override;
  void save(const Output& done, runtime::Output& out);
  void put(const PutCommand& put, runtime::Output& out) const;
  void command(const Output& done, runtime::Output& out) const;
  void say(const Output& done, runtime::Output& out);
  void say_states(const Output& done, runtime::Output& out) const;
  void say_again(runtime::Output& out);
  void say_placement(runtime::Output& out) const;
  void answer(const Answer& answer, runtime::Output& out);
  // requests.cpp
  void request(const Topic& topic, const bus::Message& message, Time now, runtime::Output& out);
  void submit(const bus::Message& message, Time now, runtime::Output& out);
  void cancel(const bus::Message& message, const Topic& topic, Time now, runtime::Output& out);
  void reset(const bus::Message& message, const Topic& topic, Time now, runtime::Output& out);
  Result<Submission> decode_submission(const bus::Message& message, std::string_view from) const;
  void respond(const bus::Message& message, const codec::Json& answer, runtime::Output& out) const;
  // Whether the store may hold this job though the core does not know it.
  [[nodiscard]] bool may_be_stored(const JobId& job) const;
  // Asks the reads for the next page of stored job ids; the answer's batch asks again, until all pages are read.
  void fill_stored_ids(Time now);
  // reads.cpp: questions that change nothing, answered from memory or from the store
  static bool is_read(std::string_view operation);
  void read(const Topic& topic, const bus::Message& message, Time now, runtime::Output& out);
  void read_stored(const bus::Message& message, Asked asked, Time now, runtime::Output& out);
  [[nodiscard]] Result<codec::Json> list(const Asked& asked, Result<store::Page> page) const;
  [[nodiscard]] codec::Json list_live(const Asked& asked) const;

  Limits limits_;
  std::shared_ptr<runtime::Reads> reads_;
  runtime::Replies replies_;
  static constexpr std::size_t again_at_once_max = 250;  // states published again in one batch
  std::deque<std::pair<JobId, std::size_t>> again_;      // jobs to publish again, and the next execution of each
  StoredIds stored_ids_;
  std::string stored_after_;   // cursor of the next page of stored ids
  bool stored_asked_ = false;  // the answer to that page is awaited
  Time stored_ask_at_{};       // not asked before, after an error
  bool loaded_ = false;        // loaded since the last connection
  // Of the current batch only:
  std::unordered_map<const bus::Message*, Result<Submission>> submissions_;
  std::unordered_map<JobId, JobSubmitted::Known> known_;
};

}  // namespace fieldwork::scheduler
