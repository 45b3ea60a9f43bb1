// links: runtime GTest::gtest_main
// Settings: which source wins, and what an error says of where the value came from.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "runtime/config.hpp"
#include "runtime/program.hpp"

namespace fieldwork::runtime {
namespace {

using Environment = std::map<std::string, std::string>;
using Sets = std::vector<std::string>;

class ConfigTest : public ::testing::Test {
 protected:
  ConfigTest() {
    std::string name = (std::filesystem::temp_directory_path() / "fieldwork-config-XXXXXX").string();
    directory = mkdtemp(name.data());
  }
  ~ConfigTest() override { std::filesystem::remove_all(directory); }

  std::string write(const std::string& text) {
    const auto path = (directory / "service.toml").string();
    std::ofstream(path) << text;
    return path;
  }
  Result<Config> load(const std::string& text, const Sets& sets = {}, const Environment& environment = {}) {
    return Config::load(text.empty() ? "" : write(text), sets, environment);
  }
  // An error with the temporary directory taken out.
  std::string told(const Error& error) const {
    EXPECT_EQ(error.code, Code::invalid);
    auto text = describe(error);
    for (std::size_t at = 0; (at = text.find(directory.string() + "/")) != std::string::npos;) {
      text.erase(at, directory.string().size() + 1);
    }
    return text;
  }

  std::filesystem::path directory;
};

// --- which source wins --------------------------------------------------------------------------------------------

TEST_F(ConfigTest, FlagBeatsEnvironmentBeatsFileBeatsFallback) {
  struct Case {
    const char* name;
    std::string file;
    Environment environment;
    Sets sets;
    std::string expected, origin;
  };
  const std::string file = "\n[broker]\nurl = \"file\"\n";
  const Environment environment{{"FIELDWORK_BROKER_URL", "environment"}, {"BROKER_URL", "not ours"}};
  const Case cases[] = {
      {"nothing", "", {}, {}, "fallback", "broker.url (default)"},
      {"file", file, {}, {}, "file", "broker.url (service.toml:3)"},
      {"environment", "", environment, {}, "environment", "broker.url (environment FIELDWORK_BROKER_URL)"},
      {"environment over file", file, environment, {}, "environment", "broker.url (environment FIELDWORK_BROKER_URL)"},
      {"flag over file", file, {}, {"broker.url=flag"}, "flag", "broker.url (--set broker.url)"},
      {"flag over all", file, environment, {"broker.url=flag"}, "flag", "broker.url (--set broker.url)"},
      {"the last flag", "", {}, {"broker.url=a", "broker.url=b"}, "b", "broker.url (--set broker.url)"},
      {"a flag may be empty", file, environment, {"broker.url="}, "", "broker.url (--set broker.url)"},
      {"a value with =", "", {}, {"broker.url=a=b=c"}, "a=b=c", "broker.url (--set broker.url)"},
      {"an empty variable",
       file,
       {{"FIELDWORK_BROKER_URL", ""}},
       {},
       "",
       "broker.url (environment FIELDWORK_BROKER_URL)"},
  };
  for (const auto& c : cases) {
    auto config = load(c.file, c.sets, c.environment);
    ASSERT_TRUE(config.ok()) << c.name;
    EXPECT_EQ(config->text("broker.url", "fallback"), c.expected) << c.name;
    EXPECT_EQ(told({Code::invalid, "", config->origin("broker.url")}), c.origin + ": ") << c.name;
    EXPECT_TRUE(config->finish().ok()) << c.name;
  }
}

TEST_F(ConfigTest, EveryTypeComesFromEverySource) {
  const std::string file = "[a]\nwhole-number = 7\nfraction = 0.123456789012345\nflag = true\nword = \"w\"\n";
  const Environment environment{
      {"FIELDWORK_B_WHOLE_NUMBER", "-7"}, {"FIELDWORK_B_FRACTION", "-1e3"}, {"FIELDWORK_B_FLAG", "false"}};
  const Sets sets{"c.whole-number=9223372036854775807", "c.fraction=3", "c.flag=true"};
  auto config = load(file, sets, environment);
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->integer("a.whole-number", 0, -10, 10), 7);
  EXPECT_EQ(config->integer("b.whole-number", 0, -10, 10), -7);
  EXPECT_EQ(config->integer("c.whole-number", 0, 0, INT64_MAX), INT64_MAX);
  EXPECT_EQ(config->number("a.fraction", 0, 0, 1), 0.123456789012345);
  EXPECT_EQ(config->number("b.fraction", 0, -1e6, 1), -1000);
  EXPECT_EQ(config->number("c.fraction", 0, 0, 10), 3);
  EXPECT_TRUE(config->boolean("a.flag", false));
  EXPECT_FALSE(config->boolean("b.flag", true));
  EXPECT_TRUE(config->boolean("c.flag", false));
  EXPECT_EQ(config->text("a.word"), "w");
  const auto done = config->finish();
  EXPECT_TRUE(done.ok()) << describe(done.error());
}

TEST_F(ConfigTest, WhatIsNotSetIsTheFallbackToTheLastDigit) {
  auto config = load("");
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->integer("a", INT64_MIN, INT64_MIN, 0), INT64_MIN);
  EXPECT_EQ(config->number("b", 1e-9, 0, 1), 1e-9);
  EXPECT_EQ(config->number("c", 0.1, 0, 1), 0.1);
  EXPECT_TRUE(config->boolean("d", true));
  EXPECT_EQ(config->text("e", ""), "");
  EXPECT_TRUE(config->finish().ok());
}

TEST_F(ConfigTest, ATableGathersFileAndFlags) {
  auto config = load("[device.labels]\nzone = \"file\"\narch = \"x86\"\n[device]\nid = \"d\"\n",
                     {"device.labels.zone=a", "device.labels.rack=7", "device.labelsx=1"});
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->table("device.labels"),
            (std::map<std::string, std::string>{{"arch", "x86"}, {"rack", "7"}, {"zone", "a"}}));
  EXPECT_EQ(config->text("device.id"), "d");
  auto other = load("[zones]\na = \"file\"\n", {"zones.a=flag"});
  EXPECT_EQ(other->table("zones").at("a"), "flag") << "whatever the name sorts before";
  const auto done = config->finish();
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(told(done.error()), "device.labelsx (--set device.labelsx): is not a setting of this program");
  EXPECT_EQ(config->table("device.tags"), (std::map<std::string, std::string>{}));
}

// --- mistakes -----------------------------------------------------------------------------------------------------

struct Mistake {
  const char* name;
  std::string file;
  Sets sets;
  Environment environment;
  std::function<void(Config&)> read;
  std::string expected;
};

const Mistake mistakes[] = {
    {"missing",
     "",
     {},
     {},
     [](Config& c) { c.text("broker.key-file"); },
     "broker.key-file: is not set: put it in the file, in FIELDWORK_BROKER_KEY_FILE or in --set broker.key-file=…"},
    {"the first one counts",
     "",
     {},
     {},
     [](Config& c) {
       c.text("a");
       c.text("b");
     },
     "a: is not set: put it in the file, in FIELDWORK_A or in --set a=…"},
    {"a mistake before an unknown setting",
     "x = 1\n",
     {},
     {},
     [](Config& c) { c.text("a"); },
     "a: is not set: put it in the file, in FIELDWORK_A or in --set a=…"},
    {"unknown in the file, and what was meant",
     "[broker]\nulr = \"x\"\n",
     {},
     {},
     [](Config& c) { c.text("broker.url", ""); },
     "broker.ulr (service.toml:2): is not a setting of this program; did you mean broker.url?"},
    {"the mistyped one before the missing one that it may be",
     "[broker]\nurls = \"x\"\n",
     {},
     {},
     [](Config& c) { c.text("broker.url"); },
     "broker.urls (service.toml:2): is not a setting of this program; did you mean broker.url?"},
    {"unknown in the file",
     "root = \"r\"\n\n[broker]\n# one\nulr = \"x\"\n",
     {},
     {},
     [](Config& c) { c.text("root", ""); },
     "broker.ulr (service.toml:5): is not a setting of this program"},
    {"unknown flag",
     "",
     {"broker.ulr=x"},
     {},
     [](Config&) {},
     "broker.ulr (--set broker.ulr): is not a setting of this program"},
    {"text for a whole number in the file",
     "[a]\nb = \"many\"\n",
     {},
     {},
     [](Config& c) { c.integer("a.b", 1, 0, 9); },
     "a.b (service.toml:2): must be a whole number from 0 to 9"},
    {"a fraction for a whole number",
     "a = 1.5\n",
     {},
     {},
     [](Config& c) { c.integer("a", 1, 0, 9); },
     "a (service.toml:1): must be a whole number from 0 to 9"},
    {"too large in a variable",
     "a = 1\n",
     {},
     {{"FIELDWORK_A", "10"}},
     [](Config& c) { c.integer("a", 1, 0, 9); },
     "a (environment FIELDWORK_A): must be a whole number from 0 to 9"},
    {"too small in a flag",
     "a = 1\n",
     {"a=-1"},
     {{"FIELDWORK_A", "1"}},
     [](Config& c) { c.integer("a", 1, 0, 9); },
     "a (--set a): must be a whole number from 0 to 9"},
    {"beyond 64 bits",
     "",
     {"a=9223372036854775808"},
     {},
     [](Config& c) { c.integer("a", 1, 0, 9); },
     "a (--set a): must be a whole number from 0 to 9"},
    {"a number and more",
     "",
     {"a=1x"},
     {},
     [](Config& c) { c.integer("a", 1, 0, 9); },
     "a (--set a): must be a whole number from 0 to 9"},
    {"a number with a space",
     "",
     {},
     {{"FIELDWORK_A", " 1"}},
     [](Config& c) { c.integer("a", 1, 0, 9); },
     "a (environment FIELDWORK_A): must be a whole number from 0 to 9"},
    {"an empty number",
     "",
     {"a="},
     {},
     [](Config& c) { c.integer("a", 1, 0, 9); },
     "a (--set a): must be a whole number from 0 to 9"},
    {"no number",
     "a = true\n",
     {},
     {},
     [](Config& c) { c.number("a", 1, 0, 2); },
     "a (service.toml:1): must be a number from 0.000000 to 2.000000"},
    {"nan",
     "",
     {"a=nan"},
     {},
     [](Config& c) { c.number("a", 1, 0, 2); },
     "a (--set a): must be a number from 0.000000 to 2.000000"},
    {"neither true nor false",
     "",
     {},
     {{"FIELDWORK_A", "yes"}},
     [](Config& c) { c.boolean("a", true); },
     "a (environment FIELDWORK_A): must be true or false"},
};

TEST_F(ConfigTest, AMistakeNamesTheSettingAndItsOrigin) {
  for (const auto& c : mistakes) {
    auto config = load(c.file, c.sets, c.environment);
    ASSERT_TRUE(config.ok()) << c.name;
    c.read(*config);
    const auto done = config->finish();
    ASSERT_FALSE(done.ok()) << c.name;
    EXPECT_EQ(told(done.error()), c.expected) << c.name;
  }
}

TEST_F(ConfigTest, WhatCannotBeReadAtAll) {
  struct Case {
    const char* name;
    std::string file;
    Sets sets;
    std::string begins;
  };
  const Case cases[] = {
      {"not TOML", "a = 1\nb = = 2\n", {}, "service.toml:2: "},
      {"the same setting twice", "a = 1\na = 2\n", {}, "service.toml:2: "},
      {"a list", "[a]\nb = [\"x\", \"y\"]\n", {}, "a.b (service.toml:2): must be a string, a number, true or false"},
      {"a date", "b = 2024-01-01\n", {}, "b (service.toml:1): must be a string, a number, true or false"},
      {"a list of tables", "[[a]]\nb = 1\n", {}, "a (service.toml:1): must be a string, a number, true or false"},
      {"no value", "", {"broker.url"}, "--set broker.url: must be key=value"},
      {"no key", "", {"=x"}, "--set =x: must be key=value"},
      {"nothing", "", {""}, "--set : must be key=value"},
  };
  for (const auto& c : cases) {
    const auto config = load(c.file, c.sets);
    ASSERT_FALSE(config.ok()) << c.name;
    EXPECT_TRUE(told(config.error()).starts_with(c.begins)) << c.name << ": " << told(config.error());
  }
  const auto none = Config::load((directory / "none.toml").string(), {}, {});
  ASSERT_FALSE(none.ok());
  EXPECT_TRUE(told(none.error()).starts_with("none.toml:")) << told(none.error());
}

TEST_F(ConfigTest, UnknownVariablesAreNotOursToJudge) {
  auto config = load("", {}, {{"FIELDWORK_NEVER_HEARD_OF", "x"}});
  ASSERT_TRUE(config.ok());
  EXPECT_TRUE(config->finish().ok());
}

TEST_F(ConfigTest, UnknownVariablesCanBeNamed) {
  auto config =
      load("", {}, {{"FIELDWORK_BROKER_URLL", "x"}, {"FIELDWORK_BROKER_URL", "y"}, {"FIELDWORK_CONFIG", "z"}});
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->text("broker.url"), "y");
  EXPECT_EQ(config->unknown_variables(),
            std::vector<std::string>{"environment FIELDWORK_BROKER_URLL is not a setting of this program; did you mean "
                                     "FIELDWORK_BROKER_URL?"});
}

TEST_F(ConfigTest, TheEnvironmentOfThisProcess) {
  ASSERT_EQ(setenv("FIELDWORK_CONFIG_TEST", "a=b", 1), 0);
  const auto environment = Config::process_environment();
  unsetenv("FIELDWORK_CONFIG_TEST");
  EXPECT_EQ(environment.at("FIELDWORK_CONFIG_TEST"), "a=b");
}

// A device that may not say its largest report would be silent for good.
TEST_F(ConfigTest, ThePacketLimitLeavesRoomForEveryReport) {
  for (const auto& [bytes, good] : {std::pair("131071", false), std::pair("131072", true)}) {
    auto config =
        load("", {"broker.url=tcp://b:1", "broker.user_name=ann", std::string("broker.packet_bytes_max=") + bytes});
    const auto mqtt = read_mqtt(*config, "edge-1");
    EXPECT_EQ(config->finish().ok(), good) << bytes;
    EXPECT_EQ(mqtt.user_name, "ann");
  }
}

}  // namespace
}  // namespace fieldwork::runtime
