// libFuzzer: any bytes as a sealed frame, a signed text, a key, a certificate and a topic. A reader takes them or says
// what is wrong.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "crypto/certificate.hpp"
#include "crypto/issue.hpp"
#include "crypto/jws.hpp"
#include "crypto/sealed.hpp"
#include "seeds.hpp"
#include "topic/topic.hpp"

namespace {

using namespace fieldwork;

struct Known {
  crypto::PrivateKey key = crypto::PrivateKey::generate();
  crypto::TrustStore trust;
  std::string content_key = crypto::generate_content_key();
  Topics topics{"fieldwork/v1"};

  Known() { trust.add(key.public_key()); }
};
const Known& known() {
  static const Known one;
  return one;
}

crypto::Sealed sealed(const std::string& key) {
  return crypto::Sealed::make({.content_id_hex = std::string(32, 'a'),
                               .chunk_bytes = crypto::chunk_bytes_min,
                               .encoded_bytes = 5000,
                               .digest = "sha256:" + std::string(64, 'a')},
                              key)
      .value();
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* count, char*** words) {
  std::vector<std::string> inputs{known().key.to_pem(), known().key.public_key().to_pem(),
                                  crypto::sign_jws(known().key, "t+jws", R"({"v":1})"),
                                  "fieldwork/v1/device/d1/up/report"};
  for (auto& text : crypto::sign_jws_batch(known().key, "t+jws", {R"({"v":1})", R"({"v":2})", R"({"v":3})"}))
    inputs.push_back(std::move(text));
  // Of the right content and size, under another key.
  inputs.push_back(sealed(crypto::generate_content_key()).frame(0, std::string(2 * crypto::chunk_bytes_min, 'x')));
  inputs.push_back(sealed(crypto::generate_content_key()).frame(4096, std::string(904, 'x')));
  fuzz::seed_corpus(*count, *words, inputs);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static auto content = sealed(known().content_key);
  if (content.open(text).ok()) std::abort();
  if (const auto header = crypto::sealed_frame_header(text); header && header->length >= text.size()) std::abort();
  (void)crypto::jws_payload_unverified(text);
  (void)known().trust.verify(text, "t+jws");
  (void)crypto::PublicKey::from_pem(text);
  (void)crypto::PrivateKey::from_pem(text);
  if (const auto certificate = crypto::Certificate::from_pem(text)) {
    if (!crypto::Certificate::from_pem(certificate->to_pem())) std::abort();
  }
  (void)known().topics.parse(text);
  return 0;
}
