// One table of a TOML file, read key by key. The first mistake is kept, with its line. Private to this library.
#pragma once

#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "alerts/rules.hpp"

namespace fieldwork::alerts {

// One table of the file, read key by key.
class TableReader {
 public:
  TableReader(const std::string& file, const toml::table& table, std::optional<Error>& error)
      : file_(file), table_(table), error_(error) {}

  void fail(const toml::node& at, std::string_view key, const std::string& reason);
  void fail(const std::string& reason, std::string_view key = "");
  const toml::node* get(const char* key);
  bool has(const char* key) { return get(key) != nullptr; }

  std::string text(const char* key, std::size_t max = text_max);
  std::string needed(const char* key, std::size_t max = text_max);
  bool flag(const char* key, bool fallback);
  std::int64_t integer(const char* key, std::int64_t fallback, std::int64_t min, std::int64_t max);
  // `"90%"` or 0.9.
  double share(const char* key);
  // `"5min"`.
  Duration duration(const char* key, Duration fallback, Duration min = milliseconds{1});
  std::optional<fleet::Expression> expression(const char* key, fleet::Vocabulary vocabulary);
  std::optional<fleet::Attribute> attribute(const char* key, fleet::Vocabulary vocabulary, bool number = false);
  Text template_text(const char* key, fleet::Vocabulary vocabulary);
  std::vector<std::string> texts(const char* key, std::size_t max);
  template <std::size_t N>
  std::size_t one_of(const char* key, const std::array<const char*, N>& words, std::size_t fallback) {
    if (!has(key)) return fallback;
    const auto word = text(key);
    const auto found = std::find(words.begin(), words.end(), word);
    if (found != words.end()) return static_cast<std::size_t>(found - words.begin());
    std::string all;
    for (const auto* one : words) all += (all.empty() ? "" : ", ") + std::string(one);
    fail("must be one of " + all, key);
    return fallback;
  }
  // What nobody has asked for is a mistake.
  void finish(std::string_view what);

 private:
  const std::string& file_;
  const toml::table& table_;
  std::optional<Error>& error_;
  std::set<std::string_view> known_;
  bool missing_ = false;  // the mistake is that this table lacks a key
};

}  // namespace fieldwork::alerts
