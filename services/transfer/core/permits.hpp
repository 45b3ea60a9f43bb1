// Requests of operators that wait for security-policy: for each device one question, repeated until it is answered or
// nobody answers (service/security-policy/permit/transfer). Pure, and in memory only: after a restart whoever asked
// asks again.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/time.hpp"
#include "model/policy.hpp"

namespace fieldwork::transfer {

struct PermitLimits {
  std::size_t waiting_max = 0;  // requests
  std::size_t of_one_max = 0;   // of these, of one principal
  std::size_t devices_max = 0;  // of all of them, that wait
  Duration again{};             // between two questions
  Duration patience{};          // then what is not answered is refused
};

// One request, and how its devices stand.
struct PermitRequest {
  struct Device {
    // unheard: its state may not have arrived yet; it is asked about when it has
    enum class Stand { unheard, asked, settled };
    Stand stand = Stand::asked;
    std::string refused{};  // settled: why it must not be; empty: it may
  };
  PermitQuestion about{};  // of each device
  std::map<std::string, Device> devices{};
  std::size_t unanswered = 0;  // devices that were refused because security-policy did not answer
  std::size_t open = 0;        // devices that are not settled
  std::size_t unheard = 0;     // of these
  Time since{}, said{};
};

class Permits {
 public:
  using Stand = PermitRequest::Device::Stand;
  using Devices = std::map<std::string, PermitRequest::Device>;
  // What is known of a device that was not heard of: nothing yet, or why it is refused; empty: it is to be asked about.
  using Known = std::function<std::optional<std::string>(const std::string& device)>;

  // `first`: above every question of an earlier run, whose answers may still be under way.
  Permits(PermitLimits limits, std::int64_t first) : limits_(limits), next_(first) {}

  // Whether one more of `principal` may wait, with so many devices.
  [[nodiscard]] bool has_room(const std::string& principal, std::size_t devices) const;
  // `about`: principal, action, package and file. Returns the question's number.
  std::int64_t add(PermitQuestion about, Devices devices, Time now);
  // An answer to what is not open counts for nothing.
  void answered(const Permit& permit);
  // The device need not be asked about any more. False: it is settled, or not in that request.
  bool refuse(std::int64_t question, const std::string& device, const std::string& why);
  void hear(const Known& known);
  // Whoever could not be heard has its full time again, and is asked at once.
  void give_full_time(Time now);
  // What is to be asked now.
  [[nodiscard]] std::vector<PermitQuestion> take_due(Time now);
  // Those of which every device is settled, or whose time is over: then all of them are.
  [[nodiscard]] std::vector<std::pair<std::int64_t, PermitRequest>> take_settled(Time now);

 private:
  static void settle(PermitRequest& request, PermitRequest::Device& device, std::string refused);
  static void give_up(PermitRequest& request);

  PermitLimits limits_;
  std::map<std::int64_t, PermitRequest> waiting_;  // by question
  std::int64_t next_;
};

}  // namespace fieldwork::transfer
