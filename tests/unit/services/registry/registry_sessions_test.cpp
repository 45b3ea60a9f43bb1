// links: registry_shell GTest::gtest_main
// Sessions and certificates: two that ask at once, answers that come late, and starts in between.
#include <gtest/gtest.h>

#include "registry/core/registry.hpp"
#include "support/registry_core.hpp"

namespace fieldwork::registry {
namespace {

TEST(Sessions, AnAnswerIsForTheNewestEnrolment) {
  const auto pem = make_certificate("edge-1");
  Registry registry(Limits{}, {}, t0);
  (void)step(registry, EnrolmentArrived{edge, enrolment(1, pem)}, at(0));
  auto restarted = enrolment(2, pem);
  restarted.about.labels = {{"zone", "b"}};
  EXPECT_EQ(step(registry, EnrolmentArrived{edge, restarted}, at(1)), Output{}) << "asked already";
  const auto out = step(registry, checked(pem), at(2));
  EXPECT_EQ(out.answers, (std::vector{EnrolmentAnswer{edge, 2, true, ""}}));
  ASSERT_EQ(out.devices.size(), 1U);
  EXPECT_EQ(out.devices[0].enrolled_session, 2);
  EXPECT_EQ(out.devices[0].device.session, 2);
  EXPECT_EQ(out.devices[0].device.labels.at("zone"), "b");
}

TEST(Sessions, OfTwoCertificatesTheOneShownLastCounts) {
  const auto first = make_certificate("edge-1"), second = make_certificate("edge-1", 1);
  Registry registry(Limits{}, {}, t0);
  (void)step(registry, EnrolmentArrived{edge, enrolment(1, first)}, at(0));
  const auto turned = step(registry, EnrolmentArrived{edge, enrolment(1, second)}, at(1));
  EXPECT_EQ(turned, (Output{.outbox = {CloseQuestion{edge, fingerprint_of(first)},
                                       AskCertificate{edge, fingerprint_of(second), second}}}));
  const Output closed{.outbox = {CloseQuestion{edge, fingerprint_of(first)}}};
  EXPECT_EQ(step(registry, checked(first), at(2)), closed) << "nobody shows that one any more";
  EXPECT_EQ(step(registry, checked(first, CertificateState::invalid, "no"), at(2)), closed) << "nor is it refused";
  EXPECT_EQ(state_of(registry), "enrolling starting");
  EXPECT_EQ(events(step(registry, checked(second), at(3))), "active");
  EXPECT_EQ(registry.find(edge)->device.fingerprint, fingerprint_of(second));
  EXPECT_EQ(step(registry, checked(second), at(4)), (Output{.outbox = {CloseQuestion{edge, fingerprint_of(second)}}}))
      << "an answer repeated";
}

// A later session was heard while the certificate of an earlier one was checked.
TEST(Sessions, ALateAnswerTakesNoSessionBackFromADeviceThatIsHeard) {
  const auto pem = make_certificate("edge-1");
  auto registry = with(online);
  (void)step(registry, EnrolmentArrived{edge, enrolment(4, pem)}, at(1));
  (void)step(registry, connects(5), at(2));
  const auto out = step(registry, checked(pem), at(3));
  EXPECT_TRUE(out.answers.empty());
  ASSERT_EQ(out.rejections.size(), 1U);
  EXPECT_EQ(out.rejections[0].error.path, "/session");
  EXPECT_EQ(registry.find(edge)->device.session, 5);
  EXPECT_EQ(events(step(registry, will(4), at(4))), "") << "a late last will";
  EXPECT_EQ(all<AskCertificate>(step(registry, EnrolmentArrived{edge, enrolment(5, pem)}, at(5))).size(), 1U);
  EXPECT_EQ(step(registry, checked(pem), at(6)).answers, (std::vector{EnrolmentAnswer{edge, 5, true, ""}}));
}

TEST(Sessions, AnEarlierEnrolmentOfADeviceThatIsOnlineChangesNothing) {
  auto registry = with(online, 5);
  const auto before = *registry.find(edge);
  const auto out = step(registry, EnrolmentArrived{edge, enrolment(4, make_certificate("edge-1", 0, 1))}, at(3600));
  ASSERT_EQ(out.rejections.size(), 1U);
  EXPECT_EQ(out, (Output{.rejections = out.rejections})) << "not asked, answered, saved or said";
  EXPECT_EQ(out.rejections[0].channel, "enrol");
  EXPECT_EQ(out.rejections[0].error.code, Code::conflict);
  EXPECT_EQ(*registry.find(edge), before);
}

TEST(Sessions, AnAnswerAnHourLateStillEnrols) {
  const auto pem = make_certificate("edge-1");
  Registry registry(Limits{}, {}, t0);
  (void)step(registry, LinkBack{}, at(0));
  (void)step(registry, EnrolmentArrived{edge, enrolment(1, pem)}, at(0));
  EXPECT_EQ(pass(registry, 0.5, 3600), "") << "the silence of who waits is not judged";
  EXPECT_EQ(state_of(registry), "enrolling starting");
  EXPECT_EQ(events(step(registry, checked(pem), at(3600))), "active");
  EXPECT_EQ(pass(registry, 3600.5, 3614.5), "") << "it has the full time from now on";
  EXPECT_EQ(pass(registry, 3615, 3616), "suspect");
}

TEST(Sessions, ADeviceThatEnrolsAgainIsSavedAndSaidWithoutAnEvent) {
  const auto pem = make_certificate("edge-1");
  auto registry = with(online);
  auto grown = enrolment(4, pem);
  grown.about.capacity.cpu_millis = 8000;
  const auto asked = step(registry, EnrolmentArrived{edge, grown}, at(1));
  EXPECT_TRUE(asked.devices.empty()) << "its certificate is not checked yet";
  const auto out = step(registry, checked(pem), at(2));
  EXPECT_EQ(events(out), "");
  EXPECT_EQ(out.devices, std::vector{*registry.find(edge)});
  ASSERT_EQ(out.states.size(), 1U);
  EXPECT_EQ(out.states[0].about.capacity.cpu_millis, 8000);
  EXPECT_EQ(out.states[0].labels, grown.about.labels);
}

TEST(Sessions, ACertificateForAnotherNameLeavesAGoodOneInForce) {
  auto saved = record(online);
  saved.key.clear();  // of an earlier version's row: else it would be another key's claim
  auto registry = with(saved);
  const auto out = step(registry, EnrolmentArrived{edge, enrolment(4, make_certificate("edge-2"))}, at(1));
  ASSERT_EQ(out.answers.size(), 1U);
  EXPECT_EQ(out, (Output{.answers = {{edge, 4, false, out.answers[0].reason}}})) << "told, and that is all";
  EXPECT_NE(out.answers[0].reason, "");
  EXPECT_EQ(step(registry, EnrolmentArrived{edge, enrolment(3, make_certificate("edge-1"))}, at(2)),
            (Output{.answers = {{edge, 3, true, ""}}}));
}

TEST(Sessions, WhoWasRefusedBeginsAnew) {
  const auto bad = make_certificate("edge-1"), good = make_certificate("edge-1", 1);
  auto registry = with(lost);
  EXPECT_EQ(events(step(registry, checked(bad, CertificateState::revoked, "r"), at(1))), "refused") << "lost, too";
  EXPECT_EQ(registry.find(edge)->device.reason, "r");
  (void)step(registry, EnrolmentArrived{edge, enrolment(1, good)}, at(2));
  EXPECT_EQ(state_of(registry), "refused lost") << "until the other one is checked";
  const auto out = step(registry, checked(good), at(3));
  EXPECT_EQ(events(out), "active") << "not back";
  ASSERT_EQ(out.states.size(), 1U);
  EXPECT_EQ(out.states[0].reason, "");
  EXPECT_EQ(out.states[0].health, 1);
  EXPECT_EQ(out.states[0].session, 1) << "set up anew";
}

TEST(Sessions, AFullRegistryServesThoseItHas) {
  const auto pem = make_certificate("edge-1");
  Limits limits;
  limits.devices_max = 1;
  Registry registry(limits, {record(lost)}, t0);
  const DeviceId two{"edge-2"};
  const auto full = step(registry, EnrolmentArrived{two, enrolment(1, make_certificate("edge-2"))}, at(1));
  EXPECT_EQ(full, (Output{.rejections = full.rejections}));
  EXPECT_EQ(registry.find(two), nullptr);
  EXPECT_EQ(all<AskCertificate>(step(registry, EnrolmentArrived{edge, enrolment(4, pem)}, at(2))).size(), 1U);
  EXPECT_EQ(events(step(registry, checked(pem), at(3))), "") << "its first heartbeat is an event";
  EXPECT_EQ(state_of(registry), "active starting");
  const auto stranger = step(registry, HeartbeatArrived{two, heartbeat(1)}, at(4));
  ASSERT_EQ(stranger.answers.size(), 1U);
  EXPECT_TRUE(stranger.answers[0].unknown);
}

}  // namespace
}  // namespace fieldwork::registry
