// Requests of operators: service/alerting/{list, show, silences, rules, ack, silence}.
#include <nlohmann/json.hpp>

#include "alerting/limits.hpp"
#include "alerting/shell/rows.hpp"
#include "alerting/shell/service.hpp"
#include "crypto/bytes.hpp"

namespace fieldwork::alerting {
namespace {

std::optional<fleet::Expression> read_matcher(codec::Reader& reader, const char* field) {
  const auto text = reader.text_or(field, "", fleet::expression_bytes_max);
  if (text.empty()) return std::nullopt;
  auto expression = fleet::Expression::parse(text, alerts::alert_vocabulary());
  if (expression) return *expression;
  reader.fail(field, describe(expression.error()));
  return std::nullopt;
}

}  // namespace

void AlertingService::request(const Topic& topic, const bus::Message& message, Time now, runtime::Output& out) {
  if (message.retain) return reject(topic, message, {Code::invalid, "a request is not retained"}, now, out);
  if (topic.channel == "ack" || topic.channel == "silence") {
    auto done = topic.channel == "ack" ? acknowledge(topic, message, now) : silence(topic, message, now);
    if (!done) reject(topic, message, done.error(), now, out);
    return;
  }
  auto text = answer(topic.channel, message);
  if (!text) return reject(topic, message, text.error(), now, out);
  respond(message, std::move(*text), out);
}

Result<void> AlertingService::acknowledge(const Topic& topic, const bus::Message& message, Time now) {
  auto value = codec::parse(message.payload, 4096);
  if (!value) return value.error();
  codec::Reader reader(*value);
  reader.version();
  AckAsked asked{.by = std::string(topic.from)};
  asked.alert = reader.id("alert");
  asked.comment = reader.text_or("comment", "", comment_max);
  asked.undo = reader.boolean_or("undo", false);
  if (!reader.finish()) return reader.error();
  if (topics_.reply_to(topic, message.response_topic, message.correlation)) asked.reply = replies_.open(message);
  step(std::move(asked), now);
  return {};
}

Result<void> AlertingService::silence(const Topic& topic, const bus::Message& message, Time now) {
  auto value = codec::parse(message.payload, 8192);
  if (!value) return value.error();
  codec::Reader reader(*value);
  reader.version();
  SilenceAsked asked;
  asked.end = reader.boolean_or("end", false);
  auto& one = asked.silence;
  if (asked.end) {
    one.id = reader.id("silence");
  } else {
    const auto matcher = read_matcher(reader, "matcher");
    if (!matcher) reader.fail("matcher", "is missing: which alerts, for example `rule == device_lost`");
    const auto s = reader.integer("for_s", 1, alerts::silence_s_max);
    one.comment = reader.text_or("comment", "", comment_max);
    one.id = "s-" + crypto::to_hex(crypto::random_bytes(5));
    if (matcher) one.matcher = *matcher;
    one.since = now;
    one.until = now + seconds{s};
  }
  if (!reader.finish()) return reader.error();
  one.by = topic.from;
  if (topics_.reply_to(topic, message.response_topic, message.correlation)) asked.reply = replies_.open(message);
  step(std::move(asked), now);
  return {};
}

Result<std::string> AlertingService::answer(std::string_view operation, const bus::Message& message) const {
  if (operation != "list" && operation != "show" && operation != "silences" && operation != "rules")
    return Error{Code::unknown, "alerting has no such operation"};
  auto value = codec::parse(message.payload, 8192);
  if (!value) return value.error();
  codec::Reader reader(*value);
  reader.version();
  if (operation == "list") return list(reader);
  if (operation == "show") return show(reader);
  return operation == "silences" ? silences(reader) : rules(reader);
}

Result<std::string> AlertingService::list(codec::Reader& reader) const {
  const auto after = reader.text_or("after", "", 256);
  const auto limit = static_cast<std::size_t>(reader.integer_or("limit", limits::items_max, 1, limits::items_max));
  const auto expression = read_matcher(reader, "expression");
  if (!reader.finish()) return reader.error();
  auto items = codec::Json::array();
  std::size_t bytes = 0;
  std::string next;
  for (const auto* one : core_->list(expression, after, limit + 1)) {
    if (items.size() == limit || bytes > limits::page_bytes_max) {
      next = items.back().at("alert");
      break;
    }
    items.push_back(encode(*one));
    bytes += codec::dump(items.back()).size() + 1;
  }
  codec::Json out{{"v", 1}, {"items", std::move(items)}};
  if (!next.empty()) out["next"] = next;
  return codec::dump(out);
}

Result<std::string> AlertingService::show(codec::Reader& reader) const {
  const auto id = reader.id("alert");
  if (!reader.finish()) return reader.error();
  const auto* alert = core_->find(id);
  if (alert == nullptr) return Error{Code::unknown, "no such alert", "/alert"};
  return codec::dump({{"v", 1}, {"alert", encode(*alert)}});
}

Result<std::string> AlertingService::silences(codec::Reader& reader) const {
  if (!reader.finish()) return reader.error();
  auto items = codec::Json::array();
  for (const auto& [id, one] : core_->silences()) items.push_back(encode(one));
  return codec::dump({{"v", 1}, {"items", std::move(items)}});
}

Result<std::string> AlertingService::rules(codec::Reader& reader) const {
  if (!reader.finish()) return reader.error();
  codec::Json out{{"v", 1}, {"rules", codec::Json::array()}, {"targets", codec::Json::array()}};
  const auto& book = core_->book();
  for (const auto& rule : book.rules) {
    out["rules"].push_back({{"rule", rule.name},
                            {"over", alerts::name(rule.over)},
                            {"severity", alerts::name(rule.severity)},
                            {"enabled", rule.enabled},
                            {"when", alerts::condition(rule)},
                            {"active", core_->active(rule.name)}});
  }
  for (const auto& target : book.targets) {
    codec::Json one{{"target", target.name}, {"type", alerts::name(target.type)}, {"owed", core_->owed(target.name)}};
    if (const auto trouble = core_->trouble(target.name); !trouble.empty()) one["trouble"] = trouble;
    out["targets"].push_back(std::move(one));
  }
  if (!config_.watch.rules.empty()) out["file"] = config_.watch.rules;
  if (!watch_.problem().empty()) out["problem"] = watch_.problem();
  return codec::dump(out);
}

}  // namespace fieldwork::alerting
