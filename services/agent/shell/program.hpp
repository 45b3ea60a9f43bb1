// Which program a command means, and why a program cannot be started.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace fieldwork::agent {

struct Command;

inline constexpr const char* default_path = "/usr/local/bin:/usr/bin:/bin";

// The arguments of execve. argv and envp point into this object: it must not move while they are used.
struct Program {
  std::string file;  // the program found; without '/' in its name: from the working directory, else from the job's PATH
  std::vector<std::string> words, env;
  std::vector<char*> argv, envp;
  std::string path;  // the job's PATH
  Program() = default;
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
};

// PATH, HOME and LANG have defaults. All other variables are the job's; none is the agent's.
void prepare(const Command& command, Program& into);

// Why execve failed with `error`, as a sentence: looks at the file for a missing interpreter, Windows line ends, a
// program for another machine, an empty file, a missing right.
[[nodiscard]] std::string why_not_started(const Command& command, const Program& program, int error);

}  // namespace fieldwork::agent
