// What is to lie on devices before a job needs it: one stage for each device and content (docs/decisions/0030). Pure.
//
//   asked -> TellStage … taken … ready, until its time is over or somebody ends it; or refused
//
// A command stands in the outbox until the device has answered it. A device says all its stages when it connects: what
// it has forgotten is told again, and what is over here is taken back there. One whose agent began anew is told all
// again: its journal may be new. One that took a stage and then says
// nothing for stage_again is asked how it stands, by the same command.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/id.hpp"
#include "base/time.hpp"
#include "model/stage.hpp"

namespace fieldwork::transfer {

enum class StageState { asked, taken, ready, refused, ended };

struct Stage {
  std::string id;  // 32 hex digits, made of device and digest
  std::string device;
  std::string digest;
  std::string file;  // below the device's directory for files; empty: it is only kept
  Time until{};
  int priority = 5;
  std::int64_t receivers = 1;
  std::string asked_by;
  StageState state = StageState::asked;
  std::string reason;        // refused, ended: why
  TransferId transfer{};     // the newest that brings it
  std::int64_t session = 0;  // the start of the device's agent that was told
  Time asked{}, changed{};
  Time heard{};  // not saved
};
[[nodiscard]] inline bool is_live(const Stage& stage) {
  return stage.state != StageState::refused && stage.state != StageState::ended;
}

// Put into the outbox: what the device is told until it answers.
struct TellStage {
  Stage stage;
  bool over = false;  // it need not keep it any more
  bool once = false;  // told once, not kept in the outbox: the device names it again when it connects
};
// Taken out of the outbox: the device has answered.
struct CloseCommand {
  std::string stage;  // id
};

struct StageChanges {
  std::vector<Stage> saved;          // table `stage`: upsert
  std::vector<std::string> dropped;  // ids: remove
  std::vector<std::variant<TellStage, CloseCommand>> commands;
  std::vector<Stage> said;  // on state/stage/{id}, retained
  std::vector<std::string> cleared;
};

struct StageLimits {
  std::size_t per_device_max = 0;  // live
  std::size_t all_max = 0;         // with those that have ended
  Duration again{};
  Duration state_kept{};  // after its end
};

[[nodiscard]] std::string stage_id(const std::string& device, const std::string& digest);

class Stages {
 public:
  using Key = std::pair<std::string, std::string>;  // device, digest

  Stages(StageLimits limits, std::vector<Stage> saved, Time now);

  // Asks for a stage, with until, file, priority, receivers, device, digest and asked_by of `wanted`. Why not; nothing:
  // it is asked for, or was already, in the same way.
  std::optional<std::string> ask(Stage wanted, Time now);
  // False: there is none that has not ended.
  bool end(const std::string& device, const std::string& digest, const std::string& reason, Time now);
  void said(const std::string& device, const StageReport& report, Time now);
  // This transfer brings the content there.
  void brings(const std::string& device, const std::string& digest, const TransferId& transfer);
  // Whatever the device was asked for is refused in its place.
  void refuse_all(const std::string& device, const std::string& reason, Time now);
  void forget(const std::string& device);
  // The device's agent runs under this session: if it began anew, its journal may be new, and it is told all again.
  void runs(const std::string& device, std::int64_t session, Time now);
  // Call it every few seconds.
  void pass(Time now);
  // Says all states again, one with each call of say_next(). False: there is none left.
  void say_again();
  bool say_next();
  [[nodiscard]] StageChanges take_changes();

  [[nodiscard]] const Stage* find(const std::string& device, const std::string& digest) const;
  [[nodiscard]] const std::map<Key, Stage>& all() const { return stages_; }

 private:
  [[nodiscard]] std::size_t live_on(const std::string& device) const;
  bool make_room();
  void tell(Stage& stage, bool over, Time now);
  void close(const std::string& id);
  void heard(Stage& stage, const StageSaid& said, Time now);
  void unknown(const std::string& device, const StageSaid& said);
  void settle(Stage& stage, StageState state, std::string reason, Time now);
  void change(Stage& stage, Time now);
  std::map<Key, Stage>::iterator drop(std::map<Key, Stage>::iterator at);

  StageLimits limits_;
  std::map<Key, Stage> stages_;
  std::deque<Key> to_say_;
  std::set<Key> unsaved_, unsaid_;
  StageChanges changes_;
};

}  // namespace fieldwork::transfer
