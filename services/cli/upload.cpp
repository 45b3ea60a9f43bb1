#include "upload.hpp"

#include <algorithm>
#include <deque>
#include <nlohmann/json.hpp>

#include "codec/transfer.hpp"
#include "crypto/certificate.hpp"
#include "crypto/sealed.hpp"
#include "exchange/deliver.hpp"
#include "exchange/drive.hpp"
#include "exchange/outbound.hpp"
#include "exchange/sealing.hpp"
#include "view.hpp"

namespace fieldwork::cli {
namespace {

namespace deliver = exchange::deliver;
constexpr std::chrono::milliseconds look_at_upload_every{200};

bool passing(const Failure& failure) { return failure.exit == Exit::timed_out || failure.exit == Exit::unreachable; }

// Runs one delivery: the core decides (exchange/deliver.hpp); this class asks, opens the file and publishes frames.
class Upload {
 public:
  Upload(Session& session, const Packed& packed, std::chrono::seconds silence, Progress& progress)
      : session_(session),
        packed_(packed),
        silence_(silence),
        progress_(progress),
        core_(
            {.at_once = 1, .failures_max = 1, .announce_last = seconds(5), .silent = seconds(5), .give_up = silence}) {}

  Outcome<std::int64_t> run();

 private:
  using Inputs = std::deque<deliver::Input>;

  void step(deliver::Input input);
  void announce(Inputs& then);
  void act(const deliver::Make& work, Inputs& then);
  void act(const deliver::Resume& work, Inputs& then);
  void act(const deliver::Close& work, Inputs& then);
  Outcome<bool> make_offer();
  void start(Inputs& then);
  Outcome<crypto::Certificate> checked(const std::string& pem) const;
  void send();
  void listen();
  void heard(const Received& received);
  void say_strategy(const SaidStrategy& strategy);
  [[nodiscard]] std::int64_t sent() const {
    return sent_before_ + (outbound_ ? static_cast<std::int64_t>(outbound_->sent_bytes()) : 0);
  }

  Session& session_;
  const Packed& packed_;
  std::chrono::seconds silence_;
  Progress& progress_;
  deliver::Deliveries core_;
  std::string transfer_;  // the one that the service waits for
  std::optional<crypto::Certificate> receiver_;
  std::optional<exchange::Encoded> encoded_;
  std::optional<Offer> offer_;  // the offer that stands
  exchange::Sealing sealing_;
  content::Ranges acked_;  // what was acknowledged when `outbound_` was closed
  std::optional<exchange::Outbound> outbound_;
  std::int64_t sent_before_ = 0;
  bool answered_ = false;
  std::optional<deliver::Ended> ended_;
  std::optional<Failure> failure_;  // what ends the upload
  struct Held {                     // the service has said why it can store no more
    Time since;
    std::int64_t acked_bytes = 0;
    std::string reason;
  };
  std::optional<Held> held_;
};

Outcome<std::int64_t> Upload::run() {
  const auto denied = session_.stats().denied;
  auto connects = session_.stats().connects;
  step(deliver::Add{packed_.digest});
  while (true) {
    if (const auto again = session_.stats().connects; std::exchange(connects, again) != again) step(LinkBack{});
    step(TimePassed{});
    if (failure_) return *failure_;
    if (ended_ && !ended_->refused) return sent();
    if (ended_) break;
    if (held_ && Session::now() - held_->since > silence_)
      return Failure{Exit::failed,
                     "the transfer service cannot store it: " + held_->reason + ". Make room there and push again"};
    if (auto stop = session_.stopped(denied)) return *stop;
    send();
    listen();
  }
  if (outbound_ && outbound_->failed())
    return Failure{Exit::failed, "the transfer service gave up: " + outbound_->reason()};
  return Failure{Exit::timed_out, "nothing heard from the transfer service for " + std::to_string(silence_.count()) +
                                      " s. Push again to go on, or try fieldwork doctor"};
}

void Upload::step(deliver::Input input) {
  exchange::drive(core_, std::move(input), &Session::now, [&](deliver::Output& done, Inputs& inputs) {
    for (const auto& one : done.work) std::visit([&](const auto& work) { act(work, inputs); }, one);
    if (!done.announcements.empty()) announce(inputs);
    if (!done.ended.empty()) ended_ = std::move(done.ended.back());
  });
}

// The answer says that the content is stored, or under which transfer the service waits for it.
void Upload::announce(Inputs& then) {
  if (answered_ && !session_.connected()) return;
  auto answer = session_.request("transfer", "offer",
                                 {{"digest", packed_.digest},
                                  {"size_bytes", packed_.size_bytes},
                                  {"name", packed_.name},
                                  {"version", packed_.version},
                                  {"release", packed_.release}});
  if (!answer) {
    if (!answered_ || !passing(answer.failure())) failure_ = answer.failure();
    return;
  }
  answered_ = true;
  if (text_of(*answer, "state") == "stored") return then.push_back(deliver::Delivered{packed_.digest});
  auto certificate = checked(text_of(*answer, "certificate"));
  if (!certificate) {
    failure_ = certificate.failure();
    return;
  }
  transfer_ = text_of(*answer, "transfer");
  receiver_ = std::move(*certificate);
  then.push_back(deliver::Wanted{packed_.digest, transfer_ + " " + receiver_->fingerprint()});
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

void Upload::act(const deliver::Make& work, Inputs& then) {
  if (auto made = make_offer(); !made) {
    failure_ = made.failure();
    return then.push_back(deliver::Failed{work.digest, made.failure().reason});
  }
  acked_ = {};
  then.push_back(deliver::Made{work.digest});
  start(then);
}

Outcome<bool> Upload::make_offer() {
  if (!encoded_) {
    auto encoded = exchange::encode_beside(packed_.path, packed_.digest);
    if (!encoded) return Failure{Exit::failed, describe(encoded.error())};
    encoded_ = std::move(*encoded);
  }
  sealing_ = exchange::seal_for_one(transfer_, crypto::fast_cipher());
  auto made = exchange::make_offer(TransferId(transfer_), packed_.digest, packed_.size_bytes, *encoded_, sealing_,
                                   *receiver_, packed_.release);
  if (!made) return Failure{Exit::failed, "the transfer service's answer: " + describe(made.error())};
  offer_ = std::move(*made);
  return true;
}

void Upload::act(const deliver::Resume& /*work*/, Inputs& then) { start(then); }

void Upload::act(const deliver::Close& /*work*/, Inputs& /*then*/) {
  if (!outbound_ || outbound_->failed()) return;
  acked_ = outbound_->acked();
  sent_before_ = sent();
  outbound_.reset();
}

// The answer says what has arrived already. Without an answer the frames reach no transfer, and the package is
// announced again.
void Upload::start(Inputs& then) {
  auto opened = exchange::Outbound::open(*offer_, sealing_.key, encoded_->path, acked_, {}, Session::now());
  if (!opened) {
    failure_ = Failure{Exit::failed, describe(opened.error())};
    return;
  }
  outbound_ = std::move(*opened);
  auto offer = codec::parse(codec::encode(*offer_));
  auto answer =
      offer ? session_.request("transfer", "start", std::move(*offer)) : Failure{Exit::failed, describe(offer.error())};
  if (!answer) {
    if (!passing(answer.failure())) failure_ = answer.failure();
    return;
  }
  if (text_of(*answer, "state") == "stored") return then.push_back(deliver::Delivered{packed_.digest});
  Received received{.transfer = offer_->transfer};
  for (const auto& range : list_of(*answer, "ranges")) {
    const bool pair =
        range.is_array() && range.size() == 2 && range[0].is_number_unsigned() && range[1].is_number_unsigned();
    if (!pair) {
      failure_ = Failure{Exit::failed, "the transfer service answered with ranges that are none"};
      return;
    }
    const auto begin = range[0].get<std::uint64_t>();
    const auto end = range[1].get<std::uint64_t>();
    if (begin < end) received.ranges.emplace_back(begin, end);
  }
  outbound_->asked_again(Session::now());
  outbound_->received(received, Session::now());
  then.push_back(deliver::Heard{packed_.digest});
}

void Upload::send() {
  if (!session_.connected() || !outbound_) return;
  const auto topic = session_.topics().service("transfer", "frame", session_.settings().from);
  for (auto& frame : outbound_->due(Session::now())) (void)session_.publish({topic, std::move(frame)});
}

void Upload::listen() {
  const auto due = outbound_ ? outbound_->next_due() : std::nullopt;
  const auto wait = due ? std::clamp<Duration>(*due - Session::now(), Duration(1000), look_at_upload_every)
                        : Duration(look_at_upload_every);
  auto until = Session::Clock::now() + wait;
  while (auto message = session_.next(until)) {
    const auto topic = session_.topics().parse(message->topic);
    if (!topic || topic->kind != Topic::Kind::reply || topic->channel != "received" || !outbound_) continue;
    if (const auto received = codec::decode_received(message->payload)) heard(*received);
    until = Session::Clock::now();  // take the other messages that are here, then send again
  }
  if (!outbound_) return;
  progress_.show("sending " + packed_.name + "@" + packed_.version, static_cast<std::int64_t>(outbound_->acked_bytes()),
                 static_cast<std::int64_t>(outbound_->total_bytes()));
}

void Upload::heard(const Received& received) {
  if (received.transfer != offer_->transfer) return;
  outbound_->received(received, Session::now());
  const auto acked_bytes = static_cast<std::int64_t>(outbound_->acked_bytes());
  if (exchange::is_held(received)) {
    if (!held_) say("waits: the transfer service cannot store it yet: " + received.reason);
    held_ = Held{held_ ? held_->since : Session::now(), acked_bytes, received.reason};
  } else if (held_ && acked_bytes > held_->acked_bytes) {
    held_.reset();
  }
  if (outbound_->finished()) {
    step(deliver::Delivered{packed_.digest});
  } else if (outbound_->failed()) {
    step(deliver::Failed{packed_.digest, outbound_->reason()});
  } else {
    if (auto strategy = outbound_->new_strategy()) say_strategy(*strategy);
    step(deliver::Heard{packed_.digest});
  }
}

// Nobody answers: whether the service has heard it changes nothing.
void Upload::say_strategy(const SaidStrategy& strategy) {
  const codec::Upload upload{packed_.digest,  packed_.size_bytes, packed_.name,
                             packed_.version, packed_.release,    strategy};
  (void)session_.publish(
      {session_.topics().service("transfer", "offer", session_.settings().from), codec::encode(upload)});
}

}  // namespace

Outcome<std::int64_t> upload(Session& session, const Packed& packed, std::chrono::seconds silence, Progress& progress) {
  return Upload(session, packed, silence, progress).run();
}

}  // namespace fieldwork::cli
