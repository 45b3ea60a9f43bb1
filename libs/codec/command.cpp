// Commands to devices, and the grant that an assignment carries.
#include <limits>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "codec/job.hpp"
#include "model/limits.hpp"

namespace fieldwork::codec {
namespace {

Assign read_assign(Reader& reader) {
  Assign assign;
  assign.key = read_key(reader);
  assign.attempt = static_cast<int>(reader.integer("attempt", 1, std::numeric_limits<int>::max()));
  assign.fetching_s = static_cast<int>(reader.integer("fetching_s", 1, 31'536'000));
  assign.priority = static_cast<int>(reader.integer_or("priority", assign.priority, 0, limits::priority_max));
  assign.executions = reader.integer_or("executions", assign.executions, 1, integer_max);
  assign.metered = reader.boolean_or("metered", false);
  if (const Json* value = reader.object("contract")) assign.contract = read_contract(reader, *value);
  assign.command = read_command(reader);
  assign.env = read_env(reader);
  if (const Json* value = reader.object("limits")) assign.limits = read_limits(reader, *value);
  assign.package = reader.digest_or_empty("package");
  assign.outputs = read_outputs(reader);
  assign.grant = reader.text("grant", 65536);
  assign.traceparent = read_traceparent(reader);
  return assign;
}

Command read_device_command(Reader& item) {
  const auto type = item.text("type", 16);
  if (!item.ok()) {
    item.allow_unknown();  // without the type no other field is known
    return {};
  }
  if (type == "assign") return read_assign(item);
  if (type == "cancel") return Cancel{read_key(item), read_traceparent(item)};
  if (type == "inquire") return Inquire{read_key(item), read_traceparent(item)};
  if (type == "stale") return Stale{read_key(item), item.text("state", 32), read_traceparent(item)};
  if (type == "tail") {
    Tail tail{.key = read_key(item)};
    tail.for_s = static_cast<int>(item.integer("for_s", 1, limits::tail_s_max));
    tail.begin = item.boolean_or("begin", true);
    tail.traceparent = read_traceparent(item);
    return tail;
  }
  item.fail("type", "must be assign, cancel, inquire, stale or tail");
  return {};
}

}  // namespace

Json encode(const Contract& contract) {
  Json out{{"replace", contract.replace}, {"on_reboot", contract.restart_on_reboot ? "restart" : "fail"}};
  if (contract.lost_after_s) out["lost_after_s"] = *contract.lost_after_s;
  if (contract.stop_after_s) out["stop_after_s"] = *contract.stop_after_s;
  if (contract.start_at_ms) out["start_at_ms"] = *contract.start_at_ms;
  return out;
}

Contract read_contract(Reader& parent, const Json& value) {
  Reader reader(parent, "contract", value);
  Contract out;
  if (const auto lost = reader.integer_maybe("lost_after_s", 1, 31'536'000)) out.lost_after_s = static_cast<int>(*lost);
  if (const auto stop = reader.integer_maybe("stop_after_s", 1, 31'536'000)) out.stop_after_s = static_cast<int>(*stop);
  out.start_at_ms = reader.integer_maybe("start_at_ms", 0, integer_max);
  out.replace = reader.boolean_or("replace", true);
  const auto on_reboot = reader.text_or("on_reboot", "fail", 16);
  if (reader.ok() && on_reboot != "fail" && on_reboot != "restart") reader.fail("on_reboot", "must be fail or restart");
  out.restart_on_reboot = on_reboot == "restart";
  reader.finish();
  return out;
}

Result<Contract> decode_contract(const Json& value) {
  const Json within{{"contract", value}};
  Reader parent(within);
  const Json* object = parent.object("contract");
  const auto out = object != nullptr ? read_contract(parent, *object) : Contract{};
  if (!parent.finish()) return parent.error();
  return out;
}

Json encode(const Command& command) {
  Json out;
  const auto& key = std::visit([](const auto& one) -> const AttemptKey& { return one.key; }, command);
  write_key(out, key);
  write_traceparent(out, std::visit([](const auto& one) -> const std::string& { return one.traceparent; }, command));
  if (const auto* assign = std::get_if<Assign>(&command)) {
    out["type"] = "assign";
    out["attempt"] = assign->attempt;
    out["fetching_s"] = assign->fetching_s;
    if (assign->priority != Assign{}.priority) out["priority"] = assign->priority;
    // Only where it matters: an older agent refuses fields that it does not know.
    if (!assign->package.empty() && assign->executions != Assign{}.executions) out["executions"] = assign->executions;
    if (assign->metered) out["metered"] = true;
    out["contract"] = encode(assign->contract);
    out["command"] = assign->command;
    out["limits"] = encode(assign->limits);
    out["grant"] = assign->grant;
    if (!assign->env.empty()) out["env"] = assign->env;
    if (!assign->package.empty()) out["package"] = assign->package;
    if (!assign->outputs.empty()) out["outputs"] = assign->outputs;
  } else if (std::holds_alternative<Cancel>(command)) {
    out["type"] = "cancel";
  } else if (std::holds_alternative<Inquire>(command)) {
    out["type"] = "inquire";
  } else if (const auto* tail = std::get_if<Tail>(&command)) {
    out["type"] = "tail";
    out["for_s"] = tail->for_s;
    out["begin"] = tail->begin;
  } else {
    out["type"] = "stale";
    out["state"] = std::get<Stale>(command).state;
  }
  return out;
}

Result<Commands> decode_commands(std::string_view text) {
  return decode_items<Command, AttemptKey>(text, read_device_command, read_key);
}

Result<Assign> decode_assign(const Json& value) {
  Reader reader(value);
  reader.text_or("type", "assign", 16);
  auto assign = read_assign(reader);
  if (!reader.finish()) return reader.error();
  return assign;
}

std::string encode(const Grant& grant) {
  Json out{{"device", grant.device.value},
           {"work_digest", grant.work_digest},
           {"limits", encode(grant.limits)},
           {"issued_ms", grant.issued_ms},
           {"expires_ms", grant.expires_ms}};
  write_key(out, grant.key);
  if (!grant.package.empty()) out["package"] = grant.package;
  return dump(out);
}

Result<Grant> decode_grant(std::string_view text) {
  auto value = parse(text, 65536);
  if (!value) return value.error();
  Reader reader(*value);
  Grant grant;
  grant.key = read_key(reader);
  grant.device = DeviceId(reader.id("device"));
  grant.package = reader.digest_or_empty("package");
  grant.work_digest = reader.digest("work_digest");
  if (const Json* value_of = reader.object("limits")) grant.limits = read_limits(reader, *value_of);
  grant.issued_ms = reader.integer("issued_ms", 0, integer_max);
  grant.expires_ms = reader.integer("expires_ms", 0, integer_max);
  if (!reader.finish()) return reader.error();
  return grant;
}

std::string work_text(const std::vector<std::string>& command, const std::map<std::string, std::string>& env,
                      const std::vector<std::string>& outputs, const Contract& contract) {
  return dump(Json{{"command", command}, {"contract", encode(contract)}, {"env", env}, {"outputs", outputs}});
}

}  // namespace fieldwork::codec
