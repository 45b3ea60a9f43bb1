#include "model/device.hpp"

#include <array>

namespace fieldwork {
namespace {
constexpr std::array<std::string_view, 5> words{"enrolling", "ready", "suspect", "lost", "refused"};
}

std::string_view name(DeviceState state) { return words[static_cast<std::size_t>(state)]; }

std::optional<DeviceState> device_state(std::string_view text) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == text) return static_cast<DeviceState>(i);
  }
  return std::nullopt;
}

}  // namespace fieldwork
