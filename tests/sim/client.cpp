#include "client.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "codec/job.hpp"
#include "codec/transfer.hpp"
#include "crypto/sealed.hpp"
#include "exchange/drive.hpp"
#include "world.hpp"

namespace fieldwork::sim {
namespace {

constexpr Duration patience = seconds(3);
constexpr Duration patience_max = seconds(20);

void require_well_formed(bool good, const std::string& detail) {
  if (!good) throw Violation("every message is well formed", detail);
}

}  // namespace

Client::Client(const Supplies& supplies, TransferBounds bounds, std::vector<Wish>& wishes, bool& push_again,
               Downloads downloads)
    : supplies_(supplies), bounds_(bounds), wishes_(wishes), push_again_(push_again), downloads_(std::move(downloads)) {
  push_again_ = true;
}

std::vector<std::pair<std::string, int>> Client::subscriptions() const { return {{topics_.reply("cli", "+"), 1}}; }

bool Client::pushed() const { return !push_again_ && deliveries_.size() == 0; }

void Client::ask(const char* service, const char* operation, std::string payload, const std::string& correlation,
                 runtime::Output& out) const {
  out.messages.push_back({.topic = topics_.service(service, operation, "operator"),
                          .payload = std::move(payload),
                          .response_topic = topics_.reply("cli", operation),
                          .correlation = correlation});
}

void Client::tick(Time now, runtime::Output& out) {
  if (push_again_) push_all(now, out);
  step(exchange::deliver::Input(TimePassed{}), now, out);
  send(now, out);
  downloads_.tick(now, out);
  submit(now, out);
  for (const auto& wish : wishes_) {
    if (wish.job.empty() || wish.cancelled || !wish.cancel_at || now < *wish.cancel_at || !asks_now(wish, now))
      continue;
    ask("scheduler", "cancel", codec::dump({{"v", 1}, {"job", wish.job}}), wish.request, out);
  }
}

void Client::message(const bus::Message& message, Time now, runtime::Output& out) {
  const auto topic = topics_.parse(message.topic);
  if (topic->channel == "frame") return downloads_.frame(message.payload, now, out);
  if (topic->channel == "fetch") return downloads_.offered(message.payload, now, out);
  const auto answer = codec::Json::parse(message.payload);
  if (topic->channel == "received") {
    const auto received = codec::decode_received(message.payload);
    require_well_formed(received.ok(), message.payload);
    return acknowledged(*received, false, now, out);
  }
  if (topic->channel == "start") {
    if (answer.contains("error")) return;  // the transfer is over; the package is offered again soon
    const Received first{.transfer = TransferId(answer.at("transfer").get<std::string>()),
                         .ranges = answer.at("ranges").get<ByteRanges>()};
    return acknowledged(first, true, now, out);
  }
  if (topic->channel == "submit") return submitted(answer);
  if (topic->channel == "cancel") return cancelled(message.correlation, answer);
  offered(message.correlation, answer, now, out);
}

// --- packages -------------------------------------------------------------------------------------------------------

void Client::push_all(Time now, runtime::Output& out) {
  push_again_ = false;
  for (const auto& released : supplies_.packages()) {
    pushes_[released.package.digest].released = &released;
    step(exchange::deliver::Add{released.package.digest}, now, out);
  }
}

void Client::connected(Time now, runtime::Output& out) { step(exchange::deliver::Input(LinkBack{}), now, out); }

void Client::step(exchange::deliver::Input input, Time now, runtime::Output& out) {
  exchange::drive(
      deliveries_, std::move(input), [now] { return now; },
      [&](exchange::deliver::Output& done, Inputs& then) {
        for (const auto& one : done.work) std::visit([&](const auto& work) { act(work, now, then, out); }, one);
        for (const auto& one : done.announcements) announce(one.digest, out);
        for (const auto& one : done.ended) {
          if (one.refused) throw Violation("what arrives is what was released", *one.refused);
          pushes_.erase(one.digest);
        }
      });
}

void Client::announce(const std::string& digest, runtime::Output& out) {
  const auto& package = pushes_.at(digest).released->package;
  const codec::Upload upload{digest, package.size_bytes, package.name, package.version, package.release};
  ask("transfer", "offer", codec::encode(upload), digest, out);
}

// The content key is wrapped for the certificate in the answer, which must be the transfer service's.
void Client::offered(const std::string& digest, const codec::Json& answer, Time now, runtime::Output& out) {
  require_well_formed(!answer.contains("error"), answer.dump());
  const auto it = pushes_.find(digest);
  if (it == pushes_.end()) return;
  if (answer.contains("state")) return step(exchange::deliver::Delivered{digest}, now, out);
  auto certificate = crypto::Certificate::from_pem(answer.at("certificate").get<std::string>()).value();
  require_well_formed(supplies_.services().verify(certificate, now).ok(), "a certificate that is not transfer's");
  auto& push = it->second;
  push.transfer = answer.at("transfer").get<std::string>();
  push.receiver = std::move(certificate);
  step(exchange::deliver::Wanted{digest, push.transfer + " " + push.receiver->fingerprint()}, now, out);
}

void Client::act(const exchange::deliver::Make& work, Time now, Inputs& then, runtime::Output& out) {
  auto& push = pushes_.at(work.digest);
  const auto& [package, encoded] = *push.released;
  push.sealing = exchange::seal_for_one(push.transfer, crypto::Cipher::aes_256_gcm);
  push.offer = exchange::make_offer(TransferId(push.transfer), package.digest, package.size_bytes, encoded,
                                    push.sealing, *push.receiver, package.release)
                   .value();
  push.acked = {};
  then.push_back(exchange::deliver::Made{work.digest});
  start(push, now, out);
}

void Client::act(const exchange::deliver::Resume& work, Time now, Inputs& /*then*/, runtime::Output& out) {
  start(pushes_.at(work.digest), now, out);
}

void Client::act(const exchange::deliver::Close& work, Time /*now*/, Inputs& /*then*/, runtime::Output& /*out*/) {
  auto& push = pushes_.at(work.digest);
  if (!push.outbound) return;
  push.acked = push.outbound->acked();
  push.outbound.reset();
}

void Client::start(Push& push, Time now, runtime::Output& out) {
  push.outbound = exchange::Outbound::open(
                      *push.offer, push.sealing.key, push.released->encoded.path, push.acked,
                      {.pace = {.window_max = bounds_.window_bytes}, .frame_bytes_max = bounds_.frame_bytes_max}, now)
                      .value();
  push.started = false;
  ask("transfer", "start", codec::encode(*push.offer), push.transfer, out);
}

void Client::send(Time now, runtime::Output& out) {
  for (auto& [digest, push] : pushes_) {
    if (!push.outbound || !push.started) continue;
    for (auto& frame : push.outbound->due(now)) {
      out.messages.push_back(
          {.topic = topics_.service("transfer", "frame", "operator"), .payload = std::move(frame), .qos = 0});
    }
  }
}

void Client::acknowledged(const Received& received, bool first, Time now, runtime::Output& out) {
  for (auto& [digest, push] : pushes_) {
    if (!push.outbound || push.offer->transfer != received.transfer) continue;
    if (first) push.outbound->asked_again(now);
    push.started = push.started || first;
    push.outbound->received(received, now);
    if (push.outbound->failed()) throw Violation("what arrives is what was released", push.outbound->reason());
    if (push.outbound->finished()) return step(exchange::deliver::Delivered{digest}, now, out);
    return step(exchange::deliver::Heard{digest}, now, out);
  }
}

// --- jobs -----------------------------------------------------------------------------------------------------------

// Whether it is time to ask for this wish; then it is not for a while.
bool Client::asks_now(const Wish& wish, Time now) {
  auto& again = ask_again_[wish.request];
  if (now < wish.submit_at || now < again) return false;
  auto& wait = patience_[wish.request];
  wait = std::clamp(wait * 2, patience, patience_max);
  again = now + wait;
  return true;
}

void Client::submit(Time now, runtime::Output& out) {
  auto bulk = codec::Json::array();
  const auto say = [&](codec::Json items, const std::string& request) {
    ask("scheduler", "submit", codec::dump({{"v", 1}, {"items", std::move(items)}}), request, out);
  };
  for (const auto& wish : wishes_) {
    if (!wish.job.empty() || !asks_now(wish, now)) continue;
    codec::Json item{{"request", wish.request}, {"job", codec::encode(wish.spec)}};
    item["traceparent"] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    if (wish.in_bulk) {
      bulk.push_back(std::move(item));
    } else {
      say(codec::Json::array({std::move(item)}), wish.request);
    }
  }
  if (!bulk.empty()) say(std::move(bulk), "bulk");
}

void Client::submitted(const codec::Json& answer) {
  require_well_formed(!answer.contains("error"), answer.dump());
  for (const auto& item : answer.at("items")) {
    const auto wish = std::find_if(wishes_.begin(), wishes_.end(),
                                   [&](const auto& one) { return one.request == item.at("request"); });
    require_well_formed(wish != wishes_.end(), item.dump());
    patience_.erase(wish->request);
    if (!item.contains("job")) {  // no such package or no device with these labels yet: the client asks again
      require_well_formed(item.at("error").at("code") == "unknown", item.dump());
      continue;
    }
    const auto job = item.at("job").get<std::string>();
    if (!wish->job.empty() && wish->job != job) throw Violation("one request is one job", wish->job + " and " + job);
    wish->job = job;
  }
}

void Client::cancelled(const std::string& request, const codec::Json& answer) {
  for (auto& wish : wishes_) {
    if (wish.request != request) continue;
    patience_.erase(request);
    wish.cancelled = wish.cancelled || !answer.contains("error");
  }
}

}  // namespace fieldwork::sim
