#include <algorithm>
#include <random>

#include "cause.hpp"
#include "impl.hpp"
#include "nodelay.hpp"

namespace fieldwork::bus {

namespace {
constexpr std::chrono::seconds connect_timeout_last{30};
constexpr int attempts_before_patience = 3;
}  // namespace

MqttBus::Impl::Impl(MqttConfig c, MqttEvents e)
    : config(std::move(c)),
      events(std::move(e)),
      lanes(config.lanes),
      packet_max(config.packet_bytes_max),
      patience(config.connect_timeout_s) {
  mqtt::create_options create(config.mqtt5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1);
  create.set_send_while_disconnected(false);
  create.set_max_buffered_messages(static_cast<int>(config.lanes.window) * 2 + 16);
  create.set_delete_oldest_messages(false);
  client = std::make_unique<mqtt::async_client>(config.url, config.client_id, create, nullptr);
  client->set_callback(*this);
  // Paho reports a DISCONNECT from an MQTT 5 broker here and not in connection_lost().
  client->set_disconnected_handler([this](const mqtt::properties&, mqtt::ReasonCode reason) {
    const int code = static_cast<int>(reason);
    lost(code == 0 ? "the broker closed the connection" : reason_words(code, config.client_id));
  });
  build_options();
}

void MqttBus::Impl::build_options() {
  options.set_mqtt_version(config.mqtt5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1);
  if (config.mqtt5) {
    options.set_clean_start(true);
  } else {
    options.set_clean_session(true);
  }
  if (!config.user_name.empty()) options.set_user_name(config.user_name);
  options.set_keep_alive_interval(config.keep_alive_s);
  options.set_max_inflight(static_cast<int>(config.lanes.window) + 16);
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
    ssl.set_verify(true);                           // checks the host name too; Paho's default is off
    ssl.set_ssl_version(MQTT_SSL_VERSION_DEFAULT);  // the newest both sides know; the broker insists on TLS 1.3
    options.set_ssl(ssl);
  }
}

void MqttBus::Impl::run() {
  std::mt19937_64 random(std::random_device{}());
  auto bound = config.reconnect_first;
  while (wait_for_leave_to_speak()) {
    std::string reason;
    const auto began = Clock::now();
    if (connect(reason)) {
      if (config.birth) (void)publish(*config.birth);
      events.connected();
      pump();
      while (!stopping && watch()) {
      }
      // The wait becomes short again only after a connection that lasted: a client that the broker drops at once each
      // time must not come back at once each time.
      if (Clock::now() - began > config.reconnect_last) bound = config.reconnect_first;
    } else {
      events.disconnected(reason);
    }
    std::uniform_int_distribution<std::int64_t> wait(0, bound.count());
    bound = std::min(bound * 2, config.reconnect_last);
    std::unique_lock lock(mutex);
    changed.wait_for(lock, std::chrono::milliseconds(wait(random)), [&] { return stopping.load(); });
  }
}

// Waits up to 2 s for the end of the connection; also asks Paho, in case no callback reports the end. False: the
// connection ended, or the bus stops.
bool MqttBus::Impl::watch() {
  {
    std::unique_lock lock(mutex);
    changed.wait_for(lock, std::chrono::seconds(2), [&] { return stopping || !up; });
    if (stopping || !up) return false;
  }
  if (client->is_connected()) return true;
  lost("connection lost");
  return false;
}

bool MqttBus::Impl::connect(std::string& reason) {
  const auto began = Clock::now();
  try {
    options.set_connect_timeout(static_cast<int>(patience.count()));
    auto token = client->connect(options);
    if (!token->wait_for(patience)) {
      reason = "no answer within " + std::to_string(patience.count()) + " s";
      if_slow(began);
      break_off();
      explain(reason);
      return false;
    }
    set_nodelay_for_peer_port(port_of(config.url.c_str()));
    read_limits(token);
    if (!subscribe(reason)) {
      if_slow(began);
      break_off();
      return false;
    }
    subscribe_more();
    const auto took = std::chrono::ceil<std::chrono::seconds>(Clock::now() - began);
    patience = std::clamp(took * 4, std::chrono::seconds(config.connect_timeout_s),
                          std::max(patience, std::chrono::seconds(config.connect_timeout_s)));
    // Paho is asked without our mutex: Paho calls lost(), which locks the mutex, while it holds its own lock. A
    // connection that ends in between is found by watch().
    const bool there = client->is_connected();
    std::lock_guard lock(mutex);
    up = there;
    connected_at = Clock::now();
    if (up) ++connects;
    if (!up) reason = "the connection was lost at once";
    explained = {};
    return up;
  } catch (const mqtt::exception& e) {
    const int code = e.get_reason_code() != 0 ? static_cast<int>(e.get_reason_code()) : e.get_return_code();
    if (code > 0) {
      reason = reason_words(code, config.client_id);
    } else {
      reason = e.get_message().empty() ? e.what() : e.get_message();
      if_slow(began);
      explain(reason);
    }
    return false;
  } catch (const std::exception& e) {
    reason = e.what();
    return false;
  }
}

// After an attempt to connect that failed for want of time: the link may be slow, so a later attempt has twice as long.
// Not the next one: of a link that was cut, a new attempt hears sooner that it is back.
void MqttBus::Impl::if_slow(Clock::time_point began) {
  const auto nearly = patience - std::chrono::milliseconds(200);
  if (Clock::now() - began >= nearly && ++slow_attempts % attempts_before_patience == 0)
    patience = std::max(patience, std::min(patience * 2, connect_timeout_last));
}

// Ends a connection that is of no use, so that the next attempt makes a new one.
void MqttBus::Impl::break_off() {
  try {
    client->disconnect(0)->wait_for(std::chrono::seconds(1));
  } catch (const std::exception&) {
    // There was no connection.
  }
}

// The will goes out on a connection that was made while this instance was active. An instance that takes the client id
// over connects later, so the will comes before its messages.
void MqttBus::Impl::leave() {
  try {
    if (!client->is_connected()) return;
    if (config.will) {
      client->publish(
          mqtt::message::create(config.will->topic, config.will->payload, config.will->qos, config.will->retain));
    }
    client->disconnect(200)->wait_for(std::chrono::seconds(1));
  } catch (const std::exception&) {
    // The connection is gone, or will be.
  }
  {
    std::lock_guard lock(mutex);
    connected_at = {};  // so that lost() does not count this as a connection that another client cut short
  }
  lost("left until the store is there");
}

// False: the bus is told to stop.
bool MqttBus::Impl::wait_for_leave_to_speak() {
  std::unique_lock lock(mutex);
  while (!stopping && !may_speak()) changed.wait_for(lock, std::chrono::milliseconds(100));
  return !stopping;
}

// Replaces the library's `reason` by the cause that cause_of_failure() finds. Checks the network again only after 30 s
// or for another `reason`.
void MqttBus::Impl::explain(std::string& reason) {
  if (reason != explained.reported || Clock::now() - explained.at > std::chrono::seconds(30)) {
    const auto bound = std::chrono::seconds(std::min(config.connect_timeout_s, 3));
    explained = {reason, cause_of_failure(config, bound), Clock::now()};
  }
  if (!explained.cause.empty()) reason = explained.cause;
}

// Takes over the broker's limits from the properties of CONNACK (MQTT 5 only).
void MqttBus::Impl::read_limits(const mqtt::token_ptr& token) {
  std::size_t allowed = config.lanes.window;
  std::size_t largest = config.packet_bytes_max;
  if (config.mqtt5) {
    const auto response = token->get_connect_response();
    const auto& properties = response.get_properties();
    if (properties.contains(mqtt::property::RECEIVE_MAXIMUM)) {
      allowed = mqtt::get<std::uint16_t>(properties, mqtt::property::RECEIVE_MAXIMUM);
      allowed = allowed > 1 ? allowed - 1U : 1U;
    }
    if (properties.contains(mqtt::property::MAXIMUM_PACKET_SIZE)) {
      largest =
          std::min<std::size_t>(largest, mqtt::get<std::uint32_t>(properties, mqtt::property::MAXIMUM_PACKET_SIZE));
    }
  }
  std::lock_guard lock(mutex);
  lanes.limit_window(allowed);
  packet_max = largest;
}

// Sends one SUBSCRIBE per filter, all at once: each refusal then belongs to one filter, in both versions of MQTT.
bool MqttBus::Impl::subscribe(std::string& reason) {
  std::vector<mqtt::token_ptr> tokens;
  for (const auto& [filter, level] : config.subscriptions) tokens.push_back(client->subscribe(filter, level));
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const auto& filter = config.subscriptions[i].first;
    int code = 0;
    try {
      if (!tokens[i]->wait_for(patience)) {
        reason = "no answer to the subscription to " + filter;
        return false;
      }
      const auto response = tokens[i]->get_subscribe_response();
      for (const auto one : response.get_reason_codes()) code = static_cast<int>(one);
    } catch (const mqtt::exception& e) {
      code = std::max(static_cast<int>(tokens[i]->get_reason_code()), 128);
    }
    if (code < 128) continue;
    ++denied;
    reason = "the broker refuses the subscription to " + filter + " (reason " + std::to_string(code) +
             "): its access list must let '" + config.client_id + "' read exactly this filter";
    return false;
  }
  return true;
}

void MqttBus::Impl::change(const Subscription& change) {
  {
    const std::lock_guard lock(mutex);
    if (change.on) more[change.filter] = change.qos;
    if (!change.on) more.erase(change.filter);
  }
  try {
    if (change.on) {
      client->subscribe(change.filter, change.qos);
    } else {
      client->unsubscribe(change.filter);
    }
  } catch (const std::exception&) {
    // There is no connection: the next one subscribes. `up` is not asked: it follows subscribe_more().
  }
}

void MqttBus::Impl::subscribe_more() {
  std::map<std::string, int> filters;
  {
    const std::lock_guard lock(mutex);
    filters = more;
  }
  try {
    for (const auto& [filter, level] : filters) client->subscribe(filter, level);
  } catch (const std::exception&) {
    // The connection is gone: the next one subscribes.
  }
}

// Whether the broker takes a filter it said when it was subscribed to first.
void MqttBus::Impl::hear_again() {
  try {
    for (const auto& [filter, level] : config.subscriptions) client->subscribe(filter, level);
  } catch (const std::exception&) {
    // The connection is gone: the next one subscribes.
  }
}

void MqttBus::Impl::connection_lost(const std::string& cause) { lost(cause.empty() ? "connection lost" : cause); }

void MqttBus::Impl::lost(std::string cause) {
  {
    std::lock_guard lock(mutex);
    if (!up) return;
    up = false;
    short_lives = Clock::now() - connected_at < std::chrono::seconds(10) ? short_lives + 1 : 0;
    if (short_lives > 2) {
      cause += ", for the " + std::to_string(short_lives) +
               "th time soon after it was made: does another client use the name '" + config.client_id +
               "', or is something sent that the broker does not take?";
    }
    lanes.lost();  // callbacks that come later have tickets from before, which do nothing
  }
  changed.notify_all();
  events.disconnected(cause);
}

}  // namespace fieldwork::bus
