// Every kind of message the codec reads: a full example of each, and the rule of each of its fields. Here what they
// share, and the messages about jobs; all_kinds() is in codec_kinds_more.hpp.
#pragma once

#include <functional>
#include <map>
#include <ostream>
#include <string>
#include <vector>

#include "codec/device.hpp"
#include "codec/job.hpp"
#include "codec/policy.hpp"
#include "codec/stage.hpp"
#include "codec/transfer.hpp"
#include "codec/uses.hpp"
#include "codec_rules.hpp"

namespace fieldwork::codec::rules {

// bytes_max of messages with many items, and of what is parsed before it comes here.
inline constexpr std::size_t much = limits::message_bytes_max;

struct Kind {
  std::string name;
  std::size_t bytes_max;
  std::function<Result<std::string>(std::string_view)> read_and_write;  // decode, then encode
  std::string example;                                                  // as encode() writes it
  std::map<std::string, Rule> fields;                                   // by JSON pointer
  std::vector<std::string> open{};                                      // objects that may hold unknown fields
};

inline void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.name; }

inline std::string as_text(const std::string& text) { return text; }
inline std::string as_text(const Json& value) { return dump(value); }

// For the decoders of text, and of JSON that was parsed before.
template <class T>
auto through(Result<T> (*decode)(std::string_view)) {
  return [decode](std::string_view text) -> Result<std::string> {
    auto value = decode(text);
    if (!value) return value.error();
    return as_text(encode(*value));
  };
}
template <class T>
auto through(Result<T> (*decode)(const Json&)) {
  return [decode](std::string_view text) -> Result<std::string> {
    const auto json = parse(text, much);
    if (!json) return json.error();
    auto value = decode(*json);
    if (!value) return value.error();
    return as_text(encode(*value));
  };
}

// For items, which are encoded one by one.
template <class T, class Key>
auto items_through(Result<Items<T, Key>> (*decode)(std::string_view)) {
  return [decode](std::string_view text) -> Result<std::string> {
    const auto values = decode(text);
    if (!values) return values.error();
    if (!values->bad.empty()) return values->bad.front().error;
    Json out{{"v", 1}, {"items", Json::array()}};
    for (const auto& value : values->good) out["items"].push_back(encode(value));
    return dump(out);
  };
}

using Fields = std::map<std::string, Rule>;

// The fields of `inner`, each below `prefix`, and `others`.
inline Fields below(const std::string& prefix, const Fields& inner, Fields others = {}) {
  for (const auto& [at, rule] : inner) others.emplace(prefix + at, rule);
  return others;
}
inline Fields both(Fields a, const Fields& b) {
  a.insert(b.begin(), b.end());
  return a;
}

inline Fields versioned(Fields fields) {
  Rule version = whole(0, 1 << 20);
  version.good = {1};
  for (const int other : {0, 2, 1 << 20}) {
    version.bad.push_back({other, "is a version this software does not know; it knows 1"});
  }
  fields.emplace("/v", version);
  return fields;
}

// {"v":1,"items":[…]} with these fields in the first item, which is the only one of the example.
inline Fields listed(const Fields& item) {
  return versioned(below("/items/0", item, {{"/items", items()}, {"/items/0", object()}}));
}

// As encode() writes it: the fields in the order of their names.
inline std::string in_order(const std::string& text) { return dump(Json::parse(text)); }

inline std::string one_item(const std::string& item) { return R"({"items":[)" + item + R"(],"v":1})"; }

inline constexpr std::int64_t bytes_2_50 = std::int64_t{1} << 50;
inline const std::string key_example = R"("execution":3,"fence":7,"job":"j-1")";

// A number that is written only when it is not 0.
inline Rule whole_or_none(std::int64_t max) {
  Rule out = maybe(whole(0, max));
  out.good = {1, max};
  return out;
}

// 5 is that of a job that says nothing, and is not written.
inline Rule priority() {
  auto out = maybe(whole(0, 9));
  out.good = {0, 4, 6, 9};
  return out;
}

// 1 is that of who says nothing, and is not written.
inline Rule many() {
  auto out = maybe(whole(1, integer_max));
  out.good = {2, integer_max};
  return out;
}

inline Fields key_fields() {
  return {{"/job", id()}, {"/execution", whole(0, 9999)}, {"/fence", whole(1, integer_max)}};
}

// Times and sizes of a run; each may be missing.
inline Fields limits_fields() {
  Rule step_s = maybe(whole(1, 604'800));
  step_s.good = {1, 60};  // at most time_s of the example
  return {{"/limits", object()},
          {"/limits/time_s", maybe(whole(1, 604'800))},
          {"/limits/output_bytes", maybe(whole(0, 1 << 20))},
          {"/limits/step_s", step_s},
          {"/limits/log_bytes", whole_or_none(limits::kept_log_bytes_max)},
          {"/limits/messages_per_s", whole_or_none(limits::messages_per_s_max)}};
}

inline const std::string limits_example =
    R"("limits":{"log_bytes":9,"messages_per_s":2,"output_bytes":100,"step_s":1,"time_s":60})";

// --- jobs and attempts --------------------------------------------------------------------------------------------

inline constexpr int seconds_max = 31'536'000;

inline Rule environment() {
  Rule out = map(64, 4096);
  out.bad.push_back({Json{{"A=B", "x"}}, "\"A=B\": a name must not hold '='"});
  out.bad.push_back({Json{{"=", "x"}}, "\"=\": a name must not hold '='"});
  return out;
}

inline Fields job_fields() {
  Fields limits = limits_fields();
  limits.at("/limits") = maybe(object());
  // What contradicts another field of the example, or is read beside another only, has tests of its own.
  Rule attempts_max = maybe(whole(1, 10));
  attempts_max.good = {2, 10};
  Rule lost_after_s = maybe(whole(1, seconds_max));
  lost_after_s.good = {2, seconds_max};
  Rule stop_after_s = maybe(whole(1, seconds_max));
  stop_after_s.good = {1, seconds_max - 1};
  Rule on_reboot = maybe(word({"restart"}, "must be fail or restart"));
  const Rule reconcile =
      maybe(word({"keep_original", "best_score"}, "must be keep_replacement, keep_original or best_score", 32));
  return both(limits, {{"/command", command()},
                       {"/deadline_s", maybe(whole(1, 2'592'000))},
                       {"/env", environment()},
                       {"/metered", asked()},
                       {"/name", maybe(text(128))},
                       {"/outputs", outputs()},
                       {"/package", maybe(digest())},
                       {"/priority", maybe(whole(0, 9))},
                       {"/requirements", maybe(object())},
                       {"/requirements/cpu_millis", maybe(whole(0, 1'024'000))},
                       {"/requirements/storage_bytes", maybe(whole(0, bytes_2_50))},
                       {"/requirements/labels", map(32, 256)},
                       {"/requirements/memory_bytes", maybe(whole(0, bytes_2_50))},
                       {"/retry", maybe(object())},
                       {"/retry/attempts_max", attempts_max},
                       {"/retry/backoff_s", maybe(whole(0, 3600))},
                       {"/retry/lost_max", maybe(whole(1, 100))},
                       {"/offline", maybe(object())},
                       {"/offline/lost_after_s", lost_after_s},
                       {"/offline/stop_after_s", stop_after_s},
                       {"/offline/replace", maybe(flag())},
                       {"/offline/on_reboot", on_reboot},
                       {"/offline/reconcile", reconcile},
                       {"/timeouts", maybe(object())},
                       {"/timeouts/queued_s", maybe(whole(1, seconds_max))},
                       {"/timeouts/fetching_s", maybe(whole(1, seconds_max))}});
}

inline Fields result_fields() {
  Rule content = maybe(text(87'384));
  content.good = {"", "YQ==", std::string(87'384, 'A')};
  for (const char* wrong : {"Y", "YQ", "Y?==", "YQ==x"}) content.bad.push_back({wrong, "must be base64"});
  Rule bytes = maybe(text(1'398'104));
  bytes.good = {"/w==", "AP8=", std::string(1'398'104, 'A')};
  for (const char* wrong : {"Y", "YQ", "Y?==", "YQ==x"}) bytes.bad.push_back({wrong, "must be base64"});
  Rule in_parts = maybe(flag());
  in_parts.good = {true};
  return {{"/exit_code", whole(-1, 255)},
          {"/signal", maybe(whole(1, 64))},
          {"/stdout_base64", bytes},
          {"/stdout_cut_bytes", maybe(whole(1, integer_max))},
          {"/stderr", maybe(text(1 << 20))},
          {"/stderr_cut_bytes", maybe(whole(1, integer_max))},
          {"/in_parts", in_parts},
          {"/stdout_bytes", maybe(whole(0, integer_max))},
          {"/stderr_bytes", maybe(whole(0, integer_max))},
          {"/truncated", maybe(flag())},
          {"/elapsed_ms", maybe(whole(0, integer_max))},
          {"/use", maybe(object())},
          {"/use/cpu_ms", whole(0, integer_max)},
          {"/use/memory_peak_bytes", whole(0, bytes_2_50)},
          {"/use/read_bytes", whole(0, integer_max)},
          {"/use/written_bytes", whole(0, integer_max)},
          {"/files", maybe(array(64))},
          {"/files/0", object()},
          {"/files/0/path", path()},
          {"/files/0/size_bytes", whole(0, bytes_2_50)},
          {"/files/0/digest", digest()},
          {"/files/0/content", content}};
}

// One stream is text, the other is not.
inline const std::string result_example = R"({"elapsed_ms":12,"exit_code":-1,"files":[{"content":"YQA=","digest":")" +
                                          some_digest() + R"(","path":"out/a","size_bytes":2}],"in_parts":true,)" +
                                          R"("signal":9,"stderr":"ü\n","stderr_bytes":3,"stderr_cut_bytes":7,)" +
                                          R"("stdout_base64":"/w==","stdout_bytes":1,"stdout_cut_bytes":5,)" +
                                          R"("truncated":true,"use":{"cpu_ms":4,"memory_peak_bytes":3,)" +
                                          R"("read_bytes":2,"written_bytes":1}})";

// `done` and `total` have tests of their own: each is read beside the other only.
inline Fields progress_fields() {
  return {{"/progress/fraction", maybe(number(0, 1))},
          {"/progress/step", maybe(text(64))},
          {"/progress/message", maybe(text(256))}};
}

inline const std::string progress_example = R"("progress":{"fraction":0.5,"message":"m","step":"s"})";

inline Fields attempt_fields() {
  Rule base64 = text(43'692);
  base64.good = {"", "YQ==", std::string(43'692, 'A')};
  for (const char* wrong : {"Y", "YQ", "Y?==", "YQ==x"}) base64.bad.push_back({wrong, "must be base64"});
  return below("/result", result_fields(),
               both(both(key_fields(), progress_fields()),
                    {{"/reason", maybe(text(1024))},
                     {"/progress", maybe(object())},
                     {"/decided", maybe(array(16))},
                     {"/decided/0", object()},
                     {"/decided/0/at_ms", whole(0, integer_max)},
                     {"/decided/0/what", text(200)},
                     {"/result", maybe(object())},
                     {"/cause", maybe(word({"work"}, "must be device or work", 8))},
                     {"/part", maybe(object())},
                     {"/part/of", text(261)},
                     {"/part/offset", whole(0, integer_max)},
                     {"/part/base64", base64},
                     {"/traceparent", traceparent()},
                     {"/state",
                      word({"fetching", "running", "succeeded", "failed", "timed_out", "cancelled", "rejected", "lost"},
                           "must be fetching, running, succeeded, failed, timed_out, cancelled, rejected or lost")}}));
}

inline const std::string attempt_begin = R"({"cause":"work","decided":[{"at_ms":8,"what":"w"}],)" + key_example +
                                         R"(,"part":{"base64":"YQ==","of":"stdout","offset":0},)" + progress_example +
                                         R"(,"reason":"r","result":)" + result_example + R"(,"state":"failed",)";
inline const std::string attempt_end = R"("traceparent":")" + some_trace() + R"("})";

inline Fields contract_fields() {
  return {{"/contract", object()},
          {"/contract/lost_after_s", maybe(whole(1, seconds_max))},
          {"/contract/stop_after_s", maybe(whole(1, seconds_max))},
          {"/contract/start_at_ms", maybe(whole(0, integer_max))},
          {"/contract/replace", maybe(flag())},
          {"/contract/on_reboot", maybe(word({"fail", "restart"}, "must be fail or restart"))}};
}

inline const std::string contract_example =
    R"("contract":{"lost_after_s":9,"on_reboot":"restart","replace":false,"start_at_ms":7,"stop_after_s":8})";

inline Fields assign_fields() {
  return both(both(both(key_fields(), limits_fields()), contract_fields()), {{"/attempt", whole(1, 2'147'483'647)},
                                                                             {"/command", command()},
                                                                             {"/env", environment()},
                                                                             {"/executions", many()},
                                                                             {"/fetching_s", whole(1, seconds_max)},
                                                                             {"/grant", text(65536)},
                                                                             {"/limits", object()},
                                                                             {"/metered", asked()},
                                                                             {"/outputs", outputs()},
                                                                             {"/package", maybe(digest())},
                                                                             {"/priority", priority()},
                                                                             {"/traceparent", traceparent()}});
}

inline const std::string assign_example = R"({"attempt":1,"command":["./a","b"],)" + contract_example +
                                          R"(,"env":{"K":"V"},"execution":3,"executions":2,)"
                                          R"("fence":7,"fetching_s":30,"grant":"g","job":"j-1",)" +
                                          limits_example + R"(,"metered":true,"outputs":["r"],"package":")" +
                                          some_digest() + R"(","priority":7,"traceparent":")" + some_trace() +
                                          R"(","type":"assign"})";

inline Fields typed(Fields fields) {
  Rule type = word({}, "must be assign, cancel, inquire, stale or tail");
  fields.emplace("/type", type);
  return fields;
}

inline Result<std::string> commands_again(std::string_view text) {
  const auto commands = decode_commands(text);
  if (!commands) return commands.error();
  if (!commands->bad.empty()) return commands->bad.front().error;
  Json out{{"v", 1}, {"items", Json::array()}};
  for (const auto& command : commands->good) out["items"].push_back(encode(command));
  return dump(out);
}

inline Result<std::string> report_again(std::string_view text) {
  const auto report = decode_report(text);
  if (!report) return report.error();
  for (const auto& item : report->items) {
    if (item.error) return *item.error;
  }
  return encode(*report);
}

inline Result<std::string> assign_again(std::string_view text) {
  const auto json = parse(text, much);
  if (!json) return json.error();
  const auto assign = decode_assign(*json);
  if (!assign) return assign.error();
  return dump(encode(Command(*assign)));
}

inline std::vector<Kind> job_kinds() {
  auto free_type = maybe(text(16));
  free_type.good = {"assign"};
  auto with_targets = job_fields();
  with_targets.emplace("/targets", maybe(object()));
  auto labels = map(32, 256);
  labels.missing = "is missing: targets need labels, an expression, a group or devices";
  with_targets.emplace("/targets/labels", labels);
  with_targets.emplace("/targets/continuous", asked());
  auto with_replicas = job_fields();
  Rule replicas = maybe(whole(1, 1000));
  replicas.good = {1, 64};  // at most, with messages_per_s of the example
  with_replicas.emplace("/replicas", replicas);
  const std::string job_begin =
      R"({"command":["./a"],"deadline_s":9,"env":{"K":"V"},)" + limits_example +
      R"(,"metered":true,"name":"n","offline":{"lost_after_s":31536000,"on_reboot":"restart",)" +
      R"("reconcile":"best_score","replace":true,"stop_after_s":1},"outputs":["r"],"package":")" + some_digest() +
      R"(","priority":0,)";
  const std::string job_end = R"("requirements":{"cpu_millis":1,"labels":{"zone":"a"},"memory_bytes":3,)"
                              R"("storage_bytes":2},"retry":{"attempts_max":2,"backoff_s":0,"lost_max":4})";
  const std::string timeouts = R"(,"timeouts":{"fetching_s":5,"queued_s":6}})";
  Rule tag = whole(0, 0xFFFFFFFF);
  auto report_fields = listed(both(attempt_fields(), {{"/tag", tag}}));
  Rule first = maybe(whole(1, integer_max));
  first.good = {1, 6};
  return {
      {"job", much, through(decode_job), job_begin + R"("replicas":2,)" + job_end + timeouts, with_replicas},
      {"job with targets", much, through(decode_job),
       job_begin + job_end + R"(,"targets":{"continuous":true,"labels":{"zone":"a"}})" + timeouts, with_targets},
      {"result", much, through(decode_result), result_example, result_fields()},
      {"report of an attempt", much, through(decode_attempt_report), attempt_begin + attempt_end, attempt_fields()},
      {"report", much, report_again,
       R"({"after":3,"epoch":5,"first":1,"items":[)" + attempt_begin + R"("tag":9,)" + attempt_end +
           R"(],"seq":6,"v":1})",
       both(report_fields, {{"/after", maybe(tag)},
                            {"/epoch", whole(0, integer_max)},
                            {"/first", first},
                            {"/seq", whole(1, integer_max)}})},
      {"assign", much, commands_again, one_item(assign_example), listed(typed(assign_fields()))},
      {"cancel", much, commands_again,
       one_item("{" + key_example + R"(,"traceparent":")" + some_trace() + R"(","type":"cancel"})"),
       listed(typed(both(key_fields(), {{"/traceparent", traceparent()}})))},
      {"inquire", much, commands_again,
       one_item("{" + key_example + R"(,"traceparent":")" + some_trace() + R"(","type":"inquire"})"),
       listed(typed(both(key_fields(), {{"/traceparent", traceparent()}})))},
      {"stale", much, commands_again,
       one_item("{" + key_example + R"(,"state":"lost","traceparent":")" + some_trace() + R"(","type":"stale"})"),
       listed(typed(both(key_fields(), {{"/state", text(32)}, {"/traceparent", traceparent()}})))},
      {"tail", much, commands_again,
       one_item(in_order(R"({"begin":false,"for_s":30,)" + key_example + R"(,"traceparent":")" + some_trace() +
                         R"(","type":"tail"})")),
       listed(typed(both(key_fields(),
                         {{"/begin", maybe(flag())}, {"/for_s", whole(1, 600)}, {"/traceparent", traceparent()}})))},
      {"kept assign", much, assign_again, assign_example, both(assign_fields(), {{"/type", free_type}})},
      {"acknowledgement", 4096, through(decode_ack),
       R"({"ask":true,"beat":4,"begin":3,"epoch":5,"seq":0,"tag":9,"v":1})",
       versioned({{"/ask", maybe(Rule{{true}, flag().bad})},
                  {"/beat", whole_or_none(integer_max)},
                  {"/begin", whole_or_none(integer_max)},
                  {"/epoch", whole(0, integer_max)},
                  {"/seq", whole(0, integer_max)},
                  {"/tag", maybe(tag)}})},
      {"grant", 65536, through(decode_grant),
       R"({"device":"edge-1","execution":3,"expires_ms":9,"fence":7,"issued_ms":8,"job":"j-1",)" + limits_example +
           R"(,"package":")" + some_digest() + R"(","work_digest":")" + some_digest() + "\"}",
       both(both(key_fields(), limits_fields()), {{"/work_digest", digest()},
                                                  {"/device", id()},
                                                  {"/expires_ms", whole(0, integer_max)},
                                                  {"/issued_ms", whole(0, integer_max)},
                                                  {"/package", maybe(digest())}})},
  };
}

}  // namespace fieldwork::codec::rules
