// One pass of a content to many receivers at once, without clock, file or network (docs/decisions/0029). What one
// member loses is not sent again here: it is released, and goes on alone with a Sender of its own.
//
//   group.join(member, ranges_it_holds, now);
//   for (Piece piece : group.due(now)) publish(seal(read(piece)));    on start, after acknowledged(), at next_due()
//   group.acknowledged(member, ranges_of_its_answer, now);
//   for (auto& member : group.take_released()) …                      after each call
//
// A member has passed a place when a byte arrived there that came after it: messages keep their order.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "content/sender.hpp"

namespace fieldwork::content {

class Group {
 public:
  using Time = Sender::Time;
  static constexpr Time silence_max = std::chrono::seconds(2);
  static constexpr Time window_kept = std::chrono::seconds(2);
  static constexpr std::uint64_t windows_behind_max = 2;

  explicit Group(const SenderConfig& config) : config_(config), sender_(config) {}

  /// A member that is there already is as new. What was sent before it came is not sent again. What all members hold
  /// when due() is called first is not sent.
  void join(const std::string& member, Ranges has, Time now);
  /// It is not released: the caller knows.
  void leave(const std::string& member);
  /// The member holds these bytes. Nobody else: nothing happens. Until its first answer a member holds nobody up. What
  /// follows from answers comes with the next due().
  void acknowledged(const std::string& member, const Ranges& ranges, Time now);
  /// Nobody could be heard until now: nobody was silent.
  void give_time(Time now);

  /// The pieces to send to all now. None for a group of one: it is released when nothing is on its way to it.
  [[nodiscard]] std::vector<Piece> due(Time now);
  [[nodiscard]] std::optional<Time> next_due() const;

  /// At most so fast; 0: as fast as the links take it.
  void limit(std::uint64_t bytes_per_s_max);

  /// The pass ends: all members go on alone.
  void release_all();

  /// Members who go on alone, each once: they fell behind, were silent, are the last, or the pass is over.
  [[nodiscard]] std::vector<std::string> take_released();

  [[nodiscard]] std::size_t size() const { return members_.size(); }
  [[nodiscard]] std::uint64_t sent_bytes() const { return sent_bytes_; }
  [[nodiscard]] const Sender& sender() const { return sender_; }

 private:
  struct Member {
    Ranges had;  // when it joined
    Ranges has;
    std::uint64_t passed = 0;
    Time heard{};
    bool answered = false;  // it hears the frames
  };

  void release(const std::string& member);
  [[nodiscard]] bool last_may_go() const;
  void release_late(Time now);
  void tell_sender(Time now);
  [[nodiscard]] std::uint64_t place_of(const Member& member) const;
  [[nodiscard]] std::uint64_t passed_by(const Member& member) const;
  [[nodiscard]] std::uint64_t foremost() const;
  void see_window(Time now);
  [[nodiscard]] std::uint64_t sent_up_to(std::uint64_t offset) const;

  SenderConfig config_;
  Sender sender_;
  std::map<std::string, Member> members_;
  std::vector<std::string> released_;
  bool started_ = false;
  bool judge_ = false;  // somebody answered since due()
  std::uint64_t window_ = 0;
  Time window_at_{};
  std::uint64_t limit_ = 0;   // bytes per s
  std::uint64_t cursor_ = 0;  // the end of the piece that is furthest on
  std::uint64_t sent_bytes_ = 0;
  std::map<std::uint64_t, std::uint64_t> trail_;  // ends of the pieces -> bytes of this pass up to there
  Time last_sent_{};
};

}  // namespace fieldwork::content
