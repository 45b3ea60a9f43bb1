// From a want to its offer: the encoding that serves it, found or made.
#include <algorithm>
#include <set>
#include <utility>

#include "transfer/core/transfers.hpp"
#include "transfer/limits.hpp"

namespace fieldwork::transfer {
namespace {

// The smallest that every device decodes: most transfers of a package come after the time that it takes.
const content::Encoding smallest{content::EncodingKind::zstd, 19};
constexpr const char* usual_cipher = "aes-256-gcm";

}  // namespace

void Transfers::begin(Sending sending, const Wanted& input, Time now, Output& out) {
  const auto id = sending.id;
  sending.fingerprint = input.certificate.fingerprint();
  sending.started = sending.heard = sending.changed = now;
  auto before = std::exchange(latest_[target_of(sending)], id);
  add_live(sendings_.insert_or_assign(id, std::move(sending)).first->second, now);
  tracks_.at(id).before = std::move(before);
  auto& content = contents_.at(input.digest);
  if (content.kind == ContentKind::package) touch(content, now);
  const auto choice = encodings_.choose(content, input.accepts, bases_of(content, input.accepts), now);
  offer(id, choice, {id, input.certificate, input.from}, now, out);
}

void Transfers::offer(const TransferId& id, const Encodings::Choice& choice, Waiter waiter, Time now, Output& out) {
  auto& begun = sendings_.at(id);
  const auto& content = contents_.at(begun.digest);
  if (const auto* encoding = encodings_.find(choice.id)) {
    begun.offer.envelope.content = choice.id;  // from now on it is in use
    out.work.emplace_back(MakeOffer{id, begun.to, begun.attempt, content, *encoding, std::move(waiter.certificate),
                                    std::move(waiter.asker)});
    return encodings_.used(choice.id, now);
  }
  const auto [making, fresh] = making_.try_emplace(choice.make);
  making->second.push_back(std::move(waiter));
  if (fresh) out.work.emplace_back(encodings_.order(choice.make, content.package.size_bytes, choice.make_s_max));
}

// Other contents of the same name: their files have something in common.
std::vector<std::string> Transfers::bases_of(const Content& content, const Accepts& accepts) const {
  std::vector<std::string> out;
  for (const auto& digest : accepts.bases) {
    const auto* base = this->content(digest);
    if (base == nullptr || digest == content.package.digest || lost_.contains(digest)) continue;
    const auto& names = base->package.names;
    const bool related = std::any_of(names.begin(), names.end(), [&](const auto& one) {
      const auto& own = content.package.names;
      return std::any_of(own.begin(), own.end(), [&](const auto& other) { return other.name == one.name; });
    });
    if (related) out.push_back(digest);
  }
  return out;
}

// What is stored is sealed at once, where nobody waits. What zstd 3 has hardly made smaller is not worth the time.
void Transfers::plan_ahead(const Content& content, Output& out) {
  const auto size = content.package.size_bytes;
  if (size > limits_.ahead_bytes_max) return;
  const MakingOf stored{content.package.digest, content.encoding == "zstd" ? stored_encoding : content::Encoding{},
                        usual_cipher};
  if (making_.empty() && making_.try_emplace(stored).second)
    out.work.emplace_back(encodings_.order(stored, size, seal_s_max));
  if (content.encoding != "zstd" || content.encoded_bytes >= size - size / 10) return;
  if (ahead_.size() >= ahead_max) ahead_.pop_front();
  ahead_.push_back(content.package.digest);
}

// One at a time, when nobody waits for another. After a restart the rest is not made ahead: a want makes what it needs.
void Transfers::encode_ahead(Output& out) {
  if (!making_.empty()) return;
  for (; !ahead_.empty() && !making_ahead_; ahead_.pop_front()) {
    const auto* content = at_hand(ahead_.front());
    if (content == nullptr) continue;
    auto order = encodings_.order({ahead_.front(), smallest, usual_cipher}, content->package.size_bytes, 0);
    if (order.known) continue;
    order.at_most = limits_.ahead_at_most;
    order.ahead = making_ahead_ = true;
    out.work.emplace_back(std::move(order));
  }
}

void Transfers::on(const EncodingMade& input, Time now, Output& out) {
  const auto making = input.encoding.making();
  if (input.ahead) {
    making_ahead_ = false;
    if (making_.contains(making)) return;  // it is made once more, into the same file
  }
  auto waiters = making_.extract(making);
  if (!contents_.contains(making.digest)) {  // it was removed meanwhile
    if (!encodings_.shares_file(input.encoding)) out.work.emplace_back(RemoveEncoding{input.encoding});
    return;
  }
  encodings_.add(input.encoding);
  encodings_.used(input.encoding.id, now);
  if (waiters.empty()) return;
  for (auto& waiter : waiters.mapped()) {
    const auto it = sendings_.find(waiter.id);
    if (it != sendings_.end() && live_.contains(waiter.id))
      offer(it->first, {input.encoding.id, making, {}}, std::move(waiter), now, out);
  }
}

// The plain content can be sealed where the disk has no room for another file. If that fails too, the receiver hears
// it.
void Transfers::on(const EncodingFailed& input, Time now, Output& out) {
  if (input.ahead) {
    making_ahead_ = false;
    return;
  }
  auto waiters = making_.extract(input.making);
  const MakingOf plain{input.making.digest, {}, input.making.cipher};
  encodings_.failed(input.making, now);
  if (waiters.empty()) return;
  for (auto& waiter : waiters.mapped()) {
    const auto it = sendings_.find(waiter.id);
    if (it == sendings_.end() || !live_.contains(waiter.id)) continue;
    if (input.making == plain || !contents_.contains(plain.digest)) {
      on(OfferFailed{waiter.id, input.reason, waiter.asker}, now, out);
    } else {
      const auto* there = encodings_.sealed(plain, now);
      offer(it->first, {there == nullptr ? "" : there->id, plain, {}}, std::move(waiter), now, out);
    }
  }
}

void Transfers::prune_encodings(Time now, Output& out) {
  std::set<std::string> in_use;
  for (const auto& id : live_) in_use.insert(sendings_.at(id).offer.envelope.content);
  for (auto& one : encodings_.prune(in_use, now)) {
    if (!encodings_.shares_file(one)) out.work.emplace_back(RemoveEncoding{std::move(one)});
  }
}

void Transfers::on(const OfferMade& input, Time now, Output& out) {
  const auto it = sendings_.find(input.id);
  if (it == sendings_.end() || it->second.state != SendingState::sending) return;  // it settled meanwhile
  auto& sending = it->second;
  sending.offer = input.offer;
  sending.offer.shared = sending.receivers > 1;
  gather(sending, now);
  wait(sending, now);
  if (!gathers(sending, now)) give_slots(now, out);
  if (!live_.contains(input.id)) return;  // its encoding is lost
  if (!tracks_.at(input.id).slot) {
    sending.reason = gathers(sending, now) ? "it waits a moment for others that want the same"
                                           : "it waits for its turn: " + std::to_string(slots_) + " others run";
  }
  save(sending, now);
  out.answers.emplace_back(SendOffer{sending, input.asker});
  tracks_.at(input.id).offered = true;
  publish(sending, now);
}

void Transfers::on(const OfferFailed& input, Time, Output& out) {
  const auto it = sendings_.find(input.id);
  if (it == sendings_.end() || !it->second.offer.transfer.empty()) return;
  withdraw(input.id, out);
  out.answers.emplace_back(Reject{input.asker, {Code::unavailable, input.reason}});
}

// Before its offer was made, nothing of a sending is saved or published: it is removed as if it had never been.
void Transfers::withdraw(const TransferId& id, Output& out) {
  const auto before = tracks_.at(id).before;
  end_live(id, out);
  const auto target = target_of(sendings_.at(id));
  latest_.erase(target);
  if (sendings_.contains(before)) latest_[target] = before;
  sendings_.erase(id);
}

}  // namespace fieldwork::transfer
