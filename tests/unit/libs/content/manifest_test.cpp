// links: content codec PkgConfig::ARCHIVE GTest::gtest_main
// Packages: what is in the archive is what the manifest says, and the manifest says what is there.
#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>

#include "codec/manifest.hpp"
#include "content/archive.hpp"
#include "crypto/digest.hpp"
#include "model/limits.hpp"
#include "support/temp_dir.hpp"

namespace fieldwork::content {
namespace {

namespace fs = std::filesystem;
using support::TempDir;
using Kind = ManifestFile::Kind;

constexpr const char* manifest_name = ".fieldwork/manifest.json";

std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void make_tree(const TempDir& dir, const std::string& root) {
  dir.write(root + "/run.sh", "#!/bin/sh\n");
  dir.write(root + "/data/a", "aa");
  dir.write(root + "/gr\xc3\xbc\xc3\x9f", "");
  fs::permissions(dir / (root + "/run.sh"), fs::perms::owner_all);
  fs::create_symlink("../run.sh", dir / (root + "/data/start"));
}

Manifest manifest_of(const fs::path& archive) {
  const auto read = read_manifest(archive);
  EXPECT_TRUE(read.ok()) << describe(read.error());
  EXPECT_TRUE(*read);
  return read->value_or(Manifest{});
}

TEST(Package, SaysWhatIsInIt) {
  const TempDir dir;
  make_tree(dir, "d");
  const PackageAbout about{"aarch64", {"./run.sh", "--all"}, {500, 1 << 20, 7}};
  const auto packed = pack_package(dir / "d", dir / "d.tar", about);
  ASSERT_TRUE(packed.ok()) << describe(packed.error());
  EXPECT_EQ(packed->digest, crypto::digest_of(read(dir / "d.tar")));
  EXPECT_EQ(packed->about, about);
  const Manifest expected{
      about,
      {{.kind = Kind::directory, .path = "data"},
       {.path = "data/a", .size_bytes = 2, .digest = crypto::digest_of("aa")},
       {.kind = Kind::link, .path = "data/start", .target = "../run.sh"},
       {.path = "gr\xc3\xbc\xc3\x9f", .digest = crypto::digest_of("")},
       {.path = "run.sh", .executable = true, .size_bytes = 10, .digest = crypto::digest_of("#!/bin/sh\n")}}};
  EXPECT_EQ(manifest_of(dir / "d.tar"), expected);
  const auto done = unpack(dir / "d.tar", dir / "out", 12);
  ASSERT_TRUE(done.ok()) << describe(done.error());
  EXPECT_EQ(read(dir / "out/data/start"), "#!/bin/sh\n");
  EXPECT_FALSE(fs::exists(dir / "out/.fieldwork"));
  EXPECT_EQ(unpack(dir / "d.tar", dir / "less", 11).error().reason, "the files are larger than was announced");
  // The same tree gives the same bytes.
  make_tree(dir, "e");
  EXPECT_EQ(pack_package(dir / "e", dir / "e.tar", about)->digest, packed->digest);
}

TEST(Package, OfOneFileHasAManifest) {
  const TempDir dir;
  ASSERT_TRUE(pack_package(dir.write("sub/model.bin", "weights"), dir / "f.tar").ok());
  const auto manifest = manifest_of(dir / "f.tar");
  EXPECT_EQ(manifest.about, PackageAbout{});
  ASSERT_EQ(manifest.files.size(), 1U);
  EXPECT_EQ(manifest.files[0].path, "model.bin");
  ASSERT_TRUE(unpack(dir / "f.tar", dir / "out", 7).ok());
  EXPECT_EQ(read(dir / "out/model.bin"), "weights");
}

TEST(Package, ArchivesWithoutAManifestStayValid) {
  const TempDir dir;
  make_tree(dir, "d");
  ASSERT_TRUE(pack(dir / "d", dir / "d.tar").ok());
  const auto manifest = read_manifest(dir / "d.tar");
  ASSERT_TRUE(manifest.ok());
  EXPECT_FALSE(*manifest);
  fs::create_directory(dir / "nothing");
  ASSERT_TRUE(pack(dir / "nothing", dir / "nothing.tar").ok());
  EXPECT_FALSE(read_manifest(dir / "nothing.tar").value());
  EXPECT_FALSE(read_manifest(dir.write("junk", "no archive")).ok());
}

TEST(Package, AManifestInTheTreeIsATemplate) {
  const TempDir dir;
  make_tree(dir, "d");
  dir.write(std::string("d/") + manifest_name,
            R"({"v":1,"architecture":"arm64","entry":["./run.sh"],"needs":{"memory_bytes":100},"files":[7]})");
  const auto packed = pack_package(dir / "d", dir / "d.tar");
  ASSERT_TRUE(packed.ok()) << describe(packed.error());
  EXPECT_EQ(packed->about, (PackageAbout{"aarch64", {"./run.sh"}, {0, 100, 0}}));
  EXPECT_EQ(manifest_of(dir / "d.tar").files.size(), 5U);  // not itself
  // What is given counts more.
  const auto given = pack_package(dir / "d", dir / "d.tar", {"amd64", {"sh", "run.sh"}, {250, 0, 0}});
  ASSERT_TRUE(given.ok());
  EXPECT_EQ(given->about, (PackageAbout{"x86_64", {"sh", "run.sh"}, {250, 100, 0}}));
}

TEST(Package, RefusesToPackWhatAManifestCannotSay) {
  const TempDir dir;
  struct Case {
    const char* what;
    std::function<void()> make;
    PackageAbout given;
    std::string path, reason;
  };
  const auto write = [&](const std::string& name, const std::string& text = "x") {
    return [&dir, name, text] { dir.write("d/" + name, text); };
  };
  const Case cases[] = {
      {"another file", write(".fieldwork/other"), {}, ".fieldwork/other", "only the file manifest.json"},
      {"a file in place of the directory", write(".fieldwork"), {}, ".fieldwork", "only the file manifest.json"},
      {"no JSON", write(manifest_name, "{"), {}, manifest_name, "not JSON"},
      {"an unknown field", write(manifest_name, R"({"v":1,"arch":"x"})"), {}, manifest_name, "/arch"},
      {"a template too large",
       write(manifest_name, std::string(limits::manifest_bytes_max + 1, ' ')),
       {},
       manifest_name,
       "is larger than 4 MiB"},
      {"bytes as a name", write("raw\xff"), {}, "raw\xff", "is not UTF-8"},
      {"no such entry", write("a"), {.entry = {"./b"}}, "./b", "the entry is no program in the package"},
      {"an entry that is no program", write("a"), {.entry = {"./a"}}, "./a", "the entry is no program in the package"},
      {"an architecture that is none", write("a"), {.architecture = "arm 64"}, manifest_name, "/architecture"},
  };
  for (const Case& c : cases) {
    fs::remove_all(dir / "d");
    c.make();
    const auto done = pack_package(dir / "d", dir / "d.tar", c.given);
    ASSERT_FALSE(done.ok()) << c.what;
    EXPECT_EQ(done.error().path, c.path) << c.what;
    EXPECT_NE(describe(done.error()).find(c.reason), std::string::npos) << c.what << ": " << describe(done.error());
    EXPECT_FALSE(fs::exists(dir / "d.tar")) << c.what;
  }
}

struct Member {
  std::string name;
  mode_t type = AE_IFREG;
  std::string text{};  // a file's bytes; a link's target
  mode_t mode = 0644;
};

void write_archive(const fs::path& path, const std::vector<Member>& members) {
  archive* writer = archive_write_new();
  archive_write_set_format_pax(writer);
  ASSERT_EQ(archive_write_open_filename(writer, path.c_str()), ARCHIVE_OK);
  for (const Member& member : members) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, member.name.c_str());
    archive_entry_set_filetype(entry, member.type);
    archive_entry_set_perm(entry, member.mode);
    archive_entry_set_size(entry, member.type == AE_IFREG ? static_cast<la_int64_t>(member.text.size()) : 0);
    if (member.type == AE_IFLNK) archive_entry_set_symlink(entry, member.text.c_str());
    ASSERT_EQ(archive_write_header(writer, entry), ARCHIVE_OK) << archive_error_string(writer);
    if (member.type == AE_IFREG) archive_write_data(writer, member.text.data(), member.text.size());
    archive_entry_free(entry);
  }
  archive_write_close(writer);
  archive_write_free(writer);
}

// The archive of a manifest that says `files`, and of what follows.
std::vector<Member> with_manifest(std::vector<ManifestFile> files, std::vector<Member> members) {
  members.insert(members.begin(), {.name = manifest_name, .text = codec::encode(Manifest{{}, std::move(files)})});
  return members;
}

ManifestFile file(const std::string& path, const std::string& text) {
  return {.path = path, .size_bytes = static_cast<std::int64_t>(text.size()), .digest = crypto::digest_of(text)};
}

TEST(Package, WhatIsNotAsTheManifestSaysIsRefusedByItsPath) {
  const ManifestFile d{.kind = Kind::directory, .path = "d"};
  const ManifestFile l{.kind = Kind::link, .path = "l", .target = "f"};
  struct Case {
    const char* what;
    std::vector<Member> members;
    std::string path, reason;
  };
  const Case cases[] = {
      {"missing", with_manifest({file("f", "x"), file("g", "y")}, {{.name = "f", .text = "x"}}), "g",
       "is in the manifest and not in the package"},
      {"extra", with_manifest({file("f", "x")}, {{.name = "f", .text = "x"}, {.name = "g", .text = "y"}}), "g",
       "is not in the manifest"},
      {"extra directory", with_manifest({file("f", "x")}, {{.name = "d", .type = AE_IFDIR, .mode = 0755}}), "d",
       "is not in the manifest"},
      {"larger", with_manifest({file("f", "x")}, {{.name = "f", .text = "xx"}}), "f",
       "has 2 bytes, the manifest says 1"},
      {"another mode", with_manifest({file("f", "x")}, {{.name = "f", .text = "x", .mode = 0755}}), "f",
       "has another mode: the manifest says 0644"},
      {"another digest", with_manifest({file("f", "x")}, {{.name = "f", .text = "y"}}), "f",
       "is not what the manifest says: it has another digest"},
      {"another kind", with_manifest({d}, {{.name = "d", .text = ""}}), "d",
       "is a file, the manifest says a directory"},
      {"another target",
       with_manifest({file("f", "x"), file("g", "x"), l},
                     {{.name = "f", .text = "x"}, {.name = "l", .type = AE_IFLNK, .text = "g"}}),
       "l", "leads to g, the manifest says f"},
      {"a link out",
       with_manifest({{.kind = Kind::link, .path = "l", .target = "../x"}},
                     {{.name = "l", .type = AE_IFLNK, .text = "../x"}}),
       "l", "the link to ../x may lead outside"},
      {"twice in the manifest", with_manifest({file("f", "x"), file("f", "x")}, {{.name = "f", .text = "x"}}), "f",
       "is in the manifest twice"},
      {"twice in the archive",
       with_manifest({file("f", "x")}, {{.name = "f", .text = "x"}, {.name = "f", .text = "x"}}), "f",
       "is there twice"},
      {"another file beside it", with_manifest({file(".fieldwork/x", "x")}, {{.name = ".fieldwork/x", .text = "x"}}),
       ".fieldwork/x", "the manifest has a path that no file may have"},
      {"a path with dots", with_manifest({file("./f", "x")}, {{.name = "./f", .text = "x"}}), "./f",
       "the manifest has a path that no file may have"},
      {"more than was announced", with_manifest({file("f", "x"), file("g", std::string(1000, 'x'))}, {}), "g",
       "the files are larger than was announced"},
      {"a second manifest", with_manifest({}, {{.name = manifest_name, .text = "{}"}}), manifest_name,
       "is not the first entry"},
      {"a late manifest",
       {{.name = "f", .text = "x"}, {.name = manifest_name, .text = "{}"}},
       manifest_name,
       "is not the first entry"},
      {"no JSON", {{.name = manifest_name, .text = "x"}}, manifest_name, ""},
      {"a link as manifest",
       {{.name = manifest_name, .type = AE_IFLNK, .text = "f"}},
       manifest_name,
       "is no file of at most 4 MiB"},
      {"too large",
       {{.name = manifest_name, .text = std::string(limits::manifest_bytes_max + 1, ' ')}},
       manifest_name,
       "is no file of at most 4 MiB"},
  };
  for (const Case& c : cases) {
    const TempDir dir;
    write_archive(dir / "bad.tar", c.members);
    const auto done = unpack(dir / "bad.tar", dir / "out", 1000);
    ASSERT_FALSE(done.ok()) << c.what;
    EXPECT_EQ(done.error().code, Code::invalid) << c.what;
    EXPECT_EQ(done.error().path, c.path) << c.what << ": " << describe(done.error());
    if (!c.reason.empty()) {
      EXPECT_EQ(done.error().reason, c.reason) << c.what;
    }
    EXPECT_FALSE(fs::exists(dir / "out")) << c.what;
  }
}

}  // namespace
}  // namespace fieldwork::content
