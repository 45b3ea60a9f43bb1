// The publishes that wait for the broker and those in flight: in lanes (bus.hpp), and a window for the bulk in flight.
// Pure: no clock, no lock, no broker; MqttBus drives it.
//
// The bulk window limits the bulk bytes that are not yet acknowledged. It is the delivery rate times (the shortest
// round trip + 0.5 s), between bulk_window_bytes_min and _max. A publish gives a sample of the rate: the bulk bytes
// acknowledged since it was sent, divided by that time (as in BBR, draft-cardwell-iccrg-bbr-congestion-control). If
// nothing waited behind the publish, its sample is only a lower bound of the rate. While acknowledgements come within
// 250 ms of the shortest round trip, the window grows by the bytes that are acknowledged. When no other bulk message is
// in flight, one of any size may leave.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "bus/bus.hpp"

namespace fieldwork::bus {

struct LaneLimits {
  std::size_t window = 500;                         // publishes in flight, of both lanes together
  std::size_t waiting_max = 200'000;                // waiting publishes, of each lane
  std::size_t waiting_bytes_max = 256U << 20;       // bytes of the waiting publishes, of each lane
  std::size_t bulk_window_bytes_min = 16U << 10;    // 16 KiB are half a second at 256 kbit/s
  std::size_t bulk_window_bytes_first = 32U << 10;  // until there is a sample of the rate
  std::size_t bulk_window_bytes_max = 2U << 20;
};

class Lanes {
 public:
  using Clock = std::chrono::steady_clock;
  using Ticket = std::uint64_t;  // names one publish in flight

  explicit Lanes(LaneLimits limits);

  // Puts a publish into the queue of its lane. Unavailable: the queue is full.
  Result<void> put(Message message);

  struct Sending {
    Message message;
    Ticket ticket;
  };
  // The publish that may leave now, if there is one.
  std::optional<Sending> next(Clock::time_point now);
  // A publish in flight has ended: the broker acknowledged it (`delivered`), or it failed. Tickets from before lost()
  // do nothing.
  struct Done {
    Message message;  // without its payload
    bool acknowledged = false;
    std::chrono::duration<double, std::milli> took{};
  };
  std::optional<Done> done(Ticket ticket, bool delivered, Clock::time_point now);
  // The connection ended: publishes in flight are dropped, those that wait stay.
  void lost();
  // Limits the publishes in flight to `allowed` (the broker's Receive Maximum less one), never to more than `window`.
  void limit_window(std::size_t allowed);

  [[nodiscard]] std::size_t backlog(Lane lane) const;
  [[nodiscard]] bool idle() const {
    return in_flight_ == 0 && control_.queue.empty() && bulk_.queue.empty() && newest_.queue.empty();
  }
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
    std::uint64_t delivered_before = 0;  // bulk bytes acknowledged before this publish was sent
    bool alone = false;                  // nothing of its lane waited behind this publish
  };

  Room& room(Lane lane) { return lane == Lane::control ? control_ : lane == Lane::bulk ? bulk_ : newest_; }
  Room* pick();
  void measure(const Slot& slot, Clock::time_point now);

  LaneLimits limits_;
  Room control_, bulk_, newest_;
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
