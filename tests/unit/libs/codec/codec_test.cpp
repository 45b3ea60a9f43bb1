// links: codec nlohmann_json::nlohmann_json GTest::gtest_main
// Every kind of message: what is written is read, and what is wrong is refused with its place and its reason.
#include <gtest/gtest.h>

#include <random>

#include "base/text.hpp"
#include "model/limits.hpp"
#include "support/codec_kinds_more.hpp"

namespace fieldwork::codec {
namespace {

using rules::Kind;
using Pointer = Json::json_pointer;

// What reading this gives, as one text.
std::string outcome(const Kind& kind, const std::string& text) {
  const auto read = kind.read_and_write(text);
  if (read) return "read: " + *read;
  return std::string(name(read.error().code)) + " " + describe(read.error());
}

std::string refused(const std::string& path, const std::string& reason) {
  return "invalid " + describe(Error{Code::invalid, reason, path});
}

// The first 200 bytes are enough to find it.
std::string shown(const Kind& kind, const std::string& at, const Json& value) {
  return kind.name + " with " + at + " = " + dump(value).substr(0, 200);
}

Json with(const Kind& kind, const std::string& at, const Json& value) {
  auto message = Json::parse(kind.example);
  message[Pointer(at)] = value;
  return message;
}

Json without(const Kind& kind, const std::string& at) {
  auto message = Json::parse(kind.example);
  const Pointer pointer(at);
  message[pointer.parent_pointer()].erase(pointer.back());
  return message;
}

bool is_item(const std::string& at) { return at.ends_with("/0"); }

// Every pointer into the example that its decoder looks at one by one.
void walk(const Kind& kind, const Json& value, const std::string& at, std::vector<std::string>& out) {
  if (!at.empty()) out.push_back(at);
  const auto rule = kind.fields.find(at);
  if (rule != kind.fields.end() && rule->second.open) return;
  if (value.is_object()) {
    for (const auto& [key, inner] : value.items()) walk(kind, inner, at + "/" + key, out);
  }
  if (value.is_array() && !value.empty() && value[0].is_object()) walk(kind, value[0], at + "/0", out);
}

std::vector<std::string> pointers(const Kind& kind) {
  std::vector<std::string> out;
  walk(kind, Json::parse(kind.example), "", out);
  return out;
}

class CodecTest : public ::testing::TestWithParam<Kind> {};

TEST_P(CodecTest, WhatIsWrittenIsRead) {
  const auto& kind = GetParam();
  EXPECT_EQ(outcome(kind, kind.example), "read: " + kind.example);
  EXPECT_EQ(outcome(kind, " \t\r\n" + Json::parse(kind.example).dump(2) + "\n"), "read: " + kind.example);
}

// Else the tables forget a field.
TEST_P(CodecTest, EveryFieldOfTheExampleHasItsRule) {
  const auto& kind = GetParam();
  std::vector<std::string> ruled;
  for (const auto& [at, rule] : kind.fields) ruled.push_back(at);
  auto there = pointers(kind);
  std::sort(there.begin(), there.end());
  EXPECT_EQ(there, ruled);
}

TEST_P(CodecTest, GoodValuesAreKept) {
  const auto& kind = GetParam();
  for (const auto& [at, rule] : kind.fields) {
    for (const auto& value : rule.good) {
      const auto text = dump(with(kind, at, value));
      EXPECT_TRUE(outcome(kind, text) == "read: " + text) << shown(kind, at, value) << ": " << outcome(kind, text);
    }
  }
}

TEST_P(CodecTest, BadValuesAreRefusedWithTheirPlace) {
  const auto& kind = GetParam();
  for (const auto& [at, rule] : kind.fields) {
    EXPECT_FALSE(rule.bad.empty()) << at;
    for (const auto& bad : rule.bad) {
      EXPECT_EQ(outcome(kind, dump(with(kind, at, bad.value))), refused(at + bad.below, bad.reason))
          << shown(kind, at, bad.value);
    }
  }
}

TEST_P(CodecTest, MissingFieldsAreNamedUnlessTheyMayBe) {
  const auto& kind = GetParam();
  for (const auto& [at, rule] : kind.fields) {
    if (is_item(at)) continue;
    const auto said = outcome(kind, dump(without(kind, at)));
    if (rule.missing.empty()) {
      EXPECT_TRUE(said.starts_with("read: ")) << kind.name << " without " << at << ": " << said;
    } else {
      EXPECT_EQ(said, refused(at, rule.missing)) << kind.name;
    }
  }
}

TEST_P(CodecTest, UnknownFieldsAreNamed) {
  const auto& kind = GetParam();
  auto all = pointers(kind);
  all.emplace_back("");
  for (const auto& at : all) {
    auto message = Json::parse(kind.example);
    auto& object = message[Pointer(at)];
    const auto rule = kind.fields.find(at);
    if (!object.is_object() || (rule != kind.fields.end() && rule->second.open)) continue;
    object["of/a~later"] = Json::array({1});
    const bool open = std::find(kind.open.begin(), kind.open.end(), at) != kind.open.end();
    const auto said = outcome(kind, dump(message));
    const auto expected = open ? "read: " + kind.example : refused(at + "/of~1a~0later", "is not a field here");
    EXPECT_TRUE(said.starts_with(expected)) << kind.name << ": " << said;
  }
}

TEST_P(CodecTest, WhatIsNoMessageAtAll) {
  const auto& kind = GetParam();
  const auto larger = "larger than " + std::to_string(kind.bytes_max) + " bytes";
  const auto padded = [&](std::size_t bytes) { return kind.example + std::string(bytes - kind.example.size(), ' '); };
  auto cut = kind.example;
  cut.pop_back();
  const std::pair<std::string, std::string> cases[] = {
      {padded(kind.bytes_max), "read: " + kind.example},
      {padded(kind.bytes_max + 1), refused("", larger)},
      {"", refused("", "not JSON")},
      {cut, refused("", "not JSON")},
      {kind.example + "{}", refused("", "not JSON")},
      {"[]", refused("", "must be an object")},
      {"null", refused("", "must be an object")},
      {"\"{}\"", refused("", "must be an object")},
      {R"({"a":"b\u0000"})", refused("", "a string holds NUL")},
      {"{\"a\":\"\xff\"}", refused("", "not JSON")},
      {std::string(17, '['), refused("", "nested deeper than 16")},
  };
  for (const auto& [text, expected] : cases) {
    EXPECT_TRUE(outcome(kind, text).starts_with(expected))
        << kind.name << ": " << text.substr(0, 200) << "\nis " << outcome(kind, text).substr(0, 400);
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, CodecTest, ::testing::ValuesIn(rules::all_kinds()), [](const auto& param) {
  auto name = param.param.name;
  std::replace(name.begin(), name.end(), ' ', '_');
  return name;
});

// --- what one field says of another -------------------------------------------------------------------------------

TEST(JobTest, EitherReplicasOrTargets) {
  const auto said = decode_job(Json::parse(R"({"command":["a"],"replicas":1,"targets":{"labels":{}}})"));
  ASSERT_FALSE(said.ok());
  EXPECT_EQ(said.error(), (Error{Code::invalid, "cannot stand beside replicas", "/targets"}));
}

TEST(JobTest, TheLeastThereCanBe) {
  const auto job = decode_job(Json::parse(R"({"command":["a"]})"));
  ASSERT_TRUE(job.ok());
  JobSpec expected;
  expected.command = {"a"};
  EXPECT_EQ(*job, expected);
  const auto everywhere = decode_job(Json::parse(R"({"command":["a"],"targets":{"labels":{}}})"));
  ASSERT_TRUE(everywhere.ok());
  EXPECT_EQ(everywhere->targets, Targets{}) << "every device, not one anywhere";
}

TEST(Job, AnExpressionIsReadWithTheJob) {
  const auto error = [](const char* text) { return decode_job(Json::parse(text)).error(); };
  EXPECT_EQ(error(R"({"command":["a"],"requirements":{"expression":"helth > 1"}})"),
            (Error{Code::invalid, "column 1: there is no attribute helth; did you mean health?",
                   "/requirements/expression"}));
  EXPECT_EQ(error(R"({"command":["a"],"targets":{"expression":"site =="}})").path, "/targets/expression");
  EXPECT_EQ(error(R"({"command":["a"],"targets":{"group":"g","devices":["a"]}})").path, "/targets/devices");
  EXPECT_EQ(error(R"({"command":["a"],"targets":{"devices":["a b"]}})").path, "/targets/devices");
  EXPECT_EQ(error(R"({"command":["a"],"targets":{"group":"a b"}})").path, "/targets/group");
  // An empty list is not the whole fleet.
  EXPECT_EQ(error(R"({"command":["a"],"targets":{"devices":[]}})").path, "/targets/devices");
  EXPECT_EQ(error(R"({"command":["a"],"targets":{"group":""}})").path, "/targets/group");
  EXPECT_EQ(error(R"({"command":["a"],"targets":{"expression":""}})").path, "/targets/expression");
  for (const char* text :
       {R"({"expression":"health > 0.5","labels":{"zone":"a"}})", R"({"group":"g"})", R"({"devices":["a","b"]})",
        R"({"labels":{}})", R"({"group":"g","continuous":true})", R"({"labels":{},"continuous":true})"}) {
    const auto job = decode_job(Json{{"command", {"a"}}, {"targets", Json::parse(text)}});
    ASSERT_TRUE(job) << text;
    EXPECT_EQ(encode(*job).at("targets"), Json::parse(text));
  }
}

TEST(JobTest, AFileOfNoBytesIsNotAFileWithoutContent) {
  const std::string file = R"("path":"a","size_bytes":0,"digest":")" + rules::some_digest() + "\"";
  const auto read = [&](const std::string& more) {
    return decode_result(Json::parse(R"({"exit_code":0,"files":[{)" + file + more + "}]}"))->files.at(0).content;
  };
  EXPECT_EQ(read(""), std::nullopt);
  EXPECT_EQ(read(R"(,"content":"")"), "");
  EXPECT_EQ(read(R"(,"content":"AP8=")"), std::string("\0\xff", 2));
}

TEST(JobTest, IsBoundedAsAWhole) {
  JobSpec job;
  job.command = {"a"};
  for (int i = 0; i < 63; ++i) job.command.emplace_back(4000, '\x01');  // six bytes each as JSON
  const auto bytes = dump(encode(job)).size();
  ASSERT_GT(bytes, limits::job_bytes_max) << "every field by itself is good";
  const auto refused = decode_job(encode(job));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error(), (Error{Code::invalid, "is " + std::to_string(bytes) + " bytes as JSON, at most 262144; " +
                                                       "put large input into a package"}));
  job.command.resize(1);
  for (int i = 0; i < 30; ++i) job.env["K" + std::to_string(i)] = std::string(4000, 'x');
  while (dump(encode(job)).size() + 4003 <= limits::job_bytes_max) job.command.emplace_back(4000, 'x');
  job.command.emplace_back(limits::job_bytes_max - dump(encode(job)).size() - 3, 'x');
  ASSERT_EQ(dump(encode(job)).size(), limits::job_bytes_max);
  EXPECT_TRUE(decode_job(encode(job)).ok()) << "the largest one";
  job.command.back() += 'x';
  EXPECT_FALSE(decode_job(encode(job)).ok());
}

// Random bytes of every kind: text, text full of escapes, control characters, no text at all.
std::string some_bytes(std::mt19937& random) {
  const std::string_view alphabets[] = {"abc \xc3\xbc", "a\n\"\\", "\x01\x1f\t\x7f", ""};
  const auto& alphabet = alphabets[random() % 4];
  std::string out(random() % 200, '\0');
  for (char& c : out) c = alphabet.empty() ? static_cast<char>(random() & 0xff) : alphabet[random() % alphabet.size()];
  return out;
}

TEST(ResultTest, EverySizeIsKnownBeforeAndEveryByteComesBack) {
  std::mt19937 random(1);
  for (int round = 0; round < 3000; ++round) {
    RunResult result{.exit_code = static_cast<int>(random() % 256), .truncated = random() % 2 == 0};
    if (random() % 2 == 0) result.signal = 9;
    result.stdout_text = some_bytes(random);
    result.stderr_text = some_bytes(random);
    result.stdout_cut_bytes = random() % 2 == 0 ? 0 : static_cast<std::int64_t>(random());
    result.elapsed_ms = random();
    const auto some = [&] { return static_cast<std::int64_t>(random()); };
    if (random() % 2 == 0) result.use = RunUse{some(), some(), some(), some()};
    for (auto files = random() % 4; files > 0; --files) {
      result.files.push_back({"a\"\n", static_cast<std::int64_t>(random()), rules::some_digest(), std::nullopt});
      if (random() % 2 == 0) result.files.back().content = some_bytes(random);
    }
    const auto text = dump(encode(result));
    ASSERT_EQ(encoded_bytes(result), text.size()) << text;
    const auto read = decode_result(*parse(text));
    ASSERT_TRUE(read.ok()) << describe(read.error()) << text;
    ASSERT_EQ(*read, result) << text;
    const auto streams = result.stdout_text.size() + result.stderr_text.size();
    auto bound = 2 * streams + 512;
    for (const auto& file : result.files) bound += 512 + 2 * file.content.value_or("").size();
    ASSERT_LE(text.size(), bound) << text;
  }
}

TEST(ResultTest, AStreamStandsInOneForm) {
  const auto both = decode_result(Json::parse(R"({"exit_code":0,"stdout":"a","stdout_base64":"/w=="})"));
  ASSERT_FALSE(both.ok());
  EXPECT_EQ(both.error(), (Error{Code::invalid, "cannot stand beside the text", "/stdout_base64"}));
}

TEST(TextTest, ReasonsAreCutWhereTheirReadersStop) {
  const std::string e = "\xc3\xa9";
  struct Case {
    std::string text;
    std::size_t bytes_max;
    std::string expected;
  };
  const Case cases[] = {
      {"", 0, ""},
      {"abcdef", 6, "abcdef"},
      {"abcdefg", 6, "abc..."},
      {"abc", 2, "ab"},
      {e + e + e, 6, e + e + e},
      {e + e + e + e, 6, e + "..."},
      {e + e + e, 5, e + "..."},
      {"a\xff\xc3z", 10, "a??z"},
      {std::string("a\0b\x1b\n", 5), 10, "a?b?\n"},
      {"\xed\xa0\x80 \xc0\x80 \xf5\x80\x80\x80", 20, "??? ?? ????"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(clamp_text(c.text, c.bytes_max), c.expected) << c.text;
    EXPECT_TRUE(is_text(clamp_text(c.text, c.bytes_max)));
  }
}

TEST(CommandsTest, SeveralKindsInOneMessageAndTheItemThatIsWrong) {
  const std::string key = R"("job":"j","execution":0,"fence":1)";
  const std::string text = R"({"v":1,"items":[{"type":"cancel",)" + key + R"(},{"type":"stale","state":"lost",)" + key +
                           R"(},{"type":"inquire",)" + key;
  const auto commands = decode_commands(text + "}]}");
  ASSERT_TRUE(commands.ok()) << describe(commands.error());
  const AttemptKey expected{JobId("j"), 0, 1};
  EXPECT_EQ(commands->good,
            (std::vector<Command>{Cancel{expected, ""}, Stale{expected, "lost", ""}, Inquire{expected, ""}}));
  EXPECT_TRUE(commands->bad.empty());
  const auto wrong = decode_commands(text + R"(,"grant":"g"}]})");
  ASSERT_TRUE(wrong.ok());
  EXPECT_EQ(wrong->good, (std::vector<Command>{Cancel{expected, ""}, Stale{expected, "lost", ""}}));
  ASSERT_EQ(wrong->bad.size(), 1U);
  EXPECT_EQ(wrong->bad[0].error.path, "/items/2/grant");
  EXPECT_TRUE(wrong->bad[0].error.reason.starts_with("is not a field here")) << wrong->bad[0].error.reason;
  EXPECT_EQ(wrong->bad[0].key, expected);
}

TEST(CommandsTest, ABadItemSpoilsNothingButItself) {
  const std::string good = R"({"type":"cancel","job":"j","execution":0,"fence":1})";
  struct Case {
    std::string bad;
    const char* path;
    bool named;  // its attempt can be read
  };
  const Case cases[] = {
      {R"({"type":"launch","job":"k","execution":2,"fence":3})", "/items/1/type", true},
      {R"({"type":"assign","job":"k","execution":2,"fence":3})", "/items/1/attempt", true},
      {R"({"type":"cancel","job":"k","execution":2,"fence":3,"later":1})", "/items/1/later", true},
      {R"({"type":"cancel","job":"k","execution":2,"fence":0})", "/items/1/fence", false},
      {R"({"type":"cancel"})", "/items/1/job", false},
      {"[]", "/items/1", false},
      {"null", "/items/1", false},
      {"7", "/items/1", false},
  };
  for (const auto& c : cases) {
    const auto commands = decode_commands(R"({"v":1,"items":[)" + good + "," + c.bad + "," + good + "]}");
    ASSERT_TRUE(commands.ok()) << c.bad;
    EXPECT_EQ(commands->good.size(), 2U) << c.bad;
    ASSERT_EQ(commands->bad.size(), 1U) << c.bad;
    EXPECT_EQ(commands->bad[0].error.path, c.path) << c.bad;
    EXPECT_EQ(commands->bad[0].key, c.named ? std::optional(AttemptKey{JobId("k"), 2, 3}) : std::nullopt) << c.bad;
  }
}

TEST(ReportTest, ABadItemTakesItsNumberAndNothingElse) {
  const std::string good = R"({"job":"j","execution":0,"fence":1,"state":"running","tag":4})";
  struct Case {
    std::string bad;
    const char* path;
    bool named;
    std::int64_t tag;
  };
  const Case cases[] = {
      {R"({"job":"k","execution":2,"fence":3,"state":"odd","tag":5})", "/items/1/state", true, 5},
      {R"({"job":"k","execution":2,"fence":3,"state":"assigned","tag":5})", "/items/1/state", true, 5},
      {R"({"job":"k","execution":2,"fence":3,"state":"running"})", "/items/1/tag", true, 0},
      {R"({"job":"k","execution":2,"fence":3,"state":"failed","tag":5,"result":{}})", "/items/1/result/exit_code", true,
       5},
      {R"({"job":"/","execution":2,"fence":3,"state":"running","tag":5})", "/items/1/job", false, 5},
      {"[]", "/items/1", false, 0},
      {"null", "/items/1", false, 0},
  };
  for (const auto& c : cases) {
    const auto report = decode_report(R"({"v":1,"epoch":1,"seq":2,"items":[)" + good + "," + c.bad + "," + good + "]}");
    ASSERT_TRUE(report.ok()) << c.bad;
    ASSERT_EQ(report->items.size(), 3U) << c.bad << ": each keeps its number";
    EXPECT_FALSE(report->items[0].error || report->items[2].error) << c.bad;
    EXPECT_EQ(report->items[2].report.state, AttemptState::running) << c.bad;
    const auto& item = report->items[1];
    ASSERT_TRUE(item.error.has_value()) << c.bad;
    EXPECT_EQ(item.error->path, c.path) << c.bad;
    EXPECT_EQ(item.tag, c.tag) << c.bad;
    AttemptReport expected;
    if (c.named) expected.key = {JobId("k"), 2, 3};
    EXPECT_TRUE(item.report == expected) << c.bad << ": at most the key";
  }
}

TEST(ReportTest, FirstIsNotAboveTheFirstItem) {
  const std::string item = R"("items":[{"job":"j","execution":0,"fence":1,"state":"running","tag":4}]})";
  EXPECT_EQ(decode_report(R"({"v":1,"epoch":1,"seq":2,)" + item)->first, 2) << "not said: it holds none before";
  EXPECT_EQ(decode_report(R"({"v":1,"epoch":1,"first":1,"seq":2,)" + item)->first, 1);
  const auto wrong = decode_report(R"({"v":1,"epoch":1,"first":3,"seq":2,)" + item);
  ASSERT_FALSE(wrong.ok());
  EXPECT_EQ(wrong.error(), (Error{Code::invalid, "must not be above seq", "/first"}));
}

TEST(ReportTest, WhatWasDecidedIsCutByWhoEncodesIt) {
  const std::vector<Decided> said{{-1, std::string(201, 'w')}, {limits::integer_max, "ü"}};
  const auto read = decode_decided(encode(said));
  ASSERT_TRUE(read.ok()) << describe(read.error());
  EXPECT_EQ(*read, (std::vector<Decided>{{0, std::string(197, 'w') + "..."}, {limits::integer_max, "ü"}}));
  EXPECT_EQ(decode_decided(Json::array())->size(), 0U);
  AttemptReport report;
  report.key = {JobId("j"), 0, 1};
  EXPECT_FALSE(encode(report).contains("decided")) << "nothing was";
  report.decided.assign(limits::decided_max, {7, "w"});
  EXPECT_EQ(decode_attempt_report(encode(report))->decided, report.decided);
  report.decided.push_back({8, "one more"});
  const auto refused = decode_attempt_report(encode(report));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error(), (Error{Code::invalid, "has more than 16 entries", "/decided"}));
}

TEST(ReportTest, ThePartsOfTheLongestPathPass) {
  AttemptReport report;
  report.key = {JobId("j"), 0, 1};
  report.state = AttemptState::running;
  report.part = ResultPart{"file:" + std::string(256, 'p'), limits::content_bytes_max,
                           std::string(limits::part_bytes_max, '\xff')};
  const auto read = decode_report(encode(Report{1, 1, 1, 0, {{7, report, std::nullopt}}}));
  ASSERT_TRUE(read.ok());
  ASSERT_FALSE(read->items[0].error) << describe(*read->items[0].error);
  EXPECT_TRUE(read->items[0].report == report);
}

std::string alone(const Json& item) { return dump(Json{{"v", 1}, {"items", Json::array({item})}}); }

// Whoever writes a reason cuts it to what its reader takes.
TEST(ReasonTest, IsCutByWhoEncodesIt) {
  const AttemptKey key{JobId("j"), 0, 1};
  for (const auto& reason :
       {std::string(1024, 'x'), std::string(1025, 'x'), std::string(100'000, '"'), std::string(5000, '\x01'),
        std::string(5000, '\xff'), std::string(5000, '\0'), std::string(1023, 'x') + "\xc3\xa9"}) {
    AttemptReport report;
    report.key = key;
    report.state = AttemptState::failed;
    report.reason = reason;
    const auto reports = decode_report(encode(Report{1, 1, 1, 0, {{7, report, std::nullopt}}}));
    ASSERT_TRUE(reports.ok());
    ASSERT_FALSE(reports->items[0].error) << describe(*reports->items[0].error);
    const auto& read = reports->items[0].report.reason;
    EXPECT_LE(read.size(), 1024U);
    EXPECT_GE(read.size(), 1022U) << "cut between two characters";
    EXPECT_EQ(read.ends_with("..."), reason.size() > 1024);
    Decision decision;
    decision.key = key;
    decision.reason = reason;
    const auto decisions = decode_decisions(alone(encode(decision)));
    ASSERT_TRUE(decisions.ok()) << describe(decisions.error());
    EXPECT_EQ(decisions->good.at(0).reason, read);
    const auto answers = decode_certificate_answers(
        alone(encode(CertificateAnswer{DeviceId("d"), "", CertificateState::invalid, reason})));
    ASSERT_TRUE(answers.ok()) << describe(answers.error());
    EXPECT_EQ(answers->good.at(0).reason, read);
    const auto enrolled = decode_enrolled(encode(Enrolled{1, false, reason, 5, 9}));
    ASSERT_TRUE(enrolled.ok()) << describe(enrolled.error());
    EXPECT_EQ(enrolled->reason, read);
    const auto rejected = decode_rejected(encode(Rejected{"report", reason, reason}));
    ASSERT_TRUE(rejected.ok()) << describe(rejected.error());
    Device device;
    device.id = DeviceId("d");
    device.about.capacity = {1, 1, 0};
    device.reason = reason;
    const auto device_read = decode_device(encode(device));
    ASSERT_TRUE(device_read.ok()) << describe(device_read.error());
    EXPECT_EQ(device_read->reason, read);
    const auto configured = decode_configured(encode(Configured{7, reason}));
    ASSERT_TRUE(configured.ok()) << describe(configured.error());
    EXPECT_EQ(configured->reason, read);
    EXPECT_TRUE(decode_not_offered(encode(NotOffered{rules::some_digest(), reason})).has_value());
  }
  const std::string two_bytes = std::string(1020, 'x') + "\xc3\xbc\xc3\xbc\xc3\xbc";
  AttemptReport report;
  report.key = key;
  report.reason = two_bytes;
  EXPECT_EQ(decode_attempt_report(encode(report))->reason, std::string(1020, 'x') + "...") << "between two characters";
}

// --- devices ------------------------------------------------------------------------------------------------------

TEST(PresenceTest, OnlyASleepingDeviceSaysForHowLong) {
  const auto read = [](const std::string& state, const std::string& more) {
    const auto said = decode_presence(R"({"v":1,"session":1,"state":")" + state + "\"" + more + "}");
    return said ? "read: " + std::to_string(said->sleep_s) : describe(said.error());
  };
  for (const char* state : {"online", "offline", "goodbye"}) {
    EXPECT_EQ(read(state, ""), "read: 0");
    EXPECT_EQ(read(state, R"(,"sleep_s":5)"), "/sleep_s: stands beside sleeping only");
  }
  EXPECT_EQ(read("sleeping", R"(,"sleep_s":5)"), "read: 5");
  EXPECT_EQ(read("sleeping", ""), "/sleep_s: is missing");
}

TEST(EnrolmentTest, CapabilitiesAreASet) {
  Enrolment enrolment{.session = 1, .certificate = "PEM"};
  enrolment.about.capacity = {1, 1, 0};
  enrolment.about.capabilities = {"gpu", "camera", "gpu"};
  enrolment.about.sandbox = {"user", "files"};
  const auto read = decode_enrolment(encode(enrolment));
  ASSERT_TRUE(read.ok()) << describe(read.error());
  EXPECT_EQ(read->about.capabilities, (std::vector<std::string>{"camera", "gpu"}));
  EXPECT_EQ(read->about.sandbox, enrolment.about.sandbox) << "these have an order";
}

TEST(ConfigurationTest, TheNewestItemCountsAndABadOneSpoilsTheMessage) {
  const auto item = [](int version, const char* lifecycle) {
    return R"({"version":)" + std::to_string(version) + R"(,"lifecycle":")" + lifecycle + "\"}";
  };
  const auto list = [](const std::string& items) { return R"({"v":1,"items":[)" + items + "]}"; };
  const auto read = decode_configuration(list(item(4, "active") + "," + item(6, "draining") + "," + item(5, "active")));
  ASSERT_TRUE(read.ok()) << describe(read.error());
  EXPECT_EQ(*read, (Configuration{.version = 6, .lifecycle = Lifecycle::draining}));
  EXPECT_EQ(decode_configuration(list(item(0, "inactive")))->lifecycle, Lifecycle::inactive);
  const auto wrong = decode_configuration(list(item(4, "active") + "," + item(3, "retired")));
  ASSERT_FALSE(wrong.ok());
  EXPECT_EQ(wrong.error(), (Error{Code::invalid, "must be active, draining or inactive", "/items/1/lifecycle"}));
}

TEST(ConfigureRequestTest, WhatIsNotNamedIsAbsent) {
  const auto none = decode_configure_request(R"({"v":1,"device":"d"})");
  ASSERT_TRUE(none.ok()) << describe(none.error());
  EXPECT_EQ(none->set, Configuration{});
  EXPECT_TRUE(none->unset.empty());
  const auto some =
      decode_configure_request(R"({"v":1,"device":"d","set":{"attempts_max":0},"unset":["labels/zone","log_level"]})");
  ASSERT_TRUE(some.ok()) << describe(some.error());
  EXPECT_EQ(some->device, DeviceId("d"));
  EXPECT_EQ(some->set, Configuration{.attempts_max = 0});
  EXPECT_EQ(some->unset, (std::vector<std::string>{"labels/zone", "log_level"}));
}

TEST(DeviceTest, IsMeasuredWhereBothPartsOfAHeartbeatAreThere) {
  Device device;
  device.id = DeviceId("d");
  device.about.capacity = {1, 1, 0};
  EXPECT_FALSE(decode_device(encode(device))->measured);
  device.measured = true;
  device.attempts = 3;
  auto value = encode(device);
  EXPECT_EQ(*decode_device(value), device);
  value.erase("link");
  const auto read = decode_device(value);
  ASSERT_TRUE(read.ok()) << describe(read.error());
  EXPECT_FALSE(read->measured);
  EXPECT_EQ(read->attempts, 0);
}

// --- policy -------------------------------------------------------------------------------------------------------

TEST(DecisionTest, IsAboutTheDeviceOrAboutTheJob) {
  for (const bool about_device : {false, true}) {
    Decision decision;
    decision.key = {JobId("j"), 0, 1};
    decision.device = DeviceId("d");
    decision.about_device = about_device;
    decision.reason = "no";
    EXPECT_EQ(encode(decision).at("about"), about_device ? "device" : "job");
    const auto read = decode_decisions(alone(encode(decision)));
    ASSERT_TRUE(read.ok());
    EXPECT_EQ(read->good.at(0), decision);
    decision.allow = true;
    decision.about_device = false;
    EXPECT_FALSE(encode(decision).contains("about")) << "only a denial is about something";
    EXPECT_EQ(decode_decisions(alone(encode(decision)))->good.at(0), decision);
  }
}

TEST(OffersTest, NotOfferedIsNoOffer) {
  const NotOffered answer{rules::some_digest(), "nobody has it"};
  const auto text = encode(answer);
  const auto read = decode_not_offered(text);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->digest, answer.digest);
  EXPECT_EQ(read->reason, answer.reason);
  EXPECT_FALSE(decode_offer(text).ok());
  auto other = Json::parse(text);
  other["state"] = "known";
  for (const auto& wrong : {dump(other), std::string("{}"), std::string("nonsense")}) {
    EXPECT_FALSE(decode_not_offered(wrong).has_value()) << wrong;
  }
}

TEST(GrantTest, TheDigestIsOfAllThatRunsWithoutWhiteSpace) {
  EXPECT_EQ(
      work_text({"./a b", "ü\"\\\n", ""}, {}, {}, {}),
      R"({"command":["./a b","ü\"\\\n",""],"contract":{"on_reboot":"fail","replace":true},"env":{},"outputs":[]})");
  const Contract contract{.lost_after_s = 9, .stop_after_s = 8, .replace = false, .restart_on_reboot = true};
  EXPECT_EQ(work_text({"a"}, {{"b", "2"}, {"a", "1"}}, {"r", "q"}, contract),
            R"({"command":["a"],"contract":{"lost_after_s":9,"on_reboot":"restart","replace":false,"stop_after_s":8},)"
            R"("env":{"a":"1","b":"2"},"outputs":["r","q"]})");
  EXPECT_EQ(
      work_text({"a"}, {}, {}, {.start_at_ms = 7}),
      R"({"command":["a"],"contract":{"on_reboot":"fail","replace":true,"start_at_ms":7},"env":{},"outputs":[]})");
}

}  // namespace
}  // namespace fieldwork::codec
