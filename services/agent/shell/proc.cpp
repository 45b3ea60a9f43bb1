#include "agent/shell/proc.hpp"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace fieldwork::agent {
namespace {

// A directory entry as the kernel writes it; readdir() would allocate.
struct Entry {
  std::uint64_t inode;
  std::int64_t offset;
  unsigned short length;
  unsigned char type;
  char name[1];
};

// Reads the decimal digits from `at` on; 0: there are none.
std::uint64_t number(const char*& at) {
  std::uint64_t out = 0;
  for (; *at >= '0' && *at <= '9'; ++at) out = out * 10 + static_cast<std::uint64_t>(*at - '0');
  return out;
}

void skip_fields(const char*& at, int count) {
  for (; count > 0 && *at != '\0'; ++at) {
    if (*at == ' ') --count;
  }
}

// proc(5), /proc/PID/stat: after "pid (name) " come state, parent, group, session, terminal and, as field 22, the start
// time.
bool parse(const char* text, ProcessSeen& into) {
  const char* at = std::strrchr(text, ')');
  if (at == nullptr || at[1] == '\0') return false;
  at += 2;
  into.zombie = *at == 'Z' || *at == 'X';
  skip_fields(at, 1);
  into.parent = static_cast<pid_t>(number(at));
  skip_fields(at, 2);
  into.session = static_cast<pid_t>(number(at));
  skip_fields(at, 1);
  into.terminal = *at != '0';
  skip_fields(at, 15);
  into.start = number(at);
  return true;
}

}  // namespace

bool look_at_process(pid_t pid, ProcessSeen& into) {
  char digits[16];
  std::size_t count = 0;
  for (pid_t rest = pid; rest > 0 && count < sizeof digits; rest /= 10)
    digits[count++] = static_cast<char>('0' + rest % 10);
  char path[32] = "/proc/";
  std::size_t end = 6;
  while (count > 0) path[end++] = digits[--count];
  std::memcpy(path + end, "/stat", 6);
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  char text[1024];
  const auto got = read(file, text, sizeof text - 1);
  close(file);
  if (got <= 0) return false;
  text[got] = '\0';
  into = ProcessSeen{};
  into.pid = pid;
  return parse(text, into);
}

std::size_t list_processes(ProcessSeen* into, std::size_t max) {
  const int directory = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return 0;
  std::size_t count = 0;
  alignas(Entry) char buffer[8192];
  for (long got = 0; (got = syscall(SYS_getdents64, directory, buffer, sizeof buffer)) > 0;) {
    for (long at = 0; at < got && count < max;) {
      const auto* entry = reinterpret_cast<const Entry*>(buffer + at);
      const char* digits = reinterpret_cast<const char*>(entry) + offsetof(Entry, name);
      at += entry->length;
      const auto pid = static_cast<pid_t>(number(digits));
      if (pid > 0 && *digits == '\0' && look_at_process(pid, into[count])) ++count;
    }
  }
  close(directory);
  // Sorted, although /proc is by pid already: mark_descendants() depends on it.
  std::sort(into, into + count, [](const ProcessSeen& a, const ProcessSeen& b) { return a.pid < b.pid; });
  return count;
}

void mark_descendants(ProcessSeen* list, std::size_t count, pid_t root) {
  const auto marked = [&](pid_t pid) {
    const auto* end = list + count;
    const auto* found =
        std::lower_bound(list, list + count, pid, [](const ProcessSeen& a, pid_t b) { return a.pid < b; });
    return found != end && found->pid == pid && found->ours;
  };
  for (bool more = true; more;) {
    more = false;
    for (std::size_t i = 0; i < count; ++i) {
      if (list[i].ours || (list[i].parent != root && !marked(list[i].parent))) continue;
      list[i].ours = more = true;
    }
  }
}

}  // namespace fieldwork::agent
