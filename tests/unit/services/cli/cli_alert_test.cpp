// links: cli_lib GTest::gtest_main
// Alerts as people see them; rules files checked and tried without a broker.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "commands/commands.hpp"
#include "support/temp_dir.hpp"
#include "view.hpp"

namespace fieldwork::cli {
namespace {

using codec::Json;

struct Ran {
  int code = 0;
  std::string out, err;
};
template <class Command>
Ran run_it(Command command) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  Ran ran;
  ran.code = command();
  ran.out = testing::internal::GetCapturedStdout();
  ran.err = testing::internal::GetCapturedStderr();
  return ran;
}

const std::string mine = R"([[rule]]
name = "cold"
over = "disk"
when = "use < 5%"
[[rule]]
name = "mine"
over = "job"
when = "state == queued"
for = "5min"
text = "{name} waits"
)";

TEST(CliAlert, ChecksARulesFileAndNamesTheLine) {
  support::TempDir dir;
  const auto good = dir.write("good.toml", mine).string();
  const auto ok = run_it([&] { return alert_rules_check({}, good); });
  EXPECT_EQ(ok.code, 0);
  EXPECT_NE(ok.out.find("good.toml is good: "), std::string::npos) << ok.out;
  EXPECT_NE(ok.out.find("of which 2 are new"), std::string::npos) << ok.out;
  const auto bad = dir.write("bad.toml", mine + "[[rule]]\nname = \"x\"\nover = \"jobs\"\n").string();
  const auto no = run_it([&] { return alert_rules_check({}, bad); });
  EXPECT_EQ(no.code, 2);
  EXPECT_NE(no.err.find("bad.toml:13 over: must be one of device, "), std::string::npos) << no.err;
  EXPECT_EQ(run_it([&] { return alert_rules_check({}, (dir / "none").string()); }).code, 2);
}

TEST(CliAlert, PlaysRecordedMessagesInTheirOwnTime) {
  support::TempDir dir;
  RulesTestArguments arguments;
  arguments.rules = dir.write("rules.toml", mine).string();
  // As `mosquitto_sub -F %j` prints them, and by at_ms.
  arguments.events =
      dir.write(
             "day.jsonl",
             R"({"tst":"2026-11-28T03:00:00.250000Z+0000","topic":"fieldwork/v1/state/job/j1","qos":1,"retain":0,)"
             R"("payload":"{\"v\":1,\"job\":\"j1\",\"name\":\"a\",\"state\":\"queued\",\"changed_ms\":1795834800000}"})"
             "\n\n"
             R"({"at_ms":1795835400000,"topic":"fieldwork/v1/state/job/j1",)"
             R"("payload":{"v":1,"job":"j1","state":"failed","reason":"exit code 1","changed_ms":1795835400000}})"
             "\n"
             R"({"at_ms":1795835401000,"topic":"fieldwork/v1/other","payload":null})"
             "\n")
          .string();
  Options json;
  json.json = true;
  const auto ran = run_it([&] { return alert_rules_test(json, arguments); });
  ASSERT_EQ(ran.code, 0) << ran.err;
  const auto out = Json::parse(ran.out);
  EXPECT_EQ(out["messages"], 2);
  EXPECT_EQ(out["others"], 1);
  std::vector<std::string> said;
  for (const auto& one : out["said"])
    said.push_back(one["rule"].get<std::string>() + " " + one["is"].get<std::string>() + " " +
                   std::to_string((one["at_ms"].get<std::int64_t>() - 1795834800000) / 1000));
  EXPECT_EQ(said, (std::vector<std::string>{"mine pends 30", "job_stuck pends 60", "mine fires 300",
                                            "job_failed fires 600", "mine is resolved 600"}));
  const auto table = run_it([&] { return alert_rules_test({}, arguments); });
  EXPECT_NE(table.out.find("1 alerts fire at the end"), std::string::npos) << table.out;
}

TEST(CliAlert, SaysWhichLineOfARecordingIsBad) {
  support::TempDir dir;
  const auto code = [&](const std::string& lines, const std::string& problem) {
    RulesTestArguments arguments;
    arguments.events = dir.write("bad.jsonl", lines).string();
    const auto ran = run_it([&] { return alert_rules_test({}, arguments); });
    EXPECT_NE(ran.err.find(problem), std::string::npos) << ran.err;
    return ran.code;
  };
  const std::string good = R"({"at_ms":5000,"topic":"x","payload":""})"
                           "\n";
  EXPECT_EQ(code(good + "{", "bad.jsonl:2 "), 2);
  EXPECT_EQ(code(good + R"({"topic":"x"})", "bad.jsonl:2 /at_ms"), 2);
  EXPECT_EQ(code(good + R"({"at_ms":1,"topic":"x"})", "goes back"), 2);
  EXPECT_EQ(code(R"({"at_ms":1,"topic":"fieldwork/v1/state/job/j","payload":"{}"})", "bad.jsonl:1 "), 2);
}

TEST(CliAlert, ShowsAlerts) {
  const Json alert{{"alert", "device_lost.a"},
                   {"rule", "device_lost"},
                   {"subject", "a"},
                   {"state", "firing"},
                   {"severity", "critical"},
                   {"reason", "silent\x1b"},
                   {"value", 1},
                   {"count", 2},
                   {"since_ms", 60'000},
                   {"first_ms", 1000},
                   {"next", "do that"},
                   {"labels", {{"site", "b"}}},
                   {"acked", {{"by", "ann"}, {"comment", "mine"}, {"at_ms", 90'000}}},
                   {"told", {"ops"}}};
  const auto text = alert_text(alert, 120'000);
  for (const char* part : {"device_lost.a is firing (critical)", "silent?", "2 times", "site=b", "by ann", "mine",
                           "ops", "next:    do that"})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  EXPECT_NE(alert_table(Json::array({alert}), 120'000).find("acknowledged by ann"), std::string::npos);
  EXPECT_NE(alert_text(Json::object(), 0).find("nobody yet"), std::string::npos);
  const Json answer{{"rules", Json::array({{{"rule", "r"}, {"enabled", false}}})},
                    {"targets", Json::array()},
                    {"problem", "alerts.toml:4"}};
  const auto rules = rules_text(answer);
  for (const char* part : {"off", "nobody is told", "alerts.toml:4"})
    EXPECT_NE(rules.find(part), std::string::npos) << part;
}

}  // namespace
}  // namespace fieldwork::cli
