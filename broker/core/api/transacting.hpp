// Transactions: messages and settlements that take effect together, with one commit, or not at all.
#pragma once

#include <deque>
#include <span>
#include <string>

#include "broker/core/api/consuming.hpp"
#include "broker/core/transfer/transactions.hpp"

namespace tidegate::core::api {

using transfer::transaction_message;

class transacting {
 public:
  transacting(transfer::transactions& transactions, api::consuming& consuming)
      : transactions_(transactions), consuming_(consuming) {}

  // Publishes the messages and settles the deliveries of the receipt's session. Settled with the commit; marks the
  // messages that nothing takes. Replies (replies.hpp) are handed on when it is settled. If the receipt is refused
  // because the store had no room, the messages are nowhere, and acknowledged deliveries have returned to their queues.
  // Errors, which change nothing: those of publishing; a delivery is not unsettled; with `all_routable`, nothing takes
  // a message.
  result<void> commit(std::span<transaction_message> messages, std::span<const settlement> settlements,
                      const receipt& answer, bool all_routable = false);

 private:
  result<void> find_replies(std::span<transaction_message> messages, session_id session);

  transfer::transactions& transactions_;
  api::consuming& consuming_;
  std::deque<std::string> properties_;  // of the transaction's messages, with an address for replies
};

}  // namespace tidegate::core::api
