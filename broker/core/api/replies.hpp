// Replies without a queue, as RabbitMQ's direct reply-to: a session consumes from the name `amq.rabbitmq.reply-to` and
// names it in the property reply_to of its requests. A request then carries an address that nobody can guess, and what
// is published to that address through the default exchange goes to the session alone. Replies are in memory, and end
// with the session.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/core/api/notices.hpp"
#include "broker/core/commits/timeline.hpp"
#include "broker/core/queues/queue.hpp"

namespace tidegate::core::api {

class replies {
 public:
  struct counters {
    std::uint64_t sent = 0;
    std::uint64_t dropped = 0;  // because their session had ended
  };
  using taker = std::function<bool(delivery_view&)>;

  replies(notices& notices, commits::timeline& timeline) : notices_(notices), timeline_(timeline) {}

  // Returns whether a queue of this name stands for replies.
  static bool is_name(std::string_view queue);
  // Returns whether the message goes to an address.
  static bool is_reply(const message_view& message);
  // Returns whether a declaration of this name finds something: the name itself, or an address whose session waits.
  bool knows(std::string_view name) const;

  // Makes the session's address, for a new consumer. Error: the session has one.
  result<void> open(session_id session, consumer_id consumer, bool auto_ack);
  // Returns the consumer's session; none if it is not one of replies.
  std::optional<session_id> session_of(consumer_id consumer) const;
  // Ends the consumer: the address is gone, and replies that were not pulled are dropped. Returns false if it is none
  // of replies.
  bool close(consumer_id consumer);
  void end(session_id session);
  // Hands at most a share of the replies to `take`.
  queues::pull_result pull(consumer_id consumer, const taker& take);

  // If reply_to in these properties is the name, encodes them with the session's address into `into` and lets
  // `properties` view it. Errors: the properties do not decode; the session does not consume replies.
  result<void> fill_in(session_id session, std::string_view& properties, std::string& into) const;
  // Returns whether a session waits at the message's address. Errors: a part is too long or does not decode; there is
  // no room, since the session does not read its replies. `before`: bytes that are to be sent before this message.
  result<bool> check(const message_view& message, std::size_t before = 0) const;
  static error not_delayed() { return {errc::not_allowed, "a reply is not stored, so it cannot be delayed", "delay"}; }
  // Returns how many bytes the message takes while it waits.
  static std::size_t bytes_of(const message_view& message);
  // Hands a message that was checked to the session at its address.
  void send(const message_view& message);
  // Holds such a message until the receipt is settled: then settled() hands it on, or drops it if the receipt was
  // refused.
  void hold(const receipt& answer, const message_view& message);
  void settled(const receipt& answer, bool is_refused);

  const counters& counts() const { return counters_; }

 private:
  struct reply {
    std::vector<char> storage;
    message_view message;  // its views point into `storage`
    std::int64_t timestamp_ms = 0;
  };
  struct requester {
    session_id session{};
    std::string address;
    std::deque<reply> waiting;
    std::size_t bytes = 0;  // of `waiting`
    bool told = false;
  };
  using place = std::pair<session_id, std::uint64_t>;  // a receipt, to look it up by
  static reply copy(const message_view& message, std::int64_t now_ms);
  requester* find(std::string_view address) const;
  void deliver(requester& to, reply reply);

  notices& notices_;
  commits::timeline& timeline_;
  std::map<consumer_id, std::unique_ptr<requester>> requesters_;
  std::map<std::string, requester*, std::less<>> addresses_;
  std::map<session_id, consumer_id> consumers_;
  std::map<place, std::vector<reply>> held_;  // until their transaction is done
  std::size_t bytes_ = 0;                     // of all replies
  counters counters_;
};

}  // namespace tidegate::core::api
