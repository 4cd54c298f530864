#include "broker/core/api/transacting.hpp"

namespace tidegate::core::api {

result<void> transacting::commit(std::span<transaction_message> messages, std::span<const settlement> settlements,
                                 const receipt& answer, bool all_routable) {
  const auto on_flash = consuming_.check(answer.session, settlements);
  if (!on_flash) return on_flash.error();
  if (const auto planned = transactions_.plan(messages, *on_flash, all_routable); !planned) return planned;
  transactions_.put(messages);
  for (const settlement& one : settlements) consuming_.settle_with(transactions_.course(), answer.session, one);
  transactions_.answer_later(answer);
  return {};
}

}  // namespace tidegate::core::api
