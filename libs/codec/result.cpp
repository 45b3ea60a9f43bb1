#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "codec/job.hpp"
#include "crypto/bytes.hpp"
#include "inside.hpp"
#include "model/limits.hpp"

namespace fieldwork::codec {
namespace {

constexpr std::size_t content_length_max = (limits::content_bytes_max + 2) / 3 * 4;  // length of a file's base64
constexpr std::size_t stream_bytes_max = limits::output_bytes_max;

// The bytes of `text` between the quotes of a JSON string, as dump() writes it.
std::size_t escaped_bytes(std::string_view text) {
  std::size_t out = text.size();
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\' || c == '\b' || c == '\f' || c == '\n' || c == '\r' || c == '\t') {
      out += 1;
    } else if (byte < 0x20) {
      out += 5;
    }
  }
  return out;
}

std::size_t base64_bytes(std::string_view bytes) { return (bytes.size() + 2) / 3 * 4; }

// A stream is encoded as text if it is text and its escapes (six bytes for most control characters) do not more than
// double it.
bool goes_as_text(std::string_view bytes) { return is_text(bytes) && escaped_bytes(bytes) <= 2 * bytes.size(); }

void write_stream(Json& into, const std::string& name, const std::string& bytes, std::int64_t cut_bytes) {
  if (goes_as_text(bytes)) {
    into[name] = bytes;
  } else {
    into[name + "_base64"] = crypto::base64_encode(bytes);
  }
  if (cut_bytes > 0) into[name + "_cut_bytes"] = cut_bytes;
}

std::string read_stream(Reader& reader, const char* name, const char* name_base64) {
  auto text = reader.text_or(name, "", stream_bytes_max);
  if (reader.any_maybe(name_base64) == nullptr) return text;
  auto bytes = crypto::base64_decode(reader.text(name_base64, (stream_bytes_max + 2) / 3 * 4));
  if (bytes && text.empty()) return std::move(*bytes);
  reader.fail(name_base64, bytes ? "cannot stand beside the text" : "must be base64");
  return {};
}

OutputFile read_file(Reader& parent, std::size_t index, const Json& value) {
  Reader reader(parent, "files", index, value);
  OutputFile file;
  file.path = reader.text("path", 256);
  if (reader.ok() && !is_inside(file.path)) reader.fail("path", inside_text);
  file.size_bytes = reader.integer("size_bytes", 0, limits::size_bytes_max);
  file.digest = reader.digest("digest");
  if (const auto content = reader.text_or("content", "", content_length_max); reader.any_maybe("content") != nullptr) {
    auto bytes = crypto::base64_decode(content);
    if (bytes) {
      file.content = std::move(*bytes);
    } else {
      reader.fail("content", "must be base64");
    }
  }
  reader.finish();
  return file;
}

RunUse read_use(Reader& parent, const Json& value) {
  Reader reader(parent, "use", value);
  RunUse use;
  use.cpu_ms = reader.integer("cpu_ms", 0, integer_max);
  use.memory_peak_bytes = reader.integer("memory_peak_bytes", 0, limits::size_bytes_max);
  use.read_bytes = reader.integer("read_bytes", 0, integer_max);
  use.written_bytes = reader.integer("written_bytes", 0, integer_max);
  reader.finish();
  return use;
}

}  // namespace

Json encode(const RunUse& use) {
  return {{"cpu_ms", use.cpu_ms},
          {"memory_peak_bytes", use.memory_peak_bytes},
          {"read_bytes", use.read_bytes},
          {"written_bytes", use.written_bytes}};
}

std::size_t encoded_bytes(const RunResult& result) {
  RunResult rest{.exit_code = result.exit_code, .signal = result.signal, .truncated = result.truncated};
  rest.elapsed_ms = result.elapsed_ms;
  rest.use = result.use;
  rest.stdout_cut_bytes = result.stdout_cut_bytes;
  rest.stderr_cut_bytes = result.stderr_cut_bytes;
  rest.in_parts = result.in_parts;
  rest.stdout_bytes = result.stdout_bytes;
  rest.stderr_bytes = result.stderr_bytes;
  std::size_t out = 0;
  for (const auto* bytes : {&result.stdout_text, &result.stderr_text}) {
    out += goes_as_text(*bytes) ? escaped_bytes(*bytes) : base64_bytes(*bytes) + std::string_view("_base64").size();
  }
  for (const auto& file : result.files) {
    rest.files.push_back({file.path, file.size_bytes, file.digest, std::nullopt});
    if (file.content) out += std::string_view(R"(,"content":"")").size() + base64_bytes(*file.content);
  }
  return out + dump(encode(rest)).size();
}

Json encode(const RunResult& result) {
  Json out{{"exit_code", result.exit_code}, {"truncated", result.truncated}, {"elapsed_ms", result.elapsed_ms}};
  write_stream(out, "stdout", result.stdout_text, result.stdout_cut_bytes);
  write_stream(out, "stderr", result.stderr_text, result.stderr_cut_bytes);
  if (result.signal) out["signal"] = *result.signal;
  if (result.use) out["use"] = encode(*result.use);
  if (result.in_parts) {
    out["in_parts"] = true;
    out["stdout_bytes"] = result.stdout_bytes;
    out["stderr_bytes"] = result.stderr_bytes;
  }
  Json files = Json::array();
  for (const auto& file : result.files) {
    Json entry{{"path", file.path}, {"size_bytes", file.size_bytes}, {"digest", file.digest}};
    if (file.content) entry["content"] = crypto::base64_encode(*file.content);
    files.push_back(std::move(entry));
  }
  out["files"] = std::move(files);
  return out;
}

RunResult read_result(Reader& reader) {
  RunResult result;
  result.exit_code = static_cast<int>(reader.integer("exit_code", -1, 255));
  if (const auto signal = reader.integer_maybe("signal", 1, 64)) result.signal = static_cast<int>(*signal);
  result.stdout_text = read_stream(reader, "stdout", "stdout_base64");
  result.stderr_text = read_stream(reader, "stderr", "stderr_base64");
  result.stdout_cut_bytes = reader.integer_or("stdout_cut_bytes", 0, 1, integer_max);
  result.stderr_cut_bytes = reader.integer_or("stderr_cut_bytes", 0, 1, integer_max);
  result.truncated = reader.boolean_or("truncated", false);
  result.elapsed_ms = reader.integer_or("elapsed_ms", 0, 0, integer_max);
  if (const Json* value = reader.object_maybe("use")) result.use = read_use(reader, *value);
  result.in_parts = reader.boolean_or("in_parts", false);
  result.stdout_bytes = reader.integer_or("stdout_bytes", 0, 0, integer_max);
  result.stderr_bytes = reader.integer_or("stderr_bytes", 0, 0, integer_max);
  if (const Json* files = reader.array_maybe("files", limits::files_max)) {
    for (std::size_t i = 0; i < files->size(); ++i) result.files.push_back(read_file(reader, i, (*files)[i]));
  }
  reader.finish();
  return result;
}

Result<RunResult> decode_result(const Json& value) {
  Reader reader(value);
  auto result = read_result(reader);
  if (!reader.ok()) return reader.error();
  return result;
}

}  // namespace fieldwork::codec
