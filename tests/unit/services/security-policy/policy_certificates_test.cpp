// links: security_policy_shell GTest::gtest_main
// Which certificates are remembered, when they are checked again, and how long a revocation is repeated.
#include <gtest/gtest.h>

#include "support/policy_table.hpp"

namespace fieldwork::security_policy {
namespace {

const DeviceId edge2{"edge-2"};
constexpr double days = 86'400;

ChecksArrived check(const DeviceId& device, const std::string& shown) { return {{{device, Pki::get().pem(shown)}}}; }
std::string print_of(const std::string& name) {
  return crypto::Certificate::from_pem(Pki::get().pem(name)).value().fingerprint();
}
AuthorityReplaced list(const std::string& crl) { return {Pki::get().authority(crl)}; }
CertificateState state_of(const Output& out) { return out.answers.at(0).state; }

// A core whose outputs are kept, and which starts again from what was kept.
struct Life {
  explicit Life(Limits with = {}) : limits(with), core(make_core(with)) {}
  Output step(const Input& input, double s) { return table.keep(security_policy::step(core, input, at(s))); }
  // The revocation list at the start is the empty one.
  void restart(double s) { core = make_core(limits, table.saved(), at(s)); }
  // edge-1 is enrolled, its certificate is then revoked, and the registry has not heard of it.
  void revoke() {
    (void)step(check(edge, "edge-1"), 1);
    (void)step(list("revoked.crl"), 2);
    const auto said = all<AnnounceRevocation>(step(TimePassed{}, 3));
    ASSERT_EQ(said.size(), 1u);
    EXPECT_EQ(said[0].answer.fingerprint, print_of("edge-1"));
  }
  Table table;
  Limits limits;
  SecurityPolicy core;
};
using Open = std::set<std::string>;

TEST(Revocations, AreOpenUntilTheDevicesStateShowsThatTheRegistryKnows) {
  struct Case {
    const char* name;
    Input input;
    bool closes;
  };
  const Case cases[] = {
      {"as before", DeviceSeen{edge, Lifecycle::active, print_of("edge-1")}, false},
      {"out of contact, as before", DeviceSeen{edge, Lifecycle::active, print_of("edge-1")}, false},
      {"refused", DeviceSeen{edge, Lifecycle::refused, print_of("edge-1")}, true},
      {"bound to another", DeviceSeen{edge, Lifecycle::active, print_of("edge-1-new")}, true},
      {"another device", DeviceSeen{edge2, Lifecycle::refused, print_of("edge-2")}, false},
      {"removed", DeviceGone{edge}, true},
      {"another removed", DeviceGone{edge2}, false},
  };
  for (const auto& c : cases) {
    for (const bool restarts : {false, true}) {
      Life life;
      life.revoke();
      if (restarts) life.restart(4);
      EXPECT_EQ(life.step(TimePassed{}, 5).outbox.size(), 0u) << "the outbox repeats it, not the core";
      (void)life.step(c.input, 6);
      EXPECT_EQ(life.table.open, c.closes ? Open{} : Open{print_of("edge-1")}) << c.name << " " << restarts;
    }
  }
}

// The list was corrected before the registry had heard of the revocation. Repeated, it would refuse the device again
// and again.
TEST(Revocations, AreClosedWhenTheCertificateIsGoodAgain) {
  for (const bool restarts : {false, true}) {
    Life life;
    life.revoke();
    if (restarts) life.restart(4);
    (void)life.step(list("empty.crl"), 5);
    EXPECT_EQ(state_of(life.step(check(edge, "edge-1"), 6)), CertificateState::valid);
    EXPECT_EQ(life.table.open, Open{}) << restarts;
  }
}

// What the device shows next must not take the place of what is still to be said.
TEST(Revocations, StayOpenWhateverElseTheDeviceShows) {
  for (const std::string shown : {"edge-1-new", "edge-2", "stranger", "none", "edge-1"}) {
    for (const double restarts_at : {0, 4, 6}) {
      const bool good = shown == "edge-1-new";
      if (good && restarts_at == 6) continue;  // the row is that of the new one
      Life life;
      life.revoke();
      if (restarts_at == 4) life.restart(4);
      (void)life.step(list("revoked.crl"), 4);
      EXPECT_EQ(state_of(life.step(check(edge, shown), 5)) == CertificateState::valid, good);
      if (restarts_at == 6) life.restart(6);
      (void)life.step(DeviceSeen{edge, Lifecycle::active, print_of("edge-1")}, 7);
      EXPECT_EQ(life.table.open, Open{print_of("edge-1")}) << shown << restarts_at;
      (void)life.step(DeviceSeen{edge, Lifecycle::refused, print_of("edge-1")}, 8);
      EXPECT_EQ(life.table.open, Open{}) << shown << restarts_at;
    }
  }
}

// A state from before the device was bound to that certificate came late, and closed it.
TEST(Revocations, AreOpenAgainWhenTheStateShowsThatTheRegistryDoesNotKnow) {
  Life life;
  life.revoke();
  (void)life.step(DeviceSeen{edge, Lifecycle::active, print_of("edge-1-new")}, 4);
  EXPECT_EQ(life.table.open, Open{});
  const auto again = life.step(DeviceSeen{edge, Lifecycle::active, print_of("edge-1")}, 5);
  ASSERT_EQ(all<AnnounceRevocation>(again).size(), 1u);
  EXPECT_EQ(all<AnnounceRevocation>(again)[0].answer.state, CertificateState::revoked);
  EXPECT_TRUE(life.step(DeviceSeen{edge, Lifecycle::active, print_of("edge-1")}, 6).outbox.empty()) << "once";
  (void)life.step(DeviceSeen{edge, Lifecycle::refused, print_of("edge-1")}, 7);
  EXPECT_EQ(life.table.open, Open{});
}

TEST(Certificates, ABadOneDoesNotHideTheGoodOne) {
  for (const auto* shown : {"edge-2", "stranger", "none"}) {
    Life life;
    (void)life.step(check(edge, "edge-1"), 1);
    const auto bad = life.step(check(edge, shown), 2);
    EXPECT_EQ(state_of(bad), CertificateState::invalid);
    EXPECT_EQ(bad.audit.size(), 1u) << shown;
    EXPECT_TRUE(bad.certificates.empty()) << shown;
    life.restart(3);
    (void)life.step(list("revoked.crl"), 4);
    (void)life.step(TimePassed{}, 5);
    EXPECT_EQ(life.table.open, Open{print_of("edge-1")}) << shown;
  }
}

TEST(Certificates, AGoodOneReplacesTheOneBefore) {
  for (const auto* before : {"edge-1", "stranger"}) {
    Life life;
    (void)life.step(check(edge, before), 1);
    EXPECT_EQ(life.step(check(edge, "edge-1-new"), 2).certificates.size(), 1u) << before;
    const auto saved = life.table.saved().certificates;
    ASSERT_EQ(saved.size(), 1u);
    EXPECT_EQ(saved[0].certificate, Pki::get().pem("edge-1-new")) << before;
    EXPECT_EQ(saved[0].changed_ms, to_ms(at(2)));
    (void)life.step(list("revoked.crl"), 3);
    EXPECT_TRUE(life.step(TimePassed{}, 4).outbox.empty()) << "edge-1 has shown a newer one";
  }
}

TEST(Certificates, ABadOneTakesThePlaceOfABadOne) {
  Life life;
  (void)life.step(check(edge, "stranger"), 1);
  EXPECT_EQ(life.step(check(edge, "edge-2"), 2).certificates.size(), 1u);
  EXPECT_TRUE(life.step(check(edge, "edge-2"), 3).audit.empty()) << "the newest answer is known";
}

TEST(Certificates, OneAnswerIsAuditedOnceAnHour) {
  Life life;
  EXPECT_EQ(life.step(check(edge, "edge-1"), 1).audit.size(), 1u);
  const auto repeat = life.step(check(edge, "edge-1"), 3'600.9);
  EXPECT_EQ(state_of(repeat), CertificateState::valid);
  EXPECT_TRUE(repeat.audit.empty());
  const auto late = life.step(check(edge, "edge-1"), 3'601);
  EXPECT_EQ(late.audit.size(), 1u);
  EXPECT_TRUE(late.certificates.empty()) << "nothing changed";
  EXPECT_TRUE(life.step(check(edge, "edge-1"), 3'602).audit.empty());
  (void)life.step(list("revoked.crl"), 3'603);
  const auto other = life.step(check(edge, "edge-1"), 3'604);
  ASSERT_EQ(other.audit.size(), 1u) << "another answer";
  EXPECT_EQ(other.audit[0].decision, "revoked");
  EXPECT_EQ(other.audit[0].trace, print_of("edge-1"));
}

TEST(Certificates, BeyondTheBoundAreAnsweredAndNotRemembered) {
  Limits limits;
  limits.certificates_max = 1;
  Life life(limits);
  (void)life.step(check(edge2, "edge-2"), 1);
  const auto out = life.step(check(edge, "edge-1"), 2);
  EXPECT_EQ(state_of(out), CertificateState::valid);
  EXPECT_EQ(out.audit.size(), 1u);
  EXPECT_TRUE(out.certificates.empty());
  (void)life.step(list("revoked.crl"), 3);
  EXPECT_TRUE(life.step(TimePassed{}, 4).outbox.empty());
  const auto gone = life.step(DeviceGone{edge2}, 5);
  ASSERT_EQ(gone.certificates.size(), 1u);
  EXPECT_TRUE(gone.certificates[0].remove);
  (void)life.step(check(edge, "edge-1-new"), 6);
  ASSERT_EQ(life.table.saved().certificates.size(), 1u) << "there is room again";
  EXPECT_EQ(life.table.saved().certificates[0].answer.device, edge);
  (void)life.step(check(edge, "edge-1-new"), 7);
  EXPECT_EQ(life.table.certificates.size(), 1u);
}

TEST(Certificates, AreCheckedAgainAFewAtOnce) {
  Limits limits;
  limits.recheck_per_tick = 1;
  Life life(limits);
  (void)life.step(check(edge, "edge-1"), 1);
  (void)life.step(check(edge2, "edge-2"), 1);
  life.restart(2);
  (void)life.step(TimePassed{}, 3);  // edge-1 is good by the old list
  (void)life.step(list("revoked.crl"), 4);
  (void)life.step(TimePassed{}, 5);
  EXPECT_EQ(life.table.open, Open{print_of("edge-1")}) << "a new list begins at the first device";
  (void)life.step(TimePassed{}, 6);
  EXPECT_TRUE(life.step(TimePassed{}, 31 * days).outbox.empty()) << "edge-1 is known to be bad";
  (void)life.step(TimePassed{}, 31 * days + 1);
  EXPECT_EQ(life.table.open, (Open{print_of("edge-1"), print_of("edge-2")}));
  EXPECT_TRUE(verify(life.table.rows()).ok());
}

TEST(Certificates, RestBetweenTwoChecksOfAll) {
  Life life;
  (void)life.step(check(edge2, "edge-2"), 1);
  const double begun = 30 * days - 200;  // they expire after 30 days
  EXPECT_TRUE(life.step(TimePassed{}, begun).outbox.empty());
  EXPECT_TRUE(life.step(TimePassed{}, begun + 3'599).outbox.empty());
  const auto out = life.step(TimePassed{}, begun + 3'600);
  EXPECT_EQ(all<AnnounceRevocation>(out).size(), 1u);
  ASSERT_EQ(out.certificates.size(), 1u);
  EXPECT_EQ(out.certificates[0].checked.answer.state, CertificateState::invalid);
  EXPECT_EQ(out.certificates[0].checked.changed_ms, to_ms(at(begun + 3'600)));
}

}  // namespace
}  // namespace fieldwork::security_policy
