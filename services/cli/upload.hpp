// Brings a packed archive to the transfer service, through lost connections and restarts of either side.
#pragma once

#include <filesystem>
#include <string>

#include "failure.hpp"
#include "output.hpp"
#include "session.hpp"

namespace fieldwork::cli {

struct Packed {
  std::filesystem::path path;
  std::string digest{};
  std::int64_t size_bytes = 0;
  std::string name;
  std::string version;
  std::string release{};  // JWS
  std::string architecture{};
};

// Returns the encoded bytes that were sent, repeats included; 0: the service had the content. Gives up after `silence`
// without a sign of life from the service.
[[nodiscard]] Outcome<std::int64_t> upload(Session& session, const Packed& packed, std::chrono::seconds silence,
                                           Progress& progress);

}  // namespace fieldwork::cli
