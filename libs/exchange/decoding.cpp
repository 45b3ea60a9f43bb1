#include "decoding.hpp"

#include <algorithm>
#include <utility>

namespace fieldwork::exchange {
namespace {
constexpr std::uint64_t slice_bytes = 128 * 1024;
}  // namespace

Decoding::~Decoding() {
  if (decoder_) decoder_->leave();
}

void Decoding::open() {
  if (decoder_ || failed_) return;
  auto decoder = content::Decoder::open(content::EncodingKind::zstd, plain_, size_, {});
  if (decoder) {
    decoder_ = std::move(*decoder);
  } else {
    failed_ = decoder.error();
  }
}

void Decoding::go_on(std::uint64_t end) { decode(end, plain_bytes_max); }

void Decoding::decode(std::uint64_t end, std::uint64_t plain_max) {
  open();
  const auto before = decoder_ ? decoder_->written_bytes() : 0;
  while (!failed_ && at_ < end && decoder_->written_bytes() - before < plain_max) {
    const auto bytes = part_->read_at(at_, std::min(slice_bytes, end - at_));
    const auto done = bytes ? decoder_->push(*bytes) : Result<void>(bytes.error());
    if (!done) failed_ = done.error();
    at_ += bytes ? bytes->size() : 0;
  }
}

Result<std::string> Decoding::finish(std::uint64_t end) {
  decode(end, size_ + 1);
  auto digest = failed_ ? Result<std::string>(*failed_) : decoder_->finish();
  at_ = 0;
  failed_.reset();
  decoder_.reset();
  return digest;
}

}  // namespace fieldwork::exchange
