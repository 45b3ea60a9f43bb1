#include "store/outbox.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace fieldwork::store {
namespace {
constexpr const char* table = "outbox";
}

Result<void> Outbox::load(Store& store, Time now) {
  auto rows = store.select({.table = table, .where = {}, .order_by = "", .descending = false, .limit = 0});
  if (!rows) return rows.error();
  for (const auto& text : *rows) {
    const auto row = nlohmann::json::parse(text);
    Command command{row.at("key"), row.at("topic"), row.at("item")};
    auto& entry = entries_[command.key];
    entry = Entry{std::move(command), now, limits_.first_repeat};
    schedule(entry.command.key, entry, now);
  }
  return {};
}

void Outbox::schedule(const std::string& key, Entry& entry, Time due) {
  entry.due = due;
  timeline_.emplace(due, key);
}

void Outbox::put(Command command, Time now, std::vector<Change>& changes) {
  nlohmann::json row{{"key", command.key}, {"topic", command.topic}, {"item", command.item}};
  changes.push_back({table, command.key, row.dump(), Change::Kind::upsert});
  auto& entry = entries_[command.key];
  entry = Entry{std::move(command), now, limits_.first_repeat};
  schedule(entry.command.key, entry, now);
}

void Outbox::settle(const std::string& key, std::vector<Change>& changes) {
  if (entries_.erase(key) == 0) return;
  changes.push_back({table, key, nlohmann::json{{"key", key}}.dump(), Change::Kind::remove});
}

std::vector<Command> Outbox::due(Time now) {
  std::vector<Command> out;
  while (!timeline_.empty() && timeline_.begin()->first <= now) {
    const auto when = timeline_.begin()->first;
    const std::string key = std::move(timeline_.begin()->second);
    timeline_.erase(timeline_.begin());
    const auto it = entries_.find(key);
    if (it == entries_.end() || it->second.due != when) continue;
    out.push_back(it->second.command);
    schedule(key, it->second, now + it->second.repeat);
    it->second.repeat = std::min(it->second.repeat * 2, limits_.last_repeat);
  }
  return out;
}

void Outbox::hasten(const std::string& topic, Time now) {
  for (auto& [key, entry] : entries_) {
    if (entry.command.topic != topic) continue;
    entry.repeat = limits_.first_repeat;
    schedule(key, entry, now);
  }
}

void Outbox::hasten_all(Time now) {
  timeline_.clear();
  for (auto& [key, entry] : entries_) {
    entry.repeat = limits_.first_repeat;
    schedule(key, entry, now);
  }
}

}  // namespace fieldwork::store
