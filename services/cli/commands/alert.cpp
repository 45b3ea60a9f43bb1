#include <algorithm>
#include <cstdio>
#include <ctime>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "alerts/evaluate.hpp"
#include "alerts/read.hpp"
#include "base/duration.hpp"
#include "commands/commands.hpp"
#include "document.hpp"
#include "limits.hpp"
#include "output.hpp"
#include "view.hpp"

namespace fieldwork::cli {
namespace {

using codec::Json;

constexpr Duration rehearsed_for_most = std::chrono::hours{24 * 120};  // it is passed minute by minute

Outcome<alerts::RuleBook> read_rules(const std::string& path) {
  auto text = read_text(path, alerts::file_bytes_max);
  if (!text) return text.failure();
  auto book = alerts::read_rules(*text, path);
  if (!book) return Failure{Exit::usage, printable(describe(book.error()))};
  return *book;
}

// As `mosquitto_sub -F %j` says it: 2026-11-28T03:13:08.716076Z+0100.
std::optional<Time> time_of(const std::string& text) {
  std::tm parts{};
  double seconds_part = 0;
  int offset = 0;
  if (std::sscanf(text.c_str(), "%d-%d-%dT%d:%d:%lfZ%d", &parts.tm_year, &parts.tm_mon, &parts.tm_mday, &parts.tm_hour,
                  &parts.tm_min, &seconds_part, &offset) < 6)
    return std::nullopt;
  parts.tm_year -= 1900;
  parts.tm_mon -= 1;
  const auto whole = timegm(&parts) - (offset / 100 * 60 + offset % 100) * 60;
  return from_ms(whole * 1000 + static_cast<std::int64_t>(seconds_part * 1000));
}

std::string state_of(alerts::Finding::Is is) {
  using enum alerts::Finding::Is;
  return is == firing ? "fires" : is == pending ? "pends" : "is resolved";
}

// Plays a recorded file through rules, in the file's own time.
class Rehearsal {
 public:
  explicit Rehearsal(alerts::RuleBook book, std::string root)
      : evaluator_(std::move(book)), topics_(std::move(root)), messages_(topics_) {}

  // A line of the file; empty: it was good.
  std::string line(const std::string& text) {
    auto value = codec::parse(text);
    if (!value) return describe(value.error());
    codec::Reader reader(*value);
    reader.allow_unknown();
    const auto said = time_of(reader.text_or("tst", "", 64));
    const auto at = said ? *said : from_ms(reader.integer("at_ms", 0, codec::integer_max));
    const auto topic = reader.text("topic", 1024);
    const auto* payload = reader.any_maybe("payload");
    if (!reader.finish()) return describe(reader.error());
    if (at < now_ - seconds{1}) return said ? "/tst: goes back" : "/at_ms: goes back";
    pass_until(at);
    std::string problem;
    const auto body = payload == nullptr || payload->is_null() ? ""
                      : payload->is_string()                   ? payload->get<std::string>()
                                                               : codec::dump(*payload);
    std::vector<alerts::Finding> found;
    const auto take = [&](const alerts::Sample& sample) { evaluator_.see(sample, now_, found); };
    const auto bad = [&](const Error& error) { problem = describe(error); };
    const bool known = messages_.read(topic, body, now_, take, bad);
    note(found);
    ++(known ? read_ : others_);
    return problem;
  }
  void end(Time after) { pass_until(now_ + (after - Time{})); }

  [[nodiscard]] const Json& said() const { return said_; }
  [[nodiscard]] std::size_t read() const { return read_; }
  [[nodiscard]] std::size_t others() const { return others_; }
  [[nodiscard]] std::size_t firing() const {
    return static_cast<std::size_t>(std::count_if(
        state_.begin(), state_.end(), [](const auto& one) { return one.second == alerts::Finding::Is::firing; }));
  }

 private:
  // Each second for ten minutes, then each minute: nothing that rules ask for is finer.
  void pass_until(Time at) {
    if (now_ == Time{}) now_ = at;
    const auto began = now_;
    while (now_ < at) {
      now_ += now_ - began < std::chrono::minutes{10} ? Duration{seconds{1}} : Duration{seconds{60}};
      now_ = std::min(now_, at);
      std::vector<alerts::Finding> found;
      evaluator_.pass(now_, found);
      note(found);
    }
  }

  void note(const std::vector<alerts::Finding>& found) {
    using Is = alerts::Finding::Is;
    for (const auto& one : found) {
      const auto key = std::pair(one.rule, one.subject);
      const auto before = state_.find(key);
      const bool active = before != state_.end(), fired = active && before->second == Is::firing;
      if (one.is == Is::clear || one.is == Is::calm) {
        if (!active || (one.is == Is::calm && fired)) continue;
        state_.erase(before);
        if (!fired) continue;
      } else {
        if (fired || (active && before->second == one.is)) continue;
        state_[key] = one.is;
      }
      Json item{{"at_ms", to_ms(now_)}, {"rule", one.rule}, {"subject", one.subject}, {"is", state_of(one.is)}};
      if (!one.reason.empty()) item["reason"] = one.reason;
      said_.push_back(std::move(item));
    }
  }

  alerts::Evaluator evaluator_;
  Topics topics_;
  alerts::Messages messages_;
  std::map<std::pair<std::string, std::string>, alerts::Finding::Is> state_;
  Json said_ = Json::array();
  std::size_t read_ = 0, others_ = 0;
  Time now_{};
};

}  // namespace

int alert_list(const Options& options, const AlertListArguments& arguments) {
  auto expression = arguments.expression;
  // By itself first: its columns are those that were typed.
  if (!expression.empty()) {
    const auto good = fleet::Expression::parse(expression, alerts::alert_vocabulary());
    if (!good) return end({Exit::usage, printable(describe(good.error())) + "; see docs/alerts.md, Attributes"});
  }
  auto session = open_session(options);
  if (!session) return end(session.failure());
  if (!arguments.all) expression = expression.empty() ? "state == firing" : "state == firing and (" + expression + ")";
  Json body = Json::object();
  if (!expression.empty()) body["expression"] = expression;
  auto alerts = all_items(**session, "alerting", std::move(body));
  if (!alerts) return end(alerts.failure());
  if (options.json) {
    print_json(*alerts);
  } else if (alerts->empty()) {
    print(arguments.all ? "there are no alerts\n" : "nothing fires\n");
  } else {
    print(alert_table(*alerts, now_ms()));
  }
  return 0;
}

int alert_show(const Options& options, const std::string& alert) {
  return show(options, ask(options, "alerting", "show", {{"alert", alert}}), "alert", alert_text);
}

int alert_ack(const Options& options, const AckArguments& arguments) {
  Json body{{"alert", arguments.alert}};
  if (!arguments.comment.empty()) body["comment"] = arguments.comment;
  if (arguments.undo) body["undo"] = true;
  return show(options, ask(options, "alerting", "ack", std::move(body)), "alert", alert_text);
}

int alert_silence(const Options& options, const SilenceArguments& arguments) {
  const bool lists = arguments.matcher.empty() && arguments.end.empty();
  if (lists && (!arguments.lasts.empty() || !arguments.comment.empty()))
    return end({Exit::usage, "MATCHER is missing: which alerts, for example 'rule == device_lost'"});
  if (!arguments.matcher.empty() && !arguments.end.empty())
    return end({Exit::usage, "--end ends a silence: without MATCHER"});
  Json body = Json::object();
  if (!arguments.end.empty()) {
    body = {{"silence", arguments.end}, {"end", true}};
  } else if (!lists) {
    const auto lasts = parse_duration(arguments.lasts.empty() ? "1h" : arguments.lasts);
    const auto s = lasts ? std::chrono::duration_cast<seconds>(*lasts).count() : 0;
    if (s == 0 || s > alerts::silence_s_max)
      return end({Exit::usage, "--for must be a duration of at most 366d, for example 30min, 2h or 7d, is '" +
                                   printable(arguments.lasts) + "'"});
    body = {{"matcher", arguments.matcher}, {"for_s", s}};
    if (!arguments.comment.empty()) body["comment"] = arguments.comment;
  }
  auto answer = ask(options, "alerting", lists ? "silences" : "silence", std::move(body));
  if (!answer) return end(answer.failure());
  const auto& items = lists ? list_of(*answer, "items") : Json::array({member(*answer, "silence")});
  if (options.json) {
    print_json(lists ? items : member(*answer, "silence"));
  } else if (!arguments.end.empty()) {
    print("silence " + printable(arguments.end) + " has ended\n");
  } else {
    print(items.empty() ? "nothing is silenced\n" : silence_table(items, now_ms()));
    if (!lists && integer_of(*answer, "matches") == 0)
      print("It matches no alert of now. An alert has the labels that its rule lists, not all of the device's.\n");
  }
  return 0;
}

int alert_rules(const Options& options) {
  auto answer = ask(options, "alerting", "rules", Json::object());
  if (!answer) return end(answer.failure());
  if (options.json) {
    print_json(*answer);
  } else {
    print(rules_text(*answer));
  }
  return 0;
}

int alert_rules_show(const Options& options, const std::string& rule) {
  const auto text = alerts::shipped_text(rule);
  if (text.empty())
    return end({Exit::failed, "no rule of this name comes with Fieldwork: " + printable(rule) +
                                  ". See fieldwork alert rules ls; your own rules stand in your rules file"});
  if (options.json) {
    print_json({{"rule", rule}, {"toml", text}});
  } else {
    print(text);
  }
  return 0;
}

int alert_rules_check(const Options& options, const std::string& file) {
  auto book = read_rules(file);
  if (!book) return end(book.failure());
  const auto own = book->rules.size() - alerts::shipped().rules.size();
  if (options.json) {
    print_json({{"ok", true}, {"rules", book->rules.size()}, {"targets", book->targets.size()}});
  } else {
    print(printable(file) + " is good: " + std::to_string(book->rules.size()) + " rules, of which " +
          std::to_string(own) + " are new; targets: " + std::to_string(book->targets.size()) +
          "; inhibitions: " + std::to_string(book->inhibitions.size()) + " (with the shipped one)\n");
  }
  return 0;
}

int alert_rules_test(const Options& options, const RulesTestArguments& arguments) {
  const auto after = parse_duration(arguments.after);
  if (!after || *after > rehearsed_for_most)
    return end(
        {Exit::usage, "--after must be a duration, for example 30min or 2h, is '" + printable(arguments.after) + "'"});
  auto book = arguments.rules.empty() ? Outcome<alerts::RuleBook>(alerts::shipped()) : read_rules(arguments.rules);
  if (!book) return end(book.failure());
  auto events = read_text(arguments.events, events_bytes_max);
  if (!events) return end(events.failure());
  Rehearsal rehearsal(*book, arguments.root);
  std::istringstream in(*events);
  std::size_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.find_first_not_of(" \t\r") == line.npos) continue;
    if (const auto problem = rehearsal.line(line); !problem.empty())
      return end({Exit::usage, printable(arguments.events) + ":" + std::to_string(number) + " " + printable(problem)});
  }
  rehearsal.end(Time{*after});
  if (options.json) {
    print_json({{"messages", rehearsal.read()}, {"others", rehearsal.others()}, {"said", rehearsal.said()}});
    return 0;
  }
  Table table({"TIME", "RULE", "SUBJECT", "IT", "REASON"});
  for (const auto& one : rehearsal.said())
    table.add({human_time(integer_of(one, "at_ms")), text_of(one, "rule"), text_of(one, "subject"), text_of(one, "is"),
               text_of(one, "reason")});
  print(table.text() + "\n" + std::to_string(rehearsal.read()) + " messages, " + std::to_string(rehearsal.others()) +
        " that no rule looks at; " + std::to_string(rehearsal.firing()) + " alerts fire at the end\n");
  return 0;
}

}  // namespace fieldwork::cli
