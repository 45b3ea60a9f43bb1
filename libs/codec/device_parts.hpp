// The parts of a device that its messages and its state share: private to codec.
#pragma once

#include <nlohmann/json.hpp>

#include "codec/json.hpp"
#include "model/device.hpp"

namespace fieldwork::codec {

[[nodiscard]] Json encode(const Resources& resources);
[[nodiscard]] Resources read_resources(Reader& parent, const Json& value);
[[nodiscard]] Json encode(const Link& link);
[[nodiscard]] Link read_link(Reader& parent, const Json& value);

// Absent: none ended.
void write_outcomes(Json& out, const Outcomes& outcomes);
[[nodiscard]] Outcomes read_outcomes(Reader& reader);

// The fields of `about` stand beside others in `out`; without labels.
void write_about(Json& out, const Description& about);
[[nodiscard]] Description read_about(Reader& reader);

// Without its version.
void write_settings(Json& out, const Configuration& configuration);
[[nodiscard]] Configuration read_settings(Reader& reader);
[[nodiscard]] Json encode_configuration(const Configuration& configuration);
[[nodiscard]] Configuration read_configuration(Reader& reader);

[[nodiscard]] std::int64_t read_session(Reader& reader);

}  // namespace fieldwork::codec
