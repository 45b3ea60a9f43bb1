#include "bus/mqtt.hpp"

#include "cause.hpp"
#include "impl.hpp"
#include "limits.hpp"
#include "topic/topic.hpp"

namespace fieldwork::bus {

// --- receiving ------------------------------------------------------------------------------------------------

void MqttBus::Impl::message_arrived(mqtt::const_message_ptr arrived) {
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

Result<void> MqttBus::Impl::publish(Message message) {
  if (auto good = check(message); !good) {
    ++dropped;
    return good;
  }
  {
    std::lock_guard lock(mutex);
    const auto size = packet_bytes(message);
    if (size > packet_max) {
      note_too_large(message.topic, size);
      return Error{Code::invalid, "a packet of " + std::to_string(size) + " bytes is larger than " +
                                      std::to_string(packet_max) + ", the most that the broker takes"};
    }
    if (auto room = lanes.put(std::move(message)); !room) {
      ++dropped;
      return room;
    }
  }
  pump();
  say_troubles();
  return {};
}

// The caller holds `mutex`, here and in note().
void MqttBus::Impl::note_too_large(const std::string& topic, std::size_t size) {
  ++too_large;
  note("too large " + topic_kind(topic), "a message on " + topic_kind(topic) + " was not sent: its " +
                                             std::to_string(size) + " bytes are more than the broker takes (" +
                                             std::to_string(packet_max) + ", see broker.packet_bytes_max)");
}

// Queues a trouble once per burst of the same `what`: again after a minute, at the earliest.
void MqttBus::Impl::note(const std::string& what, std::string text) {
  const auto now = Clock::now();
  const auto known = noted.find(what);
  if (known != noted.end() && now - known->second < std::chrono::minutes(1)) return;
  if (known == noted.end() && noted.size() >= troubles_noted_max) noted.clear();
  noted[what] = now;
  troubles.push_back(std::move(text));
}

// Calls MqttEvents::trouble without `mutex`: the listener may call the bus.
void MqttBus::Impl::say_troubles() {
  std::vector<std::string> said;
  {
    std::lock_guard lock(mutex);
    said.swap(troubles);
  }
  if (!events.trouble) return;
  for (const auto& text : said) events.trouble(text);
}

// Hands to Paho the publishes for which the window has room. Runs on the threads of callers and of Paho; `pumping`
// keeps the publishes in order.
void MqttBus::Impl::pump() {
  std::unique_lock lock(mutex);
  if (pumping) return;
  pumping = true;
  while (up && may_speak()) {
    auto sending = lanes.next(Clock::now());
    if (!sending) break;
    if (const auto size = packet_bytes(sending->message); size > packet_max) {  // the limit fell while it waited
      note_too_large(sending->message.topic, size);
      lanes.done(sending->ticket, false, Clock::now());
      continue;
    }
    lock.unlock();
    const bool sent = send(std::move(sending->message), sending->ticket);
    lock.lock();
    if (sent) {
      ++published;
    } else {
      lanes.done(sending->ticket, false, Clock::now());
    }
  }
  pumping = false;
}

bool MqttBus::Impl::send(Message message, Lanes::Ticket ticket) {
  try {
    mqtt::properties properties;
    if (config.mqtt5 && !message.response_topic.empty()) {
      properties.add({mqtt::property::RESPONSE_TOPIC, message.response_topic});
    }
    if (config.mqtt5 && !message.correlation.empty()) {
      properties.add({mqtt::property::CORRELATION_DATA, message.correlation});
    }
    auto out = mqtt::message::create(std::move(message.topic), std::move(message.payload), message.qos, message.retain,
                                     properties);
    client->publish(out, reinterpret_cast<void*>(ticket), *this);  // NOLINT: a number, not a pointer
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

// Reason codes of MQTT 5 from 128 on are refusals; a 3.1.1 broker acknowledges also a publish that it refuses.
void MqttBus::Impl::finished(const mqtt::token& token, bool good) {
  const int code = static_cast<int>(token.get_reason_code());
  // Paho's own value of a token to which no broker answered.
  const bool refused = code >= 128 && code != static_cast<int>(mqtt::ReasonCode::MQTTPP_V3_CODE);
  if (code >= 128) good = false;
  const auto ticket = reinterpret_cast<Lanes::Ticket>(token.get_user_context());
  {
    std::lock_guard lock(mutex);
    const auto done = lanes.done(ticket, good, Clock::now());
    if (done && refused) {
      ++denied;
      const auto kind = topic_kind(done->message.topic);
      note("denied " + kind, "the broker refuses what '" + config.client_id + "' says on " + kind + ": " +
                                 reason_words(code, config.client_id));
    }
    if (done && done->acknowledged) {
      const double ms = done->took.count();
      round_trip_ms = acknowledged == 0 ? ms : round_trip_ms * 0.875 + ms * 0.125;
      ++acknowledged;
    }
  }
  pump();
  say_troubles();
}

// --- the port --------------------------------------------------------------------------------------------------------

MqttBus::MqttBus(MqttConfig config, MqttEvents events)
    : impl_(std::make_unique<Impl>(std::move(config), std::move(events))) {}
MqttBus::~MqttBus() { stop(); }

void MqttBus::start() {
  impl_->thread = std::thread([this] { impl_->run(); });
}

void MqttBus::stop() {
  if (!impl_->thread.joinable()) return;
  const auto& last = impl_->config.goodbye ? impl_->config.goodbye : impl_->config.will;
  if (last && connected() && impl_->may_speak()) (void)publish(*last);
  using Clock = Impl::Clock;
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
    // The client ends anyway.
  }
}

Result<void> MqttBus::publish(Message message) { return impl_->publish(std::move(message)); }

void MqttBus::leave() { impl_->leave(); }

void MqttBus::subscribe(const Subscription& change) { impl_->change(change); }

void MqttBus::hear_again() { impl_->hear_again(); }

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
  return impl_->lanes.idle();
}

std::size_t MqttBus::backlog(Lane lane) const {
  std::lock_guard lock(impl_->mutex);
  return impl_->lanes.backlog(lane);
}

std::size_t MqttBus::packet_bytes_max() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->packet_max;
}

MqttStats MqttBus::stats() const {
  std::lock_guard lock(impl_->mutex);
  return {impl_->published, impl_->acknowledged, impl_->received,  impl_->dropped,
          impl_->denied,    impl_->connects,     impl_->too_large, impl_->round_trip_ms};
}

}  // namespace fieldwork::bus
