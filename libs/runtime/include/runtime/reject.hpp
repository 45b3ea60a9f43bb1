// Bad input: counted each time, logged once per burst, answered where it can be.
#pragma once

#include <map>
#include <string>

#include "base/result.hpp"
#include "base/time.hpp"

namespace fieldwork::runtime {

class Rejections {
 public:
  static constexpr std::size_t channels_max = 32;  // beyond them a channel, which a client may make up, is "other"

  // Counts fieldwork_rejected_total{channel} and logs the first of a burst, then one summary each 10 s.
  void note(const std::string& channel, const std::string& from, const Error& error, Time now);

 private:
  struct Burst {
    Time logged{};
    std::uint64_t silent = 0;
  };
  std::map<std::string, Burst> bursts_;  // by channel
};

}  // namespace fieldwork::runtime
