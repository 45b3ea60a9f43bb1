// scripts/bench micro: what one step of the hot paths costs, each compared with its limit: the same work by the library
// below, or by the plainest loop, without what we add to it.
#include <benchmark/benchmark.h>
#include <openssl/evp.h>

#include <array>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "codec/job.hpp"
#include "content/receiver.hpp"
#include "content/sender.hpp"
#include "crypto/content_key.hpp"
#include "crypto/jws.hpp"
#include "crypto/sealed.hpp"
#include "scheduler/core/plan/placement.hpp"
#include "walk.hpp"

namespace fieldwork {
namespace {

constexpr std::size_t frame_bytes = 64 * 1024;
constexpr int frames = 256;  // of one content
constexpr const char* trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

// --- frames --------------------------------------------------------------------------------------------------------

const std::string& piece() {
  static const std::string bytes(frame_bytes, 'p');
  return bytes;
}
const std::string key(crypto::content_key_bytes, 'k');

constexpr std::uint64_t content_bytes = frames * frame_bytes;

crypto::Sealed sealed() {
  const crypto::SealedHeader header{.content_id_hex = std::string(32, 'a'),
                                    .encoded_bytes = content_bytes,
                                    .digest = "sha256:" + std::string(64, 'a')};
  return crypto::Sealed::make(header, key).value();
}

void seal_chunks(benchmark::State& state, int bytes) {
  auto content = sealed();
  const std::string plain(static_cast<std::size_t>(bytes), 'p');
  std::string frame;
  std::uint64_t offset = 0;
  for (auto _ : state) {
    content.frame_into(offset, plain, frame);
    offset = (offset + plain.size()) % content_bytes;
    benchmark::DoNotOptimize(frame);
  }
}

void open_chunks(benchmark::State& state, int bytes) {
  auto content = sealed();
  const auto frame = content.frame(0, std::string(static_cast<std::size_t>(bytes), 'p'));
  std::string opened;
  for (auto _ : state) benchmark::DoNotOptimize(content.open_into(frame, opened).value());
}

// AES-256-GCM in blocks of 4 KiB, as "openssl speed" measures it: one nonce and no tag.
void bare_blocks(benchmark::State& state, int bytes) {
  constexpr int block = 4096;
  const std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context(EVP_CIPHER_CTX_new(),
                                                                                EVP_CIPHER_CTX_free);
  const std::vector<unsigned char> in(static_cast<std::size_t>(bytes), 'p');
  auto out = in;
  const std::string nonce(12, 'n');
  EVP_EncryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, reinterpret_cast<const unsigned char*>(key.data()),
                     reinterpret_cast<const unsigned char*>(nonce.data()));
  for (auto _ : state) {
    int length = 0;
    for (int at = 0; at < bytes; at += block)
      EVP_EncryptUpdate(context.get(), out.data() + at, &length, in.data() + at, block);
    benchmark::DoNotOptimize(out);
  }
}

std::string chunks_root(const std::string& content) {
  return crypto::sealed_root_hex(
             sealed().header(), key,
             [&](std::uint64_t offset, std::size_t length) { return content.substr(offset, length); })
      .value();
}

void root(benchmark::State& state) {
  const std::string content(content_bytes, 'p');
  for (auto _ : state) benchmark::DoNotOptimize(chunks_root(content));
}

// SHA-256 over the content as it is.
void bare_root(benchmark::State& state) {
  const std::string content(content_bytes, 'p');
  std::array<unsigned char, 32> hash{};
  for (auto _ : state) {
    EVP_Digest(content.data(), content.size(), hash.data(), nullptr, EVP_sha256(), nullptr);
    benchmark::DoNotOptimize(hash);
  }
}

// What both ends of a transfer decide about one frame: when to send it, whether it is new, when to acknowledge it.
void window(benchmark::State& state) {
  using std::chrono::microseconds;
  for (auto _ : state) {
    content::Sender sender({.encoded_bytes = content_bytes}, {}, content::fixed_pace(64 * frame_bytes), frame_bytes);
    content::Receiver receiver({.encoded_bytes = content_bytes});
    microseconds now{0};
    while (!receiver.complete()) {
      now += microseconds(1000);
      for (const auto& sent : sender.due(now)) {
        if (!receiver.accept(sent.offset, sent.length).value()) state.SkipWithError("a frame came twice");
      }
      if (!receiver.ack_due(now) && !receiver.complete()) now += microseconds(50'000);
      receiver.ack_sent(now);
      sender.acknowledged(receiver.ranges(), now);
    }
  }
}

void copies(benchmark::State& state) {
  std::string to(frame_bytes, '\0');
  for (auto _ : state) {
    for (int i = 0; i < frames; ++i) {
      std::memcpy(to.data(), piece().data(), frame_bytes);
      benchmark::ClobberMemory();
    }
  }
}

// --- grants --------------------------------------------------------------------------------------------------------

Grant grant() {
  return {.key = {JobId("j-1"), 0, 1},
          .device = DeviceId("edge-1"),
          .package = "sha256:" + std::string(64, 'a'),
          .work_digest = "sha256:" + std::string(64, 'b'),
          .limits = {},
          .issued_ms = 1,
          .expires_ms = 2};
}

const crypto::PrivateKey& signer() {
  static const auto made = crypto::PrivateKey::generate();
  return made;
}

void sign(benchmark::State& state) {
  for (auto _ : state)
    benchmark::DoNotOptimize(crypto::sign_jws(signer(), "fieldwork-grant+jws", codec::encode(grant())));
}

void verify(benchmark::State& state) {
  crypto::TrustStore trusted;
  trusted.add(signer().public_key());
  const auto jws = crypto::sign_jws(signer(), "fieldwork-grant+jws", codec::encode(grant()));
  for (auto _ : state)
    benchmark::DoNotOptimize(codec::decode_grant(trusted.verify(jws, "fieldwork-grant+jws").value()).value());
}

constexpr std::size_t batch = 100;

// Per grant, in a batch of 100.
void sign_batch(benchmark::State& state) {
  const std::vector<std::string> payloads(batch, codec::encode(grant()));
  while (state.KeepRunningBatch(batch))
    benchmark::DoNotOptimize(crypto::sign_jws_batch(signer(), "fieldwork-grant+jws", payloads));
}

// Per grant, in a batch of 100 for one device.
void verify_batch(benchmark::State& state) {
  const auto texts =
      crypto::sign_jws_batch(signer(), "fieldwork-grant+jws", std::vector<std::string>(batch, codec::encode(grant())));
  while (state.KeepRunningBatch(batch)) {
    crypto::TrustStore trusted;
    trusted.add(signer().public_key());
    for (const auto& text : texts)
      benchmark::DoNotOptimize(codec::decode_grant(trusted.verify(text, "fieldwork-grant+jws").value()).value());
  }
}

using Digest = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

std::string bare_signature(const std::string& text) {
  const Digest context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  std::size_t length = 80;
  std::string out(length, '\0');
  EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, signer().native());
  EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(out.data()), &length,
                 reinterpret_cast<const unsigned char*>(text.data()), text.size());
  out.resize(length);
  return out;
}

void bare_sign(benchmark::State& state) {
  const auto text = codec::encode(grant());
  for (auto _ : state) benchmark::DoNotOptimize(bare_signature(text));
}

void bare_verify(benchmark::State& state) {
  const auto text = codec::encode(grant());
  const auto signature = bare_signature(text);
  for (auto _ : state) {
    const Digest context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, signer().public_key().native());
    if (EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(signature.data()), signature.size(),
                         reinterpret_cast<const unsigned char*>(text.data()), text.size()) != 1)
      state.SkipWithError("verify");
  }
}

// --- messages ------------------------------------------------------------------------------------------------------

std::string report() {
  codec::Report out{.epoch = 1, .first = 1, .seq = 1, .after = 0, .items = {}};
  for (int i = 0; i < 16; ++i) {
    out.items.push_back({.tag = i + 1,
                         .report = {.key = {JobId("j-" + std::to_string(i)), 0, 1},
                                    .state = AttemptState::succeeded,
                                    .reason = "",
                                    .result = RunResult{},
                                    .part = std::nullopt,
                                    .traceparent = trace},
                         .error = std::nullopt});
  }
  return codec::encode(out);
}

void read_report(benchmark::State& state) {
  const auto text = report();
  for (auto _ : state) benchmark::DoNotOptimize(codec::decode_report(text).value());
}

void bare_parse(benchmark::State& state) {
  const auto text = report();
  for (auto _ : state) benchmark::DoNotOptimize(nlohmann::json::parse(text));
}

void write_report(benchmark::State& state) {
  const auto value = codec::decode_report(report()).value();
  for (auto _ : state) benchmark::DoNotOptimize(codec::encode(value));
}

void bare_dump(benchmark::State& state) {
  const auto value = nlohmann::json::parse(report());
  for (auto _ : state) benchmark::DoNotOptimize(value.dump());
}

// --- placement -----------------------------------------------------------------------------------------------------

scheduler::Fleet fleet(int count) {
  scheduler::Fleet out;
  for (int i = 0; i < count; ++i) {
    const DeviceId id("edge-" + std::to_string(i));
    Device device;
    device.id = id;
    device.lifecycle = Lifecycle::active;
    device.presence = i % 10 == 0 ? Presence::suspect : Presence::online;
    device.about.capacity = {4000, 4 << 20, 4 << 20};
    device.labels = {{"zone", i % 2 == 0 ? "a" : "b"}, {"arch", "arm64"}};
    out.seen(device);
    Requirements taken;
    taken.cpu_millis = i % 4000;
    out.reserve(id, {.need = taken}, 1);
  }
  return out;
}

void place(benchmark::State& state, int count) {
  const auto devices = fleet(count);
  JobSpec job;
  job.command = {"./go"};
  job.requirements = {1000, 1 << 20, 0, {{"zone", "a"}}};
  const DeviceId anywhere;
  const std::set<DeviceId> avoid;
  const std::map<DeviceId, scheduler::Exclusion> excluded;
  const std::map<DeviceId, int> taken;
  const scheduler::Want want{job, anywhere, avoid, excluded, taken, 0, {}};
  const scheduler::Limits limits;
  for (auto _ : state) benchmark::DoNotOptimize(scheduler::describe(want, devices, limits));
}

// Finds the device with the least free CPU that is enough: one walk, one requirement, no label, no reason kept.
void bare_walk(benchmark::State& state, int count) {
  const auto devices = fleet(count);
  for (auto _ : state) benchmark::DoNotOptimize(bench::walk(devices));
}

template <class... Size>
void pair(const std::string& name, void (*ours)(benchmark::State&, Size...), void (*limit)(benchmark::State&, Size...),
          Size... size) {
  benchmark::RegisterBenchmark((name + "/ours").c_str(), ours, size...);
  benchmark::RegisterBenchmark((name + "/limit").c_str(), limit, size...);
}

}  // namespace
}  // namespace fieldwork

int main(int argc, char** argv) {
  using namespace fieldwork;
  for (const int kib : {64, 256}) {
    const auto size = std::to_string(kib) + " KiB";
    pair("seal chunks, a frame of " + size, seal_chunks, bare_blocks, kib * 1024);
    pair("open chunks, a frame of " + size, open_chunks, bare_blocks, kib * 1024);
  }
  pair("root over the chunks of 16 MiB", root, bare_root);
  pair("window and acknowledgements, 256 frames", window, copies);
  pair("sign each of 100 grants", sign_batch, bare_sign);
  pair("verify each of 100 grants", verify_batch, bare_verify);
  pair("sign a grant", sign, bare_sign);
  pair("verify a grant", verify, bare_verify);
  pair("read a report of 16", read_report, bare_parse);
  pair("write a report of 16", write_report, bare_dump);
  for (const int devices : {10, 1000, 10'000})
    pair("place among " + std::to_string(devices) + " devices", place, bare_walk, devices);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
