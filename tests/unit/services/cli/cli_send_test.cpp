// links: cli_lib GTest::gtest_main
// What `fieldwork send` shows while it waits.
#include "send_view.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "view.hpp"

namespace fieldwork::cli {
namespace {

using codec::Json;

Json stage(const std::string& device, const std::string& state, const std::string& reason = "") {
  return {{"stage", {{"device", device}, {"state", state}, {"reason", reason}}}};
}
Json sending(const std::string& device, std::int64_t acked, const std::string& state = "sending") {
  auto out = stage(device, "taken");
  out["transfer"] = {{"state", state}, {"acked_bytes", acked}, {"encoded_bytes", 100}};
  return out;
}
Json list(std::vector<Json> items) { return Json(std::move(items)); }

TEST(CliSend, ALineSaysHowFarADeviceIs) {
  auto moving = sending("edge-1", 40);
  moving["transfer"].update({{"bit_per_s", 12'000'000}, {"eta_s", 80}, {"resumed_from", 34'000'000}});
  auto held = sending("edge-1", 40, "suspended");
  held["transfer"]["reason"] = "paused by ann";
  auto failed = sending("edge-1", 40, "failed");
  failed["transfer"]["reason"] = "device silent";
  const std::pair<Json, std::string> cases[] = {
      {stage("edge-1", "asked"), "edge-1  waits until the device is heard"},
      {stage("edge-1", "taken"), "edge-1  waits for its transfer"},
      {failed, "edge-1  waits for its transfer: device silent"},
      {moving, "edge-1  [########------------]   40 %  40 B of 100 B, 12 Mbit/s, 1m 20s left, resumed at 32.4 MiB"},
      {held, "edge-1  waits: paused by ann"},
      {sending("edge-1", 100, "verifying"), "edge-1  is verified"},
      {stage("edge-1", "ready"), "edge-1  is ready"},
      {stage("edge-1", "refused", "disk: \x1b full"), "edge-1  refused: disk: ? full"},
      {stage("edge-1", "ended", "ended by ann"), "edge-1  ended: ended by ann"},
  };
  for (const auto& [item, line] : cases) EXPECT_EQ(sent_line(item), line);
}

TEST(CliSend, WithoutATerminalEachChangeIsALine) {
  SendView view(false);
  EXPECT_EQ(view.show(list({stage("a", "asked"), sending("b", 41)})),
            "a  waits until the device is heard\nb  [########------------]   41 %  41 B of 100 B\n");
  EXPECT_EQ(view.show(list({stage("a", "asked"), sending("b", 49)})), "") << "not yet a tenth";
  EXPECT_EQ(view.show(list({stage("a", "ready"), sending("b", 50)})),
            "a  is ready\nb  [##########----------]   50 %  50 B of 100 B\n");
}

TEST(CliSend, OnATerminalTheLinesAreDrawnAnew) {
  SendView view(true);
  EXPECT_EQ(view.show(list({stage("a", "ready"), stage("b", "asked")})),
            "\x1b[Ka  is ready\n\x1b[Kb  waits until the device is heard\n");
  EXPECT_EQ(view.show(list({stage("a", "ready"), stage("b", "asked")})), "");
  EXPECT_EQ(view.show(list({stage("a", "ready"), stage("b", "ready")})),
            "\x1b[2A\x1b[J\x1b[Ka  is ready\n\x1b[Kb  is ready\n");
}

TEST(CliSend, OfManyDevicesTheirNumbersAndThoseThatFailed) {
  std::vector<Json> items(24, stage("", "asked"));
  for (std::size_t i = 0; i < items.size(); ++i) items[i]["stage"]["device"] = "d" + std::to_string(i);
  items[3] = stage("d3", "refused", "no room");
  items[4] = stage("d4", "ready");
  SendView view(false);
  EXPECT_EQ(view.show(list(items)), "d3  refused: no room\nready on 1 of 24 devices, 22 under way, 1 failed\n");
  EXPECT_EQ(view.show(list(items)), "");
  SendView terminal(true);
  EXPECT_EQ(terminal.show(list(items)),
            "\x1b[Kd3  refused: no room\n\x1b[Kready on 1 of 24 devices, 22 under way, 1 failed\n");
}

TEST(CliSend, StagesAreATable) {
  auto one = stage("edge-1", "refused", "no room");
  one["stage"].update({{"digest", "sha256:" + std::string(64, 'a')},
                       {"until_ms", 1'700'000'000'000},
                       {"asked_by", "ann"},
                       {"changed_ms", 1'000}});
  const auto text = stage_table(list({one}), 61'000);
  EXPECT_NE(text.find("edge-1  sha256:aaaaaaaaaaaa  -     refused  2023-11-14 22:13:20Z  ann  1m"), std::string::npos)
      << text;
}

}  // namespace
}  // namespace fieldwork::cli
