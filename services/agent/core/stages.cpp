#include "agent/core/stages.hpp"

namespace fieldwork::agent::staging {

Stages::Stages(Limits limits, std::vector<Kept> saved, bool places) : limits_(limits), places_(places) {
  for (auto& one : saved) {
    auto digest = one.command.digest;
    stages_.insert_or_assign(std::move(digest), std::move(one));
  }
}

void Stages::step(const Input& input, Time /*now*/, Output& out) {
  std::visit([&](const auto& one) { on(one, out); }, input);
}

// What is ready is fetched again where its file is gone: the disk was full at the start.
void Stages::on(const Started&, Output& out) {
  for (const auto& [digest, kept] : stages_)
    out.acts.emplace_back(Keep{{digest, kept.command.priority, kept.command.receivers}});
}

void Stages::on(const LinkBack&, Output&) { say_all_ = true; }

void Stages::on(const Commanded& input, Output& out) {
  for (const auto& command : input.commands) {
    const auto it = stages_.find(command.digest);
    const bool over = command.until_ms == 0 || command.until_ms <= now_ms_;
    if (over) {
      if (it != stages_.end()) forget(command.digest, out);
      say(command, StageWord::dropped);
    } else if (it == stages_.end() || it->second.command.file != command.file) {
      begin(command, out);
    } else {
      auto& kept = it->second;
      if (!kept.ready && kept.command.priority != command.priority)
        out.acts.emplace_back(Keep{{command.digest, command.priority, command.receivers}});
      if (kept.command != command) {
        kept.command = command;
        out.saves.push_back({command.digest, kept});
      }
      say(command, kept.ready ? StageWord::ready : StageWord::taken);
    }
  }
}

std::optional<std::string> Stages::why_not(const StageCommand& command) const {
  if (!command.file.empty() && !places_) return "device.files is not set on this device: it takes no files";
  if (!stages_.contains(command.digest) && stages_.size() >= limits_.stages_max)
    return "this device keeps " + std::to_string(stages_.size()) + " staged packages, which is its limit";
  return std::nullopt;
}

void Stages::begin(const StageCommand& command, Output& out) {
  if (const auto why = why_not(command)) return refuse(command, *why, out);
  const auto& kept = stages_.insert_or_assign(command.digest, Kept{command}).first->second;
  out.saves.push_back({command.digest, kept});
  out.acts.emplace_back(Keep{{command.digest, command.priority, command.receivers}});
  say(command, StageWord::taken);
}

void Stages::on(const PackageReady& input, Output& out) {
  const auto it = stages_.find(input.digest);
  if (it == stages_.end() || it->second.ready) return;
  if (it->second.command.file.empty()) return ready(it->second, out);
  out.acts.emplace_back(Place{input.digest, it->second.command.file});
}

void Stages::on(const PackageRefused& input, Output& out) {
  const auto it = stages_.find(input.digest);
  if (it != stages_.end()) refuse(StageCommand(it->second.command), input.reason, out);
}

void Stages::on(const Placed& input, Output& out) {
  const auto it = stages_.find(input.digest);
  if (it == stages_.end() || it->second.command.file != input.file || it->second.ready) return;
  if (input.refused) return refuse(StageCommand(it->second.command), *input.refused, out);
  ready(it->second, out);
}

// The service says so, too; but a device may be away for long.
void Stages::on(const Looked& input, Output& out) {
  now_ms_ = input.now_ms;
  std::vector<StageCommand> over;
  for (const auto& [digest, kept] : stages_) {
    if (kept.command.until_ms <= now_ms_) over.push_back(kept.command);
  }
  for (const auto& command : over) {
    forget(command.digest, out);
    say(command, StageWord::dropped);
  }
}

void Stages::ready(Kept& kept, Output& out) {
  kept.ready = true;
  out.saves.push_back({kept.command.digest, kept});
  say(kept.command, StageWord::ready);
}

void Stages::refuse(const StageCommand& command, const std::string& reason, Output& out) {
  forget(command.digest, out);
  say(command, StageWord::refused, reason);
}

void Stages::forget(const std::string& digest, Output& out) {
  if (stages_.erase(digest) == 0) return;
  out.saves.push_back({digest, std::nullopt});
  out.acts.emplace_back(Let{digest});
}

void Stages::say(const StageCommand& command, StageWord word, std::string reason) {
  unsaid_[command.digest] = {command.digest, command.file, command.until_ms, word, std::move(reason)};
}

void Stages::on(const fieldwork::BatchEnded&, Output& out) {
  StageReport report;
  const auto put_out = [&] { out.reports.push_back(std::exchange(report, {})); };
  for (auto& [digest, said] : std::exchange(unsaid_, {})) {
    report.items.push_back(std::move(said));
    if (report.items.size() == limits::stage_items_max) put_out();
  }
  if (!report.items.empty()) put_out();
  if (!std::exchange(say_all_, false) || stages_.empty()) return;
  for (const auto& [digest, kept] : stages_) say(kept.command, kept.ready ? StageWord::ready : StageWord::taken);
  for (auto& [digest, said] : std::exchange(unsaid_, {})) report.items.push_back(std::move(said));
  report.all = true;
  put_out();
}

}  // namespace fieldwork::agent::staging
