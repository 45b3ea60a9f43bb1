#include "agent/shell/program.hpp"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "agent/shell/process.hpp"
#include "base/text.hpp"

namespace fieldwork::agent {
namespace {

// The path as execve will see it from the job's working directory.
std::string from_place(const Command& command, const std::string& file) {
  return file.starts_with('/') ? file : command.directory + "/" + file;
}

bool is_file(const std::string& path) {
  struct stat found {};
  return stat(path.c_str(), &found) == 0 && S_ISREG(found.st_mode);
}

// The first file of that name that may be run; else the first that is there, because the reason it gives is the better
// one; else empty.
std::string search(const Command& command, const std::string& path, const std::string& name) {
  std::string there;
  for (std::size_t at = 0; at <= path.size();) {
    const auto end = std::min(path.find(':', at), path.size());
    auto file = (end == at ? std::string(".") : path.substr(at, end - at)) + "/" + name;
    const auto seen = from_place(command, file);
    if (is_file(seen)) {
      if (access(seen.c_str(), X_OK) == 0) return file;
      if (there.empty()) there = std::move(file);
    }
    at = end + 1;
  }
  return there;
}

std::string begin_of(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return {};
  std::string out(4096, '\0');
  const auto got = read(fd, out.data(), out.size());
  close(fd);
  out.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return out;
}

// Quotes a text of the job's in a reason.
std::string in_quotes(std::string_view text) { return "\"" + clamp_text(text, 200) + "\""; }

template <class T>
T value_at(std::string_view file, std::size_t at, bool big_endian) {
  unsigned char bytes[sizeof(T)];
  if (at + sizeof(T) > file.size()) return 0;
  std::memcpy(bytes, file.data() + at, sizeof(T));
  T out = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    out = static_cast<T>((static_cast<std::uint64_t>(out) << 8) | bytes[big_endian ? i : sizeof(T) - 1 - i]);
  }
  return out;
}

struct Elf {
  bool is_elf = false;
  bool wide = false;  // 64-bit
  unsigned machine = EM_NONE;
  std::string loader;  // its dynamic loader, if named within the first 4,096 bytes of the file
};

std::string loader_of(std::string_view file, bool wide, bool big) {
  const auto table = wide ? value_at<std::uint64_t>(file, offsetof(Elf64_Ehdr, e_phoff), big)
                          : value_at<std::uint32_t>(file, offsetof(Elf32_Ehdr, e_phoff), big);
  const auto count =
      value_at<std::uint16_t>(file, wide ? offsetof(Elf64_Ehdr, e_phnum) : offsetof(Elf32_Ehdr, e_phnum), big);
  const auto size = wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
  for (std::size_t i = 0; i < count && table + (i + 1) * size <= file.size(); ++i) {
    const auto at = static_cast<std::size_t>(table) + i * size;
    if (value_at<std::uint32_t>(file, at, big) != PT_INTERP) continue;
    const auto begin = wide ? value_at<std::uint64_t>(file, at + offsetof(Elf64_Phdr, p_offset), big)
                            : value_at<std::uint32_t>(file, at + offsetof(Elf32_Phdr, p_offset), big);
    if (begin >= file.size()) return {};
    const auto text = file.substr(static_cast<std::size_t>(begin), 256);
    return std::string(text.substr(0, text.find('\0')));
  }
  return {};
}

Elf read_elf(std::string_view file) {
  Elf out;
  if (!file.starts_with(ELFMAG) || file.size() < offsetof(Elf64_Ehdr, e_version)) return out;
  const bool big = file[EI_DATA] == ELFDATA2MSB;
  out.is_elf = true;
  out.wide = file[EI_CLASS] == ELFCLASS64;
  out.machine = value_at<std::uint16_t>(file, offsetof(Elf64_Ehdr, e_machine), big);
  out.loader = loader_of(file, out.wide, big);
  return out;
}

std::string machine_name(const Elf& elf) {
  const std::pair<unsigned, const char*> names[] = {
      {EM_386, "x86"},       {EM_X86_64, "x86-64"},       {EM_ARM, "ARM"},
      {EM_AARCH64, "ARM"},   {EM_RISCV, "RISC-V"},        {EM_MIPS, "MIPS"},
      {EM_PPC, "PowerPC"},   {EM_PPC64, "PowerPC"},       {EM_S390, "S/390"},
      {EM_SPARCV9, "SPARC"}, {EM_LOONGARCH, "LoongArch"},
  };
  std::string out = "machine " + std::to_string(elf.machine);
  for (const auto& [machine, name] : names) {
    if (machine == elf.machine) out = name;
  }
  return out + (elf.wide ? ", 64-bit" : ", 32-bit");
}

std::string this_machine() {
  utsname name{};
  return uname(&name) == 0 ? name.machine : "another";
}

// Why the interpreter of a "#!" line does not start; the kernel takes the line's first word.
std::string why_not_interpreted(std::string_view file) {
  auto line = file.substr(2, file.substr(0, 256).find('\n') == file.npos ? 254 : file.find('\n') - 2);
  line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
  const bool windows = line.ends_with('\r');
  auto name = std::string(line.substr(0, line.find_first_of(" \t\r")));
  if (name.empty()) return "its first line (#!) names no interpreter";
  if (access(name.c_str(), F_OK) != 0)
    return "its interpreter " + in_quotes(name) + ", named in its first line, is not on this device" +
           (windows ? " (and its lines end in CRLF, as on Windows)" : "");
  if (windows)
    return "its first line ends in CRLF, as on Windows, so that its interpreter would be " + in_quotes(name + "\\r") +
           "; save it with LF line ends";
  if (access(name.c_str(), X_OK) != 0) return "its interpreter " + in_quotes(name) + " may not be run";
  return "its interpreter " + in_quotes(name) + " cannot be started";
}

std::string why_not_found(const Command& command, const Program& program) {
  const auto& name = command.command.front();
  if (name.find('/') != std::string::npos)
    return "there is no such file" + std::string(name.starts_with('/') ? "" : " in the working directory");
  return "it is neither in the working directory nor in PATH (" + clamp_text(program.path, 200) + ")";
}

}  // namespace

void prepare(const Command& command, Program& into) {
  std::map<std::string, std::string> env{{"PATH", default_path}, {"HOME", command.directory}, {"LANG", "C.UTF-8"}};
  for (const auto& [key, value] : command.env) env[key] = value;
  into.path = env["PATH"];
  into.words = command.command;
  const auto& name = into.words.front();
  into.file = name;
  if (name.find('/') == std::string::npos) {
    into.file = is_file(from_place(command, name)) ? "./" + name : search(command, into.path, name);
    // Not found: execve then fails with this name.
    if (into.file.empty()) into.file = "./" + name;
  }
  for (const auto& [key, value] : env) into.env.emplace_back(key).append(1, '=').append(value);
  for (auto& word : into.words) into.argv.push_back(word.data());
  for (auto& entry : into.env) into.envp.push_back(entry.data());
  into.argv.push_back(nullptr);
  into.envp.push_back(nullptr);
}

std::string why_not_started(const Command& command, const Program& program, int error) {
  const auto path = from_place(command, program.file);
  struct stat found {};
  if (error == E2BIG) return "command and environment together are too long for the kernel";
  if (stat(path.c_str(), &found) != 0) return errno == ENOENT ? why_not_found(command, program) : std::strerror(errno);
  if (S_ISDIR(found.st_mode)) return "it is a directory";
  if (!S_ISREG(found.st_mode)) return "it is no regular file";
  if (found.st_size == 0) return "it is an empty file";
  if (error == EACCES && access(path.c_str(), X_OK) != 0) return "it is not executable (chmod +x)";
  const auto begin = begin_of(path);
  if (begin.starts_with("#!") && (error == ENOENT || error == EACCES || error == ENOEXEC || error == ENOTDIR))
    return why_not_interpreted(begin);
  const auto elf = read_elf(begin);
  if (elf.is_elf && error == ENOEXEC)
    return "it is a program for another architecture (" + machine_name(elf) + "); this device's is " + this_machine() +
           " (exec format error)";
  if (elf.is_elf && error == ENOENT)
    return "it is a program for " + machine_name(elf) + " whose loader " + in_quotes(elf.loader) +
           " is not on this device (" + this_machine() + ")";
  if (error == ENOEXEC) return "it is neither a program nor a script whose first line names an interpreter (#!)";
  if (error == EACCES) return "it may not be run from there (is the file system mounted noexec?)";
  return std::strerror(error);
}

}  // namespace fieldwork::agent
