#include "alerts/read.hpp"

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <nlohmann/json.hpp>

#include "alerts/limits.hpp"
#include "base/text.hpp"
#include "codec/device.hpp"
#include "codec/items.hpp"
#include "codec/policy.hpp"

namespace fieldwork::alerts {
namespace {

using codec::Reader;
using fleet::NamedValues;

constexpr std::string_view broker_root = "$SYS/broker/";

// Topic below $SYS/broker/, attribute. `uptime`, said with each round of figures, is what makes a sample.
constexpr std::pair<std::string_view, const char*> figures[] = {
    {"load/publish/dropped/1min", "dropped"},
    {"load/messages/received/1min", "received"},
    {"load/messages/sent/1min", "sent"},
    {"clients/connected", "connected"},
    {"retained messages/count", "retained"},
    {"heap/current", "heap"},
    {"uptime", "uptime"},
};

// What the broker's log says of a connection that it refused, or that refused the broker's certificate. Its own
// configuration says which lines are published (deploy/mosquitto).
constexpr std::string_view logs[] = {"log/E", "log/N"};
constexpr std::string_view refused[] = {"certificate", "unknown ca", "not authorised"};

void set_text(NamedValues& values, const char* name, std::string value) {
  if (!value.empty()) values.set(name, std::move(value));
}

void read_texts(Reader& reader, NamedValues& values, std::initializer_list<const char*> fields) {
  for (const auto* field : fields) set_text(values, field, reader.text_or(field, "", reason_max));
}

void read_word(Reader& reader, NamedValues& values, Over over, const char* field) {
  const auto word = reader.text(field, 32);
  if (reader.ok() && !set_word(values, vocabulary(over), field, word)) reader.fail(field, "is no such state");
}

void read_word_maybe(Reader& reader, NamedValues& values, Over over, const char* field) {
  const auto word = reader.text_or(field, "", 32);
  if (word.empty()) return;
  if (reader.ok() && !set_word(values, vocabulary(over), field, word)) reader.fail(field, "is no such word");
}

Time read_changed(Reader& reader) { return from_ms(reader.integer("changed_ms", 0, codec::integer_max)); }

// What a job's state and an item of event/job/changed share.
NamedValues read_job(Reader& reader, const std::string& id) {
  NamedValues out;
  out.set("job", id);
  read_word(reader, out, Over::job, "state");
  set_text(out, "name", reader.text_or("name", "", 256));
  set_text(out, "submitter", reader.text_or("submitter", "", 256));
  set_text(out, "reason", reader.text_or("reason", "", reason_max));
  if (const auto width = reader.integer_maybe("width", 0, codec::integer_max))
    out.set("width", static_cast<double>(*width));
  return out;
}

NamedValues read_execution(Reader& reader, const std::string& job) {
  NamedValues out;
  out.set("job", job);
  read_word(reader, out, Over::execution, "state");
  read_texts(reader, out, {"name", "device", "reason"});
  for (const auto* field : {"attempt", "exit_code"}) {
    if (const auto number = reader.number_maybe(field, -1e9, 1e9)) out.set(field, *number);
  }
  return out;
}

NamedValues read_transfer(Reader& reader, const std::string& id) {
  NamedValues out;
  out.set("transfer", id);
  read_word(reader, out, Over::transfer, "state");
  read_word_maybe(reader, out, Over::transfer, "direction");
  read_word_maybe(reader, out, Over::transfer, "failure");
  read_texts(reader, out, {"device", "client", "reason"});
  const auto size = reader.number_maybe("encoded_bytes", 0, 1e15);
  const auto done = reader.number_maybe("acked_bytes", 0, 1e15);
  if (size) out.set("size", *size);
  if (size && done && *size > 0) out.set("done", std::min(100.0, 100 * *done / *size));
  return out;
}

NamedValues read_placement(Reader& reader, const std::string& device) {
  NamedValues out;
  out.set("device", device);
  out.set("placeable", reader.boolean_or("placeable", true) ? 1.0 : 0.0);
  set_text(out, "reason", reader.text_or("reason", "", reason_max));
  return out;
}

NamedValues read_event(Reader& reader, const std::string& device) {
  NamedValues out;
  out.set("device", device);
  read_texts(reader, out, {"event", "reason", "by"});
  return out;
}

NamedValues read_move(Reader& reader, const std::string& job) {
  NamedValues out;
  out.set("job", job);
  read_texts(reader, out, {"event", "from", "to", "reason", "stays"});
  return out;
}

NamedValues read_service(Reader& reader, const std::string& name) {
  NamedValues out;
  out.set("service", name);
  read_word(reader, out, Over::service, "state");
  set_text(out, "version", reader.text_or("version", "", 64));
  return out;
}

Result<Sample> read_audit(const codec::Json& value) {
  const auto end = codec::decode_audit_end(value);
  if (!end) return end.error();
  NamedValues out;
  out.set("broken", end->broken ? 1.0 : 0.0);
  if (end->broken) set_text(out, "reason", end->broken->reason);
  return of(Over::audit, "head", std::move(out));
}

// The states that are read field by field.
struct Shape {
  Over over;
  const char* kind;   // the level behind state/
  const char* field;  // which names the thing
  NamedValues (*read)(Reader& reader, const std::string& id);
  bool dated;  // has `changed_ms`
};
constexpr Shape shapes[] = {
    {Over::placement, "placement", "device", read_placement, false},
    {Over::job, "job", "job", read_job, true},
    {Over::execution, "execution", "job", read_execution, true},
    {Over::transfer, "transfer", "transfer", read_transfer, true},
    {Over::service, "service", "service", read_service, false},
};

}  // namespace

std::vector<std::pair<std::string, int>> read_topics(const Topics& topics) {
  std::vector<std::pair<std::string, int>> out{{topics.state("device", "+"), 1},
                                               {topics.state("audit", "head"), 1},
                                               {topics.event("job", "changed"), 1},
                                               {topics.event("execution", "moved"), 1},
                                               {topics.event("device", "+"), 1}};
  for (const auto& shape : shapes) out.emplace_back(topics.state(shape.kind, "+"), 1);
  return out;
}

std::vector<std::pair<std::string, int>> broker_topics() {
  std::vector<std::pair<std::string, int>> out;
  for (const auto& [figure, attribute] : figures) out.emplace_back(std::string(broker_root) + std::string(figure), 0);
  for (const auto log : logs) out.emplace_back(std::string(broker_root) + std::string(log), 0);
  return out;
}

bool Messages::read(std::string_view topic, std::string_view payload, Time arrived, const Take& take, const Bad& bad) {
  if (topic.starts_with(broker_root)) return broker(topic.substr(broker_root.size()), payload, take, bad);
  const auto at = topics_.parse(topic);
  if (!at) return false;
  if (at->kind == Topic::Kind::state) {
    const auto is_shape = [&](const Shape& shape) { return at->channel == shape.kind; };
    const bool known = at->channel == "device" || (at->channel == "audit" && at->name == "head") ||
                       std::any_of(std::begin(shapes), std::end(shapes), is_shape);
    if (!known) return false;
    auto sample = state(*at, payload);
    if (sample) {
      take(std::move(*sample));
    } else {
      bad(sample.error());
    }
    return true;
  }
  const bool of_jobs = at->channel == "job" && at->name == "changed";
  const bool of_moves = at->channel == "execution" && at->name == "moved";
  if (at->kind != Topic::Kind::event || (!of_jobs && !of_moves && at->channel != "device")) return false;
  auto value = codec::parse(payload);
  if (!value) return bad(value.error()), true;
  Reader reader(*value);
  reader.version();
  reader.allow_unknown();
  if (at->channel == "device") {
    const auto device = reader.id("device");
    auto values = read_event(reader, device);
    if (!reader.finish()) return bad(reader.error()), true;
    if (device != at->name) return bad({Code::denied, "is not the topic's device", "/device"}), true;
    return take(of(Over::event, device, std::move(values))), true;
  }
  const auto* items = reader.array("items", codec::items_max);
  if (!reader.finish()) return bad(reader.error()), true;
  codec::each_item(
      *items,
      [&](Reader& item) {
        item.allow_unknown();
        const auto id = item.id("job");
        if (of_moves) {
          const auto execution = item.integer("execution", 0, limits::executions_max);
          auto values = read_move(item, id);
          if (item.finish()) take(of(Over::move, id + "." + std::to_string(execution), std::move(values)));
          return;
        }
        auto values = read_job(item, id);
        if (item.finish()) take(of(Over::job, id, std::move(values), arrived));
      },
      [&](const codec::Json&, const Error& error) { bad(error); });
  return true;
}

Result<Sample> Messages::state(const Topic& topic, std::string_view payload) const {
  const std::string id(topic.name);
  if (payload.empty()) {  // the state was cleared
    if (topic.channel == "device") return gone(Over::device, id);
    for (const auto& shape : shapes) {
      if (topic.channel == shape.kind) return gone(shape.over, id);
    }
    return gone(Over::audit, id);
  }
  auto value = codec::parse(payload);
  if (!value) return value.error();
  if (topic.channel == "device") {
    auto device = codec::decode_device(*value);
    if (!device) return device.error();
    if (device->id.value != topic.name) return Error{Code::denied, "is not the topic's device", "/device"};
    return of(std::move(*device));
  }
  if (topic.channel == "audit") return read_audit(*value);
  for (const auto& shape : shapes) {
    if (topic.channel != shape.kind) continue;
    Reader reader(*value);
    reader.version();
    reader.allow_unknown();
    const auto name = reader.id(shape.field);
    const auto since = shape.dated ? read_changed(reader) : Time{};
    auto values = shape.read(reader, name);
    if (!reader.finish()) return reader.error();
    const bool same = shape.over == Over::execution ? id.starts_with(name + ".") : id == name;
    if (!same) return Error{Code::denied, "is not the topic's", std::string("/") + shape.field};
    return of(shape.over, id, std::move(values), since);
  }
  return Sample{};
}

bool Messages::broker(std::string_view topic, std::string_view payload, const Take& take, const Bad& bad) {
  if (std::find(std::begin(logs), std::end(logs), topic) != std::end(logs)) {
    const auto says = [&](std::string_view words) { return payload.find(words) != payload.npos; };
    if (std::none_of(std::begin(refused), std::end(refused), says)) return true;
    NamedValues values;
    values.set("reason", clamp_text(payload.substr(payload.find(' ') + 1), reason_max));  // behind the time
    return take(of(Over::refusal, "broker", std::move(values))), true;
  }
  for (const auto& [figure, attribute] : figures) {
    if (topic != figure) continue;
    double number = 0;
    if (std::from_chars(payload.data(), payload.data() + payload.size(), number).ec != std::errc{})
      return bad({Code::invalid, "is no number", std::string(figure)}), true;
    broker_.set(attribute, number);
    if (figure == "uptime") take(of(Over::broker, "broker", broker_));
    return true;
  }
  return false;
}

}  // namespace fieldwork::alerts
