// links: codec nlohmann_json::nlohmann_json GTest::gtest_main
// Every example goes through its schema and, where the codec reads that message, through the codec: both agree with its
// name.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

#include "codec/device.hpp"
#include "codec/job.hpp"
#include "codec/policy.hpp"
#include "codec/transfer.hpp"

namespace fieldwork::codec {
namespace {

namespace fs = std::filesystem;
using Adapter = valijson::adapters::NlohmannJsonAdapter;
using Decoder = std::function<std::optional<Error>(const std::string&)>;  // none: it was read

const fs::path schemas = fs::path(FIELDWORK_SOURCE_DIR) / "schemas";

std::string read(const fs::path& path) {
  std::ifstream file(path);
  std::stringstream out;
  out << file.rdbuf();
  return out.str();
}

// valijson reads one document: what is shared is brought into it.
Json load(const fs::path& path) {
  auto text = read(path);
  const std::string shared = "common.schema.json#/";
  for (std::size_t at = 0; (at = text.find(shared, at)) != std::string::npos;) text.replace(at, shared.size(), "#/");
  return Json::parse(text);
}

template <class T>
std::optional<Error> error_of(const Result<T>& result) {
  return result ? std::nullopt : std::optional(result.error());
}

template <class T>
Decoder of_text(Result<T> (*decode)(std::string_view)) {
  return [decode](const std::string& text) { return error_of(decode(text)); };
}

template <class T>
Decoder of_json(Result<T> (*decode)(const Json&)) {
  return [decode](const std::string& text) {
    const auto value = parse(text);
    return value ? error_of(decode(*value)) : error_of(value);
  };
}

// These are read item by item; here one bad item spoils the example.
std::optional<Error> report_error(const std::string& text) {
  const auto report = decode_report(text);
  if (!report) return report.error();
  for (const auto& item : report->items) {
    if (item.error) return item.error;
  }
  return std::nullopt;
}

std::optional<Error> heartbeat_error(const std::string& text) {
  const auto heartbeat = decode_heartbeat(text);
  if (!heartbeat) return heartbeat.error();
  return heartbeat->bad_attempts.empty() ? std::nullopt : std::optional(heartbeat->bad_attempts.front());
}

template <class List>
Decoder of_items(Result<List> (*decode)(std::string_view)) {
  return [decode](const std::string& text) -> std::optional<Error> {
    const auto list = decode(text);
    if (!list) return list.error();
    return list->bad.empty() ? std::nullopt : std::optional(list->bad.front().error);
  };
}

const std::map<std::string, Decoder>& decoders() {
  static const std::map<std::string, Decoder> all{
      {"device.down.ack", of_text(decode_ack)},
      {"device.down.command", of_items(decode_commands)},
      {"device.down.enrolled", of_text(decode_enrolled)},
      {"device.down.offer",
       [](const std::string& text) { return decode_not_offered(text) ? std::nullopt : error_of(decode_offer(text)); }},
      {"device.down.output", of_text(decode_output_stored)},
      {"device.down.rejected", of_text(decode_rejected)},
      {"device.down.want", of_text(decode_want)},
      {"device.up.enrol", of_text(decode_enrolment)},
      {"device.up.heartbeat", heartbeat_error},
      {"device.up.log", of_text(decode_log)},
      {"device.up.output", of_text(decode_output_offer)},
      {"device.up.presence", of_text(decode_presence)},
      {"device.up.received", of_text(decode_received)},
      {"device.up.report", report_error},
      {"device.up.want", of_text(decode_want)},
      {"job", of_json(decode_job)},
      {"service.registry.certificate", of_items(decode_certificate_answers)},
      {"service.scheduler.authorised", of_items(decode_decisions)},
      {"service.security-policy.authorise", of_items(decode_questions)},
      {"service.security-policy.certificate", of_items(decode_certificate_checks)},
      {"service.transfer.offer", of_text(decode_upload)},
      {"service.transfer.start", of_text(decode_offer)},
      {"state.audit", of_json(decode_audit_end)},
      {"state.device", of_json(decode_device)},
      {"state.package", of_json(decode_package)},
  };
  return all;
}

std::vector<std::string> names() {
  std::vector<std::string> out;
  for (const auto& entry : fs::directory_iterator(schemas / "examples"))
    out.push_back(entry.path().filename().string());
  std::sort(out.begin(), out.end());
  return out;
}

// Whether a value is what the schema of this message says.
std::function<bool(const Json&)> checker(const std::string& name) {
  auto document = load(schemas / (name + ".schema.json"));
  document["definitions"] = load(schemas / "common.schema.json").at("definitions");
  auto schema = std::make_shared<valijson::Schema>();
  valijson::SchemaParser(valijson::SchemaParser::kDraft7).populateSchema(Adapter(document), *schema);
  return [schema](const Json& value) {
    valijson::Validator validator(valijson::Validator::kStrongTypes);
    return validator.validate(*schema, Adapter(value), nullptr);
  };
}

class Contract : public ::testing::TestWithParam<std::string> {};

TEST_P(Contract, SchemaAndCodecAgreeWithTheExamples) {
  const auto& name = GetParam();
  const auto valid_by = checker(name);
  const auto decoder = decoders().find(name);
  int valid = 0;
  int invalid = 0;
  for (const auto& entry : fs::directory_iterator(schemas / "examples" / name)) {
    const auto file = entry.path().filename().string();
    const bool good = file.starts_with("valid-");
    ASSERT_TRUE(good || file.starts_with("invalid-")) << file;
    ++(good ? valid : invalid);
    const auto text = read(entry.path());
    const auto value = Json::parse(text);
    EXPECT_EQ(valid_by(value), good) << "schema: " << file;
    if (decoder == decoders().end()) continue;
    const auto error = decoder->second(text);
    EXPECT_EQ(!error, good) << "codec: " << file << (error ? ": " + describe(*error) : ": was read");
  }
  EXPECT_GT(valid, 0);
  EXPECT_GT(invalid, 0);
}

INSTANTIATE_TEST_SUITE_P(Examples, Contract, ::testing::ValuesIn(names()), [](const auto& param) {
  auto name = param.param;
  for (char& c : name) c = c == '.' || c == '-' ? '_' : c;
  return name;
});

std::vector<std::string> words(const std::vector<std::string_view>& names) { return {names.begin(), names.end()}; }

// The states of the schemas are those of libs/model, in its order.
TEST(ContractTest, SchemasNameTheStatesOfTheModel) {
  const auto definitions = load(schemas / "common.schema.json").at("definitions");
  const auto listed = [&](const char* name) { return definitions.at(name).at("enum").get<std::vector<std::string>>(); };
  EXPECT_EQ(listed("job_state"), words(job_state_names()));
  EXPECT_EQ(listed("execution_state"), words(execution_state_names()));
  // Of an attempt, what a device may say: whether it is assigned or unreachable is the scheduler's to know.
  auto said = words(attempt_state_names());
  std::erase(said, "assigned");
  std::erase(said, "unreachable");
  EXPECT_EQ(listed("attempt_state"), said);
}

AttemptReport report_of_the_end() {
  return {.key = {JobId("j-1"), 9'999, limits::fence_max},
          .state = AttemptState::refused,
          .reason = std::string(5'000, 'r'),
          .result = RunResult{.exit_code = -1, .signal = 9, .in_parts = true, .stdout_bytes = 3, .stderr_bytes = 0},
          .work_fault = true};
}

ResultPart largest_part() {
  return {
      .of = "file:" + std::string(256, 'p'), .offset = 32'768, .bytes = std::string(limits::part_bytes_max, '\xff')};
}

Assign assignment() {
  return {.key = {JobId("j-1"), 0, 1},
          .attempt = 2'000'000'000,
          .contract = {.lost_after_s = 300, .stop_after_s = 120, .replace = false, .restart_on_reboot = true},
          .command = {"/bin/true"},
          .grant = "a.b.c"};
}

// Not only what is read: what is written has the form of the schemas, at its bounds too, and is read again.
TEST(ContractTest, WhatIsWrittenHasTheFormOfTheSchemas) {
  const auto end = report_of_the_end();
  auto part = end;
  part.result.reset();
  part.part = largest_part();
  const auto assign = assignment();
  const auto items = [](std::vector<Json> all) { return Json{{"v", 1}, {"items", std::move(all)}}.dump(); };
  const std::vector<std::pair<std::string, std::string>> written{
      {"device.up.report",
       encode(Report{.epoch = 1, .first = 1, .seq = 2, .after = 7, .items = {{7, part, {}}, {8, end, {}}}})},
      {"device.down.ack", encode(StreamAck{.epoch = 1, .seq = 2, .tag = 0xFFFFFFFF, .begin = 2, .beat = 3})},
      {"device.down.command", items({encode(Command(assign)), encode(Command(Cancel{.key = assign.key})),
                                     encode(Command(Inquire{.key = assign.key})),
                                     encode(Command(Stale{.key = assign.key, .state = "quarantined"}))})},
      {"device.down.enrolled", encode(Enrolled{.session = 1, .reason = std::string(5'000, 'r'), .now_ms = 1})},
      {"device.up.heartbeat",
       encode(Heartbeat{.session = 1, .beat = 9, .link = {.clock_offset_ms = -1}, .attempts = {assign.key}})},
      {"service.security-policy.authorise", items({encode(Question{.key = assign.key,
                                                                   .submitter = "ops",
                                                                   .command = assign.command,
                                                                   .env = {{"K", "V"}},
                                                                   .outputs = {"out/*.csv"},
                                                                   .contract = assign.contract})})},
      {"service.scheduler.authorised",
       items({encode(Decision{.key = assign.key, .about_device = true, .reason = std::string(5'000, 'r')})})},
      {"job", encode(JobSpec{.command = {"/bin/true"},
                             .offline = {.lost_after_s = 300, .stop_after_s = 1, .replace = true},
                             .timeouts = {.queued_s = 1, .fetching_s = 1}})
                  .dump()},
  };
  for (const auto& [name, text] : written) {
    EXPECT_TRUE(checker(name)(Json::parse(text))) << name << ": " << text.substr(0, 500);
    const auto error = decoders().at(name)(text);
    EXPECT_FALSE(error) << name << ": " << (error ? describe(*error) : "");
  }
}

TEST(ContractTest, EveryDecoderHasItsExamples) {
  for (const auto& [name, decoder] : decoders()) EXPECT_TRUE(fs::is_directory(schemas / "examples" / name)) << name;
}

TEST(ContractTest, EverySchemaHasItsExamples) {
  for (const auto& entry : fs::directory_iterator(schemas)) {
    const auto file = entry.path().filename().string();
    if (!file.ends_with(".schema.json") || file == "common.schema.json") continue;
    EXPECT_TRUE(fs::is_directory(schemas / "examples" / file.substr(0, file.size() - 12))) << file;
  }
}

}  // namespace
}  // namespace fieldwork::codec
