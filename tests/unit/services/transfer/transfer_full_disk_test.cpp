// links: transfer_shell GTest::gtest_main
// The service's disk is full.
#include <gtest/gtest.h>

#include "support/frames.hpp"
#include "support/transfer_world.hpp"

namespace fieldwork::transfer {
namespace {

// Where a directory stands in the way of the next checkpoint, there is none.
TEST_F(World, AnUploadThatIsStartedAgainWithoutACheckpointKeepsWhatHasArrived) {
  const auto bytes = make_bytes(200'000, 3);
  const auto upload = upload_of(bytes);
  const auto answer = ask("offer", "alice", codec::encode(upload));
  const TransferId id(answer.at("transfer").get<std::string>());
  write(dir / "upload", bytes);
  const auto encoded = exchange::encode_beside(dir / "upload", upload.digest).value();
  const auto sealing = exchange::seal_for_one(id.value, crypto::Cipher::aes_256_gcm);
  const auto offer = exchange::make_offer(id, upload.digest, upload.size_bytes, encoded, sealing,
                                          pki().certificate("transfer"), upload.release)
                         .value();
  EXPECT_TRUE(ask("start", "alice", codec::encode(offer)).at("ranges").empty());
  auto frames = frames_of(offer, sealing.key, encoded.path);
  const auto send = [&](std::size_t from, std::size_t to) {
    for (auto i = from; i < to; ++i) hear(topics.service("transfer", "frame", "alice"), frames[i]);
  };
  send(0, 10);
  const auto blocked = dir / "store/incoming" / (id.value + ".ranges.new");
  fs::create_directory(blocked);
  const Json ten = {{0, 10 * 4096}};
  EXPECT_EQ(ask("start", "alice", codec::encode(offer)).at("ranges"), ten);
  EXPECT_EQ(ask("start", "alice", codec::encode(offer)).at("ranges"), ten);
  // The command line was killed and began again, with a new key.
  const auto anew = exchange::seal_for_one(id.value, crypto::Cipher::aes_256_gcm);
  const auto other = exchange::make_offer(id, upload.digest, upload.size_bytes, encoded, anew,
                                          pki().certificate("transfer"), upload.release)
                         .value();
  EXPECT_EQ(ask("start", "alice", codec::encode(other)).at("ranges"), ten);
  fs::remove(blocked);
  frames = frames_of(other, anew.key, encoded.path);
  send(10, frames.size());
  EXPECT_TRUE(read(dir / "store/content" / upload.digest.substr(7)) == bytes);
  EXPECT_EQ(files_in(dir / "store/incoming"), 0U);
}

}  // namespace
}  // namespace fieldwork::transfer
