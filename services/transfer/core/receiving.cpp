// Contents towards here: packages from operators, outputs from devices.
#include <algorithm>

#include "transfer/core/transfers.hpp"

namespace fieldwork::transfer {

void Transfers::on(const PackageAnnounced& input, Time now, Effects& out) {
  const auto& package = input.package;
  if (const auto it = contents_.find(package.digest); it != contents_.end()) {
    release_again(it->second, package, out);
    out.push_back(AnswerStored{input.from, package.digest});
    return;
  }
  if (package.size_bytes > limits_.content_bytes_max) {
    const auto limit = std::to_string(limits_.content_bytes_max);
    out.push_back(
        Reject{input.from, "offer", {Code::invalid, "is more than the limit of " + limit + " bytes", "/size_bytes"}});
    return;
  }
  for (auto& [id, receiving] : receivings_) {
    if (receiving.from != input.from || receiving.package.digest != package.digest) continue;
    receiving.heard = now;
    receiving.package = package;
    out.push_back(SaveReceiving{id});
    out.push_back(AnswerUpload{id});
    return;
  }
  if (auto full = room_for(input.from)) {
    out.push_back(Reject{input.from, "offer", std::move(*full)});
    return;
  }
  const Receiving receiving{.id = input.fresh,
                            .from = input.from,
                            .reply = input.reply,
                            .kind = ContentKind::package,
                            .package = package,
                            .heard = now};
  receivings_.insert_or_assign(input.fresh, receiving);
  out.push_back(SaveReceiving{input.fresh});
  out.push_back(AnswerUpload{input.fresh});
}

// The same bytes under another name, or what a device had made before anyone released it.
void Transfers::release_again(Content& content, const Package& package, Effects& out) {
  if (content.kind == ContentKind::package && content.package == package) return;
  content.kind = ContentKind::package;
  content.package = package;
  out.push_back(SaveContent{package.digest});
  out.push_back(PublishPackage{package.digest});
}

void Transfers::on(const OutputAnnounced& input, Time now, Effects& out) {
  if (contents_.contains(input.digest)) {
    announced_.erase({input.from, input.digest});
    out.push_back(AnswerStored{input.from, input.digest});
    return;
  }
  if (input.size_bytes > limits_.content_bytes_max) {
    const auto limit = std::to_string(limits_.content_bytes_max);
    out.push_back(
        Reject{input.from, "output", {Code::invalid, "is more than the limit of " + limit + " bytes", "/size_bytes"}});
    return;
  }
  const Target target{input.from, input.digest};
  if (!announced_.contains(target) && announced_.size() >= limits_.announced_max) {
    out.push_back(
        Reject{input.from, "output", {Code::unavailable, "too many outputs at once; announce it again later"}});
    return;
  }
  announced_[target] = {input.size_bytes, now};
  out.push_back(AskOutput{input.from, input.digest});
}

void Transfers::on(const Offered& input, Time now, Effects& out) {
  const auto& offer = input.offer;
  if (contents_.contains(offer.digest)) {
    const Receiving stored{.id = offer.transfer,
                           .from = input.from,
                           .reply = input.reply,
                           .package = {.digest = offer.digest},
                           .offer = offer};
    out.push_back(AckEnded{stored, ""});
    return;
  }
  auto found = announced_as(input, now, out);
  if (!found) {
    const bool device = input.from.kind == Party::Kind::device;
    out.push_back(Reject{input.from, device ? "offer" : "start", found.error()});
    return;
  }
  auto& receiving = **found;
  receiving.heard = now;
  if (finishing_.contains(receiving.id)) {
    out.push_back(AnswerFinishing{receiving.id});
    return;
  }
  receiving.offer = offer;
  receiving.reply = input.reply;
  out.push_back(OpenReceiving{receiving.id});
  out.push_back(SaveReceiving{receiving.id});
}

Result<Receiving*> Transfers::announced_as(const Offered& input, Time now, Effects& out) {
  const auto& offer = input.offer;
  if (const auto it = receivings_.find(offer.transfer); it != receivings_.end()) {
    auto& receiving = it->second;
    if (receiving.from != input.from) return Error{Code::unknown, "no such transfer", "/transfer"};
    if (receiving.package.digest != offer.digest)
      return Error{Code::conflict, "another content was announced", "/digest"};
    if (receiving.package.size_bytes != offer.size_bytes)
      return Error{Code::conflict, "another size was announced", "/size_bytes"};
    return &receiving;
  }
  const auto announced = announced_.find({input.from, offer.digest});
  if (announced == announced_.end()) return Error{Code::unknown, "it was not announced, or too long ago", "/transfer"};
  if (announced->second.size_bytes != offer.size_bytes)
    return Error{Code::conflict, "another size was announced", "/size_bytes"};
  // A device that began anew gives its transfer a new id.
  std::vector<TransferId> older;
  for (const auto& [id, receiving] : receivings_) {
    if (receiving.from == input.from && receiving.package.digest == offer.digest) older.push_back(id);
  }
  for (const auto& id : older) {
    if (finishing_.contains(id))
      return Error{Code::conflict, "it is being verified under another transfer", "/transfer"};
    drop(id, out);
  }
  if (auto full = room_for(input.from)) return *full;
  Receiving receiving{.id = offer.transfer, .from = input.from, .kind = ContentKind::output, .heard = now};
  receiving.package.digest = offer.digest;
  receiving.package.size_bytes = offer.size_bytes;
  return &receivings_.insert_or_assign(offer.transfer, std::move(receiving)).first->second;
}

void Transfers::on(const ReceivingHeard& input, Time now, Effects&) {
  if (const auto it = receivings_.find(input.id); it != receivings_.end()) it->second.heard = now;
}

void Transfers::on(const AllReceived& input, Time, Effects& out) {
  if (!receivings_.contains(input.id) || !finishing_.insert(input.id).second) return;
  out.push_back(FinishReceiving{input.id});
}

void Transfers::on(const ContentArrived& input, Time now, Effects& out) {
  finishing_.erase(input.id);
  const auto it = receivings_.find(input.id);
  if (it == receivings_.end()) return;
  const auto receiving = it->second;
  store(receiving, input, now, out);
  announced_.erase({receiving.from, receiving.package.digest});
  drop(input.id, out);
  out.push_back(AckEnded{receiving, ""});
}

void Transfers::store(const Receiving& receiving, const ContentArrived& arrived, Time now, Effects& out) {
  const auto& digest = receiving.package.digest;
  brought_[receiving.id] = digest;
  if (const auto it = contents_.find(digest); it != contents_.end()) {  // someone else was faster
    if (receiving.kind == ContentKind::package) release_again(it->second, receiving.package, out);
    return;
  }
  contents_.emplace(digest, Content{.kind = receiving.kind,
                                    .package = receiving.package,
                                    .encoding = arrived.encoding,
                                    .encoded_bytes = arrived.encoded_bytes,
                                    .brought_by = receiving.from,
                                    .transfer = receiving.id,
                                    .stored = now});
  out.push_back(SaveContent{digest});
  if (receiving.kind == ContentKind::package) out.push_back(PublishPackage{digest});
}

void Transfers::on(const ContentRefused& input, Time, Effects& out) {
  finishing_.erase(input.id);
  const auto it = receivings_.find(input.id);
  if (it == receivings_.end()) return;
  if (input.error.code == Code::unavailable) return;  // our disk: the sender's next word tries again
  const auto receiving = it->second;
  drop(input.id, out);
  out.push_back(AckEnded{receiving, describe(input.error)});
}

void Transfers::drop(const TransferId& id, Effects& out) {
  receivings_.erase(id);
  out.push_back(CloseReceiving{id});
  out.push_back(DropReceiving{id});
}

std::size_t Transfers::receiving_from(const Party& from) const {
  return static_cast<std::size_t>(
      std::count_if(receivings_.begin(), receivings_.end(), [&](const auto& one) { return one.second.from == from; }));
}

std::optional<Error> Transfers::room_for(const Party& from) const {
  if (receivings_.size() < limits_.live_max && receiving_from(from) < limits_.party_max) return std::nullopt;
  return Error{Code::unavailable, "too many transfers at once; try again later"};
}

}  // namespace fieldwork::transfer
