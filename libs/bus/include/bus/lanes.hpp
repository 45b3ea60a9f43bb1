// What waits for the broker and what is on its way to it: two lanes, control before bulk, and how much bulk the link
// takes. Pure: no clock, no lock, no broker; MqttBus drives it.
//
// The bulk window, in bytes not yet acknowledged: what the link was seen to deliver in its shortest round trip and
// half a second more, between bulk_window_bytes_min and _max. The delivery rate of a publish is what was
// acknowledged since it was sent, by the time that took (as in BBR, draft-cardwell-iccrg-bbr-congestion-control);
// what was sent while nothing waited behind it says only that the link is at least so fast. While acknowledgements come
// within a quarter of a second of the shortest round trip it grows by what is acknowledged. One message is always let
// through when no other bulk is on its way, however large.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "bus/bus.hpp"

namespace fieldwork::bus {

struct LaneLimits {
  std::size_t window = 500;                         // publishes on their way, both lanes together
  std::size_t waiting_max = 200'000;                // publishes that wait, of each lane
  std::size_t waiting_bytes_max = 256U << 20;       // and their size
  std::size_t bulk_window_bytes_min = 16U << 10;    // 16 KiB are half a second at 256 kbit/s
  std::size_t bulk_window_bytes_first = 32U << 10;  // before anything is measured
  std::size_t bulk_window_bytes_max = 2U << 20;
};

class Lanes {
 public:
  using Clock = std::chrono::steady_clock;
  using Ticket = std::uint64_t;  // names one publish on its way

  explicit Lanes(LaneLimits limits);

  // Unavailable when the lane's waiting room is full.
  Result<void> put(Message message);

  struct Sending {
    Message message;
    Ticket ticket;
  };
  // What may leave now, if anything.
  std::optional<Sending> next(Clock::time_point now);
  // The publish is over: acknowledged by the broker (`delivered`), or not. Tickets from before lost() do nothing.
  struct Done {
    Message message;  // without its payload
    bool acknowledged = false;
    std::chrono::duration<double, std::milli> took{};
  };
  std::optional<Done> done(Ticket ticket, bool delivered, Clock::time_point now);
  // The connection ended: what was on its way is gone. What waits stays.
  void lost();
  // The broker allows so many publishes on their way (its Receive Maximum, less one); never more than `window`.
  void limit_window(std::size_t allowed);

  [[nodiscard]] std::size_t backlog(Lane lane) const;
  [[nodiscard]] bool idle() const { return in_flight_ == 0 && control_.queue.empty() && bulk_.queue.empty(); }
  [[nodiscard]] std::size_t bulk_window() const { return bulk_window_; }

 private:
  struct Room {
    std::deque<Message> queue;
    std::size_t waiting_bytes = 0;
    std::size_t in_flight_bytes = 0;
  };
  struct Slot {
    Message message;
    std::size_t bytes = 0;
    Clock::time_point sent{};
    std::uint64_t delivered_before = 0;  // bulk bytes acknowledged when it was sent
    bool alone = false;                  // nothing of its lane waited behind it
  };

  Room& room(Lane lane) { return lane == Lane::control ? control_ : bulk_; }
  Room* pick();
  void measure(const Slot& slot, Clock::time_point now);

  LaneLimits limits_;
  Room control_, bulk_;
  std::vector<Slot> slots_;
  std::vector<std::size_t> free_;
  std::uint64_t generation_ = 1;
  std::size_t window_;
  std::size_t in_flight_ = 0;
  std::size_t bulk_window_;
  std::uint64_t delivered_ = 0;                 // bulk bytes acknowledged on this connection
  double rate_ = 0;                             // bulk bytes per second; 0: not measured
  std::chrono::duration<double> shortest_{-1};  // round trip; negative: not measured
};

}  // namespace fieldwork::bus
