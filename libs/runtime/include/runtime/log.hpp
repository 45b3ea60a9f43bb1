// Logs: one line each, text or JSON, to stderr. Fields carry the ids (job, device, trace), so that one grep tells a
// story.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace fieldwork::log {

enum class Level { debug, info, warn, error };
using Fields = std::initializer_list<std::pair<std::string_view, std::string>>;

// format: text or json; level: debug, info, warn, error. False when either is not known.
bool setup(std::string_view service, std::string_view format, std::string_view level);
// While the program runs: debug, info, warn or error; any other text changes nothing.
void set_level(std::string_view level);
[[nodiscard]] bool enabled(Level level);
void write(Level level, std::string_view message, Fields fields = {});

inline void debug(std::string_view message, Fields fields = {}) { write(Level::debug, message, fields); }
inline void info(std::string_view message, Fields fields = {}) { write(Level::info, message, fields); }
inline void warn(std::string_view message, Fields fields = {}) { write(Level::warn, message, fields); }
inline void error(std::string_view message, Fields fields = {}) { write(Level::error, message, fields); }

}  // namespace fieldwork::log
