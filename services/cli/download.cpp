#include "download.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "codec/transfer.hpp"
#include "crypto/bytes.hpp"
#include "crypto/certificate.hpp"
#include "exchange/inbound.hpp"
#include "files.hpp"

namespace fieldwork::cli {
namespace {

namespace fs = std::filesystem;
constexpr std::chrono::seconds ask_again_after{5};  // of silence
constexpr std::chrono::seconds not_yet_wait{1};     // until a device has brought the file
constexpr std::chrono::milliseconds look_every{50};

Time now() { return Time{std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch())}; }

class Download {
 public:
  Download(Session& session, const Wanted& wanted, fs::path parts, Progress& progress)
      : session_(session), wanted_(wanted), parts_(std::move(parts)), progress_(progress) {}

  Outcome<bool> run(const fs::path& path, std::chrono::seconds silence);

 private:
  Outcome<bool> identify();
  Outcome<bool> ask();  // true: an offer is there
  void listen();
  void say_received(const Received& received) {
    const auto topic = session_.topics().service("transfer", "received", session_.settings().from);
    (void)session_.publish({topic, codec::encode(received)});
  }

  Session& session_;
  const Wanted& wanted_;
  fs::path parts_;
  Progress& progress_;
  std::string pem_;
  std::string fingerprint_;
  std::optional<crypto::PrivateKey> key_;
  std::optional<exchange::Inbound> inbound_;
  Time heard_ = now();
  std::string why_not_;  // there is no offer
  std::uint64_t connects_ = 0;
};

Outcome<bool> Download::run(const fs::path& path, std::chrono::seconds silence) {
  if (auto identified = identify(); !identified) return identified.failure();
  const auto denied = session_.stats().denied;
  auto asked = Time{};
  while (!inbound_ || !inbound_->complete()) {
    if (auto stop = session_.stopped(denied)) return *stop;
    if (now() - heard_ > silence) {
      return Failure{Exit::timed_out, why_not_.empty() ? "nothing heard from the transfer service" : why_not_};
    }
    const bool quiet =
        now() - std::max(heard_, asked) > (inbound_ ? Duration(ask_again_after) : Duration(not_yet_wait));
    if (session_.connected() && (asked == Time{} || quiet || session_.stats().connects != connects_)) {
      auto offered = ask();
      if (!offered) return offered.failure();
      asked = now();
    }
    listen();
  }
  if (auto finished = inbound_->finish(path); !finished) {
    say_received({inbound_->offer().transfer, ReceivedState::failed, {}, finished.error().reason});
    return Failure{exit_of(finished.error()), describe(finished.error())};
  }
  say_received({inbound_->offer().transfer, ReceivedState::complete, {}, ""});
  return true;
}

Outcome<bool> Download::identify() {
  const auto& mqtt = session_.settings().mqtt;
  if (mqtt.certificate.empty())
    return Failure{Exit::failed, "files are sent to who has a certificate (broker.certificate)"};
  auto pem = read_file(mqtt.certificate, crypto::pem_bytes_max);
  if (!pem) return Failure{Exit::usage, describe(pem.error())};
  auto certificate = crypto::Certificate::from_pem(*pem);
  if (!certificate) return Failure{Exit::usage, describe(certificate.error())};
  auto key = crypto::PrivateKey::load(mqtt.key);
  if (!key) return Failure{Exit::usage, describe(key.error())};
  pem_ = certificate->to_pem();
  fingerprint_ = certificate->fingerprint();
  key_.emplace(std::move(*key));
  return true;
}

Outcome<bool> Download::ask() {
  connects_ = session_.stats().connects;
  auto answer = session_.request("transfer", "fetch", {{"digest", wanted_.digest}, {"certificate", pem_}});
  if (!answer) {
    why_not_ = answer.failure().reason;
    // Not brought yet (failed), not there just now (unreachable, timed_out): ask again until the silence is too long.
    if (answer.failure().exit == Exit::denied || answer.failure().exit == Exit::interrupted) return answer.failure();
    return false;
  }
  const auto offer = codec::decode_offer(codec::dump(*answer));
  if (!offer) return Failure{Exit::failed, "the transfer service's offer: " + describe(offer.error())};
  if (offer->digest != wanted_.digest || offer->size_bytes != wanted_.size_bytes) {
    return Failure{Exit::failed, "the transfer service offers something else"};
  }
  if (inbound_ && inbound_->offer().transfer == offer->transfer) return true;
  auto opened = exchange::Inbound::open(*offer, *key_, fingerprint_, parts_, wanted_.size_bytes);
  if (!opened) return Failure{exit_of(opened.error()), describe(opened.error())};
  inbound_ = std::move(*opened);
  heard_ = now();
  return true;
}

void Download::listen() {
  auto until = Session::Clock::now() + look_every;
  while (const auto message = session_.next(until)) {
    const auto topic = session_.topics().parse(message->topic);
    if (!topic || topic->kind != Topic::Kind::reply || topic->channel != "frame" || !inbound_) continue;
    if (inbound_->frame(message->payload, now())) heard_ = now();
    if (const auto received = inbound_->ack_due(now())) say_received(*received);
    if (inbound_->complete()) break;
    until = Session::Clock::now() + std::chrono::milliseconds(1);
  }
  if (!inbound_) return;
  if (const auto received = inbound_->ack_due(now())) say_received(*received);
  progress_.show("fetching " + wanted_.name, static_cast<std::int64_t>(inbound_->received_bytes()),
                 inbound_->offer().encoded_bytes);
}

}  // namespace

Outcome<bool> download(Session& session, const Wanted& wanted, const fs::path& path, std::chrono::seconds silence,
                       Progress& progress) {
  const auto parts = path.parent_path() / (".fieldwork-" + crypto::to_hex(crypto::random_bytes(8)));
  std::error_code error;
  if (!fs::create_directories(parts, error)) return Failure{Exit::failed, "cannot make " + parts.string()};
  auto done = Download(session, wanted, parts, progress).run(path, silence);
  progress.clear();
  fs::remove_all(parts, error);
  return done;
}

}  // namespace fieldwork::cli
