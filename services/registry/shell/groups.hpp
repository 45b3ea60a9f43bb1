// Groups <-> rows and JSON.
#pragma once

#include "codec/json.hpp"
#include "registry/core/registry.hpp"
#include "store/store.hpp"

namespace fieldwork::registry {

[[nodiscard]] store::Row to_row(const Group& group);
[[nodiscard]] Result<Group> group_from_row(std::string_view text);
[[nodiscard]] codec::Json encode(const GroupShown& shown);
// The field `expression` of a message; none: it is empty or absent. A bad one is the reader's mistake, which names the
// column.
[[nodiscard]] std::optional<fleet::Expression> read_expression(codec::Reader& reader);
// service/registry/group/{from}, without reply and by.
[[nodiscard]] Result<GroupRequested> decode_group_request(std::string_view text);

}  // namespace fieldwork::registry
