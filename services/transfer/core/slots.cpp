// Which of the sendings that wait gets a slot: see transfers.hpp.
#include <algorithm>
#include <cstdlib>
#include <utility>

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
  wait(sending, now);
}

void Transfers::wait(const Sending& sending, Time now) {
  auto& track = tracks_.at(sending.id);
  if (track.slot || track.queued || sending.offer.transfer.empty() || !sending.paused_by.empty()) return;
  track.queued = true;
  track.queued_at = now;
  waiting_[sending.to].push_back(sending.id);
}

void Transfers::give_slots(Time now, Output& out) {
  if (waiting_.empty() || slots_ >= limits_.slots_max || !has_room(limits_.bit_per_s_max, slots_)) return;
  for (const auto least : {PriorityClass::high, PriorityClass::normal, PriorityClass::low}) give_slots(least, now, out);
}

void Transfers::give_slots(PriorityClass least, Time now, Output& out) {
  std::size_t passed_over = 0;  // parties in a row that get no slot
  while (slots_ < limits_.slots_max && passed_over < waiting_.size()) {
    auto it = waiting_.upper_bound(served_);
    if (it == waiting_.end()) it = waiting_.begin();
    served_ = it->first;
    const auto next = next_of(served_, least, now);
    if (waiting_.at(served_).empty()) waiting_.erase(served_);
    if (!next) {
      ++passed_over;
      continue;
    }
    passed_over = 0;
    fill_slot(sendings_.at(*next), now, out);
  }
}

bool Transfers::has_room(std::int64_t budget, std::size_t open) const {
  return budget == 0 || open == 0 || static_cast<std::int64_t>(open + 1) * limits_.share_min <= budget;
}

// Few at once, each fast enough to be of use.
bool Transfers::may_open(const Party& party) const {
  const auto with = slots_with_.find(party);
  if (!serves(party) || (with != slots_with_.end() && with->second >= limits_.party_slots_max)) return false;
  const auto site = site_of(party);
  const auto at = slots_at_.find(site);
  return has_room(limits_.bit_per_s_max, slots_) && has_room(budget_of(site), at == slots_at_.end() ? 0 : at->second);
}

std::string Transfers::site_of(const Party& party) const {
  const auto it = standings_.find(party.name);
  return party.kind == Party::Kind::client || it == standings_.end() ? "" : it->second.site;
}

std::int64_t Transfers::budget_of(const std::string& site) const {
  if (site.empty()) return 0;
  const auto it = limits_.sites.find(site);
  return it == limits_.sites.end() ? limits_.site_bit_per_s_max : it->second;
}

std::optional<TransferId> Transfers::next_of(const Party& party, PriorityClass least, Time now) {
  auto& queue = waiting_.at(party);
  if (!may_open(party)) {
    while (!queue.empty() && !live_.contains(queue.front())) queue.pop_front();
    return std::nullopt;
  }
  std::deque<TransferId> not_yet;
  std::optional<TransferId> next;
  while (!queue.empty() && !next) {
    const auto id = queue.front();
    queue.pop_front();
    const auto it = tracks_.find(id);
    if (it == tracks_.end()) continue;
    const auto& sending = sendings_.at(id);
    // Others that waited for a slot, too, may get one in a moment.
    if (sending.receivers > 1 && !gathering_.contains(sending.offer.envelope.content)) gather(sending, now);
    const auto waited = (now - it->second.queued_at) / limits_.class_up;
    if (static_cast<int>(class_of(sending.priority)) + waited < static_cast<int>(least) || gathers(sending, now)) {
      not_yet.push_back(id);
      continue;
    }
    it->second.queued = false;
    if (!sending.paused_by.empty()) continue;
    if (now - it->second.awake <= limits_.slot_silence) next = id;  // else it waits until its receiver is heard again
  }
  queue.insert(queue.begin(), not_yet.begin(), not_yet.end());
  return next;
}

void Transfers::gather(const Sending& sending, Time now) {
  if (sending.receivers <= 1) return;
  auto& gathering = gathering_.try_emplace(sending.offer.envelope.content, Gathering{now, now}).first->second;
  gathering.last = now;
}

bool Transfers::gathers(const Sending& sending, Time now) const {
  const auto it = gathering_.find(sending.offer.envelope.content);
  if (it == gathering_.end() || sending.receivers <= 1) return false;
  return now < std::min(it->second.first + limits_.gather_max, it->second.last + limits_.gather_quiet);
}

void Transfers::fill_slot(Sending& sending, Time now, Output& out) {
  auto& track = tracks_.at(sending.id);
  track.slot = true;
  track.answered = now;
  ++slots_;
  ++slots_with_[sending.to];
  track.site = site_of(sending.to);
  ++slots_at_[track.site];
  sending.throttled_bit_per_s = 0;
  unshared_ = true;
  const auto* encoding = encodings_.find(sending.offer.envelope.content);
  if (encoding == nullptr)
    return settle(sending, SendingState::failed, "its encoding is lost", true, now, out, TransferFailure::gone);
  if (track.offered && !track.answered_once) out.answers.emplace_back(SendOffer{sending});  // nobody may have heard it
  out.work.emplace_back(OpenSending{sending, *encoding, sending.receivers > 1});
  if (sending.reason.empty()) return;
  sending.reason.clear();
  publish(sending, now);
}

// The receiver keeps what it has; its questions are answered with the same offer.
void Transfers::pause(Sending& sending, const std::string& by, Time now, Output& out) {
  sending.paused_by = by;
  sending.reason = "paused by " + by;
  give_back(sending);
  out.work.emplace_back(CloseSending{sending.id});
  alone(sending, out);
  save(sending, now);
  publish(sending, now);
}

// From now on it is no part of a pass for many: its receiver need not hear those frames.
void Transfers::alone(Sending& sending, Output& out) {
  sending.receivers = 1;
  if (!std::exchange(sending.offer.shared, false)) return;
  out.answers.emplace_back(SendOffer{sending});
}

void Transfers::on(const LeftGroup& input, Time now, Output& out) {
  const auto it = sendings_.find(input.id);
  if (it == sendings_.end() || !live_.contains(input.id)) return;
  alone(it->second, out);
  save(it->second, now);
}

void Transfers::resume(Sending& sending, Time now, Output& out) {
  sending.paused_by.clear();
  sending.reason.clear();
  auto& track = tracks_.at(sending.id);
  track.awake = now;
  wait(sending, now);
  const auto id = sending.id;
  give_slots(now, out);
  if (!live_.contains(id)) return;  // its encoding is lost
  if (!tracks_.at(id).slot) sending.reason = "it waits for its turn: " + std::to_string(slots_) + " others run";
  save(sending, now);
  publish(sending, now);
}

void Transfers::park(Sending& sending, Time now, Output& out) {
  give_back(sending);
  auto& track = tracks_.at(sending.id);
  track.offer_wait = limits_.slot_silence;
  track.offer_at = now + track.offer_wait;
  sending.reason = "the receiver is silent";
  out.work.emplace_back(CloseSending{sending.id});
  save(sending, now);
  publish(sending, now);
}

void Transfers::give_back(const Sending& sending) {
  auto& track = tracks_.at(sending.id);
  if (!track.slot) return;
  track.slot = false;
  --slots_;
  unshared_ = true;
  if (--slots_with_.at(sending.to) == 0) slots_with_.erase(sending.to);
  if (--slots_at_.at(track.site) == 0) slots_at_.erase(track.site);
}

// Devices share a budget evenly, but for the priority of what they get; what a device gets is divided by priority among
// its sendings. A link that takes less than its share leaves the rest to the others.
void Transfers::share(Output& out) {
  std::vector<double> budgets;
  std::map<std::string, std::size_t> all, sites, devices;  // places in budgets
  const auto budget = [&](auto& places, const std::string& key, std::int64_t bit_per_s, Flow& flow) {
    if (bit_per_s == 0) return;
    const auto [it, fresh] = places.emplace(key, budgets.size());
    if (fresh) budgets.push_back(static_cast<double>(bit_per_s));
    flow.of.push_back(it->second);
  };
  std::vector<TransferId> open;
  std::vector<Flow> flows;
  for (const auto& [party, count] : slots_with_) {
    const auto first = flows.size();
    double sum = 0, most = 0;
    for (const auto& id : live_with_.at(party)) {
      if (!tracks_.at(id).slot) continue;
      const auto& sending = sendings_.at(id);
      Flow flow{.weight = weight_of(class_of(sending.priority)), .wants = wants(sending), .of = {}};
      const auto standing = standings_.find(party.name);
      budget(all, "", limits_.bit_per_s_max, flow);
      budget(sites, tracks_.at(id).site, budget_of(tracks_.at(id).site), flow);
      if (party.kind == Party::Kind::device && standing != standings_.end())
        budget(devices, party.name, standing->second.bit_per_s_max, flow);
      sum += flow.weight;
      most = std::max(most, flow.weight);
      flows.push_back(std::move(flow));
      open.push_back(id);
    }
    for (auto i = first; i < flows.size(); ++i) flows[i].weight *= most / sum;
  }
  if (!budgets.empty() || throttles_) pace(open, flows, fair_shares(flows, budgets), out);
  throttles_ = !budgets.empty();
}

// A quarter more than its link delivered, so that it may show more; all, as long as nothing but its share holds it
// back.
double Transfers::wants(const Sending& sending) const {
  if (sending.measured.suspended) return static_cast<double>(limits_.share_min);
  const auto delivers = static_cast<double>(sending.measured.bit_per_s);
  const auto limit = static_cast<double>(sending.throttled_bit_per_s);
  return delivers == 0 || delivers >= 0.9 * limit ? unlimited : 1.25 * delivers;
}

void Transfers::pace(const std::vector<TransferId>& open, const std::vector<Flow>& flows,
                     const std::vector<double>& rates, Output& out) {
  for (std::size_t i = 0; i < open.size(); ++i) {
    auto& sending = sendings_.at(open[i]);
    const bool bound = !flows[i].of.empty() && rates[i] != unlimited;
    const auto rate = bound ? std::max<std::int64_t>(static_cast<std::int64_t>(rates[i]), 1) : 0;
    const auto before = sending.throttled_bit_per_s;
    const bool nearly = rate > 0 && before > 0 && std::abs(rate - before) * 20 <= before;
    if (rate == before || nearly) continue;
    sending.throttled_bit_per_s = rate;
    tracks_.at(open[i]).unsaid = true;
    out.work.emplace_back(PaceSending{open[i], rate});
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
