// The transfer service's core alone, a batch at a time.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

#include "../support/pki.hpp"
#include "crypto/digest.hpp"
#include "transfer/core/transfers.hpp"

namespace fieldwork::transfer {

using namespace support;

inline const Asker d1{.party = {Party::Kind::device, "d1"}, .channel = "want"};
inline const Asker d2{.party = {Party::Kind::device, "d2"}, .channel = "want"};
inline const Asker alice{.party = {Party::Kind::client, "alice"}, .client = "cli-1", .answer = "a"};

inline TransferId made_id(int number) {
  auto text = std::to_string(number);
  return TransferId(std::string(32 - text.size(), '0') + text);
}

// What follows from a step, as one flat list. It holds only the id of what is saved or published.
struct SaveSending {
  TransferId id;
};
struct DropSending {
  TransferId id;
};
struct PublishSending {
  TransferId id;
};
struct ClearSending {
  TransferId id;
};
struct SayEnded {
  TransferId id;
};
struct PublishReceiving {
  TransferId id;
};
struct SayReceivingEnded {
  TransferId id;
};
struct SaveReceiving {
  TransferId id;
};
struct DropReceiving {
  TransferId id;
};
struct SaveContent {
  std::string digest;
};
struct DropContent {
  std::string digest;
};
struct SaveName {
  PackageName name;
};
struct PublishPackage {
  std::string digest;
};
struct ClearPackage {
  std::string digest;
};
struct SaveEncoding {
  std::string id;
};
struct DropEncoding {
  std::string id;
};
using Effect =
    std::variant<MakeEncoding, RemoveEncoding, MakeOffer, OpenSending, AskedAgain, PaceSending, LinkSending,
                 CloseSending, OpenReceiving, FinishReceiving, CloseReceiving, RemoveContent, SendOffer,
                 AnswerControlled, AnswerCancelled, AnswerStaged, SayNotOffered, Reject, AnswerRemoved, AnswerUpload,
                 AnswerStored, RefuseOutput, AnswerDropped, AskOutput, AnswerFinishing, AckHeld, AckEnded, SaveSending,
                 DropSending, PublishSending, PublishReceiving, ClearSending, SayEnded, SayReceivingEnded,
                 SaveReceiving, DropReceiving, SaveContent, DropContent, SaveName, PublishPackage, ClearPackage,
                 AskUses, RemovedPackage, SaveEncoding, DropEncoding>;
using Effects = std::vector<Effect>;

inline Effects flat(const Output& done) {
  Effects out;
  const auto add = [&](const auto& one) { out.emplace_back(one); };
  for (const auto& work : done.work) {
    // RemoveContent is left out: a content's files go with its row.
    if (!std::holds_alternative<RemoveContent>(work)) std::visit(add, work);
  }
  for (const auto& answer : done.answers) std::visit(add, answer);
  for (const auto& one : done.sendings) add(SaveSending{one.id});
  for (const auto& id : done.dropped_sendings) add(DropSending{id});
  for (const auto& one : done.sending_states) add(PublishSending{one.id});
  for (const auto& one : done.receiving_states) add(PublishReceiving{one.id});
  for (const auto& id : done.cleared_states) add(ClearSending{id});
  for (const auto& one : done.ended) add(SayEnded{one.id});
  for (const auto& one : done.ended_receivings) add(SayReceivingEnded{one.id});
  for (const auto& one : done.receivings) add(SaveReceiving{one.id});
  for (const auto& id : done.dropped_receivings) add(DropReceiving{id});
  for (const auto& one : done.contents) add(SaveContent{one.package.digest});
  for (const auto& digest : done.dropped_contents) add(DropContent{digest});
  for (const auto& one : done.names) add(SaveName{one.of});
  for (const auto& one : done.packages) add(PublishPackage{one.digest});
  for (const auto& digest : done.cleared_packages) add(ClearPackage{digest});
  for (const auto& one : done.uses) add(one);
  for (const auto& one : done.removed_packages) add(one);
  for (const auto& one : done.encodings) add(SaveEncoding{one.id});
  for (const auto& id : done.dropped_encodings) add(DropEncoding{id});
  return out;
}

// The tables, as the outputs of batches leave them.
struct Rows {
  std::map<std::string, Content> contents;
  std::map<std::pair<PackageName, std::string>, Name> names;  // and the architecture
  std::map<std::string, SealedEncoding> encodings;
  std::map<TransferId, Sending> sendings;
  std::map<TransferId, Receiving> receivings;
  std::map<std::string, Stage> stages;

  void keep(const Output& done) {
    for (const auto& id : done.stages.dropped) stages.erase(id);
    for (const auto& one : done.stages.saved) stages[one.id] = one;
    for (const auto& one : done.contents) contents[one.package.digest] = one;
    for (const auto& digest : done.dropped_contents) contents.erase(digest);
    for (const auto& one : done.names) names[{one.of, one.about.architecture}] = one;
    for (const auto& one : done.dropped_names) names.erase({one.of, one.about.architecture});
    for (const auto& one : done.encodings) encodings[one.id] = one;
    for (const auto& id : done.dropped_encodings) encodings.erase(id);
    for (const auto& one : done.sendings) sendings[one.id] = one;
    for (const auto& id : done.dropped_sendings) sendings.erase(id);
    for (const auto& one : done.receivings) receivings[one.id] = one;
    for (const auto& id : done.dropped_receivings) receivings.erase(id);
  }
  // As they are read: a row of `content` has no names, and times are in milliseconds.
  [[nodiscard]] Saved saved() const {
    Saved out;
    for (auto [digest, one] : contents) {
      one.package = {.digest = digest, .size_bytes = one.package.size_bytes};
      out.contents.push_back(std::move(one));
    }
    for (const auto& [variant, one] : names) out.names.push_back(one);
    for (auto [id, one] : encodings) {
      for (Time* time : {&one.made, &one.used}) *time = from_ms(to_ms(*time));
      out.encodings.push_back(std::move(one));
    }
    for (auto [id, one] : sendings) {
      one.link = {};
      one.receivers = 1;
      one.throttled_bit_per_s = 0;
      for (Time* time : {&one.started, &one.heard, &one.changed}) *time = from_ms(to_ms(*time));
      out.sendings.push_back(std::move(one));
    }
    for (auto [id, one] : receivings) {
      one.phase = Phase::offered;
      one.bit_per_s = 0;
      one.strategy.reset();
      for (Time* time : {&one.heard, &one.started, &one.changed}) *time = from_ms(to_ms(*time));
      out.receivings.push_back(std::move(one));
    }
    for (auto [id, one] : stages) {
      for (Time* time : {&one.asked, &one.changed}) *time = from_ms(to_ms(*time));
      one.heard = Time{};
      out.stages.push_back(std::move(one));
    }
    return out;
  }
};

inline SealedEncoding sealed_as(const MakeEncoding& work, const std::string& id, Time now) {
  const auto bytes = work.making.encoding.kind == content::EncodingKind::identity ? work.size_bytes : 100;
  return {.id = id,
          .digest = work.making.digest,
          .encoded = {.encoding = work.making.encoding, .bytes = bytes, .digest = "sha256:encoded", .window_log = 21},
          .cipher = work.making.cipher,
          .epoch = work.epoch,
          .key = "key of " + id,
          .header = "jws",
          .made = now,
          .used = now};
}
inline Offer offer_for(const MakeOffer& work) {
  return {.transfer = work.id,
          .digest = work.content.package.digest,
          .encoded_bytes = 100,
          .envelope = {.content = work.encoding.id}};
}

// The core, for which the service's part is done at once: encodings and offers are made, and devices are ready.
struct Core {
  Limits limits;
  std::optional<Transfers> core;
  Rows rows;
  Time now = wall();
  int next_id = 1;
  int next_encoding = 1;
  bool makes = true;                      // MakeEncoding has its outcome at once
  StageChanges staged;                    // of all steps, until a test takes them
  bool permits = true;                    // security-policy allows everything at once
  std::vector<PermitQuestion> questions;  // of all steps, until a test takes them

  explicit Core(Limits with = {}, Saved saved = {}) : limits(with) {
    Output stored;
    stored.contents = saved.contents;
    stored.names = saved.names;
    stored.encodings = saved.encodings;
    stored.sendings = saved.sendings;
    stored.receivings = saved.receivings;
    rows.keep(stored);
    core.emplace(limits, std::move(saved), now);
    stand_ready();
  }
  // The service was killed and begins again with its rows. The registry's retained states are heard at once.
  void restart() {
    core.emplace(limits, rows.saved(), now);
    stand_ready();
  }
  void stand_ready() {
    for (const char* device : {"d1", "d2"}) stands(device, Lifecycle::active);
  }
  // A batch of this one input.
  Effects step(const Input& input) {
    Output done;
    core->step(input, now, done);
    core->step(BatchEnded{}, now, done);
    rows.keep(done);
    const auto keep = [](auto& all, const auto& more) { all.insert(all.end(), more.begin(), more.end()); };
    keep(staged.commands, done.stages.commands);
    keep(staged.said, done.stages.said);
    keep(staged.cleared, done.stages.cleared);
    auto effects = flat(done);
    const auto then = [&](const Input& outcome) {
      for (auto& more : step(outcome)) effects.push_back(std::move(more));
    };
    keep(questions, done.permits);
    if (permits && !done.permits.empty()) {
      PermitsAnswered all;
      for (const auto& one : done.permits) all.permits.push_back({one.question, one.device, true, "allowed"});
      then(all);
    }
    for (const auto& effect : Effects(effects)) {
      const auto* make = std::get_if<MakeEncoding>(&effect);
      if (make != nullptr && makes) then(EncodingMade{made(*make)});
      if (const auto* begin = std::get_if<MakeOffer>(&effect))
        then(OfferMade{begin->id, offer_for(*begin), begin->asker});
    }
    return effects;
  }
  // What comes of the work, under the next content id: e1, e2, …
  SealedEncoding made(const MakeEncoding& work) { return sealed_as(work, "e" + std::to_string(next_encoding++), now); }
  Effects stands(const std::string& device, Lifecycle state, const std::string& fingerprint = "") {
    return step(DeviceHeard{device, Standing{state, "why", fingerprint}});
  }
  Effects want(const Asker& from, const std::string& digest, const Accepts& accepts = {}) {
    return step(Wanted{from, digest, pki().certificate("d1"), made_id(next_id++), accepts});
  }
  Effects want(const std::string& device, const std::string& digest, const Accepts& accepts = {}) {
    return want(Asker{.party = {Party::Kind::device, device}, .channel = "want"}, digest, accepts);
  }
  Effects want_with(const std::string& device, const std::string& digest, std::int64_t receivers) {
    stands(device, Lifecycle::active);
    return step(Wanted{Asker{.party = {Party::Kind::device, device}, .channel = "want"}, digest,
                       pki().certificate("d1"), made_id(next_id++), Accepts{}, 5, receivers});
  }
  Effects control(Controlled::Verb verb, const TransferId& id) {
    return step(Controlled{{.party = {Party::Kind::client, "alice"}, .client = "cli-a", .answer = "r"}, id, verb});
  }
  Effects announce(const Asker& from, const Package& package) {
    return step(PackageAnnounced{from, package, made_id(next_id++)});
  }
};

inline const std::string digest_a = crypto::digest_of("a");
inline const std::string digest_b = crypto::digest_of("b");

inline Content content_of(const std::string& digest, ContentKind kind = ContentKind::package) {
  return {.kind = kind, .package = {.digest = digest, .size_bytes = 1}, .encoded_bytes = 100, .stored = wall()};
}

// Packages n@1, n@2, …
inline Saved packages_of(const std::vector<std::string>& digests) {
  Saved saved;
  for (const auto& digest : digests) {
    saved.contents.push_back(content_of(digest));
    saved.names.push_back({.of = {"n", std::to_string(saved.contents.size())}, .digest = digest});
  }
  return saved;
}

template <class E>
std::size_t count(const Effects& effects) {
  return static_cast<std::size_t>(
      std::count_if(effects.begin(), effects.end(), [](const Effect& e) { return std::holds_alternative<E>(e); }));
}

template <class E>
const E& only(const Effects& effects) {
  EXPECT_EQ(count<E>(effects), 1U);
  for (const auto& effect : effects) {
    if (const auto* one = std::get_if<E>(&effect)) return *one;
  }
  throw std::runtime_error("no such effect");
}

}  // namespace fieldwork::transfer
