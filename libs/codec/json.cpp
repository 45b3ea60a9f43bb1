#include "codec/json.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "base/id.hpp"
#include "base/suggest.hpp"

namespace fieldwork::codec {
namespace {

// The error "not JSON: line 3, column 7: what" for the byte at offset `at`.
Error not_json(std::string_view text, std::size_t at, const std::string& what) {
  const auto before = text.substr(0, at);
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const auto begin = before.rfind('\n');
  const auto column = begin == before.npos ? at + 1 : at - begin;
  return Error{Code::invalid,
               "not JSON: line " + std::to_string(line) + ", column " + std::to_string(column) + ": " + what};
}

// nlohmann's "… syntax error while parsing X - unexpected Y; last read: 'Z'; expected W" without Z, which is the
// sender's text and may be long.
std::string syntax_of(const std::string& what) {
  const auto at = what.find("syntax error ");
  auto text = at == std::string::npos ? std::string("not understood") : what.substr(at + 13);
  if (const auto read = text.find("; last read: '"); read != std::string::npos) {
    const auto expected = text.rfind("'; expected ");
    text = text.substr(0, read) + (expected == std::string::npos ? "" : text.substr(expected + 1));
  }
  return text.substr(0, 200);
}

Error syntax_error(std::string_view text) {
  if (text.find_first_not_of(" \t\r\n") == text.npos) return Error{Code::invalid, "not JSON: it is empty"};
  try {
    [[maybe_unused]] const auto never = Json::parse(text);
  } catch (const Json::parse_error& e) {
    return not_json(text, e.byte > 0 ? e.byte - 1 : 0, syntax_of(e.what()));
  } catch (const Json::exception&) {  // a number that no type can hold
  }
  return Error{Code::invalid, "not JSON: a number is out of range"};
}

std::size_t fields_of(const Json& value) {
  if (!value.is_structured()) return 0;
  std::size_t count = value.is_object() ? value.size() : 0;
  for (const auto& inner : value) count += fields_of(inner);
  return count;
}

// The error about two fields with one name: the parser keeps the later field, another reader may keep the earlier.
Error named_twice(std::string_view text) {
  std::vector<std::set<std::string>> names;  // field names of each object that is open
  std::string twice;
  [[maybe_unused]] const auto parsed_again = Json::parse(
      text,
      [&](int, Json::parse_event_t event, Json& parsed) {
        if (event == Json::parse_event_t::object_start) names.emplace_back();
        if (event == Json::parse_event_t::object_end) names.pop_back();
        if (event == Json::parse_event_t::key && twice.empty() &&
            !names.back().insert(parsed.get<std::string>()).second)
          twice = parsed.get<std::string>();
        return true;
      },
      false);
  return Error{Code::invalid, "the field \"" + twice.substr(0, 64) + "\" stands twice in one object"};
}

// One pass before the parser. Checks depth and NUL escapes (the parser's recursion and PostgreSQL's text depend on
// them) and counts the fields of the text, one for each colon.
std::optional<Error> scan(std::string_view text, std::size_t& fields) {
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') {
        if (text.substr(i, 6) == "\\u0000") return Error{Code::invalid, "a string holds NUL"};
        ++i;
      } else if (c == '"') {
        quoted = false;
      }
    } else if (c == '\0') {
      return not_json(text, i, "a byte that is 0");  // the parser would take the 0 for the end of the text
    } else if (c == ':') {
      ++fields;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{' || c == '[') {
      if (++depth > depth_max) return Error{Code::invalid, "nested deeper than " + std::to_string(depth_max)};
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return std::nullopt;
}

bool is_digest_text(const std::string& text) {
  if (text.size() != 71 || !text.starts_with("sha256:")) return false;
  return std::all_of(text.begin() + 7, text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

// One level of a JSON pointer (RFC 6901).
std::string pointer_level(std::string_view key) {
  std::string out;
  for (const char c : key.substr(0, 128)) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

std::string range_text(std::int64_t min, std::int64_t max) {
  return "must be a whole number from " + std::to_string(min) + " to " + std::to_string(max);
}

}  // namespace

Result<Json> parse(std::string_view text, std::size_t bytes_max) {
  if (text.size() > bytes_max) {
    return Error{Code::invalid, "larger than " + std::to_string(bytes_max) + " bytes"};
  }
  std::size_t fields = 0;
  if (auto error = scan(text, fields)) return *error;
  auto value = Json::parse(text, nullptr, false);
  if (value.is_discarded()) return syntax_error(text);
  if (fields_of(value) != fields) return named_twice(text);
  return value;
}

std::string dump(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

Reader::Reader(const Json& value) : value_(&value), root_(this) {
  if (!value.is_object()) fail("", "must be an object");
}
Reader::Reader(Reader& parent, const char* field, const Json& value)
    : value_(&value), root_(parent.root_), parent_(&parent), field_(field), open_(parent.open_) {
  if (!value.is_object()) fail("", "must be an object");
}
Reader::Reader(Reader& parent, const char* field, std::size_t index, const Json& value)
    : value_(&value), root_(parent.root_), parent_(&parent), field_(field), index_(index), open_(parent.open_) {
  if (!value.is_object()) fail("", "must be an object");
}

std::string Reader::path() const {
  std::string out = parent_ != nullptr ? parent_->path() : "";
  if (field_ != nullptr) out += std::string("/") + field_;
  if (index_) out += "/" + std::to_string(*index_);
  return out;
}

void Reader::fail(std::string_view field, std::string reason, Code code) {
  if (root_->error_) return;
  std::string where = path();
  if (!field.empty()) where += "/" + std::string(field);
  root_->error_ = Error{code, std::move(reason), std::move(where)};
  const auto first = field.substr(0, field.find('/'));
  root_->absent_ = !first.empty() && value_->is_object() && !value_->contains(first);
}

const Json* Reader::find(const char* field) {
  seen_.push_back(field);
  if (!value_->is_object()) return nullptr;
  const auto it = value_->find(field);
  return it == value_->end() ? nullptr : &*it;
}

const Json* Reader::need(const char* field) {
  const Json* value = find(field);
  if (value == nullptr) fail(field, "is missing");
  return value;
}

std::string Reader::text(const char* field, std::size_t length_max) {
  const Json* value = need(field);
  if (value == nullptr) return {};
  if (!value->is_string()) return fail(field, "must be a string"), std::string();
  const auto& text = value->get_ref<const std::string&>();
  if (text.size() > length_max)
    return fail(field, "is longer than " + std::to_string(length_max) + " bytes"), std::string();
  return text;
}

std::string Reader::text_or(const char* field, std::string fallback, std::size_t length_max) {
  if (find(field) == nullptr) return fallback;
  return text(field, length_max);
}

std::string Reader::id(const char* field) {
  auto text = this->text(field, 128);
  if (ok() && !is_id(text)) fail(field, "must be 1 to 128 of A-Z a-z 0-9 . : _ - and begin with a letter or digit");
  return text;
}

std::string Reader::digest(const char* field) {
  auto text = this->text(field, 71);
  if (ok() && !is_digest_text(text)) fail(field, "must be sha256: and 64 hex digits");
  return text;
}

std::string Reader::digest_or_empty(const char* field) {
  return find(field) == nullptr ? std::string() : digest(field);
}

std::int64_t Reader::integer(const char* field, std::int64_t min, std::int64_t max) {
  const Json* value = need(field);
  if (value == nullptr) return min;
  const bool fits =
      value->is_number_integer() &&
      (!value->is_number_unsigned() || value->get<std::uint64_t>() <= static_cast<std::uint64_t>(INT64_MAX));
  const auto number = fits ? value->get<std::int64_t>() : 0;
  if (!fits || number < min || number > max) return fail(field, range_text(min, max)), min;
  return number;
}

std::int64_t Reader::integer_or(const char* field, std::int64_t fallback, std::int64_t min, std::int64_t max) {
  return find(field) == nullptr ? fallback : integer(field, min, max);
}

std::optional<std::int64_t> Reader::integer_maybe(const char* field, std::int64_t min, std::int64_t max) {
  if (find(field) == nullptr) return std::nullopt;
  return integer(field, min, max);
}

double Reader::number(const char* field, double min, double max) {
  const Json* value = need(field);
  if (value == nullptr) return min;
  const double number = value->is_number() ? value->get<double>() : NAN;
  if (!(number >= min && number <= max)) {
    return fail(field, "must be a number from " + std::to_string(min) + " to " + std::to_string(max)), min;
  }
  return number;
}

std::optional<double> Reader::number_maybe(const char* field, double min, double max) {
  if (find(field) == nullptr) return std::nullopt;
  return number(field, min, max);
}

bool Reader::boolean_or(const char* field, bool fallback) {
  const Json* value = find(field);
  if (value == nullptr) return fallback;
  if (!value->is_boolean()) return fail(field, "must be true or false"), fallback;
  return value->get<bool>();
}

std::vector<std::string> Reader::texts_or_empty(const char* field, std::size_t count_max, std::size_t length_max) {
  std::vector<std::string> out;
  const Json* list = array_maybe(field, count_max);
  if (list == nullptr) return out;
  for (const auto& entry : *list) {
    if (!entry.is_string() || entry.get_ref<const std::string&>().size() > length_max) {
      fail(field, "must hold strings of at most " + std::to_string(length_max) + " bytes");
      return {};
    }
    out.push_back(entry.get<std::string>());
  }
  return out;
}

std::map<std::string, std::string> Reader::map_or_empty(const char* field, std::size_t count_max,
                                                        std::size_t length_max) {
  std::map<std::string, std::string> out;
  const Json* object = object_maybe(field);
  if (object == nullptr) return out;
  if (object->size() > count_max) return fail(field, "has more than " + std::to_string(count_max) + " entries"), out;
  for (const auto& [key, entry] : object->items()) {
    if (key.empty() || key.size() > 128 || !entry.is_string() ||
        entry.get_ref<const std::string&>().size() > length_max) {
      fail(std::string(field) + "/" + pointer_level(key),
           "must be a string of at most " + std::to_string(length_max) + " bytes");
      return {};
    }
    out.emplace(key, entry.get<std::string>());
  }
  return out;
}

const Json* Reader::object_maybe(const char* field) {
  const Json* value = find(field);
  if (value != nullptr && !value->is_object()) return fail(field, "must be an object"), nullptr;
  return value;
}

const Json* Reader::object(const char* field) {
  if (need(field) == nullptr) return nullptr;
  return object_maybe(field);
}

const Json* Reader::array_maybe(const char* field, std::size_t count_max) {
  const Json* value = find(field);
  if (value == nullptr) return nullptr;
  if (!value->is_array()) return fail(field, "must be an array"), nullptr;
  if (value->size() > count_max) return fail(field, "has more than " + std::to_string(count_max) + " entries"), nullptr;
  return value;
}

const Json* Reader::array(const char* field, std::size_t count_max) {
  if (need(field) == nullptr) return nullptr;
  return array_maybe(field, count_max);
}

const Json* Reader::items() {
  const Json* items = array("items", items_max);
  if (items != nullptr && items->empty()) fail("items", "must not be empty");
  return items;
}

const Json* Reader::any_maybe(const char* field) { return find(field); }

void Reader::version() {
  if (integer("v", 0, 1 << 20) != 1 && ok()) fail("v", "is a version this software does not know; it knows 1");
}

// An unknown field is reported before a missing one: it may be the missing field, mistyped.
bool Reader::finish() {
  if (!ok() && !root_->absent_) return false;
  if (!open_ && value_->is_object()) {
    for (const auto& [key, entry] : value_->items()) {
      const bool known =
          std::any_of(seen_.begin(), seen_.end(), [&key = key](const char* name) { return key == name; });
      if (!known) {
        root_->error_.reset();
        fail(pointer_level(key), "is not a field here" + fields_here(key));
        root_->absent_ = false;
        return false;
      }
    }
  }
  return ok();
}

std::string Reader::fields_here(const std::string& key) const {
  const std::set<std::string> names(seen_.begin(), seen_.end());
  if (const auto meant = closest(key, names); !meant.empty()) return "; did you mean '" + meant + "'?";
  std::string all;
  for (const auto& one : names) all += (all.empty() ? "" : ", ") + one;
  return all.empty() || all.size() > 160 ? "" : "; there are: " + all;
}

Json encode_error(const Error& error) {
  Json body{{"code", name(error.code)}, {"reason", error.reason}};
  if (!error.path.empty()) body["path"] = error.path;
  return Json{{"v", 1}, {"error", std::move(body)}};
}

std::optional<Error> decode_error(const Json& answer) {
  if (!answer.is_object()) return std::nullopt;
  const auto it = answer.find("error");
  if (it == answer.end() || !it->is_object()) return std::nullopt;
  const auto text = [&](const char* field, const char* fallback) -> std::string {
    const auto found = it->find(field);
    return found != it->end() && found->is_string() ? found->get<std::string>() : fallback;
  };
  Error error{Code::invalid, text("reason", "no reason given"), text("path", "")};
  const std::string code = text("code", "invalid");
  for (const auto candidate : {Code::unknown, Code::conflict, Code::denied, Code::unavailable}) {
    if (code == name(candidate)) error.code = candidate;
  }
  return error;
}

}  // namespace fieldwork::codec
