// How much of the disk each output takes, and which was kept first.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace fieldwork::agent {

class OutputRoom {
 public:
  // The output is kept now, and the newest, also where it was here before.
  void put(const std::string& digest, std::int64_t bytes);
  // What it takes has changed. It keeps its place.
  void resize(const std::string& digest, std::int64_t bytes);
  void remove(const std::string& digest);

  [[nodiscard]] std::int64_t bytes() const { return bytes_; }  // of all
  [[nodiscard]] std::int64_t bytes(const std::string& digest) const;
  // The digests, the oldest first.
  [[nodiscard]] const std::map<std::uint64_t, std::string>& in_order() const { return in_order_; }

 private:
  struct One {
    std::uint64_t turn = 0;
    std::int64_t bytes = 0;
  };
  std::map<std::string, One> all_;                 // by digest
  std::map<std::uint64_t, std::string> in_order_;  // by turn
  std::uint64_t turn_ = 0;
  std::int64_t bytes_ = 0;
};

}  // namespace fieldwork::agent
