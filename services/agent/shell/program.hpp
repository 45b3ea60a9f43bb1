// Which program a command means, and why it cannot be started.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace fieldwork::agent {

struct Command;

inline constexpr const char* default_path = "/usr/local/bin:/usr/bin:/bin";

// What execve is given. The texts belong to it; it must stay where it is while the pointers are used.
struct Program {
  std::string file;  // found; a program without '/': in the working directory, else in the job's PATH
  std::vector<std::string> words, env;
  std::vector<char*> argv, envp;
  std::string path;  // the job's PATH
  Program() = default;
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
};

// PATH, HOME and LANG have defaults, everything else is the job's; nothing is the agent's.
void prepare(const Command& command, Program& into);

// A sentence that names what is wrong with the file, found by looking at it after execve failed with `error`: a missing
// interpreter, Windows line ends, another machine's program, an empty file, a missing right.
[[nodiscard]] std::string why_not_started(const Command& command, const Program& program, int error);

}  // namespace fieldwork::agent
