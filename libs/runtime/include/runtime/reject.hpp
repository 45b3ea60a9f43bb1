// Bad input: counted each time, logged once per burst, answered where it can be.
#pragma once

#include <map>
#include <set>
#include <string>

#include "base/result.hpp"
#include "base/time.hpp"

namespace fieldwork::runtime {

class Rejections {
 public:
  static constexpr std::size_t channels_max = 32;  // more channels, whose names a client may make up, count as "other"

  static constexpr std::size_t senders_max = 10;
  // Counts fieldwork_rejected_total{channel}. Logs, in each 10 s and per channel: the first rejection, with the number
  // that was not logged since the last; and the first of each other sender, up to senders_max. So a sender that floods
  // hides no other.
  void note(const std::string& channel, const std::string& from, const Error& error, Time now);

 private:
  struct Burst {
    Time logged{};
    std::uint64_t silent = 0;
    std::set<std::string> senders;  // that were logged since `logged`
  };
  std::map<std::string, Burst> bursts_;  // by channel
};

}  // namespace fieldwork::runtime
