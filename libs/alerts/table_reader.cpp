#include "table_reader.hpp"

#include <charconv>
#include <chrono>
#include <limits>
#include <utility>

#include "base/duration.hpp"
#include "base/suggest.hpp"

namespace fieldwork::alerts {

void TableReader::fail(const toml::node& at, std::string_view key, const std::string& reason) {
  if (error_) return;
  error_ = Error{Code::invalid, reason,
                 file_ + ":" + std::to_string(at.source().begin.line) + (key.empty() ? "" : " ") + std::string(key)};
}

void TableReader::fail(const std::string& reason, std::string_view key) {
  const auto* node = key.empty() ? nullptr : table_.get(key);
  if (node == nullptr && !error_) missing_ = true;
  fail(node != nullptr ? *node : static_cast<const toml::node&>(table_), key, reason);
}

const toml::node* TableReader::get(const char* key) {
  known_.insert(key);
  return table_.get(key);
}

std::string TableReader::text(const char* key, std::size_t max) {
  const auto* node = get(key);
  if (node == nullptr) return {};
  const auto* value = node->as_string();
  if (value == nullptr) return fail(*node, key, "must be a text in quotes"), std::string();
  if (value->get().empty() || value->get().size() > max)
    fail(*node, key, "must have 1 to " + std::to_string(max) + " bytes");
  return value->get();
}

std::string TableReader::needed(const char* key, std::size_t max) {
  if (!has(key)) fail("is missing", key);
  return text(key, max);
}

bool TableReader::flag(const char* key, bool fallback) {
  const auto* node = get(key);
  if (node == nullptr) return fallback;
  if (const auto* value = node->as_boolean()) return value->get();
  fail(*node, key, "must be true or false");
  return fallback;
}

std::int64_t TableReader::integer(const char* key, std::int64_t fallback, std::int64_t min, std::int64_t max) {
  const auto* node = get(key);
  if (node == nullptr) return fallback;
  const auto* value = node->as_integer();
  if (value != nullptr && value->get() >= min && value->get() <= max) return value->get();
  fail(*node, key, "must be a whole number from " + std::to_string(min) + " to " + std::to_string(max));
  return fallback;
}

double TableReader::share(const char* key) {
  const auto* node = get(key);
  if (node == nullptr) return 0;
  double out = std::numeric_limits<double>::quiet_NaN();
  if (const auto* number = node->as_floating_point()) out = number->get();
  if (const auto* number = node->as_integer()) out = static_cast<double>(number->get());
  if (const auto* words = node->as_string()) {
    const auto& word = words->get();
    const auto read = std::from_chars(word.data(), word.data() + word.size(), out);
    if (read.ec != std::errc{} || std::string_view(read.ptr) != "%") out = -1;
    out /= 100;
  }
  if (!(out > 0 && out <= 1)) fail(*node, key, "must be a share, for example \"90%\"");
  return out;
}

Duration TableReader::duration(const char* key, Duration fallback, Duration min) {
  const auto* node = get(key);
  if (node == nullptr) return fallback;
  if (const auto* words = node->as_string()) {
    const auto out = parse_duration(words->get());
    if (out && *out >= min && *out <= std::chrono::hours{366 * 24}) return *out;
    if (out) return fail(*node, key, "must be a duration of " + duration_text(min) + " to 366d"), fallback;
  }
  fail(*node, key, "must be a duration, for example \"90s\", \"5min\", \"12h\" or \"2d\"");
  return fallback;
}

std::optional<fleet::Expression> TableReader::expression(const char* key, fleet::Vocabulary vocabulary) {
  if (!has(key)) return std::nullopt;
  const auto words = text(key, fleet::expression_bytes_max);
  if (error_) return std::nullopt;
  auto out = fleet::Expression::parse(words, vocabulary);
  if (out) return *out;
  fail(describe(out.error()), key);
  return std::nullopt;
}

std::optional<fleet::Attribute> TableReader::attribute(const char* key, fleet::Vocabulary vocabulary, bool number) {
  if (!has(key)) return std::nullopt;
  auto out = fleet::attribute(text(key), vocabulary);
  if (!out) return fail(out.error().reason, key), std::nullopt;
  if (number && fleet::has_texts(out->of().type)) return fail("is no number", key), std::nullopt;
  return *out;
}

Text TableReader::template_text(const char* key, fleet::Vocabulary vocabulary) {
  auto out = Text::parse(has(key) ? text(key) : std::string(), vocabulary);
  if (out) return *out;
  fail(out.error().reason, key);
  return {};
}

std::vector<std::string> TableReader::texts(const char* key, std::size_t max) {
  std::vector<std::string> out;
  const auto* node = get(key);
  if (node == nullptr) return out;
  const auto* list = node->as_array();
  if (list == nullptr || list->empty() || list->size() > max) {
    fail(*node, key, "must be a list of 1 to " + std::to_string(max) + " texts");
    return out;
  }
  for (const auto& entry : *list) {
    const auto* value = entry.as_string();
    if (value == nullptr || value->get().empty() || value->get().size() > 256)
      return fail(entry, key, "must hold texts of 1 to 256 bytes"), out;
    out.push_back(value->get());
  }
  return out;
}

void TableReader::finish(std::string_view what) {
  for (const auto& [key, node] : table_) {
    if (known_.contains(key.str())) continue;
    const std::vector<std::string_view> all(known_.begin(), known_.end());
    if (std::exchange(missing_, false)) error_.reset();  // a misspelt key is why
    const auto near = closest(key.str(), all);
    fail(node, key.str(), "is no key of " + std::string(what) + (near.empty() ? "" : "; did you mean " + near + "?"));
  }
}

}  // namespace fieldwork::alerts
