// One row on its way into a store: columns with typed values. Stores give rows back as JSON text (store.hpp).
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace fieldwork::store {

// A column's value. Texts are UTF-8 without NUL.
class Value {
 public:
  struct Json {
    std::string text;
    bool operator==(const Json&) const = default;
  };
  using Held = std::variant<std::nullptr_t, bool, std::int64_t, double, std::string, Json>;

  Value(std::nullptr_t) : held_(nullptr) {}  // NOLINT(google-explicit-constructor): a row reads as its columns
  Value(bool value) : held_(value) {}        // NOLINT(google-explicit-constructor)
  template <std::integral T>
  requires(!std::same_as<T, bool>) Value(T value)
      : held_(static_cast<std::int64_t>(value)) {}              // NOLINT(google-explicit-constructor)
  Value(double value) : held_(value) {}                         // NOLINT(google-explicit-constructor)
  Value(std::string value) : held_(std::move(value)) {}         // NOLINT(google-explicit-constructor)
  Value(std::string_view value) : held_(std::string(value)) {}  // NOLINT(google-explicit-constructor)
  Value(const char* value) : held_(std::string(value)) {}       // NOLINT(google-explicit-constructor)
  // A JSON value, given as its text.
  static Value json(std::string text) {
    Value out(nullptr);
    out.held_ = Json{std::move(text)};
    return out;
  }

  [[nodiscard]] const Held& held() const { return held_; }
  bool operator==(const Value&) const = default;

 private:
  Held held_;
};

class Row {
 public:
  struct Field {
    std::string_view column;  // a literal: it outlives the row
    Value value;
    bool operator==(const Field&) const = default;
  };

  Row() = default;
  Row(std::initializer_list<Field> fields) : fields_(fields) {}
  void add(std::string_view column, Value value) { fields_.push_back({column, std::move(value)}); }

  [[nodiscard]] const std::vector<Field>& fields() const { return fields_; }
  [[nodiscard]] bool empty() const { return fields_.empty(); }
  [[nodiscard]] const Value* find(std::string_view column) const;
  // Takes over the columns of `newer`; this row's columns that `newer` does not name stay.
  void merge(const Row& newer);
  // The row as JSON text: as the stores without SQL columns keep it and as every store gives it back. Never throws:
  // invalid UTF-8 becomes U+FFFD.
  [[nodiscard]] std::string to_json() const;
  bool operator==(const Row&) const = default;

 private:
  std::vector<Field> fields_;
};

}  // namespace fieldwork::store
