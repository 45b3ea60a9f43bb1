#include "rules.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <regex>
#include <set>

#include "topic/channels.hpp"

namespace fieldwork::tidy {
namespace {

using Findings = std::vector<Finding>;

constexpr std::size_t source_lines_max = 400;  // law 10
constexpr std::size_t test_lines_max = 600;
constexpr std::size_t function_lines_max = 60;
constexpr std::size_t test_function_lines_max = 80;  // a table of cases is long

bool is_cpp(const Source& source) { return source.path.ends_with(".cpp") || source.path.ends_with(".hpp"); }
bool is_test(const Source& source) { return source.path.starts_with("tests/"); }

// Decides, and does nothing: law 3.
bool is_core(const Source& source) {
  const auto& path = source.path;
  return (path.starts_with("services/") && path.find("/core/") != std::string::npos) ||
         path.starts_with("libs/policy/") || path.starts_with("libs/fleet/") || path.starts_with("libs/model/");
}

std::string without_comment(const std::string& line) { return line.substr(0, line.find("//")); }

// What stands between < > or " " of an include.
std::optional<std::string> included(const std::string& line, char open) {
  static const std::regex form(R"(^#include ([<"])([^>"]+)[>"])");
  std::smatch found;
  if (!std::regex_search(line, found, form) || found[1].str().front() != open) return std::nullopt;
  return found[2].str();
}

Findings too_long(const Source& source) {
  const auto most = is_test(source) ? test_lines_max : source_lines_max;
  if (!is_cpp(source) || source.lines.size() <= most) return {};
  return {{0, std::to_string(source.lines.size()) + " lines; at most " + std::to_string(most)}};
}

// Where the signature begins whose body opens at the end of line `at`, as clang-format leaves it: at this line or
// above, at column 0 or two to the right.
std::optional<std::size_t> signature_of(const Source& source, std::size_t at) {
  static const std::regex one_line(R"(^(  )?[A-Za-z~\[].* \{$)");
  static const std::regex last_line(R"(^ {4,}.* \{$)");
  static const std::regex first_line(R"(^(  )?[A-Za-z~\[].*\()");
  static const std::regex other(R"(^\s*(namespace|class|struct|enum|union|template)\b[^(]*$|= \{$|^\S*\{$)");
  const auto& line = source.lines[at];
  if (std::regex_search(line, one_line)) return std::regex_search(line, other) ? std::nullopt : std::optional(at);
  if (!std::regex_search(line, last_line) || std::regex_search(line, other)) return std::nullopt;
  for (std::size_t i = at; i-- > 0;) {
    const auto& above = source.lines[i];
    if (above.empty() || above.ends_with(';') || above.ends_with('{') || above.ends_with('}')) return std::nullopt;
    if (!above.starts_with("    ")) return std::regex_search(above, first_line) ? std::optional(i) : std::nullopt;
  }
  return std::nullopt;
}

// A body closes with a brace in the column of its signature.
Findings long_functions(const Source& source) {
  if (!is_cpp(source)) return {};
  const auto most = is_test(source) ? test_function_lines_max : function_lines_max;
  Findings out;
  for (std::size_t i = 0; i < source.lines.size(); ++i) {
    const auto begin = signature_of(source, i);
    if (!begin) continue;
    const std::string close = source.lines[*begin].starts_with("  ") ? "  }" : "}";
    const auto closes = [&](const std::string& text) {
      return text == close || text == close + ";" || text == close + ");";
    };
    std::size_t end = i + 1;
    while (end < source.lines.size() && !closes(source.lines[end])) ++end;
    if (end < source.lines.size() && end - *begin + 1 > most)
      out.push_back({*begin + 1,
                     "a function of " + std::to_string(end - *begin + 1) + " lines; at most " + std::to_string(most)});
  }
  return out;
}

Findings impure_cores(const Source& source) {
  if (!is_cpp(source) || !is_core(source)) return {};
  static const std::regex forbidden(
      R"(\b(system_clock|steady_clock|high_resolution_clock|clock_gettime|boot_us|boot_clock|random_device|mt19937)\b|)"
      R"(\b(getenv|fopen|printf|ifstream|ofstream|fstream|filesystem|shared_mutex|recursive_mutex|lock_guard)\b|)"
      R"(std::(thread|mutex|jthread|condition_variable|atomic|async|rand|time)\b|\blog::|\bnlohmann\b|\bJson\b|\bTopics\b|)"
      R"(#include <(thread|mutex|fstream|iostream|random|filesystem|unistd\.h)>)");
  Findings out;
  for (std::size_t i = 0; i < source.lines.size(); ++i) {
    std::smatch found;
    const auto code = without_comment(source.lines[i]);
    if (std::regex_search(code, found, forbidden)) out.push_back({i + 1, "a core names " + found.str()});
  }
  return out;
}

// Where a third-party header may stand: law 7. nlohmann's travels with codec's values, but never into a core.
Findings strange_headers(const Source& source) {
  if (!is_cpp(source) || is_test(source)) return {};
  static const std::vector<std::pair<std::string, std::set<std::string>>> homes{
      {"mqtt/", {"libs/bus/"}},
      {"MQTT", {"libs/bus/"}},
      {"mosquitto", {"libs/bus/"}},
      {"pqxx/", {"libs/store/"}},
      {"libpq", {"libs/store/"}},
      {"sqlite3", {"libs/store/"}},
      {"zstd", {"libs/content/"}},
      {"archive", {"libs/content/"}},
      {"openssl/", {"libs/crypto/", "libs/bus/sessions.cpp"}},
      {"spdlog/", {"libs/runtime/"}},
      {"prometheus/", {"libs/runtime/"}},
      {"toml++/", {"libs/runtime/", "libs/alerts/", "services/agent/fleet/", "services/security-policy/"}},
      {"httplib", {"libs/runtime/"}},
      {"curl/", {"services/alerting/"}},
      {"CLI/", {"libs/runtime/", "services/agent/", "services/cli/"}},
  };
  Findings out;
  for (std::size_t i = 0; i < source.lines.size(); ++i) {
    const auto header = included(source.lines[i], '<');
    if (!header) continue;
    for (const auto& [begin, places] : homes) {
      if (!header->starts_with(begin)) continue;
      const bool home =
          std::any_of(places.begin(), places.end(), [&](const auto& p) { return source.path.starts_with(p); });
      if (!home) out.push_back({i + 1, "<" + *header + "> belongs to " + *places.begin()});
    }
  }
  return out;
}

// The first folder below services/, and the name by which its headers are included.
std::string service_of(const std::string& path) {
  constexpr std::string_view top = "services/";
  if (!path.starts_with(top)) return {};
  return path.substr(top.size(), path.find('/', top.size()) - top.size());
}

Findings sideways_includes(const Source& source) {
  static const std::vector<std::string> services = [] {
    std::vector<std::string> out{"agent", "cli"};
    out.insert(out.end(), service_names.begin(), service_names.end());
    return out;
  }();
  const bool library = source.path.starts_with("libs/");
  const auto own = service_of(source.path);
  if (!is_cpp(source) || (!library && own.empty())) return {};
  Findings out;
  for (std::size_t i = 0; i < source.lines.size(); ++i) {
    const auto header = included(source.lines[i], '"');
    if (!header) continue;
    if (header->find("..") != std::string::npos) out.push_back({i + 1, "an include goes down from its root, never up"});
    for (const auto& other : services) {
      if (other != own && header->starts_with(other + "/")) out.push_back({i + 1, "includes service " + other});
    }
    if (!library || !header->starts_with("runtime/")) continue;
    if (!source.path.starts_with("libs/runtime/")) out.push_back({i + 1, "includes point down; runtime is on top"});
  }
  return out;
}

// A bound stands where one looks for bounds: on a page of limits, in a Limits struct or as a member of the class whose
// header is its manual. What is computed from another bound may stand where it is used.
Findings scattered_bounds(const Source& source) {
  if (!is_cpp(source) || is_test(source) || source.path.ends_with("limits.hpp")) return {};
  // A member of a class in a header stands on that class's page.
  static const std::regex in_header(R"(^\s*(inline )?constexpr .*\b(\w+_max)\b *[={](.*))");
  static const std::regex in_source(R"(^\s*(inline |static )?constexpr .*\b(\w+_max)\b *[={](.*))");
  const auto& bound = source.path.ends_with(".hpp") ? in_header : in_source;
  Findings out;
  for (std::size_t i = 0; i < source.lines.size(); ++i) {
    std::smatch found;
    const auto code = without_comment(source.lines[i]);
    if (!std::regex_search(code, found, bound) || found[3].str().find("_max") != std::string::npos) continue;
    out.push_back({i + 1, found[2].str() + " belongs into limits.hpp"});
  }
  return out;
}

// Words that say nothing, as the last word of a type or a file.
Findings empty_words(const Source& source) {
  static const std::regex type(R"(\b(class|struct|enum class) \w*(Manager|Helper|Util|Utils|Handler|Info)\b)");
  static const std::regex file(R"((^|[/_])(manager|helper|helpers|util|utils|handler|info)\.[ch]pp$)");
  Findings out;
  if (!is_cpp(source)) return out;
  if (std::regex_search(source.path, file)) out.push_back({0, "a file name that says nothing"});
  for (std::size_t i = 0; i < source.lines.size(); ++i) {
    std::smatch found;
    const auto code = without_comment(source.lines[i]);
    if (std::regex_search(code, found, type)) out.push_back({i + 1, found.str() + ": a name that says nothing"});
  }
  return out;
}

// One word per idea: CONTRIBUTING.md, "Words".
struct Word {
  std::regex pattern;
  const char* say;
};

Findings other_words(const Source& source) {
  static const std::vector<Word> words{
      {std::regex(R"(\b([A-Z]\w*Orders?|codec::Orders?|\w+_orders|order_of)\b)"),
       "a command, where a device is told; an order is a sequence"},
      {std::regex(R"(\bconclude\w*\()"), "settle, or what happened"},
      {std::regex(R"(\b(void|Result<void>|bool) (\w+::)*take\w*\()"),
       "take removes and returns; add, step or hear what comes in"},
      {std::regex(R"(\bvoid (\w+::)?drop\w*\()"), "forget"},
      {std::regex(R"(\bvoid (\w+::)?(finish|done|stop)\w*\((Job|Execution|Attempt|Sending)&)"), "settle"},
  };
  if (!is_cpp(source) || source.path.starts_with("tests/tidy/")) return {};
  Findings out;
  for (std::size_t i = 0; i < source.lines.size(); ++i) {
    const auto code = without_comment(source.lines[i]);
    for (const auto& word : words) {
      std::smatch found;
      if (std::regex_search(code, found, word.pattern)) out.push_back({i + 1, found.str() + ": say " + word.say});
    }
  }
  return out;
}

// A unit test stands in the folder of the library or service that it tests.
Findings stray_tests(const Source& source) {
  static const std::regex place(R"(^tests/unit/(libs|services)/[a-z-]+/\w+_test\.cpp$)");
  if (!source.path.starts_with("tests/unit/") || std::regex_match(source.path, place)) return {};
  return {{0, "is not tests/unit/libs/NAME/…_test.cpp or tests/unit/services/NAME/…_test.cpp"}};
}

Findings sleeping_tests(const Source& source) {
  if (!is_cpp(source) || !source.path.starts_with("tests/unit/")) return {};
  Findings out;
  for (std::size_t i = 0; i < source.lines.size(); ++i) {
    const auto& line = source.lines[i];
    const bool sleeps = line.find("sleep_for(") != std::string::npos;
    // It may say what cannot be waited for.
    const bool said =
        line.find("// ") != std::string::npos || (i > 0 && source.lines[i - 1].find("// ") != std::string::npos);
    const bool polls =
        line.find("milliseconds(1)") != std::string::npos || line.find("milliseconds(10)") != std::string::npos ||
        line.find("milliseconds(5)") != std::string::npos || line.find("milliseconds(20)") != std::string::npos;
    if (sleeps && !said && !polls) out.push_back({i + 1, "a test that sleeps says why it cannot wait, there or above"});
  }
  return out;
}

// "## [x.y.z] - date" or "- not released yet"; "### " and one of Keep a Changelog's words; entries end with a full
// stop.
Findings changelog_form(const Source& source) {
  if (source.path != "CHANGELOG.md") return {};
  static const std::regex version(R"(^## \[\d+\.\d+\.\d+\] - (\d{4}-\d\d-\d\d|not released yet)$)");
  static const std::regex kind(R"(^### (Added|Changed|Deprecated|Removed|Fixed|Security)$)");
  Findings out;
  for (std::size_t i = 0; i < source.lines.size(); ++i) {
    const auto& line = source.lines[i];
    const bool entry_ends =
        i + 1 == source.lines.size() || source.lines[i + 1].empty() || source.lines[i + 1].starts_with("- ");
    if (line.starts_with("## ") && !std::regex_match(line, version))
      out.push_back({i + 1, "not of the form ## [1.2.3] - date"});
    if (line.starts_with("### ") && !std::regex_match(line, kind)) out.push_back({i + 1, "no kind of change: " + line});
    const bool in_entry = line.starts_with("- ") || line.starts_with("  ");
    if (in_entry && entry_ends && !line.ends_with('.')) out.push_back({i + 1, "an entry ends with a full stop"});
  }
  return out;
}

Source sample(const char* path, std::initializer_list<const char*> lines) {
  return {path, {lines.begin(), lines.end()}};
}

Source long_sample(const char* path, std::size_t lines, const char* first, const char* last) {
  Source out{path, std::vector<std::string>(lines, "  x;")};
  out.lines.front() = first;
  out.lines.back() = last;
  return out;
}

}  // namespace

const std::vector<Rule>& rules() {
  static const std::vector<Rule> all{
      {"file size", too_long, long_sample("libs/a/a.cpp", 401, "", "")},
      {"function size", long_functions, long_sample("libs/a/a.cpp", 61, "void f(int x) {", "}")},
      {"pure cores", impure_cores, sample("services/agent/core/a.cpp", {"auto t = std::chrono::steady_clock::now();"})},
      {"third-party headers", strange_headers, sample("services/agent/shell/a.cpp", {"#include <pqxx/pqxx>"})},
      {"includes", sideways_includes,
       sample("services/agent/shell/a.cpp", {"#include \"scheduler/core/model/state.hpp\""})},
      {"bounds", scattered_bounds, sample("services/agent/shell/a.cpp", {"constexpr std::size_t names_max = 5;"})},
      {"words", empty_words,
       sample("libs/a/a.hpp", {"class Job"
                               "Manager {"})},
      {"one word per idea", other_words, sample("libs/a/a.hpp", {"void conclude(Job& job);"})},
      {"places of tests", stray_tests, sample("tests/unit/a_test.cpp", {""})},
      {"waiting tests", sleeping_tests,
       sample("tests/unit/a_test.cpp", {"", "std::this_thread::sleep_for(seconds(2));"})},
      {"changelog", changelog_form, sample("CHANGELOG.md", {"## 1.0"})},
  };
  return all;
}

Source read_source(std::string path, std::string_view text) {
  Source out{std::move(path), {}};
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    out.lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

}  // namespace fieldwork::tidy
