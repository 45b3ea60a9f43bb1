#include "talk.hpp"

#include "chance.hpp"

namespace fieldwork::sim {
namespace {

constexpr std::size_t trace_bytes_max = 1 << 20;

std::string under_root(const std::string& topic) { return topic.substr(std::string(root).size() + 1); }

std::string render(const Party& from, const bus::Message& message) {
  std::string line = from.name() + " -> " + under_root(message.topic);
  if (message.retain) line += " (retained)";
  if (!message.response_topic.empty()) line += " (answer to " + under_root(message.response_topic) + ")";
  return line + "\n    " + payload_text(message) + "\n";
}

// What only says that a device lives, again and again. Not so where one side has forgotten something.
bool is_routine(const bus::Message& message) {
  if (message.topic.ends_with("/up/heartbeat")) return message.payload.find(R"("ended":[{)") == std::string::npos;
  return message.topic.ends_with("/down/ack") && message.payload.find(R"("begin")") == std::string::npos;
}

}  // namespace

Talk::Talk(int devices, std::vector<std::pair<std::string, std::size_t>> packages)
    : supplies(devices, packages), world(1), fleet(world, supplies, devices) {
  seed_chance(1);
}

Wish& Talk::wish(std::string command) {
  Wish out;
  out.request = "r" + std::to_string(fleet.wishes.size() + 1);
  out.submit_at = world.now() + seconds(2);
  out.spec.name = "anomaly";
  out.spec.command = {std::move(command)};
  return fleet.wishes.emplace_back(std::move(out));
}

void Talk::when(std::string topic, std::string text, std::function<void()> then) {
  triggers.push_back({std::move(topic), std::move(text), std::move(then)});
}

void Talk::cut_link(Party& party, Duration lasts) {
  party.disconnect();
  world.after(lasts, [&party] { party.connect(); });
}

Party& Talk::working() {
  for (auto* device : fleet.devices()) {
    const auto* agent = dynamic_cast<const agent::AgentService*>(device->service());
    if (agent != nullptr && !agent->core().live().empty()) return *device;
  }
  throw Violation("what the conversation is about happens", "no device works");
}

void Talk::listen() {
  const auto check = world.on_publish;
  world.on_publish = [this, check](Party& from, const bus::Message& message) {
    check(from, message);
    if (!routine && is_routine(message)) return;
    trace_ += render(from, message);
    require(trace_.size() < trace_bytes_max, "a conversation is short", message.topic);
    for (auto& one : triggers) {
      if (!one.then || !message.topic.ends_with(one.topic) || message.payload.find(one.text) == std::string::npos)
        continue;
      world.after(Duration(1), std::exchange(one.then, nullptr));
    }
  };
  world.trace = [this](const std::string& line) {
    if (world.age() > seconds(1) && line.find(" <- ") == std::string::npos)  // what is heard was said
      trace_ += "--" + line.substr(line.find_first_not_of(" 0123456789") - 1) + "\n";
  };
}

bool Talk::is_said(const std::vector<std::string>& said) {
  for (; said_ < said.size(); ++said_) {
    const auto at = trace_.find(said[said_], looked_at_);
    if (at == std::string::npos) return false;
    looked_at_ = at + said[said_].size();
  }
  return true;
}

std::string Talk::run(const std::vector<std::string>& said, const std::vector<std::string>& never) {
  listen();
  world.start();
  const bool over = world.run([&] { return fleet.quiet() && is_said(said); }, seconds(900));
  for (const auto& one : triggers) require(!one.then, "what the conversation is about happens", one.topic);
  if (!is_said(said)) throw Violation("what the conversation is about is said", said[said_]);
  if (!over) throw Violation("the job ends", fleet.open());
  for (const auto& one : never)
    require(trace_.find(one) == std::string::npos, "what must not be said is not said", one);
  fleet.check_at_the_end();
  return trace_;
}

}  // namespace fieldwork::sim
