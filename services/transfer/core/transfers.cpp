#include "transfer/core/transfers.hpp"

#include <algorithm>

namespace fieldwork::transfer {
namespace {
constexpr Duration sweep_every = seconds(10);
}  // namespace

Transfers::Transfers(Limits limits, Saved saved, Time now)
    : limits_(limits), say_package_at_(now + limits.packages_again) {
  for (auto& content : saved.contents) {
    if (!content.transfer.empty()) brought_[content.transfer] = content.package.digest;
    contents_.emplace(content.package.digest, std::move(content));
  }
  for (auto& one : saved.sendings) {
    auto& sending = sendings_.emplace(one.id, std::move(one)).first->second;
    auto& latest = latest_[{sending.to, sending.digest}];
    if (latest.empty() || sendings_.at(latest).started <= sending.started) latest = sending.id;
    if (sending.state == SendingState::sending) {
      live_.insert(sending.id);
      tracks_[sending.id] = {.said = now, .saved = now, .saved_acked_bytes = sending.acked_bytes};
    } else {
      remember_ended(sending);
    }
  }
  for (auto& receiving : saved.receivings) {
    receiving.heard = now;
    receivings_.emplace(receiving.id, std::move(receiving));
  }
}

Effects Transfers::step(const Input& input, Time now) {
  Effects out;
  std::visit([&](const auto& one) { on(one, now, out); }, input);
  return out;
}

void Transfers::on(const BrokerReturned&, Time now, Effects& out) {
  for (const auto& [digest, content] : contents_) {
    if (content.kind == ContentKind::package) out.push_back(PublishPackage{digest});
  }
  for (auto& [id, sending] : sendings_) {
    if (sending.state == SendingState::sending || sending.said) publish(sending, now, out);
  }
}

void Transfers::on(const TimePassed&, Time now, Effects& out) {
  for (const auto& id : std::vector<TransferId>(live_.begin(), live_.end())) pass_time(sendings_.at(id), now, out);
  while (!clear_at_.empty() && clear_at_.begin()->first <= now) {
    auto& sending = sendings_.at(clear_at_.begin()->second);
    clear_at_.erase(clear_at_.begin());
    sending.said = false;
    out.push_back(ClearSending{sending.id});
    out.push_back(SaveSending{sending.id});
  }
  while (!drop_at_.empty() && (drop_at_.begin()->first <= now || drop_at_.size() > limits_.ended_max)) {
    const auto id = drop_at_.begin()->second;
    drop_at_.erase(drop_at_.begin());
    forget(id, out);
  }
  say_packages(now, out);
  if (now - swept_ < sweep_every) return;
  swept_ = now;
  std::erase_if(announced_, [&](const auto& one) { return now - one.second.at > limits_.silence_max; });
  std::vector<TransferId> silent;
  for (const auto& [id, receiving] : receivings_) {
    const auto patience = receiving.offer.transfer.empty() ? limits_.client_silence_max : limits_.silence_max;
    if (!finishing_.contains(id) && now - receiving.heard > patience) silent.push_back(id);
  }
  for (const auto& id : silent) drop(id, out);
}

// Evenly over the time in which all come round.
void Transfers::say_packages(Time now, Effects& out) {
  if (contents_.empty()) return;
  const auto pause = std::max<Duration>(limits_.packages_again / contents_.size(), Duration(1));
  say_package_at_ = std::clamp(say_package_at_, now - limits_.packages_again, now + pause);
  for (; say_package_at_ <= now; say_package_at_ += pause) {
    auto next = contents_.upper_bound(said_package_);
    if (next == contents_.end()) next = contents_.begin();
    said_package_ = next->first;
    if (next->second.kind == ContentKind::package) out.push_back(PublishPackage{next->first});
  }
}

const Content* Transfers::content(const std::string& digest) const {
  const auto it = contents_.find(digest);
  return it == contents_.end() ? nullptr : &it->second;
}

const Sending* Transfers::sending(const TransferId& id) const {
  const auto it = sendings_.find(id);
  return it == sendings_.end() ? nullptr : &it->second;
}

const Receiving* Transfers::receiving(const TransferId& id) const {
  const auto it = receivings_.find(id);
  return it == receivings_.end() ? nullptr : &it->second;
}

const Content* Transfers::brought_by(const TransferId& id) const {
  const auto it = brought_.find(id);
  return it == brought_.end() ? nullptr : content(it->second);
}

std::vector<const Content*> Transfers::packages() const {
  std::vector<const Content*> out;
  for (const auto& [digest, content] : contents_) {
    if (content.kind == ContentKind::package) out.push_back(&content);
  }
  std::sort(out.begin(), out.end(), [](const Content* a, const Content* b) { return a->stored > b->stored; });
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
