#include <algorithm>

#include "alerts/rules.hpp"
#include "base/text.hpp"

namespace fieldwork::alerts {

Result<Text> Text::parse(std::string_view text, fleet::Vocabulary vocabulary) {
  Text out;
  if (text.size() > text_max) return Error{Code::invalid, "has at most " + std::to_string(text_max) + " bytes"};
  while (!text.empty()) {
    const auto begin = text.find('{');
    if (begin != 0) {
      out.parts_.push_back({std::string(text.substr(0, begin))});
      text.remove_prefix(std::min(begin, text.size()));
      continue;
    }
    const auto end = text.find('}');
    if (end == text.npos) return Error{Code::invalid, "a { has no }"};
    auto inside = text.substr(1, end - 1);
    text.remove_prefix(end + 1);
    Part part;
    const auto bar = inside.find('|');
    if (bar != inside.npos) part.text = inside.substr(bar + 1);
    inside = inside.substr(0, bar);
    part.subject = inside == "subject";
    if (!part.subject) {
      auto attribute = fleet::attribute(inside, vocabulary);
      if (!attribute) return attribute.error();
      part.attribute = std::move(*attribute);
    }
    out.parts_.push_back(std::move(part));
  }
  return out;
}

bool Text::has_attributes() const {
  return std::any_of(parts_.begin(), parts_.end(), [](const Part& part) { return part.attribute.has_value(); });
}

std::string Text::of(const fleet::Values& values, const std::string& subject) const {
  std::string out;
  for (const auto& part : parts_) {
    if (part.subject) {
      out += subject;
    } else if (!part.attribute) {
      out += part.text;
    } else {
      out += fleet::has_value(*part.attribute, values) ? fleet::value_text(*part.attribute, values) : part.text;
    }
  }
  return clamp_text(out, text_max);
}

}  // namespace fieldwork::alerts
