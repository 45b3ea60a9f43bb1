#include "bus/mqtt.hpp"

#include <mqtt/async_client.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <random>
#include <thread>

#include "nodelay.hpp"

namespace fieldwork::bus {

using Clock = std::chrono::steady_clock;

struct MqttBus::Impl : mqtt::callback, mqtt::iaction_listener {
  Impl(MqttConfig c, MqttEvents e)
      : config(std::move(c)), events(std::move(e)), slots(static_cast<std::size_t>(config.window)) {
    mqtt::create_options create(config.mqtt5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1);
    create.set_send_while_disconnected(false);
    create.set_max_buffered_messages(config.window * 2 + 16);
    create.set_delete_oldest_messages(false);
    client = std::make_unique<mqtt::async_client>(config.url, config.client_id, create, nullptr);
    client->set_callback(*this);
    // A DISCONNECT from an MQTT 5 broker comes here and not to connection_lost.
    client->set_disconnected_handler([this](const mqtt::properties&, mqtt::ReasonCode reason) {
      lost("the broker closed the connection, reason " + std::to_string(static_cast<int>(reason)));
    });
    for (std::size_t i = slots.size(); i > 0; --i) free_slots.push_back(i - 1);
    build_options();
  }

  void build_options() {
    options.set_mqtt_version(config.mqtt5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1);
    if (config.mqtt5) {
      options.set_clean_start(true);
    } else {
      options.set_clean_session(true);
    }
    options.set_keep_alive_interval(config.keep_alive_s);
    options.set_connect_timeout(config.connect_timeout_s);
    options.set_max_inflight(config.window + 16);
    options.set_automatic_reconnect(false);
    if (config.will) {
      options.set_will(mqtt::will_options(config.will->topic, mqtt::binary_ref(config.will->payload), config.will->qos,
                                          config.will->retain));
    }
    if (config.url.starts_with("ssl://")) {
      mqtt::ssl_options ssl;
      ssl.set_trust_store(config.ca);
      if (!config.certificate.empty()) {
        ssl.set_key_store(config.certificate);
        ssl.set_private_key(config.key);
      }
      ssl.set_enable_server_cert_auth(true);
      ssl.set_verify(true);                           // the host name too; off by default
      ssl.set_ssl_version(MQTT_SSL_VERSION_DEFAULT);  // the newest both know; the broker insists on TLS 1.3
      options.set_ssl(ssl);
    }
  }

  // --- connection -----------------------------------------------------------------------------------------------

  void run() {
    std::mt19937_64 random(std::random_device{}());
    auto bound = config.reconnect_first;
    while (wait_for_leave_to_speak()) {
      std::string reason;
      if (connect(reason)) {
        bound = config.reconnect_first;
        if (config.birth) publish(*config.birth);
        events.connected();
        pump();
        while (!stopping && watch()) {
        }
        continue;
      }
      events.disconnected(reason);
      std::uniform_int_distribution<std::int64_t> wait(0, bound.count());
      bound = std::min(bound * 2, config.reconnect_last);
      std::unique_lock lock(mutex);
      changed.wait_for(lock, std::chrono::milliseconds(wait(random)), [&] { return stopping.load(); });
    }
  }

  [[nodiscard]] bool may_speak() const { return !events.may_speak || events.may_speak(); }

  // False: it is told to stop.
  bool wait_for_leave_to_speak() {
    std::unique_lock lock(mutex);
    while (!stopping && !may_speak()) changed.wait_for(lock, std::chrono::milliseconds(100));
    return !stopping;
  }

  // What is said here goes out on a connection that was made in good standing, before anybody who takes it over.
  void leave() {
    try {
      if (!client->is_connected()) return;
      if (config.will) {
        client->publish(
            mqtt::message::create(config.will->topic, config.will->payload, config.will->qos, config.will->retain));
      }
      client->disconnect(200)->wait_for(std::chrono::seconds(1));
    } catch (const mqtt::exception&) {
      // It is gone, or will be.
    }
    lost("left until the store is there");
  }

  // Waits for the end of the connection; also looks by itself, should no callback say so.
  bool watch() {
    {
      std::unique_lock lock(mutex);
      changed.wait_for(lock, std::chrono::seconds(2), [&] { return stopping || !up; });
      if (stopping || !up) return false;
    }
    if (client->is_connected()) return true;
    lost("connection lost");
    return false;
  }

  bool connect(std::string& reason) {
    try {
      auto token = client->connect(options);
      const auto timeout = std::chrono::seconds(config.connect_timeout_s);
      if (!token->wait_for(timeout)) {
        reason = "no answer within " + std::to_string(config.connect_timeout_s) + " s";
        client->disconnect(0)->wait_for(std::chrono::seconds(1));
        return false;
      }
      set_nodelay_for_peer_port(port_of(config.url.c_str()));
      limit_window(token);
      subscribe(timeout);
      std::lock_guard lock(mutex);
      up = client->is_connected();
      ++connects;
      if (!up) reason = "the connection was lost at once";
      return up;
    } catch (const mqtt::exception& e) {
      reason = e.get_message().empty() ? e.what() : e.get_message() + " (" + e.what() + ")";
      return false;
    } catch (const std::exception& e) {
      reason = e.what();
      return false;
    }
  }

  void limit_window(const mqtt::token_ptr& token) {
    std::size_t allowed = slots.size();
    if (config.mqtt5) {
      const auto response = token->get_connect_response();
      const auto& properties = response.get_properties();
      if (properties.contains(mqtt::property::RECEIVE_MAXIMUM)) {
        const auto maximum = mqtt::get<std::uint16_t>(properties, mqtt::property::RECEIVE_MAXIMUM);
        allowed = std::min<std::size_t>(allowed, maximum > 1 ? maximum - 1U : 1U);
      }
    }
    std::lock_guard lock(mutex);
    window = allowed;
  }

  void subscribe(std::chrono::seconds timeout) {
    if (config.subscriptions.empty()) return;
    auto filters = std::make_shared<mqtt::string_collection>();
    mqtt::async_client::qos_collection qos;
    for (const auto& [filter, level] : config.subscriptions) {
      filters->push_back(filter);
      qos.push_back(level);
    }
    auto token = client->subscribe(filters, qos);
    if (!token->wait_for(timeout)) throw std::runtime_error("no answer to SUBSCRIBE");
  }

  void connection_lost(const std::string& cause) override { lost(cause.empty() ? "connection lost" : cause); }

  void lost(const std::string& cause) {
    {
      std::lock_guard lock(mutex);
      if (!up) return;
      up = false;
      // What was in flight is gone with the clean session; late callbacks carry the old generation.
      ++generation;
      in_flight = 0;
      free_slots.clear();
      for (std::size_t i = slots.size(); i > 0; --i) free_slots.push_back(i - 1);
    }
    changed.notify_all();
    events.disconnected(cause);
  }

  // --- receiving ------------------------------------------------------------------------------------------------

  void message_arrived(mqtt::const_message_ptr arrived) override {
    try {
      Message message{arrived->get_topic(), arrived->to_string(), arrived->get_qos(), arrived->is_retained()};
      if (config.mqtt5) {
        const auto& properties = arrived->get_properties();
        if (properties.contains(mqtt::property::RESPONSE_TOPIC)) {
          message.response_topic = mqtt::get<mqtt::string>(properties, mqtt::property::RESPONSE_TOPIC);
        }
        if (properties.contains(mqtt::property::CORRELATION_DATA)) {
          message.correlation = mqtt::get<mqtt::string>(properties, mqtt::property::CORRELATION_DATA);
        }
      }
      ++received;
      events.message(std::move(message));
    } catch (...) {  // an exception that leaves a callback ends the process
      ++dropped;
    }
  }

  // --- sending --------------------------------------------------------------------------------------------------

  void publish(Message message) {
    {
      std::lock_guard lock(mutex);
      const auto size = message.topic.size() + message.payload.size();
      if (message.topic.empty() || size > config.packet_bytes_max || waiting.size() >= config.waiting_max ||
          waiting_bytes + size > config.waiting_bytes_max) {
        ++dropped;
        return;
      }
      waiting_bytes += size;
      waiting.push_back(std::move(message));
    }
    pump();
  }

  // Hands to Paho what the window takes. Runs on the caller's and on Paho's threads; `pumping` keeps the order.
  void pump() {
    std::unique_lock lock(mutex);
    if (pumping) return;
    pumping = true;
    while (up && may_speak() && in_flight < window && !waiting.empty() && !free_slots.empty()) {
      Message message = std::move(waiting.front());
      waiting.pop_front();
      waiting_bytes -= message.topic.size() + message.payload.size();
      const std::size_t slot = free_slots.back();
      free_slots.pop_back();
      slots[slot] = Clock::now();
      ++in_flight;
      const auto context = (generation << 20U) | slot;
      lock.unlock();
      const bool sent = send(std::move(message), context);
      lock.lock();
      if (sent) {
        ++published;
      } else {
        release(context);
      }
    }
    pumping = false;
  }

  bool send(Message message, std::uint64_t context) {
    try {
      mqtt::properties properties;
      if (config.mqtt5 && !message.response_topic.empty()) {
        properties.add({mqtt::property::RESPONSE_TOPIC, message.response_topic});
      }
      if (config.mqtt5 && !message.correlation.empty()) {
        properties.add({mqtt::property::CORRELATION_DATA, message.correlation});
      }
      auto out = mqtt::message::create(std::move(message.topic), std::move(message.payload), message.qos,
                                       message.retain, properties);
      client->publish(out, reinterpret_cast<void*>(context), *this);  // NOLINT: a number, not a pointer
      return true;
    } catch (const mqtt::exception& e) {
      if (e.get_reason_code() == 135) ++denied;
      return false;
    } catch (const std::exception&) {
      return false;
    }
  }

  // Gives a slot back, unless a reconnect already did. `mutex` is held.
  bool release(std::uint64_t context) {
    if (context >> 20U != generation) return false;
    free_slots.push_back(context & 0xFFFFFU);
    --in_flight;
    return true;
  }

  void finished(const mqtt::token& token, bool good) {
    const auto context = reinterpret_cast<std::uint64_t>(token.get_user_context());
    {
      std::lock_guard lock(mutex);
      if (context >> 20U == generation && good) {
        const double ms = std::chrono::duration<double, std::milli>(Clock::now() - slots[context & 0xFFFFFU]).count();
        round_trip_ms = acknowledged == 0 ? ms : round_trip_ms * 0.875 + ms * 0.125;
        ++acknowledged;
      }
      release(context);
    }
    pump();
  }

  void on_success(const mqtt::token& token) override { finished(token, true); }
  void on_failure(const mqtt::token& token) override {
    if (token.get_reason_code() == 135) ++denied;
    finished(token, false);
  }

  MqttConfig config;
  MqttEvents events;
  mqtt::connect_options options;  // lives as long as the client, never copied: Paho keeps pointers into it
  std::unique_ptr<mqtt::async_client> client;

  mutable std::mutex mutex;
  std::condition_variable changed;
  bool up = false;
  bool pumping = false;
  std::uint64_t generation = 1;
  std::size_t window = 1;
  std::size_t in_flight = 0;
  std::vector<Clock::time_point> slots;  // when each was sent
  std::vector<std::size_t> free_slots;
  std::deque<Message> waiting;
  std::size_t waiting_bytes = 0;
  std::uint64_t published = 0, acknowledged = 0, connects = 0;
  double round_trip_ms = 0;
  std::atomic<std::uint64_t> received{0}, dropped{0}, denied{0};
  std::atomic<bool> stopping{false};
  std::thread thread;
};

MqttBus::MqttBus(MqttConfig config, MqttEvents events)
    : impl_(std::make_unique<Impl>(std::move(config), std::move(events))) {}
MqttBus::~MqttBus() { stop(); }

void MqttBus::start() {
  impl_->thread = std::thread([this] { impl_->run(); });
}

void MqttBus::stop() {
  if (!impl_->thread.joinable()) return;
  if (impl_->config.will && connected() && impl_->may_speak()) publish(*impl_->config.will);
  const auto deadline = Clock::now() + std::chrono::seconds(1);
  while (connected() && impl_->may_speak() && !idle() && Clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  {
    std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->changed.notify_all();
  impl_->thread.join();
  try {
    if (impl_->client->is_connected()) impl_->client->disconnect(0)->wait_for(std::chrono::seconds(1));
  } catch (const mqtt::exception&) {
    // Going anyway.
  }
}

void MqttBus::publish(Message message) { impl_->publish(std::move(message)); }

void MqttBus::leave() { impl_->leave(); }

void MqttBus::wake() {
  impl_->changed.notify_all();
  impl_->pump();
}

bool MqttBus::connected() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->up;
}

bool MqttBus::idle() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->waiting.empty() && impl_->in_flight == 0;
}

MqttStats MqttBus::stats() const {
  std::lock_guard lock(impl_->mutex);
  return {impl_->published, impl_->acknowledged, impl_->received,     impl_->dropped,
          impl_->denied,    impl_->connects,     impl_->round_trip_ms};
}

}  // namespace fieldwork::bus
