// The shell around alerting's core: topics and JSON to inputs, the core's output to rows, messages and the webhook.
#pragma once

#include <functional>
#include <memory>

#include "alerting/core/alerting.hpp"
#include "alerting/shell/target.hpp"
#include "codec/json.hpp"
#include "runtime/shell.hpp"

namespace fieldwork::alerting {

class AlertingService : public runtime::Shell<Alerting> {
 public:
  // Runs a function on the engine's thread, between two messages (runtime::Post::task).
  using PostTask = std::function<void(std::function<void(Time, runtime::Output&)>)>;
  using MakeTarget = std::function<std::unique_ptr<Target>(Target::Done)>;
  // `target`: empty where nobody is to be notified.
  AlertingService(std::string root, Limits limits, const MakeTarget& target, PostTask post);

  [[nodiscard]] std::string name() const override { return "alerting"; }
  [[nodiscard]] std::vector<std::pair<std::string, int>> subscriptions() const override;
  Result<void> load(store::Store& store, Time now) override;
  void message(const bus::Message& message, Time now, runtime::Output& out) override;

 private:
  Result<void> state(const Topic& topic, const bus::Message& message, Time now);
  Result<void> placement(const Topic& topic, const codec::Json& value, Time now);
  Result<void> jobs_changed(const Topic& topic, const bus::Message& message, Time now, runtime::Output& out);
  void sent(std::int64_t number, const Result<void>& result);
  void apply(const Output& done, Time now, runtime::Output& out) override;
  static void save(const Output& done, runtime::Output& out);

  Limits limits_;
  PostTask post_;
  std::unique_ptr<Target> target_;  // last: its thread ends before the other members are destroyed
};

}  // namespace fieldwork::alerting
