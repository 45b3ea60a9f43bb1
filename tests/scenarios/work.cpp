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
  talk.wish("./detect").spec.targets = Labels{{"zone", "a"}};
  return talk.run({"d2 runs", "d3 runs"});
}

}  // namespace

std::vector<Scenario> scenarios_of_work() { return {{"main_job", main_job}, {"cancel", cancel}, {"targets", targets}}; }

}  // namespace fieldwork::sim
