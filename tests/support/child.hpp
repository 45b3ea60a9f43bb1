// A server that a test program starts: in the background, its output in DIRECTORY/log, ended by the kernel when the
// program dies before it ended it.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

namespace fieldwork::support {

inline sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

// A free port of 127.0.0.1. Before the caller takes it, another process may.
inline int free_port() {
  const int socket_number = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  auto address = loopback(0);
  socklen_t size = sizeof address;
  auto* any = reinterpret_cast<sockaddr*>(&address);
  const bool found = bind(socket_number, any, size) == 0 && getsockname(socket_number, any, &size) == 0;
  close(socket_number);
  if (!found) throw std::runtime_error("no free port");
  return ntohs(address.sin_port);
}

// `user` 0: the child runs as our user.
inline pid_t start_child(const std::vector<std::string>& command, const std::filesystem::path& directory,
                         int death_signal, uid_t user = 0, gid_t group = 0) {
  std::vector<char*> argv;
  for (const auto& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  const auto log = (directory / "log").string();
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("cannot fork");
  if (child > 0) return child;
  if (user != 0 && (setgroups(0, nullptr) != 0 || setgid(group) != 0 || setuid(user) != 0)) _exit(126);
  prctl(PR_SET_PDEATHSIG, death_signal);  // after the change of user, which clears it
  if (getppid() != parent) _exit(126);
  const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (chdir(directory.c_str()) != 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0) _exit(126);
  execvp(argv[0], argv.data());
  _exit(127);
}

}  // namespace fieldwork::support
