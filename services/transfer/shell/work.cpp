// The work on keys and files that the core wants. Its outcome is an input of a later batch.
#include <sys/resource.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "crypto/sealed.hpp"
#include "runtime/log.hpp"
#include "transfer/shell/service.hpp"

namespace fieldwork::transfer {

namespace {

// A tenth of what others get. Less would hold up who has to wait for the end of its present slice.
constexpr int ahead_nice = 10;

Input outcome_of(const MakeEncoding& work, Result<SealedEncoding> done, Time at) {
  const auto what =
      std::string(content::name(work.making.encoding.kind)) + " " + std::to_string(work.making.encoding.level);
  if (!done) {
    log::info("an encoding is not made",
              {{"digest", work.making.digest}, {"encoding", what}, {"reason", describe(done.error())}});
    return EncodingFailed{work.making, describe(done.error()), work.ahead};
  }
  log::info(work.ahead ? "an encoding is made ahead" : "an encoding is made",
            {{"digest", work.making.digest}, {"encoding", what}, {"bytes", std::to_string(done->encoded.bytes)}});
  done->made = done->used = at;
  return EncodingMade{std::move(*done), work.ahead};
}

}  // namespace

// Reads the encoded file once: on the thread for encodings, unless there is none.
void TransferService::act(const MakeEncoding& work, Time now, runtime::Output&) {
  const auto stop = std::make_shared<std::atomic<bool>>(false);
  const auto made = [this, work, stop, id = settings_.fresh_id().value]() -> Result<SealedEncoding> {
    const auto& [digest, encoding, cipher_name] = work.making;
    const auto cipher = crypto::cipher_named(cipher_name);
    if (!cipher) return cipher.error();
    auto encoded = settings_.store.make(work, settings_.encoding_threads, *stop);
    if (!encoded) return encoded.error();
    SealedEncoding out{id, digest, std::move(*encoded), cipher_name, work.epoch};
    auto sealing = exchange::seal(file_of(out), digest, work.size_bytes, id, work.epoch, *cipher, settings_.key,
                                  settings_.certificate);
    if (!sealing) return sealing.error();
    out.key = std::move(sealing->key);
    out.header = std::move(sealing->header);
    return out;
  };
  if (!encoder_) return later(outcome_of(work, made(), now));
  if (work.ahead) return encode_ahead(work, made, stop, now);
  encode(work, made, stop);
}

// Two never write one file: what is made ahead stops first.
void TransferService::encode(const MakeEncoding& work, std::function<Result<SealedEncoding>()> made,
                             std::shared_ptr<std::atomic<bool>> stop) {
  std::shared_future<void> before;
  if (ahead_ && ahead_->making.digest == work.making.digest && ahead_->making.encoding == work.making.encoding) {
    before = ahead_->done;
    *ahead_->stop = true;
  }
  making_.push_back({std::move(stop), work.at_most, before});
  encoder_->run([this, work, made = std::move(made), before] {
    if (before.valid()) before.wait();
    post_.task([this, work, done = made()](Time at, runtime::Output&) { step(outcome_of(work, done, at), at); });
  });
}

void TransferService::encode_ahead(const MakeEncoding& work, std::function<Result<SealedEncoding>()> made,
                                   std::shared_ptr<std::atomic<bool>> stop, Time now) {
  const auto done = std::make_shared<std::promise<void>>();
  ahead_ = Ahead{work.making, std::move(stop), done->get_future().share(), now + work.at_most};
  ahead_encoder_->run([this, work, made = std::move(made), done] {
    setpriority(PRIO_PROCESS, 0, ahead_nice);  // of this thread; if it fails, its priority is the usual one
    auto outcome = made();
    done->set_value();
    post_.task([this, work, outcome = std::move(outcome)](Time at, runtime::Output&) {
      ahead_.reset();
      step(outcome_of(work, outcome, at), at);
    });
  });
}

// One is made at a time, in sequence: its time begins when it is the first.
void TransferService::give_up_making(Time now) {
  while (!making_.empty() && making_.front().stop.use_count() == 1) making_.pop_front();  // it is done
  if (ahead_ && now > ahead_->until) *ahead_->stop = true;
  if (making_.empty()) return;
  auto& first = making_.front();
  const bool waits = first.before.valid() && first.before.wait_for(seconds(0)) != std::future_status::ready;
  if (waits) return;
  if (!first.began) first.began = now;
  if (now - *first.began > first.at_most) *first.stop = true;
}

void TransferService::act(const RemoveEncoding& work, Time, runtime::Output& out) {
  out.acts.push_back([this, one = work.encoding] {
    if (!core_->has_encoding(one)) settings_.store.remove(one.digest, one.encoded.encoding);
  });
}

void TransferService::act(const MakeOffer& work, Time, runtime::Output&) {
  const auto& content = work.content;
  const auto& encoding = work.encoding;
  const auto sealing = sealing_of(encoding, content.package);
  const auto offer = exchange::make_offer(work.id, content.package.digest, content.package.size_bytes,
                                          file_of(encoding), sealing, work.certificate, content.package.release);
  if (!offer) return later(OfferFailed{work.id, describe(offer.error()), work.asker});
  log::info("transfer begins", {{"transfer", work.id.value},
                                {"to", work.to.name},
                                {"digest", content.package.digest},
                                {"encoding", encoding.encoded.encoding.kind == content::EncodingKind::identity
                                                 ? "identity"
                                                 : content::name(encoding.encoded.encoding.kind) +
                                                       (" " + std::to_string(encoding.encoded.encoding.level))},
                                {"encoded_bytes", std::to_string(encoding.encoded.bytes)},
                                {"attempt", std::to_string(work.attempt)},
                                {"public", sealing.is_public ? "true" : "false"}});
  later(OfferMade{work.id, *offer, work.asker});
}

exchange::Encoded TransferService::file_of(const SealedEncoding& encoding) const {
  const auto& what = encoding.encoded.encoding;
  return {content::name(what.kind), settings_.store.encoded(encoding.digest, what), encoding.encoded.bytes,
          encoding.encoded.digest, what.base};
}

exchange::Sealing TransferService::sealing_of(const SealedEncoding& encoding, const Package& package) const {
  const auto cipher = crypto::cipher_named(encoding.cipher);
  return {encoding.id,
          encoding.epoch,
          cipher ? *cipher : crypto::Cipher::aes_256_gcm,
          encoding.key,
          encoding.header,
          settings_.certificate.to_pem(),
          settings_.public_packages.has(package)};
}

content::SenderConfig TransferService::sender_config(const Sending& sending) const {
  return {.link = sending.link,
          .retry = content::retry_of(class_of(sending.priority)),
          .pace = {.window_max = settings_.window_bytes},
          .frame_bytes_max = settings_.frame_bytes_max,
          .seed = std::hash<std::string>{}(sending.id.value)};
}

void TransferService::act(const OpenSending& work, Time now, runtime::Output&) {
  if (!work.shared || !join(work, now)) open_alone(work.sending, work.encoding, now);
}

void TransferService::open_alone(const Sending& sending, const SealedEncoding& encoding, Time now) {
  auto acked = content::Ranges::parse(sending.acked, static_cast<std::uint64_t>(sending.offer.encoded_bytes));
  auto opened = exchange::Outbound::open(sending.offer, encoding.key,
                                         settings_.store.encoded(sending.digest, encoding.encoded.encoding),
                                         acked ? std::move(*acked) : content::Ranges{}, sender_config(sending), now);
  if (opened) {
    outbounds_.insert_or_assign(sending.id, std::move(*opened));
    return;
  }
  log::error("stored content cannot be sent", {{"transfer", sending.id.value}, {"reason", describe(opened.error())}});
  const auto* content = core_->content(sending.digest);
  if (content != nullptr && !settings_.store.holds(*content)) return lose(sending.digest);
  later(SendingBroke{sending.id, "the stored content cannot be read"});
}

void TransferService::act(const AskedAgain& work, Time now, runtime::Output&) {
  leave_group(work.id, now);
  if (const auto it = outbounds_.find(work.id); it != outbounds_.end()) it->second.asked_again(now);
}

void TransferService::act(const PaceSending& work, Time, runtime::Output&) {
  if (const auto it = group_of_.find(work.id); it != group_of_.end()) {
    auto& group = groups_.at(it->second);
    group.limits[work.id] = work.bit_per_s_max;
    group.relimit = true;
  }
  if (const auto it = outbounds_.find(work.id); it != outbounds_.end()) it->second.limit(work.bit_per_s_max);
}

void TransferService::act(const LinkSending& work, Time now, runtime::Output&) {
  if (!work.up) leave_group(work.id, now);
  if (const auto it = outbounds_.find(work.id); it != outbounds_.end()) it->second.link(work.up, now);
}

void TransferService::act(const CloseSending& work, Time, runtime::Output&) {
  leave(work.id);
  outbounds_.erase(work.id);
}

// A repeated offer leaves the transfer as it is: on a full disk there is no checkpoint from which it could be opened
// again.
void TransferService::act(const OpenReceiving& work, Time now, runtime::Output& out) {
  const auto& receiving = work.receiving;
  const bool here = std::filesystem::exists(settings_.store.plain(receiving.offer.digest));
  auto it = inbounds_.find(receiving.id);
  const bool repeated = it != inbounds_.end() && !here && it->second.offer() == receiving.offer;
  if (here) {
    inbounds_.erase(receiving.id);
    later(AllReceived{receiving.id});
    if (work.asker) say(AnswerFinishing{*work.asker, receiving}, now, out);
    return;
  }
  if (!repeated) {
    auto opened = exchange::Inbound::open(receiving.offer, settings_.key, settings_.certificate.fingerprint(),
                                          settings_.store.incoming(), settings_.limits.content_bytes_max, {},
                                          it != inbounds_.end() ? &it->second : nullptr);
    if (!opened) {
      inbounds_.erase(receiving.id);
      log::error("cannot receive", {{"transfer", receiving.id.value}, {"reason", describe(opened.error())}});
      if (work.asker) reject(*work.asker, opened.error(), now, out);
      return;
    }
    it = inbounds_.insert_or_assign(receiving.id, std::move(*opened)).first;
  }
  const auto& inbound = it->second;
  if (work.asker && receiving.from.kind == Party::Kind::client) {
    answer(*work.asker, {{"v", 1}, {"transfer", receiving.id.value}, {"ranges", inbound.received().ranges}}, out);
  } else if (repeated) {
    say_received(receiving, inbound.received(), 0, out);
  }
  later(ReceivingOpened{receiving.id, static_cast<std::int64_t>(inbound.received_bytes())});
  if (inbound.complete()) later(AllReceived{receiving.id});
}

void TransferService::act(const FinishReceiving& work, Time, runtime::Output&) {
  std::shared_ptr<exchange::Inbound> inbound;  // none: the content is in its place already
  if (const auto it = inbounds_.find(work.id); it != inbounds_.end()) {
    inbound = std::make_shared<exchange::Inbound>(std::move(it->second));
    inbounds_.erase(it);
  }
  const auto path = settings_.store.plain(work.offer.digest);
  if (!worker_ || work.offer.size_bytes <= settings_.inline_bytes_max) {
    const auto encoded = keep(inbound.get(), work.offer, path);
    return later(finished(work.id, std::move(inbound), encoded));
  }
  worker_->run([this, id = work.id, inbound, offer = work.offer, path] {
    auto encoded = keep(inbound.get(), offer, path);
    post_.task([this, id, inbound, encoded = std::move(encoded)](Time now, runtime::Output&) {
      step(finished(id, inbound, encoded), now);
    });
  });
}

Input TransferService::finished(const TransferId& id, std::shared_ptr<exchange::Inbound> inbound,
                                const Result<exchange::Encoded>& encoded) {
  if (encoded) return ContentArrived{id, encoded->encoding, encoded->encoded_bytes};
  const bool disk = encoded.error().code == Code::unavailable;
  log::warn(disk ? "content cannot be stored yet; it is tried again" : "content refused",
            {{"transfer", id.value}, {"reason", describe(encoded.error())}});
  if (inbound && disk) inbounds_.insert_or_assign(id, std::move(*inbound));
  return ContentRefused{id, encoded.error()};
}

void TransferService::act(const CloseReceiving& work, Time, runtime::Output&) {
  inbounds_.erase(work.id);
  settings_.store.discard(work.id);
}

void TransferService::act(const RemoveContent& work, Time, runtime::Output& out) {
  out.acts.push_back([this, digest = work.digest] {
    const auto& receivings = core_->receivings();
    const bool comes_back = std::any_of(receivings.begin(), receivings.end(),
                                        [&](const auto& one) { return one.second.package.digest == digest; });
    if (core_->content(digest) == nullptr && !comes_back) settings_.store.remove(digest);
  });
}

// Steps the input in the next batch, which begins at once.
void TransferService::later(Input input) {
  outcomes_.push_back(std::move(input));
  if (running_ && outcomes_.size() == 1 && post_.task) post_.task([](Time, runtime::Output&) {});
}

}  // namespace fieldwork::transfer
