#include "fleet/stats.hpp"

#include <algorithm>
#include <cmath>
#include <map>

namespace fieldwork::fleet {
namespace {

constexpr const char* others = "…";

struct Gathered {
  std::int64_t devices = 0;
  std::vector<double> numbers;
};

Distribution distribution(std::vector<double> numbers) {
  Distribution out;
  if (numbers.empty()) return out;
  std::sort(numbers.begin(), numbers.end());
  const auto rank = [&](double percent) {
    const auto at = static_cast<std::size_t>(std::ceil(percent / 100 * static_cast<double>(numbers.size())));
    return numbers[std::max<std::size_t>(at, 1) - 1];
  };
  double sum = 0;
  for (const double one : numbers) sum += one;
  out.count = static_cast<std::int64_t>(numbers.size());
  out.min = numbers.front();
  out.p50 = rank(50);
  out.p90 = rank(90);
  out.p99 = rank(99);
  out.max = numbers.back();
  out.mean = sum / static_cast<double>(numbers.size());
  return out;
}

std::vector<std::string> values(const Device& device, const std::optional<Attribute>& by) {
  if (!by) return {""};
  if (!has_texts(by->of().type)) {
    return {std::isnan(number(*by, device)) ? "" : value_text(*by, device)};
  }
  const auto all = texts(*by, device);
  if (all.empty()) return {""};
  return {all.begin(), all.end()};
}

}  // namespace

Result<std::vector<Group>> stats(const std::vector<const Device*>& devices, const std::optional<Attribute>& by,
                                 const std::optional<Attribute>& of) {
  if (of && (has_texts(of->of().type) || of->of().type == Type::word))
    return Error{Code::invalid, to_text(*of) + " is not a number"};
  std::map<std::string, Gathered> gathered;
  for (const auto* device : devices) {
    for (const auto& value : values(*device, by)) {
      auto& one = gathered[value];
      ++one.devices;
      if (!of) continue;
      if (const double n = number(*of, *device); !std::isnan(n)) one.numbers.push_back(n);
    }
  }
  std::vector<std::pair<std::string, Gathered>> sorted(std::make_move_iterator(gathered.begin()),
                                                       std::make_move_iterator(gathered.end()));
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.second.devices > b.second.devices; });
  for (auto i = groups_max; i < sorted.size(); ++i) {  // the others become the last group
    auto& last = sorted[groups_max - 1];
    last.first = others;
    last.second.devices += sorted[i].second.devices;
    last.second.numbers.insert(last.second.numbers.end(), sorted[i].second.numbers.begin(),
                               sorted[i].second.numbers.end());
  }
  sorted.resize(std::min(sorted.size(), groups_max));
  std::vector<Group> out;
  for (auto& [value, one] : sorted) out.push_back({value, one.devices, distribution(std::move(one.numbers))});
  return out;
}

}  // namespace fieldwork::fleet
