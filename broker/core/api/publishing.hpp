// Publishing: accepts single messages through exchanges, and record batches for one partition.
#pragma once

#include <string>

#include "broker/core/api/notices.hpp"
#include "broker/core/api/replies.hpp"
#include "broker/core/transfer/intake.hpp"

namespace tidegate::core::api {

using catalog::topic_name;
using topics::producer_ref;
using transfer::publish_outcome;
using transfer::publish_request;

class publishing {
 public:
  publishing(transfer::intake& intake, const commits::pipeline& commits, notices& notices, replies& replies)
      : intake_(intake), commits_(commits), notices_(notices), replies_(replies) {}

  // Returns whether core has room for more requests. If not, the session receives resumed() when there is room again.
  bool accepts(session_id session) {
    if (commits_.accepts()) return true;
    notices_.pause(session);
    return false;
  }
  // Publishes one message, and settles it with the commit that holds it in all of its targets. Marks the message as
  // estimated in time if the gateway's clock is not trusted. A reply (replies.hpp) is handed on at once and never
  // written, and a request that asks for one gets the session's address. Errors: a part is too long or does not decode;
  // no such exchange; the producer is fenced; the store, the memory or a target that rejects is full; too many bytes
  // for all targets together; the session asks for replies and does not consume them; a reply with a sequence or a
  // delay.
  result<publish_outcome> publish(message_view& message, const publish_request& request) {
    if (!message.properties.empty()) {
      const auto filled = replies_.fill_in(request.answer.session, message.properties, properties_);
      if (!filled) return filled.error();
    }
    return replies::is_reply(message) ? reply(message, request) : intake_.publish(message, request);
  }
  // Appends one record batch v2 and returns its base offset. Settled like a publish. Errors: no such partition; the
  // batch is invalid or too large; the store, the memory or a topic that rejects is full.
  result<offset_t> produce(const topic_name& topic, std::uint32_t partition, std::string_view batch,
                           const receipt& answer) {
    return intake_.produce(topic, partition, batch, answer);
  }
  // Returns the last sequence in this epoch whose message is on flash, or in memory only; 0 = none.
  std::uint64_t durable_sequence(const producer_ref& producer) const {
    return intake_.producers().durable_sequence(producer);
  }
  // Records that the device discarded the messages with sequences [first, end) before they were delivered. The record
  // goes into the same commit as a publish of the same request; without one, it waits
  // commits::acknowledgement_delay_max at most.
  void lose(std::string_view device, std::uint64_t first, std::uint64_t end) { intake_.lose(device, first, end); }

 private:
  result<publish_outcome> reply(const message_view& message, const publish_request& request);

  transfer::intake& intake_;
  const commits::pipeline& commits_;
  notices& notices_;
  replies& replies_;
  std::string properties_;  // of the message that is published, with an address for replies
};

}  // namespace tidegate::core::api
