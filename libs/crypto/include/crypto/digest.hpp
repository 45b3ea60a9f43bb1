// SHA-256, and the digest text of the formats: "sha256:" and 64 lower-case hex digits.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"

struct evp_md_ctx_st;

namespace fieldwork::crypto {

/// The raw 32 bytes.
[[nodiscard]] std::string sha256(std::string_view bytes);

/// "sha256:<hex>".
[[nodiscard]] std::string digest_of(std::string_view bytes);

/// Streams the file, of any size. An unreadable file is an Error (unavailable) whose path is the file's.
[[nodiscard]] Result<std::string> digest_of_file(const std::filesystem::path& path);

[[nodiscard]] bool is_digest(std::string_view text);

/// SHA-256 of bytes that come in parts.
class Sha256 {
 public:
  Sha256();
  void update(std::string_view bytes);

  /// The raw 32 bytes of the digest of all bytes that were given; afterwards the object is as new.
  [[nodiscard]] std::string finish();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

}  // namespace fieldwork::crypto
