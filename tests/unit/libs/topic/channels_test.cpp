// links: topic GTest::gtest
// The broker's lists of rights and the table of docs/topics.md are made from the channels: `channels_test --rewrite`.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <set>

#include "topic/channels.hpp"
#include "topic/topic.hpp"

namespace fieldwork {
namespace {

bool rewrite = false;
const std::string source = FIELDWORK_SOURCE_DIR;

std::string read(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

void is(const std::string& path, const std::string& made) {
  if (rewrite) std::ofstream(path) << made;
  EXPECT_EQ(read(path), made) << path << ": channels_test --rewrite makes it";
}

TEST(Channels, TheBrokersRightsAreMadeFromThem) {
  for (const char* door : {"devices", "services", "operators", "dashboards"})
    is(source + "/deploy/mosquitto/" + door + ".acl.in", door_rights(door));
}

TEST(Channels, TheTableOfTopicsIsMadeFromThem) {
  const auto path = source + "/docs/topics.md";
  const std::string begin = "<!-- channels: made by channels_test --rewrite -->\n", end = "<!-- end of channels -->\n";
  const auto text = read(path);
  const auto from = text.find(begin), to = text.find(end);
  ASSERT_TRUE(from != std::string::npos && to != std::string::npos && from < to);
  is(path, text.substr(0, from + begin.size()) + channels_table() + text.substr(to));
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
  EXPECT_NE(read(source + "/scripts/lib/services").find("all_services=\"" + listed + "\"\n"), std::string::npos);
  const auto compose = read(source + "/docker-compose.yml");
  const auto image = read(source + "/deploy/Dockerfile");
  EXPECT_NE(image.find(" " + listed + " "), std::string::npos) << "deploy/Dockerfile";
  for (const auto service : service_names) {
    EXPECT_NE(compose.find("\n  " + std::string(service) + ":\n"), std::string::npos) << service;
    EXPECT_FALSE(read(source + "/services/" + std::string(service) + "/main.cpp").empty()) << service;
  }
}

// A device may say or hear only what is listed, and only below its own name.
TEST(Channels, ADeviceHasItsOwnTreeAlone) {
  const auto rights = door_rights("devices");
  std::size_t lines = 0;
  for (std::size_t at = 0; (at = rights.find("pattern ", at)) != std::string::npos; ++at, ++lines) {
    const auto line = rights.substr(at, rights.find('\n', at) - at);
    EXPECT_NE(line.find("@ROOT@/device/%u/"), std::string::npos) << line;
    EXPECT_EQ(line.find_first_of("+#"), std::string::npos) << line;
  }
  EXPECT_EQ(lines, 21U);
}

}  // namespace
}  // namespace fieldwork

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  fieldwork::rewrite = argc > 1 && std::string_view(argv[1]) == "--rewrite";
  return RUN_ALL_TESTS();
}
