// What this device says of outputs that it dropped: each notice is repeated until the transfer service has answered it.
// A notice is a file <hex>.dropped beside the outputs, so that it outlives the agent.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "agent/limits.hpp"
#include "base/result.hpp"
#include "codec/transfer.hpp"
#include "exchange/deliver.hpp"
#include "model/job.hpp"

namespace fieldwork::agent {

class DropNotices {
 public:
  static constexpr const char* ending = ".dropped";

  struct Notice {
    AttemptKey key;
    std::int64_t size_bytes = 0;
    std::string reason;  // one line
  };

  // Reads the notices in the directory. One that cannot be read is deleted.
  DropNotices(std::filesystem::path directory, Time now, std::size_t count_max = drop_notices_max);

  // The notice is on the disk when this returns. Unavailable: the disk failed; the notice is told all the same. Beyond
  // count_max the oldest is forgotten.
  Result<void> add(const std::string& digest, Notice notice, Time now);
  // Writes the notice again, after the disk failed.
  Result<void> save(const std::string& digest);
  // It was answered, or the output is here again. False: there is none.
  bool end(const std::string& digest, Time now);
  void connected(Time now);
  [[nodiscard]] std::vector<codec::OutputOffer> due(Time now);
  [[nodiscard]] bool has(const std::string& digest) const { return notices_.contains(digest); }
  [[nodiscard]] std::size_t size() const { return notices_.size(); }

 private:
  void load(Time now);
  void tell(const std::string& digest, Notice notice, Time now);
  [[nodiscard]] std::filesystem::path file(const std::string& digest) const;

  std::filesystem::path directory_;
  exchange::deliver::Deliveries core_{exchange::deliver::Limits{}};
  std::map<std::string, Notice> notices_;  // by digest
  std::vector<std::string> oldest_first_;
  std::size_t count_max_;
};

}  // namespace fieldwork::agent
