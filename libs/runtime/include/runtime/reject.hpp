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
  static constexpr std::size_t channels_max = 32;  // beyond them a channel, which a client may make up, is "other"

  static constexpr std::size_t senders_max = 10;
  // Counts fieldwork_rejected_total{channel} and logs, of each 10 s, the first of a channel with how many there were
  // since, and the first of each other sender on it, up to senders_max: one that floods hides nobody.
  void note(const std::string& channel, const std::string& from, const Error& error, Time now);

 private:
  struct Burst {
    Time logged{};
    std::uint64_t silent = 0;
    std::set<std::string> senders;  // that were named since
  };
  std::map<std::string, Burst> bursts_;  // by channel
};

}  // namespace fieldwork::runtime
