#include "topic/topic.hpp"

#include <array>

#include "base/id.hpp"

namespace fieldwork {
namespace {

std::string join(const std::string& root, std::initializer_list<std::string_view> levels) {
  std::string out = root;
  for (const auto level : levels) {
    out += '/';
    out += level;
  }
  return out;
}

constexpr std::string_view client_prefix = "cli-";

}  // namespace

std::string Topics::up(std::string_view device, std::string_view channel) const {
  return join(root_, {"device", device, "up", channel});
}
std::string Topics::down(std::string_view device, std::string_view channel) const {
  return join(root_, {"device", device, "down", channel});
}
std::string Topics::service(std::string_view service, std::string_view operation, std::string_view from) const {
  return join(root_, {"service", service, operation, from});
}
std::string Topics::reply(std::string_view client, std::string_view channel) const {
  return join(root_, {"reply", client, channel});
}
std::string Topics::state(std::string_view kind, std::string_view id) const { return join(root_, {"state", kind, id}); }
std::string Topics::event(std::string_view kind, std::string_view id) const { return join(root_, {"event", kind, id}); }

std::string Topics::content(std::string_view id, std::string_view channel) const {
  return join(root_, {"content", id, channel});
}

std::optional<Topic> Topics::parse(std::string_view topic) const {
  if (topic.size() <= root_.size() || !topic.starts_with(root_) || topic[root_.size()] != '/') return std::nullopt;
  topic.remove_prefix(root_.size() + 1);
  std::array<std::string_view, 4> level;
  std::size_t count = 0;
  while (true) {
    if (count == level.size()) return std::nullopt;
    const auto slash = topic.find('/');
    level[count] = topic.substr(0, slash);
    if (!is_id(level[count++])) return std::nullopt;
    if (slash == std::string_view::npos) break;
    topic.remove_prefix(slash + 1);
  }
  using Kind = Topic::Kind;
  if (level[0] == "device" && count == 4 && (level[2] == "up" || level[2] == "down")) {
    return Topic{.kind = Kind::device, .name = level[1], .direction = level[2], .channel = level[3]};
  }
  if (level[0] == "service" && count == 4) {
    return Topic{.kind = Kind::service, .name = level[1], .channel = level[2], .from = level[3]};
  }
  if (count != 3) return std::nullopt;
  if (level[0] == "reply") return Topic{.kind = Kind::reply, .name = level[1], .channel = level[2]};
  if (level[0] == "state") return Topic{.kind = Kind::state, .name = level[2], .channel = level[1]};
  if (level[0] == "event") return Topic{.kind = Kind::event, .name = level[2], .channel = level[1]};
  if (level[0] == "content") return Topic{.kind = Kind::content, .name = level[1], .channel = level[2]};
  return std::nullopt;
}

std::optional<Topic> Topics::reply_to(const Topic& asked, std::string_view response_topic,
                                      std::string_view correlation) const {
  if (correlation.size() > correlation_bytes_max) return std::nullopt;
  auto topic = parse(response_topic);
  if (!topic || topic->kind != Topic::Kind::reply) return std::nullopt;
  const auto owner = client_owner(topic->name);
  if (!owner.empty() && owner != asked.from) return std::nullopt;
  return topic;
}

std::string client_id(std::string_view name, std::string_view unique) {
  auto whole = std::string(client_prefix).append(name).append("-").append(unique);
  return is_id(whole) ? whole : std::string(client_prefix).append(unique);
}

// Searched from the end: the name may have '-' in it, the unique part has none.
std::string_view client_owner(std::string_view client) {
  if (!client.starts_with(client_prefix)) return {};
  client.remove_prefix(client_prefix.size());
  const auto end = client.rfind('-');
  return end == std::string_view::npos ? std::string_view() : client.substr(0, end);
}

std::string topic_kind(std::string_view topic) {
  std::array<std::string_view, 4> last;  // the last levels, in order
  std::size_t count = 0;
  while (count < last.size()) {
    const auto slash = topic.rfind('/');
    last[last.size() - ++count] = slash == std::string_view::npos ? topic : topic.substr(slash + 1);
    if (slash == std::string_view::npos) break;
    topic = topic.substr(0, slash);
  }
  const auto text = [](std::initializer_list<std::string_view> levels) { return join("", levels).substr(1); };
  if (count == 4 && last[0] == "device") return text({last[0], "+", last[2], last[3]});
  if (count == 4 && last[0] == "service") return text({last[0], last[1], last[2], "+"});
  if (count >= 3 && last[1] == "reply") return text({last[1], "+", last[3]});
  if (count >= 3 && (last[1] == "state" || last[1] == "event")) return text({last[1], last[2], "+"});
  if (count >= 3 && last[1] == "content") return text({last[1], "+", last[3]});
  return "other";
}

bool matches(std::string_view filter, std::string_view topic) {
  while (true) {
    const auto f = filter.find('/');
    const auto t = topic.find('/');
    const auto want = filter.substr(0, f);
    if (want == "#") return true;
    if (want != "+" && want != topic.substr(0, t)) return false;
    if (f == std::string_view::npos || t == std::string_view::npos) {
      return f == t || (t == std::string_view::npos && filter.substr(f + 1) == "#");
    }
    filter.remove_prefix(f + 1);
    topic.remove_prefix(t + 1);
  }
}

}  // namespace fieldwork
