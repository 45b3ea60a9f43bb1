// What `fieldwork send` shows while it waits: a line for each device, or how many there are of each kind. Pure.
#pragma once

#include <map>
#include <string>

#include "codec/json.hpp"

namespace fieldwork::cli {

enum class SentState { waits, ready, failed };
// Of an item of service/transfer/stages.
[[nodiscard]] SentState sent_state(const codec::Json& item);
// "edge-1  [####----]   40 %  13.6 MiB of 34.0 MiB, 2 Mbit/s, 1m 20s left, resumed at 12.0 MiB"
[[nodiscard]] std::string sent_line(const codec::Json& item);
// "ready on 3 of 5 devices, 1 under way, 1 failed"
[[nodiscard]] std::string sent_summary(const codec::Json& items);

class SendView {
 public:
  // `redraws`: the terminal can show the lines anew in place; else each change is a new line.
  explicit SendView(bool redraws) : redraws_(redraws) {}
  // What to write to stderr for these items, one for each device.
  [[nodiscard]] std::string show(const codec::Json& items);

 private:
  bool redraws_;
  std::size_t drawn_ = 0;                    // lines on the terminal
  std::string last_;                         // what stands there
  std::map<std::string, std::string> told_;  // by device: the step that was told
};

}  // namespace fieldwork::cli
