// Contents away from here: to devices that want packages, and to operators that fetch.
#include "transfer/core/transfers.hpp"

namespace fieldwork::transfer {
namespace {

const char* channel_of(const Party& party) { return party.kind == Party::Kind::device ? "want" : "fetch"; }

}  // namespace

void Transfers::on(const Wanted& input, Time now, Effects& out) {
  const auto* content = this->content(input.digest);
  const bool device = input.to.kind == Party::Kind::device;
  // What one device brought back is not for the next one.
  if (content == nullptr || (device && content->kind == ContentKind::output)) {
    out.push_back(SayNotOffered{input.to, input.digest, "no such content is stored"});
    return;
  }
  const Target target{input.to, input.digest};
  if (auto* live = live_for(target)) {
    if (live->fingerprint == input.certificate.fingerprint() && live->reply == input.reply) {
      live->heard = now;
      out.push_back(AskedAgain{live->id});
      out.push_back(SendOffer{live->id});
      return;
    }
    end(*live, SendingState::failed, "the receiver came back with another certificate or connection", false, now, out);
  }
  const auto attempt = attempt_for(target, now);
  if (!attempt) {
    out.push_back(SayNotOffered{input.to, input.digest, attempt.error().reason});
    return;
  }
  if (live_.size() >= limits_.live_max || live_with(input.to) >= limits_.party_max) {
    out.push_back(
        Reject{input.to, channel_of(input.to), {Code::unavailable, "too many transfers at once; ask again later"}});
    return;
  }
  Sending sending;
  sending.id = input.fresh;
  sending.to = input.to;
  sending.reply = input.reply;
  sending.digest = input.digest;
  sending.attempt = *attempt;
  begin(std::move(sending), input.certificate, now, out);
}

Result<int> Transfers::attempt_for(const Target& target, Time now) const {
  const auto it = latest_.find(target);
  if (it == latest_.end() || target.first.kind == Party::Kind::client) return 1;
  const auto& latest = sendings_.at(it->second);
  if (latest.state != SendingState::failed || now - latest.changed >= limits_.retry_hold) return 1;
  if (latest.attempt < limits_.attempts_max) return latest.attempt + 1;
  return Error{Code::unavailable, std::to_string(latest.attempt) + " transfers failed, the last: " + latest.reason};
}

void Transfers::begin(Sending sending, const crypto::Certificate& certificate, Time now, Effects& out) {
  const auto id = sending.id;
  sending.fingerprint = certificate.fingerprint();
  sending.started = sending.heard = sending.changed = now;
  sendings_.insert_or_assign(id, std::move(sending));
  tracks_[id] = {.said = now, .saved = now};
  live_.insert(id);
  out.push_back(BeginSending{id, certificate});
}

void Transfers::on(const OfferMade& input, Time now, Effects& out) {
  auto& sending = sendings_.at(input.id);
  sending.offer = input.offer;
  sending.content_key = input.content_key;
  latest_[{sending.to, sending.digest}] = sending.id;
  out.push_back(OpenSending{input.id});
  save(sending, now, out);
  out.push_back(SendOffer{input.id});
  publish(sending, now, out);
}

// Nothing of it was saved or said.
void Transfers::on(const OfferFailed& input, Time, Effects& out) {
  const auto to = sendings_.at(input.id).to;
  sendings_.erase(input.id);
  tracks_.erase(input.id);
  live_.erase(input.id);
  out.push_back(Reject{to, channel_of(to), {Code::unavailable, input.reason}});
}

void Transfers::on(const Answered& input, Time now, Effects& out) {
  const auto it = sendings_.find(input.id);
  if (it == sendings_.end() && input.state == ReceivedState::unwanted) return;  // said twice
  if (it == sendings_.end() || it->second.to != input.from) {
    out.push_back(Reject{input.from, "received", {Code::unknown, "no such transfer", "/transfer"}});
    return;
  }
  auto& sending = it->second;
  if (sending.state != SendingState::sending) return;
  sending.heard = now;
  if (input.state == ReceivedState::complete) {
    sending.acked_bytes = sending.offer.encoded_bytes;
    sending.acked = {{0, static_cast<std::uint64_t>(sending.acked_bytes)}};
    end(sending, SendingState::complete, "", true, now, out);
    return;
  }
  if (input.state == ReceivedState::unwanted) {  // nobody failed: as if it had never been
    out.push_back(CloseSending{input.id});
    live_.erase(input.id);
    tracks_.erase(input.id);
    return forget(input.id, out);
  }
  if (input.state != ReceivedState::failed) return;
  // A device that still needs it asks again: that is the next attempt.
  end(sending, SendingState::failed, input.reason.empty() ? "the receiver gave it up" : input.reason, true, now, out);
}

void Transfers::on(const Progressed& input, Time, Effects&) {
  const auto it = sendings_.find(input.id);
  if (it == sendings_.end() || it->second.state != SendingState::sending) return;
  it->second.acked = input.acked;
  it->second.acked_bytes = input.acked_bytes;
  it->second.sent_bytes += input.sent_bytes;
  tracks_[input.id].unsaid = true;
}

void Transfers::on(const SendingBroke& input, Time now, Effects& out) {
  const auto it = sendings_.find(input.id);
  if (it == sendings_.end() || it->second.state != SendingState::sending) return;
  end(it->second, SendingState::failed, input.reason, true, now, out);
}

// `say`: the end is news. Of an attempt that another one follows at once, only the row tells.
void Transfers::end(Sending& sending, SendingState state, std::string reason, bool say, Time now, Effects& out) {
  sending.state = state;
  sending.reason = std::move(reason);
  sending.changed = now;
  sending.content_key.clear();
  live_.erase(sending.id);
  out.push_back(CloseSending{sending.id});
  if (say) {
    sending.said = true;
    out.push_back(PublishSending{sending.id});
    out.push_back(SayEnded{sending.id});
  } else if (sending.said) {
    sending.said = false;
    out.push_back(ClearSending{sending.id});
  }
  tracks_.erase(sending.id);
  out.push_back(SaveSending{sending.id});
  remember_ended(sending);
}

void Transfers::remember_ended(const Sending& sending) {
  if (sending.said) clear_at_.emplace(sending.changed + limits_.state_kept, sending.id);
  drop_at_.emplace(sending.changed + limits_.row_kept, sending.id);
}

void Transfers::forget(const TransferId& id, Effects& out) {
  const auto& sending = sendings_.at(id);
  if (sending.said) out.push_back(ClearSending{id});
  std::erase_if(clear_at_, [&](const auto& one) { return one.second == id; });
  const auto latest = latest_.find({sending.to, sending.digest});
  if (latest != latest_.end() && latest->second == id) latest_.erase(latest);
  sendings_.erase(id);
  out.push_back(DropSending{id});
}

void Transfers::save(Sending& sending, Time now, Effects& out) {
  auto& track = tracks_[sending.id];
  track.saved = now;
  track.saved_acked_bytes = sending.acked_bytes;
  out.push_back(SaveSending{sending.id});
}

void Transfers::publish(Sending& sending, Time now, Effects& out) {
  if (sending.state == SendingState::sending) {
    auto& track = tracks_[sending.id];
    track.said = now;
    track.unsaid = false;
    sending.changed = now;
  }
  sending.said = true;
  out.push_back(PublishSending{sending.id});
}

void Transfers::pass_time(Sending& sending, Time now, Effects& out) {
  const bool device = sending.to.kind == Party::Kind::device;
  if (now - sending.heard > (device ? limits_.silence_max : limits_.client_silence_max)) {
    end(sending, SendingState::failed, device ? "device silent" : "client silent", true, now, out);
    return;
  }
  auto& track = tracks_[sending.id];
  const auto unsaved = sending.acked_bytes - track.saved_acked_bytes;
  if (unsaved >= limits_.save_bytes || (unsaved > 0 && now - track.saved >= limits_.save_every))
    save(sending, now, out);
  if (track.unsaid && now - track.said >= limits_.say_every) publish(sending, now, out);
}

Sending* Transfers::live_for(const Target& target) {
  const auto it = latest_.find(target);
  return it != latest_.end() && live_.contains(it->second) ? &sendings_.at(it->second) : nullptr;
}

std::size_t Transfers::live_with(const Party& to) const {
  std::size_t count = 0;
  for (const auto& id : live_) count += sendings_.at(id).to == to ? 1 : 0;
  return count;
}

}  // namespace fieldwork::transfer
