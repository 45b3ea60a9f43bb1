// Stored contents: their names, how much each party may store, and how long contents without a name stay.
#include <algorithm>

#include "model/limits.hpp"
#include "transfer/core/transfers.hpp"

namespace fieldwork::transfer {

void Transfers::load_contents(Saved& saved) {
  for (auto& content : saved.contents) {
    const auto digest = content.package.digest;
    if (!content.transfer.empty()) brought_[content.transfer] = digest;
    contents_.emplace(digest, std::move(content));
  }
  std::sort(saved.names.begin(), saved.names.end(),
            [](const Name& a, const Name& b) { return std::tie(a.named, a.of) < std::tie(b.named, b.of); });
  for (auto& name : saved.names) {
    const Variant variant{name.of, name.about.architecture};
    if (is_removed(name)) {
      names_.emplace(variant, std::move(name));
      continue;
    }
    const auto it = contents_.find(name.digest);
    if (it == contents_.end()) continue;  // not expected: contents and names are saved together
    auto& package = it->second.package;
    if (package.names.empty()) {
      package.name = name.of.name;
      package.version = name.of.version;
      package.release = name.release;
      package.released_by = name.released_by;
      package.about = name.about;
    }
    package.names.push_back(name.of);
    names_.emplace(variant, std::move(name));
  }
  for (const auto& [digest, content] : contents_) {
    (content.package.names.empty() ? nameless_ : packages_).insert({content.stored, digest});
    count_usage(content, 1);
  }
}

std::optional<Error> Transfers::bad_architecture(const Package& package) const {
  const PackageName of{package.name, package.version};
  const auto& architecture = package.about.architecture;
  std::string others;
  for (auto it = names_.lower_bound({of, ""}); it != names_.end() && it->first.first == of; ++it) {
    const auto& other = it->first.second;
    if (other.empty() != architecture.empty()) others += (others.empty() ? "" : ", ") + other;
    if (other.empty() && !architecture.empty())
      return Error{Code::conflict,
                   package.name + "@" + package.version + (is_removed(it->second) ? " was " : " is already ") +
                       it->second.digest + " for every architecture; release the one for " + architecture +
                       " under another version",
                   "/version"};
  }
  if (others.empty()) return std::nullopt;
  return Error{Code::conflict,
               package.name + "@" + package.version + " is already there for " + others +
                   "; say for which architecture this one is, or release it under another version",
               "/version"};
}

std::optional<Error> Transfers::bad_name(const Package& package) const {
  const auto& architecture = package.about.architecture;
  const auto* known = content(package.digest);
  if (known != nullptr && !known->package.names.empty() && known->package.about != package.about)
    return Error{Code::conflict, "this content was released with another architecture, entry or needs before",
                 "/release"};
  const auto it = names_.find({{package.name, package.version}, architecture});
  if (it != names_.end()) {
    const bool removed = is_removed(it->second);
    if (it->second.digest == package.digest && !removed) return std::nullopt;
    if (it->second.digest != package.digest)
      return Error{Code::conflict,
                   package.name + "@" + package.version + (removed ? " was " : " is already ") + it->second.digest +
                       (architecture.empty() ? "" : " for " + architecture) +
                       "; a version never changes, release this content under another one",
                   "/version"};
  }
  if (auto bad = bad_architecture(package)) return bad;
  if (named({package.name, package.version}).size() >= limits::variants_max)
    return Error{Code::invalid, "this name has " + std::to_string(limits::variants_max) + " architectures already",
                 "/version"};
  if (known != nullptr && known->package.names.size() >= limits_.names_max) {
    return Error{Code::invalid, "this content has " + std::to_string(limits_.names_max) + " names already", "/name"};
  }
  return std::nullopt;
}

// The caller has asked bad_name(). A name that the content has already stays as it is, with its first release.
void Transfers::add_name(Content& content, const Package& package, Time now, Output& out) {
  const PackageName of{package.name, package.version};
  const Variant variant{of, package.about.architecture};
  touch(content, now);
  if (const auto it = names_.find(variant); it != names_.end() && !is_removed(it->second)) return;
  names_.insert_or_assign(
      variant, Name{of, package.digest, package.release, package.released_by, from_ms(to_ms(now)), package.about});
  auto& own = content.package;
  if (own.names.empty()) {
    count_usage(content, -1);
    nameless_.erase({content.stored, own.digest});
    packages_.insert({content.stored, own.digest});
    content.kind = ContentKind::package;
    own.name = of.name;
    own.version = of.version;
    own.release = package.release;
    own.released_by = package.released_by;
    own.about = package.about;
    unsaved_contents_.insert(own.digest);
    plan_ahead(content, out);
  }
  own.names.push_back(of);
  out.names.push_back(names_.at(variant));
  unsaid_packages_.insert(own.digest);
}

Content* Transfers::at_hand(const std::string& digest) {
  const auto it = contents_.find(digest);
  return it == contents_.end() || lost_.contains(digest) ? nullptr : &it->second;
}

// The caller saves the content, or gives it a name, which saves it too.
Content& Transfers::store(const Receiving& receiving, const ContentArrived& arrived, Time now) {
  const auto& digest = receiving.package.digest;
  brought_[receiving.id] = digest;
  if (const auto it = contents_.find(digest); it != contents_.end()) {
    if (lost_.erase(digest) == 0) return it->second;  // another transfer was faster
    it->second.encoding = arrived.encoding;
    it->second.encoded_bytes = arrived.encoded_bytes;
    unsaved_contents_.insert(digest);
    return it->second;
  }
  Content content{.kind = ContentKind::output,
                  .package = {.digest = digest, .size_bytes = receiving.package.size_bytes},
                  .encoding = arrived.encoding,
                  .encoded_bytes = arrived.encoded_bytes,
                  .brought_by = receiving.from,
                  .transfer = receiving.id,
                  .stored = from_ms(to_ms(now))};  // in ms, as the row has it
  count_usage(content, 1);
  nameless_.insert({content.stored, digest});
  return contents_.emplace(digest, std::move(content)).first->second;
}

void Transfers::count_usage(const Content& content, int sign) {
  if (content.brought_by.kind != Party::Kind::device || !content.package.names.empty()) return;
  auto& usage = usage_[content.brought_by.name];
  usage.outputs += static_cast<std::size_t>(sign);  // with sign -1 this wraps back; it never goes below 0
  usage.bytes += sign * content.package.size_bytes;
  if (usage.outputs == 0) usage_.erase(content.brought_by.name);
}

std::optional<std::string> Transfers::over_quota(const Party& device, std::int64_t size_bytes) const {
  if (size_bytes > limits_.content_bytes_max) {
    return "it is larger than the limit of " + std::to_string(limits_.content_bytes_max) + " bytes";
  }
  Usage usage;
  if (const auto it = usage_.find(device.name); it != usage_.end()) usage = it->second;
  for (const auto& [id, receiving] : receivings_) {
    if (receiving.from != device) continue;
    ++usage.outputs;
    usage.bytes += receiving.package.size_bytes;
  }
  if (usage.outputs >= limits_.device_outputs_max) {
    return "this device has stored " + std::to_string(usage.outputs) + " outputs, which is its limit";
  }
  if (usage.bytes + size_bytes > limits_.device_output_bytes_max) {
    return "this device has stored " + std::to_string(usage.bytes) + " bytes of outputs, its limit is " +
           std::to_string(limits_.device_output_bytes_max);
  }
  return std::nullopt;
}

void Transfers::refuse_output(const OutputAnnounced& input, std::string reason, Output& out) {
  remember_refused(input.from, input.digest, "the output was refused: " + reason);
  out.answers.emplace_back(RefuseOutput{input.from, input.digest, std::move(reason)});
}

bool Transfers::remember_refused(const Asker& from, const std::string& digest, std::string why) {
  announced_.erase({from.party, digest});
  auto [it, fresh] = refused_.try_emplace(digest);
  if (it->second == why) return false;
  it->second = std::move(why);
  if (fresh) refused_order_.push_back(digest);
  if (refused_order_.size() > limits_.refused_max) {
    refused_.erase(refused_order_.front());
    refused_order_.pop_front();
  }
  return true;
}

// Drops contents that no name refers to, once they are old. A content that is being sent waits for the next time.
void Transfers::prune(Time now, Output& out) {
  std::set<std::string> sent;
  for (const auto& id : live_) sent.insert(sendings_.at(id).digest);
  std::size_t budget = limits_.prune_max;
  for (auto it = nameless_.begin(); budget > 0 && it != nameless_.end() && now - it->first > limits_.nameless_kept;) {
    const auto digest = it->second;
    if (sent.contains(digest)) {
      ++it;
      continue;
    }
    it = nameless_.erase(it);
    count_usage(contents_.at(digest), -1);
    forget_content(digest, out);
    --budget;
  }
}

// Publishes the packages again one by one, so that each comes round once in packages_again.
void Transfers::say_packages(Time now) {
  if (packages_.empty()) return;
  const auto pause = std::max<Duration>(limits_.packages_again / packages_.size(), Duration(1));
  say_package_at_ = std::clamp(say_package_at_, now - limits_.packages_again, now + pause);
  for (; say_package_at_ <= now; say_package_at_ += pause) {
    auto next = packages_.upper_bound(said_package_);
    if (next == packages_.end()) next = packages_.begin();
    said_package_ = *next;
    unsaid_packages_.insert(next->second);
  }
}

}  // namespace fieldwork::transfer
