// A stage: a package, or a file of it, that is to lie on a device before a job needs it (docs/decisions/0030).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fieldwork {

// What the transfer service wants of a device: an item of device/{device}/down/stage.
struct StageCommand {
  std::string digest;
  std::string file;            // where its only file also goes, below device.files; empty: it is only kept
  std::int64_t until_ms = 0;   // by the registry's clock; 0: it is over
  int priority = 5;            // of its transfer
  std::int64_t receivers = 1;  // devices that were asked together
  bool operator==(const StageCommand&) const = default;
};

enum class StageWord {
  taken,    // noted, will be fetched
  ready,    // verified, kept, and its file in its place
  refused,  // it cannot be had or kept here, and is forgotten
  dropped,  // it is over, and no longer kept
};
inline constexpr std::array<std::string_view, 4> stage_words{"taken", "ready", "refused", "dropped"};
[[nodiscard]] constexpr std::string_view name(StageWord word) { return stage_words.at(static_cast<std::size_t>(word)); }

// How a device stands to a command, which it names by digest, file and until_ms.
struct StageSaid {
  std::string digest;
  std::string file{};
  std::int64_t until_ms = 0;
  StageWord word = StageWord::taken;
  std::string reason{};  // refused: why
  bool operator==(const StageSaid&) const = default;
};

// device/{device}/up/stage
struct StageReport {
  std::vector<StageSaid> items;
  bool all = false;  // the device has no others
  bool operator==(const StageReport&) const = default;
};

}  // namespace fieldwork
