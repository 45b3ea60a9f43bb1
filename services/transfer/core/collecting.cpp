// Packages that nothing needs: which ones the rule collects, what the scheduler is asked before, and how one goes.
#include <algorithm>

#include "model/limits.hpp"
#include "transfer/core/transfers.hpp"
#include "transfer/limits.hpp"

namespace fieldwork::transfer {
namespace {

constexpr Duration used_every = std::chrono::hours(1);  // between two saves of when a package was used
constexpr Duration answer_within = seconds(5);          // of the scheduler, while an operator waits
constexpr Duration lately = std::chrono::minutes(10);   // a removal asked for twice is the same removal
constexpr Duration day = std::chrono::hours(24);

std::string joined(const std::vector<std::string>& all) {
  std::string out;
  for (const auto& one : all) out += (out.empty() ? "" : ", ") + one;
  return out;
}

std::string text_of(const PackageName& of) { return of.name + "@" + of.version; }

}  // namespace

void Transfers::touch(Content& content, Time now) {
  if (now - content.used < used_every) return;
  content.used = from_ms(to_ms(now));
  unsaved_contents_.insert(content.package.digest);
}

std::map<std::string, std::vector<std::string>> Transfers::in_use() const {
  std::map<std::string, std::vector<std::string>> out;
  const auto note = [&](const std::string& digest, std::string user) {
    auto& users = out[digest];
    if (users.size() < limits::package_users_max) users.push_back(std::move(user));
  };
  for (const auto& id : live_) {
    const auto& sending = sendings_.at(id);
    const auto user = "transfer " + id.value + " to " + sending.to.name;
    note(sending.digest, user);
    const auto* encoding = encodings_.find(sending.offer.envelope.content);
    if (encoding != nullptr && !encoding->encoded.encoding.base.empty()) note(encoding->encoded.encoding.base, user);
  }
  for (const auto& [id, receiving] : receivings_)
    note(receiving.package.digest, "transfer " + id.value + " from " + receiving.from.name);
  for (const auto& [making, waiters] : making_) {
    note(making.digest, "an encoding of it that is being made");
    if (!making.encoding.base.empty()) note(making.encoding.base, "a patch against it that is being made");
  }
  for (const auto& [key, stage] : stages_.all()) {
    if (is_live(stage)) note(stage.digest, "stage on " + stage.device);
  }
  return out;
}

std::set<PackageName> Transfers::newest_versions() const {
  std::set<PackageName> out;
  for (auto it = names_.begin(); it != names_.end();) {
    const auto& name = it->second.of.name;
    std::map<std::string, Time> named;
    for (; it != names_.end() && it->second.of.name == name; ++it) {
      if (is_removed(it->second)) continue;
      auto& at = named[it->second.of.version];
      at = std::max(at, it->second.named);
    }
    std::vector<std::pair<Time, std::string>> newest;
    for (const auto& [version, at] : named) newest.emplace_back(at, version);
    std::sort(newest.rbegin(), newest.rend());
    newest.resize(std::min(newest.size(), limits_.package_versions_kept));
    for (const auto& [at, version] : newest) out.insert({name, version});
  }
  return out;
}

// The time of last use is up to used_every too early. What is used keeps the other variants of its names, too.
std::set<std::string> Transfers::unused_packages(Time now) const {
  std::set<std::string> out;
  if (limits_.package_versions_kept == 0) return out;
  auto kept = newest_versions();
  const auto busy = in_use();
  std::vector<const Content*> idle;
  for (const auto& [stored, digest] : packages_) {
    const auto& content = contents_.at(digest);
    const auto& names = content.package.names;
    if (now - content.used < limits_.package_unused + used_every || busy.contains(digest)) {
      kept.insert(names.begin(), names.end());
    } else {
      idle.push_back(&content);
    }
  }
  for (const auto* content : idle) {
    const auto& names = content->package.names;
    if (std::none_of(names.begin(), names.end(), [&](const auto& of) { return kept.contains(of); }))
      out.insert(content->package.digest);
  }
  return out;
}

std::vector<const Content*> Transfers::unused(const std::optional<Place>& after, std::size_t count_max,
                                              Time now) const {
  const auto digests = unused_packages(now);
  auto out = packages(after, packages_.size());
  std::erase_if(out, [&](const Content* one) { return !digests.contains(one->package.digest); });
  if (out.size() > count_max) out.resize(count_max);
  return out;
}

std::int64_t Transfers::next_question(Time now) { return question_ = std::max(question_ + 1, to_ms(now)); }

// Asks the scheduler about the next of those that the rule would collect. What was asked before and not answered is
// asked again in its turn: an answer to the old question counts no more.
void Transfers::collect(Time now, Output& out) {
  if (now < collect_at_) return;
  collect_at_ = now + limits_.collect_every;
  forget_names(now, out);
  say_removed(now);
  asked_.clear();
  const auto unused = unused_packages(now);
  if (unused.empty()) return;
  rule_asked_ = next_question(now);
  AskUses question{rule_asked_, {}};
  const auto count = std::min(unused.size(), limits::package_uses_max);
  auto it = unused.upper_bound(asked_last_);
  for (std::size_t i = 0; i < count; ++i, ++it) {
    if (it == unused.end()) it = unused.begin();
    asked_last_ = *it;
    asked_.insert(*it);
    question.digests.push_back(*it);
  }
  out.uses.push_back(std::move(question));
}

void Transfers::collect_unneeded(const UsesSaid& said, Time now, Output& out) {
  const auto unused = unused_packages(now);
  for (const auto& item : said.items) {
    if (asked_.erase(item.digest) == 0) continue;  // it came twice
    if (!item.users.empty() || !unused.contains(item.digest)) continue;
    const auto days = std::to_string(limits_.package_unused / day);
    remove(item.digest, "rule",
           "not among the newest " + std::to_string(limits_.package_versions_kept) + " versions, and not wanted for " +
               days + " days",
           now, out);
  }
}

void Transfers::on(const UsesSaid& input, Time now, Output& out) {
  if (input.question == rule_asked_) return collect_unneeded(input, now, out);
  const auto it = removals_.find(input.question);
  if (it == removals_.end()) return;  // it came twice, or late
  std::vector<std::string> users;
  for (const auto& digest : it->second.digests) {
    const auto item = std::find_if(input.items.begin(), input.items.end(),
                                   [&](const PackageUse& one) { return one.digest == digest; });
    if (item == input.items.end()) return;
    for (const auto& user : item->users) {
      if (std::find(users.begin(), users.end(), user) == users.end()) users.push_back(user);
    }
  }
  const auto removal = std::move(it->second);
  removals_.erase(it);
  finish(removal, std::move(users), now, out);
}

std::vector<std::string> Transfers::meant(const RemovalAsked& input) const {
  std::vector<std::string> out;
  const auto all = input.digest.empty() ? named(input.of) : std::vector{content(input.digest)};
  for (const auto* one : all) {
    if (one == nullptr || one->kind != ContentKind::package) continue;
    if (input.architecture.empty() || one->package.about.architecture == input.architecture)
      out.push_back(one->package.digest);
  }
  return out;
}

void Transfers::on(const RemovalAsked& input, Time now, Output& out) {
  auto digests = meant(input);
  if (digests.empty()) {
    auto answer = removed_as(input.from, now - lately, [&](const Name& name) {
      if (!input.digest.empty()) return name.digest == input.digest;
      return name.of == input.of && (input.architecture.empty() || name.about.architecture == input.architecture);
    });
    if (!answer.names.empty()) return void(out.answers.emplace_back(std::move(answer)));
    const Error unknown{Code::unknown,
                        "no such package" + (input.architecture.empty() ? "" : " for " + input.architecture),
                        input.digest.empty() ? "/name" : "/digest"};
    return void(out.answers.emplace_back(Reject{input.from, unknown}));
  }
  auto it =
      std::find_if(removals_.begin(), removals_.end(), [&](const auto& one) { return one.second.digests == digests; });
  if (it == removals_.end() && removals_.size() >= removals_max) {
    const Error full{Code::unavailable, "too many removals at once; try again later"};
    return void(out.answers.emplace_back(Reject{input.from, full}));
  }
  if (it == removals_.end()) {
    auto what = text_of(input.digest.empty() ? input.of : content(input.digest)->package.names.front());
    it = removals_.emplace(next_question(now), Removal{{}, std::move(what), std::move(digests), now}).first;
  }
  auto& by = it->second.by;
  if (std::find(by.begin(), by.end(), input.from) == by.end() && by.size() < removal_askers_max)
    by.push_back(input.from);
  out.uses.push_back({it->first, it->second.digests});
}

void Transfers::finish(const Removal& removal, std::vector<std::string> users, Time now, Output& out) {
  const auto busy = in_use();
  for (const auto& digest : removal.digests) {
    if (const auto here = busy.find(digest); here != busy.end())
      users.insert(users.end(), here->second.begin(), here->second.end());
  }
  if (!users.empty()) {
    const Error needed{Code::conflict, removal.what + " is needed by " + joined(users)};
    for (const auto& one : removal.by) out.answers.emplace_back(Reject{one, needed});
    return;
  }
  const std::set<std::string> digests(removal.digests.begin(), removal.digests.end());
  for (const auto& digest : digests) {
    const auto* content = this->content(digest);
    if (content != nullptr && content->kind == ContentKind::package)
      remove(digest, "operator", "removed by " + removal.by.front().party.name, now, out);
  }
  for (const auto& one : removal.by) {
    out.answers.emplace_back(
        removed_as(one, now - lately, [&](const Name& name) { return digests.contains(name.digest); }));
  }
}

// Without the scheduler's word nothing is removed.
void Transfers::end_asking(Time now, Output& out) {
  for (auto it = removals_.begin(); it != removals_.end();) {
    if (now - it->second.at < answer_within) {
      ++it;
      continue;
    }
    const Error nobody{Code::unavailable,
                       "the scheduler does not say whether jobs need it; is it up? Nothing was removed"};
    for (const auto& one : it->second.by) out.answers.emplace_back(Reject{one, nobody});
    it = removals_.erase(it);
  }
}

// The caller has seen that it is not in use. Its names stay this content's.
void Transfers::remove(const std::string& digest, std::string by, std::string reason, Time now, Output& out) {
  const auto& content = contents_.at(digest);
  for (const auto& of : content.package.names) {
    auto& name = names_.at({of, content.package.about.architecture});
    name.removed = from_ms(to_ms(now));
    out.names.push_back(name);
  }
  out.removed_packages.push_back({content.package, std::move(by), std::move(reason)});
  packages_.erase({content.stored, digest});
  unsaid_packages_.insert(digest);
  forget_content(digest, out);
}

void Transfers::forget_content(const std::string& digest, Output& out) {
  std::erase_if(brought_, [&](const auto& one) { return one.second == digest; });
  contents_.erase(digest);
  lost_.erase(digest);
  unsaved_contents_.insert(digest);
  for (auto& one : encodings_.forget(digest)) out.work.emplace_back(RemoveEncoding{std::move(one)});
  out.work.emplace_back(RemoveContent{digest});
}

template <class Is>
AnswerRemoved Transfers::removed_as(const Asker& to, Time since, Is is) const {
  AnswerRemoved out{to, {}, {}};
  for (const auto& [of, name] : names_) {
    if (!is_removed(name) || name.removed < since || !is(name)) continue;
    if (std::find(out.digests.begin(), out.digests.end(), name.digest) == out.digests.end())
      out.digests.push_back(name.digest);
    if (out.names.empty() || out.names.back() != name.of) out.names.push_back(name.of);
  }
  return out;
}

// Whoever was away when the state was cleared hears it again.
void Transfers::say_removed(Time now) {
  std::set<std::string> digests;
  for (const auto& [of, name] : names_) {
    if (is_removed(name) && now - name.removed <= limits_.removed_again) digests.insert(name.digest);
  }
  for (const auto& digest : digests) packages_to_say_.push_back(digest);
}

void Transfers::forget_names(Time now, Output& out) {
  for (auto it = names_.begin(); it != names_.end() && out.dropped_names.size() < limits_.prune_max;) {
    const auto& name = it->second;
    if (!is_removed(name) || now - name.removed <= limits_.removed_kept) {
      ++it;
      continue;
    }
    out.dropped_names.push_back(name);
    it = names_.erase(it);
  }
}

}  // namespace fieldwork::transfer
