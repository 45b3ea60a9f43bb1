#include "alerting/shell/service.hpp"

#include <nlohmann/json.hpp>

#include "alerting/shell/rows.hpp"
#include "codec/json.hpp"
#include "runtime/log.hpp"
#include "runtime/metrics.hpp"

namespace fieldwork::alerting {

AlertingService::AlertingService(std::string root, Limits limits, const MakeTarget& target, PostTask post)
    : Shell(std::move(root)), limits_(limits), post_(std::move(post)) {
  limits_.notify = target != nullptr;
  if (target) target_ = target([this](std::int64_t number, const Result<void>& result) { sent(number, result); });
}

Result<void> AlertingService::load(store::Store& store, Time) {
  auto alerts =
      rows(store, {.table = "alert", .where = {}, .order_by = "", .descending = false, .limit = 0}, alert_from_row);
  if (!alerts) return alerts.error();
  auto waiting = rows(store, {.table = "notification", .where = {}, .order_by = "", .descending = false, .limit = 0},
                      notification_from_row);
  if (!waiting) return waiting.error();
  core_.emplace(limits_, Saved{std::move(*alerts), std::move(*waiting)});
  log::info("loaded", {{"alerts", std::to_string(core_->size())}, {"notifications", std::to_string(core_->waiting())}});
  return {};
}

// Runs on the target's thread.
void AlertingService::sent(std::int64_t number, const Result<void>& result) {
  metrics::count("fieldwork_notifications_total", {{"result", result ? "taken" : "failed"}});
  if (!result) log::warn("the webhook did not take a notification", {{"reason", describe(result.error())}});
  const bool for_good = !result && result.error().code == Code::invalid;
  const Input answer = result ? Input(NotificationDelivered{number})
                              : Input(NotificationFailed{number, for_good, describe(result.error())});
  post_([this, answer](Time now, runtime::Output&) { step(answer, now); });
}

void AlertingService::save(const Output& done, runtime::Output& out) {
  for (const auto& one : done.alerts) {
    if (!one.alert) {
      out.remove("alert", one.id, {{"alert", one.id}});
      continue;
    }
    const auto& alert = *one.alert;
    if (!alert.firing || alert.changed == alert.since) {
      log::info(alert.firing ? "alert fires" : "alert is resolved", {{"alert", alert.id}, {"reason", alert.reason}});
    }
    out.upsert("alert", alert.id, to_row(alert));
  }
  for (const auto& one : done.notifications) {
    const auto number = one.notification.number;
    if (one.remove) {
      out.remove("notification", std::to_string(number), {{"notification", number}});
    } else {
      out.upsert("notification", std::to_string(number), to_row(one.notification));
    }
  }
}

void AlertingService::apply(const Output& done, Time, runtime::Output& out) {
  save(done, out);
  for (const auto& one : done.sends) {
    out.acts.push_back([this, number = one.number, body = to_body(one.alert)] {
      if (target_) target_->send(number, body);
    });
  }
  for (const auto& one : done.states) {
    say_retained(topics_.state("alert", one.id), one.alert ? to_state(*one.alert) : "", out);
  }
  for (const auto& one : done.dead) {
    metrics::count("fieldwork_notifications_dead_total");
    log::error("a notification is given up", {{"alert", one.notification.alert.id}, {"reason", one.reason}});
  }
  if (done.dropped > 0) metrics::count("fieldwork_notifications_dropped_total", {}, static_cast<double>(done.dropped));
}

}  // namespace fieldwork::alerting
