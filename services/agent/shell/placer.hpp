// Puts the only file of a package into its place in the device's directory for files (device.files): whole or not at
// all. Work that takes long runs on a thread of its own.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/core/stages.hpp"
#include "base/result.hpp"
#include "exchange/durable.hpp"
#include "exchange/worker.hpp"

namespace fieldwork::agent {

using MeasureRoom = std::function<Result<exchange::Disk>(const std::filesystem::path&)>;

// Writes the only file in `archive` to `root`/`file`, through a temporary file beside it, fsync and rename. Directories
// that are missing are made (0755). No link below `root` is followed; a link at the place itself is replaced. Invalid:
// the package has not exactly one file, or something else is in the way. Unavailable: the disk, with numbers where it
// is full. After an error nothing is left of it.
[[nodiscard]] Result<void> place_file(const std::filesystem::path& root, const std::filesystem::path& archive,
                                      const std::string& file, const MeasureRoom& measure = exchange::disk_of);

class Placer {
 public:
  // `root`: empty: nothing is placed. `thread`: false: place() does it at once.
  Placer(std::filesystem::path root, bool thread);

  void place(const staging::Place& what, const std::filesystem::path& archive);
  // What has been done since the last call.
  [[nodiscard]] std::vector<staging::Placed> done();

 private:
  std::filesystem::path root_;
  std::shared_ptr<exchange::Mailbox<staging::Placed>> outcomes_;
  std::unique_ptr<exchange::Worker> worker_;
};

}  // namespace fieldwork::agent
