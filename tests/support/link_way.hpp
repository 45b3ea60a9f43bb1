// One direction of an emulated link: packets that come from one TUN device wait for their turn, take the time that the
// rate gives them, fly for the delay and leave to the other device. A thread of its own runs each direction.
//
//   packet -> cut? -> queue full? -> serialised at the rate -> lost? -> flies for the delay -> cut? -> delivered
//
// A lost packet has taken its time on the link, as on a radio link. What is set while packets wait or fly holds for the
// packets that come later. A cut holds at once, for what flies, too.
#pragma once

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <random>

#include "tun.hpp"

namespace fieldwork::support {

struct LinkShape {
  double bit_per_s = 0;  // 0: no limit, and no queue
  double delay_ms = 0;
  double loss = 0;           // 0 to 1
  double burst_packets = 1;  // mean length of a loss; 1: each packet by itself, else the model of Gilbert
  double queue_ms = 200;     // of packets that wait for their turn
  double queue_bytes = 0;    // if above 0: instead of queue_ms
};

struct LinkCounts {
  std::uint64_t in_packets = 0, in_bytes = 0;    // that came
  std::uint64_t out_packets = 0, out_bytes = 0;  // that were delivered
  std::uint64_t lost = 0, queue_full = 0, cut = 0;
};

class Way {
 public:
  using Nanoseconds = std::int64_t;  // of the monotonic clock

  Way(int from, int to, const LinkShape& shape, std::uint64_t seed)
      : from_(from), to_(to), wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), next_shape_(shape), chance_(seed) {
    if (wake_.number() < 0) fail_at("link-emulator", "cannot make an eventfd");
    use_shape();
  }

  // Until stop().
  void run() {
    prctl(PR_SET_TIMERSLACK, 1UL);  // nanoseconds; the default of 50 us would be the precision of the delay
    while (!stopping_) {
      const int came = read_some();
      deliver();
      if (came < batch_packets) wait();
    }
  }

  // From any thread:
  void stop() {
    stopping_ = true;
    const std::uint64_t one = 1;
    (void)!write(wake_.number(), &one, sizeof one);  // fails only when it is awake already
  }
  void cut(bool on) { cut_ = on; }
  void set_shape(const LinkShape& shape) {
    {
      const std::lock_guard lock(mutex_);
      next_shape_ = shape;
    }
    changed_ = true;
  }
  [[nodiscard]] LinkShape shape() {
    const std::lock_guard lock(mutex_);
    return next_shape_;
  }
  [[nodiscard]] LinkCounts counts() const {
    return {in_packets_, in_bytes_, out_packets_, out_bytes_, lost_, queue_full_, cut_packets_};
  }

 private:
  // Packets that wait or fly at most: 49 MB, which 1 Gbit/s fills in 0.4 s. Memory that is not used is never touched.
  static constexpr std::size_t slots = 32'768;
  static constexpr int batch_packets = 64;
  struct Slot {
    Nanoseconds due;
    std::uint32_t bytes;
    bool lost;
    char packet[tun_mtu_bytes];
  };

  static Nanoseconds now() {
    return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
  }
  static void add(std::atomic<std::uint64_t>& counter, std::uint64_t more = 1) {
    counter.store(counter.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);  // one thread writes
  }
  void use_shape() {
    changed_ = false;
    shape_ = shape();
    delay_ns_ = static_cast<Nanoseconds>(shape_.delay_ms * 1e6);
    byte_ns_ = shape_.bit_per_s > 0 ? 8e9 / shape_.bit_per_s : 0;
    queue_ns_ = shape_.queue_bytes > 0 ? shape_.queue_bytes * byte_ns_ : shape_.queue_ms * 1e6;
  }

  // Returns how many packets came: fewer than a batch: there are no more.
  int read_some() {
    int came = 0;
    for (; came < batch_packets; ++came) {
      Slot& slot = ring_[tail_ % slots];
      const auto got = read(from_, slot.packet, sizeof slot.packet);
      if (got <= 0) break;
      slot.bytes = static_cast<std::uint32_t>(got);
      enter(slot);
    }
    return came;
  }

  void enter(Slot& slot) {
    if (changed_) use_shape();
    add(in_packets_);
    add(in_bytes_, slot.bytes);
    const auto at = now();
    const auto begins = std::max(at, free_at_);
    const auto takes = slot.bytes * byte_ns_;
    if (cut_) return add(cut_packets_);
    // A packet that finds the link free is sent, however short the queue is.
    const bool full = begins > at && static_cast<double>(begins - at) + takes > queue_ns_ && byte_ns_ > 0;
    if (full || tail_ - head_ == slots - 1) return add(queue_full_);
    free_at_ = begins + static_cast<Nanoseconds>(takes);
    slot.due = std::max(last_due_, free_at_ + delay_ns_);  // packets keep their sequence when the delay shrinks
    last_due_ = slot.due;
    slot.lost = is_lost();
    ++tail_;
  }

  // Gilbert's model: in the bad state everything is lost, in the good one nothing.
  bool is_lost() {
    if (shape_.loss <= 0) return false;
    const double drawn = std::uniform_real_distribution<>(0, 1)(chance_);
    if (shape_.burst_packets <= 1) return drawn < shape_.loss;
    const double changes = bad_ ? 1 / shape_.burst_packets : shape_.loss / (shape_.burst_packets * (1 - shape_.loss));
    if (drawn < changes) bad_ = !bad_;
    return bad_;
  }

  void deliver() {
    if (head_ == tail_) return;
    const auto at = now();
    for (; head_ != tail_; ++head_) {
      const Slot& slot = ring_[head_ % slots];
      if (slot.due > at) return;
      if (cut_) {
        add(cut_packets_);
      } else if (slot.lost) {
        add(lost_);
      } else if (write(to_, slot.packet, slot.bytes) == static_cast<ssize_t>(slot.bytes)) {
        add(out_packets_);
        add(out_bytes_, slot.bytes);
      } else {
        add(queue_full_);
      }
    }
  }

  // Until a packet comes, the next one is due, or stop().
  void wait() {
    pollfd waits[] = {{from_, POLLIN, 0}, {wake_.number(), POLLIN, 0}};
    timespec patience{};
    if (head_ != tail_) {
      const auto left = std::max<Nanoseconds>(0, ring_[head_ % slots].due - now());
      patience = {left / 1'000'000'000, left % 1'000'000'000};
    }
    ppoll(waits, 2, head_ != tail_ ? &patience : nullptr, nullptr);
  }

  int from_, to_;
  Descriptor wake_;
  std::atomic<bool> stopping_{false}, cut_{false}, changed_{false};
  std::mutex mutex_;
  LinkShape next_shape_;  // under mutex_

  // Of the running thread alone:
  LinkShape shape_;
  Nanoseconds delay_ns_ = 0;
  double byte_ns_ = 0, queue_ns_ = 0;
  std::mt19937_64 chance_;
  bool bad_ = false;
  Nanoseconds free_at_ = 0, last_due_ = 0;  // when the last packet is serialised, and delivered
  std::unique_ptr<Slot[]> ring_ = std::make_unique_for_overwrite<Slot[]>(slots);
  std::size_t head_ = 0, tail_ = 0;  // never wrap; the slot is the rest by `slots`

  std::atomic<std::uint64_t> in_packets_{0}, in_bytes_{0}, out_packets_{0}, out_bytes_{0};
  std::atomic<std::uint64_t> lost_{0}, queue_full_{0}, cut_packets_{0};
};

}  // namespace fieldwork::support
