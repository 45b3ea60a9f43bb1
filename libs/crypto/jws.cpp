#include "crypto/jws.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "crypto/bytes.hpp"
#include "crypto/limits.hpp"
#include "file.hpp"
#include "merkle.hpp"
#include "openssl.hpp"

namespace fieldwork::crypto {
namespace {

constexpr std::string_view before_kid = R"({"alg":"ES256","kid":")";
constexpr std::string_view before_type = R"(","typ":")";
constexpr std::string_view after_type = R"("})";
constexpr std::size_t raw_half = 32;  // bytes of r and of s, each
constexpr std::string_view batch_type = "fieldwork-batch+jws";
constexpr char between = '~';  // separates the parts of a member of a batch; no JWS holds it

bool is_type(std::string_view type) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.' || c == '/';
  };
  return !type.empty() && type.size() <= jws_type_bytes_max && std::all_of(type.begin(), type.end(), fits);
}

struct Parts {
  std::string kid, type, payload, signature;  // decoded
  std::string_view signed_text;
};

/// Takes `part` off the front of `text`; false: `text` does not begin with it.
bool skip(std::string_view& text, std::string_view part) {
  if (!text.starts_with(part)) return false;
  text.remove_prefix(part.size());
  return true;
}

bool read_header(std::string_view header, Parts& parts) {
  if (!skip(header, before_kid) || header.size() < 64 || !is_hex(header.substr(0, 64), 64)) return false;
  parts.kid = header.substr(0, 64);
  header.remove_prefix(64);
  if (!skip(header, before_type) || !header.ends_with(after_type)) return false;
  header.remove_suffix(after_type.size());
  parts.type = header;
  return is_type(parts.type);
}

Result<Parts> parse(std::string_view jws) {
  if (jws.size() > jws_bytes_max) return Error{Code::invalid, "the JWS is too long"};
  const auto first = jws.find('.');
  const auto second = first == jws.npos ? jws.npos : jws.find('.', first + 1);
  if (second == jws.npos || jws.find('.', second + 1) != jws.npos) {
    return Error{Code::invalid, "a JWS has exactly three parts"};
  }
  Parts parts;
  const auto header = base64url_decode(jws.substr(0, first));
  if (!header || !read_header(*header, parts)) return Error{Code::invalid, "the JWS header is not the canonical one"};
  auto payload = base64url_decode(jws.substr(first + 1, second - first - 1));
  if (!payload || payload->empty()) return Error{Code::invalid, "the JWS payload is not base64url"};
  auto signature = base64url_decode(jws.substr(second + 1));
  if (!signature || signature->size() != 2 * raw_half) {
    return Error{Code::invalid, "the JWS signature is not 64 bytes of base64url"};
  }
  parts.payload = std::move(*payload);
  parts.signature = std::move(*signature);
  parts.signed_text = jws.substr(0, second);
  return parts;
}

/// r and s side by side, from OpenSSL's DER form.
std::string raw_signature(const std::string& der) {
  const Signature signature(parse_der(d2i_ECDSA_SIG, ECDSA_SIG_free, der));
  must(signature != nullptr, "a signature cannot be read");
  std::string raw(2 * raw_half, '\0');
  must(BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), bytes_of(raw), raw_half) == raw_half &&
           BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), bytes_of(raw) + raw_half, raw_half) == raw_half,
       "a signature cannot be written");
  return raw;
}

std::string der_signature(std::string_view raw) {
  const Signature signature(ECDSA_SIG_new());
  BIGNUM* r = BN_bin2bn(bytes_of(raw), raw_half, nullptr);
  BIGNUM* s = BN_bin2bn(bytes_of(raw) + raw_half, raw_half, nullptr);
  must(signature && r && s && ECDSA_SIG_set0(signature.get(), r, s) == 1, "no memory");
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(signature.get(), &der);
  must(size > 0, "a signature cannot be written");
  std::string bytes(reinterpret_cast<char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return bytes;
}

std::string sign(const PrivateKey& key, std::string_view text) {
  must(key.public_key().kind() == KeyKind::p256, "sign_jws: a key that does not sign");
  const MdContext context(EVP_MD_CTX_new());
  must(context && EVP_DigestSignInit(context.get(), nullptr, sha256_method(), nullptr, key.native()) == 1,
       "signing cannot start");
  std::string der(128, '\0');
  std::size_t size = der.size();
  must(EVP_DigestSign(context.get(), bytes_of(der), &size, bytes_of(text), text.size()) == 1, "signing failed");
  der.resize(size);
  return raw_signature(der);
}

bool signature_fits(const PublicKey& key, std::string_view text, std::string_view raw) {
  const ErrorScope scope;
  const std::string der = der_signature(raw);
  const MdContext context(EVP_MD_CTX_new());
  must(context && EVP_DigestVerifyInit(context.get(), nullptr, sha256_method(), nullptr, key.native()) == 1,
       "verification cannot start");
  return EVP_DigestVerify(context.get(), bytes_of(std::string_view(der)), der.size(), bytes_of(text), text.size()) == 1;
}

Result<PublicKey> key_of(const PemBlock& block) {
  const ErrorScope scope;
  Pkey key;
  if (block.name == "PUBLIC KEY") {
    key.reset(parse_der(d2i_PUBKEY, EVP_PKEY_free, block.der));
  } else if (block.name == "CERTIFICATE") {
    const X509Pointer certificate(parse_der(d2i_X509, X509_free, block.der));
    if (certificate) key.reset(X509_get_pubkey(certificate.get()));
  } else {
    return Error{Code::invalid, "holds a block that is neither PUBLIC KEY nor CERTIFICATE"};
  }
  if (!key) return Error{Code::invalid, "holds a malformed " + block.name};
  return checked_public_key(std::move(key), KeyUse::sign);
}

}  // namespace

std::string sign_jws(const PrivateKey& key, std::string_view type, std::string_view payload_json) {
  must(is_type(type), "sign_jws: not a type");
  std::string header(before_kid);
  header.append(key.public_key().id()).append(before_type).append(type).append(after_type);
  std::string text = base64url_encode(header) + '.' + base64url_encode(payload_json);
  const std::string signature = base64url_encode(sign(key, text));
  return text + '.' + signature;
}

namespace {

std::string root_payload(std::string_view root, std::size_t count, std::string_view type) {
  return R"({"count":)" + std::to_string(count) + R"(,"root":")" + to_hex(root) + R"(","type":")" + std::string(type) +
         R"("})";
}

// A member of a batch, as text: JWS of the root ~ payload ~ index.count ~ path
struct Member {
  std::string_view root_jws;
  std::string payload, path;
  std::size_t index = 0, count = 0;
};

Result<Member> parse_member(std::string_view text) {
  const Error wrong{Code::invalid, "the member of a batch has not its four parts"};
  if (text.size() > jws_bytes_max) return Error{Code::invalid, "the JWS is too long"};
  std::vector<std::string_view> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const auto end = std::min(text.find(between, begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  if (parts.size() != 4) return wrong;
  Member out{.root_jws = parts[0]};
  auto payload = base64url_decode(parts[1]);
  auto path = base64url_decode(parts[3]);
  const auto* place = parts[2].data();
  const auto* end = place + parts[2].size();
  const auto index = std::from_chars(place, end, out.index);
  const bool dotted = index.ec == std::errc() && index.ptr != end && *index.ptr == '.';
  const auto count = dotted ? std::from_chars(index.ptr + 1, end, out.count) : index;
  if (!payload || !path || !dotted || count.ec != std::errc() || count.ptr != end) return wrong;
  if (out.count < 2 || out.count > jws_batch_max) return wrong;
  out.payload = std::move(*payload);
  out.path = std::move(*path);
  return out;
}

}  // namespace

std::vector<std::string> sign_jws_batch(const PrivateKey& key, std::string_view type,
                                        const std::vector<std::string>& payloads) {
  must(payloads.size() <= jws_batch_max, "sign_jws_batch: too many");
  if (payloads.empty()) return {};
  if (payloads.size() == 1) return {sign_jws(key, type, payloads.front())};
  must(is_type(type), "sign_jws_batch: not a type");
  for (const auto& payload : payloads) must(payload.size() <= jws_payload_bytes_max, "sign_jws_batch: too long");
  const auto tree = merkle_tree(payloads);
  const auto root = sign_jws(key, batch_type, root_payload(tree.root, payloads.size(), type));
  std::vector<std::string> out;
  out.reserve(payloads.size());
  for (std::size_t i = 0; i < payloads.size(); ++i) {
    auto& text = out.emplace_back(root);
    text += between + base64url_encode(payloads[i]) + between + std::to_string(i) + '.' +
            std::to_string(payloads.size()) + between + base64url_encode(tree.paths[i]);
  }
  return out;
}

Result<std::string> jws_payload_unverified(std::string_view jws) {
  if (jws.find(between) != jws.npos) {
    auto member = parse_member(jws);
    if (!member) return member.error();
    return std::move(member->payload);
  }
  auto parts = parse(jws);
  if (!parts) return parts.error();
  return std::move(parts->payload);
}

Result<TrustStore> TrustStore::load(const std::filesystem::path& path) {
  const auto failed = [&](const Error& error) { return Error{error.code, error.reason, path.string()}; };
  const auto text = read_file(path, pem_bytes_max);
  if (!text) return text.error();
  const Bio bio = bio_over(*text);
  TrustStore store;
  for (;;) {
    const auto block = next_pem_block(bio.get());
    if (!block) return failed(block.error());
    if (block->name.empty()) break;
    auto key = key_of(*block);
    if (!key) return failed(key.error());
    store.add(std::move(*key));
  }
  if (store.keys_.empty()) return failed({Code::invalid, "holds no public key"});
  return store;
}

void TrustStore::add(PublicKey key) {
  must(key.kind() == KeyKind::p256, "TrustStore: a key that does not sign");
  std::string id = key.id();
  keys_.insert_or_assign(std::move(id), std::move(key));
}

// A root that was verified once stays verified: keys are added to the store and never removed.
Result<VerifiedJws> TrustStore::verify_root(std::string_view jws) const {
  {
    const std::lock_guard lock(roots_.mutex);
    for (const auto& [text, verified] : roots_.known) {
      if (text == jws) return verified;
    }
  }
  auto verified = verify_plain(jws, batch_type);
  if (!verified) return verified;
  const std::lock_guard lock(roots_.mutex);
  roots_.known.emplace_front(jws, *verified);
  if (roots_.known.size() > Roots::known_max) roots_.known.pop_back();
  return verified;
}

Result<VerifiedJws> TrustStore::verify_member(std::string_view text, std::string_view expected_type) const {
  auto member = parse_member(text);
  if (!member) return member.error();
  auto root = verify_root(member->root_jws);
  if (!root) return root;
  const auto hash = merkle_root(member->payload, member->index, member->count, member->path);
  if (hash.empty() || root->payload != root_payload(hash, member->count, expected_type))
    return Error{Code::denied, "the signed batch does not hold this as a " + std::string(expected_type)};
  return VerifiedJws{std::string(expected_type), std::move(root->kid), std::move(member->payload)};
}

Result<VerifiedJws> TrustStore::verify_signer(std::string_view jws, std::string_view expected_type) const {
  return jws.find(between) == jws.npos ? verify_plain(jws, expected_type) : verify_member(jws, expected_type);
}

Result<VerifiedJws> TrustStore::verify_plain(std::string_view jws, std::string_view expected_type) const {
  auto parts = parse(jws);
  if (!parts) return parts.error();
  if (parts->type != expected_type) {
    return Error{Code::denied, "the JWS is a " + parts->type + ", not a " + std::string(expected_type)};
  }
  const auto key = keys_.find(parts->kid);
  if (key == keys_.end()) return Error{Code::denied, "the signer " + parts->kid + " is not trusted"};
  if (!signature_fits(key->second, parts->signed_text, parts->signature)) {
    return Error{Code::denied, "the signature does not fit"};
  }
  return VerifiedJws{std::move(parts->type), std::move(parts->kid), std::move(parts->payload)};
}

Result<std::string> TrustStore::verify(std::string_view jws, std::string_view expected_type) const {
  auto verified = verify_signer(jws, expected_type);
  if (!verified) return verified.error();
  return std::move(verified->payload);
}

}  // namespace fieldwork::crypto
