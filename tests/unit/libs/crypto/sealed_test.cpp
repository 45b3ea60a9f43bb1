// links: crypto nlohmann_json::nlohmann_json GTest::gtest_main
#include "crypto/sealed.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <tuple>
#include <vector>

#include "crypto/bytes.hpp"
#include "crypto/content_key.hpp"
#include "crypto/digest.hpp"
#include "crypto/jws.hpp"

namespace fieldwork::crypto {
namespace {

using namespace std::string_literals;

constexpr std::uint32_t C = 1024;
constexpr std::size_t head = sealed_frame_header_bytes;
const std::string key(32, 'k');
constexpr Cipher ciphers[] = {Cipher::aes_256_gcm, Cipher::chacha20_poly1305};

SealedHeader header_of(std::uint64_t encoded_bytes, Cipher cipher = Cipher::aes_256_gcm) {
  return {.content_id_hex = "000102030405060708090a0b0c0d0e0f",
          .cipher = cipher,
          .chunk_bytes = C,
          .encoded_bytes = encoded_bytes,
          .digest = digest_of("plain")};
}

Sealed sealed(const SealedHeader& header) { return Sealed::make(header, key).value(); }

std::string content_of(std::size_t bytes) {
  std::string out;
  for (std::size_t i = 0; i < bytes; ++i) out += static_cast<char>(i * 31 + i / 256);
  return out;
}

/// Why the frame is refused: invalid or denied.
Code refusal(Sealed& of, const std::string& frame) {
  const auto opened = of.open(frame);
  EXPECT_FALSE(opened.ok());
  return opened.ok() ? Code::conflict : opened.error().code;
}

/// The frame with other bytes for its header's fields.
std::string with_offset(std::string frame, std::uint64_t offset) {
  for (std::size_t i = 0; i < 8; ++i) frame[20 + i] = static_cast<char>(offset >> (8 * (7 - i)));
  return frame;
}
std::string with_length(std::string frame, std::uint32_t length) {
  for (std::size_t i = 0; i < 4; ++i) frame[28 + i] = static_cast<char>(length >> (8 * (3 - i)));
  return frame;
}

TEST(Sealed, OpensWhatItSealed) {
  for (const auto cipher : ciphers) {
    for (const std::size_t size : {1U, C - 1, C, C + 1, 3 * C, 3 * C + 1, 10 * C - 1}) {
      const auto content = content_of(size);
      auto ours = sealed(header_of(size, cipher)), theirs = sealed(header_of(size, cipher));
      const auto frame = ours.frame(0, content);
      EXPECT_EQ(frame.size(), frame_bytes(ours.header(), static_cast<std::uint32_t>(size)));
      EXPECT_EQ(frame.size(), head + size + chunk_count(ours.header()) * chunk_tag_bytes);
      EXPECT_EQ(theirs.open(frame).value(), (OpenedFrame{0, content}));
      EXPECT_EQ(sealed_frame_header(frame).value(),
                (SealedFrameHeader{ours.header().content_id_hex, 0, static_cast<std::uint32_t>(size)}));
      EXPECT_EQ(ours.frame(0, content), frame) << "sealing is deterministic";
    }
  }
}

// Frames of 1, 2, 3 … chunks: each chunk is sealed as in the one frame of all, whatever frames it came in.
// Made by another implementation (Python's cryptography 48).
TEST(Sealed, IsWhatTheFormatSays) {
  const std::tuple<Cipher, const char*, const char*, const char*> cases[] = {
      {Cipher::aes_256_gcm, "237a74ccfa24ae3dca48b21bb71204d4276c3c470452",
       "c0d6313d645b43adc01dadc7eb8a45d1ebb899acd5938c3cef1c26946ec4ed94",
       "5ec792e75f53e67fa8f4885b830e29c1dd7c82f7c039360fc40a52ad024cfdbb"},
      {Cipher::chacha20_poly1305, "17ed5d5c7a3e864e9f5dd414fcdb192ad90b941365dd",
       "57e6b3305f4dbed050247f4c784694764f52456c504e51461689ab9e2382a3cd",
       "15d24fd4a3338c33f8402865c0cfe9c02ef3f6ef5ba6c67f41b6db3d2f349a6b"}};
  std::string content;
  for (std::size_t i = 0; i < C + 6; ++i) content += static_cast<char>(i % 251);
  for (const auto& [cipher, last_chunk, sha256_of_frame, root] : cases) {
    const auto header = header_of(content.size(), cipher);
    auto of = sealed(header);
    EXPECT_EQ(to_hex(of.frame(C, content.substr(C))),
              std::string("46570200000102030405060708090a0b0c0d0e0f000000000000040000000006") + last_chunk);
    EXPECT_EQ(to_hex(sha256(of.frame(0, content))), sha256_of_frame);
    const auto read = [&](std::uint64_t offset, std::size_t length) { return content.substr(offset, length); };
    EXPECT_EQ(sealed_root_hex(header, key, read).value(), root);
  }
}

TEST(Sealed, FramesMayChangeTheirSize) {
  for (const auto cipher : ciphers) {
    const auto content = content_of(17 * C + 100);
    auto of = sealed(header_of(content.size(), cipher));
    const auto all = of.frame(0, content);
    std::string chunks, frame, piece, opened;
    for (std::size_t offset = 0, count = 1; offset < content.size(); offset += piece.size(), ++count) {
      piece = content.substr(offset, count * C);
      of.frame_into(offset, piece, frame);
      EXPECT_EQ(of.open_into(frame, opened).value(), offset);
      EXPECT_EQ(opened, piece);
      chunks += frame.substr(head);
    }
    EXPECT_EQ(chunks, all.substr(head));
  }
}

TEST(Sealed, HasLargeContent) {
  auto header = header_of((1ULL << 32) * C);
  auto of = sealed(header);
  const auto last = of.frame(header.encoded_bytes - C, content_of(C));
  EXPECT_EQ(of.open(last)->offset, header.encoded_bytes - C);
  EXPECT_EQ(sealed_frame_header(last)->offset, header.encoded_bytes - C);
  header.chunk_bytes = chunk_bytes_max;
  header.encoded_bytes = frame_piece_bytes_max;
  const auto content = content_of(frame_piece_bytes_max);
  auto wide = sealed(header);
  EXPECT_EQ(wide.open(wide.frame(0, content))->piece, content);
}

TEST(Sealed, RefusesAFrameWithAnyByteChanged) {
  for (const auto cipher : ciphers) {
    const auto content = content_of(3 * C);
    auto of = sealed(header_of(content.size() + 5, cipher));
    const auto good = of.frame(C, content.substr(C, 2 * C));
    for (std::size_t at = 0; at < good.size(); ++at) {
      for (const int bit : {0, 7}) {
        auto frame = good;
        frame[at] = static_cast<char>(frame[at] ^ (1 << bit));
        const auto code = refusal(of, frame);
        EXPECT_TRUE(at < head || code == Code::denied) << at;
      }
      EXPECT_EQ(refusal(of, good.substr(0, at)), Code::invalid) << at;
    }
    EXPECT_EQ(refusal(of, good + "x"), Code::invalid);
    EXPECT_EQ(refusal(of, good + good.substr(head)), Code::invalid);
    EXPECT_TRUE(of.open(good).ok());
  }
}

TEST(Sealed, SaysWhichChunkWasChanged) {
  const auto content = content_of(4 * C);
  auto of = sealed(header_of(content.size()));
  auto frame = of.frame(C, content.substr(C));
  frame[head + C + chunk_tag_bytes] ^= 1;
  std::string piece = "left over";
  const auto opened = of.open_into(frame, piece);
  EXPECT_EQ(opened.error(),
            (Error{Code::denied, "chunk 2 at offset 2048 was not sealed with this content's key, or was changed"}));
  EXPECT_EQ(piece, "");
}

TEST(Sealed, RefusesChunksInOtherPlaces) {
  for (const auto cipher : ciphers) {
    const auto content = content_of(6 * C);
    auto of = sealed(header_of(content.size(), cipher));
    const auto frame = of.frame(C, content.substr(C, 3 * C));
    constexpr auto chunk = C + chunk_tag_bytes;
    const auto of_frame = [&](std::size_t i) { return frame.substr(head + i * chunk, chunk); };
    const auto start = frame.substr(0, head);
    EXPECT_EQ(refusal(of, with_offset(frame, 2 * C)), Code::denied) << "moved by a chunk";
    EXPECT_EQ(refusal(of, start + of_frame(1) + of_frame(0) + of_frame(2)), Code::denied) << "swapped";
    EXPECT_EQ(refusal(of, start + of_frame(0) + of_frame(0) + of_frame(2)), Code::denied) << "repeated";
    EXPECT_EQ(refusal(of, start + of_frame(0) + of_frame(2)), Code::invalid) << "dropped";
    EXPECT_EQ(refusal(of, with_length(start, 2 * C) + of_frame(0) + of_frame(2)), Code::denied) << "dropped";
    EXPECT_TRUE(of.open(with_length(start, 2 * C) + of_frame(0) + of_frame(1)).ok()) << "a frame of whole chunks";
    EXPECT_EQ(refusal(of, with_offset(frame, C / 2)), Code::invalid);
    EXPECT_EQ(refusal(of, with_offset(frame, 4 * C)), Code::invalid) << "beyond the end";
    EXPECT_EQ(refusal(of, with_offset(frame, ~std::uint64_t{0} - C + 1)), Code::invalid);
  }
}

TEST(Sealed, KnowsItsLastChunk) {
  for (const auto cipher : ciphers) {
    const auto content = content_of(3 * C);
    auto of = sealed(header_of(content.size(), cipher));
    auto shorter = sealed(header_of(2 * C, cipher)), longer = sealed(header_of(4 * C, cipher));
    const auto begin = of.frame(0, content.substr(0, 2 * C)), all = of.frame(0, content);
    EXPECT_EQ(refusal(shorter, begin), Code::denied) << "cut off";
    EXPECT_EQ(refusal(longer, all), Code::denied) << "goes on";
    EXPECT_EQ(refusal(of, shorter.frame(0, content.substr(0, 2 * C))), Code::denied);
    EXPECT_EQ(refusal(of, longer.frame(0, content)), Code::denied);
    // The last chunk is sealed as the last: the same bytes at the same place are not, where more follow.
    EXPECT_NE(longer.frame(0, content).substr(head + 2 * C), all.substr(head + 2 * C));
  }
}

TEST(Sealed, BindsEachFieldOfItsHeader) {
  const auto content = content_of(4 * C);
  const auto good = header_of(content.size());
  const auto frame = sealed(good).frame(0, content);
  std::vector<SealedHeader> others(5, good);
  others[0].content_id_hex[31] = 'e';
  others[1].cipher = Cipher::chacha20_poly1305;
  others[2].chunk_bytes = 2 * C;
  others[3].encoded_bytes += 1;
  others[4].digest = digest_of("another");
  for (std::size_t i = 0; i < others.size(); ++i) {
    auto other = sealed(others[i]);
    EXPECT_FALSE(other.open(frame).ok()) << i;
    if (others[i].chunk_bytes != C) continue;
    // Only the bound header tells them apart: the id of the frame is made to fit.
    auto changed = frame;
    changed.replace(4, 16, from_hex(others[i].content_id_hex).value());
    EXPECT_EQ(refusal(other, changed), Code::denied) << i;
  }
  auto other_key = Sealed::make(good, std::string(32, 'K')).value();
  EXPECT_EQ(refusal(other_key, frame), Code::denied);
}

TEST(Sealed, ChecksItsHeader) {
  struct Case {
    const char* path;
    SealedHeader header;
  };
  const auto with = [](auto change) {
    auto out = header_of(5);
    change(out);
    return out;
  };
  const Case cases[] = {
      {"/content", with([](auto& h) { h.content_id_hex = "aa"; })},
      {"/content", with([](auto& h) { h.content_id_hex = std::string(32, 'F'); })},
      {"/encryption_algorithm", with([](auto& h) { h.cipher = static_cast<Cipher>(7); })},
      {"/chunk_bytes", with([](auto& h) { h.chunk_bytes = 0; })},
      {"/chunk_bytes", with([](auto& h) { h.chunk_bytes = 512; })},
      {"/chunk_bytes", with([](auto& h) { h.chunk_bytes = 131'072; })},
      {"/chunk_bytes", with([](auto& h) { h.chunk_bytes = 4095; })},
      {"/encoded_bytes", with([](auto& h) { h.encoded_bytes = 0; })},
      {"/encoded_bytes", with([](auto& h) { h.encoded_bytes = (1ULL << 32) * C + 1; })},
      {"/encoded_bytes", with([](auto& h) { h.encoded_bytes = ~std::uint64_t{0}; })},
      {"/digest", with([](auto& h) { h.digest = std::string(64, 'a'); })},
  };
  for (const auto& [path, header] : cases) {
    EXPECT_EQ(check(header).error().path, path);
    EXPECT_EQ(Sealed::make(header, key).error().path, path);
  }
  EXPECT_TRUE(check(header_of((1ULL << 32) * C)).ok());
  EXPECT_EQ(Sealed::make(header_of(5), "short").error().code, Code::invalid);
  for (const auto cipher : ciphers) EXPECT_EQ(cipher_named(name_of(cipher)).value(), cipher);
  EXPECT_EQ(cipher_named("AES-256-GCM").error().path, "/encryption_algorithm");
}

TEST(Sealed, AbortsOnAPieceThatNoFrameHolds) {
  auto of = sealed(header_of(3 * C + 5));
  const auto frame = [&](std::uint64_t offset, std::size_t length) { (void)of.frame(offset, content_of(length)); };
  EXPECT_DEATH(frame(1, C), "a piece that no frame holds");
  EXPECT_DEATH(frame(0, 0), "a piece that no frame holds");
  EXPECT_DEATH(frame(0, C + 1), "a piece that no frame holds");
  EXPECT_DEATH(frame(3 * C, 6), "a piece that no frame holds");
  EXPECT_DEATH(frame(4 * C, C), "a piece that no frame holds");
  auto large = sealed(header_of(2 * frame_piece_bytes_max));
  EXPECT_DEATH((void)large.frame(0, std::string(frame_piece_bytes_max + C, 'x')), "a piece that no frame holds");
}

TEST(SealedFrameHeader, IsBounded) {
  auto of = sealed(header_of(5 * C));
  const auto good = of.frame(0, content_of(2 * C));
  ASSERT_TRUE(sealed_frame_header(good).ok());
  const std::string cases[] = {
      "",
      good.substr(0, head),
      with_length(good, 0),
      with_length(good, 2 * C + 1),
      with_length(good, 0xffffffff),
      with_length(good.substr(0, head), 0) + std::string(16, 'x'),
      with_length(good.substr(0, head), frame_piece_bytes_max + C) +
          std::string(frame_piece_bytes_max + C + 16 * (frame_piece_bytes_max / C + 1), 'x'),
      with_offset(good, 1),
      with_offset(good, 512),
      with_offset(good, (1ULL << 32) * C),
      with_offset(good, ~std::uint64_t{0} - C + 1),
      good.substr(0, good.size() - 1),
      good + std::string(48, 'x'),
  };
  for (const auto& bytes : cases) EXPECT_FALSE(sealed_frame_header(bytes).ok()) << bytes.size();
  // The chunks of some content are that large: only Sealed knows that this content's are not.
  EXPECT_TRUE(sealed_frame_header(good.substr(0, good.size() - 16)).ok());
  EXPECT_EQ(refusal(of, good.substr(0, good.size() - 16)), Code::invalid);
}

/// The root of merkle_tree over the chunks: what a batch with these payloads is signed with.
std::string tree_root(const std::vector<std::string>& chunks) {
  static const auto signer = PrivateKey::generate();
  const auto member = sign_jws_batch(signer, "t+jws", chunks).front();
  const auto payload = jws_payload_unverified(member.substr(0, member.find('~'))).value();
  return nlohmann::json::parse(payload).at("root").get<std::string>();
}

TEST(SealedRoot, IsThatOfTheTreeOverTheChunks) {
  std::vector<std::string> chunks;
  for (std::size_t count = 1; count <= 140; ++count) {
    const auto content = content_of(count * C - count % 3 * 100);
    auto header = header_of(content.size(), count % 2 == 0 ? Cipher::aes_256_gcm : Cipher::chacha20_poly1305);
    const auto frame = sealed(header).frame(0, content);
    chunks.clear();
    for (std::size_t at = head; at < frame.size(); at += C + chunk_tag_bytes)
      chunks.push_back(frame.substr(at, C + chunk_tag_bytes));
    std::uint64_t next = 0;
    const auto root = sealed_root_hex(header, key, [&](std::uint64_t offset, std::size_t length) {
      EXPECT_EQ(offset, next);
      next += length;
      return content.substr(offset, length);
    });
    EXPECT_EQ(next, content.size());
    const auto leaf = to_hex(sha256('\0' + chunks.front()));
    EXPECT_EQ(root.value(), count == 1 ? leaf : tree_root(chunks)) << count;
  }
}

TEST(SealedRoot, NeedsTheWholeContent) {
  const auto header = header_of(3 * C);
  const auto root = [&](const Result<std::string>& read) {
    return sealed_root_hex(header, key, [&](std::uint64_t, std::size_t) { return read; });
  };
  EXPECT_EQ(root(Error{Code::unavailable, "is gone"}).error().reason, "is gone");
  EXPECT_EQ(root(content_of(3 * C - 1)).error().code, Code::unavailable);
  EXPECT_EQ(root(content_of(3 * C + 1)).error().code, Code::unavailable);
  EXPECT_NE(root(content_of(3 * C)).value(), root(std::string(3 * C, 'x')).value());
  EXPECT_FALSE(sealed_root_hex(header_of(0), key, nullptr).ok());
}

}  // namespace
}  // namespace fieldwork::crypto
