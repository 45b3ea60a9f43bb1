// Stages <-> JSON.
#pragma once

#include <string_view>

#include "codec/items.hpp"
#include "model/stage.hpp"

namespace fieldwork::codec {

// Whether a file may have this place below a directory: a relative path without the levels . and ..
[[nodiscard]] bool is_plain(std::string_view path);

// An item of device/{device}/down/stage, and the list. A bad item is known by its digest.
[[nodiscard]] Json encode(const StageCommand& command);
using StageCommands = Items<StageCommand, std::string>;
[[nodiscard]] Result<StageCommands> decode_stage_commands(std::string_view text);

// A longer reason is cut.
[[nodiscard]] std::string encode(const StageReport& report);
[[nodiscard]] Result<StageReport> decode_stage_report(std::string_view text);

// service/transfer/stage/{from}, and with digest and devices alone service/transfer/unstage/{from}
struct StageRequest {
  std::string digest;
  std::vector<std::string> devices;
  std::optional<std::int64_t> until_ms{};
  int priority = 5;
  std::string file{};
};
[[nodiscard]] std::string encode(const StageRequest& request);
[[nodiscard]] Result<StageRequest> decode_stage_request(std::string_view text);
[[nodiscard]] Result<StageRequest> decode_unstage_request(std::string_view text);

}  // namespace fieldwork::codec
