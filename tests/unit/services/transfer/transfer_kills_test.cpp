// links: transfer_shell agent_shell GTest::gtest_main
// Kills at every frame boundary of a package's way to a device: the service has its rows left, the device its
// directory, perhaps torn. What is sent again is at most the window and what no checkpoint had.
#include <gtest/gtest.h>

#include "agent/shell/packages.hpp"
#include "support/transfer_world.hpp"

namespace fieldwork::transfer {
namespace {

enum class Victim { receiver, sender, both, connection };

// What the receiver finds of its files.
enum class Tear {
  none,            // all that was written, as after kill -9
  unsynced_cut,    // after a power cut: nothing that no checkpoint had
  unsynced_zeros,  // the same, with zeros in its place
  ranges_cut,      // half of the checkpoint
  ranges_zeros,    // the end of the checkpoint is zeros
  ranges_new,      // and half of the next checkpoint beside it
  part_cut,        // the disk lost what it had confirmed: the part ends before the checkpoint does
  part_zeros,      // the same, with zeros in its place
};

struct Kill {
  int after = 0;  // frames that were delivered
  Victim victim = Victim::receiver;
  Tear tear = Tear::none;
};

class Kills : public World {
 protected:
  static constexpr std::uint64_t window = 64 << 10;  // World's
  const std::string bytes = make_bytes(320'000, 5);
  const std::string digest = crypto::digest_of(bytes);
  fs::path cache;
  std::optional<agent::Packages> device;
  Offer offer;
  std::deque<std::string> on_way;  // frames
  content::Ranges got;             // by the device, as far as it can know
  std::uint64_t sent = 0, again_max = 0;
  int delivered = 0, caches = 0;
  bool here = false;

  void start_device() {
    crypto::TrustStore releases;
    releases.add(pki().releaser.public_key());
    const agent::Identity identity{"d1", pki().pem("d1"), pki().certificate("d1").fingerprint(),
                                   std::make_shared<const crypto::PrivateKey>(pki().key("d1")),
                                   crypto::CertificateAuthority::load(pki().path("operator-ca.crt")).value()};
    device.emplace(cache, identity, releases, topics, std::int64_t{1} << 30);
    device->fetch(digest, now);
  }

  [[nodiscard]] fs::path file(const char* ending) const { return cache / (offer.transfer.value + ending); }

  [[nodiscard]] content::Ranges checkpointed() const {
    const auto text = read(file(".ranges"));
    const auto line = text.find('\n');
    if (line == std::string::npos) return {};
    const auto total = static_cast<std::uint64_t>(offer.encoded_bytes);
    return content::Ranges::parse(codec::decode_received(text.substr(line + 1))->ranges, total).value();
  }

  void zeros(const fs::path& path, std::uint64_t from, std::uint64_t to) const {
    auto all = read(path);
    std::fill(all.begin() + static_cast<std::ptrdiff_t>(from), all.begin() + static_cast<std::ptrdiff_t>(to), '\0');
    write(path, all);
  }

  // Returns what the device may still count on. Frames come in order here, so the ranges are one.
  content::Ranges tear(Tear how) {
    auto saved = checkpointed();
    if (!fs::exists(file(".part"))) return got;  // it is finished, or has not begun
    const auto end = saved.covered_bytes(), size = fs::file_size(file(".part"));
    const auto text = read(file(".ranges"));
    if (how == Tear::unsynced_cut) fs::resize_file(file(".part"), end);
    if (how == Tear::unsynced_zeros) zeros(file(".part"), end, size);
    if (end == 0 || how < Tear::ranges_cut) return saved;
    if (how == Tear::ranges_new) {
      write(file(".ranges.new"), text.substr(0, text.size() / 2));
      return saved;
    }
    if (how == Tear::part_zeros) {
      zeros(file(".part"), end - 100, end);
      again_max += static_cast<std::uint64_t>(offer.encoded_bytes);  // what was changed cannot be known
      return saved;
    }
    if (how == Tear::part_cut) {
      fs::resize_file(file(".part"), end - 100);
      content::Ranges left;
      EXPECT_TRUE(left.add(0, end - 100));
      return left;
    }
    if (how == Tear::ranges_cut) fs::resize_file(file(".ranges"), text.size() / 2);
    if (how == Tear::ranges_zeros) zeros(file(".ranges"), text.size() - 20, text.size());
    return {};
  }

  void strike(const Kill& kill) {
    on_way.clear();
    said.clear();
    if (kill.victim == Victim::receiver || kill.victim == Victim::both) {
      device.reset();
      const auto left = tear(kill.tear);
      again_max += got.covered_bytes() - left.covered_bytes();
      got = left;
      start_device();
    }
    if (kill.victim == Victim::sender || kill.victim == Victim::both) {
      restart();
      // Its checkpoint is the row: what was acknowledged since then it sends until the receiver answers.
      const auto* row = service->core().sending(offer.transfer);
      const auto acked = row == nullptr ? 0 : static_cast<std::uint64_t>(row->acked_bytes);
      if (acked < got.covered_bytes()) again_max += got.covered_bytes() - acked;
    }
    if (kill.victim == Victim::connection) {
      run({runtime::Disconnected{}});
      pass(seconds(1));
      run({runtime::Connected{}});
      device->connected(now);
    }
    again_max += window;
  }

  // One frame is delivered. The link is so slow that a checkpoint comes with every sixth or so.
  void step() {
    for (const auto& message : device->due(now)) hear(message.topic, message.payload);
    if (!on_way.empty()) {
      const auto header = crypto::sealed_frame_header(on_way.front()).value();
      ASSERT_TRUE(device->frame(on_way.front(), now).ok());
      if (!here) (void)got.add(header.offset, header.offset + header.length);
      on_way.pop_front();
      ++delivered;
    }
    for (const auto& payload : take(topics.down("d1", "offer"))) {
      offer = codec::decode_offer(payload).value();
      ASSERT_TRUE(device->offer(payload, now).ok());
    }
    for (auto& frame : take(topics.down("d1", "frame"))) {
      sent += crypto::sealed_frame_header(frame)->length;
      on_way.push_back(std::move(frame));
    }
    for (const auto& news : device->news()) {
      EXPECT_FALSE(news.refused) << *news.refused;
      here = true;
    }
    pass(milliseconds(400));
  }

  // The whole way to a device that has nothing. Returns how many bytes were sent again.
  std::uint64_t bring(std::optional<Kill> kill) {
    cache = dir / ("cache" + std::to_string(++caches));
    got = {};
    sent = again_max = 0;
    delivered = 0;
    here = false;
    on_way.clear();
    said.clear();
    start_device();
    for (int round = 0; !here || !service->core().live().empty(); ++round) {
      if (round == 1000 || HasFatalFailure()) {
        ADD_FAILURE() << "it does not end";
        return 0;
      }
      if (kill && delivered == kill->after && (delivered > 0 || !on_way.empty())) {
        strike(*kill);
        kill.reset();
      }
      step();
    }
    EXPECT_FALSE(kill) << "not so many frames";
    EXPECT_TRUE(read(device->archive(digest)) == bytes);
    EXPECT_EQ(files_in(cache), 1U) << "the package, and nothing that is left over";
    const auto again = sent - static_cast<std::uint64_t>(offer.encoded_bytes);
    EXPECT_LE(again, again_max);
    pass(std::chrono::minutes(11));  // beyond what counts as the same tries
    return again;
  }

  void everywhere(Victim victim, Tear tear) {
    push(bytes);
    EXPECT_EQ(bring({}), 0U);
    const int frames = delivered;
    ASSERT_GE(frames, 8);
    ASSERT_LE(frames, 20);
    std::uint64_t most = 0;
    for (int after = 0; after <= frames; ++after) {
      SCOPED_TRACE("after frame " + std::to_string(after) + " of " + std::to_string(frames));
      most = std::max(most, bring(Kill{after, victim, tear}));
    }
    RecordProperty("again_bytes", std::to_string(most));
  }
};

TEST_F(Kills, OfTheReceiver) { everywhere(Victim::receiver, Tear::none); }
TEST_F(Kills, OfTheSender) { everywhere(Victim::sender, Tear::none); }
TEST_F(Kills, OfBoth) { everywhere(Victim::both, Tear::none); }
TEST_F(Kills, OfTheConnection) { everywhere(Victim::connection, Tear::none); }
TEST_F(Kills, APowerCutLosesWhatWasNotSynced) { everywhere(Victim::receiver, Tear::unsynced_cut); }
TEST_F(Kills, APowerCutLeavesZeros) { everywhere(Victim::both, Tear::unsynced_zeros); }
TEST_F(Kills, TheCheckpointIsCut) { everywhere(Victim::receiver, Tear::ranges_cut); }
TEST_F(Kills, TheCheckpointEndsInZeros) { everywhere(Victim::receiver, Tear::ranges_zeros); }
TEST_F(Kills, TheNextCheckpointIsHalfWritten) { everywhere(Victim::receiver, Tear::ranges_new); }
TEST_F(Kills, ThePartIsShorterThanItsCheckpoint) { everywhere(Victim::receiver, Tear::part_cut); }
TEST_F(Kills, ThePartEndsInZeros) { everywhere(Victim::receiver, Tear::part_zeros); }

}  // namespace
}  // namespace fieldwork::transfer
