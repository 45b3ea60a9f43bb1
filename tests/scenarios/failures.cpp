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
  return talk.run({R"("presence":"lost")", "state/alert/device_lost", R"("type":"stale")"});
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

// The contract says that the device stops the work itself: it does so without a link, before the scheduler gives the
// job to another device.
std::string stopped() {
  Talk talk(2);
  auto& offline = talk.wish("./watch").spec.offline;
  offline.stop_after_s = 10;
  offline.lost_after_s = 20;
  talk.fleet.checks().allow_losses();
  talk.when("/up/report", "running", [&talk] { talk.cut_link(talk.working(), seconds(60)); });
  return talk.run({"d1 runs", "d1 loses its link", "d1 stops", "nothing was heard of it for 20 s", "d2 runs",
                   "d1 connects", "its contract stopped it", R"("state":"succeeded")"});
}

// The certificate of the device that works is revoked: the device is refused, and the job runs on another one.
std::string revoked() {
  Talk talk(2);
  talk.wish("./watch");
  talk.fleet.checks().allow_losses();
  talk.when("/up/report", "running", [&talk] { talk.supplies.revoke(talk.working().name()); });
  return talk.run({"d1 runs", R"("state":"revoked")", R"("event":"refused")", "the device is refused",
                   R"("type":"stale")", "d1 stops", "d2 runs", R"("state":"succeeded")"});
}

// The report of the end is lost, again and again. The device no longer lists the attempt, so the scheduler asks what
// became of it.
std::string inquire() {
  Talk talk(1);
  talk.wish("./detect");
  talk.world.loses = [](const Party& /*to*/, const bus::Message& message) {
    return message.topic.ends_with("/up/report") && message.payload.find("succeeded") != std::string::npos;
  };
  talk.when("/down/command", "inquire", [&talk] { talk.world.loses = nullptr; });
  return talk.run({"d1 runs", "scheduler does not get", R"("type":"inquire")", "d1 -> device/d1/up/report",
                   R"("state":"succeeded")"},
                  {R"("attempt":2)"});
}

// The scheduler's database is set back to a copy in which the job still runs. The device says what has ended there, and
// when asked how; the job does not run again.
std::string set_back() {
  Talk talk(1);
  talk.wish("./detect");
  auto& scheduler = talk.fleet.party("scheduler");
  std::pair<store::MemoryStore, Checks::Disk> copy;
  talk.when("event/job/changed", "running", [&] {
    copy = {scheduler.disk_copy(), talk.fleet.checks().disk("scheduler")};
  });
  talk.when("event/job/changed", "succeeded", [&] {
    scheduler.kill();
    scheduler.restore(copy.first);
    talk.fleet.went_back(scheduler, copy.second);
    talk.world.after(seconds(5), [&scheduler] { scheduler.start(); });
  });
  return talk.run({"scheduler starts", R"("ended":[{)", R"("type":"inquire")", "d1 -> device/d1/up/report",
                   R"("state":"succeeded")"},
                  {R"("attempt":2)"});
}

// The device's memory is wiped while it works: it enrols again and begins a new stream of reports. It does not know the
// attempt, so the job is tried again.
std::string reset() {
  Talk talk(1);
  talk.wish("./watch");
  talk.fleet.checks().allow_losses();
  talk.when("/up/report", "running", [&talk] {
    auto& device = talk.working();
    device.kill();
    device.restore({});
    talk.fleet.went_back(device, {});
    talk.world.after(seconds(5), [&device] { device.start(); });
  });
  return talk.run({"d1 starts", "d1 -> device/d1/up/enrol", R"("type":"inquire")", "its journal is new",
                   R"("attempt":2)", R"("state":"succeeded")"});
}

}  // namespace

std::vector<Scenario> scenarios_of_failures() {
  return {{"failover", failover},
          {"outage", outage},
          {"restart", restart},
          {"wiped_broker", wiped_broker},
          {"resumed_package", resumed_package},
          {"quarantine", quarantine},
          {"stopped", stopped},
          {"revoked", revoked},
          {"inquire", inquire},
          {"set_back", set_back},
          {"reset", reset}};
}

}  // namespace fieldwork::sim
