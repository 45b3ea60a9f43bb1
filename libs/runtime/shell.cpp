#include "runtime/shell.hpp"

#include <nlohmann/json.hpp>

#include "base/id.hpp"
#include "codec/device.hpp"
#include "model/key_text.hpp"
#include "runtime/log.hpp"

namespace fieldwork::runtime {

void ShellBase::reject(const Topic& topic, const bus::Message& message, const Error& error, Time now, Output& out) {
  const bool device = topic.kind == Topic::Kind::device;
  const auto from = topic.from.empty() ? topic.name : topic.from;
  rejections_.note(std::string(topic.channel), std::string(from), error, now);
  if (device) return say_rejected(topic.name, topic.channel, error, out);
  if (topic.kind == Topic::Kind::service) respond(message, codec::dump(codec::encode_error(error)), out);
}

void ShellBase::respond(const bus::Message& message, std::string payload, Output& out) const {
  const auto asked = topics_.parse(message.topic);
  if (!asked || !topics_.reply_to(*asked, message.response_topic, message.correlation)) return;
  out.messages.push_back(
      {.topic = message.response_topic, .payload = std::move(payload), .correlation = message.correlation});
}

void ShellBase::say_rejected(std::string_view device, std::string_view channel, const Error& error, Output& out) const {
  if (!is_id(device)) return;
  const codec::Rejected rejected{std::string(channel), error.path, error.reason};
  out.messages.push_back({.topic = topics_.down(device, "rejected"), .payload = codec::encode(rejected)});
}

std::string ShellBase::key_text(const AttemptKey& key) { return fieldwork::key_text(key); }

void ShellBase::say_retained(std::string topic, std::string payload, Output& out) const {
  out.messages.push_back({.topic = std::move(topic), .payload = std::move(payload), .retain = true});
}

void ShellBase::note_stall(Duration lasted) {
  log::warn("stood still; everyone in contact has the full time again",
            {{"ms", std::to_string(std::chrono::duration_cast<milliseconds>(lasted).count())}});
}

}  // namespace fieldwork::runtime
