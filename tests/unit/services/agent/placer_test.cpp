// links: agent_shell content GTest::gtest_main
// A package's file in its place: whole or not at all, and never outside of the directory for files.
#include "agent/shell/placer.hpp"

#include <gtest/gtest.h>

#include "content/archive.hpp"
#include "crypto/digest.hpp"
#include "support/pki.hpp"

namespace fieldwork::agent {
namespace {

using namespace support;

class Placing : public ::testing::Test {
 protected:
  TempDir dir;
  fs::path root = dir / "files";

  void SetUp() override { fs::create_directories(root); }
  fs::path packed(const std::string& bytes, bool executable = false) {
    write(dir / "source", bytes);
    if (executable) fs::permissions(dir / "source", fs::perms::owner_all);
    const auto out = dir / ("package-" + std::to_string(++count_));
    EXPECT_TRUE(content::pack(dir / "source", out).ok());
    return out;
  }
  Result<void> place(const std::string& file, const fs::path& archive) { return place_file(root, archive, file); }

 private:
  int count_ = 0;
};

TEST_F(Placing, WritesTheFileAndMakesDirectories) {
  ASSERT_TRUE(place("maps/city/berlin.bin", packed("streets")).ok());
  EXPECT_EQ(read(root / "maps/city/berlin.bin"), "streets");
  ASSERT_TRUE(place("maps/city/berlin.bin", packed("other streets", true)).ok());
  EXPECT_EQ(read(root / "maps/city/berlin.bin"), "other streets");
  EXPECT_NE(fs::status(root / "maps/city/berlin.bin").permissions() & fs::perms::owner_exec, fs::perms::none);
  EXPECT_EQ(files_in(root / "maps/city"), 1U) << "nothing is left beside it";
}

TEST_F(Placing, FollowsNoLinkOutOfItsDirectory) {
  fs::create_directories(dir / "elsewhere");
  fs::create_directory_symlink(dir / "elsewhere", root / "out");
  const auto through = place("out/x", packed("new"));
  ASSERT_FALSE(through.ok());
  EXPECT_EQ(through.error().reason.rfind("out is a link or no directory", 0), 0U) << through.error().reason;
  EXPECT_EQ(files_in(dir / "elsewhere"), 0U);
  write(dir / "elsewhere/x", "old");
  fs::create_symlink(dir / "elsewhere/x", root / "x");
  ASSERT_TRUE(place("x", packed("new")).ok());
  EXPECT_EQ(read(dir / "elsewhere/x"), "old") << "the link is replaced, not followed";
  EXPECT_EQ(read(root / "x"), "new");
}

TEST_F(Placing, LeavesNothingWhereItFails) {
  write(root / "x", "old");
  fs::create_directories(dir / "tree/sub");
  write(dir / "tree/a", "1");
  write(dir / "tree/sub/b", "2");
  ASSERT_TRUE(content::pack(dir / "tree", dir / "many").ok());
  const auto many = place("x", dir / "many");
  ASSERT_FALSE(many.ok());
  EXPECT_EQ(many.error().reason, "the package is not one file: it can only be staged");
  write(dir / "broken", "no archive");
  EXPECT_FALSE(place("x", dir / "broken").ok());
  fs::create_directories(root / "y/z");
  EXPECT_FALSE(place("y", packed("new")).ok()) << "a directory is in the way";
  const auto full = place_file(root, packed("123456"), "x", [](const fs::path&) {
    return Result<exchange::Disk>(exchange::Disk{100, 15});  // a tenth is not for files
  });
  ASSERT_FALSE(full.ok());
  EXPECT_EQ(full.error().code, Code::unavailable);
  EXPECT_NE(full.error().reason.find("has 6 bytes, and 5 are free"), std::string::npos) << full.error().reason;
  EXPECT_EQ(read(root / "x"), "old");
  EXPECT_EQ(files_in(root), 2U) << "x and y";
}

TEST_F(Placing, WhatAKillLeftBehindIsInNobodysWay) {
  const auto archive = packed("new");
  // The name of the temporary file: what another place() of the same file finds.
  fs::create_symlink(dir / "elsewhere", root / (".fieldwork-" + crypto::digest_of("x").substr(7, 16)));
  ASSERT_TRUE(place("x", archive).ok());
  EXPECT_FALSE(fs::exists(dir / "elsewhere"));
  EXPECT_EQ(files_in(root), 1U);
}

TEST_F(Placing, SaysWhatBecameOfIt) {
  Placer placer(root, true);
  const auto archive = packed("new");
  const auto digest = crypto::digest_of_file(archive).value();
  placer.place({digest, "x"}, archive);
  std::vector<staging::Placed> done;
  while (done.empty()) done = placer.done();
  EXPECT_EQ(done.front().file, "x");
  EXPECT_FALSE(done.front().refused);
  Placer nowhere("", false);
  nowhere.place({digest, "x"}, archive);
  EXPECT_EQ(nowhere.done().at(0).refused, "x: device.files is not set on this device");
}

TEST_F(Placing, APackageThatWasChangedHereIsNotPlaced) {
  Placer placer(root, false);
  const auto archive = packed("new");
  placer.place({crypto::digest_of("another"), "x"}, archive);
  EXPECT_NE(placer.done().at(0).refused.value_or("").find("was changed here"), std::string::npos);
  EXPECT_FALSE(fs::exists(root / "x"));
  EXPECT_FALSE(fs::exists(archive)) << "the next one who asks gets it anew";
}

}  // namespace
}  // namespace fieldwork::agent
