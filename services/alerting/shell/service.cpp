#include "alerting/shell/service.hpp"

#include <nlohmann/json.hpp>

#include "alerting/shell/rows.hpp"
#include "crypto/bytes.hpp"
#include "runtime/log.hpp"
#include "runtime/metrics.hpp"

namespace fieldwork::alerting {

namespace {

// The rows of a table. One that cannot be read is said and left out: nobody would be told of anything otherwise.
template <class Read>
auto readable(store::Store& store, const char* table, Read read)
    -> Result<std::vector<std::remove_cvref_t<decltype(read(std::string_view{}).value())>>> {
  auto texts = store.select({.table = table, .where = {}, .order_by = "", .descending = false, .limit = 0});
  if (!texts) return texts.error();
  std::vector<std::remove_cvref_t<decltype(read(std::string_view{}).value())>> out;
  for (const auto& text : *texts) {
    auto row = read(std::string_view(text));
    if (row) {
      out.push_back(std::move(*row));
    } else {
      log::error("a row cannot be read and is left out", {{"table", table}, {"reason", describe(row.error())}});
    }
  }
  return out;
}

std::string rules_text(std::string_view row) {
  auto value = codec::parse(row, 4 * alerts::file_bytes_max);
  if (!value) return {};
  codec::Reader reader(*value);
  reader.allow_unknown();
  return reader.text_or("text", "", alerts::file_bytes_max);
}

}  // namespace

AlertingService::AlertingService(std::string root, AlertingConfig config)
    : Shell(std::move(root)), config_(std::move(config)), watch_(config_.watch), messages_(topics_) {}

std::vector<std::pair<std::string, int>> AlertingService::subscriptions() const {
  auto out = alerts::read_topics(topics_);
  if (config_.broker_figures) {
    for (auto& one : alerts::broker_topics()) out.push_back(std::move(one));
  }
  out.emplace_back(topics_.service("alerting", "+", "+"), 1);
  return out;
}

std::vector<runtime::RetentionRule> AlertingService::retention() const {
  return {{.prune = {.table = "dead_letter", .column = "at_ms", .where = {}, .before = "", .keep = 10'000},
           .kept_for = std::chrono::hours{24 * 30}}};
}

Result<void> AlertingService::load(store::Store& store, Time) {
  const auto rules =
      store.select({.table = "rules_file", .where = {}, .order_by = "", .descending = false, .limit = 1});
  if (!rules) return rules.error();
  if (!rules->empty()) saved_rules_ = rules_text(rules->front());
  auto book = watch_.read(saved_rules_);
  if (!book) return book.error();
  auto alerts = readable(store, "alert", alert_from_row);
  if (!alerts) return alerts.error();
  auto silences = readable(store, "silence", silence_from_row);
  if (!silences) return silences.error();
  core_.emplace(config_.limits, *book, Saved{std::move(*alerts), std::move(*silences)});
  use(*book);
  log::info("loaded", {{"alerts", std::to_string(core_->size())},
                       {"rules", std::to_string(book->rules.size())},
                       {"targets", std::to_string(book->targets.size())}});
  return {};
}

// Couriers of targets that did not change go on.
void AlertingService::use(const RuleBook& book) {
  std::map<std::string, std::unique_ptr<Courier>> couriers;
  for (const auto& target : book.targets) {
    const auto same = std::find(targets_.begin(), targets_.end(), target);
    const auto before = couriers_.find(target.name);
    if (same != targets_.end() && before != couriers_.end()) {
      couriers[target.name] = std::move(before->second);
      continue;
    }
    couriers[target.name] = config_.courier(
        target,
        [this, name = target.name](std::int64_t number, const Result<void>& result) { carried(name, number, result); });
  }
  targets_ = book.targets;
  couriers_ = std::move(couriers);
}

void AlertingService::message(const bus::Message& message, Time now, runtime::Output& out) {
  const auto topic = topics_.parse(message.topic);
  if (topic && topic->kind == Topic::Kind::service) return request(*topic, message, now, out);
  const auto take = [&](alerts::Sample sample) { step(Seen{std::move(sample)}, now); };
  const auto bad = [&](const Error& error) {
    if (topic) reject(*topic, message, error, now, out);
  };
  (void)messages_.read(message.topic, message.payload, now, take, bad);
}

void AlertingService::tick(Time now, runtime::Output& out) {
  if (auto book = watch_.reread(now)) {
    use(*book);
    step(RulesChanged{std::move(*book)}, now);
    out.acts.push_back(config_.hear_again);
  }
  if (watch_.text() != saved_rules_) {
    saved_rules_ = watch_.text();
    out.upsert("rules_file", "rules", {{"rules_file", "rules"}, {"text", saved_rules_}});
  }
  for (auto& sample : watch_.look(now)) step(Seen{std::move(sample)}, now);
  Shell::tick(now, out);
}

// Runs on the courier's thread.
void AlertingService::carried(const std::string& target, std::int64_t number, const Result<void>& result) {
  metrics::count("fieldwork_notifications_total", {{"target", target}, {"result", result ? "taken" : "failed"}});
  const bool for_good = !result && result.error().code == Code::invalid;
  const auto reason = result ? std::string() : describe(result.error());
  if (!result) log::warn("a target did not take a message", {{"target", target}, {"reason", reason}});
  const Input input = result ? Input(Delivered{number}) : Input(Undelivered{number, for_good, reason});
  config_.post([this, input](Time now, runtime::Output&) { step(input, now); });
}

void AlertingService::save(const Output& done, Time now, runtime::Output& out) {
  for (const auto& one : done.alerts) {
    if (one.alert) {
      out.upsert("alert", one.id, to_row(*one.alert));
    } else {
      out.remove("alert", one.id, {{"alert", one.id}});
    }
  }
  for (const auto& one : done.silences) {
    const auto& id = one.silence.id;
    log::info(one.remove ? "a silence ends" : "a silence begins",
              {{"silence", id}, {"matcher", one.silence.matcher.text()}, {"by", one.silence.by}});
    if (one.remove) {
      out.remove("silence", id, {{"silence", id}});
    } else {
      out.upsert("silence", id, to_row(one.silence));
    }
  }
  for (const auto& one : done.dead) {
    metrics::count("fieldwork_notifications_dead_total", {{"target", one.target}});
    log::error("a target will not hear of an alert",
               {{"target", one.target}, {"alert", one.alert.id}, {"reason", one.reason}});
    const auto id = crypto::to_hex(crypto::random_bytes(16));
    out.insert("dead_letter", id, to_row(one, id, now));
  }
}

void AlertingService::apply(const Output& done, Time now, runtime::Output& out) {
  for (const auto& one : done.begun)
    log::info("alert fires",
              {{"alert", one.id}, {"severity", std::string(alerts::name(one.severity))}, {"reason", one.reason}});
  for (const auto& one : done.ended) log::info("alert is resolved", {{"alert", one.id}, {"reason", one.reason}});
  save(done, now, out);
  for (const auto& one : done.sends) {
    out.acts.push_back([this, one, now] {
      const auto courier = couriers_.find(one.target);
      if (courier != couriers_.end() && courier->second) courier->second->send(one, now);
    });
  }
  for (const auto& one : done.answers) {
    codec::Json item{{"v", 1}};
    if (const auto* alert = std::get_if<Alert>(&one.answer)) item["alert"] = encode(*alert);
    if (const auto* silence = std::get_if<Silence>(&one.answer)) {
      const auto matched = core_->list(silence->matcher, "", SIZE_MAX);
      item["silence"] = encode(*silence);
      item["matches"] = std::count_if(matched.begin(), matched.end(),
                                      [](const Alert* alert) { return alert->state != Alert::State::resolved; });
    }
    if (const auto* error = std::get_if<Error>(&one.answer)) item = codec::encode_error(*error);
    if (auto answer = replies_.answer(one.reply, std::move(item))) out.messages.push_back(std::move(*answer));
  }
  for (const auto& one : done.states) {
    std::string state;
    if (one.alert) {
      auto value = encode(*one.alert);
      value["v"] = 1;
      state = codec::dump(value);
    }
    say_retained(topics_.state("alert", one.id), std::move(state), out);
  }
}

}  // namespace fieldwork::alerting
