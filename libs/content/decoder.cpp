#include "content/decoder.hpp"

#include <zstd.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "base/freer.hpp"
#include "crypto/bytes.hpp"
#include "crypto/digest.hpp"
#include "files.hpp"
#include "frame_header.hpp"

namespace fieldwork::content {

struct Decoder::Impl {
  EncodingKind kind;
  std::uint64_t size;
  int window_log_max;
  NewFile file;
  std::unique_ptr<ZSTD_DCtx, Freer<ZSTD_freeDCtx>> zstd{};
  crypto::Sha256 hash{};
  std::vector<char> buffer{};
  std::uint64_t written = 0;
  std::string head{};     // what has come of the frame's header
  bool in_frame = false;  // the header is complete and good
  bool ended = false;     // the frame is over
  std::optional<Error> failed{};

  Result<void> write(std::string_view plain) {
    if (plain.size() > size - written) return Error{Code::invalid, "decodes to more than was announced"};
    if (auto done = file.write(plain); !done) return done;
    hash.update(plain);
    written += plain.size();
    return {};
  }

  // Takes from `encoded` what the header still needs; nothing is decoded before it is known to be good.
  Result<void> read_header(std::string_view& encoded) {
    const std::size_t before = head.size();
    head += encoded.substr(0, frame_header_bytes - before);
    const auto header = frame_header(head);
    if (!header) return header.error();
    encoded.remove_prefix(head.size() - before);
    if (!*header) return {};
    in_frame = true;
    if (auto good = check(**header, size, window_log_max); !good) return good;
    return decode(head);
  }

  Result<void> decode(std::string_view encoded) {
    ZSTD_inBuffer in{encoded.data(), encoded.size(), 0};
    bool full = false;  // the decoder may give more output without more input
    while (in.pos < in.size || full) {
      if (ended) return Error{Code::invalid, "goes on after the zstd frame"};
      ZSTD_outBuffer out{buffer.data(), buffer.size(), 0};
      const std::size_t left = ZSTD_decompressStream(zstd.get(), &out, &in);
      if (ZSTD_isError(left) != 0) {
        return Error{Code::invalid, std::string("is not good zstd: ") + ZSTD_getErrorName(left)};
      }
      if (auto done = write({buffer.data(), out.pos}); !done) return done;
      ended = left == 0;
      full = !ended && out.pos == out.size;
    }
    return {};
  }

  Result<void> push(std::string_view encoded) {
    if (kind == EncodingKind::identity) return write(encoded);
    if (!in_frame) {
      if (auto done = read_header(encoded); !done) return done;
    }
    return decode(encoded);
  }

  Result<std::string> finish() {
    if (kind == EncodingKind::zstd && !ended) return Error{Code::invalid, "ends before the zstd frame does"};
    if (written < size) return Error{Code::invalid, "decodes to less than was announced"};
    if (auto kept = file.keep(); !kept) return kept.error();
    return "sha256:" + crypto::to_hex(hash.finish());
  }

  Error fail(Error error) {
    const NewFile forgotten = std::move(file);
    failed = std::move(error);
    return *failed;
  }
};

Decoder::Decoder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Decoder::Decoder(Decoder&&) noexcept = default;
Decoder& Decoder::operator=(Decoder&&) noexcept = default;
Decoder::~Decoder() = default;

Result<Decoder> Decoder::open(EncodingKind kind, const std::filesystem::path& plain, std::uint64_t size,
                              const DecodeLimits& limits) {
  if (kind == EncodingKind::patch) return Error{Code::invalid, "a patch cannot be decoded while it arrives"};
  auto file = NewFile::create(plain);
  if (!file) return file.error();
  auto impl = std::make_unique<Impl>(Impl{kind, size, limits.window_log_max, std::move(*file)});
  if (kind == EncodingKind::zstd) {
    impl->zstd.reset(ZSTD_createDCtx());
    if (!impl->zstd) return Error{Code::unavailable, "no memory"};
    ZSTD_DCtx_setParameter(impl->zstd.get(), ZSTD_d_windowLogMax, limits.window_log_max);
    impl->buffer.resize(ZSTD_DStreamOutSize());
  }
  return Decoder(std::move(impl));
}

Result<void> Decoder::push(std::string_view encoded) {
  if (impl_->failed) return *impl_->failed;
  auto done = impl_->push(encoded);
  return done ? done : impl_->fail(done.error());
}

Result<std::string> Decoder::finish() {
  if (impl_->failed) return *impl_->failed;
  auto digest = impl_->finish();
  return digest ? digest : impl_->fail(digest.error());
}

void Decoder::leave() { impl_->file.leave(); }

std::uint64_t Decoder::written_bytes() const { return impl_->written; }

}  // namespace fieldwork::content
