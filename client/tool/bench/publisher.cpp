#include "client/tool/bench/publisher.hpp"

#include <algorithm>

#include "broker/model/properties.hpp"
#include "client/tool/bench/body.hpp"

namespace tidegate::tool::bench {

unconfirmed::unconfirmed(setting& setting, link& on, std::size_t stream, std::size_t targets)
    : setting_(setting),
      on_(on),
      figures_(on.at.figures(stream)),
      room_(on.at.context().get_executor()),
      pending_(on.window),
      promises_(targets) {
  on_.connection.on_confirmation([this](const client::confirmation& confirmation) { settled(confirmation); });
}

// Notifies room_ once even if a confirm settles many publishes: cancelling a timer costs more than all the rest here.
void unconfirmed::settled(const client::confirmation& confirmation) {
  publish& publish = place_of(confirmation.id);
  if (publish.id != confirmation.id) return;
  publish.id = 0;
  --open_;
  if (std::exchange(waits_, false)) room_.notify();
  if (confirmation.failure) {
    promises_[publish.target].excused.insert(publish.sequence);
    return figures_.add_refused(1, *confirmation.failure);
  }
  figures_.add(tally::confirmed);
  setting_.time_since(figures_.latency(timing::publish_to_confirm), publish.sent);
}

awaitable<void> unconfirmed::room() {
  waits_ = true;
  co_await room_.wait_until(steady_clock::now() + look_interval);
}

awaitable<void> unconfirmed::send(const message_view& message, std::size_t target, steady_clock::time_point sent) {
  const std::uint64_t id = co_await on_.connection.send(message);
  place_of(id) = {.id = id, .target = target, .sequence = ++promises_[target].sent, .sent = sent};
  ++open_;
  figures_.add(tally::published);
}

std::span<const promise> unconfirmed::conclude() {
  for (publish& publish : pending_) {
    if (publish.id != 0) promises_[publish.target].excused.insert(publish.sequence);
    publish.id = 0;
  }
  return promises_;
}

namespace {

std::vector<std::string> properties_of(const bench_arguments& asked) {
  std::vector<std::string> all;
  const std::string live = std::to_string(asked.time_to_live.count());
  for (std::uint32_t priority = 0; priority < std::max(1u, asked.priorities); ++priority) {
    properties set;
    if (asked.time_to_live.count() != 0) set.expiration = live;
    if (asked.priorities > 1) set.priority = static_cast<std::uint8_t>(priority);
    all.push_back(encode(set));
  }
  return all;
}

class publisher final : public role {
 public:
  publisher(setting& setting, link& on, member who, std::vector<route> routes)
      : setting_(setting),
        on_(on),
        who_(who),
        routes_(std::move(routes)),
        body_(setting.asked.size, setting.asked.verify),
        properties_(properties_of(setting.asked)),
        unconfirmed_(setting, on, 0, routes_.size()) {}

  awaitable<void> work() override;
  std::span<const promise> promises() override { return unconfirmed_.conclude(); }

 private:
  setting& setting_;
  link& on_;
  member who_;
  std::vector<route> routes_;
  body_maker body_;
  std::vector<std::string> properties_;  // of the messages, in turn
  unconfirmed unconfirmed_;
};

awaitable<void> publisher::work() {
  pacing pacing(setting_, who_, setting_.asked.rate);
  message_view message;
  std::size_t target = who_.number % routes_.size();
  std::size_t next_properties = 0;
  for (auto now = steady_clock::now(); !pacing.is_over(now); now = steady_clock::now()) {
    const auto due = pacing.due(now);
    if (due > now) {
      co_await wait_a_while(due);
    } else if (!unconfirmed_.has_room()) {
      co_await unconfirmed_.room();
    } else {
      message.exchange = routes_[target].exchange;
      message.routing_key = routes_[target].routing_key;
      message.properties = properties_[next_properties];
      next_properties = next_properties + 1 == properties_.size() ? 0 : next_properties + 1;
      message.body = body_.make({.run = setting_.run,
                                 .publisher = who_.number,
                                 .target = static_cast<std::uint32_t>(target),
                                 .sequence = unconfirmed_.next_sequence(target),
                                 .sent_ns = to_ns(due)});
      co_await unconfirmed_.send(message, target, due);
      pacing.sent();
      target = target + 1 == routes_.size() ? 0 : target + 1;
    }
  }
  on_.at.figures(0).add(tally::unsent, pacing.unsent());
  co_await unconfirmed_.drain();
}

}  // namespace

std::unique_ptr<role> make_publisher(setting& setting, link& on, member who, std::vector<route> routes) {
  return std::make_unique<publisher>(setting, on, who, std::move(routes));
}

}  // namespace tidegate::tool::bench
