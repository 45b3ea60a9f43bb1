// The words of a command line before its meaning: what was typed that is no command or option, and what was meant.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace fieldwork::cli {

// What may be said: a command, its options, the commands below it. Options are valid below too.
struct Grammar {
  std::string name;
  std::vector<std::string> flags;   // "--json"
  std::vector<std::string> values;  // options that take the next word: "--config"
  std::vector<Grammar> commands;
};

// Turns what people type from habit into what this program says: `help run` and `help` into --help, `version` into
// --version.
[[nodiscard]] std::vector<std::string> as_meant(std::vector<std::string> words);

// The first word that is no command where one has to stand, or no option: a sentence, with what may have been meant.
// `level`: the commands that led there ("job"), whose help belongs below the sentence. Nothing where all are known; a
// command that is missing altogether has an empty sentence.
struct Unknown {
  std::string sentence;
  std::vector<std::string> level;
};
[[nodiscard]] std::optional<Unknown> unknown_word(const Grammar& grammar, const std::vector<std::string>& words);

}  // namespace fieldwork::cli
