// Silences, inhibitions and acknowledgements: what keeps targets from being told.
#include <algorithm>

#include "alerting/core/alerting.hpp"

namespace fieldwork::alerting {
namespace {

std::vector<std::string> key_of(const Alert& alert, const std::vector<std::string>& labels) {
  std::vector<std::string> out;
  for (const auto& label : labels) out.push_back(label_of(alert, label));
  return out;
}

bool has_all(const std::vector<std::string>& key) {
  return std::none_of(key.begin(), key.end(), [](const auto& one) { return one.empty(); });
}

}  // namespace

std::string Alerting::muted_by(const Alert& alert) const {
  const AlertValues values(alert, over_of(alert));
  for (const auto& [id, silence] : silences_) {
    if (fleet::matches(silence.matcher, values))
      return "silence " + id + (silence.comment.empty() ? "" : ": " + silence.comment);
  }
  const auto& inhibitions = book().inhibitions;
  for (std::size_t i = 0; i < inhibitions.size(); ++i) {
    const auto& one = inhibitions[i];
    if (sources_[i].empty() || !fleet::matches(one.mutes, values) || fleet::matches(one.when, values)) continue;
    const auto key = key_of(alert, one.equal);
    if (has_all(key) && sources_[i].contains(key)) return "inhibited by " + one.when.text();
  }
  return "";
}

// Looks at every alert: once a second, and when silences or rules change. What begins to fire is looked at by itself.
void Alerting::mute() {
  const auto& inhibitions = book().inhibitions;
  sources_.assign(inhibitions.size(), {});
  for (std::size_t i = 0; i < inhibitions.size(); ++i) {
    const auto add = [&](const Alert& alert) {
      if (fleet::matches(inhibitions[i].when, AlertValues(alert, over_of(alert))))
        sources_[i].insert(key_of(alert, inhibitions[i].equal));
    };
    // Also of pending ones: what they may explain waits until it is known.
    for (const auto& [id, alert] : alerts_)
      if (alert.state != Alert::State::resolved) add(alert);
    for (const auto& [id, alert] : soon_) add(alert);
  }
  for (auto& [id, alert] : alerts_) {
    auto muted = alert.firing() ? muted_by(alert) : std::string();
    if (muted == alert.muted) continue;
    alert.muted = std::move(muted);
    changed_.insert(id);
  }
}

void Alerting::end_silences(Time now, Output& out) {
  for (auto it = silences_.begin(); it != silences_.end();) {
    if (it->second.until > now) {
      ++it;
      continue;
    }
    out.silences.push_back({it->second, true});
    it = silences_.erase(it);
    mute_due_ = true;
  }
}

void Alerting::apply(const SilenceAsked& input, Time now, Output& out) {
  const auto answer = [&](std::variant<Alert, Silence, Error> one) {
    if (input.reply != 0) out.answers.push_back({input.reply, std::move(one)});
  };
  if (input.end) {
    const auto found = silences_.find(input.silence.id);
    if (found == silences_.end()) return answer(Error{Code::unknown, "no such silence", "/silence"});
    auto silence = found->second;
    silence.until = now;
    silences_.erase(found);
    out.silences.push_back({silence, true});
    mute();
    return answer(silence);
  }
  // The same request again, because its answer was lost: it ends at nearly the same time.
  for (const auto& [id, one] : silences_) {
    if (one.matcher == input.silence.matcher && one.by == input.silence.by && one.comment == input.silence.comment &&
        std::chrono::abs(one.until - input.silence.until) < seconds{20})
      return answer(one);
  }
  if (silences_.size() >= limits_.silences_max)
    return answer(Error{Code::unavailable, "there are " + std::to_string(silences_.size()) +
                                               " silences already; end one: fieldwork alert silence --end ID"});
  silences_[input.silence.id] = input.silence;
  out.silences.push_back({input.silence});
  mute();
  answer(input.silence);
}

void Alerting::apply(const AckAsked& input, Time now, Output& out) {
  const auto answer = [&](std::variant<Alert, Silence, Error> one) {
    if (input.reply != 0) out.answers.push_back({input.reply, std::move(one)});
  };
  const auto found = alerts_.find(input.alert);
  if (found == alerts_.end()) return answer(Error{Code::unknown, "no such alert", "/alert"});
  auto& alert = found->second;
  if (!alert.firing())
    return answer(Error{Code::conflict, "the alert does not fire: it is " + std::string(name(alert.state)), "/alert"});
  const bool same = alert.acked && alert.acked->by == input.by && alert.acked->comment == input.comment;
  if (input.undo ? alert.acked.has_value() : !same) {
    if (input.undo) {
      alert.acked.reset();
    } else {
      alert.acked = Ack{input.by, input.comment, now};
    }
    changed_.insert(alert.id);
  }
  answer(alert);
}

}  // namespace fieldwork::alerting
