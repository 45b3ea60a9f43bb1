#include "model/device.hpp"

#include <array>

namespace fieldwork {
namespace {

constexpr std::array<std::string_view, 6> lifecycle_words{"enrolling", "active",  "draining",
                                                          "inactive",  "refused", "retired"};
constexpr std::array<std::string_view, 6> presence_words{"starting",     "online",  "sleeping",
                                                         "disconnected", "suspect", "lost"};

template <class Value>
std::optional<Value> read(const std::array<std::string_view, 6>& names, std::string_view text) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == text) return static_cast<Value>(i);
  }
  return std::nullopt;
}

}  // namespace

std::string_view name(Lifecycle lifecycle) { return lifecycle_words[static_cast<std::size_t>(lifecycle)]; }
std::string_view name(Presence presence) { return presence_words[static_cast<std::size_t>(presence)]; }
std::optional<Lifecycle> lifecycle(std::string_view text) { return read<Lifecycle>(lifecycle_words, text); }
std::optional<Presence> presence(std::string_view text) { return read<Presence>(presence_words, text); }
std::vector<std::string_view> lifecycle_names() { return {lifecycle_words.begin(), lifecycle_words.end()}; }
std::vector<std::string_view> presence_names() { return {presence_words.begin(), presence_words.end()}; }

}  // namespace fieldwork
