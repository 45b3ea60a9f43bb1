// Strong ids: a DeviceId is not a JobId. The text is what stands in JSON, SQL and topics.
#pragma once

#include <compare>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace fieldwork {

template <class Tag>
struct Id {
  std::string value;

  Id() = default;
  explicit Id(std::string text) : value(std::move(text)) {}
  [[nodiscard]] bool empty() const { return value.empty(); }
  auto operator<=>(const Id&) const = default;
};

using DeviceId = Id<struct DeviceTag>;
using JobId = Id<struct JobTag>;
using TransferId = Id<struct TransferTag>;  // 32 hex digits

// True for `^[A-Za-z0-9][A-Za-z0-9.:_-]{0,127}$`: what may stand as one level of a topic. MAC addresses, host names and
// the names of things at AWS IoT are ids.
[[nodiscard]] constexpr bool is_id(std::string_view text) {
  if (text.empty() || text.size() > 128) return false;
  const auto alnum = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); };
  if (!alnum(text.front())) return false;
  for (const char c : text) {
    if (!alnum(c) && c != '.' && c != ':' && c != '_' && c != '-') return false;
  }
  return true;
}

}  // namespace fieldwork

template <class Tag>
struct std::hash<fieldwork::Id<Tag>> {
  std::size_t operator()(const fieldwork::Id<Tag>& id) const noexcept { return std::hash<std::string>{}(id.value); }
};
