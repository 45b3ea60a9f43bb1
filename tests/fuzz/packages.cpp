// libFuzzer: any bytes as a manifest, and as the archive of a package. A manifest that is read is written as it was
// read; an archive is unpacked as its manifest says, or leaves nothing.
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include "codec/manifest.hpp"
#include "content/archive.hpp"
#include "seeds.hpp"

namespace {

using namespace fieldwork;
namespace fs = std::filesystem;

constexpr std::uint64_t size_max = 1 << 20;

// In memory, where the system has it: each input is a file.
class Place {
 public:
  Place() {
    std::error_code error;
    auto pattern = ((fs::is_directory("/dev/shm", error) ? fs::path("/dev/shm") : fs::temp_directory_path()) /
                    "fieldwork-fuzz-XXXXXX")
                       .string();
    if (mkdtemp(pattern.data()) == nullptr) std::abort();
    path = pattern;
  }
  ~Place() {
    std::error_code error;
    fs::remove_all(path, error);
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  fs::path path;
};
const fs::path& place() {
  static const Place one;
  return one.path;
}

std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::uint64_t bytes_in(const fs::path& directory) {
  std::uint64_t out = 0;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    const auto type = entry.symlink_status().type();
    if (type == fs::file_type::regular) out += entry.file_size();
    if (type != fs::file_type::regular && type != fs::file_type::directory && type != fs::file_type::symlink)
      std::abort();
    // No link leads out, whatever it leads through.
    std::error_code error;
    const auto whole = fs::weakly_canonical(entry.path(), error).lexically_relative(fs::canonical(directory));
    if (!error && (whole.empty() || *whole.begin() == "..")) std::abort();
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* count, char*** words) {
  const auto tree = place() / "tree";
  fs::create_directories(tree / "data");
  std::ofstream(tree / "run.sh") << "#!/bin/sh\n";
  std::ofstream(tree / "data/a") << "a";
  fs::permissions(tree / "run.sh", fs::perms::owner_all);
  fs::create_symlink("../run.sh", tree / "data/start");
  std::vector<std::string> inputs;
  const auto packed = content::pack_package(tree, place() / "seed.tar", {"aarch64", {"./run.sh"}, {100, 1, 1}});
  if (!packed) std::abort();
  inputs.push_back(read(place() / "seed.tar"));
  if (!content::pack(tree, place() / "seed.tar")) std::abort();
  inputs.push_back(read(place() / "seed.tar"));
  const Manifest manifest{{"aarch64", {"./run.sh"}, {100, 1, 1}},
                          {{.path = "run.sh", .executable = true, .digest = "sha256:" + std::string(64, 'a')},
                           {.kind = ManifestFile::Kind::directory, .path = "d"},
                           {.kind = ManifestFile::Kind::link, .path = "l", .target = "d"}}};
  inputs.push_back(codec::encode(manifest));
  fs::remove_all(tree);
  fuzz::seed_corpus(*count, *words, inputs);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)codec::decode_manifest_template(text);
  if (const auto manifest = codec::decode_manifest(text)) {
    const auto again = codec::decode_manifest(codec::encode(*manifest));
    if (!again || *again != *manifest) std::abort();
  }
  const auto archive = place() / "input.tar", out = place() / "out";
  std::ofstream(archive, std::ios::binary).write(text.data(), static_cast<std::streamsize>(text.size()));
  const auto manifest = content::read_manifest(archive);
  if (!content::unpack(archive, out, size_max)) {
    if (fs::exists(out)) std::abort();
    return 0;
  }
  if (!manifest) std::abort();  // it was read while it was unpacked
  std::uint64_t listed = 0;
  for (const auto& file : *manifest ? (*manifest)->files : std::vector<ManifestFile>{}) {
    listed += static_cast<std::uint64_t>(file.size_bytes);
    if (!fs::exists(fs::symlink_status(out / file.path))) std::abort();
  }
  const auto there = bytes_in(out);
  if (there > size_max || (*manifest && there != listed)) std::abort();
  fs::remove_all(out);
  return 0;
}
