// Stages: who may ask for which, and what of the transfers concerns them. Security-policy is asked about each device
// before it is staged.
#include <algorithm>

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

std::optional<std::string> Transfers::known_of(const std::string& device, Time now) const {
  const bool still_heard = now - linked_ < limits_.hearing;
  if (still_heard && !standings_.contains(device)) return std::nullopt;
  return why_not_staged(device);
}

bool Transfers::is_pending(const StageAsked& input) const {
  return std::any_of(pending_stages_.begin(), pending_stages_.end(),
                     [&](const auto& one) { return one.second.asked == input; });
}

void Transfers::on(const StageAsked& input, Time now, Output& out) {
  if (is_pending(input)) return;  // it is answered with the first
  if (auto error = cannot_stage(input, now)) {
    out.answers.emplace_back(Reject{input.from, std::move(*error)});
    return;
  }
  Permits::Devices devices;
  bool waits = false;
  for (const auto& device : input.devices) {
    auto refused = known_of(device, now);
    auto stand = Permits::Stand::settled;
    if (!refused) stand = Permits::Stand::unheard;
    if (refused && refused->empty()) stand = Permits::Stand::asked;
    waits = waits || stand != Permits::Stand::settled;
    devices[device] = {stand, std::move(refused).value_or("")};
  }
  if (waits && !permits_.has_room(input.from.party.name, devices.size())) {
    out.answers.emplace_back(Reject{input.from, {Code::unavailable, "too many requests wait for security-policy", ""}});
    return;
  }
  const PermitQuestion about{
      .principal = input.from.party.name, .action = "stage", .package = input.digest, .file = input.file};
  const auto until_ms =
      input.until_ms ? *input.until_ms : (to_ms(now + limits_.stage_default) / round_ms + 1) * round_ms;
  const auto question = permits_.add(about, std::move(devices), now);
  pending_stages_.emplace(question, PendingStage{input, from_ms(until_ms)});
  pass_permits(now, out);
}

void Transfers::on(const PermitsAnswered& input, Time now, Output& out) {
  for (const auto& permit : input.permits) permits_.answered(permit);
  pass_permits(now, out);
}

void Transfers::pass_permits(Time now, Output& out) {
  permits_.hear([&](const std::string& device) { return known_of(device, now); });
  for (const auto& [question, said] : permits_.take_settled(now)) {
    const auto pending = pending_stages_.extract(question);
    stage(pending.mapped(), said, now, out);
  }
  for (auto& question : permits_.take_due(now)) out.permits.push_back(std::move(question));
}

// Content and devices are looked at again: the answers took their time.
void Transfers::stage(const PendingStage& pending, const PermitRequest& said, Time now, Output& out) {
  const auto& asked = pending.asked;
  if (auto error = cannot_stage(asked, now)) {
    out.answers.emplace_back(Reject{asked.from, std::move(*error)});
    return;
  }
  AnswerStaged answer{asked.from, asked.digest, {}, said.unanswered};
  for (const auto& device : asked.devices) {
    auto refused = said.devices.at(device).refused;
    if (refused.empty()) refused = why_not_staged(device);
    if (refused.empty()) {
      Stage wanted;
      wanted.device = device;
      wanted.digest = asked.digest;
      wanted.file = asked.file;
      wanted.until = pending.until;
      wanted.priority = asked.priority;
      wanted.receivers = static_cast<std::int64_t>(asked.devices.size());
      wanted.asked_by = asked.from.party.name;
      wanted.session = standings_.at(device).session;
      refused = stages_.ask(std::move(wanted), now).value_or("");
    }
    answer.items.push_back({device, std::move(refused)});
  }
  out.answers.emplace_back(std::move(answer));
}

// Requests for it that wait for security-policy must not begin it again.
bool Transfers::withdraw_pending(const std::string& device, const std::string& digest, const std::string& why) {
  bool out = false;
  for (const auto& [question, pending] : pending_stages_) {
    if (pending.asked.digest == digest) out = permits_.refuse(question, device, why) || out;
  }
  return out;
}

void Transfers::on(const StageEnded& input, Time now, Output& out) {
  AnswerStaged answer{input.from, input.digest, {}};
  const auto why = "ended by " + input.from.party.name;
  for (const auto& device : input.devices) {
    const auto* stage = stages_.find(device, input.digest);
    const bool withdrawn = withdraw_pending(device, input.digest, why);
    const bool ended = stages_.end(device, input.digest, why, now);
    const bool was = stage != nullptr && stage->state == StageState::ended;
    answer.items.push_back({device, ended || was || withdrawn ? "" : "it is not staged there"});
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
