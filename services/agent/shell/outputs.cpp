#include "agent/shell/outputs.hpp"

#include <algorithm>
#include <chrono>
#include <fstream>

#include "codec/transfer.hpp"
#include "crypto/bytes.hpp"
#include "crypto/digest.hpp"
#include "crypto/seal.hpp"
#include "exchange/durable.hpp"
#include "runtime/log.hpp"

namespace fieldwork::agent {
namespace fs = std::filesystem;
namespace {

constexpr Duration announce_first = seconds(5);
constexpr Duration announce_last = std::chrono::minutes(5);
constexpr Duration silent_for = seconds(60);
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
    // Without its note the death came between the two writes: no report names the file, nobody will ask for it.
    AttemptKey key;
    if (std::ifstream(path.string() + ".of") >> key.job.value >> key.execution >> key.fence) {
      keep(path, key).noted = true;
    } else {
      remove_all_of(path);
    }
  }
}

void Outputs::add(const fs::path& kept, const AttemptKey& key) {
  std::error_code ignored;
  fs::remove(kept.string() + ".refused", ignored);  // made again: asked again
  auto& output = keep(kept, key);
  output.noted = note("sha256:" + kept.filename().string(), output);
}

Outputs::Output& Outputs::keep(const fs::path& kept, const AttemptKey& key) {
  std::error_code error;
  const auto size = fs::file_size(kept, error);
  const auto digest = "sha256:" + kept.filename().string();
  const auto [it, fresh] = outputs_.try_emplace(
      digest,
      Output{.key = key, .size_bytes = error ? 0 : static_cast<std::int64_t>(size), .announce_wait = announce_first});
  if (fresh) turns_.push_back(digest);
  return it->second;
}

bool Outputs::note(const std::string& digest, Output& output) const {
  const auto path = file(digest);
  const auto& key = output.key;
  const auto text = key.job.value + ' ' + std::to_string(key.execution) + ' ' + std::to_string(key.fence) + '\n';
  auto done = exchange::sync_file(path);
  if (done) done = exchange::replace_file(path.string() + ".of", text);
  if (!done)
    log::error("an output is not safe from a power cut", {{"digest", digest}, {"reason", describe(done.error())}});
  return done.ok();
}

void Outputs::connected(Time now) {
  for (auto& [digest, output] : outputs_) {
    output.announce_due = now;
    output.announce_wait = announce_first;
    output.asked.reset();
  }
}

Result<void> Outputs::want(std::string_view payload, Time now) {
  const auto want = codec::decode_want(payload);
  if (!want) return want.error();
  const auto it = outputs_.find(want->digest);
  if (it == outputs_.end() || it->second.outbound || it->second.encoding) return {};
  const auto receiver = crypto::Certificate::from_pem(want->certificate);
  const auto wall = std::chrono::system_clock::now();
  if (!receiver || receiver->common_name() != "transfer" || !transfer_ca_.verify(*receiver, wall)) {
    return Error{Code::denied, "is not the transfer service's", "/certificate"};
  }
  it->second.encoding = true;
  it->second.announce_due = now + silent_for;
  auto job = [compressed = compressed_, digest = want->digest, receiver = *receiver, path = file(want->digest)] {
    compressed->put({digest, receiver, exchange::encode_beside(path)});
  };
  if (worker_) {
    worker_->run(std::move(job));
  } else {
    job();
    take_compressed(now);
  }
  return {};
}

void Outputs::take_compressed(Time now) {
  for (const auto& compressed : compressed_->take()) send(compressed, now);
}

void Outputs::send(const Compressed& compressed, Time now) {
  const auto& digest = compressed.digest;
  const auto it = outputs_.find(digest);
  if (it == outputs_.end()) return remove_all_of(file(digest));
  auto& output = it->second;
  output.encoding = false;
  const auto& encoded = compressed.encoded;
  if (!encoded) return failed(digest, output, "it cannot be encoded: " + describe(encoded.error()), now);
  const TransferId transfer(crypto::to_hex(crypto::random_bytes(16)));
  const auto key = crypto::generate_content_key();  // one per transfer id
  const auto offer = exchange::make_offer(transfer, digest, output.size_bytes, encoded->encoding,
                                          encoded->encoded_bytes, frame_bytes, key, compressed.receiver, "");
  if (!offer) return failed(digest, output, "it cannot be offered: " + describe(offer.error()), now);
  auto outbound = exchange::Outbound::open(*offer, key, encoded->path, {}, {}, now);
  if (!outbound) return failed(digest, output, "it cannot be sent: " + describe(outbound.error()), now);
  output.outbound = std::move(*outbound);
  output.announce_due = now + silent_for;
  offers_.push_back({.topic = topics_.up(identity_.device, "offer"), .payload = codec::encode(*offer)});
}

// Announced again by and by, and sent under a new id and key; but not for ever.
void Outputs::failed(const std::string& digest, Output& output, const std::string& reason, Time now) {
  log::warn("an output was not delivered", {{"digest", digest}, {"reason", reason}});
  output.outbound.reset();
  output.asked.reset();
  if (++output.failures >= failures_max) return refused(std::string(digest), reason);
  output.announce_wait = std::min(output.announce_wait * 2, announce_last);
  output.announce_due = now + output.announce_wait;
}

Result<void> Outputs::received(std::string_view payload, Time now) {
  const auto received = codec::decode_received(payload);
  if (!received) return received.error();
  for (auto& [digest, output] : outputs_) {
    if (!output.outbound || output.outbound->offer().transfer != received->transfer) continue;
    output.outbound->received(*received, now);
    output.announce_due = now + silent_for;
    output.announce_wait = announce_first;
    if (output.outbound->finished()) {
      finish(std::string(digest));
    } else if (output.outbound->failed()) {
      failed(digest, output, std::string(output.outbound->reason()), now);
    }
    break;
  }
  return {};
}

Result<void> Outputs::stored(std::string_view payload) {
  const auto stored = codec::decode_output_stored(payload);
  if (!stored) return stored.error();
  if (!outputs_.contains(stored->digest)) return {};
  if (stored->refused.empty()) {
    finish(stored->digest);
  } else {
    refused(stored->digest, stored->refused);
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

// What is old goes, and what is not yet on the disk is tried again.
void Outputs::sweep(Time now) {
  if (now < sweep_at_) return;
  sweep_at_ = now + sweep_every;
  for (auto& [digest, output] : outputs_) {
    if (!output.noted) output.noted = note(digest, output);
  }
  std::vector<fs::path> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory_, error)) {
    if (crypto::is_hex(entry.path().filename().string(), 64)) files.push_back(entry.path());
  }
  for (const auto& path : files) {
    const auto digest = "sha256:" + path.filename().string();
    const auto it = outputs_.find(digest);
    const bool old =
        older(path, waiting_kept) && (it == outputs_.end() || (!it->second.outbound && !it->second.encoding));
    if (!old && !older(path.string() + ".refused", refused_kept)) continue;
    log::warn("an output is given up: it is too old", {{"digest", digest}});
    finish(digest);
  }
}

// The next ones in turn, while fewer than sending_max are announced or sent: who is not answered waits longer.
void Outputs::announce(Time now, std::vector<bus::Message>& out) {
  std::size_t busy = 0;
  for (const auto& [digest, output] : outputs_) {
    busy += output.outbound || output.encoding || (output.asked && now < *output.asked) ? 1 : 0;
  }
  for (auto left = turns_.size(); left > 0 && busy < sending_max; --left) {
    const auto digest = std::move(turns_.front());
    turns_.pop_front();
    const auto it = outputs_.find(digest);
    if (it == outputs_.end()) continue;
    turns_.push_back(digest);
    auto& output = it->second;
    if (output.encoding || output.outbound || now < output.announce_due) continue;
    const codec::OutputOffer announcement{digest, output.size_bytes, output.key.job.value, output.key.execution,
                                          output.key.fence};
    out.push_back({.topic = topics_.up(identity_.device, "output"), .payload = codec::encode(announcement)});
    output.asked = now + announce_first;
    output.announce_due = now + output.announce_wait;
    output.announce_wait = std::min(output.announce_wait * 2, announce_last);
    ++busy;
  }
}

std::vector<bus::Message> Outputs::due(Time now) {
  take_compressed(now);
  sweep(now);
  std::vector<bus::Message> out;
  out.swap(offers_);
  for (auto& [digest, output] : outputs_) {
    if (!output.outbound) continue;
    if (now >= output.announce_due) {  // silence: begin anew, in turn
      output.outbound.reset();
      continue;
    }
    for (auto& frame : output.outbound->due(now)) {
      out.push_back({.topic = topics_.up(identity_.device, "frame"), .payload = std::move(frame), .qos = 0});
    }
  }
  announce(now, out);
  return out;
}

}  // namespace fieldwork::agent
