// The named invariants of moving packages. Watches what senders and receivers of frames say and hear, and what is on
// their disks.
#pragma once

#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "checks.hpp"
#include "content/ranges.hpp"
#include "crypto/sealed.hpp"
#include "said.hpp"
#include "world.hpp"

namespace fieldwork::sim {

class TransferChecks {
 public:
  using Path = std::filesystem::path;
  // Where a party keeps what it receives.
  struct Shelf {
    Path parts;  // parts of transfers, with their records of ranges
    std::function<Path(const std::string& digest)> content;
  };

  // `window_bytes`: of every sender but devices, which send outputs with the window that is built in.
  TransferChecks(World& world, const Checks& checks, std::uint64_t window_bytes);
  void add_receiver(const std::string& party, Shelf shelf);

  void starts(const Party& party);
  void stalls(const Party& party);
  void hears(const Party& party, const bus::Message& message, bool whole);
  void says(const Party& party, const bus::Message& message);
  // A program of this package starts. `place`: for its files.
  void uses(const std::string& device, const Package& package, const Path& archive, const Path& place) const;
  void at_the_end() const;

 private:
  using Json = codec::Json;
  struct Piece {
    crypto::SealedFrameHeader at;
    Time sent;
  };
  struct Transfer {
    std::string sender, receiver, digest, content;
    std::size_t number = 0;  // in the order in which they began
    std::uint64_t encoded_bytes = 0;
    std::deque<Piece> in_flight;  // as the frames in flight look from outside
    bool anew = false;            // the receiver came back: its next answer counts as it stands
    content::Ranges known;        // ranges that the sender, also after its restart, need not send
    Time known_since{};           // when the sender heard so; ranges that it had saved count from the beginning
    content::Ranges arrived;      // ranges that arrived undamaged
    content::Ranges kept;         // ranges on the receiver's disk
  };

  void begins(const Offer& offer, const std::string& sender, const std::string& receiver);
  void offers(const Party& party, const Offer& offer, const std::string& to);
  void sends(const Party& party, const std::string& receiver, const crypto::SealedFrameHeader& frame);
  void sends_to_all(const std::string& content) const;
  // The newest transfer of these frames; null: there is none.
  Transfer* of(const std::string& sender, const std::string& receiver, const std::string& content);
  void answers(const Party& party, const Received& received);
  void is_answered(const Party& party, const Received& received);
  void is_asked(const std::string& device, const std::string& digest);
  void find_records(const std::string& party);
  [[nodiscard]] bool is_on_the_shelf(const std::string& party, const std::string& digest) const;

  World& world_;
  const Checks& checks_;
  std::uint64_t window_bytes_;
  Topics topics_{root};
  std::map<std::string, Shelf> shelves_;
  std::map<std::string, Transfer> transfers_;  // by id
  std::map<std::string, Time> late_until_;     // parties whose messages may have waited for their commit
};

}  // namespace fieldwork::sim
