/* A connection of the load generator, and the interface of the protocols that it speaks. */
#pragma once

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace tidegate::peers {

using std::string;
using std::string_view;
using instant = std::uint64_t;  // nanoseconds

constexpr std::size_t body_bytes = 100;
constexpr int wait_ms = 100;
constexpr instant drain_ns = 5'000'000'000;  // how long the last confirms and deliveries may take

inline instant now() { return static_cast<instant>(std::chrono::steady_clock::now().time_since_epoch().count()); }

/// A socket with its buffers. Sending and receiving never block; only `exchange` waits.
class link {
 public:
  explicit link(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      throw std::runtime_error("cannot connect");
    }
  }
  ~link() { ::close(fd_); }
  link(const link&) = delete;
  link& operator=(const link&) = delete;

  string out, in;
  int fd() const { return fd_; }

  void send_some() {
    if (out.empty()) {
      return;
    }
    const auto count = ::send(fd_, out.data(), out.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count > 0) {
      out.erase(0, static_cast<std::size_t>(count));
    } else if (errno != EAGAIN) {
      throw std::runtime_error("the connection broke");
    }
  }

  void receive_some() {
    char buffer[65536];
    const auto count = ::recv(fd_, buffer, sizeof buffer, MSG_DONTWAIT);
    if (count > 0) {
      in.append(buffer, static_cast<std::size_t>(count));
    } else if (count == 0 || errno != EAGAIN) {
      throw std::runtime_error("the broker closed the connection");
    }
  }

 private:
  int fd_;
};

/// The events that a protocol has read from a link.
struct events {
  std::uint64_t confirms = 0;
  std::vector<instant> delivered;  // the due time of each message, from its body
  std::vector<string> answers;     // answers to requests
};

inline string body(instant sent) {
  string text(body_bytes, 'x');
  std::memcpy(text.data(), &sent, sizeof sent);
  return text;
}

inline instant sent_at(string_view text) {
  instant sent = 0;
  std::memcpy(&sent, text.data(), std::min(text.size(), sizeof sent));
  return sent;
}

class protocol {
 public:
  virtual ~protocol() = default;
  /// Creates the stream or durable session that holds messages. `retained`: it also keeps acknowledged messages, as a
  /// log does.
  virtual void make(std::uint16_t port, bool retained) = 0;
  virtual void greet_publisher(link& to) = 0;
  virtual void greet_consumer(link& to, bool acknowledges, std::uint64_t prefetch) = 0;
  virtual void publish(link& to, instant sent) = 0;
  /// Takes whole packets out of `from.in`. Appends answers and acknowledgements to `from.out`.
  virtual events read(link& from) = 0;
  virtual std::uint64_t count(std::uint16_t port) = 0;
};

/// Sends and receives on one link until `wanted` accepts the events read, and returns these. Throws std::runtime_error
/// if there is no answer in time.
template <class Wanted>
events exchange(protocol& speaker, link& with, Wanted wanted) {
  for (const auto end = now() + drain_ns; now() < end;) {
    with.send_some();
    pollfd one{with.fd(), POLLIN, 0};
    if (::poll(&one, 1, wait_ms) > 0) {
      with.receive_some();
    }
    events seen = speaker.read(with);
    if (wanted(seen)) {
      return seen;
    }
  }
  throw std::runtime_error("no answer");
}

}  // namespace tidegate::peers
