// Effects to rows, messages and files.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "codec/device.hpp"
#include "codec/transfer.hpp"
#include "crypto/seal.hpp"
#include "runtime/log.hpp"
#include "runtime/metrics.hpp"
#include "transfer/shell/rows.hpp"
#include "transfer/shell/service.hpp"

namespace fieldwork::transfer {

void TransferService::take(const Input& input, Time now, runtime::Output& out) {
  inputs_.push_back(input);
  if (stepping_) return;
  stepping_ = true;
  for (; !inputs_.empty(); inputs_.pop_front()) {
    for (const auto& effect : core_->step(inputs_.front(), now)) {
      std::visit([&](const auto& one) { act(one, now, out); }, effect);
    }
  }
  stepping_ = false;
}

void TransferService::act(const BeginSending& effect, Time now, runtime::Output& out) {
  const auto& sending = *core_->sending(effect.id);
  const auto& content = *core_->content(sending.digest);
  auto key = crypto::generate_content_key();
  auto offer = exchange::make_offer(effect.id, sending.digest, content.package.size_bytes, content.encoding,
                                    content.encoded_bytes, settings_.frame_bytes, key, effect.certificate,
                                    content.package.release);
  if (!offer) return take(OfferFailed{effect.id, describe(offer.error()), effect.asker}, now, out);
  log::info("transfer begins", {{"transfer", effect.id.value},
                                {"to", sending.to.name},
                                {"digest", sending.digest},
                                {"attempt", std::to_string(sending.attempt)}});
  take(OfferMade{effect.id, std::move(*offer), std::move(key), effect.asker}, now, out);
}

void TransferService::act(const OpenSending& effect, Time now, runtime::Output&) {
  const auto& sending = *core_->sending(effect.id);
  auto acked = content::Ranges::parse(sending.acked, static_cast<std::uint64_t>(sending.offer.encoded_bytes));
  const content::SenderConfig config{.window_bytes = settings_.window_bytes};
  auto opened = exchange::Outbound::open(sending.offer, sending.content_key,
                                         settings_.store.encoded(sending.digest, sending.offer.encoding),
                                         acked ? std::move(*acked) : content::Ranges{}, config, now);
  if (opened) {
    outbounds_.insert_or_assign(effect.id, std::move(*opened));
  } else {
    log::error("stored content cannot be sent", {{"transfer", effect.id.value}, {"reason", describe(opened.error())}});
    broken_.push_back(effect.id);
  }
}

void TransferService::act(const AskedAgain& effect, Time now, runtime::Output&) {
  if (const auto it = outbounds_.find(effect.id); it != outbounds_.end()) it->second.asked_again(now);
}

void TransferService::act(const CloseSending& effect, Time, runtime::Output&) { outbounds_.erase(effect.id); }

void TransferService::act(const SendOffer& effect, Time, runtime::Output& out) {
  const auto* sending = core_->sending(effect.id);
  if (sending == nullptr || sending->state != SendingState::sending) return;
  const auto text = codec::encode(sending->offer);
  if (sending->to.kind == Party::Kind::device) {
    out.messages.push_back({.topic = topics_.down(sending->to.name, "offer"), .payload = text});
  } else if (effect.asker && !effect.asker->answer.empty()) {
    out.messages.push_back({.topic = effect.asker->answer, .payload = text, .correlation = effect.asker->correlation});
  } else {
    out.messages.push_back({.topic = topics_.reply(sending->reply, "offer"), .payload = text});
  }
}

void TransferService::act(const SayNotOffered& effect, Time, runtime::Output& out) {
  if (effect.to.party.kind == Party::Kind::client) {
    return answer(effect.to, codec::encode_error({Code::unknown, effect.reason, "/digest"}), out);
  }
  out.messages.push_back({.topic = topics_.down(effect.to.party.name, "offer"),
                          .payload = codec::encode(codec::NotOffered{effect.digest, effect.reason})});
}

void TransferService::act(const Reject& effect, Time now, runtime::Output& out) {
  reject(effect.to, effect.error, now, out);
}

void TransferService::act(const SaveSending& effect, Time, runtime::Output&) { unsaved_sendings_.insert(effect.id); }
void TransferService::act(const DropSending& effect, Time, runtime::Output&) { unsaved_sendings_.insert(effect.id); }
void TransferService::act(const PublishSending& effect, Time, runtime::Output&) { unsaid_sendings_.insert(effect.id); }

void TransferService::act(const ClearSending& effect, Time, runtime::Output& out) {
  out.messages.push_back({.topic = topics_.state("transfer", effect.id.value), .payload = "", .retain = true});
}

void TransferService::act(const SayEnded& effect, Time, runtime::Output& out) {
  const auto& sending = *core_->sending(effect.id);
  const char* event = sending.state == SendingState::complete ? "finished" : "failed";
  log::info(std::string("transfer ") + event,
            {{"transfer", effect.id.value}, {"to", sending.to.name}, {"reason", sending.reason}});
  metrics::count("fieldwork_transfers_ended_total", {{"event", event}});
  const codec::Json json{{"v", 1}, {"transfer", effect.id.value}, {"event", event}, {"reason", sending.reason}};
  out.messages.push_back({.topic = topics_.event("transfer", effect.id.value), .payload = codec::dump(json)});
}

void TransferService::act(const AnswerUpload& effect, Time, runtime::Output& out) {
  answer(effect.to, {{"v", 1}, {"transfer", effect.id.value}, {"certificate", settings_.certificate.to_pem()}}, out);
}

void TransferService::act(const AnswerStored& effect, Time, runtime::Output& out) {
  const auto& party = effect.to.party;
  if (party.kind == Party::Kind::client) return answer(effect.to, {{"v", 1}, {"state", "stored"}}, out);
  out.messages.push_back(
      {.topic = topics_.down(party.name, "output"), .payload = codec::encode(codec::OutputStored{effect.digest, ""})});
}

void TransferService::act(const RefuseOutput& effect, Time, runtime::Output& out) {
  const auto& device = effect.to.party.name;
  log::warn("output refused", {{"device", device}, {"digest", effect.digest}, {"reason", effect.reason}});
  metrics::count("fieldwork_outputs_refused_total");
  out.messages.push_back({.topic = topics_.down(device, "output"),
                          .payload = codec::encode(codec::OutputStored{effect.digest, effect.reason})});
}

void TransferService::act(const AskOutput& effect, Time, runtime::Output& out) {
  const codec::Want want{effect.digest, settings_.certificate.to_pem()};
  out.messages.push_back({.topic = topics_.down(effect.from.party.name, "want"), .payload = codec::encode(want)});
}

void TransferService::act(const OpenReceiving& effect, Time now, runtime::Output& out) {
  const auto& receiving = *core_->receiving(effect.id);
  if (const auto it = inbounds_.find(effect.id); it != inbounds_.end()) {
    if (auto saved = it->second.checkpoint(); !saved) log::warn("no checkpoint", {{"reason", describe(saved.error())}});
    inbounds_.erase(it);
  }
  if (std::filesystem::exists(settings_.store.plain(receiving.offer.digest))) {
    all_received_.push_back(effect.id);
    return act(AnswerFinishing{effect.asker, effect.id}, now, out);
  }
  auto opened = exchange::Inbound::open(receiving.offer, settings_.key, settings_.certificate.fingerprint(),
                                        settings_.store.incoming(), settings_.limits.content_bytes_max);
  if (!opened) {
    log::error("cannot receive", {{"transfer", effect.id.value}, {"reason", describe(opened.error())}});
    if (!effect.asker.channel.empty()) reject(effect.asker, opened.error(), now, out);
    return;
  }
  const auto& inbound = inbounds_.insert_or_assign(effect.id, std::move(*opened)).first->second;
  if (receiving.from.kind == Party::Kind::client) {
    answer(effect.asker, {{"v", 1}, {"transfer", effect.id.value}, {"ranges", inbound.received().ranges}}, out);
  }
  if (inbound.complete()) all_received_.push_back(effect.id);
}

void TransferService::act(const AnswerFinishing& effect, Time, runtime::Output& out) {
  const auto& receiving = *core_->receiving(effect.id);
  Received all{.transfer = effect.id};
  all.ranges = {{0, static_cast<std::uint64_t>(receiving.offer.encoded_bytes)}};
  if (receiving.from.kind == Party::Kind::client) {
    return answer(effect.asker, {{"v", 1}, {"transfer", effect.id.value}, {"ranges", all.ranges}}, out);
  }
  say_received(receiving, all, 0, out);
}

void TransferService::act(const FinishReceiving& effect, Time now, runtime::Output& out) {
  std::shared_ptr<exchange::Inbound> inbound;  // none where the content is in its place
  if (const auto it = inbounds_.find(effect.id); it != inbounds_.end()) {
    inbound = std::make_shared<exchange::Inbound>(std::move(it->second));
    inbounds_.erase(it);
  }
  const auto offer = core_->receiving(effect.id)->offer;
  const auto path = settings_.store.plain(offer.digest);
  if (!worker_ || offer.size_bytes <= settings_.inline_bytes_max) {
    const auto encoded = keep(inbound.get(), offer, path);
    return finished(effect.id, std::move(inbound), encoded, now, out);
  }
  worker_->run([this, id = effect.id, inbound, offer, path] {
    auto encoded = keep(inbound.get(), offer, path);
    post_.task([this, id, inbound, encoded = std::move(encoded)](Time then, runtime::Output& output) {
      finished(id, inbound, encoded, then, output);
    });
  });
}

void TransferService::act(const CloseReceiving& effect, Time, runtime::Output&) {
  inbounds_.erase(effect.id);
  settings_.store.discard(effect.id);
}

void TransferService::act(const SaveReceiving& effect, Time, runtime::Output&) {
  unsaved_receivings_.insert(effect.id);
}
void TransferService::act(const DropReceiving& effect, Time, runtime::Output&) {
  unsaved_receivings_.insert(effect.id);
}

void TransferService::act(const AckEnded& effect, Time, runtime::Output& out) {
  const auto& receiving = effect.receiving;
  Received last{.transfer = receiving.id};
  last.state = effect.error.empty() ? ReceivedState::complete : ReceivedState::failed;
  last.reason = effect.error;
  if (effect.error.empty()) last.ranges = {{0, static_cast<std::uint64_t>(receiving.offer.encoded_bytes)}};
  if (effect.asker && receiving.from.kind == Party::Kind::client) {
    answer(*effect.asker, {{"v", 1}, {"transfer", receiving.id.value}, {"ranges", last.ranges}}, out);
  }
  say_received(receiving, last, 1, out);
}

void TransferService::act(const SaveContent& effect, Time, runtime::Output&) {
  unsaved_contents_.insert(effect.digest);
}

void TransferService::act(const DropContent& effect, Time, runtime::Output& out) {
  unsaved_contents_.insert(effect.digest);
  log::info("content pruned", {{"digest", effect.digest}});
  out.acts.push_back([this, digest = effect.digest] {
    const auto& receivings = core_->receivings();
    const bool comes_back = std::any_of(receivings.begin(), receivings.end(),
                                        [&](const auto& one) { return one.second.package.digest == digest; });
    if (core_->content(digest) == nullptr && !comes_back) settings_.store.remove(digest);
  });
}

void TransferService::act(const SaveName& effect, Time, runtime::Output& out) {
  const auto& name = *core_->name(effect.name);
  out.upsert("name", name.of.name + "@" + name.of.version, to_row(name));
}

void TransferService::act(const PublishPackage& effect, Time, runtime::Output&) {
  unsaid_packages_.insert(effect.digest);
}

}  // namespace fieldwork::transfer
