// What goes wrong around a job, and what becomes of the job.
#include "talk.hpp"

namespace fieldwork::sim {
namespace {

// The device's link is gone for longer than the contract: its attempt is lost, somebody is alerted, the job runs on
// another device; when the first is back it is told that its attempt is stale.
std::string failover() {
  Talk talk(2);
  talk.wish("./watch").spec.offline.lost_after_s = 10;
  talk.fleet.checks().allow_losses();
  talk.when("/up/report", "running", [&talk] { talk.cut_link(talk.working(), seconds(50)); });
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

}  // namespace

std::vector<Scenario> scenarios_of_failures() {
  return {{"failover", failover},
          {"outage", outage},
          {"restart", restart},
          {"wiped_broker", wiped_broker},
          {"resumed_package", resumed_package},
          {"quarantine", quarantine}};
}

}  // namespace fieldwork::sim
