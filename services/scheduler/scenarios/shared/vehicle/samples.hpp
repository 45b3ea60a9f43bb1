// Reads CSV with a header line from stdin, and says what is wrong with file, line and field: "run: FILE line 7:
// speed_mps: not a number". The environment has the file's name for people (input_name). What is bad ends the program
// with 1.
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

namespace vehicle {

// The whole text as a number; false for anything else, such as nan.
template <typename Number>
bool read_number(std::string_view text, Number& out) {
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size() && std::isfinite(static_cast<double>(out));
}

class Samples {
 public:
  explicit Samples(std::vector<std::string> columns) : columns_(std::move(columns)) {
    if (!read_line()) fail("header", "the input is empty");
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const auto named = i < fields_.size() ? fields_[i] : std::string_view{};
      if (named != columns_[i])
        fail(columns_[i], "column " + std::to_string(i + 1) + " of the header is \"" + cut(named) + "\"");
    }
  }

  // The next line; false after the last one.
  bool next() {
    if (!read_line()) {
      if (line_number_ == 1) fail("samples", "only a header");
      return false;
    }
    const auto wanted = columns_.size(), got = fields_.size();
    if (got != wanted)
      fail(got < wanted ? columns_[got] : "fields",
           std::to_string(got) + " fields; expected " + std::to_string(wanted));
    return true;
  }

  std::int64_t count() const { return line_number_ - 1; }
  std::string_view text(std::size_t field) const { return fields_[field]; }

  double number(std::size_t field, double least, double most) const {
    double out = 0;
    if (!read_number(text(field), out)) fail(columns_[field], "not a number: \"" + cut(text(field)) + "\"");
    if (out < least || out > most) fail(columns_[field], cut(text(field)) + " is out of its range");
    return out;
  }

  std::int64_t whole(std::size_t field, std::int64_t least, std::int64_t most) const {
    std::int64_t out = 0;
    if (!read_number(text(field), out)) fail(columns_[field], "not a whole number: \"" + cut(text(field)) + "\"");
    if (out < least || out > most) fail(columns_[field], cut(text(field)) + " is out of its range");
    return out;
  }

  [[noreturn]] void fail(const std::string& field, const std::string& what) const {
    const char* name = std::getenv("input_name");
    std::cerr << "run: " << (name == nullptr ? "stdin" : name) << " line " << std::max<std::int64_t>(line_number_, 1)
              << ": " << field << ": " << what << '\n';
    std::exit(1);
  }

 private:
  static std::string cut(std::string_view text) { return std::string(text.substr(0, 40)); }

  bool read_line() {
    if (!std::getline(std::cin, line_)) return false;
    ++line_number_;
    if (line_.ends_with('\r')) line_.pop_back();
    fields_.clear();
    for (std::size_t from = 0; from <= line_.size();) {
      const auto comma = std::min(line_.find(',', from), line_.size());
      fields_.push_back(std::string_view(line_).substr(from, comma - from));
      from = comma + 1;
    }
    return true;
  }

  std::vector<std::string> columns_;
  std::string line_;
  std::vector<std::string_view> fields_;
  std::int64_t line_number_ = 0;
};

// The value of an option, which is in the arguments as NAME VALUE; what is wrong ends the program with 2.
inline double option(int argc, char** argv, std::string_view name, double least, double most) {
  std::string_view text;
  for (int i = 1; i + 1 < argc; i += 2)
    if (name == argv[i]) text = argv[i + 1];
  double out = 0;
  if (read_number(text, out) && out >= least && out <= most) return out;
  std::cerr << "run: " << name << ": not a number from " << least << " to " << most << ": " << text << "; see --help\n";
  std::exit(2);
}

}  // namespace vehicle
