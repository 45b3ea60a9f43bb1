#include "alerting/shell/message.hpp"

#include "alerting/limits.hpp"

#include <algorithm>
#include <ctime>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "codec/json.hpp"
#include "crypto/bytes.hpp"
#include "crypto/digest.hpp"

namespace fieldwork::alerting {
namespace {

using codec::Json;

std::string format(Time time, const char* how) {
  const auto s = static_cast<std::time_t>(to_ms(time) / 1000);
  std::tm parts{};
  gmtime_r(&s, &parts);
  char out[64];
  return std::string(out, std::strftime(out, sizeof out, how, &parts));
}

Json labels_of(const Alert& alert) {
  Json out(alert.labels);
  out["alertname"] = alert.rule;
  out["severity"] = std::string(alerts::name(alert.severity));
  out["subject"] = alert.subject;
  out["alert"] = alert.id;
  return out;
}

Json annotations_of(const Alert& alert) {
  Json out{{"summary", alert.reason}, {"value", Json(alert.value).dump()}};
  if (!alert.next.empty()) out["next"] = alert.next;
  if (!alert.ended.empty()) out["ended"] = alert.ended;
  if (alert.acked) out["acknowledged"] = alert.acked->by + ": " + alert.acked->comment;
  return out;
}

constexpr const char* never = "0001-01-01T00:00:00Z";  // as Alertmanager says it

// The fields with one value that all of them have.
Json common(const std::vector<Json>& all) {
  auto out = all.front();
  for (const auto& one : all) {
    for (auto it = out.begin(); it != out.end();) {
      it = one.contains(it.key()) && one.at(it.key()) == it.value() ? std::next(it) : out.erase(it);
    }
  }
  return out;
}

bool any_firing(const Send& send) {
  return std::any_of(send.alerts.begin(), send.alerts.end(), [](const Alert& one) { return one.firing(); });
}

std::string webhook_body(const Target& target, const Send& send) {
  auto alerts = Json::array();
  std::vector<Json> labels, annotations;
  for (const auto& one : send.alerts) {
    labels.push_back(labels_of(one));
    annotations.push_back(annotations_of(one));
    alerts.push_back({{"status", one.firing() ? "firing" : "resolved"},
                      {"labels", labels.back()},
                      {"annotations", annotations.back()},
                      {"startsAt", rfc3339(one.since)},
                      {"endsAt", one.firing() ? never : rfc3339(one.changed)},
                      {"generatorURL", ""},
                      {"fingerprint", one.id}});
  }
  Json group(send.group);
  if (group.contains("rule")) {
    group["alertname"] = group["rule"];
    group.erase("rule");
  }
  std::string key = "{}:{";
  for (const auto& [label, value] : group.items())
    key += (key.ends_with('{') ? "" : ", ") + label + "=" + Json(value).dump();
  return codec::dump({{"version", "4"},
                      {"groupKey", key + "}"},
                      {"truncatedAlerts", 0},
                      {"status", any_firing(send) ? "firing" : "resolved"},
                      {"receiver", target.name},
                      {"groupLabels", group},
                      {"commonLabels", common(labels)},
                      {"commonAnnotations", common(annotations)},
                      {"externalURL", ""},
                      {"alerts", alerts}});
}

std::string alertmanager_body(const Target& target, const Send& send, Time now) {
  auto out = Json::array();
  // It ends what it does not hear of again: five repetitions may be lost.
  const auto until = now + std::max<Duration>(5 * target.repeat, std::chrono::minutes{5});
  for (const auto& one : send.alerts) {
    out.push_back({{"labels", labels_of(one)},
                   {"annotations", annotations_of(one)},
                   {"startsAt", rfc3339(one.since)},
                   {"endsAt", rfc3339(one.firing() ? until : one.changed)}});
  }
  return codec::dump(out);
}

std::string title(const Send& send) {
  const auto firing = static_cast<std::size_t>(
      std::count_if(send.alerts.begin(), send.alerts.end(), [](const Alert& one) { return one.firing(); }));
  if (send.alerts.size() == 1) {
    const auto& one = send.alerts.front();
    return one.rule + ": " + one.subject + (one.firing() ? "" : " is resolved");
  }
  std::string what;
  for (const auto& [label, value] : send.group) what += (what.empty() ? "" : ", ") + value;
  return (what.empty() ? "alerts" : what) + ": " + std::to_string(firing + send.more) + " firing, " +
         std::to_string(send.alerts.size() - firing) + " resolved";
}

// Every alert in a few lines.
std::string words(const Send& send) {
  std::string out;
  for (const auto& one : send.alerts) {
    out += one.rule + " " + one.subject + (one.firing() ? " fires" : " is resolved") + " (" +
           std::string(alerts::name(one.severity)) + ")\n  " + one.reason + "\n  since " + rfc3339(one.since) +
           (one.firing() ? "" : " until " + rfc3339(one.changed) + (one.ended.empty() ? "" : ": ") + one.ended) + "\n";
    if (one.firing() && !one.next.empty()) out += "  next: " + one.next + "\n";
  }
  if (send.more > 0) out += "and " + std::to_string(send.more) + " more\n";
  return clamp_text(out, words_bytes_max);
}

// A line of a header: nothing that would end it.
std::string header_text(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c == 127; }, ' ');
  return clamp_text(text, 200);
}

bool is_ascii(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c < 128; });
}

// RFC 2047 where it is needed: at most 75 bytes a word.
std::string subject_text(const std::string& text) {
  const auto line = header_text(text);
  if (is_ascii(line)) return line;
  std::string out;
  for (std::size_t at = 0; at < line.size();) {
    auto bytes = std::min<std::size_t>(39, line.size() - at);
    while (bytes > 1 && at + bytes < line.size() && (static_cast<unsigned char>(line[at + bytes]) & 0xC0) == 0x80)
      --bytes;
    out += (out.empty() ? "=?utf-8?B?" : "\r\n =?utf-8?B?") + crypto::base64_encode(line.substr(at, bytes)) + "?=";
    at += bytes;
  }
  return out;
}

// Lines of 76 characters, as mail servers take them.
std::string base64_lines(const std::string& text) {
  const auto all = crypto::base64_encode(text);
  std::string out;
  for (std::size_t at = 0; at < all.size(); at += 76) out += all.substr(at, 76) + "\r\n";
  return out;
}

std::string mail(const Target& target, const Send& send, Time now) {
  std::string to;
  for (const auto& one : target.to) to += (to.empty() ? "" : ",\r\n ") + one;
  const auto domain = target.from.substr(target.from.find('@') + 1);
  // The same message sent again has the same id: mail readers drop the second. A repetition is another message.
  std::string what;
  for (const auto& one : send.alerts) {
    const auto told = one.told.find(target.name);
    const auto before = told == one.told.end() ? Time{} : told->second.at;
    what += one.id + " " + std::to_string(one.value) + " " + std::to_string(to_ms(one.since)) + " " +
            std::string(name(one.state)) + " " + std::to_string(to_ms(before)) + "\n";
  }
  const auto id = crypto::to_hex(crypto::sha256(what));
  return "From: Fieldwork <" + target.from + ">\r\nTo: " + to +
         "\r\nSubject: " + subject_text("[fieldwork] " + title(send)) +
         "\r\nDate: " + format(now, "%a, %d %b %Y %H:%M:%S +0000") + "\r\nMessage-ID: <" + id.substr(0, 32) + "@" +
         domain +
         ">\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
         "Content-Transfer-Encoding: base64\r\n\r\n" +
         base64_lines(words(send));
}

const char* priority(const Send& send) {
  auto worst = Severity::info;
  for (const auto& one : send.alerts) {
    if (one.firing()) worst = std::max(worst, one.severity);
  }
  return worst == Severity::critical ? "high" : worst == Severity::warning ? "default" : "low";
}

}  // namespace

std::string rfc3339(Time time) { return format(time, "%Y-%m-%dT%H:%M:%SZ"); }

MessageForm to_message(const Target& target, const Send& send, Time now) {
  const std::string json = "Content-Type: application/json";
  switch (target.type) {
    case Target::Type::webhook: return {target.url, {json}, webhook_body(target, send)};
    case Target::Type::alertmanager: {
      auto url = target.url;
      while (url.ends_with('/')) url.pop_back();
      return {url + "/api/v2/alerts", {json}, alertmanager_body(target, send, now)};
    }
    case Target::Type::smtp: return {target.url, {}, mail(target, send, now)};
    case Target::Type::ntfy:
      return {target.url,
              {"Content-Type: text/plain; charset=utf-8", "Title: " + header_text(title(send)),
               std::string("Priority: ") + priority(send),
               std::string("Tags: ") + (any_firing(send) ? "rotating_light" : "white_check_mark")},
              clamp_text(words(send), ntfy_bytes_max)};
  }
  return {};
}

}  // namespace fieldwork::alerting
