// The kinds of messages about packages and policy; see codec_kinds.hpp.
#pragma once

#include "codec/manifest.hpp"
#include "codec_kinds.hpp"
#include "codec_kinds_devices.hpp"
#include "codec_kinds_stages.hpp"

namespace fieldwork::codec::rules {

// --- packages and transfers ---------------------------------------------------------------------------------------

inline Rule hex(std::size_t digits) {
  const std::string good = some_digest().substr(71 - digits);
  Rule out = text(digits);
  out.good = {good};
  for (const auto& wrong : {std::string(), good.substr(1), "G" + good.substr(1), "A" + good.substr(1)}) {
    out.bad.push_back({wrong, "must be " + std::to_string(digits) + " hex digits"});
  }
  return out;
}

inline Rule transfer_id() { return hex(32); }

inline Rule ranges() {
  Rule out = array(4096);
  out.good = {Json::array(), Json::parse("[[0,1],[5,1125899906842624]]")};
  for (const char* wrong : {"[1]", "[[1]]", "[[1,2,3]]", "[[2,1]]", "[[1,1]]", "[[-1,2]]", "[[0,1.0]]", "[[\"0\",1]]",
                            "[[0,1],[0,1125899906842625]]", "[[0,18446744073709551616]]"}) {
    out.bad.push_back({Json::parse(wrong), "must hold pairs [begin, end] of whole numbers with begin < end"});
  }
  return out;
}

inline Rule some(Rule rule) {
  rule.bad.push_back({Json::array(), "must not be empty"});
  return rule;
}

inline Rule names() { return some(array(100)); }

inline Rule digests() {
  Rule out = some(array(100));
  out.good = {Json(std::vector<std::string>(100, some_digest()))};
  for (const Json& wrong : {Json::array({1}), Json::array({""}), Json::array({some_digest().substr(1)})})
    out.bad.push_back({wrong, "must hold digests"});
  return out;
}

inline Rule not_empty(Rule rule) {
  std::erase(rule.good, Json(""));
  rule.bad.push_back({Json(""), "must not be empty"});
  return rule;
}

inline Fields content_fields() { return {{"/digest", digest()}, {"/size_bytes", whole(0, bytes_2_50)}}; }

inline Fields package_fields() { return both(content_fields(), {{"/name", text(128)}, {"/version", text(128)}}); }

inline Fields strategy_fields() {
  return {{"/strategy", maybe(object())},
          {"/strategy/name", word({"far", "narrow", "near", "unknown"}, "must be far, narrow, near or unknown")},
          {"/strategy/reason", not_empty(text(512))},
          {"/strategy/frame_bytes", whole(1, 1 << 20)}};
}
inline const std::string strategy_example = R"("strategy":{"frame_bytes":4096,"name":"near","reason":"r"})";

// What a package says of itself.
inline const std::string architecture_example = R"("architecture":"aarch64")";
inline const std::string needs_example = R"("needs":{"cpu_millis":1,"memory_bytes":2,"storage_bytes":3})";

inline Fields package_about_fields() {
  Rule architecture = maybe(text(32));
  architecture.good = {"x86_64", letters(32)};
  for (const char* wrong : {"arm 64", "\xc3\xbc", "a/b"})
    architecture.bad.push_back({wrong, "must be a word as uname -m says it"});
  return {{"/architecture", architecture},
          {"/entry", maybe(command())},
          {"/needs", maybe(object())},
          {"/needs/cpu_millis", maybe(whole(1, limits::cpu_millis_max))},
          {"/needs/memory_bytes", maybe(whole(1, bytes_2_50))},
          {"/needs/storage_bytes", maybe(whole(1, bytes_2_50))}};
}

// What a receiver says that it takes.
inline Rule accepted_words(std::size_t count_max) {
  Rule out = array(count_max);
  out.good = {Json(std::vector<std::string>(count_max, "w")), Json::array({letters(71)})};
  for (const Json& wrong :
       {Json::array({1}), Json::array({"a", nullptr}), Json::array({""}), Json::array({letters(72)})}) {
    out.bad.push_back({wrong, "must hold words of at most 71 bytes"});
  }
  return maybe(out);
}

inline Fields accepts_fields() {
  auto decoders = accepted_words(8);
  decoders.good.push_back(Json::array());  // none is not the same as not said
  return {{"/accepts", maybe(object())},
          {"/accepts/bases", accepted_words(32)},
          {"/accepts/ciphers", decoders},
          {"/accepts/decoders", decoders},
          {"/accepts/goodput_bit_per_s", maybe(whole(1, integer_max))},
          {"/accepts/round_trip_ms", maybe(number(0, 1e7))},
          {"/accepts/window_log_max", maybe(whole(10, 31))}};
}

inline Rule encoding(const std::vector<std::string>& good) {
  return word(good, "must be identity, zstd or zstd-patch");
}

inline Rule base() {
  Rule out = digest();
  out.missing = "is there exactly for zstd-patch";
  return out;
}

inline Fields encoded_fields(const std::vector<std::string>& encodings) {
  return both(
      content_fields(),
      {{"/encoded_bytes", whole(1, bytes_2_50)}, {"/encoded_digest", digest()}, {"/encoding", encoding(encodings)}});
}

// Of an envelope, and of the header in it.
inline Fields sealed_fields() {
  return {{"/chunk_bytes", whole(1024, 65'536)},
          {"/content", hex(32)},
          {"/encryption_algorithm", text(64)},
          {"/epoch", whole(1, integer_max)}};
}

inline Fields offer_fields(const std::vector<std::string>& encodings) {
  const auto envelope = both(sealed_fields(), {{"/certificate", maybe(text(16384))},
                                               {"/ephemeral", maybe(text(128))},
                                               {"/header", maybe(text(8192))},
                                               {"/key_encryption_algorithm", text(64)},
                                               {"/wrapped", text(2048)}});
  return versioned(below("/envelope", envelope,
                         both(encoded_fields(encodings), {{"/envelope", object()},
                                                          {"/release", maybe(text(65536))},
                                                          {"/shared", asked()},
                                                          {"/transfer", transfer_id()}})));
}

inline Fields content_header_fields(const std::vector<std::string>& encodings) {
  return both(both(encoded_fields(encodings), sealed_fields()), {{"/root", hex(64)}});
}

inline const std::string envelope_example =
    R"("envelope":{"certificate":"PEM","chunk_bytes":4096,"content":"0123456789abcdef0123456789abcdef",)"
    R"("encryption_algorithm":"C","ephemeral":"E","epoch":2,"header":"H","key_encryption_algorithm":"K","wrapped":"W"})";

inline std::vector<Kind> transfer_kinds() {
  const std::string digest_example = R"("digest":")" + some_digest() + "\"";
  const std::string transfer_example = R"("transfer":"0123456789abcdef0123456789abcdef")";
  const std::string base_example = R"("base":")" + some_digest() + "\"";
  const std::string encoded_digest_example = R"("encoded_digest":")" + some_digest() + "\"";
  const std::string header_begin = R"("chunk_bytes":4096,"content":"0123456789abcdef0123456789abcdef",)" +
                                   digest_example + R"(,"encoded_bytes":9,)" + encoded_digest_example + ",";
  const std::string header_end =
      R"("encryption_algorithm":"C","epoch":2,"root":")" + std::string(64, 'a') + R"(","size_bytes":10})";
  const std::string accepts_example =
      R"("accepts":{"bases":[")" + some_digest() +
      R"("],"ciphers":["c"],"decoders":["d"],"goodput_bit_per_s":9,"round_trip_ms":0.5,"window_log_max":27},)";
  return {
      {"want",
       32768,
       through(decode_want),
       "{" + accepts_example + R"("certificate":"PEM",)" + digest_example + R"(,"priority":7,"receivers":2,)" +
           transfer_example + R"(,"v":1})",
       versioned(both(accepts_fields(), {{"/certificate", text(16384)},
                                         {"/digest", digest()},
                                         {"/priority", priority()},
                                         {"/receivers", many()},
                                         {"/transfer", maybe(transfer_id())}})),
       {"/accepts"}},
      {"offer", 131072, through(decode_offer),
       "{" + digest_example + R"(,"encoded_bytes":9,)" + encoded_digest_example + R"(,"encoding":"zstd",)" +
           envelope_example + R"(,"release":"jws","shared":true,"size_bytes":10,)" + transfer_example + R"(,"v":1})",
       offer_fields({"zstd", "identity"})},
      {"offer of a patch", 131072, through(decode_offer),
       "{" + base_example + "," + digest_example + R"(,"encoded_bytes":9,)" + encoded_digest_example +
           R"(,"encoding":"zstd-patch",)" + envelope_example + R"(,"release":"jws","shared":true,"size_bytes":10,)" +
           transfer_example + R"(,"v":1})",
       both(offer_fields({"zstd-patch"}), {{"/base", base()}})},
      {"content header", 8192, through(decode_content_header),
       "{" + header_begin + R"("encoding":"identity",)" + header_end, content_header_fields({"zstd", "identity"})},
      {"content header of a patch", 8192, through(decode_content_header),
       "{" + base_example + "," + header_begin + R"("encoding":"zstd-patch",)" + header_end,
       both(content_header_fields({"zstd-patch"}), {{"/base", base()}})},
      {"received", 262144, through(decode_received),
       R"({"bad_frames":2,"ranges":[[0,1],[3,9]],"reason":"r","state":"receiving",)" + transfer_example + R"(,"v":1})",
       versioned({{"/bad_frames", maybe(whole(1, integer_max))},
                  {"/ranges", ranges()},
                  {"/reason", maybe(text(1024))},
                  {"/state", word({"receiving", "complete", "failed", "unwanted"},
                                  "must be receiving, complete, failed or unwanted")},
                  {"/transfer", transfer_id()}})},
      {"failed", 262144, through(decode_received),
       R"({"failure":"silent","ranges":[],"reason":"r","state":"failed",)" + transfer_example + R"(,"v":1})",
       versioned(
           {{"/failure", maybe(word({"verification_failed", "unavailable", "denied", "silent", "cancelled", "gone"},
                                    "is not a word for a failure", 32))},
            {"/ranges", ranges()},
            {"/reason", maybe(text(1024))},
            {"/state", word({"failed"}, "must be receiving, complete, failed or unwanted")},
            {"/transfer", transfer_id()}})},
  };
}

inline std::vector<Kind> content_kinds() {
  const std::string digest_example = R"("digest":")" + some_digest() + "\"";
  return {
      {"offer of an output", 8192, through(decode_output_offer),
       "{" + digest_example + R"(,"dropped":"r",)" + key_example + R"(,"size_bytes":10,)" + strategy_example +
           R"(,"v":1})",
       versioned(both(both(both(content_fields(), key_fields()), {{"/dropped", maybe(not_empty(text(1024)))}}),
                      strategy_fields()))},
      {"output stored", 8192, through(decode_output_stored), "{" + digest_example + R"(,"state":"stored","v":1})",
       versioned({{"/digest", digest()}, {"/state", word({"stored"}, "must be stored or refused")}})},
      {"output refused", 8192, through(decode_output_stored),
       "{" + digest_example + R"(,"reason":"r","state":"refused","v":1})",
       versioned({{"/digest", digest()},
                  {"/reason", not_empty(text(1024))},
                  {"/state", word({"refused"}, "must be stored or refused")}})},
      {"upload", 131072, through(decode_upload),
       "{" + digest_example + R"(,"name":"n","release":"jws","size_bytes":10,)" + strategy_example +
           R"(,"v":1,"version":"1"})",
       versioned(both(both(package_fields(), {{"/release", text(65536)}}), strategy_fields()))},
      {"state of a package",
       much,
       through(decode_package),
       "{" + architecture_example + "," + digest_example + R"(,"entry":["./a"],"name":"n",)" +
           R"("names":[{"name":"n","version":"1"}],)" + needs_example +
           R"(,"release":"jws","released_by":"o","size_bytes":10,"v":1,"version":"1"})",
       versioned(both(both(package_fields(), package_about_fields()), {{"/names", names()},
                                                                       {"/names/0", object()},
                                                                       {"/names/0/name", text(128)},
                                                                       {"/names/0/version", text(128)},
                                                                       {"/release", text(65536)},
                                                                       {"/released_by", maybe(text(128))}})),
       {"", "/names/0", "/needs"}},
      {"uses asked", much, through(decode_uses_question),
       R"({"digests":[")" + some_digest() + R"("],"question":7,"v":1})",
       versioned({{"/digests", digests()}, {"/question", whole(1, integer_max)}})},
      {"uses said", much, through(decode_uses_answer),
       R"({"items":[{)" + digest_example + R"(,"users":["job j"]}],"question":7,"v":1})",
       versioned({{"/items", some(array(100))},
                  {"/items/0", object()},
                  {"/items/0/digest", digest()},
                  {"/items/0/users", texts(5, 192)},
                  {"/question", whole(1, integer_max)}})},
      {"release", 65536, through(decode_release),
       "{" + architecture_example + "," + digest_example + R"(,"entry":["./a"],"name":"n",)" + needs_example +
           R"(,"released_ms":9,"size_bytes":10,"version":"1"})",
       both(both(package_fields(), package_about_fields()), {{"/released_ms", whole(0, integer_max)}})},
      {"manifest", limits::manifest_bytes_max, through(decode_manifest),
       "{" + architecture_example + R"(,"entry":["./a"],"files":[],)" + needs_example + R"(,"v":1})",
       versioned(both(package_about_fields(), {{"/files", array(limits::manifest_files_max)}}))},
  };
}

// --- policy -------------------------------------------------------------------------------------------------------

inline std::vector<Kind> policy_kinds() {
  const Rule reason = text(1024);
  return {
      {"questions", much, items_through(decode_questions),
       one_item(R"({"command":["./a"],)" + contract_example + R"(,"device":"edge-1","env":{"K":"V"},)" + key_example +
                "," + limits_example + R"(,"outputs":["r"],"package":")" + some_digest() +
                R"(","submitter":"ann","traceparent":")" + some_trace() + R"("})"),
       listed(both(both(both(key_fields(), limits_fields()), contract_fields()), {{"/command", command()},
                                                                                  {"/env", environment()},
                                                                                  {"/outputs", outputs()},
                                                                                  {"/device", maybe(id())},
                                                                                  {"/package", maybe(digest())},
                                                                                  {"/submitter", id()},
                                                                                  {"/traceparent", traceparent()}}))},
      {"decisions", much, items_through(decode_decisions),
       one_item(R"({"about":"device","decision":"deny","device":"edge-1",)" +
                key_example.substr(0, key_example.find(",\"job")) +
                R"(,"grant":"jws","job":"j-1","reason":"r","traceparent":")" + some_trace() + R"("})"),
       listed(both(key_fields(), {{"/about", maybe(word({"job", "device"}, "must be job or device", 8))},
                                  {"/decision", word({"deny"}, "must be allow or deny")},
                                  {"/device", maybe(id())},
                                  {"/grant", maybe(text(65536))},
                                  {"/reason", reason},
                                  {"/traceparent", traceparent()}}))},
      {"wishes", much, items_through(decode_permit_questions),
       one_item(R"({"action":"stage","device":"edge-1","file":"a/b","package":")" + some_digest() +
                R"(","principal":"ann","question":7})"),
       listed({{"/action", word({"stage"}, "must be stage")},
               {"/device", id()},
               {"/file", place()},
               {"/package", digest()},
               {"/principal", id()},
               {"/question", whole(1, integer_max)}})},
      {"permits", much, items_through(decode_permits),
       one_item(R"({"decision":"allow","device":"edge-1","question":7,"reason":"r"})"),
       listed({{"/decision", word({"allow", "deny"}, "must be allow or deny")},
               {"/device", id()},
               {"/question", whole(1, integer_max)},
               {"/reason", reason}})},
      {"certificates to check", much, items_through(decode_certificate_checks),
       one_item(R"({"certificate":"PEM","device":"edge-1"})"),
       listed({{"/certificate", text(16384)}, {"/device", id()}})},
      {"certificates checked", much, items_through(decode_certificate_answers),
       one_item(R"({"device":"edge-1","fingerprint":"ab","reason":"r","state":"revoked"})"),
       listed({{"/device", id()},
               {"/fingerprint", text(64)},
               {"/reason", reason},
               {"/state", word({"valid", "revoked", "invalid"}, "must be valid, revoked or invalid")}})},
      {"end of the audit",
       much,
       through(decode_audit_end),
       R"({"at_ms":9,"broken":{"at_ms":8,"reason":"r","sequence":7},"checkpoint":"jws","hash":")" +
           std::string(64, 'a') + R"(","sequence":12,"v":1})",
       versioned({{"/at_ms", whole(0, integer_max)},
                  {"/broken", maybe(object())},
                  {"/broken/at_ms", whole(0, integer_max)},
                  {"/broken/reason", reason},
                  {"/broken/sequence", whole(1, integer_max)},
                  {"/checkpoint", text(65536)},
                  {"/hash", hex(64)},
                  {"/sequence", whole(0, integer_max)}}),
       {"", "/broken"}},
  };
}

inline std::vector<Kind> all_kinds() {
  std::vector<Kind> out = device_kinds();
  for (const auto& more : {job_kinds(), transfer_kinds(), content_kinds(), stage_kinds(), policy_kinds()})
    out.insert(out.end(), more.begin(), more.end());
  return out;
}

}  // namespace fieldwork::codec::rules
