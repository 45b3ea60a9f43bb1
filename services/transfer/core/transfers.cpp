#include "transfer/core/transfers.hpp"
#include "transfer/limits.hpp"

#include <algorithm>
#include <utility>

namespace fieldwork::transfer {
namespace {
constexpr Duration sweep_every = seconds(10);
constexpr Duration share_every = seconds(1);  // links change
}  // namespace

Transfers::Transfers(Limits limits, Saved saved, Time now)
    : limits_(limits),
      stages_(limits.stages, std::move(saved.stages), now),
      permits_(limits.permits, std::max<std::int64_t>(to_ms(now), 1)),
      encodings_(limits.encodings_bytes_max, limits.epoch_kept, std::move(saved.encodings)),
      collect_at_(now + limits.collect_first),
      say_package_at_(now + limits.packages_again) {
  load_contents(saved);
  for (auto& one : saved.sendings) {
    auto& sending = sendings_.emplace(one.id, std::move(one)).first->second;
    auto& latest = latest_[target_of(sending)];
    if (latest.empty() || sendings_.at(latest).started <= sending.started) latest = sending.id;
    if (sending.state == SendingState::sending) {
      sending.heard = now;  // this service's absence counts as nobody's silence
      add_live(sending, now);
      tracks_.at(sending.id).saved_acked_bytes = sending.acked_bytes;
      wait(sending, now);
    } else {
      remember_ended(sending);
    }
  }
  load_receivings(std::move(saved.receivings), now);
}

void Transfers::step(const Input& input, Time now, Output& out) {
  std::visit([&](const auto& one) { on(one, now, out); }, input);
}

void Transfers::on(const DeviceHeard& input, Time now, Output& out) {
  stages_of(input, now);
  if (!input.standing) {
    standings_.erase(input.device);
    return;
  }
  auto& standing = standings_[input.device];
  const bool was_offline = std::exchange(standing.offline, input.standing->offline);
  if (standing.bit_per_s_max != input.standing->bit_per_s_max || standing.site != input.standing->site)
    unshared_ = true;
  standing = *input.standing;
  const Party device{Party::Kind::device, input.device};
  if (was_offline != standing.offline) tell_link(device, !standing.offline, out);
  if (!barred(input.standing->lifecycle)) return;
  if (const auto it = live_with_.find(device); it != live_with_.end()) {
    for (const auto& id : std::set<TransferId>(it->second)) {
      settle(sendings_.at(id), SendingState::failed, barred_text(*input.standing), true, now, out,
             TransferFailure::denied);
    }
  }
  std::vector<TransferId> receivings;
  for (const auto& [id, receiving] : receivings_) {
    if (receiving.from == device && !finishing_.contains(id)) receivings.push_back(id);
  }
  for (const auto& id : receivings) {
    end_receiving(id, SendingState::failed, barred_text(*input.standing), TransferFailure::denied, now, out);
  }
}

void Transfers::tell_link(const Party& to, bool up, Output& out) const {
  const auto it = live_with_.find(to);
  if (it == live_with_.end()) return;
  for (const auto& id : it->second) {
    if (tracks_.at(id).slot) out.work.emplace_back(LinkSending{id, up});
  }
}

bool Transfers::serves(const Party& party) const {
  if (party.kind == Party::Kind::client) return true;
  const auto it = standings_.find(party.name);
  if (it == standings_.end()) return false;
  return trusted(it->second.lifecycle);
}

void Transfers::on(const LinkLost&, Time, Output&) { link_ = false; }

void Transfers::on(const LinkBack&, Time now, Output& out) {
  link_ = true;
  linked_ = now;
  give_full_time(now);
  // Offers of the time without a link were heard by nobody.
  for (const auto& id : live_) {
    if (tracks_.at(id).slot) out.answers.emplace_back(SendOffer{sendings_.at(id)});
  }
  packages_to_say_.clear();
  for (const auto& [stored, digest] : packages_) packages_to_say_.push_back(digest);
  say_removed(now);
  sendings_to_say_.clear();
  for (const auto& [id, sending] : sendings_) {
    if (sending.state == SendingState::sending || sending.said) sendings_to_say_.push_back(id);
  }
  for (const auto* some : {&receivings_, &ended_receivings_}) {
    for (const auto& [id, receiving] : *some) {
      if (receiving.said) sendings_to_say_.push_back(id);
    }
  }
  stages_.say_again();
  say_again_at_ = now;
}

void Transfers::on(const Stalled&, Time now, Output&) { give_full_time(now); }

// Whoever could not be heard was not silent, and keeps its slot or its turn. A sending that lost its slot by silence is
// offered again at its own time.
void Transfers::give_full_time(Time now) {
  for (const auto& id : live_) {
    auto& track = tracks_.at(id);
    sendings_.at(id).heard = now;
    if (track.slot || track.queued) track.awake = now;
  }
  permits_.give_full_time(now);
  for (auto& [id, receiving] : receivings_) receiving.heard = now;
  for (auto& [announcement, announced] : announced_) announced.at = now;
}

// Puts out what changed in the batch: each once, as it is now.
void Transfers::on(const BatchEnded&, Time, Output& out) {
  if (std::exchange(unshared_, false)) share(out);
  put_out_stages(out);
  for (const auto& digest : std::exchange(unsaved_contents_, {})) {
    const auto* content = this->content(digest);
    if (content != nullptr) out.contents.push_back(*content);
    if (content == nullptr) out.dropped_contents.push_back(digest);
  }
  auto [encodings, dropped_encodings] = encodings_.take_changes();
  out.encodings = std::move(encodings);
  out.dropped_encodings = std::move(dropped_encodings);
  for (const auto& id : std::exchange(unsaved_sendings_, {})) {
    const auto* sending = this->sending(id);
    if (sending != nullptr) out.sendings.push_back(*sending);
    if (sending == nullptr) out.dropped_sendings.push_back(id);
  }
  for (const auto& id : std::exchange(unsaved_receivings_, {})) {
    const auto* live = this->receiving(id);
    const auto* receiving = live != nullptr ? live : ended_receiving(id);
    if (receiving != nullptr) out.receivings.push_back(*receiving);
    if (receiving == nullptr) out.dropped_receivings.push_back(id);
  }
  for (const auto& digest : std::exchange(unsaid_packages_, {})) {
    const auto* content = this->content(digest);
    if (content != nullptr && content->kind == ContentKind::package) {
      out.packages.push_back(content->package);
    } else {
      out.cleared_packages.push_back(digest);
    }
  }
  for (const auto& id : std::exchange(unsaid_sendings_, {})) {
    const auto* sending = this->sending(id);
    if (sending != nullptr && sending->said) out.sending_states.push_back(*sending);
  }
  for (const auto& id : std::exchange(unsaid_receivings_, {})) {
    const auto* live = this->receiving(id);
    const auto* receiving = live != nullptr ? live : ended_receiving(id);
    if (receiving != nullptr && receiving->said) out.receiving_states.push_back(*receiving);
  }
}

// Publishes everything again for a broker that lost its memory, at a pace that leaves room for news.
void Transfers::say_again(Time now) {
  say_again_at_ = std::max(say_again_at_, now - resay_burst_max * limits_.resay_pause);
  for (; say_again_at_ <= now; say_again_at_ += limits_.resay_pause) {
    if (!packages_to_say_.empty()) {
      unsaid_packages_.insert(std::move(packages_to_say_.front()));
      packages_to_say_.pop_front();
    } else if (!sendings_to_say_.empty()) {
      const auto id = std::move(sendings_to_say_.front());
      sendings_to_say_.pop_front();
      if (const auto live = receivings_.find(id); live != receivings_.end()) publish(live->second, now);
      if (ended_receivings_.contains(id)) unsaid_receivings_.insert(id);
      const auto it = sendings_.find(id);
      if (it == sendings_.end() || it->second.offer.transfer.empty()) continue;
      if (it->second.said || it->second.state == SendingState::sending) publish(it->second, now);
    } else if (!stages_.say_next()) {
      return;
    }
  }
}

void Transfers::on(const TimePassed&, Time now, Output& out) {
  if (!link_) return;  // nobody is heard, and nothing can be published
  pass_permits(now, out);
  for (const auto& id : std::vector<TransferId>(live_.begin(), live_.end())) pass_time(sendings_.at(id), now, out);
  give_slots(now, out);
  encode_ahead(out);
  unshared_ = unshared_ || now - shared_ >= share_every;
  if (unshared_) shared_ = now;
  std::erase_if(gathering_, [&](const auto& one) { return now - one.second.last > limits_.gather_max; });
  std::size_t budget = limits_.prune_max;
  for (; budget > 0 && !clear_at_.empty() && clear_at_.begin()->first <= now; --budget) {
    auto& sending = sendings_.at(clear_at_.begin()->second);
    clear_at_.erase(clear_at_.begin());
    sending.said = false;
    out.cleared_states.push_back(sending.id);
    unsaved_sendings_.insert(sending.id);
  }
  for (; budget > 0 && !drop_at_.empty(); --budget) {
    if (drop_at_.begin()->first > now && drop_at_.size() <= limits_.ended_max) break;
    const auto id = drop_at_.begin()->second;
    drop_at_.erase(drop_at_.begin());
    forget(id, out);
  }
  prune_ended_receivings(now, budget, out);
  publish_receivings(now);
  say_packages(now);
  say_again(now);
  end_asking(now, out);
  if (now - swept_ < sweep_every) return;
  swept_ = now;
  std::erase_if(announced_, [&](const auto& one) { return now - one.second.at > limits_.silence_max; });
  stages_.pass(now);
  sweep_receivings(now, out);
  suspend_silent_receivings(now);
  prune(now, out);
  prune_encodings(now, out);
  collect(now, out);
}

const Content* Transfers::content(const std::string& digest) const {
  const auto it = contents_.find(digest);
  return it == contents_.end() ? nullptr : &it->second;
}

const Name* Transfers::name(const PackageName& name) const {
  const auto it = names_.lower_bound({name, ""});
  return it == names_.end() || it->first.first != name ? nullptr : &it->second;
}

std::vector<const Content*> Transfers::named(const PackageName& name) const {
  std::vector<const Content*> out;
  for (auto it = names_.lower_bound({name, ""}); it != names_.end() && it->first.first == name; ++it) {
    if (!is_removed(it->second)) out.push_back(content(it->second.digest));
  }
  return out;
}

const Sending* Transfers::sending(const TransferId& id) const {
  const auto it = sendings_.find(id);
  return it == sendings_.end() ? nullptr : &it->second;
}

const Receiving* Transfers::receiving(const TransferId& id) const {
  const auto it = receivings_.find(id);
  return it == receivings_.end() ? nullptr : &it->second;
}

const Receiving* Transfers::ended_receiving(const TransferId& id) const {
  const auto it = ended_receivings_.find(id);
  return it == ended_receivings_.end() ? nullptr : &it->second;
}

bool Transfers::has_slot(const TransferId& id) const {
  const auto it = tracks_.find(id);
  return it != tracks_.end() && it->second.slot;
}

const Content* Transfers::brought_by(const TransferId& id) const {
  const auto it = brought_.find(id);
  return it == brought_.end() ? nullptr : content(it->second);
}

std::vector<const Content*> Transfers::packages(const std::optional<Place>& after, std::size_t count_max) const {
  std::vector<const Content*> out;
  auto it = after ? packages_.lower_bound(*after) : packages_.end();
  while (it != packages_.begin() && out.size() < count_max) out.push_back(&contents_.at((--it)->second));
  return out;
}

std::vector<const Sending*> Transfers::newest_sendings(const std::string& device, bool live,
                                                       std::size_t count_max) const {
  std::vector<const Sending*> out;
  for (const auto& [id, sending] : sendings_) {
    if (sending.offer.transfer.empty() || (live && sending.state != SendingState::sending)) continue;
    if (device.empty() || (sending.to.kind == Party::Kind::device && sending.to.name == device))
      out.push_back(&sending);
  }
  const auto newer = [](const Sending* a, const Sending* b) { return a->started > b->started; };
  const auto count = std::min(count_max, out.size());
  std::partial_sort(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(count), out.end(), newer);
  out.resize(count);
  return out;
}

std::vector<const Sending*> Transfers::sendings_of(const std::string& digest, std::size_t count_max) const {
  std::vector<const Sending*> out;
  for (const auto& [id, sending] : sendings_) {
    if (sending.digest == digest) out.push_back(&sending);
  }
  std::sort(out.begin(), out.end(), [](const Sending* a, const Sending* b) { return a->started > b->started; });
  if (out.size() > count_max) out.resize(count_max);
  return out;
}

}  // namespace fieldwork::transfer
