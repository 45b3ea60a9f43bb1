// Who waits for an answer that the core gives later. Answers to the items of one request travel together, in one
// message, when the last of them is there.
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

  // Beyond either bound who has waited longest gets no answer, and asks again.
  explicit Replies(std::size_t waiting_max = 10'000, std::size_t bytes_max = 16U << 20)
      : waiting_max_(waiting_max), bytes_max_(bytes_max) {}

  // One answer: the item itself.
  Reply open(const bus::Message& asked);
  // As many as there are `requests`, each answered with its request's id: {"v":1,"items":[…]}. They have consecutive
  // numbers, from the returned one on. A request without an id is answered without one.
  Reply open(const bus::Message& asked, std::vector<std::string> requests);

  // The message to say, once nothing is open any more. A reply that nobody waits for is nothing.
  [[nodiscard]] std::optional<bus::Message> answer(Reply reply, codec::Json item);
  // The item has no answer. With none at all nothing is said.
  [[nodiscard]] std::optional<bus::Message> leave(Reply reply);

  [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }

 private:
  struct Waiting {
    std::string topic, correlation;
    bool single = false;
    std::vector<std::optional<std::string>> requests;  // none: answered
    std::size_t open = 0;
    std::vector<std::string> items;  // JSON
    std::size_t bytes = 0;
  };
  using Place = std::map<Reply, Waiting>::iterator;  // by its first number

  Reply add(Waiting waiting);
  // Where the reply is open, with its request's id.
  std::optional<std::pair<Place, std::string>> take(Reply reply);
  std::optional<bus::Message> finish(Place at);
  void forget(Place at);

  std::size_t waiting_max_, bytes_max_;
  std::map<Reply, Waiting> waiting_;
  std::size_t bytes_ = 0;
  Reply next_ = 1;
};

}  // namespace fieldwork::runtime
