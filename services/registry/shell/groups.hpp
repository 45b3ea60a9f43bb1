// Groups <-> rows and JSON.
#pragma once

#include "codec/json.hpp"
#include "registry/core/registry.hpp"
#include "store/store.hpp"

namespace fieldwork::registry {

[[nodiscard]] store::Row to_row(const Group& group);
[[nodiscard]] Result<Group> group_from_row(std::string_view text);
[[nodiscard]] codec::Json encode(const GroupShown& shown);
// service/registry/group/{from}, without reply and by.
[[nodiscard]] Result<GroupRequested> decode_group_request(std::string_view text);

}  // namespace fieldwork::registry
