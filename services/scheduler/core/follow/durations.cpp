#include "scheduler/core/follow/durations.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "base/fnv.hpp"
#include "model/limits.hpp"
#include "scheduler/limits.hpp"

namespace fieldwork::scheduler {
namespace {

// A key that two commands share costs an estimate its worth, and nothing else.
void add_text(std::uint64_t& hash, const std::string& text) {
  hash = fnv1a_64(text, fnv1a_64(std::to_string(text.size()) + ':', hash));
}

std::int64_t median_of(std::vector<std::int64_t> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

constexpr double demand_share = 0.9, demand_margin = 1.15;

// Of the newest ones at most durations_each_max stay.
void push(std::vector<std::int64_t>& values, std::int64_t value) {
  values.push_back(value);
  if (values.size() > durations_each_max) values.erase(values.begin());
}

std::int64_t demand_of(std::vector<std::int64_t> values) {
  const auto at = static_cast<std::ptrdiff_t>(std::ceil(demand_share * static_cast<double>(values.size()))) - 1;
  std::nth_element(values.begin(), values.begin() + at, values.end());
  return static_cast<std::int64_t>(
      std::ceil(demand_margin * static_cast<double>(values[static_cast<std::size_t>(at)])));
}

}  // namespace

DurationKeys duration_keys(const JobRecord& job) {
  auto command = fnv1a_64("c"), made_of = fnv1a_64("t"), program = fnv1a_64("p");
  for (auto* one : {&command, &program}) add_text(*one, job.spec->package);
  for (const auto& word : job.spec->command) add_text(command, word);
  if (!job.spec->command.empty()) add_text(program, job.spec->command.front());
  add_text(made_of, job.made_of);
  return {command, job.made_of.empty() ? 0 : made_of, program};
}

Durations::Durations(std::vector<DurationRecord> saved) {
  for (auto& one : saved) {
    Key key = 0;
    std::from_chars(one.key.data(), one.key.data() + one.key.size(), key);
    if (one.ms.empty() || by_key_.size() >= durations_max) {
      gone_.insert(key);
      continue;
    }
    for (auto* values : {&one.ms, &one.cpu_millis, &one.memory_bytes}) {
      for (auto& value : *values) value = std::clamp(value, std::int64_t{0}, limits::size_bytes_max);
      if (values->size() > durations_each_max)
        values->erase(values->begin(), values->end() - static_cast<std::ptrdiff_t>(durations_each_max));
    }
    const auto median = median_of(one.ms);
    order_.push_back(key);
    by_key_[key] = {std::move(one.ms),           std::move(one.cpu_millis),
                    std::move(one.memory_bytes), median,
                    std::prev(order_.end()),     true};
  }
}

void Durations::add(const DurationKeys& keys, Duration took, const std::optional<Demand>& used) {
  const auto ms = std::max<std::int64_t>(0, std::chrono::duration_cast<milliseconds>(took).count());
  for (const auto key : keys) {
    if (key == 0) continue;
    auto& known = add(key, ms);
    if (!used || key == keys.back()) continue;
    push(known.cpu_millis, used->cpu_millis);
    push(known.memory_bytes, used->memory_bytes);
  }
  while (by_key_.size() > durations_max) {
    const auto oldest = order_.front();
    if (by_key_.at(oldest).saved) gone_.insert(oldest);
    dirty_.erase(oldest);
    by_key_.erase(oldest);
    order_.pop_front();
  }
}

Durations::Known& Durations::add(Key key, std::int64_t ms) {
  const auto [it, fresh] = by_key_.try_emplace(key);
  auto& known = it->second;
  if (fresh) {
    known.place = order_.insert(order_.end(), key);
    known.saved = gone_.erase(key) > 0;
  } else {
    order_.splice(order_.end(), order_, known.place);
  }
  push(known.ms, ms);
  known.median = median_of(known.ms);
  dirty_.insert(key);
  return known;
}

std::optional<Demand> Durations::demand(const DurationKeys& keys) const {
  for (const auto key : {keys[0], keys[1]}) {
    const auto it = by_key_.find(key);
    if (key == 0 || it == by_key_.end() || it->second.cpu_millis.size() < demand_known_min) continue;
    return Demand{demand_of(it->second.cpu_millis), demand_of(it->second.memory_bytes)};
  }
  return std::nullopt;
}

const Durations::Known* Durations::find(const DurationKeys& keys) const {
  for (const auto key : keys) {
    if (const auto it = by_key_.find(key); it != by_key_.end()) return &it->second;
  }
  return nullptr;
}

std::optional<Duration> Durations::expected(const DurationKeys& keys) const {
  const auto* known = find(keys);
  if (known == nullptr) return std::nullopt;
  return milliseconds(known->median);
}

std::optional<Duration> Durations::left(const DurationKeys& keys, Duration since) const {
  const auto* known = find(keys);
  if (known == nullptr) return std::nullopt;
  const auto ms = std::chrono::duration_cast<milliseconds>(since).count();
  std::vector<std::int64_t> longer;
  for (const auto one : known->ms) {
    if (one > ms) longer.push_back(one);
  }
  return milliseconds(longer.empty() ? ms / 4 : median_of(std::move(longer)) - ms);
}

std::vector<DurationRecord> Durations::changed(std::size_t most) {
  std::vector<DurationRecord> out;
  while (!gone_.empty() && out.size() < most / 2)
    out.push_back({.key = std::to_string(gone_.extract(gone_.begin()).value()), .ms = {}, .remove = true});
  while (!dirty_.empty() && out.size() < most) {
    const auto key = dirty_.extract(dirty_.begin()).value();
    auto& known = by_key_.at(key);
    known.saved = true;
    out.push_back({std::to_string(key), known.ms, known.cpu_millis, known.memory_bytes});
  }
  return out;
}

}  // namespace fieldwork::scheduler
