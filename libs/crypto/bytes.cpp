#include "crypto/bytes.hpp"

#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "openssl.hpp"

namespace fieldwork::crypto {
namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";
constexpr std::string_view standard = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view for_urls = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::uint8_t no_value = 0xff;

using Values = std::array<std::uint8_t, 256>;
constexpr Values values_of(std::string_view alphabet) {
  Values values{};
  values.fill(no_value);
  for (std::size_t i = 0; i < alphabet.size(); ++i) {
    values[static_cast<std::uint8_t>(alphabet[i])] = static_cast<std::uint8_t>(i);
  }
  return values;
}
constexpr Values hex_values = values_of(hex_digits);
constexpr Values standard_values = values_of(standard);
constexpr Values url_values = values_of(for_urls);

std::uint8_t value(const Values& values, char c) { return values[static_cast<std::uint8_t>(c)]; }

std::string encode(std::string_view bytes, std::string_view alphabet) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : bytes) {
    bits = (bits << 8) | static_cast<std::uint8_t>(c);
    for (count += 8; count >= 6; count -= 6) text += alphabet[(bits >> (count - 6)) & 63];
  }
  if (count > 0) text += alphabet[(bits << (6 - count)) & 63];
  return text;
}

Result<std::string> decode(std::string_view text, const Values& values) {
  if (text.size() % 4 == 1) return Error{Code::invalid, "is not base64: one character is left over"};
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3 + 2);
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const std::uint8_t six = value(values, c);
    if (six == no_value) return Error{Code::invalid, "is not base64: a character is out of the alphabet"};
    bits = ((bits << 6) | six) & 0xffffU;
    count += 6;
    if (count >= 8) {
      count -= 8;
      bytes += static_cast<char>((bits >> count) & 0xff);
    }
  }
  if ((bits & ((1U << count) - 1)) != 0) return Error{Code::invalid, "is not base64: the spare bits are not zero"};
  return bytes;
}

}  // namespace

std::string to_hex(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    text += hex_digits[static_cast<std::uint8_t>(c) >> 4];
    text += hex_digits[static_cast<std::uint8_t>(c) & 15];
  }
  return text;
}

Result<std::string> from_hex(std::string_view text) {
  if (text.size() % 2 != 0 || !is_hex(text, text.size())) return Error{Code::invalid, "is not lower-case hex"};
  std::string bytes;
  bytes.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    bytes += static_cast<char>((value(hex_values, text[i]) << 4) | value(hex_values, text[i + 1]));
  }
  return bytes;
}

bool is_hex(std::string_view text, std::size_t digits) {
  return text.size() == digits &&
         std::all_of(text.begin(), text.end(), [](char c) { return value(hex_values, c) != no_value; });
}

std::string base64_encode(std::string_view bytes) {
  std::string text = encode(bytes, standard);
  text.append((4 - text.size() % 4) % 4, '=');
  return text;
}

Result<std::string> base64_decode(std::string_view text) {
  if (text.size() % 4 != 0) return Error{Code::invalid, "is not base64: the padding is missing"};
  for (int padding = 0; padding < 2 && text.ends_with('='); ++padding) text.remove_suffix(1);
  return decode(text, standard_values);
}

std::string base64url_encode(std::string_view bytes) { return encode(bytes, for_urls); }

Result<std::string> base64url_decode(std::string_view text) { return decode(text, url_values); }

std::string random_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  must(count <= 0x7fffffff && RAND_bytes(bytes_of(bytes), static_cast<int>(count)) == 1, "no randomness");
  return bytes;
}

}  // namespace fieldwork::crypto
