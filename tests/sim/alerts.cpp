#include "alerts.hpp"

#include <nlohmann/json.hpp>

#include "alerting/core/alerting.hpp"

namespace fieldwork::sim {
namespace {

constexpr const char* once = "a message is repeated by a restart alone";
constexpr const char* phone = "phone";

std::string mismatch(const Checks& checks, const std::string& rule, const std::string& subject, bool wanted) {
  const auto& alerts = checks.rows("alerting", "alert");
  const auto id = alerting::alert_id(rule, subject);
  const auto it = alerts.find(id);
  const bool fires = it != alerts.end() && it->second.at("state") == "firing";
  if (fires == wanted) return "";
  return std::string(" alerting(") + id + (fires ? " fires)" : " is missing)");
}

}  // namespace

class Alerts::Phone : public alerting::Courier {
 public:
  Phone(World& world, Party& party, Alerts& alerts, Done done)
      : world_(world), party_(party), alerts_(alerts), done_(std::move(done)) {}

  // When the answer comes, alerting may have been restarted or be down: a message that was taken stays taken.
  void send(const alerting::Send& send, Time) override {
    if (!party_.acts()) return;
    for (const auto& alert : send.alerts) alerts_.sent_.insert(alert.id);
    const auto wait = world_.random().between(milliseconds(10), seconds(3));
    world_.after(wait, [&world = world_, &party = party_, &alerts = alerts_, done = done_, life = party_.life(), send] {
      const bool taken = !world.faulty() || world.random().chance(0.7);
      if (taken) alerts.heard(send);
      ++world.counts[taken ? "told" : "told in vain"];
      if (party.life() == life) done(send.number, taken ? Result<void>{} : Error{Code::unavailable, "does not answer"});
    });
  }

 private:
  World& world_;
  Party& party_;
  Alerts& alerts_;
  Done done_;
};

alerting::Target Alerts::target() {
  alerting::Target out;
  out.name = phone;
  return out;
}

std::unique_ptr<alerting::Courier> Alerts::courier(World& world, Party& party, alerting::Courier::Done done) {
  ++lives_;
  return std::make_unique<Phone>(world, party, *this, std::move(done));
}

void Alerts::heard(const alerting::Send& send) {
  bool repeats = false;
  for (const auto& alert : send.alerts) {
    const std::pair now{alert.state, alert.since};
    const auto [told, first] = told_.try_emplace(alert.id, now);
    repeats = repeats || (!first && told->second == now);
    told->second = now;
  }
  repeats_ += repeats ? 1 : 0;
}

std::string Alerts::open(const Checks& checks, const std::vector<Wish>& wishes) const {
  std::string out;
  for (const auto& wish : wishes) {
    const auto& jobs = checks.rows("scheduler", "job");
    const auto job = jobs.find(wish.job);
    if (job == jobs.end()) continue;
    for (const auto& [rule, state] : {std::pair("job_failed", "failed"), std::pair("job_quarantined", "quarantined")})
      out += mismatch(checks, rule, wish.job, job->second.at("state") == state);
  }
  for (const auto& [id, alert] : checks.rows("alerting", "alert")) {
    const bool fires = alert.at("state") == "firing";
    const bool knows = alert.at("told").contains(phone) && alert.at("told").at(phone).at("at_ms") > 0;
    const auto told = told_.find(id);
    const bool heard = told != told_.end() && told->second.first == alerting::Alert::State::firing;
    if (!fires && !knows && forgotten_.contains(id)) continue;
    if (alert.at("state") != "pending" && (fires != knows || fires != heard)) out += " alerting(owes " + id + ")";
  }
  return out;
}

void Alerts::went_back() { forgotten_.insert(sent_.begin(), sent_.end()); }

std::string Alerts::open_of_device(const Checks& checks, const std::string& device) {
  const auto& devices = checks.rows("registry", "device");
  const auto it = devices.find(device);
  return it == devices.end() ? "" : mismatch(checks, "device_lost", device, it->second.at("presence") == "lost");
}

void Alerts::at_the_end() const {
  if (repeats_ >= lives_) throw Violation(once, std::to_string(repeats_) + " in " + std::to_string(lives_) + " lives");
}

}  // namespace fieldwork::sim
