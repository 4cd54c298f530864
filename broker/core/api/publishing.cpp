#include "broker/core/api/publishing.hpp"

namespace tidegate::core::api {

result<publish_outcome> publishing::reply(const message_view& message, const publish_request& request) {
  if (request.producer) {
    return error{errc::not_allowed, "a reply has no sequence: it is not stored, so a copy could not be recognised",
                 "sequence"};
  }
  if (request.delay.count() != 0) return replies::not_delayed();
  const auto is_awaited = replies_.check(message);
  if (!is_awaited) return is_awaited.error();
  if (!*is_awaited) {
    intake_.count_unroutable();
    return publish_outcome::unroutable;
  }
  replies_.send(message);
  return publish_outcome::replied;
}

}  // namespace tidegate::core::api
