// The grammar of docs/expressions.md, by recursive descent: one function per rule.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "base/suggest.hpp"
#include "base/text.hpp"
#include "fleet/expression.hpp"

namespace fieldwork::fleet {
namespace {

struct Unit {
  std::string_view name;
  Type type;
  double factor;  // of the type's own unit
};
constexpr std::array units{
    Unit{"%", Type::percent, 1},
    Unit{"B", Type::bytes, 1},
    Unit{"kB", Type::bytes, 1e3},
    Unit{"MB", Type::bytes, 1e6},
    Unit{"GB", Type::bytes, 1e9},
    Unit{"TB", Type::bytes, 1e12},
    Unit{"KiB", Type::bytes, 0x1p10},
    Unit{"MiB", Type::bytes, 0x1p20},
    Unit{"GiB", Type::bytes, 0x1p30},
    Unit{"TiB", Type::bytes, 0x1p40},
    Unit{"bit", Type::bit_per_s, 1},
    Unit{"kbit", Type::bit_per_s, 1e3},
    Unit{"Mbit", Type::bit_per_s, 1e6},
    Unit{"Gbit", Type::bit_per_s, 1e9},
    Unit{"ms", Type::milliseconds, 1},
    Unit{"s", Type::milliseconds, 1e3},
    Unit{"min", Type::milliseconds, 60e3},
    Unit{"h", Type::milliseconds, 3'600e3},
    Unit{"d", Type::milliseconds, 86'400e3},
};

bool is_word_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word(char c) { return is_word_start(c) || is_digit(c) || c == '-' || c == '.' || c == ':' || c == '/'; }

struct Token {
  enum class Type { end, word, text, number, symbol, bad };
  Type type = Type::end;
  std::string text{};  // of a text without its quotes; of a bad token what is wrong
  double number = 0;
  std::string unit{};     // of a number; empty: none
  std::size_t begin = 0;  // offset of its first byte
  std::size_t end = 0;    // offset behind it
};

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  Token next() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n')) ++at_;
    Token token{.begin = at_};
    if (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"' || c == '\'') {
        quoted(c, token);
      } else if (is_digit(c) || (c == '-' && at_ + 1 < text_.size() && is_digit(text_[at_ + 1]))) {
        number(token);
      } else if (is_word_start(c)) {
        token.type = Token::Type::word;
        while (at_ < text_.size() && is_word(text_[at_])) ++at_;
        token.text = text_.substr(token.begin, at_ - token.begin);
        if (token.text.ends_with('.') && at_ < text_.size() && text_[at_] == '"') quoted('"', token);  // label."a b"
      } else {
        symbol(token);
      }
    }
    token.end = at_;
    return token;
  }

 private:
  // Appends what stands between the quotes; a backslash takes the next character as it is.
  void quoted(char quote, Token& token) {
    const auto type = token.type == Token::Type::word ? Token::Type::word : Token::Type::text;
    for (++at_; at_ < text_.size() && text_[at_] != quote; ++at_) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      token.text += text_[at_];
    }
    token.type = at_ < text_.size() ? type : Token::Type::bad;
    if (at_ < text_.size()) ++at_;
    if (token.type == Token::Type::bad) token.text = "this text has no closing quote";
  }

  void number(Token& token) {
    const auto read =
        std::from_chars(text_.data() + at_, text_.data() + text_.size(), token.number, std::chars_format::fixed);
    token.type = read.ec == std::errc{} ? Token::Type::number : Token::Type::bad;
    at_ = static_cast<std::size_t>(read.ptr - text_.data());
    if (token.type == Token::Type::bad) {
      token.text = "this number is too large";
      return;
    }
    const auto digits_end = at_;
    while (at_ < text_.size() && (is_word(text_[at_]) || text_[at_] == '%')) ++at_;
    token.unit = text_.substr(digits_end, at_ - digits_end);
    token.text = text_.substr(token.begin, at_ - token.begin);  // a version or a bare text that begins with a digit
  }

  void symbol(Token& token) {
    static constexpr std::array symbols{"==", "!=", "<=", ">=", "^=", "<", ">", "(", ")", ","};
    for (const std::string_view one : symbols) {
      if (!text_.substr(at_).starts_with(one)) continue;
      token.type = Token::Type::symbol;
      token.text = one;
      at_ += one.size();
      return;
    }
    token.type = Token::Type::bad;
    token.text = "there is no such operator; there are == != < <= > >= ^= in, not, and, or, has";
    if (text_[at_] == '=') token.text = "write == to compare";
    if (text_[at_] == '&') token.text = "write `and`";
    if (text_[at_] == '|') token.text = "write `or`";
    if (text_[at_] == '!') token.text = "write `not`";
    ++at_;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

class Parser {
 public:
  Parser(std::string_view text, Vocabulary vocabulary) : text_(text), vocabulary_(vocabulary), lexer_(text) {
    advance();
  }

  Result<Node> parse() {
    auto node = any(0);
    if (!error_ && token_.type != Token::Type::end) unfinished();
    if (error_) return *error_;
    return node;
  }

 private:
  void advance() {
    ended_ = token_.end;
    after_number_ = token_.type == Token::Type::number;
    token_ = lexer_.next();
    if (token_.type == Token::Type::bad) fail(token_.begin, token_.text);
  }
  void fail(std::size_t at, std::string reason) {
    if (!error_) error_ = Error{Code::invalid, std::move(reason), "column " + std::to_string(at + 1)};
  }
  void expected(const std::string& what) {
    const auto here =
        token_.type == Token::Type::end
            ? "the end"
            : "`" + std::string(text_.substr(token_.begin, std::min<std::size_t>(token_.end - token_.begin, 32))) + "`";
    fail(token_.begin, "expected " + what + ", not " + here);
  }
  // Behind a whole expression stands something else.
  void unfinished() {
    std::string lower = token_.text;
    for (auto& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (lower == "and" || lower == "or") return fail(token_.begin, "write `" + lower + "`");
    const auto is_unit = [&](const Unit& unit) { return unit.name == token_.text; };
    if (after_number_ && std::any_of(units.begin(), units.end(), is_unit))
      return fail(token_.begin, "a unit stands directly behind its number: no blank before `" + token_.text + "`");
    expected("`and`, `or` or the end");
  }
  [[nodiscard]] bool is(std::string_view text) const {
    return (token_.type == Token::Type::word || token_.type == Token::Type::symbol) && token_.text == text;
  }
  bool accept(std::string_view text) {
    if (!is(text)) return false;
    advance();
    return true;
  }

  Node list(Node::Type type, std::string_view word, Node (Parser::*operand)(int), int depth) {
    auto first = (this->*operand)(depth);
    if (error_ || !is(word)) return first;
    Node node{type, {}, {}};
    node.children.push_back(std::move(first));
    while (!error_ && accept(word)) node.children.push_back((this->*operand)(depth));
    return node;
  }
  Node any(int depth) { return list(Node::Type::any, "or", &Parser::all, depth); }
  Node all(int depth) { return list(Node::Type::all, "and", &Parser::one, depth); }

  Node one(int depth) {
    if (depth == nesting_max) fail(token_.begin, "is nested more than " + std::to_string(nesting_max) + " deep");
    if (error_) return {};
    if (accept("not")) {
      Node node{Node::Type::none, {}, {}};
      node.children.push_back(one(depth + 1));
      return node;
    }
    if (accept("(")) {
      auto node = any(depth + 1);
      if (!error_ && !accept(")")) expected("`)`");
      return node;
    }
    return term();
  }

  Node term() {
    Node node{Node::Type::term, {}, {}};
    auto& term = node.term;
    const auto begin = token_.begin;
    term.column = static_cast<int>(begin) + 1;
    if (++terms_ > terms_max) fail(begin, "more than " + std::to_string(terms_max) + " terms");
    if (accept("has")) {
      term.op = Operator::has;
      name(term);
    } else {
      name(term);
      if (!error_) comparison(term);
    }
    if (!error_) term.source = text_.substr(begin, ended_ - begin);
    return node;
  }

  void name(Term& term) {
    if (error_) return;
    static constexpr std::array words{"and", "or", "not", "in", "has"};
    if (token_.type != Token::Type::word || std::find(words.begin(), words.end(), token_.text) != words.end())
      return expected("an attribute");
    auto found = attribute(token_.text, vocabulary_);
    if (!found) return fail(token_.begin, found.error().reason);
    term.attribute = std::move(*found);
    advance();
  }

  void comparison(Term& term) {
    const auto at = token_.begin;
    if (accept("not")) {
      term.negated = true;
      if (!is("in")) return expected("`in`");
    }
    if (accept("in")) {
      term.op = Operator::in;
      return values(term);
    }
    struct Symbol {
      std::string_view text;
      Operator op;
    };
    static constexpr std::array symbols{Symbol{"==", Operator::equal},  Symbol{"!=", Operator::equal},
                                        Symbol{"<", Operator::less},    Symbol{"<=", Operator::less_or_equal},
                                        Symbol{">", Operator::greater}, Symbol{">=", Operator::greater_or_equal},
                                        Symbol{"^=", Operator::begins}};
    const auto* symbol = std::find_if(symbols.begin(), symbols.end(), [&](const auto& s) { return is(s.text); });
    if (symbol == symbols.end()) return expected("an operator (== != < <= > >= ^= in, not in)");
    const auto type = term.attribute.of().type;
    const bool ordered = symbol->op != Operator::equal && symbol->op != Operator::begins;
    if ((ordered && (type == Type::text || type == Type::word)) || (symbol->op == Operator::begins && !has_texts(type)))
      return fail(at, to_text(term.attribute) + " is a " + std::string(fleet::name(type)) + ": it has no " +
                          std::string(symbol->text));
    term.op = symbol->op;
    term.negated = symbol->text == "!=";
    advance();
    value(term);
  }

  void values(Term& term) {
    if (!error_ && !accept("(")) return expected("`(` and the values");
    do {
      if (term.texts.size() + term.numbers.size() == values_max)
        fail(token_.begin, "more than " + std::to_string(values_max) + " values");
      value(term);
    } while (!error_ && accept(","));
    if (!error_ && !accept(")")) expected("`,` or `)`");
  }

  void value(Term& term) {
    if (error_) return;
    const auto& kind = term.attribute.of();
    const bool literal = token_.type == Token::Type::word || token_.type == Token::Type::text;
    if (has_texts(kind.type)) {
      if (!literal && token_.type != Token::Type::number) return expected("a text");
      term.texts.push_back(token_.text);
    } else if (kind.type == Type::word) {
      if (!literal) return expected("one of its words");
      const auto words = kind.words();
      const auto found = std::find(words.begin(), words.end(), token_.text);
      if (found == words.end()) return no_word(kind, words);
      term.numbers.push_back(static_cast<double>(found - words.begin()));
    } else {
      if (token_.type != Token::Type::number) return expected("a number");
      if (!in_unit(kind)) return;
      term.numbers.push_back(token_.number);
    }
    advance();
  }

  void no_word(const Kind& kind, const std::vector<std::string_view>& words) {
    std::string all;
    for (const auto word : words) all += (all.empty() ? "" : ", ") + std::string(word);
    const auto near = closest(token_.text, words);
    fail(token_.begin, std::string(kind.name) + " is never " + token_.text.substr(0, 64) +
                           (near.empty() ? "" : "; did you mean " + near + "?") + " (one of " + all + ")");
  }

  // Converts the number to the attribute's unit.
  bool in_unit(const Kind& kind) {
    if (token_.unit.empty()) return true;
    const bool time = kind.type == Type::seconds;
    std::string known;
    for (const auto& unit : units) {
      if (unit.type != (time ? Type::milliseconds : kind.type)) continue;
      if (unit.name == token_.unit || (unit.type == Type::bit_per_s && token_.unit == std::string(unit.name) + "/s")) {
        token_.number *= unit.factor / (time ? 1000 : 1);
        return true;
      }
      known += (known.empty() ? "" : " ") + std::string(unit.name);
    }
    fail(token_.end - token_.unit.size(), std::string(kind.name) + " has no unit " + token_.unit.substr(0, 16) +
                                              (known.empty() ? ": it is a plain number" : "; there are " + known));
    return false;
  }

  std::string_view text_;
  Vocabulary vocabulary_;
  Lexer lexer_;
  Token token_;
  std::size_t ended_ = 0;      // offset behind the token before
  bool after_number_ = false;  // that is a number
  std::size_t terms_ = 0;
  std::optional<Error> error_;
};

}  // namespace

Result<Expression> Expression::parse(std::string_view text, Vocabulary vocabulary) {
  if (text.size() > expression_bytes_max)
    return Error{Code::invalid, "an expression has at most " + std::to_string(expression_bytes_max) + " bytes",
                 "column " + std::to_string(expression_bytes_max + 1)};
  if (!is_text(text)) return Error{Code::invalid, "is not UTF-8 text", "column 1"};
  auto root = Parser(text, vocabulary).parse();
  if (!root) return root.error();
  Expression out;
  out.text_ = text;
  out.root_ = std::make_shared<const Node>(std::move(*root));
  return out;
}

}  // namespace fieldwork::fleet
