#include "content/choose.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace fieldwork::content {
namespace {

constexpr double bit_per_s_unknown = 10e6;
constexpr int patch_level = 3;  // higher ones take long and gain little: what is new is a small part
constexpr int zstd_levels[] = {3, 9, 19};

bool contains(const auto& list, const auto& one) { return std::find(list.begin(), list.end(), one) != list.end(); }

std::string text_of(const char* form, double value, const char* unit) {
  char text[48];
  std::snprintf(text, sizeof text, value >= 10 ? "%.0f" : form, value);
  return std::string(text) + unit;
}

std::string size_text(std::int64_t bytes) {
  const auto value = static_cast<double>(bytes);
  if (value < 1e3) return text_of("%.0f", value, " B");
  if (value < 1e6) return text_of("%.2g", value / 1e3, " kB");
  return value < 1e9 ? text_of("%.2g", value / 1e6, " MB") : text_of("%.2g", value / 1e9, " GB");
}

std::string time_text(double seconds) {
  if (seconds < 1e-3) return "under 1 ms";
  return seconds < 1 ? text_of("%.2g", seconds * 1e3, " ms") : text_of("%.2g", seconds, " s");
}

std::string name_of(const Encoding& encoding) {
  const bool leveled = encoding.kind != EncodingKind::identity;
  return name(encoding.kind) + (leveled ? " " + std::to_string(encoding.level) : "");
}

double total_s(const Choice& choice) { return choice.make_s + choice.transfer_s + choice.decode_s; }

bool is_better(const Choice& a, const Choice& b) {
  const auto a_ms = std::llround(total_s(a) * 1e3);
  const auto b_ms = std::llround(total_s(b) * 1e3);
  return a_ms != b_ms ? a_ms < b_ms : a.encoded_bytes < b.encoded_bytes;
}

class Candidates {
 public:
  Candidates(const ContentView& content, const LinkView& link, const DeviceView& device)
      : content_(content), link_(link), device_(device) {}

  std::vector<Choice> all() {
    add({}, false, content_.profile.plain_bytes);
    for (const auto& made : content_.made) {
      if (made.is_there && can_decode(made.encoded)) add(made.encoded.encoding, false, made.encoded.bytes);
    }
    const int most = level_of(content_.compression);
    if (contains(device_.decoders, EncodingKind::zstd)) {
      const int window = device_.window_log_max < zstd_window_log_max ? device_.window_log_max : 0;
      for (const int level : zstd_levels) {
        if (level <= most) add_to_make({EncodingKind::zstd, level, {}, window});
      }
    }
    if (contains(device_.decoders, EncodingKind::patch) && most >= patch_level) {
      for (const auto& base : bases()) add_to_make({EncodingKind::patch, patch_level, base});
    }
    return std::move(choices_);
  }

 private:
  [[nodiscard]] bool can_decode(const Encoded& made) const {
    const auto& encoding = made.encoding;
    if (encoding.kind == EncodingKind::identity) return false;  // the plain file is always there
    if (!contains(device_.decoders, encoding.kind)) return false;
    if (encoding.kind == EncodingKind::patch) return contains(device_.bases, encoding.base);
    return made.window_log <= device_.window_log_max;
  }

  [[nodiscard]] std::vector<std::string> bases() const {
    std::vector<std::string> both;
    for (const auto& base : device_.bases) {
      if (both.size() < patch_bases_max && contains(content_.bases, base)) both.push_back(base);
    }
    return both;
  }

  // What is there already was added before, takes no time to make and so is taken.
  void add_to_make(const Encoding& encoding) {
    std::optional<std::int64_t> known;
    for (const auto& [encoded, is_there] : content_.made) {
      const auto& made = encoded.encoding;
      const bool same = made.kind == encoding.kind && made.level == encoding.level && made.base == encoding.base;
      if (same && can_decode(encoded)) known = encoded.bytes;
    }
    add(encoding, true, known);
  }

  void add(const Encoding& encoding, bool must_be_made, std::optional<std::int64_t> known_bytes) {
    const Cost takes = cost(encoding, content_.profile);
    const auto bytes = known_bytes.value_or(takes.encoded_bytes);
    const bool rate_known = link_.bit_per_s.value_or(0) > 0;
    const double bit_per_s = rate_known ? static_cast<double>(*link_.bit_per_s) : bit_per_s_unknown;
    choices_.push_back(
        {.encoding = encoding,
         .must_be_made = must_be_made,
         .encoded_bytes = bytes,
         .make_s = must_be_made ? takes.make_s : 0,
         .transfer_s = static_cast<double>(bytes) * 8 / bit_per_s + link_.round_trip_ms.value_or(0) / 1e3,
         .decode_s = takes.decode_s});
  }

  const ContentView& content_;
  const LinkView& link_;
  const DeviceView& device_;
  std::vector<Choice> choices_{};
};

/// What was chosen, and what would be without: identity, or for identity the best of the others.
std::string why(const Choice& chosen, const Choice* other) {
  std::string text =
      name_of(chosen.encoding) + ": " + size_text(chosen.encoded_bytes) + " in " + time_text(chosen.transfer_s);
  if (chosen.must_be_made) text += ", made in " + time_text(chosen.make_s);
  if (other != nullptr) text += "; " + name_of(other->encoding) + " would take " + time_text(total_s(*other));
  return text;
}

}  // namespace

int level_of(Compression compression) {
  switch (compression) {
    case Compression::none: return 0;
    case Compression::fast: return 3;
    case Compression::high: return 9;
    case Compression::maximum: return 19;
  }
  return 0;
}

Choice choose(const ContentView& content, const LinkView& link, const DeviceView& device) {
  auto candidates = Candidates(content, link, device).all();
  std::stable_sort(candidates.begin(), candidates.end(), is_better);
  const bool is_identity = candidates.front().encoding.kind == EncodingKind::identity;
  const auto other = std::find_if(candidates.begin() + 1, candidates.end(), [&](const Choice& one) {
    return is_identity || one.encoding.kind == EncodingKind::identity;
  });
  Choice chosen = candidates.front();
  chosen.reason = why(chosen, other == candidates.end() ? nullptr : &*other);
  return chosen;
}

}  // namespace fieldwork::content
