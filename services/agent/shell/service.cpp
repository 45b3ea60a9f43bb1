#include "agent/shell/service.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "agent/limits.hpp"
#include "agent/shell/journal_rows.hpp"
#include "codec/job.hpp"
#include "crypto/digest.hpp"
#include "model/key_text.hpp"
#include "runtime/log.hpp"
#include "runtime/version.hpp"

namespace fieldwork::agent {
namespace {

using codec::Json;

std::string seq_text(std::int64_t seq) {
  auto text = std::to_string(seq);
  return std::string(20 - text.size(), '0') + text;
}

store::Row number_row(const char* key, std::int64_t value) { return {{"key", key}, {"value", value}}; }

// Takes each row. A row that cannot be read is logged and left out: it must not keep the agent from starting.
template <class Take>
void each(const char* table, const std::vector<std::string>& rows, Take take) {
  for (const auto& text : rows) {
    Result<void> done;
    try {
      done = take(Json::parse(text));
    } catch (const nlohmann::json::exception& e) {
      done = Error{Code::invalid, e.what()};
    }
    if (!done)
      log::error("a row of the journal cannot be read and is left out",
                 {{"table", table}, {"reason", describe(done.error())}, {"row", text.substr(0, 200)}});
  }
}

}  // namespace

AgentService::AgentService(AgentConfig config, Hands& hands)
    : config_(std::move(config)),
      hands_(hands),
      topics_(config_.root),
      staging_(topics_, config_.device, config_.places) {}
AgentService::~AgentService() = default;

std::vector<std::pair<std::string, int>> AgentService::subscriptions() const {
  std::vector<std::pair<std::string, int>> out{{topics_.down(config_.device, "+"), 1}};
  for (const auto& filter : shared_) out.emplace_back(filter, 0);
  return out;
}

bus::Message AgentService::presence(const Topics& topics, const std::string& device, PresenceSaid said) {
  return {.topic = topics.up(device, "presence"), .payload = codec::encode(said), .retain = true};
}

Result<std::int64_t> AgentService::next_session(store::Store& store) {
  auto rows = store.find("meta", "key", {"session"});
  if (!rows) return rows.error();
  const std::int64_t session = rows->empty() ? 1 : Json::parse(rows->front()).at("value").get<std::int64_t>() + 1;
  if (auto done = store.commit({{"meta", "session", number_row("session", session)}}); !done) return done.error();
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
  each("meta", *meta, [&](const Json& row) -> Result<void> {
    const auto key = row.at("key").get<std::string>();
    if (key == "configuration") {
      auto configuration = codec::decode_configuration_text(row.at("value").dump());
      if (!configuration) return configuration.error();
      saved.configuration = std::move(*configuration);
    }
    if (key == "session") saved.session = row.at("value");
    if (key == "epoch") saved.stream.epoch = row.at("value");
    if (key == "next_seq") saved.stream.next_seq = row.at("value");
    if (key == "acked_tag") saved.stream.acked_tag = row.at("value");
    return {};
  });
  if (saved.stream.epoch == 0) {
    saved.stream.epoch = std::max<std::int64_t>(config_.wall_ms(), 1);
    if (auto done = store.commit({{"meta", "epoch", number_row("epoch", saved.stream.epoch)}}); !done) return done;
  }
  each("attempt", *attempts, [&](const Json& row) -> Result<void> {
    auto attempt = decode_attempt(row);
    if (!attempt) return attempt.error();
    const auto key = attempt->assign.key;
    saved.attempts.emplace(key, std::move(*attempt));
    return {};
  });
  auto& waiting = saved.stream.waiting;
  each("report", *reports, [&](const Json& row) -> Result<void> {
    auto report = codec::decode_attempt_report(row.at("report"));
    if (!report) return report.error();
    waiting.emplace(row.at("seq").get<std::int64_t>(), Numbered{row.at("tag"), std::move(*report)});
    return {};
  });
  if (!waiting.empty()) saved.stream.next_seq = std::max(saved.stream.next_seq, waiting.rbegin()->first + 1);
  config_.configure(saved.configuration);
  core_ = std::make_unique<Agent>(config_.limits, DeviceId(config_.device), std::move(saved), now);
  step(Started{config_.wall_ms()}, now);  // before any message: no attempt that begins after it ran before this start
  return staging_.load(store, now);
}

void AgentService::step(const Input& input, Time now) { core_->step(input, now, done_); }

void AgentService::message(const bus::Message& message, Time now, runtime::Output& /*out*/) {
  const auto topic = topics_.parse(message.topic);
  if (!topic) return;
  const bool shared = topic->kind == Topic::Kind::content && topic->channel == "frame";
  if (!shared && (topic->kind != Topic::Kind::device || topic->name != config_.device)) return;
  const auto done = hear(topic->channel, message, now);
  if (!done) rejections_.note(std::string(topic->channel), "the broker", done.error(), now);
}

Result<void> AgentService::hear(std::string_view channel, const bus::Message& message, Time now) {
  const std::string_view payload = message.payload;
  if (channel == "command") return commands(payload, now);
  if (channel == "offer") return hands_.offer(payload, now);
  if (channel == "frame") return hands_.frame(payload, now);
  if (channel == "want" || channel == "output" || channel == "received") return hands_.output(channel, payload, now);
  if (channel == "stage") return staging_.hear(payload, now);
  if (channel == "ack") {
    const auto ack = codec::decode_ack(payload);
    if (!ack) return ack.error();
    step(AckArrived{{ack->epoch, ack->seq, ack->tag, ack->begin}, ack->beat, config_.wall_ms(), ack->ask}, now);
  } else if (channel == "echo") {
    const auto echo = codec::decode_echo(payload);
    if (!echo) return echo.error();
    const auto at = message.arrived == Time{} ? now : message.arrived;
    if (echo->session == core_->session()) trips_.heard(echo->beat, Duration{echo->held_us}, at);
  } else if (channel == "configure") {
    auto configuration = codec::decode_configuration(payload);
    if (!configuration) return configuration.error();
    step(ConfigurationArrived{std::move(*configuration)}, now);
  } else if (channel == "message") {
    auto items = codec::decode_heard(payload);
    if (!items) return items.error();
    for (auto& item : items->good) step(LinesHeard{{std::move(item.key), std::move(item.lines)}}, now);
    if (!items->bad.empty()) return items->bad.front().error;
  } else if (channel == "enrolled") {
    const auto enrolled = codec::decode_enrolled(payload);
    if (!enrolled) return enrolled.error();
    if (!enrolled->enrolled && !enrolled->unknown) log::error("enrolment refused", {{"reason", enrolled->reason}});
    if (enrolled->enrolled && !core_->enrolled()) log::info("enrolled");
    step(EnrolAnswered{enrolled->session, enrolled->enrolled, enrolled->reason, enrolled->heartbeat_s, enrolled->now_ms,
                       config_.wall_ms(), enrolled->unknown},
         now);
  } else if (channel == "rejected") {
    const auto rejected = codec::decode_rejected(payload);
    if (!rejected) return rejected.error();
    log::error("a message was rejected",
               {{"channel", rejected->channel}, {"path", rejected->path}, {"reason", rejected->reason}});
  }
  return {};
}

void AgentService::assign(Assign assign, Time now) {
  auto signed_grant = config_.grants.verify(assign.grant, "fieldwork-grant+jws");
  auto grant = signed_grant ? codec::decode_grant(*signed_grant) : Result<Grant>(signed_grant.error());
  auto digest = crypto::digest_of(codec::work_text(assign.command, assign.env, assign.outputs, assign.contract));
  log::debug("assigned", {{"job", assign.key.job.value}, {"trace", assign.traceparent}});
  const bool fetches = !assign.package.empty() && !hands_.has(assign.package);
  step(AssignArrived{std::move(assign), std::move(grant), std::move(digest), config_.wall_ms(),
                     config_.about.uplink.metered, fetches},
       now);
}

Result<void> AgentService::commands(std::string_view payload, Time now) {
  auto commands = codec::decode_commands(payload);
  if (!commands) return commands.error();
  for (auto& command : commands->good) {
    if (auto* one = std::get_if<Assign>(&command)) {
      assign(std::move(*one), now);
    } else if (auto* cancel = std::get_if<Cancel>(&command)) {
      step(CancelArrived{std::move(*cancel)}, now);
    } else if (auto* inquire = std::get_if<Inquire>(&command)) {
      step(InquireArrived{std::move(*inquire)}, now);
    } else if (auto* tail = std::get_if<Tail>(&command)) {
      step(TailArrived{std::move(*tail)}, now);
    } else {
      step(StaleArrived{std::move(std::get<Stale>(command))}, now);
    }
  }
  for (auto& bad : commands->bad) {
    rejections_.note("command", "the broker", bad.error, now);
    if (bad.key) step(BadCommandArrived{std::move(*bad.key), describe(bad.error)}, now);
  }
  return {};
}

void AgentService::connected(Time now, runtime::Output& /*out*/) {
  hands_.connected(now);
  staging_.step(LinkBack{}, now);
  step(Connected{}, now);
}

void AgentService::disconnected(Time now, runtime::Output& /*out*/) {
  trips_.disconnected();
  step(Disconnected{}, now);
}

void AgentService::tick(Time now, runtime::Output& out) {
  // Before the heartbeat that may be due now.
  if (const auto sleep_s = config_.sleeps(); sleep_s > 0) {
    log::info("going to sleep", {{"s", std::to_string(sleep_s)}});
    step(SleepAnnounced{sleep_s}, now);
    out.messages.push_back(
        presence(topics_, config_.device, {PresenceSaid::State::sleeping, core_->session(), config_.boot, sleep_s}));
  }
  step(TimePassed{config_.beat_idle(), config_.wall_ms()}, now);
  if (!core_->connected() || !core_->enrolled()) return;  // what is written meanwhile waits in its file
  for (auto& mail : hands_.mail(now)) step(LinesWritten{std::move(mail)}, now);
}

void AgentService::flush(Time now, runtime::Output& out) {
  const auto carry_out = [&] {
    const Output done = std::move(done_);
    done_ = Output{};
    save(done, out);
    say(done, now, out);
    act(done, now, out);
    return staging_.carry_out(hands_, now, out) || !done.acts.empty();
  };
  if (const auto clock = core_->registry_ms(now)) staging_.step(staging::Looked{*clock}, now);
  // Package news, and runs that end at once, may lead to further acts.
  bool more = true;
  while (more) {
    more = carry_out();
    for (auto& news : hands_.news()) {
      more = true;
      const auto both = [&](auto input) {
        staging_.step(input, now);
        step(std::move(input), now);
      };
      if (news.refused) {
        both(PackageRefused{std::move(news.digest), std::move(*news.refused), news.work_fault});
      } else {
        both(PackageReady{std::move(news.digest)});
      }
    }
    for (auto& placed : hands_.placed()) {
      more = true;
      staging_.step(std::move(placed), now);
    }
    for (auto& ended : hands_.ended()) {
      more = true;
      step(std::move(ended), now);
    }
  }
  step(BatchEnded{config_.random(), config_.reports_idle()}, now);
  staging_.step(fieldwork::BatchEnded{}, now);
  carry_out();
  for (const auto& [key, at] : core_->contract_ends()) hands_.contract_ends(key, at - now);
  for (auto& message : hands_.due(now)) out.messages.push_back(std::move(message));
  for (auto& one : hands_.subscriptions()) {
    if (one.on) shared_.insert(one.filter);
    if (!one.on) shared_.erase(one.filter);
    out.subscriptions.push_back(std::move(one));
  }
}

void AgentService::save(const Output& done, runtime::Output& out) const {
  for (const auto& one : done.attempts) {
    if (one.attempt) {
      out.upsert("attempt", key_text(one.key), attempt_row(*one.attempt));
    } else {
      out.remove("attempt", key_text(one.key), {});
    }
  }
  for (const auto& one : done.reports) {
    if (one.report) {
      out.upsert("report", seq_text(one.seq),
                 {{"seq", one.seq},
                  {"tag", one.report->tag},
                  {"report", store::Value::json(codec::dump(codec::encode(one.report->report)))}});
    } else {
      out.remove("report", seq_text(one.seq), {});
    }
  }
  if (done.configuration) {
    out.upsert(
        "meta", "configuration",
        {{"key", "configuration"}, {"value", store::Value::json(codec::configuration_text(*done.configuration))}});
  }
  if (!done.position) return;
  for (const auto& [key, value] : {std::pair("epoch", done.position->epoch),
                                   {"next_seq", done.position->next_seq},
                                   {"acked_tag", done.position->acked_tag}})
    out.upsert("meta", key, number_row(key, value));
}

namespace {

// One line for the beginning of each job and one for its end, at level info.
void tell(const std::string& what, const AttemptKey& key, const char* field, const std::string& text,
          const std::string& trace) {
  log::info(what, {{"job", key.job.value},
                   {"execution", std::to_string(key.execution)},
                   {"fence", std::to_string(key.fence)},
                   {field, text},
                   {"trace", trace}});
}

}  // namespace

// When it leaves is noted after the commit, which may take a while on a device's disk.
void AgentService::say_heartbeat(const SendHeartbeat& heartbeat, Time now, runtime::Output& out) {
  auto link = config_.link();
  link.clock_offset_ms = heartbeat.clock_offset_ms;
  link.round_trip_ms = trips_.percentile_ms(now);
  hands_.round_trip(trips_.shortest_ms(now));
  const bool echo = trips_.ask(now);
  out.messages.push_back(
      {.topic = topics_.up(config_.device, "heartbeat"),
       .payload = codec::encode(Heartbeat{core_->session(), heartbeat.beat, config_.resources(), link,
                                          heartbeat.attempts, heartbeat.ended, heartbeat.outcomes, echo}),
       .lane = bus::Lane::newest});
  if (echo) out.acts.emplace_back([this, beat = heartbeat.beat, now] { trips_.sent(beat, config_.moment(now)); });
}

void AgentService::say(const Output& done, Time now, runtime::Output& out) {
  const auto up = [&](const char* channel, std::string payload) -> bus::Message& {
    out.messages.push_back({.topic = topics_.up(config_.device, channel), .payload = std::move(payload)});
    return out.messages.back();
  };
  if (done.enrol) {
    up("enrol", codec::encode(Enrolment{core_->session(), config_.certificate_pem, config_.about, config_.boot_id,
                                        core_->configuration().version}));
  }
  if (done.heartbeat) say_heartbeat(*done.heartbeat, now, out);
  for (const auto& message : done.messages) {
    codec::Report report{message.epoch, message.first, message.seq, message.after, {}};
    for (const auto& item : message.items) report.items.push_back({item.tag, item.report, std::nullopt});
    auto& said = up("report", codec::encode(report));
    if (said.payload.size() > report_control_bytes_max) said.lane = bus::Lane::bulk;
  }
  if (!done.progress.empty()) {
    std::vector<codec::ProgressItem> items;
    for (const auto& [key, progress] : done.progress) items.push_back({key, progress});
    up("progress", codec::encode(items));
  }
  for (const auto& mail : done.mail)
    up("message", codec::encode(std::vector<codec::SentItem>{{mail.key, mail.lines}})).qos = 0;
  if (done.configured) up("configured", codec::encode(codec::Configured{*done.configured, ""}));
  for (const auto& notice : done.notices) log::warn(notice.text);
  for (const auto& one : done.attempts) {
    if (!one.attempt || !one.attempt->outcome) continue;
    const auto& outcome = *one.attempt->outcome;
    tell("job " + std::string(fieldwork::name(outcome.state)), one.key, "reason", outcome.reason,
         one.attempt->assign.traceparent);
  }
}

void AgentService::act(const Output& done, Time now, runtime::Output& out) {
  if (done.configuration) {
    log::info("configured", {{"version", std::to_string(done.configuration->version)},
                             {"lifecycle", std::string(fieldwork::name(done.configuration->lifecycle))}});
    config_.configure(*done.configuration);
  }
  for (const auto& act : done.acts) {
    if (const auto* fetch = std::get_if<Fetch>(&act)) {
      hands_.fetch(*fetch, now);
    } else if (const auto* unfetch = std::get_if<Unfetch>(&act)) {
      hands_.unfetch(unfetch->digest);
    } else if (const auto* run = std::get_if<Run>(&act)) {
      tell("job runs", run->assign.key, "command", run->assign.command.front(), run->assign.traceparent);
      if (hands_.in_batch())
        hands_.run(run->assign);
      else
        out.acts.push_back([this, assign = run->assign] { hands_.run(assign); });
    } else if (std::holds_alternative<Prune>(act)) {
      hands_.prune(now);
    } else if (const auto* follow = std::get_if<Follow>(&act)) {
      hands_.tail(follow->key, follow->left, follow->begin);
    } else if (const auto* deliver = std::get_if<Deliver>(&act)) {
      hands_.deliver(deliver->mail);
    } else {
      hands_.kill(std::get<Kill>(act).key);  // before the commit: a full disk must not keep a program running
    }
  }
}

}  // namespace fieldwork::agent
