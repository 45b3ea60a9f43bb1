// The words of a command line, before they are parsed: which word is no command or option, and what was probably meant.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace fieldwork::cli {

// A command with its options and the commands below it. Options are also valid behind those commands.
struct Grammar {
  std::string name;
  std::vector<std::string> flags;   // "--json"
  std::vector<std::string> values;  // options that take the next word: "--config"
  std::vector<Grammar> commands;
};

// Turns what people type from habit into options of this program: `help run` and `help` into --help, `version` into
// --version.
[[nodiscard]] std::vector<std::string> as_meant(std::vector<std::string> words);

// The first word that is no command where a command must stand, or no option: a sentence that says so, with what was
// probably meant. `level`: the commands before that word ("job"), whose help belongs below the sentence. Nothing: all
// words are known. A command that is missing has an empty sentence.
struct Unknown {
  std::string sentence;
  std::vector<std::string> level;
};
[[nodiscard]] std::optional<Unknown> unknown_word(const Grammar& grammar, const std::vector<std::string>& words);

}  // namespace fieldwork::cli
