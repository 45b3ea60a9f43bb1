// links: registry_shell GTest::gtest_main
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "codec/device.hpp"
#include "codec/policy.hpp"
#include "crypto/certificate.hpp"
#include "registry/core/registry.hpp"
#include "registry/shell/rows.hpp"
#include "registry/shell/service.hpp"
#include "runtime/engine.hpp"
#include "store/memory.hpp"

namespace fieldwork::registry {
namespace {

namespace fs = std::filesystem;

// A self-signed P-256 certificate for this name; made once per name and number.
std::string make_certificate(const std::string& name, int number = 0) {
  static std::map<std::pair<std::string, int>, std::string> made;
  auto& pem = made[{name, number}];
  if (!pem.empty()) return pem;
  std::string dir = (fs::temp_directory_path() / "registry-test-XXXXXX").string();
  if (mkdtemp(dir.data()) == nullptr) return "";
  const std::string command =
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=" + name + " -keyout " +
      dir + "/key -out " + dir + "/crt 2>/dev/null";
  EXPECT_EQ(std::system(command.c_str()), 0);
  std::ifstream in(dir + "/crt");
  pem.assign(std::istreambuf_iterator<char>(in), {});
  fs::remove_all(dir);
  return pem;
}

std::string fingerprint_of(const std::string& pem) { return crypto::Certificate::from_pem(pem)->fingerprint(); }

constexpr Time t0{seconds{1'000'000}};
Time at(double s) { return t0 + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(s)); }

const DeviceId edge{"edge-1"};
const Capacity capacity{4000, 1'000'000'000, 10'000'000'000};

Enrolment enrolment(std::int64_t session, const std::string& pem) {
  return {session, pem, capacity, {{"zone", "a"}}, "0.1.0"};
}

Heartbeat heartbeat(std::int64_t session, double load = 0.2) {
  return {session, 1, {load, 900'000'000, 9'000'000'000, 100}, {5.0, 0, 0}, {}};
}

Record record(DeviceState state, std::int64_t session = 3) {
  Record out;
  out.device.id = edge;
  out.device.state = state;
  out.device.capacity = capacity;
  out.device.session = session;
  out.device.fingerprint = fingerprint_of(make_certificate("edge-1"));
  out.enrolled_session = session;
  return out;
}

template <class T>
std::vector<T> all(const Effects& effects) {
  std::vector<T> out;
  for (const auto& effect : effects) {
    if (const auto* one = std::get_if<T>(&effect)) out.push_back(*one);
  }
  return out;
}

std::string events(const Effects& effects) {
  std::string out;
  for (const auto& one : all<PublishEvent>(effects)) out += (out.empty() ? "" : " ") + one.event;
  return out;
}

// A registry with one device, the broker there.
Registry with(DeviceState state, std::int64_t session = 3) {
  Registry registry(Limits{}, {record(state, session)}, t0);
  (void)registry.step(BrokerReturned{}, t0);
  return registry;
}

// Ticks as the runtime does, so that no pause looks like a stall.
Effects pass(Registry& registry, double from, double to) {
  Effects out;
  for (double s = from; s <= to; s += 0.5) {
    auto some = registry.step(TimePassed{}, at(s));
    out.insert(out.end(), some.begin(), some.end());
  }
  return out;
}

DeviceState state_of(const Registry& registry) { return registry.find(edge)->device.state; }

TEST(Registry, EnrolsWhatSecurityPolicyCallsValid) {
  const auto pem = make_certificate("edge-1");
  Registry registry(Limits{}, {}, t0);
  auto effects = registry.step(EnrolmentArrived{edge, enrolment(1, pem)}, at(0));
  ASSERT_EQ(all<AskCertificate>(effects), (std::vector{AskCertificate{edge, fingerprint_of(pem), pem}}));
  EXPECT_EQ(state_of(registry), DeviceState::enrolling);
  EXPECT_TRUE(all<AnswerEnrolment>(effects).empty());

  effects = registry.step(EnrolmentArrived{edge, enrolment(1, pem)}, at(1));  // a repeat asks nobody again
  EXPECT_TRUE(effects.empty());

  effects = registry.step(CertificateChecked{{edge, fingerprint_of(pem), CertificateState::valid, ""}}, at(2));
  EXPECT_EQ(all<ForgetQuestion>(effects).size(), 1u);
  EXPECT_EQ(all<AnswerEnrolment>(effects), (std::vector{AnswerEnrolment{edge, 1, true, ""}}));
  EXPECT_EQ(events(effects), "ready");
  EXPECT_EQ(state_of(registry), DeviceState::ready);
  EXPECT_EQ(registry.find(edge)->device.labels.at("zone"), "a");

  effects = registry.step(EnrolmentArrived{edge, enrolment(1, pem)}, at(3));  // decided: answered at once
  EXPECT_EQ(effects, (Effects{AnswerEnrolment{edge, 1, true, ""}}));

  effects = registry.step(EnrolmentArrived{edge, enrolment(2, pem)}, at(4));  // a new session is checked again
  EXPECT_EQ(all<AskCertificate>(effects).size(), 1u);
  EXPECT_EQ(state_of(registry), DeviceState::ready);
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
    auto effects = registry.step(EnrolmentArrived{edge, enrolment(1, c.pem)}, at(0));
    if (c.answer) effects = registry.step(CertificateChecked{{edge, fingerprint_of(c.pem), *c.answer, "no"}}, at(1));
    EXPECT_TRUE(all<AskCertificate>(effects).empty()) << c.name;
    ASSERT_EQ(all<AnswerEnrolment>(effects).size(), 1u) << c.name;
    EXPECT_FALSE(all<AnswerEnrolment>(effects)[0].enrolled) << c.name;
    EXPECT_EQ(events(effects), "refused") << c.name;
    EXPECT_EQ(state_of(registry), DeviceState::refused) << c.name;
    EXPECT_EQ(registry.find(edge)->device.health, 0) << c.name;
    effects = registry.step(HeartbeatArrived{edge, heartbeat(1)}, at(2));
    EXPECT_EQ(state_of(registry), DeviceState::refused) << c.name;
    effects = registry.step(EnrolmentArrived{edge, enrolment(1, c.pem)}, at(3));
    EXPECT_EQ(all<AnswerEnrolment>(effects).size(), 1u) << c.name;
    EXPECT_EQ(events(effects), "") << c.name;
  }
}

TEST(Registry, RejectsWhatIsNoCertificate) {
  Registry registry(Limits{}, {}, t0);
  const auto effects = registry.step(EnrolmentArrived{edge, enrolment(1, "not PEM")}, at(0));
  ASSERT_EQ(effects.size(), 1u);
  EXPECT_EQ(std::get<RejectMessage>(effects[0]).error.path, "/certificate");
  EXPECT_EQ(registry.size(), 0u);
}

TEST(Registry, KeepsAGoodCertificateWhenAnotherIsBad) {
  auto registry = with(DeviceState::ready);
  const auto fresh = make_certificate("edge-1", 1);
  (void)registry.step(EnrolmentArrived{edge, enrolment(4, fresh)}, at(1));
  auto effects =
      registry.step(CertificateChecked{{edge, fingerprint_of(fresh), CertificateState::invalid, "no"}}, at(2));
  EXPECT_EQ(all<AnswerEnrolment>(effects), (std::vector{AnswerEnrolment{edge, 4, false, "no"}}));
  EXPECT_EQ(registry.find(edge)->device, with(DeviceState::ready).find(edge)->device);

  (void)registry.step(EnrolmentArrived{edge, enrolment(4, fresh)}, at(3));
  effects = registry.step(CertificateChecked{{edge, fingerprint_of(fresh), CertificateState::valid, ""}}, at(4));
  EXPECT_EQ(registry.find(edge)->device.fingerprint, fingerprint_of(fresh));
  EXPECT_EQ(registry.find(edge)->device.session, 4);
}

TEST(Registry, RefusesWhenTheBoundCertificateIsRevokedLater) {
  auto registry = with(DeviceState::ready);
  const auto bound = registry.find(edge)->device.fingerprint;
  auto effects = registry.step(CertificateChecked{{edge, std::string(64, 'a'), CertificateState::revoked, "r"}}, at(1));
  EXPECT_EQ(state_of(registry), DeviceState::ready);
  effects = registry.step(CertificateChecked{{edge, bound, CertificateState::revoked, "revoked"}}, at(1));
  EXPECT_EQ(state_of(registry), DeviceState::refused);
  EXPECT_EQ(all<AnswerEnrolment>(effects).size(), 1u);
  EXPECT_EQ(events(registry.step(CertificateChecked{{edge, bound, CertificateState::revoked, "revoked"}}, at(2))), "");
}

TEST(Registry, FollowsPresence) {
  struct Case {
    const char* name;
    DeviceState state;
    Presence presence;
    bool retained;
    DeviceState then;
    const char* events;
  };
  const Case cases[] = {
      {"will of this session", DeviceState::ready, {false, 3}, false, DeviceState::suspect, "suspect"},
      {"old will after a new session", DeviceState::ready, {false, 2}, false, DeviceState::ready, ""},
      {"will of a session never seen", DeviceState::ready, {false, 4}, false, DeviceState::ready, ""},
      {"retained will", DeviceState::ready, {false, 3}, true, DeviceState::suspect, "suspect"},
      {"online brings back", DeviceState::suspect, {true, 3}, false, DeviceState::ready, "back"},
      {"lost comes back", DeviceState::lost, {true, 4}, false, DeviceState::ready, "back"},
      {"retained online proves nothing", DeviceState::lost, {true, 3}, true, DeviceState::lost, ""},
      {"old online", DeviceState::suspect, {true, 2}, false, DeviceState::suspect, ""},
      {"refused stays", DeviceState::refused, {true, 4}, false, DeviceState::refused, ""},
      {"enrolling stays", DeviceState::enrolling, {true, 3}, false, DeviceState::enrolling, ""},
  };
  for (const auto& c : cases) {
    auto registry = with(c.state);
    const auto effects = registry.step(PresenceArrived{edge, c.presence, c.retained}, at(1));
    EXPECT_EQ(state_of(registry), c.then) << c.name;
    EXPECT_EQ(events(effects), c.events) << c.name;
  }
}

TEST(Registry, IgnoresAnOldWillAfterARestartOfTheAgent) {
  auto registry = with(DeviceState::ready);
  (void)registry.step(PresenceArrived{edge, {true, 4}, false}, at(1));
  EXPECT_TRUE(registry.step(PresenceArrived{edge, {false, 3}, false}, at(2)).empty());
  EXPECT_EQ(state_of(registry), DeviceState::ready);
  // The new session must still show its certificate.
  const auto effects = registry.step(EnrolmentArrived{edge, enrolment(4, make_certificate("edge-1"))}, at(3));
  EXPECT_EQ(all<AskCertificate>(effects).size(), 1u);
}

// Its copy was there for a while, with a session of its own, and is gone.
TEST(Registry, ChecksAnEarlierSessionAgainAfterANewerOneWasHeard) {
  const auto pem = make_certificate("edge-1");
  auto registry = with(DeviceState::ready, 1);
  (void)registry.step(PresenceArrived{edge, {true, 2}, false}, at(1));
  (void)pass(registry, 1.5, 60);
  EXPECT_EQ(state_of(registry), DeviceState::lost);
  const auto effects = registry.step(EnrolmentArrived{edge, enrolment(1, pem)}, at(61));
  EXPECT_EQ(all<AskCertificate>(effects).size(), 1u) << "an answer from memory would leave it deaf to session 1";
  (void)registry.step(CertificateChecked{{edge, fingerprint_of(pem), CertificateState::valid, ""}}, at(62));
  EXPECT_EQ(state_of(registry), DeviceState::ready);
}

TEST(Registry, BelievesASmallerSessionOnlyOfADeviceThatIsNotReady) {
  const auto pem = make_certificate("edge-1");
  auto ready = with(DeviceState::ready, 57);
  EXPECT_EQ(all<RejectMessage>(ready.step(EnrolmentArrived{edge, enrolment(1, pem)}, at(1))).size(), 1u);
  auto lost = with(DeviceState::lost, 57);
  (void)lost.step(EnrolmentArrived{edge, enrolment(1, pem)}, at(1));
  (void)lost.step(CertificateChecked{{edge, fingerprint_of(pem), CertificateState::valid, ""}}, at(2));
  EXPECT_EQ(state_of(lost), DeviceState::ready);
  EXPECT_EQ(lost.find(edge)->device.session, 1);
}

TEST(Registry, JudgesSilence) {
  auto registry = with(DeviceState::ready);
  EXPECT_EQ(events(pass(registry, 0.5, 14.5)), "");
  EXPECT_EQ(events(pass(registry, 15, 44.5)), "suspect");
  EXPECT_EQ(events(pass(registry, 45, 100)), "lost");
  EXPECT_EQ(registry.find(edge)->device.health, 0);
  const auto effects = registry.step(HeartbeatArrived{edge, heartbeat(3)}, at(101));
  EXPECT_EQ(events(effects), "back");
  EXPECT_EQ(all<SaveDevice>(effects).size(), 1u);
}

TEST(Registry, JudgesNobodyWhileTheBrokerIsAwayOrAfterAPauseOfItsOwn) {
  auto registry = with(DeviceState::ready);
  (void)registry.step(BrokerLeft{}, at(1));
  EXPECT_EQ(events(pass(registry, 1, 300)), "");
  const auto effects = registry.step(BrokerReturned{}, at(300));
  EXPECT_EQ(all<PublishState>(effects).size(), 1u);
  EXPECT_EQ(events(pass(registry, 300, 314)), "");
  EXPECT_EQ(events(registry.step(TimePassed{}, at(600))), "");  // the database was away
  EXPECT_EQ(events(pass(registry, 600, 614)), "");
  EXPECT_EQ(events(pass(registry, 615, 616)), "suspect");
}

TEST(Registry, GivesGraceAfterARestart) {
  Registry before(Limits{}, {record(DeviceState::ready)}, t0);
  (void)before.step(HeartbeatArrived{edge, heartbeat(3)}, at(1));
  auto row = to_row(*before.find(edge));
  auto read = from_row(row);
  ASSERT_TRUE(read.ok()) << describe(read.error());
  EXPECT_EQ(*read, *before.find(edge));
  Registry after(Limits{}, {*read}, at(1000));
  (void)after.step(BrokerReturned{}, at(1001));
  EXPECT_EQ(events(pass(after, 1001, 1015)), "");
  EXPECT_EQ(events(pass(after, 1016, 1017)), "suspect");
  // Decided before the restart, answered at once after it.
  const auto effects = after.step(EnrolmentArrived{edge, enrolment(3, make_certificate("edge-1"))}, at(1017));
  EXPECT_EQ(effects, (Effects{AnswerEnrolment{edge, 3, true, ""}}));
}

TEST(Registry, WritesAndPublishesHeartbeatsSparingly) {
  auto registry = with(DeviceState::ready);
  std::size_t saves = 0, states = 0;
  for (int s = 5; s <= 120; s += 5) {
    const auto effects = registry.step(HeartbeatArrived{edge, heartbeat(3)}, at(s));
    saves += all<SaveDevice>(effects).size();
    states += all<PublishState>(effects).size();
  }
  EXPECT_EQ(saves, 2u);   // the first, and after a minute
  EXPECT_EQ(states, 4u);  // the first, and each half minute
  auto bad = heartbeat(3, 40);
  EXPECT_EQ(all<PublishState>(registry.step(HeartbeatArrived{edge, bad}, at(125))).size(), 1u);
  EXPECT_TRUE(registry.step(HeartbeatArrived{edge, heartbeat(2)}, at(126)).empty());  // an old session
}

TEST(Registry, IsBounded) {
  Limits limits;
  limits.devices_max = 1;
  Registry registry(limits, {record(DeviceState::ready)}, t0);
  const DeviceId two{"edge-2"};
  const auto effects = registry.step(EnrolmentArrived{two, enrolment(1, make_certificate("edge-2"))}, at(1));
  ASSERT_EQ(effects.size(), 1u);
  EXPECT_EQ(std::get<RejectMessage>(effects[0]).error.code, Code::unavailable);
}

TEST(Health, SaysWhatTheFormulaSays) {
  struct Case {
    const char* name;
    DeviceState state;
    double memory, disk, load;  // parts of what there is; load in all
    Signs signs;
    double low, high;
  };
  const Case cases[] = {
      {"fine", DeviceState::ready, 0.9, 0.9, 1.0, {true, 0, 0}, 1, 1},
      {"not measured", DeviceState::ready, 0, 0, 99, {false, 0, 0}, 1, 1},
      {"busy", DeviceState::ready, 0.5, 0.5, 6.0, {true, 0, 0}, 1, 1},
      {"overloaded", DeviceState::ready, 0.5, 0.5, 40, {true, 0, 0}, 0.5, 0.5},
      {"memory out", DeviceState::ready, 0, 0.5, 1, {true, 0, 0}, 0.4, 0.4},
      {"memory at half of enough", DeviceState::ready, 0.05, 0.5, 1, {true, 0, 0}, 0.69, 0.71},
      {"disk out", DeviceState::ready, 0.5, 0, 1, {true, 0, 0}, 0.4, 0.4},
      {"a shaky link", DeviceState::ready, 0.5, 0.5, 1, {true, 4, 0}, 0.59, 0.61},
      {"missed beats", DeviceState::ready, 0.5, 0.5, 1, {true, 0, 4}, 0.79, 0.81},
      {"suspect", DeviceState::suspect, 0.9, 0.9, 1, {true, 0, 0}, 0.5, 0.5},
      {"lost", DeviceState::lost, 0.9, 0.9, 1, {true, 0, 0}, 0, 0},
  };
  for (const auto& c : cases) {
    Device device;
    device.state = c.state;
    device.capacity = capacity;
    device.resources = {c.load, static_cast<std::int64_t>(c.memory * 1e9), static_cast<std::int64_t>(c.disk * 1e10), 1};
    const double got = health(device, c.signs);
    EXPECT_GE(got, c.low - 1e-9) << c.name;
    EXPECT_LE(got, c.high + 1e-9) << c.name;
  }
  EXPECT_NEAR(faded(1, seconds{600}), 0.3679, 1e-3);
}

// The shell over an engine, a store in memory and a bus that only writes down.
struct Bus : bus::Bus {
  std::vector<bus::Message> said;
  Result<void> publish(bus::Message message) override {
    said.push_back(std::move(message));
    return {};
  }
  const bus::Message* last(const std::string& topic) const {
    for (auto it = said.rbegin(); it != said.rend(); ++it) {
      if (it->topic == topic) return &*it;
    }
    return nullptr;
  }
};

struct Stack {
  store::MemoryStore& store;
  Bus bus;
  RegistryService service{"fieldwork/v1", Limits{}};
  runtime::Engine engine{service, store, bus};
  explicit Stack(store::MemoryStore& s, Time now = t0) : store(s) {
    EXPECT_TRUE(engine.load(now).ok());
    EXPECT_TRUE(engine.run({runtime::Connected{}}, now).ok());
  }
  void say(const std::string& topic, const std::string& payload, double s, const std::string& reply = "") {
    bus::Message message{.topic = "fieldwork/v1/" + topic, .payload = payload};
    message.response_topic = reply;
    message.correlation = "c1";
    EXPECT_TRUE(engine.run({message}, at(s)).ok());
  }
  nlohmann::json heard(const std::string& topic) const {
    const auto* message = bus.last("fieldwork/v1/" + topic);
    return message == nullptr ? nlohmann::json() : nlohmann::json::parse(message->payload);
  }
};

TEST(RegistryShell, TalksFromEnrolmentToState) {
  store::MemoryStore store;
  Stack stack(store);
  const auto pem = make_certificate("edge-1");
  stack.say("device/edge-1/up/enrol", codec::encode(enrolment(1, pem)), 1);
  auto question = stack.heard("service/security-policy/certificate/registry");
  EXPECT_EQ(question["items"][0]["certificate"], pem);
  EXPECT_EQ(stack.engine.outbox_size(), 1u);
  stack.bus.said.clear();
  EXPECT_TRUE(stack.engine.run({}, at(4)).ok());  // not answered: asked again
  EXPECT_FALSE(stack.heard("service/security-policy/certificate/registry").is_null());

  const std::vector<CertificateAnswer> answer{{edge, fingerprint_of(pem), CertificateState::valid, "good"}};
  stack.say("service/registry/certificate/security-policy", codec::encode(answer), 5);
  EXPECT_EQ(stack.engine.outbox_size(), 0u);
  EXPECT_EQ(stack.heard("device/edge-1/down/enrolled")["state"], "enrolled");
  EXPECT_EQ(stack.heard("event/device/edge-1")["event"], "ready");
  EXPECT_EQ(stack.heard("state/device/edge-1")["state"], "ready");
  EXPECT_TRUE(stack.bus.last("fieldwork/v1/state/device/edge-1")->retain);

  stack.say("service/registry/show/ann", R"({"v":1,"device":"edge-1"})", 6, "fieldwork/v1/reply/ann/x");
  EXPECT_EQ(stack.heard("reply/ann/x")["device"]["state"], "ready");
  EXPECT_EQ(stack.bus.said.back().correlation, "c1");
  stack.say("service/registry/list/ann", R"({"v":1})", 6, "fieldwork/v1/reply/ann/y");
  EXPECT_EQ(stack.heard("reply/ann/y")["items"].size(), 1u);

  Stack again(store, at(7));  // restart: everything retained is said again
  EXPECT_EQ(again.heard("state/device/edge-1")["session"], 1);
  EXPECT_EQ(again.service.core().find(edge)->device, stack.service.core().find(edge)->device);
}

TEST(RegistryShell, RejectsBadInputAndChangesNothing) {
  store::MemoryStore store;
  Stack stack(store);
  const auto commits = store.commits();
  const std::string deep(100, '[');
  for (const std::string channel : {"enrol", "heartbeat", "presence"}) {
    for (const std::string& bad : {std::string("{"), std::string("[]"), std::string(R"({"v":2})"), deep,
                                   std::string(300'000, 'x'), std::string(R"({"v":1,"session":"one"})")}) {
      stack.bus.said.clear();
      stack.say("device/edge-1/up/" + channel, bad, 1);
      EXPECT_EQ(stack.heard("device/edge-1/down/rejected")["channel"], channel) << channel << " " << bad.substr(0, 30);
    }
  }
  stack.bus.said.clear();
  stack.say("device/.bad/up/enrol", "{", 2);
  EXPECT_TRUE(stack.bus.said.empty());
  stack.say("service/registry/certificate/mallory", R"({"v":1,"items":[]})", 2, "fieldwork/v1/reply/mallory/x");
  EXPECT_EQ(stack.heard("reply/mallory/x")["error"]["code"], "denied");
  stack.say("service/registry/show/ann", R"({"v":1,"device":"none"})", 2, "fieldwork/v1/reply/ann/x");
  EXPECT_EQ(stack.heard("reply/ann/x")["error"]["code"], "unknown");
  stack.say("service/registry/show/ann", R"({"v":1,"device":"a","b":1})", 2, "fieldwork/v1/reply/ann/x");
  EXPECT_EQ(stack.heard("reply/ann/x")["error"]["path"], "/b");
  stack.bus.said.clear();
  stack.say("service/registry/list/ann", R"({"v":1})", 2, "elsewhere/reply/ann/x");
  EXPECT_TRUE(stack.bus.said.empty());
  EXPECT_EQ(store.commits(), commits);
  EXPECT_EQ(stack.service.core().size(), 0u);
}

}  // namespace
}  // namespace fieldwork::registry
