#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/duration.hpp"
#include "base/id.hpp"
#include "codec/stage.hpp"
#include "commands/commands.hpp"
#include "limits.hpp"
#include "model/limits.hpp"
#include "output.hpp"
#include "send_view.hpp"
#include "view.hpp"

namespace fieldwork::cli {
namespace {

namespace fs = std::filesystem;
using codec::Json;

constexpr std::chrono::milliseconds look_every{1000};
constexpr std::chrono::milliseconds stage_patience{20'000};
constexpr Duration keep_longest = std::chrono::hours{24 * 366};  // that the transfer service takes

// A package, or the packages of one name: one for each architecture.
struct Sent {
  std::string digest;  // of a path that was pushed
  std::string file;    // where its file goes; empty: nowhere
  std::string called;
  std::vector<Meant> devices;
  std::map<std::string, std::vector<std::string>> by_digest;  // devices
  Json refused = Json::array();                               // {device, reason} of the service's answer
};

std::string base_name(const std::string& path) {
  auto name = fs::path(path).lexically_normal();
  if (name.filename().empty()) name = name.parent_path();
  if (name.filename() == "." || name.filename() == "..") name = fs::absolute(path).lexically_normal();
  return name.filename().string();
}

// Where the file goes on a device; empty: it is only kept.
Outcome<std::string> place_of(const SendArguments& arguments, bool is_path, bool is_file) {
  if (arguments.stage_only && !arguments.as.empty())
    return Failure{Exit::usage, "--as says where the file goes, and --stage-only that it goes nowhere"};
  if (!arguments.as.empty() && is_path && !is_file)
    return Failure{Exit::usage, "--as is for one file; a directory is only kept on the devices, for a job"};
  if (arguments.stage_only || (arguments.as.empty() && !is_file)) return std::string();
  auto place = arguments.as.empty() ? base_name(arguments.what) : arguments.as;
  if (place.ends_with('/') && !is_path)
    return Failure{Exit::usage, "--as: the file's name is missing behind " + printable(place)};
  if (place.ends_with('/')) place += base_name(arguments.what);
  if (!codec::is_plain(place))
    return Failure{Exit::usage, "--as must be a relative path without . and .., is '" + printable(place) + "'"};
  return place;
}

// Makes a path a package and pushes it, or finds the package that is meant.
Outcome<Sent> to_send(const Options& options, const SendArguments& arguments, bool is_path) {
  Sent out;
  if (!is_path) {
    if (!arguments.name.empty() || !arguments.version.empty())
      return Failure{Exit::usage, "there is no file " + arguments.what + ": --name and --version are for one"};
    out.called = arguments.what;
    return out;
  }
  PushArguments pushing{.path = arguments.what,
                        .name = arguments.name.empty() ? base_name(arguments.what) : arguments.name,
                        .version = arguments.version,
                        .version_of_content = true};
  const auto pushed = push(options, pushing);
  if (!pushed) return pushed.failure();
  out.digest = Outcome<Pushed>(pushed)->digest;
  out.called = pushing.name + "@" + Outcome<Pushed>(pushed)->version;
  return out;
}

// A request for stages is answered when security-policy has answered; the transfer service waits 10 s for that.
std::chrono::milliseconds patience_with(const Options& options) {
  return options.timeout_s ? options.timeout() : stage_patience;
}

// Asks in pieces, as many devices at once as one request may name. Returns what the service answered for each device.
Outcome<Json> ask_for_all(Session& session, const std::string& operation, const Json& body,
                          const std::vector<std::string>& devices, std::chrono::milliseconds patience) {
  auto items = Json::array();
  for (std::size_t at = 0; at < devices.size(); at += limits::stage_devices_max) {
    auto piece = body;
    const auto end = std::min(devices.size(), at + limits::stage_devices_max);
    piece["devices"] = std::vector<std::string>(devices.begin() + static_cast<std::ptrdiff_t>(at),
                                                devices.begin() + static_cast<std::ptrdiff_t>(end));
    auto answer = session.request("transfer", operation, std::move(piece), patience);
    if (!answer) return answer.failure();
    for (const auto& one : list_of(*answer, "items")) items.push_back(one);
  }
  return items;
}

Json refused_item(const std::string& device, const std::string& reason) {
  return {{"stage", {{"device", device}, {"state", "refused"}, {"reason", reason}}}};
}

Json refused_of(const Json& items) {
  auto out = Json::array();
  for (const auto& one : items) {
    if (text_of(one, "state") == "refused") out.push_back(refused_item(text_of(one, "device"), text_of(one, "reason")));
  }
  return out;
}

// The digests for which a package stands: one, or one for each architecture.
std::vector<std::string> digests_of(const Json& package) {
  std::vector<std::string> out;
  for (const auto& one : list_of(package, "variants")) out.push_back(text_of(one, "digest"));
  if (out.empty()) out.push_back(text_of(package, "digest"));
  return out;
}

// Each device gets the package of its own architecture. A digest means that package, whatever it is for.
void divide(const Json& package, bool by_name, Sent& sent) {
  std::map<std::string, std::string> digests;
  for (const auto& one : list_of(package, "variants")) digests[text_of(one, "architecture")] = text_of(one, "digest");
  if (const auto only = text_of(package, "architecture"); by_name && digests.empty() && !only.empty())
    digests[only] = text_of(package, "digest");
  std::string there;
  for (const auto& [architecture, digest] : digests) there += (there.empty() ? "" : ", ") + architecture;
  for (const auto& [device, architecture] : sent.devices) {
    const auto it = digests.find(architecture);
    if (it != digests.end() || digests.empty()) {
      sent.by_digest[it != digests.end() ? it->second : text_of(package, "digest")].push_back(device);
    } else {
      sent.refused.push_back(refused_item(device, "its architecture is " +
                                                      (architecture.empty() ? "unknown" : architecture) + "; " +
                                                      sent.called + " is there for " + there));
    }
  }
}

Outcome<bool> ask_stages(Session& session, const Options& options, const SendArguments& arguments, Sent& sent) {
  const auto keep = parse_duration(arguments.keep);
  if (sent.digest.empty()) {
    auto package = find_package(session, arguments.what);
    if (!package && package.failure().exit == Exit::usage)
      return Failure{Exit::usage, "'" + arguments.what + "' is no file here, no NAME@VERSION and no digest"};
    if (!package) return package.failure();
    divide(*package, arguments.what.find('@') != std::string::npos, sent);
  } else {
    divide({{"digest", sent.digest}}, false, sent);
  }
  Json body{{"until_ms", now_ms() + std::chrono::duration_cast<std::chrono::milliseconds>(*keep).count()},
            {"priority", arguments.priority}};
  if (!sent.file.empty()) body["file"] = sent.file;
  for (const auto& [digest, devices] : sent.by_digest) {
    body["digest"] = digest;
    auto answer = ask_for_all(session, "stage", body, devices, patience_with(options));
    if (!answer) return answer.failure();
    for (auto& one : refused_of(*answer)) sent.refused.push_back(std::move(one));
  }
  return true;
}

bool may_come_back(const Failure& failure) {
  return failure.exit == Exit::timed_out || failure.exit == Exit::unreachable;
}

// How all stands now, one item for each device, in the order of the devices.
Outcome<Json> look_at_stages(Session& session, const Sent& sent) {
  std::map<std::string, Json> by_device;
  for (const auto& [digest, devices] : sent.by_digest) {
    Json question{{"digest", digest}, {"limit", stages_page_max}};
    if (devices.size() == 1) question["device"] = devices.front();
    auto listed = all_items(session, "transfer", std::move(question), "stages");
    if (!listed) return listed.failure();
    for (auto& item : *listed) {
      auto device = text_of(member(item, "stage"), "device");
      by_device.insert_or_assign(std::move(device), std::move(item));
    }
  }
  for (const auto& item : sent.refused) by_device[text_of(member(item, "stage"), "device")] = item;
  auto out = Json::array();
  for (const auto& [device, architecture] : sent.devices) {
    const auto it = by_device.find(device);
    out.push_back(it != by_device.end()
                      ? it->second
                      : Json{{"stage", {{"device", device}, {"state", "ended"}, {"reason", "it was removed"}}}});
  }
  return out;
}

bool all_over(const Json& items) {
  return std::none_of(items.begin(), items.end(), [](const auto& one) { return sent_state(one) == SentState::waits; });
}

// Until no device is under way; what stands then.
Outcome<Json> wait_for_all(Session& session, const Options& options, const Sent& sent) {
  SendView view(redraws(isatty(STDERR_FILENO) == 1, std::getenv("TERM")));
  const auto until = options.timeout_s ? Session::Clock::now() + options.timeout() : Session::Clock::time_point::max();
  const std::string stand = ". What was asked for stands: fieldwork transfer staged --package " + sent.called;
  bool away = false;
  while (true) {
    auto items = look_at_stages(session, sent);
    if (!items && !may_come_back(items.failure())) return Failure{items.failure().exit, items.failure().reason + stand};
    if (!items && !std::exchange(away, true)) say("waits: " + items.failure().reason);
    if (items) {
      away = false;
      const auto text = view.show(*items);
      if (!text.empty()) (void)std::fputs(text.c_str(), stderr);
      if (all_over(*items)) return std::move(*items);
    }
    const auto next = std::min(until, Session::Clock::now() + look_every);
    while (Session::Clock::now() < next && !session.interrupted()) (void)session.next(next);
    if (session.interrupted()) return Failure{Exit::interrupted, "interrupted" + stand};
    if (Session::Clock::now() >= until) return Failure{Exit::timed_out, "not all devices are ready yet" + stand};
  }
}

int end_with(const Options& options, const Sent& sent, const Json& items, bool waited) {
  const auto failed = static_cast<std::size_t>(
      std::count_if(items.begin(), items.end(), [](const auto& one) { return sent_state(one) == SentState::failed; }));
  if (options.json) {
    auto digests = Json::array();
    for (const auto& [digest, devices] : sent.by_digest) digests.push_back(digest);
    print_json({{"digests", std::move(digests)}, {"items", items}});
  } else if (waited) {
    print(printable(sent.called) + " is " + sent_summary(items) + "\n");
  } else {
    for (const auto& item : sent.refused) say(sent_line(item));
    print(printable(sent.called) + " is asked for on " + std::to_string(items.size() - failed) + " of " +
          std::to_string(items.size()) + (items.size() == 1 ? " device\n" : " devices\n"));
  }
  return code(failed == 0 ? Exit::ok : Exit::failed);
}

// In a session of its own: a push between the questions may take long.
Outcome<std::vector<Meant>> devices_now(const Options& options, const std::string& target) {
  auto session = open_session(options);
  if (!session) return session.failure();
  return devices_meant(**session, target);
}

}  // namespace

Outcome<std::vector<Meant>> devices_meant(Session& session, const std::string& text) {
  std::vector<Meant> out;
  const auto match = [&](const std::string& expression) -> std::optional<Failure> {
    auto items = all_items(session, "registry", {{"expression", expression}});
    if (!items) return items.failure();
    for (const auto& one : *items) out.push_back({text_of(one, "device"), text_of(one, "architecture")});
    return std::nullopt;
  };
  if (!is_id(text)) {
    if (const auto failure = match(text)) return *failure;
    if (out.empty()) return Failure{Exit::failed, "no device matches " + text};
    return out;
  }
  auto device = session.request("registry", "show", {{"device", text}});
  if (device) return std::vector<Meant>{{text, text_of(member(*device, "device"), "architecture")}};
  if (device.failure().exit != Exit::failed) return device.failure();
  if (const auto failure = match("group == \"" + text + "\"")) return *failure;
  if (out.empty())
    return Failure{Exit::failed,
                   "there is no device " + text + ", and no group of that name has devices. See fieldwork device ls"};
  return out;
}

// What can be wrong is found before anything is uploaded.
int send(const Options& options, const SendArguments& arguments) {
  const auto keep = parse_duration(arguments.keep);
  if (!keep || *keep <= Duration{} || *keep > keep_longest) {
    return end({Exit::usage, "--keep must be a duration of at most 366d, for example 12h or 7d, is '" +
                                 printable(arguments.keep) + "'"});
  }
  std::error_code ignored;
  const bool is_path = fs::exists(arguments.what, ignored);
  auto place = place_of(arguments, is_path, is_path && fs::is_regular_file(arguments.what, ignored));
  if (!place) return end(place.failure());
  auto devices = devices_now(options, arguments.target);
  if (!devices) return end(devices.failure());
  auto sent = to_send(options, arguments, is_path);
  if (!sent) return end(sent.failure());
  sent->file = std::move(*place);
  sent->devices = std::move(*devices);
  auto session = open_session(options);
  if (!session) return end(session.failure());
  if (const auto asked = ask_stages(**session, options, arguments, *sent); !asked) return end(asked.failure());
  auto items = arguments.no_wait ? look_at_stages(**session, *sent) : wait_for_all(**session, options, *sent);
  if (!items) return end(items.failure());
  return end_with(options, *sent, *items, !arguments.no_wait);
}

int transfer_staged(const Options& options, const StagedArguments& arguments) {
  auto session = open_session(options);
  if (!session) return end(session.failure());
  Json question{{"limit", stages_page_max}};
  if (!arguments.device.empty()) question["device"] = arguments.device;
  std::vector<std::string> digests{""};
  if (!arguments.package.empty()) {
    auto package = find_package(**session, arguments.package);
    if (!package) return end(package.failure());
    digests = digests_of(*package);
  }
  auto all = Json::array();
  for (const auto& digest : digests) {
    if (!digest.empty()) question["digest"] = digest;
    auto items = all_items(**session, "transfer", question, "stages");
    if (!items) return end(items.failure());
    for (auto& item : *items) all.push_back(std::move(item));
  }
  if (options.json) {
    print_json(all);
  } else {
    print(all.empty() ? "nothing is staged: fieldwork send\n" : stage_table(all, now_ms()));
  }
  return 0;
}

int transfer_unstage(const Options& options, const UnstageArguments& arguments) {
  auto session = open_session(options);
  if (!session) return end(session.failure());
  auto package = find_package(**session, arguments.package);
  if (!package) return end(package.failure());
  auto devices = devices_meant(**session, arguments.target);
  if (!devices) return end(devices.failure());
  std::vector<std::string> ids;
  for (const auto& one : *devices) ids.push_back(one.device);
  std::map<std::string, Json> by_device;  // of several packages, the one that was staged there
  for (const auto& digest : digests_of(*package)) {
    auto answer = ask_for_all(**session, "unstage", {{"digest", digest}}, ids, options.timeout());
    if (!answer) return end(answer.failure());
    for (auto& item : *answer) {
      auto& one = by_device[text_of(item, "device")];
      if (one.is_null() || text_of(item, "state") != "refused") one = std::move(item);
    }
  }
  auto items = Json::array();
  for (auto& [device, item] : by_device) items.push_back(std::move(item));
  const auto refused = refused_of(items);
  if (options.json) {
    print_json(items);
  } else {
    for (const auto& item : refused) say(sent_line(item));
    print("no longer staged on " + std::to_string(items.size() - refused.size()) + " of " +
          std::to_string(items.size()) + (items.size() == 1 ? " device\n" : " devices\n"));
  }
  return code(refused.empty() ? Exit::ok : Exit::failed);
}

}  // namespace fieldwork::cli
