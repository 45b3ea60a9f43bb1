#include "agent/fleet/device.hpp"

#include <algorithm>

#include "codec/json.hpp"
#include "runtime/version.hpp"

namespace fieldwork::agent {
namespace {

constexpr double backoff_s_first = 0.5;
constexpr double backoff_s_last = 30;
constexpr auto tick_every = seconds(1);

Duration of_seconds(double s) { return Duration{static_cast<std::int64_t>(s * 1e6)}; }

}  // namespace

FleetDevice::FleetDevice(AgentConfig config, const FleetGroup& group, FleetLoop& loop, FleetCounts& counts,
                         std::uint64_t seed)
    : config_(std::move(config)),
      group_(group),
      loop_(loop),
      counts_(counts),
      random_(seed),
      at_once_(group.job_s_max == 0) {
  config_.about.capacity = group.capacity;
  config_.about.labels = group.labels;
  config_.about.cores = group.capacity.cpu_millis / 1000;
  config_.about.agent = version();
  config_.about.site = group.site;
  config_.resources = [this] {
    return Resources{.cpu_load = group_.cpu_load,
                     .memory_available_bytes = group_.capacity.memory_bytes / 2,
                     .storage_available_bytes = group_.capacity.storage_bytes / 2,
                     .uptime_s = 1000};
  };
  config_.wall_ms = [this] { return to_ms(loop_.now()); };
  config_.random = [this] { return random_(); };
  config_.beat_idle = [this] { return session_->backlog(bus::Lane::newest) == 0; };
  config_.reports_idle = [this] { return session_->backlog(bus::Lane::control) == 0; };
}

FleetDevice::~FleetDevice() = default;

Result<void> FleetDevice::open(bus::Sessions& sessions, const std::string& certificate, const std::string& key) {
  const Topics topics(config_.root);
  bus::SessionConfig session{.client_id = config_.device, .certificate = certificate, .key = key};
  session.subscriptions = {{topics.down(config_.device, "+"), 1}};
  auto added = sessions.add(std::move(session), {.message =
                                                     [this](bus::Message&& message) {
                                                       ++counts_.received;
                                                       if (group_.delay_ms == 0) return turn(std::move(message));
                                                       loop_.at(loop_.now() + milliseconds(group_.delay_ms),
                                                                [this, start = start_, m = std::move(message)] {
                                                                  if (start == start_) turn(m);
                                                                });
                                                     },
                                                 .connected = [this] { came_up(); },
                                                 .disconnected = [this](const std::string&) { went_down(); }});
  if (!added) return added.error();
  session_ = std::move(*added);
  start();
  cut_later();
  restart_later();
  return {};
}

void FleetDevice::start() {
  ++start_;
  const auto session = AgentService::next_session(journal_);
  service_ = std::make_unique<AgentService>(config_, static_cast<Hands&>(*this));
  engine_ = std::make_unique<runtime::Engine>(*service_, journal_, static_cast<bus::Bus&>(*this));
  (void)engine_->load(loop_.now());
  const Topics topics(config_.root);
  const auto boot = static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(codec::integer_max)) + 1;
  using State = PresenceSaid::State;
  session_->set_presence(AgentService::presence(topics, config_.device, {State::offline, *session, boot}),
                         AgentService::presence(topics, config_.device, {State::online, *session, boot}));
  const auto first = Duration{static_cast<std::int64_t>(random_() % 1'000'000)};
  loop_.at(loop_.now() + first, [this, start = start_] {
    if (start == start_) tick();
  });
}

// As after a power cut: the running jobs are gone, the journal is still there.
void FleetDevice::restart() {
  counts_.ended += running_.size();
  running_.clear();
  news_.clear();
  ended_.clear();
  session_->cut();
  start();
  connect();
}

void FleetDevice::begin() {
  if (!began_) connect();
}

void FleetDevice::connect() {
  began_ = true;
  session_->connect();
}

void FleetDevice::tick() {
  turn(runtime::Task([](Time, runtime::Output&) {}));
  loop_.at(loop_.now() + tick_every, [this, start = start_] {
    if (start == start_) tick();
  });
}

void FleetDevice::turn(runtime::Input input) {
  (void)engine_->run({std::move(input)}, loop_.now());
  if (service_->core().enrolled() == enrolled_) return;
  enrolled_ = !enrolled_;
  enrolled_ ? ++counts_.enrolled : --counts_.enrolled;
}

void FleetDevice::came_up() {
  up_ = true;
  ++counts_.connected;
  backoff_s_ = backoff_s_first;
  turn(runtime::Connected{});
}

// Connects again after a random part of the backoff, which doubles.
void FleetDevice::went_down() {
  if (std::exchange(up_, false)) {
    --counts_.connected;
    turn(runtime::Disconnected{});
  }
  const auto wait = of_seconds(std::uniform_real_distribution<>(0, backoff_s_)(random_));
  backoff_s_ = std::min(backoff_s_ * 2, backoff_s_last);
  loop_.at(std::max(loop_.now(), cut_until_) + wait, [this, start = start_] {
    if (start == start_ && !session_->connected()) connect();
  });
}

Result<void> FleetDevice::publish(bus::Message message) {
  ++counts_.published;
  if (group_.delay_ms == 0) return session_->publish(std::move(message));
  loop_.at(loop_.now() + milliseconds(group_.delay_ms), [this, start = start_, m = std::move(message)] {
    if (start == start_) (void)session_->publish(m);
  });
  return {};
}

// --- jobs -----------------------------------------------------------------------------------------------------------

void FleetDevice::run(const Assign& assign) {
  ++counts_.begun;
  const bool fails = group_.job_fails > 0 && std::bernoulli_distribution(group_.job_fails)(random_);
  RunEnded over{assign.key, RunResult{.exit_code = fails ? 1 : 0}, fails ? "exit code 1" : ""};
  if (at_once_) {
    ++counts_.ended;
    ended_.push_back(std::move(over));
    return;
  }
  const auto takes = std::uniform_real_distribution<>(group_.job_s_min, group_.job_s_max)(random_);
  running_.insert(assign.key);
  loop_.at(loop_.now() + of_seconds(takes), [this, start = start_, over] {
    if (start == start_) end(over.key, over);
  });
}

void FleetDevice::end(const AttemptKey& key, RunEnded ended) {
  if (running_.erase(key) == 0) return;
  ++counts_.ended;
  turn(runtime::Task([this, ended = std::move(ended)](Time now, runtime::Output&) { service_->step(ended, now); }));
}

void FleetDevice::kill(const AttemptKey& key) {
  loop_.at(loop_.now(), [this, start = start_, key] {
    if (start == start_) end(key, {key, RunResult{.exit_code = -1, .signal = 15}, "ended by signal 15"});
  });
}

void FleetDevice::fetch(const Fetch& what, Time /*now*/) { news_.push_back({what.digest, std::nullopt, false}); }

// --- failures -------------------------------------------------------------------------------------------------------

Duration FleetDevice::about(double mean_s) { return of_seconds(std::exponential_distribution<>(1 / mean_s)(random_)); }

void FleetDevice::cut_later() {
  if (group_.cut_every_s <= 0) return;
  loop_.at(loop_.now() + about(group_.cut_every_s), [this] {
    cut_until_ = loop_.now() + of_seconds(group_.cut_s);
    session_->cut();
    cut_later();
  });
}

void FleetDevice::restart_later() {
  if (group_.restart_every_s <= 0) return;
  loop_.at(loop_.now() + about(group_.restart_every_s), [this] {
    restart();
    restart_later();
  });
}

}  // namespace fieldwork::agent
