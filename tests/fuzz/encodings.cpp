// libFuzzer: any bytes as an encoded content, zstd and a patch. What is decoded has the size that was declared, and is
// the same in whatever runs it comes; a refusal leaves no file. The first byte says the size of the runs, the next two
// what is declared.
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>

#include "content/decoder.hpp"
#include "content/encoding.hpp"
#include "crypto/digest.hpp"
#include "seeds.hpp"
#include "support/temp_dir.hpp"

namespace {

using namespace fieldwork;
using content::EncodingKind;

const std::string& base() {
  static const std::string text = [] {
    std::string out;
    for (int i = 0; i < 3000; ++i) out += std::to_string(i * i) + " ";
    return out;
  }();
  return text;
}
const support::TempDir& files() {
  static const support::TempDir dir;
  return dir;
}
void must(bool good) {
  if (!good) std::abort();
}

std::string seed(const content::Encoding& encoding, const std::string& plain) {
  must(content::make(encoding, files().write("plain", plain), files().write("base", base()), files() / "made").ok());
  const auto size = plain.size();
  return std::string{'\x9', static_cast<char>(size & 255), static_cast<char>(size >> 8)} + files().read("made");
}

/// The digest of what the runs decode to; empty: refused.
std::string decoded_in_runs(std::string_view bytes, std::uint64_t size, std::size_t run) {
  auto decoder = content::Decoder::open(EncodingKind::zstd, files() / "again", size);
  for (std::size_t at = 0; at < bytes.size(); at += run) (void)decoder->push(bytes.substr(at, run));
  const auto digest = decoder->finish();
  return digest ? *digest : "";
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* count, char*** words) {
  fuzz::seed_corpus(*count, *words,
                    {seed({EncodingKind::zstd, 3}, ""), seed({EncodingKind::zstd, 19}, base()),
                     seed({EncodingKind::zstd, 1, "", 10}, base() + base()),
                     seed({EncodingKind::patch, 3, "b"}, base().substr(5000) + "what is new" + base())});
  files().write("base", base());
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  const std::uint64_t plain_bytes = data[1] + 256U * data[2];
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 3, size - 3);
  std::ofstream(files() / "encoded", std::ios::binary) << bytes;
  for (const auto kind : {EncodingKind::zstd, EncodingKind::patch}) {
    const auto out = files() / "out";
    const auto digest = content::decode(kind, files() / "encoded", files() / "base", out, plain_bytes);
    must(digest.ok() == std::filesystem::exists(out));
    if (digest) must(std::filesystem::file_size(out) == plain_bytes && crypto::digest_of_file(out).value() == *digest);
    // libzstd takes some odd frames in runs only, or only at once: never as two contents.
    const auto in_runs = kind == EncodingKind::zstd ? decoded_in_runs(bytes, plain_bytes, 1U + data[0]) : "";
    must(!digest || in_runs.empty() || in_runs == *digest);
    std::filesystem::remove(out);
  }
  return 0;
}
