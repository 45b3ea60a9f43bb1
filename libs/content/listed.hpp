// What the manifest of a package says that its archive holds. Private to this library.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "model/manifest.hpp"

namespace fieldwork::content {

inline constexpr const char* manifest_directory = ".fieldwork";
inline constexpr const char* manifest_name = ".fieldwork/manifest.json";

[[nodiscard]] bool is_reserved(std::string_view name);

class Listed {
 public:
  /// Of `size_max` bytes of files at most.
  [[nodiscard]] static Result<Listed> of(Manifest manifest, std::uint64_t size_max);

  /// What the manifest says of this entry, which came.
  [[nodiscard]] Result<const ManifestFile*> take(const std::string& name, ManifestFile::Kind kind);
  /// Of what did not come; none: all came.
  [[nodiscard]] std::optional<Error> missing() const;

 private:
  struct One {
    ManifestFile file;
    bool came = false;
  };
  std::map<std::string, One> all_;  // by path
};

}  // namespace fieldwork::content
