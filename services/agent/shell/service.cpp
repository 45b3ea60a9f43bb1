#include "agent/shell/service.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "codec/job.hpp"
#include "crypto/digest.hpp"
#include "runtime/log.hpp"

namespace fieldwork::agent {
namespace {

using codec::Json;

template <class... Fs>
struct Overload : Fs... {
  using Fs::operator()...;
};
template <class... Fs>
Overload(Fs...) -> Overload<Fs...>;

std::string key_text(const AttemptKey& key) {
  return key.job.value + ":" + std::to_string(key.execution) + ":" + std::to_string(key.fence);
}

std::string seq_text(std::int64_t seq) {
  auto text = std::to_string(seq);
  return std::string(20 - text.size(), '0') + text;
}

constexpr const char* phases[] = {"fetching", "running", "done"};

std::string attempt_row(const Attempt& attempt) {
  Json row{{"phase", phases[static_cast<int>(attempt.phase)]}, {"order", attempt.order}};
  if (attempt.phase == Phase::done) {
    codec::write_key(row, attempt.assign.key);
  } else {
    row["assign"] = codec::encode(codec::Order(attempt.assign));
  }
  return codec::dump(row);
}

Result<Attempt> decode_attempt(const std::string& text) {
  const auto row = Json::parse(text);
  Attempt out;
  out.order = row.at("order");
  for (int i = 0; i < 3; ++i) {
    if (row.at("phase") == phases[i]) out.phase = static_cast<Phase>(i);
  }
  if (out.phase == Phase::done) {
    out.assign.key = {JobId(row.at("job").get<std::string>()), row.at("execution"), row.at("fence")};
    return out;
  }
  auto assign = codec::decode_assign(row.at("assign"));
  if (!assign) return assign.error();
  out.assign = std::move(*assign);
  return out;
}

}  // namespace

AgentService::AgentService(AgentConfig config, Hands& hands)
    : config_(std::move(config)), hands_(hands), topics_(config_.root) {}
AgentService::~AgentService() = default;

std::vector<std::pair<std::string, int>> AgentService::subscriptions() const {
  return {{topics_.down(config_.device, "+"), 1}};
}

bus::Message AgentService::presence(const Topics& topics, const std::string& device, bool online,
                                    std::int64_t session) {
  return {.topic = topics.up(device, "presence"), .payload = codec::encode(Presence{online, session}), .retain = true};
}

Result<std::int64_t> AgentService::next_session(store::Store& store) {
  auto rows = store.find("meta", "key", {"session"});
  if (!rows) return rows.error();
  const std::int64_t session = rows->empty() ? 1 : Json::parse(rows->front()).at("value").get<std::int64_t>() + 1;
  if (auto done = store.commit({{"meta", "session", Json{{"key", "session"}, {"value", session}}.dump()}}); !done)
    return done.error();
  return session;
}

Result<void> AgentService::load(store::Store& store, Time now) {
  Saved saved;
  auto meta = store.select({.table = "meta"});
  auto attempts = store.select({.table = "attempt"});
  auto reports = store.select({.table = "report"});
  for (const auto* rows : {&meta, &attempts, &reports}) {
    if (!*rows) return rows->error();
  }
  for (const auto& text : *meta) {
    const auto row = Json::parse(text);
    if (row.at("key") == "session") saved.session = row.at("value");
    if (row.at("key") == "epoch") saved.epoch = row.at("value");
    if (row.at("key") == "next_seq") saved.next_seq = row.at("value");
  }
  if (saved.epoch == 0) {
    saved.epoch = std::max<std::int64_t>(config_.wall_ms(), 1);
    if (auto done = store.commit({{"meta", "epoch", Json{{"key", "epoch"}, {"value", saved.epoch}}.dump()}}); !done)
      return done;
  }
  for (const auto& text : *attempts) {
    auto attempt = decode_attempt(text);
    if (!attempt) return attempt.error();
    const auto key = attempt->assign.key;
    saved.attempts.emplace(key, std::move(*attempt));
  }
  for (const auto& text : *reports) {
    const auto row = Json::parse(text);
    auto report = codec::decode_attempt_report(row.at("report"));
    if (!report) return report.error();
    saved.reports.emplace(row.at("seq").get<std::int64_t>(), std::move(*report));
  }
  if (!saved.reports.empty()) saved.next_seq = std::max(saved.next_seq, saved.reports.rbegin()->first + 1);
  core_ = std::make_unique<Agent>(config_.limits, DeviceId(config_.device), std::move(saved), now);
  return {};
}

void AgentService::step(const Input& input, Time now) { core_->step(input, now, effects_); }

void AgentService::message(const bus::Message& message, Time now, runtime::Output& /*out*/) {
  const auto topic = topics_.parse(message.topic);
  if (!topic || topic->kind != Topic::Kind::device || topic->name != config_.device) return;
  const auto done = take(topic->channel, message.payload, now);
  if (!done) rejections_.note(std::string(topic->channel), "the broker", done.error(), now);
}

Result<void> AgentService::take(std::string_view channel, std::string_view payload, Time now) {
  if (channel == "command") return orders(payload, now);
  if (channel == "offer") return hands_.offer(payload, now);
  if (channel == "frame") return hands_.frame(payload, now);
  if (channel == "want" || channel == "output" || channel == "received") return hands_.output(channel, payload, now);
  if (channel == "ack") {
    const auto ack = codec::decode_ack(payload);
    if (!ack) return ack.error();
    step(AckArrived{ack->epoch, ack->seq}, now);
  } else if (channel == "enrolled") {
    const auto enrolled = codec::decode_enrolled(payload);
    if (!enrolled) return enrolled.error();
    if (!enrolled->enrolled) log::error("enrolment refused", {{"reason", enrolled->reason}});
    if (enrolled->enrolled && !core_->enrolled()) log::info("enrolled");
    step(EnrolAnswered{enrolled->session, enrolled->enrolled, enrolled->reason, enrolled->heartbeat_s}, now);
  } else if (channel == "rejected") {
    const auto rejected = codec::decode_rejected(payload);
    if (!rejected) return rejected.error();
    log::error("a message was rejected",
               {{"channel", rejected->channel}, {"path", rejected->path}, {"reason", rejected->reason}});
  }
  return {};
}

Result<void> AgentService::orders(std::string_view payload, Time now) {
  auto orders = codec::decode_orders(payload);
  if (!orders) return orders.error();
  for (auto& order : *orders) {
    if (auto* assign = std::get_if<Assign>(&order)) {
      if (core_->find(assign->key) != nullptr) continue;
      auto signed_grant = config_.grants.verify(assign->grant, "fieldwork-grant+jws");
      auto grant = signed_grant ? codec::decode_grant(*signed_grant) : Result<Grant>(signed_grant.error());
      auto digest = crypto::digest_of(codec::command_text(assign->command));
      log::debug("assigned", {{"job", assign->key.job.value}, {"trace", assign->traceparent}});
      step(AssignArrived{std::move(*assign), std::move(grant), std::move(digest), config_.wall_ms()}, now);
    } else if (auto* cancel = std::get_if<Cancel>(&order)) {
      step(CancelArrived{std::move(*cancel)}, now);
    } else {
      step(StaleArrived{std::move(std::get<Stale>(order))}, now);
    }
  }
  return {};
}

void AgentService::connected(Time now, runtime::Output& /*out*/) {
  hands_.connected(now);
  step(Connected{}, now);
}

void AgentService::disconnected(Time now, runtime::Output& /*out*/) { step(Disconnected{}, now); }

void AgentService::tick(Time now, runtime::Output& /*out*/) {
  if (!started_) step(Started{}, now);
  started_ = true;
  step(TimePassed{}, now);
}

void AgentService::flush(Time now, runtime::Output& out) {
  // Package news and runs that end at once may order more.
  const auto settle = [&] {
    Effects now_due;
    now_due.swap(effects_);
    for (const auto& effect : now_due) carry_out(effect, now, out);
    for (auto& news : hands_.news()) {
      if (news.refused) {
        step(PackageRefused{std::move(news.digest), std::move(*news.refused)}, now);
      } else {
        step(PackageReady{std::move(news.digest)}, now);
      }
    }
    for (auto& ended : hands_.ended()) step(std::move(ended), now);
  };
  do {
    settle();
  } while (!effects_.empty());
  core_->flush(now, effects_);
  for (const auto& effect : effects_) carry_out(effect, now, out);
  effects_.clear();
  for (auto& message : hands_.due(now)) out.messages.push_back(std::move(message));
}

Heartbeat AgentService::heartbeat() const {
  return {
      .session = core_->session(), .resources = config_.resources(), .link = config_.link(), .attempts = core_->live()};
}

void AgentService::carry_out(const Effect& effect, Time now, runtime::Output& out) {
  const auto up = [&](const char* channel, std::string payload, int qos = 1) {
    out.messages.push_back({.topic = topics_.up(config_.device, channel), .payload = std::move(payload), .qos = qos});
  };
  std::visit(
      Overload{
          [&](const SaveAttempt& e) {
            if (const auto* attempt = core_->find(e.key)) out.upsert("attempt", key_text(e.key), attempt_row(*attempt));
          },
          [&](const DropAttempt& e) { out.remove("attempt", key_text(e.key), "{}"); },
          [&](const SaveReport& e) {
            out.upsert("report", seq_text(e.seq), codec::dump({{"seq", e.seq}, {"report", codec::encode(e.report)}}));
            out.upsert("meta", "next_seq", codec::dump({{"key", "next_seq"}, {"value", e.seq + 1}}));
          },
          [&](const DropReports& e) {
            for (auto seq = e.first; seq <= e.last; ++seq) out.remove("report", seq_text(seq), "{}");
          },
          [&](const SendReports& e) {
            up("report", codec::encode(codec::Report{core_->epoch(), e.seq, e.items}));
          },
          [&](const SendEnrolment&) {
            up("enrol", codec::encode(Enrolment{core_->session(), config_.certificate_pem, config_.capacity,
                                                config_.labels, "0.1.0"}));
          },
          [&](const SendHeartbeat&) { up("heartbeat", codec::encode(heartbeat()), 0); },
          [&](const Fetch& e) { hands_.fetch(e.digest, now); },
          [&](const Run& e) {
            if (hands_.in_batch()) return hands_.run(e.assign);
            out.acts.push_back([this, assign = e.assign] { hands_.run(assign); });
          },
          [&](const Kill& e) { out.acts.push_back([this, key = e.key] { hands_.kill(key); }); },
      },
      effect);
}

}  // namespace fieldwork::agent
