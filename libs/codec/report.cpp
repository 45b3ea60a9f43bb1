// What devices report of attempts, and the scheduler's acknowledgement.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "codec/job.hpp"
#include "crypto/bytes.hpp"
#include "model/limits.hpp"

namespace fieldwork::codec {
namespace {

constexpr std::size_t part_length_max = (limits::part_bytes_max + 2) / 3 * 4;  // length of a part as base64

std::int64_t read_tag(Reader& reader, const char* field) { return reader.integer(field, 0, limits::report_tag_max); }

Json encode(const ResultPart& part) {
  return {{"of", part.of}, {"offset", part.offset}, {"base64", crypto::base64_encode(part.bytes)}};
}

ResultPart read_part(Reader& parent, const Json& value) {
  Reader reader(parent, "part", value);
  ResultPart part;
  part.of = reader.text("of", limits::part_of_bytes_max);
  part.offset = reader.integer("offset", 0, integer_max);
  auto bytes = crypto::base64_decode(reader.text("base64", part_length_max));
  if (bytes) {
    part.bytes = std::move(*bytes);
  } else {
    reader.fail("base64", "must be base64");
  }
  reader.finish();
  return part;
}

std::vector<Decided> read_decided(Reader& parent, const char* field) {
  std::vector<Decided> out;
  const Json* all = parent.array_maybe(field, limits::decided_max);
  for (std::size_t i = 0; all != nullptr && i < all->size(); ++i) {
    Reader reader(parent, field, i, (*all)[i]);
    Decided one;
    one.at_ms = reader.integer("at_ms", 0, integer_max);
    one.what = reader.text("what", limits::decided_bytes_max);
    reader.finish();
    out.push_back(std::move(one));
  }
  return out;
}

AttemptReport read_attempt_report(Reader& reader) {
  AttemptReport report;
  report.key = read_key(reader);
  auto word = reader.text("state", 16);
  if (word == "accepted") word = "fetching";  // as an earlier version, or its journal, calls them
  if (word == "refused") word = "rejected";
  const auto state = attempt_state(word);
  if (!state || *state == AttemptState::assigned || *state == AttemptState::unreachable) {
    reader.fail("state", "must be fetching, running, succeeded, failed, timed_out, cancelled, rejected or lost");
  } else {
    report.state = *state;
  }
  report.reason = reader.text_or("reason", "", limits::reason_bytes_max);
  const auto cause = reader.text_or("cause", "device", 8);
  if (reader.ok() && cause != "device" && cause != "work") reader.fail("cause", "must be device or work");
  report.work_fault = cause == "work";
  if (const Json* value = reader.object_maybe("result")) {
    Reader result(reader, "result", *value);
    report.result = read_result(result);
  }
  if (const Json* value = reader.object_maybe("part")) report.part = read_part(reader, *value);
  if (const Json* value = reader.object_maybe("progress")) report.progress = read_progress(reader, *value);
  if (reader.any_maybe("decided") != nullptr) report.decided = read_decided(reader, "decided");
  report.traceparent = read_traceparent(reader);
  return report;
}

}  // namespace

Json encode(const std::vector<Decided>& decided) {
  Json out = Json::array();
  for (const auto& one : decided)
    out.push_back(
        {{"at_ms", std::max<std::int64_t>(0, one.at_ms)}, {"what", clamp_text(one.what, limits::decided_bytes_max)}});
  return out;
}

Result<std::vector<Decided>> decode_decided(const Json& value) {
  const Json within{{"decided", value}};
  Reader parent(within);
  auto out = read_decided(parent, "decided");
  if (!parent.finish()) return parent.error();
  return out;
}

Json encode(const AttemptReport& report) {
  Json out{{"state", name(report.state)}};
  write_key(out, report.key);
  if (!report.reason.empty()) out["reason"] = clamp_text(report.reason, limits::reason_bytes_max);
  if (report.work_fault) out["cause"] = "work";
  if (report.result) out["result"] = encode(*report.result);
  if (report.part) out["part"] = encode(*report.part);
  if (report.progress) out["progress"] = encode(*report.progress);
  if (!report.decided.empty()) out["decided"] = encode(report.decided);
  write_traceparent(out, report.traceparent);
  return out;
}

Result<AttemptReport> decode_attempt_report(const Json& value) {
  Reader reader(value);
  auto report = read_attempt_report(reader);
  if (!reader.finish()) return reader.error();
  return report;
}

std::string encode(const Report& report) {
  Json items = Json::array();
  for (const auto& item : report.items) {
    items.push_back(encode(item.report));
    items.back()["tag"] = item.tag;
  }
  return dump(Json{{"v", 1},
                   {"epoch", report.epoch},
                   {"first", report.first},
                   {"seq", report.seq},
                   {"after", report.after},
                   {"items", std::move(items)}});
}

Result<Report> decode_report(std::string_view text) {
  auto value = parse(text, limits::message_bytes_max);
  if (!value) return value.error();
  Reader reader(*value);
  reader.version();
  Report report;
  report.epoch = reader.integer("epoch", 0, integer_max);
  report.seq = reader.integer("seq", 1, integer_max);
  report.first = reader.integer_or("first", report.seq, 1, integer_max);
  if (reader.ok() && report.first > report.seq) reader.fail("first", "must not be above seq");
  report.after = reader.integer_or("after", 0, 0, limits::report_tag_max);
  const Json* items = reader.items();
  if (!reader.finish()) return reader.error();
  // A bad item uses up its own number and spoils no other item.
  each_item(
      *items,
      [&](Reader& one) {
        ReportItem item;
        item.tag = read_tag(one, "tag");
        item.report = read_attempt_report(one);
        if (one.finish()) report.items.push_back(std::move(item));
      },
      [&](const Json& value_of, Error error) {
        ReportItem item;
        item.error = std::move(error);
        Reader key_only(value_of);
        auto key = read_key(key_only);
        if (key_only.ok()) item.report.key = std::move(key);
        Reader tag_only(value_of);
        const auto tag = read_tag(tag_only, "tag");
        item.tag = tag_only.ok() ? tag : 0;
        report.items.push_back(std::move(item));
      });
  return report;
}

std::string encode(const StreamAck& ack) {
  Json out{{"v", 1}, {"epoch", ack.epoch}, {"seq", ack.seq}, {"tag", ack.tag}};
  if (ack.begin > 0) out["begin"] = ack.begin;
  if (ack.beat > 0) out["beat"] = ack.beat;
  if (ack.ask) out["ask"] = true;
  return dump(out);
}

Result<StreamAck> decode_ack(std::string_view text) {
  auto value = parse(text, 4096);
  if (!value) return value.error();
  Reader reader(*value);
  reader.version();
  StreamAck ack;
  ack.epoch = reader.integer("epoch", 0, integer_max);
  ack.seq = reader.integer("seq", 0, integer_max);
  ack.tag = reader.integer_or("tag", 0, 0, limits::report_tag_max);
  ack.begin = reader.integer_or("begin", 0, 0, integer_max);
  ack.beat = reader.integer_or("beat", 0, 0, integer_max);
  ack.ask = reader.boolean_or("ask", false);
  if (!reader.finish()) return reader.error();
  return ack;
}

}  // namespace fieldwork::codec
