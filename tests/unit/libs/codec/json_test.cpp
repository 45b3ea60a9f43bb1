// links: codec nlohmann_json::nlohmann_json GTest::gtest_main
// JSON at the edge: what parse() refuses, what dump() never refuses, and errors as answers.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "codec/json.hpp"

namespace fieldwork::codec {
namespace {

std::string nested(int depth) {
  std::string out;
  for (int i = 0; i < depth; ++i) out += i % 2 == 0 ? "[" : R"({"a":)";
  out += "1";
  for (int i = depth; i-- > 0;) out += i % 2 == 0 ? "]" : "}";
  return out;
}

struct ParseCase {
  const char* name;
  std::string text;
  std::string expected;  // what dump() makes of it, or "! reason"
};

const ParseCase parse_cases[] = {
    {"a number", "1", "1"},
    {"white space around", " \t\r\n{ } \n", "{}"},
    {"escapes", R"("\u00fc\"\\\/\n")", R"("ü\"\\/\n")"},
    {"a pair of surrogates", R"("\ud83d\ude00")", "\"\xf0\x9f\x98\x80\""},
    {"sixteen deep", nested(16), nested(16)},
    {"brackets in a string are not deep", "\"" + std::string(100, '[') + "\"", "\"" + std::string(100, '[') + "\""},
    {"a quote in a string ends nothing", R"("\"[[[[[[[[[[[[[[[[[[[[[[[")", R"("\"[[[[[[[[[[[[[[[[[[[[[[[")"},
    {"wide is not deep", "[[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[]]",
     "[[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[]]"},
    {"the text \\u0000", R"("\\u0000")", R"("\\u0000")"},
    {"almost NUL", R"("\u0001")", R"("\u0001")"},
    {"largest whole numbers", "[-9223372036854775808,18446744073709551615]",
     "[-9223372036854775808,18446744073709551615]"},

    {"nothing", "", "! not JSON: it is empty"},
    {"white space", " \n", "! not JSON: it is empty"},
    {"half", R"({"a":)", "! not JSON: line"},
    {"two", "1 2", "! not JSON: line"},
    {"a NUL after it", std::string("1\0", 2), "! not JSON: line"},
    {"anything after a NUL", std::string("{}\0{}", 5), "! not JSON: line"},
    {"a comma too many", "[1,]", "! not JSON: line"},
    {"a comment", "[1/*x*/]", "! not JSON: line"},
    {"single quotes", "{'a':1}", "! not JSON: line"},
    {"a key that is none", "{a:1}", "! not JSON: line"},
    {"NaN", "[NaN]", "! not JSON: line"},
    {"Infinity", "-Infinity", "! not JSON: line"},
    {"a number no double holds", "[1e400]", "! not JSON: a number is out of range"},
    {"a zero in front", "01", "! not JSON: line"},
    {"a byte order mark inside", "[\xef\xbb\xbf]", "! not JSON: line"},
    {"half of a surrogate pair", R"("\ud800")", "! not JSON: line"},
    {"an open escape", "\"\\", "! not JSON: line"},
    {"a raw line break in a string", "\"a\nb\"", "! not JSON: line"},
    {"a raw NUL in a string", std::string("\"a\0b\"", 5), "! not JSON: line"},
    {"the line and the column", "{\n  \"a\": 1,\n  \"b\": {\"c\": 3,}\n}",
     "! not JSON: line 3, column 16: while parsing object key - unexpected '}'; expected string literal"},
    {"what was read is not repeated", "[\"a\", secret]",
     "! not JSON: line 1, column 7: while parsing value - invalid literal"},
    {"a field twice", R"({"a":1,"b":0,"a":2})", "! the field \"a\" stands twice in one object"},
    {"a field twice, one of them escaped", R"([{"a":{"bc":1,"\u0062c":2}}])",
     "! the field \"bc\" stands twice in one object"},
    {"one name in two objects", R"([{"a":":"},{"a":{"a":1}}])", R"([{"a":":"},{"a":{"a":1}}])"},
    {"a NUL in a string", R"(["a\u0000b"])", "! a string holds NUL"},
    {"a NUL in a key", R"({"a\u0000":1})", "! a string holds NUL"},
    {"a NUL after a backslash", R"(["\\\u0000"])", "! a string holds NUL"},
    {"not UTF-8", "\"\xff\"", "! not JSON: line"},
    {"a key not UTF-8", "{\"\xc3\":1}", "! not JSON: line"},
    {"UTF-8 of a surrogate", "\"\xed\xa0\x80\"", "! not JSON: line"},
    {"an overlong slash", "\"\xc0\xaf\"", "! not JSON: line"},
    {"beyond Unicode", "\"\xf4\x90\x80\x80\"", "! not JSON: line"},
    {"seventeen deep", nested(17), "! nested deeper than 16"},
    {"very deep", std::string(1 << 20, '['), "! nested deeper than 16"},
    {"closed more often than opened", "]]]]" + nested(16), "! not JSON: line"},
    {"too large", '"' + std::string(limits::message_bytes_max, 'x') + '"', "! larger than 2000000 bytes"},
};

TEST(Parse, ReadsOrSaysWhyNot) {
  for (const auto& c : parse_cases) {
    const auto value = parse(c.text);
    const auto said = value ? dump(*value) : "! " + describe(value.error());
    const bool begins = c.expected == "! not JSON: line";
    EXPECT_EQ(begins ? said.substr(0, c.expected.size()) : said, c.expected) << c.name;
    EXPECT_TRUE(value.ok() || value.error().code == Code::invalid) << c.name;
  }
}

TEST(Parse, TheBoundOnBytesIsTheLastThatFits) {
  EXPECT_TRUE(parse("[1,2]", 5).ok());
  const auto value = parse("[1,2]", 4);
  ASSERT_FALSE(value.ok());
  EXPECT_EQ(value.error(), (Error{Code::invalid, "larger than 4 bytes"}));
}

TEST(Dump, NeverThrows) {
  EXPECT_EQ(dump(Json("a\xff\xc3z")), "\"a\xef\xbf\xbd\xef\xbf\xbdz\"");
  EXPECT_EQ(dump(Json{{"\xff", 1}}), "{\"\xef\xbf\xbd\":1}");
}

// --- the reader ---------------------------------------------------------------------------------------------------

TEST(ReaderTest, TheFirstMistakeIsKeptAndTheRestGivesFallbacks) {
  const auto value = Json::parse(R"({"a":1,"b":"x","c":["y"],"d":{"e":"f"},"g":2.5,"h":true})");
  Reader reader(value);
  EXPECT_EQ(reader.text("b"), "x");
  EXPECT_EQ(reader.text("a"), "");
  EXPECT_EQ(reader.integer("b", 3, 9), 3);
  EXPECT_EQ(reader.integer_or("none", 5, 3, 9), 5);
  EXPECT_EQ(reader.integer_maybe("none", 3, 9), std::nullopt);
  EXPECT_EQ(reader.number("b", 1, 2), 1);
  EXPECT_EQ(reader.number_maybe("none", 1, 2), std::nullopt);
  EXPECT_FALSE(reader.boolean_or("g", false));
  EXPECT_EQ(reader.object("c"), nullptr);
  EXPECT_EQ(reader.array("d", 1), nullptr);
  EXPECT_FALSE(reader.ok());
  EXPECT_FALSE(reader.finish());
  EXPECT_EQ(reader.error(), (Error{Code::invalid, "must be a string", "/a"}));
}

TEST(ReaderTest, AChildsMistakeIsItsParentsAndNamesTheWholeWay) {
  const auto value = Json::parse(R"({"a":[{"b":{"c":"x"}},{"b":{"d~/":1}}]})");
  Reader reader(value);
  const Json* list = reader.array("a", 2);
  ASSERT_NE(list, nullptr);
  for (std::size_t i = 0; i < list->size(); ++i) {
    Reader item(reader, "a", i, (*list)[i]);
    Reader inner(item, "b", *item.object("b"));
    inner.text_or("c", "");
    inner.finish();
    item.finish();
  }
  EXPECT_FALSE(reader.finish());
  EXPECT_EQ(reader.error(), (Error{Code::invalid, "is not a field here; there are: c", "/a/1/b/d~0~1"}));
}

TEST(ReaderTest, AnUnknownFieldIsToldBeforeTheOneThatIsMissing) {
  const auto read = [](const char* text) {
    const auto value = Json::parse(text);
    Reader reader(value);
    reader.text("command");
    reader.integer_or("priority", 0, 0, 9);
    reader.finish();
    return describe(reader.error());
  };
  EXPECT_EQ(read(R"({"comand":"a"})"), "/comand: is not a field here; did you mean 'command'?");
  EXPECT_EQ(read(R"({"gpu":"a"})"), "/gpu: is not a field here; there are: command, priority");
  EXPECT_EQ(read(R"({"priority":1})"), "/command: is missing");
  EXPECT_EQ(read(R"({"comand":"a","command":1})"), "/command: must be a string");
}

TEST(ReaderTest, ALongKeyIsCutInTheMessage) {
  const Json value{{std::string(1000, '/'), 1}};
  Reader reader(value);
  EXPECT_FALSE(reader.finish());
  std::string expected = "/";
  for (int i = 0; i < 128; ++i) expected += "~1";
  EXPECT_EQ(reader.error().path, expected);
}

TEST(ReaderTest, AMistakeMayHaveItsOwnCode) {
  const Json value = Json::object();
  Reader reader(value);
  reader.fail("job", "is not known", Code::unknown);
  EXPECT_EQ(reader.error(), (Error{Code::unknown, "is not known", "/job"}));
}

// --- errors as answers --------------------------------------------------------------------------------------------

TEST(ErrorAnswer, EveryCodeComesBack) {
  for (const auto code : {Code::invalid, Code::unknown, Code::conflict, Code::denied, Code::unavailable}) {
    for (const char* path : {"", "/a~1b/0"}) {
      const Error error{code, "so it is", path};
      EXPECT_EQ(decode_error(encode_error(error)), error) << name(code);
    }
  }
  EXPECT_EQ(dump(encode_error({Code::denied, "no"})), R"({"error":{"code":"denied","reason":"no"},"v":1})");
}

TEST(ErrorAnswer, WhatIsNoneAndWhatIsOddlyOne) {
  for (const char* text : {"{}", "[]", "1", R"({"error":"x"})", R"({"v":1,"jobs":[]})"}) {
    EXPECT_EQ(decode_error(Json::parse(text)), std::nullopt) << text;
  }
  EXPECT_EQ(decode_error(Json::parse(R"({"error":{"code":"new","reason":1,"path":null}})")),
            (Error{Code::invalid, "no reason given"}));
}

}  // namespace
}  // namespace fieldwork::codec
