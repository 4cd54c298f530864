#include "broker/core/api/transacting.hpp"

#include <fmt/format.h>

namespace tidegate::core::api {

result<void> transacting::commit(std::span<transaction_message> messages, std::span<const settlement> settlements,
                                 const receipt& answer, bool all_routable) {
  const auto on_flash = consuming_.check(answer.session, settlements);
  if (!on_flash) return on_flash.error();
  if (const auto found = find_replies(messages, answer.session); !found) return found;
  if (const auto planned = transactions_.plan(messages, *on_flash, all_routable); !planned) return planned;
  transactions_.put(messages);
  for (const transaction_message& one : messages) {
    if (one.is_reply) consuming_.replies().hold(answer, one.message);
  }
  for (const settlement& one : settlements) consuming_.settle_with(transactions_.course(), answer.session, one);
  transactions_.answer_later(answer);
  return {};
}

// Gives requests the session's address, and marks the replies for which a session waits.
result<void> transacting::find_replies(std::span<transaction_message> messages, session_id session) {
  properties_.clear();
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    transaction_message& one = messages[i];
    const auto refuse = [&](error cause) {
      cause.text = fmt::format("message {} of the transaction: {}", i + 1, cause.text);
      return cause;
    };
    if (const auto filled = consuming_.replies().fill_in(session, one.message.properties, properties_.emplace_back());
        !filled) {
      return refuse(filled.error());
    }
    if (!replies::is_reply(one.message)) continue;
    if (one.delay.count() != 0) return refuse(replies::not_delayed());
    const auto is_awaited = consuming_.replies().check(one.message, bytes);
    if (!is_awaited) return refuse(is_awaited.error());
    one.is_reply = *is_awaited;
    if (one.is_reply) bytes += replies::bytes_of(one.message);
  }
  return {};
}

}  // namespace tidegate::core::api
