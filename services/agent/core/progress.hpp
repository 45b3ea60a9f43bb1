// What a program's progress file says (docs/job.md, "Progress"). Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "model/job.hpp"

namespace fieldwork::agent {

class ProgressLines {
 public:
  // Takes what was appended to the file. True: it has a line that is understood, a sign of progress also where it says
  // nothing new.
  bool add(std::string_view bytes);
  // Of a file that was begun anew, or of which a part was passed over: what is kept of a last line without its end is
  // forgotten. `within`: the next bytes may begin within a line, whose rest is passed over.
  void begin_anew(bool within);

  [[nodiscard]] const RunProgress& said() const { return said_; }
  // The first line that was not understood, as "line 3: …"; empty: there is none.
  [[nodiscard]] const std::string& wrong() const { return wrong_; }

 private:
  bool line(std::string_view text);

  RunProgress said_;
  std::string rest_;  // of a line that has no end yet
  bool skip_ = false;
  std::size_t lines_ = 0;
  std::string wrong_;
};

}  // namespace fieldwork::agent
