// links: registry_shell GTest::gtest_main
// The registry is built anew from its rows at any moment, and what comes then comes late, twice or never.
#include <gtest/gtest.h>

#include <random>
#include <set>
#include <tuple>

#include "registry/core/registry.hpp"
#include "registry/shell/rows.hpp"
#include "support/registry_core.hpp"

namespace fieldwork::registry {
namespace {

TEST(Restart, AnAnswerToAQuestionOfBeforeOnlyClosesIt) {
  const auto pem = make_certificate("edge-1");
  Registry before(Limits{}, {}, t0);
  const auto rows = step(before, EnrolmentArrived{edge, enrolment(1, pem)}, at(0)).devices;
  ASSERT_EQ(rows.size(), 1U);
  Registry after(Limits{}, {stored(rows[0])}, at(5));
  EXPECT_EQ(step(after, checked(pem), at(6)), (Output{.outbox = {CloseQuestion{edge, fingerprint_of(pem)}}}));
  EXPECT_EQ(step(after, checked(pem, CertificateState::invalid, "no"), at(6)).answers.size(), 0U);
  EXPECT_EQ(state_of(after), "enrolling starting");
  const auto again = step(after, EnrolmentArrived{edge, enrolment(1, pem)}, at(7));
  EXPECT_EQ(all<AskCertificate>(again).size(), 1U) << "the device repeats its enrolment";
  EXPECT_EQ(events(step(after, checked(pem), at(8))), "active");
}

TEST(Restart, LeavesEachDeviceAsItWas) {
  const std::pair<const char*, Axes> states[] = {{"a-online", online},
                                                 {"b-suspect", suspect},
                                                 {"c-lost", lost},
                                                 {"d-refused", refused},
                                                 {"e-enrolling", enrolling}};
  std::vector<Record> rows;
  std::vector<Device> devices;
  for (const auto& [id, state] : states) {
    rows.push_back(record(state));
    rows.back().device.id = DeviceId{id};
    rows.back().device.reason = "as it was";
    rows.back().device.changed_ms = 7;
    rows.back() = stored(rows.back());
  }
  Registry registry(Limits{}, rows, at(86'400));
  for (const auto* one : registry.list(std::nullopt, DeviceId{"a-online"}, SIZE_MAX)) devices.push_back(*one);
  ASSERT_EQ(devices.size(), 4U) << "those behind";
  EXPECT_EQ(devices[0], rows[1].device);
  const auto out = step(registry, LinkBack{}, at(86'401));
  EXPECT_TRUE(out.devices.empty() && out.events.empty());
  ASSERT_EQ(out.states.size(), 5U);
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(state_of(out.states[i]), state_of(rows[i].device));
    EXPECT_EQ(out.states[i].reason, "as it was");
    EXPECT_EQ(out.states[i].changed_ms, 7);
  }
  EXPECT_EQ(pass(registry, 86'401.5, 86'445.5), "suspect suspect") << "also of the refused one";
  EXPECT_EQ(pass(registry, 86'446, 86'600), "lost lost lost") << "all, and nobody who is not expected to speak";
}

// One device, whose agent and registry restart, and whose messages come late, twice or never. Two certificates, of
// which security-policy thinks now well, now badly.
class Storm {
 public:
  explicit Storm(unsigned seed) : random_(seed) {}

  void turn() {
    now_ += milliseconds{chance(0.02) ? 60'000 : 700};
    if (chance(0.02)) registry_.emplace(Limits{}, saved_ ? std::vector{stored(*saved_)} : std::vector<Record>{}, now_);
    if (chance(0.05)) ++session_;
    if (chance(0.01)) session_ = 1;
    const auto session = std::max<std::int64_t>(1, session_ - (chance(0.2) ? 1 : 0));
    switch (std::uniform_int_distribution<int>(0, 6)(random_)) {
      case 0:
        return run(EnrolmentArrived{edge, enrolment(session, make_certificate("edge-1", 0, chance(0.3) ? 1 : 0))});
      case 1: return run(some_presence(session));
      case 2: return run(HeartbeatArrived{edge, heartbeat(session, 0.2, ++beat_)});
      case 3: return answer(chance(0.7) ? CertificateState::valid : CertificateState::invalid);
      case 4:
        return run(checked(make_certificate("edge-1", 0, chance(0.5) ? 1 : 0), CertificateState::revoked, "unasked"));
      case 5: return chance(0.9) ? run(LinkBack{}) : run(LinkLost{});
      default: return run(TimePassed{});
    }
  }

  // The faults stop: whoever goes on asking is enrolled.
  void calm() {
    run(LinkBack{});
    for (int s = 0; s < 60; ++s) now_ += seconds{1}, run(TimePassed{});
    run(EnrolmentArrived{edge, enrolment(session_, make_certificate("edge-1"))});
    while (!questions_.empty()) answer(CertificateState::valid);
    run(EnrolmentArrived{edge, enrolment(session_, make_certificate("edge-1"))});
    EXPECT_EQ(enrolled_, session_) << "told so";
    run(HeartbeatArrived{edge, heartbeat(session_, 0.2, ++beat_)});
    EXPECT_EQ(state_of(saved_->device), "active online");
    EXPECT_EQ(saved_->device.session, session_);
  }

 private:
  bool chance(double p) { return std::bernoulli_distribution(p)(random_); }

  PresenceArrived some_presence(std::int64_t session) {
    const auto state = chance(0.7)
                           ? PresenceSaid::State::online
                           : static_cast<PresenceSaid::State>(std::uniform_int_distribution<int>(1, 3)(random_));
    return {edge, {.state = state, .session = session, .sleep_s = chance(0.5) ? 5 : 50}, chance(0.2)};
  }

  void answer(CertificateState state) {
    if (!questions_.empty()) run(CertificateChecked{{edge, *questions_.begin(), state, "no"}});
  }

  void run(const Input& input) {
    const auto was = saved_;
    const auto out = step(*registry_, input, now_);
    if (!out.devices.empty()) saved_ = out.devices.back();
    for (const auto& one : out.outbox) {
      if (const auto* asked = std::get_if<AskCertificate>(&one)) questions_.insert(asked->fingerprint);
      if (const auto* closed = std::get_if<CloseQuestion>(&one)) questions_.erase(closed->fingerprint);
    }
    for (const auto& one : out.answers) {
      if (!one.enrolled) continue;
      ASSERT_TRUE(saved_.has_value());
      EXPECT_EQ(saved_->enrolled_session, one.session) << "enrolled, but not saved so";
      EXPECT_EQ(saved_->device.session, one.session);
      enrolled_ = one.session;
    }
    if (!out.states.empty()) said_ = out.states.back();
    const auto* now = registry_->find(edge);
    ASSERT_EQ(now != nullptr, saved_.has_value());
    if (now == nullptr) return;
    ASSERT_TRUE(said_.has_value());
    EXPECT_LE(questions_.size(), 2U);
    const auto facts = [](const Device& d) {
      return std::tie(d.lifecycle, d.presence, d.back_ms, d.reason, d.session, d.fingerprint, d.labels);
    };
    EXPECT_TRUE(facts(saved_->device) == facts(now->device)) << "not saved";
    EXPECT_TRUE(facts(*said_) == facts(now->device)) << "not said";
    const bool heard = was && gets_work(was->device) && gets_work(now->device);
    EXPECT_TRUE(!heard || was->device.session <= now->device.session) << "a session was taken back";
  }

  std::mt19937 random_;
  Time now_ = t0;
  std::optional<Registry> registry_{std::in_place, Limits{}, std::vector<Record>{}, t0};
  std::optional<Record> saved_;
  std::optional<Device> said_;
  std::set<std::string> questions_;  // the outbox, by fingerprint
  std::int64_t beat_ = 0;
  std::int64_t session_ = 1;   // of the device
  std::int64_t enrolled_ = 0;  // as the device was told
};

TEST(Restart, AtAnyMomentLosesNothingThatWasSaid) { support::storms<Storm>(20, 300); }

}  // namespace
}  // namespace fieldwork::registry
