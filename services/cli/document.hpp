// Reads a JSON file that a person wrote; if the file is not JSON, says what it looks like.
#pragma once

#include <string>

#include "codec/json.hpp"
#include "failure.hpp"

namespace fieldwork::cli {

// `file`: a path, or "-" for standard input; at most `bytes_max` bytes. The Failure is Exit::usage and names the file.
[[nodiscard]] Outcome<std::string> read_text(const std::string& file, std::size_t bytes_max);

// `file`: as above; at most codec::message_bytes_max bytes. The Failure is Exit::usage and
// names the file; where the text is not JSON, also line and column.
[[nodiscard]] Outcome<codec::Json> read_document(const std::string& file);

// As people call it: "standard input" for "-".
[[nodiscard]] std::string shown_file(const std::string& file);

// What a text that is not JSON looks like: "TOML", "YAML" or nothing.
[[nodiscard]] std::string looks_like(const std::string& text);

}  // namespace fieldwork::cli
