// What an operator fetches: contents that the transfer service has. Asks for each until it is offered, takes its frames
// and answers them.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "agent/shell/packages.hpp"
#include "exchange/inbound.hpp"
#include "runtime/service.hpp"
#include "topic/topic.hpp"

namespace fieldwork::sim {

// A content that an operator wants.
struct Fetch {
  std::string digest;
  bool done = false;  // it is here
};

class Downloads {
 public:
  // A content comes to `directory`, under the hex digits of its digest.
  Downloads(const agent::Identity& identity, std::filesystem::path directory, std::vector<Fetch>& wanted);
  void tick(Time now, runtime::Output& out);
  void offered(const std::string& payload, Time now, runtime::Output& out);
  void frame(const std::string& payload, Time now, runtime::Output& out);

 private:
  void answer(const std::string& digest, Time now, runtime::Output& out);

  const agent::Identity& identity_;
  std::filesystem::path directory_;
  std::vector<Fetch>& wanted_;
  std::map<std::string, exchange::Inbound> inbounds_;  // by digest
  std::map<std::string, Time> ask_again_;              // by digest
};

}  // namespace fieldwork::sim
