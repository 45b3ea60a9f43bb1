// links: transfer_shell GTest::gtest_main
// One pass of the transfer service for several devices.
#include <gtest/gtest.h>

#include "support/frames.hpp"
#include "support/transfer_world.hpp"

namespace fieldwork::transfer {
namespace {

constexpr std::size_t half = 200'000;  // what zstd makes of the content

class Pass : public World {
 protected:
  struct Sent {
    std::size_t to_all = 0, to_each = 0;  // bytes of frames
  };

  // d1 and d2 want the same at the same time. Returns when both have it.
  Sent send_to_two(std::int64_t goodput_1, std::int64_t goodput_2) {
    const auto bytes = make_bytes(2 * half, static_cast<unsigned>(goodput_1 + goodput_2));
    const auto digest = crypto::digest_of(bytes);
    push(
        bytes, [](int) {}, std::to_string(++version_));
    std::vector<std::string> names{"d1", "d2"};
    std::vector<Receiver> devices;
    for (const auto& [name, goodput] : {std::pair{"d1", goodput_1}, std::pair{"d2", goodput_2}}) {
      codec::Want want{.digest = digest, .certificate = pki().pem(name)};
      want.receivers = 2;
      if (goodput > 0) want.accepts.goodput_bit_per_s = goodput;
      hear(topics.up(name, "want"), codec::encode(want));
      devices.emplace_back(dir / ("device" + std::to_string(version_)), name);
    }
    Sent out;
    std::string content;
    const auto hears = [&](Receiver& device, std::size_t& count, const std::vector<std::string>& frames) {
      for (const auto& frame : frames) {
        count += frame.size();
        device.frame(frame, now);
      }
    };
    for (int round = 0; !devices[0].done() || !devices[1].done(); ++round) {
      if (round > 5000) {
        ADD_FAILURE() << "the devices have not got it";
        break;
      }
      std::size_t twice = 0;
      for (std::size_t i = 0; i < 2; ++i) {
        for (const auto& offer : take(topics.down(names[i], "offer"))) {
          content = codec::decode_offer(offer)->envelope.content;
          devices[i].offer(offer);
        }
        hears(devices[i], out.to_each, take(topics.down(names[i], "frame")));
      }
      const auto shared = content.empty() ? std::vector<std::string>{} : take(topics.content(content, "frame"));
      hears(devices[0], out.to_all, shared);
      hears(devices[1], twice, shared);
      for (std::size_t i = 0; i < 2; ++i) {
        if (const auto answer = devices[i].answer(now)) hear(topics.up(names[i], "received"), *answer);
      }
      pass(milliseconds(20));
    }
    for (auto& device : devices) EXPECT_EQ(read(device.final_path()), bytes);
    return out;
  }

 private:
  int version_ = 0;
};

TEST_F(Pass, IsOneForLinksThatAreAlike) {
  constexpr std::int64_t octave = 1 << 23;
  const std::pair<std::int64_t, std::int64_t> links[] = {
      {0, 0}, {0, 50'000'000}, {octave - 1, octave + 1}, {5'000'000, 30'000'000}};
  for (const auto& [one, other] : links) {
    SCOPED_TRACE(std::to_string(one) + " and " + std::to_string(other) + " bit/s");
    const auto sent = send_to_two(one, other);
    EXPECT_GT(sent.to_all, half);
    EXPECT_LT(sent.to_all + sent.to_each, half + half / 10);
  }
}

TEST_F(Pass, IsNotForLinksThatAreFarFromAnother) {
  const auto sent = send_to_two(2'000'000, 100'000'000);
  EXPECT_EQ(sent.to_all, 0U);
  EXPECT_GT(sent.to_each, 2 * half);
}

}  // namespace
}  // namespace fieldwork::transfer
