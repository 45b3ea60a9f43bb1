// Packages that are to lie here before a job needs them (docs/decisions/0030): what this device has been asked to keep,
// until when, and how far it is. Pure.
//
// Promises:
// - A stage is saved in the journal before it is answered; a restart goes on with it.
// - `ready` is said when the package is verified and kept, and its file in its place.
// - What is refused is forgotten: whoever asks for it again starts it again.
// - Every command is answered, also one that was answered before.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "agent/core/agent.hpp"
#include "base/core.hpp"
#include "model/limits.hpp"
#include "model/stage.hpp"

namespace fieldwork::agent::staging {

struct Limits {
  std::size_t stages_max = limits::stages_per_device_max;
};

// A row of the journal's table `stage`.
struct Kept {
  StageCommand command;
  bool ready = false;
  bool operator==(const Kept&) const = default;
};

// --- inputs ---
// The journal is loaded; the first input.
struct Started {};
// The transfer service asks for stages, or says that they are over: device/{device}/down/stage.
struct Commanded {
  std::vector<StageCommand> commands;
};
// The outcome of Place.
struct Placed {
  std::string digest;
  std::string file;
  std::optional<std::string> refused{};  // why it is not in its place
};
// Once per batch. `now_ms`: by the registry's clock, as far as it is known.
struct Looked {
  std::int64_t now_ms = 0;
};
using Input =
    std::variant<Started, LinkBack, Commanded, PackageReady, PackageRefused, Placed, Looked, fieldwork::BatchEnded>;

// --- output ---
struct Save {
  std::string digest;
  std::optional<Kept> kept;  // none: remove its row
};
// Get the package, and keep it out of reach of eviction. PackageReady or PackageRefused must follow, unless Let does.
struct Keep {
  Fetch fetch;
};
// It need not be kept any more, and is not asked for if no attempt needs it.
struct Let {
  std::string digest;
};
// Put the package's only file into its place. Placed must follow.
struct Place {
  std::string digest;
  std::string file;
};
using Act = std::variant<Keep, Let, Place>;

struct Output {
  std::vector<Save> saves;           // in the journal's table `stage`
  std::vector<StageReport> reports;  // in order, after the commit, on device/{device}/up/stage
  std::vector<Act> acts;             // in order, before the commit
};

class Stages {
 public:
  using Input = staging::Input;
  using Output = staging::Output;

  // `places`: this device has a directory for files.
  Stages(Limits limits, std::vector<Kept> saved, bool places);

  void step(const Input& input, Time now, Output& out);

  [[nodiscard]] const std::map<std::string, Kept>& all() const { return stages_; }

 private:
  void on(const Started& input, Output& out);
  void on(const LinkBack& input, Output& out);
  void on(const Commanded& input, Output& out);
  void on(const PackageReady& input, Output& out);
  void on(const PackageRefused& input, Output& out);
  void on(const Placed& input, Output& out);
  void on(const Looked& input, Output& out);
  void on(const fieldwork::BatchEnded& input, Output& out);
  void begin(const StageCommand& command, Output& out);
  [[nodiscard]] std::optional<std::string> why_not(const StageCommand& command) const;
  void ready(Kept& kept, Output& out);
  void refuse(const StageCommand& command, const std::string& reason, Output& out);
  void forget(const std::string& digest, Output& out);
  void say(const StageCommand& command, StageWord word, std::string reason = {});

  Limits limits_;
  bool places_;
  std::map<std::string, Kept> stages_;       // by digest
  std::map<std::string, StageSaid> unsaid_;  // by digest, the newest
  bool say_all_ = false;                     // with the next report
  std::int64_t now_ms_ = 0;
};

static_assert(Core<Stages>);

}  // namespace fieldwork::agent::staging
