// Transactions: several messages, and what else a caller changes with them, in one commit or not at all.
#pragma once

#include <span>
#include <vector>

#include "broker/core/transfer/placing.hpp"

namespace tidegate::core::transfer {

struct transaction_message {
  message_view message;
  milliseconds delay{0};       // as in publish_request
  bool is_unroutable = false;  // set by plan(): nothing takes the message, and it is not stored
  bool is_reply = false;       // the caller takes care of it: plan() and put() pass it over
};

class transactions {
 public:
  transactions(catalog::catalog& catalog, commits::pipeline& commits, placing& placing, counters& counters)
      : catalog_(catalog), commits_(commits), placing_(placing), counters_(counters) {}

  // Plans all messages against one tally of room, and changes nothing. `settles_on_flash`: deliveries from queues on
  // flash are settled in the same transaction. Errors as in publishing, and with `all_routable` also that nothing takes
  // a message; the text says which message.
  result<void> plan(std::span<transaction_message> messages, bool settles_on_flash, bool all_routable = false);
  // The course of the transaction that was planned: written if anything of it is on flash.
  commits::course course() const { return course_; }
  // Carries the plan out. The same messages as in plan().
  void put(std::span<transaction_message> messages);
  // Settles the receipt when all of it is done.
  void answer_later(const receipt& answer);

 private:
  result<void> plan(transaction_message& one, bool all_routable);
  commits::course course_of(const transfer::plan& plan) const;

  catalog::catalog& catalog_;
  commits::pipeline& commits_;
  placing& placing_;
  counters& counters_;
  std::vector<transfer::plan> plans_;  // of the messages that are not unroutable
  commits::course course_ = commits::course::written;
};

}  // namespace tidegate::core::transfer
