// links: content GTest::gtest_main
#include "content/choose.hpp"

#include <gtest/gtest.h>

#include <random>

namespace fieldwork::content {
namespace {

using Kind = EncodingKind;

constexpr std::int64_t mb = 1'000'000;
const std::vector<Kind> all_decoders{Kind::identity, Kind::zstd, Kind::patch};

Made made(Encoding encoding, std::int64_t bytes, bool is_there = true, int window_log = 21) {
  return {{std::move(encoding), bytes, "", window_log}, is_there};
}

std::string text_of(const Choice& choice) {
  const auto& [kind, level, base, window_log] = choice.encoding;
  std::string text = name(kind);
  if (kind != Kind::identity) text += " " + std::to_string(level);
  if (!base.empty()) text += " of " + base;
  if (window_log != 0) text += " window " + std::to_string(window_log);
  return text + (choice.must_be_made ? ", to make" : "");
}

struct Case {
  const char* what;
  ContentView content;
  LinkView link;
  DeviceView device;
  const char* expected;
};
void expect_choices(const std::vector<Case>& cases) {
  for (const auto& c : cases) EXPECT_EQ(text_of(choose(c.content, c.link, c.device)), c.expected) << c.what;
}

using enum Compression;
const Profile text{98 * mb, 3.4}, noise{98 * mb, 1.0};
const LinkView slow{500'000, {}}, usual{}, quick{10'000'000'000, {}};
const DeviceView any{all_decoders, 23, {}}, small{{Kind::zstd}, 20, {}};
DeviceView with(std::vector<std::string> bases) { return {all_decoders, 23, std::move(bases)}; }

TEST(Choose, TakesWhatIsThereFirst) {
  expect_choices({
      {"slow link", {text, maximum}, slow, any, "zstd 19, to make"},
      {"usual link: level 19 would take longer", {text, maximum}, usual, any, "zstd 9, to make"},
      {"high", {text, high}, slow, any, "zstd 9, to make"},
      {"fast", {text, fast}, slow, any, "zstd 3, to make"},
      {"none", {text, none}, slow, any, "identity"},
      {"none of a patch", {text, none, {}, {"a"}}, slow, with({"a"}), "identity"},
      {"quick link", {text, maximum}, quick, any, "identity"},
      {"a rate that is none", {text, maximum}, {0, {}}, any, "zstd 9, to make"},
      {"cannot be compressed", {noise, maximum}, slow, any, "identity"},
      {"cannot be compressed, usual", {noise, maximum}, usual, any, "identity"},
      {"unknown", {{98 * mb, {}}, maximum}, usual, any, "zstd 9, to make"},
      {"empty", {{0, {}}, maximum}, slow, any, "identity"},
      {"a device that decodes nothing", {text, maximum}, slow, {}, "identity"},
      {"a small window", {text, maximum}, slow, small, "zstd 19 window 20, to make"},
  });
}

TEST(Choose, TakesWhatWasMade) {
  const auto zstd = [](int level, std::int64_t bytes, bool is_there = true, int window_log = 21) {
    return made({Kind::zstd, level}, bytes, is_there, window_log);
  };
  expect_choices({
      {"too large a window", {text, none, {zstd(9, 25 * mb, true, 22)}}, slow, small, "identity"},
      {"above what may be made", {text, none, {zstd(19, 22 * mb)}}, slow, any, "zstd 19"},
      {"of two the smaller", {text, maximum, {zstd(3, 29 * mb), zstd(19, 22 * mb)}}, usual, any, "zstd 19"},
      {"what would be smaller takes longer", {text, maximum, {zstd(9, 25 * mb)}}, usual, any, "zstd 9"},
      {"at a level of its own", {text, maximum, {zstd(5, 24 * mb)}}, usual, any, "zstd 5"},
      {"it grew", {text, fast, {zstd(3, 99 * mb)}}, slow, any, "identity"},
      {"known to be large", {text, fast, {zstd(3, 98 * mb, false)}}, slow, any, "identity"},
      {"known to be small", {noise, fast, {zstd(3, mb, false)}}, slow, any, "zstd 3, to make"},
      {"equal: the smaller", {{100, 1.0}, none, {zstd(3, 99)}}, quick, any, "zstd 3"},
      {"equal: not the larger", {{100, 1.0}, none, {zstd(3, 101)}}, quick, any, "identity"},
  });
}

TEST(Choose, TakesTheBaseThatBothHave) {
  const auto patch = [](const char* base, std::int64_t bytes, bool is_there = true) {
    return made({Kind::patch, 3, base}, bytes, is_there, 27);
  };
  const std::vector<std::string> five{"a", "b", "c", "d", "e"};
  const DeviceView no_patch{{Kind::zstd}, 23, {"a"}}, narrow{all_decoders, 20, {"a"}};
  const auto zstd = made({Kind::zstd, 19}, 22 * mb);
  expect_choices({
      {"one", {text, maximum, {}, {"a"}}, usual, with({"a"}), "zstd-patch 3 of a, to make"},
      {"of noise", {noise, fast, {}, {"a"}}, usual, with({"a"}), "zstd-patch 3 of a, to make"},
      {"the most useful", {text, fast, {}, {"b", "a"}}, usual, with({"x", "a", "b"}), "zstd-patch 3 of a, to make"},
      {"none in common", {text, maximum, {}, {"b"}}, usual, with({"a"}), "zstd 9, to make"},
      {"a device without patches", {text, maximum, {}, {"a"}}, usual, no_patch, "zstd 9, to make"},
      {"zstd is there", {text, maximum, {zstd}, {"a"}}, usual, with({"a"}), "zstd-patch 3 of a, to make"},
      {"made", {text, none, {patch("a", mb)}}, usual, with({"a"}), "zstd-patch 3 of a"},
      {"made, no window is allocated", {text, none, {patch("a", mb)}}, usual, narrow, "zstd-patch 3 of a"},
      {"made, the device lacks it", {text, none, {patch("a", mb)}}, usual, with({"b"}), "identity"},
      {"known to be large",
       {text, fast, {patch("a", 90 * mb, false)}, five},
       usual,
       with({"a", "b"}),
       "zstd-patch 3 of b, to make"},
      {"a fifth", {text, fast, {patch("e", 1, false)}, five}, usual, with(five), "zstd-patch 3 of a, to make"},
  });
}

TEST(Choose, SaysWhy) {
  const ContentView content{{98 * mb, 3.4}, Compression::maximum, {made({Kind::zstd, 19}, 22 * mb)}};
  const DeviceView device{all_decoders, 23, {}};
  const auto one = choose(content, {1'000'000, {}}, device);
  EXPECT_EQ(one.reason, "zstd 19: 22 MB in 176 s; identity would take 784 s");
  EXPECT_EQ(one.encoded_bytes, 22 * mb);
  EXPECT_DOUBLE_EQ(one.transfer_s, 176);
  EXPECT_EQ(one.make_s, 0);
  const auto to_make = choose({{98 * mb, 3.4}, Compression::maximum}, {500'000, 2000}, device);
  EXPECT_EQ(to_make.reason, "zstd 19: 22 MB in 350 s, made in 41 s; identity would take 1570 s");
  const auto two = choose(content, {10'000'000'000, {}}, device);
  EXPECT_EQ(two.reason, "zstd 19: 22 MB in 18 ms; identity would take 201 ms");
  EXPECT_EQ(choose({{4000, 1.0}, Compression::fast}, {}, device).reason,
            "identity: 4 kB in 3.2 ms; zstd 3 would take 3.2 ms");
  EXPECT_EQ(choose({{7, {}}, Compression::none}, {}, device).reason, "identity: 7 B in under 1 ms");
}

TEST(Choose, NeverMakesSlowlyWhatCannotBeCompressed) {
  for (const std::int64_t rate : {1'000LL, 100'000LL, 10'000'000LL, 1'000'000'000LL}) {
    for (const std::int64_t size : {std::int64_t{1}, mb, 1000 * mb}) {
      const auto choice = choose({{size, 1.0}, Compression::maximum}, {rate, {}}, {all_decoders, 23, {}});
      EXPECT_EQ(choice.encoding.kind, Kind::identity) << rate << " " << size;
    }
  }
}

TEST(Choose, IsNeverWorseThanIdentityOrThanWithLess) {
  std::mt19937 chance(1);
  const auto total = [](const Choice& c) { return c.make_s + c.transfer_s + c.decode_s; };
  for (int i = 0; i < 2000; ++i) {
    const std::int64_t size = 1 + static_cast<std::int64_t>(chance() % 100'000'000);
    ContentView content{
        {size, 1 + static_cast<int>(chance() % 50) / 10.0}, static_cast<Compression>(chance() % 4), {}, {"a", "b"}};
    const LinkView link{1 + static_cast<std::int64_t>(chance() % 100'000'000), {}};
    const DeviceView device{all_decoders, 23, {chance() % 2 == 0 ? "a" : "c"}};
    const auto first = choose(content, link, device);
    EXPECT_LE(total(first), total(choose({content.profile, Compression::none}, link, {})) + 0.001);
    if (first.must_be_made) content.made.push_back(made(first.encoding, first.encoded_bytes));
    const auto then = choose(content, link, device);
    EXPECT_EQ(then.encoding, first.encoding) << "what was made is taken";
    EXPECT_FALSE(then.must_be_made);
    EXPECT_EQ(choose(content, link, device).reason, then.reason);
  }
}

TEST(Cost, IsScaledByTheKnownRatio) {
  const auto bytes = [](int level, std::optional<double> ratio) {
    return cost({Kind::zstd, level}, {100 * mb, ratio}).encoded_bytes / mb;
  };
  EXPECT_EQ(bytes(1, 3.4), 33);
  EXPECT_EQ(bytes(3, 3.4), 29);
  EXPECT_EQ(bytes(9, 3.4), 25);
  EXPECT_EQ(bytes(12, 3.4), 25);
  EXPECT_EQ(bytes(19, 3.4), 22);
  EXPECT_EQ(bytes(3, 8.0), 12);
  EXPECT_EQ(bytes(19, 1.0), 100);
  EXPECT_EQ(bytes(3, 0.9), 100);
  EXPECT_EQ(bytes(3, {}), 50);
}

TEST(Cost, IsOfEachKind) {
  const Profile profile{100 * mb, 3.4};
  const auto identity = cost({}, profile), zstd = cost({Kind::zstd, 19}, profile),
             patch = cost({Kind::patch, 3, "a"}, profile);
  EXPECT_EQ(identity.make_s, 0);
  EXPECT_EQ(identity.encoded_bytes, 100 * mb);
  EXPECT_NEAR(zstd.make_s, 41.7, 0.1);
  EXPECT_EQ(zstd.decode_memory_bytes >> 20, 8);
  EXPECT_EQ(cost({Kind::zstd, 19, "", 18}, profile).decode_memory_bytes >> 18, 3);
  EXPECT_EQ(cost({Kind::zstd, 19}, {1000, {}}).decode_memory_bytes >> 20, 0);
  EXPECT_NEAR(patch.make_s, 0.33, 0.01);
  EXPECT_EQ(patch.encoded_bytes / mb, 5);
  EXPECT_EQ(patch.decode_memory_bytes >> 20, 0);
}

}  // namespace
}  // namespace fieldwork::content
