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

template <class Known>
void remove_unknown(const fs::path& directory, std::size_t digits, const Known& known) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(directory, ignored)) {
    const auto hex = hex_name(entry.path(), digits);
    if (!hex.empty() && !known(hex)) fs::remove(entry.path(), ignored);
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

fs::path ContentStore::encoded(const std::string& digest, const std::string& encoding) const {
  return plain(digest).string() + (encoding == "zstd" ? ".zst" : "");
}

bool ContentStore::holds(const Content& content) const {
  std::error_code error;
  const auto bytes = fs::file_size(encoded(content.package.digest, content.encoding), error);
  return !error && bytes == static_cast<std::uintmax_t>(content.encoded_bytes);
}

void ContentStore::sweep(const std::set<std::string>& digests, const std::set<TransferId>& transfers) const {
  remove_unknown(directory_ / "content", 64, [&](const std::string& hex) { return digests.contains("sha256:" + hex); });
  remove_unknown(incoming(), 32, [&](const std::string& hex) { return transfers.contains(TransferId(hex)); });
}

void ContentStore::discard(const TransferId& transfer) const { exchange::Inbound::discard(incoming(), transfer); }

void ContentStore::remove(const std::string& digest) const {
  std::error_code ignored;
  for (const char* encoding : {"zstd", "identity"}) fs::remove(encoded(digest, encoding), ignored);
}

Result<exchange::Encoded> keep(exchange::Inbound* inbound, const Offer& offer, const fs::path& path) {
  if (inbound != nullptr) {
    if (auto done = inbound->finish(path); !done) return done.error();
  } else if (const auto digest = crypto::digest_of_file(path); !digest || *digest != offer.digest) {
    std::error_code ignored;
    fs::remove(path, ignored);
    return Error{Code::unavailable, "is not what was put there", path.string()};
  }
  auto encoded = exchange::encode_beside(path);
  if (encoded) return encoded;
  return exchange::Encoded{"identity", path, offer.size_bytes};
}

}  // namespace fieldwork::transfer
