// scripts/bench transfer: a file in blocks that the receiver asks for, over the same broker and MQTT client as
// Fieldwork's. With one block of 64 KiB in flight it is the way of AWS IoT's streams; with a window of large blocks it
// is the bare relay, which shows what client, TLS and broker carry. It speaks under the names of the transfer service
// and of a device, which must not run meanwhile.
//
//   request  device/DEVICE/up/want, QoS 0: the block's number in decimal digits
//   block    device/DEVICE/down/frame, QoS 0: eight digits, then the block's bytes
#include <sys/prctl.h>
#include <unistd.h>

#include <condition_variable>
#include <csignal>
#include <iostream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "runtime/log.hpp"
#include "stack.hpp"
#include "topic/topic.hpp"

using namespace fieldwork;
using Clock = std::chrono::steady_clock;

namespace {

constexpr std::size_t head_bytes = 8;
constexpr auto asked_again_after = std::chrono::seconds(10);  // a block that has not come

std::string head_of(std::size_t block) {
  std::string digits = std::to_string(block);
  return std::string(head_bytes - digits.size(), '0') + digits;
}

std::string random_bytes(std::size_t count) {
  std::mt19937_64 engine(1);
  std::string out;
  while (out.size() < count) {
    const auto drawn = engine();
    out.append(reinterpret_cast<const char*>(&drawn), sizeof drawn);
  }
  out.resize(count);
  return out;
}

// Answers requests until SIGTERM.
int send(const bench::Stack& stack, std::size_t block_bytes) {
  const Topics topics("fieldwork/v1");
  const auto bytes = random_bytes(block_bytes);
  auto config = stack.mqtt("services", "services/transfer", "transfer");
  config.subscriptions = {{topics.up("+", "want"), 0}};
  bus::MqttBus* bus = nullptr;
  bus::MqttBus sender(config, {.message =
                                   [&](bus::Message&& m) {
                                     const auto asker = topics.parse(m.topic)->name;
                                     (void)bus->publish({.topic = topics.down(asker, "frame"),
                                                         .payload = head_of(std::stoul(m.payload)) + bytes,
                                                         .qos = 0});
                                   },
                               .connected = [] { std::cout << "ready" << std::endl; },
                               .disconnected = [](const std::string&) {}});
  bus = &sender;
  sender.start();
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  int which = 0;
  sigwait(&ends, &which);
  return 0;
}

struct Wanted {
  std::string url, device;
  std::size_t bytes = 0, block_bytes = 0, window = 0;
};

class Receiver {
 public:
  Receiver(const bench::Stack& stack, Wanted wanted) : wanted_(std::move(wanted)) {
    auto config = stack.mqtt("devices", "devices/" + wanted_.device, wanted_.device);
    config.url = wanted_.url;
    config.mqtt5 = false;
    config.subscriptions = {{topics_.down(wanted_.device, "frame"), 0}};
    bus_ = std::make_unique<bus::MqttBus>(config,
                                          bus::MqttEvents{.message = [this](bus::Message&& m) { heard(m.payload); },
                                                          .connected = [this] { again(); },
                                                          .disconnected = [](const std::string&) {}});
  }

  nlohmann::json run(std::chrono::seconds patience) {
    const auto begin = Clock::now();
    bus_->start();
    std::unique_lock lock(mutex_);
    while (received_ < blocks() && Clock::now() < begin + patience) {
      const auto came = changed_.wait_for(
          lock, asked_again_after, [&, before = received_] { return received_ > before || received_ == blocks(); });
      if (!came) ask_all();
    }
    const double took_s = std::chrono::duration<double>(Clock::now() - begin).count();
    return {
        {"s", took_s}, {"bytes", received_ * wanted_.block_bytes}, {"done", received_ == blocks()}, {"again", again_}};
  }

 private:
  [[nodiscard]] std::size_t blocks() const { return (wanted_.bytes + wanted_.block_bytes - 1) / wanted_.block_bytes; }

  void ask(std::size_t block) {
    (void)bus_->publish({.topic = topics_.up(wanted_.device, "want"), .payload = std::to_string(block), .qos = 0});
  }
  void ask_more() {
    while (open_.size() < wanted_.window && next_ < blocks()) {
      open_.insert(next_);
      ask(next_++);
    }
  }
  void ask_all() {
    again_ += open_.size();
    for (const auto block : open_) ask(block);
  }
  void again() {
    const std::lock_guard lock(mutex_);
    ask_all();
    ask_more();
  }
  void heard(const std::string& payload) {
    const std::lock_guard lock(mutex_);
    if (open_.erase(std::stoul(payload.substr(0, head_bytes))) == 0) return;  // it came twice
    ++received_;
    ask_more();
    changed_.notify_all();
  }

  Wanted wanted_;
  Topics topics_{"fieldwork/v1"};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<std::size_t> open_;  // asked for, and not here
  std::size_t next_ = 0, received_ = 0, again_ = 0;
  std::unique_ptr<bus::MqttBus> bus_;  // the last member: its threads use the others
};

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  log::setup("bench", "text", "error");
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (words.size() == 3 && words[0] == "send") {
    sigset_t ends;  // before the first thread, which inherits it
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigprocmask(SIG_BLOCK, &ends, nullptr);
    return send(bench::Stack(words[1]), std::stoul(words[2]));
  }
  if (words.size() == 8 && words[0] == "fetch") {
    const Wanted wanted{words[2], words[3], std::stoul(words[4]), std::stoul(words[5]), std::stoul(words[6])};
    const auto result = Receiver(bench::Stack(words[1]), wanted).run(std::chrono::seconds(std::stol(words[7])));
    std::cout << result.dump() << std::endl;
    return result["done"].get<bool>() ? 0 : 1;
  }
  std::cerr << "usage: bench-blocks send STACK_DIR BLOCK_BYTES | "
               "bench-blocks fetch STACK_DIR URL DEVICE BYTES BLOCK_BYTES WINDOW PATIENCE_S (see scripts/bench)\n";
  return 2;
}
