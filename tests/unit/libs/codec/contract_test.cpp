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
#include "codec/stage.hpp"
#include "codec/transfer.hpp"
#include "codec/uses.hpp"

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
      {"device.down.configure", of_text(decode_configuration)},
      {"device.down.echo", of_text(decode_echo)},
      {"device.down.enrolled", of_text(decode_enrolled)},
      {"device.down.message", of_items(decode_heard)},
      {"device.down.offer",
       [](const std::string& text) { return decode_not_offered(text) ? std::nullopt : error_of(decode_offer(text)); }},
      {"device.down.output", of_text(decode_output_stored)},
      {"device.down.rejected", of_text(decode_rejected)},
      {"device.down.stage", of_items(decode_stage_commands)},
      {"device.down.want", of_text(decode_want)},
      {"device.up.configured", of_text(decode_configured)},
      {"device.up.enrol", of_text(decode_enrolment)},
      {"device.up.heartbeat", heartbeat_error},
      {"device.up.log", of_text(decode_log)},
      {"device.up.message", of_items(decode_sent)},
      {"device.up.output", of_text(decode_output_offer)},
      {"device.up.presence", of_text(decode_presence)},
      {"device.up.progress", of_items(decode_progress)},
      {"device.up.received", of_text(decode_received)},
      {"device.up.report", report_error},
      {"device.up.stage", of_text(decode_stage_report)},
      {"device.up.want", of_text(decode_want)},
      {"job", of_json(decode_job)},
      {"service.registry.certificate", of_items(decode_certificate_answers)},
      {"service.registry.configure", of_text(decode_configure_request)},
      {"service.scheduler.authorised", of_items(decode_decisions)},
      {"service.scheduler.uses", of_text(decode_uses_question)},
      {"service.security-policy.authorise", of_items(decode_questions)},
      {"service.security-policy.certificate", of_items(decode_certificate_checks)},
      {"service.security-policy.permit", of_items(decode_permit_questions)},
      {"service.transfer.offer", of_text(decode_upload)},
      {"service.transfer.permitted", of_items(decode_permits)},
      {"service.transfer.stage", of_text(decode_stage_request)},
      {"service.transfer.unstage", of_text(decode_unstage_request)},
      {"service.transfer.start", of_text(decode_offer)},
      {"service.transfer.used", of_text(decode_uses_answer)},
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
  EXPECT_EQ(listed("lifecycle"), words(lifecycle_names()));
  EXPECT_EQ(listed("presence"), words(presence_names()));
  auto wanted = words(lifecycle_names());
  std::erase_if(wanted, [](const auto& one) { return !trusted(*lifecycle(one)); });
  EXPECT_EQ(listed("wanted_lifecycle"), wanted);
  // Of an attempt, what a device may say: whether it is assigned or unreachable is the scheduler's to know.
  auto said = words(attempt_state_names());
  std::erase(said, "assigned");
  std::erase(said, "unreachable");
  EXPECT_EQ(listed("attempt_state"), said);
}

RunProgress whole_progress() { return {1, 0, limits::integer_max, std::string(65, 's'), std::string(257, 'm')}; }

AttemptReport report_of_the_end() {
  return {.key = {JobId("j-1"), 9'999, limits::fence_max},
          .state = AttemptState::rejected,
          .reason = std::string(5'000, 'r'),
          .result = RunResult{.exit_code = -1,
                              .signal = 9,
                              .in_parts = true,
                              .stdout_bytes = 3,
                              .use = RunUse{limits::integer_max, limits::size_bytes_max, 0, 0}},
          .work_fault = true,
          .progress = whole_progress(),
          .decided = std::vector<Decided>(limits::decided_max, {limits::integer_max, std::string(201, 'd')})};
}

ResultPart largest_part() {
  const std::string of = "file:" + std::string(256, 'p');
  return {.of = of, .offset = 32'768, .bytes = std::string(limits::part_bytes_max, '\xff')};
}

Assign assignment() {
  return {.key = {JobId("j-1"), 0, 1},
          .attempt = 2'000'000'000,
          .priority = limits::priority_max,
          .executions = limits::integer_max,
          .metered = true,
          .contract = {.lost_after_s = 300,
                       .stop_after_s = 120,
                       .replace = false,
                       .restart_on_reboot = true,
                       .start_at_ms = limits::integer_max},
          .command = {"/bin/true"},
          .limits = {.time_s = 604'800,
                     .step_s = 604'800,
                     .log_bytes = limits::kept_log_bytes_max,
                     .messages_per_s = limits::messages_per_s_max},
          .grant = "a.b.c"};
}

Description whole_description() {
  return {.capacity = {1'024'000, limits::size_bytes_max, limits::size_bytes_max},
          .cores = 1024,
          .architecture = std::string(32, 'a'),
          .os = std::string(64, 'o'),
          .agent = std::string(64, '1'),
          .site = std::string(128, 's'),
          .capabilities = {"camera", std::string(64, 'g')},
          .sandbox = {"user", "files"},
          .uplink = {limits::integer_max, true},
          .labels = {{"zone", "a"}}};
}

Resources whole_resources() {
  return {.cpu_load = 0.5,
          .memory_available_bytes = 1,
          .storage_available_bytes = 2,
          .uptime_s = limits::integer_max,
          .cpu_percent = 100,
          .received_bit_per_s = 0,
          .sent_bit_per_s = limits::integer_max,
          .temperature_c = -273.15,
          .battery_percent = 0};
}

Link whole_link() {
  return {.round_trip_ms = 0.25,
          .reconnects = 3,
          .clock_offset_ms = -1,
          .goodput_bit_per_s = limits::integer_max,
          .loss = 1};
}

Configuration whole_configuration() {
  return {.version = limits::integer_max,
          .lifecycle = Lifecycle::inactive,
          .heartbeat_s = 86'400,
          .sample_s = 1,
          .attempts_max = 0,
          .cache_bytes = limits::size_bytes_max,
          .log_level = "warn",
          .labels = {{std::string(128, 'n'), std::string(256, 'v')}}};
}

Device whole_device() {
  return {.id = DeviceId(std::string(128, 'd')),
          .lifecycle = Lifecycle::draining,
          .presence = Presence::sleeping,
          .reason = std::string(5'000, 'r'),
          .health = 0.25,
          .about = whole_description(),
          .labels = {{"zone", "a"}},
          .groups = {"canary"},
          .measured = true,
          .resources = whole_resources(),
          .link = whole_link(),
          .attempts = limits::attempts_per_device_max,
          .session = 7,
          .fingerprint = std::string(64, 'f'),
          .configuration = whole_configuration(),
          .configured = 3,
          .registered_ms = 1,
          .changed_ms = 2,
          .back_ms = 3,
          .duplicated_since_ms = 4,
          .claimed_ms = 5};
}

Device least_device() {
  Device out;
  out.id = DeviceId("d");
  out.about.capacity = {1, 1, 0};
  return out;
}

// What devices say, what they are told, and what is said of them.
std::vector<std::pair<std::string, std::string>> written_about_devices() {
  const auto configure = [](const Configuration& one) {
    return R"({"v":1,"items":[)" + configuration_text(one) + "]}";
  };
  using State = PresenceSaid::State;
  return {
      {"device.up.presence", encode(PresenceSaid{State::online, 1, 2, 0})},
      {"device.up.presence", encode(PresenceSaid{State::offline, 1, 0, 3})},
      {"device.up.presence", encode(PresenceSaid{State::goodbye, 1, 2, 3})},
      {"device.up.presence", encode(PresenceSaid{State::sleeping, 1, 2, 31'536'000})},
      {"device.up.enrol", encode(Enrolment{1, "PEM", whole_description(), std::string(64, 'b'), 3})},
      {"device.up.enrol", encode(Enrolment{1, "PEM", {.capacity = {1, 1, 0}, .agent = "0"}, "", 0})},
      {"device.up.heartbeat", encode(Heartbeat{.session = 1, .resources = whole_resources(), .link = whole_link()})},
      {"device.up.configured", encode(Configured{7, std::string(5'000, 'r')})},
      {"device.up.configured", encode(Configured{})},
      {"device.down.configure", configure(whole_configuration())},
      {"device.down.configure", configure({})},
      {"state.device", dump(encode(whole_device()))},
      {"state.device", dump(encode(least_device()))},
  };
}

// What is wanted, and offered: to many by ECDH, as a patch; to one by RSA.
std::vector<std::pair<std::string, std::string>> written_about_transfers() {
  const std::string digest = "sha256:" + std::string(64, 'd');
  const std::string id(32, 'a');
  const Accepts accepts{.decoders = std::vector<std::string>(limits::accepted_max, std::string(71, 'w')),
                        .ciphers = {},
                        .bases = std::vector<std::string>(limits::bases_max, digest),
                        .window_log_max = 31,
                        .round_trip_ms = 1e7,
                        .goodput_bit_per_s = limits::integer_max};
  Offer offer{.transfer = TransferId(id),
              .digest = digest,
              .size_bytes = limits::size_bytes_max,
              .encoding = "zstd-patch",
              .base = digest,
              .encoded_bytes = limits::size_bytes_max,
              .encoded_digest = digest,
              .envelope = {.content = id,
                           .epoch = limits::integer_max,
                           .encryption_algorithm = "chacha20-poly1305",
                           .chunk_bytes = 65'536,
                           .key_encryption_algorithm = "ECDH-ES+HKDF-SHA256+A256GCM",
                           .ephemeral = std::string(87, 'e'),
                           .wrapped = std::string(64, 'w'),
                           .header = std::string(8192, 'h'),
                           .certificate = std::string(16'384, 'p')},
              .shared = true,
              .release = std::string(65'536, 'r')};
  const auto to_many = encode(offer);
  offer.encoding = "identity";
  offer.base = offer.release = "";
  offer.shared = false;
  offer.envelope = {.content = id,
                    .encryption_algorithm = "aes-256-gcm",
                    .key_encryption_algorithm = "RSA-OAEP-256",
                    .wrapped = std::string(1366, 'w')};
  const auto to_one = encode(offer);
  const PackageAbout about{std::string(limits::architecture_bytes_max, 'a'),
                           {"./run.sh", ""},
                           {limits::cpu_millis_max, limits::size_bytes_max, 1}};
  return {
      {"state.package",
       dump(encode(Package{
           .digest = digest, .name = "n", .version = "1", .release = "a.b.c", .names = {{"n", "1"}}, .about = about}))},
      {"device.up.want",
       encode(Want{digest, std::string(16'384, 'p'), TransferId(id), accepts, 0, limits::integer_max})},
      {"device.down.want", encode(Want{digest, "PEM"})},
      {"device.down.offer", to_many},
      {"device.down.offer", to_one},
      {"device.down.offer", encode(NotOffered{digest, std::string(5'000, 'r')})},
      {"service.transfer.start", to_one},
      {"service.scheduler.uses", encode(UsesQuestion{limits::integer_max, std::vector(100, digest)})},
      {"service.transfer.used",
       encode(UsesAnswer{1, {{digest, {}}, {digest, std::vector(5, std::string(5'000, 'u'))}}})}};
}

std::vector<std::pair<std::string, std::string>> written_about_stages() {
  const std::string digest = "sha256:" + std::string(64, 'a'), file = "maps/" + std::string(251, 'f');
  const StageCommand command{digest, file, limits::integer_max, 0, limits::integer_max};
  StageReport report{.all = true};
  report.items.assign(limits::stage_items_max, {digest, file, 0, StageWord::refused, std::string(5'000, 'r')});
  StageRequest request{digest, std::vector<std::string>(limits::stage_devices_max, std::string(128, 'd'))};
  const auto ended = encode(request);
  request.until_ms = 1;
  request.priority = 9;
  request.file = file;
  return {{"device.down.stage", Json{{"v", 1}, {"items", {encode(command), encode(StageCommand{digest})}}}.dump()},
          {"device.up.stage", encode(report)},
          {"device.up.stage", encode(StageReport{})},
          {"service.transfer.stage", encode(request)},
          {"service.transfer.unstage", ended}};
}

std::vector<std::pair<std::string, std::string>> written_about_jobs() {
  const auto end = report_of_the_end();
  auto part = end;
  part.result.reset();
  part.part = largest_part();
  const auto assign = assignment();
  const auto items = [](std::vector<Json> all) { return Json{{"v", 1}, {"items", std::move(all)}}.dump(); };
  const std::vector<std::string> lines(limits::message_lines_max, std::string(limits::message_line_bytes_max, '"'));
  return {
      {"device.up.report",
       encode(Report{.epoch = 1, .first = 1, .seq = 2, .after = 7, .items = {{7, part, {}}, {8, end, {}}}})},
      {"device.up.progress",
       encode(std::vector<ProgressItem>(limits::progress_items_max, {assign.key, whole_progress()}))},
      {"device.up.message", encode(std::vector<SentItem>(limits::message_items_max, {assign.key, {"l"}}))},
      {"device.down.message", items({encode(HeardItem{assign.key, limits::executions_max - 1, lines})})},
      {"device.up.log", encode(LogLine{.key = assign.key, .stream = "stderr", .begin = true})},
      {"device.down.ack", encode(StreamAck{.epoch = 1, .seq = 2, .tag = 0xFFFFFFFF, .begin = 2, .beat = 3})},
      {"device.down.command", items({encode(Command(assign)), encode(Command(Cancel{.key = assign.key})),
                                     encode(Command(Inquire{.key = assign.key})),
                                     encode(Command(Tail{.key = assign.key, .for_s = limits::tail_s_max})),
                                     encode(Command(Stale{.key = assign.key, .state = "quarantined"}))})},
      {"device.down.echo", encode(Echo{.session = 1, .beat = 2, .held_us = 3})},
      {"device.down.enrolled", encode(Enrolled{.session = 1, .reason = std::string(5'000, 'r'), .now_ms = 1})},
      {"device.up.heartbeat",
       encode(Heartbeat{
           .session = 1, .beat = 9, .link = {.clock_offset_ms = -1}, .attempts = {assign.key}, .echo = true})},
      {"service.security-policy.authorise", items({encode(Question{.key = assign.key,
                                                                   .submitter = "ops",
                                                                   .command = assign.command,
                                                                   .env = {{"K", "V"}},
                                                                   .outputs = {"out/*.csv"},
                                                                   .contract = assign.contract,
                                                                   .limits = assign.limits})})},
      {"service.scheduler.authorised",
       items({encode(Decision{.key = assign.key, .about_device = true, .reason = std::string(5'000, 'r')})})},
      {"job", encode(JobSpec{.command = {"/bin/true"},
                             .targets = Targets{.continuous = true},
                             .limits = assign.limits,
                             .offline = {.lost_after_s = 300,
                                         .stop_after_s = 1,
                                         .replace = true,
                                         .reconcile = Reconcile::best_score,
                                         .stage_s = 31'536'000},
                             .timeouts = {.queued_s = 1, .fetching_s = 1},
                             .start_at_ms = 1'796'090'400'000})
                  .dump()},
  };
}

std::vector<std::pair<std::string, std::string>> written_about_permits() {
  const std::string digest = "sha256:" + std::string(64, 'a'), file = "maps/" + std::string(251, 'f');
  const PermitQuestion wish{limits::integer_max, std::string(128, 'p'), "stage", DeviceId("d"), digest, file};
  auto least = wish;
  least.file.clear();
  const Permit permit{1, DeviceId("d"), false, std::string(5'000, 'r')};
  return {{"service.security-policy.permit", Json{{"v", 1}, {"items", {encode(wish), encode(least)}}}.dump()},
          {"service.transfer.permitted", Json{{"v", 1}, {"items", {encode(permit)}}}.dump()}};
}

// Not only what is read: what is written has the form of the schemas, at its bounds too, and is read again.
TEST(ContractTest, WhatIsWrittenHasTheFormOfTheSchemas) {
  auto written = written_about_devices();
  for (auto& one : written_about_jobs()) written.push_back(std::move(one));
  for (auto& one : written_about_transfers()) written.push_back(std::move(one));
  for (auto& one : written_about_stages()) written.push_back(std::move(one));
  for (auto& one : written_about_permits()) written.push_back(std::move(one));
  for (const auto& [name, text] : written) {
    EXPECT_TRUE(checker(name)(Json::parse(text))) << name << ": " << text.substr(0, 500);
    const auto error = decoders().at(name)(text);
    EXPECT_FALSE(error) << name << ": " << (error ? describe(*error) : "");
  }
}

TEST(ContractTest, ADeviceIsReadAsItIsWritten) {
  for (auto device : {whole_device(), least_device()}) {
    const auto read = decode_device(Json::parse(dump(encode(device))));
    ASSERT_TRUE(read.ok()) << describe(read.error());
    device.reason = read->reason;  // it was cut
    device.about.labels.clear();   // its state has the labels that count
    EXPECT_TRUE(*read == device) << dump(encode(*read));
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
