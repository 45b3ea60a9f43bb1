// Topics as a type: the only place with a '/'. See docs/topics.md.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace fieldwork {

// A topic under the root, taken apart. Which levels are there depends on kind:
//   device: name = device, direction = up | down, channel
//   service: name = service, channel = operation, from = client
//   reply: name = client, channel
//   state, event: channel = kind, name = id
struct Topic {
  enum class Kind { device, service, reply, state, event };
  Kind kind = Kind::device;
  std::string_view name{};
  std::string_view direction{};
  std::string_view channel{};
  std::string_view from{};
};

class Topics {
 public:
  explicit Topics(std::string root) : root_(std::move(root)) {}

  [[nodiscard]] std::string up(std::string_view device, std::string_view channel) const;
  [[nodiscard]] std::string down(std::string_view device, std::string_view channel) const;
  [[nodiscard]] std::string service(std::string_view service, std::string_view operation, std::string_view from) const;
  [[nodiscard]] std::string reply(std::string_view client, std::string_view channel) const;
  [[nodiscard]] std::string state(std::string_view kind, std::string_view id) const;
  [[nodiscard]] std::string event(std::string_view kind, std::string_view id) const;
  // Views into `topic`, which must outlive the answer. Empty when it is not one of ours.
  [[nodiscard]] std::optional<Topic> parse(std::string_view topic) const;
  [[nodiscard]] const std::string& root() const { return root_; }

 private:
  std::string root_;
};

// Whether an MQTT filter (with + and #) takes a topic.
[[nodiscard]] bool matches(std::string_view filter, std::string_view topic);

}  // namespace fieldwork
