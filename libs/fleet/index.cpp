#include "fleet/index.hpp"

#include <algorithm>
#include <iterator>
#include <limits>
#include <set>

namespace fieldwork::fleet {
namespace {

std::size_t number_of(const Attribute& attribute) { return static_cast<std::size_t>(attribute.kind - kinds().data()); }

// Of all values of an attribute's key: what the keys of its lists begin with.
std::string lists_of(const Attribute& attribute) {
  return std::string(1, static_cast<char>(number_of(attribute) + 1)) + attribute.key + '\0';
}

bool is_column(const Node& node) { return node.type == Node::Type::term && !has_texts(node.term.attribute.of().type); }

void sort_unique(std::vector<std::uint32_t>& numbers) {
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
}

}  // namespace

void Index::put(const Device& device) {
  const auto [found, added] = numbers_.try_emplace(device.id, 0);
  if (added) {
    found->second = free_.empty() ? static_cast<Number>(entries_.size()) : free_.back();
    if (free_.empty()) {
      entries_.emplace_back();
    } else {
      free_.pop_back();
    }
  }
  entries_[found->second].device = &device;
  link(found->second);
  measured(device);
}

void Index::measured(const Device& device) {
  const auto number = numbers_.at(device.id);
  columns_.resize(kinds().size());
  for (std::size_t kind = 0; kind < kinds().size(); ++kind) {
    if (has_texts(kinds()[kind].type)) continue;
    auto& column = columns_[kind];
    column.resize(entries_.size(), std::numeric_limits<double>::quiet_NaN());
    column[number] = kinds()[kind].number(device);
  }
}

void Index::erase(const DeviceId& device) {
  const auto found = numbers_.find(device);
  if (found == numbers_.end()) return;
  entries_[found->second].device = nullptr;
  link(found->second);
  for (auto& column : columns_) {
    if (!column.empty()) column[found->second] = std::numeric_limits<double>::quiet_NaN();
  }
  free_.push_back(found->second);
  numbers_.erase(found);
}

// Brings its lists up to date; a device that is gone has none. Lists are long: only those that it left or joined
// change.
void Index::link(Number number) {
  auto& entry = entries_[number];
  std::set<std::string> wanted;
  const auto want = [&](const Attribute& attribute) {
    for (const auto& text : texts(attribute, *entry.device)) wanted.insert(lists_of(attribute) + text);
  };
  for (const auto& kind : kinds()) {
    if (entry.device == nullptr) break;
    if (!has_texts(kind.type)) continue;
    if (!kind.keyed) {
      want({&kind});
      continue;
    }
    for (const auto& [key, value] : entry.device->labels) want({&kind, key});
  }
  std::erase_if(entry.lists, [&](const auto list) {
    if (wanted.erase(list->first) > 0) return false;
    auto& numbers = list->second;
    numbers.erase(std::lower_bound(numbers.begin(), numbers.end(), number));
    if (numbers.empty()) lists_.erase(list);
    return true;
  });
  for (const auto& key : wanted) {
    const auto list = lists_.try_emplace(key).first;
    list->second.insert(std::lower_bound(list->second.begin(), list->second.end(), number), number);
    entry.lists.push_back(list);
  }
}

std::vector<const Device*> Index::find(const Expression& expression, const DeviceId& after, std::size_t limit) const {
  std::vector<const Device*> out;
  if (entries_.empty()) return out;
  const auto look = [&](Number number) {
    const auto* device = entries_[number].device;
    if (device != nullptr && device->id > after && matches(expression, *device)) out.push_back(device);
  };
  if (const auto some = candidates(expression.root())) {
    for (const auto number : *some) look(number);
  } else {
    for (Number number = 0; number < entries_.size(); ++number) look(number);
  }
  const auto by_id = [](const Device* a, const Device* b) { return a->id < b->id; };
  if (out.size() <= limit) {
    std::sort(out.begin(), out.end(), by_id);
  } else {
    std::partial_sort(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(limit), out.end(), by_id);
    out.resize(limit);
  }
  return out;
}

std::optional<std::vector<Index::Number>> Index::candidates(const Node& node) const {
  switch (node.type) {
    case Node::Type::all: return of_all(node);
    case Node::Type::any: return of_any(node);
    case Node::Type::none: return std::nullopt;
    case Node::Type::term:
      if (node.term.negated) return std::nullopt;
      return has_texts(node.term.attribute.of().type) ? of_texts(node.term) : of_numbers(node.term);
  }
  return std::nullopt;
}

// What all of its children's lists hold, the shortest first; then those for which the columns say what is wanted. Where
// no child has a list, a column makes one.
std::optional<std::vector<Index::Number>> Index::of_all(const Node& node) const {
  std::vector<std::vector<Number>> lists;
  for (const auto& child : node.children) {
    if (is_column(child)) continue;
    if (auto one = candidates(child)) lists.push_back(std::move(*one));
  }
  std::sort(lists.begin(), lists.end(), [](const auto& a, const auto& b) { return a.size() < b.size(); });
  std::optional<std::vector<Number>> best;
  for (auto& list : lists) {
    if (!best) {
      best = std::move(list);
      continue;
    }
    std::vector<Number> both;
    std::set_intersection(best->begin(), best->end(), list.begin(), list.end(), std::back_inserter(both));
    best = std::move(both);
  }
  for (const auto& child : node.children) {
    if (!is_column(child)) continue;
    if (!best) {
      best = candidates(child);
    } else {
      const auto& column = columns_[number_of(child.term.attribute)];
      std::erase_if(*best, [&](Number number) { return matches(child.term, column[number]) == child.term.negated; });
    }
  }
  return best;
}

std::optional<std::vector<Index::Number>> Index::of_any(const Node& node) const {
  std::vector<Number> out;
  for (const auto& child : node.children) {
    const auto one = candidates(child);
    if (!one || out.size() + one->size() > many()) return std::nullopt;
    out.insert(out.end(), one->begin(), one->end());
  }
  sort_unique(out);
  return out;
}

std::optional<std::vector<Index::Number>> Index::of_texts(const Term& term) const {
  std::vector<Number> out;
  const auto add = [&](const std::vector<Number>& list) {
    if (out.size() + list.size() > many()) return false;
    out.insert(out.end(), list.begin(), list.end());
    return true;
  };
  const auto prefix = lists_of(term.attribute);
  const auto add_range = [&](const std::string& begins) {
    for (auto it = lists_.lower_bound(begins); it != lists_.end() && it->first.starts_with(begins); ++it) {
      if (!add(it->second)) return false;
    }
    return true;
  };
  if (term.op == Operator::has) {
    if (!add_range(prefix)) return std::nullopt;
  } else if (term.attribute.of().type == Type::version && term.op != Operator::begins) {
    return std::nullopt;  // few values, and 1.0 equals 01.0
  } else {
    for (const auto& text : term.texts) {
      if (term.op == Operator::begins) {
        if (!add_range(prefix + text)) return std::nullopt;
      } else if (const auto list = lists_.find(prefix + text); list != lists_.end() && !add(list->second)) {
        return std::nullopt;
      }
    }
  }
  sort_unique(out);
  return out;
}

std::optional<std::vector<Index::Number>> Index::of_numbers(const Term& term) const {
  std::vector<Number> out;
  if (columns_.empty()) return out;
  const auto& column = columns_[number_of(term.attribute)];
  for (Number number = 0; number < column.size(); ++number) {
    if (!matches(term, column[number])) continue;
    if (out.size() == many()) return std::nullopt;
    out.push_back(number);
  }
  return out;
}

}  // namespace fieldwork::fleet
