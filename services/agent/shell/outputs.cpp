#include "agent/shell/outputs.hpp"

#include <algorithm>
#include <chrono>
#include <fstream>

#include "codec/transfer.hpp"
#include "crypto/bytes.hpp"
#include "crypto/digest.hpp"
#include "exchange/drive.hpp"
#include "exchange/durable.hpp"
#include "runtime/log.hpp"
#include "runtime/metrics.hpp"

namespace fieldwork::agent {
namespace fs = std::filesystem;
namespace {

constexpr Duration sweep_every = std::chrono::minutes(10);
// Each reason of a drop begins with it, and so does the answer to a notice.
constexpr std::string_view waits_here = "outputs wait on the device ";

}  // namespace

Outputs::Outputs(fs::path directory, Identity identity, crypto::CertificateAuthority transfer_ca, Topics topics)
    : Outputs(std::move(directory), std::move(identity), std::move(transfer_ca), std::move(topics), Options{}) {}

Outputs::Outputs(fs::path directory, Identity identity, crypto::CertificateAuthority transfer_ca, Topics topics,
                 Options options)
    : directory_(std::move(directory)),
      identity_(std::move(identity)),
      transfer_ca_(std::move(transfer_ca)),
      topics_(std::move(topics)),
      bytes_max_(options.bytes_max),
      notices_(directory_, now_) {
  if (options.thread) worker_ = std::make_unique<exchange::Worker>();
  load();
}

void Outputs::load() {
  std::error_code error;
  fs::create_directories(directory_, error);
  for (const auto& path : kept_outputs(directory_)) {
    if (fs::exists(path.string() + ".refused", error)) {
      refused_.put(digest_of(path), size_of(path));
      make_room("");
      continue;
    }
    // Without the file .of, the agent died between the two writes, and no report names the output; or while it dropped
    // it. Nobody will ask for it.
    AttemptKey key;
    if (std::ifstream(path.string() + ".of") >> key.job.value >> key.execution >> key.fence) {
      keep(path, key);
    } else {
      remove_output(path);
    }
  }
}

void Outputs::add(const fs::path& kept, const AttemptKey& key, Time now) {
  now_ = now;
  std::error_code ignored;
  const auto digest = digest_of(kept);
  // An earlier attempt wrote the same, and it was dropped since keep_output(): the notice holds for both.
  if (notices_.has(digest) && !fs::exists(kept, ignored)) return remove_output(kept);
  fs::remove(kept.string() + ".refused", ignored);  // written again by a job: announced again
  refused_.remove(digest);
  keep(kept, key);
}

void Outputs::keep(const fs::path& kept, const AttemptKey& key) {
  const auto digest = digest_of(kept);
  notices_.end(digest, now_);
  auto& output = outputs_.try_emplace(digest, Output{.key = key, .size_bytes = size_of(kept)}).first->second;
  output.key = key;
  const auto bytes = output.size_bytes + size_of(kept.string() + ".zst");
  waiting_.put(digest, std::max(waiting_.bytes(digest), bytes));
  step(exchange::deliver::Add{digest});
  make_room(digest);
}

bool Outputs::fits(std::int64_t more_bytes) const {
  return refused_.bytes() + waiting_.bytes() + more_bytes <= bytes_max_;
}

void Outputs::make_room(const std::string& fresh) {
  if (fits(0)) return;
  std::int64_t sent = 0;
  for (const auto& [turn, digest] : waiting_.in_order()) sent += core_.busy(digest) ? waiting_.bytes(digest) : 0;
  const auto most = std::string(waits_here) + "in at most " + std::to_string(bytes_max_) + " bytes, and ";
  const auto own = waiting_.bytes(fresh);
  if (!core_.busy(fresh) && sent + own > bytes_max_) {
    const auto beside = sent > 0 ? " beside those that were being sent" : "";
    give_up(fresh, most + "this one of " + std::to_string(own) + " bytes did not fit" + beside);
  }
  while (!fits(0) && !refused_.in_order().empty()) {
    const auto digest = refused_.in_order().begin()->second;
    log::warn("a refused output is deleted: there is no room for it", {{"digest", digest}});
    finish(digest);
  }
  auto bytes = refused_.bytes() + waiting_.bytes();
  std::vector<std::string> oldest;
  for (const auto& [turn, digest] : waiting_.in_order()) {
    if (bytes <= bytes_max_) break;
    if (core_.busy(digest)) continue;
    bytes -= waiting_.bytes(digest);
    oldest.push_back(digest);
  }
  for (const auto& digest : oldest) give_up(digest, most + "newer ones needed the room");
}

void Outputs::give_up(const std::string& digest, const std::string& reason) {
  const auto& output = outputs_.at(digest);
  log::warn("an output is dropped", {{"job", output.key.job.value},
                                     {"execution", std::to_string(output.key.execution)},
                                     {"digest", digest},
                                     {"size_bytes", std::to_string(output.size_bytes)},
                                     {"reason", reason}});
  metrics::count("fieldwork_outputs_dropped_total");
  auto noted = notices_.add(digest, {output.key, output.size_bytes, reason}, now_);
  step(exchange::deliver::Delivered{digest});  // it ends, and its files go
  if (!noted) noted = notices_.save(digest);   // now there may be room
  if (!noted) log::error("no note of a dropped output", {{"digest", digest}, {"reason", describe(noted.error())}});
}

void Outputs::step(exchange::deliver::Input input) {
  exchange::drive(
      core_, std::move(input), [this] { return now_; },
      [&](exchange::deliver::Output& done, Inputs& inputs) {
        for (const auto& one : done.work) std::visit([&](const auto& work) { act(work, inputs); }, one);
        for (const auto& one : done.announcements) {
          announce(one.digest, outputs_.at(one.digest), {});
        }
        for (const auto& ended : done.ended) {
          if (ended.refused) {
            refused(ended.digest, *ended.refused);
          } else {
            finish(ended.digest);
          }
        }
      });
}

void Outputs::announce(const std::string& digest, const Output& output, std::optional<SaidStrategy> strategy) {
  codec::OutputOffer announcement{digest, output.size_bytes, output.key.job.value, output.key.execution,
                                  output.key.fence};
  announcement.strategy = std::move(strategy);
  to_say_.push_back({.topic = topics_.up(identity_.device, "output"), .payload = codec::encode(announcement)});
}

void Outputs::connected(Time now) {
  now_ = now;
  step(LinkBack{});
  notices_.connected(now);
}

Result<void> Outputs::want(std::string_view payload, Time now) {
  now_ = now;
  const auto want = codec::decode_want(payload);
  if (!want) return want.error();
  const auto it = outputs_.find(want->digest);
  if (it == outputs_.end()) return {};
  const auto receiver = crypto::Certificate::from_pem(want->certificate);
  const auto wall = std::chrono::system_clock::now();
  if (!receiver || receiver->common_name() != "transfer" || !transfer_ca_.verify(*receiver, wall)) {
    return Error{Code::denied, "is not the transfer service's", "/certificate"};
  }
  if (!core_.busy(want->digest)) {
    it->second.receiver = *receiver;
    it->second.under_way = want->transfer;
  }
  step(exchange::deliver::Wanted{want->digest, receiver->fingerprint()});
  return {};
}

void Outputs::act(const exchange::deliver::Make& work, Inputs& then) {
  const auto path = file(work.digest);
  const auto bytes = outputs_.at(work.digest).size_bytes;
  std::error_code ignored;
  const bool copied = fs::exists(path.string() + ".zst", ignored);
  const bool room = copied || fits(bytes);
  if (room && !copied) waiting_.resize(work.digest, 2 * bytes);  // until it is known how large the copy is
  auto job = [compressed = compressed_, digest = work.digest, path, bytes, room] {
    auto encoded =
        room ? exchange::encode_beside(path, digest) : Error{Code::unavailable, "there is no room to compress it"};
    // Without room to compress the output it is sent as it is; once it is delivered, there is more room.
    if (!encoded && bytes > 0) encoded = exchange::Encoded{"identity", path, bytes, digest};
    compressed->put({digest, std::move(encoded)});
  };
  if (worker_) return worker_->run(std::move(job));
  job();
  hear_compressed(then);
}

void Outputs::hear_compressed(Inputs& then) {
  for (const auto& compressed : compressed_->take()) {
    const auto it = outputs_.find(compressed.digest);
    if (it == outputs_.end()) {
      std::error_code ignored;
      fs::remove(file(compressed.digest).string() + ".zst", ignored);
      continue;
    }
    waiting_.resize(compressed.digest, it->second.size_bytes + size_of(file(compressed.digest).string() + ".zst"));
    auto done = compressed.encoded ? make_offer(compressed.digest, it->second, *compressed.encoded)
                                   : Result<void>(compressed.encoded.error());
    if (done) {
      then.push_back(exchange::deliver::Made{compressed.digest});
    } else {
      log::warn("an output cannot be sent", {{"digest", compressed.digest}, {"reason", describe(done.error())}});
      then.push_back(exchange::deliver::Failed{compressed.digest, "it cannot be sent: " + describe(done.error())});
    }
  }
}

Result<void> Outputs::make_offer(const std::string& digest, Output& output, const exchange::Encoded& encoded) {
  const bool goes_on = !output.under_way.value.empty();  // the transfer began under an earlier start of the agent
  const auto transfer = goes_on ? output.under_way : TransferId(crypto::to_hex(crypto::random_bytes(16)));
  output.sealing = exchange::seal_for_one(transfer.value, crypto::fast_cipher());  // a new key for each offer
  auto offer = exchange::make_offer(transfer, digest, output.size_bytes, encoded, output.sealing, *output.receiver, "");
  if (!offer) return offer.error();
  output.offer = std::move(*offer);
  output.encoded = encoded.path;
  output.acked = {};
  return open(output);
}

// Publishes the offer, also a second time: the answer says from where on to send.
Result<void> Outputs::open(Output& output) {
  auto outbound = exchange::Outbound::open(*output.offer, output.sealing.key, output.encoded, output.acked, {}, now_);
  if (!outbound) return outbound.error();
  outbound->asked_again(now_);
  output.outbound = std::move(*outbound);
  to_say_.push_back({.topic = topics_.up(identity_.device, "offer"), .payload = codec::encode(*output.offer)});
  return {};
}

void Outputs::act(const exchange::deliver::Resume& work, Inputs& then) {
  const auto done = open(outputs_.at(work.digest));
  if (!done) then.push_back(exchange::deliver::Failed{work.digest, "it cannot be sent: " + describe(done.error())});
}

void Outputs::act(const exchange::deliver::Close& work, Inputs& /*then*/) {
  auto& output = outputs_.at(work.digest);
  if (!output.outbound) return;
  output.acked = output.outbound->acked();
  output.outbound.reset();
}

Result<void> Outputs::received(std::string_view payload, Time now) {
  now_ = now;
  const auto received = codec::decode_received(payload);
  if (!received) return received.error();
  const auto it = std::find_if(outputs_.begin(), outputs_.end(), [&](const auto& one) {
    return one.second.offer && one.second.offer->transfer == received->transfer;
  });
  if (it == outputs_.end()) return {};
  const std::string digest = it->first;
  auto& outbound = it->second.outbound;
  if (received->state == ReceivedState::complete) return step(exchange::deliver::Delivered{digest}), Result<void>{};
  if (!outbound) return {};  // of a transfer that an outage closed
  outbound->received(*received, now);
  if (exchange::is_held(*received))
    log::warn("the transfer service cannot store an output yet", {{"digest", digest}, {"reason", received->reason}});
  if (outbound->failed()) {
    const std::string reason = outbound->reason();
    log::warn("an output was not delivered", {{"digest", digest}, {"reason", reason}});
    step(exchange::deliver::Failed{digest, reason});
  } else {
    if (auto strategy = outbound->new_strategy()) announce(digest, it->second, std::move(strategy));
    step(exchange::deliver::Heard{digest});
  }
  return {};
}

Result<void> Outputs::stored(std::string_view payload, Time now) {
  now_ = now;
  const auto stored = codec::decode_output_stored(payload);
  if (!stored) return stored.error();
  if (notices_.end(stored->digest, now)) return {};
  if (stored->refused.starts_with(waits_here)) return {};  // to a notice, late: the output has been written again
  if (stored->refused.empty()) {
    step(exchange::deliver::Delivered{stored->digest});
  } else {
    step(exchange::deliver::Refused{stored->digest, stored->refused});
  }
  return {};
}

void Outputs::refused(const std::string& digest, const std::string& reason) {
  const auto it = outputs_.find(digest);
  const auto& key = it->second.key;
  log::error("an output is refused for good; it stays on this device for a week",
             {{"digest", digest}, {"job", key.job.value}, {"reason", reason}});
  const auto noted = exchange::replace_file(file(digest).string() + ".refused", reason + "\n");
  if (!noted) log::error("no note of a refused output", {{"digest", digest}, {"reason", describe(noted.error())}});
  outputs_.erase(it);
  waiting_.remove(digest);
  refused_.put(digest, size_of(file(digest)));
  std::error_code ignored;
  fs::remove(file(digest).string() + ".zst", ignored);
}

void Outputs::finish(const std::string& digest) {
  outputs_.erase(digest);
  waiting_.remove(digest);
  refused_.remove(digest);
  remove_output(file(digest));
}

// Drops outputs that are too old.
void Outputs::sweep() {
  if (now_ < sweep_at_) return;
  sweep_at_ = now_ + sweep_every;
  for (const auto& path : kept_outputs(directory_)) {
    const auto digest = digest_of(path);
    if (outputs_.contains(digest) && !core_.busy(digest) && older(path.string() + ".of", waiting_kept_max)) {
      give_up(digest,
              std::string(waits_here) + "for at most " + std::to_string(waiting_kept_max.count() / 24) + " days");
    } else if (older(path.string() + ".refused", refused_kept_max)) {
      log::warn("a refused output is deleted: it is too old", {{"digest", digest}});
      finish(digest);
    }
  }
}

std::vector<bus::Message> Outputs::due(Time now) {
  now_ = now;
  Inputs made;
  hear_compressed(made);
  for (auto& input : made) step(std::move(input));
  sweep();
  step(fieldwork::TimePassed{});
  metrics::gauge("fieldwork_outputs_waiting_bytes", static_cast<double>(waiting_.bytes()));
  for (const auto& notice : notices_.due(now))
    to_say_.push_back({.topic = topics_.up(identity_.device, "output"), .payload = codec::encode(notice)});
  std::vector<bus::Message> out;
  out.swap(to_say_);
  for (auto& [digest, output] : outputs_) {
    if (!output.outbound) continue;
    for (auto& frame : output.outbound->due(now)) {
      out.push_back({.topic = topics_.up(identity_.device, "frame"), .payload = std::move(frame), .qos = 0});
    }
  }
  return out;
}

}  // namespace fieldwork::agent
