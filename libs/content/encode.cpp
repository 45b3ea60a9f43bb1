#include "content/encode.hpp"

#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <vector>

namespace fieldwork::content {
namespace {

using Path = std::filesystem::path;

struct FreeEncoder {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};
struct FreeDecoder {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

Error failed(const Path& path, Code code, std::string reason) { return Error{code, std::move(reason), path.string()}; }

/// A file that is read and one that is written; the latter is removed unless finish() succeeded.
class Files {
 public:
  Files(const Path& from, const Path& to) : from_(from), to_(to) {}
  ~Files() {
    if (!created_ || kept_) return;
    out_.close();
    std::error_code ignored;
    std::filesystem::remove(to_, ignored);
  }
  Files(const Files&) = delete;
  Files& operator=(const Files&) = delete;

  Result<void> open() {
    std::error_code ignored;
    if (std::filesystem::equivalent(from_, to_, ignored)) return failed(to_, Code::invalid, "is the input");
    in_.open(from_, std::ios::binary);
    if (!in_) return failed(from_, Code::unavailable, "cannot be opened");
    out_.open(to_, std::ios::binary | std::ios::trunc);
    if (!out_) return failed(to_, Code::unavailable, "cannot be written");
    created_ = true;
    return {};
  }

  /// Reads into the buffer. Returns the number of bytes; 0: the end of the file.
  Result<std::size_t> read(std::vector<char>& buffer) {
    in_.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    if (in_.bad()) return failed(from_, Code::unavailable, "cannot be read");
    return static_cast<std::size_t>(in_.gcount());
  }

  Result<void> write(const char* bytes, std::size_t size) {
    errno = 0;
    out_.write(bytes, static_cast<std::streamsize>(size));
    if (!out_) return not_written();
    return {};
  }

  Result<void> finish() {
    errno = 0;
    out_.close();
    if (!out_) return not_written();
    kept_ = true;
    return {};
  }

 private:
  // The error of a failed write, with the system's reason where the stream has left one: most often the disk is full.
  [[nodiscard]] Error not_written() const {
    const std::string why = errno != 0 ? std::string(": ") + std::strerror(errno) : "";
    return failed(to_, Code::unavailable, "cannot be written" + why);
  }

  Path from_, to_;
  std::ifstream in_;
  std::ofstream out_;
  bool created_ = false;
  bool kept_ = false;
};

/// Encodes one buffer of input; with `last`, up to the end of the stream.
Result<void> encode_some(ZSTD_CCtx* encoder, ZSTD_inBuffer in, bool last, std::vector<char>& buffer, Files& files) {
  for (bool more = true; more;) {
    ZSTD_outBuffer out{buffer.data(), buffer.size(), 0};
    const std::size_t left = ZSTD_compressStream2(encoder, &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);
    if (ZSTD_isError(left) != 0) return Error{Code::unavailable, ZSTD_getErrorName(left)};
    if (auto written = files.write(buffer.data(), out.pos); !written) return written;
    more = last ? left != 0 : in.pos < in.size;
  }
  return {};
}

/// Decodes a stream and counts the decoded bytes.
class Decoding {
 public:
  Decoding(Files& files, const Path& from, std::uint64_t size_max)
      : decoder_(ZSTD_createDCtx()), files_(files), from_(from), size_max_(size_max), buffer_(ZSTD_DStreamOutSize()) {
    if (decoder_) ZSTD_DCtx_setParameter(decoder_.get(), ZSTD_d_windowLogMax, zstd_window_log_max);
  }

  [[nodiscard]] bool ended() const { return ended_; }

  Result<void> give(ZSTD_inBuffer in) {
    if (!decoder_) return Error{Code::unavailable, "no memory"};
    bool full = false;  // the decoder may give more output without more input
    while (in.pos < in.size || full) {
      if (ended_) return failed(from_, Code::invalid, "goes on after the zstd stream");
      ZSTD_outBuffer out{buffer_.data(), buffer_.size(), 0};
      const std::size_t left = ZSTD_decompressStream(decoder_.get(), &out, &in);
      if (ZSTD_isError(left) != 0) {
        return failed(from_, Code::invalid, std::string("is not zstd: ") + ZSTD_getErrorName(left));
      }
      if (out.pos > size_max_ - written_) return failed(from_, Code::invalid, "decodes to more than was announced");
      written_ += out.pos;
      if (auto written = files_.write(buffer_.data(), out.pos); !written) return written;
      ended_ = left == 0;
      full = !ended_ && out.pos == out.size;
    }
    return {};
  }

 private:
  std::unique_ptr<ZSTD_DCtx, FreeDecoder> decoder_;
  Files& files_;
  const Path& from_;
  std::uint64_t size_max_;
  std::vector<char> buffer_;
  std::uint64_t written_ = 0;
  bool ended_ = false;
};

}  // namespace

Result<void> compress_file(const Path& plain_path, const Path& encoded_path, int level) {
  Files files(plain_path, encoded_path);
  if (auto opened = files.open(); !opened) return opened;
  const std::unique_ptr<ZSTD_CCtx, FreeEncoder> encoder(ZSTD_createCCtx());
  if (!encoder) return Error{Code::unavailable, "no memory"};
  ZSTD_CCtx_setParameter(encoder.get(), ZSTD_c_compressionLevel, std::clamp(level, 1, 19));
  ZSTD_CCtx_setParameter(encoder.get(), ZSTD_c_checksumFlag, 1);
  std::vector<char> in(ZSTD_CStreamInSize());
  std::vector<char> out(ZSTD_CStreamOutSize());
  for (bool last = false; !last;) {
    const auto size = files.read(in);
    if (!size) return size.error();
    last = *size < in.size();
    if (auto done = encode_some(encoder.get(), {in.data(), *size, 0}, last, out, files); !done) return done;
  }
  return files.finish();
}

Result<void> decompress_file(const Path& encoded_path, const Path& plain_path, std::uint64_t size_max) {
  Files files(encoded_path, plain_path);
  if (auto opened = files.open(); !opened) return opened;
  Decoding decoding(files, encoded_path, size_max);
  std::vector<char> in(ZSTD_DStreamInSize());
  for (;;) {
    const auto size = files.read(in);
    if (!size) return size.error();
    if (*size == 0) break;
    if (auto done = decoding.give({in.data(), *size, 0}); !done) return done;
  }
  if (!decoding.ended()) return failed(encoded_path, Code::invalid, "ends before the zstd stream does");
  return files.finish();
}

}  // namespace fieldwork::content
