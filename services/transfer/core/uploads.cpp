// How receivings stand, and how they ended: published and kept as sendings are.
#include <algorithm>
#include <utility>

#include "transfer/core/transfers.hpp"

namespace fieldwork::transfer {
namespace {

constexpr Duration save_again = seconds(10);  // counts that a killed service may lose
constexpr Duration rate_over = seconds(5);
constexpr const char* is_silent = "the sender is silent";

}  // namespace

void Transfers::load_receivings(std::vector<Receiving> saved, Time now) {
  for (auto& receiving : saved) {
    const auto id = receiving.id;
    if (receiving.state != SendingState::sending) {
      if (receiving.state == SendingState::cancelled) {
        auto& newest = cancelled_[{receiving.from, receiving.package.digest}];
        if (newest.first <= receiving.changed) newest = {receiving.changed, receiving.reason};
      }
      remember_ended(ended_receivings_.insert_or_assign(id, std::move(receiving)).first->second);
      continue;
    }
    // This service's absence counts as nobody's silence. But a receiving that stopped half way ends even if the service
    // restarts every day.
    receiving.heard = std::max(receiving.heard, now - patience_with(receiving) + limits_.client_silence_max);
    arriving_[id] = {.said = now, .saved = now};
    receivings_.insert_or_assign(id, std::move(receiving));
  }
}

void Transfers::begin_receiving(Receiving& receiving, Time now) {
  ended_receivings_.erase(receiving.id);
  receiving.started = receiving.changed = now;
  arriving_[receiving.id] = {.said = now, .saved = now};
  unsaved_receivings_.insert(receiving.id);
  publish(receiving, now);
}

void Transfers::on(const ReceivingOpened& input, Time now, Output&) {
  const auto it = receivings_.find(input.id);
  if (it == receivings_.end()) return;
  it->second.received_bytes = it->second.resumed_from = input.received_bytes;
  arriving_.at(input.id).bytes = {{now, input.received_bytes}};
  news_.insert(input.id);
}

void Transfers::on(const ReceivingHeard& input, Time now, Output&) {
  const auto it = receivings_.find(input.id);
  if (it == receivings_.end()) return;
  auto& receiving = it->second;
  auto& arriving = arriving_.at(input.id);
  receiving.heard = now;
  receiving.received_bytes = std::max(receiving.received_bytes, input.received_bytes);
  receiving.came_bytes += input.came_bytes;
  receiving.again_bytes += input.again_bytes;
  receiving.came_frames += input.came_frames;
  receiving.again_frames += input.again_frames;
  receiving.bad_frames = std::max(receiving.bad_frames, input.bad_frames);
  const bool speaks_again = std::exchange(arriving.silent, false);
  if (speaks_again) arriving.bytes.clear();
  const bool fresh = input.came_bytes > input.again_bytes;
  if (speaks_again || fresh) receiving.reason.clear();
  if (fresh) held_.erase(input.id);  // the disk takes it again
  news_.insert(input.id);
}

void Transfers::note_strategy(Receiving& receiving, const std::optional<SaidStrategy>& strategy, Time now,
                              Output& out) {
  if (!strategy || receiving.strategy == strategy) return;
  receiving.strategy = strategy;
  receiving.strategies.push_back({now, strategy->reason});
  if (receiving.strategies.size() > limits_.strategies_max) receiving.strategies.erase(receiving.strategies.begin());
  news_.insert(receiving.id);
  unsaved_receivings_.insert(receiving.id);
  out.new_receiving_strategies.push_back(receiving);
}

Phase Transfers::phase_of(const Receiving& receiving) const {
  if (finishing_.contains(receiving.id)) return Phase::verifying;
  if (!receiving.reason.empty()) return Phase::suspended;
  return receiving.received_bytes == 0 ? Phase::offered : Phase::sending;
}

void Transfers::publish(Receiving& receiving, Time now) {
  auto& arriving = arriving_.at(receiving.id);
  auto& bytes = arriving.bytes;
  bytes.emplace_back(now, receiving.received_bytes);
  while (bytes.size() > 2 && now - bytes[1].first >= rate_over) bytes.pop_front();
  const auto took = bytes.back().first - bytes.front().first;
  const auto came = bytes.back().second - bytes.front().second;
  receiving.bit_per_s = took > Duration::zero() && came > 0 ? came * 8 * (seconds(1) / Duration(1)) / took.count() : 0;
  receiving.phase = phase_of(receiving);
  receiving.changed = arriving.said = now;
  receiving.said = true;
  news_.erase(receiving.id);
  unsaid_receivings_.insert(receiving.id);
  if (now - arriving.saved < save_again) return;
  arriving.saved = now;
  unsaved_receivings_.insert(receiving.id);
}

void Transfers::publish_receivings(Time now) {
  for (const auto& id : std::set<TransferId>(news_)) {
    if (now - arriving_.at(id).said >= limits_.say_every) publish(receivings_.at(id), now);
  }
}

void Transfers::suspend_silent_receivings(Time now) {
  for (auto& [id, receiving] : receivings_) {
    if (finishing_.contains(id) || receiving.offer.transfer.empty() || !receiving.reason.empty()) continue;
    if (now - receiving.heard <= limits_.slot_silence) continue;
    receiving.reason = is_silent;
    arriving_.at(id).silent = true;
    publish(receiving, now);
  }
  std::erase_if(cancelled_, [&](const auto& one) { return now - one.second.first >= limits_.retry_hold; });
}

void Transfers::end_receiving(TransferId id, SendingState state, std::string reason,
                              std::optional<TransferFailure> failure, Time now, Output& out) {
  auto receiving = std::move(receivings_.extract(id).mapped());
  arriving_.erase(id);
  news_.erase(id);
  held_.erase(id);
  out.work.emplace_back(CloseReceiving{id});
  unsaved_receivings_.insert(id);
  unsaid_receivings_.insert(id);
  receiving.offer.release.clear();
  receiving.package.release.clear();
  if (state == SendingState::complete) receiving.received_bytes = receiving.offer.encoded_bytes;
  receiving.state = state;
  receiving.reason = std::move(reason);
  receiving.failure = failure;
  receiving.bit_per_s = 0;
  receiving.changed = now;
  receiving.said = true;
  out.ended_receivings.push_back(receiving);
  remember_ended(ended_receivings_.insert_or_assign(id, std::move(receiving)).first->second);
}

void Transfers::remember_ended(const Receiving& receiving) {
  if (receiving.said) clear_receiving_at_.emplace(receiving.changed + limits_.state_kept, receiving.id);
  drop_receiving_at_.emplace(receiving.changed + limits_.row_kept, receiving.id);
}

// An id that is not here, or ended at another time, has been used again.
void Transfers::prune_ended_receivings(Time now, std::size_t& budget, Output& out) {
  for (; budget > 0 && !clear_receiving_at_.empty() && clear_receiving_at_.begin()->first <= now; --budget) {
    const auto [at, id] = *clear_receiving_at_.begin();
    clear_receiving_at_.erase(clear_receiving_at_.begin());
    const auto it = ended_receivings_.find(id);
    if (it == ended_receivings_.end() || it->second.changed + limits_.state_kept != at) continue;
    it->second.said = false;
    out.cleared_states.push_back(it->first);
    unsaved_receivings_.insert(it->first);
  }
  for (; budget > 0 && !drop_receiving_at_.empty(); --budget) {
    if (drop_receiving_at_.begin()->first > now && drop_receiving_at_.size() <= limits_.ended_max) break;
    const auto [at, id] = *drop_receiving_at_.begin();
    drop_receiving_at_.erase(drop_receiving_at_.begin());
    const auto it = ended_receivings_.find(id);
    if (it == ended_receivings_.end() || it->second.changed + limits_.row_kept != at) continue;
    if (it->second.said) out.cleared_states.push_back(it->first);
    unsaved_receivings_.insert(it->first);
    ended_receivings_.erase(it);
  }
}

void Transfers::control_receiving(const Controlled& input, Time now, Output& out) {
  const auto refuse = [&](Code code, std::string reason) {
    out.answers.emplace_back(Reject{input.from, {code, std::move(reason), "/transfer"}});
  };
  const auto it = receivings_.find(input.id);
  if (it == receivings_.end()) return refuse(Code::conflict, "the transfer has ended");
  if (input.verb != Controlled::Verb::cancel)
    return refuse(Code::invalid, "is an upload: it can be cancelled, but not paused or resumed");
  if (finishing_.contains(input.id)) return refuse(Code::conflict, "all of it has arrived and is being verified");
  cancel_receiving(it->second, input.from.party.name, now, out);
  out.answers.emplace_back(AnswerCancelled{input.from, ended_receivings_.at(input.id)});
}

// A device announces its output no more. It may have missed that, and announce it again: then it is told once more.
void Transfers::cancel_receiving(Receiving receiving, const std::string& by, Time now, Output& out) {
  const auto reason = "cancelled by " + by;
  end_receiving(receiving.id, SendingState::cancelled, reason, {}, now, out);
  out.answers.emplace_back(AckEnded{receiving, reason, {}, TransferFailure::cancelled});
  if (receiving.kind != ContentKind::output) return;
  const auto& package = receiving.package;
  cancelled_[{receiving.from, package.digest}] = {now, reason};
  refuse_output({{.party = receiving.from}, package.digest, package.size_bytes}, reason, out);
}

const std::string* Transfers::cancelled(const Announcement& target, Time now) const {
  const auto it = cancelled_.find(target);
  return it == cancelled_.end() || now - it->second.first >= limits_.retry_hold ? nullptr : &it->second.second;
}

std::vector<const Receiving*> Transfers::newest_receivings(const std::string& device, bool live,
                                                           std::size_t count_max) const {
  std::vector<const Receiving*> out;
  const auto add = [&](const std::map<TransferId, Receiving>& some) {
    for (const auto& [id, receiving] : some) {
      const bool of_device = receiving.from.kind == Party::Kind::device && receiving.from.name == device;
      if (device.empty() || of_device) out.push_back(&receiving);
    }
  };
  add(receivings_);
  if (!live) add(ended_receivings_);
  const auto newer = [](const Receiving* a, const Receiving* b) { return a->started > b->started; };
  const auto count = std::min(count_max, out.size());
  std::partial_sort(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(count), out.end(), newer);
  out.resize(count);
  return out;
}

}  // namespace fieldwork::transfer
