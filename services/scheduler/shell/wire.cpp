#include <algorithm>
#include <nlohmann/json.hpp>

#include "codec/device.hpp"
#include "codec/job.hpp"
#include "codec/policy.hpp"
#include "codec/transfer.hpp"
#include "runtime/log.hpp"
#include "runtime/metrics.hpp"
#include "scheduler/shell/rows.hpp"
#include "scheduler/shell/service.hpp"

namespace fieldwork::scheduler {

SchedulerService::SchedulerService(std::string root, Limits limits) : topics_(std::move(root)), limits_(limits) {}
SchedulerService::~SchedulerService() = default;

std::vector<std::pair<std::string, int>> SchedulerService::subscriptions() const {
  return {{topics_.up("+", "report"), 1},     {topics_.up("+", "heartbeat"), 0},
          {topics_.up("+", "presence"), 1},   {topics_.state("device", "+"), 1},
          {topics_.state("package", "+"), 1}, {topics_.service("scheduler", "+", "+"), 1}};
}

Result<void> SchedulerService::load(store::Store& store, Time now) {
  auto saved = scheduler::load(store, limits_);
  if (!saved) return saved.error();
  log::info("loaded", {{"jobs", std::to_string(saved->jobs.size())}});
  core_ = std::make_unique<Scheduler>(limits_, std::move(*saved), now);
  return {};
}

void SchedulerService::step(const Input& input, Time now) { core_->step(input, now, effects_); }

void SchedulerService::tick(Time now, runtime::Output& /*out*/) { step(TimePassed{}, now); }

void SchedulerService::message(const bus::Message& message, Time now, runtime::Output& out) {
  const auto topic = topics_.parse(message.topic);
  if (!topic) return;
  switch (topic->kind) {
    case Topic::Kind::device: return device_message(*topic, message, now, out);
    case Topic::Kind::state: return state_message(*topic, message, now, out);
    case Topic::Kind::service: return request(*topic, message, now, out);
    default: return;
  }
}

void SchedulerService::reject(const Topic& topic, const bus::Message& message, const Error& error, Time now,
                              runtime::Output& out) {
  const std::string channel(topic.channel);
  if (topic.kind == Topic::Kind::device) {
    rejections_.note(channel, std::string(topic.name), error, now);
    out.messages.push_back({.topic = topics_.down(topic.name, "rejected"),
                            .payload = codec::encode(codec::Rejected{channel, error.path, error.reason})});
  } else {
    rejections_.note(channel, std::string(topic.from.empty() ? topic.name : topic.from), error, now);
    respond(message, codec::encode_error(error), out);
  }
}

void SchedulerService::device_message(const Topic& topic, const bus::Message& message, Time now, runtime::Output& out) {
  const DeviceId device{std::string(topic.name)};
  if (!is_id(topic.name)) return;
  if (topic.channel == "report") {
    auto report = codec::decode_report(message.payload);
    if (!report) return reject(topic, message, report.error(), now, out);
    step(ReportArrived{device, report->epoch, report->seq, std::move(report->items)}, now);
  } else if (topic.channel == "heartbeat") {
    auto heartbeat = codec::decode_heartbeat(message.payload);
    if (!heartbeat) return;  // the registry answers for it
    step(HeartbeatArrived{device, std::move(heartbeat->attempts)}, now);
  } else if (topic.channel == "presence") {
    auto presence = codec::decode_presence(message.payload);
    if (presence && presence->online) step(DeviceReturned{device}, now);
  }
}

void SchedulerService::state_message(const Topic& topic, const bus::Message& message, Time now, runtime::Output& out) {
  if (message.payload.empty()) return;  // a retained message was removed; what is known stays
  auto value = codec::parse(message.payload);
  if (!value) return reject(topic, message, value.error(), now, out);
  if (topic.channel == "device") {
    auto device = codec::decode_device(*value);
    if (device && device->id.value != topic.name) device = Error{Code::denied, "names another device", "/device"};
    if (!device) return reject(topic, message, device.error(), now, out);
    step(DeviceSeen{std::move(*device)}, now);
  } else {
    auto package = codec::decode_package(*value);
    if (!package) return reject(topic, message, package.error(), now, out);
    if (core_->knows_package(package->digest)) return;
    out.insert("package", package->digest, codec::dump({{"digest", package->digest}}));
    step(PackageSeen{std::move(package->digest)}, now);
  }
}

void SchedulerService::decided(const Topic& topic, const bus::Message& message, Time now) {
  auto decisions = codec::decode_decisions(message.payload);
  if (topic.from != "security-policy") decisions = Error{Code::denied, "only security-policy decides"};
  if (!decisions) {
    rejections_.note("authorised", std::string(topic.from), decisions.error(), now);
    return;
  }
  for (auto& decision : *decisions) step(DecisionMade{std::move(decision)}, now);
}

void SchedulerService::connected(Time /*now*/, runtime::Output& out) {
  for (const auto& [id, job] : core_->jobs()) {
    if (!job.bulk) out.messages.push_back(state_of(job));
  }
}

void SchedulerService::flush(Time now, runtime::Output& out) {
  core_->place_waiting(now, effects_);
  for (const auto& effect : effects_) carry_out(effect, out);
  effects_.clear();
  for (std::size_t begin = 0; begin < questions_.size(); begin += codec::items_max) {
    const auto end = std::min(begin + codec::items_max, questions_.size());
    const std::vector<Question> part(questions_.begin() + static_cast<std::ptrdiff_t>(begin),
                                     questions_.begin() + static_cast<std::ptrdiff_t>(end));
    out.early.push_back(
        {.topic = topics_.service("security-policy", "authorise", "scheduler"), .payload = codec::encode(part)});
  }
  questions_.clear();
  say_changes(out);
  submissions_.clear();
  fetched_.clear();
  lists_.clear();
  metrics::gauge("fieldwork_jobs_live", static_cast<double>(core_->live()));
  metrics::gauge("fieldwork_executions_queued", static_cast<double>(core_->queued()));
}

}  // namespace fieldwork::scheduler
