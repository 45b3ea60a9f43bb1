// Stages: requests, commands, states and rows.
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "codec/policy.hpp"
#include "codec/stage.hpp"
#include "model/items.hpp"
#include "runtime/log.hpp"
#include "transfer/limits.hpp"
#include "transfer/shell/rows.hpp"
#include "transfer/shell/service.hpp"

namespace fieldwork::transfer {
namespace {

using codec::Json;

constexpr std::int64_t stages_page_default = 100;
constexpr Duration told_over_for = std::chrono::hours(24);  // a device ends it by its own clock, too
constexpr std::array<std::string_view, 5> state_words{"asked", "taken", "ready", "refused", "ended"};

std::string_view word(StageState state) { return state_words.at(static_cast<std::size_t>(state)); }

std::string outbox_key(const std::string& stage) { return "stage:" + stage; }

std::string item_of(const TellStage& command) {
  const auto& stage = command.stage;
  return codec::dump(codec::encode(StageCommand{.digest = stage.digest,
                                                .file = stage.file,
                                                .until_ms = command.over ? 0 : to_ms(stage.until),
                                                .priority = stage.priority,
                                                .receivers = stage.receivers}));
}

Json stage_state(const Stage& stage) {
  Json out{{"v", 1},
           {"stage", stage.id},
           {"device", stage.device},
           {"digest", stage.digest},
           {"state", word(stage.state)},
           {"reason", clamp_text(stage.reason, limits::reason_bytes_max)},
           {"until_ms", to_ms(stage.until)},
           {"priority", stage.priority},
           {"asked_by", stage.asked_by},
           {"asked_ms", to_ms(stage.asked)},
           {"changed_ms", to_ms(stage.changed)}};
  if (!stage.file.empty()) out["file"] = stage.file;
  if (!stage.transfer.empty()) out["transfer"] = stage.transfer.value;
  return out;
}

std::string cursor_of(const Stages::Key& key) { return key.first + ' ' + key.second; }

std::optional<Stages::Key> key_of(const std::string& cursor) {
  const auto blank = cursor.find(' ');
  if (blank == std::string::npos) return std::nullopt;
  return Stages::Key{cursor.substr(0, blank), cursor.substr(blank + 1)};
}

}  // namespace

store::Row to_row(const Stage& stage) {
  return {{"stage", stage.id},
          {"device", stage.device},
          {"digest", stage.digest},
          {"file", stage.file},
          {"until_ms", to_ms(stage.until)},
          {"priority", stage.priority},
          {"receivers", stage.receivers},
          {"asked_by", stage.asked_by},
          {"state", std::string(word(stage.state))},
          {"reason", stage.reason},
          {"transfer", stage.transfer.value},
          {"session", stage.session},
          {"asked_ms", to_ms(stage.asked)},
          {"changed_ms", to_ms(stage.changed)}};
}

Result<Stage> stage_from_row(std::string_view text) {
  auto row = codec::parse(text);
  if (!row) return row.error();
  codec::Reader reader(*row);
  const auto time = [&](const char* field) { return from_ms(reader.integer(field, 0, INT64_MAX / 1000)); };
  Stage out;
  out.id = reader.text("stage");
  out.device = reader.text("device");
  out.digest = reader.digest("digest");
  out.file = reader.text_or("file", "", limits::path_bytes_max);
  out.until = time("until_ms");
  out.priority = static_cast<int>(reader.integer("priority", 0, limits::priority_max));
  out.receivers = reader.integer("receivers", 1, INT64_MAX);
  out.asked_by = reader.text("asked_by");
  const auto state = std::find(state_words.begin(), state_words.end(), reader.text("state"));
  if (state == state_words.end()) {
    reader.fail("state", "is not a word of this table");
  } else {
    out.state = static_cast<StageState>(state - state_words.begin());
  }
  out.reason = reader.text("reason", row_text_max);
  out.transfer = TransferId(reader.text("transfer"));
  out.session = reader.integer("session", 0, INT64_MAX);
  out.asked = time("asked_ms");
  out.changed = time("changed_ms");
  if (!reader.finish()) return reader.error();
  return out;
}

Result<void> TransferService::stage(const Asker& from, std::string_view payload, Time now) {
  auto asked = codec::decode_stage_request(payload);
  if (!asked) return asked.error();
  step(StageAsked{from, std::move(asked->digest), std::move(asked->devices), asked->until_ms, asked->priority,
                  std::move(asked->file)},
       now);
  return {};
}

Result<void> TransferService::unstage(const Asker& from, std::string_view payload, Time now) {
  auto asked = codec::decode_unstage_request(payload);
  if (!asked) return asked.error();
  step(StageEnded{from, std::move(asked->digest), std::move(asked->devices)}, now);
  return {};
}

Result<void> TransferService::staged(const Asker& from, std::string_view payload, Time now) {
  auto report = codec::decode_stage_report(payload);
  if (!report) return report.error();
  step(DeviceStaged{from, std::move(*report)}, now);
  return {};
}

Result<void> TransferService::permitted(const Asker& from, std::string_view payload, Time now, runtime::Output& out) {
  if (from.party.name != "security-policy") return Error{Code::denied, "only security-policy may say this"};
  auto permits = codec::decode_permits(payload);
  if (!permits) return permits.error();
  for (const auto& bad : permits->bad) reject(from, bad.error, now, out);
  step(PermitsAnswered{std::move(permits->good)}, now);
  return {};
}

void TransferService::ask(const std::vector<PermitQuestion>& questions, runtime::Output& out) const {
  std::vector<std::string> items;
  items.reserve(questions.size());
  for (const auto& one : questions) items.push_back(codec::dump(codec::encode(one)));
  for (auto& payload : pack_items(items))
    out.messages.push_back(
        {.topic = topics_.service("security-policy", "permit", "transfer"), .payload = std::move(payload)});
}

// By device, then digest; each with the newest transfer that brings it there.
Result<void> TransferService::stages(const Asker& from, std::string_view payload, runtime::Output& out) {
  auto value = codec::parse(payload);
  if (!value) return value.error();
  codec::Reader reader(*value);
  reader.version();
  const auto limit = reader.integer_or("limit", stages_page_default, 1, page_max);
  const auto device = reader.text_or("device", "", 128);
  const auto digest = value->is_object() && value->contains("digest") ? reader.digest("digest") : std::string();
  const auto after = reader.text_or("after", "", 256);
  const auto place = key_of(after);
  if (!after.empty() && !place) reader.fail("after", "is not where a page ended");
  if (!reader.finish()) return reader.error();
  Json items = Json::array();
  std::size_t bytes = 0;
  const auto& all = core_->stages();
  std::string next;
  const Stages::Key* last = nullptr;
  for (auto it = place ? all.upper_bound(*place) : all.lower_bound({device, ""}); it != all.end(); ++it) {
    const auto& stage = it->second;
    if (!device.empty() && stage.device != device) break;
    if (!digest.empty() && stage.digest != digest) continue;
    Json item{{"stage", stage_state(stage)}};
    const auto* sending = core_->sending(stage.transfer);
    if (sending != nullptr && !sending->offer.transfer.empty()) item["transfer"] = state_of(*sending);
    bytes += codec::dump(item).size();
    if (items.size() == static_cast<std::size_t>(limit) || (!items.empty() && bytes > answer_bytes_max)) {
      next = cursor_of(*last);
      break;
    }
    items.push_back(std::move(item));
    last = &it->first;
  }
  Json answered{{"v", 1}, {"items", std::move(items)}};
  if (!next.empty()) answered["next"] = next;
  answer(from, answered, out);
  return {};
}

void TransferService::say(const AnswerStaged& answer, Time, runtime::Output& out) {
  if (answer.unanswered > 0) {
    log::warn("security-policy does not answer: nothing was sent", {{"digest", answer.digest},
                                                                    {"asked_by", answer.to.party.name},
                                                                    {"devices", std::to_string(answer.unanswered)}});
  }
  auto items = Json::array();
  for (const auto& one : answer.items) {
    Json item{{"device", one.device}, {"state", one.refused.empty() ? "accepted" : "refused"}};
    if (!one.refused.empty()) item["reason"] = clamp_text(one.refused, limits::reason_bytes_max);
    items.push_back(std::move(item));
  }
  this->answer(answer.to, {{"v", 1}, {"digest", answer.digest}, {"items", std::move(items)}}, out);
}

void TransferService::put_out(const StageChanges& changes, runtime::Output& out) const {
  for (const auto& id : changes.dropped) out.remove("stage", id, {{"stage", id}});
  for (const auto& stage : changes.saved) out.upsert("stage", stage.id, to_row(stage));
  for (const auto& one : changes.commands) {
    const auto* command = std::get_if<TellStage>(&one);
    if (command == nullptr) {
      out.close(outbox_key(std::get<CloseCommand>(one).stage));
      continue;
    }
    const auto topic = topics_.down(command->stage.device, "stage");
    if (command->once) {
      for (auto& payload : pack_items({item_of(*command)}))
        out.messages.push_back({.topic = topic, .payload = payload});
    } else {
      out.put({.key = outbox_key(command->stage.id),
               .topic = topic,
               .item = item_of(*command),
               .life = command->over ? told_over_for : Duration{}});
    }
  }
  for (const auto& id : changes.cleared) say_retained(topics_.state("stage", id), "", out);
  for (const auto& stage : changes.said) {
    log::info("stage " + std::string(word(stage.state)),
              {{"device", stage.device}, {"digest", stage.digest}, {"reason", stage.reason}});
    say_retained(topics_.state("stage", stage.id), codec::dump(stage_state(stage)), out);
  }
}

}  // namespace fieldwork::transfer
