// JSON at the edge: bounded parsing and checked reading. All JSON from outside is read here and nowhere else.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "model/limits.hpp"

namespace fieldwork::codec {

using Json = nlohmann::json;

inline constexpr std::size_t message_bytes_max = limits::message_bytes_max;
inline constexpr int depth_max = limits::depth_max;
inline constexpr std::size_t items_max = limits::items_max;
// The largest integer that every reader of JSON can hold: 2^53 - 1. A larger one would come out of a browser or of jq
// as another number.
inline constexpr std::int64_t integer_max = limits::integer_max;

// Refuses a text of more than bytes_max, nesting deeper than depth_max, a NUL in a string, invalid UTF-8, anything
// after the value, and two fields of one name in an object. Where the text is not JSON, the error names line and column
// (from 1; columns in bytes).
[[nodiscard]] Result<Json> parse(std::string_view text, std::size_t bytes_max = message_bytes_max);

// Never throws: invalid UTF-8 becomes U+FFFD.
[[nodiscard]] std::string dump(const Json& value);

// Reads one object field by field. The first mistake is kept with its JSON pointer; after a mistake every read gives
// the fallback, so a decoder needs no branches and asks finish() once, at the end. A Reader must outlive its children.
class Reader {
 public:
  explicit Reader(const Json& value);
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  std::string text(const char* field, std::size_t length_max = 256);
  std::string text_or(const char* field, std::string fallback, std::size_t length_max = 256);
  std::string id(const char* field);      // base/id.hpp is_id
  std::string digest(const char* field);  // sha256:<64 hex>
  std::string digest_or_empty(const char* field);
  std::int64_t integer(const char* field, std::int64_t min, std::int64_t max);
  std::int64_t integer_or(const char* field, std::int64_t fallback, std::int64_t min, std::int64_t max);
  std::optional<std::int64_t> integer_maybe(const char* field, std::int64_t min, std::int64_t max);
  double number(const char* field, double min, double max);
  std::optional<double> number_maybe(const char* field, double min, double max);
  bool boolean_or(const char* field, bool fallback);
  std::vector<std::string> texts_or_empty(const char* field, std::size_t count_max, std::size_t length_max);
  std::map<std::string, std::string> map_or_empty(const char* field, std::size_t count_max, std::size_t length_max);

  // The field as it is, or nullptr; the caller reads it with a child Reader.
  const Json* object(const char* field);
  const Json* object_maybe(const char* field);
  const Json* array(const char* field, std::size_t count_max);
  const Json* array_maybe(const char* field, std::size_t count_max);
  const Json* items();  // "items": 1 to items_max
  const Json* any_maybe(const char* field);

  // A child Reader of a value inside `parent`; its mistakes count as the parent's.
  Reader(Reader& parent, const char* field, const Json& value);
  Reader(Reader& parent, const char* field, std::size_t index, const Json& value);

  void version();                         // "v" must be 1
  void allow_unknown() { open_ = true; }  // here, and in the children that are made afterwards
  void fail(std::string_view field, std::string reason, Code code = Code::invalid);
  // True: no mistake. An unknown field is a mistake unless allow_unknown() was called, and is reported before a missing
  // one. So every field that may be present must have been read before the call. Call it on children too.
  bool finish();
  [[nodiscard]] bool ok() const { return !root_->error_; }
  [[nodiscard]] Error error() const { return *root_->error_; }

 private:
  const Json* find(const char* field);
  const Json* need(const char* field);
  [[nodiscard]] std::string path() const;
  [[nodiscard]] std::string fields_here(const std::string& key) const;  // the known fields, for an error

  const Json* value_;
  Reader* root_;
  const Reader* parent_ = nullptr;
  const char* field_ = nullptr;
  std::optional<std::size_t> index_;
  std::vector<const char*> seen_;
  bool open_ = false;
  std::optional<Error> error_;
  bool absent_ = false;  // the error is about a field that is not there
};

// The answer to a request that went wrong: {"v":1,"error":{…}}.
[[nodiscard]] Json encode_error(const Error& error);
// The error in an answer, if it is one.
[[nodiscard]] std::optional<Error> decode_error(const Json& answer);

}  // namespace fieldwork::codec
