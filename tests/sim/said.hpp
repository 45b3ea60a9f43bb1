// A published message as text that is the same in each run of a seed: for traces and golden conversations.
#pragma once

#include <string>

#include "bus/bus.hpp"

namespace fieldwork::sim {

inline constexpr const char* root = "fieldwork/v1";

// A sealed piece of a transfer: the only messages that are not JSON.
[[nodiscard]] bool is_frame(const bus::Message& message);

// JSON with "…" in place of what comes from fresh keys or the clock (signatures, certificates, times), and the length
// in place of contents in base64. For a frame: its transfer, offset and length.
[[nodiscard]] std::string payload_text(const bus::Message& message);

}  // namespace fieldwork::sim
