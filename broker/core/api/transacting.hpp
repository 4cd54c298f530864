// Transactions: messages and settlements that take effect together, with one commit, or not at all.
#pragma once

#include <span>

#include "broker/core/api/consuming.hpp"
#include "broker/core/transfer/transactions.hpp"

namespace tidegate::core::api {

using transfer::transaction_message;

class transacting {
 public:
  transacting(transfer::transactions& transactions, api::consuming& consuming)
      : transactions_(transactions), consuming_(consuming) {}

  // Publishes the messages and settles the deliveries of the receipt's session. Settled with the commit; marks the
  // messages that nothing takes. If the receipt is refused because the store had no room, the messages are nowhere, and
  // acknowledged deliveries have returned to their queues. Errors, which change nothing: those of publishing; a
  // delivery is not unsettled; with `all_routable`, nothing takes a message.
  result<void> commit(std::span<transaction_message> messages, std::span<const settlement> settlements,
                      const receipt& answer, bool all_routable = false);

 private:
  transfer::transactions& transactions_;
  api::consuming& consuming_;
};

}  // namespace tidegate::core::api
