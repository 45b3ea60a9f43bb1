// scripts/bench dispatch: jobs from submission until they are settled in PostgreSQL, compared with a ring of as many
// hops through the same broker and the same MQTT wrapper, without database and decisions. The ring is the limit, taken
// in the same run.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <unordered_map>

#include "devices.hpp"
#include "fleet.hpp"
#include "percentile.hpp"
#include "runtime/log.hpp"
#include "stack.hpp"

using namespace fieldwork;
using Clock = std::chrono::steady_clock;
using nlohmann::json;

namespace {

constexpr int hops = 6;  // submit, question, answer, assignment, report, state
constexpr int bulk = 100;
constexpr std::size_t devices_with_processes = 20;

double ms_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

std::string read_text(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The submitting side: sends jobs and counts what event/job/changed says.
class Client {
 public:
  explicit Client(const bench::Stack& stack) : topics_("fieldwork/v1") {
    static int clients = 0;  // requests of two clients must not be taken for repeats
    run_ = "b" + std::to_string(getpid()) + "." + std::to_string(++clients);
    auto config = stack.mqtt("operators", "operators/operator", "cli-" + run_);
    config.subscriptions = {{topics_.event("job", "changed"), 1}};
    bus_ = std::make_unique<bus::MqttBus>(config, bus::MqttEvents{.message = [this](bus::Message&& m) { heard(m); },
                                                                  .connected = [this] { set_connected(); },
                                                                  .disconnected = [](const std::string&) {}});
    bus_->start();
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, seconds(10), [&] { return connected_; });
  }

  void submit(int count, const json& job) {
    json items = json::array();
    for (int i = 0; i < count; ++i) items.push_back({{"request", run_ + "-" + std::to_string(++last_)}, {"job", job}});
    (void)bus_->publish({.topic = topics_.service("scheduler", "submit", "operator"),
                         .payload = json{{"v", 1}, {"items", items}}.dump()});
  }

  bool wait_done(std::uint64_t count, seconds patience) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience, [&] { return done_ >= count; });
  }
  std::uint64_t done() {
    std::lock_guard lock(mutex_);
    return done_;
  }
  std::uint64_t failed() {
    std::lock_guard lock(mutex_);
    return failed_;
  }
  [[nodiscard]] bus::MqttStats stats() const { return bus_->stats(); }

 private:
  void set_connected() {
    std::lock_guard lock(mutex_);
    connected_ = true;
    changed_.notify_all();
  }
  void heard(const bus::Message& message) {
    // States are counted in the text: the time to parse every event here would be measured as Fieldwork's.
    std::uint64_t good = 0, bad = 0;
    for (std::size_t at = 0; (at = message.payload.find("\"state\":\"", at)) != std::string::npos; ++at) {
      const auto word = std::string_view(message.payload).substr(at + 9, 9);
      good += word == "succeeded" ? 1 : 0;
      bad += word.starts_with("failed") || word.starts_with("denied") ? 1 : 0;
    }
    std::lock_guard lock(mutex_);
    done_ += good + bad;
    failed_ += bad;
    changed_.notify_all();
  }

  Topics topics_;
  std::string run_;
  std::uint64_t last_ = 0;
  std::unique_ptr<bus::MqttBus> bus_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool connected_ = false;
  std::uint64_t done_ = 0, failed_ = 0;
};

struct Throughput {
  double jobs_per_s = 0, messages_per_job = 0;
  std::map<std::string, double> cpu_us_per_job;
  std::uint64_t failed = 0;
};

// `published`: messages that the devices have sent so far. `devices`: the pid of the devices' process; 0: this process.
Throughput measure_throughput(const bench::Stack& stack, const std::function<double()>& published, int devices,
                              int jobs, int outstanding, const json& job) {
  Client client(stack);
  const auto said = [&] {
    return stack.sum_of("fieldwork_bus_published_total") + static_cast<double>(client.stats().published) + published();
  };
  const auto messages_before = said();
  const auto cpu_before = stack.cpu_us(devices);
  const auto begin = Clock::now();
  int sent = 0;
  while (sent < jobs) {
    const int now = std::min(bulk, jobs - sent);
    client.submit(now, job);
    sent += now;
    if (sent > outstanding && !client.wait_done(static_cast<std::uint64_t>(sent - outstanding), seconds(60))) break;
  }
  client.wait_done(static_cast<std::uint64_t>(jobs), seconds(60));
  const double elapsed = ms_since(begin) / 1e3;
  const auto done = static_cast<double>(client.done());
  Throughput out{.jobs_per_s = done / elapsed, .failed = client.failed()};
  for (const auto& [name, cpu] : stack.cpu_us(devices)) out.cpu_us_per_job[name] = (cpu - cpu_before.at(name)) / done;
  std::this_thread::sleep_for(milliseconds(600));  // counters are updated five times a second, and nothing tells of it
  out.messages_per_job = (said() - messages_before) / done;
  return out;
}

std::vector<double> measure_latency(const bench::Stack& stack, int jobs, const json& job) {
  Client client(stack);
  std::vector<double> out;
  for (int i = 0; i < jobs; ++i) {
    const auto begin = Clock::now();
    client.submit(1, job);
    if (!client.wait_done(static_cast<std::uint64_t>(i + 1), seconds(30))) break;
    out.push_back(ms_since(begin));
  }
  return out;
}

// --- the ring -------------------------------------------------------------------------------------------------------

// One party of the ring: it forwards each message unchanged. Runs in a process of its own, as a service does.
[[noreturn]] void ring_party(const bench::Stack& stack, const std::string& name,
                             const std::map<std::string, std::string>& routes) {
  auto config = stack.mqtt("services", "services/" + name, name);
  for (const auto& [from, to] : routes) config.subscriptions.emplace_back(from, 1);
  bus::MqttBus* bus = nullptr;
  bus::MqttBus party(config, {.message =
                                  [&](bus::Message&& m) {
                                    for (const auto& [from, to] : routes) {
                                      if (matches(from, m.topic))
                                        (void)bus->publish({.topic = to, .payload = std::move(m.payload)});
                                    }
                                  },
                              .connected = [] {},
                              .disconnected = [](const std::string&) {}});
  bus = &party;
  party.start();
  while (true) pause();
}

pid_t start_ring_party(const bench::Stack& stack, const std::string& name,
                       const std::map<std::string, std::string>& routes) {
  const pid_t pid = fork();
  if (pid == 0) ring_party(stack, name, routes);
  return pid;
}

struct Ring {
  double jobs_per_s = 0, p50_ms = 0, p99_ms = 0, round_trip_p50_ms = 0;
};

// The ring takes the path of a job over the job's own topics; the services are stopped, and the ring uses their names.
Ring measure_ring(const bench::Stack& stack, int jobs, int singles, int window) {
  const Topics topics("fieldwork/v1");
  const std::string device = stack.devices().front();
  const auto submit = topics.service("scheduler", "submit", "operator");
  const auto question = topics.service("security-policy", "authorise", "scheduler");
  const auto answer = topics.service("scheduler", "authorised", "security-policy");
  const auto done_topic = topics.event("job", "changed");
  const std::vector<pid_t> parties{
      start_ring_party(
          stack, "scheduler",
          {{submit, question}, {answer, topics.down(device, "command")}, {topics.up(device, "report"), done_topic}}),
      start_ring_party(stack, "security-policy", {{question, answer}})};

  auto device_config = stack.mqtt("devices", "devices/" + device, device);
  device_config.mqtt5 = false;
  device_config.subscriptions = {{topics.down(device, "command"), 1}};
  bus::MqttBus* device_bus = nullptr;
  bus::MqttBus on_device(device_config, {.message =
                                             [&](bus::Message&& m) {
                                               (void)device_bus->publish({.topic = topics.up(device, "report"),
                                                                          .payload = std::move(m.payload)});
                                             },
                                         .connected = [] {},
                                         .disconnected = [](const std::string&) {}});
  device_bus = &on_device;
  on_device.start();

  auto config = stack.mqtt("operators", "operators/operator", "cli-ring");
  config.subscriptions = {{done_topic, 1}};
  std::mutex mutex;
  std::condition_variable changed;
  std::uint64_t arrived = 0;
  bus::MqttBus client(config, {.message =
                                   [&](bus::Message&&) {
                                     std::lock_guard lock(mutex);
                                     ++arrived;
                                     changed.notify_all();
                                   },
                               .connected = [] {},
                               .disconnected = [](const std::string&) {}});
  client.start();
  const std::string payload(600, 'x');  // bytes: about the size of an assignment
  const auto wait_for = [&](std::uint64_t count, milliseconds patience) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, patience, [&] { return arrived >= count; });
  };
  // The parties need a moment to connect; the first answer says that they have.
  std::uint64_t sent = 0;
  while (arrived == 0 && sent < 200) {
    (void)client.publish({.topic = submit, .payload = payload});
    ++sent;
    wait_for(1, milliseconds(100));
  }
  std::this_thread::sleep_for(milliseconds(200));
  Ring out;
  std::vector<double> latencies;
  for (int i = 0; i < singles; ++i) {
    const auto before = arrived;
    const auto begin = Clock::now();
    (void)client.publish({.topic = submit, .payload = payload});
    if (wait_for(before + 1, milliseconds(5000))) latencies.push_back(ms_since(begin));
  }
  out.p50_ms = bench::percentile(latencies, 0.5);
  out.p99_ms = bench::percentile(latencies, 0.99);
  out.round_trip_p50_ms = out.p50_ms * 2 / hops;
  const auto base = arrived;
  const auto begin = Clock::now();
  for (int i = 0; i < jobs; ++i) {
    (void)client.publish({.topic = submit, .payload = payload});
    if (i >= window) wait_for(base + static_cast<std::uint64_t>(i - window), milliseconds(10'000));
  }
  wait_for(base + static_cast<std::uint64_t>(jobs), milliseconds(20'000));
  out.jobs_per_s = static_cast<double>(arrived - base) / (ms_since(begin) / 1e3);
  for (const pid_t pid : parties) {
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
  }
  return out;
}

void row(const char* what, double value, const char* unit) { std::printf("%-34s %12.2f %s\n", what, value, unit); }

const json no_op{{"command", {"/bin/true"}}, {"limits", {{"time_s", 10}}}};

// Devices that run nothing: measures what the services, the broker and the database can do.
Result<void> measure_no_op(const bench::Stack& stack, int jobs, int singles, json& result) {
  bench::FleetProcess fleet(stack.path(""));
  if (!fleet.wait_enrolled(seconds(120))) return Error{Code::unavailable, "the devices were not enrolled within 120 s"};
  (void)measure_latency(stack, 50, no_op);  // until the SQL statements are prepared
  const auto idle = measure_latency(stack, singles, no_op);
  const auto all = measure_throughput(
      stack, [&] { return fleet.fresh("published"); }, fleet.pid(), jobs, 4000, no_op);
  result["devices"] = stack.devices().size();
  result["jobs_per_s"] = all.jobs_per_s;
  result["jobs_failed"] = all.failed;
  result["latency_p50_ms"] = bench::percentile(idle, 0.5);
  result["latency_p99_ms"] = bench::percentile(idle, 0.99);
  result["messages_per_job"] = all.messages_per_job;
  result["cpu_us_per_job"] = all.cpu_us_per_job;
  double cpu_us = 0;
  for (const auto& [name, cpu] : all.cpu_us_per_job) cpu_us += cpu;
  result["cpu_us_per_job_all"] = cpu_us;
  row("jobs settled", all.jobs_per_s, "jobs/s");
  row("idle latency p50", result["latency_p50_ms"], "ms");
  row("idle latency p99", result["latency_p99_ms"], "ms");
  row("messages per job", all.messages_per_job, "");
  row("cpu per job", cpu_us, "us");
  for (const auto& [name, cpu] : all.cpu_us_per_job) row(("  " + name).c_str(), cpu, "us");
  return {};
}

// Devices that start real programs (the agent's own hands), in this process.
void measure_processes(const bench::Stack& stack, int jobs, json& result) {
  const auto grants = crypto::TrustStore::load(stack.path("pki/trust/grant.pem"));
  std::vector<std::unique_ptr<bench::Device>> devices;
  for (const auto& id : stack.devices()) {
    if (devices.size() == devices_with_processes) break;
    agent::AgentConfig config{
        .device = id,
        .certificate_pem = read_text(stack.path("pki/devices/" + id + ".crt")),
        .about = {.capacity = {.cpu_millis = 1'000'000, .memory_bytes = 1 << 30, .storage_bytes = 1 << 30},
                  .agent = "bench"},
        .grants = *grants,
        .resources =
            [] {
              return Resources{0.1, 1 << 29, 1 << 29, 1000};
            },
        .wall_ms = [] { return to_ms(std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now())); }};
    auto mqtt = stack.mqtt("devices", "devices/" + id, id);
    mqtt.lanes.window = 200;
    devices.push_back(std::make_unique<bench::Device>(config, mqtt, stack.path("sim/" + id)));
  }
  (void)measure_latency(stack, 50, no_op);
  const auto published = [&] {
    double sum = 0;
    for (const auto& device : devices) sum += static_cast<double>(device->stats().published);
    return sum;
  };
  const auto real = measure_throughput(stack, published, 0, std::max(200, jobs / 10), 400, no_op);
  row("jobs that start a process", real.jobs_per_s, "jobs/s");
  result["process_jobs_per_s"] = real.jobs_per_s;
}

}  // namespace

// dispatch jobs DIR JOBS SINGLES | dispatch ring DIR JOBS SINGLES; prints a table and, last, one JSON object
int main(int argc, char** argv) {
  if (argc != 5) {
    std::cerr << "usage: bench-dispatch jobs|ring STACK_DIR JOBS SINGLES (see scripts/bench)\n";
    return 2;
  }
  log::setup("bench", "text", "error");
  const bench::Stack stack(argv[2]);
  const int jobs = std::atoi(argv[3]);
  const int singles = std::atoi(argv[4]);
  json result;
  if (std::string(argv[1]) == "jobs") {
    if (auto measured = measure_no_op(stack, jobs, singles, result); !measured) {
      std::cerr << "bench: " << describe(measured.error()) << "\n";
      return 1;
    }
    if (stack.devices().size() <= devices_with_processes) measure_processes(stack, jobs, result);
  } else {
    const auto ring = measure_ring(stack, jobs, singles, 300);
    result = {{"ring_jobs_per_s", ring.jobs_per_s},
              {"ring_p50_ms", ring.p50_ms},
              {"ring_p99_ms", ring.p99_ms},
              {"broker_round_trip_p50_ms", ring.round_trip_p50_ms},
              {"hops", hops}};
    row("ring of 6 hops", ring.jobs_per_s, "jobs/s");
    row("ring p50", ring.p50_ms, "ms");
    row("broker round trip p50", ring.round_trip_p50_ms, "ms");
  }
  std::fflush(stdout);
  std::cout << result.dump() << "\n";
  return 0;
}
