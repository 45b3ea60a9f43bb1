#include "runtime/log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <memory>
#include <nlohmann/json.hpp>

namespace fieldwork::log {
namespace {

bool as_json = false;
std::string service_name = "fieldwork";

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::debug: return spdlog::level::debug;
    case Level::info: return spdlog::level::info;
    case Level::warn: return spdlog::level::warn;
    case Level::error: return spdlog::level::err;
  }
  return spdlog::level::info;
}

}  // namespace

bool setup(std::string_view service, std::string_view format, std::string_view level) {
  service_name = service;
  as_json = format == "json";
  const auto threshold = spdlog::level::from_str(level == "error" ? "err" : std::string(level));
  if ((format != "json" && format != "text") || (threshold == spdlog::level::off && level != "off")) return false;
  auto logger = std::make_shared<spdlog::logger>("fieldwork", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_level(threshold);
  logger->set_pattern(as_json ? R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l",%v})" : "%Y-%m-%dT%H:%M:%S.%e %l %v");
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
  return true;
}

void set_level(std::string_view level) {
  const auto threshold = spdlog::level::from_str(level == "error" ? "err" : std::string(level));
  if (threshold != spdlog::level::off) spdlog::default_logger_raw()->set_level(threshold);
}

bool enabled(Level level) { return spdlog::default_logger_raw()->should_log(to_spdlog(level)); }

void write(Level level, std::string_view message, Fields fields) {
  if (!enabled(level)) return;
  std::string line;
  if (as_json) {
    const auto quoted = [](std::string_view text) {
      return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    };
    line = "\"service\":" + quoted(service_name) + ",\"message\":" + quoted(message);
    for (const auto& [key, value] : fields) line += "," + quoted(key) + ":" + quoted(value);
  } else {
    line = service_name + ": " + std::string(message);
    for (const auto& [key, value] : fields) {
      line += " " + std::string(key) + "=";
      for (const char c : value) line += c == '\n' ? ' ' : c;
    }
  }
  spdlog::default_logger_raw()->log(to_spdlog(level), spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace fieldwork::log
