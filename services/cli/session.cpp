#include "session.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "crypto/bytes.hpp"
#include "output.hpp"
#include "reach.hpp"

namespace fieldwork::cli {
namespace {

constexpr std::chrono::seconds repeat_every{2};
constexpr std::chrono::milliseconds look_every{100};  // at what has no signal of its own: the broker's refusals
constexpr std::size_t messages_max = 100'000;

}  // namespace

std::string unreachable_reason(const Settings& settings, const std::string& mqtt_reason) {
  const std::string& url = settings.mqtt.url;
  const std::string where = "cannot reach the broker at " + url + " (" + settings.url_origin + "): ";
  const auto network = try_tcp(url, std::chrono::seconds(2));
  if (!network.empty()) return where + network + ". Is the stack up? Try scripts/quickstart, or fieldwork doctor";
  if (url.starts_with("ssl://")) {
    return where + "it accepts connections, but TLS or the MQTT greeting failed: " + mqtt_reason +
           ". Check that the port speaks TLS, that its certificate is for this host name and issued by broker.ca (" +
           settings.mqtt.ca + "), and that broker.certificate (" + settings.mqtt.certificate +
           ") is one the broker accepts. Try fieldwork doctor";
  }
  return where + "it accepts connections, but the MQTT greeting failed: " + mqtt_reason +
         ". Does that port want TLS (ssl://…)? Try fieldwork doctor";
}

Session::Session(Settings settings, const Options& options)
    : settings_(std::move(settings)), options_(options), topics_(settings_.root) {}

Session::~Session() {
  if (bus_) bus_->stop();
}

Outcome<std::unique_ptr<Session>> Session::open(const Settings& settings, const std::vector<std::string>& filters,
                                                const Options& options) {
  std::unique_ptr<Session> session(new Session(settings, options));
  auto& mqtt = session->settings_.mqtt;
  mqtt.client_id = "cli-" + crypto::to_hex(crypto::random_bytes(8));
  const auto patience = std::chrono::ceil<std::chrono::seconds>(options.timeout());
  mqtt.connect_timeout_s = static_cast<int>(std::clamp<std::int64_t>(patience.count(), 1, 5));
  mqtt.subscriptions.emplace_back(session->topics_.reply(mqtt.client_id, "+"), 1);
  for (const auto& filter : filters) mqtt.subscriptions.emplace_back(settings.root + "/" + filter, 1);
  if (auto connected = session->connect(); !connected) return connected.failure();
  if (options.verbose) say("connected to " + mqtt.url + " as " + mqtt.client_id + ", asking as " + settings.from);
  return session;
}

Outcome<bool> Session::connect() {
  signal_ = std::make_unique<runtime::StopSignal>([this] {
    const std::lock_guard lock(mutex_);
    interrupted_ = true;
    changed_.notify_all();
  });
  bus::MqttEvents events;
  events.message = [this](bus::Message&& message) { take(std::move(message)); };
  events.connected = [this] {
    const std::lock_guard lock(mutex_);
    was_connected_ = true;
    lost_.reset();
    changed_.notify_all();
  };
  events.disconnected = [this](const std::string& reason) {
    const std::lock_guard lock(mutex_);
    lost_ = reason;
    changed_.notify_all();
  };
  bus_ = std::make_unique<bus::MqttBus>(settings_.mqtt, std::move(events));
  bus_->start();
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return was_connected_ || lost_ || interrupted_; });
  if (was_connected_) return true;
  if (interrupted_) return Failure{Exit::interrupted, "interrupted"};
  const auto reason = *lost_;
  lock.unlock();
  bus_->stop();
  return unreachable(reason);
}

void Session::take(bus::Message&& message) {
  const auto topic = topics_.parse(message.topic);
  const std::lock_guard lock(mutex_);
  if (topic && topic->kind == Topic::Kind::reply && topic->channel == "answer") {
    const auto asked = answers_.find(message.correlation);
    if (asked != answers_.end() && !asked->second) asked->second = std::move(message.payload);
  } else if (messages_.size() < messages_max) {
    messages_.push_back(std::move(message));
  }
  changed_.notify_all();
}

Outcome<codec::Json> Session::request(const std::string& service, const std::string& operation, codec::Json body) {
  return request(service, operation, std::move(body), options_.timeout());
}

Outcome<codec::Json> Session::request(const std::string& service, const std::string& operation, codec::Json body,
                                      Patience patience) {
  body["v"] = 1;
  const auto begin = Clock::now();
  const auto denied = stats().denied;
  const auto correlation = crypto::random_bytes(16);
  bus::Message message{topics_.service(service, operation, settings_.from), codec::dump(body)};
  message.response_topic = answer_topic();
  message.correlation = correlation;

  std::optional<std::string> answer;
  std::optional<Failure> stop;
  for (auto repeat = begin; !answer && !stop && Clock::now() < begin + patience; stop = stopped(denied)) {
    if (Clock::now() >= repeat && (connected() || repeat == begin)) {
      (void)publish(message);
      repeat = Clock::now() + repeat_every;
    }
    answer = wait_answer(correlation, std::min(begin + patience, Clock::now() + look_every));
  }
  {
    const std::lock_guard lock(mutex_);
    answers_.erase(correlation);
  }
  if (!answer && stop) return *stop;
  if (!answer && !connected()) return unreachable("the connection was lost");
  if (!answer) {
    return Failure{Exit::timed_out, "no answer from " + service + " (" + operation + ") within " +
                                        std::to_string(static_cast<double>(patience.count()) / 1000).substr(0, 4) +
                                        " s. Is that service up? Try fieldwork doctor, or a longer --timeout"};
  }
  if (options_.verbose) {
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin).count();
    say(service + "/" + operation + " answered after " + std::to_string(ms) + " ms");
  }
  auto parsed = codec::parse(*answer);
  if (!parsed || !parsed->is_object())
    return Failure{Exit::failed, service + " answered with something that is no JSON object"};
  if (const auto error = codec::decode_error(*parsed)) return Failure{exit_of(*error), describe(*error)};
  return std::move(*parsed);
}

std::optional<std::string> Session::wait_answer(const std::string& correlation, Clock::time_point until) {
  std::unique_lock lock(mutex_);
  auto& slot = answers_[correlation];
  changed_.wait_until(lock, until, [&] { return slot.has_value() || interrupted_; });
  return slot;
}

std::optional<bus::Message> Session::next(Clock::time_point until) {
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, until, [this] { return !messages_.empty() || interrupted_; });
  if (messages_.empty() || interrupted_) return std::nullopt;
  auto message = std::move(messages_.front());
  messages_.pop_front();
  return message;
}

bool Session::interrupted() const {
  const std::lock_guard lock(mutex_);
  return interrupted_;
}

std::optional<Failure> Session::stopped(std::uint64_t denied) const {
  if (interrupted()) return Failure{Exit::interrupted, "interrupted"};
  if (stats().denied > denied) {
    return Failure{Exit::denied, "the broker's access list does not let '" + settings_.from + "' ask this (" +
                                     settings_.certificate_origin + ")"};
  }
  return std::nullopt;
}

Failure Session::unreachable(const std::string& reason) const {
  return {Exit::unreachable, unreachable_reason(settings_, reason)};
}

}  // namespace fieldwork::cli
