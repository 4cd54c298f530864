// Publishing: accepts single messages through exchanges, and record batches for one partition.
#pragma once

#include "broker/core/api/notices.hpp"
#include "broker/core/transfer/intake.hpp"

namespace tidegate::core::api {

using catalog::topic_name;
using topics::producer_ref;
using transfer::publish_outcome;
using transfer::publish_request;

class publishing {
 public:
  publishing(transfer::intake& intake, const commits::pipeline& commits, notices& notices)
      : intake_(intake), commits_(commits), notices_(notices) {}

  // Returns whether core has room for more requests. If not, the session receives resumed() when there is room again.
  bool accepts(session_id session) {
    if (commits_.accepts()) return true;
    notices_.pause(session);
    return false;
  }
  // Publishes one message, and settles it with the commit that holds it in all of its targets. Marks the message as
  // estimated in time if the gateway's clock is not trusted. Errors: a part is too long; no such exchange; the producer
  // is fenced; the store, the memory or a target that rejects is full; too many bytes for all targets together.
  result<publish_outcome> publish(message_view& message, const publish_request& request) {
    return intake_.publish(message, request);
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
  transfer::intake& intake_;
  const commits::pipeline& commits_;
  notices& notices_;
};

}  // namespace tidegate::core::api
