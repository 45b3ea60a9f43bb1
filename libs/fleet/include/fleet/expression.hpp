// Expressions over the attributes of a device: parsed once, evaluated often. The grammar, with examples, is in
// docs/expressions.md.
//
//   label.site == "berlin" and cpu.free_millis >= 2000 and health > 0.8 and presence in (online, sleeping)
//
// Every expression is true or false for every device: a term about an absent value is false, and `!=` and `not in` are
// the negations of `==` and `in`, so they are true where the value is absent. Of an attribute with several values (a
// set), a term holds if it holds for any of them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "fleet/attribute.hpp"
#include "fleet/limits.hpp"
#include "model/device.hpp"

namespace fieldwork::fleet {

enum class Operator { equal, less, less_or_equal, greater, greater_or_equal, begins, in, has };

struct Term {
  Attribute attribute;
  Operator op = Operator::has;
  bool negated = false;              // `!=` and `not in`
  std::vector<std::string> texts{};  // of a text or version
  std::vector<double> numbers{};     // of any other type, in the attribute's unit
  std::string source{};              // as it was written
  int column = 1;                    // where it begins, from 1, in bytes
};

struct Node {
  enum class Type { all, any, none, term };  // none: negates its only child
  Type type = Type::all;
  std::vector<Node> children{};
  Term term{};
};

class Expression {
 public:
  // Invalid: the error's path is `column N`, its reason says what was expected there.
  [[nodiscard]] static Result<Expression> parse(std::string_view text, Vocabulary vocabulary = kinds());

  [[nodiscard]] const std::string& text() const { return text_; }  // as it was written
  [[nodiscard]] const Node& root() const { return *root_; }
  bool operator==(const Expression& other) const { return text_ == other.text_; }

 private:
  std::string text_;
  std::shared_ptr<const Node> root_;
};

// Of a term that is not about a text, leaving `negated` aside; `value` is number() of its attribute, NaN: absent.
[[nodiscard]] bool matches(const Term& term, double value);
// `values` are of the expression's vocabulary.
[[nodiscard]] bool matches(const Expression& expression, const Values& values);
[[nodiscard]] inline bool matches(const Expression& expression, const Device& device) {
  return matches(expression, DeviceValues(device));
}

// Why a device does not match: a term that would have to be otherwise. Of `and` those that are false, of `or` all.
struct Miss {
  int column = 1;
  std::string term;    // as it was written
  std::string actual;  // value_text() of its attribute
  std::string reason;  // for people: `health is 0.62, wanted health > 0.8`
  bool operator==(const Miss&) const = default;
};
// Empty exactly if the device matches.
[[nodiscard]] std::vector<Miss> misses(const Expression& expression, const Values& values);
[[nodiscard]] inline std::vector<Miss> misses(const Expression& expression, const Device& device) {
  return misses(expression, DeviceValues(device));
}

}  // namespace fieldwork::fleet
