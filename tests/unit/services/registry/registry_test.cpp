// links: registry_shell GTest::gtest_main
#include <gtest/gtest.h>

#include "registry/core/registry.hpp"
#include "registry/shell/rows.hpp"
#include "support/registry_core.hpp"

namespace fieldwork::registry {
namespace {

TEST(Registry, EnrolsWhatSecurityPolicyCallsValid) {
  const auto pem = make_certificate("edge-1");
  Registry registry(Limits{}, {}, t0);
  auto out = step(registry, EnrolmentArrived{edge, enrolment(1, pem)}, at(0));
  ASSERT_EQ(all<AskCertificate>(out), (std::vector{AskCertificate{edge, fingerprint_of(pem), pem}}));
  EXPECT_EQ(state_of(registry), "enrolling starting");
  EXPECT_TRUE(out.answers.empty());

  out = step(registry, EnrolmentArrived{edge, enrolment(1, pem)}, at(1));  // a repeat asks nobody again
  EXPECT_EQ(out, Output{});

  out = step(registry, CertificateChecked{{edge, fingerprint_of(pem), CertificateState::valid, ""}}, at(2));
  EXPECT_EQ(all<CloseQuestion>(out).size(), 1u);
  EXPECT_EQ(out.answers, (std::vector{EnrolmentAnswer{edge, 1, true, ""}}));
  EXPECT_EQ(events(out), "active");
  EXPECT_EQ(state_of(registry), "active starting");
  EXPECT_EQ(registry.find(edge)->device.labels.at("zone"), "a");

  out = step(registry, EnrolmentArrived{edge, enrolment(1, pem)}, at(3));  // decided: answered at once
  EXPECT_EQ(out, (Output{.answers = {{edge, 1, true, ""}}}));

  out = step(registry, EnrolmentArrived{edge, enrolment(2, pem)}, at(4));  // a new session is checked again
  EXPECT_EQ(all<AskCertificate>(out).size(), 1u);
  EXPECT_EQ(state_of(registry), "active starting");
  EXPECT_EQ(events(step(registry, HeartbeatArrived{edge, heartbeat(1)}, at(5))), "online");
  EXPECT_EQ(state_of(registry), "active online");
}

TEST(Registry, AsksOnceForADeviceThatRepeatsItsEnrolment) {
  Registry registry(Limits{}, {}, t0);
  const auto pem = make_certificate("edge-1");
  EXPECT_EQ(all<AskCertificate>(step(registry, EnrolmentArrived{edge, enrolment(1, pem)}, at(0))).size(), 1U);
  auto again = enrolment(1, pem);
  again.about.site = "berlin";
  EXPECT_TRUE(step(registry, EnrolmentArrived{edge, again}, at(5)).outbox.empty());
  (void)step(registry, checked(pem), at(6));
  EXPECT_EQ(state_of(registry), "active starting");
  EXPECT_EQ(registry.find(edge)->device.about.site, "berlin") << "what it said last counts";
}

TEST(Registry, RefusesCertificates) {
  const auto pem = make_certificate("edge-1");
  const auto other = make_certificate("edge-2");
  struct Case {
    const char* name;
    std::string pem;
    std::optional<CertificateState> answer;  // none: not even asked
  };
  for (const auto& c : {Case{"revoked", pem, CertificateState::revoked},
                        Case{"invalid", pem, CertificateState::invalid}, Case{"other name", other, std::nullopt}}) {
    Registry registry(Limits{}, {}, t0);
    auto out = step(registry, EnrolmentArrived{edge, enrolment(1, c.pem)}, at(0));
    if (c.answer) out = step(registry, CertificateChecked{{edge, fingerprint_of(c.pem), *c.answer, "no"}}, at(1));
    EXPECT_TRUE(all<AskCertificate>(out).empty()) << c.name;
    ASSERT_EQ(out.answers.size(), 1u) << c.name;
    EXPECT_FALSE(out.answers[0].enrolled) << c.name;
    EXPECT_EQ(events(out), "refused") << c.name;
    EXPECT_EQ(state_of(registry), "refused starting") << c.name;
    EXPECT_EQ(registry.find(edge)->device.health, 0) << c.name;
    out = step(registry, HeartbeatArrived{edge, heartbeat(1)}, at(2));
    EXPECT_EQ(state_of(registry), "refused online") << c.name << ": it is heard, and that is all";
    out = step(registry, EnrolmentArrived{edge, enrolment(1, c.pem)}, at(3));
    EXPECT_EQ(events(out), "") << c.name;
    EXPECT_EQ(out.answers.size(), c.answer ? 0u : 1u) << c.name;
    if (!c.answer) continue;
    EXPECT_EQ(all<AskCertificate>(out).size(), 1u) << c.name << ": what was wrong may be over";
    (void)step(registry, CertificateChecked{{edge, fingerprint_of(c.pem), CertificateState::valid, ""}}, at(4));
    EXPECT_EQ(state_of(registry), "active online") << c.name;
  }
}

TEST(Registry, RejectsWhatIsNoCertificate) {
  Registry registry(Limits{}, {}, t0);
  const auto out = step(registry, EnrolmentArrived{edge, enrolment(1, "not PEM")}, at(0));
  ASSERT_EQ(out.rejections.size(), 1u);
  EXPECT_EQ(out.rejections[0].error.path, "/certificate");
  EXPECT_EQ(registry.size(), 0u);
}

TEST(Registry, KeepsAGoodCertificateWhenAnotherIsBad) {
  auto registry = with(online);
  const auto fresh = make_certificate("edge-1", 0, 1);
  (void)step(registry, EnrolmentArrived{edge, enrolment(4, fresh)}, at(1));
  auto out = step(registry, CertificateChecked{{edge, fingerprint_of(fresh), CertificateState::invalid, "no"}}, at(2));
  EXPECT_EQ(out.answers, (std::vector{EnrolmentAnswer{edge, 4, false, "no"}}));
  EXPECT_EQ(registry.find(edge)->device, with(online).find(edge)->device);

  (void)step(registry, EnrolmentArrived{edge, enrolment(4, fresh)}, at(3));
  out = step(registry, CertificateChecked{{edge, fingerprint_of(fresh), CertificateState::valid, ""}}, at(4));
  EXPECT_EQ(registry.find(edge)->device.fingerprint, fingerprint_of(fresh));
  EXPECT_EQ(registry.find(edge)->device.session, 4);
}

TEST(Registry, RefusesWhenTheBoundCertificateIsRevokedLater) {
  auto registry = with(online);
  const auto bound = registry.find(edge)->device.fingerprint;
  auto out = step(registry, CertificateChecked{{edge, std::string(64, 'a'), CertificateState::revoked, "r"}}, at(1));
  EXPECT_EQ(state_of(registry), "active online");
  out = step(registry, CertificateChecked{{edge, bound, CertificateState::revoked, "revoked"}}, at(1));
  EXPECT_EQ(state_of(registry), "refused online");
  EXPECT_EQ(out.answers.size(), 1u);
  EXPECT_EQ(events(step(registry, CertificateChecked{{edge, bound, CertificateState::revoked, "revoked"}}, at(2))), "");
}

TEST(Registry, FollowsPresence) {
  struct Case {
    const char* name;
    Axes axes;
    PresenceArrived presence;
    const char* then;
    const char* events;
  };
  const Case cases[] = {
      {"will of this session", online, will(3), "active suspect", "suspect"},
      {"old will after a new session", online, will(2), "active online", ""},
      {"will of a session never seen", online, will(4), "active online", ""},
      {"retained will", online, will(3, true), "active suspect", "suspect"},
      {"will before the first heartbeat", starting, will(3), "active suspect", "suspect"},
      {"a new session", online, connects(4), "active starting", ""},
      {"the same session reconnects", online, connects(3), "active online", ""},
      {"suspect connects", suspect, connects(3), "active starting", ""},
      {"lost connects", lost, connects(4), "active starting", ""},
      {"retained online proves nothing", lost, connects(3, true), "active lost", ""},
      {"old online", suspect, connects(2), "active suspect", ""},
      {"refused stays", refused, connects(4), "refused online", ""},
      {"enrolling stays", enrolling, connects(3), "enrolling starting", ""},
  };
  for (const auto& c : cases) {
    auto registry = with(c.axes);
    const auto out = step(registry, c.presence, at(1));
    EXPECT_EQ(state_of(registry), c.then) << c.name;
    EXPECT_EQ(events(out), c.events) << c.name;
  }
}

// That it was online in this session is known.
TEST(Registry, BringsBackWhoReconnects) {
  for (const auto& gone : {will(3), goodbye(3), sleeps(3, 60)}) {
    auto registry = with(online);
    (void)step(registry, HeartbeatArrived{edge, heartbeat(3)}, at(1));
    (void)step(registry, gone, at(2));
    EXPECT_NE(state_of(registry), "active online");
    EXPECT_EQ(events(step(registry, connects(3), at(3))), "back");
    EXPECT_EQ(state_of(registry), "active online");
  }
}

TEST(Registry, IgnoresAnOldWillAfterARestartOfTheAgent) {
  auto registry = with(online);
  (void)step(registry, connects(4), at(1));
  EXPECT_EQ(step(registry, will(3), at(2)), Output{});
  EXPECT_EQ(state_of(registry), "active starting");
  // The new session must still show its certificate.
  const auto out = step(registry, EnrolmentArrived{edge, enrolment(4, make_certificate("edge-1"))}, at(3));
  EXPECT_EQ(all<AskCertificate>(out).size(), 1u);
}

// Its copy was there for a while, with a session of its own, and is gone.
TEST(Registry, ChecksAnEarlierSessionAgainAfterANewerOneWasHeard) {
  const auto pem = make_certificate("edge-1");
  auto registry = with(online, 1);
  (void)step(registry, connects(2), at(1));
  (void)pass(registry, 1.5, 60);
  EXPECT_EQ(state_of(registry), "active lost");
  const auto out = step(registry, EnrolmentArrived{edge, enrolment(1, pem)}, at(61));
  EXPECT_EQ(all<AskCertificate>(out).size(), 1u) << "an answer from memory would leave it deaf to session 1";
  (void)step(registry, CertificateChecked{{edge, fingerprint_of(pem), CertificateState::valid, ""}}, at(62));
  EXPECT_EQ(state_of(registry), "active starting");
}

TEST(Registry, BelievesASmallerSessionOnlyOfADeviceThatIsNotOnline) {
  const auto pem = make_certificate("edge-1");
  auto heard = with(online, 57);
  EXPECT_EQ(step(heard, EnrolmentArrived{edge, enrolment(1, pem)}, at(1)).rejections.size(), 1u);
  auto silent = with(lost, 57);
  (void)step(silent, EnrolmentArrived{edge, enrolment(1, pem)}, at(1));
  (void)step(silent, CertificateChecked{{edge, fingerprint_of(pem), CertificateState::valid, ""}}, at(2));
  EXPECT_EQ(state_of(silent), "active starting");
  EXPECT_EQ(silent.find(edge)->device.session, 1);
}

TEST(Registry, JudgesSilence) {
  auto registry = with(online);
  EXPECT_EQ(pass(registry, 0.5, 14.5), "");
  EXPECT_EQ(pass(registry, 15, 44.5), "suspect");
  EXPECT_EQ(pass(registry, 45, 100), "lost");
  EXPECT_EQ(registry.find(edge)->device.health, 0);
  const auto out = step(registry, HeartbeatArrived{edge, heartbeat(3)}, at(101));
  EXPECT_EQ(events(out), "back");
  EXPECT_EQ(out.devices.size(), 1u);
}

TEST(Registry, JudgesNobodyWhileTheBrokerIsAwayOrAfterAPauseOfItsOwn) {
  auto registry = with(online);
  (void)step(registry, LinkLost{}, at(1));
  EXPECT_EQ(pass(registry, 1, 300), "");
  const auto out = step(registry, LinkBack{}, at(300));
  EXPECT_EQ(out.states.size(), 1u);
  EXPECT_EQ(pass(registry, 300, 314), "");
  EXPECT_EQ(events(step(registry, Stalled{}, at(600))), "");  // the database was away
  EXPECT_EQ(pass(registry, 600, 614), "");
  EXPECT_EQ(pass(registry, 615, 616), "suspect");
}

TEST(Registry, GivesGraceAfterARestart) {
  Registry before(Limits{}, {record(online)}, t0);
  const auto saved = step(before, HeartbeatArrived{edge, heartbeat(3)}, at(1)).devices.at(0);
  auto row = to_row(saved).to_json();
  auto read = from_row(row);
  ASSERT_TRUE(read.ok()) << describe(read.error());
  EXPECT_EQ(*read, saved);
  Registry after(Limits{}, {*read}, at(1000));
  (void)step(after, LinkBack{}, at(1001));
  EXPECT_EQ(pass(after, 1001, 1015), "");
  EXPECT_EQ(pass(after, 1016, 1017), "suspect");
  // Decided before the restart, answered at once after it.
  const auto out = step(after, EnrolmentArrived{edge, enrolment(3, make_certificate("edge-1"))}, at(1017));
  EXPECT_EQ(out, (Output{.answers = {{edge, 3, true, ""}}}));
}

TEST(Registry, WritesAndPublishesHeartbeatsSparingly) {
  auto registry = with(online);
  std::size_t saves = 0, states = 0;
  for (int s = 5; s <= 120; s += 5) {
    const auto out = step(registry, HeartbeatArrived{edge, heartbeat(3)}, at(s));
    saves += out.devices.size();
    states += out.states.size();
  }
  EXPECT_EQ(saves, 2u);   // the first, and after a minute
  EXPECT_EQ(states, 4u);  // the first, and each half minute
  auto bad = heartbeat(3, 40);
  EXPECT_EQ(step(registry, HeartbeatArrived{edge, bad}, at(125)).states.size(), 1u);
  EXPECT_EQ(step(registry, HeartbeatArrived{edge, heartbeat(2)}, at(126)), Output{});  // an old session
}

TEST(Registry, SavesAndSaysADeviceOncePerBatch) {
  auto registry = with(online);
  (void)step(registry, HeartbeatArrived{edge, heartbeat(3)}, at(0.5));
  Output out;
  registry.step(will(3), at(1), out);
  registry.step(connects(3), at(1), out);
  EXPECT_TRUE(out.devices.empty() && out.states.empty()) << "before the end of the batch";
  registry.step(BatchEnded{}, at(1), out);
  EXPECT_EQ(out.devices, std::vector{*registry.find(edge)}) << "as it is then";
  EXPECT_EQ(out.states, std::vector{registry.find(edge)->device});
  EXPECT_EQ(events(out), "suspect back");
  Output more;
  registry.step(BatchEnded{}, at(1), more);
  EXPECT_EQ(more, Output{});
}

TEST(Registry, IsBounded) {
  Limits limits;
  limits.devices_max = 1;
  Registry registry(limits, {record(online)}, t0);
  const DeviceId two{"edge-2"};
  const auto out = step(registry, EnrolmentArrived{two, enrolment(1, make_certificate("edge-2"))}, at(1));
  ASSERT_EQ(out.rejections.size(), 1u);
  EXPECT_EQ(out.rejections[0].error.code, Code::unavailable);
}

TEST(Health, SaysWhatTheFormulaSays) {
  struct Case {
    const char* name;
    Axes axes;
    double memory, disk, load;  // parts of what there is; load in all
    Signs signs;
    double low, high;
  };
  const Case cases[] = {
      {"fine", online, 0.9, 0.9, 1.0, {true, 0, 0}, 1, 1},
      {"not measured", online, 0, 0, 99, {false, 0, 0}, 1, 1},
      {"busy", online, 0.5, 0.5, 6.0, {true, 0, 0}, 1, 1},
      {"overloaded", online, 0.5, 0.5, 40, {true, 0, 0}, 0.5, 0.5},
      {"memory out", online, 0, 0.5, 1, {true, 0, 0}, 0.4, 0.4},
      {"memory at half of enough", online, 0.05, 0.5, 1, {true, 0, 0}, 0.69, 0.71},
      {"disk out", online, 0.5, 0, 1, {true, 0, 0}, 0.4, 0.4},
      {"a shaky link", online, 0.5, 0.5, 1, {true, 4, 0}, 0.59, 0.61},
      {"missed beats", online, 0.5, 0.5, 1, {true, 0, 4}, 0.79, 0.81},
      {"suspect", suspect, 0.9, 0.9, 1, {true, 0, 0}, 0.5, 0.5},
      {"lost", lost, 0.9, 0.9, 1, {true, 0, 0}, 0, 0},
  };
  for (const auto& c : cases) {
    Device device;
    device.lifecycle = c.axes.lifecycle;
    device.presence = c.axes.presence;
    device.about.capacity = capacity;
    device.resources = {c.load, static_cast<std::int64_t>(c.memory * 1e9), static_cast<std::int64_t>(c.disk * 1e10), 1};
    const double got = health(device, c.signs);
    EXPECT_GE(got, c.low - 1e-9) << c.name;
    EXPECT_LE(got, c.high + 1e-9) << c.name;
  }
  EXPECT_NEAR(faded(1, seconds{600}), 0.3679, 1e-3);
}

}  // namespace
}  // namespace fieldwork::registry
