/* NATS JetStream for the load generator: a stream `held`, publishes with a reply subject for their confirms, and push
   consumers. https://docs.nats.io/reference/reference-protocols/nats-protocol and .../nats_api_reference */
#pragma once

#include <charconv>
#include <cstdlib>

#include "protocol.hpp"

namespace tidegate::peers {

class nats final : public protocol {
 public:
  void make(std::uint16_t port, bool retained) override {
    const string retention = retained ? "limits" : "workqueue";
    ask(port, "STREAM.CREATE.held",
        R"({"name":"held","subjects":["held"],"storage":"file","num_replicas":1,"retention":")" + retention + "\"}");
  }

  void greet_publisher(link& to) override {
    to.out += "CONNECT {\"verbose\":false,\"pedantic\":false}\r\nSUB _INBOX.confirm 1\r\n";
  }

  void greet_consumer(link& to, bool acknowledges, std::uint64_t prefetch) override {
    acknowledges_ = acknowledges;
    to.out +=
        "CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true}\r\n"
        "SUB _INBOX.answer 3\r\nSUB _INBOX.deliver 2\r\n";
    const string how = acknowledges ? R"("durable_name":"worker","ack_policy":"explicit","max_ack_pending":)" +
                                          std::to_string(prefetch)
                                    : R"("ack_policy":"none","flow_control":true,"idle_heartbeat":1000000000)";
    const string request = R"({"stream_name":"held","config":{"deliver_subject":"_INBOX.deliver",)" + how + "}}";
    const string name = acknowledges ? "DURABLE.CREATE.held.worker" : "CREATE.held";
    send(to, "$JS.API.CONSUMER." + name, "_INBOX.answer", request);
    check(exchange(*this, to, [](const events& seen) { return !seen.answers.empty(); }));
  }

  void publish(link& to, instant sent) override { send(to, "held", "_INBOX.confirm", body(sent)); }

  events read(link& from) override {
    events seen;
    std::size_t at = 0;
    while (take(from, at, seen)) {
    }
    from.in.erase(0, at);
    return seen;
  }

  std::uint64_t count(std::uint16_t port) override {
    const string info = ask(port, "STREAM.INFO.held", "");
    const auto found = info.find(R"("messages":)");
    return found == string::npos ? 0 : std::strtoull(info.c_str() + found + 11, nullptr, 10);
  }

 private:
  bool acknowledges_ = false;

  static void send(link& to, string_view subject, string_view reply, string_view text) {
    to.out.append("PUB ").append(subject).append(" ").append(reply).append(reply.empty() ? "" : " ");
    to.out.append(std::to_string(text.size())).append("\r\n").append(text).append("\r\n");
  }

  static void check(const events& seen) {
    if (seen.answers.front().find(R"("error")") != string::npos) {
      throw std::runtime_error(seen.answers.front());
    }
  }

  string ask(std::uint16_t port, const string& question, const string& text) {
    link to(port);
    to.out += "CONNECT {\"verbose\":false,\"pedantic\":false}\r\nSUB _INBOX.answer 3\r\n";
    send(to, "$JS.API." + question, "_INBOX.answer", text);
    const events seen = exchange(*this, to, [](const events& some) { return !some.answers.empty(); });
    check(seen);
    return seen.answers.front();
  }

  /// Takes one line of the server with its payload: MSG or HMSG subject sid [reply] [header bytes] bytes. Returns false
  /// if the input does not have all of it yet.
  bool take(link& from, std::size_t& at, events& seen) {
    const auto end = from.in.find("\r\n", at);
    if (end == string::npos) {
      return false;
    }
    const string_view line = string_view(from.in).substr(at, end - at);
    if (line.starts_with("-ERR")) {
      throw std::runtime_error(string(line));
    }
    if (line == "PING") {
      from.out += "PONG\r\n";
    }
    if (!line.starts_with("MSG ") && !line.starts_with("HMSG ")) {
      at = end + 2;
      return true;
    }
    std::vector<string_view> words;
    for (std::size_t start = 0; start < line.size();) {
      const auto stop = std::min(line.find(' ', start), line.size());
      words.push_back(line.substr(start, stop - start));
      start = stop + 1;
    }
    std::size_t size = 0;
    std::from_chars(words.back().data(), words.back().data() + words.back().size(), size);
    if (from.in.size() < end + 2 + size + 2) {
      return false;
    }
    const bool control = words[0] == "HMSG";  // flow control with a reply, or a heartbeat without
    const string_view reply = words.size() == (control ? 6U : 5U) ? words[3] : string_view();
    arrived(from, words[2], control, reply, string_view(from.in).substr(end + 2, size), seen);
    at = end + 2 + size + 2;
    return true;
  }

  void arrived(link& from, string_view subscription, bool control, string_view reply, string_view text, events& seen) {
    if (subscription == "3") {
      seen.answers.emplace_back(text);
    } else if (subscription == "1") {
      if (text.find(R"("error")") != string_view::npos) {
        throw std::runtime_error(string(text));
      }
      ++seen.confirms;
    } else {
      if (!control) {
        seen.delivered.push_back(sent_at(text));
      }
      if (!reply.empty() && (control || acknowledges_)) {
        send(from, reply, "", "");
      }
    }
  }
};

}  // namespace tidegate::peers
