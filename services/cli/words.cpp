#include "words.hpp"

#include <algorithm>
#include <utility>

#include "base/suggest.hpp"

namespace fieldwork::cli {
namespace {

bool holds(const std::vector<std::string>& list, const std::string& word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

std::string meant(const std::string& word, const std::vector<std::string>& names) {
  const auto found = closest(word, names);
  return found.empty() ? "" : ". Did you mean '" + found + "'?";
}

// The options that may stand at one point of the command line: more with each command.
struct Allowed {
  std::vector<std::string> flags;
  std::vector<std::string> values;

  void add(const Grammar& grammar) {
    flags.insert(flags.end(), grammar.flags.begin(), grammar.flags.end());
    values.insert(values.end(), grammar.values.begin(), grammar.values.end());
  }
  [[nodiscard]] std::vector<std::string> all() const {
    auto out = flags;
    out.insert(out.end(), values.begin(), values.end());
    return out;
  }
};

}  // namespace

std::vector<std::string> as_meant(std::vector<std::string> words) {
  if (words.empty()) return words;
  if (words.front() == "version" && words.size() == 1) return {"--version"};
  if (words.front() != "help") return words;
  words.erase(words.begin());
  words.emplace_back("--help");
  return words;
}

std::optional<Unknown> unknown_word(const Grammar& grammar, const std::vector<std::string>& words) {
  const Grammar* at = &grammar;
  Allowed allowed;
  allowed.add(grammar);
  std::vector<std::string> level;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto& word = words[i];
    if (word == "--") return std::nullopt;
    if (word.size() > 1 && word.front() == '-') {
      const auto name = word.substr(0, word.find('='));
      // A short option may carry its value: -cFILE.
      const bool known = holds(allowed.flags, name) || holds(allowed.values, name) || name[1] != '-';
      if (!known) return Unknown{"there is no option '" + name + "'" + meant(name, allowed.all()), level};
      if (holds(allowed.values, word)) ++i;
      continue;
    }
    if (at->commands.empty()) continue;  // an argument
    std::vector<std::string> names;
    const Grammar* next = nullptr;
    for (const auto& command : at->commands) {
      names.push_back(command.name);
      if (command.name == word) next = &command;
    }
    if (next == nullptr) {
      auto said = "there is no command '" + grammar.name;
      for (const auto& one : level) said.append(" ").append(one);
      said.append(" ").append(word).append("'").append(meant(word, names));
      return Unknown{std::move(said), level};
    }
    at = next;
    level.push_back(word);
    allowed.add(*at);
  }
  if (at->commands.empty() || holds(words, "--help") || holds(words, "-h") || holds(words, "--version"))
    return std::nullopt;
  return Unknown{"", level};
}

}  // namespace fieldwork::cli
