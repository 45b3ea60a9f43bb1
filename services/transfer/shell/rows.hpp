// The core's state from rows of tables content, name, encoding, sending, receiving and stage, and back.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "store/row.hpp"
#include "transfer/core/stages.hpp"
#include "transfer/core/state.hpp"

namespace fieldwork::transfer {

[[nodiscard]] store::Row to_row(const Content& content);
[[nodiscard]] store::Row to_row(const Name& name);
[[nodiscard]] store::Row to_row(const SealedEncoding& encoding);
[[nodiscard]] store::Row to_row(const Sending& sending);
[[nodiscard]] store::Row to_row(const Receiving& receiving);
[[nodiscard]] Result<Content> content_from_row(std::string_view row);
[[nodiscard]] Result<Name> name_from_row(std::string_view row);
[[nodiscard]] Result<SealedEncoding> encoding_from_row(std::string_view row);
[[nodiscard]] Result<Sending> sending_from_row(std::string_view row);
[[nodiscard]] Result<Receiving> receiving_from_row(std::string_view row);

// In staging.cpp.
[[nodiscard]] store::Row to_row(const Stage& stage);
[[nodiscard]] Result<Stage> stage_from_row(std::string_view row);

// sending, complete, failed, cancelled
[[nodiscard]] const char* word(SendingState state);
// What is published: offered, sending, suspended, verifying, completed, failed, cancelled.
[[nodiscard]] const char* shown_state(SendingState state, Phase phase);

}  // namespace fieldwork::transfer
