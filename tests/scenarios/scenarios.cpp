// scenarios [--rewrite]: one conversation of each capability, message by message, compared with the text files beside
// this one. What differs from run to run (signatures, certificates, times) stands as "…". After --rewrite, review the
// diff.
#include <cstdio>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "fleet.hpp"
#include "runtime/log.hpp"

using namespace fieldwork;
using namespace fieldwork::sim;

namespace {

std::string render(const Party& from, const bus::Message& message) {
  std::string line = from.name() + " -> " + message.topic.substr(std::string(root).size() + 1);
  if (message.retain) line += " (retained)";
  if (!message.response_topic.empty())
    line += " (answer to " + message.response_topic.substr(std::string(root).size() + 1) + ")";
  return line + "\n    " + payload_text(message) + "\n";
}

// What only says that a device lives, again and again.
bool is_routine(const bus::Message& message) {
  return message.topic.ends_with("/up/heartbeat") || message.topic.ends_with("/down/ack");
}

// One conversation from the start of all parties to when nobody owes anybody anything.
struct Talk {
  explicit Talk(int devices, std::vector<std::pair<std::string, std::size_t>> packages = {})
      : supplies(devices, packages), world(1), fleet(world, supplies, devices) {}

  Wish& wish(std::string command) {
    Wish out;
    out.request = "r" + std::to_string(fleet.wishes.size() + 1);
    out.submit_at = world.now() + seconds(2);
    out.spec.name = "anomaly";
    out.spec.command = {std::move(command)};
    return fleet.wishes.emplace_back(std::move(out));
  }
  // The first message like this makes `then` happen, in the same moment.
  void when(std::string topic, std::string text, std::function<void()> then) {
    triggers.push_back({std::move(topic), std::move(text), std::move(then)});
  }
  void cut_link(Party& party, Duration lasts) {
    party.disconnect();
    world.after(lasts, [&party] { party.connect(); });
  }
  // `said`: what the conversation is about is in it.
  std::string run(const std::vector<std::string>& said, bool routine = false) {
    std::string trace;
    const auto check = world.on_publish;
    world.on_publish = [&](Party& from, const bus::Message& message) {
      check(from, message);
      if (!routine && is_routine(message)) return;
      trace += render(from, message);
      for (auto& one : triggers) {
        if (!one.then || !message.topic.ends_with(one.topic) || message.payload.find(one.text) == std::string::npos)
          continue;
        world.after(Duration(1), std::exchange(one.then, nullptr));
      }
    };
    world.trace = [&](const std::string& line) {
      if (world.age() > seconds(1) && line.find(" <- ") == std::string::npos)  // what is heard was said
        trace += "--" + line.substr(line.find_first_not_of(" 0123456789") - 1) + "\n";
    };
    world.start();
    if (!world.run([&] { return fleet.quiet(); }, seconds(900))) throw Violation("the job ends", fleet.open());
    for (const auto& one : triggers) require(!one.then, "what the conversation is about happens", one.topic);
    for (const auto& one : said)
      require(trace.find(one) != std::string::npos, "what the conversation is about is said", one);
    fleet.check_at_the_end();
    return trace;
  }

  struct Trigger {
    std::string topic, text;
    std::function<void()> then;
  };
  const Supplies supplies;
  World world;
  Fleet fleet;
  std::vector<Trigger> triggers;
};

// A package is pushed; a job with it is submitted, asked about and assigned; the package is fetched, the job run,
// reported and settled.
std::string main_job() {
  Talk talk(2, {{"detector", 5'000}});
  auto& wish = talk.wish("./detect");
  wish.spec.command.emplace_back("input.csv");
  wish.spec.package = talk.supplies.packages().front().package.digest;
  wish.spec.requirements.labels = {{"zone", "a"}};  // of the two devices, the second
  return talk.run({R"("state":"succeeded")"}, true);
}

// A job that runs is cancelled by the one who submitted it; the device ends it and says so.
std::string cancel() {
  Talk talk(1);
  talk.wish("./watch").cancel_at = talk.world.now() + seconds(3600);
  talk.when("/up/report", "running", [&talk] { talk.fleet.wishes.front().cancel_at = talk.world.now(); });
  return talk.run({R"("type":"cancel")", R"("state":"cancelled")"});
}

// One job, one execution on each device that has the label.
std::string targets() {
  Talk talk(3);
  talk.wish("./detect").spec.targets = Labels{{"zone", "a"}};
  return talk.run({"d2 runs", "d3 runs"});
}

// The device's link is gone for longer than the contract: its attempt is lost, somebody is alerted, the job runs on
// another device; when the first is back it is told that its attempt is stale.
std::string failover() {
  Talk talk(2);
  talk.wish("./watch").spec.offline.lost_after_s = 10;
  talk.fleet.checks().allow_losses();
  talk.when("/up/report", "running", [&talk] {
    for (auto* device : talk.fleet.devices()) {
      const auto* agent = dynamic_cast<const agent::AgentService*>(device->service());
      if (agent->core().live().empty()) continue;
      talk.cut_link(*device, seconds(50));
    }
  });
  return talk.run({R"("state":"lost")", "state/alert/device_lost", R"("type":"stale")"});
}

// The link of the device is cut while the job runs: the job goes on, and its end is reported when the link is back.
std::string outage() {
  Talk talk(1);
  talk.wish("./detect").spec.offline.lost_after_s = 600;
  talk.when("/up/report", "running", [&talk] { talk.cut_link(talk.fleet.party("d1"), seconds(30)); });
  return talk.run({R"("state":"unreachable")", R"("state":"succeeded")"});
}

// The scheduler dies after it assigned the job and comes back from what it stored.
std::string restart() {
  Talk talk(1);
  talk.wish("./detect");
  talk.when("/down/command", "assign", [&talk] {
    auto& scheduler = talk.fleet.party("scheduler");
    scheduler.kill();
    talk.world.after(seconds(20), [&scheduler] { scheduler.start(); });
  });
  return talk.run({"scheduler dies", R"("state":"succeeded")"});
}

// The broker loses all that it knew: everyone connects again, and what is retained is said again.
std::string wiped_broker() {
  Talk talk(1);
  talk.wish("./detect");
  talk.when("/up/report", "running", [&talk] { talk.world.wipe(); });
  return talk.run({"forgets everything", R"("state":"succeeded")"});
}

// The device's link is cut in the middle of a package: the transfer goes on with what is missing, not at the beginning.
std::string resumed_package() {
  Talk talk(1, {{"detector", 60'000}});
  auto& wish = talk.wish("./detect");
  wish.spec.package = talk.supplies.packages().front().package.digest;
  talk.when("/down/frame", "", [&talk] {
    talk.world.after(milliseconds(8), [&talk] { talk.cut_link(talk.fleet.party("d1"), seconds(5)); });
  });
  return talk.run({"d1 loses its link", R"("state":"succeeded")"});
}

// A program that takes its device down is not tried for ever: after three lost attempts the job is quarantined.
std::string quarantine() {
  Talk talk(3);
  auto& wish = talk.wish("./kill");
  wish.kills = true;
  wish.spec.retry.attempts_max = 10;
  wish.spec.offline.lost_after_s = 10;
  talk.fleet.checks().allow_losses();
  return talk.run({R"("state":"quarantined")"});
}

struct Scenario {
  const char* name;
  std::string (*run)();
};
constexpr Scenario scenarios[] = {{"main_job", main_job},
                                  {"cancel", cancel},
                                  {"targets", targets},
                                  {"failover", failover},
                                  {"outage", outage},
                                  {"restart", restart},
                                  {"wiped_broker", wiped_broker},
                                  {"resumed_package", resumed_package},
                                  {"quarantine", quarantine}};

// The first line that differs, for a person.
void explain(const std::string& expected, const std::string& got) {
  const auto differs = std::mismatch(expected.begin(), expected.end(), got.begin(), got.end()).second - got.begin();
  const auto at = static_cast<std::size_t>(differs);
  const auto begin = at == 0 ? 0 : got.rfind('\n', at - 1) + 1;
  const auto line = [&](const std::string& text) {
    return begin >= text.size() ? std::string("(nothing)") : text.substr(begin, text.find('\n', begin) - begin);
  };
  std::printf("  expected: %s\n  got:      %s\n", line(expected).c_str(), line(got).c_str());
}

bool holds(const Scenario& scenario, bool rewrite) {
  const auto path = std::string(FIELDWORK_SCENARIOS_DIR) + "/" + scenario.name + ".txt";
  const auto got = scenario.run();
  if (rewrite) {
    std::ofstream(path, std::ios::binary) << got;
    return true;
  }
  std::ifstream file(path, std::ios::binary);
  const std::string expected{std::istreambuf_iterator<char>(file), {}};
  if (expected == got) return true;
  std::printf("%s is not as %s says (rewrite it with --rewrite, then review the diff)\n", scenario.name, path.c_str());
  explain(expected, got);
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  const bool rewrite = argc == 2 && std::string(argv[1]) == "--rewrite";
  if (argc > 1 && !rewrite) {
    std::fputs("scenarios [--rewrite]\n", stderr);
    return 2;
  }
  log::setup("scenarios", "text", "off");
  int bad = 0;
  for (const auto& scenario : scenarios) {
    try {
      bad += holds(scenario, rewrite) ? 0 : 1;
    } catch (const std::exception& failure) {
      std::printf("%s: %s\n", scenario.name, failure.what());
      ++bad;
    }
  }
  return bad == 0 ? 0 : 1;
}
