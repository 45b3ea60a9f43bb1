// Why a TLS connection cannot be made: a handshake of our own, which tells more than the error of the MQTT library.
#pragma once

#include <chrono>
#include <string>

namespace fieldwork::crypto {

struct TlsFiles {  // PEM; certificate and key may be empty
  std::string ca;
  std::string certificate;
  std::string key;
};

// Makes a handshake as a client over a connected, blocking socket and says in one sentence, with the next step, what is
// wrong: files that cannot be read, a key of another certificate, our or the peer's certificate out of date, a CA or a
// host name that does not fit, a peer that refuses our certificate, no TLS there at all. Empty: all is well. Takes up
// to `patience`, and as long again for a peer that refuses after the handshake, as TLS 1.3 does.
[[nodiscard]] std::string why_tls_fails(int socket, const std::string& host, const TlsFiles& files,
                                        std::chrono::milliseconds patience);

}  // namespace fieldwork::crypto
