// Contents to here: packages from clients, outputs from devices.
#include <algorithm>

#include "transfer/core/transfers.hpp"

namespace fieldwork::transfer {
namespace {

std::optional<TransferFailure> denied_if(const std::string& error) {
  return error.empty() ? std::nullopt : std::optional(TransferFailure::denied);
}

}  // namespace

void Transfers::on(const PackageAnnounced& input, Time now, Output& out) {
  const auto& package = input.package;
  if (auto bad = bad_name(package)) {
    out.answers.emplace_back(Reject{input.from, std::move(*bad)});
    return;
  }
  if (auto* stored = at_hand(package.digest); stored != nullptr) {
    add_name(*stored, package, now, out);
    out.answers.emplace_back(AnswerStored{input.from, package.digest});
    return;
  }
  if (package.size_bytes > limits_.content_bytes_max) {
    const auto limit = std::to_string(limits_.content_bytes_max);
    out.answers.emplace_back(
        Reject{input.from, {Code::invalid, "is more than the limit of " + limit + " bytes", "/size_bytes"}});
    return;
  }
  for (auto& [id, receiving] : receivings_) {
    const auto& known = receiving.package;
    if (receiving.from != input.from.party || known.digest != package.digest) continue;
    if (known.name != package.name || known.version != package.version || known.about != package.about) continue;
    receiving.heard = now;
    note_strategy(receiving, input.strategy, now, out);
    out.answers.emplace_back(AnswerUpload{input.from, id});
    return;
  }
  if (input.strategy) return;  // of an upload that is over
  if (auto full = room_for(input.from.party, now, out)) {
    out.answers.emplace_back(Reject{input.from, std::move(*full)});
    return;
  }
  const Receiving receiving{.id = input.fresh,
                            .from = input.from.party,
                            .reply = input.from.client,
                            .kind = ContentKind::package,
                            .package = package,
                            .offer = {},
                            .heard = now};
  begin_receiving(receivings_.insert_or_assign(input.fresh, receiving).first->second, now);
  out.answers.emplace_back(AnswerUpload{input.from, input.fresh});
}

// `fingerprint`: of the certificate that the message shows; empty: it shows none. An Error of Code::denied is final.
std::optional<Error> Transfers::bad_device(const Party& party, const std::string& fingerprint) const {
  if (party.kind == Party::Kind::client) return std::nullopt;
  const auto it = standings_.find(party.name);
  if (it == standings_.end() || it->second.lifecycle == Lifecycle::enrolling) {
    return Error{Code::unavailable, "the registry does not know this device yet; ask again later"};
  }
  if (barred(it->second.lifecycle)) {
    return Error{Code::denied, barred_text(it->second)};
  }
  const auto& enrolled = it->second.fingerprint;
  if (!fingerprint.empty() && !enrolled.empty() && fingerprint != enrolled) {
    return Error{Code::unavailable, "the device is not enrolled with this certificate; ask again later",
                 "/certificate"};
  }
  return std::nullopt;
}

void Transfers::on(const OutputAnnounced& input, Time now, Output& out) {
  const Announcement target{input.from.party, input.digest};
  if (auto bad = bad_device(input.from.party, "")) {
    out.answers.emplace_back(Reject{input.from, std::move(*bad)});
    return;
  }
  if (at_hand(input.digest) != nullptr) {
    announced_.erase(target);
    out.answers.emplace_back(AnswerStored{input.from, input.digest});
    return;
  }
  const auto under_way = std::find_if(receivings_.begin(), receivings_.end(), [&](const auto& one) {
    return one.second.from == input.from.party && one.second.package.digest == input.digest;
  });
  if (input.strategy) {
    if (under_way != receivings_.end()) note_strategy(under_way->second, input.strategy, now, out);
    return;
  }
  if (const auto* why = cancelled(target, now)) return refuse_output(input, *why, out);
  if (under_way == receivings_.end()) {
    if (auto over = over_quota(input.from.party, input.size_bytes)) return refuse_output(input, std::move(*over), out);
  }
  if (!announced_.contains(target) && announced_.size() >= limits_.announced_max) {
    announced_.erase(std::min_element(announced_.begin(), announced_.end(),
                                      [](const auto& a, const auto& b) { return a.second.at < b.second.at; }));
  }
  announced_[target] = {input.size_bytes, now};
  out.answers.emplace_back(
      AskOutput{input.from, input.digest, under_way == receivings_.end() ? TransferId() : under_way->first});
}

// What is stored stays stored, and what has arrived to its last byte will be: the next notice is answered with that.
void Transfers::on(const OutputDropped& input, Time now, Output& out) {
  const auto& from = input.from.party;
  if (auto bad = bad_device(from, "")) {
    out.answers.emplace_back(Reject{input.from, std::move(*bad)});
    return;
  }
  if (at_hand(input.digest) != nullptr) {
    announced_.erase({from, input.digest});
    out.answers.emplace_back(AnswerStored{input.from, input.digest});
    return;
  }
  std::vector<TransferId> parts;
  for (const auto& [id, receiving] : receivings_) {
    if (receiving.from != from || receiving.package.digest != input.digest) continue;
    if (finishing_.contains(id)) return;
    parts.push_back(id);
  }
  const auto why = from.name + " dropped the output: " + input.reason;
  for (const auto& id : parts) end_receiving(id, SendingState::failed, why, TransferFailure::gone, now, out);
  const bool first = remember_refused(input.from, input.digest, why);
  out.answers.emplace_back(AnswerDropped{input.from, input.digest, input.reason, first});
}

void Transfers::on(const Offered& input, Time now, Output& out) {
  const auto& offer = input.offer;
  if (auto bad = bad_device(input.from.party, "")) {
    out.answers.emplace_back(Reject{input.from, std::move(*bad)});
    return;
  }
  if (auto* stored = at_hand(offer.digest); stored != nullptr) {
    Receiving ended{.id = offer.transfer,
                    .from = input.from.party,
                    .reply = input.from.client,
                    .package = {.digest = offer.digest},
                    .offer = offer};
    std::string error;
    // Another transfer was faster, perhaps under another name.
    const auto it = receivings_.find(offer.transfer);
    if (it != receivings_.end() && it->second.from == input.from.party && !finishing_.contains(it->first)) {
      if (it->second.kind == ContentKind::package) {
        const auto bad = bad_name(it->second.package);
        if (bad) error = bad->reason;
        if (!bad) add_name(*stored, it->second.package, now, out);
      }
      ended_as(offer.transfer, error, now, out);
    }
    const auto failure = denied_if(error);
    out.answers.emplace_back(AckEnded{std::move(ended), std::move(error), input.from, failure});
    return;
  }
  auto found = announced_as(input, now, out);
  if (!found) {
    out.answers.emplace_back(Reject{input.from, found.error()});
    return;
  }
  if (*found == nullptr) return;
  auto& receiving = **found;
  receiving.heard = now;
  if (finishing_.contains(receiving.id)) {
    out.answers.emplace_back(AnswerFinishing{input.from, receiving});
    return;
  }
  receiving.offer = offer;
  receiving.reply = input.from.client;
  out.work.emplace_back(OpenReceiving{receiving, input.from});
  unsaved_receivings_.insert(receiving.id);
  if (!receiving.said) publish(receiving, now);
}

Result<Receiving*> Transfers::announced_as(const Offered& input, Time now, Output& out) {
  const auto& offer = input.offer;
  const auto it = receivings_.find(offer.transfer);
  if (it == receivings_.end()) return receive_output(input, now, out);
  auto& receiving = it->second;
  if (receiving.from != input.from.party) return Error{Code::unknown, "no such transfer", "/transfer"};
  if (receiving.package.digest != offer.digest)
    return Error{Code::conflict, "another content was announced", "/digest"};
  if (receiving.package.size_bytes != offer.size_bytes)
    return Error{Code::conflict, "another size was announced", "/size_bytes"};
  return &receiving;
}

Result<Receiving*> Transfers::receive_output(const Offered& input, Time now, Output& out) {
  const auto& offer = input.offer;
  const auto& from = input.from.party;
  const auto announced = announced_.find({from, offer.digest});
  if (announced == announced_.end()) return Error{Code::unknown, "it was not announced, or too long ago", "/transfer"};
  if (announced->second.size_bytes != offer.size_bytes)
    return Error{Code::conflict, "another size was announced", "/size_bytes"};
  // A device that did not hear of its older transfers gave this one an id of its own.
  std::vector<TransferId> older;
  for (const auto& [id, receiving] : receivings_) {
    if (receiving.from == from && receiving.package.digest == offer.digest) older.push_back(id);
  }
  for (const auto& id : older) {
    if (finishing_.contains(id))
      return Error{Code::conflict, "it is being verified under another transfer", "/transfer"};
    forget_receiving(id, out);
  }
  // Others that were announced with it may be under way by now.
  if (auto over = over_quota(from, offer.size_bytes)) {
    refuse_output({input.from, offer.digest, offer.size_bytes}, std::move(*over), out);
    return nullptr;
  }
  if (auto full = room_for(from, now, out)) return *full;
  Receiving receiving{.id = offer.transfer, .from = from, .kind = ContentKind::output, .heard = now};
  receiving.package.digest = offer.digest;
  receiving.package.size_bytes = offer.size_bytes;
  auto& begun = receivings_.insert_or_assign(offer.transfer, std::move(receiving)).first->second;
  begin_receiving(begun, now);
  return &begun;
}

void Transfers::on(const AllReceived& input, Time now, Output& out) {
  const auto it = receivings_.find(input.id);
  if (it == receivings_.end()) return;
  if (const auto held = held_.find(input.id); held != held_.end() && now < held->second.until) return;
  if (!finishing_.insert(input.id).second) return;
  it->second.reason.clear();
  news_.insert(input.id);
  out.work.emplace_back(FinishReceiving{input.id, it->second.offer});
}

void Transfers::on(const ContentArrived& input, Time now, Output& out) {
  finishing_.erase(input.id);
  const auto it = receivings_.find(input.id);
  if (it == receivings_.end()) return;
  const auto receiving = it->second;
  auto& content = store(receiving, input, now);
  std::string error;
  if (receiving.kind == ContentKind::package) {
    // Two contents were pushed under one name at once: the first to arrive has it. The other content stays stored, and
    // a push of it under another name needs no upload.
    const auto bad = bad_name(receiving.package);
    if (bad) error = bad->reason;
    if (!bad) add_name(content, receiving.package, now, out);
  }
  if (content.package.names.empty()) unsaved_contents_.insert(receiving.package.digest);
  announced_.erase({receiving.from, receiving.package.digest});
  ended_as(input.id, error, now, out);
  const auto failure = denied_if(error);
  out.answers.emplace_back(AckEnded{receiving, std::move(error), {}, failure});
}

// The content is stored; `error`: but not under its name.
void Transfers::ended_as(const TransferId& id, const std::string& error, Time now, Output& out) {
  end_receiving(id, error.empty() ? SendingState::complete : SendingState::failed, error, denied_if(error), now, out);
}

void Transfers::on(const ContentRefused& input, Time now, Output& out) {
  finishing_.erase(input.id);
  const auto it = receivings_.find(input.id);
  if (it == receivings_.end()) return;
  // This service's disk failed: the sender's next messages try again, but not each of them.
  if (input.error.code == Code::unavailable) return hold(it->second, input.error, std::chrono::minutes(5), now, out);
  const auto receiving = it->second;
  const auto failure = TransferFailure::verification_failed;
  end_receiving(input.id, SendingState::failed, describe(input.error), failure, now, out);
  out.answers.emplace_back(AckEnded{receiving, describe(input.error), {}, failure});
}

void Transfers::on(const FrameNotKept& input, Time now, Output& out) {
  const auto it = receivings_.find(input.id);
  if (it == receivings_.end()) return;
  const auto held = held_.find(input.id);
  if (held == held_.end() || now >= held->second.until) hold(it->second, input.error, seconds(30), now, out);
}

void Transfers::hold(Receiving& receiving, const Error& error, Duration wait_max, Time now, Output& out) {
  auto& held = held_[receiving.id];
  held.wait = std::clamp<Duration>(held.wait * 2, seconds(10), wait_max);
  held.until = now + held.wait;
  receiving.reason = describe(error);
  news_.insert(receiving.id);
  out.answers.emplace_back(AckHeld{receiving, receiving.reason});
}

// A device that missed the last word hears it again. (A client hears it when it starts the transfer again.)
void Transfers::on(const StrayFrame& input, Time, Output& out) {
  const auto* stored = brought_by(input.id);
  if (stored == nullptr || stored->brought_by != input.from.party || stored->transfer != input.id) {
    out.answers.emplace_back(Reject{input.from, {Code::unknown, "no such transfer"}});
  } else if (input.from.party.kind == Party::Kind::device) {
    Receiving ended{.id = input.id, .from = input.from.party};
    ended.offer.encoded_bytes = input.end;
    out.answers.emplace_back(AckEnded{std::move(ended), ""});
  }
}

// As if it had never been: another one of the same content follows.
void Transfers::forget_receiving(const TransferId& id, Output& out) {
  if (receivings_.at(id).said) out.cleared_states.push_back(id);
  receivings_.erase(id);
  arriving_.erase(id);
  news_.erase(id);
  held_.erase(id);
  out.work.emplace_back(CloseReceiving{id});
  unsaved_receivings_.insert(id);
}

Duration Transfers::patience_with(const Receiving& receiving) const {
  return receiving.offer.transfer.empty() ? limits_.client_silence_max : limits_.silence_max;
}

void Transfers::sweep_receivings(Time now, Output& out) {
  std::vector<TransferId> silent;
  for (const auto& [id, receiving] : receivings_) {
    if (!finishing_.contains(id) && now - receiving.heard > patience_with(receiving)) silent.push_back(id);
  }
  for (const auto& id : silent) {
    const auto& receiving = receivings_.at(id);
    if (receiving.offer.transfer.empty()) {  // it never began
      forget_receiving(id, out);
      continue;
    }
    const bool device = receiving.from.kind == Party::Kind::device;
    end_receiving(id, SendingState::failed, device ? "device silent" : "client silent", TransferFailure::silent, now,
                  out);
  }
}

// A silent sender keeps what has arrived, but does not keep others from sending. Beyond the bounds of rows the longest
// silent one is forgotten, and its sender begins anew.
std::optional<Error> Transfers::room_for(const Party& from, Time now, Output& out) {
  std::size_t awake = 0, awake_from = 0, rows_from = 0;
  const TransferId *silent = nullptr, *silent_from = nullptr;
  const auto longer = [&](const TransferId* known, const Receiving& receiving) {
    return known == nullptr || receiving.heard < receivings_.at(*known).heard;
  };
  for (const auto& [id, receiving] : receivings_) {
    const bool same = receiving.from == from;
    rows_from += same ? 1 : 0;
    if (finishing_.contains(id) || now - receiving.heard <= limits_.slot_silence) {
      ++awake;
      awake_from += same ? 1 : 0;
      continue;
    }
    if (longer(silent, receiving)) silent = &id;
    if (same && longer(silent_from, receiving)) silent_from = &id;
  }
  if (awake >= limits_.slots_max || awake_from >= limits_.party_slots_max)
    return Error{Code::unavailable, "too many transfers at once; try again later"};
  if (rows_from >= limits_.party_rows_max && silent_from != nullptr) {
    forget_receiving(TransferId(*silent_from), out);
  } else if (receivings_.size() >= limits_.rows_max && silent != nullptr) {
    forget_receiving(TransferId(*silent), out);
  }
  return std::nullopt;
}

}  // namespace fieldwork::transfer
