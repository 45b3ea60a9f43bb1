// What a job may be, and how it may end.
#include "talk.hpp"

namespace fieldwork::sim {
namespace {

// A package is pushed; a job with it is submitted, asked about and assigned; the package is fetched, the job run,
// reported and settled.
std::string main_job() {
  Talk talk(2, {{"detector", 5'000}});
  talk.routine = true;
  auto& wish = talk.wish("./detect");
  wish.spec.command.emplace_back("input.csv");
  wish.spec.package = talk.supplies.packages().front().package.digest;
  wish.spec.requirements.labels = {{"zone", "a"}};  // of the two devices, the second
  return talk.run({R"("state":"succeeded")"});
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
  talk.wish("./detect").spec.targets = Targets{.labels = {{"zone", "a"}}};
  return talk.run({"d2 runs", "d3 runs"});
}

// No rule allows the program: the job is denied, with the rule's name, and no device hears of it.
std::string denied() {
  Talk talk(1);
  talk.fleet.rules.push_back({.name = "no-shutdown", .effect = policy::Effect::deny, .commands = {"./shutdown"}});
  talk.wish("./shutdown").end = JobState::denied;
  return talk.run({R"("decision":"deny")", "no-shutdown", R"("state":"denied")"}, {R"("type":"assign")"});
}

// Nobody can run either job: one has a deadline, the other may be queued for so long only. Both expire, and say why.
std::string expired() {
  Talk talk(1);
  const auto nowhere = [&talk]() -> JobSpec& {
    auto& wish = talk.wish("./detect");
    wish.end = JobState::expired;
    wish.spec.requirements.labels = {{"zone", "c"}};
    return wish.spec;
  };
  nowhere().deadline_s = 4;
  nowhere().timeouts.queued_s = 8;
  return talk.run({R"("state":"queued")", R"("state":"expired")", R"("state":"expired")"}, {R"("type":"assign")"});
}

// More jobs than 16 in one message: they are answered in one message, and have no state topics of their own.
std::string bulk() {
  Talk talk(2);
  for (int i = 0; i < 17; ++i) talk.wish("./detect").in_bulk = true;
  return talk.run(
      {R"("request":"r17")", R"("type":"assign")", R"("request":"r17","state":"assigned")", R"("state":"succeeded")"},
      {"state/job/", "state/execution/"});
}

// The program writes more than a message holds: its output comes in parts, before the report of its end.
std::string parts() {
  Talk talk(1);
  talk.wish("./print");
  return talk.run({R"("of":"stdout","offset":0)", R"("of":"stdout","offset":32768)", R"("in_parts":true)",
                   R"("stdout_bytes":40000)", R"("state":"succeeded")"});
}

// The program leaves a file that is too large for the report: the device announces it, the transfer service wants it
// and gets it in frames; then the operator fetches it.
std::string output() {
  Talk talk(1);
  talk.wish("./detect").spec.outputs = {"result.bin"};
  talk.when("/down/received", "complete", [&talk] {
    talk.fleet.fetches.push_back({talk.fleet.checks().rows("transfer", "content").begin()->first});
  });
  return talk.run({"/up/output", "/down/want", "/up/offer", "/up/frame", R"("state":"complete")", "/fetch/operator",
                   "reply/cli/fetch", "reply/cli/frame", R"("state":"complete")"});
}

// A device cannot start the program and refuses it: this is not the job's failure, and another device runs it.
std::string refused() {
  Talk talk(2);
  talk.fleet.refusals["d1"] = "disk: full";
  talk.wish("./detect");
  return talk.run({"device/d1/down/command", R"("state":"rejected")", "d2 runs", R"("state":"succeeded")"});
}

// An operator drains the device while a job runs there: it follows, finishes the job and says that it is empty; then
// the operator lets it delete its cached packages and have work again.
std::string drained() {
  Talk talk(1);
  talk.wish("./watch");
  const auto ask = [&talk](const char* verb) {
    talk.world.publish(talk.fleet.party("cli"), {.topic = Topics("fieldwork/v1").service("registry", verb, "operator"),
                                                 .payload = R"({"v":1,"device":"d1"})"});
  };
  talk.when("/up/report", "running", [&] { ask("drain"); });
  talk.when("event/device/d1", "drained", [&] {
    ask("prune");
    ask("activate");
  });
  return talk.run({"/registry/drain/operator", "device/d1/down/configure", "device/d1/up/configured",
                   R"("state":"succeeded")", R"("event":"drained")", "/registry/activate/operator", R"("prune":1)",
                   R"("event":"configured")", R"("event":"active")"},
                  {R"("attempt":2)"});
}

}  // namespace

std::vector<Scenario> scenarios_of_work() {
  return {{"main_job", main_job}, {"cancel", cancel}, {"targets", targets}, {"denied", denied},   {"expired", expired},
          {"bulk", bulk},         {"parts", parts},   {"output", output},   {"refused", refused}, {"drained", drained}};
}

}  // namespace fieldwork::sim
