// links: fleet GTest::gtest_main
// Random expressions over random devices: the evaluation and the index against what was meant when they were written.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <map>

#include "fleet/index.hpp"
#include "support/fleet_devices.hpp"

namespace fieldwork::fleet {
namespace {

// An expression as a text and as the plainest function that means the same.
struct Meant {
  std::string text;
  std::function<bool(const Device&)> holds;
};

Meant text_term(Chance& chance, const std::string& name, const std::vector<std::string>& values,
                std::function<std::vector<std::string>(const Device&)> read) {
  const auto wanted = values[static_cast<std::size_t>(chance.below(static_cast<int>(values.size())))];
  const auto other = values[static_cast<std::size_t>(chance.below(static_cast<int>(values.size())))];
  const auto any = [read](auto holds) {
    return [read, holds](const Device& d) {
      for (const auto& one : read(d)) {
        if (holds(one)) return true;
      }
      return false;
    };
  };
  const auto equal = any([wanted](const std::string& v) { return v == wanted; });
  const auto among = any([wanted, other](const std::string& v) { return v == wanted || v == other; });
  switch (chance.below(6)) {
    case 0: return {name + " == " + wanted, equal};
    case 1: return {name + " != \"" + wanted + "\"", [equal](const Device& d) { return !equal(d); }};
    case 2: return {name + " in (" + wanted + ", " + other + ")", among};
    case 3: return {name + " not in (" + wanted + "," + other + ")", [among](const Device& d) { return !among(d); }};
    case 4:
      return {name + " ^= " + wanted,
              any([wanted](const std::string& v) { return v.substr(0, wanted.size()) == wanted; })};
    default: return {"has " + name, any([](const std::string&) { return true; })};
  }
}

Meant number_term(Chance& chance, const std::string& name, int largest,
                  std::function<std::optional<double>(const Device&)> read) {
  const int wanted = chance.below(largest + 1);
  const auto with = [read](auto holds) {
    return [read, holds](const Device& d) {
      const auto value = read(d);
      return value.has_value() && holds(*value);
    };
  };
  const auto text = std::to_string(wanted);
  switch (chance.below(6)) {
    case 0: return {name + " < " + text, with([wanted](double v) { return v < wanted; })};
    case 1: return {name + " <= " + text, with([wanted](double v) { return v <= wanted; })};
    case 2: return {name + " > " + text, with([wanted](double v) { return v > wanted; })};
    case 3: return {name + " >= " + text, with([wanted](double v) { return v >= wanted; })};
    case 4: return {name + " != " + text, [read, wanted](const Device& d) { return read(d) != double(wanted); }};
    default: return {"has " + name, with([](double) { return true; })};
  }
}

std::vector<std::string> maybe(const std::string& text) {
  return text.empty() ? std::vector<std::string>{} : std::vector{text};
}

Meant term(Chance& chance) {
  switch (chance.below(10)) {
    case 0: return text_term(chance, "site", {"a", "b", "c", "x"}, [](const Device& d) { return maybe(d.about.site); });
    case 1:
      return text_term(chance, "label.zone", {"a", "b", "z"}, [](const Device& d) {
        const auto it = d.labels.find("zone");
        return it == d.labels.end() ? std::vector<std::string>{} : std::vector{it->second};
      });
    case 2:
      return text_term(chance, "capability", {"camera", "gpu", "lidar"},
                       [](const Device& d) { return d.about.capabilities; });
    case 3:
      return text_term(chance, "id", {"edge-1", "edge-17", "edge-2", "f"},
                       [](const Device& d) { return maybe(d.id.value); });
    case 4: {
      const auto wanted = static_cast<Presence>(chance.below(6));
      return {"presence == " + std::string(name(wanted)), [wanted](const Device& d) { return d.presence == wanted; }};
    }
    case 5: {
      const auto a = static_cast<Lifecycle>(chance.below(6)), b = static_cast<Lifecycle>(chance.below(6));
      return {"lifecycle in (" + std::string(name(a)) + ", " + std::string(name(b)) + ")",
              [a, b](const Device& d) { return d.lifecycle == a || d.lifecycle == b; }};
    }
    case 6: return number_term(chance, "link.round_trip", 500, [](const Device& d) { return d.link.round_trip_ms; });
    case 7: return number_term(chance, "battery", 100, [](const Device& d) { return d.resources.battery_percent; });
    case 8:
      return number_term(chance, "cpu.cores", 9, [](const Device& d) { return std::optional(double(d.about.cores)); });
    default:
      return number_term(chance, "uptime", 100'000, [](const Device& d) {
        return d.measured ? std::optional(double(d.resources.uptime_s)) : std::nullopt;
      });
  }
}

Meant expression(Chance& chance, int depth) {
  if (depth == 0 || chance.one_in(3)) return term(chance);
  if (chance.one_in(4)) {
    auto one = expression(chance, depth - 1);
    return {"not (" + one.text + ")", [holds = one.holds](const Device& d) { return !holds(d); }};
  }
  auto a = expression(chance, depth - 1), b = expression(chance, depth - 1);
  if (chance.one_in(2))
    return {"(" + a.text + ") or (" + b.text + ")",
            [x = a.holds, y = b.holds](const Device& d) { return x(d) || y(d); }};
  return {"(" + a.text + ") and (" + b.text + ")",
          [x = a.holds, y = b.holds](const Device& d) { return x(d) && y(d); }};
}

std::vector<std::string> ids(const std::vector<const Device*>& devices) {
  std::vector<std::string> out;
  for (const auto* one : devices) out.push_back(one->id.value);
  return out;
}

TEST(FleetIndex, FindsExactlyWhatWasMeant) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Chance chance(seed);
    Index index;
    std::map<DeviceId, Device> fleet;  // by id, as find() answers
    int next = 0;
    for (int round = 0; round < 30; ++round) {
      for (int change = 0; change < 20; ++change) {
        const int number = chance.one_in(2) || next == 0 ? next++ : chance.below(next);
        const DeviceId id("edge-" + std::to_string(number));
        if (fleet.contains(id) && chance.one_in(3)) {
          index.erase(id);
          fleet.erase(id);
        } else if (fleet.contains(id) && chance.one_in(2)) {
          const auto fresh = random_device(chance, number);
          auto& device = fleet.at(id);
          device.presence = fresh.presence;
          device.measured = fresh.measured;
          device.resources = fresh.resources;
          device.link = fresh.link;
          index.measured(device);
        } else {
          index.put(fleet[id] = random_device(chance, number));
        }
      }
      const auto meant = expression(chance, 3);
      const auto parsed = Expression::parse(meant.text);
      ASSERT_TRUE(parsed) << meant.text << ": " << describe(parsed.error());
      std::vector<std::string> wanted;
      for (const auto& [id, device] : fleet) {
        const bool holds = meant.holds(device);
        ASSERT_EQ(matches(*parsed, device), holds) << "seed " << seed << ": " << meant.text << " for " << id.value;
        ASSERT_EQ(misses(*parsed, device).empty(), holds) << "seed " << seed << ": " << meant.text;
        if (holds) wanted.push_back(id.value);
      }
      ASSERT_EQ(ids(index.find(*parsed)), wanted) << "seed " << seed << ": " << meant.text;
      // In pages, as a list over MQTT is answered.
      std::vector<std::string> pages;
      for (auto page = index.find(*parsed, {}, 7); !page.empty(); page = index.find(*parsed, page.back()->id, 7)) {
        ASSERT_LE(page.size(), 7u);
        const auto some = ids(page);
        pages.insert(pages.end(), some.begin(), some.end());
      }
      ASSERT_EQ(pages, wanted) << "seed " << seed << ": " << meant.text;
    }
    EXPECT_EQ(index.size(), fleet.size());
  }
}

TEST(FleetIndex, AnEmptyFleetHasNothing) {
  const Index index;
  for (const char* text : {"health > 0", "site == a", "not site == a", "site == a and presence == online"}) {
    EXPECT_TRUE(index.find(*Expression::parse(text)).empty()) << text;
  }
}

TEST(FleetIndex, WhatWasErasedIsNotFoundUnderItsNumber) {
  Index index;
  Chance chance(3);
  auto a = random_device(chance, 1);
  a.about.site = "a";
  a.about.cores = 2;
  index.put(a);
  index.erase(a.id);
  index.erase(a.id);
  EXPECT_EQ(index.size(), 0u);
  auto b = random_device(chance, 2);  // takes the number that became free
  b.about.site = "b";
  b.about.cores = 0;
  index.put(b);
  EXPECT_TRUE(index.find(*Expression::parse("site == a")).empty());
  EXPECT_TRUE(index.find(*Expression::parse("cpu.cores == 2")).empty());
  EXPECT_EQ(index.find(*Expression::parse("site == b")).size(), 1u);
}

}  // namespace
}  // namespace fieldwork::fleet
