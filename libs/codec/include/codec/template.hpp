// Templates: job documents with typed parameters (docs/decisions/0021).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/result.hpp"
#include "codec/json.hpp"
#include "model/job.hpp"

namespace fieldwork::codec {

struct Parameter {
  enum class Type { string, integer, number, boolean, digest };
  std::string name;
  Type type = Type::string;
  std::string description;
  std::string unit;
  Json value;                      // the default; null: it must be given
  std::optional<double> min, max;  // of numbers
  std::vector<Json> values;        // empty: any
};

struct Template {
  std::string name;
  std::string description;
  std::vector<Parameter> parameters;
  Json job;  // with placeholders
};

// Checks that it is a job when it is filled; errors say what is wrong with which parameter or field.
[[nodiscard]] Result<Template> decode_template(const Json& value);
[[nodiscard]] Json encode(const Template& one);
// The job document for these values: an object from names to values. A text is taken for a number or a boolean where
// the parameter is one. `patch`: fields that replace the template's (RFC 7396). Errors begin with /parameters or /job.
[[nodiscard]] Result<JobSpec> fill(const Template& one, const Json& values, const Json& patch = Json::object());

}  // namespace fieldwork::codec
