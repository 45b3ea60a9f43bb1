#include "runtime/replies.hpp"

#include <nlohmann/json.hpp>
#include <utility>

#include "model/items.hpp"
#include "model/limits.hpp"

namespace fieldwork::runtime {

Replies::Reply Replies::open(const bus::Message& asked) {
  return add({.topic = asked.response_topic, .correlation = asked.correlation, .single = true, .requests = {""}});
}

Replies::Reply Replies::open(const bus::Message& asked, std::vector<std::string> requests) {
  Waiting waiting{.topic = asked.response_topic, .correlation = asked.correlation};
  waiting.requests.assign(std::make_move_iterator(requests.begin()), std::make_move_iterator(requests.end()));
  return add(std::move(waiting));
}

Replies::Reply Replies::add(Waiting waiting) {
  const auto first = next_;
  waiting.open = waiting.requests.size();
  waiting.bytes = waiting.topic.size() + waiting.correlation.size();
  for (const auto& request : waiting.requests) waiting.bytes += sizeof(request) + request->size();
  next_ += waiting.open;
  bytes_ += waiting.bytes;
  waiting_.emplace(first, std::move(waiting));
  // The new request itself is never forgotten: it is just being answered.
  while (waiting_.size() > 1 && (waiting_.size() > waiting_max_ || bytes_ > bytes_max_)) forget(waiting_.begin());
  return first;
}

std::optional<std::pair<Replies::Place, std::string>> Replies::take(Reply reply) {
  auto at = waiting_.upper_bound(reply);
  if (at == waiting_.begin()) return std::nullopt;
  --at;
  const auto index = reply - at->first;
  if (index >= at->second.requests.size() || !at->second.requests[index]) return std::nullopt;
  --at->second.open;
  return std::pair{at, std::move(*std::exchange(at->second.requests[index], std::nullopt))};
}

std::optional<bus::Message> Replies::answer(Reply reply, codec::Json item) {
  auto taken = take(reply);
  if (!taken) return std::nullopt;
  auto& [at, request] = *taken;
  auto& waiting = at->second;
  if (waiting.single) {
    item["v"] = 1;
  } else {
    item.erase("v");
    if (!request.empty()) item["request"] = request;
  }
  waiting.items.push_back(codec::dump(item));
  waiting.bytes += waiting.items.back().size();
  bytes_ += waiting.items.back().size();
  return finish(at);
}

std::optional<bus::Message> Replies::leave(Reply reply) {
  auto taken = take(reply);
  if (!taken) return std::nullopt;
  return finish(taken->first);
}

std::optional<bus::Message> Replies::finish(Place at) {
  auto& waiting = at->second;
  if (waiting.open > 0) return std::nullopt;
  std::optional<bus::Message> out;
  if (!waiting.items.empty() && !waiting.topic.empty()) {
    // One message, whatever its size: the request bounds the number of its items.
    auto payload = waiting.single ? std::move(waiting.items.front())
                                  : std::move(pack_items(waiting.items, limits::message_bytes_max).front());
    out = bus::Message{
        .topic = waiting.topic, .payload = std::move(payload), .correlation = std::move(waiting.correlation)};
  }
  forget(at);
  return out;
}

void Replies::forget(Place at) {
  bytes_ -= at->second.bytes;
  waiting_.erase(at);
}

}  // namespace fieldwork::runtime
