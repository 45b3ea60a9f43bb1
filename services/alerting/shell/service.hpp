// Alerting on the bus: topics and JSON to inputs, effects to rows, messages and the webhook.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "alerting/core/alerting.hpp"
#include "alerting/shell/webhook.hpp"
#include "codec/json.hpp"
#include "runtime/reject.hpp"
#include "runtime/service.hpp"
#include "topic/topic.hpp"

namespace fieldwork::alerting {

class AlertingService : public runtime::Service {
 public:
  // Runs something between two messages (runtime::Post::task).
  using PostTask = std::function<void(std::function<void(Time, runtime::Output&)>)>;
  AlertingService(std::string root, Limits limits, WebhookConfig webhook, PostTask post);

  [[nodiscard]] std::string name() const override { return "alerting"; }
  [[nodiscard]] std::vector<std::pair<std::string, int>> subscriptions() const override;
  Result<void> load(store::Store& store, Time now) override;
  void message(const bus::Message& message, Time now, runtime::Output& out) override;
  void tick(Time now, runtime::Output& out) override;
  void connected(Time now, runtime::Output& out) override;

  [[nodiscard]] const Alerting& core() const { return *core_; }

 private:
  void take(const Input& input, Time now, runtime::Output& out);
  Result<void> state(const Topic& topic, const bus::Message& message, Time now, runtime::Output& out);
  Result<void> placement(const Topic& topic, const codec::Json& value, Time now, runtime::Output& out);
  Result<void> jobs_changed(const bus::Message& message, Time now, runtime::Output& out);
  void sent(std::int64_t number, const Result<void>& result);

  void act(const SaveAlert& effect, runtime::Output& out);
  void act(const RemoveAlert& effect, runtime::Output& out);
  void act(const PublishAlert& effect, runtime::Output& out);
  void act(const RetractAlert& effect, runtime::Output& out);
  void act(const SaveNotification& effect, runtime::Output& out);
  void act(const RemoveNotification& effect, runtime::Output& out);
  void act(const SendNotification& effect, runtime::Output& out);
  void act(const CountDropped& effect, runtime::Output& out);
  void act(const DeadLetter& effect, runtime::Output& out);

  Topics topics_;
  Limits limits_;
  PostTask post_;
  std::optional<Alerting> core_;
  runtime::Rejections rejections_;
  std::unique_ptr<Webhook> webhook_;  // last: its thread ends first
};

}  // namespace fieldwork::alerting
