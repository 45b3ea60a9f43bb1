#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/duration.hpp"
#include "commands/commands.hpp"
#include "output.hpp"
#include "set_words.hpp"
#include "view.hpp"

namespace fieldwork::cli {

namespace {

constexpr Duration minutes_up_to = std::chrono::hours(6);  // longer spans are shown by hours

Outcome<codec::Json> all_devices(Session& session, const std::string& expression) {
  codec::Json body = codec::Json::object();
  if (!expression.empty()) body["expression"] = expression;
  return all_items(session, "registry", std::move(body));
}

int why_not(const Options& options, const DeviceListArguments& arguments) {
  auto answer = ask(options, "registry", "show", {{"device", arguments.why}, {"expression", arguments.expression}});
  if (!answer) return end(answer.failure());
  const auto& misses = list_of(*answer, "misses");
  if (options.json) {
    print_json(misses);
  } else if (misses.empty()) {
    print(printable(arguments.why) + " matches\n");
  } else {
    print(printable(arguments.why) + " does not match:\n" + misses_table(misses));
  }
  return misses.empty() ? 0 : code(Exit::failed);
}

// Whether the device is as the verb wants it.
bool followed(const std::string& verb, const codec::Json& device) {
  const auto lifecycle = text_of(device, "lifecycle");
  if (verb == "prune" || verb == "set")
    return integer_of(member(device, "configuration"), "version") == integer_of(device, "configured");
  if (verb == "activate") return lifecycle == "active";
  if (verb == "deactivate") return lifecycle == "inactive";
  if (verb == "drain") return lifecycle == "draining" && text_of(device, "reason").starts_with("drained");
  return true;
}

int wait_followed(Session& session, const Options& options, const VerbArguments& arguments, codec::Json device) {
  const auto wanted = text_of(member(device, "configuration"), "lifecycle");
  if (!followed(arguments.verb, device) && text_of(device, "presence") != "online")
    say("device " + printable(arguments.device) + " is " + text_of(device, "presence") +
        ": waiting until it is heard (Ctrl-C ends the waiting alone)");
  const auto until = options.timeout_s ? Session::Clock::now() + options.timeout() : Session::Clock::time_point::max();
  while (!followed(arguments.verb, device)) {
    if (session.interrupted()) return code(Exit::interrupted);
    const auto now_wanted = text_of(member(device, "configuration"), "lifecycle");
    if (now_wanted != wanted) {
      return end({Exit::failed, "device " + printable(arguments.device) + ": meanwhile it is to be " +
                                    printable(now_wanted) + ", as somebody else asked"});
    }
    if (Session::Clock::now() >= until) {
      return end({Exit::timed_out, waited_text(arguments.verb, device)});
    }
    (void)session.next(Session::Clock::now() + std::chrono::milliseconds(500));
    auto answer = session.request("registry", "show", {{"device", arguments.device}});
    if (!answer) return end(answer.failure());
    device = member(*answer, "device");
  }
  if (options.json) {
    print_json(device);
  } else if (arguments.verb == "set") {
    print(configured_text(device));
  } else {
    print(arguments.verb == "prune" ? "device " + printable(arguments.device) + " has deleted what nothing needs\n"
                                    : verb_text(arguments.verb, device));
  }
  return 0;
}

}  // namespace

int device_list(const Options& options, const DeviceListArguments& arguments) {
  if (!arguments.why.empty()) return why_not(options, arguments);
  auto session = open_session(options, {});
  if (!session) return end(session.failure());
  auto devices = all_devices(**session, arguments.expression);
  if (!devices) return end(devices.failure());
  if (options.json) {
    print_json(*devices);
  } else if (devices->empty()) {
    print(arguments.expression.empty() ? "there are no devices: start an agent (README.md)\n" : "no device matches\n");
  } else {
    print(device_table(*devices, now_ms()));
  }
  return 0;
}

int device_verb(const Options& options, const VerbArguments& arguments) {
  auto session = open_session(options, {});
  if (!session) return end(session.failure());
  auto answer = (*session)->request("registry", arguments.verb, {{"device", arguments.device}});
  if (!answer) return end(answer.failure());
  const auto& device = member(*answer, "device");
  if (arguments.wait) return wait_followed(**session, options, arguments, device);
  if (options.json) {
    print_json(device);
  } else {
    print(verb_text(arguments.verb, device));
  }
  return 0;
}

int device_set(const Options& options, const SetArguments& arguments) {
  auto body = set_request(arguments.device, arguments.changes);
  if (!body) return end(body.failure());
  auto session = open_session(options, {});
  if (!session) return end(session.failure());
  auto answer = (*session)->request("registry", "configure", std::move(*body));
  if (!answer) return end(answer.failure());
  const auto& device = member(*answer, "device");
  if (arguments.wait)
    return wait_followed(**session, options, {.verb = "set", .device = arguments.device, .wait = true}, device);
  if (options.json) {
    print_json(device);
  } else {
    print(configured_text(device));
  }
  return 0;
}

int fleet_stats(const Options& options, const StatsArguments& arguments) {
  codec::Json body = codec::Json::object();
  auto words = arguments.words;
  if (words.size() >= 2 && words[words.size() - 2] == "by") {
    body["by"] = words.back();
    words.resize(words.size() - 2);
  }
  if (words.size() > 1 || (words.size() == 1 && words[0] == "by"))
    return end({Exit::usage, "write: fieldwork fleet stats [NUMBER] [by ATTRIBUTE], for example: health by site"});
  if (!words.empty()) body["of"] = words.front();
  if (!arguments.expression.empty()) body["expression"] = arguments.expression;
  const auto by = text_of(body, "by"), of = text_of(body, "of");
  auto answer = ask(options, "registry", "stats", std::move(body));
  if (!answer) return end(answer.failure());
  if (options.json) {
    print_json(list_of(*answer, "items"));
  } else {
    print(stats_table(list_of(*answer, "items"), by, of));
  }
  return 0;
}

int device_health(const Options& options, const std::string& device) {
  return show(options, ask(options, "registry", "health", {{"device", device}}), "report", health_text);
}

int device_history(const Options& options, const HistoryArguments& arguments) {
  const auto since = parse_duration(arguments.since);
  const auto until = arguments.until.empty() ? std::optional(Duration{}) : parse_duration(arguments.until);
  const auto wrong = [&](const char* name, const std::string& text) {
    return end({Exit::usage,
                std::string(name) + " must be a duration, for example 90min, 6h or 7d, is '" + printable(text) + "'"});
  };
  if (!since || *since <= Duration{}) return wrong("--since", arguments.since);
  if (!until) return wrong("--until", arguments.until);
  if (*until >= *since) return end({Exit::usage, "--until must be later than --since: both say how long ago"});
  const auto ago = [now = now_ms()](Duration span) {
    return now - std::chrono::duration_cast<std::chrono::milliseconds>(span).count();
  };
  auto resolution = arguments.resolution;
  if (resolution.empty()) resolution = *since - *until <= minutes_up_to ? "minute" : "hour";
  codec::Json body{
      {"device", arguments.device}, {"resolution", resolution}, {"from_ms", std::max<std::int64_t>(ago(*since), 0)}};
  if (*until > Duration{}) body["until_ms"] = ago(*until);
  auto session = open_session(options, {});
  if (!session) return end(session.failure());
  auto items = all_items(**session, "registry", std::move(body), "history");
  if (!items) return end(items.failure());
  if (options.json) {
    print_json(*items);
  } else if (items->empty()) {
    print("nothing was heard of it in this time, or its history is no longer kept (docs/health.md)\n");
  } else {
    print(history_table(*items, resolution == "raw" ? 0 : resolution == "minute" ? 60'000 : 3'600'000));
  }
  return 0;
}

int device_show(const Options& options, const std::string& device) {
  return show(options, ask(options, "registry", "show", {{"device", device}}), "device", device_text);
}

int device_reset(const Options& options, const std::string& device) {
  auto answer = ask(options, "scheduler", "reset", {{"device", device}});
  if (!answer) return end(answer.failure());
  if (options.json) {
    print_json(*answer);
  } else {
    print("device " + printable(device) + ": whatever it reports next is taken as the beginning\n");
  }
  return 0;
}

}  // namespace fieldwork::cli
