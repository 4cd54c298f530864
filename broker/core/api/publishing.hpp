// Publishes messages and batches.
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

  // Requests are accepted. Otherwise the session gets resumed() when they are again.
  bool accepts(session_id session) {
    if (commits_.accepts()) return true;
    notices_.pause(session);
    return false;
  }
  // Settles with the commit that holds the message in all of its targets. The message is marked if the gateway's clock
  // is not trusted. Errors: a part is too long; no such exchange; the producer is fenced; the store, the memory or a
  // target that rejects is full; too many bytes for all targets together.
  result<publish_outcome> publish(message_view& message, const publish_request& request) {
    return intake_.publish(message, request);
  }
  // Appends one record batch v2 and returns its base offset. Settles like publish(). Errors: no such partition; the
  // batch; full.
  result<offset_t> produce(const topic_name& topic, std::uint32_t partition, std::string_view batch,
                           const receipt& answer) {
    return intake_.produce(topic, partition, batch, answer);
  }
  // Returns the last sequence in this epoch whose message is on flash, or in memory only; 0 = none.
  std::uint64_t durable_sequence(const producer_ref& producer) const {
    return intake_.producers().durable_sequence(producer);
  }
  // Records that the device discarded messages [first, end) before delivery. Committed with the next publish.
  void lose(std::string_view device, std::uint64_t first, std::uint64_t end) { intake_.lose(device, first, end); }

 private:
  transfer::intake& intake_;
  const commits::pipeline& commits_;
  notices& notices_;
};

}  // namespace tidegate::core::api
