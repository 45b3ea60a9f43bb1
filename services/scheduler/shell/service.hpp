// The shell around the scheduler's core: topics and JSON to inputs, the core's output to rows and messages.
#pragma once

#include <deque>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <unordered_map>

#include "codec/json.hpp"
#include "model/package.hpp"
#include "runtime/reads.hpp"
#include "runtime/replies.hpp"
#include "runtime/shell.hpp"
#include "scheduler/core/plan/why.hpp"
#include "scheduler/core/scheduler.hpp"
#include "scheduler/shell/scenarios.hpp"
#include "scheduler/shell/states.hpp"
#include "scheduler/shell/stored_ids.hpp"
#include "scheduler/shell/templates.hpp"

namespace fieldwork::scheduler {

struct Asked;

// The error of a value that stands at `path` of a message.
[[nodiscard]] Error under(const std::string& path, Error error);

class SchedulerService : public runtime::Shell<Scheduler> {
 public:
  // Without `reads` no question is answered from the store.
  SchedulerService(std::string root, Limits limits, std::shared_ptr<runtime::Reads> reads = nullptr,
                   Scenarios scenarios = {});

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
  struct AskedTemplate {
    std::string reference;     // NAME or NAME@VERSION
    codec::Json parameters{};  // by name
    codec::Json fields{};      // that replace those of the template
  };
  struct Item {
    JobSubmitted job;  // of a template without its spec
    std::optional<AskedTemplate> of{};
  };
  struct Submission {  // decoded in prefetch
    std::vector<Item> jobs;
    std::vector<std::pair<std::string, Error>> refused;  // request id and why it is refused
  };

  // wire.cpp
  void device_message(const Topic& topic, const bus::Message& message, Time now, runtime::Output& out);
  void report(const DeviceId& device, const Topic& topic, const bus::Message& message, Time now, runtime::Output& out);
  void state_message(const Topic& topic, const bus::Message& message, Time now, runtime::Output& out);
  void decided(const Topic& topic, const bus::Message& message, Time now);
  // uses.cpp
  void package_gone(const Topic& topic, Time now, runtime::Output& out);
  void uses(const Topic& topic, const bus::Message& message, Time now, runtime::Output& out);
  [[nodiscard]] std::vector<PackageUse> uses_of(const std::vector<std::string>& digests) const;
  // says.cpp
  void apply(const Output& done, Time now, runtime::Output& out) override;
  void save(const Output& done, runtime::Output& out);
  void put(const PutCommand& put, runtime::Output& out) const;
  void command(const Output& done, runtime::Output& out) const;
  void say(const Output& done, Time now, runtime::Output& out);
  void say_states(const Output& done, runtime::Output& out);
  void not_again(const JobId& job, int execution);
  void say_moved(const Output& done, runtime::Output& out) const;
  void say_lines(const Output& done, runtime::Output& out) const;
  void say_again(runtime::Output& out);
  void say_placement(runtime::Output& out);
  void answer(const Answer& answer, Time now, runtime::Output& out);
  // requests.cpp
  void request(const Topic& topic, const bus::Message& message, Time now, runtime::Output& out);
  void submit(const bus::Message& message, Time now, runtime::Output& out);
  void cancel(const bus::Message& message, const Topic& topic, Time now, runtime::Output& out);
  void reset(const bus::Message& message, const Topic& topic, Time now, runtime::Output& out);
  // running.cpp, retry.cpp
  void logs(const bus::Message& message, const Topic& topic, Time now, runtime::Output& out);
  void retry(const bus::Message& message, const Topic& topic, Time now, runtime::Output& out);
  Result<Submission> decode_submission(const bus::Message& message, std::string_view from) const;
  [[nodiscard]] Result<std::pair<codec::Template, std::string>> template_of(const std::string& reference) const;
  [[nodiscard]] static Result<void> read_job(codec::Reader& item, Item& out);
  [[nodiscard]] Result<void> fill(Item& item) const;
  void respond(const bus::Message& message, const codec::Json& answer, runtime::Output& out) const;
  // Whether the store may hold this job though the core does not know it.
  [[nodiscard]] bool may_be_stored(const JobId& job) const;
  // Asks the reads for the next page of stored job ids; the answer's batch asks again, until all pages are read.
  void fill_stored_ids(Time now);
  void say_ended_again(Time now);
  // waits.cpp
  [[nodiscard]] std::optional<Waits> waits_of(const JobId& id, Time now);
  void refresh_waits(Time now, runtime::Output& out);
  void try_out(const bus::Message& message, const Topic& topic, Time now, runtime::Output& out);
  // templates.cpp
  void change_template(const bus::Message& message, const Topic& topic, Time now, runtime::Output& out);
  void show_templates(const bus::Message& message, const Topic& topic, Time now, runtime::Output& out);
  // scenarios.cpp
  void show_scenarios(const bus::Message& message, const Topic& topic, Time now, runtime::Output& out);
  [[nodiscard]] double success() const;  // of an attempt, by what ready devices have reported
  // reads.cpp: questions that change nothing, answered from memory or from the store
  static bool is_read(std::string_view operation);
  void read(const Topic& topic, const bus::Message& message, Time now, runtime::Output& out);
  void read_stored(const bus::Message& message, Asked asked, Time now, runtime::Output& out);
  [[nodiscard]] Result<codec::Json> list(const Asked& asked, Result<store::Page> page, Time now);
  [[nodiscard]] codec::Json list_live(const Asked& asked, Time now);
  [[nodiscard]] codec::Json with_waits(codec::Json item, const JobId& job, Time now);

  Limits limits_;
  std::shared_ptr<runtime::Reads> reads_;
  runtime::Replies replies_;
  Templates templates_;
  Scenarios scenarios_;
  static constexpr std::size_t again_at_once_max = 250;       // states published again in one batch
  static constexpr std::size_t ended_again_at_once_max = 16;  // jobs
  Scheduler::Executions ended_again_;                         // settled executions to publish again
  bool ended_asked_ = false;
  Time ended_ask_at_{};
  std::deque<std::pair<JobId, std::size_t>> again_;  // jobs to publish again, and the next execution of each
  StoredIds stored_ids_;
  std::string stored_after_;   // cursor of the next page of stored ids
  bool stored_asked_ = false;  // the answer to that page is awaited
  Time stored_ask_at_{};       // not asked before, after an error
  bool loaded_ = false;        // loaded since the last connection
  struct Seen {
    Forecast is;
    Reasons reasons;
    Time at{};
  };
  std::optional<Seen> forecast_;
  Time refreshed_{};
  std::optional<Scheduler::Position> refreshed_to_;  // the job that was looked at last
  std::unordered_map<JobId, Waits> waits_said_;
  // Of the current batch only:
  mutable std::optional<double> success_;
  std::size_t tried_ = 0, tried_width_ = 0;  // jobs that were tried out, and their executions
  Time balance_at_{};                        // when the load of all devices is to be looked at
  std::unordered_map<const bus::Message*, Result<Submission>> submissions_;
  std::unordered_map<JobId, JobSubmitted::Known> known_;
};

}  // namespace fieldwork::scheduler
