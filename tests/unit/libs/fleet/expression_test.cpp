// links: fleet GTest::gtest_main
// What expressions mean, and what is said of those that mean nothing.
#include "fleet/expression.hpp"

#include <gtest/gtest.h>

namespace fieldwork::fleet {
namespace {

Device edge() {
  Device out;
  out.id = DeviceId("edge-1");
  out.lifecycle = Lifecycle::active;
  out.presence = Presence::online;
  out.health = 0.62;
  out.about = {.capacity = {4000, 8LL << 30, 64LL << 30},
               .cores = 4,
               .architecture = "aarch64",
               .os = "debian 12",
               .agent = "0.10.2",
               .site = "berlin",
               .capabilities = {"camera", "gpu"},
               .sandbox = {"rlimits", "namespaces"},
               .uplink = {10'000'000, true},
               .labels = {}};
  out.labels = {{"zone", "b"}, {"a b", "blank"}, {"empty", ""}, {"app.kubernetes.io/name", "x"}};
  out.groups = {"day", "night"};
  out.measured = true;
  out.resources = {.cpu_load = 1,
                   .memory_available_bytes = 512 << 20,
                   .storage_available_bytes = 16LL << 30,
                   .uptime_s = 7200,
                   .received_bit_per_s = 9'000'000,
                   .sent_bit_per_s = 1'000'000};
  out.link.round_trip_ms = 40;
  return out;
}

struct Meant {
  const char* text;
  bool matches;
};

void expect(std::initializer_list<Meant> cases) {
  for (const auto& one : cases) {
    const auto expression = Expression::parse(one.text);
    ASSERT_TRUE(expression) << one.text << ": " << describe(expression.error());
    EXPECT_EQ(matches(*expression, edge()), one.matches) << one.text;
    EXPECT_EQ(misses(*expression, edge()).empty(), one.matches) << one.text;
  }
}

TEST(Expression, MeansWhatItSays) {
  expect({
      {R"(label.zone == "b" and cpu.free_millis >= 2000 and health > 0.6 and presence in (online, sleeping))", true},
      {R"(label.zone == "b" and health > 0.8)", false},
      {"id == edge-1", true},
      {"id ^= edge", true},
      {"id ^= edge-2", false},
      {"id in (edge-2, edge-1)", true},
      {"id not in (edge-2, edge-1)", false},
      {"site == berlin or site == paris", true},
      {"not site == berlin", false},
      {"not not site == berlin", true},
      {"site != berlin", false},
      {"site == berlin and site == paris or id ^= e", true},  // and binds before or
      {"site == paris and (site == paris or id ^= e)", false},
      {"not site == paris and id ^= e", true},  // not binds before and
      // What is absent: == is false, != is its negation.
      {"label.nope == b", false},
      {"label.nope != b", true},
      {"label.nope not in (b, c)", true},
      {"has label.nope", false},
      {"not has label.nope", true},
      {"has label.zone", true},
      {"has label.empty", true},
      {"label.empty == \"\"", true},
      {"battery < 20", false},
      {"battery >= 0", false},
      {"battery != 20", true},
      {"has battery", false},
      {"has temperature or has link.loss", false},
  });
}

TEST(Expression, HasAValueForEachType) {
  expect({
      // Keys with points and blanks.
      {R"(label."a b" == blank)", true},
      {"label.app.kubernetes.io/name == x", true},
      {"label.zone == 'b'", true},
      // Sets: any of the values.
      {"capability == gpu", true},
      {"capability in (lidar, camera)", true},
      {"capability ^= cam", true},
      {"capability == lidar", false},
      {"group == night and group == day", true},
      {"sandbox == namespaces", true},
      // Words.
      {"presence == online and lifecycle == active", true},
      {"presence != lost", true},
      {"metered == true and duplicated == false", true},
      // Numbers with units.
      {"memory.free == 512MiB", true},
      {"memory.free == 536870912", true},
      {"memory.free >= 0.5GiB", true},
      {"memory.free > 0.5GiB", false},
      {"memory.use > 90%", true},
      {"memory.use > 93.7 and memory.use < 93.8", true},
      {"storage.size > 60GB", true},
      {"storage.use == 75%", true},
      {"cpu.use == 25%", true},
      {"cpu.cores == 4 and cpu.millis == 4000 and cpu.free_millis == 3000", true},
      {"link.round_trip <= 40ms", true},
      {"link.round_trip < 0.04s", false},
      {"uptime == 2h", true},
      {"uptime > 1d", false},
      {"uptime > 119min", true},
      {"network.use == 90%", true},  // the busier direction
      {"network.received == 9Mbit and network.sent < 2Mbit/s", true},
      {"health in (0.61, 0.62)", true},
      {"link.clock_offset > -1ms", true},
      // Versions are compared part by part.
      {"version.agent > 0.9.9", true},
      {"version.agent >= \"0.10.2\"", true},
      {"version.agent < 0.10.10", true},
      {"version.agent == 0.10", false},
      {"version.agent > 0.10", true},
      {"version.agent ^= 0.10", true},
      {"version.agent in (0.10.2, 1)", true},
  });
}

TEST(Expression, ErrorsPointAtTheColumn) {
  struct Case {
    const char* text;
    const char* path;
    const char* reason;
  };
  const Case cases[] = {
      {"", "column 1", "expected an attribute, not the end"},
      {"sit == berlin", "column 1", "there is no attribute sit; did you mean site?"},
      {"id == a and cpu.free > 3", "column 13", "there is no attribute cpu.free; did you mean cpu.free_millis?"},
      {"label == a", "column 1", "a label needs its name: label.zone"},
      {"site = berlin", "column 6", "write == to compare"},
      {"site == berlin && id == a", "column 16", "write `and`"},
      {"site == berlin || id == a", "column 16", "write `or`"},
      {"!(site == berlin)", "column 1", "write `not`"},
      {"site == berlin id == a", "column 16", "expected `and`, `or` or the end, not `id`"},
      {"(site == berlin", "column 16", "expected `)`, not the end"},
      {"site == berlin)", "column 15", "expected `and`, `or` or the end, not `)`"},
      {"site in berlin", "column 9", "expected `(` and the values, not `berlin`"},
      {"site in (berlin paris)", "column 17", "expected `,` or `)`, not `paris`"},
      {"site not berlin", "column 10", "expected `in`, not `berlin`"},
      {"site", "column 5", "expected an operator (== != < <= > >= ^= in, not in), not the end"},
      {"site ==", "column 8", "expected a text, not the end"},
      {"site < berlin", "column 6", "site is a text: it has no <"},
      {"presence > lost", "column 10", "presence is a word: it has no >"},
      {"health ^= 0.5", "column 8", "health is a number: it has no ^="},
      {"presence == onlin", "column 13",
       "presence is never onlin; did you mean online? (one of starting, online, sleeping, disconnected, suspect, "
       "lost)"},
      {"health > good", "column 10", "expected a number, not `good`"},
      {"memory.free > 5M", "column 16", "memory.free has no unit M; there are B kB MB GB TB KiB MiB GiB TiB"},
      {"uptime > 5MB", "column 11", "uptime has no unit MB; there are ms s min h d"},
      {"health > 80%", "column 12", "health has no unit %: it is a plain number"},
      {"site == \"berlin", "column 9", "this text has no closing quote"},
      {"and == 3", "column 1", "expected an attribute, not `and`"},
      {"has has", "column 5", "expected an attribute, not `has`"},
      {"site == berlin ; id == a", "column 16",
       "there is no such operator; there are == != < <= > >= ^= in, not, and, or, has"},
  };
  for (const auto& one : cases) {
    const auto expression = Expression::parse(one.text);
    ASSERT_FALSE(expression) << one.text;
    EXPECT_EQ(expression.error(), (Error{Code::invalid, one.reason, one.path})) << one.text;
  }
}

TEST(Expression, IsBounded) {
  const auto repeat = [](const std::string& text, std::size_t times) {
    std::string out;
    for (std::size_t i = 0; i < times; ++i) out += text;
    return out;
  };
  struct Case {
    std::string good, bad;
    const char* reason;
  };
  const Case cases[] = {
      {repeat("(", nesting_max - 1) + "id == a" + repeat(")", nesting_max - 1),
       repeat("(", nesting_max) + "id == a" + repeat(")", nesting_max), "is nested more than 32 deep"},
      {repeat("not ", nesting_max - 1) + "id == a", repeat("not ", nesting_max) + "id == a",
       "is nested more than 32 deep"},
      {repeat("id == a or ", terms_max - 1) + "id == a", repeat("id == a or ", terms_max) + "id == a",
       "more than 128 terms"},
      {"id in (" + repeat("a,", values_max - 1) + "a)", "id in (" + repeat("a,", values_max) + "a)",
       "more than 256 values"},
      {"id == " + std::string(expression_bytes_max - 6, 'a'), "id == " + std::string(expression_bytes_max - 5, 'a'),
       "an expression has at most 4096 bytes"},
      {"id == \"\xC3\xA4\"", "id == \"\xC3\"", "is not UTF-8 text"},
      {"health > 1", "health > 1" + std::string(400, '0'), "this number is too large"},
  };
  for (const auto& one : cases) {
    EXPECT_TRUE(Expression::parse(one.good)) << one.reason;
    const auto bad = Expression::parse(one.bad);
    ASSERT_FALSE(bad) << one.reason;
    EXPECT_EQ(bad.error().reason, one.reason);
  }
}

TEST(Expression, SaysWhichTermsKeepADeviceFromMatching) {
  struct Case {
    const char* text;
    std::vector<Miss> misses;
  };
  const Case cases[] = {
      {"site == berlin and health > 0.8 and presence == lost",
       {{20, "health > 0.8", "0.62", "health is 0.62, wanted health > 0.8"},
        {37, "presence == lost", "online", "presence is online, wanted presence == lost"}}},
      {"site == paris or label.nope == x",
       {{1, "site == paris", "berlin", "site is berlin, wanted site == paris"},
        {18, "label.nope == x", "not set", "label.nope is not set, wanted label.nope == x"}}},
      {"not (site == berlin and memory.free > 1MiB)",
       {{6, "site == berlin", "berlin", "site is berlin, wanted not site == berlin"},
        {25, "memory.free > 1MiB", "512 MiB", "memory.free is 512 MiB, wanted not memory.free > 1MiB"}}},
      {"not has capability",
       {{5, "has capability", "camera, gpu", "capability is camera, gpu, wanted not has capability"}}},
      {"battery > 10%", {{1, "battery > 10%", "not measured", "battery is not measured, wanted battery > 10%"}}},
      {"site == paris and health > 1 or site == rome and uptime < 1s",
       {{1, "site == paris", "berlin", "site is berlin, wanted site == paris"},
        {19, "health > 1", "0.62", "health is 0.62, wanted health > 1"},
        {33, "site == rome", "berlin", "site is berlin, wanted site == rome"},
        {50, "uptime < 1s", "7200 s", "uptime is 7200 s, wanted uptime < 1s"}}},
  };
  for (const auto& one : cases) {
    const auto expression = Expression::parse(one.text);
    ASSERT_TRUE(expression) << one.text;
    EXPECT_EQ(misses(*expression, edge()), one.misses) << one.text;
  }
}

TEST(Versions, AreComparedPartByPart) {
  const std::vector<const char*> ascending{"", "0.9", "0.9.1", "0.10", "1", "1.0", "1.0.0-rc", "1.2", "2.a", "2.b"};
  for (std::size_t i = 0; i < ascending.size(); ++i) {
    for (std::size_t j = 0; j < ascending.size(); ++j) {
      const int sign = compare_versions(ascending[i], ascending[j]);
      EXPECT_EQ(sign < 0, i < j) << ascending[i] << " " << ascending[j];
      EXPECT_EQ(sign > 0, i > j) << ascending[i] << " " << ascending[j];
    }
  }
}

TEST(Attributes, AreNamedOnceAndReadBack) {
  for (std::size_t i = 0; i < kinds().size(); ++i) {
    const auto text = std::string(kinds()[i].name) + (kinds()[i].keyed ? ".key" : "");
    const auto read = attribute(text);
    ASSERT_TRUE(read) << text;
    EXPECT_EQ(read->kind, &kinds()[i]) << text;
    EXPECT_EQ(to_text(*read), text);
    EXPECT_EQ(kinds()[i].texts != nullptr, has_texts(kinds()[i].type)) << text;
    EXPECT_EQ(kinds()[i].number == nullptr, has_texts(kinds()[i].type)) << text;
    EXPECT_EQ(kinds()[i].words != nullptr, kinds()[i].type == Type::word) << text;
  }
}

// A device that has said nothing but its id has no number that it did not measure.
TEST(Attributes, OfADeviceThatSaidNothingAreAbsent) {
  Device device;
  device.id = DeviceId("edge-1");
  for (const auto& kind : kinds()) {
    if (kind.type == Type::word || kind.name == "id" || kind.name == "health") continue;
    const auto expression = Expression::parse("has " + std::string(kind.name) + (kind.keyed ? ".key" : ""));
    ASSERT_TRUE(expression) << kind.name;
    EXPECT_FALSE(matches(*expression, device)) << kind.name;
  }
}

}  // namespace
}  // namespace fieldwork::fleet
