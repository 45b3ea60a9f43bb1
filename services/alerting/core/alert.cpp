#include "alerting/core/alert.hpp"

#include <array>

namespace fieldwork::alerting {
namespace {
constexpr std::array states{"pending", "firing", "resolved"};
}  // namespace

std::string_view name(Alert::State state) { return states[static_cast<std::size_t>(state)]; }

std::optional<Alert::State> alert_state(std::string_view text) {
  for (std::size_t i = 0; i < states.size(); ++i) {
    if (text == states[i]) return static_cast<Alert::State>(i);
  }
  return std::nullopt;
}

std::span<const std::string> AlertValues::texts(const fleet::Attribute& attribute) const {
  const auto one = [](const std::string& text) {
    return text.empty() ? std::span<const std::string>{} : std::span(&text, 1);
  };
  const auto name = attribute.of().name;
  if (name == "alert") return one(alert_.id);
  if (name == "rule") return one(alert_.rule);
  if (name == "subject") return one(alert_.subject);
  if (name == "over") return one(over_);
  const auto found = alert_.labels.find(attribute.key);
  return found == alert_.labels.end() ? std::span<const std::string>{} : one(found->second);
}

double AlertValues::number(const fleet::Attribute& attribute) const {
  const auto name = attribute.of().name;
  if (name == "severity") return static_cast<double>(alert_.severity);
  if (name == "state") return static_cast<double>(alert_.state);
  return alert_.value;
}

std::string label_of(const Alert& alert, const std::string& label) {
  if (label == "rule") return alert.rule;
  if (label == "severity") return std::string(alerts::name(alert.severity));
  if (label == "subject") return alert.subject;
  const auto found = alert.labels.find(label);
  return found == alert.labels.end() ? "" : found->second;
}

}  // namespace fieldwork::alerting
