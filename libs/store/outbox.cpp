#include "store/outbox.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace fieldwork::store {
namespace {
constexpr const char* outbox_table = "outbox";
}

Result<void> Outbox::load(Store& store, Time now) {
  auto rows = store.select({.table = outbox_table, .where = {}, .order_by = "", .descending = false, .limit = 0});
  if (!rows) return rows.error();
  for (const auto& text : *rows) {
    const auto row = nlohmann::json::parse(text);
    const auto until_ms = row.at("until_ms").get<std::int64_t>();
    add({row.at("key"), row.at("topic"), row.at("item")}, now, until_ms == 0 ? Time::max() : from_ms(until_ms), true);
  }
  return {};
}

void Outbox::apply(OutboxChange change, Time now, std::vector<Change>& changes) {
  if (auto* command = std::get_if<Command>(&change)) {
    put(std::move(*command), now, changes);
  } else if (const auto* close = std::get_if<Close>(&change)) {
    this->close(close->key, changes);
  } else {
    hasten(std::get<Hasten>(change).topic, now);
  }
}

void Outbox::schedule(Entry& entry, Time due) {
  timeline_.erase({entry.due, entry.turn, entry.command.key});
  entry.due = due;
  entry.turn = ++turns_;
  timeline_.emplace(due, entry.turn, entry.command.key);
}

void Outbox::remove(const std::string& key) {
  const auto it = entries_.find(key);
  if (it == entries_.end()) return;
  timeline_.erase({it->second.due, it->second.turn, key});
  ends_.erase({it->second.until, key});
  if (const auto of = topics_.find(it->second.command.topic); of != topics_.end()) {
    of->second.keys.erase(key);
    if (of->second.keys.empty()) topics_.erase(of);
  }
  entries_.erase(it);
}

void Outbox::add(Command command, Time now, Time until, bool stored) {
  remove(command.key);
  auto& entry = entries_[command.key];
  entry = Entry{std::move(command), now, ++turns_, limits_.first_repeat, until, stored};
  topics_[entry.command.topic].keys.insert(entry.command.key);
  timeline_.emplace(now, entry.turn, entry.command.key);
  if (until != Time::max()) ends_.emplace(until, entry.command.key);
}

void Outbox::put(Command command, Time now, std::vector<Change>& changes) {
  const auto until = command.life == Duration{} ? Time::max() : now + command.life;
  const auto it = entries_.find(command.key);
  // A row that an earlier put stored must go when the command is closed, even if this put stores none.
  const bool stored = command.kept || (it != entries_.end() && it->second.stored);
  if (command.kept) {
    Row row{{"key", command.key},
            {"topic", command.topic},
            {"item", command.item},
            {"until_ms", until == Time::max() ? 0 : to_ms(until)}};
    changes.push_back({outbox_table, command.key, std::move(row), Change::Kind::upsert});
  }
  add(std::move(command), now, until, stored);
}

void Outbox::close(const std::string& key, std::vector<Change>& changes) {
  const auto it = entries_.find(key);
  if (it == entries_.end()) return;
  if (it->second.stored) changes.push_back({outbox_table, key, Row{{"key", key}}, Change::Kind::remove});
  remove(key);
}

void Outbox::expire(Time now, std::vector<Change>& changes) {
  while (!ends_.empty() && ends_.begin()->first <= now) {
    const auto key = ends_.begin()->second;
    close(key, changes);
  }
}

std::vector<Command> Outbox::due(Time now) {
  std::vector<Command> out;
  while (!timeline_.empty() && std::get<0>(*timeline_.begin()) <= now) {
    auto& entry = entries_.at(std::get<2>(*timeline_.begin()));
    out.push_back(entry.command);
    schedule(entry, now + entry.repeat);
    entry.repeat = std::min(entry.repeat * 2, limits_.last_repeat);
  }
  return out;
}

// The reader of `topic` came back. A reader that announces this again and again gets no more than one that announces it
// once.
void Outbox::hasten(const std::string& topic, Time now) {
  const auto it = topics_.find(topic);
  if (it == topics_.end() || (it->second.hastened != Time{} && now - it->second.hastened < limits_.hasten_again))
    return;
  it->second.hastened = now;
  for (const auto& key : it->second.keys) {
    auto& entry = entries_.at(key);
    entry.repeat = limits_.first_repeat;
    schedule(entry, now);
  }
}

void Outbox::hasten_all(Time now) {
  for (auto& [topic, of] : topics_) of.hastened = now;
  for (auto& [key, entry] : entries_) {
    entry.repeat = limits_.first_repeat;
    schedule(entry, now);
  }
}

}  // namespace fieldwork::store
