#include "transfer/shell/content_store.hpp"

#include "crypto/bytes.hpp"
#include "crypto/digest.hpp"

namespace fieldwork::transfer {
namespace {

namespace fs = std::filesystem;

// The hex digits of a file name <hex>[.suffix]; empty: the name has another form.
std::string hex_name(const fs::path& path, std::size_t digits) {
  const auto name = path.filename().string();
  const auto hex = name.substr(0, digits);
  const bool ours = crypto::is_hex(hex, digits) && (name.size() == digits || name[digits] == '.');
  return ours ? hex : std::string();
}

bool has(const fs::path& path, std::int64_t bytes) {
  std::error_code error;
  const auto there = fs::file_size(path, error);
  return !error && there == static_cast<std::uintmax_t>(bytes);
}

template <class Known>
void remove_unknown(const fs::path& directory, std::size_t digits, const Known& known) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(directory, ignored)) {
    const auto hex = hex_name(entry.path(), digits);
    if (!hex.empty() && !known(hex, entry.path())) fs::remove(entry.path(), ignored);
  }
}

}  // namespace

Result<ContentStore> ContentStore::open(const fs::path& directory) {
  for (const auto& path : {directory / "content", directory / "incoming"}) {
    std::error_code error;
    fs::create_directories(path, error);
    if (error) return Error{Code::invalid, error.message(), path.string()};
  }
  return ContentStore(directory);
}

fs::path ContentStore::plain(const std::string& digest) const { return directory_ / "content" / digest.substr(7); }

fs::path ContentStore::encoded(const std::string& digest, const content::Encoding& encoding) const {
  auto name = plain(digest).string();
  if (encoding.kind == content::EncodingKind::identity) return name;
  if (encoding == stored_encoding) return name + ".zst";
  name += encoding.kind == content::EncodingKind::patch ? ".patch" : ".zst";
  name += std::to_string(encoding.level);
  if (encoding.window_log > 0) name += "w" + std::to_string(encoding.window_log);
  if (!encoding.base.empty()) name += "-" + encoding.base.substr(7);
  return name;
}

bool ContentStore::holds(const Content& content) const {
  return has(plain(content.package.digest), content.package.size_bytes);
}

Result<content::Encoded> ContentStore::make(const MakeEncoding& work, int threads,
                                            const std::atomic<bool>& stop) const {
  const auto& [digest, encoding, cipher] = work.making;
  const auto path = encoded(digest, encoding);
  if (encoding.kind == content::EncodingKind::identity) {
    if (!has(path, work.size_bytes)) return Error{Code::unavailable, "is not there", path.string()};
    return content::Encoded{encoding, work.size_bytes, digest};
  }
  if (work.known && has(path, work.known->bytes)) return *work.known;
  if (encoding == stored_encoding) {
    auto stored = exchange::encode_beside(plain(digest), digest, encoding.level);
    if (!stored) return stored.error();
    if (stored->encoding == "zstd")
      return content::Encoded{encoding, stored->encoded_bytes, stored->encoded_digest, stored_window_log};
    return Error{Code::conflict, "the content cannot be compressed"};
  }
  const auto base = encoding.base.empty() ? fs::path() : plain(encoding.base);
  auto made = content::make(encoding, plain(digest), base, path, threads, &stop);
  if (!made || made->bytes < work.size_bytes) return made;
  remove(digest, encoding);
  return Error{Code::conflict, "the encoding is not smaller than the content"};
}

void ContentStore::sweep(const std::set<std::string>& digests, const std::set<TransferId>& transfers,
                         const std::set<fs::path>& encoded) const {
  remove_unknown(directory_ / "content", 64, [&](const std::string& hex, const fs::path& path) {
    const bool stored = path.extension().empty() || path.extension() == ".zst";
    return digests.contains("sha256:" + hex) && (stored || encoded.contains(path));
  });
  remove_unknown(incoming(), 32,
                 [&](const std::string& hex, const fs::path&) { return transfers.contains(TransferId(hex)); });
}

void ContentStore::discard(const TransferId& transfer) const { exchange::Inbound::discard(incoming(), transfer); }

void ContentStore::remove(const std::string& digest) const {
  for (const auto& encoding : {stored_encoding, content::Encoding{}}) remove(digest, encoding);
}

void ContentStore::remove(const std::string& digest, const content::Encoding& encoding) const {
  std::error_code ignored;
  fs::remove(encoded(digest, encoding), ignored);
}

Result<exchange::Encoded> keep(exchange::Inbound* inbound, const Offer& offer, const fs::path& path) {
  if (inbound != nullptr) {
    if (auto done = inbound->finish(path); !done) return done.error();
  } else if (const auto digest = crypto::digest_of_file(path); !digest || *digest != offer.digest) {
    std::error_code ignored;
    fs::remove(path, ignored);
    return Error{Code::unavailable, "is not what was put there", path.string()};
  }
  auto encoded = exchange::encode_beside(path, offer.digest);
  if (encoded) return encoded;
  return exchange::Encoded{"identity", path, offer.size_bytes, offer.digest};
}

}  // namespace fieldwork::transfer
