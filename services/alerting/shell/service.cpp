#include "alerting/shell/service.hpp"

#include <nlohmann/json.hpp>

#include "alerting/shell/rows.hpp"
#include "codec/json.hpp"
#include "runtime/log.hpp"
#include "runtime/metrics.hpp"

namespace fieldwork::alerting {

AlertingService::AlertingService(std::string root, Limits limits, WebhookConfig webhook, PostTask post)
    : topics_(std::move(root)), limits_(limits), post_(std::move(post)) {
  limits_.notify = !webhook.url.empty();
  if (!limits_.notify) return;
  webhook_ = std::make_unique<Webhook>(
      std::move(webhook), [this](std::int64_t number, const Result<void>& result) { sent(number, result); });
}

Result<void> AlertingService::load(store::Store& store, Time) {
  Saved saved;
  auto alerts = store.select({.table = "alert", .where = {}, .order_by = "", .descending = false, .limit = 0});
  if (!alerts) return alerts.error();
  for (const auto& row : *alerts) {
    auto alert = alert_from_row(row);
    if (!alert) return Error{Code::invalid, describe(alert.error()), "table alert"};
    saved.alerts.push_back(std::move(*alert));
  }
  auto waiting = store.select({.table = "notification", .where = {}, .order_by = "", .descending = false, .limit = 0});
  if (!waiting) return waiting.error();
  for (const auto& row : *waiting) {
    auto notification = notification_from_row(row);
    if (!notification) return Error{Code::invalid, describe(notification.error()), "table notification"};
    saved.notifications.push_back(std::move(*notification));
  }
  core_.emplace(limits_, std::move(saved));
  log::info("loaded", {{"alerts", std::to_string(core_->size())}, {"notifications", std::to_string(core_->waiting())}});
  return {};
}

void AlertingService::take(const Input& input, Time now, runtime::Output& out) {
  for (const auto& effect : core_->step(input, now)) {
    std::visit([&](const auto& one) { act(one, out); }, effect);
  }
}

void AlertingService::tick(Time now, runtime::Output& out) { take(TimePassed{}, now, out); }
void AlertingService::connected(Time now, runtime::Output& out) { take(BrokerReturned{}, now, out); }

// On the webhook's thread.
void AlertingService::sent(std::int64_t number, const Result<void>& result) {
  metrics::count("fieldwork_notifications_total", {{"result", result ? "taken" : "failed"}});
  if (!result) log::warn("the webhook did not take a notification", {{"reason", describe(result.error())}});
  const bool for_good = !result && result.error().code == Code::invalid;
  const Input answer = result ? Input(NotificationDelivered{number})
                              : Input(NotificationFailed{number, for_good, describe(result.error())});
  post_([this, answer](Time now, runtime::Output& out) { take(answer, now, out); });
}

void AlertingService::act(const SaveAlert& effect, runtime::Output& out) {
  const auto& alert = effect.alert;
  if (!alert.firing || alert.changed == alert.since) {
    log::info(alert.firing ? "alert fires" : "alert is resolved", {{"alert", alert.id}, {"reason", alert.reason}});
  }
  out.upsert("alert", alert.id, to_row(alert));
}

void AlertingService::act(const RemoveAlert& effect, runtime::Output& out) {
  out.remove("alert", effect.id, codec::dump({{"alert", effect.id}}));
}

void AlertingService::act(const PublishAlert& effect, runtime::Output& out) {
  out.messages.push_back(
      {.topic = topics_.state("alert", effect.alert.id), .payload = to_state(effect.alert), .retain = true});
}

void AlertingService::act(const RetractAlert& effect, runtime::Output& out) {
  out.messages.push_back({.topic = topics_.state("alert", effect.id), .payload = "", .retain = true});
}

void AlertingService::act(const SaveNotification& effect, runtime::Output& out) {
  out.upsert("notification", std::to_string(effect.notification.number), to_row(effect.notification));
}

void AlertingService::act(const RemoveNotification& effect, runtime::Output& out) {
  out.remove("notification", std::to_string(effect.number), codec::dump({{"notification", effect.number}}));
}

void AlertingService::act(const SendNotification& effect, runtime::Output& out) {
  out.acts.push_back([this, number = effect.notification.number, body = to_body(effect.notification.alert)] {
    if (webhook_) webhook_->send(number, body);
  });
}

void AlertingService::act(const DeadLetter& effect, runtime::Output&) {
  metrics::count("fieldwork_notifications_dead_total");
  log::error("a notification is given up", {{"alert", effect.notification.alert.id}, {"reason", effect.reason}});
}

void AlertingService::act(const CountDropped& effect, runtime::Output&) {
  metrics::count("fieldwork_" + effect.what + "s_dropped_total");
}

}  // namespace fieldwork::alerting
