#include "agent/shell/outputs.hpp"

#include <algorithm>
#include <chrono>
#include <fstream>

#include "codec/transfer.hpp"
#include "crypto/bytes.hpp"
#include "crypto/digest.hpp"
#include "crypto/seal.hpp"
#include "exchange/drive.hpp"
#include "exchange/durable.hpp"
#include "runtime/log.hpp"

namespace fieldwork::agent {
namespace fs = std::filesystem;
namespace {

constexpr Duration sweep_every = std::chrono::minutes(10);
constexpr std::int64_t frame_bytes = 65536;

bool older(const fs::path& path, std::chrono::hours age) {
  std::error_code error;
  const auto written = fs::last_write_time(path, error);
  return !error && fs::file_time_type::clock::now() - written > age;
}

void remove_all_of(const fs::path& file) {
  std::error_code ignored;
  for (const char* ending : {".zst", ".zst.new", ".of", ".of.new", ".refused", ""})
    fs::remove(file.string() + ending, ignored);
}

}  // namespace

Result<void> keep_output(const fs::path& from, const fs::path& kept, const AttemptKey& key) {
  const auto text = key.job.value + ' ' + std::to_string(key.execution) + ' ' + std::to_string(key.fence) + '\n';
  auto done = exchange::move_durably(from, kept);
  if (done) done = exchange::replace_file(kept.string() + ".of", text);
  std::error_code ignored;
  if (!done && !fs::exists(kept.string() + ".of", ignored)) remove_all_of(kept);  // else it is an earlier attempt's
  return done;
}

Outputs::Outputs(fs::path directory, Identity identity, crypto::CertificateAuthority transfer_ca, Topics topics)
    : Outputs(std::move(directory), std::move(identity), std::move(transfer_ca), std::move(topics), Options{}) {}

Outputs::Outputs(fs::path directory, Identity identity, crypto::CertificateAuthority transfer_ca, Topics topics,
                 Options options)
    : directory_(std::move(directory)),
      identity_(std::move(identity)),
      transfer_ca_(std::move(transfer_ca)),
      topics_(std::move(topics)) {
  if (options.thread) worker_ = std::make_unique<exchange::Worker>();
  load();
}

void Outputs::load() {
  std::error_code error;
  fs::create_directories(directory_, error);
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(directory_, error)) {
    if (crypto::is_hex(entry.path().filename().string(), 64)) files.push_back(entry.path());
  }
  for (const auto& path : files) {
    if (fs::exists(path.string() + ".refused", error)) continue;
    // Without the file .of, the agent died between the two writes: no report names the output, and nobody will ask for
    // it.
    AttemptKey key;
    if (std::ifstream(path.string() + ".of") >> key.job.value >> key.execution >> key.fence) {
      keep(path, key);
    } else {
      remove_all_of(path);
    }
  }
}

void Outputs::add(const fs::path& kept, const AttemptKey& key, Time now) {
  now_ = now;
  std::error_code ignored;
  fs::remove(kept.string() + ".refused", ignored);  // written again by a job: announced again
  keep(kept, key);
}

void Outputs::keep(const fs::path& kept, const AttemptKey& key) {
  std::error_code error;
  const auto size = fs::file_size(kept, error);
  const auto digest = "sha256:" + kept.filename().string();
  outputs_.try_emplace(digest, Output{.key = key, .size_bytes = error ? 0 : static_cast<std::int64_t>(size)});
  step(exchange::deliver::Add{digest});
}

void Outputs::step(exchange::deliver::Input input) {
  exchange::drive(
      core_, std::move(input), [this] { return now_; },
      [&](exchange::deliver::Output& done, Inputs& inputs) {
        for (const auto& one : done.work) std::visit([&](const auto& work) { act(work, inputs); }, one);
        for (const auto& one : done.announcements) {
          const auto& output = outputs_.at(one.digest);
          const codec::OutputOffer announcement{one.digest, output.size_bytes, output.key.job.value,
                                                output.key.execution, output.key.fence};
          to_say_.push_back({.topic = topics_.up(identity_.device, "output"), .payload = codec::encode(announcement)});
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

void Outputs::connected(Time now) {
  now_ = now;
  step(LinkBack{});
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
  auto job = [compressed = compressed_, digest = work.digest, path = file(work.digest),
              bytes = outputs_.at(work.digest).size_bytes] {
    auto encoded = exchange::encode_beside(path);
    // Without room to compress the output it is sent as it is; once it is delivered, there is more room.
    if (!encoded && bytes > 0) encoded = exchange::Encoded{"identity", path, bytes};
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
      remove_all_of(file(compressed.digest));
      continue;
    }
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
  output.content_key = crypto::generate_content_key();  // a new one for each offer
  auto offer = exchange::make_offer(transfer, digest, output.size_bytes, encoded.encoding, encoded.encoded_bytes,
                                    frame_bytes, output.content_key, *output.receiver, "");
  if (!offer) return offer.error();
  output.offer = std::move(*offer);
  output.encoded = encoded.path;
  output.acked = {};
  return open(output);
}

// Publishes the offer, also a second time: the answer says from where on to send.
Result<void> Outputs::open(Output& output) {
  auto outbound = exchange::Outbound::open(*output.offer, output.content_key, output.encoded, output.acked, {}, now_);
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
    step(exchange::deliver::Heard{digest});
  }
  return {};
}

Result<void> Outputs::stored(std::string_view payload, Time now) {
  now_ = now;
  const auto stored = codec::decode_output_stored(payload);
  if (!stored) return stored.error();
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
  std::error_code ignored;
  fs::remove(file(digest).string() + ".zst", ignored);
}

void Outputs::finish(const std::string& digest) {
  outputs_.erase(digest);
  remove_all_of(file(digest));
}

// Gives up outputs that are too old.
void Outputs::sweep() {
  if (now_ < sweep_at_) return;
  sweep_at_ = now_ + sweep_every;
  std::vector<fs::path> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory_, error)) {
    if (crypto::is_hex(entry.path().filename().string(), 64)) files.push_back(entry.path());
  }
  for (const auto& path : files) {
    const auto digest = "sha256:" + path.filename().string();
    const bool old = older(path, waiting_kept_max) && !core_.busy(digest);
    if (!old && !older(path.string() + ".refused", refused_kept_max)) continue;
    log::warn("an output is given up: it is too old", {{"digest", digest}});
    step(exchange::deliver::Delivered{digest});
    finish(digest);
  }
}

std::vector<bus::Message> Outputs::due(Time now) {
  now_ = now;
  Inputs made;
  hear_compressed(made);
  for (auto& input : made) step(std::move(input));
  sweep();
  step(fieldwork::TimePassed{});
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
