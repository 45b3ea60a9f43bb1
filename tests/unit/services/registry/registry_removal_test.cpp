// links: registry_shell GTest::gtest_main
// Whom an id belongs to: removed and retired devices, and devices with another key.
#include <gtest/gtest.h>

#include "support/registry_core.hpp"

namespace fieldwork::registry {
namespace {

constexpr Axes inactive{Lifecycle::inactive, Presence::online};
const Device& device_of(const Registry& registry) { return registry.find(edge)->device; }
std::size_t found(const Registry& registry, const char* expression) {
  return registry.list(*fleet::Expression::parse(expression), {}, SIZE_MAX).size();
}

TEST(Remove, LeavesNothingOfTheDevice) {
  auto registry = with(inactive);
  (void)step(registry, configure({.set = {.labels = {{"rack", "7"}}}, .unset = {}}), at(1));
  EXPECT_EQ(found(registry, "lifecycle == inactive"), 1U);
  Output out;
  registry.step(connects(4), at(2), out);  // in the same batch: a row and a state would be due
  const auto was = device_of(registry);
  registry.step(request(Verb::remove), at(2), out);
  registry.step(BatchEnded{}, at(2), out);
  EXPECT_EQ(out, (Output{.removed = {edge},
                         .outbox = {CloseConfiguration{edge}},
                         .requests = {{1, was}},
                         .events = {{edge, "removed", "", "ann"}}}));
  EXPECT_EQ(registry.size(), 0U);
  EXPECT_EQ(registry.find(edge), nullptr);
  for (const char* expression : {"lifecycle == inactive", "lifecycle != retired", R"(label.rack == "7")"})
    EXPECT_EQ(found(registry, expression), 0U) << expression;
  EXPECT_TRUE(registry.list(std::nullopt, {}, SIZE_MAX).empty());
  const auto answers = step(registry, HeartbeatArrived{edge, heartbeat(3)}, at(3)).answers;
  ASSERT_EQ(answers.size(), 1U) << "so that it enrols anew";
  EXPECT_EQ(answers[0].session, 3);
  EXPECT_TRUE(answers[0].unknown);
  EXPECT_EQ(std::get<Error>(step(registry, request(Verb::remove), at(4)).requests.at(0).answer).code, Code::unknown);
}

TEST(Remove, LetsAnotherKeyEnrolUnderTheId) {
  const auto other = make_certificate("edge-1", 1);
  auto registry = with(inactive, 57);
  (void)step(registry, configure({.set = {.sample_s = 2}, .unset = {}}), at(1));
  (void)step(registry, request(Verb::remove), at(2));
  const auto asked = step(registry, EnrolmentArrived{edge, enrolment(1, other)}, at(3));
  EXPECT_EQ(all<AskCertificate>(asked).size(), 1U);
  EXPECT_EQ(state_of(registry), "enrolling starting");
  const auto out = step(registry, checked(other), at(4));
  EXPECT_EQ(out.answers, (std::vector{EnrolmentAnswer{edge, 1, true, ""}}));
  EXPECT_EQ(events(out), "active");
  EXPECT_EQ(registry.find(edge)->key, key_of(other));
  EXPECT_EQ(device_of(registry).configuration, Configuration{}) << "nothing is wanted of this one";
  EXPECT_EQ(device_of(registry).registered_ms, to_ms(at(3)));
  EXPECT_EQ(found(registry, "lifecycle == active"), 1U);
}

TEST(Remove, ClosesTheQuestionAboutItsCertificate) {
  const auto pem = make_certificate("edge-1");
  for (const auto verb : {Verb::remove, Verb::retire}) {
    Registry registry(Limits{}, {}, t0);
    (void)step(registry, EnrolmentArrived{edge, enrolment(1, pem)}, at(0));
    const auto out = step(registry, request(verb), at(1));
    EXPECT_EQ(out.outbox,
              (std::vector<OutboxChange>{CloseQuestion{edge, fingerprint_of(pem)}, CloseConfiguration{edge}}));
    EXPECT_EQ(step(registry, checked(pem), at(2)), (Output{.outbox = {CloseQuestion{edge, fingerprint_of(pem)}}}))
        << "a late answer enrols nobody";
  }
}

TEST(Retire, IsForGood) {
  const auto pem = make_certificate("edge-1");
  auto registry = with(inactive);
  (void)step(registry, configure({.set = {.sample_s = 2}, .unset = {}}), at(0));
  const auto out = step(registry, request(Verb::retire), at(1));
  EXPECT_EQ(out.outbox, (std::vector<OutboxChange>{CloseConfiguration{edge}}));
  EXPECT_EQ(out.events, (std::vector{DeviceEvent{edge, "retired", "", "ann"}}));
  EXPECT_EQ(device_of(registry).health, 0);
  Registry after(Limits{}, {stored(*registry.find(edge))}, at(2));
  for (auto* one : {&registry, &after}) {
    const auto before = *one->find(edge);
    for (const std::int64_t session : {3, 4}) {
      const auto enrolled = step(*one, EnrolmentArrived{edge, enrolment(session, pem)}, at(3));
      ASSERT_EQ(enrolled.answers.size(), 1U);
      EXPECT_EQ(enrolled, (Output{.answers = {{edge, session, false, enrolled.answers[0].reason}}}))
          << "nobody is asked";
      EXPECT_TRUE(enrolled.answers[0].reason.starts_with("the device is retired"));
    }
    const Input said[] = {HeartbeatArrived{edge, heartbeat(3)}, connects(4), will(3), configured(9), TimePassed{}};
    for (const auto& input : said) {
      const auto said_of_it = step(*one, input, at(4));
      EXPECT_TRUE(said_of_it.outbox.empty() && said_of_it.answers.empty() && said_of_it.rejections.empty());
    }
    (void)step(*one, checked(pem), at(5));
    (void)step(*one, checked(pem, CertificateState::revoked, "r"), at(5));
    auto then = *one->find(edge);
    EXPECT_EQ(then.device.presence, Presence::suspect) << "of it is known whether it is heard, and no more";
    then.device.presence = before.device.presence;
    then.device.changed_ms = before.device.changed_ms;
    EXPECT_EQ(then, before);
    (void)step(*one, request(Verb::remove), at(6));
    EXPECT_EQ(events(enrol(*one, enrolment(1, pem), at(7))), "active") << "its id is free again";
  }
}

TEST(AnotherKey, IsRefusedAndChangesNothing) {
  auto registry = with(online);
  const auto before = *registry.find(edge);
  const auto out = step(registry, EnrolmentArrived{edge, enrolment(9, make_certificate("edge-1", 1))}, at(1));
  ASSERT_EQ(out.answers.size(), 1U);
  EXPECT_FALSE(out.answers[0].enrolled);
  EXPECT_EQ(out.answers[0].session, 9);
  EXPECT_TRUE(out.answers[0].reason.starts_with("already_registered: "));
  EXPECT_TRUE(out.outbox.empty()) << "its certificate is not even checked";
  EXPECT_EQ(events(out), "already_registered");
  ASSERT_EQ(out.states.size(), 1U);
  EXPECT_EQ(out.states[0].claimed_ms, to_ms(at(1)));
  auto after = *registry.find(edge);
  ASSERT_EQ(out.devices.size(), 1U);
  EXPECT_EQ(stored(out.devices[0]).device.claimed_ms, to_ms(at(1))) << "a restart gives no false all-clear";
  after.device.claimed_ms = 0;
  after.faded_ms = before.faded_ms;
  EXPECT_EQ(after, before);
  EXPECT_EQ(events(step(registry, HeartbeatArrived{edge, heartbeat(3)}, at(2))), "") << "the owner goes on";
}

TEST(AnotherKey, IsOneEventPerBurst) {
  auto registry = with(online);
  const auto claim = [&](double s) {
    const auto out = step(registry, EnrolmentArrived{edge, enrolment(1, make_certificate("edge-1", 1))}, at(s));
    EXPECT_EQ(out.answers.size(), 1U) << "each is told";
    EXPECT_EQ(out.states.size(), 1U);
    EXPECT_EQ(device_of(registry).claimed_ms, to_ms(at(s)));
    return events(out);
  };
  EXPECT_EQ(claim(1), "already_registered");
  for (int s = 6; s <= 201; s += 5) EXPECT_EQ(claim(s), "") << s;
  EXPECT_EQ(claim(260.5), "") << "not a minute later";
  EXPECT_EQ(claim(320.5), "already_registered");
}

TEST(AnotherKey, IsTakenWhereTheIdIsNobodysYet) {
  const auto other = make_certificate("edge-1", 1), renewed = make_certificate("edge-1", 0, 1);
  auto registry = with(online);
  EXPECT_EQ(enrol(registry, enrolment(4, renewed), at(1)).answers, (std::vector{EnrolmentAnswer{edge, 4, true, ""}}))
      << "the same key has a new certificate";
  auto earlier = record(lost);
  earlier.key.clear();
  for (const auto& saved : {earlier, record(refused)}) {
    auto one = with(saved);
    EXPECT_EQ(enrol(one, enrolment(4, other), at(1)).answers, (std::vector{EnrolmentAnswer{edge, 4, true, ""}}));
    EXPECT_EQ(one.find(edge)->key, key_of(other));
    const auto out = step(one, EnrolmentArrived{edge, enrolment(5, make_certificate("edge-1"))}, at(2));
    EXPECT_EQ(events(out), "already_registered") << "from now on it is the other one's";
  }
}

}  // namespace
}  // namespace fieldwork::registry
