// Stages: who may ask for which, and what of the transfers concerns them.
#include "transfer/core/transfers.hpp"

namespace fieldwork::transfer {
namespace {

// A request that is repeated means the same time.
constexpr std::int64_t round_ms = 3'600'000;

}  // namespace

std::optional<Error> Transfers::cannot_stage(const StageAsked& input, Time now) const {
  const auto* content = this->content(input.digest);
  if (content == nullptr) return Error{Code::unknown, "no such content is stored", "/digest"};
  if (content->kind != ContentKind::package)
    return Error{Code::invalid, "is an output of a device; only packages are staged", "/digest"};
  if (lost_.contains(input.digest))
    return Error{Code::unavailable, "the stored file is lost; push the package again", "/digest"};
  if (input.until_ms && from_ms(*input.until_ms) <= now) return Error{Code::invalid, "is in the past", "/until_ms"};
  if (input.until_ms && from_ms(*input.until_ms) > now + limits_.stage_longest) {
    const auto days = std::chrono::duration_cast<std::chrono::hours>(limits_.stage_longest).count() / 24;
    return Error{Code::invalid, "is more than " + std::to_string(days) + " days ahead", "/until_ms"};
  }
  return std::nullopt;
}

std::string Transfers::why_not_staged(const std::string& device) const {
  const auto it = standings_.find(device);
  if (it == standings_.end()) return "no such device";
  if (trusted(it->second.lifecycle)) return {};
  const auto& reason = it->second.reason;
  return "the device is " + std::string(fieldwork::name(it->second.lifecycle)) + (reason.empty() ? "" : ": " + reason);
}

void Transfers::on(const StageAsked& input, Time now, Output& out) {
  if (auto error = cannot_stage(input, now)) {
    out.answers.emplace_back(Reject{input.from, std::move(*error)});
    return;
  }
  const auto until_ms =
      input.until_ms ? *input.until_ms : (to_ms(now + limits_.stage_default) / round_ms + 1) * round_ms;
  AnswerStaged answer{input.from, input.digest, {}};
  for (const auto& device : input.devices) {
    auto refused = why_not_staged(device);
    if (refused.empty()) {
      Stage wanted;
      wanted.device = device;
      wanted.digest = input.digest;
      wanted.file = input.file;
      wanted.until = from_ms(until_ms);
      wanted.priority = input.priority;
      wanted.receivers = static_cast<std::int64_t>(input.devices.size());
      wanted.asked_by = input.from.party.name;
      wanted.session = standings_.at(device).session;
      refused = stages_.ask(std::move(wanted), now).value_or("");
    }
    answer.items.push_back({device, std::move(refused)});
  }
  out.answers.emplace_back(std::move(answer));
}

void Transfers::on(const StageEnded& input, Time now, Output& out) {
  AnswerStaged answer{input.from, input.digest, {}};
  for (const auto& device : input.devices) {
    const auto* stage = stages_.find(device, input.digest);
    const bool ended = stages_.end(device, input.digest, "ended by " + input.from.party.name, now);
    const bool was = stage != nullptr && stage->state == StageState::ended;
    answer.items.push_back({device, ended || was ? "" : "it is not staged there"});
  }
  out.answers.emplace_back(std::move(answer));
}

void Transfers::on(const DeviceStaged& input, Time now, Output&) {
  if (serves(input.from.party)) stages_.said(input.from.party.name, input.report, now);
}

void Transfers::stages_of(const DeviceHeard& input, Time now) {
  if (!input.standing) return stages_.forget(input.device);
  if (input.standing->session > 0) stages_.runs(input.device, input.standing->session, now);
  if (barred(input.standing->lifecycle)) {
    stages_.refuse_all(input.device, barred_text(*input.standing), now);
  }
}

void Transfers::put_out_stages(Output& out) {
  for (const auto& id : unsaid_sendings_) {
    const auto it = sendings_.find(id);
    if (it == sendings_.end() || it->second.to.kind != Party::Kind::device) continue;
    const auto latest = latest_.find(target_of(it->second));  // an older try is only said again
    if (latest != latest_.end() && latest->second == id) stages_.brings(it->second.to.name, it->second.digest, id);
  }
  out.stages = stages_.take_changes();
}

}  // namespace fieldwork::transfer
