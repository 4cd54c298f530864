#include "client/tool/bench/consumer.hpp"

#include "client/tool/bench/body.hpp"

namespace tidegate::tool::bench {

taking::taking(setting& setting, link& on, std::size_t stream, std::vector<consumed_queue> queues)
    : setting_(setting),
      on_(on),
      figures_(on.at.figures(stream)),
      queues_(std::move(queues)),
      outcome_(setting.asked.discards ? client::outcome::discard : client::outcome::ack),
      acknowledge_at_(std::max<std::uint64_t>(1, setting.asked.prefetch / 2)) {}

// The connection numbers its consumers from 1.
awaitable<void> taking::consume() {
  for (const consumed_queue& queue : queues_) {
    co_await on_.connection.consume(queue.name, setting_.asked.prefetch, queue.auto_ack);
  }
}

awaitable<std::optional<client::delivery>> taking::next(std::chrono::milliseconds wait, timing latency) {
  auto delivery = co_await on_.connection.receive_for(wait);
  if (delivery) count(*delivery, latency);
  co_return delivery;
}

void taking::count(const client::delivery& delivery, timing latency) {
  const std::string_view body = delivery.message.body;
  figures_.add(tally::delivered);
  figures_.add(tally::delivered_bytes, body.size());
  ++taken_;
  last_tag_ = delivery.tag;
  if (const auto from = read_stamp(body); from && from->run == setting_.run) {
    setting_.time_since(figures_.latency(latency), from_ns(from->sent_ns));
  }
  const consumed_queue& queue = queues_[delivery.consumer - 1];
  if (queue.watch != nullptr) queue.watch->check.take(body, delivery.redelivered, queue.reader);
}

awaitable<void> taking::acknowledge() {
  if (taken_ == 0) co_return;
  if (!queues_.front().auto_ack) co_await on_.connection.settle(last_tag_, outcome_, true);
  figures_.add(tally::acknowledged, std::exchange(taken_, 0));
}

namespace {

class consumer final : public role {
 public:
  consumer(setting& setting, link& on, std::vector<consumed_queue> queues)
      : setting_(setting), taking_(setting, on, 0, std::move(queues)) {}

  awaitable<void> prepare() override { return taking_.consume(); }
  awaitable<void> work() override;

 private:
  setting& setting_;
  taking taking_;
};

// Under load, acknowledgements are collected until they are half of the prefetch, or until no more deliveries are at
// hand.
awaitable<void> consumer::work() {
  constexpr std::chrono::milliseconds at_hand{0};
  while (!setting_.finish.load(std::memory_order_relaxed)) {
    if (!co_await taking_.next(look_interval, timing::publish_to_deliver)) continue;
    while (!taking_.is_acknowledgement_due() && co_await taking_.next(at_hand, timing::publish_to_deliver)) continue;
    co_await taking_.acknowledge();
  }
}

}  // namespace

std::unique_ptr<role> make_consumer(setting& setting, link& on, std::vector<consumed_queue> queues) {
  return std::make_unique<consumer>(setting, on, std::move(queues));
}

}  // namespace tidegate::tool::bench
