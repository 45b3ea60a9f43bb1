// links: cli_lib GTest::gtest_main
// Packages: sent to devices without a job, and removed.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/cli_commands.hpp"

namespace fieldwork::cli {
namespace {

TEST_F(CliCommands, APackageIsRemovedWithAllItsNames) {
  EXPECT_EQ(package_remove(options, "anomaly@1.0", ""), 0);
  EXPECT_EQ(out(), "removed anomaly@1.0, a@2 for 2 architectures; running jobs keep what they have\n");
}

TEST_F(CliCommands, APackageIsRemovedForOneArchitecture) {
  EXPECT_EQ(package_remove(options, "anomaly@1.0", "x86_64"), 0);
  EXPECT_EQ(out(), "removed anomaly@1.0, a@2; running jobs keep what they have\n");
}

TEST_F(CliCommands, APackageIsRemovedByTheBeginningOfItsDigest) {
  options.json = true;
  EXPECT_EQ(package_remove(options, "sha256:aaaaaa", ""), 0);
  EXPECT_EQ(Json::parse(out()).at("digests"), Json::array({"sha256:" + std::string(64, 'a')}));
}

TEST_F(CliCommands, WhoNeedsAPackageIsSaid) {
  EXPECT_EQ(package_remove(options, "needed@1", ""), 1);
  EXPECT_NE(said().find("needed@1 is needed by job j-1, stage on edge-1"), std::string::npos) << said();
  EXPECT_EQ(package_remove(options, "unsaid@1", ""), 3);
  EXPECT_EQ(package_remove(options, "needed", ""), 2);
}

TEST_F(CliCommands, UnusedPackagesAreAskedFor) {
  options.json = true;
  EXPECT_EQ(package_list(options, true), 0);
  EXPECT_EQ(Json::parse(out()), Json::array());
}

TEST_F(CliCommands, SendStagesAPackageAndWaitsUntilItIsReady) {
  options.json = true;
  EXPECT_EQ(send(options, {.what = "anomaly@1.0", .target = "group == canary"}), 0) << said();
  const auto sent = Json::parse(out());
  ASSERT_EQ(sent.at("items").size(), 2U);
  EXPECT_EQ(sent.at("items").at(1).at("stage").at("device"), "d-2");
  EXPECT_FALSE(sent.at("items").at(0).at("stage").contains("file"));
  EXPECT_EQ(said(),
            "d-1  waits until the device is heard\nd-2  waits until the device is heard\n"
            "d-1  [########------------]   40 %  4 B of 10 B, resumed at 3 B\n"
            "d-2  [########------------]   40 %  4 B of 10 B, resumed at 3 B\n"
            "d-1  is ready, resumed at 3 B\nd-2  is ready, resumed at 3 B\n");
}

TEST_F(CliCommands, SendGivesEachDeviceThePackageOfItsArchitecture) {
  options.json = true;
  EXPECT_EQ(send(options, {.what = "both@1.0", .target = "group == canary"}), 0) << said();
  const auto sent = Json::parse(out());
  EXPECT_EQ(sent.at("digests").size(), 2U);
  ASSERT_EQ(sent.at("items").size(), 2U);
  for (const auto& item : sent.at("items")) {
    const bool arm = item.at("stage").at("device") == "d-2";
    EXPECT_EQ(item.at("stage").at("digest"), "sha256:" + std::string(64, arm ? 'b' : 'a'));
  }
}

TEST_F(CliCommands, SendRefusesWhereNoPackageIsForTheArchitecture) {
  EXPECT_EQ(send(options, {.what = "arm@1.0", .target = "group == canary"}), 1);
  EXPECT_NE(said().find("d-1  refused: its architecture is x86_64; arm@1.0 is there for aarch64"), std::string::npos)
      << said();
  EXPECT_EQ(transfer_unstage(options, {.package = "both@1.0", .target = "site == a"}), 0);
  EXPECT_NE(out().find("arm@1.0 is ready on 1 of 2 devices, 1 failed"), std::string::npos) << out();
  EXPECT_NE(out().find("no longer staged on 2 of 2 devices"), std::string::npos) << out();
}

TEST_F(CliCommands, SendPacksAFileAndSaysWhereItGoes) {
  write("stored", "");
  const auto file = write("map.bin", "streets");
  EXPECT_EQ(send(options, {.what = file, .target = "canary", .as = "maps/", .no_wait = true}), 0) << said();
  EXPECT_EQ(out().substr(0, 8), "map.bin@") << "its own name, and digits of its digest";
  EXPECT_NE(out().find(" is asked for on 2 of 2 devices\n"), std::string::npos) << out();
  fs::remove(place / "stored");
}

TEST_F(CliCommands, SendFailsWhereADeviceRefuses) {
  write("refuse", "");
  EXPECT_EQ(send(options, {.what = "anomaly@1.0", .target = "site == a"}), 1);
  EXPECT_EQ(out(), "anomaly@1.0 is ready on 1 of 2 devices, 1 failed\n");
  EXPECT_NE(said().find("d-2  refused: no such device\n"), std::string::npos) << said();
  fs::remove(place / "refuse");
}

TEST_F(CliCommands, SendEndsItsWaitAtTheTimeout) {
  write("stuck", "");
  options.timeout_s = 1;
  EXPECT_EQ(send(options, {.what = "anomaly@1.0", .target = "site == a"}), 5);
  EXPECT_NE(said().find("What was asked for stands: fieldwork transfer staged"), std::string::npos) << said();
  fs::remove(place / "stuck");
}

TEST_F(CliCommands, WhatSendCannotMean) {
  const auto file = write("map.bin", "streets");
  EXPECT_EQ(send(options, {.what = file, .target = "d-1", .as = "x", .stage_only = true}), 2);
  EXPECT_EQ(send(options, {.what = place.string(), .target = "d-1", .as = "x"}), 2) << "a directory";
  EXPECT_EQ(send(options, {.what = file, .target = "d-1", .keep = "soon"}), 2);
  EXPECT_EQ(send(options, {.what = "anomaly@1.0", .target = "d-1", .name = "x"}), 2);
  EXPECT_EQ(send(options, {.what = "nothing", .target = "site == a"}), 2);
}

TEST_F(CliCommands, UnstagesAndListsWhatIsStaged) {
  EXPECT_EQ(transfer_unstage(options, {.package = "anomaly@1.0", .target = "site == a"}), 0);
  EXPECT_EQ(transfer_staged(options, {}), 0);
  EXPECT_NE(out().find("no longer staged on 2 of 2 devices\nDEVICE"), std::string::npos) << out();
}

}  // namespace
}  // namespace fieldwork::cli
