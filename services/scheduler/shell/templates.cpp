#include "scheduler/shell/templates.hpp"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "scheduler/limits.hpp"
#include "scheduler/shell/service.hpp"

namespace fieldwork::scheduler {
namespace {

using codec::Json;

Error unknown(const std::string& what) { return {Code::unknown, what + " (fieldwork template ls)", "/template"}; }

store::Row removed_row(const std::string& name, int version, Time now) {
  return {{"name", name},
          {"version", version},
          {"document", store::Value::json("null")},
          {"pushed_by", ""},
          {"pushed_ms", to_ms(now)}};
}

}  // namespace

std::string template_key(const std::string& name, int version) { return name + "@" + std::to_string(version); }

store::Row template_row(const Templates::Stored& one) {
  return {{"name", one.is.name},
          {"version", one.version},
          {"document", store::Value::json(codec::dump(codec::encode(one.is)))},
          {"pushed_by", one.by},
          {"pushed_ms", one.at_ms}};
}

Result<void> Templates::load(store::Store& store) {
  all_.clear();
  highest_.clear();
  bytes_ = 0;
  auto rows = store.select({.table = "template"});
  if (!rows) return rows.error();
  for (const auto& text : *rows) {
    const auto row = Json::parse(text);
    const int version = row.at("version");
    auto& highest = highest_[row.at("name")];
    highest = std::max(highest, version);
    auto read = codec::decode_template(row.at("document"));
    if (!read) continue;  // removed, or of another version of the program: its number is not given out again
    Stored one{std::move(*read), version, row.at("pushed_by"), row.at("pushed_ms")};
    one.bytes = codec::dump(row.at("document")).size();
    bytes_ += one.bytes;
    all_[one.is.name].emplace(version, std::move(one));
  }
  return {};
}

Result<const Templates::Stored*> Templates::find(std::string_view reference) const {
  const auto at = reference.find('@');
  const auto name = reference.substr(0, at);
  const auto it = all_.find(name);
  if (it == all_.end()) return unknown("there is no template " + clamp_text(std::string(name), 128));
  if (at == std::string_view::npos) return &it->second.rbegin()->second;
  const auto text = reference.substr(at + 1);
  int version = 0;
  std::from_chars(text.data(), text.data() + text.size(), version);
  const auto found = it->second.find(version);
  if (found == it->second.end() || std::to_string(version) != text)
    return unknown("the template " + std::string(name) + " has no version " + clamp_text(std::string(text), 16) +
                   "; the newest is " + std::to_string(it->second.rbegin()->first));
  return &found->second;
}

Result<Templates::Changed> Templates::push(codec::Template one, std::optional<int> expects, const std::string& by,
                                           Time now) {
  const auto it = all_.find(one.name);
  const int newest = it == all_.end() ? 0 : it->second.rbegin()->first;
  const auto document = codec::encode(one);
  if (newest > 0 && codec::encode(it->second.rbegin()->second.is) == document)
    return Changed{.now = &it->second.rbegin()->second};  // also a repeat whose answer was lost
  if (expects && *expects != newest)
    return Error{Code::conflict,
                 newest == 0 ? "there is no such template" : "the newest version is " + std::to_string(newest),
                 "/expects"};
  const auto bytes = codec::dump(document).size();
  const bool many = (it == all_.end() && all_.size() >= templates_max) ||
                    (!highest_.contains(one.name) && highest_.size() >= template_names_max);
  if (many || bytes_ + bytes > templates_bytes_max)
    return Error{Code::unavailable, "there are " + std::to_string(all_.size()) + " templates of " +
                                        std::to_string(bytes_ >> 10U) + " KiB already; remove some"};
  auto& highest = highest_[one.name];
  Changed out{.fresh = true};
  if (highest > newest) out.gone.push_back(highest);  // the row that kept the number
  ++highest;
  auto& versions = all_[one.name];
  bytes_ += bytes;
  out.now = &versions.emplace(highest, Stored{std::move(one), highest, by, to_ms(now), bytes}).first->second;
  for (; versions.size() > template_versions_max; versions.erase(versions.begin())) {
    bytes_ -= versions.begin()->second.bytes;
    out.gone.push_back(versions.begin()->first);
  }
  return out;
}

Result<Templates::Changed> Templates::remove(const std::string& name) {
  const auto it = all_.find(name);
  if (it == all_.end()) return unknown("there is no template " + name);
  Changed out;
  for (const auto& [version, one] : it->second) {
    bytes_ -= one.bytes;
    if (version != highest_.at(name)) out.gone.push_back(version);
  }
  out.last = highest_.at(name);
  all_.erase(it);
  return out;
}

// --- requests -----------------------------------------------------------------------------------------------------

// service/scheduler/template: push one, or remove all versions of one.
void SchedulerService::change_template(const bus::Message& message, const Topic& topic, Time now,
                                       runtime::Output& out) {
  auto value = codec::parse(message.payload, limits::template_bytes_max + 4096);
  if (!value) return reject(topic, message, value.error(), now, out);
  codec::Reader reader(*value);
  reader.version();
  const auto* document = reader.object_maybe("template");
  const auto expects = reader.integer_maybe("expects", 0, INT32_MAX);
  const auto name = reader.any_maybe("remove") != nullptr ? reader.id("remove") : "";
  if (reader.ok() && (document == nullptr) == name.empty())
    reader.fail("template", "there must be either a template, or the name of one to remove");
  if (!reader.finish()) return reject(topic, message, reader.error(), now, out);
  auto done = [&]() -> Result<Templates::Changed> {
    if (document == nullptr) return templates_.remove(name);
    auto read = codec::decode_template(*document);
    if (read && scenarios_.job(read->name))
      return Error{Code::conflict, "is the name of a template that comes with Fieldwork", "/template/name"};
    if (read)
      return templates_.push(std::move(*read), expects ? std::optional(static_cast<int>(*expects)) : std::nullopt,
                             std::string(topic.from), now);
    return under("/template", read.error());
  }();
  if (!done) return reject(topic, message, done.error(), now, out);
  const auto& of = done->now != nullptr ? done->now->is.name : name;
  if (done->fresh) out.upsert("template", template_key(of, done->now->version), template_row(*done->now));
  // A number is given out once: the row of the last stays, without a document.
  if (done->last > 0) out.upsert("template", template_key(of, done->last), removed_row(of, done->last, now));
  for (const auto version : done->gone)
    out.remove("template", template_key(of, version), {{"name", of}, {"version", version}});
  Json answer{{"v", 1},
              {"name", of},
              {"state", done->now == nullptr ? "removed"
                        : done->fresh        ? "stored"
                                             : "unchanged"}};
  if (done->now != nullptr) answer["version"] = done->now->version;
  respond(message, answer, out);
}

// service/scheduler/templates: all, or one.
void SchedulerService::show_templates(const bus::Message& message, const Topic& topic, Time now, runtime::Output& out) {
  auto value = codec::parse(message.payload, 4096);
  if (!value) return reject(topic, message, value.error(), now, out);
  codec::Reader reader(*value);
  reader.version();
  const auto asked = reader.text_or("template", "", 160);
  const auto after = reader.text_or("after", "", 128);
  if (!reader.finish()) return reject(topic, message, reader.error(), now, out);
  const auto about = [](const Templates::Stored& one) {
    return Json{{"name", one.is.name},
                {"version", one.version},
                {"description", one.is.description},
                {"pushed_by", one.by},
                {"pushed_ms", one.at_ms}};
  };
  if (!asked.empty()) {
    if (const auto shipped = scenarios_.job(asked)) {
      auto answer = about({*shipped->is, 1, shipped->of->name, 0});
      answer["v"] = 1;
      answer["versions"] = {1};
      answer["template"] = codec::encode(*shipped->is);
      return respond(message, answer, out);
    }
    const auto found = templates_.find(asked);
    if (!found) return reject(topic, message, found.error(), now, out);
    auto answer = about(**found);
    answer["v"] = 1;
    answer["template"] = codec::encode((*found)->is);
    for (const auto& [version, one] : templates_.all().at((*found)->is.name)) answer["versions"].push_back(version);
    return respond(message, answer, out);
  }
  Json items = Json::array();
  Json answer{{"v", 1}};
  for (auto it = templates_.all().upper_bound(after); it != templates_.all().end(); ++it) {
    if (items.size() == templates_page_max) {
      answer["next"] = std::prev(it)->first;
      break;
    }
    items.push_back(about(it->second.rbegin()->second));
  }
  answer["items"] = std::move(items);
  respond(message, answer, out);
}

}  // namespace fieldwork::scheduler
