// Groups of devices: static ones, whose members operators name, and dynamic ones, which an expression defines. Each
// device's state says which it is in, so that everybody who chooses devices sees the same groups.
#include <algorithm>

#include "model/limits.hpp"
#include "registry/core/registry.hpp"

namespace fieldwork::registry {
namespace {

bool asks_for_groups(const fleet::Node& node) {
  if (node.type == fleet::Node::Type::term) return node.term.attribute.of().name == "group";
  return std::any_of(node.children.begin(), node.children.end(), asks_for_groups);
}

// Why the change cannot be made to the group as it is (null: there is none); empty: it can.
std::string conflicts(const GroupRequested& input, const Group* known) {
  if (input.remove) return "";
  const bool members = !input.add.empty() || !input.drop.empty();
  if (members && input.expression) return "a group has members or an expression, not both";
  if (known == nullptr) return "";
  if (members && known->expression) return "its members follow from its expression";
  if (input.expression && !known->expression) return "it is a static group: remove it first";
  return "";
}

}  // namespace

void Registry::apply(const GroupRequested& input, Time now, Output& out) {
  const auto refuse = [&](Code code, std::string reason, std::string path) {
    out.group_answers.push_back({input.reply, Error{code, std::move(reason), std::move(path)}});
  };
  const auto found = groups_.find(input.group);
  const Group* known = found == groups_.end() ? nullptr : &found->second;
  const bool changes = input.expression || !input.add.empty() || !input.drop.empty();
  if (known == nullptr && (!changes || input.remove)) return refuse(Code::unknown, "no such group", "/group");
  if (const auto why = conflicts(input, known); !why.empty()) return refuse(Code::conflict, why, "/group");
  if (input.expression && asks_for_groups(input.expression->root()))
    return refuse(Code::invalid, "a group cannot be defined by groups", "/expression");
  if (known == nullptr && groups_.size() >= limits::groups_max)
    return refuse(Code::conflict, "there are " + std::to_string(limits::groups_max) + " groups already", "/group");
  for (const auto& id : input.add) {
    const auto device = devices_.find(id);
    if (device == devices_.end()) return refuse(Code::unknown, "no such device: " + id.value, "/add");
    if (device->second.record.device.groups.size() >= limits::names_max)
      return refuse(Code::conflict, id.value + " is in " + std::to_string(limits::names_max) + " groups already",
                    "/add");
  }
  if (input.remove) {
    const auto last = *known;
    const auto members = count(input.group);
    remove_group(input.group, now, out);
    out.group_answers.push_back({input.reply, GroupShown{last, members}});
    return;
  }
  if (changes) change_group(input, now, out);
  out.group_answers.push_back({input.reply, GroupShown{groups_.at(input.group), count(input.group)}});
}

void Registry::change_group(const GroupRequested& input, Time now, Output& out) {
  auto& group = groups_[input.group];
  const bool is_new = group.name.empty();
  if (!is_new && input.expression && *input.expression == *group.expression) return;
  if (is_new || input.expression) {
    group.name = input.group;
    group.expression = input.expression;
    group.changed_ms = to_ms(now);
    std::erase(out.removed_groups, input.group);
    out.groups.push_back(group);
  }
  if (input.expression) {
    for (auto& [id, entry] : devices_) {
      if (rate(entry)) touch(entry, now);
    }
  }
  for (const auto& id : input.add) set_member(devices_.at(id), input.group, true, now);
  for (const auto& id : input.drop) {
    if (const auto device = devices_.find(id); device != devices_.end())
      set_member(device->second, input.group, false, now);
  }
}

void Registry::remove_group(const std::string& name, Time now, Output& out) {
  groups_.erase(name);
  std::erase_if(out.groups, [&](const auto& one) { return one.name == name; });
  out.removed_groups.push_back(name);
  for (auto& [id, entry] : devices_) set_member(entry, name, false, now);
}

// Nothing is saved or said where it is so already.
void Registry::set_member(Entry& entry, const std::string& group, bool is_in, Time now) {
  if (!mark_member(entry.record.device, group, is_in)) return;
  index_.put(entry.record.device);
  touch(entry, now);
}

bool Registry::mark_member(Device& device, const std::string& group, bool is_in) {
  auto& groups = device.groups;
  const auto place = std::lower_bound(groups.begin(), groups.end(), group);
  const bool was_in = place != groups.end() && *place == group;
  if (was_in == is_in || (is_in && groups.size() >= limits::names_max)) return false;
  if (is_in) {
    groups.insert(place, group);
  } else {
    groups.erase(place);
  }
  return true;
}

// The dynamic groups that the device is in now. True: others than before.
bool Registry::regroup(Entry& entry) {
  bool changed = false;
  for (const auto& [name, group] : groups_) {
    if (!group.expression) continue;
    changed = mark_member(entry.record.device, name, fleet::matches(*group.expression, entry.record.device)) || changed;
  }
  if (changed) index_.put(entry.record.device);
  return changed;
}

std::int64_t Registry::count(const std::string& group) const {
  return std::count_if(devices_.begin(), devices_.end(), [&](const auto& one) {
    const auto& groups = one.second.record.device.groups;
    return std::binary_search(groups.begin(), groups.end(), group);
  });
}

std::vector<GroupShown> Registry::groups() const {
  std::map<std::string, std::int64_t> counts;
  for (const auto& [id, entry] : devices_) {
    for (const auto& group : entry.record.device.groups) ++counts[group];
  }
  std::vector<GroupShown> out;
  for (const auto& [name, group] : groups_) out.push_back({group, counts[name]});
  return out;
}

}  // namespace fieldwork::registry
