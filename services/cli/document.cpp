#include "document.hpp"

#include <nlohmann/json.hpp>
#include <sstream>

#include "files.hpp"

namespace fieldwork::cli {
namespace {

std::string trimmed(const std::string& line) {
  const auto first = line.find_first_not_of(" \t\r");
  return first == std::string::npos ? "" : line.substr(first, line.find_last_not_of(" \t\r") - first + 1);
}

bool is_name(const std::string& text) {
  return !text.empty() && text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") ==
                              std::string::npos;
}

}  // namespace

std::string looks_like(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    line = trimmed(line);
    if (line.empty() || line.front() == '#') continue;
    if (line == "---") return "YAML";
    if (line.front() == '[' && line.back() == ']' && is_name(trimmed(line.substr(1, line.size() - 2)))) return "TOML";
    if (const auto equals = line.find('='); equals != std::string::npos && is_name(trimmed(line.substr(0, equals))))
      return "TOML";
    if (const auto colon = line.find(':'); colon != std::string::npos && is_name(trimmed(line.substr(0, colon))))
      return "YAML";
    return "";
  }
  return "";
}

std::string shown_file(const std::string& file) { return file == "-" ? "standard input" : file; }

Outcome<std::string> read_text(const std::string& file, std::size_t bytes_max) {
  auto text = read_file(file == "-" ? "/dev/stdin" : file, bytes_max);
  if (!text) return Failure{Exit::usage, shown_file(file) + ": " + text.error().reason};
  return std::move(*text);
}

Outcome<codec::Json> read_document(const std::string& file) {
  auto text = read_text(file, codec::message_bytes_max);
  if (!text) return text.failure();
  auto value = codec::parse(*text);
  if (value) return std::move(*value);
  const auto kind = looks_like(*text);
  return Failure{Exit::usage, shown_file(file) + ": " + describe(value.error()) +
                                  (kind.empty() ? "" : ". This looks like " + kind + ", and JSON is needed")};
}

}  // namespace fieldwork::cli
