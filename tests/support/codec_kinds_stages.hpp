// The kinds of messages about stages; see codec_kinds.hpp.
#pragma once

#include "codec_kinds.hpp"

namespace fieldwork::codec::rules {

// Below another directory: no level is "." either.
inline Rule place() {
  constexpr const char* reason = "must be a relative path without . and ..";
  Rule out = text(256);
  out.good = {"a", "a/b", "...", "..a", "a..", "a/..b", ".a", "\\..\\a"};
  for (const char* wrong :
       {"", ".", "./a", "a/.", "a/./b", "..", "../a", "a/..", "a/../b", "/", "/etc/x", "a//b", "a/"})
    out.bad.push_back({wrong, reason});
  out.missing.clear();
  return out;
}

inline std::vector<Kind> stage_kinds() {
  const std::string command_begin = R"({"digest":")" + some_digest() + R"(","file":"a/b",)";
  Rule said_items = array(128);
  Rule devices = texts(500, 128);
  devices.good = {Json(std::vector<std::string>(500, "d")), Json::array({letters(128)})};
  devices.missing = "must not be empty";
  devices.bad.push_back({Json::array(), devices.missing});
  for (const char* wrong : {"", "a/b", "+"})
    devices.bad.push_back({Json::array({"a", wrong}), "must hold ids of devices"});
  const Fields command{{"/digest", digest()}, {"/file", place()}, {"/until_ms", whole(0, integer_max)}};
  const Fields asked{{"/devices", devices}, {"/digest", digest()}};
  return {
      {"commands of stages", much, items_through(decode_stage_commands),
       one_item(command_begin + R"("priority":7,"receivers":2,"until_ms":9})"),
       listed(both(command, {{"/priority", priority()}, {"/receivers", many()}}))},
      {"stages of a device", much, through(decode_stage_report),
       R"({"all":true,"items":[)" + command_begin + R"("reason":"r","state":"refused","until_ms":9}],"v":1})",
       versioned(below("/items/0",
                       both(command, {{"/reason", maybe(text(1024))},
                                      {"/state", word({"taken", "ready", "refused", "dropped"},
                                                      "must be taken, ready, refused or dropped")}}),
                       {{"/all", codec::rules::asked()}, {"/items", said_items}, {"/items/0", object()}}))},
      {"request for stages", much, through(decode_stage_request),
       R"({"devices":["d"],"digest":")" + some_digest() + R"(","file":"a/b","priority":7,"until_ms":9,"v":1})",
       versioned(
           both(asked, {{"/file", place()}, {"/priority", priority()}, {"/until_ms", maybe(whole(1, integer_max))}}))},
      {"request to end stages", much, through(decode_unstage_request),
       R"({"devices":["d"],"digest":")" + some_digest() + R"(","v":1})", versioned(asked)},
  };
}

}  // namespace fieldwork::codec::rules
