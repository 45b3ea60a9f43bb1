// links: codec GTest::gtest_main
// The files in a manifest, and what a template leaves out. Its other fields: tests/support/codec_kinds_more.hpp.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "codec/manifest.hpp"
#include "codec/transfer.hpp"

namespace fieldwork::codec {
namespace {

using Kind = ManifestFile::Kind;

const std::string digest = "sha256:" + std::string(64, 'd');

TEST(ManifestTest, IsReadAsItIsWritten) {
  const Manifest manifest{
      {"aarch64", {"./run", "a b"}, {100, 2, 3}},
      {{.kind = Kind::directory, .path = "d"},
       {.path = "d/gr\xc3\xbc\xc3\x9f", .size_bytes = 7, .digest = digest},
       {.path = "d/\n\"", .digest = digest},
       {.kind = Kind::link, .path = "l", .target = "d/../run"},
       {.path = "run", .executable = true, .size_bytes = limits::size_bytes_max, .digest = digest}}};
  const auto read = decode_manifest(encode(manifest));
  ASSERT_TRUE(read.ok()) << describe(read.error());
  EXPECT_EQ(*read, manifest);
  EXPECT_EQ(encode(Manifest{}), R"({"files":[],"v":1})");
  EXPECT_EQ(decode_manifest(encode(Manifest{})).value(), Manifest{});
}

TEST(ManifestTest, BadFilesAreRefusedWithTheirPlace) {
  const std::pair<Json, std::string> cases[] = {
      {7, "/files/0: must be an object"},
      {{{"mode", "0755"}}, "/files/0/path: is missing"},
      {{{"path", "../a"}, {"mode", "0755"}}, "/files/0/path: must be a relative path inside the package"},
      {{{"path", "/a"}, {"mode", "0755"}}, "/files/0/path: must be a relative path inside the package"},
      {{{"path", ""}, {"mode", "0755"}}, "/files/0/path: must be a relative path inside the package"},
      {{{"path", "a//b"}, {"mode", "0755"}}, "/files/0/path: must be a relative path inside the package"},
      {{{"path", std::string(4097, 'x')}, {"mode", "0755"}}, "/files/0/path: is longer than 4096 bytes"},
      {{{"path", "a"}}, "/files/0/mode: is missing"},
      {{{"path", "a"}, {"mode", "0644"}}, "/files/0/mode: must be 0755"},  // a directory
      {{{"path", "a"}, {"mode", "4755"}, {"digest", digest}, {"size_bytes", 1}}, "/files/0/mode: must be 0644 or 0755"},
      {{{"path", "a"}, {"mode", 493}, {"digest", digest}, {"size_bytes", 1}}, "/files/0/mode: must be a string"},
      {{{"path", "a"}, {"mode", "0644"}, {"digest", "md5:1"}, {"size_bytes", 1}},
       "/files/0/digest: must be sha256: and 64 hex digits"},
      {{{"path", "a"}, {"mode", "0644"}, {"digest", digest}}, "/files/0/size_bytes: is missing"},
      {{{"path", "a"}, {"mode", "0755"}, {"size_bytes", 1}}, "/files/0/size_bytes: is not a field here"},
      {{{"path", "a"}, {"link", "b"}, {"digest", digest}}, "/files/0/digest: is not a field here"},
      {{{"path", "a"}, {"mode", "0755"}, {"owner", 0}}, "/files/0/owner: is not a field here"},
  };
  for (const auto& [file, expected] : cases) {
    const auto read = decode_manifest(dump(Json{{"v", 1}, {"files", Json::array({file})}}));
    ASSERT_FALSE(read.ok()) << file;
    EXPECT_TRUE((read.error().path + ": " + read.error().reason).starts_with(expected))
        << file << ": " << describe(read.error());
  }
}

TEST(ManifestTest, ATemplateNeedsNoFilesAndReadsNone) {
  const PackageAbout about{"x86_64", {}, {0, 5, 0}};
  for (const char* text :
       {R"({"v":1,"architecture":"x86_64","needs":{"memory_bytes":5}})",
        R"({"v":1,"architecture":"amd64","needs":{"memory_bytes":5},"files":[{"path":"/etc/passwd"}]})"}) {
    const auto read = decode_manifest_template(text);
    ASSERT_TRUE(read.ok()) << describe(read.error());
    EXPECT_EQ(*read, about);
  }
  EXPECT_EQ(decode_manifest_template(R"({"v":1,"arch":"x86_64"})").error().path, "/arch");
  EXPECT_EQ(decode_manifest_template("{}").error().path, "/v");
}

TEST(ManifestTest, OtherWordsForAnArchitectureAreReplacedWhereTheyAreRead) {
  const std::pair<const char*, const char*> cases[] = {
      {"arm64", "aarch64"}, {"amd64", "x86_64"}, {"armhf", "armv7l"}, {"aarch64", "aarch64"}, {"riscv64", "riscv64"}};
  for (const auto& [word, is] : cases) {
    const Release release{digest, 1, "n", "1", 9, {word, {}, {}}};
    EXPECT_EQ(decode_release(encode(release))->about.architecture, is);
    EXPECT_EQ(decode_manifest(encode(Manifest{{word, {}, {}}, {}}))->about.architecture, is);
  }
}

}  // namespace
}  // namespace fieldwork::codec
