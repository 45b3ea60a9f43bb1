#include "alerts/rules.hpp"

#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "base/check.hpp"
#include "base/duration.hpp"
#include "base/id.hpp"
#include "table_reader.hpp"

namespace fieldwork::alerts {
namespace {

constexpr std::array severities{"info", "warning", "critical"};
constexpr std::array target_types{"webhook", "alertmanager", "smtp", "ntfy"};

bool is_label(std::string_view text) {
  const auto word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; };
  return !text.empty() && text.size() <= 64 && std::isdigit(static_cast<unsigned char>(text[0])) == 0 &&
         std::all_of(text.begin(), text.end(), word);
}

// `label.zone` as the name of a label: zone; `cpu.use`: cpu_use.
std::string label_of(std::string text) {
  if (text.starts_with("label.")) text.erase(0, 6);
  for (auto& c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return text;
}

// What the table says, over what is there.
void read_condition(TableReader& in, Rule& rule, fleet::Vocabulary vocabulary) {
  if (in.has("when")) {
    rule.when = in.expression("when", vocabulary);
    rule.until.reset();
  }
  if (in.has("until")) rule.until = in.expression("until", vocabulary);
  rule.hold = in.duration("for", rule.hold);
  rule.absent = in.duration("absent", rule.absent);
  rule.count = static_cast<int>(in.integer("count", rule.count, 1, 1000));
  rule.within = in.duration("within", rule.within);
  if (in.has("share")) rule.share = in.share("share");
  rule.at_least = static_cast<int>(in.integer("at_least", rule.at_least, 1, 100'000));
  if (in.has("by")) rule.by = in.attribute("by", vocabulary);
  if (in.has("since")) rule.since = in.attribute("since", vocabulary, true);
  rule.forget = in.duration("forget", rule.forget);
  const int conditions = (rule.absent > Duration{}) + (rule.count > 0) + (rule.share > 0);
  if (conditions > 1) in.fail("has more than one of `absent`, `count` and `share`");
  if (!rule.when && rule.absent == Duration{}) in.fail("is missing: what makes the rule fire", "when");
  if ((rule.count > 0) != (rule.within > Duration{})) in.fail("`count` and `within` belong together");
  if (rule.share > 0 && !rule.by) in.fail("a `share` needs `by`: of those that have the same …");
  if (rule.by && rule.share == 0 && rule.count == 0) in.fail("belongs to `count` or `share`", "by");
  const bool said_once = rule.over != Over::event && rule.over != Over::broker && rule.over != Over::disk &&
                         rule.over != Over::certificate;
  if (rule.absent > Duration{} && said_once)
    in.fail("is for event, broker, disk and certificate: the others are said when they change", "absent");
  if (rule.until && !rule.is_state()) in.fail("belongs to a rule without `absent`, `count` and `share`", "until");
  if (rule.hold > Duration{} && (rule.count > 0 || rule.absent > Duration{}))
    in.fail("belongs to a rule without `absent` and `count`", "for");
}

// What it is over; of a shipped rule this may be left out.
std::optional<Over> read_over(TableReader& in, const Rule* shipped) {
  if (!in.has("over") && shipped != nullptr) return shipped->over;
  if (!in.has("over") && !in.has("when")) in.fail("there is no shipped rule of this name", "name");
  std::string all;
  for (const auto one : over_names()) all += (all.empty() ? "" : ", ") + std::string(one);
  if (!in.has("over")) in.fail("is missing: " + all, "over");
  const auto over = alerts::over(in.text("over"));
  if (!over) in.fail("must be one of " + all, "over");
  return over;
}

// `shipped`: the rules so far. A rule of the name of one of them changes what the table says of it.
Rule read_rule(TableReader& in, const RuleBook& shipped) {
  Rule rule;
  rule.name = in.needed("name", 64);
  if (!rule.name.empty() && (!is_id(rule.name) || rule.name.find_first_of(".:") != rule.name.npos))
    in.fail("must be of letters, digits, `_` and `-`", "name");
  const auto* before = shipped.find(rule.name);
  const auto over = read_over(in, before);
  if (before != nullptr && over == before->over) rule = *before;
  rule.over = over.value_or(Over::device);
  rule.enabled = in.flag("enabled", rule.enabled);
  const auto words = vocabulary(rule.over);
  read_condition(in, rule, words);
  if (in.has("value")) rule.value = in.attribute("value", words, true);
  rule.severity = static_cast<Severity>(in.one_of("severity", severities, static_cast<std::size_t>(rule.severity)));
  if (in.has("text")) rule.text = in.template_text("text", words);
  if (in.has("next")) rule.next = in.template_text("next", words);
  if (rule.share > 0 && (rule.text.has_attributes() || rule.next.has_attributes()))
    in.fail("of a share is about many: it can have {subject}, and no other attribute",
            rule.text.has_attributes() ? "text" : "next");
  if (in.has("all")) rule.all = in.text("all");
  if (in.has("many")) rule.many = in.text("many");
  if (rule.all.empty()) rule.all = "fieldwork alert ls -f 'rule == " + rule.name + "'";
  if (rule.many.empty()) rule.many = "more alerts of this rule";
  if (in.has("labels")) rule.label.clear();
  for (const auto& one : in.texts("labels", labels_max)) {
    auto attribute = fleet::attribute(one, words);
    if (!attribute) return in.fail(attribute.error().reason, "labels"), rule;
    rule.label.emplace_back(label_of(one), std::move(*attribute));
  }
  if (const auto* node = in.get("set")) {
    const auto* table = node->as_table();
    if (table == nullptr || table->size() > labels_max) return in.fail("must be a table of labels", "set"), rule;
    for (const auto& [key, value] : *table) {
      const auto* text = value.as_string();
      if (!is_label(key.str()) || text == nullptr || text->get().size() > 256)
        return in.fail(value, key.str(), "must be a label: a name of letters, digits and _, and a text"), rule;
      rule.labels[std::string(key.str())] = text->get();
    }
  }
  in.finish("a rule");
  return rule;
}

bool is_url(std::string_view url, Target::Type type) {
  const bool scheme = type == Target::Type::smtp ? url.starts_with("smtp://") || url.starts_with("smtps://")
                                                 : url.starts_with("http://") || url.starts_with("https://");
  const bool plain = std::none_of(url.begin(), url.end(), [](unsigned char c) { return c <= ' ' || c == 127; });
  return scheme && plain && url.find("://") + 3 < url.size() && url[url.find("://") + 3] != '/';
}

Target read_target(TableReader& in) {
  Target out;
  out.name = in.needed("name", 64);
  if (!out.name.empty() && !is_id(out.name)) in.fail("must be of letters, digits, `_`, `-` and points", "name");
  if (!in.has("type")) in.fail("is missing", "type");
  out.type = static_cast<Target::Type>(in.one_of("type", target_types, 0));
  out.url = in.needed("url", 1024);
  const bool mail = out.type == Target::Type::smtp;
  if (!out.url.empty() && !is_url(out.url, out.type))
    in.fail(mail ? "must be smtp://host[:port] or smtps://…" : "must be http://host[:port][/path] or https://…", "url");
  out.when = in.expression("when", alert_vocabulary());
  out.after = in.duration("after", {});
  // An Alertmanager forgets an alert of which it hears nothing for five minutes.
  const Duration repeat = out.type == Target::Type::alertmanager ? seconds{60} : std::chrono::hours{4};
  out.repeat = in.duration("repeat", repeat, Duration{});
  if (out.repeat > Duration{} && out.repeat < seconds{10}) in.fail("must be 0s or at least 10s", "repeat");
  if (out.type == Target::Type::alertmanager && out.repeat == Duration{})
    in.fail("must be set: Alertmanager forgets what it does not hear of again", "repeat");
  out.from = in.text("from", 256);
  out.to = in.texts("to", 32);
  out.user = in.text("user", 256);
  out.password_file = in.text("password_file", 1024);
  out.timeout_s = static_cast<int>(in.integer("timeout_s", 10, 1, 300));
  if (mail && (out.from.empty() || out.to.empty())) in.fail("mail needs `from` and `to`");
  for (const auto& one : out.to) {
    if (one.find_first_of("\r\n<>") != one.npos) in.fail("must be addresses", "to");
  }
  if (out.from.find_first_of("\r\n<>") != out.from.npos) in.fail("must be an address", "from");
  in.finish("a target");
  return out;
}

void read_inhibition(TableReader& in, RuleBook& book) {
  const auto when = in.expression("when", alert_vocabulary());
  const auto mutes = in.expression("mutes", alert_vocabulary());
  if (!when) in.fail("is missing or wrong", "when");
  if (!mutes) in.fail("is missing or wrong", "mutes");
  auto equal = in.texts("equal", labels_max);
  in.finish("an inhibition");
  if (when && mutes) book.inhibitions.push_back({*when, *mutes, std::move(equal)});
}

void read_notify(TableReader& in, RuleBook& book) {
  if (in.has("group_by")) book.group_by = in.texts("group_by", labels_max);
  book.wait = in.duration("wait", book.wait, Duration{});
  book.interval = in.duration("interval", book.interval, Duration{});
  book.give_up = in.duration("give_up", book.give_up, seconds{60});
  in.finish("[notify]");
}

using Each = void (*)(TableReader&, RuleBook&);

void each(const toml::table& root, const char* key, std::size_t max, const std::string& file, RuleBook& book,
          std::optional<Error>& error, Each read) {
  const auto* node = root.get(key);
  if (node == nullptr || error) return;
  TableReader top(file, root, error);
  const auto* list = node->as_array();
  if (list == nullptr || !list->is_array_of_tables() || list->size() > max)
    return top.fail("must be at most " + std::to_string(max) + " tables: [[" + key + "]]", key);
  for (const auto& one : *list) {
    TableReader in(file, *one.as_table(), error);
    read(in, book);
    if (error) return;
  }
}

void add_rule(TableReader& in, RuleBook& book) {
  auto rule = read_rule(in, book);
  const auto same = [&](const Rule& one) { return one.name == rule.name; };
  const auto before = std::find_if(book.rules.begin(), book.rules.end(), same);
  if (before != book.rules.end()) {
    *before = std::move(rule);
  } else {
    book.rules.push_back(std::move(rule));
  }
}

void add_target(TableReader& in, RuleBook& book) {
  auto target = read_target(in);
  for (const auto& one : book.targets) {
    if (one.name == target.name) in.fail("there is another target of this name", "name");
  }
  book.targets.push_back(std::move(target));
}

Result<RuleBook> read(std::string_view text, const std::string& file, RuleBook book) {
  if (text.size() > file_bytes_max)
    return Error{Code::invalid, "has more than " + std::to_string(file_bytes_max) + " bytes", file};
  toml::table root;
  try {
    root = toml::parse(text);
  } catch (const toml::parse_error& e) {
    return Error{Code::invalid, std::string(e.description()), file + ":" + std::to_string(e.source().begin.line)};
  }
  std::optional<Error> error;
  TableReader top(file, root, error);
  for (const auto* key : {"rule", "target", "inhibit", "notify"}) (void)top.get(key);
  top.finish("the file; there are [[rule]], [[target]], [[inhibit]] and [notify]");
  std::set<std::string> seen;
  if (const auto* rules = root.get_as<toml::array>("rule"); rules != nullptr && !error) {
    for (const auto& one : *rules) {
      if (one.as_table() == nullptr) break;
      TableReader in(file, *one.as_table(), error);
      add_rule(in, book);
      if (!error && !seen.insert(in.text("name")).second) in.fail("there is another rule of this name", "name");
      if (error) break;
    }
    if (!error && !rules->is_array_of_tables()) top.fail("must be tables: [[rule]]", "rule");
    if (!error && book.rules.size() > rules_max) top.fail("more than " + std::to_string(rules_max) + " rules", "rule");
  } else if (root.get("rule") != nullptr) {
    top.fail("must be tables: [[rule]]", "rule");
  }
  each(root, "target", targets_max, file, book, error, add_target);
  each(root, "inhibit", inhibitions_max, file, book, error, read_inhibition);
  if (root.get("notify") != nullptr && root.get_as<toml::table>("notify") == nullptr)
    top.fail("must be a table: [notify]", "notify");
  if (const auto* notify = root.get_as<toml::table>("notify"); notify != nullptr && !error) {
    TableReader in(file, *notify, error);
    read_notify(in, book);
  }
  if (error) return *error;
  return book;
}

}  // namespace

std::string_view name(Severity severity) { return severities[static_cast<std::size_t>(severity)]; }
std::vector<std::string_view> severity_names() { return {severities.begin(), severities.end()}; }
std::optional<Severity> severity(std::string_view text) {
  const auto found = std::find(severities.begin(), severities.end(), text);
  if (found == severities.end()) return std::nullopt;
  return static_cast<Severity>(found - severities.begin());
}
std::string_view name(Target::Type type) { return target_types[static_cast<std::size_t>(type)]; }

std::string condition(const Rule& rule) {
  auto out = rule.when ? rule.when->text() : std::string();
  if (rule.absent > Duration{}) out += (out.empty() ? "" : ", ") + ("nothing heard for " + duration_text(rule.absent));
  if (rule.count > 0) out += ", " + std::to_string(rule.count) + " times within " + duration_text(rule.within);
  if (rule.share > 0) {
    out += ", for " + std::to_string(std::lround(rule.share * 100)) + "%";
    if (rule.at_least > 1) out += " and at least " + std::to_string(rule.at_least);
  }
  if (rule.by) out += " of the same " + fleet::to_text(*rule.by);
  if (rule.hold > Duration{}) out += ", for " + duration_text(rule.hold);
  if (rule.until) out += ", until " + rule.until->text();
  return out;
}

const Rule* RuleBook::find(std::string_view name) const {
  const auto found = std::find_if(rules.begin(), rules.end(), [&](const Rule& rule) { return rule.name == name; });
  return found == rules.end() ? nullptr : &*found;
}

const RuleBook& shipped() {
  static const RuleBook book = [] {
    auto read_book = read(shipped_rules(), "shipped rules", {});
    FIELDWORK_CHECK(read_book.ok());
    return *read_book;
  }();
  return book;
}

Result<RuleBook> read_rules(std::string_view text, const std::string& file) { return read(text, file, shipped()); }

}  // namespace fieldwork::alerts
