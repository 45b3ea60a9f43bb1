// A JSON file that a person wrote: read, taken apart, and told what it is where it is none.
#pragma once

#include <string>

#include "codec/json.hpp"
#include "failure.hpp"

namespace fieldwork::cli {

// `file`: a path, or "-" for standard input, at most codec::message_bytes_max. The Failure is Exit::usage and names the
// file, with line and column where it is not JSON.
[[nodiscard]] Outcome<codec::Json> read_document(const std::string& file);

// What a text that is not JSON looks like ("TOML", "YAML"), or nothing.
[[nodiscard]] std::string looks_like(const std::string& text);

}  // namespace fieldwork::cli
