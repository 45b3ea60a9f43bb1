// Which of the sendings that wait gets a slot: see transfers.hpp.
#include <algorithm>

#include "transfer/core/transfers.hpp"

namespace fieldwork::transfer {

void Transfers::add_live(const Sending& sending, Time now) {
  live_.insert(sending.id);
  live_with_[sending.to].insert(sending.id);
  tracks_[sending.id] = {.said = now,
                         .saved = now,
                         .awake = now,
                         .offer_at = now + limits_.slot_silence,
                         .offer_wait = limits_.slot_silence};
}

void Transfers::heard(Sending& sending, Time now) {
  sending.heard = now;
  auto& track = tracks_.at(sending.id);
  track.awake = now;
  track.offer_wait = limits_.slot_silence;
  track.offer_at = now + track.offer_wait;
  wait(sending);
}

void Transfers::wait(const Sending& sending) {
  auto& track = tracks_.at(sending.id);
  if (track.slot || track.queued || sending.offer.transfer.empty()) return;
  track.queued = true;
  waiting_[sending.to].push_back(sending.id);
}

void Transfers::give_slots(Time now, Output& out) {
  std::size_t passed_over = 0;  // parties in a row that get no slot
  while (slots_ < limits_.slots_max && passed_over < waiting_.size()) {
    auto it = waiting_.upper_bound(served_);
    if (it == waiting_.end()) it = waiting_.begin();
    served_ = it->first;
    const auto next = next_of(served_, now);
    if (waiting_.at(served_).empty()) waiting_.erase(served_);
    if (!next) {
      ++passed_over;
      continue;
    }
    passed_over = 0;
    fill_slot(sendings_.at(*next), now, out);
  }
}

std::optional<TransferId> Transfers::next_of(const Party& party, Time now) {
  auto& queue = waiting_.at(party);
  const auto with = slots_with_.find(party);
  if (!serves(party) || (with != slots_with_.end() && with->second >= limits_.party_slots_max)) {
    while (!queue.empty() && !live_.contains(queue.front())) queue.pop_front();
    return std::nullopt;
  }
  while (!queue.empty()) {
    const auto id = queue.front();
    queue.pop_front();
    const auto it = tracks_.find(id);
    if (it == tracks_.end()) continue;
    it->second.queued = false;
    if (now - it->second.awake <= limits_.slot_silence) return id;  // else it waits until its receiver is heard again
  }
  return std::nullopt;
}

void Transfers::fill_slot(Sending& sending, Time now, Output& out) {
  auto& track = tracks_.at(sending.id);
  track.slot = true;
  track.answered = now;
  ++slots_;
  ++slots_with_[sending.to];
  const auto* encoding = encodings_.find(sending.offer.envelope.content);
  if (encoding == nullptr) return settle(sending, SendingState::failed, "its encoding is lost", true, now, out);
  out.work.emplace_back(OpenSending{sending, *encoding});
  pace(sending.to, false, out);
  if (sending.reason.empty()) return;
  sending.reason.clear();
  publish(sending, now);
}

void Transfers::park(Sending& sending, Time now, Output& out) {
  give_back(sending, out);
  auto& track = tracks_.at(sending.id);
  track.offer_wait = limits_.slot_silence;
  track.offer_at = now + track.offer_wait;
  sending.reason = "the receiver is silent";
  out.work.emplace_back(CloseSending{sending.id});
  save(sending, now);
  publish(sending, now);
}

void Transfers::give_back(const Sending& sending, Output& out) {
  auto& track = tracks_.at(sending.id);
  if (!track.slot) return;
  track.slot = false;
  --slots_;
  if (--slots_with_.at(sending.to) == 0) {
    slots_with_.erase(sending.to);
  } else {
    pace(sending.to, false, out);
  }
}

void Transfers::pace(const Party& to, bool always, Output& out) {
  const auto open = slots_with_.find(to);
  const auto standing = standings_.find(to.name);
  if (open == slots_with_.end() || to.kind != Party::Kind::device || standing == standings_.end()) return;
  const auto all = standing->second.bit_per_s_max;
  if (all == 0 && !always) return;
  const auto each = all == 0 ? 0 : std::max<std::int64_t>(all / static_cast<std::int64_t>(open->second), 1);
  for (const auto& id : live_with_.at(to)) {
    if (tracks_.at(id).slot) out.work.emplace_back(PaceSending{id, each});
  }
}

// Makes room for one more row. A receiver whose sending is forgotten asks again, if it still wants the content.
bool Transfers::make_room(const Party& to, Output& out) {
  const auto with = live_with_.find(to);
  const bool full = with != live_with_.end() && with->second.size() >= limits_.party_rows_max;
  if (!full && live_.size() < limits_.rows_max) return true;
  const auto& among = full ? with->second : live_;
  const TransferId* silent = nullptr;
  for (const auto& id : among) {
    if (tracks_.at(id).slot) continue;
    if (silent == nullptr || tracks_.at(id).awake < tracks_.at(*silent).awake) silent = &id;
  }
  if (silent == nullptr) return false;
  const auto id = *silent;
  end_live(id, out);
  forget(id, out);
  return true;
}

}  // namespace fieldwork::transfer
