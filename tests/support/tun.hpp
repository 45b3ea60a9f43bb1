// A TUN device in a network namespace: IP packets are read from it and written to it.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

namespace fieldwork::support {

inline constexpr int tun_mtu_bytes = 1500;
inline constexpr int tun_waiting_packets = 10'000;  // that the kernel keeps until they are read

// Of what stands at `where`, an option or a path; with the system's reason.
[[noreturn]] inline void fail_at(const std::string& where, const std::string& what) {
  throw std::runtime_error(where + ": " + what + ": " + std::strerror(errno));
}

// A descriptor that is closed with its object.
class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(other.number_) { other.number_ = -1; }
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) close(number_);
  }
  [[nodiscard]] int number() const { return number_; }

 private:
  int number_;
};

// The path of a namespace: a name is one that `ip netns add` made; anything with a slash is a path already.
inline std::string namespace_path(const std::string& name) {
  return name.find('/') == std::string::npos ? "/run/netns/" + name : name;
}

// Gives `device` of the calling thread's namespace its address, its peer's, its MTU and its queue, and sets it up.
inline void set_up_device(ifreq device, const std::string& where, const std::string& address, const std::string& peer) {
  const Descriptor control(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto set = [&](unsigned long what, const std::string& to) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    if (inet_pton(AF_INET, to.c_str(), &in.sin_addr) != 1) {
      throw std::runtime_error(where + "-address: '" + to + "' is not an IPv4 address");
    }
    std::memcpy(&device.ifr_addr, &in, sizeof in);
    if (ioctl(control.number(), what, &device) != 0) fail_at(where + "-address", "cannot set " + to);
  };
  // Router solicitations would be counted, and nobody answers them. A kernel without IPv6 has no such file.
  const auto path = "/proc/sys/net/ipv6/conf/" + std::string(device.ifr_name) + "/disable_ipv6";
  const Descriptor without_ipv6(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (without_ipv6.number() >= 0 && write(without_ipv6.number(), "1", 1) != 1) fail_at(where, "cannot turn off IPv6");
  set(SIOCSIFADDR, address);
  set(SIOCSIFDSTADDR, peer);
  set(SIOCSIFNETMASK, "255.255.255.255");
  device.ifr_mtu = tun_mtu_bytes;
  if (ioctl(control.number(), SIOCSIFMTU, &device) != 0) fail_at(where, "cannot set the MTU");
  device.ifr_qlen = tun_waiting_packets;
  if (ioctl(control.number(), SIOCSIFTXQLEN, &device) != 0) fail_at(where, "cannot set the queue's length");
  device.ifr_flags = IFF_UP | IFF_RUNNING;
  if (ioctl(control.number(), SIOCSIFFLAGS, &device) != 0) fail_at(where, "cannot set the device up");
}

// Opens a new device "link0" in the namespace `name`; `where` is the option that named it. The calling thread is in its
// own namespace again when this returns, and anywhere when it throws.
inline Descriptor open_tun(const std::string& where, const std::string& name, const std::string& address,
                           const std::string& peer) {
  const Descriptor home(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  const Descriptor there(open(namespace_path(name).c_str(), O_RDONLY | O_CLOEXEC));
  if (there.number() < 0) fail_at(where, "no network namespace " + namespace_path(name));
  if (setns(there.number(), CLONE_NEWNET) != 0) fail_at(where, "cannot enter the namespace " + name);
  Descriptor tun(open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK));
  if (tun.number() < 0) fail_at("/dev/net/tun", "cannot open it");
  ifreq device{};
  std::strcpy(device.ifr_name, "link%d");  // the kernel replaces %d by the first free number
  device.ifr_flags = IFF_TUN | IFF_NO_PI;
  if (ioctl(tun.number(), TUNSETIFF, &device) != 0) fail_at(where, "cannot make a TUN device");
  set_up_device(device, where, address, peer);
  if (setns(home.number(), CLONE_NEWNET) != 0) fail_at(where, "cannot go back to the own namespace");
  return tun;
}

}  // namespace fieldwork::support
