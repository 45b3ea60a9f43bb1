#include "download.hpp"

#include <deque>
#include <nlohmann/json.hpp>

#include "codec/transfer.hpp"
#include "crypto/bytes.hpp"
#include "crypto/certificate.hpp"
#include "exchange/drive.hpp"
#include "exchange/fetch.hpp"
#include "exchange/inbound.hpp"
#include "files.hpp"

namespace fieldwork::cli {
namespace {

namespace fs = std::filesystem;
namespace fetch = exchange::fetch;
constexpr std::chrono::milliseconds look_at_download_every{50};

// Runs one fetch: the core decides (exchange/fetch.hpp); this class asks, opens the file and publishes.
class Download {
 public:
  Download(Session& session, const Wanted& wanted, fs::path parts, std::chrono::seconds silence, Progress& progress)
      : session_(session),
        wanted_(wanted),
        parts_(std::move(parts)),
        progress_(progress),
        core_({.ask_again = seconds(1), .silent = seconds(5), .not_yet = seconds(1), .give_up = silence}) {}

  Outcome<bool> run(const fs::path& path);

 private:
  using Inputs = std::deque<fetch::Input>;

  Outcome<bool> identify();
  [[nodiscard]] std::optional<Failure> check_header() const;
  void step(fetch::Input input);
  void act(const fetch::Open& work, Inputs& then);
  void act(const fetch::Finish& work, Inputs& then);
  void act(const fetch::Discard& work, Inputs& then);
  void say(const fetch::Ask& ask, Inputs& then);
  void say(const fetch::Word& word, Inputs& then);
  void say_received(const Received& received) {
    const auto topic = session_.topics().service("transfer", "received", session_.settings().from);
    (void)session_.publish({topic, codec::encode(received)});
  }
  void listen();

  Session& session_;
  const Wanted& wanted_;
  fs::path parts_, path_;
  Progress& progress_;
  fetch::Fetches core_;
  std::string pem_;
  std::string fingerprint_;
  std::optional<crypto::PrivateKey> key_;
  std::optional<Offer> offer_;
  std::optional<exchange::Inbound> inbound_;
  std::optional<fetch::Ended> ended_;
  std::optional<Failure> failure_;  // what ends the download
  std::string why_not_;             // why there is no offer
};

Outcome<bool> Download::run(const fs::path& path) {
  path_ = path;
  if (auto identified = identify(); !identified) return identified.failure();
  const auto denied = session_.stats().denied;
  auto connects = session_.stats().connects;
  step(fetch::Want{wanted_.digest});
  while (!ended_ && !failure_) {
    if (auto stop = session_.stopped(denied)) return *stop;
    if (const auto again = session_.stats().connects; std::exchange(connects, again) != again) step(LinkBack{});
    step(TimePassed{});
    if (!ended_ && !failure_) listen();
  }
  if (failure_) return *failure_;
  if (!ended_->refused) return true;
  return Failure{Exit::timed_out, why_not_.empty() ? *ended_->refused : why_not_};
}

void Download::step(fetch::Input input) {
  exchange::drive(core_, std::move(input), &Session::now, [&](fetch::Output& done, Inputs& inputs) {
    for (const auto& one : done.work) std::visit([&](const auto& work) { act(work, inputs); }, one);
    for (const auto& one : done.say) std::visit([&](const auto& word) { say(word, inputs); }, one);
    if (!done.ended.empty()) ended_ = std::move(done.ended.back());
  });
}

Outcome<bool> Download::identify() {
  const auto& mqtt = session_.settings().mqtt;
  if (mqtt.certificate.empty())
    return Failure{Exit::failed, "files are sent to who has a certificate (broker.certificate)"};
  auto pem = read_file(mqtt.certificate, crypto::pem_bytes_max);
  if (!pem) return Failure{Exit::usage, describe(pem.error())};
  auto certificate = crypto::Certificate::from_pem(*pem);
  if (!certificate) return Failure{Exit::usage, describe(certificate.error())};
  auto key = crypto::PrivateKey::load(mqtt.key, crypto::KeyUse::receive);
  if (!key) return Failure{Exit::usage, describe(key.error())};
  pem_ = certificate->to_pem();
  fingerprint_ = certificate->fingerprint();
  key_.emplace(std::move(*key));
  return true;
}

void Download::say(const fetch::Ask& /*ask*/, Inputs& then) {
  if (!session_.connected()) return then.push_back(fetch::NotOffered{wanted_.digest, "the broker is not to be had"});
  auto answer = session_.request("transfer", "fetch", {{"digest", wanted_.digest}, {"certificate", pem_}});
  if (!answer) {
    why_not_ = answer.failure().reason;
    // Not brought yet (failed), or not reachable now (unreachable, timed_out): asked again until the silence is too
    // long.
    const bool final = answer.failure().exit == Exit::denied || answer.failure().exit == Exit::interrupted;
    if (final) failure_ = answer.failure();
    return then.push_back(fetch::NotOffered{wanted_.digest, why_not_});
  }
  auto offer = codec::decode_offer(codec::dump(*answer));
  if (!offer) {
    failure_ = Failure{Exit::failed, "the transfer service's offer: " + describe(offer.error())};
  } else if (offer->digest != wanted_.digest || offer->size_bytes != wanted_.size_bytes) {
    failure_ = Failure{Exit::failed, "the transfer service offers something else"};
  } else {
    offer_ = std::move(*offer);
    then.push_back(fetch::OfferCame{wanted_.digest, offer_->transfer});
  }
}

void Download::say(const fetch::Word& word, Inputs& /*then*/) {
  say_received({word.transfer, word.state, {}, word.reason, word.failure});
}

// Without TLS nobody vouches for the service (see upload.cpp, which warns).
std::optional<Failure> Download::check_header() const {
  const auto& settings = session_.settings();
  if (settings.mqtt.ca.empty()) return std::nullopt;
  const auto authority = crypto::CertificateAuthority::load(settings.mqtt.ca);
  if (!authority) return Failure{Exit::usage, settings.ca_origin + ": " + describe(authority.error())};
  const auto good = exchange::check_header(*offer_, *authority, "transfer", std::chrono::system_clock::now());
  if (good) return std::nullopt;
  return Failure{Exit::denied, "the offer is not the transfer service's: " + describe(good.error())};
}

void Download::act(const fetch::Open& work, Inputs& then) {
  if (auto bad = check_header()) {
    failure_ = std::move(*bad);
    return then.push_back(fetch::CannotReceive{work.digest, failure_->reason});
  }
  auto opened = exchange::Inbound::open(*offer_, *key_, fingerprint_, parts_, wanted_.size_bytes);
  if (!opened) {
    failure_ = Failure{exit_of(opened.error()), describe(opened.error())};
    return then.push_back(
        fetch::CannotReceive{work.digest, describe(opened.error()), exchange::failure_of(opened.error())});
  }
  inbound_ = std::move(*opened);
  if (inbound_->complete()) then.push_back(fetch::FrameCame{work.digest, true});
}

void Download::act(const fetch::Finish& work, Inputs& then) {
  fetch::Finished finished{work.digest, inbound_->offer().transfer};
  if (auto done = inbound_->finish(path_); !done) finished.error = done.error();
  if (finished.error) failure_ = Failure{exit_of(*finished.error), describe(*finished.error)};
  then.push_back(std::move(finished));
}

void Download::act(const fetch::Discard& /*work*/, Inputs& /*then*/) { inbound_.reset(); }

void Download::listen() {
  auto until = Session::Clock::now() + look_at_download_every;
  while (const auto message = session_.next(until)) {
    const auto topic = session_.topics().parse(message->topic);
    if (!topic || topic->kind != Topic::Kind::reply || topic->channel != "frame" || !inbound_) continue;
    const auto taken = inbound_->frame(message->payload, Session::now());
    if (const auto received = inbound_->ack_due(Session::now())) say_received(*received);
    if (taken) step(fetch::FrameCame{wanted_.digest, inbound_->complete()});
    if (ended_ || failure_) return;
    until = Session::Clock::now() + std::chrono::milliseconds(1);
  }
  if (!inbound_) return;
  if (const auto received = inbound_->ack_due(Session::now())) say_received(*received);
  progress_.show("fetching " + wanted_.name, static_cast<std::int64_t>(inbound_->received_bytes()),
                 inbound_->offer().encoded_bytes);
}

}  // namespace

Outcome<bool> download(Session& session, const Wanted& wanted, const fs::path& path, std::chrono::seconds silence,
                       Progress& progress) {
  const auto parts = path.parent_path() / (".fieldwork-" + crypto::to_hex(crypto::random_bytes(8)));
  std::error_code error;
  if (!fs::create_directories(parts, error)) return Failure{Exit::failed, "cannot make " + parts.string()};
  auto done = Download(session, wanted, parts, silence, progress).run(path);
  progress.clear();
  fs::remove_all(parts, error);
  return done;
}

}  // namespace fieldwork::cli
