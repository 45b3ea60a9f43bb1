// The kinds of messages about devices; see codec_kinds.hpp.
#pragma once

#include <type_traits>

#include "codec_kinds.hpp"
#include "model/items.hpp"

namespace fieldwork::codec::rules {

inline Fields resources_fields() {
  return {{"/resources", object()},
          {"/resources/battery_percent", maybe(number(0, 100))},
          {"/resources/cpu_load", number(0, 1e6)},
          {"/resources/cpu_percent", maybe(number(0, 100))},
          {"/resources/memory_available_bytes", whole(0, bytes_2_50)},
          {"/resources/received_bit_per_s", maybe(whole(0, integer_max))},
          {"/resources/sent_bit_per_s", maybe(whole(0, integer_max))},
          {"/resources/storage_available_bytes", whole(0, bytes_2_50)},
          {"/resources/temperature_c", maybe(number(-273.15, 10'000))},
          {"/resources/uptime_s", whole(0, integer_max)},
          {"/link", object()},
          {"/link/clock_offset_ms", maybe(whole(-integer_max, integer_max))},
          {"/link/goodput_bit_per_s", maybe(whole(0, integer_max))},
          {"/link/loss", maybe(number(0, 1))},
          {"/link/reconnects", whole(0, integer_max)},
          {"/link/round_trip_ms", maybe(number(0, 1e9))}};
}

inline const std::string resources_example =
    R"("link":{"clock_offset_ms":-5,"goodput_bit_per_s":8,"loss":0.5,"reconnects":2,"round_trip_ms":1.5},)"
    R"("resources":{"battery_percent":80.5,"cpu_load":0.25,"cpu_percent":12.5,"memory_available_bytes":4,)"
    R"("received_bit_per_s":6,"sent_bit_per_s":7,"storage_available_bytes":3,"temperature_c":-4.5,"uptime_s":5})";

// A list of names. As a set it is written sorted, each name once.
inline Rule names_of_it() {
  std::vector<std::string> most;
  for (char first = 'a'; first < 'a' + 8; ++first) {
    for (char second = 'a'; second < 'a' + 8; ++second) most.push_back({first, second});
  }
  Rule out = maybe(texts(64, 64));
  out.good = {Json(most), Json::array({letters(64)})};
  for (const Json& wrong : {Json::array({""}), Json::array({"a", ""})})
    out.bad.push_back({wrong, "must hold no empty names"});
  return out;
}

// What a device says of itself.
inline Fields about_fields() {
  return {{"/agent", text(64)},
          {"/architecture", maybe(text(32))},
          {"/capabilities", names_of_it()},
          {"/capacity", object()},
          {"/capacity/cpu_millis", whole(1, 1'024'000)},
          {"/capacity/memory_bytes", whole(1, bytes_2_50)},
          {"/capacity/storage_bytes", whole(0, bytes_2_50)},
          {"/cores", whole_or_none(1024)},
          {"/os", maybe(text(64))},
          {"/sandbox", names_of_it()},
          {"/site", maybe(text(128))},
          {"/uplink", maybe(object())},
          {"/uplink/bit_per_s", whole_or_none(integer_max)},
          {"/uplink/metered", maybe(flag())}};
}

inline const std::string about_example =
    R"("agent":"0.1.0","architecture":"x86_64","capabilities":["camera","gpu"],)"
    R"("capacity":{"cpu_millis":4000,"memory_bytes":1,"storage_bytes":0},"cores":4,"os":"debian 12",)"
    R"("sandbox":["user","files"],"site":"berlin","uplink":{"bit_per_s":1000,"metered":true})";

inline Fields settings_fields() {
  return {{"/attempts_max", maybe(whole(0, 512))},
          {"/cache_bytes", maybe(whole(0, bytes_2_50))},
          {"/heartbeat_s", maybe(whole(1, 86'400))},
          {"/labels", map(32, 256)},
          {"/log_level", maybe(word({"debug", "info", "warn", "error"}, "must be debug, info, warn or error", 8))},
          {"/sample_s", maybe(whole(1, 86'400))}};
}

inline const std::string settings_example =
    R"("attempts_max":4,"cache_bytes":5,"heartbeat_s":30,"labels":{"tier":"gold"},"log_level":"info","sample_s":10)";

inline Fields configuration_fields() {
  return both(settings_fields(),
              {{"/lifecycle", word({"active", "draining", "inactive"}, "must be active, draining or inactive")},
               {"/version", whole(0, integer_max)}});
}

inline const std::string configuration_example =
    in_order("{" + settings_example + R"(,"lifecycle":"draining","version":7})");

inline Rule unset() {
  Rule out = maybe(array(64));
  out.good = {Json(std::vector<std::string>(64, "labels/tier")), Json::array({"labels/" + letters(129)}),
              Json::array({"attempts_max", "cache_bytes", "heartbeat_s", "log_level", "sample_s"})};
  for (const Json& wrong : {Json::array({1}), Json::array({"sample_s", nullptr}), Json::array({letters(137)})})
    out.bad.push_back({wrong, "must hold strings of at most 136 bytes"});
  for (const auto& wrong : {std::string(), std::string("labels"), std::string("labels/"), std::string("lifecycle")})
    out.bad.push_back({Json::array({"sample_s", wrong}), "there is no setting " + wrong});
  out.bad.push_back({Json::array({letters(136)}), "there is no setting " + letters(64)});
  return out;
}

inline Result<std::string> heartbeat_again(std::string_view text) {
  const auto value = decode_heartbeat(text);
  if (!value) return value.error();
  if (!value->bad_attempts.empty()) return value->bad_attempts.front();
  return encode(*value);
}

inline Result<std::string> configuration_again(std::string_view text) {
  const auto value = decode_configuration_text(text);
  if (!value) return value.error();
  return configuration_text(*value);
}

inline Result<std::string> configurations_again(std::string_view text) {
  const auto value = decode_configuration(text);
  if (!value) return value.error();
  return dump({{"v", 1}, {"items", Json::array({Json::parse(configuration_text(*value))})}});
}

// Nobody but the command line writes it, and that word by word.
inline Result<std::string> configure_request_again(std::string_view text) {
  const auto value = decode_configure_request(text);
  if (!value) return value.error();
  Json out{{"v", 1}, {"device", value->device.value}, {"set", Json::parse(configuration_text(value->set))}};
  out["set"].erase("version");
  out["set"].erase("lifecycle");
  if (!value->unset.empty()) out["unset"] = value->unset;
  return dump(out);
}

inline Kind state_kind() {
  auto fields = both(both(about_fields(), resources_fields()), below("/configuration", configuration_fields()));
  fields.at("/resources") = fields.at("/link") = maybe(object());
  const auto one_of = [](const std::vector<std::string_view>& names, const char* reason) {
    return word({names.begin(), names.end()}, reason);
  };
  return {"state of a device",
          much,
          through(decode_device),
          in_order("{" + about_example + "," + resources_example + R"(,"configuration":)" + configuration_example +
                   R"(,"attempts":2,"back_ms":8,"changed_ms":9,"claimed_ms":7,"configured":6,"device":"edge-1",)" +
                   R"("duplicated_since_ms":9,"fingerprint":"ab","groups":["canary"],"health":0.5,"labels":{},)" +
                   R"("lifecycle":"active","presence":"online","reason":"","registered_ms":5,"session":0,"v":1})"),
          versioned(both(fields, {{"/attempts", maybe(whole(0, 512))},
                                  {"/back_ms", whole_or_none(integer_max)},
                                  {"/changed_ms", whole(0, integer_max)},
                                  {"/claimed_ms", whole_or_none(integer_max)},
                                  {"/configuration", object()},
                                  {"/configured", whole(0, integer_max)},
                                  {"/device", id()},
                                  {"/duplicated_since_ms", whole_or_none(integer_max)},
                                  {"/fingerprint", text(64)},
                                  {"/groups", maybe(texts(64, 64))},
                                  {"/health", number(0, 1)},
                                  {"/labels", map(64, 256)},
                                  {"/lifecycle", one_of(lifecycle_names(), "is not a lifecycle of devices")},
                                  {"/presence", one_of(presence_names(), "is not a presence of devices")},
                                  {"/reason", maybe(text(1024))},
                                  {"/registered_ms", whole(0, integer_max)},
                                  {"/session", whole(0, integer_max)}})),
          {"", "/capacity", "/configuration", "/link", "/resources", "/uplink"}};
}

// For lists that are encoded as a whole.
template <class T>
auto list_through(Result<Items<T, AttemptKey>> (*decode)(std::string_view)) {
  return [decode](std::string_view text) -> Result<std::string> {
    const auto value = decode(text);
    if (!value) return value.error();
    if (!value->bad.empty()) return value->bad.front().error;
    if constexpr (std::is_same_v<T, HeardItem>) {
      std::vector<std::string> items;
      for (const auto& item : value->good) items.push_back(dump(encode(item)));
      return dump(Json::parse(pack_items(items).at(0)));
    } else {
      return encode(value->good);
    }
  };
}

inline Fields message_fields(Fields more = {}) {
  Rule lines = texts(64, 1024);
  lines.good.push_back(Json::array({"ü \" \\ \t\x7f"}));
  lines.missing = "must hold a line";
  lines.bad.push_back({Json::array(), lines.missing});
  for (const char* wrong : {"", "a\nb", "a\r", "\x01", "\x1b[0m"})
    lines.bad.push_back({Json::array({"a", wrong}), "must be text on one line, and not empty", "/1"});
  auto out = listed(both(both(key_fields(), std::move(more)), {{"/lines", lines}}));
  out.at("/items").bad.push_back({Json(std::vector<int>(65)), "has more than 64 entries"});
  return out;
}

inline std::vector<Kind> message_kinds() {
  return {
      {"lines sent", much, list_through(decode_sent), one_item("{" + key_example + R"(,"lines":["l"]})"),
       message_fields()},
      {"lines heard", much, list_through(decode_heard),
       one_item(in_order("{" + key_example + R"(,"from":2,"lines":["l"]})")),
       message_fields({{"/from", whole(0, 9999)}})},
  };
}

inline std::vector<Kind> said_by_devices_kinds() {
  const Rule session = whole(1, integer_max);
  const auto said = [&](const std::vector<std::string>& states) -> Fields {
    return {{"/boot", whole_or_none(integer_max)},
            {"/session", session},
            {"/state", word(states, "must be online, offline, goodbye or sleeping")}};
  };
  return {
      {"presence", 4096, through(decode_presence), R"({"boot":9,"session":7,"state":"online","v":1})",
       versioned(said({"online", "offline", "goodbye"}))},
      {"sleep", 4096, through(decode_presence), R"({"boot":9,"session":7,"sleep_s":60,"state":"sleeping","v":1})",
       versioned(both(said({"sleeping"}), {{"/sleep_s", whole(1, 31'536'000)}}))},
      {"enrolment", 65536, through(decode_enrolment),
       in_order("{" + about_example +
                R"(,"boot_id":"b","certificate":"PEM","configured":6,"labels":{"zone":"a"},"session":7,"v":1})"),
       versioned(both(about_fields(), {{"/boot_id", maybe(text(64))},
                                       {"/certificate", text(16384)},
                                       {"/configured", whole_or_none(integer_max)},
                                       {"/labels", map(32, 256)},
                                       {"/session", session}}))},
      {"heartbeat", 262144, heartbeat_again,
       R"({"attempts":[{)" + key_example + R"(}],"beat":4,"echo":true,"ended":[],)" + resources_example +
           R"(,"session":7,"v":1})",
       versioned(below("/attempts/0", key_fields(),
                       both(resources_fields(), {{"/attempts", array(512)},
                                                 {"/attempts/0", object()},
                                                 {"/ended", maybe(array(128))},
                                                 {"/echo", asked()},
                                                 {"/beat", maybe(whole(0, integer_max))},
                                                 {"/session", session}})))},
      {"configured", 8192, through(decode_configured), R"({"reason":"r","v":1,"version":7})",
       versioned({{"/reason", maybe(text(1024))}, {"/version", whole(0, integer_max)}})},
      {"progress", much, list_through(decode_progress), one_item("{" + key_example + "," + progress_example + "}"),
       listed(both(both(key_fields(), progress_fields()), {{"/progress", object()}}))},
      {"log line", 65536, through(decode_log),
       R"({"begin":true,"dropped":1,)" + key_example + R"(,"stream":"stdout","text":"t","traceparent":")" +
           some_trace() + R"(","v":1})",
       versioned(both(key_fields(), {{"/begin", asked()},
                                     {"/dropped", whole(0, integer_max)},
                                     {"/stream", word({"stdout", "stderr"}, "must be stdout or stderr", 8)},
                                     {"/text", text(32768)},
                                     {"/traceparent", traceparent()}}))},
  };
}

inline std::vector<Kind> device_kinds() {
  std::vector<Kind> out = said_by_devices_kinds();
  for (auto& kind : message_kinds()) out.push_back(std::move(kind));
  out.push_back({"echo", 4096, through(decode_echo), R"({"beat":4,"held_us":180,"session":7,"v":1})",
                 versioned({{"/beat", whole(0, integer_max)},
                            {"/held_us", whole(0, integer_max)},
                            {"/session", whole(1, integer_max)}})});
  out.push_back(
      {"enrolled", 4096, through(decode_enrolled),
       R"({"heartbeat_s":5,"now_ms":9,"reason":"r","session":7,"state":"enrolled","v":1})",
       versioned({{"/heartbeat_s", whole(1, 3600)},
                  {"/now_ms", whole_or_none(integer_max)},
                  {"/reason", maybe(text(1024))},
                  {"/session", whole(1, integer_max)},
                  {"/state", word({"enrolled", "refused", "unknown"}, "must be enrolled, refused or unknown")}})});
  out.push_back({"configuration", limits::items_bytes_max, configurations_again, one_item(configuration_example),
                 listed(configuration_fields())});
  out.push_back({"kept configuration", limits::items_bytes_max, configuration_again, configuration_example,
                 configuration_fields()});
  out.push_back({"configure request", 65536, configure_request_again,
                 R"({"device":"edge-1","set":{)" + settings_example + R"(},"unset":["sample_s","labels/zone"],"v":1})",
                 versioned(below("/set", settings_fields(),
                                 {{"/device", id()}, {"/set", maybe(object())}, {"/unset", unset()}}))});
  out.push_back(state_kind());
  out.push_back({"rejected", 8192, through(decode_rejected), R"({"channel":"report","path":"/a","reason":"r","v":1})",
                 versioned({{"/channel", text(32)}, {"/path", maybe(text(1024))}, {"/reason", text(1024)}})});
  return out;
}

}  // namespace fieldwork::codec::rules
