#include "checks.hpp"

#include "codec/job.hpp"
#include "crypto/digest.hpp"
#include "model/limits.hpp"

namespace fieldwork::sim {
namespace {

constexpr const char* once = "an attempt never runs twice";
constexpr const char* saved = "nothing was said that was not saved";
constexpr const char* acknowledged = "no acknowledged thing is lost";
constexpr const char* is_signed = "what ran is what was signed";
constexpr const char* fences = "fences only grow and no fence is used by two devices";
constexpr const char* legal = "states follow each other as the table says";
constexpr const char* one_live = "at most one attempt of an execution is live";
constexpr const char* really_ran = "what succeeded ran and ended well";
constexpr const char* never_lost = "no attempt is lost by an outage";
constexpr const char* takes_few = "a job that kills its devices kills few of them";
constexpr const char* back = "memory and rows return to their base";
constexpr const char* ends = "every job ends once the faults stop";

AttemptKey key_of(const codec::Json& row) {
  return {JobId(row.at("job").get<std::string>()), row.at("execution"), row.at("fence")};
}

// (epoch, seq) of a stream's row or an acknowledgement.
std::pair<std::int64_t, std::int64_t> place_of(const codec::Json& stream) {
  return {stream.at("epoch").get<std::int64_t>(), stream.at("seq").get<std::int64_t>()};
}

bool is_settled_job(const codec::Json& state) { return settled(*job_state(state.get<std::string>())); }

}  // namespace

std::string text(const AttemptKey& key) {
  return key.job.value + ":" + std::to_string(key.execution) + ":" + std::to_string(key.fence);
}

const Checks::Rows& Checks::rows(const std::string& party, const std::string& table) const {
  static const Rows none;
  const auto disk = disks_.find(party);
  if (disk == disks_.end()) return none;
  const auto it = disk->second.find(table);
  return it == disk->second.end() ? none : it->second;
}

const Checks::Json* Checks::row(const std::string& party, const std::string& table, const std::string& key) const {
  const auto& all = rows(party, table);
  const auto it = all.find(key);
  return it == all.end() ? nullptr : &it->second;
}

// --- what is said ---------------------------------------------------------------------------------------------------

void Checks::published(Party& from, const bus::Message& message) {
  const auto topic = topics_.parse(message.topic);
  require(topic.has_value(), "every message is well formed", message.topic);
  if (message.payload.empty()) return;
  if (from.name() == "scheduler") return said_by_scheduler(*topic, Json::parse(message.payload));
  if (topic->kind == Topic::Kind::device && topic->direction == "up") {
    return said_by_device(from, *topic, Json::parse(message.payload));
  }
}

void Checks::said_by_scheduler(const Topic& topic, const Json& payload) const {
  const std::string name(topic.name);
  if (topic.kind == Topic::Kind::state) {
    if (topic.channel == "execution") return check_execution(payload);
    require(payload.dump().size() <= limits::state_bytes_max, "states are small", payload.dump());
    return topic.channel == "job" ? check_job(payload, true) : void();
  }
  if (topic.kind == Topic::Kind::event || topic.kind == Topic::Kind::reply) {
    // An answer may tell what was true earlier in its batch; an event tells how it is at the batch's end.
    const auto now = topic.kind == Topic::Kind::event;
    if (!payload.contains("items")) return check_job(payload, now);
    for (const auto& item : payload.at("items")) check_job(item, now);
    return;
  }
  if (topic.kind != Topic::Kind::device) return;  // questions promise nothing
  if (topic.channel == "command") {
    for (const auto& item : payload.at("items")) check_command(name, item);
  } else if (topic.channel == "ack") {
    const auto* stream = row("scheduler", "stream", name);
    // An acknowledgement may tell what was true earlier in its batch.
    const bool holds = payload.at("seq") == 0 || (stream != nullptr && place_of(*stream) >= place_of(payload));
    require(holds, saved, "ack " + payload.dump() + " to " + name);
  } else {
    require(topic.channel != "rejected", "every message is well formed", name + " " + payload.dump());
  }
}

// {"job","state"}: the state of a settled job is in its row, that of a live job follows from its attempts.
void Checks::check_job(const Json& item, bool now) const {
  if (!item.contains("job") || item.contains("error") || item.contains("event")) return;  // a move has no state
  const auto* job = row("scheduler", "job", item.at("job"));
  require(job != nullptr, saved, item.dump());
  const bool done = is_settled_job(item.at("state"));
  require((job->at("live") == !done || (!now && !done)) && (!done || job->at("state") == item.at("state")), saved,
          item.dump() + " but the row says " + job->at("state").dump());
}

void Checks::check_execution(const Json& said) const {
  const auto key = said.at("job").get<std::string>() + ":" + said.at("execution").dump();
  const auto* execution = row("scheduler", "execution", key);
  // An execution without a row of its own is what its newest attempt says.
  if (execution == nullptr) execution = newest_attempt(key + ":");
  require(execution != nullptr, saved, key + " is not saved");
  for (const char* field : {"state", "fence", "attempt", "version"}) {
    require(execution->at(field) == said.at(field), saved,
            key + " " + field + ": said " + said.at(field).dump() + ", saved " + execution->at(field).dump());
  }
  require(said.dump().size() <= limits::state_bytes_max, "states are small", said.dump());
}

const Checks::Json* Checks::newest_attempt(const std::string& execution) const {
  const Json* out = nullptr;
  const auto& attempts = rows("scheduler", "attempt");
  for (auto it = attempts.lower_bound(execution); it != attempts.end() && it->first.starts_with(execution); ++it) {
    if (out == nullptr || out->at("fence") < it->second.at("fence")) out = &it->second;
  }
  return out;
}

void Checks::check_command(const std::string& device, const Json& item) const {
  const auto key = text(key_of(item));
  if (item.at("type") == "stale") return;
  const auto type = item.at("type").get<std::string>();
  const auto* attempt = row("scheduler", "attempt", key);
  require(attempt != nullptr, saved, type + " " + key);
  require(attempt->at("device") == device, fences,
          key + " is " + attempt->at("device").dump() + "'s, sent to " + device);
  if (type != "assign")
    return require(row("scheduler", "outbox", type + ":" + key) != nullptr, saved, type + " " + key + " is not kept");
  require(attempt->at("live") == true, saved, key + " is assigned and does not live");
  require(attempt->at("grant") == item.at("grant"), saved, "the grant of " + key);
  const auto first = orders_.emplace(key, item).first;
  require(first->second == item, saved, "the order of " + key + " is another than it was: " + item.dump());
}

void Checks::said_by_device(const Party& party, const Topic& topic, const Json& payload) const {
  const auto& device = party.name();
  require(topic.name == party.identity, "every message is well formed",
          device + " speaks as " + std::string(topic.name));
  if (topic.channel != "report") return;
  auto seq = payload.at("seq").get<std::int64_t>();
  for (const auto& item : payload.at("items")) {
    auto key = std::to_string(seq);
    key.insert(0, 20 - key.size(), '0');
    const auto* report = row(device, "report", key);
    auto said = item;
    said.erase("tag");
    require(report != nullptr && report->at("report") == said && report->at("tag") == item.at("tag"), saved,
            device + " report " + key + " " + item.dump());
    ++seq;
  }
}

// --- what is saved --------------------------------------------------------------------------------------------------

void Checks::committed(Party& from, const std::vector<store::Change>& changes) {
  const bool scheduler = from.name() == "scheduler";
  std::set<AttemptKey> begun;
  std::set<std::int64_t> kept;  // a report that only gets another number is not forgotten
  for (const auto& change : changes) {
    if (!scheduler && change.table == "report" && change.kind != store::Change::Kind::remove)
      kept.insert(Json::parse(change.row.to_json()).at("tag").get<std::int64_t>());
  }
  for (const auto& change : changes) {
    auto& rows = disks_[from.name()][change.table];
    const auto it = rows.find(change.key);
    const Json* before = it == rows.end() ? nullptr : &it->second;
    if (change.kind == store::Change::Kind::remove) {
      const bool passing = change.table == "outbox" || change.table == "shown" || change.table == "unplaceable";
      require(!scheduler || passing, acknowledged, change.table + " " + change.key + " is removed");
      if (!scheduler && change.table == "report" && before != nullptr && !kept.contains(before->at("tag")))
        report_dropped(from, *before);
      rows.erase(change.key);
      continue;
    }
    if (change.kind == store::Change::Kind::insert && before != nullptr) continue;
    auto now = Json::parse(change.row.to_json());
    if (change.kind == store::Change::Kind::update) {
      require(before != nullptr, saved, change.table + " " + change.key + " changes and was never added");
      auto whole = *before;
      whole.update(now);
      now = std::move(whole);
    }
    if (scheduler && change.table == "attempt") attempt_saved(before, now);
    if (scheduler && change.table == "job") job_saved(before, now);
    if (scheduler && change.table == "stream") stream_saved(before, now);
    if (scheduler && change.table == "attempt" && now.at("live") == true) begun.insert(key_of(now));
    rows[change.key] = std::move(now);
  }
  for (const auto& key : begun) one_live_attempt(key);
}

void Checks::attempt_saved(const Json* before, const Json& now) {
  const auto key = key_of(now);
  if (before == nullptr) {
    auto& newest = fences_[{key.job.value, key.execution}];
    require(key.fence > newest, fences, text(key) + " after " + std::to_string(newest));
    newest = key.fence;
    newest_fence_ = std::max(newest_fence_, key.fence);
    return;
  }
  require(before->at("device") == now.at("device"), fences, text(key) + " moves to " + now.at("device").dump());
  require(before->at("grant") == now.at("grant"), saved, "the grant of " + text(key) + " changes");
  // Devices come back within the contract and their journals are whole: whatever else happens, an hour without broker
  // or database included, nobody gives up on an attempt.
  require(losses_ || now.at("state") != "lost", never_lost, text(key) + ": " + now.at("reason").dump());
  const auto from = *attempt_state(before->at("state").get<std::string>());
  const auto to = *attempt_state(now.at("state").get<std::string>());
  require(from == to || may_follow(from, to), legal,
          text(key) + " " + before->at("state").dump() + " to " + now.at("state").dump());
}

void Checks::job_saved(const Json* before, const Json& now) const {
  if (before == nullptr || before->at("live") == true) return;
  require(before->at("state") == now.at("state"), legal, now.at("job").dump() + " was " + before->at("state").dump());
}

void Checks::stream_saved(const Json* before, const Json& now) const {
  if (before == nullptr) return;
  require(place_of(*before) <= place_of(now), acknowledged, "stream of " + now.at("device").dump() + " goes back");
}

// A device forgets a report because the scheduler has it: then the scheduler's rows must show it.
void Checks::report_dropped(const Party& party, const Json& dropped) const {
  const auto& device = party.name();
  if (key_of(dropped.at("report")).fence <= forgotten_) return;
  const auto* stream = row("scheduler", "stream", party.identity);
  const auto* epoch = row(device, "meta", "epoch");
  const std::pair dropped_at{epoch == nullptr ? 0 : epoch->at("value").get<std::int64_t>(),
                             dropped.at("seq").get<std::int64_t>()};
  require(stream != nullptr && place_of(*stream) >= dropped_at, acknowledged, device + " " + dropped.dump());
  const auto& report = dropped.at("report");
  const auto* attempt = row("scheduler", "attempt", text(key_of(report)));
  require(attempt != nullptr, acknowledged, device + " ran what nobody ordered: " + report.dump());
  if (!settled(*attempt_state(report.at("state").get<std::string>()))) return;
  require(attempt->at("live") == false, acknowledged, report.dump() + " but " + attempt->at("state").dump());
}

void Checks::one_live_attempt(const AttemptKey& begun) const {
  const auto execution = begun.job.value + ":" + std::to_string(begun.execution) + ":";
  const auto& attempts = rows("scheduler", "attempt");
  int live = 0;
  for (auto it = attempts.lower_bound(execution); it != attempts.end() && it->first.starts_with(execution); ++it)
    live += it->second.at("live") == true ? 1 : 0;
  require(live == 1, one_live, text(begun) + " is live as one of " + std::to_string(live));
}

// --- what is done ---------------------------------------------------------------------------------------------------

// The program may be journalled under a newer attempt: a scheduler that forgot the try gave it out again, in the same
// batch.
bool Checks::is_journalled(const Party& party, const AttemptKey& program) const {
  const auto execution = program.job.value + ":" + std::to_string(program.execution) + ":";
  const auto& attempts = rows(party.name(), "attempt");
  for (auto it = attempts.lower_bound(execution); it != attempts.end() && it->first.starts_with(execution); ++it) {
    const auto& row = it->second;
    if (row.at("phase") == "running" && (it->first == text(program) || row.at("runs_as") == program.fence)) return true;
  }
  return false;
}

void Checks::run(const Party& party, const Assign& assign) {
  const auto key = text(assign.key);
  const auto& device = party.identity;
  const auto& where = runs_.emplace(assign.key, device).first->second;
  require(where == device, once, key + " ran on " + where + ", now on " + device);
  require(began_[party.name()].insert(assign.key).second, once, key + " ran on " + party.name() + " before");
  const bool fresh = tries_[party.name()].emplace(assign.key.job.value, assign.key.execution, assign.attempt).second;
  require(fresh, once, key + " is the same try as one that " + party.name() + " has begun");
  require(is_journalled(party, assign.key), saved, key + " runs and is not in the journal");
  const auto payload = grants_.verify(assign.grant, "fieldwork-grant+jws");
  require(payload.ok(), is_signed, key);
  const auto grant = codec::decode_grant(*payload);
  require(grant.ok() && grant->key == assign.key && grant->device.value == device && grant->package == assign.package &&
              grant->work_digest ==
                  crypto::digest_of(codec::work_text(assign.command, assign.env, assign.outputs, assign.contract)) &&
              grant->limits == assign.limits,
          is_signed, key);
  const auto* job = row("scheduler", "job", assign.key.job.value);
  if (job == nullptr && assign.key.fence <= forgotten_) return;
  require(job != nullptr, saved, key + " of no job");
  const auto spec = codec::decode_job(job->at("spec"));
  require(spec.ok() && spec->command == assign.command && spec->package == assign.package && spec->env == assign.env,
          is_signed, key + " is not what was submitted");
}

void Checks::ended(const AttemptKey& key) { ended_.insert(key); }

// --- memory that goes back ------------------------------------------------------------------------------------------

Checks::Disk Checks::disk(const std::string& party) const {
  const auto it = disks_.find(party);
  return it == disks_.end() ? Disk() : it->second;
}

// A device may begin again what it forgot that it began: nothing else.
void Checks::went_back(const Party& party, Disk copy) {
  const auto& name = party.name();
  disks_[name] = std::move(copy);
  if (name == "scheduler") forgotten_ = newest_fence_;
  if (!party.is_device) return;
  began_.erase(name);
  tries_.erase(name);
  for (const auto& [key, attempt] : rows(name, "attempt")) {
    const bool over = attempt.at("phase") == "done";
    if (!over && attempt.at("phase") != "running") continue;
    const auto which = key_of(over ? attempt : attempt.at("assign"));
    began_[name].insert(which);
    if (over && attempt.at("outcome").at("state") == "refused") continue;
    tries_[name].emplace(which.job.value, which.execution, attempt.at("number"));
  }
}

// --- the end --------------------------------------------------------------------------------------------------------

bool Checks::all_settled(const std::vector<Wish>& wishes) const {
  for (const auto& wish : wishes) {
    if (wish.job.empty() || (wish.cancel_at && !wish.cancelled)) return false;
    const auto* job = row("scheduler", "job", wish.job);
    if (job != nullptr && job->at("live") == true) return false;
  }
  return true;
}

std::string Checks::open(const std::vector<Wish>& wishes) const {
  std::string out;
  for (const auto& wish : wishes) {
    const auto* job = wish.job.empty() ? nullptr : row("scheduler", "job", wish.job);
    if (job == nullptr || job->at("live") == true) out += " " + wish.request + "=" + wish.job;
    if (wish.cancel_at && !wish.cancelled) out += " " + wish.request + "(cancel is not answered)";
  }
  return out;
}

// After the scheduler's memory went back, the end of a try is also said under a newer fence.
// `goes_on`: a device that comes back may go on with the program of an older attempt (Reconcile).
bool Checks::really_ended(const AttemptKey& key, bool goes_on) const {
  if (ended_.contains(key)) return true;
  if (forgotten_ == 0 && !goes_on) return false;
  const auto any = ended_.lower_bound({key.job, key.execution, 0});
  return any != ended_.end() && any->job == key.job && any->execution == key.execution;
}

void Checks::at_the_end(const std::vector<Wish>& wishes) const {
  for (const auto& wish : wishes) at_the_end(wish);
  for (const auto& [key, attempt] : rows("scheduler", "attempt")) require(attempt.at("live") == false, ends, key);
  require(rows("scheduler", "outbox").empty(), back, "the outbox has rows");
  for (const auto& [party, disk] : disks_) {
    if (party != "scheduler" && !party.ends_with("+"))
      require(rows(party, "report").empty(), back, party + " keeps reports");
  }
}

void Checks::at_the_end(const Wish& wish) const {
  const auto* job = row("scheduler", "job", wish.job);
  require(job != nullptr, acknowledged, wish.job);
  const auto spec = codec::decode_job(job->at("spec"));
  require(spec.ok() && *spec == wish.spec, acknowledged, wish.job + " is not what was submitted");
  const bool cancelled = wish.cancel_at && job->at("state") == "cancelled";
  if (cancelled) return;
  if (wish.kills) {
    const auto killed = killed_.find(JobId(wish.job));
    const auto most = wish.spec.retry.attempts_max + wish.spec.retry.lost_max;
    require(forgotten_ > 0 || killed == killed_.end() || killed->second <= most, takes_few, wish.job);
    return require(job->at("state") == "failed" || job->at("state") == "quarantined", ends,
                   wish.job + " is " + job->at("state").dump());
  }
  require(job->at("state") == name(wish.end), ends, wish.job + " is " + job->at("state").dump());
  if (wish.end != JobState::succeeded) return;
  std::set<int> succeeded;
  for (const auto& [key, attempt] : rows("scheduler", "attempt")) {
    if (attempt.at("job") != wish.job || attempt.at("state") != "succeeded") continue;
    const bool goes_on = wish.spec.offline.reconcile != Reconcile::keep_replacement;
    require(really_ended(key_of(attempt), goes_on), really_ran, key);
    require(succeeded.insert(attempt.at("execution").get<int>()).second, once, key + " succeeded again");
  }
  const auto targets = job->at("targets").size();
  const auto executions = targets > 0 ? targets : static_cast<std::size_t>(wish.spec.replicas);
  require(succeeded.size() == executions, really_ran, wish.job);
}

}  // namespace fieldwork::sim
