// links: codec nlohmann_json::nlohmann_json GTest::gtest_main
// Templates: what is filled in where, and which mistakes are named.
#include "codec/template.hpp"

#include <gtest/gtest.h>

namespace fieldwork::codec {
namespace {

Json document() {
  return Json::parse(R"({
    "name": "watch", "description": "Watches.",
    "parameters": {
      "rate": {"type": "integer", "min": 1, "max": 1000, "default": 10, "unit": "Hz"},
      "limit": {"type": "number", "min": 0},
      "mode": {"type": "string", "enum": ["fast", "exact"], "default": "fast"},
      "strict": {"type": "boolean", "default": false},
      "package": {"type": "digest"},
      "memory": {"type": "integer", "default": 1048576}},
    "job": {
      "name": "watch ${mode}",
      "command": ["./run", "--rate=${rate}", "${limit}", "${strict}", "costs $5, $${rate} and ${mode}$"],
      "package": "${package}",
      "env": {"MODE": "${mode}", "LIMIT": "${limit}"},
      "preemptible": "${strict}",
      "requirements": {"memory_bytes": "${memory}", "labels": {"rate": "${rate}"}}}})");
}

const std::string digest = "sha256:" + std::string(64, 'a');

Template watch() {
  auto read = decode_template(document());
  EXPECT_TRUE(read.ok()) << (read.ok() ? "" : describe(read.error()));
  return read.ok() ? *read : Template{};
}

TEST(TemplateTest, ValuesKeepTheirTypesWhereNumbersAreMeant) {
  const auto spec = fill(watch(), {{"limit", 2.5}, {"package", digest}, {"memory", 4096}, {"strict", true}});
  ASSERT_TRUE(spec.ok()) << describe(spec.error());
  EXPECT_EQ(spec->name, "watch fast");
  EXPECT_EQ(spec->command,
            (std::vector<std::string>{"./run", "--rate=10", "2.5", "true", "costs $5, ${rate} and fast$"}));
  EXPECT_EQ(spec->package, digest);
  EXPECT_EQ(spec->env, (std::map<std::string, std::string>{{"LIMIT", "2.5"}, {"MODE", "fast"}}));
  EXPECT_EQ(spec->requirements.memory_bytes, 4096);
  EXPECT_EQ(spec->requirements.labels, (Labels{{"rate", "10"}}));
  EXPECT_EQ(spec->preemptible, true);
}

// A command line has only texts: they are read as what the parameter is.
TEST(TemplateTest, TextsAreReadAsTheirParameterIs) {
  const auto texts = fill(watch(), {{"limit", "2.5"}, {"package", digest}, {"memory", "4096"}, {"strict", "true"}});
  const auto values = fill(watch(), {{"limit", 2.5}, {"package", digest}, {"memory", 4096}, {"strict", true}});
  ASSERT_TRUE(texts.ok() && values.ok());
  EXPECT_EQ(*texts, *values);
}

// No value breaks out of its place.
TEST(TemplateTest, AValueIsNeverReadAsATemplateOrAsJson) {
  auto value = document();
  value["parameters"]["mode"] = {{"type", "string"}};
  const auto one = decode_template(value);
  ASSERT_TRUE(one.ok());
  const std::string evil = R"(${rate}", "priority": 9, "x": "$${)";
  const auto spec = fill(*one, {{"limit", 1}, {"package", digest}, {"mode", evil}});
  ASSERT_TRUE(spec.ok()) << describe(spec.error());
  EXPECT_EQ(spec->env.at("MODE"), evil);
  EXPECT_EQ(spec->priority, 5);
}

TEST(TemplateTest, FieldsBesideTheTemplateReplaceItsOwn) {
  const auto spec = fill(watch(), {{"limit", 1}, {"package", digest}},
                         {{"priority", 7}, {"requirements", {{"memory_bytes", 7}, {"labels", nullptr}}}});
  ASSERT_TRUE(spec.ok()) << describe(spec.error());
  EXPECT_EQ(spec->priority, 7);
  EXPECT_EQ(spec->requirements.memory_bytes, 7);
  EXPECT_TRUE(spec->requirements.labels.empty());
}

struct Wrong {
  Json given;
  const char* path;
  const char* reason;
};

TEST(TemplateTest, EachWrongValueIsNamed) {
  const Json good{{"limit", 1}, {"package", digest}};
  const auto with = [&](const char* name, const Json& value) {
    auto out = good;
    out[name] = value;
    return out;
  };
  const Wrong cases[] = {
      {{{"package", digest}}, "/parameters/limit", "is missing: the template has no default for it"},
      {with("rate", 0), "/parameters/rate", "is 0, must be at least 1"},
      {with("rate", 1001), "/parameters/rate", "is 1001, must be at most 1000"},
      {with("rate", 1.5), "/parameters/rate", "is 1.5, must be a whole number"},
      {with("rate", "ten"), "/parameters/rate", "is ten, must be a number"},
      {with("rate", "1e999"), "/parameters/rate", "is 1e999, must be a number"},
      {with("limit", "1e400"), "/parameters/limit", "is 1e400, must be a number"},
      {with("limit", Json::array()), "/parameters/limit", "is [], must be a number"},
      {with("limit", -1), "/parameters/limit", "is -1, must be at least 0"},
      {with("mode", "slow"), "/parameters/mode", "is slow, must be one of fast, exact"},
      {with("mode", 5), "/parameters/mode", "is 5, must be a text of at most 4096 bytes"},
      {with("strict", "yes"), "/parameters/strict", "is yes, must be true or false"},
      {with("package", "sha256:1"), "/parameters/package", "is sha256:1, must be sha256: and 64 hex digits"},
      {with("colour", "red"), "/parameters/colour",
       "the template has no such parameter; it has limit, memory, mode, package, rate, strict"},
      {with("memory", -5), "/job/requirements/memory_bytes", "must be a whole number from 0"},
  };
  for (const auto& c : cases) {
    const auto spec = fill(watch(), c.given);
    ASSERT_FALSE(spec.ok()) << c.given.dump();
    EXPECT_EQ(spec.error().path, c.path) << describe(spec.error());
    EXPECT_TRUE(spec.error().reason.starts_with(c.reason)) << spec.error().reason;
  }
}

TEST(TemplateTest, EachMistakeInATemplateIsNamed) {
  const auto with = [](const char* pointer, const Json& value) {
    auto out = document();
    out[Json::json_pointer(pointer)] = value;
    return out;
  };
  const Wrong cases[] = {
      {with("/parameters/rate/type", "float"), "/parameters/rate/type", "must be string, integer"},
      {with("/parameters/rate/default", "x"), "/parameters/rate/default", "is x, must be a number"},
      {with("/parameters/rate/default", 0), "/parameters/rate/default", "is 0, must be at least 1"},
      {with("/parameters/rate/min", 2000), "/parameters/rate/min", "must not be above max"},
      {with("/parameters/mode/min", 1), "/parameters/mode/min", "is only for numbers"},
      {with("/parameters/mode/enum", Json::array()), "/parameters/mode/enum", "must not be empty"},
      {with("/parameters/rate/colour", 1), "/parameters/rate/colour", "is not a field here"},
      {with("/parameters/Rate", {{"type", "string"}}), "/parameters/Rate", "the name of a parameter has a-z"},
      {with("/parameters/idle", {{"type", "string"}}), "/parameters/idle", "is used nowhere in the job"},
      {with("/job/command/1", "${speed}"), "/job/command/1", "there is no parameter speed"},
      {with("/job/command/1", "${rate"), "/job/command/1", "there is no parameter"},
      {with("/job/priority", "${rate}"), "/job/priority", ""},
      {with("/job/colour", 1), "/job/colour", "is not a field here"},
      {with("/name", "a b"), "/name", ""},
      {Json{{"name", "a"}}, "/job", "is missing"},
  };
  for (const auto& c : cases) {
    const auto read = decode_template(c.given);
    ASSERT_FALSE(read.ok()) << c.path;
    EXPECT_EQ(read.error().path, c.path) << describe(read.error());
    EXPECT_NE(read.error().reason.find(c.reason), std::string::npos) << read.error().reason;
  }
  auto large = document();
  large["description"] = std::string(1000, 'x');
  for (int i = 0; i < 60; ++i) large["job"]["env"]["E" + std::to_string(i)] = std::string(2000, 'x');
  EXPECT_FALSE(decode_template(large).ok()) << "above 64 KiB";
}

// Many placeholders of one long value are refused before they are put together.
TEST(TemplateTest, WhatIsFilledInIsBounded) {
  std::string many;
  for (int i = 0; i < 1'000; ++i) many += "${a}";
  const auto one = decode_template({{"name", "t"},
                                    {"parameters", {{"a", {{"type", "string"}, {"default", ""}}}}},
                                    {"job", {{"command", {"true"}}, {"env", {{"A", many}}}}}});
  ASSERT_TRUE(one.ok()) << describe(one.error());
  const auto spec = fill(*one, {{"a", std::string(4000, 'x')}});
  ASSERT_FALSE(spec.ok());
  EXPECT_EQ(spec.error().path, "/job/env/A");
}

TEST(TemplateTest, IsWrittenAsItWasRead) {
  const auto one = watch();
  EXPECT_EQ(encode(one), document());
  const auto again = decode_template(encode(one));
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(encode(*again), encode(one));
}

}  // namespace
}  // namespace fieldwork::codec
