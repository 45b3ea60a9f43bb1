// links: alerts GTest::gtest_main
// What messages become: samples of what they say, and mistakes that spoil nothing beside them.
#include "alerts/read.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "codec/device.hpp"
#include "fleet/expression.hpp"

namespace fieldwork::alerts {
namespace {

constexpr Time arrived{seconds{1'000'000}};

// A sample as text: what it is, of whom, since when, and the values of its vocabulary; `gone` where it has none.
std::string text_of(const Sample& sample) {
  auto out = std::string(name(sample.over)) + " " + sample.subject;
  if (sample.since != Time{}) out += " @" + std::to_string(to_ms(sample.since));
  if (!sample.values) return out + " gone";
  for (const auto& kind : vocabulary(sample.over)) {
    const fleet::Attribute attribute{&kind};
    const bool known = fleet::has_texts(kind.type) ? !sample.values->texts(attribute).empty()
                                                   : !std::isnan(sample.values->number(attribute));
    if (known) out += " " + std::string(kind.name) + "=" + fleet::value_text(attribute, *sample.values);
  }
  return out;
}

struct Heard {
  bool read = false;
  std::vector<std::string> samples{};
  std::vector<std::string> bad{};  // paths
  bool operator==(const Heard&) const = default;
};

void PrintTo(const Heard& heard, std::ostream* out) {
  *out << (heard.read ? "read" : "not read");
  for (const auto& one : heard.samples) *out << "\n  " << one;
  for (const auto& one : heard.bad) *out << "\n  bad: " << one;
}

class Read : public testing::Test {
 public:
  // `topic` is below the root.
  Heard hear(const std::string& topic, const std::string& payload) { return at("fieldwork/v1/" + topic, payload); }
  Heard at(const std::string& topic, const std::string& payload) {
    Heard out;
    out.read = messages_.read(
        topic, payload, arrived, [&](const Sample& sample) { out.samples.push_back(text_of(sample)); },
        [&](const Error& error) {
          EXPECT_FALSE(error.reason.empty());
          out.bad.push_back(error.path);
        });
    return out;
  }
  struct Case {
    const char* topic;
    const char* payload;
    const char* sample;
  };
  void expect(std::initializer_list<Case> cases) {
    for (const auto& one : cases)
      EXPECT_EQ(hear(one.topic, one.payload), (Heard{true, {one.sample}})) << one.topic << " " << one.payload;
  }

 private:
  Topics topics_{"fieldwork/v1"};
  Messages messages_{topics_};
};

Device edge() {
  Device out;
  out.id = DeviceId("edge-1");
  out.about = {.capacity = {1000, 1, 0}, .agent = "0.1.0", .site = "berlin"};
  out.lifecycle = Lifecycle::active;
  out.presence = Presence::lost;
  out.health = 0.5;
  out.claimed_ms = 7;
  return out;
}

TEST_F(Read, ADevicesState) {
  auto json = codec::encode(edge());
  json["new_field"] = 1;
  std::vector<Sample> samples;
  const Topics topics("fieldwork/v1");
  Messages messages(topics);
  const auto fail = [](const Error& error) { ADD_FAILURE() << describe(error); };
  const auto take = [&](Sample sample) { samples.push_back(std::move(sample)); };
  EXPECT_TRUE(messages.read("fieldwork/v1/state/device/edge-1", codec::dump(json), arrived, take, fail));
  ASSERT_EQ(samples.size(), 1U);
  EXPECT_EQ(samples[0].over, Over::device);
  EXPECT_EQ(samples[0].subject, "edge-1");
  for (const auto* one : {"id == edge-1", "site == berlin", "presence == lost and lifecycle == active", "health == 0.5",
                          "claimed == 7", "version.agent == 0.1.0", "not has battery"}) {
    const auto expression = fleet::Expression::parse(one);
    ASSERT_TRUE(expression) << one;
    EXPECT_TRUE(fleet::matches(*expression, *samples[0].values)) << one;
  }
  EXPECT_EQ(hear("state/device/edge-2", codec::dump(json)), (Heard{true, {}, {"/device"}}));
  json.erase("health");
  EXPECT_EQ(hear("state/device/edge-1", codec::dump(json)), (Heard{true, {}, {"/health"}}));
}

TEST_F(Read, PlacementsAndServices) {
  expect({
      {"state/placement/edge-1", R"({"v":1,"device":"edge-1","placeable":false,"reason":"clock","since_ms":1})",
       "placement edge-1 device=edge-1 placeable=false reason=clock"},
      {"state/placement/edge-1", R"({"v":1,"device":"edge-1","placeable":true})",
       "placement edge-1 device=edge-1 placeable=true"},
      {"state/service/registry", R"({"v":1,"service":"registry","state":"up","version":"1.2.3","x":[]})",
       "service registry service=registry state=up version=1.2.3"},
      {"state/service/registry", R"({"v":1,"service":"registry","state":"down"})",
       "service registry service=registry state=down"},
  });
}

TEST_F(Read, JobsAndExecutions) {
  expect({
      {"state/job/j1", R"({"v":1,"job":"j1","state":"queued","changed_ms":5})", "job j1 @5 job=j1 state=queued"},
      {"state/job/j1",
       R"({"v":1,"job":"j1","name":"n","state":"failed","reason":"r","submitter":"al","width":3,"changed_ms":6,"c":0})",
       "job j1 @6 job=j1 name=n submitter=al state=failed reason=r width=3"},
      {"state/job/j1", R"({"v":1,"job":"j1","state":"quarantined","changed_ms":5})",
       "job j1 @5 job=j1 state=quarantined"},
      {"state/execution/j1.0", R"({"v":1,"job":"j1","state":"quarantined","changed_ms":8})",
       "execution j1.0 @8 job=j1 state=quarantined"},
      {"state/execution/j1.12",
       R"({"v":1,"job":"j1","execution":12,"name":"n","state":"failed","attempt":2,"device":"edge-1","reason":"r",
           "exit_code":-9,"changed_ms":8,"tail":"x"})",
       "execution j1.12 @8 job=j1 name=n device=edge-1 state=failed reason=r attempt=2 exit_code=-9"},
      {"state/execution/a.b.1", R"({"v":1,"job":"a.b","state":"running","changed_ms":8})",
       "execution a.b.1 @8 job=a.b state=running"},
  });
}

TEST_F(Read, TransfersAndTheAudit) {
  const std::string hash(64, 'a');
  const auto audit = [&](const std::string& more) {
    return R"({"v":1,"sequence":9,"hash":")" + hash + R"(","at_ms":1,"checkpoint":"x.y.z","new":1)" + more + "}";
  };
  expect({
      {"state/transfer/t1",
       R"({"v":1,"transfer":"t1","device":"edge-1","state":"sending","reason":"","encoded_bytes":2048,"acked_bytes":512,
           "sent_bytes":600,"changed_ms":3})",
       "transfer t1 @3 transfer=t1 device=edge-1 state=sending size=2 KiB done=25 %"},
      {"state/transfer/t1",
       R"({"v":1,"transfer":"t1","client":"cli","direction":"up","state":"failed","failure":"silent","reason":"gone","encoded_bytes":0,"acked_bytes":0,
           "changed_ms":3})",
       "transfer t1 @3 transfer=t1 client=cli state=failed direction=up reason=gone failure=silent size=0 B"},
      {"state/transfer/t1",
       R"({"v":1,"transfer":"t1","state":"completed","encoded_bytes":100,"acked_bytes":101,"changed_ms":3})",
       "transfer t1 @3 transfer=t1 state=completed size=100 B done=100 %"},
      {"state/transfer/t1", R"({"v":1,"transfer":"t1","state":"completed","acked_bytes":101,"changed_ms":3})",
       "transfer t1 @3 transfer=t1 state=completed"},
      {"state/transfer/t1", R"({"v":1,"transfer":"t1","state":"suspended","acked_bytes":101,"changed_ms":3})",
       "transfer t1 @3 transfer=t1 state=suspended"},
      {"state/audit/head", audit("").c_str(), "audit head broken=false"},
      {"state/audit/head", audit(R"(,"broken":{"sequence":3,"at_ms":2,"reason":"row 2"})").c_str(),
       "audit head broken=true reason=row 2"},
  });
  EXPECT_EQ(hear("state/audit/head", R"({"v":1,"sequence":9,"hash":"a","at_ms":1,"checkpoint":"x"})"),
            (Heard{true, {}, {"/hash"}}));
}

TEST_F(Read, Events) {
  expect({
      {"event/device/edge-1", R"({"v":1,"device":"edge-1","event":"lost","reason":"silent"})",
       "event edge-1 device=edge-1 event=lost reason=silent"},
      {"event/device/edge-1", R"({"v":1,"device":"edge-1","event":"retired","reason":"","by":"ann","x":1})",
       "event edge-1 device=edge-1 event=retired by=ann"},
      {"event/job/changed", R"({"v":1,"items":[{"job":"j1","state":"failed","reason":"r","device":"edge-1"}],"x":1})",
       "job j1 @1000000000 job=j1 state=failed reason=r"},
      {"event/execution/moved",
       R"({"v":1,"items":[{"event":"moved","job":"j1","execution":2,"fence":7,"from":"a","to":"b","reason":"r","x":1}]})",
       "move j1.2 event=moved job=j1 from=a to=b reason=r"},
  });
  EXPECT_EQ(hear("event/device/edge-2", R"({"v":1,"device":"edge-1","event":"lost"})"), (Heard{true, {}, {"/device"}}));
}

TEST_F(Read, AGoodItemIsTakenBesideBadOnes) {
  EXPECT_EQ(hear("event/job/changed", R"({"v":1,"items":[7,{"job":"-","state":"failed"},{"job":"a","state":"failed"},
                {"job":"b","state":"broken"},{"state":"failed"},{"job":"c","state":"quarantined","reason":"r"}]})"),
            (Heard{true,
                   {"job a @1000000000 job=a state=failed", "job c @1000000000 job=c state=quarantined reason=r"},
                   {"/items/0", "/items/1/job", "/items/3/state", "/items/4/job"}}));
  EXPECT_EQ(hear("event/job/changed", R"({"v":1})"), (Heard{true, {}, {"/items"}}));
  EXPECT_EQ(hear("event/job/changed", R"({"v":2,"items":[]})"), (Heard{true, {}, {"/v"}}));
}

TEST_F(Read, AClearedStateIsOfSomethingThatIsGone) {
  expect({
      {"state/device/edge-1", "", "device edge-1 gone"},
      {"state/placement/edge-1", "", "placement edge-1 gone"},
      {"state/job/j1", "", "job j1 gone"},
      {"state/execution/j1.0", "", "execution j1.0 gone"},
      {"state/transfer/t1", "", "transfer t1 gone"},
      {"state/service/registry", "", "service registry gone"},
  });
  EXPECT_EQ(hear("event/device/edge-1", "").samples, std::vector<std::string>{}) << "an event cannot be cleared";
}

TEST_F(Read, AMistakeIsSaid) {
  struct Wrong {
    const char* topic;
    const char* payload;
    const char* path;
  };
  for (const auto& one : {
           Wrong{"state/job/j2", R"({"v":1,"job":"j1","state":"failed","changed_ms":1})", "/job"},
           {"state/transfer/t2", R"({"v":1,"transfer":"t1","state":"failed","changed_ms":1})", "/transfer"},
           {"state/placement/edge-2", R"({"v":1,"device":"edge-1","placeable":false})", "/device"},
           {"state/service/scheduler", R"({"v":1,"service":"registry","state":"up"})", "/service"},
           {"state/execution/j2.0", R"({"v":1,"job":"j1","state":"failed","changed_ms":1})", "/job"},
           {"state/execution/j10.0", R"({"v":1,"job":"j1","state":"failed","changed_ms":1})", "/job"},
           {"state/execution/j1", R"({"v":1,"job":"j1","state":"failed","changed_ms":1})", "/job"},
           {"state/job/j1", R"({"v":1,"job":"j1","state":"failed"})", "/changed_ms"},
           {"state/job/j1", R"({"v":1,"job":"j1","state":"failed","changed_ms":-1})", "/changed_ms"},
           {"state/job/j1", R"({"v":1,"job":"j1","state":"sleeping","changed_ms":1})", "/state"},
           {"state/job/j1", R"({"v":1,"job":"j1","changed_ms":1})", "/state"},
           {"state/job/j1", R"({"v":1,"job":7,"state":"failed","changed_ms":1})", "/job"},
           {"state/job/j1", R"({"v":2,"job":"j1","state":"failed","changed_ms":1})", "/v"},
           {"state/job/j1", R"({"v":1,"job":"j1","state":"failed","reason":[],"changed_ms":1})", "/reason"},
           {"state/service/registry", R"({"v":1,"service":"registry","state":"idle"})", "/state"},
           {"state/placement/edge-1", R"({"v":1,"device":"edge-1","placeable":"no"})", "/placeable"},
           {"state/transfer/t1", R"({"v":1,"transfer":"t1","state":"sending","acked_bytes":-1,"changed_ms":1})",
            "/acked_bytes"},
       })
    EXPECT_EQ(hear(one.topic, one.payload), (Heard{true, {}, {one.path}})) << one.topic << " " << one.payload;
  for (const auto* topic : {"state/device/edge-1", "state/job/j1", "state/execution/j1.0", "state/transfer/t1",
                            "state/audit/head", "event/device/edge-1", "event/job/changed"}) {
    for (const auto* payload : {"{", "nonsense", R"({"v":1,"v":1})", "{\"v\":1}\xFF"})
      EXPECT_EQ(hear(topic, payload), (Heard{true, {}, {""}})) << topic << " " << payload;
    EXPECT_EQ(hear(topic, "[]").bad.size(), 1U) << topic;
  }
}

TEST_F(Read, OtherTopicsAreNoneOfThese) {
  const char* const state = R"({"v":1,"job":"j1","state":"failed","changed_ms":1})";
  for (const auto* topic : {"device/edge-1/up/heartbeat", "service/registry/list/ann", "reply/cli/list", "state/job",
                            "state/job/+", "state/job/j1/x", "event/alert/a", ""})
    EXPECT_EQ(hear(topic, state), Heard{}) << topic;
  EXPECT_EQ(at("fieldwork/v2/state/job/j1", state), Heard{}) << "another root";
  EXPECT_EQ(at("$SYS/brokers/uptime", "1"), Heard{});
  EXPECT_EQ(at("", state), Heard{});
}

// Those that stand beside the ones of read_topics() and broker_topics().
TEST_F(Read, NeighboursAreNoneOfTheseEither) {
  const auto audit = R"({"v":1,"sequence":9,"hash":")" + std::string(64, 'a') + R"(","at_ms":1,"checkpoint":"x"})";
  EXPECT_EQ(hear("state/health/edge-1", R"({"v":1})"), Heard{});
  EXPECT_EQ(hear("state/audit/other", audit), Heard{});
  EXPECT_EQ(hear("event/job/other", R"({"v":1,"items":[{"job":"a","state":"failed"}]})"), Heard{});
  EXPECT_EQ(at("$SYS/broker/version", "mosquitto version 2.0.11"), Heard{});
}

TEST_F(Read, TheBrokersFiguresMakeOneSample) {
  const std::string root = "$SYS/broker/";
  const std::pair<const char*, const char*> figures[] = {
      {"load/publish/dropped/1min", "2.50"}, {"load/messages/received/1min", "100.12"},
      {"load/messages/sent/1min", "200"},    {"clients/connected", "7"},
      {"retained messages/count", "40"},     {"heap/current", "1048576"}};
  EXPECT_EQ(at(root + "uptime", "9 seconds"), (Heard{true, {"broker broker uptime=9 s"}}));
  for (const auto& [figure, payload] : figures) EXPECT_EQ(at(root + figure, payload), (Heard{true})) << figure;
  const std::string wanted = " received=100.12 sent=200 connected=7 retained=40 heap=1 MiB uptime=";
  EXPECT_EQ(at(root + "uptime", "60 seconds"), (Heard{true, {"broker broker dropped=2.5" + wanted + "60 s"}}));
  EXPECT_EQ(at(root + "load/publish/dropped/1min", "0.00"), (Heard{true}));
  EXPECT_EQ(at(root + "uptime", "70"), (Heard{true, {"broker broker dropped=0" + wanted + "70 s"}}));
}

TEST_F(Read, OfTheBrokersLogTheConnectionsThatItRefused) {
  const std::string tls = "OpenSSL Error[0]: error:0A000086:SSL routines::";
  EXPECT_EQ(at("$SYS/broker/log/E", "1795860957: " + tls + "certificate verify failed"),
            (Heard{true, {"refusal broker reason=" + tls + "certificate verify failed"}}));
  EXPECT_EQ(at("$SYS/broker/log/N", "1795860957: Client <unknown> disconnected, not authorised."),
            (Heard{true, {"refusal broker reason=Client <unknown> disconnected, not authorised."}}));
  EXPECT_EQ(at("$SYS/broker/log/E", "1795860957: " + tls + "unexpected eof while reading"), Heard{true})
      << "a client died";
  EXPECT_EQ(at("$SYS/broker/log/W", "1795860957: certificate"), Heard{});
}

TEST_F(Read, AFigureThatIsNoNumberIsAMistake) {
  EXPECT_EQ(at("$SYS/broker/clients/connected", "many").bad.size(), 1U);
  EXPECT_EQ(at("$SYS/broker/uptime", "").bad.size(), 1U);
}

TEST(ReadTopics, AreAllThatIsRead) {
  const Topics topics("root");
  std::map<std::string, int> all;
  for (const auto& [topic, qos] : read_topics(topics)) EXPECT_TRUE(all.emplace(topic, qos).second) << topic;
  EXPECT_EQ(all, (std::map<std::string, int>{{"root/event/device/+", 1},
                                             {"root/event/execution/moved", 1},
                                             {"root/event/job/changed", 1},
                                             {"root/state/audit/head", 1},
                                             {"root/state/device/+", 1},
                                             {"root/state/execution/+", 1},
                                             {"root/state/job/+", 1},
                                             {"root/state/placement/+", 1},
                                             {"root/state/service/+", 1},
                                             {"root/state/transfer/+", 1}}));
  EXPECT_EQ(broker_topics().size(), 9U);
  for (const auto& [topic, qos] : broker_topics()) {
    EXPECT_TRUE(topic.starts_with("$SYS/broker/")) << topic;
    EXPECT_EQ(qos, 0) << topic;
  }
}

}  // namespace
}  // namespace fieldwork::alerts
