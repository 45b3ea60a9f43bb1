// Tries a TLS handshake to say why a real one fails: MQTT's library says only that it failed.
#pragma once

#include <chrono>
#include <string>

namespace fieldwork::crypto {

enum class HandshakeFault {
  none,         // both sides are content, or at least nobody said no within the patience
  no_network,   // nothing accepts connections there; `detail`: why
  no_tls,       // the other side does not speak TLS
  not_trusted,  // its certificate is not issued by `ca`; `detail`: by whom
  expired,      // its certificate; `detail`: until when
  not_yet_valid,
  wrong_host,  // its certificate is for other names; `detail`: for which
  refuses_us,  // it ended the handshake, or the connection after it; `detail`: its alert, in OpenSSL's words
  own_files,   // `ca`, `certificate` or `key` cannot be used; `detail`
  other,
};

struct Handshake {
  HandshakeFault fault = HandshakeFault::none;
  std::string detail;
};

/// What a TLS client would present. `certificate` and `key` may be empty. Paths of PEM files.
struct HandshakeWith {
  std::string ca;
  std::string certificate;
  std::string key;
};

/// Connects, shakes hands, waits a moment for a late refusal (TLS 1.3 servers look at our certificate after we think
/// that all is well), says goodbye. Sends nothing else. Blocks, at most for about twice `patience`.
[[nodiscard]] Handshake try_handshake(const std::string& host, const std::string& port, const HandshakeWith& with,
                                      std::chrono::milliseconds patience);

}  // namespace fieldwork::crypto
