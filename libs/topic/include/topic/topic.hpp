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
//   content: name = content id, channel
struct Topic {
  enum class Kind { device, service, reply, state, event, content };
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
  [[nodiscard]] std::string content(std::string_view id, std::string_view channel) const;
  // The levels of `topic`, as views into it: `topic` must outlive them. Empty when the topic is not one of ours: it
  // lies below another root, has another shape, or one of its levels is not an id (base/id.hpp), as a wildcard is not.
  // Every topic that comes from outside is parsed here.
  [[nodiscard]] std::optional<Topic> parse(std::string_view topic) const;
  // The topic to which the answer to a message on `asked` may go. No broker checks a response topic: the asker may name
  // a wildcard, and publishing to it would cut us off; or somebody else's topic. Empty (do not answer) when
  // `response_topic` is not reply/{client}/{channel} below this root, when its client id names another owner than the
  // asker (client_owner), or when the correlation data is larger than a question of ours needs. Views, as in parse().
  [[nodiscard]] std::optional<Topic> reply_to(const Topic& asked, std::string_view response_topic,
                                              std::string_view correlation) const;
  static constexpr std::size_t correlation_bytes_max = 256;
  [[nodiscard]] const std::string& root() const { return root_; }

 private:
  std::string root_;
};

// The client id of one of many connections of `name`: cli-{name}-{unique}. `unique` is an id without '-'. Where that is
// too long for a level of a topic, the client id is cli-{unique}, which names no owner. Nobody's name begins with cli-
// (scripts/pki).
[[nodiscard]] std::string client_id(std::string_view name, std::string_view unique);
// The name in a client id of the form cli-{name}-{unique}. Empty: the client id names no owner. A view into `client`.
[[nodiscard]] std::string_view client_owner(std::string_view client);

// A topic with its ids as "+" and without its root, for logs and labels: there are few, whatever the ids are. "other"
// for a topic of none of our shapes.
[[nodiscard]] std::string topic_kind(std::string_view topic);

// Whether an MQTT filter (with + and #) takes a topic.
[[nodiscard]] bool matches(std::string_view filter, std::string_view topic);

}  // namespace fieldwork
