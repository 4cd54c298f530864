/* MQTT 3.1.1 for the load generator: QoS 1, into the durable session of a subscriber `worker`. */
#pragma once

#include <cstdlib>
#include <map>

#include "protocol.hpp"

namespace tidegate::peers {

class mqtt final : public protocol {
 public:
  void make(std::uint16_t port, bool) override {
    link to(port);
    greet_consumer(to, true, 0);
    to.out += packet(0xE0, "");
    to.send_some();
  }

  void greet_publisher(link& to) override { connect(to, "publisher", true); }

  /// The session is durable and belongs to the client name. The broker's configuration bounds the unacknowledged
  /// messages, not the argument.
  void greet_consumer(link& to, bool, std::uint64_t) override {
    connect(to, "worker", false);
    to.out += packet(0x82, string("\0\1", 2) + text("held") + '\1');
    exchange(*this, to, [](const events& seen) { return !seen.answers.empty(); });
  }

  void publish(link& to, instant sent) override {
    identity_ = static_cast<std::uint16_t>(identity_ % 65535 + 1);
    const char id[] = {static_cast<char>(identity_ >> 8), static_cast<char>(identity_)};
    to.out += packet(0x32, text("held") + string(id, 2) + body(sent));
  }

  events read(link& from) override {
    events seen;
    std::size_t at = 0;
    while (take(from, at, seen)) {
    }
    from.in.erase(0, at);
    return seen;
  }

  /// Counts with the broker's own statistics, which it publishes every second if they have changed: all stored messages
  /// without the retained ones.
  std::uint64_t count(std::uint16_t port) override {
    const string stored = "$SYS/broker/store/messages/count", retained = "$SYS/broker/retained messages/count";
    link to(port);
    connect(to, "counter", true);
    for (const auto& topic : {stored, retained}) {
      to.out += packet(0x82, string("\0\1", 2) + text(topic) + '\0');
    }
    std::map<string, std::uint64_t> told;
    const auto enough = now() + news_ns;
    exchange(*this, to, [&](const events& seen) {
      for (const auto& answer : seen.answers) {
        const auto value = answer.rfind(' ');
        if (value != string::npos) {
          told[answer.substr(0, value)] = std::strtoull(answer.c_str() + value, nullptr, 10);
        }
      }
      return now() > enough;
    });
    return told[stored] - told[retained];
  }

 private:
  static constexpr instant news_ns = 3'000'000'000;  // the first values are retained and may be old

  std::uint16_t identity_ = 0;

  static string text(string_view value) { return string(1, '\0') + static_cast<char>(value.size()) + string(value); }

  static string packet(unsigned kind, string_view rest) {
    string bytes(1, static_cast<char>(kind));
    for (auto left = rest.size();;) {
      const auto low = left & 0x7F;
      left >>= 7;
      bytes += static_cast<char>(left == 0 ? low : low | 0x80);
      if (left == 0) {
        return bytes.append(rest);
      }
    }
  }

  void connect(link& to, string_view name, bool clean) {
    to.out += packet(0x10, text("MQTT") + '\4' + (clean ? '\2' : '\0') + string(2, '\0') + text(name));
  }

  bool take(link& from, std::size_t& at, events& seen) {
    std::size_t size = 0, head = at + 1;
    for (unsigned shift = 0;; shift += 7, ++head) {
      if (head >= from.in.size()) {
        return false;
      }
      const auto part = static_cast<unsigned char>(from.in[head]);
      size |= static_cast<std::size_t>(part & 0x7F) << shift;
      if (part < 0x80) {
        break;
      }
    }
    ++head;
    if (from.in.size() < head + size) {
      return false;
    }
    arrived(from, static_cast<unsigned char>(from.in[at]), string_view(from.in).substr(head, size), seen);
    at = head + size;
    return true;
  }

  static void arrived(link& from, unsigned kind, string_view rest, events& seen) {
    if (kind >> 4 == 4) {  // PUBACK
      ++seen.confirms;
    } else if (kind >> 4 == 9) {  // SUBACK
      seen.answers.emplace_back();
    } else if (kind >> 4 == 2 && rest[1] != 0) {  // CONNACK
      throw std::runtime_error("refused");
    } else if (kind >> 4 == 3) {  // PUBLISH: topic, identity unless QoS 0, body
      const auto topic = static_cast<unsigned char>(rest[0]) * 256U + static_cast<unsigned char>(rest[1]);
      const bool confirmed = (kind & 6) != 0;
      const string_view held = rest.substr(2 + topic + (confirmed ? 2 : 0));
      if (confirmed) {
        seen.delivered.push_back(sent_at(held));
        from.out += packet(0x40, rest.substr(2 + topic, 2));
      } else {
        seen.answers.push_back(string(rest.substr(2, topic)) + ' ' + string(held));
      }
    }
  }
};

}  // namespace tidegate::peers
