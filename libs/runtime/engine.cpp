#include "runtime/engine.hpp"

#include <map>
#include <nlohmann/json.hpp>

#include "model/items.hpp"
#include "runtime/metrics.hpp"

namespace fieldwork::runtime {
Engine::Engine(Service& service, store::Store& store, bus::Bus& bus, store::Outbox::Limits outbox)
    : service_(service), store_(store), bus_(bus), outbox_(outbox) {}

Result<void> Engine::load(Time now) {
  if (auto loaded = outbox_.load(store_, now); !loaded) return loaded;
  return service_.load(store_, now);
}

Result<void> Engine::run(const std::vector<Input>& batch, Time now) {
  std::vector<const bus::Message*> messages;
  for (const auto& input : batch) {
    if (const auto* message = std::get_if<bus::Message>(&input)) messages.push_back(message);
  }
  if (!messages.empty()) {
    if (auto fetched = service_.prefetch(store_, messages); !fetched) return fetched;
  }
  for (const auto& input : batch) {
    if (const auto* message = std::get_if<bus::Message>(&input)) {
      service_.message(*message, now, output_);
    } else if (const auto* task = std::get_if<Task>(&input)) {
      (*task)(now, output_);
    } else if (std::holds_alternative<Connected>(input)) {
      outbox_.hasten_all(now);
      service_.connected(now, output_);
    } else if (const auto* stalled = std::get_if<Stalled>(&input)) {
      service_.stalled(stalled->lasted, now, output_);
    } else {
      service_.disconnected(now, output_);
    }
  }
  service_.tick(now, output_);
  service_.flush(now, output_);
  for (auto& message : output_.early) say(std::move(message));
  output_.early.clear();
  for (auto& change : output_.outbox) outbox_.apply(std::move(change), now, output_.changes);
  output_.outbox.clear();
  outbox_.expire(now, output_.changes);
  changes_ = store::coalesce(std::move(output_.changes));
  output_.changes.clear();
  pending_ = true;
  return commit(now);
}

Result<void> Engine::commit(Time now) {
  if (!changes_.empty()) {
    if (auto done = store_.commit(changes_); !done) return done;
  }
  changes_.clear();
  pending_ = false;
  release(now);
  return {};
}

void Engine::release(Time now) {
  Output done = std::move(output_);
  output_ = Output{};
  for (const auto& one : done.subscriptions) bus_.subscribe(one);
  publish_due(now);
  for (auto& message : done.messages) say(std::move(message));
  for (const auto& act : done.acts) act();
}

// Publishes a message. Where the bus can never take an answer, the asker is told why there is none. The bus itself
// reports all other messages that it does not take (MqttEvents::trouble).
void Engine::say(bus::Message message) {
  const bool is_answer = !message.correlation.empty() && message.response_topic.empty();
  bus::Message refusal{.topic = is_answer ? message.topic : "", .payload = "", .correlation = message.correlation};
  const auto said = bus_.publish(std::move(message));
  if (said || said.error().code != Code::invalid) return;
  metrics::count("fieldwork_unsayable_total");
  if (!is_answer) return;
  refusal.payload =
      nlohmann::json{{"v", 1},
                     {"error", {{"code", "invalid"}, {"reason", "the answer cannot be sent: " + said.error().reason}}}}
          .dump();
  (void)bus_.publish(std::move(refusal));
}

void Engine::publish_due(Time now) {
  std::map<std::string, std::vector<std::string>> by_topic;
  for (auto& command : outbox_.due(now)) by_topic[command.topic].push_back(std::move(command.item));
  for (const auto& [topic, items] : by_topic) {
    for (auto& payload : pack_items(items)) (void)bus_.publish({.topic = topic, .payload = std::move(payload)});
  }
}

}  // namespace fieldwork::runtime
