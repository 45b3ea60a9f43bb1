// The attributes of a device that an expression can name: their names, types and units, and their values. The one table
// of them is in attribute.cpp; docs/expressions.md is made from it. Other things that expressions are about have
// vocabularies of their own (libs/alerts), whose kinds leave `texts` and `number` empty.
//
// A value is absent if the device has not said or measured it. Numbers are in the attribute's own unit.
#pragma once

#include <limits>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "model/device.hpp"

namespace fieldwork::fleet {

// text: one text or a set of texts. word: one of a few names. version: numbers with points between them, compared one
// by one. The others are numbers; the unit of a literal is converted to the attribute's.
enum class Type { text, word, version, number, percent, bytes, milliseconds, seconds, bit_per_s };
[[nodiscard]] std::string_view name(Type type);

struct Kind {
  std::string_view name;  // for example `cpu.free_millis`, or `label`, which a key follows: `label.zone`
  Type type;
  bool keyed = false;
  std::string_view help;
  // For text and version: all its values.
  std::span<const std::string> (*texts)(const Device& device, std::string_view key) = nullptr;
  // For all other types; NaN: absent. For a word its place in `words`.
  double (*number)(const Device& device) = nullptr;
  std::vector<std::string_view> (*words)() = nullptr;
};

// The attributes that expressions about one sort of thing can name. It lives as long as the program.
using Vocabulary = std::span<const Kind>;

// Those of a device, in the order of the documentation. The place of a kind in it is its number.
[[nodiscard]] Vocabulary kinds();

struct Attribute {
  const Kind* kind = nullptr;  // in its vocabulary
  std::string key{};           // of a keyed attribute, else empty
  bool operator==(const Attribute&) const = default;
  [[nodiscard]] const Kind& of() const { return *kind; }
};

// Unknown: there is none of this name; the error names the nearest.
[[nodiscard]] Result<Attribute> attribute(std::string_view text, Vocabulary vocabulary = kinds());
[[nodiscard]] std::string to_text(const Attribute& attribute);
[[nodiscard]] inline bool has_texts(Type type) { return type == Type::text || type == Type::version; }

[[nodiscard]] inline std::span<const std::string> texts(const Attribute& attribute, const Device& device) {
  return attribute.of().texts(device, attribute.key);
}
[[nodiscard]] inline double number(const Attribute& attribute, const Device& device) {
  return attribute.of().number(device);
}

// The values of one thing that expressions are about.
class Values {
 public:
  virtual ~Values() = default;
  [[nodiscard]] virtual std::span<const std::string> texts(const Attribute& attribute) const = 0;
  [[nodiscard]] virtual double number(const Attribute& attribute) const = 0;
};

// Those of a device, which it must not outlive.
class DeviceValues final : public Values {
 public:
  explicit DeviceValues(const Device& device) : device_(device) {}
  [[nodiscard]] std::span<const std::string> texts(const Attribute& attribute) const override {
    return fleet::texts(attribute, device_);
  }
  [[nodiscard]] double number(const Attribute& attribute) const override { return fleet::number(attribute, device_); }

 private:
  const Device& device_;
};

// Values by the names of their attributes (`label.zone`), for other things than devices. What was not set is absent.
class NamedValues final : public Values {
 public:
  void set(std::string name, std::string text) { texts_[std::move(name)].push_back(std::move(text)); }
  void set(std::string name, double number) { numbers_[std::move(name)] = number; }
  [[nodiscard]] std::span<const std::string> texts(const Attribute& attribute) const override;
  [[nodiscard]] double number(const Attribute& attribute) const override;

 private:
  std::map<std::string, std::vector<std::string>> texts_;
  std::map<std::string, double> numbers_;
};

[[nodiscard]] bool has_value(const Attribute& attribute, const Values& values);
// For people: `berlin`, `0.82`, `512 MiB`; "not set" or "not measured" where it is absent.
[[nodiscard]] std::string value_text(const Attribute& attribute, const Values& values);
[[nodiscard]] inline std::string value_text(const Attribute& attribute, const Device& device) {
  return value_text(attribute, DeviceValues(device));
}

// Compares two versions: less than, equal to or greater than 0. Parts that are numbers are compared as numbers, a
// missing part is less than any.
[[nodiscard]] int compare_versions(std::string_view a, std::string_view b);

}  // namespace fieldwork::fleet
