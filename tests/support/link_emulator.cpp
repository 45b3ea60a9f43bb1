// link-emulator: a link between two network namespaces. See --help.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

#include <cmath>
#include <cstdio>
#include <iostream>
#include <sstream>
#include <thread>

#include "link_settings.hpp"

namespace fieldwork::support {
namespace {

constexpr auto usage =
    R"(Usage: link-emulator --left NAMESPACE --right NAMESPACE --left-address A --right-address B [options]

Joins two network namespaces by TUN devices ("link0") and carries IP packets between them, slowed and lost as on the
link that the options describe. Needs root and /dev/net/tun; no part of the kernel's traffic control. Runs until
SIGTERM, SIGINT or the death of its parent; then the devices are gone. A NAMESPACE is a name of `ip netns`, or a path
such as /proc/PID/ns/net. An address is an IPv4 address; each side has a route to the other's.

Options that take VALUE, or VALUE_TO_RIGHT/VALUE_TO_LEFT where the directions differ:
  --rate BIT_PER_S   of IP packets with their headers; 0: no limit (default: 0)
  --delay MS         one way, added to the time that the rate takes (default: 0)
  --loss PERCENT     of packets, after they took their time on the link (default: 0)
  --burst PACKETS    the mean length of a loss, by Gilbert's model; 1: each packet by itself (default: 1)
  --queue LENGTH     of packets that wait for the rate: 250ms or 64000B; a packet beyond is dropped (default: 200ms)

Other options:
  --seed N           of the losses (default: 1): the same seed loses the same packets of the same sequence
  --cut-at S         from S seconds after the start on, nothing passes
  --cut-for S        for so long (default: for ever)
  --control PATH     a FIFO, which is made once the link is up and deleted at the end. Lines that are written to it:
                     cut | join | rate VALUE | delay VALUE | loss VALUE | burst VALUE | queue VALUE | stats [LABEL]

At its end, and for each line `stats`, it prints one JSON object on one line: the seconds since the start, the label,
and for each direction packets and bytes that came (in) and were delivered (out), and packets that were lost, found the
queue full, or were cut off.

Examples:
  ip netns add a && ip netns add b
  link-emulator --left a --right b --left-address 10.9.0.1 --right-address 10.9.0.2 --rate 1000000 --delay 100 --loss 2
  link-emulator --left a --right b --left-address 10.9.0.1 --right-address 10.9.0.2 --rate 8e6/1e6 --control /tmp/link &
  echo cut >/tmp/link; sleep 5; echo join >/tmp/link; echo stats after-the-cut >/tmp/link

Exit codes: 0 ended as told, 1 the system refused something, 2 usage
)";

using Clock = std::chrono::steady_clock;

// The FIFO of --control. Open for writing, too: it has no end when a writer closes it.
class Control {
 public:
  explicit Control(const std::string& path) : path_(path) {
    if (path.empty()) return;
    if (mkfifo(path.c_str(), 0600) != 0) fail_at("--control", "cannot make " + path);
    fifo_ = Descriptor(open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
    if (fifo_.number() < 0) fail_at("--control", "cannot open " + path);
  }
  Control(const Control&) = delete;
  Control& operator=(const Control&) = delete;
  ~Control() {
    if (fifo_.number() >= 0) unlink(path_.c_str());
  }
  [[nodiscard]] int number() const { return fifo_.number(); }  // -1: none, which poll() passes over

  std::vector<std::string> lines() {
    char bytes[4096];
    ssize_t got = 0;
    while ((got = read(fifo_.number(), bytes, sizeof bytes)) > 0) text_.append(bytes, static_cast<std::size_t>(got));
    std::vector<std::string> out;
    for (std::size_t end = 0; (end = text_.find('\n')) != std::string::npos; text_.erase(0, end + 1)) {
      out.push_back(text_.substr(0, end));
    }
    return out;
  }

 private:
  std::string path_, text_;
  Descriptor fifo_;
};

class Link {
 public:
  explicit Link(const LinkSettings& settings)
      : settings_(settings),
        left_(open_tun("--left", settings.left, settings.left_address, settings.right_address)),
        right_(open_tun("--right", settings.right, settings.right_address, settings.left_address)),
        control_(settings.control),
        to_right_(left_.number(), right_.number(), settings.to_right, 2 * settings.seed),
        to_left_(right_.number(), left_.number(), settings.to_left, 2 * settings.seed + 1) {
    if (settings.cut_at_s) cut_at_ = after(*settings.cut_at_s);
  }

  // Until one of `signals`, which are blocked, comes.
  void run(const sigset_t& signals) {
    const Descriptor asked_to_end(signalfd(-1, &signals, SFD_CLOEXEC));
    std::jthread there([this] { to_right_.run(); });
    std::jthread back([this] { to_left_.run(); });
    pollfd waits[] = {{asked_to_end.number(), POLLIN, 0}, {control_.number(), POLLIN, 0}};
    while (waits[0].revents == 0) {
      poll(waits, 2, patience_ms());
      if ((waits[1].revents & POLLIN) != 0) {
        for (const auto& line : control_.lines()) hear(line);
      }
      cut_on_time();
    }
    to_right_.stop();
    to_left_.stop();
    there.join();
    back.join();
    say("end");
  }

 private:
  [[nodiscard]] Clock::time_point after(double s) const {
    return std::isinf(s) ? Clock::time_point::max()
                         : start_ + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(s));
  }

  [[nodiscard]] int patience_ms() const {
    const auto next = std::min(cut_at_, join_at_);
    if (next == Clock::time_point::max()) return -1;
    return static_cast<int>(
        std::max<std::int64_t>(0, std::chrono::ceil<std::chrono::milliseconds>(next - Clock::now()).count()));
  }

  void cut(bool on) {
    to_right_.cut(on);
    to_left_.cut(on);
  }

  void cut_on_time() {
    if (Clock::now() >= cut_at_) {
      cut(true);
      cut_at_ = Clock::time_point::max();
      join_at_ = after(*settings_.cut_at_s + settings_.cut_for_s);
    }
    if (Clock::now() >= join_at_) {
      cut(false);
      join_at_ = Clock::time_point::max();
    }
  }

  void hear(const std::string& line) {
    std::istringstream words(line);
    std::string verb, value;
    words >> verb >> value;
    if (verb.empty()) return;
    if (verb == "stats") return say(value);
    if (verb == "cut" || verb == "join") return cut(verb == "cut");
    auto there = to_right_.shape(), back = to_left_.shape();
    try {
      if (!set_property(there, back, verb, verb, value)) throw Misuse("there is no word '" + verb + "'");
      check_shape(there);
      check_shape(back);
    } catch (const Misuse& misuse) {
      std::cerr << "link-emulator: --control: " << misuse.what() << std::endl;
      return;
    }
    to_right_.set_shape(there);
    to_left_.set_shape(back);
  }

  static std::string text_of(const LinkCounts& counts) {
    std::ostringstream out;
    out << R"({"in_packets":)" << counts.in_packets << R"(,"in_bytes":)" << counts.in_bytes << R"(,"out_packets":)"
        << counts.out_packets << R"(,"out_bytes":)" << counts.out_bytes << R"(,"lost":)" << counts.lost
        << R"(,"queue_full":)" << counts.queue_full << R"(,"cut":)" << counts.cut << "}";
    return out.str();
  }

  void say(const std::string& label) {
    std::string plain;  // without what JSON would escape
    for (const char c : label) plain += c == '"' || c == '\\' || static_cast<unsigned char>(c) < ' ' ? '_' : c;
    const double at_s = std::chrono::duration<double>(Clock::now() - start_).count();
    std::cout << R"({"at_s":)" << at_s << R"(,"label":")" << plain << R"(","to_right":)" << text_of(to_right_.counts())
              << R"(,"to_left":)" << text_of(to_left_.counts()) << "}" << std::endl;
  }

  LinkSettings settings_;
  Descriptor left_, right_;
  Control control_;
  Way to_right_, to_left_;
  Clock::time_point start_ = Clock::now();
  Clock::time_point cut_at_ = Clock::time_point::max(), join_at_ = Clock::time_point::max();
};

}  // namespace
}  // namespace fieldwork::support

int main(int argc, char** argv) {
  using namespace fieldwork::support;
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() == 1 && (words[0] == "--help" || words[0] == "-h")) {
    std::cout << usage;
    return 0;
  }
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  try {
    Link(read_options(words)).run(signals);
  } catch (const Misuse& misuse) {
    std::cerr << "link-emulator: " << misuse.what() << "; see link-emulator --help\n";
    return 2;
  } catch (const std::exception& error) {
    std::cerr << "link-emulator: " << error.what() << "\n";
    return 1;
  }
  return 0;
}
