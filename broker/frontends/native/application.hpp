// An application's side of the native protocol (docs/wire.md, "An application"). Requests come in order; an answer goes
// out when it is known, so answers may be in another order.
#pragma once

#include <deque>
#include <map>
#include <unordered_map>

#include "broker/frontends/native/open_publishes.hpp"
#include "broker/frontends/native/session.hpp"

namespace tidegate::native {

class application final : public role {
 public:
  // Answers with Connected. Returns null if the application was refused, after an answer that says so.
  static std::unique_ptr<role> admit(session& session, const tg_Connect& connect);
  application(session& session, const tg_Connect& connect);

  void frame(const tg_frame& frame) override;
  void settled(std::uint64_t token, const error* refusal) override;
  void deliverable(core::consumer_id consumer) override;
  void cancelled(core::consumer_id consumer) override;
  void changed(stream_id stream) override;
  void fill(milliseconds now) override;
  milliseconds deadline() const override;
  std::string_view kind() const override { return "application"; }
  std::string name() const override { return name_; }
  std::size_t frame_bytes_max() const override { return limits::frame_bytes; }
  bool is_behind() const override { return publishes_.size() >= limits::publishes_unsettled; }
  std::chrono::seconds silence_max() const override { return heartbeat_; }

 private:
  struct consuming {
    std::uint32_t number;  // the client's id of the consumer
    std::string queue;
    bool in_line = false;  // is in `ready_`
  };
  struct waiting_fetch {
    std::uint32_t correlation, partition;
    std::string topic, topic_id;
    offset_t offset;
    std::size_t bytes_min, bytes_max;
    milliseconds until;
    stream_id stream{};       // changed() is called for
    bool look = true;         // changed() was called since the last look, or there was no look yet
    std::size_t counted = 0;  // bytes from the offset to `counted_end`: fewer than bytes_min
    offset_t counted_end = 0;
  };
  // A request whose answer waits for a commit.
  struct waiting_request {
    std::uint32_t correlation = 0;
    tg_member answer = TG_DONE;
    std::uint64_t number = 0;  // Produced: base offset; Done: message count
    std::uint32_t partitions = 0;
    std::string topic_id = {}, notice = {}, name = {};
    std::uint32_t consumers = 0;
  };

  void connected(const tg_Connect& connect);
  core::receipt receipt_for(waiting_request request);
  void conclude(const core::receipt& receipt, std::uint32_t correlation, const result<void>& asked);

  void publish_message(const tg_frame& frame);
  void refuse_publish(std::uint64_t id, const error& cause);
  std::optional<error> objection(const publish_frame& publish) const;
  void confirm(std::uint64_t id, bool multiple);
  void declare_exchange(const tg_frame& frame);
  void declare_queue(const tg_frame& frame);
  void declare_topic(const tg_frame& frame);
  void define(const tg_frame& frame);
  void bind(const tg_frame& frame);
  void unbind(const tg_frame& frame);
  void remove(const tg_frame& frame);
  void list(const tg_frame& frame);
  void consume(const tg_frame& frame);
  void cancel(const tg_frame& frame);
  void settle(const tg_frame& frame);
  void get(const tg_frame& frame);
  void peek(const tg_Get& get);
  void purge(const tg_frame& frame);
  void transact(const tg_frame& frame);
  void produce(const tg_frame& frame);
  void fetch(const tg_frame& frame);
  void list_offset(const tg_frame& frame);
  void commit_offset(const tg_frame& frame);
  void fetch_offset(const tg_frame& frame);
  void lease(const tg_frame& frame);

  void pull_ready();
  void confirm_done();
  void answer_fetches(milliseconds now);
  bool try_fetch(waiting_fetch& fetch, bool due);
  bool still_too_little(waiting_fetch& fetch);
  void answer_done(const waiting_request& done);
  static waiting_request declared(std::uint32_t correlation, const core::queues::queue& queue);

  session& session_;
  const core::api::services& core_;
  std::string name_;
  std::string producer_id_;
  std::uint32_t producer_epoch_;
  std::chrono::seconds heartbeat_;
  open_publishes publishes_;
  publish_frame publish_;                                        // the frame that is being handled
  std::unordered_map<std::uint64_t, waiting_request> requests_;  // by token
  std::uint64_t next_request_ = 0;
  std::map<core::consumer_id, consuming> consumers_;
  std::deque<core::consumer_id> ready_;  // consumers to pull for, in turn
  std::vector<waiting_fetch> fetches_;
};

}  // namespace tidegate::native
