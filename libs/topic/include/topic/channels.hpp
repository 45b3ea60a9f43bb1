// The channels: every topic that there is, who publishes it and who hears it. The table of docs/topics.md and the
// broker's access lists are made from these (tests/unit/libs/topic/channels_test.cpp).
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

namespace fieldwork {

struct Channel {
  // fact       the newest counts; an older one may be lost
  // effect     repeated until it is answered; the answerer tolerates repeats
  // question   wants an answer; the asker repeats it
  // answer     once, to the asker
  // piece      a part of a transfer, which goes on from what was acknowledged
  // event      once, when something happened
  // ephemera   once, if there is room
  enum class Class { fact, effect, question, answer, piece, event, ephemera };

  // The topic below the root. {device}, {from}, {client} are names from certificates: a device, a sender and a client
  // each may use only its own.
  std::string_view topic;
  Class kind = Class::fact;
  int qos = 1;
  bool retained = false;
  // Names of services, "device", "operator", separated by spaces. {from} in the topic is the name of one of those in
  // `from`.
  std::string_view from;
  std::string_view to;
};

[[nodiscard]] std::span<const Channel> channels();
// The names of all services; also of their schema, client id and certificate. scripts/lib/services has the same list.
inline constexpr std::array<std::string_view, 5> service_names{"registry", "scheduler", "transfer", "security-policy",
                                                               "alerting"};
[[nodiscard]] std::string_view name(Channel::Class kind);

// The table of docs/topics.md.
[[nodiscard]] std::string channels_table();
// The access list of one of the broker's doors (listeners): devices, services, operators, dashboards. @ROOT@ stands for
// the root. The text of deploy/mosquitto/{door}.acl.in.
[[nodiscard]] std::string door_rights(std::string_view door);

}  // namespace fieldwork
