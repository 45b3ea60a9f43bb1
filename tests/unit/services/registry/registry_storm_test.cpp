// links: registry_shell GTest::gtest_main
// A few devices, operators, security-policy and a broker at random, with restarts of the registry: what is promised of
// every moment holds at every moment.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <tuple>

#include "support/registry_core.hpp"

namespace fieldwork::registry {
namespace {

// Without measurements, which are saved and said sparingly, and changed_ms, which an identity's signs change, too.
auto facts(const Device& d) {
  return std::tie(d.lifecycle, d.presence, d.reason, d.about, d.labels, d.session, d.fingerprint, d.configuration,
                  d.configured, d.registered_ms, d.back_ms);
}

// What a device knows by itself.
struct Agent {
  DeviceId id;
  int key = 0;
  std::int64_t session = 1, beat = 0, configured = 0;
  std::string boot_id = "b0";
};

class Storm {
 public:
  explicit Storm(unsigned seed) : random_(seed) {
    for (int i = 0; i < 4; ++i) agents_.push_back({.id = DeviceId("edge-" + std::to_string(i))});
    run(LinkBack{});
  }

  void turn() {
    now_ += milliseconds{chance(2) ? 40'000 : 600};
    if (chance(2)) restart();
    auto& agent = agents_[below(agents_.size())];
    if (chance(4)) start_anew(agent);
    const auto session = std::max<std::int64_t>(1, agent.session - (chance(15) ? 1 : 0));
    switch (below(10)) {
      case 0: return run(some_enrolment(agent, session));
      case 1: return run(some_presence(agent, session));
      case 2:
      case 3: return run(some_heartbeat(agent, session));
      case 4: return chance(90) ? answer_some(CertificateState::valid) : answer_some(CertificateState::invalid);
      case 5: return chance(20) ? revoke(agent) : run(TimePassed{});
      case 6: return follow(agent);
      case 7: return run(some_request(agent));
      case 8: return chance(80) ? run(LinkBack{}) : chance(50) ? run(LinkLost{}) : run(Stalled{});
      default: return run(TimePassed{});
    }
  }

  // The faults stop, and operators activate everything: all get work again.
  void calm() {
    calm_ = true;
    run(LinkBack{});
    while (!questions_.empty()) answer_some(CertificateState::valid);
    for (int i = 0; i < 120; ++i) now_ += seconds{1}, run(TimePassed{});
    for (auto& agent : agents_) {
      if (const auto* known = registry_->find(agent.id); known != nullptr) {
        const auto was = state_of(known->device);
        run(Requested{.reply = 1, .device = agent.id, .verb = Verb::retire, .by = "ann"});
        run(Requested{.reply = 1, .device = agent.id, .verb = Verb::remove, .by = "ann"});
        EXPECT_EQ(registry_->find(agent.id), nullptr) << "it can be removed: it was " << was;
      }
      run(enrolment_of(agent, agent.session));
      while (!questions_.empty()) answer_some(CertificateState::valid);
      follow(agent);
      run(HeartbeatArrived{agent.id, heartbeat(agent.session, 0.2, ++agent.beat)});
      EXPECT_TRUE(gets_work(registry_->find(agent.id)->device));
    }
    EXPECT_EQ(questions_.size() + wanted_.size(), 0U) << "nothing is asked any more";
  }

  // What was seen, by name: a storm in which nothing happens proves nothing.
  [[nodiscard]] const std::set<std::string>& seen() const { return seen_; }

 private:
  std::size_t below(std::size_t n) { return random_() % n; }
  bool chance(unsigned percent) { return random_() % 100 < percent; }
  static std::string pem(const Agent& agent, int renewal) {
    return make_certificate(agent.id.value, agent.key, renewal);
  }

  void start_anew(Agent& agent) {
    if (chance(20)) {  // set up anew
      agent.key = 1 - agent.key;
      agent.session = agent.configured = 0;
    }
    if (chance(50)) agent.boot_id = "b" + std::to_string(below(100));
    ++agent.session;
    agent.beat = 0;
  }
  EnrolmentArrived enrolment_of(const Agent& agent, std::int64_t session, int renewal = 0) {
    auto out = enrolment(session, pem(agent, renewal));
    out.boot_id = agent.boot_id;
    out.configured = agent.configured;
    out.about.labels = {{"zone", std::string(1, static_cast<char>('a' + below(3)))}};
    return {agent.id, std::move(out)};
  }
  Input some_enrolment(const Agent& agent, std::int64_t session) {
    return enrolment_of(agent, session, chance(20) ? 1 : 0);
  }
  Input some_presence(const Agent& agent, std::int64_t session) {
    const auto state = chance(60) ? PresenceSaid::State::online : static_cast<PresenceSaid::State>(below(4));
    const std::int64_t sleep_s = chance(50) ? 5 : 50;
    return PresenceArrived{
        agent.id, {.state = state, .session = session, .boot = agent.key + 1, .sleep_s = sleep_s}, chance(15)};
  }
  Input some_heartbeat(Agent& agent, std::int64_t session) {
    agent.beat += chance(10) ? 4 : 1;
    auto out = heartbeat(session, chance(10) ? 40 : 0.2, agent.beat);
    if (chance(30)) out.attempts = {{JobId("j"), 0, 1}};
    return HeartbeatArrived{agent.id, std::move(out)};
  }
  Input some_request(const Agent& agent) {
    Requested out{.reply = 1, .device = agent.id, .verb = static_cast<Verb>(below(6)), .by = "ann"};
    if (out.verb == Verb::retire && chance(60)) out.verb = Verb::configure;
    if (chance(50)) out.settings.set.sample_s = 1 + static_cast<int>(below(3));
    if (chance(50)) out.settings.set.labels["zone"] = "z";
    if (chance(30)) out.settings.unset = {"labels/zone", "sample_s"};
    return out;
  }
  // The device hears what is in the outbox, and answers; late, twice, or never.
  void follow(Agent& agent) {
    const auto wanted = wanted_.find(agent.id);
    if (wanted != wanted_.end() && (calm_ || chance(90)))
      agent.configured = std::max(agent.configured, wanted->second.version);
    run(ConfiguredArrived{agent.id, agent.configured, ""});
  }
  void revoke(const Agent& agent) {
    run(CertificateChecked{{agent.id, fingerprint_of(pem(agent, chance(20) ? 1 : 0)), CertificateState::revoked, "r"}});
  }
  void answer_some(CertificateState state) {
    if (questions_.empty()) return;
    const auto [device, fingerprint] = questions_[below(questions_.size())];
    run(CertificateChecked{{device, fingerprint, state, "no"}});
  }
  void restart() {
    std::vector<Record> saved;
    for (const auto& [id, record] : rows_) saved.push_back(stored(record));
    registry_.emplace(Limits{}, saved, now_);
    expect_promises();
    if (chance(80)) run(LinkBack{});
  }

  void run(const Input& input) {
    std::map<DeviceId, Device> before;
    for (const auto* one : registry_->list(std::nullopt, {}, SIZE_MAX)) before.emplace(one->id, *one);
    const auto out = step(*registry_, input, now_);
    carry_out(out);
    for (const auto* one : registry_->list(std::nullopt, {}, SIZE_MAX)) {
      const auto was = before.find(one->id);
      if (was == before.end()) continue;
      EXPECT_TRUE(may_follow(was->second.lifecycle, one->lifecycle)) << state_of(was->second) << " " << state_of(*one);
      EXPECT_TRUE(may_follow(was->second.presence, one->presence)) << state_of(was->second) << " " << state_of(*one);
    }
    expect_promises();
  }
  void carry_out(const Output& out) {
    for (const auto& record : out.devices) rows_[record.device.id] = record;
    for (const auto& id : out.removed) rows_.erase(id), states_.erase(id);
    for (const auto& change : out.outbox) {
      if (const auto* asked = std::get_if<AskCertificate>(&change))
        questions_.emplace_back(asked->device, asked->fingerprint);
      if (const auto* over = std::get_if<CloseQuestion>(&change))
        std::erase(questions_, std::pair(over->device, over->fingerprint));
      if (const auto* sent = std::get_if<SendConfiguration>(&change)) wanted_[sent->device] = sent->configuration;
      if (const auto* over = std::get_if<CloseConfiguration>(&change)) wanted_.erase(over->device);
    }
    for (const auto& device : out.states) {
      states_[device.id] = device;
      seen_.insert(state_of(device));
    }
    for (const auto& event : out.events) seen_.insert(event.event);
    for (const auto& one : out.answers) {
      if (!one.enrolled) continue;
      ASSERT_TRUE(rows_.contains(one.device));
      EXPECT_EQ(rows_.at(one.device).enrolled_session, one.session) << "told so, but not saved so";
    }
  }

  void expect_promises() {
    std::size_t devices = 0;
    for (const auto* one : registry_->list(std::nullopt, {}, SIZE_MAX)) {
      ++devices;
      expect_saved_and_said(*one);
      expect_wanted(*one);
    }
    EXPECT_EQ(rows_.size(), devices);
    EXPECT_EQ(states_.size(), devices);
    for (const auto& [id, sent] : wanted_) EXPECT_NE(registry_->find(id), nullptr) << "is told, and is not there";
    expect_index();
  }
  void expect_saved_and_said(const Device& device) {
    ASSERT_TRUE(rows_.contains(device.id) && states_.contains(device.id)) << device.id.value;
    EXPECT_TRUE(facts(rows_.at(device.id).device) == facts(device)) << "not saved: " << device.id.value;
    EXPECT_TRUE(facts(states_.at(device.id)) == facts(device)) << "not said: " << device.id.value;
  }
  void expect_wanted(const Device& device) {
    const auto& wanted = device.configuration;
    const auto sent = wanted_.find(device.id);
    const bool follows = device.configured == wanted.version;
    EXPECT_EQ(sent == wanted_.end(), follows || device.lifecycle == Lifecycle::retired) << state_of(device);
    EXPECT_TRUE(sent == wanted_.end() || sent->second == wanted) << "another one is sent";
    EXPECT_TRUE(!trusted(device.lifecycle) || !follows || device.lifecycle == wanted.lifecycle) << "it follows";
    EXPECT_TRUE(!gets_work(device) || wanted.lifecycle == Lifecycle::active) << "it gets work that nobody wants there";
    EXPECT_EQ(device.back_ms > 0, device.presence == Presence::sleeping) << state_of(device);
    auto labels = device.about.labels;
    for (const auto& [name, value] : wanted.labels) labels[name] = value;
    EXPECT_EQ(device.labels, labels);
  }
  void expect_index() {
    static const char* texts[] = {"lifecycle == active",
                                  "lifecycle != active and not presence == online",
                                  "presence in (sleeping, lost, disconnected)",
                                  R"(label.zone == "z" or label.zone == "a")",
                                  "health < 0.9",
                                  "duplicated == true",
                                  "memory.free > 0"};
    for (const char* text : texts) {
      const auto expression = *fleet::Expression::parse(text);
      std::string walked, listed;
      for (const auto* one : registry_->list(std::nullopt, {}, SIZE_MAX))
        if (fleet::matches(expression, *one)) walked += one->id.value + " ";
      for (const auto* one : registry_->list(expression, {}, SIZE_MAX)) listed += one->id.value + " ";
      EXPECT_EQ(listed, walked) << text;
    }
  }

  std::mt19937 random_;
  bool calm_ = false;
  Time now_ = t0;
  std::optional<Registry> registry_{std::in_place, Limits{}, std::vector<Record>{}, t0};
  std::vector<Agent> agents_;
  std::map<DeviceId, Record> rows_;
  std::map<DeviceId, Device> states_;  // retained by the broker
  // The outbox: certificates, in the order of asking; fingerprints are others in each run.
  std::vector<std::pair<DeviceId, std::string>> questions_;
  std::map<DeviceId, Configuration> wanted_;  // the outbox: configurations
  std::set<std::string> seen_;
};

TEST(RegistryStorm, HoldsWhatIsPromised) {
  std::set<std::string> seen;
  for (unsigned seed = 1; seed <= 40 && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Storm storm(seed);
    for (int i = 0; i < 400 && !HasFailure(); ++i) storm.turn();
    storm.calm();
    seen.insert(storm.seen().begin(), storm.seen().end());
  }
  for (const char* event :
       {"online", "back", "sleeping", "disconnected", "suspect", "lost", "rebooted", "restarted", "active", "draining",
        "drained", "inactive", "refused", "retired", "removed", "already_registered", "configured"})
    EXPECT_TRUE(seen.contains(event)) << event << " never happened";
}

}  // namespace
}  // namespace fieldwork::registry
