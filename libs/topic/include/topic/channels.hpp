// The channels: every topic that there is, who says it and who hears it. docs/topics.md's table and the broker's lists
// of rights are made from this (tests/unit/libs/topic/channels_test.cpp).
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

namespace fieldwork {

struct Channel {
  // fact       the newest counts; an older one may be lost
  // effect     repeated until it is answered; who answers tolerates repeats
  // question   wants an answer; who asks repeats
  // answer     once, to who asked
  // piece      of a transfer, which goes on from what was acknowledged
  // event      once, when it happened
  // ephemera   once, if there is room
  enum class Class { fact, effect, question, answer, piece, event, ephemera };

  // Below the root. {device}, {from}, {client} are names from certificates: who says it may put only its own there.
  std::string_view topic;
  Class kind = Class::fact;
  int qos = 1;
  bool retained = false;
  // Names of services, "device", "operator", separated by spaces. {from} in the topic is one of the sayers.
  std::string_view from;
  std::string_view to;
};

[[nodiscard]] std::span<const Channel> channels();
// The names of all services: their schema, client id and certificate too. scripts/lib/services has the same list.
inline constexpr std::array<std::string_view, 5> service_names{"registry", "scheduler", "transfer", "security-policy",
                                                               "alerting"};
[[nodiscard]] std::string_view name(Channel::Class kind);

// The table of docs/topics.md.
[[nodiscard]] std::string channels_table();
// The list of rights of one of the broker's doors, with @ROOT@ for the root: devices, services, operators, dashboards.
// deploy/mosquitto/{door}.acl.in.
[[nodiscard]] std::string door_rights(std::string_view door);

}  // namespace fieldwork
