// What may stand in one field of a message, as values that must be read and values that must be refused with exactly
// this reason at exactly this place.
#pragma once

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "codec/json.hpp"

namespace fieldwork::codec::rules {

struct Bad {
  Json value;
  std::string reason;
  std::string below{};  // JSON pointer from the field to the mistake
};

struct Rule {
  std::vector<Json> good;
  std::vector<Bad> bad;
  std::string missing = "is missing";  // empty: the field may be missing
  bool open = false;                   // an object that may have any keys
};

// A field that may be missing. An empty text means the same as a missing one, and is not written.
inline Rule maybe(Rule rule) {
  rule.missing.clear();
  std::erase(rule.good, Json(""));
  return rule;
}

// Every kind of JSON value but these, refused for one reason.
inline std::vector<Bad> all_but(const std::vector<Json::value_t>& kinds, const std::string& reason) {
  const Json samples[] = {nullptr, true, 1, -1, 1.5, "1", Json::array({1}), Json{{"k", 1}}};
  std::vector<Bad> out;
  for (const auto& sample : samples) {
    const bool allowed = std::any_of(kinds.begin(), kinds.end(), [&](auto kind) { return sample.type() == kind; });
    if (!allowed) out.push_back({sample, reason});
  }
  return out;
}

inline std::string letters(std::size_t count) { return std::string(count, 'x'); }

inline Rule text(std::size_t length_max) {
  Rule out{{"", letters(length_max), "\"\\ ü\n\x7f"}, all_but({Json::value_t::string}, "must be a string")};
  if (length_max < 9) out.good.pop_back();
  out.bad.push_back({letters(length_max + 1), "is longer than " + std::to_string(length_max) + " bytes"});
  return out;
}

// A text that must be one of `words`.
inline Rule word(const std::vector<std::string>& words, const std::string& reason, std::size_t length_max = 16) {
  Rule out = text(length_max);
  out.good.assign(words.begin(), words.end());
  for (const char* wrong : {"", "x", "Running", " online"}) {
    if (std::string(wrong).size() <= length_max) out.bad.push_back({wrong, reason});
  }
  return out;
}

inline Rule id() {
  Rule out = text(128);
  out.good = {"0", "A.b_c-9:x", letters(128)};
  for (const char* wrong : {"", "-a", ".a", ":a", "a/b", "a+", "a b", "\xc3\xbc"}) {
    out.bad.push_back({wrong, "must be 1 to 128 of A-Z a-z 0-9 . : _ - and begin with a letter or digit"});
  }
  return out;
}

inline std::string some_digest() { return "sha256:" + std::string(32, '0') + std::string(32, 'f'); }

inline Rule digest() {
  Rule out = text(71);
  out.good = {some_digest()};
  for (const auto& wrong : {std::string(), some_digest().substr(0, 70), some_digest().substr(0, 70) + "F",
                            some_digest().substr(0, 70) + "g", "sha512:" + std::string(64, '0')}) {
    out.bad.push_back({wrong, "must be sha256: and 64 hex digits"});
  }
  return out;
}

inline std::string some_trace() { return "00-" + std::string(32, 'a') + "-" + std::string(16, '9') + "-01"; }

inline Rule traceparent() {
  Rule out = text(55);
  out.good = {some_trace()};
  out.missing.clear();
  auto wrong = std::vector<std::string>{"", some_trace().substr(0, 54), std::string(55, '0')};
  for (const std::size_t place : {0, 2, 3, 35, 36, 52, 53}) {
    wrong.push_back(some_trace());
    wrong.back()[place] = 'A';
  }
  for (const auto& one : wrong)
    out.bad.push_back({one, "must be a W3C traceparent: 2, 32, 16 and 2 hex digits with - between"});
  return out;
}

inline Rule whole(std::int64_t min, std::int64_t max) {
  const auto reason = "must be a whole number from " + std::to_string(min) + " to " + std::to_string(max);
  Rule out{{min, max}, all_but({Json::value_t::number_integer, Json::value_t::number_unsigned}, reason)};
  const double fraction = static_cast<double>(min) + 0.5;
  for (const Json& wrong : {Json(min - 1), Json(max + 1), Json(INT64_MIN), Json(INT64_MAX), Json(UINT64_MAX),
                            Json(fraction), Json(static_cast<double>(min)), Json(1e300)}) {
    out.bad.push_back({wrong, reason});
  }
  return out;
}

inline Rule number(double min, double max) {
  const auto reason = "must be a number from " + std::to_string(min) + " to " + std::to_string(max);
  Rule out{
      {min, max, (min + max) / 4},
      all_but({Json::value_t::number_integer, Json::value_t::number_unsigned, Json::value_t::number_float}, reason)};
  for (const double wrong : {min - 0.001, max + 1, 1e300, -1e300}) out.bad.push_back({wrong, reason});
  return out;
}

inline Rule flag() { return {{true, false}, all_but({Json::value_t::boolean}, "must be true or false")}; }
// A flag that is only written where it is true.
inline Rule asked() {
  auto out = maybe(flag());
  out.good = {true};
  return out;
}
inline Rule object() { return {{}, all_but({Json::value_t::object}, "must be an object")}; }

inline Rule array(std::size_t count_max) {
  Rule out{{}, all_but({Json::value_t::array}, "must be an array")};
  out.bad.push_back({Json(std::vector<int>(count_max + 1)), "has more than " + std::to_string(count_max) + " entries"});
  return out;
}

inline Rule items() {
  Rule out = array(512);
  out.bad.push_back({Json::array(), "must not be empty"});
  return out;
}

inline Rule texts(std::size_t count_max, std::size_t length_max) {
  Rule out = array(count_max);
  out.good = {Json(std::vector<std::string>(count_max, "t")), Json::array({letters(length_max)})};
  const auto reason = "must hold strings of at most " + std::to_string(length_max) + " bytes";
  for (const Json& wrong : {Json::array({1}), Json::array({"a", nullptr}), Json::array({letters(length_max + 1)})}) {
    out.bad.push_back({wrong, reason});
  }
  return out;
}

inline Rule command() {
  Rule out = texts(64, 4096);
  out.missing = "must name a program";
  out.good.push_back(Json::array({"a", "", "ü \" \\"}));
  out.bad.push_back({Json::array(), out.missing});
  out.bad.push_back({Json::array({"", "a"}), out.missing});
  return out;
}

inline const std::vector<std::string>& paths_inside() {
  static const std::vector<std::string> all{"a", "a/b", ".", "...", "..a", "a..", "a/..b", "./a", "\\..\\a"};
  return all;
}

inline const std::vector<std::string>& paths_outside() {
  static const std::vector<std::string> all{"",       "..",  "../a", "a/..", "a/../b", "a/../../b", "/",
                                            "/etc/x", "//a", "a//b", "a/",   "./..",   "a/../"};
  return all;
}

inline constexpr const char* outside = "must be a relative path inside the working directory";

inline Rule outputs() {
  Rule out = texts(16, 256);
  out.good.push_back(paths_inside());
  for (const auto& path : paths_outside()) out.bad.push_back({Json::array({"a", path}), outside, "/1"});
  return maybe(out);
}

inline Rule path() {
  Rule out = text(256);
  out.good.assign(paths_inside().begin(), paths_inside().end());
  for (const auto& path : paths_outside()) out.bad.push_back({path, outside});
  return out;
}

// An object that may be missing, and in which any keys may stand.
inline Rule map(std::size_t count_max, std::size_t length_max) {
  Rule out = maybe(object());
  out.open = true;
  out.good = {Json{{letters(128), letters(length_max)}, {"a/~b", ""}}};
  Json many = Json::object();
  for (std::size_t i = 0; i < count_max; ++i) many[std::to_string(i)] = "v";
  out.good.push_back(many);
  many["one more"] = "v";
  out.bad.push_back({many, "has more than " + std::to_string(count_max) + " entries"});
  const auto reason = "must be a string of at most " + std::to_string(length_max) + " bytes";
  out.bad.push_back({Json{{"k", 1}}, reason, "/k"});
  out.bad.push_back({Json{{"", "v"}}, reason, "/"});
  out.bad.push_back({Json{{"a/~b", nullptr}}, reason, "/a~1~0b"});
  out.bad.push_back({Json{{"k", letters(length_max + 1)}}, reason, "/k"});
  out.bad.push_back({Json{{letters(129), "v"}}, reason, "/" + letters(128)});
  return out;
}

}  // namespace fieldwork::codec::rules
