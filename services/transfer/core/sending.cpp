// Contents from here: packages to devices that want them, and contents to clients that fetch.
#include <algorithm>
#include <utility>

#include "transfer/core/transfers.hpp"

namespace fieldwork::transfer {
namespace {

// A receiver that said less than this ago what it has is still receiving: another want is a repeat and begins nothing
// anew.
constexpr Duration still_at_it = seconds(3);
constexpr Duration offer_again = seconds(5);  // after this silence the offer goes along with repeated frames

constexpr const char* is_lost = "the stored file is lost; send it again (a package: fieldwork package push)";

}  // namespace

void Transfers::on(const Wanted& input, Time now, Output& out) {
  const auto& to = input.from.party;
  const bool device = to.kind == Party::Kind::device;
  if (auto bad = bad_device(to, input.certificate.fingerprint())) {
    if (bad->code == Code::denied) {
      out.answers.emplace_back(SayNotOffered{input.from, input.digest, bad->reason});
    } else {
      out.answers.emplace_back(Reject{input.from, std::move(*bad)});
    }
    return;
  }
  const auto* content = this->content(input.digest);
  // An output that one device brought is not for another device.
  if (content == nullptr || (device && content->kind == ContentKind::output)) {
    const auto why = device ? "no such content is stored" : why_not_stored(input.digest);
    out.answers.emplace_back(SayNotOffered{input.from, input.digest, why});
    return;
  }
  if (lost_.contains(input.digest)) {
    out.answers.emplace_back(Reject{input.from, {Code::unavailable, is_lost}});
    return;
  }
  const Target target{to, input.from.client, input.digest};
  if (auto* live = live_for(target)) {
    if (live->fingerprint == input.certificate.fingerprint()) {
      heard(*live, now);
      if (input.priority > live->priority) {  // something urgent needs it, too
        live->priority = input.priority;
        unshared_ = true;
        if (!live->offer.transfer.empty()) save(*live, now);
      }
      auto& track = tracks_.at(live->id);
      track.came_back = live->acked_bytes > 0;
      if (track.slot && now - track.answered >= still_at_it) out.work.emplace_back(AskedAgain{live->id});
      if (!live->offer.transfer.empty()) out.answers.emplace_back(SendOffer{*live, input.from});
      return;
    }
    settle(*live, SendingState::failed, "the receiver came back with another certificate", false, now, out,
           TransferFailure::denied);
  }
  const auto attempt = attempt_for(target, now);
  if (!attempt) {
    out.answers.emplace_back(SayNotOffered{input.from, input.digest, attempt.error().reason});
    return;
  }
  if (!make_room(to, out)) {
    out.answers.emplace_back(Reject{input.from, {Code::unavailable, "too many transfers at once; ask again later"}});
    return;
  }
  Sending sending;
  sending.id = input.fresh;
  sending.to = to;
  sending.reply = input.from.client;
  sending.digest = input.digest;
  sending.attempt = *attempt;
  sending.priority = input.priority;
  sending.receivers = device ? input.receivers : 1;
  sending.link = link_of(input.accepts);
  begin(std::move(sending), input, now, out);
}

// The reason for a client that fetches an output which is not here, or not yet.
std::string Transfers::why_not_stored(const std::string& digest) const {
  for (const auto& [id, receiving] : receivings_) {
    if (receiving.package.digest == digest) return "it is on its way from " + receiving.from.name;
  }
  for (const auto& [announcement, announced] : announced_) {
    if (announcement.second == digest) return "it is still on " + announcement.first.name;
  }
  if (const auto it = refused_.find(digest); it != refused_.end()) return it->second;
  return "no such content is stored";
}

Result<int> Transfers::attempt_for(const Target& target, Time now) const {
  const auto it = latest_.find(target);
  if (it == latest_.end()) return 1;
  const auto& latest = sendings_.at(it->second);
  if (now - latest.changed >= limits_.retry_hold) return 1;
  if (latest.state == SendingState::cancelled) return Error{Code::denied, latest.reason};
  const bool client = std::get<Party>(target).kind == Party::Kind::client;
  if (client || latest.state != SendingState::failed) return 1;
  if (latest.attempt < limits_.attempts_max) return latest.attempt + 1;
  return Error{Code::unavailable, std::to_string(latest.attempt) + " transfers failed, the last: " + latest.reason};
}

void Transfers::on(const Answered& input, Time now, Output& out) {
  const auto it = sendings_.find(input.id);
  if (it == sendings_.end() && input.state == ReceivedState::unwanted) return;  // the receiver said so twice
  if (it == sendings_.end() || it->second.to != input.from.party) {
    out.answers.emplace_back(Reject{input.from, {Code::unknown, "no such transfer", "/transfer"}});
    return;
  }
  auto& sending = it->second;
  if (sending.state != SendingState::sending || sending.offer.transfer.empty()) return;
  heard(sending, now);
  auto& track = tracks_.at(input.id);
  track.answered = now;
  sending.bad_frames = std::max(sending.bad_frames, input.bad_frames);
  if (!std::exchange(track.answered_once, true) && sending.resumed_from == 0)
    sending.resumed_from = sending.acked_bytes;
  if (std::exchange(track.came_back, false)) sending.resumed_from = sending.acked_bytes;
  if (input.state == ReceivedState::complete) {
    sending.acked_bytes = sending.offer.encoded_bytes;
    sending.acked = {{0, static_cast<std::uint64_t>(sending.acked_bytes)}};
    settle(sending, SendingState::complete, "", true, now, out);
  } else if (input.state == ReceivedState::unwanted) {  // nobody failed: as if the sending had never been
    end_live(input.id, out);
    forget(input.id, out);
  } else if (input.state == ReceivedState::failed) {
    // A device that still needs the content asks again: that is the next attempt.
    settle(sending, SendingState::failed, input.reason.empty() ? "the receiver gave it up" : input.reason, true, now,
           out, input.failure);
  }
}

void Transfers::on(const Progressed& input, Time now, Output& out) {
  const auto it = sendings_.find(input.id);
  if (it == sendings_.end() || it->second.state != SendingState::sending) return;
  auto& sending = it->second;
  auto& track = tracks_.at(input.id);
  sending.acked = input.acked;
  sending.acked_bytes = input.acked_bytes;
  sending.sent_bytes += input.sent_bytes;
  sending.resent_bytes += input.resent_bytes;
  sending.frames_sent += input.sent_frames;
  sending.frames_resent += input.resent_frames;
  sending.tries_most = std::max(sending.tries_most, input.tries_most);
  track.unsaid = true;
  measured(sending, input.measured, now, out);
  // Everything is acknowledged, but the receiver did not say `complete`; or it says nothing at all. The offer asks a
  // receiver that may have forgotten the transfer.
  const bool all_there = sending.acked_bytes == sending.offer.encoded_bytes;
  if (input.sent_bytes > 0 && (all_there || now - track.answered >= offer_again))
    out.answers.emplace_back(SendOffer{sending});
}

void Transfers::measured(Sending& sending, const Measurements& now_measured, Time now, Output& out) {
  const bool changed = now_measured.strategy != sending.measured.strategy;
  sending.measured = now_measured;
  if (!changed || now_measured.strategy.empty()) return;
  sending.strategies.push_back({now, now_measured.why});
  if (sending.strategies.size() > limits_.strategies_max) sending.strategies.erase(sending.strategies.begin());
  out.new_strategies.push_back(sending);
}

Phase Transfers::phase_of(const Sending& sending) const {
  const auto& track = tracks_.at(sending.id);
  if (sending.acked_bytes > 0 && sending.acked_bytes == sending.offer.encoded_bytes) return Phase::verifying;
  if (!sending.paused_by.empty()) return Phase::suspended;
  if (!track.answered_once) return Phase::offered;
  return track.slot && !sending.measured.suspended ? Phase::sending : Phase::suspended;
}

void Transfers::on(const Controlled& input, Time now, Output& out) {
  if (receivings_.contains(input.id) || ended_receivings_.contains(input.id)) return control_receiving(input, now, out);
  const auto it = sendings_.find(input.id);
  const auto refuse = [&](Code code, std::string reason) {
    out.answers.emplace_back(Reject{input.from, {code, std::move(reason), "/transfer"}});
  };
  if (it == sendings_.end() || it->second.offer.transfer.empty()) return refuse(Code::unknown, "no such transfer");
  auto& sending = it->second;
  if (sending.state != SendingState::sending) return refuse(Code::conflict, "the transfer has ended");
  const auto& by = input.from.party.name;
  if (input.verb == Controlled::Verb::pause && sending.paused_by.empty()) pause(sending, by, now, out);
  if (input.verb == Controlled::Verb::resume && !sending.paused_by.empty()) resume(sending, now, out);
  if (input.verb == Controlled::Verb::cancel) {
    const auto reason = "cancelled by " + by;
    settle(sending, SendingState::cancelled, reason, true, now, out);
    if (sending.to.kind == Party::Kind::device)
      out.answers.emplace_back(SayNotOffered{{.party = sending.to}, sending.digest, reason});
  }
  out.answers.emplace_back(AnswerControlled{input.from, sending});
}

void Transfers::on(const SendingBroke& input, Time now, Output& out) {
  const auto it = sendings_.find(input.id);
  if (it == sendings_.end() || it->second.state != SendingState::sending) return;
  encodings_.lost(it->second.offer.envelope.content);
  settle(it->second, SendingState::failed, input.reason, true, now, out, TransferFailure::unavailable);
}

// Whoever brings the content back may bring it in other bytes of the same encoding: its keys have been used.
void Transfers::on(const ContentLost& input, Time now, Output& out) {
  if (!contents_.contains(input.digest) || !lost_.insert(input.digest).second) return;
  for (const auto& id : std::set<TransferId>(live_)) {
    auto& sending = sendings_.at(id);
    if (sending.digest == input.digest)
      settle(sending, SendingState::failed, is_lost, true, now, out, TransferFailure::gone);
  }
  for (auto& one : encodings_.forget(input.digest)) out.work.emplace_back(RemoveEncoding{std::move(one)});
}

// `say`: publish the end. Of a sending that another one follows at once, only the row tells the end.
void Transfers::settle(Sending& sending, SendingState state, std::string reason, bool say, Time now, Output& out,
                       std::optional<TransferFailure> failure) {
  if (sending.offer.transfer.empty()) return withdraw(TransferId(sending.id), out);
  sending.state = state;
  sending.reason = std::move(reason);
  sending.failure = failure;
  sending.changed = now;
  end_live(sending.id, out);
  if (say) {
    sending.said = true;
    unsaid_sendings_.insert(sending.id);
    out.ended.push_back(sending);
  } else if (sending.said) {
    sending.said = false;
    out.cleared_states.push_back(sending.id);
  }
  unsaved_sendings_.insert(sending.id);
  remember_ended(sending);
}

void Transfers::end_live(const TransferId& id, Output& out) {
  const auto& to = sendings_.at(id).to;
  give_back(sendings_.at(id));
  live_.erase(id);
  auto& with = live_with_.at(to);
  with.erase(id);
  if (with.empty()) live_with_.erase(to);
  tracks_.erase(id);
  out.work.emplace_back(CloseSending{id});
}

void Transfers::remember_ended(const Sending& sending) {
  if (sending.said) clear_at_.emplace(sending.changed + limits_.state_kept, sending.id);
  drop_at_.emplace(sending.changed + limits_.row_kept, sending.id);
}

void Transfers::forget(const TransferId& id, Output& out) {
  const auto& sending = sendings_.at(id);
  if (sending.said) {
    out.cleared_states.push_back(id);
    const auto [first, last] = clear_at_.equal_range(sending.changed + limits_.state_kept);
    const auto entry = std::find_if(first, last, [&](const auto& one) { return one.second == id; });
    if (entry != last) clear_at_.erase(entry);
  }
  const auto latest = latest_.find(target_of(sending));
  if (latest != latest_.end() && latest->second == id) latest_.erase(latest);
  sendings_.erase(id);
  unsaved_sendings_.insert(id);
}

void Transfers::save(Sending& sending, Time now) {
  auto& track = tracks_.at(sending.id);
  track.saved = now;
  track.saved_acked_bytes = sending.acked_bytes;
  unsaved_sendings_.insert(sending.id);
}

void Transfers::publish(Sending& sending, Time now) {
  if (sending.state == SendingState::sending) {
    auto& track = tracks_.at(sending.id);
    track.said = now;
    track.unsaid = false;
    sending.changed = now;
    sending.phase = phase_of(sending);
  }
  sending.said = true;
  unsaid_sendings_.insert(sending.id);
}

void Transfers::pass_time(Sending& sending, Time now, Output& out) {
  const bool device = sending.to.kind == Party::Kind::device;
  if (now - sending.heard > (device ? limits_.silence_max : limits_.client_silence_max)) {
    settle(sending, SendingState::failed, device ? "device silent" : "client silent", true, now, out,
           TransferFailure::silent);
    return;
  }
  auto& track = tracks_.at(sending.id);
  if (!track.slot) {
    if (now < track.offer_at || sending.offer.transfer.empty() || !serves(sending.to)) return;
    track.offer_wait = std::min(track.offer_wait * 2, limits_.offer_again_max);
    track.offer_at = now + track.offer_wait;
    out.answers.emplace_back(SendOffer{sending});
    return;
  }
  if (now - track.awake > limits_.slot_silence) return park(sending, now, out);
  const auto unsaved = sending.acked_bytes - track.saved_acked_bytes;
  if (unsaved >= limits_.save_bytes || (unsaved > 0 && now - track.saved >= limits_.save_every)) save(sending, now);
  if (track.unsaid && now - track.said >= limits_.say_every) publish(sending, now);
}

Sending* Transfers::live_for(const Target& target) {
  const auto it = latest_.find(target);
  return it != latest_.end() && live_.contains(it->second) ? &sendings_.at(it->second) : nullptr;
}

}  // namespace fieldwork::transfer
