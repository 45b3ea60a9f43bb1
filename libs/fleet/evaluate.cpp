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

bool any_text(const Term& term, const Device& device) {
  const auto values = texts(term.attribute, device);
  const bool version = term.attribute.of().type == Type::version;
  return std::any_of(values.begin(), values.end(), [&](const std::string& value) {
    if (term.op == Operator::has) return true;
    return std::any_of(term.texts.begin(), term.texts.end(), [&](const std::string& wanted) {
      if (term.op == Operator::begins) return value.starts_with(wanted);
      return version ? compare(term.op, compare_versions(value, wanted)) : value == wanted;
    });
  });
}

bool matches(const Node& node, const Device& device) {
  const auto child = [&](const Node& one) { return matches(one, device); };
  switch (node.type) {
    case Node::Type::all: return std::all_of(node.children.begin(), node.children.end(), child);
    case Node::Type::any: return std::any_of(node.children.begin(), node.children.end(), child);
    case Node::Type::none: return !child(node.children.front());
    case Node::Type::term: return fleet::matches(node.term, device);
  }
  return false;
}

// The terms because of which `node` is not `wanted`.
void explain(const Node& node, const Device& device, bool wanted, std::vector<Miss>& out) {
  if (matches(node, device) == wanted) return;
  if (node.type == Node::Type::term) {
    const auto& term = node.term;
    const auto actual = value_text(term.attribute, device);
    out.push_back({term.column, term.source, actual,
                   to_text(term.attribute) + " is " + actual + ", wanted " + (wanted ? "" : "not ") + term.source});
    return;
  }
  if (node.type == Node::Type::none) return explain(node.children.front(), device, !wanted, out);
  for (const auto& child : node.children) explain(child, device, wanted, out);
}

}  // namespace

bool matches(const Term& term, double value) {
  if (std::isnan(value)) return false;
  if (term.op == Operator::has) return true;
  return std::any_of(term.numbers.begin(), term.numbers.end(),
                     [&](double wanted) { return compare(term.op, value - wanted); });
}

bool matches(const Term& term, const Device& device) {
  const bool holds =
      has_texts(term.attribute.of().type) ? any_text(term, device) : matches(term, number(term.attribute, device));
  return holds != term.negated;
}

bool matches(const Expression& expression, const Device& device) { return matches(expression.root(), device); }

std::vector<Miss> misses(const Expression& expression, const Device& device) {
  std::vector<Miss> out;
  explain(expression.root(), device, true, out);
  return out;
}

}  // namespace fieldwork::fleet
