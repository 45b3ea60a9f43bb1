// MQTT messages to samples: what the services and the broker publish, as alert rules see it. Reads only the fields that
// a vocabulary has.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "alerts/sample.hpp"
#include "base/result.hpp"
#include "topic/topic.hpp"

namespace fieldwork::alerts {

// The topics below `topics.root()` that are read, with their QoS.
[[nodiscard]] std::vector<std::pair<std::string, int>> read_topics(const Topics& topics);
// Those of the broker's own figures, as Mosquitto names them.
[[nodiscard]] std::vector<std::pair<std::string, int>> broker_topics();

class Messages {
 public:
  using Take = std::function<void(Sample)>;
  using Bad = std::function<void(const Error&)>;

  explicit Messages(const Topics& topics) : topics_(topics) {}

  // Gives the samples of a message to `take` and its mistakes to `bad`; the good items of a list are taken beside bad
  // ones. False: the topic is none of these. `arrived`: of events, which have no time of their own.
  bool read(std::string_view topic, std::string_view payload, Time arrived, const Take& take, const Bad& bad);

 private:
  Result<Sample> state(const Topic& topic, std::string_view payload) const;
  bool broker(std::string_view topic, std::string_view payload, const Take& take, const Bad& bad);

  const Topics& topics_;
  fleet::NamedValues broker_;  // its figures come one by one
};

}  // namespace fieldwork::alerts
