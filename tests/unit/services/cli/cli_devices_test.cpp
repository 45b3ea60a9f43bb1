// links: cli_lib GTest::gtest_main
// What `fieldwork device set` asks for, and what is shown of a device and of the fleet.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "set_words.hpp"
#include "view.hpp"

namespace fieldwork::cli {
namespace {

using codec::Json;

TEST(DeviceSet, WordsBecomeTheRequest) {
  auto request =
      set_request("edge-1", {"label.zone=b", "heartbeat_s=10", "log_level=debug",
                             "label.old=", "cache_bytes=", "label.a=b=c", "attempts_max=0", "sample_s=2min"});
  ASSERT_TRUE(request);
  EXPECT_EQ(*request, (Json{{"device", "edge-1"},
                            {"set",
                             {{"labels", {{"zone", "b"}, {"a", "b=c"}}},
                              {"heartbeat_s", 10},
                              {"log_level", "debug"},
                              {"attempts_max", 0},
                              {"sample_s", 120}}},
                            {"unset", {"labels/old", "cache_bytes"}}}));
}

TEST(DeviceSet, WhatIsWrongIsNamed) {
  struct Case {
    const char* word;
    const char* reason;
  };
  for (const auto& one : {
           Case{"zone", "'zone' is not NAME=VALUE"},
           Case{"heartbeat=3", "'heartbeat' is no setting of a device; did you mean heartbeat_s?"},
           Case{"label.=3",
                "'label.' is no setting of a device: there are heartbeat_s, sample_s, attempts_max, cache_bytes, "
                "log_level and label.NAME"},
           Case{"heartbeat_s=ten", "heartbeat_s must be a whole number, is 'ten': expected a number, not `ten`"},
           Case{"heartbeat_s=0.5s", "heartbeat_s must be a whole number, is '0.5s'"},
           Case{"cache_bytes=1Gb",
                "cache_bytes must be a whole number, is '1Gb': cache_bytes has no unit Gb; there are B kB MB GB TB KiB "
                "MiB GiB TiB"},
           Case{"attempts_max=1 or attempts_max == 2",
                "attempts_max must be a whole number, is '1 or attempts_max == 2'"},
           Case{"site=berlin",
                "'site' is no setting of a device: it says itself where it stands (device.site in its agent's file). A "
                "label that you give it: label.site=…"},
       }) {
    const auto request = set_request("edge-1", {one.word});
    ASSERT_FALSE(request) << one.word;
    EXPECT_EQ(request.failure().reason, one.reason);
    EXPECT_EQ(request.failure().exit, Exit::usage);
  }
}

TEST(DeviceView, AVerbSaysWhatIsSoAndWhatWillBe) {
  const auto device = [](const char* lifecycle, const char* wanted) {
    return Json{{"device", "d-1"},
                {"lifecycle", lifecycle},
                {"presence", "online"},
                {"configuration", {{"version", 2}, {"lifecycle", wanted}}},
                {"configured", 1}};
  };
  EXPECT_EQ(verb_text("activate", device("inactive", "active")),
            "device d-1 is inactive and online; it will be active when it has answered\n");
  EXPECT_EQ(verb_text("activate", device("active", "active")), "device d-1 is active and online\n");
  auto draining = device("draining", "draining");
  EXPECT_EQ(verb_text("drain", draining), "device d-1 is draining and online; it has not answered yet\n");
  draining["configured"] = 2;
  EXPECT_EQ(verb_text("drain", draining),
            "device d-1 is draining and online; it says when nothing runs there any more\n");
  draining["reason"] = "drained: nothing runs there";
  EXPECT_EQ(verb_text("drain", draining), "device d-1 is draining and online; nothing runs there\n");
  EXPECT_EQ(configured_text(device("active", "active")),
            "device d-1: its configuration is version 2; it follows version 1 until it answers\n");
}

TEST(DeviceView, WhatIsWantedAndWhoClaimsItIsShown) {
  const Json device{
      {"device", "d-1"},
      {"lifecycle", "active"},
      {"presence", "sleeping"},
      {"back_ms", 61'000},
      {"claimed_ms", 1'000},
      {"capabilities", {"camera", "gpu"}},
      {"configuration", {{"version", 3}, {"lifecycle", "active"}, {"heartbeat_s", 10}, {"labels", {{"a", "b"}}}}},
      {"configured", 2}};
  const auto text = device_text(device, 61'000);
  for (const char* part : {"version 3 (it follows 2 until it answers), heartbeat_s 10, lifecycle active", "camera, gpu",
                           "sleeping", "by a device with another key, 1m 0s ago", "fieldwork device remove d-1"})
    EXPECT_NE(text.find(part), std::string::npos) << part << " is not in\n" << text;
}

TEST(FleetView, CountsAndPercentiles) {
  const Json groups{{{"value", "b"},
                     {"devices", 2},
                     {"count", 1},
                     {"min", 0.5},
                     {"p50", 0.5},
                     {"p90", 0.5},
                     {"p99", 0.5},
                     {"max", 0.5},
                     {"mean", 0.5}},
                    {{"value", ""}, {"devices", 1}, {"count", 0}}};
  EXPECT_EQ(stats_table(groups, "site", ""), "site  DEVICES\nb     2\n-     1\n");
  EXPECT_EQ(stats_table(groups, "site", "health"),
            "site  DEVICES  MEASURED  MIN   P50   P90   P99   MAX   MEAN\n"
            "b     2        1         0.50  0.50  0.50  0.50  0.50  0.50\n"
            "-     1        0         -     -     -     -     -     -\n");
  EXPECT_EQ(stats_table(Json::array({{{"value", ""}, {"devices", 3}}}), "", ""), "FLEET  DEVICES\nall    3\n");
}

TEST(DeviceView, HealthIsAReportWithWhatToDo) {
  const Json report{{"device", "d-1"},
                    {"score", 0.724},
                    {"lifecycle", "active"},
                    {"presence", "suspect"},
                    {"reason", "silent for 16 s"},
                    {"heartbeat", {{"every_s", 5}, {"heard_ms", 1'000'000}, {"missed", 0}}},
                    {"jobs", {{"running", 2}, {"succeeded", 40}, {"failed", 3}}},
                    {"pressure", {"storage"}},
                    {"use_percent", {{"storage", 93.1}}},
                    {"threshold_percent", {{"storage", 90}}},
                    {"availability", {{"storage", 0.069}, {"cpu", 1}, {"score", 0.069}}},
                    {"components", {{{"component", "beats"}, {"value", 0.9}, {"weight", 2}, {"reason", "2 missed"}}}},
                    {"recommendations",
                     {{{"about", "storage"}, {"text", "storage 93 %"}, {"command", "fieldwork device prune d-1"}},
                      {{"about", "link"}, {"text", "check\x1b it"}}}}};
  EXPECT_EQ(health_text(report, 1'016'000),
            "device d-1: health 0.72, active and suspect (silent for 16 s)\n"
            "heartbeat: every 5 s, heard 16s ago; use and load are of then\n"
            "jobs: 2 running; since its agent started 40 succeeded and 3 failed\n\n"
            "RESOURCE  USED  AVAILABLE  THRESHOLD  PRESSURE\n"
            "cpu       -     100 %      off\n"
            "memory    -     -          off\n"
            "storage   93 %  7 %        90 %       yes\n"
            "network   -     -          off\n"
            "least           7 %\n\n"
            "COMPONENT  VALUE  WEIGHT  REASON\n"
            "beats      0.90   2.00    2 missed\n\n"
            "to do:\n"
            "  storage 93 %\n"
            "    fieldwork device prune d-1\n"
            "  check? it\n");
}

TEST(DeviceView, AHistorySaysWhereNothingWasHeard) {
  const auto minute = [](int from) {
    return Json{{"from_ms", from * 60'000}, {"beats", 12}, {"mean", {{"health", 1}}}};
  };
  const auto text = history_table(Json::array({minute(1), minute(2), minute(5)}), 60'000);
  EXPECT_NE(text.find("1970-01-01 00:02:00Z  12     1.00"), std::string::npos) << text;
  EXPECT_NE(text.find("\n  nothing for 2m 0s   0\n1970-01-01 00:05:00Z"), std::string::npos) << text;
}

TEST(GroupView, SaysWhatMakesTheGroup) {
  const Json groups{{{"group", "berlin"}, {"devices", 12}, {"changed_ms", 1000}, {"expression", "site == berlin"}},
                    {{"group", "canary"}, {"devices", 1}, {"changed_ms", 1000}}};
  EXPECT_EQ(group_table(groups, 61'000),
            "GROUP   DEVICES  KIND     CHANGED  EXPRESSION\n"
            "berlin  12       dynamic  1m 0s    site == berlin\n"
            "canary  1        static   1m 0s\n");
}

}  // namespace
}  // namespace fieldwork::cli
