// Removing packages: the request of an operator, and what is asked of the scheduler before.
#include <nlohmann/json.hpp>

#include "codec/transfer.hpp"
#include "codec/uses.hpp"
#include "model/limits.hpp"
#include "runtime/log.hpp"
#include "runtime/metrics.hpp"
#include "transfer/shell/service.hpp"

namespace fieldwork::transfer {

Result<void> TransferService::remove(const Asker& from, std::string_view payload, Time now) {
  auto value = codec::parse(payload);
  if (!value) return value.error();
  codec::Reader reader(*value);
  reader.version();
  const bool by_name = value->is_object() && value->contains("name");
  RemovalAsked asked{.from = from};
  if (by_name) {
    asked.of = {reader.text("name", 128), reader.text("version", 128)};
    asked.architecture = architecture_named(reader.text_or("architecture", "", limits::architecture_bytes_max));
  } else {
    asked.digest = reader.digest("digest");
  }
  if (!reader.finish()) return reader.error();
  step(std::move(asked), now);
  return {};
}

void TransferService::used(const Topic& topic, const bus::Message& message, Time now) {
  auto answer = codec::decode_uses_answer(message.payload);
  if (topic.from != "scheduler") answer = Error{Code::denied, "only the scheduler says what jobs need"};
  if (message.retain) answer = Error{Code::invalid, "an answer is not retained"};
  if (!answer) return rejections_.note("used", std::string(topic.from), answer.error(), now);
  step(UsesSaid{answer->question, std::move(answer->items)}, now);
}

void TransferService::ask(const AskUses& question, runtime::Output& out) const {
  out.messages.push_back({.topic = topics_.service("scheduler", "uses", "transfer"),
                          .payload = codec::encode(codec::UsesQuestion{question.question, question.digests})});
}

void TransferService::say_removed(const RemovedPackage& removed) {
  const auto& package = removed.package;
  log::info("package removed", {{"package", package.name + "@" + package.version},
                                {"digest", package.digest},
                                {"names", std::to_string(package.names.size())},
                                {"reason", removed.reason}});
  metrics::count("fieldwork_packages_removed_total", {{"by", removed.by}});
}

void TransferService::say(const AnswerRemoved& answer, Time, runtime::Output& out) {
  auto names = codec::Json::array();
  for (const auto& of : answer.names) names.push_back({{"name", of.name}, {"version", of.version}});
  this->answer(answer.to, {{"v", 1}, {"state", "removed"}, {"digests", answer.digests}, {"names", std::move(names)}},
               out);
}

}  // namespace fieldwork::transfer
