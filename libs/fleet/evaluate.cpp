#include <algorithm>
#include <cmath>

#include "fleet/expression.hpp"

namespace fieldwork::fleet {
namespace {

bool compare(Operator op, double difference) {
  switch (op) {
    case Operator::less: return difference < 0;
    case Operator::less_or_equal: return difference <= 0;
    case Operator::greater: return difference > 0;
    case Operator::greater_or_equal: return difference >= 0;
    default: return difference == 0;
  }
}

bool any_text(const Term& term, const Values& values) {
  const auto texts = values.texts(term.attribute);
  const bool version = term.attribute.of().type == Type::version;
  return std::any_of(texts.begin(), texts.end(), [&](const std::string& value) {
    if (term.op == Operator::has) return true;
    return std::any_of(term.texts.begin(), term.texts.end(), [&](const std::string& wanted) {
      if (term.op == Operator::begins) return value.starts_with(wanted);
      return version ? compare(term.op, compare_versions(value, wanted)) : value == wanted;
    });
  });
}

bool matches(const Term& term, const Values& values) {
  const bool holds = has_texts(term.attribute.of().type) ? any_text(term, values)
                                                         : fleet::matches(term, values.number(term.attribute));
  return holds != term.negated;
}

bool matches(const Node& node, const Values& values) {
  const auto child = [&](const Node& one) { return matches(one, values); };
  switch (node.type) {
    case Node::Type::all: return std::all_of(node.children.begin(), node.children.end(), child);
    case Node::Type::any: return std::any_of(node.children.begin(), node.children.end(), child);
    case Node::Type::none: return !child(node.children.front());
    case Node::Type::term: return matches(node.term, values);
  }
  return false;
}

// The terms because of which `node` is not `wanted`.
void explain(const Node& node, const Values& values, bool wanted, std::vector<Miss>& out) {
  if (matches(node, values) == wanted) return;
  if (node.type == Node::Type::term) {
    const auto& term = node.term;
    const auto actual = value_text(term.attribute, values);
    out.push_back({term.column, term.source, actual,
                   to_text(term.attribute) + " is " + actual + ", wanted " + (wanted ? "" : "not ") + term.source});
    return;
  }
  if (node.type == Node::Type::none) return explain(node.children.front(), values, !wanted, out);
  for (const auto& child : node.children) explain(child, values, wanted, out);
}

}  // namespace

bool matches(const Term& term, double value) {
  if (std::isnan(value)) return false;
  if (term.op == Operator::has) return true;
  return std::any_of(term.numbers.begin(), term.numbers.end(),
                     [&](double wanted) { return compare(term.op, value - wanted); });
}

bool matches(const Expression& expression, const Values& values) { return matches(expression.root(), values); }

std::vector<Miss> misses(const Expression& expression, const Values& values) {
  std::vector<Miss> out;
  explain(expression.root(), values, true, out);
  return out;
}

}  // namespace fieldwork::fleet
