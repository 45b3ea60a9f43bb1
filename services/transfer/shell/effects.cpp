// Effects to rows, messages and files.
#include <nlohmann/json.hpp>

#include "codec/device.hpp"
#include "codec/transfer.hpp"
#include "crypto/seal.hpp"
#include "runtime/log.hpp"
#include "runtime/metrics.hpp"
#include "transfer/shell/service.hpp"

namespace fieldwork::transfer {

void TransferService::take(const Input& input, Time now, runtime::Output& out) {
  for (const auto& effect : core_->step(input, now)) {
    std::visit([&](const auto& one) { act(one, now, out); }, effect);
  }
}

void TransferService::act(const BeginSending& effect, Time now, runtime::Output& out) {
  const auto& sending = *core_->sending(effect.id);
  const auto& content = *core_->content(sending.digest);
  auto key = crypto::generate_content_key();
  auto offer = exchange::make_offer(effect.id, sending.digest, content.package.size_bytes, content.encoding,
                                    content.encoded_bytes, settings_.frame_bytes, key, effect.certificate,
                                    content.package.release);
  if (!offer) return take(OfferFailed{effect.id, describe(offer.error())}, now, out);
  log::info("transfer begins", {{"transfer", effect.id.value},
                                {"to", sending.to.name},
                                {"digest", sending.digest},
                                {"attempt", std::to_string(sending.attempt)}});
  take(OfferMade{effect.id, std::move(*offer), std::move(key)}, now, out);
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
  } else if (request_ && request_->party == sending->to && !request_->answer_topic.empty()) {
    out.messages.push_back({.topic = request_->answer_topic, .payload = text, .correlation = request_->correlation});
  } else {
    out.messages.push_back({.topic = topics_.reply(sending->reply, "offer"), .payload = text});
  }
}

void TransferService::act(const SayNotOffered& effect, Time, runtime::Output& out) {
  if (effect.to.kind == Party::Kind::client) {
    return answer(codec::encode_error({Code::unknown, effect.reason, "/digest"}), out);
  }
  out.messages.push_back({.topic = topics_.down(effect.to.name, "offer"),
                          .payload = codec::encode(codec::NotOffered{effect.digest, effect.reason})});
}

void TransferService::act(const Reject& effect, Time now, runtime::Output& out) {
  reject(effect.to, effect.channel, effect.error, now, out);
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
  answer({{"v", 1}, {"transfer", effect.id.value}, {"certificate", settings_.certificate.to_pem()}}, out);
}

void TransferService::act(const AnswerStored& effect, Time, runtime::Output& out) {
  if (effect.to.kind == Party::Kind::client) return answer({{"v", 1}, {"state", "stored"}}, out);
  out.messages.push_back(
      {.topic = topics_.down(effect.to.name, "output"), .payload = codec::encode(codec::OutputStored{effect.digest})});
}

void TransferService::act(const AskOutput& effect, Time, runtime::Output& out) {
  const codec::Want want{effect.digest, settings_.certificate.to_pem()};
  out.messages.push_back({.topic = topics_.down(effect.from.name, "want"), .payload = codec::encode(want)});
}

void TransferService::act(const OpenReceiving& effect, Time now, runtime::Output& out) {
  const auto& receiving = *core_->receiving(effect.id);
  if (const auto it = inbounds_.find(effect.id); it != inbounds_.end()) {
    if (auto saved = it->second.checkpoint(); !saved) log::warn("no checkpoint", {{"reason", describe(saved.error())}});
    inbounds_.erase(it);
  }
  if (std::filesystem::exists(settings_.store.plain(receiving.offer.digest))) {
    all_received_.push_back(effect.id);
    return act(AnswerFinishing{effect.id}, now, out);
  }
  auto opened = exchange::Inbound::open(receiving.offer, settings_.key, settings_.certificate.fingerprint(),
                                        settings_.store.incoming(), settings_.limits.content_bytes_max);
  if (!opened) {
    log::error("cannot receive", {{"transfer", effect.id.value}, {"reason", describe(opened.error())}});
    if (request_) reject(receiving.from, request_->channel, opened.error(), now, out);
    return;
  }
  const auto& inbound = inbounds_.insert_or_assign(effect.id, std::move(*opened)).first->second;
  if (receiving.from.kind == Party::Kind::client) {
    answer({{"v", 1}, {"transfer", effect.id.value}, {"ranges", inbound.received().ranges}}, out);
  }
  if (inbound.complete()) all_received_.push_back(effect.id);
}

void TransferService::act(const AnswerFinishing& effect, Time, runtime::Output& out) {
  const auto& receiving = *core_->receiving(effect.id);
  Received all{.transfer = effect.id};
  all.ranges = {{0, static_cast<std::uint64_t>(receiving.offer.encoded_bytes)}};
  if (receiving.from.kind == Party::Kind::client) {
    return answer({{"v", 1}, {"transfer", effect.id.value}, {"ranges", all.ranges}}, out);
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
  if (receiving.from.kind == Party::Kind::client && request_ && request_->channel == "start") {
    answer({{"v", 1}, {"transfer", receiving.id.value}, {"ranges", last.ranges}}, out);
  }
  say_received(receiving, last, 1, out);
}

void TransferService::act(const SaveContent& effect, Time, runtime::Output&) {
  unsaved_contents_.insert(effect.digest);
}

void TransferService::act(const PublishPackage& effect, Time, runtime::Output& out) {
  out.messages.push_back({.topic = topics_.state("package", effect.digest.substr(7)),
                          .payload = codec::dump(codec::encode(core_->content(effect.digest)->package)),
                          .retain = true});
}

}  // namespace fieldwork::transfer
