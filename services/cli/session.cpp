#include "session.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "crypto/bytes.hpp"
#include "limits.hpp"
#include "output.hpp"
#include "reach.hpp"
#include "view.hpp"

namespace fieldwork::cli {
namespace {

constexpr std::chrono::seconds repeat_every{2};
constexpr std::chrono::seconds down_patience{
    3};  // time to ask twice; a service that is being restarted is back sooner than this
constexpr std::chrono::milliseconds look_at_broker_every{
    100};  // between looks at the broker's refusals, which have no signal of their own
constexpr std::chrono::milliseconds retained_within{1000};

bool lines_stay = false;

class MqttLine : public Line {
 public:
  MqttLine(bus::MqttConfig config, bus::MqttEvents events)
      : bus_(std::make_unique<bus::MqttBus>(std::move(config), std::move(events))) {}
  ~MqttLine() override {
    static std::vector<std::unique_ptr<bus::MqttBus>>& kept =
        *std::make_unique<std::vector<std::unique_ptr<bus::MqttBus>>>().release();
    bus_->stop();
    if (lines_stay) kept.push_back(std::move(bus_));
  }
  MqttLine(const MqttLine&) = delete;
  MqttLine& operator=(const MqttLine&) = delete;
  void start() override { bus_->start(); }
  void stop() override { bus_->stop(); }
  void publish(bus::Message message) override { (void)bus_->publish(std::move(message)); }
  [[nodiscard]] bool connected() const override { return bus_->connected(); }
  [[nodiscard]] bus::MqttStats stats() const override { return bus_->stats(); }

 private:
  std::unique_ptr<bus::MqttBus> bus_;
};

// The person wrote no message: instead of the field of a message the text names the value it had.
std::string told(const Error& error, const codec::Json& body) {
  const auto field = error.path.empty() ? std::string() : error.path.substr(1);
  const bool ours = field == "job" || field == "device" || field == "digest" || field == "alert" || field == "group";
  const auto value = ours ? text_of(body, field.c_str()) : std::string();
  if (value.empty()) return field.empty() ? error.reason : field + ": " + error.reason;
  auto text = field + " " + value + ": " + error.reason;
  if (error.code != Code::unknown) return text;
  return text + ". See fieldwork " + (field == "digest" ? "package" : field) + " ls";
}

}  // namespace

void leave_lines_standing() { lines_stay = true; }

std::unique_ptr<Line> mqtt_line(bus::MqttConfig config, bus::MqttEvents events) {
  return std::make_unique<MqttLine>(std::move(config), std::move(events));
}

Session::Session(Settings settings, const Options& options)
    : settings_(std::move(settings)), options_(options), topics_(settings_.root) {}

Session::~Session() {
  if (line_) line_->stop();
}

Outcome<std::unique_ptr<Session>> Session::open(const Settings& settings, const std::vector<std::string>& filters,
                                                const Options& options, const MakeLine& make) {
  std::unique_ptr<Session> session(new Session(settings, options));
  auto& mqtt = session->settings_.mqtt;
  mqtt.client_id = client_id(settings.from, crypto::to_hex(crypto::random_bytes(8)));
  const auto patience = std::chrono::ceil<std::chrono::seconds>(options.timeout());
  mqtt.connect_timeout_s = static_cast<int>(std::clamp<std::int64_t>(patience.count(), 1, 5));
  mqtt.subscriptions.emplace_back(session->topics_.reply(mqtt.client_id, "+"), 1);
  mqtt.subscriptions.emplace_back(session->topics_.state("service", "+"), 1);
  for (const auto& filter : filters) mqtt.subscriptions.emplace_back(settings.root + "/" + filter, 1);
  if (auto connected = session->connect(make); !connected) return connected.failure();
  if (options.verbose) say("connected to " + mqtt.url + " as " + mqtt.client_id + ", asking as " + settings.from);
  return session;
}

Outcome<bool> Session::connect(const MakeLine& make) {
  signal_ = std::make_unique<runtime::StopSignal>([this] {
    const std::lock_guard lock(mutex_);
    interrupted_ = true;
    changed_.notify_all();
  });
  bus::MqttEvents events;
  events.message = [this](bus::Message&& message) { heard(std::move(message)); };
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
  line_ = make(settings_.mqtt, std::move(events));
  line_->start();
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return was_connected_ || lost_ || interrupted_; });
  if (was_connected_) return true;
  if (interrupted_) return Failure{Exit::interrupted, "interrupted"};
  const auto reason = *lost_;
  lock.unlock();
  line_->stop();
  return unreachable(reason);
}

void Session::heard(bus::Message&& message) {
  const auto topic = topics_.parse(message.topic);
  if (topic && topic->kind == Topic::Kind::state && topic->channel == "service")
    return heard_service(std::string(topic->name), message.payload);
  const std::lock_guard lock(mutex_);
  if (topic && topic->kind == Topic::Kind::reply && topic->channel == "answer") {
    const auto asked = answers_.find(message.correlation);
    if (asked != answers_.end() && !asked->second) asked->second = std::move(message.payload);
  } else if (messages_.size() < messages_max) {
    messages_.push_back(std::move(message));
  }
  changed_.notify_all();
}

void Session::heard_service(const std::string& service, const std::string& payload) {
  const auto value = codec::parse(payload);
  const std::lock_guard lock(mutex_);
  if (!value || text_of(*value, "state").empty()) {
    services_.erase(service);
  } else {
    services_[service] = {text_of(*value, "state"), text_of(*value, "version")};
  }
  changed_.notify_all();
}

std::map<std::string, Session::ServiceState> Session::services() const {
  const std::lock_guard lock(mutex_);
  return services_;
}

std::map<std::string, Session::ServiceState> Session::services(std::size_t count, Clock::time_point until) const {
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, until, [&] { return services_.size() >= count || interrupted_; });
  return services_;
}

Outcome<codec::Json> Session::request(const std::string& service, const std::string& operation, codec::Json body) {
  return request(service, operation, std::move(body), options_.timeout());
}

Outcome<codec::Json> Session::request(const std::string& service, const std::string& operation, codec::Json body,
                                      Patience patience) {
  body["v"] = 1;
  const auto begin = Clock::now();
  bus::Message message{topics_.service(service, operation, settings_.from), codec::dump(body)};
  message.response_topic = answer_topic();
  message.correlation = crypto::random_bytes(16);
  std::optional<Failure> stop;
  const auto answer = ask(service, message, patience, stop);
  if (!answer && stop && stop->exit == Exit::denied) stop->reason += nothing_below_root();
  if (!answer && stop) return *stop;
  if (!answer && !connected()) return unreachable("the connection was lost");
  if (!answer) return no_answer(service, operation, patience);
  if (options_.verbose) {
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin).count();
    say(service + "/" + operation + " answered after " + std::to_string(ms) + " ms");
  }
  auto parsed = codec::parse(*answer);
  if (!parsed || !parsed->is_object())
    return Failure{Exit::failed, service + " answered with something that is no JSON object"};
  if (const auto error = codec::decode_error(*parsed)) return Failure{exit_of(*error), told(*error, body)};
  return std::move(*parsed);
}

std::optional<std::string> Session::ask(const std::string& service, const bus::Message& message, Patience patience,
                                        std::optional<Failure>& stop) {
  {
    const std::lock_guard lock(mutex_);
    answers_[message.correlation];  // before publishing, because an answer may arrive before publish() returns
  }
  const auto begin = Clock::now();
  const auto denied = stats().denied;
  std::optional<std::string> answer;
  auto repeat = begin;
  while (!answer && !stop && Clock::now() < begin + patience) {
    if (Clock::now() >= repeat && (connected() || repeat == begin)) {
      publish(message);
      repeat = Clock::now() + repeat_every;
    }
    answer = wait_answer(message.correlation, std::min(begin + patience, Clock::now() + look_at_broker_every));
    if (answer) break;
    stop = stopped(denied);
    if (!stop && !options_.timeout_s && Clock::now() >= begin + down_patience) stop = says_down(service);
  }
  const std::lock_guard lock(mutex_);
  answers_.erase(message.correlation);
  return answer;
}

std::optional<std::string> Session::wait_answer(const std::string& correlation, Clock::time_point until) {
  std::unique_lock lock(mutex_);
  auto& slot = answers_[correlation];
  changed_.wait_until(lock, until, [&] { return slot.has_value() || interrupted_; });
  return slot;
}

std::optional<Failure> Session::says_down(const std::string& service) const {
  const auto all = services();
  const auto said = all.find(service);
  if (said == all.end() || said->second.state != "down" || !connected()) return std::nullopt;
  return Failure{Exit::unreachable, "the service " + service +
                                        " is down (it says so itself). Start it again, and look at the log of "
                                        "fieldwork-" +
                                        service + "; a longer --timeout waits for it"};
}

Failure Session::no_answer(const std::string& service, const std::string& operation, Patience patience) const {
  auto text = "no answer from " + service + " (" + operation + ") within " +
              std::to_string(static_cast<double>(patience.count()) / 1000).substr(0, 4) + " s";
  std::string down;
  for (const auto& [name, said] : services()) {
    if (said.state == "down") down += (down.empty() ? "" : ", ") + name;
  }
  if (!down.empty()) return {Exit::timed_out, text + ". Down, by their own word: " + down + ". Start them again"};
  const auto nothing = nothing_below_root();
  if (!nothing.empty()) return {Exit::timed_out, text + nothing};
  return {Exit::timed_out, text + ". Is that service up? Try fieldwork doctor, or a longer --timeout"};
}

std::string Session::nothing_below_root() const {
  if (!connected() || !services(1, Clock::now() + retained_within).empty()) return "";
  return ". No service was ever seen below the root " + settings_.root +
         " (state/service is empty there): is it right? (" + settings_.root_origin + ")";
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
  const auto trouble = connection_trouble(settings_, reason);
  return {Exit::unreachable, trouble.what + ". " + trouble.next};
}

}  // namespace fieldwork::cli
