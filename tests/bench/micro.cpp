// scripts/bench micro: what one step of the hot paths costs, each compared with its limit: the same work by the library
// below, or by the plainest loop, without what we add to it.
#include <benchmark/benchmark.h>
#include <openssl/evp.h>

#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>

#include "codec/job.hpp"
#include "content/receiver.hpp"
#include "content/sender.hpp"
#include "crypto/jws.hpp"
#include "crypto/seal.hpp"
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
const std::string transfer_id(32, 'a');
const std::string key(crypto::content_key_bytes, 'k');

void seal(benchmark::State& state) {
  std::uint64_t offset = 0;
  for (auto _ : state) benchmark::DoNotOptimize(crypto::seal_frame(key, transfer_id, offset += frame_bytes, piece()));
}

void open(benchmark::State& state) {
  const auto frame = crypto::seal_frame(key, transfer_id, 0, piece());
  for (auto _ : state) benchmark::DoNotOptimize(crypto::open_frame(key, frame).value());
}

// AES-256-GCM into a buffer that is allocated before.
void bare_gcm(benchmark::State& state) {
  const std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context(EVP_CIPHER_CTX_new(),
                                                                                EVP_CIPHER_CTX_free);
  std::string out(frame_bytes, '\0');
  const std::string nonce(12, 'n');
  const auto* const in = reinterpret_cast<const unsigned char*>(piece().data());
  auto* const to = reinterpret_cast<unsigned char*>(out.data());
  for (auto _ : state) {
    int length = 0;
    EVP_EncryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, reinterpret_cast<const unsigned char*>(key.data()),
                       reinterpret_cast<const unsigned char*>(nonce.data()));
    EVP_EncryptUpdate(context.get(), to, &length, in, frame_bytes);
    if (EVP_EncryptFinal_ex(context.get(), to + length, &length) != 1) state.SkipWithError("gcm");
    benchmark::DoNotOptimize(out);
  }
}

// What both ends of a transfer decide about one frame: when to send it, whether it is new, when to acknowledge it.
void window(benchmark::State& state) {
  using std::chrono::microseconds;
  constexpr std::uint64_t content_bytes = frames * frame_bytes;
  for (auto _ : state) {
    content::Sender sender({.encoded_bytes = content_bytes, .frame_bytes = frame_bytes});
    content::Receiver receiver({.encoded_bytes = content_bytes});
    microseconds now{0};
    while (!receiver.complete()) {
      now += microseconds(1000);
      for (const auto& sent : sender.due(now)) {
        if (!receiver.accept(sent.offset, sent.length, now).value()) state.SkipWithError("a frame came twice");
      }
      if (!receiver.ack_due(now) && !receiver.complete()) now += microseconds(50'000);
      receiver.ack_sent();
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
  pair("seal a frame of 64 KiB", seal, bare_gcm);
  pair("open a frame of 64 KiB", open, bare_gcm);
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
