#include "transfer/core/stages.hpp"

#include <algorithm>

#include "crypto/digest.hpp"

namespace fieldwork::transfer {
namespace {

bool is_about(const StageSaid& said, const Stage& stage) {
  return said.file == stage.file && said.until_ms == to_ms(stage.until);
}

}  // namespace

std::string stage_id(const std::string& device, const std::string& digest) {
  return crypto::digest_of(device + ' ' + digest).substr(7, 32);
}

Stages::Stages(StageLimits limits, std::vector<Stage> saved, Time now) : limits_(limits) {
  for (auto& stage : saved) {
    stage.heard = now;
    Key key{stage.device, stage.digest};
    stages_.insert_or_assign(std::move(key), std::move(stage));
  }
}

const Stage* Stages::find(const std::string& device, const std::string& digest) const {
  const auto it = stages_.find({device, digest});
  return it == stages_.end() ? nullptr : &it->second;
}

std::size_t Stages::live_on(const std::string& device) const {
  std::size_t out = 0;
  for (auto it = stages_.lower_bound({device, ""}); it != stages_.end() && it->first.first == device; ++it)
    out += is_live(it->second) ? 1 : 0;
  return out;
}

// One that has ended makes room for one that begins.
bool Stages::make_room() {
  if (stages_.size() < limits_.all_max) return true;
  const auto it = std::find_if(stages_.begin(), stages_.end(), [](const auto& one) { return !is_live(one.second); });
  if (it == stages_.end()) return false;
  drop(it);
  return true;
}

std::optional<std::string> Stages::ask(Stage wanted, Time now) {
  const Key key{wanted.device, wanted.digest};
  const auto it = stages_.find(key);
  const bool there = it != stages_.end();
  if (there && is_live(it->second)) {
    const auto& one = it->second;
    if (one.file == wanted.file && one.until == wanted.until && one.priority == wanted.priority) return std::nullopt;
  } else if (const auto count = live_on(wanted.device); count >= limits_.per_device_max) {
    return "this device has " + std::to_string(count) + " stages already, which is its limit";
  }
  if (!there && !make_room()) return "there are " + std::to_string(stages_.size()) + " stages, which is the limit";
  wanted.id = stage_id(wanted.device, wanted.digest);
  wanted.state = StageState::asked;
  wanted.asked = now;
  if (there) wanted.transfer = it->second.transfer;
  auto& stage = stages_.insert_or_assign(key, std::move(wanted)).first->second;
  tell(stage, false, now);
  change(stage, now);
  return std::nullopt;
}

bool Stages::end(const std::string& device, const std::string& digest, const std::string& reason, Time now) {
  const auto it = stages_.find({device, digest});
  if (it == stages_.end() || !is_live(it->second)) return false;
  settle(it->second, StageState::ended, reason, now);
  tell(it->second, true, now);
  return true;
}

void Stages::said(const std::string& device, const StageReport& report, Time now) {
  std::set<std::string> named;
  for (const auto& one : report.items) {
    named.insert(one.digest);
    const auto it = stages_.find({device, one.digest});
    if (it == stages_.end() || it->second.state == StageState::ended) {
      unknown(device, one);
    } else {
      heard(it->second, one, now);
    }
  }
  if (!report.all) return;
  for (auto it = stages_.lower_bound({device, ""}); it != stages_.end() && it->first.first == device; ++it) {
    auto& stage = it->second;
    if (named.contains(stage.digest) || (stage.state != StageState::taken && stage.state != StageState::ready))
      continue;
    stage.state = StageState::asked;  // its journal was restored, or made anew
    tell(stage, false, now);
    change(stage, now);
  }
}

void Stages::heard(Stage& stage, const StageSaid& said, Time now) {
  stage.heard = now;
  const bool over = said.word == StageWord::dropped;
  if (!is_about(said, stage) || over) {
    if (!is_live(stage)) return over ? close(stage.id) : unknown(stage.device, said);
    // An answer to a command before this one, which still stands; or the device has an older memory.
    if (stage.state == StageState::asked) return;
    stage.state = StageState::asked;
    tell(stage, false, now);
    return change(stage, now);
  }
  close(stage.id);
  if (said.word == StageWord::refused) return settle(stage, StageState::refused, said.reason, now);
  const auto state = said.word == StageWord::ready ? StageState::ready : StageState::taken;
  if (stage.state == state) return;
  stage.state = state;
  stage.reason.clear();
  change(stage, now);
}

// The device keeps what nobody wants there any more.
void Stages::unknown(const std::string& device, const StageSaid& said) {
  const auto id = stage_id(device, said.digest);
  if (said.word == StageWord::dropped || said.word == StageWord::refused) return close(id);
  Stage none;
  none.id = id;
  none.device = device;
  none.digest = said.digest;
  none.file = said.file;
  changes_.commands.emplace_back(TellStage{std::move(none), true, true});
}

void Stages::brings(const std::string& device, const std::string& digest, const TransferId& transfer) {
  const auto it = stages_.find({device, digest});
  if (it == stages_.end() || !is_live(it->second) || it->second.transfer == transfer) return;
  it->second.transfer = transfer;
  unsaved_.insert(it->first);
  unsaid_.insert(it->first);
}

void Stages::refuse_all(const std::string& device, const std::string& reason, Time now) {
  for (auto it = stages_.lower_bound({device, ""}); it != stages_.end() && it->first.first == device; ++it) {
    if (!is_live(it->second)) continue;
    close(it->second.id);
    settle(it->second, StageState::refused, reason, now);
  }
}

void Stages::forget(const std::string& device) {
  auto it = stages_.lower_bound({device, ""});
  while (it != stages_.end() && it->first.first == device) {
    close(it->second.id);
    it = drop(it);
  }
}

void Stages::runs(const std::string& device, std::int64_t session, Time now) {
  for (auto it = stages_.lower_bound({device, ""}); it != stages_.end() && it->first.first == device; ++it) {
    auto& stage = it->second;
    if (stage.session == session || !is_live(stage)) continue;
    stage.session = session;
    unsaved_.insert(it->first);
    if (stage.state != StageState::asked) tell(stage, false, now);
  }
}

void Stages::pass(Time now) {
  for (auto it = stages_.begin(); it != stages_.end();) {
    auto& stage = it->second;
    if (!is_live(stage) && now - stage.changed > limits_.state_kept) {
      it = drop(it);
      continue;
    }
    if (is_live(stage) && stage.until <= now) {
      settle(stage, StageState::ended, "its time is over", now);
      tell(stage, true, now);
    } else if (stage.state == StageState::taken && now - stage.heard > limits_.again) {
      tell(stage, false, now);
    }
    ++it;
  }
}

void Stages::say_again() {
  to_say_.clear();
  for (const auto& [key, stage] : stages_) to_say_.push_back(key);
}

bool Stages::say_next() {
  if (to_say_.empty()) return false;
  unsaid_.insert(std::move(to_say_.front()));
  to_say_.pop_front();
  return true;
}

void Stages::tell(Stage& stage, bool over, Time now) {
  stage.heard = now;
  changes_.commands.emplace_back(TellStage{stage, over});
}

void Stages::close(const std::string& id) { changes_.commands.emplace_back(CloseCommand{id}); }

void Stages::settle(Stage& stage, StageState state, std::string reason, Time now) {
  stage.state = state;
  stage.reason = std::move(reason);
  change(stage, now);
}

void Stages::change(Stage& stage, Time now) {
  stage.changed = now;
  const Key key{stage.device, stage.digest};
  unsaved_.insert(key);
  unsaid_.insert(key);
}

std::map<Stages::Key, Stage>::iterator Stages::drop(std::map<Key, Stage>::iterator at) {
  changes_.dropped.push_back(at->second.id);
  changes_.cleared.push_back(at->second.id);
  unsaved_.erase(at->first);
  unsaid_.erase(at->first);
  return stages_.erase(at);
}

StageChanges Stages::take_changes() {
  for (const auto& key : std::exchange(unsaved_, {})) {
    if (const auto it = stages_.find(key); it != stages_.end()) changes_.saved.push_back(it->second);
  }
  for (const auto& key : std::exchange(unsaid_, {})) {
    if (const auto it = stages_.find(key); it != stages_.end()) changes_.said.push_back(it->second);
  }
  return std::exchange(changes_, {});
}

}  // namespace fieldwork::transfer
