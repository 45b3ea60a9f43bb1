#include "exchange/fetch.hpp"

#include <utility>

#include "exchange/sealing.hpp"

namespace fieldwork::exchange::fetch {

void Fetches::step(const Input& input, Time now, Output& out) {
  std::visit([&](const auto& one) { on(one, now, out); }, input);
}

bool Fetches::finishing(const std::string& digest) const {
  const auto it = all_.find(digest);
  return it != all_.end() && it->second.finishing;
}

void Fetches::on(const Want& input, Time now, Output& /*out*/) {
  all_.try_emplace(input.digest, One{.ask_at = now, .heard = now, .transfer = {}});
}

void Fetches::on(const Unwant& input, Time /*now*/, Output& out) {
  const auto it = all_.find(input.digest);
  if (it == all_.end()) return;
  // A content that is being finished is finished, although nobody needs it now.
  if (!it->second.transfer.empty() && !it->second.finishing) {
    out.work.emplace_back(Discard{it->second.transfer});
    out.say.emplace_back(Word{it->second.transfer, ReceivedState::unwanted});
  }
  all_.erase(it);
}

void Fetches::on(const OfferCame& input, Time now, Output& out) {
  const auto it = all_.find(input.digest);
  if (it == all_.end()) {
    unasked_.push_back(input);
  } else {
    accept(it->second, input, now, out);
  }
}

void Fetches::accept(One& one, const OfferCame& offer, Time now, Output& out) const {
  one.heard = now;
  one.ask_at = now + limits_.silent;
  if (one.finishing || one.transfer == offer.transfer) return;
  if (!one.transfer.empty()) out.work.emplace_back(Discard{one.transfer});
  one.transfer = offer.transfer;
  out.work.emplace_back(Open{offer.digest, offer.transfer});
}

void Fetches::on(const NotOffered& input, Time now, Output& out) {
  const auto it = all_.find(input.digest);
  if (it == all_.end()) return;
  if (!limits_.not_yet) return refuse(it, input.reason, TransferFailure::gone, false, out);
  it->second.ask_at = now + *limits_.not_yet;
}

void Fetches::on(const FrameCame& input, Time now, Output& out) {
  const auto it = all_.find(input.digest);
  if (it == all_.end()) return;
  auto& one = it->second;
  one.heard = now;
  one.ask_at = now + limits_.silent;
  if (one.finishing) {  // the sender asks why there is no last word yet
    out.say.emplace_back(Word{one.transfer, ReceivedState::receiving});
  } else if (input.all) {
    one.finishing = true;
    out.work.emplace_back(Finish{input.digest});
  }
}

void Fetches::on(const CannotReceive& input, Time /*now*/, Output& out) {
  const auto it = all_.find(input.digest);
  if (it != all_.end() && !it->second.finishing) refuse(it, input.reason, input.failure, false, out);
}

void Fetches::on(const Finished& input, Time now, Output& out) {
  const auto it = all_.find(input.digest);
  const bool wanted = it != all_.end() && it->second.transfer == input.transfer;
  if (!input.error) {
    out.say.emplace_back(Word{input.transfer, ReceivedState::complete});
    if (it == all_.end()) return;
    out.ended.push_back({input.digest});
    all_.erase(it);
    return;
  }
  if (!wanted) {
    out.work.emplace_back(Discard{input.transfer});
    return;
  }
  const bool changed = input.error->code == Code::conflict;
  if (changed && it->second.fetched_again++ < limits_.fetched_again_max) {
    out.work.emplace_back(Discard{input.transfer});
    out.say.emplace_back(
        Word{input.transfer, ReceivedState::failed, describe(*input.error), TransferFailure::verification_failed});
    it->second = One{.ask_at = now, .heard = now, .fetched_again = it->second.fetched_again};
    return;
  }
  const bool disk = input.error->code == Code::unavailable;
  if (disk && input.again && !std::exchange(it->second.tried_again, true)) {
    out.work.emplace_back(Finish{input.digest});
    return;
  }
  refuse(it, (disk ? "disk: " : "") + describe(*input.error), failure_of(*input.error), !disk && !changed, out);
}

void Fetches::refuse(Place at, std::string reason, TransferFailure failure, bool work_fault, Output& out) {
  if (!at->second.transfer.empty()) {
    out.work.emplace_back(Discard{at->second.transfer});
    out.say.emplace_back(Word{at->second.transfer, ReceivedState::failed, reason, failure});
  }
  out.ended.push_back({at->first, std::move(reason), work_fault});
  all_.erase(at);
}

void Fetches::on(const LinkBack&, Time now, Output& /*out*/) {
  for (auto& [digest, one] : all_) one.ask_at = one.heard = now;
}

void Fetches::on(const TimePassed&, Time now, Output& out) {
  for (auto it = all_.begin(); it != all_.end();) {
    const auto at = it++;
    auto& one = at->second;
    if (one.finishing) continue;
    if (limits_.give_up && now - one.heard > *limits_.give_up) {
      refuse(at, "nothing was heard of it for " + std::to_string(*limits_.give_up / seconds(1)) + " s",
             TransferFailure::silent, false, out);
    } else if (now >= one.ask_at) {
      one.ask_at = now + limits_.ask_again;
      out.say.emplace_back(Ask{at->first});
    }
  }
}

// Offers of contents that nobody wants. The content is here: the sender missed our last word, which is said again. The
// content is not here: somebody wanted it before we restarted, so it is unwanted now.
void Fetches::on(const BatchEnded&, Time now, Output& out) {
  for (const auto& offer : std::exchange(unasked_, {})) {
    if (const auto it = all_.find(offer.digest); it != all_.end()) {
      accept(it->second, offer, now, out);
      continue;
    }
    if (!offer.here) out.work.emplace_back(Discard{offer.transfer});
    out.say.emplace_back(Word{offer.transfer, offer.here ? ReceivedState::complete : ReceivedState::unwanted});
  }
}

}  // namespace fieldwork::exchange::fetch
