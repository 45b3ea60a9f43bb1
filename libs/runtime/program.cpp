#include "runtime/program.hpp"

#include <atomic>
#include <csignal>
#include <thread>

namespace fieldwork::runtime {

bus::MqttConfig read_mqtt(Config& config, const std::string& client_id, int keep_alive_s) {
  bus::MqttConfig mqtt;
  mqtt.url = config.text("broker.url");
  mqtt.client_id = client_id;
  mqtt.user_name = config.text("broker.user_name", "");
  if (mqtt.url.starts_with("ssl://")) {
    mqtt.ca = config.text("broker.ca");
    mqtt.certificate = config.text("broker.certificate");
    mqtt.key = config.text("broker.key");
  }
  mqtt.keep_alive_s = static_cast<int>(config.integer("broker.keep_alive_s", keep_alive_s, 1, 3600));
  mqtt.lanes.window = static_cast<std::size_t>(config.integer("broker.window", 500, 1, 60'000));
  // At least the largest report: a device that cannot publish its next report would be silent for good.
  mqtt.packet_bytes_max =
      static_cast<std::size_t>(config.integer("broker.packet_bytes_max", 2 << 20, 128 << 10, 256 << 20));
  return mqtt;
}

struct StopSignal::Impl {
  sigset_t signals{};
  std::atomic<bool> done{false};
  std::thread thread;
};

StopSignal::StopSignal(std::function<void()> stop) : impl_(std::make_unique<Impl>()) {
  sigemptyset(&impl_->signals);
  sigaddset(&impl_->signals, SIGINT);
  sigaddset(&impl_->signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &impl_->signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  impl_->thread = std::thread([impl = impl_.get(), stop = std::move(stop)] {
    while (sigwaitinfo(&impl->signals, nullptr) < 0) {
    }
    if (!impl->done) stop();
  });
}

StopSignal::~StopSignal() {
  impl_->done = true;
  // The signal wakes that thread alone, which then sees `done` and does not call `stop`.
  pthread_kill(impl_->thread.native_handle(), SIGTERM);  // NOLINT(bugprone-bad-signal-to-kill-thread)
  impl_->thread.join();
}

}  // namespace fieldwork::runtime
