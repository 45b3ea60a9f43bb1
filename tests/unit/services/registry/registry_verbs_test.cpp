// links: registry_shell GTest::gtest_main
// What operators may want of a device where it stands, and when it is so.
#include <gtest/gtest.h>

#include "support/registry_core.hpp"

namespace fieldwork::registry {
namespace {

Heartbeat busy(std::int64_t session = 3) {
  auto out = heartbeat(session);
  out.attempts = {{JobId("j"), 0, 1}};
  return out;
}

const Device& device_of(const Registry& registry) { return registry.find(edge)->device; }

// A letter per lifecycle, in the order of its enum. d: done; r: refused; a: done only of a device that is away.
struct Row {
  Verb verb;
  const char* name;
  const char* legal;
  const char* then;  // E, A, D, I, R, T as the lifecycle that follows at once; -: none, its record is gone
};
const Row table[] = {
    // enrolling active draining inactive refused retired
    {Verb::activate, "activate", "rdddrr", "EADIRT"},     {Verb::drain, "drain", "rddrrr", "EDDIRT"},
    {Verb::deactivate, "deactivate", "rdddrr", "EDDIRT"}, {Verb::retire, "retire", "daaddd", "TTTTTT"},
    {Verb::remove, "remove", "daaddd", "------"},         {Verb::configure, "configure", "dddddr", "EADIRT"},
};

void expect_refused(const Registry& registry, const Output& out, const Row& row, const Record& before) {
  ASSERT_EQ(out.requests.size(), 1U);
  EXPECT_EQ(out, (Output{.requests = out.requests})) << "nothing is saved or said";
  EXPECT_EQ(*registry.find(edge), before);
  const auto* error = std::get_if<Error>(&out.requests[0].answer);
  ASSERT_NE(error, nullptr);
  EXPECT_EQ(error->code, Code::conflict);
  const auto state = "the device is " + std::string(name(before.device.lifecycle)) + " and " +
                     std::string(name(before.device.presence));
  EXPECT_NE(error->reason.find(state), std::string::npos) << error->reason;
  EXPECT_TRUE(error->reason.starts_with(std::string("cannot ") + row.name)) << error->reason;
}

void expect_done(const Registry& registry, const Output& out, char then) {
  ASSERT_EQ(out.requests.size(), 1U);
  EXPECT_EQ(out.requests[0].reply, 1U);
  ASSERT_TRUE(std::holds_alternative<Device>(out.requests[0].answer));
  if (then == '-') {
    EXPECT_EQ(registry.find(edge), nullptr);
    return;
  }
  EXPECT_EQ(device_of(registry).lifecycle, static_cast<Lifecycle>(std::string("EADIRT").find(then)));
  EXPECT_EQ(std::get<Device>(out.requests[0].answer), device_of(registry)) << "as it is then";
}

TEST(Verbs, AreLegalWhereTheTableSaysSo) {
  int refusals = 0, done = 0;
  for (const auto& row : table) {
    for (std::size_t i = 0; i < lifecycle_names().size(); ++i) {
      for (std::size_t j = 0; j < presence_names().size(); ++j) {
        const Axes axes{static_cast<Lifecycle>(i), static_cast<Presence>(j)};
        SCOPED_TRACE(std::string(row.name) + " " + state_of(record(axes).device));
        auto registry = with(axes);
        const auto before = *registry.find(edge);
        auto asked = request(row.verb);
        asked.settings.set.heartbeat_s = 7;
        const auto out = step(registry, asked, at(1));
        const bool away = axes.presence == Presence::lost || axes.presence == Presence::disconnected;
        if (row.legal[i] == 'r' || (row.legal[i] == 'a' && !away)) {
          expect_refused(registry, out, row, before);
          ++refusals;
        } else {
          expect_done(registry, out, row.then[i]);
          ++done;
        }
      }
    }
  }
  EXPECT_EQ(refusals, 11 * 6 + 4 * 4);
  EXPECT_EQ(done, 6 * 6 * 6 - refusals);
}

TEST(Verbs, OfADeviceThatNobodyKnowsAreRefused) {
  Registry registry(Limits{}, {}, t0);
  for (const auto& row : table) {
    const auto out = step(registry, request(row.verb), at(1));
    ASSERT_EQ(out.requests.size(), 1U);
    EXPECT_EQ(out, (Output{.requests = out.requests})) << row.name;
    EXPECT_EQ(std::get<Error>(out.requests[0].answer).code, Code::unknown) << row.name;
  }
}

TEST(Verbs, ARepeatIsDoneOnceAndAnsweredTwice) {
  for (const auto& row : table) {
    if (row.verb == Verb::remove) continue;  // there is no device any more: unknown
    auto registry =
        with(Axes{row.verb == Verb::activate || row.verb == Verb::retire ? Lifecycle::inactive : Lifecycle::active,
                  Presence::online});
    auto asked = request(row.verb, "ann", 7);
    asked.settings.set.heartbeat_s = 7;
    const auto first = step(registry, asked, at(1));
    EXPECT_FALSE(first.devices.empty() || first.states.empty() || first.outbox.empty()) << row.name;
    const auto version = device_of(registry).configuration.version;
    EXPECT_EQ(version, row.verb == Verb::retire ? 0 : 1) << row.name;
    for (const double s : {2, 3000}) {
      asked.reply += 1;
      EXPECT_EQ(step(registry, asked, at(s)), (Output{.requests = {{asked.reply, device_of(registry)}}})) << row.name;
    }
    EXPECT_EQ(device_of(registry).configuration.version, version) << row.name;
  }
}

TEST(Verbs, ActivateCountsWhenTheDeviceFollows) {
  auto registry = with(Axes{Lifecycle::inactive, Presence::online});
  const auto asked = step(registry, request(Verb::activate), at(1));
  EXPECT_EQ(asked.events, (std::vector<DeviceEvent>{{edge, "wanted", "active", "ann"}}));
  EXPECT_EQ(all<SendConfiguration>(asked),
            (std::vector{SendConfiguration{edge, {.version = 1, .lifecycle = Lifecycle::active}}}));
  EXPECT_FALSE(gets_work(device_of(registry))) << "it would refuse work";
  const auto followed = step(registry, configured(1), at(2));
  EXPECT_EQ(events(followed), "configured active");
  EXPECT_EQ(followed.outbox, (std::vector<OutboxChange>{CloseConfiguration{edge}}));
  EXPECT_TRUE(gets_work(device_of(registry)));
}

TEST(Verbs, DeactivateGoesThroughDraining) {
  auto registry = with(online);
  (void)step(registry, HeartbeatArrived{edge, busy()}, at(0));
  const auto asked = step(registry, request(Verb::deactivate), at(1));
  EXPECT_EQ(events(asked), "draining");
  EXPECT_EQ(asked.events[0].by, "ann");
  EXPECT_EQ(device_of(registry).reason, "it is being deactivated");
  EXPECT_FALSE(gets_work(device_of(registry))) << "at once";
  EXPECT_EQ(all<SendConfiguration>(asked),
            (std::vector{SendConfiguration{edge, {.version = 1, .lifecycle = Lifecycle::inactive}}}));
  EXPECT_EQ(events(step(registry, HeartbeatArrived{edge, heartbeat(3)}, at(2))), "") << "that is not a drain";
  const auto followed = step(registry, configured(1), at(3));
  EXPECT_EQ(events(followed), "configured inactive");
  EXPECT_EQ(state_of(registry), "inactive online");
  EXPECT_EQ(device_of(registry).reason, "");
  EXPECT_EQ(events(step(registry, HeartbeatArrived{edge, heartbeat(3)}, at(4))), "");
}

// The device followed, and died before it said so: it says so when it enrols.
TEST(Verbs, AreFollowedAlsoWhereTheAnswerWasLost) {
  struct Case {
    Lifecycle before;
    Verb verb;
    const char* then;
  };
  for (const auto& one :
       {Case{Lifecycle::active, Verb::deactivate, "inactive"}, Case{Lifecycle::inactive, Verb::activate, "active"},
        Case{Lifecycle::draining, Verb::activate, "active"}}) {
    auto registry = with(Axes{one.before, Presence::online});
    (void)step(registry, request(one.verb), at(1));
    auto again = enrolment(4, make_certificate("edge-1"));
    again.configured = 1;
    const auto out = enrol(registry, again, at(2));
    EXPECT_EQ(events(out), one.then);
    EXPECT_EQ(name(device_of(registry).lifecycle), one.then);
    EXPECT_TRUE(all<SendConfiguration>(out).empty());
    EXPECT_EQ(all<CloseConfiguration>(out).size(), 1U);
  }
}

TEST(Drain, SaysDrainedOnce) {
  auto registry = with(online);
  const auto beats = [&](const Heartbeat& beat, double s) {
    return events(step(registry, HeartbeatArrived{edge, beat}, at(s)));
  };
  EXPECT_EQ(beats(busy(), 0), "");
  EXPECT_EQ(events(step(registry, request(Verb::drain), at(1))), "draining");
  EXPECT_FALSE(gets_work(device_of(registry)));
  EXPECT_EQ(events(step(registry, configured(1), at(2))), "configured");
  EXPECT_EQ(beats(busy(), 3), "");
  EXPECT_EQ(beats(heartbeat(3), 4), "drained");
  EXPECT_EQ(device_of(registry).reason, "drained: nothing runs there");
  EXPECT_EQ(beats(heartbeat(3), 5), "");
  EXPECT_EQ(pass(registry, 5.5, 100), "suspect lost");
  EXPECT_EQ(beats(heartbeat(3), 101), "back") << "nor after a silence";
  EXPECT_EQ(device_of(registry).reason, "drained: nothing runs there");
  (void)step(registry, configure({.set = {.heartbeat_s = 9}, .unset = {}}), at(102));
  (void)step(registry, configured(2), at(103));
  EXPECT_EQ(beats(heartbeat(3), 104), "") << "nor after other settings";
  Registry after(Limits{}, {stored(*registry.find(edge))}, at(105));
  EXPECT_EQ(events(step(after, HeartbeatArrived{edge, heartbeat(3)}, at(106))), "") << "nor after a restart";
  (void)step(after, will(3), at(107));
  EXPECT_EQ(events(step(after, HeartbeatArrived{edge, heartbeat(3)}, at(108))), "back");
}

TEST(Drain, IsSaidOfEachDrain) {
  auto registry = with(online);
  std::int64_t version = 0;
  for (int i = 0; i < 3; ++i) {
    (void)step(registry, request(Verb::drain), at(i));
    EXPECT_EQ(events(step(registry, configured(++version), at(i))), "configured");
    EXPECT_EQ(events(step(registry, HeartbeatArrived{edge, heartbeat(3)}, at(i))), "drained");
    EXPECT_EQ(state_of(registry), "draining online");
    (void)step(registry, request(Verb::activate), at(i));
    EXPECT_EQ(events(step(registry, configured(++version), at(i))), "configured active");
    EXPECT_EQ(device_of(registry).reason, "");
  }
}

// It may have taken an attempt after that heartbeat, and before it heard of the drain.
TEST(Drain, IsNotOverByAHeartbeatOfBeforeTheDeviceFollowed) {
  auto registry = with(online);
  (void)step(registry, HeartbeatArrived{edge, heartbeat(3)}, at(0));
  (void)step(registry, request(Verb::drain), at(1));
  EXPECT_EQ(events(step(registry, HeartbeatArrived{edge, heartbeat(3)}, at(2))), "") << "it does not follow yet";
  EXPECT_EQ(events(step(registry, configured(1), at(3))), "configured");
  EXPECT_EQ(events(step(registry, HeartbeatArrived{edge, busy()}, at(4))), "") << "indeed";
  EXPECT_EQ(events(step(registry, HeartbeatArrived{edge, heartbeat(3)}, at(5))), "drained");
}

}  // namespace
}  // namespace fieldwork::registry
