// Lines that programs of one job say to each other (docs/decisions/0025): the inputs of the core about them.
#pragma once

#include <string>
#include <vector>

#include "model/job.hpp"

namespace fieldwork::agent {

// What the program of an attempt says, or hears from another execution of its job.
struct Mail {
  AttemptKey key;
  std::vector<std::string> lines;
};
// A program wrote lines for the other executions: Hands::mail(); with the key that it was started under.
struct LinesWritten {
  Mail mail;
};
// Another execution of the job said lines to this attempt: device/{device}/down/message.
struct LinesHeard {
  Mail mail;
};

}  // namespace fieldwork::agent
