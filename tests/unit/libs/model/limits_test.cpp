// links: agent_core codec nlohmann_json::nlohmann_json GTest::gtest_main
// The largest value that each producer can make passes its consumer and the bus, in encoded bytes; and the states that
// schemas, tables and the command line name are those of the model.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <regex>
#include <set>
#include <sstream>

#include "agent/core/reports.hpp"
#include "codec/device.hpp"
#include "codec/job.hpp"
#include "codec/policy.hpp"
#include "codec/stage.hpp"
#include "codec/transfer.hpp"
#include "model/device.hpp"
#include "model/items.hpp"
#include "model/limits.hpp"

namespace fieldwork {
namespace {

using codec::Json;

const std::string widest_character = "\x01";  // six bytes as JSON
const std::string digest = "sha256:" + std::string(64, 'a');
const std::string id(128, 'i');
const std::string traceparent = "00-" + std::string(32, 'a') + "-" + std::string(16, 'b') + "-01";
const AttemptKey key{JobId(id), limits::executions_max - 1, limits::fence_max};

std::string wide(std::size_t bytes) { return std::string(bytes, widest_character[0]); }

// As large a job as the schema lets in: its bound is that of the encoded JOB.
JobSpec largest_job() {
  JobSpec job{.name = std::string(128, 'n'), .package = digest};
  for (int i = 0; i < 16; ++i) job.outputs.push_back(std::to_string(i) + std::string(250, 'o'));
  for (int i = 0; i < 32; ++i) job.requirements.labels["label-" + std::to_string(i)] = std::string(256, 'v');
  job.command = {"./go"};
  // Filled up with the characters that grow most, to the byte.
  while (codec::dump(codec::encode(job)).size() + 7 * 4096 < limits::job_bytes_max && job.command.size() < 64)
    job.command.push_back(wide(4096));
  while (codec::dump(codec::encode(job)).size() + 4200 < limits::job_bytes_max && job.env.size() < 64)
    job.env["E" + std::to_string(job.env.size())] = std::string(4096, 'e');
  return job;
}

Contract whole_contract() { return {31'536'000, 31'535'999, true, true}; }

Labels largest_labels(std::size_t count, const std::string& prefix = "") {
  Labels out;
  for (std::size_t i = 0; i < count; ++i) {
    const auto name = prefix + std::to_string(i);
    out[name + std::string(128 - name.size(), 'n')] = std::string(256, 'v');
  }
  return out;
}

Description largest_description() {
  Description out{.capacity = {1'024'000, limits::size_bytes_max, limits::size_bytes_max},
                  .cores = 1024,
                  .architecture = std::string(32, 'a'),
                  .os = std::string(64, 'o'),
                  .agent = std::string(64, 'v'),
                  .site = std::string(128, 's'),
                  .uplink = {limits::integer_max, true},
                  .labels = largest_labels(32)};
  for (std::size_t i = 100; i < 100 + limits::names_max; ++i)
    out.capabilities.push_back(std::to_string(i) + std::string(61, 'c'));
  out.sandbox = out.capabilities;
  return out;
}

// Labels of the characters that grow most: requests to configure bring them bit by bit.
Configuration largest_configuration() {
  Configuration out{.version = limits::integer_max,
                    .lifecycle = Lifecycle::inactive,
                    .heartbeat_s = 86'400,
                    .sample_s = 86'400,
                    .attempts_max = limits::attempts_per_device_max,
                    .cache_bytes = limits::size_bytes_max,
                    .log_level = "debug"};
  for (int i = 10; i < 42; ++i) out.labels[std::to_string(i) + wide(126)] = wide(256);
  return out;
}

struct Message {
  const char* name;
  std::string text;
  bool decoded;
};

std::vector<Message> largest_messages_about_jobs() {
  const auto job = largest_job();
  std::vector<Message> out;
  {
    const Question question{.key = key,
                            .submitter = id,
                            .command = job.command,
                            .env = job.env,
                            .outputs = job.outputs,
                            .contract = whole_contract(),
                            .package = digest,
                            .device = DeviceId(id),
                            .limits = {604'800, limits::output_bytes_max},
                            .traceparent = traceparent};
    const std::vector<std::string> items(5, codec::dump(codec::encode(question)));
    for (auto& text : pack_items(items)) {
      const auto read = codec::decode_questions(text);
      out.push_back({"question", std::move(text), read.ok() && read->bad.empty() && read->good.front() == question});
    }
  }
  {
    const Assign assign{.key = key,
                        .attempt = 1 << 30,
                        .fetching_s = 31'536'000,
                        .priority = limits::priority_max,
                        .executions = limits::integer_max,
                        .contract = whole_contract(),
                        .command = job.command,
                        .env = job.env,
                        .limits = {604'800, limits::output_bytes_max},
                        .package = digest,
                        .outputs = job.outputs,
                        .grant = std::string(8192, 'g'),
                        .traceparent = traceparent};
    const std::vector<std::string> items(5, codec::dump(codec::encode(codec::Command(assign))));
    for (auto& text : pack_items(items)) {
      const auto read = codec::decode_commands(text);
      const bool same = read.ok() && read->bad.empty() && std::get<Assign>(read->good.front()) == assign;
      out.push_back({"assignment", std::move(text), same});
    }
  }
  {
    const Decision decision{.key = key,
                            .device = DeviceId(id),
                            .allow = true,
                            .reason = wide(limits::reason_bytes_max),
                            .grant = std::string(8192, 'g'),
                            .traceparent = traceparent};
    const std::vector<std::string> items(100, codec::dump(codec::encode(decision)));
    for (auto& text : pack_items(items)) {
      const auto read = codec::decode_decisions(text);
      out.push_back({"decision", std::move(text), read.ok() && read->bad.empty()});
    }
  }
  return out;
}

std::vector<Message> largest_messages_about_devices() {
  std::vector<Message> out;
  {
    Heartbeat heartbeat{.session = limits::fence_max};
    heartbeat.attempts.assign(limits::attempts_per_device_max, key);
    heartbeat.ended.emplace(limits::ended_per_heartbeat_max, key);
    auto text = codec::encode(heartbeat);
    const auto read = codec::decode_heartbeat(text);
    out.push_back({"heartbeat", std::move(text), read.ok() && read->attempts.size() == heartbeat.attempts.size()});
  }
  {
    const Enrolment enrolment{.session = limits::integer_max,
                              .certificate = std::string(16'384, 'p'),
                              .about = largest_description(),
                              .boot_id = std::string(64, 'b'),
                              .configured = limits::integer_max};
    auto text = codec::encode(enrolment);
    const auto read = codec::decode_enrolment(text);
    out.push_back({"enrolment", std::move(text), read.ok() && read->about == enrolment.about});
  }
  {
    const auto configuration = largest_configuration();
    const auto item = codec::configuration_text(configuration);
    const auto kept = codec::decode_configuration_text(item);
    for (auto& text : pack_items({item})) {
      const auto read = codec::decode_configuration(text);
      const bool same = read.ok() && *read == configuration && kept.ok() && *kept == configuration;
      out.push_back({"configuration", std::move(text), same});
    }
  }
  {
    Device device{.id = DeviceId(id), .reason = wide(limits::reason_bytes_max), .about = largest_description()};
    device.labels = largest_labels(64);
    device.configuration = largest_configuration();
    auto text = codec::dump(codec::encode(device));
    const auto value = codec::parse(text);
    const auto read = codec::decode_device(*value);
    out.push_back({"device", std::move(text), read.ok() && read->labels == device.labels});
  }
  return out;
}

// One item, whose characters all grow; who sends more of them packs them into several messages.
Message largest_lines() {
  const std::vector<std::string> lines(limits::message_lines_max, std::string(limits::message_line_bytes_max, '"'));
  auto text = pack_items({codec::dump(codec::encode(codec::HeardItem{key, limits::executions_max - 1, lines}))}).at(0);
  const auto read = codec::decode_heard(text);
  return {"lines", std::move(text), read.ok() && read->bad.empty() && read->good.front().lines == lines};
}

std::vector<Message> largest_messages_about_outputs() {
  const auto reason = wide(limits::reason_bytes_max);
  auto offer =
      codec::encode(codec::OutputOffer{digest, limits::size_bytes_max, id, key.execution, limits::fence_max, reason});
  auto stored = codec::encode(codec::OutputStored{digest, reason});
  const bool offer_read = codec::decode_output_offer(offer).ok(),
             stored_read = codec::decode_output_stored(stored).ok();
  return {{"dropped output", std::move(offer), offer_read}, {"refused output", std::move(stored), stored_read}};
}

// PEM and JWS grow by a line break in 65 bytes at most.
std::vector<Message> largest_messages_about_transfers() {
  std::string pem;
  while (pem.size() < 16'384) pem += pem.size() % 65 == 64 ? '\n' : 'p';
  const std::string word(limits::accepted_word_bytes_max, 'w');
  const codec::Want want{digest,
                         pem,
                         TransferId(std::string(32, 'a')),
                         {.decoders = std::vector<std::string>(limits::accepted_max, word),
                          .ciphers = std::vector<std::string>(limits::accepted_max, word),
                          .bases = std::vector<std::string>(limits::bases_max, digest),
                          .window_log_max = 31,
                          .round_trip_ms = 1e7 / 3,
                          .goodput_bit_per_s = limits::integer_max},
                         limits::priority_max,
                         limits::integer_max};
  const Offer offer{.transfer = want.transfer,
                    .digest = digest,
                    .size_bytes = limits::size_bytes_max,
                    .encoding = "zstd-patch",
                    .base = digest,
                    .encoded_bytes = limits::size_bytes_max,
                    .encoded_digest = digest,
                    .envelope = {.content = std::string(32, 'b'),
                                 .epoch = limits::integer_max,
                                 .encryption_algorithm = std::string(64, 'c'),
                                 .chunk_bytes = 65'536,
                                 .key_encryption_algorithm = std::string(64, 'k'),
                                 .ephemeral = std::string(128, 'e'),
                                 .wrapped = std::string(2048, 'w'),
                                 .header = std::string(8192, 'h'),
                                 .certificate = pem},
                    .shared = true,
                    .release = std::string(65'536, 'r')};
  auto wanted = codec::encode(want);
  auto offered = codec::encode(offer);
  const auto want_read = codec::decode_want(wanted);
  const auto offer_read = codec::decode_offer(offered);
  const bool want_same = want_read.ok() && want_read->accepts == want.accepts;
  const bool offer_same = offer_read.ok() && *offer_read == offer;
  return {{"want", std::move(wanted), want_same}, {"offer", std::move(offered), offer_same}};
}

std::vector<Message> largest_messages_about_stages() {
  const StageCommand command{digest, wide(limits::path_bytes_max), limits::integer_max, 0, limits::integer_max};
  auto commands = pack_items({codec::dump(codec::encode(command))}).at(0);
  const auto commands_read = codec::decode_stage_commands(commands);
  StageReport report{.all = true};
  report.items.assign(limits::stage_items_max, {digest, command.file, command.until_ms, StageWord::refused,
                                                std::string(limits::reason_bytes_max, '"')});
  auto said = codec::encode(report);
  const auto said_read = codec::decode_stage_report(said);
  const codec::StageRequest request{digest, std::vector<std::string>(limits::stage_devices_max, id),
                                    limits::integer_max, 0, command.file};
  auto asked = codec::encode(request);
  const bool commands_same = commands_read.ok() && commands_read->good == std::vector{command};
  const bool said_same = said_read.ok() && *said_read == report;
  const bool asked_same = codec::decode_stage_request(asked).ok();
  const PermitQuestion wish{limits::integer_max, id, "stage", DeviceId(id), digest, command.file};
  const auto one = codec::dump(codec::encode(wish));
  auto wishes = pack_items(std::vector<std::string>(limits::stage_devices_max, one)).at(0);
  const auto wishes_read = codec::decode_permit_questions(wishes);
  const Permit permit{limits::integer_max, DeviceId(id), false, wide(limits::reason_bytes_max)};
  const auto other = codec::dump(codec::encode(permit));
  auto permits = pack_items(std::vector<std::string>(limits::stage_devices_max, other)).at(0);
  const auto permits_read = codec::decode_permits(permits);
  const bool wishes_same = wishes_read.ok() && wishes_read->bad.empty() && wishes_read->good.front() == wish;
  const bool permits_same = permits_read.ok() && permits_read->bad.empty();
  return {{"wishes", std::move(wishes), wishes_same},
          {"permits", std::move(permits), permits_same},
          {"stage commands", std::move(commands), commands_same},
          {"stages", std::move(said), said_same},
          {"stage request", std::move(asked), asked_same}};
}

TEST(Limits, TheLargestOfEachMessagePassesItsConsumerAndTheBus) {
  auto messages = largest_messages_about_jobs();
  messages.push_back(largest_lines());
  for (auto& message : largest_messages_about_devices()) messages.push_back(std::move(message));
  for (auto& message : largest_messages_about_outputs()) messages.push_back(std::move(message));
  for (auto& message : largest_messages_about_transfers()) messages.push_back(std::move(message));
  for (auto& message : largest_messages_about_stages()) messages.push_back(std::move(message));
  std::set<std::string> seen;
  for (const auto& message : messages) {
    EXPECT_LE(message.text.size(), limits::packet_bytes_max) << message.name;
    EXPECT_TRUE(message.decoded) << message.name;
    seen.insert(message.name);
  }
  EXPECT_EQ(seen, (std::set<std::string>{"question", "assignment", "decision", "heartbeat", "enrolment",
                                         "configuration", "device", "lines", "dropped output", "refused output", "want",
                                         "offer", "stage commands", "stages", "stage request", "wishes", "permits"}));
}

// Whatever a program writes, also what takes six bytes each as JSON.
TEST(Limits, ALineOfAJobsLogIsCutWhereItIsMade) {
  const std::string euro = "\xE2\x82\xAC";
  std::string many;
  while (many.size() < (1U << 20)) many += euro;
  for (const auto& text :
       {std::string(1U << 20, 'x'), std::string(1U << 20, '\x01'), std::string(32'768, '"'), many, std::string()}) {
    const auto encoded = codec::encode(codec::LogLine{key, "stdout", text, 0, false, traceparent});
    EXPECT_LE(encoded.size(), limits::log_bytes_max);
    const auto line = codec::decode_log(encoded);
    ASSERT_TRUE(line.ok()) << describe(line.error());
    if (text.empty() || text.front() != '\x01') {
      EXPECT_EQ(line->text.substr(0, 9), text.substr(0, 9));
    }
    EXPECT_GE(line->text.size(), std::min<std::size_t>(text.size(), 4'096));
  }
}

TEST(Limits, TheLargestJobIsTakenAsItIs) {
  const auto job = largest_job();
  const auto text = codec::dump(codec::encode(job));
  EXPECT_GT(text.size(), limits::job_bytes_max / 2) << "it is a large one";
  EXPECT_LE(text.size(), limits::job_bytes_max);
  const auto read = codec::decode_job(codec::encode(job));
  ASSERT_TRUE(read.ok()) << describe(read.error());
  EXPECT_EQ(*read, job);
}

// --- reports: whatever a program writes ---------------------------------------------------------------------------

class AnyResult {
 public:
  explicit AnyResult(unsigned seed) : random_(seed) {}

  AttemptReport operator()() {
    AttemptReport end{
        .key = key, .state = AttemptState::failed, .reason = bytes(draw(3000)), .traceparent = traceparent};
    RunResult result{.exit_code = 255, .signal = 9, .truncated = true, .elapsed_ms = limits::fence_max};
    result.stdout_text = bytes(large());
    result.stderr_text = bytes(large());
    for (int i = draw(17); i > 0; --i) {
      OutputFile file{.path = std::to_string(i) + std::string(254, 'p'), .size_bytes = 5, .digest = digest};
      if (draw(2) == 0) file.content = bytes(static_cast<std::size_t>(draw(limits::content_bytes_max + 1)));
      result.files.push_back(std::move(file));
    }
    end.result = std::move(result);
    return end;
  }

 private:
  int draw(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random_); }
  std::size_t large() {
    const std::size_t sizes[] = {0, 100, 4000, 8000, 9000, limits::part_bytes_max, 100'000, limits::output_bytes_max};
    return sizes[static_cast<std::size_t>(draw(8))];
  }
  // What is text, what JSON must escape, what is no UTF-8 at all.
  std::string bytes(std::size_t count) {
    const char fill[] = {'x', '"', '\n', '\x01', '\xff', '\xc3'};
    return std::string(count, fill[draw(6)]);
  }
  std::mt19937 random_;
};

TEST(Limits, EveryResultPassesInPartsAndAddsUp) {
  for (unsigned seed = 1; seed <= 60; ++seed) {
    AnyResult any(seed);
    const auto end = any();
    std::map<std::string, std::string> parts;
    const auto reports = agent::in_parts(end);
    for (std::size_t i = 0; i < reports.size(); ++i) {
      codec::Report message{.epoch = limits::fence_max, .first = 1, .seq = 1, .after = 0xFFFFFFFF};
      message.items.push_back({.tag = 0xFFFFFFFF, .report = reports[i], .error = std::nullopt});
      const auto text = codec::encode(message);
      ASSERT_LE(text.size(), 2 * limits::report_bytes_max - 1024)
          << "seed " << seed << ": one item alone; broker.packet_bytes_max is at least 128 KiB, topic and all";
      const auto read = codec::decode_report(text);
      ASSERT_TRUE(read.ok()) << "seed " << seed;
      ASSERT_EQ(read->items.size(), 1U);
      ASSERT_FALSE(read->items[0].error) << "seed " << seed << ": " << describe(*read->items[0].error);
      const auto& report = read->items[0].report;
      EXPECT_EQ(report.part.has_value(), i + 1 < reports.size()) << "the end comes last";
      if (report.part) {
        EXPECT_EQ(static_cast<std::size_t>(report.part->offset), parts[report.part->of].size());
        parts[report.part->of] += report.part->bytes;
      }
    }
    const auto& last = *reports.back().result;
    if (!last.in_parts) continue;
    EXPECT_EQ(parts["stdout"], end.result->stdout_text) << seed;
    EXPECT_EQ(parts["stderr"], end.result->stderr_text) << seed;
    for (const auto& file : end.result->files) {
      if (file.content) {
        EXPECT_EQ(parts["file:" + file.path], *file.content) << seed;
      }
    }
  }
}

// The journal and inquiries tell it in one report.
TEST(Limits, EveryResultPassesInShort) {
  for (unsigned seed = 1; seed <= 60; ++seed) {
    AnyResult any(seed);
    const auto value = codec::encode(agent::in_short(any()));
    EXPECT_LE(codec::dump(value).size(), 2 * limits::report_bytes_max) << seed;
    const auto read = codec::decode_attempt_report(Json::parse(codec::dump(value)));
    EXPECT_TRUE(read.ok()) << seed << (read.ok() ? "" : describe(read.error()));
  }
}

// --- names --------------------------------------------------------------------------------------------------------

using Names = std::vector<std::string>;

Names names(const std::vector<std::string_view>& all) { return {all.begin(), all.end()}; }

std::string file(const std::string& path) {
  std::ifstream in(std::string(FIELDWORK_SOURCE_DIR) + "/" + path);
  std::ostringstream out;
  out << in.rdbuf();
  EXPECT_FALSE(out.str().empty()) << path;
  return out.str();
}

// The quoted words of the first bracket behind `before`.
Names quoted(const std::string& text, const std::string& before, char quote) {
  Names out;
  const auto from = text.find(before);
  if (from == text.npos) return out;
  const auto open = text.find_first_of("({", from + before.size());
  const auto close = text.find_first_of(")}", open);
  const std::string inside = text.substr(open, close - open);
  const std::regex word(std::string(1, quote) + "([a-z_]+)" + quote);
  for (std::sregex_iterator it(inside.begin(), inside.end(), word), end; it != end; ++it) out.push_back((*it)[1]);
  return out;
}

TEST(StateNames, OfTheTablesAreTheModels) {
  const auto of = [](const char* migration, const std::string& table) {
    const auto sql = file(std::string("services/scheduler/sql/") + migration);
    return quoted(sql.substr(sql.find(table)), "CHECK (state IN", '\'');
  };
  EXPECT_EQ(of("0001_jobs.sql", "EXISTS job ("), names(job_state_names()));
  EXPECT_EQ(of("0011_fetching_rejected.sql", "ADD CONSTRAINT execution_state_check"), names(execution_state_names()));
  EXPECT_EQ(of("0011_fetching_rejected.sql", "ADD CONSTRAINT attempt_state_check"), names(attempt_state_names()));
}

TEST(StateNames, OfTheCommandLineAreTheModels) {
  EXPECT_EQ(quoted(file("services/cli/grammar_jobs.cpp"), "only those in this state", '"'), names(job_state_names()));
}

TEST(StateNames, OfTheSchemasAreTheModels) {
  const auto definitions = Json::parse(file("schemas/common.schema.json")).at("definitions");
  const auto of = [&](const char* name) {
    return definitions.contains(name) ? definitions.at(name).at("enum").get<Names>() : Names{};
  };
  EXPECT_EQ(of("job_state"), names(job_state_names()));
  EXPECT_EQ(of("execution_state"), names(execution_state_names()));
  EXPECT_EQ(of("lifecycle"), names(lifecycle_names()));
  EXPECT_EQ(of("presence"), names(presence_names()));
  // What a device may say: it neither assigns nor knows that it cannot be reached.
  auto said = names(attempt_state_names());
  std::erase(said, "assigned");
  std::erase(said, "unreachable");
  EXPECT_EQ(of("attempt_state"), said);
}

// Every name is read back as what it names, and every settled state has no way out but the late success.
TEST(StateNames, AreReadBack) {
  for (const auto name_of : job_state_names()) EXPECT_EQ(name(*job_state(name_of)), name_of);
  for (const auto name_of : attempt_state_names()) EXPECT_EQ(name(*attempt_state(name_of)), name_of);
  for (const auto name_of : execution_state_names()) EXPECT_EQ(name(*execution_state(name_of)), name_of);
  for (const auto name_of : lifecycle_names()) EXPECT_EQ(name(*lifecycle(name_of)), name_of);
  for (const auto name_of : presence_names()) EXPECT_EQ(name(*presence(name_of)), name_of);
  const auto states = attempt_state_names();
  for (const auto from : states) {
    for (const auto to : states) {
      const auto a = *attempt_state(from), b = *attempt_state(to);
      if (a == b || !settled(a)) continue;
      EXPECT_EQ(may_follow(a, b), a == AttemptState::lost && b == AttemptState::succeeded) << from << " " << to;
    }
  }
}

}  // namespace
}  // namespace fieldwork
