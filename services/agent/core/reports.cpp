#include "agent/core/reports.hpp"

#include <algorithm>

#include "agent/limits.hpp"
#include "base/text.hpp"

namespace fieldwork::agent {
namespace {

// SplitMix64 (Steele, Lea, Flood 2014): spreads one random number over many tags.
std::uint64_t mixed(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15U;
  x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27U)) * 0x94D049BB133111EBU;
  return x ^ (x >> 31U);
}

// 32 bits, never 0, because 0 says that there is no tag.
std::int64_t tag_of(std::uint64_t random, std::int64_t seq) {
  const auto tag = static_cast<std::int64_t>(mixed(random + static_cast<std::uint64_t>(seq)) & 0xFFFFFFFFU);
  return tag == 0 ? 1 : tag;
}

std::string last(const std::string& text, std::size_t bytes) {
  return text.size() <= bytes ? text : text.substr(text.size() - bytes);
}

void cut(const AttemptReport& end, const std::string& of, const std::string& bytes, std::vector<AttemptReport>& out) {
  for (std::size_t at = 0; at < bytes.size(); at += limits::part_bytes_max) {
    AttemptReport report{.key = end.key, .state = AttemptState::running};
    report.traceparent = end.traceparent;
    report.part = ResultPart{of, static_cast<std::int64_t>(at), bytes.substr(at, limits::part_bytes_max)};
    out.push_back(std::move(report));
  }
}

}  // namespace

std::size_t size_of(const AttemptReport& report) {
  std::size_t size = 256 + report.reason.size();
  if (report.part) size += report.part->of.size() + report.part->bytes.size() * 4 / 3;
  if (report.progress) size += 128 + 2 * (report.progress->step.size() + report.progress->message.size());
  for (const auto& one : report.decided) size += 40 + 2 * one.what.size();
  if (!report.result) return size;
  size += report.result->use ? 150 : 0;
  size += report.result->stdout_text.size() + report.result->stderr_text.size();
  for (const auto& file : report.result->files)
    size += 160 + file.path.size() + (file.content ? file.content->size() * 4 / 3 : 0);
  return size;
}

std::vector<AttemptReport> in_parts(AttemptReport end) {
  std::vector<AttemptReport> out;
  end.reason = clamp_text(end.reason, limits::reason_bytes_max);
  if (end.result && size_of(end) > limits::result_inline_bytes_max) {
    auto& result = *end.result;
    result.in_parts = true;
    result.stdout_bytes = static_cast<std::int64_t>(result.stdout_text.size());
    result.stderr_bytes = static_cast<std::int64_t>(result.stderr_text.size());
    cut(end, "stdout", result.stdout_text, out);
    cut(end, "stderr", result.stderr_text, out);
    result.stdout_text = last(result.stdout_text, stream_tail_bytes_max);
    result.stderr_text = last(result.stderr_text, stream_tail_bytes_max);
    for (auto& file : result.files) {
      if (!file.content) continue;
      cut(end, "file:" + file.path, *file.content, out);
      if (!file.content->empty()) file.content.reset();
    }
  }
  out.push_back(std::move(end));
  return out;
}

AttemptReport in_short(AttemptReport end) {
  end.reason = clamp_text(end.reason, limits::reason_bytes_max);
  if (!end.result || size_of(end) <= limits::result_inline_bytes_max) return end;
  auto& result = *end.result;
  result.truncated = true;
  result.in_parts = false;
  result.stdout_text = last(result.stdout_text, stream_tail_bytes_max);
  result.stderr_text = last(result.stderr_text, stream_tail_bytes_max);
  for (auto& file : result.files) file.content.reset();
  return end;
}

Reports::Reports(ReportLimits limits, StreamState state, Time now)
    : limits_(limits), state_(std::move(state)), due_(now), wait_(limits.again) {
  for (const auto& [seq, one] : state_.waiting) ++owed_[one.report.key];
}

void Reports::add(AttemptReport report) {
  const auto same = std::find_if(unsent_.begin(), unsent_.end(), [&](const auto& other) {
    return other.key == report.key && !other.part && !report.part;
  });
  // At the end: the report of how an attempt ended must not come before the parts of its result.
  if (same != unsent_.end())
    unsent_.erase(same);
  else
    ++owed_[report.key];
  unsent_.push_back(std::move(report));
}

bool Reports::owes(const AttemptKey& key) const { return owed_.contains(key); }

void Reports::number(std::uint64_t random, Changes& changes) {
  for (auto& report : unsent_) {
    const auto seq = state_.next_seq++;
    changes.added.push_back(seq);
    state_.waiting.emplace(seq, Numbered{tag_of(random, seq), std::move(report)});
    changes.position = true;
  }
  unsent_.clear();
}

std::vector<Message> Reports::due(Time now, bool idle) {
  std::vector<Message> out;
  if (!connected_ || state_.waiting.empty()) return out;
  if (now >= due_ && sent_up_to_ >= state_.waiting.begin()->first) {
    // Nobody answered. Another copy behind one that has not left the device would only make the queue longer.
    if (!idle) {
      due_ = now + limits_.again;
    } else {
      sent_up_to_ = 0;
      due_ = now + wait_;
      wait_ = std::min(wait_ * 2, limits_.again_max);
    }
  }
  std::size_t on_the_way = 0;
  for (const auto& [seq, one] : state_.waiting) {
    if (seq > sent_up_to_) break;
    on_the_way += size_of(one.report);
  }
  auto it = state_.waiting.upper_bound(sent_up_to_);
  const auto fits = [&](std::size_t more) {
    return on_the_way == 0 || on_the_way + more <= limits_.window_bytes;  // a single report may be larger
  };
  while (it != state_.waiting.end() && fits(size_of(it->second.report))) {
    Message message{state_.epoch, state_.waiting.begin()->first, it->first, state_.acked_tag, {}};
    if (it != state_.waiting.begin()) {
      const auto before = std::prev(it);
      message.after = before->first + 1 == it->first ? before->second.tag : 0;
    }
    std::size_t bytes = 0;
    while (it != state_.waiting.end() && message.items.size() < limits_.items_max) {
      // Items are numbered by their place: behind a gap, where the journal could not read a row, another message
      // begins.
      if (it->first != message.seq + static_cast<std::int64_t>(message.items.size())) break;
      const auto size = size_of(it->second.report);
      if (!fits(size) || (!message.items.empty() && bytes + size > limits_.message_bytes)) break;
      bytes += size;
      on_the_way += size;
      message.items.push_back(it->second);
      sent_up_to_ = it->first;
      ++it;
    }
    sent_at_ = now;
    if (due_ <= now) due_ = now + wait_;
    out.push_back(std::move(message));
  }
  return out;
}

void Reports::connected(Time now) {
  connected_ = true;
  sent_up_to_ = 0;
  due_ = now;
  wait_ = limits_.again;
}

bool Reports::answered(const StreamAnswer& answer, std::int64_t wall_ms, Time now, Changes& changes) {
  if (answer.begin > state_.epoch) return begin(std::max(wall_ms, answer.begin), now, changes), true;
  if (answer.epoch != state_.epoch) return false;
  // The scheduler has a number that was never given here, or another tag at a number of ours: this journal went back.
  const auto known = state_.waiting.find(answer.seq);
  const bool parted = answer.seq >= state_.next_seq ||
                      (known != state_.waiting.end() && answer.tag != 0 && known->second.tag != answer.tag);
  if (parted) return begin(std::max(wall_ms, answer.epoch + 1), now, changes), true;
  if (state_.waiting.empty() || answer.seq < state_.waiting.begin()->first) return false;
  state_.acked_tag = known == state_.waiting.end() ? answer.tag : known->second.tag;
  changes.position = true;
  while (!state_.waiting.empty() && state_.waiting.begin()->first <= answer.seq) {
    const auto first = state_.waiting.begin();
    if (const auto owed = owed_.find(first->second.report.key); owed != owed_.end() && --owed->second == 0)
      owed_.erase(owed);
    changes.dropped.push_back(first->first);
    state_.waiting.erase(first);
  }
  wait_ = limits_.again;
  due_ = now + wait_;
  return false;
}

void Reports::begin(std::int64_t epoch, Time now, Changes& changes) {
  state_.epoch = epoch;
  state_.acked_tag = 0;
  std::map<std::int64_t, Numbered> renumbered;
  std::int64_t seq = 0;
  for (auto& [old, one] : state_.waiting) {
    changes.dropped.push_back(old);
    renumbered.emplace(++seq, std::move(one));
    changes.added.push_back(seq);
  }
  state_.waiting = std::move(renumbered);
  state_.next_seq = seq + 1;
  changes.position = true;
  sent_up_to_ = 0;
  due_ = now;
  wait_ = limits_.again;
}

void Reports::heard(Time now) {
  if (state_.waiting.empty() || now - sent_at_ < limits_.again) return;
  due_ = std::min(due_, now);
}

}  // namespace fieldwork::agent
