// Packages that transfer removes: who needs one, and that it is gone.
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "codec/uses.hpp"
#include "crypto/digest.hpp"
#include "model/limits.hpp"
#include "scheduler/shell/service.hpp"

namespace fieldwork::scheduler {

void SchedulerService::package_gone(const Topic& topic, Time now, runtime::Output& out) {
  const auto digest = "sha256:" + std::string(topic.name);
  if (!core_->knows_package(digest)) return;
  out.remove("package", digest, {{"digest", digest}});
  step(PackageGone{digest}, now);
}

namespace {

// What a template names: its package, or what its parameters may say instead.
std::vector<std::string> named_by(const codec::Template& one) {
  std::vector<std::string> out;
  const auto add = [&](const codec::Json& value) {
    if (value.is_string()) out.push_back(value.get<std::string>());
  };
  if (const auto it = one.job.find("package"); it != one.job.end()) add(*it);
  for (const auto& parameter : one.parameters) {
    add(parameter.value);
    for (const auto& value : parameter.values) add(value);
  }
  return out;
}

}  // namespace

// Who names one variant of a package needs all: devices of other architectures get theirs.
std::vector<PackageUse> SchedulerService::uses_of(const std::vector<std::string>& digests) const {
  std::vector<PackageUse> out;
  std::unordered_map<std::string, std::vector<std::size_t>> asked;  // what may be named -> where it is in `out`
  for (const auto& digest : digests) {
    for (const auto& one : core_->fleet().named_alike(digest)) asked[one].push_back(out.size());
    out.push_back({digest, {}});
  }
  const auto note = [&](const std::string& digest, const auto& user) {
    const auto it = asked.find(digest);
    if (it == asked.end()) return;
    for (const auto at : it->second) {
      auto& users = out[at].users;
      if (users.size() >= limits::package_users_max) continue;
      if (auto text = user(); users.empty() || users.back() != text) users.push_back(std::move(text));
    }
  };
  for (const auto& one : core_->jobs()) {
    const auto& job = one.second;
    if (!settled(job.state)) note(job.spec->package, [&] { return "job " + one.first.value; });
  }
  for (const auto& named : templates_.all()) {
    for (const auto& one : named.second) {
      for (const auto& digest : named_by(one.second.is))
        note(digest, [&] { return "template " + template_key(named.first, one.first); });
    }
  }
  return out;
}

// Answered after the commit, from what is stored by then.
void SchedulerService::uses(const Topic& topic, const bus::Message& message, Time now, runtime::Output& out) {
  auto question = codec::decode_uses_question(message.payload);
  if (topic.from != "transfer") question = Error{Code::denied, "only transfer asks for uses"};
  if (!question) return rejections_.note("uses", std::string(topic.from), question.error(), now);
  out.messages.push_back({.topic = topics_.service("transfer", "used", "scheduler"),
                          .payload = codec::encode(codec::UsesAnswer{question->question, uses_of(question->digests)})});
}

}  // namespace fieldwork::scheduler
