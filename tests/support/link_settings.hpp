// What link-emulator reads: its options, and the lines that come to it while it runs.
#pragma once

#include <arpa/inet.h>

#include <charconv>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "link_way.hpp"

namespace fieldwork::support {

struct Misuse : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct LinkSettings {
  std::string left, right;                  // namespaces
  std::string left_address, right_address;  // IPv4
  LinkShape to_right, to_left;
  std::uint64_t seed = 1;
  std::optional<double> cut_at_s;
  double cut_for_s = std::numeric_limits<double>::infinity();
  std::string control;  // path of a FIFO; empty: none
};

// `where` names the option in the error.
inline double number_of(const std::string& where, const std::string& text, double least, double most) {
  double out = 0;
  const auto* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, out);
  if (error == std::errc{} && stopped == end && out >= least && out <= most) return out;
  char range[80];
  std::snprintf(range, sizeof range, "%g to %g", least, most);
  throw Misuse(where + ": '" + text + "' is not a number from " + range);
}

// "250ms" or "64000B"
inline void set_queue(LinkShape& shape, const std::string& where, const std::string& text) {
  if (text.ends_with("ms")) {
    shape.queue_ms = number_of(where, text.substr(0, text.size() - 2), 0, 1e6);
    shape.queue_bytes = 0;
  } else if (text.ends_with("B")) {
    shape.queue_bytes = number_of(where, text.substr(0, text.size() - 1), 1, 1e9);
  } else {
    throw Misuse(where + ": '" + text + "' is neither a time like 250ms nor a size like 64000B");
  }
}

// Sets one property of one direction. False: there is no such property.
inline bool set_property(LinkShape& shape, const std::string& name, const std::string& where, const std::string& text) {
  if (name == "rate") {
    shape.bit_per_s = number_of(where, text, 0, 1e12);
  } else if (name == "delay") {
    shape.delay_ms = number_of(where, text, 0, 60'000);
  } else if (name == "loss") {
    shape.loss = number_of(where, text, 0, 100) / 100;
  } else if (name == "burst") {
    shape.burst_packets = number_of(where, text, 1, 1e6);
  } else if (name == "queue") {
    set_queue(shape, where, text);
  } else {
    return false;
  }
  return true;
}

// Sets a property of both directions: "VALUE", or "VALUE_TO_RIGHT/VALUE_TO_LEFT".
inline bool set_property(LinkShape& to_right, LinkShape& to_left, const std::string& name, const std::string& where,
                         const std::string& text) {
  const auto slash = text.find('/');
  const auto second = slash == std::string::npos ? text : text.substr(slash + 1);
  return set_property(to_right, name, where, text.substr(0, slash)) && set_property(to_left, name, where, second);
}

// In bursts of a mean length, a share above burst / (burst + 1) cannot be lost: between two bursts a packet arrives.
inline void check_shape(const LinkShape& shape) {
  if (shape.burst_packets > 1 && shape.loss > shape.burst_packets / (shape.burst_packets + 1)) {
    throw Misuse("--burst: so much loss needs longer bursts, or --burst 1");
  }
}

inline void check_settings(const LinkSettings& settings) {
  const std::map<std::string, std::string> needed{{"--left", settings.left},
                                                  {"--right", settings.right},
                                                  {"--left-address", settings.left_address},
                                                  {"--right-address", settings.right_address}};
  for (const auto& [option, value] : needed) {
    in_addr address{};
    if (value.empty()) throw Misuse(option + " is missing");
    if (option.ends_with("-address") && inet_pton(AF_INET, value.c_str(), &address) != 1) {
      throw Misuse(option + ": '" + value + "' is not an IPv4 address");
    }
  }
  if (settings.left_address == settings.right_address) throw Misuse("--right-address: it is the left side's, too");
  check_shape(settings.to_right);
  check_shape(settings.to_left);
}

inline LinkSettings read_options(const std::vector<std::string>& words) {
  LinkSettings out;
  const std::map<std::string, std::string*> texts{{"--left", &out.left},
                                                  {"--right", &out.right},
                                                  {"--left-address", &out.left_address},
                                                  {"--right-address", &out.right_address},
                                                  {"--control", &out.control}};
  for (std::size_t i = 0; i < words.size(); i += 2) {
    const auto& option = words[i];
    if (i + 1 == words.size()) throw Misuse(option + ": its value is missing");
    const auto& value = words[i + 1];
    if (const auto text = texts.find(option); text != texts.end()) {
      *text->second = value;
    } else if (option == "--seed") {
      out.seed = static_cast<std::uint64_t>(number_of(option, value, 0, 1e15));
    } else if (option == "--cut-at") {
      out.cut_at_s = number_of(option, value, 0, 1e6);
    } else if (option == "--cut-for") {
      out.cut_for_s = number_of(option, value, 0, 1e6);
    } else if (!option.starts_with("--") || !set_property(out.to_right, out.to_left, option.substr(2), option, value)) {
      throw Misuse("there is no option '" + option + "'");
    }
  }
  check_settings(out);
  return out;
}

}  // namespace fieldwork::support
