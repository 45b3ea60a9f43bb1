// links: topic GTest::gtest
// The broker's lists of rights and the table of docs/topics.md are made from the channels: `channels_test --rewrite`.
#include <gtest/gtest.h>

#include <set>

#include "support/made_text.hpp"
#include "topic/channels.hpp"
#include "topic/topic.hpp"

namespace fieldwork {
namespace {

using support::read_file;

const std::string source = FIELDWORK_SOURCE_DIR;

TEST(Channels, TheBrokersRightsAreMadeFromThem) {
  for (const char* door : {"devices", "services", "operators", "dashboards"})
    support::is_made(source + "/deploy/mosquitto/" + door + ".acl.in", door_rights(door), "channels_test");
}

TEST(Channels, TheTableOfTopicsIsMadeFromThem) {
  support::part_is_made(source + "/docs/topics.md", "channels", channels_table(), "channels_test");
}

// Each is a topic that Topics makes and reads, and is there once.
TEST(Channels, AreTopicsOfOurs) {
  const Topics topics("root");
  std::set<std::string_view> seen;
  for (const auto& one : channels()) {
    EXPECT_TRUE(seen.insert(one.topic).second) << one.topic;
    std::string example = "root/";
    for (std::size_t i = 0; i < one.topic.size(); ++i) {
      if (one.topic[i] != '{') {
        example += one.topic[i];
        continue;
      }
      example += "x";
      i = one.topic.find('}', i);
    }
    EXPECT_TRUE(topics.parse(example)) << example;
    EXPECT_FALSE(one.from.empty()) << one.topic;
    // What devices retain somebody must clear: presence alone.
    EXPECT_TRUE(one.from != "device" || one.retained == one.topic.ends_with("/presence")) << one.topic;
  }
}

TEST(Services, AreTheSameForScriptsContainersAndCode) {
  std::string listed;
  for (const auto service : service_names) listed.append(listed.empty() ? "" : " ").append(service);
  EXPECT_NE(read_file(source + "/scripts/lib/services").find("all_services=\"" + listed + "\"\n"), std::string::npos);
  const auto compose = read_file(source + "/docker-compose.yml");
  const auto image = read_file(source + "/deploy/Dockerfile");
  EXPECT_NE(image.find(" " + listed + " "), std::string::npos) << "deploy/Dockerfile";
  for (const auto service : service_names) {
    EXPECT_NE(compose.find("\n  " + std::string(service) + ":\n"), std::string::npos) << service;
    EXPECT_FALSE(read_file(source + "/services/" + std::string(service) + "/main.cpp").empty()) << service;
  }
}

// A device may say or hear only what is listed, and only below its own name; it hears frames for many besides.
TEST(Channels, ADeviceHasItsOwnTreeAlone) {
  const auto rights = door_rights("devices");
  std::size_t lines = 0;
  for (std::size_t at = 0; (at = rights.find("pattern ", at)) != std::string::npos; ++at, ++lines) {
    const auto line = rights.substr(at, rights.find('\n', at) - at);
    if (line == "pattern read @ROOT@/content/+/frame") continue;
    EXPECT_NE(line.find("@ROOT@/device/%u/"), std::string::npos) << line;
    EXPECT_EQ(line.find_first_of("+#"), std::string::npos) << line;
  }
  EXPECT_EQ(lines, 28U);
}

TEST(Channels, FramesForManyAreSaidByTransferAlone) {
  for (const char* door : {"devices", "operators", "dashboards"})
    EXPECT_EQ(door_rights(door).find("write @ROOT@/content/"), std::string::npos) << door;
  const auto rights = door_rights("services");
  const auto line = rights.find("topic write @ROOT@/content/+/frame\n");
  ASSERT_NE(line, std::string::npos);
  EXPECT_EQ(rights.rfind("\nuser ", line), rights.find("\nuser transfer\n"));
  EXPECT_EQ(rights.find("@ROOT@/content/"), rights.rfind("@ROOT@/content/"));
}

}  // namespace
}  // namespace fieldwork

int main(int argc, char** argv) { return fieldwork::support::run_all(argc, argv); }
