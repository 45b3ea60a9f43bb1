// Tables content, name, sending, receiving <-> the core's state.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "transfer/core/state.hpp"

namespace fieldwork::transfer {

[[nodiscard]] std::string to_row(const Content& content);
[[nodiscard]] std::string to_row(const Name& name);
[[nodiscard]] std::string to_row(const Sending& sending);
[[nodiscard]] std::string to_row(const Receiving& receiving);
[[nodiscard]] Result<Content> content_from_row(std::string_view row);
[[nodiscard]] Result<Name> name_from_row(std::string_view row);
[[nodiscard]] Result<Sending> sending_from_row(std::string_view row);
[[nodiscard]] Result<Receiving> receiving_from_row(std::string_view row);

// sending, complete, failed
[[nodiscard]] const char* word(SendingState state);

}  // namespace fieldwork::transfer
