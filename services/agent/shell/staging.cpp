#include "agent/shell/staging.hpp"

#include <nlohmann/json.hpp>

#include "agent/shell/service.hpp"
#include "codec/stage.hpp"
#include "runtime/log.hpp"

namespace fieldwork::agent {
namespace {

using codec::Json;

store::Row row_of(const staging::Kept& kept) {
  return {{"command", store::Value::json(codec::dump(codec::encode(kept.command)))}, {"ready", kept.ready}};
}

Result<staging::Kept> kept_from(const std::string& text) {
  const auto row = codec::parse(text);
  if (!row) return row.error();
  if (!row->is_object() || !row->contains("command")) return Error{Code::invalid, "has no command"};
  const auto commands =
      codec::decode_stage_commands(codec::dump({{"v", 1}, {"items", Json::array({row->at("command")})}}));
  if (!commands) return commands.error();
  if (!commands->bad.empty()) return commands->bad.front().error;
  return staging::Kept{commands->good.front(), row->value("ready", false)};
}

void tell(const StageReport& report) {
  if (report.all) return;
  for (const auto& said : report.items) {
    log::info("stage " + std::string(name(said.word)),
              {{"package", said.digest}, {"file", said.file}, {"reason", said.reason}});
  }
}

}  // namespace

Result<void> Staging::load(store::Store& store, Time now) {
  auto rows = store.select({.table = "stage"});
  if (!rows) return rows.error();
  std::vector<staging::Kept> saved;
  for (const auto& text : *rows) {
    auto kept = kept_from(text);
    if (kept) {
      saved.push_back(std::move(*kept));
    } else {  // the service asks for it again when it hears that it is not here
      log::error("a row of the journal cannot be read and is left out",
                 {{"table", "stage"}, {"reason", describe(kept.error())}, {"row", text.substr(0, 200)}});
    }
  }
  core_ = std::make_unique<staging::Stages>(staging::Limits{}, std::move(saved), places_);
  step(staging::Started{}, now);
  return {};
}

Result<void> Staging::hear(std::string_view payload, Time now) {
  auto commands = codec::decode_stage_commands(payload);
  if (!commands) return commands.error();
  step(staging::Commanded{std::move(commands->good)}, now);
  if (!commands->bad.empty()) return commands->bad.front().error;
  return {};
}

bool Staging::carry_out(Hands& hands, Time now, runtime::Output& out) {
  const auto done = std::exchange(done_, {});
  for (const auto& save : done.saves) {
    if (save.kept) {
      out.upsert("stage", save.digest, row_of(*save.kept));
    } else {
      out.remove("stage", save.digest, {});
    }
  }
  for (const auto& report : done.reports) {
    tell(report);
    out.messages.push_back({.topic = topics_.up(device_, "stage"), .payload = codec::encode(report)});
  }
  for (const auto& act : done.acts) {
    if (const auto* keep = std::get_if<staging::Keep>(&act)) {
      hands.stage(keep->fetch, now);
    } else if (const auto* let = std::get_if<staging::Let>(&act)) {
      hands.unstage(let->digest);
    } else {
      hands.place(std::get<staging::Place>(act));
    }
  }
  return !done.acts.empty();
}

}  // namespace fieldwork::agent
