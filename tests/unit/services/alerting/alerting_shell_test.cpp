// links: alerting_shell GTest::gtest_main
// The shell: messages, requests and files in; rows, states, answers and messages to targets out.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "alerting/shell/service.hpp"
#include "codec/device.hpp"
#include "runtime/engine.hpp"
#include "store/memory.hpp"
#include "support/said_bus.hpp"
#include "support/temp_dir.hpp"

namespace fieldwork::alerting {
namespace {

using nlohmann::json;
constexpr Time t0{seconds{1'000'000}};
Time at(int s) { return t0 + seconds{s}; }

// A courier that only notes what it was given.
struct Notes {
  std::vector<std::pair<std::string, Send>> sent;
  std::map<std::string, Courier::Done> done;
};
class NotingCourier : public Courier {
 public:
  NotingCourier(Notes& notes, std::string target) : notes_(notes), target_(std::move(target)) {}
  void send(const Send& send, Time) override { notes_.sent.emplace_back(target_, send); }

 private:
  Notes& notes_;
  std::string target_;
};

struct Stack {
  support::SaidBus bus;
  Notes notes;
  std::vector<runtime::Input> posted;
  int heard_again = 0;
  AlertingService service;
  runtime::Engine engine;

  explicit Stack(store::MemoryStore& store, WatchConfig watch = {})
      : service("fieldwork/v1", config(std::move(watch))), engine(service, store, bus) {
    EXPECT_TRUE(engine.load(t0).ok());
    EXPECT_TRUE(engine.run({runtime::Connected{}}, t0).ok());
  }
  AlertingConfig config(WatchConfig watch) {
    AlertingConfig out;
    out.watch = std::move(watch);
    out.courier = [this](const Target& target, Courier::Done done) {
      notes.done[target.name] = std::move(done);
      return std::make_unique<NotingCourier>(notes, target.name);
    };
    out.post = [this](runtime::Task task) { posted.emplace_back(std::move(task)); };
    out.hear_again = [this] { ++heard_again; };
    return out;
  }
  void say(const std::string& topic, const std::string& payload, int s) {
    EXPECT_TRUE(engine.run({bus::Message{.topic = "fieldwork/v1/" + topic, .payload = payload}}, at(s)).ok());
  }
  json ask(const std::string& operation, json body, int s = 1) {
    body["v"] = 1;
    const auto before = bus.said.size();
    EXPECT_TRUE(engine
                    .run({bus::Message{.topic = "fieldwork/v1/service/alerting/" + operation + "/ann",
                                       .payload = body.dump(),
                                       .response_topic = "fieldwork/v1/reply/cli-ann-1/alerting",
                                       .correlation = "c"}},
                         at(s))
                    .ok());
    for (auto i = before; i < bus.said.size(); ++i) {
      if (bus.said[i].topic == "fieldwork/v1/reply/cli-ann-1/alerting") return json::parse(bus.said[i].payload);
    }
    return nullptr;
  }
  void pass(int s) {
    auto batch = std::exchange(posted, {});
    EXPECT_TRUE(engine.run(batch, at(s)).ok());
  }
};

WatchConfig one_target() {
  Target target;
  target.name = "ops";
  WatchConfig out;
  out.targets = {target};
  return out;
}

std::string lost_device(const char* id = "edge-1") {
  Device device;
  device.id = DeviceId(id);
  device.about = {.capacity = {1000, 1, 0}, .agent = "0.1.0"};
  device.lifecycle = Lifecycle::active;
  device.presence = Presence::lost;
  device.reason = "silent for 45 s";
  return codec::dump(codec::encode(device));
}

TEST(AlertingShell, ALostDeviceIsSaidSavedAndTold) {
  store::MemoryStore store;
  {
    Stack stack(store, one_target());
    stack.say("state/device/edge-1", lost_device(), 0);
    const auto state = stack.bus.last("state/alert/device_lost.edge-1");
    EXPECT_EQ(state["state"], "firing");
    EXPECT_EQ(state["severity"], "critical");
    EXPECT_EQ(state["reason"], "silent for 45 s");
    EXPECT_EQ(state["next"], "fieldwork device show edge-1");
    EXPECT_TRUE(stack.bus.find("state/alert/device_lost.edge-1")->retain);
    for (int s = 1; s <= 12; ++s) stack.pass(s);
    ASSERT_EQ(stack.notes.sent.size(), 1U);
    EXPECT_EQ(stack.notes.sent[0].first, "ops");
    stack.notes.done["ops"](stack.notes.sent[0].second.number, {});
    stack.pass(13);
    EXPECT_EQ(stack.bus.last("state/alert/device_lost.edge-1")["told"], json({"ops"}));
  }
  Stack again(store, one_target());
  EXPECT_EQ(again.bus.last("state/alert/device_lost.edge-1")["told"], json({"ops"}));
  for (int s = 14; s <= 40; ++s) again.pass(s);
  EXPECT_TRUE(again.notes.sent.empty());
}

TEST(AlertingShell, ADeadLetterIsKept) {
  store::MemoryStore store;
  Stack stack(store, one_target());
  stack.say("state/device/edge-1", lost_device(), 0);
  for (int s = 1; s <= 12; ++s) stack.pass(s);
  ASSERT_EQ(stack.notes.sent.size(), 1U);
  stack.notes.done["ops"](stack.notes.sent[0].second.number, Error{Code::invalid, "answered 400"});
  stack.pass(13);
  const auto rows =
      store.select({.table = "dead_letter", .where = {}, .order_by = "", .descending = false, .limit = 0});
  ASSERT_EQ(rows->size(), 1U);
  const auto row = json::parse(rows->front());
  EXPECT_EQ(row["target"], "ops");
  EXPECT_EQ(row["reason"], "answered 400");
  EXPECT_EQ(row["alert"]["alert"], "device_lost.edge-1");
}

TEST(AlertingShell, AnswersItsOperators) {
  store::MemoryStore store;
  Stack stack(store, one_target());
  for (const char* id : {"edge-1", "edge-2"}) stack.say(std::string("state/device/") + id, lost_device(id), 0);
  EXPECT_EQ(stack.ask("list", {{"expression", "subject == edge-2"}})["items"].size(), 1U);
  const auto page = stack.ask("list", {{"limit", 1}});
  EXPECT_EQ(page["next"], "device_lost.edge-1");
  EXPECT_EQ(stack.ask("list", {{"after", page["next"]}})["items"][0]["alert"], "device_lost.edge-2");
  EXPECT_EQ(stack.ask("show", {{"alert", "device_lost.edge-1"}})["alert"]["subject"], "edge-1");
  const auto acked = stack.ask("ack", {{"alert", "device_lost.edge-1"}, {"comment", "on my way"}});
  EXPECT_EQ(acked["alert"]["acked"]["by"], "ann");
  EXPECT_EQ(stack.bus.last("state/alert/device_lost.edge-1")["acked"]["comment"], "on my way");
  const auto silence = stack.ask("silence", {{"matcher", "rule == device_lost"}, {"for_s", 60}, {"comment", "works"}});
  const std::string id = silence["silence"]["silence"];
  EXPECT_EQ(stack.ask("silences", json::object())["items"].size(), 1U);
  EXPECT_EQ(stack.bus.last("state/alert/device_lost.edge-2")["muted"], "silence " + id + ": works");
  EXPECT_TRUE(stack.ask("silence", {{"silence", id}, {"end", true}}).contains("silence"));
  EXPECT_TRUE(stack.ask("silences", json::object())["items"].empty());
  const auto rules = stack.ask("rules", json::object());
  EXPECT_EQ(rules["targets"][0]["target"], "ops");
  EXPECT_EQ(rules["rules"][0]["rule"], "device_lost");
  EXPECT_EQ(rules["rules"][0]["active"], 2);
}

TEST(AlertingShell, RefusesBadRequestsByField) {
  store::MemoryStore store;
  Stack stack(store);
  const auto path = [&](const std::string& operation, const json& body) {
    return stack.ask(operation, body)["error"].value("path", "-");
  };
  EXPECT_EQ(path("list", {{"expression", "rule = x"}}), "/expression");
  EXPECT_EQ(path("list", {{"limit", 0}}), "/limit");
  EXPECT_EQ(path("show", {{"alert", "none"}}), "/alert");
  EXPECT_EQ(path("ack", {{"alert", "a b"}}), "/alert");
  EXPECT_EQ(path("silence", {{"for_s", 5}}), "/matcher");
  EXPECT_EQ(path("silence", {{"matcher", "rule == a"}, {"for_s", 0}}), "/for_s");
  EXPECT_EQ(path("silence", {{"silence", "s-none"}, {"end", true}}), "/silence");
  EXPECT_EQ(path("rules", {{"x", 1}}), "/x");
  EXPECT_NE(stack.ask("nothing", json::object())["error"]["reason"], nullptr);
}

TEST(AlertingShell, AChangedRulesFileIsTakenWholeOrNotAtAll) {
  support::TempDir dir;
  const auto file = dir.path() / "alerts.toml";
  const auto write = [&](const std::string& text) { std::ofstream(file) << text; };
  write("# none\n");
  store::MemoryStore store;
  auto watch = one_target();
  watch.rules = file;
  Stack stack(store, watch);
  write("[[rule]]\nname = \"mine\"\nover = \"device\"\nwhen = \"helth < 1\"\n");
  for (const int s : {8, 10}) stack.pass(s);
  EXPECT_EQ(stack.heard_again, 0);
  const std::string problem = stack.ask("rules", json::object(), 11)["problem"];
  EXPECT_NE(problem.find("alerts.toml:4 when"), std::string::npos) << problem;
  EXPECT_NE(problem.find("health"), std::string::npos) << "what was meant";
  write(
      "[[rule]]\nname = \"mine\"\nover = \"device\"\nwhen = \"presence == lost\"\n[[target]]\nname = \"b\"\ntype = "
      "\"ntfy\"\nurl = \"http://x\"\n");
  stack.pass(18);
  EXPECT_EQ(stack.heard_again, 0) << "it may still be written";
  stack.pass(20);
  EXPECT_EQ(stack.heard_again, 1) << "what is true is heard anew";
  EXPECT_TRUE(stack.notes.done.contains("b"));
  stack.say("state/device/edge-1", lost_device(), 21);
  EXPECT_TRUE(stack.service.core().find("mine.edge-1")->firing());
  std::filesystem::remove(file);
  for (const int s : {28, 30}) stack.pass(s);
  EXPECT_NE(stack.service.core().book().find("mine"), nullptr) << "a file that is gone changes nothing";
  EXPECT_TRUE(stack.ask("rules", json::object(), 31).contains("problem"));
}

TEST(AlertingShell, LooksAtDisksAndCertificates) {
  support::TempDir dir;
  const auto file = dir.path() / "alerts.toml";
  std::ofstream(file) << "[[rule]]\nname = \"any_disk\"\nover = \"disk\"\nwhen = \"use >= 0%\"\ntext = \"{path}\"\n";
  store::MemoryStore store;
  WatchConfig watch;
  watch.rules = file;
  watch.disks = {dir.path(), "/no/such/place"};
  watch.certificates = {file};  // holds none: logged, and nothing else
  Stack stack(store, watch);
  stack.pass(1);
  ASSERT_EQ(stack.service.core().active("any_disk"), 1U);
  EXPECT_EQ(stack.service.core().active("certificate_expires"), 0U);
}

TEST(AlertingShell, ABadFileKeepsNobodyFromBeingToldAfterARestart) {
  support::TempDir dir;
  WatchConfig watch;
  watch.rules = dir.path() / "alerts.toml";
  std::ofstream(watch.rules) << "[[rule]]\nname = \"mine\"\nover = \"disk\"\nwhen = \"use > 1%\"\n";
  store::MemoryStore store;
  {
    Stack stack(store, watch);
    stack.pass(1);
  }
  std::ofstream(watch.rules) << "[[rule]\n";
  Stack again(store, watch);
  EXPECT_NE(again.service.core().book().find("mine"), nullptr);
  const auto answer = again.ask("rules", json::object(), 2);
  EXPECT_NE(answer.at("problem").get<std::string>().find("alerts.toml:1"), std::string::npos) << answer;
  store::MemoryStore empty;
  AlertingService first("fieldwork/v1", again.config(watch));
  EXPECT_FALSE(first.load(empty, t0)) << "there are none before";
}

TEST(AlertingShell, ARowThatCannotBeReadIsLeftOut) {
  store::MemoryStore store;
  {
    Stack stack(store);
    for (const char* id : {"edge-1", "edge-2"}) stack.say(std::string("state/device/") + id, lost_device(id), 0);
  }
  ASSERT_TRUE(store
                  .commit({{"alert",
                            "device_lost.edge-1",
                            {{"alert", "device_lost.edge-1"}, {"state", "odd"}},
                            store::Change::Kind::update}})
                  .ok());
  Stack again(store);
  EXPECT_EQ(again.service.core().find("device_lost.edge-1"), nullptr);
  EXPECT_TRUE(again.service.core().find("device_lost.edge-2")->firing());
}

TEST(AlertingShell, BadInputChangesNothing) {
  store::MemoryStore store;
  Stack stack(store);
  const auto commits = store.commits();
  stack.say("state/device/edge-2", lost_device(), 1);  // another identity
  for (const char* topic : {"state/device/a", "state/job/a", "state/transfer/a", "state/audit/head",
                            "event/job/changed", "event/device/a"}) {
    for (const std::string& bad :
         {std::string("{"), std::string("[]"), std::string(R"({"v":2,"job":"a","state":"failed","changed_ms":1})"),
          std::string(R"({"v":1,"job":"b","transfer":"b","state":"failed","changed_ms":1})"),
          std::string(R"({"v":1,"job":"a","transfer":"a","state":"odd","changed_ms":1})"),
          std::string(R"({"v":1,"items":[{"job":"b","state":7}]})"), std::string(99, '[')}) {
      stack.say(topic, bad, 1);
    }
  }
  EXPECT_EQ(store.commits(), commits);
  EXPECT_EQ(stack.service.core().size(), 0U);
}

}  // namespace
}  // namespace fieldwork::alerting
