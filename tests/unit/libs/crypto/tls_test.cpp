// links: crypto GTest::gtest_main
// Why a TLS connection cannot be made.
#include "crypto/tls.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "support/tls_files.hpp"

namespace fieldwork::crypto {
namespace {

struct TlsTest : ::testing::Test {
  static const TlsFiles& files() {
    static const auto directory = support::certificates().string();
    static const TlsFiles some{directory + "/ca.crt", directory + "/client.crt", directory + "/client.key"};
    return some;
  }
  TlsTest() { EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0); }
  ~TlsTest() override { hang_up(); }
  void hang_up() {
    for (auto& one : ends) {
      if (one >= 0) close(one);
      one = -1;
    }
  }
  std::array<int, 2> ends{-1, -1};
};

// A network that swallows what is sent looks like this, too: nothing is wrong with the certificates.
TEST_F(TlsTest, WhoTakesTheConnectionAndSaysNothing) {
  EXPECT_EQ(
      why_tls_fails(ends[0], "localhost", files(), std::chrono::milliseconds(50)),
      "that port takes connections and says nothing: does it speak TLS, and does the network let answers through?");
}

TEST_F(TlsTest, WhoHangsUp) {
  shutdown(ends[1], SHUT_WR);
  const auto why = why_tls_fails(ends[0], "localhost", files(), std::chrono::seconds(5));
  EXPECT_EQ(why.rfind("the other side closes the connection during the TLS greeting", 0), 0U) << why;
}

}  // namespace
}  // namespace fieldwork::crypto
