// links: content PkgConfig::ARCHIVE GTest::gtest_main
#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <clocale>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>

#include "content/archive.hpp"
#include "content/encoding.hpp"
#include "content/ranges.hpp"
#include "content/receiver.hpp"
#include "content/sender.hpp"
#include "crypto/bytes.hpp"
#include "crypto/digest.hpp"
#include "support/temp_dir.hpp"

namespace fieldwork::content {
namespace {

namespace fs = std::filesystem;
using namespace std::string_literals;
using namespace std::chrono_literals;
using Time = std::chrono::microseconds;

using support::TempDir;

std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

Ranges ranges(const std::vector<Range>& pairs) { return Ranges::parse(pairs, ~0ULL).value(); }

TEST(Ranges, MergeAndStaySorted) {
  struct Case {
    std::vector<Range> added, expected;
  };
  const Case cases[] = {
      {{}, {}},
      {{{0, 10}}, {{0, 10}}},
      {{{10, 20}, {0, 5}}, {{0, 5}, {10, 20}}},
      {{{0, 10}, {10, 20}}, {{0, 20}}},
      {{{10, 20}, {0, 10}}, {{0, 20}}},
      {{{0, 10}, {20, 30}, {5, 25}}, {{0, 30}}},
      {{{0, 10}, {20, 30}, {40, 50}, {15, 35}}, {{0, 10}, {15, 35}, {40, 50}}},
      {{{0, 10}, {20, 30}, {40, 50}, {10, 40}}, {{0, 50}}},
      {{{5, 6}, {5, 6}, {0, 100}}, {{0, 100}}},
      {{{0, ~0ULL}, {3, 4}}, {{0, ~0ULL}}},
  };
  for (const Case& c : cases) {
    const Ranges made = ranges(c.added);
    EXPECT_EQ(made.as_pairs(), c.expected);
    std::uint64_t covered = 0;
    for (const auto& [begin, end] : c.expected) covered += end - begin;
    EXPECT_EQ(made.covered_bytes(), covered);
  }
}

TEST(Ranges, SayWhatIsMissing) {
  const Ranges some = ranges({{10, 20}, {30, 40}});
  EXPECT_EQ(some.missing(50), (std::vector<Range>{{0, 10}, {20, 30}, {40, 50}}));
  EXPECT_EQ(some.missing(35), (std::vector<Range>{{0, 10}, {20, 30}}));
  EXPECT_EQ(some.missing(0), std::vector<Range>{});
  EXPECT_EQ(some.first_missing(15, 50), (Range{20, 30}));
  EXPECT_EQ(some.first_missing(25, 50), (Range{25, 30}));
  EXPECT_EQ(some.first_missing(40, 50), (Range{40, 50}));
  EXPECT_EQ(some.first_missing(35, 40), std::nullopt);
  EXPECT_TRUE(some.contains(10, 20) && some.contains(12, 13) && some.contains(7, 7));
  EXPECT_FALSE(some.contains(9, 11) || some.contains(15, 35) || some.contains(20, 30));
  EXPECT_FALSE(some.complete(50));
  EXPECT_TRUE(ranges({{0, 50}}).complete(50));
  EXPECT_TRUE(Ranges().complete(0));
}

TEST(Ranges, OfAPeerAreChecked) {
  EXPECT_TRUE(Ranges::parse({{5, 10}, {0, 7}}, 10).ok());
  EXPECT_FALSE(Ranges::parse({{5, 5}}, 10).ok());
  EXPECT_FALSE(Ranges::parse({{6, 5}}, 10).ok());
  EXPECT_FALSE(Ranges::parse({{5, 11}}, 10).ok());
  EXPECT_FALSE(Ranges::parse(std::vector<Range>(ranges_max + 1, {0, 1}), 10).ok());
}

TEST(Ranges, AreBounded) {
  Ranges many;
  for (std::uint64_t i = 0; i < ranges_max; ++i) ASSERT_TRUE(many.add(10 * i, 10 * i + 5));
  const Ranges before = many;
  EXPECT_FALSE(many.add(10 * ranges_max, 10 * ranges_max + 1));
  EXPECT_EQ(many, before);
  EXPECT_TRUE(many.add(5, 10));  // fills a gap
  EXPECT_TRUE(many.add(10 * ranges_max, 10 * ranges_max + 1));
}

TEST(Ranges, AgreeWithASetOfBytes) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    Ranges set;
    std::vector<bool> bytes(64);
    for (int i = 0; i < 12; ++i) {
      const std::uint64_t begin = random() % 64, end = begin + random() % (65 - begin);
      ASSERT_TRUE(set.add(begin, end));
      for (auto at = begin; at < end; ++at) bytes[at] = true;
      for (std::uint64_t at = 0; at < 64; ++at) ASSERT_EQ(set.contains(at, at + 1), bytes[at]) << round;
      ASSERT_EQ(set.covered_bytes(), static_cast<std::uint64_t>(std::count(bytes.begin(), bytes.end(), true)));
      for (std::size_t n = 1; n < set.as_pairs().size(); ++n) {
        ASSERT_LT(set.as_pairs()[n - 1].second, set.as_pairs()[n].first);
      }
    }
  }
}

TEST(Receiver, AcknowledgesAPieceAtOnceOnASlowLinkAndManyAtOnceOnAFastOne) {
  Receiver receiver({.encoded_bytes = 200, .ack_every_bytes = 40, .ack_pause = 25ms});
  EXPECT_FALSE(receiver.ack_due(0ms));
  EXPECT_EQ(receiver.next_due(), std::nullopt);
  EXPECT_TRUE(receiver.accept(0, 10).value());
  EXPECT_TRUE(receiver.ack_due(5ms));  // the first one
  receiver.ack_sent(5ms);
  EXPECT_EQ(receiver.next_due(), std::nullopt);
  EXPECT_TRUE(receiver.accept(10, 10).value());
  EXPECT_FALSE(receiver.ack_due(29ms));
  EXPECT_EQ(receiver.next_due(), Time(30ms));
  EXPECT_TRUE(receiver.ack_due(30ms));
  receiver.ack_sent(30ms);
  for (const std::uint64_t offset : {20U, 30U, 40U}) EXPECT_TRUE(receiver.accept(offset, 10).value());
  EXPECT_FALSE(receiver.ack_due(31ms));
  EXPECT_TRUE(receiver.accept(50, 10).value());
  EXPECT_TRUE(receiver.ack_due(31ms));  // 40 bytes wait
  receiver.ack_sent(31ms);
  EXPECT_FALSE(receiver.accept(0, 20).value());  // a repetition
  EXPECT_TRUE(receiver.ack_due(32ms));
  receiver.ack_sent(32ms);
  EXPECT_TRUE(receiver.accept(60, 10).value());
  EXPECT_FALSE(receiver.ack_due(33ms));
  EXPECT_TRUE(receiver.accept(70, 130).value());
  EXPECT_TRUE(receiver.complete() && receiver.ack_due(33ms));
}

TEST(Receiver, RefusesPiecesOutOfBounds) {
  Receiver receiver({.encoded_bytes = 100, .piece_bytes_max = 50});
  const std::pair<std::uint64_t, std::uint64_t> cases[] = {{0, 0},     {0, 51},     {91, 10},  {100, 1},
                                                           {~0ULL, 1}, {~0ULL, 10}, {1, ~0ULL}};
  for (const auto& [offset, length] : cases) EXPECT_EQ(receiver.accept(offset, length).error().code, Code::invalid);
  EXPECT_EQ(receiver.ranges(), Ranges());
  Receiver gaps({.encoded_bytes = 100'000});
  for (std::uint64_t i = 0; i < ranges_max; ++i) ASSERT_TRUE(gaps.accept(10 * i, 1).ok());
  EXPECT_EQ(gaps.accept(90'000, 1).error().code, Code::unavailable);
}

TEST(Receiver, KnowsTheShareOfPiecesThatWereLeftOut) {
  Receiver receiver({.encoded_bytes = 1000});
  for (const std::uint64_t offset : {0U, 10U, 20U}) EXPECT_TRUE(receiver.accept(offset, 10).value());
  for (std::uint64_t offset = 50; offset < 200; offset += 10) EXPECT_TRUE(receiver.accept(offset, 10).value());
  EXPECT_EQ(receiver.loss(), 2.0 / 20);          // 30 and 40 are missing
  EXPECT_TRUE(receiver.accept(30, 10).value());  // sent again
  EXPECT_FALSE(receiver.accept(0, 10).value());  // a repetition
  EXPECT_EQ(receiver.loss(), 2.0 / 20);
}

TEST(Receiver, MeasuresAGapByTheLongestPiece) {
  Receiver receiver({.encoded_bytes = 1991});
  for (std::uint64_t offset = 0; offset < 1900; offset += 100) EXPECT_TRUE(receiver.accept(offset, 100).value());
  EXPECT_TRUE(receiver.accept(1990, 1).value());  // the last piece; the one before it was lost
  EXPECT_EQ(receiver.loss(), 1.0 / 21);
}

TEST(Receiver, CallsNothingLostThatWasHereBeforeOrThatIsTooLittleToTell) {
  Ranges have;
  ASSERT_TRUE(have.add(0, 500));
  Receiver resumed({.encoded_bytes = 1000}, have);
  for (std::uint64_t offset = 500; offset < 690; offset += 10) EXPECT_TRUE(resumed.accept(offset, 10).value());
  EXPECT_EQ(resumed.loss(), std::nullopt);  // 19 pieces
  EXPECT_TRUE(resumed.accept(690, 10).value());
  EXPECT_EQ(resumed.loss(), 0.0);
}

class EncodeTest : public testing::Test {
 protected:
  static Result<Encoded> compress(const fs::path& plain, const fs::path& encoded, int level = 3) {
    return make({EncodingKind::zstd, level}, plain, {}, encoded);
  }
  static Result<std::string> decompress(const fs::path& encoded, const fs::path& plain, std::uint64_t size) {
    return decode(EncodingKind::zstd, encoded, {}, plain, size);
  }
  TempDir dir_;
};

TEST_F(EncodeTest, GivesBackTheContent) {
  const std::string cases[] = {"", "x", std::string(5'000'000, 'a'), crypto::random_bytes(400'000)};
  for (const std::string& plain : cases) {
    const auto from = dir_.write("plain", plain);
    const auto made = compress(from, dir_ / "encoded").value();
    EXPECT_EQ(made.digest, crypto::digest_of(read(dir_ / "encoded")));
    EXPECT_EQ(made.bytes, static_cast<std::int64_t>(fs::file_size(dir_ / "encoded")));
    EXPECT_EQ(decompress(dir_ / "encoded", dir_ / "again", plain.size()).value(), crypto::digest_of(plain));
    EXPECT_EQ(read(dir_ / "again"), plain);
    ASSERT_TRUE(compress(from, dir_ / "twice", 3).ok());
    EXPECT_EQ(read(dir_ / "encoded"), read(dir_ / "twice"));
  }
  EXPECT_TRUE(compress(dir_ / "plain", dir_ / "small", 99).ok());
  EXPECT_TRUE(decompress(dir_ / "small", dir_ / "again", 400'000).ok());
}

TEST_F(EncodeTest, RefusesWhatIsNotOneStreamWithinItsSize) {
  const std::string plain(1'000'000, 'a');
  ASSERT_TRUE(compress(dir_.write("plain", plain), dir_ / "encoded").ok());
  const std::string good = read(dir_ / "encoded");
  std::string damaged = good;
  damaged.back() = static_cast<char>(damaged.back() ^ 1);  // in the checksum
  const std::pair<const char*, std::string> cases[] = {
      {"empty", ""},
      {"junk", "not zstd at all"},
      {"cut", good.substr(0, good.size() - 1)},
      {"more", good + "x"},
      {"two", good + good},
      {"damaged", damaged},
      {"head", good.substr(0, 3)},
  };
  for (const auto& [what, bytes] : cases) {
    const auto done = decompress(dir_.write("bad", bytes), dir_ / "out", plain.size());
    ASSERT_FALSE(done.ok()) << what;
    EXPECT_EQ(done.error().code, Code::invalid) << what;
    EXPECT_FALSE(fs::exists(dir_ / "out")) << what;
  }
  const auto bomb = decompress(dir_ / "encoded", dir_ / "out", plain.size() - 1);
  EXPECT_EQ(bomb.error().code, Code::invalid);
  EXPECT_FALSE(fs::exists(dir_ / "out"));
  EXPECT_FALSE(decompress(dir_ / "encoded", dir_ / "out", 0).ok());
  EXPECT_FALSE(decompress(dir_ / "encoded", dir_ / "encoded", 1 << 30).ok());
  EXPECT_EQ(read(dir_ / "encoded"), good);
  EXPECT_FALSE(compress(dir_ / "none", dir_ / "out").ok());
  EXPECT_FALSE(compress(dir_ / "plain", dir_ / "no/such/out").ok());
}

/// A tree with all that a package may hold, written in this order of names.
void make_tree(const TempDir& dir, const std::string& root, std::vector<std::string> names) {
  for (const std::string& name : names) dir.write(root + "/" + name, "content of " + name);
  fs::create_directories(dir / (root + "/empty"));
  fs::permissions(dir / (root + "/bin/run"), fs::perms::owner_all | fs::perms::group_read);
  fs::create_symlink("bin/run", dir / (root + "/start"));
  fs::create_symlink("../a", dir / (root + "/bin/up"));
}

const std::vector<std::string> names = {
    "a", "a-b", "bin/run", "deep/" + std::string(120, 'x') + "/file", "gr\xc3\xbc\xc3\x9f", "raw\xff"};

TEST(Archive, IsTheSameForTheSameTree) {
  const TempDir dir;
  make_tree(dir, "one", names);
  make_tree(dir, "two", {names.rbegin(), names.rend()});
  fs::permissions(dir / "two/a", fs::perms::owner_read | fs::perms::owner_write | fs::perms::others_all);
  fs::last_write_time(dir / "two/a", fs::file_time_type::clock::now() - 100h);
  const auto one = pack(dir / "one", dir / "one.tar");
  const auto two = pack((dir / "two").string() + "/", dir / "two.tar");
  ASSERT_TRUE(one.ok() && two.ok());
  EXPECT_EQ(*one, *two);
  EXPECT_EQ(*one, crypto::digest_of(read(dir / "one.tar")));
  std::setlocale(LC_ALL, "C.UTF-8");
  EXPECT_EQ(pack(dir / "one", dir / "one.tar").value(), *one);
  std::setlocale(LC_ALL, "C");
  make_tree(dir, "plain", {"a", "bin/run"});
  EXPECT_EQ(pack(dir / "plain", dir / "plain.tar").value(),
            "sha256:62485f2421cce57321d6631e4385b8bd58b3d24ada0fa0192f01f644baeded07");
}

TEST(Archive, GivesBackTheTree) {
  const TempDir dir;
  make_tree(dir, "tree", names);
  ASSERT_TRUE(pack(dir / "tree", dir / "tree.tar").ok());
  const auto done = unpack(dir / "tree.tar", dir / "out", 10'000);
  ASSERT_TRUE(done.ok()) << describe(done.error());
  for (const std::string& name : names) EXPECT_EQ(read(dir / ("out/" + name)), "content of " + name);
  EXPECT_TRUE(fs::is_directory(dir / "out/empty"));
  EXPECT_EQ(fs::read_symlink(dir / "out/start"), "bin/run");
  EXPECT_EQ(read(dir / "out/bin/up"), "content of a");
  EXPECT_EQ(fs::status(dir / "out/bin/run").permissions(), static_cast<fs::perms>(0755));
  EXPECT_EQ(fs::status(dir / "out/a").permissions(), static_cast<fs::perms>(0644));
  EXPECT_EQ(pack(dir / "out", dir / "again.tar").value(), crypto::digest_of(read(dir / "tree.tar")));
  const auto full = unpack(dir / "tree.tar", dir / "out", 10'000);
  EXPECT_EQ(full.error().code, Code::conflict);
  EXPECT_EQ(read(dir / "out/a"), "content of a");
}

TEST(Archive, HoldsOneFileOrNothing) {
  const TempDir dir;
  ASSERT_TRUE(pack(dir.write("sub/model.bin", "weights"), dir / "file.tar").ok());
  ASSERT_TRUE(unpack(dir / "file.tar", dir / "out", 7).ok());
  EXPECT_EQ(read(dir / "out/model.bin"), "weights");
  fs::create_directory(dir / "nothing");
  ASSERT_TRUE(pack(dir / "nothing", dir / "nothing.tar").ok());
  ASSERT_TRUE(unpack(dir / "nothing.tar", dir / "out2", 0).ok());
  EXPECT_TRUE(fs::is_empty(dir / "out2"));
}

TEST(Archive, RefusesToPackWhatLeavesOrIsNoFile) {
  const TempDir dir;
  fs::create_directory(dir / "d");
  dir.write("d/sub/file", "x");
  const auto refused = [&](const std::string& name) {
    const auto done = pack(dir / "d", dir / "d.tar");
    EXPECT_FALSE(fs::exists(dir / "d.tar"));
    fs::remove(dir / ("d/" + name));
    return !done.ok() && done.error().path == name;
  };
  ASSERT_EQ(mkfifo((dir / "d/pipe").c_str(), 0600), 0);
  EXPECT_TRUE(refused("pipe"));
  for (const char* target : {"/etc/passwd", "..", "../x", "sub/../..", "sub/../sub/file"}) {
    fs::create_symlink(target, dir / "d/link");
    EXPECT_TRUE(refused("link")) << target;
  }
  fs::create_symlink("../../x", dir / "d/sub/link");
  EXPECT_TRUE(refused("sub/link"));
  EXPECT_FALSE(pack(dir / "d", dir / "d/sub/d.tar").ok());
  EXPECT_FALSE(pack(dir / "d/sub/file", dir / "d/sub/file").ok());
  EXPECT_EQ(read(dir / "d/sub/file"), "x");
  EXPECT_FALSE(pack(dir / "none", dir / "d.tar").ok());
  EXPECT_FALSE(pack(dir / "d", dir / "no/such/d.tar").ok());
  EXPECT_TRUE(pack(dir / "d", dir / "d.tar").ok());
}

struct Member {
  std::string name;
  mode_t type = AE_IFREG;
  std::string text{};  // a file's bytes; a link's target
  std::string hard_link{};
  mode_t mode = 0644;
};

/// An archive as an attacker would write it.
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
    if (!member.hard_link.empty()) archive_entry_set_hardlink(entry, member.hard_link.c_str());
    ASSERT_EQ(archive_write_header(writer, entry), ARCHIVE_OK) << archive_error_string(writer);
    if (member.type == AE_IFREG) archive_write_data(writer, member.text.data(), member.text.size());
    archive_entry_free(entry);
  }
  archive_write_close(writer);
  archive_write_free(writer);
}

TEST(Archive, AttacksAreRefusedAndLeaveNothing) {
  struct Case {
    const char* what;
    std::vector<Member> members;
    std::string path;
  };
  const Case cases[] = {
      {"dot dot", {{.name = "ok", .text = "x"}, {.name = "../x", .text = "x"}}, "../x"},
      {"dot dot inside", {{.name = "a/../../x", .text = "x"}}, "a/../../x"},
      {"only dot dot", {{.name = "..", .type = AE_IFDIR}}, "../"},
      {"absolute", {{.name = "/tmp/content-test-x", .text = "x"}}, "/tmp/content-test-x"},
      {"absolute link", {{.name = "l", .type = AE_IFLNK, .text = "/etc"}}, "l"},
      {"link up", {{.name = "l", .type = AE_IFLNK, .text = "../x"}}, "l"},
      {"link up from below", {{.name = "a/b/l", .type = AE_IFLNK, .text = "../../../x"}}, "a/b/l"},
      {"link up by a name", {{.name = "l", .type = AE_IFLNK, .text = "a/../../x"}}, "l"},
      {"file through a link",
       {{.name = "d", .type = AE_IFDIR}, {.name = "l", .type = AE_IFLNK, .text = "d"}, {.name = "l/x", .text = "x"}},
       "l/x"},
      {"link over links",
       {{.name = "a/b/d", .type = AE_IFLNK, .text = "../.."}, {.name = "l", .type = AE_IFLNK, .text = "a/b/d/../x"}},
       "l"},
      {"file over a link", {{.name = "l", .type = AE_IFLNK, .text = "x"}, {.name = "l", .text = "x"}}, "l"},
      {"link over a directory",
       {{.name = "l", .type = AE_IFDIR}, {.name = "l", .type = AE_IFLNK, .text = "x"}, {.name = "l/x", .text = "x"}},
       "l"},
      {"twice", {{.name = "f", .text = "x"}, {.name = "./f", .text = "y"}}, "f"},
      {"below a file", {{.name = "f", .text = "x"}, {.name = "f/g", .text = "y"}}, "f/g"},
      {"hard link", {{.name = "h", .text = "", .hard_link = "/etc/passwd"}}, "h"},
      {"pipe", {{.name = "p", .type = AE_IFIFO}}, "p"},
      {"device", {{.name = "c", .type = AE_IFCHR}}, "c"},
      {"block device", {{.name = "b", .type = AE_IFBLK}}, "b"},
      {"setuid", {{.name = "s", .text = "x", .mode = 04755}}, "s"},
      {"setgid", {{.name = "s", .text = "x", .mode = 02755}}, "s"},
      {"setgid directory", {{.name = "s", .type = AE_IFDIR, .mode = 02755}}, "s/"},
      {"sticky", {{.name = "s", .type = AE_IFDIR, .mode = 01777}}, "s/"},
      {"too large", {{.name = "ok", .text = "x"}, {.name = "big", .text = std::string(1000, 'x')}}, "big"},
  };
  for (const Case& c : cases) {
    const TempDir dir;
    write_archive(dir / "attack.tar", c.members);
    const auto done = unpack(dir / "attack.tar", dir / "out", 1000);
    ASSERT_FALSE(done.ok()) << c.what;
    EXPECT_EQ(done.error().code, Code::invalid) << c.what << ": " << describe(done.error());
    EXPECT_EQ(done.error().path, c.path) << c.what << ": " << describe(done.error());
    EXPECT_FALSE(fs::exists(dir / "out")) << c.what;
    EXPECT_FALSE(fs::exists(dir / "x")) << c.what;
  }
  EXPECT_FALSE(fs::exists("/tmp/content-test-x"));
}

TEST(Archive, TakesHarmlessVariants) {
  const TempDir dir;
  write_archive(dir / "a.tar", {{.name = "./", .type = AE_IFDIR, .mode = 0700},
                                {.name = "./d//f", .text = "x", .mode = 0711},
                                {.name = "d", .type = AE_IFDIR, .mode = 0},
                                {.name = "d/l", .type = AE_IFLNK, .text = "../d/./f"}});
  fs::create_directory(dir / "out");
  const auto done = unpack(dir / "a.tar", dir / "out", 1);
  ASSERT_TRUE(done.ok()) << describe(done.error());
  EXPECT_EQ(fs::status(dir / "out/d/f").permissions(), static_cast<fs::perms>(0755));
  EXPECT_EQ(fs::status(dir / "out/d").permissions(), static_cast<fs::perms>(0755));
  EXPECT_EQ(read(dir / "out/d/l"), "x");
}

TEST(Archive, MalformedOnesAreRefused) {
  const TempDir dir;
  dir.write("f", std::string(5000, 'f'));
  ASSERT_TRUE(pack(dir / "f", dir / "f.tar").ok());
  const std::string good = read(dir / "f.tar");
  const std::string bad[] = {"", "junk", std::string(2000, 'j'), good.substr(0, 3000), good.substr(0, 300)};
  fs::create_directory(dir / "out");
  for (const std::string& bytes : bad) {
    EXPECT_FALSE(unpack(dir.write("bad.tar", bytes), dir / "out", 10'000).ok()) << bytes.size();
    EXPECT_TRUE(fs::is_empty(dir / "out")) << bytes.size();
  }
  EXPECT_FALSE(unpack(dir / "none", dir / "out", 10'000).ok());
  EXPECT_FALSE(unpack(dir / "f.tar", dir / "f", 10'000).ok());
  EXPECT_FALSE(unpack(dir / "f.tar", dir / "no/such/out", 10'000).ok());
}

TEST(Archive, HasABoundOnEntries) {
  const TempDir dir;
  std::vector<Member> members(archive_entries_max + 1, {.name = "", .type = AE_IFDIR});
  for (Member& member : members) member.name = "./";
  write_archive(dir / "many.tar", members);
  EXPECT_EQ(unpack(dir / "many.tar", dir / "out", 0).error().reason, "there are too many entries");
}

}  // namespace
}  // namespace fieldwork::content
