// links: cli_lib GTest::gtest_main
// Where the command line's settings come from when nobody says it.
#include <gtest/gtest.h>
#include <stdlib.h>

#include "settings.hpp"
#include "support/pki.hpp"

namespace fieldwork::cli {
namespace {

using support::TempDir;
using support::write;

class CliSettings : public ::testing::Test {
 protected:
  CliSettings() {
    unsetenv("FIELDWORK_CONFIG");
    unsetenv("XDG_CONFIG_HOME");
    setenv("HOME", (dir / "home").c_str(), 1);
    for (const char* name : {"home/.config", "xdg", "named"}) make(dir / name);
  }
  // Its root says which one was read.
  static void make(const std::filesystem::path& home) {
    std::filesystem::create_directories(home / "fieldwork");
    write(home / "fieldwork/cli.toml",
          "root = \"" + home.filename().string() + "\"\n[broker]\nurl = \"tcp://127.0.0.1:1\"\n");
  }
  [[nodiscard]] static std::string root(const Options& options = {}) {
    auto settings = load_settings(options);
    return settings ? settings->root : settings.failure().reason;
  }

  TempDir dir;
};

TEST_F(CliSettings, TheFileIsTheNamedOneThenXdgThenHome) {
  EXPECT_EQ(root(), ".config");
  setenv("XDG_CONFIG_HOME", (dir / "xdg").c_str(), 1);
  EXPECT_EQ(root(), "xdg");
  setenv("FIELDWORK_CONFIG", (dir / "named/fieldwork/cli.toml").c_str(), 1);
  EXPECT_EQ(root(), "named");
  Options options;
  options.config = dir / "xdg/fieldwork/cli.toml";
  EXPECT_EQ(root(options), "xdg");
}

TEST_F(CliSettings, WhatIsNotAbsoluteIsNoXdgHome) {
  for (const char* home : {"", "xdg", "./xdg"}) {
    setenv("XDG_CONFIG_HOME", home, 1);
    EXPECT_EQ(root(), ".config") << home;
  }
}

TEST_F(CliSettings, WhereNothingIsThePlaceIsNamed) {
  setenv("XDG_CONFIG_HOME", (dir / "none").c_str(), 1);
  EXPECT_NE(root().find("there is no settings file " + (dir / "none/fieldwork/cli.toml").string()), std::string::npos)
      << root();
}

}  // namespace
}  // namespace fieldwork::cli
