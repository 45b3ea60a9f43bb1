#include "codec/template.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <set>

#include "base/text.hpp"
#include "codec/job.hpp"
#include "crypto/digest.hpp"

namespace fieldwork::codec {
namespace {

constexpr std::array<const char*, 5> type_words{"string", "integer", "number", "boolean", "digest"};

bool is_name(std::string_view text) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
  return !text.empty() && text.size() <= limits::parameter_name_bytes_max && letter(text.front()) &&
         std::all_of(text.begin(), text.end(), [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

std::string word(Parameter::Type type) { return type_words[static_cast<std::size_t>(type)]; }

std::string shown(const Json& value) {
  return clamp_text(value.is_string() ? value.get<std::string>() : dump(value), 64);
}

// The value as the parameter has it: a text is read as a number or a boolean. The text of an error where it is none.
Result<Json> typed(const Parameter& as, const Json& value) {
  const auto no = [&](const std::string& must) {
    return Error{Code::invalid, "is " + shown(value) + ", must be " + must};
  };
  Json read = value;
  const bool number = as.type == Parameter::Type::integer || as.type == Parameter::Type::number;
  if (number || as.type == Parameter::Type::boolean) {
    if (value.is_string() && value.get_ref<const std::string&>().size() <= limits::parameter_name_bytes_max)
      read = Json::parse(value.get<std::string>(), nullptr, false);
    if (as.type == Parameter::Type::boolean && !read.is_boolean()) return no("true or false");
    if (number && (!read.is_number() || !std::isfinite(read.get<double>()))) return no("a number");
    if (as.type == Parameter::Type::integer && !read.is_number_integer()) return no("a whole number");
    if (number && std::abs(read.get<double>()) > limits::parameter_max) return no("between -10^15 and 10^15");
    if (as.min && read.get<double>() < *as.min) return no("at least " + dump(Json(*as.min)));
    if (as.max && read.get<double>() > *as.max) return no("at most " + dump(Json(*as.max)));
  } else if (!value.is_string() || value.get_ref<const std::string&>().size() > limits::parameter_bytes_max) {
    return no("a text of at most " + std::to_string(limits::parameter_bytes_max) + " bytes");
  } else if (as.type == Parameter::Type::digest && !crypto::is_digest(value.get<std::string>())) {
    return no("sha256: and 64 hex digits");
  }
  if (as.values.empty() || std::find(as.values.begin(), as.values.end(), read) != as.values.end()) return read;
  std::string list;
  for (const auto& one : as.values) list += (list.empty() ? "" : ", ") + shown(one);
  return no("one of " + list);
}

Parameter read_parameter(Reader& parent, const std::string& name, const Json& value) {
  Reader reader(parent, name.c_str(), value);
  Parameter out;
  out.name = name;
  const auto type = reader.text("type", 16);
  const auto* const known = std::find(type_words.begin(), type_words.end(), type);
  if (reader.ok() && known == type_words.end())
    reader.fail("type", "must be string, integer, number, boolean or digest");
  else if (reader.ok())
    out.type = static_cast<Parameter::Type>(known - type_words.begin());
  out.description = reader.text_or("description", "", 512);
  out.unit = reader.text_or("unit", "", 32);
  out.min = reader.number_maybe("min", -limits::parameter_max, limits::parameter_max);
  out.max = reader.number_maybe("max", -limits::parameter_max, limits::parameter_max);
  const bool number = out.type == Parameter::Type::integer || out.type == Parameter::Type::number;
  if (reader.ok() && !number && (out.min || out.max)) reader.fail(out.min ? "min" : "max", "is only for numbers");
  if (reader.ok() && out.min && out.max && *out.min > *out.max) reader.fail("min", "must not be above max");
  if (const Json* values = reader.array_maybe("enum", limits::parameter_values_max)) {
    std::vector<Json> all;
    for (const auto& one : *values) {
      auto read = typed(out, one);
      if (!read) reader.fail("enum", read.error().reason);
      if (read) all.push_back(std::move(*read));
    }
    out.values = std::move(all);
    if (reader.ok() && values->empty()) reader.fail("enum", "must not be empty");
  }
  if (const Json* given = reader.any_maybe("default")) {
    auto read = typed(out, *given);
    if (!read) reader.fail("default", read.error().reason);
    if (read) out.value = std::move(*read);
  }
  reader.finish();
  return out;
}

std::string below(std::string path, const std::string& key) { return path.append(1, '/').append(key); }

// Goes through the texts of a document and fills in what stands in ${…}.
class Filling {
 public:
  explicit Filling(const std::map<std::string, Json>& values) : values_(values) {}

  Json fill(const Json& value, bool as_text, const std::string& path) {
    if (value.is_string()) return text(value.get_ref<const std::string&>(), as_text, path);
    Json out = value;
    if (value.is_array()) {
      for (std::size_t i = 0; i < out.size(); ++i) out[i] = fill(value[i], as_text, below(path, std::to_string(i)));
    } else if (value.is_object()) {
      for (const auto& [key, inside] : value.items())
        out[key] = fill(inside, as_text || is_text(key), below(path, key));
    }
    return out;
  }
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }
  [[nodiscard]] const std::set<std::string>& used() const { return used_; }

 private:
  static bool is_text(const std::string& key) {
    for (const auto* one :
         {"command", "env", "labels", "outputs", "name", "expression", "group", "devices", "spread_by"})
      if (key == one) return true;
    return false;
  }
  static std::string written(const Json& value) { return value.is_string() ? value.get<std::string>() : dump(value); }

  Json text(const std::string& from, bool as_text, const std::string& path) {
    std::string out;
    for (std::size_t at = 0; at < from.size();) {
      const auto next = from.find('$', at);
      out += from.substr(at, next - at);
      if (next == std::string::npos) break;
      at = next;
      if (from.compare(at, 3, "$${") == 0) {
        out += "${";
        at += 3;
        continue;
      }
      const auto end = from.compare(at, 2, "${") == 0 ? from.find('}', at) : std::string::npos;
      const auto name = end == std::string::npos ? "" : from.substr(at + 2, end - at - 2);
      const auto value = values_.find(name);
      if (from.compare(at, 2, "${") != 0) {
        out += from[at++];
        continue;
      }
      if (value == values_.end()) {
        if (!error_)
          error_ = Error{Code::invalid, "there is no parameter " + clamp_text(name, 64) + " (write $${ for ${)", path};
        return from;
      }
      used_.insert(name);
      if (!as_text && at == 0 && end + 1 == from.size()) return value->second;
      out += written(value->second);
      at = end + 1;
      filled_bytes_ += written(value->second).size();
      if (filled_bytes_ > limits::job_bytes_max) {
        if (!error_)
          error_ = Error{Code::invalid, "its values are more than " + std::to_string(limits::job_bytes_max) + " bytes",
                         path};
        return from;
      }
    }
    return out;
  }

  const std::map<std::string, Json>& values_;
  std::set<std::string> used_;
  std::size_t filled_bytes_ = 0;
  std::optional<Error> error_;
};

// A value that the parameter allows: for the trial at the push.
Json sample(const Parameter& of) {
  if (!of.value.is_null()) return of.value;
  if (!of.values.empty()) return of.values.front();
  switch (of.type) {
    case Parameter::Type::string: return "x";
    case Parameter::Type::digest: return "sha256:" + std::string(64, '0');
    case Parameter::Type::boolean: return false;
    case Parameter::Type::integer:
      return static_cast<std::int64_t>(std::ceil(of.min.value_or(std::min(1.0, of.max.value_or(1)))));
    case Parameter::Type::number: return of.min.value_or(std::min(1.0, of.max.value_or(1)));
  }
  return nullptr;
}

Result<JobSpec> filled(const Template& one, const std::map<std::string, Json>& values, const Json& patch,
                       std::set<std::string>* used) {
  Filling filling(values);
  auto job = filling.fill(one.job, false, "/job");
  if (filling.error()) return *filling.error();
  if (used != nullptr) *used = filling.used();
  job.merge_patch(patch);
  auto spec = decode_job(job);
  if (spec) return spec;
  auto error = spec.error();
  error.path = "/job" + error.path;
  return error;
}

}  // namespace

Result<Template> decode_template(const Json& value) {
  Reader reader(value);
  Template out;
  out.name = reader.id("name");
  out.description = reader.text_or("description", "", 1024);
  if (const Json* parameters = reader.object_maybe("parameters")) {
    Reader inside(reader, "parameters", *parameters);
    for (const auto& [name, one] : parameters->items()) {
      (void)inside.any_maybe(name.c_str());
      if (!is_name(name))
        inside.fail(name, "the name of a parameter has a-z, 0-9 and _, and begins with a letter");
      else
        out.parameters.push_back(read_parameter(inside, name, one));
    }
    if (parameters->size() > limits::parameters_max)
      inside.fail("", "at most " + std::to_string(limits::parameters_max) + " parameters");
    inside.finish();
  }
  if (const Json* job = reader.object("job")) out.job = *job;
  if (!reader.finish()) return reader.error();
  if (const auto bytes = dump(value).size(); bytes > limits::template_bytes_max)
    return Error{Code::invalid, "is " + std::to_string(bytes) + " bytes as JSON, at most " +
                                    std::to_string(limits::template_bytes_max)};
  std::map<std::string, Json> values;
  for (const auto& one : out.parameters) values[one.name] = sample(one);
  std::set<std::string> used;
  if (auto tried = filled(out, values, Json::object(), &used); !tried) {
    auto error = tried.error();
    error.reason += "; the template was tried with its defaults";
    return error;
  }
  for (const auto& one : out.parameters) {
    if (!used.contains(one.name)) return Error{Code::invalid, "is used nowhere in the job", "/parameters/" + one.name};
  }
  return out;
}

Json encode(const Template& one) {
  Json parameters = Json::object();
  for (const auto& of : one.parameters) {
    Json out{{"type", word(of.type)}};
    if (!of.description.empty()) out["description"] = of.description;
    if (!of.unit.empty()) out["unit"] = of.unit;
    if (of.min) out["min"] = *of.min;
    if (of.max) out["max"] = *of.max;
    if (!of.values.empty()) out["enum"] = of.values;
    if (!of.value.is_null()) out["default"] = of.value;
    parameters[of.name] = std::move(out);
  }
  Json out{{"name", one.name}, {"job", one.job}};
  if (!one.description.empty()) out["description"] = one.description;
  if (!one.parameters.empty()) out["parameters"] = std::move(parameters);
  return out;
}

Result<JobSpec> fill(const Template& one, const Json& given, const Json& patch) {
  std::map<std::string, Json> values;
  for (const auto& of : one.parameters) {
    const auto path = "/parameters/" + of.name;
    const auto it = given.find(of.name);
    if (it == given.end() && of.value.is_null())
      return Error{Code::invalid, "is missing: the template has no default for it", path};
    auto value = it == given.end() ? Result<Json>(of.value) : typed(of, *it);
    if (!value) return Error{Code::invalid, value.error().reason, path};
    values[of.name] = std::move(*value);
  }
  for (const auto& [name, value] : given.items()) {
    if (values.contains(name)) continue;
    std::string known;
    for (const auto& of : one.parameters) known += (known.empty() ? "" : ", ") + of.name;
    return Error{Code::invalid, "the template has no such parameter" + (known.empty() ? "" : "; it has " + known),
                 "/parameters/" + name};
  }
  return filled(one, values, patch, nullptr);
}

}  // namespace fieldwork::codec
