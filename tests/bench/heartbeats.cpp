// scripts/bench heartbeats: heartbeats from JSON to rows in PostgreSQL (synchronous commit on), in the registry's shell
// over its engine, in batches as large as its runner's; its CPU time, and its memory per device. The limit, taken in
// the same run, is what one client publishes and another one hears through the broker, without registry and database.
//
//   bench-heartbeats STACK DEVICES BEATS   of a stack that scripts/stack made, whose registry does not run
#include <malloc.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <mutex>
#include <nlohmann/json.hpp>

#include "codec/device.hpp"
#include "registry/shell/rows.hpp"
#include "registry/shell/service.hpp"
#include "runtime/engine.hpp"
#include "runtime/log.hpp"
#include "stack.hpp"
#include "store/postgres.hpp"

using namespace fieldwork;
using Clock = std::chrono::steady_clock;

namespace {

constexpr std::size_t batch = 500;                  // as RunnerLimits::batch_max
constexpr Duration interval = seconds{5};           // between the heartbeats of a device
constexpr Time began{std::chrono::hours{500'000}};  // of the registry's clock

double s_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

[[noreturn]] void fail(const std::string& what) {
  std::cerr << "bench-heartbeats: " << what << "\n";
  std::exit(1);
}

// Of this thread, on which the engine runs.
double cpu_us() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return 1e6 * static_cast<double>(now.tv_sec) + 1e-3 * static_cast<double>(now.tv_nsec);
}

double used_bytes() {
  const auto info = mallinfo2();
  return static_cast<double>(info.uordblks) + static_cast<double>(info.hblkhd);
}

double resident_bytes() {
  std::ifstream file("/proc/self/statm");
  double pages = 0;
  file >> pages >> pages;
  return pages * static_cast<double>(sysconf(_SC_PAGESIZE));
}

DeviceId device(std::size_t i) { return DeviceId("device-" + std::to_string(100'000 + i)); }

Device known(std::size_t i) {
  Device out;
  out.id = device(i);
  out.lifecycle = Lifecycle::active;
  out.presence = Presence::online;
  out.about = {.capacity = {4000, 4'000'000'000, 32'000'000'000},
               .cores = 4,
               .architecture = "aarch64",
               .os = "debian 12",
               .agent = "0.1.0",
               .site = "site-" + std::to_string(i % 50),
               .capabilities = {"camera", "gpio"},
               .labels = {{"zone", i % 2 == 0 ? "a" : "b"}, {"line", std::to_string(i % 20)}}};
  out.labels = out.about.labels;
  out.session = 1;
  out.fingerprint = std::string(64, 'f');
  out.registered_ms = out.changed_ms = to_ms(began);
  return out;
}

std::string heartbeat(std::size_t i, std::int64_t beat) {
  Heartbeat out{
      .session = 1,
      .beat = beat,
      .resources = {0.3 + 0.01 * static_cast<double>(beat % 50), 2'000'000'000, 20'000'000'000, 86'400 + 5 * beat}};
  out.resources.cpu_percent = static_cast<double>((i + static_cast<std::size_t>(beat)) % 60);
  out.resources.received_bit_per_s = 120'000;
  out.resources.sent_bit_per_s = 48'000;
  out.resources.temperature_c = 41.5;
  out.link.round_trip_ms = 12.5;
  out.outcomes = {40, 1};
  return codec::encode(out);
}

// Takes what is published, and counts it.
struct Sink : bus::Bus {
  std::size_t messages = 0;
  Result<void> publish(bus::Message) override {
    ++messages;
    return {};
  }
};

struct Ingest {
  double beats_per_s = 0, published_per_beat = 0, registry_us = 0, postgres_us = 0, bytes_per_device = 0;
  double resident_per_device = 0;
};

store::PostgresConfig database(const bench::Stack& stack) {
  std::ifstream file(stack.path("run/registry.url"));
  store::PostgresConfig out{.schema = "registry"};
  if (!std::getline(file, out.url)) fail("no " + stack.path("run/registry.url"));
  return out;
}

double stored(store::Store& store) {
  auto rows = store.range({.table = "history_raw", .column = "from_ms", .limit = 1, .key_only = true});
  if (!rows) fail(describe(rows.error()));
  return static_cast<double>(rows->rows.size());
}

Ingest ingest(const bench::Stack& stack, std::size_t devices, std::size_t beats) {
  auto store = store::PostgresStore::activate(database(stack));
  if (!store) fail(describe(store.error()));
  std::vector<store::Change> rows;
  for (std::size_t i = 0; i < devices; ++i) {
    const registry::Record record{.device = known(i), .enrolled_session = 1, .key = "k"};
    rows.push_back({"device", record.device.id.value, registry::to_row(record)});
    if (rows.size() < 1000 && i + 1 < devices) continue;
    if (auto done = (*store)->commit(rows); !done) fail(describe(done.error()));
    rows.clear();
  }
  const double used = used_bytes(), resident = resident_bytes();
  Sink bus;
  registry::Limits limits;
  limits.history_rows_per_s = 1'000'000;
  registry::RegistryService service("fieldwork/v1", limits);
  runtime::Engine engine(service, **store, bus);
  const auto good = [](const Result<void>& done) {
    if (!done) fail(describe(done.error()));
  };
  good(engine.load(began));
  good(engine.run({runtime::Connected{}}, began));
  bus.messages = 0;
  Ingest out;
  const auto cpu = stack.cpu_us();
  double ingested_s = 0, engine_us = 0;
  for (std::size_t done = 0; done < beats;) {
    std::vector<runtime::Input> inputs;  // made before its time is taken
    for (std::size_t n = 0; n < batch && done < beats; ++n, ++done) {
      const auto i = done % devices;
      inputs.emplace_back(bus::Message{.topic = "fieldwork/v1/device/" + device(i).value + "/up/heartbeat",
                                       .payload = heartbeat(i, static_cast<std::int64_t>(1 + done / devices))});
    }
    const auto at =
        began + seconds{60} + interval * static_cast<std::int64_t>(done) / static_cast<std::int64_t>(devices);
    const auto begin = Clock::now();
    const auto begin_us = cpu_us();
    good(engine.run(std::move(inputs), at));
    ingested_s += s_since(begin);
    engine_us += cpu_us() - begin_us;
  }
  const auto after = stack.cpu_us();
  const auto count = static_cast<double>(beats);
  out.bytes_per_device = (used_bytes() - used) / static_cast<double>(devices);
  out.resident_per_device = (resident_bytes() - resident) / static_cast<double>(devices);
  out.beats_per_s = count / ingested_s;
  out.published_per_beat = static_cast<double>(bus.messages) / count;
  out.registry_us = engine_us / count;
  out.postgres_us = (after.at("postgres") - cpu.at("postgres")) / count;
  if (stored(**store) == 0) fail("nothing was stored");
  return out;
}

// Heartbeats a second from one client to another, through the broker.
double carried(const bench::Stack& stack, std::size_t beats) {
  std::mutex mutex;
  std::condition_variable changed;
  std::size_t heard = 0;
  int connected = 0;
  const auto count_connected = [&] {
    std::lock_guard lock(mutex);
    ++connected;
    changed.notify_all();
  };
  auto hearing = stack.mqtt("services", "services/registry", "registry");
  hearing.subscriptions = {{"fieldwork/v1/device/+/up/heartbeat", 0}};
  bus::MqttBus hears(hearing, {.message =
                                   [&](bus::Message&&) {
                                     std::lock_guard lock(mutex);
                                     if (++heard % 64 == 0 || heard == beats) changed.notify_all();
                                   },
                               .connected = count_connected});
  auto saying = stack.mqtt("devices", "devices/sim-1", "sim-1");
  bus::MqttBus says(saying, {.connected = count_connected});
  hears.start();
  says.start();
  std::unique_lock lock(mutex);
  if (!changed.wait_for(lock, seconds(20), [&] { return connected == 2; })) fail("no connection to the broker");
  const auto begin = Clock::now();
  for (std::size_t i = 0; i < beats; ++i) {
    if (!changed.wait_for(lock, seconds(20), [&] { return i - heard < 512; })) fail("heartbeats were lost");
    lock.unlock();
    const auto done = says.publish({.topic = "fieldwork/v1/device/sim-1/up/heartbeat", .payload = heartbeat(i, 1)});
    if (!done) fail(describe(done.error()));
    lock.lock();
  }
  if (!changed.wait_for(lock, seconds(20), [&] { return heard == beats; })) fail("heartbeats were lost");
  return static_cast<double>(beats) / s_since(begin);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) fail("usage: bench-heartbeats STACK DEVICES BEATS");
  log::setup("bench", "text", "error");
  const bench::Stack stack(argv[1]);
  const auto devices = std::stoul(argv[2]), beats = std::stoul(argv[3]);
  const auto limit = carried(stack, std::min<std::size_t>(beats, 50'000));
  const auto done = ingest(stack, devices, beats);
  std::printf("heartbeats a second, stored      %10.0f\n", done.beats_per_s);
  std::printf("heartbeats a second, carried     %10.0f  broker and two clients, the limit\n", limit);
  std::printf("CPU per heartbeat, registry, us  %10.1f\n", done.registry_us);
  std::printf("CPU per heartbeat, postgres, us  %10.1f\n", done.postgres_us);
  std::printf("published per heartbeat          %10.2f\n", done.published_per_beat);
  std::printf("memory per device, bytes         %10.0f  %.0f resident\n", done.bytes_per_device,
              done.resident_per_device);
  std::cout << nlohmann::json{{"devices", devices},
                              {"beats", beats},
                              {"beats_per_s", done.beats_per_s},
                              {"carried_beats_per_s", limit},
                              {"of_carried", done.beats_per_s / limit},
                              {"registry_us_per_beat", done.registry_us},
                              {"postgres_us_per_beat", done.postgres_us},
                              {"published_per_beat", done.published_per_beat},
                              {"bytes_per_device", done.bytes_per_device},
                              {"resident_bytes_per_device", done.resident_per_device}}
                   .dump()
            << "\n";
}
