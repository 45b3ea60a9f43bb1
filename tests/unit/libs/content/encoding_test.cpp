// links: content crypto GTest::gtest_main
#include "content/encoding.hpp"

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include <csignal>
#include <cstring>
#include <random>
#include <thread>

#include "content/archive.hpp"
#include "content/decoder.hpp"
#include "crypto/digest.hpp"
#include "support/temp_dir.hpp"

namespace fieldwork::content {
namespace {

namespace fs = std::filesystem;
using Kind = EncodingKind;

constexpr std::size_t mib = 1 << 20;

std::string noise(std::size_t size, unsigned seed) {
  std::mt19937_64 chance(seed);
  std::string out;
  out.reserve(size + 8);
  while (out.size() < size) {
    const auto value = chance();
    out.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  out.resize(size);
  return out;
}

// Words of which zstd makes about a fourth.
std::string text(std::size_t size, unsigned seed) {
  std::mt19937 chance(seed);
  std::string out;
  while (out.size() < size) out += "word" + std::to_string(chance() % 5000) + (chance() % 9 == 0 ? ".\n" : " ");
  out.resize(size);
  return out;
}

// Files of this process can have so many bytes, and a longer one is an error of its write.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit now{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &now);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int);
};

class EncodingTest : public testing::Test {
 protected:
  // The bytes of the encoding of `plain`.
  std::string made(const Encoding& encoding, const std::string& plain, const std::string& base = {}) {
    const auto from = dir_.write("plain", plain);
    const auto done = make(encoding, from, dir_.write("base", base), dir_ / "encoded");
    EXPECT_TRUE(done.ok()) << describe(done.error());
    return dir_.read("encoded");
  }

  // Decodes these bytes against the file `base`.
  Result<std::string> decoded(Kind kind, const std::string& bytes, std::uint64_t size,
                              const DecodeLimits& limits = {}) {
    return decode(kind, dir_.write("bytes", bytes), dir_ / "base", dir_ / "again", size, limits);
  }

  // Refuses these bytes with this code, and leaves no file.
  void expect_refused(Kind kind, const std::string& bytes, std::uint64_t size, const std::string& what,
                      const DecodeLimits& limits = {}) {
    const auto done = decoded(kind, bytes, size, limits);
    ASSERT_FALSE(done.ok()) << name(kind) << ", " << what;
    EXPECT_EQ(done.error().code, Code::invalid) << name(kind) << ", " << what << ": " << describe(done.error());
    EXPECT_FALSE(fs::exists(dir_ / "again")) << name(kind) << ", " << what;
  }

  [[nodiscard]] int files() const { return static_cast<int>(std::distance(fs::directory_iterator(dir_.path()), {})); }

  support::TempDir dir_;
};

TEST_F(EncodingTest, HaveNames) {
  for (const auto kind : encoding_kinds) EXPECT_EQ(encoding_kind(name(kind)), kind);
  EXPECT_STREQ(name(Kind::patch), "zstd-patch");
  EXPECT_EQ(encoding_kind("gzip"), std::nullopt);
}

TEST_F(EncodingTest, GiveBackTheContent) {
  const Encoding encodings[] = {{Kind::identity},        {Kind::zstd, 0},       {Kind::zstd, 3},      {Kind::zstd, 19},
                                {Kind::zstd, 3, "", 18}, {Kind::patch, 1, "b"}, {Kind::patch, 5, "b"}};
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{100}, mib - 1, mib, mib + 1}) {
    const std::string plain = text(size, 1);
    const std::string bases[] = {"", plain, "another", noise(mib, 3), plain.substr(size / 3) + plain};
    for (const auto& encoding : encodings) {
      for (const auto& base : bases) {
        const auto done = make(encoding, dir_.write("plain", plain), dir_.write("base", base), dir_ / "encoded");
        ASSERT_TRUE(done.ok()) << describe(done.error());
        EXPECT_EQ(done->encoding, encoding);
        EXPECT_EQ(done->bytes, static_cast<std::int64_t>(fs::file_size(dir_ / "encoded")));
        EXPECT_EQ(done->digest, crypto::digest_of(dir_.read("encoded")));
        const auto again = decode(encoding.kind, dir_ / "encoded", dir_ / "base", dir_ / "again", size);
        ASSERT_TRUE(again.ok()) << name(encoding.kind) << size << describe(again.error());
        EXPECT_EQ(*again, crypto::digest_of(plain));
        EXPECT_EQ(dir_.read("again"), plain);
        if (encoding.kind != Kind::patch) break;
      }
    }
  }
  EXPECT_EQ(files(), 4);  // no .new is left
}

TEST_F(EncodingTest, TakeTheWindowThatIsWanted) {
  const std::string plain = text(3 * mib, 1);
  for (const auto& [encoding, log] : {std::pair{Encoding{Kind::zstd, 1}, 19},
                                      {Encoding{Kind::zstd, 3}, 21},
                                      {Encoding{Kind::zstd, 19}, 22},  // not more than the content
                                      {Encoding{Kind::zstd, 9, "", 18}, 18}}) {
    const auto done = make(encoding, dir_.write("plain", plain), {}, dir_ / "encoded");
    EXPECT_EQ(done.value().window_log, log) << encoding.level;
    EXPECT_TRUE(decoded(Kind::zstd, dir_.read("encoded"), plain.size(), {.window_log_max = log}).ok());
    expect_refused(Kind::zstd, dir_.read("encoded"), plain.size(), "window", {.window_log_max = log - 1});
  }
  const auto patch = made({Kind::patch, 3, "b"}, plain, plain);
  expect_refused(Kind::patch, patch, plain.size(), "window", {.patch_window_log_max = 21});
  EXPECT_TRUE(decoded(Kind::patch, patch, plain.size(), {.window_log_max = 10}).ok());  // it allocates none
}

TEST_F(EncodingTest, AreMadeByManyThreads) {
  const std::string plain = text(4 * mib, 1);
  for (const int level : {1, 13}) {
    ASSERT_TRUE(make({Kind::zstd, level}, dir_.write("plain", plain), {}, dir_ / "encoded", 3).ok());
    EXPECT_EQ(decoded(Kind::zstd, dir_.read("encoded"), plain.size()).value(), crypto::digest_of(plain));
  }
}

// A package of which a half is noise, as of models, and a half text.
class PackageTest : public EncodingTest {
 protected:
  PackageTest() {
    for (unsigned i = 0; i < 6; ++i) dir_.write("package/model/" + std::to_string(i), noise(2 * mib, i));
    for (unsigned i = 0; i < 60; ++i) dir_.write("package/source/" + std::to_string(i), text(200'000, i));
    EXPECT_TRUE(pack(dir_ / "package", dir_ / "base").ok());
  }

  // The size of the patch from the package as it was to what it is now.
  std::int64_t patch_bytes() {
    EXPECT_TRUE(pack(dir_ / "package", dir_ / "plain").ok());
    const auto done = make({Kind::patch, 3, "b"}, dir_ / "plain", dir_ / "base", dir_ / "encoded");
    const auto size = fs::file_size(dir_ / "plain");
    EXPECT_EQ(decode(Kind::patch, dir_ / "encoded", dir_ / "base", dir_ / "again", size).value(),
              crypto::digest_of_file(dir_ / "plain").value());
    return done.value().bytes;
  }
};

TEST_F(PackageTest, OfWhichOneFileChangedIsASmallPatch) {
  std::string file = dir_.read("package/source/30");
  for (std::size_t at = 1000; at < file.size(); at += 10'000) file.replace(at, 30, "what is new in this line, here");
  dir_.write("package/source/30", file);
  EXPECT_LT(patch_bytes(), 10'000);
}

TEST_F(PackageTest, OfWhichAllBytesMovedIsASmallPatch) {
  dir_.write("package/a", noise(777, 99));  // the first entry of the archive
  dir_.write("package/model/0", "x" + dir_.read("package/model/0"));
  EXPECT_LT(patch_bytes(), 10'000);
}

TEST_F(EncodingTest, PatchReachesTheWholeBase) {
  for (const std::size_t size : {mib - 1, mib, mib + 1}) {
    const std::string base = noise(size, 7);
    EXPECT_LT(made({Kind::patch, 3, "b"}, base, base).size(), 1000U) << size;
    EXPECT_LT(made({Kind::patch, 3, "b"}, base.substr(0, 1000), noise(3 * mib, 8) + base).size(), 1100U) << size;
    EXPECT_LT(made({Kind::patch, 3, "b"}, noise(mib, 9) + base, base).size(), mib + 1000) << size;
  }
}

TEST_F(EncodingTest, RefuseWhatIsNotOneWholeFrame) {
  const std::string plain = text(300'000, 1);
  for (const auto kind : {Kind::zstd, Kind::patch}) {
    const std::string good = made({kind, 3, "b"}, plain, text(50'000, 2));
    ASSERT_TRUE(decoded(kind, good, plain.size()).ok());
    std::string bare = good.substr(0, good.size() - 4);
    bare[4] = static_cast<char>(bare[4] & ~4);
    const std::pair<const char*, std::string> cases[] = {
        {"empty", ""},
        {"junk", "not zstd at all"},
        {"one more", good + "x"},
        {"two", good + good},
        {"no checksum", bare},
        {"an empty frame after it", good + std::string("\x28\xB5\x2F\xFD\x20\0\1\0\0", 9)},
        {"a skippable frame", std::string("\x50\x2A\x4D\x18\4\0\0\0abcd", 12) + good},
        {"a skippable frame after it", good + std::string("\x50\x2A\x4D\x18\0\0\0\0", 8)}};
    for (const auto& [what, bytes] : cases) expect_refused(kind, bytes, plain.size(), what);
    for (std::size_t length = 0; length < good.size(); length += length < 30 || length + 30 > good.size() ? 1 : 999)
      expect_refused(kind, good.substr(0, length), plain.size(), "cut at " + std::to_string(length));
    for (const std::uint64_t size : {std::uint64_t{0}, std::uint64_t{1}, plain.size() - 1, plain.size() + 1, 1UL << 40})
      expect_refused(kind, good, size, "declared as " + std::to_string(size));
  }
  dir_.write("base", "");
  expect_refused(Kind::identity, plain, plain.size() - 1, "more");
  expect_refused(Kind::identity, plain, plain.size() + 1, "less");
}

TEST_F(EncodingTest, NeverGiveAnotherContent) {
  const std::string plain = text(60'000, 1);
  for (const auto kind : {Kind::zstd, Kind::patch}) {
    const std::string good = made({kind, 3, "b"}, plain, text(20'000, 1) + text(30'000, 2));
    for (std::size_t at = 0; at < good.size(); at += at < 40 || at + 40 > good.size() ? 1 : 37) {
      for (const int bit : {0, 3, 7}) {
        std::string bytes = good;
        bytes[at] = static_cast<char>(bytes[at] ^ 1 << bit);
        const auto done = decoded(kind, bytes, plain.size());
        // Some bits say the same either way: those of a window that is large enough.
        EXPECT_TRUE(done.ok() ? dir_.read("again") == plain : done.error().code == Code::invalid) << at << " " << bit;
        EXPECT_EQ(done.ok(), fs::exists(dir_ / "again"));
        fs::remove(dir_ / "again");
      }
    }
  }
}

TEST_F(EncodingTest, PatchIsOfOneBase) {
  const std::string base = noise(200'000, 1), plain = base.substr(0, 100'000) + text(1000, 1) + base.substr(100'000);
  const std::string patch = made({Kind::patch, 3, "b"}, plain, base);
  std::string damaged = base;
  damaged[77'777] = static_cast<char>(damaged[77'777] ^ 1);
  for (const auto& other : {std::string(), std::string("x"), noise(200'000, 2), base.substr(1), base + "x", damaged}) {
    dir_.write("base", other);
    expect_refused(Kind::patch, patch, plain.size(), std::to_string(other.size()));
  }
}

// A gibibyte of zeros in 32 KiB: blocks of one byte that is repeated. `head`: what stands before the blocks.
std::string bomb(const std::string& head) {
  std::string bytes = std::string("\x28\xB5\x2F\xFD", 4) + head;
  for (int left = 8192; left > 0; --left) {
    const unsigned header = 131072U << 3U | 1U << 1U | (left == 1 ? 1U : 0U);
    for (int i = 0; i < 3; ++i) bytes += static_cast<char>(header >> 8 * i & 255U);
    bytes += '\0';
  }
  return bytes + "sum.";
}

TEST_F(EncodingTest, WriteNotMoreThanWasDeclared) {
  dir_.write("base", "");
  const auto silent = bomb(std::string("\x04\x50", 2)), lying = bomb(std::string("\x44\x50\x00\x03", 4));
  const FileSizeLimit limit(64 * 1024);  // of the file of the encoded bytes; one that writes more gives `unavailable`
  for (const auto kind : {Kind::zstd, Kind::patch}) {
    expect_refused(kind, silent, 1024, "no size");
    expect_refused(kind, lying, 1024, "a wrong size");
  }
  auto decoder = Decoder::open(Kind::zstd, dir_ / "again", 1024);
  EXPECT_EQ(decoder->push(silent).error().code, Code::invalid);
  EXPECT_LE(decoder->written_bytes(), 1024U);
}

TEST_F(EncodingTest, RefuseFilesThatAreOneOrNotThere) {
  const auto plain = dir_.write("plain", "text"), base = dir_.write("base", "base");
  for (const auto kind : encoding_kinds) {
    EXPECT_EQ(make({kind, 3, "b"}, plain, base, plain).error().code, Code::invalid);
    EXPECT_EQ(make({kind, 3, "b"}, dir_ / "none", base, dir_ / "out").error().code, Code::unavailable);
    EXPECT_EQ(make({kind, 3, "b"}, dir_.path(), base, dir_ / "out").error().code, Code::unavailable);
    EXPECT_EQ(make({kind, 3, "b"}, plain, base, dir_ / "no/out").error().code, Code::unavailable);
    ASSERT_TRUE(make({kind, 3, "b"}, plain, base, dir_ / "encoded").ok());
    EXPECT_EQ(decode(kind, dir_ / "encoded", base, dir_ / "encoded", 4).error().code, Code::invalid);
    EXPECT_EQ(decode(kind, dir_ / "none", base, dir_ / "out", 4).error().code, Code::unavailable);
    EXPECT_EQ(decode(kind, dir_ / "encoded", base, dir_ / "no/out", 4).error().code, Code::unavailable);
  }
  EXPECT_EQ(make({Kind::patch, 3, "b"}, plain, base, base).error().code, Code::invalid);
  EXPECT_EQ(make({Kind::patch, 3, "b"}, plain, dir_ / "none", dir_ / "out").error().code, Code::unavailable);
  EXPECT_EQ(decode(Kind::patch, dir_ / "encoded", base, base, 4).error().code, Code::invalid);
  EXPECT_EQ(decode(Kind::patch, dir_ / "encoded", dir_ / "none", dir_ / "out", 4).error().code, Code::unavailable);
  EXPECT_EQ(dir_.read("plain") + dir_.read("base"), "textbase");
  EXPECT_FALSE(fs::exists(dir_ / "out") || fs::exists(dir_ / "out.new"));
}

// What make() and decode() say when there is no room in `place`.
void expect_no_room(const fs::path& place, const support::TempDir& dir, const std::string& plain) {
  fs::remove(place / "encoded");
  for (const auto kind : encoding_kinds) {
    const auto decoded = decode(kind, dir / name(kind), dir / "base", place / "again", plain.size());
    EXPECT_EQ(decoded.error().code, Code::unavailable) << name(kind) << describe(decoded.error());
    EXPECT_FALSE(fs::exists(place / "again"));
    const auto made = make({kind, 1, "b"}, dir / "plain", dir / "base", place / "encoded");
    EXPECT_EQ(made.error().code, Code::unavailable) << name(kind) << describe(made.error());
    EXPECT_FALSE(fs::exists(place / "encoded") || fs::exists(place / "encoded.new"));
  }
}

TEST_F(EncodingTest, FullDiskIsAnErrorAndLeavesNothing) {
  const std::string plain = noise(3 * mib, 1);
  for (const auto kind : encoding_kinds) dir_.write(name(kind), made({kind, 1, "b"}, plain, ""));
  {
    const FileSizeLimit limit(mib);
    expect_no_room(dir_.path(), dir_, plain);
  }
  const auto disk = dir_ / "disk";
  fs::create_directory(disk);
  if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=1m") != 0) {
    GTEST_SKIP() << "no small disk can be mounted: " << std::strerror(errno);
  }
  expect_no_room(disk, dir_, plain);
  ::umount(disk.c_str());
}

TEST_F(EncodingTest, StopsWhenItIsNoLongerWanted) {
  dir_.write("plain", text(24 * mib, 1));
  dir_.write("base", text(mib, 2));
  const std::atomic<bool> already{true};
  for (const auto kind : encoding_kinds) {
    const auto done = make({kind, 3, "b"}, dir_ / "plain", dir_ / "base", dir_ / "encoded", 1, &already);
    EXPECT_EQ(done.error().code, Code::unavailable);
    EXPECT_EQ(files(), 2);
  }
  for (const auto& [kind, threads] : {std::pair{Kind::zstd, 1}, {Kind::zstd, 2}, {Kind::patch, 1}}) {
    std::atomic<bool> stop{false};
    Result<Encoded> done = Error{};
    std::thread maker([&, kind = kind, threads = threads] {  // at level 19 this takes many seconds
      done = make({kind, 19, "b"}, dir_ / "plain", dir_ / "base", dir_ / "encoded", threads, &stop);
    });
    while (!fs::exists(dir_ / "encoded.new")) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    stop = true;
    maker.join();
    EXPECT_EQ(done.error().code, Code::unavailable);
    EXPECT_EQ(files(), 2);
  }
}

TEST_F(EncodingTest, DecoderTakesAnyRunsOfBytes) {
  const std::string plains[] = {"", "x", text(20'000, 1), noise(300'000, 1), text(mib, 3)};
  std::mt19937 chance(1);
  for (const auto& plain : plains) {
    for (const auto kind : {Kind::identity, Kind::zstd}) {
      const std::string encoded = made({kind, 3}, plain);
      for (const std::size_t run :
           {std::size_t{1}, std::size_t{7}, std::size_t{4096}, std::size_t{0}, encoded.size()}) {
        auto decoder = Decoder::open(kind, dir_ / "again", plain.size());
        for (std::size_t at = 0; at < encoded.size();) {
          const auto length = run > 0 ? run : chance() % 10'000;
          const auto pushed = decoder->push(std::string_view(encoded).substr(at, length));
          ASSERT_TRUE(pushed.ok()) << describe(pushed.error());
          at += length;
        }
        EXPECT_EQ(decoder->written_bytes(), plain.size());
        EXPECT_EQ(decoder->finish().value(), crypto::digest_of(plain));
        EXPECT_EQ(dir_.read("again"), plain);
      }
    }
  }
}

TEST_F(EncodingTest, DecoderWritesWhatHasCome) {
  const std::string plain = text(2 * mib, 1), encoded = made({Kind::zstd, 3}, plain);
  auto decoder = Decoder::open(Kind::zstd, dir_ / "again", plain.size());
  ASSERT_TRUE(decoder->push(encoded.substr(0, encoded.size() / 2)).ok());
  EXPECT_GT(decoder->written_bytes(), plain.size() / 3);
  EXPECT_EQ(dir_.read("again"), plain.substr(0, decoder->written_bytes()));
  decoder = Decoder::open(Kind::zstd, dir_ / "other", plain.size());  // the first is forgotten, with its file
  EXPECT_FALSE(fs::exists(dir_ / "again"));
  EXPECT_EQ(Decoder::open(Kind::patch, dir_ / "again", 1).error().code, Code::invalid);
}

TEST_F(EncodingTest, DecoderKeepsItsError) {
  const std::string plain = text(5000, 1), encoded = made({Kind::zstd, 3}, plain);
  auto decoder = Decoder::open(Kind::zstd, dir_ / "again", plain.size());
  ASSERT_TRUE(decoder->push(encoded).ok());
  const auto more = decoder->push("x");
  EXPECT_EQ(more.error().code, Code::invalid);
  EXPECT_FALSE(fs::exists(dir_ / "again"));
  EXPECT_EQ(decoder->push("x").error(), more.error());
  EXPECT_EQ(decoder->finish().error(), more.error());
  decoder = Decoder::open(Kind::zstd, dir_ / "again", plain.size());
  ASSERT_TRUE(decoder->push(encoded.substr(0, encoded.size() - 1)).ok());
  EXPECT_EQ(decoder->finish().error().code, Code::invalid);
  EXPECT_FALSE(fs::exists(dir_ / "again"));
}

}  // namespace
}  // namespace fieldwork::content
