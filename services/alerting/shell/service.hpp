// The shell around alerting's core: messages and measurements to inputs, the core's output to rows, messages and
// targets.
#pragma once

#include <functional>
#include <map>
#include <memory>

#include "alerting/core/alerting.hpp"
#include "alerting/shell/courier.hpp"
#include "alerting/shell/watch.hpp"
#include "alerts/read.hpp"
#include "codec/json.hpp"
#include "runtime/replies.hpp"
#include "runtime/shell.hpp"

namespace fieldwork::alerting {

struct AlertingConfig {
  Limits limits;
  WatchConfig watch;
  bool broker_figures = true;  // reads $SYS/broker/…
  MakeCourier courier = curl_courier;
  // Runs a function on the engine's thread, between two messages (runtime::Post::task).
  std::function<void(std::function<void(Time, runtime::Output&)>)> post;
  // Has the broker say all retained messages again.
  std::function<void()> hear_again = [] {};
};

class AlertingService : public runtime::Shell<Alerting> {
 public:
  AlertingService(std::string root, AlertingConfig config);

  [[nodiscard]] std::string name() const override { return "alerting"; }
  [[nodiscard]] std::vector<std::pair<std::string, int>> subscriptions() const override;
  [[nodiscard]] std::vector<runtime::RetentionRule> retention() const override;
  Result<void> load(store::Store& store, Time now) override;
  void message(const bus::Message& message, Time now, runtime::Output& out) override;
  void tick(Time now, runtime::Output& out) override;

 private:
  void request(const Topic& topic, const bus::Message& message, Time now, runtime::Output& out);
  Result<std::string> answer(std::string_view operation, const bus::Message& message) const;
  Result<std::string> list(codec::Reader& reader) const;
  Result<std::string> show(codec::Reader& reader) const;
  Result<std::string> silences(codec::Reader& reader) const;
  Result<std::string> rules(codec::Reader& reader) const;
  Result<void> acknowledge(const Topic& topic, const bus::Message& message, Time now);
  Result<void> silence(const Topic& topic, const bus::Message& message, Time now);
  void use(const RuleBook& book);
  void carried(const std::string& target, std::int64_t number, const Result<void>& result);
  void apply(const Output& done, Time now, runtime::Output& out) override;
  static void save(const Output& done, Time now, runtime::Output& out);

  AlertingConfig config_;
  Watch watch_;
  std::string saved_rules_;  // the rules file's text in the database
  alerts::Messages messages_;
  runtime::Replies replies_;
  std::vector<Target> targets_;                               // of the couriers
  std::map<std::string, std::unique_ptr<Courier>> couriers_;  // last: their threads end before the other members do
};

}  // namespace fieldwork::alerting
