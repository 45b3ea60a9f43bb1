// Requests that wait for answers which the core gives later. The answers to the items of one request travel together,
// in one message, when the last of them is there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bus/bus.hpp"
#include "codec/json.hpp"

namespace fieldwork::runtime {

class Replies {
 public:
  using Reply = std::uint64_t;  // never 0

  // Beyond either bound the request that has waited longest gets no answer; its asker asks again.
  explicit Replies(std::size_t waiting_max = 10'000, std::size_t bytes_max = 16U << 20)
      : waiting_max_(waiting_max), bytes_max_(bytes_max) {}

  // Opens a request with one answer: the message is the item itself.
  Reply open(const bus::Message& asked);
  // Opens one reply for each of `requests` (ids): the message is {"v":1,"items":[…]}, each item with its id. The
  // replies have consecutive numbers, from the returned one on. An empty id is left out.
  Reply open(const bus::Message& asked, std::vector<std::string> requests);

  // Answers one item. Returns the message to publish, once no item of its request is open any more. A reply that nobody
  // waits for is ignored.
  [[nodiscard]] std::optional<bus::Message> answer(Reply reply, codec::Json item);
  // Closes one item without an answer. If no item of the request has an answer, nothing is published.
  [[nodiscard]] std::optional<bus::Message> leave(Reply reply);

  [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }

 private:
  struct Waiting {
    std::string topic, correlation;
    bool single = false;
    std::vector<std::optional<std::string>> requests;  // ids; none: answered
    std::size_t open = 0;
    std::vector<std::string> items;  // JSON
    std::size_t bytes = 0;
  };
  using Place = std::map<Reply, Waiting>::iterator;  // by its first number

  Reply add(Waiting waiting);
  // The request in which the reply is open, and the id of the item.
  std::optional<std::pair<Place, std::string>> take(Reply reply);
  std::optional<bus::Message> finish(Place at);
  void forget(Place at);

  std::size_t waiting_max_, bytes_max_;
  std::map<Reply, Waiting> waiting_;
  std::size_t bytes_ = 0;
  Reply next_ = 1;
};

}  // namespace fieldwork::runtime
