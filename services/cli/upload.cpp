#include "upload.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "codec/transfer.hpp"
#include "crypto/certificate.hpp"
#include "crypto/seal.hpp"
#include "exchange/outbound.hpp"
#include "view.hpp"

namespace fieldwork::cli {
namespace {

constexpr std::int64_t frame_bytes = 65'536;
constexpr std::chrono::seconds ask_again_after{5};  // of silence
constexpr std::chrono::milliseconds look_every{200};

Time now() { return Time{std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch())}; }

class Upload {
 public:
  Upload(Session& session, const Packed& packed, Progress& progress)
      : session_(session), packed_(packed), progress_(progress) {}

  Outcome<std::int64_t> run(std::chrono::seconds silence);

 private:
  Outcome<bool> begin();  // true: the service has it
  Outcome<bool> offer(const std::string& transfer, const std::string& certificate);
  Outcome<bool> start();
  Outcome<crypto::Certificate> checked(const std::string& pem) const;
  void send();
  void listen();
  [[nodiscard]] std::int64_t sent() const {
    return sent_before_ + (outbound_ ? static_cast<std::int64_t>(outbound_->sent_bytes()) : 0);
  }

  Session& session_;
  const Packed& packed_;
  Progress& progress_;
  std::optional<exchange::Encoded> encoded_;
  std::optional<exchange::Outbound> outbound_;
  std::string receiver_;  // fingerprint
  std::int64_t sent_before_ = 0;
  std::uint64_t connects_ = 0;
};

Outcome<std::int64_t> Upload::run(std::chrono::seconds silence) {
  const auto denied = session_.stats().denied;
  auto stored = begin();
  if (!stored) return stored.failure();
  if (*stored) return sent();
  auto heard = now();
  auto asked = heard;
  while (!outbound_->finished()) {
    if (outbound_->failed()) return Failure{Exit::failed, "the transfer service gave up: " + outbound_->reason()};
    if (auto stop = session_.stopped(denied)) return *stop;
    heard = std::max(heard, outbound_->heard());
    if (now() - heard > silence) {
      return Failure{Exit::timed_out, "nothing heard from the transfer service for " + std::to_string(silence.count()) +
                                          " s. Push again to go on, or try fieldwork doctor"};
    }
    const bool reconnected = session_.stats().connects != connects_;
    if (session_.connected() && (reconnected || now() - std::max(heard, asked) > ask_again_after)) {
      stored = begin();
      if (stored && *stored) return sent();
      const bool passing =
          !stored && (stored.failure().exit == Exit::timed_out || stored.failure().exit == Exit::unreachable);
      if (!stored && !passing) return stored.failure();
      asked = now();
    }
    send();
    listen();
  }
  return sent();
}

Outcome<bool> Upload::begin() {
  connects_ = session_.stats().connects;
  auto answer = session_.request("transfer", "offer",
                                 {{"digest", packed_.digest},
                                  {"size_bytes", packed_.size_bytes},
                                  {"name", packed_.name},
                                  {"version", packed_.version},
                                  {"release", packed_.release}});
  if (!answer) return answer.failure();
  if (text_of(*answer, "state") == "stored") return true;
  auto offered = offer(text_of(*answer, "transfer"), text_of(*answer, "certificate"));
  if (!offered) return offered.failure();
  return start();
}

Outcome<crypto::Certificate> Upload::checked(const std::string& pem) const {
  auto certificate = crypto::Certificate::from_pem(pem);
  if (!certificate)
    return Failure{Exit::failed, "the transfer service's certificate: " + describe(certificate.error())};
  const auto& settings = session_.settings();
  if (settings.mqtt.ca.empty()) {
    say("warning: without TLS (" + settings.url_origin + ") nobody vouches for the transfer service's certificate");
    return *certificate;
  }
  auto authority = crypto::CertificateAuthority::load(settings.mqtt.ca);
  if (!authority) return Failure{Exit::usage, settings.ca_origin + ": " + describe(authority.error())};
  const auto verified = authority->verify(*certificate, std::chrono::system_clock::now());
  if (verified && certificate->common_name() == "transfer") return *certificate;
  const auto why = verified ? "it is of '" + certificate->common_name() + "'" : describe(verified.error());
  return Failure{Exit::denied, "what answers is not the transfer service: its certificate was refused (" + why + "; " +
                                   settings.ca_origin + "). Nothing was sent"};
}

// Makes a new offer, unless the one that we have still stands.
Outcome<bool> Upload::offer(const std::string& transfer, const std::string& pem) {
  auto certificate = checked(pem);
  if (!certificate) return certificate.failure();
  if (outbound_ && outbound_->offer().transfer.value == transfer && receiver_ == certificate->fingerprint())
    return true;
  if (!encoded_) {
    auto encoded = exchange::encode_beside(packed_.path);
    if (!encoded) return Failure{Exit::failed, describe(encoded.error())};
    encoded_ = std::move(*encoded);
  }
  auto key = crypto::generate_content_key();
  auto made = exchange::make_offer(TransferId(transfer), packed_.digest, packed_.size_bytes, encoded_->encoding,
                                   encoded_->encoded_bytes, frame_bytes, key, *certificate, packed_.release);
  if (!made) return Failure{Exit::failed, "the transfer service's answer: " + describe(made.error())};
  auto opened = exchange::Outbound::open(*made, std::move(key), encoded_->path, {}, {}, now());
  if (!opened) return Failure{Exit::failed, describe(opened.error())};
  sent_before_ = sent();
  outbound_ = std::move(*opened);
  receiver_ = certificate->fingerprint();
  return true;
}

// The answer says what is there already.
Outcome<bool> Upload::start() {
  auto offer = codec::parse(codec::encode(outbound_->offer()));
  if (!offer) return Failure{Exit::failed, describe(offer.error())};
  auto answer = session_.request("transfer", "start", std::move(*offer));
  if (!answer) return answer.failure();
  if (text_of(*answer, "state") == "stored") return true;
  Received received{.transfer = outbound_->offer().transfer};
  for (const auto& range : list_of(*answer, "ranges")) {
    const bool pair =
        range.is_array() && range.size() == 2 && range[0].is_number_unsigned() && range[1].is_number_unsigned();
    if (!pair) return Failure{Exit::failed, "the transfer service answered with ranges that are none"};
    const auto begin = range[0].get<std::uint64_t>();
    const auto end = range[1].get<std::uint64_t>();
    if (begin < end) received.ranges.emplace_back(begin, end);
  }
  outbound_->asked_again(now());
  outbound_->received(received, now());
  return false;
}

void Upload::send() {
  if (!session_.connected()) return;
  const auto topic = session_.topics().service("transfer", "frame", session_.settings().from);
  for (auto& frame : outbound_->due(now())) (void)session_.publish({topic, std::move(frame)});
}

void Upload::listen() {
  const auto due = outbound_->next_due();
  const auto wait = due ? std::clamp<Duration>(*due - now(), Duration(1000), look_every) : Duration(look_every);
  auto until = Session::Clock::now() + wait;
  while (auto message = session_.next(until)) {
    const auto topic = session_.topics().parse(message->topic);
    if (!topic || topic->kind != Topic::Kind::reply || topic->channel != "received") continue;
    if (const auto received = codec::decode_received(message->payload)) outbound_->received(*received, now());
    until = Session::Clock::now();  // take what else is here, then send again
  }
  progress_.show("sending " + packed_.name + "@" + packed_.version, static_cast<std::int64_t>(outbound_->acked_bytes()),
                 static_cast<std::int64_t>(outbound_->total_bytes()));
}

}  // namespace

Outcome<std::int64_t> upload(Session& session, const Packed& packed, std::chrono::seconds silence, Progress& progress) {
  return Upload(session, packed, progress).run(silence);
}

}  // namespace fieldwork::cli
