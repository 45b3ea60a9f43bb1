// The sending side of one encoded content to several receivers at once (content/group.hpp): one pass, whose frames go
// to a topic that all of them hear. A receiver that is released goes on alone, with an Outbound and the ranges it said.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "content/group.hpp"
#include "model/package.hpp"

namespace fieldwork::exchange {

class Shared {
 public:
  /// `offer`: of any receiver; the envelope's content is the same for all. Errors as of Outbound::open().
  [[nodiscard]] static Result<Shared> open(const Offer& offer, std::string content_key,
                                           const std::filesystem::path& encoded_path, content::SenderConfig config);
  Shared(Shared&&) noexcept;
  Shared& operator=(Shared&&) noexcept;
  ~Shared();

  void join(const TransferId& transfer, content::Ranges acked, Time now);
  void leave(const TransferId& transfer);
  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] std::uint64_t sent_bytes() const;  // encoded bytes since open()

  /// Takes a member's answer of the state `receiving`; what is not well-formed changes nothing.
  void received(const Received& answer, Time now);

  /// Nobody could be heard until now: nobody was silent.
  void give_time(Time now);
  /// Sends at most at this rate from now on; 0: as fast as the links take it.
  void limit(std::int64_t bit_per_s_max);

  /// The sealed frames to publish now, once for all.
  [[nodiscard]] std::vector<std::string> due(Time now);
  [[nodiscard]] std::optional<Time> next_due() const;
  /// Members that go on alone, since the last call. After an unreadable file: all.
  [[nodiscard]] std::vector<TransferId> take_released();

  [[nodiscard]] const content::Sender& sender() const;

 private:
  struct Impl;
  explicit Shared(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace fieldwork::exchange
